//! Images and the recipes that build them.

use super::Named;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// `retired`: no new desktops; deleted when nothing depends on it.
    ImageState = model::ImageState { Ready, Retired }
}
mirror! {
    /// What runs in it, as far as Oriel cares.
    ImageOs = model::ImageOs { Linux, Windows, Other }
}

/// Where an image came from.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ImageSource {
    /// Built by a recipe; `inputs` is the hash over everything that went in, `packages` how many packages it holds.
    Built {
        recipe: String,
        inputs: String,
        packages: u64,
    },
    Imported {
        from: String,
    },
    /// Made from a desktop; `of`: the version that its disk was a clone of, `recipe`: by which that was built, if it was.
    Captured {
        desktop: String,
        of: String,
        recipe: Option<String>,
    },
}

impl From<&model::ImageSource> for ImageSource {
    fn from(source: &model::ImageSource) -> Self {
        match source {
            model::ImageSource::Built { recipe, inputs, packages } => {
                Self::Built { recipe: recipe.clone(), inputs: inputs.clone(), packages: packages.len() as u64 }
            }
            model::ImageSource::Imported { from } => Self::Imported { from: from.clone() },
            model::ImageSource::Captured { desktop, of, recipe } => {
                Self::Captured { desktop: desktop.clone(), of: of.clone(), recipe: recipe.clone() }
            }
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Image {
    pub id: String,
    pub name: String,
    /// Counts from 1 within the name.
    pub version: u32,
    pub state: ImageState,
    pub os: ImageOs,
    pub source: ImageSource,
    /// SHA-256 of the file, lowercase hex.
    pub sha256: String,
    /// What the guest sees.
    pub virtual_bytes: u64,
    /// What the file takes.
    pub file_bytes: u64,
    pub created_at: String,
    /// How many desktops were made from it.
    pub desktops: u64,
    /// Pools whose new desktops are made from it, of those that the reader may know of.
    #[serde(default)]
    #[schema(required)]
    pub pools: Vec<Named>,
    /// Other pools whose last roll-out leads to it or away from it: they may still go to it, or back.
    #[serde(default)]
    #[schema(required)]
    pub rollouts: Vec<Named>,
}

impl Image {
    pub fn new(image: &model::Image, desktops: u64, pools: Vec<Named>, rollouts: Vec<Named>) -> Self {
        Self {
            id: image.id.to_string(),
            name: image.name.to_string(),
            version: image.version,
            state: image.state.into(),
            os: image.os.into(),
            source: (&image.source).into(),
            sha256: image.sha256.clone(),
            virtual_bytes: image.virtual_bytes,
            file_bytes: image.file_bytes,
            created_at: image.created.rfc3339(),
            desktops,
            pools,
            rollouts,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImageList {
    pub images: Vec<Image>,
}

/// An image as a pool or a desktop names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageRef {
    pub id: String,
    pub name: String,
    pub version: u32,
}

impl From<&model::Image> for ImageRef {
    fn from(image: &model::Image) -> Self {
        Self { id: image.id.to_string(), name: image.name.to_string(), version: image.version }
    }
}

/// A way to build an image.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Recipe {
    pub name: String,
    pub title: String,
    pub description: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecipeList {
    pub recipes: Vec<Recipe>,
}

/// Build an image by a recipe.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageBuild {
    pub recipe: String,
    /// The image's name; the recipe's name when left out.
    #[serde(default)]
    pub name: Option<String>,
}

/// Import an image from a file of the server or from a URL.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageImport {
    /// An absolute path on the server, or an `https` URL: qcow2 or raw.
    pub from: String,
    pub name: String,
    /// Checked before use; lowercase hex.
    #[serde(default)]
    pub sha256: Option<String>,
    pub os: ImageOs,
}

/// Make a version of an image from a desktop.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DesktopCapture {
    /// The name of the image: a new one, or one that gets its next version.
    pub image: String,
    /// Its guest is not told to forget who it is: for systems that do so by themselves. Otherwise its agent must answer.
    #[serde(default)]
    pub unsealed: bool,
    /// Also while somebody is in it.
    #[serde(default)]
    pub force: bool,
}
