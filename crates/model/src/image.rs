//! A golden disk. Images with one name form a line of versions: `debian-desktop` 1, 2, 3.

use crate::{ImageId, Micros, Name};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    pub id: ImageId,
    pub name: Name,
    /// Counts from 1 within the name.
    pub version: u32,
    pub state: ImageState,
    pub os: ImageOs,
    pub source: ImageSource,
    /// SHA-256 of the qcow2 file, lowercase hex; the file is `images/{sha256}.qcow2` under the data folder.
    pub sha256: String,
    /// What the guest sees, in bytes.
    pub virtual_bytes: u64,
    /// What the file takes, in bytes.
    pub file_bytes: u64,
    pub created: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageState {
    Ready,
    /// No new desktops; deleted when nothing depends on it.
    Retired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageOs {
    Linux,
    Windows,
    Other,
}

/// Where an image came from: enough to make it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ImageSource {
    /// Built by a recipe of ours; `inputs` is the hash over recipe, package versions and options, `manifest` the package list.
    Built { recipe: String, inputs: String, packages: Vec<String> },
    /// Imported from a file or URL.
    Imported { from: String },
    /// Made from a desktop. `of`: what that was a clone of, `name:version`; `recipe`: by which that was built, if it was.
    Captured { desktop: String, of: String, recipe: Option<String> },
}

impl ImageSource {
    /// The recipe by which it, or what it was made from, was built: what such a recipe promises holds of it.
    pub fn recipe(&self) -> Option<&str> {
        match self {
            Self::Built { recipe, .. } => Some(recipe),
            Self::Captured { recipe, .. } => recipe.as_deref(),
            Self::Imported { .. } => None,
        }
    }
}
