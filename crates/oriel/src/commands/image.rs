//! `oriel image` and `oriel recipe`.

use super::operation;
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, bytes, say, word},
};
use clap::{Subcommand, ValueEnum};
use oriel_server::api::{
    Named,
    image::{ImageList, ImageSource, RecipeList},
    operation::Operation,
};
use serde_json::{Value, json};
use std::path::Path;

#[derive(Subcommand)]
pub enum Command {
    /// List images, newest first
    List(Json),
    /// List an image's versions, and what uses them
    Versions {
        /// Name
        name: String,
        #[command(flatten)]
        json: Json,
    },
    /// Build an image by a recipe
    Build {
        /// Recipe: see `oriel recipe list`
        recipe: String,
        /// Name of the image; the recipe's name when left out
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        watch: operation::Watch,
    },
    /// Import a qcow2, raw or cloud image
    Import {
        /// File on the server, or an https URL (http only with --sha256)
        from: String,
        /// Name of the image
        #[arg(long)]
        name: String,
        /// SHA-256 that the file must have
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
        /// What runs in it
        #[arg(long, value_enum, default_value_t = Os::Linux)]
        os: Os,
        #[command(flatten)]
        watch: operation::Watch,
    },
    /// Make a version of an image from a desktop's disk
    ///
    /// Its guest forgets who it is (machine id, host keys, its person's account with its home) and is shut down. Afterwards the
    /// desktop is made anew where its pool's desktops go from person to person, and starts again otherwise. Bring pools to the version
    /// with `oriel pool rollout start`.
    Capture {
        /// Desktop: id or name
        desktop: String,
        /// Name of the image: a new one, or one that gets its next version
        #[arg(long, value_name = "NAME")]
        image: String,
        /// Copy it as it is: its system forgets by itself who it is
        #[arg(long)]
        unsealed: bool,
        /// Also while somebody is in it: they are cut off
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        watch: operation::Watch,
    },
    /// Delete an image that nothing uses
    Delete {
        /// Id, name (its newest version) or name:version
        image: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Os {
    Linux,
    Windows,
    Other,
}

#[derive(Subcommand)]
pub enum RecipeCommand {
    /// List recipes
    List(Json),
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/images").await?),
            Self::List(_) => {
                let list: ImageList = client.get("/images").await?;
                let mut rows = Rows::new(
                    ["name", "version", "os", "state", "size", "disk", "desktops", "from", "made"],
                    "there are no images yet: build one with `oriel image build debian-desktop`",
                )
                .right(&[1, 4, 5, 6]);
                for image in list.images {
                    rows.row([
                        image.name,
                        image.version.to_string(),
                        word(&image.os),
                        word(&image.state),
                        bytes(image.file_bytes),
                        bytes(image.virtual_bytes),
                        image.desktops.to_string(),
                        match image.source {
                            ImageSource::Built { recipe, .. } => format!("recipe {recipe}"),
                            ImageSource::Imported { from } => from,
                            ImageSource::Captured { desktop, of, .. } => format!("desktop {desktop} of {of}"),
                        },
                        age(&image.created_at),
                    ]);
                }
                rows.print()
            }
            Self::Versions { name, json } => versions(client, &name, json.json).await,
            Self::Build { recipe, name, watch } => {
                let body = json!({"recipe": recipe, "name": name});
                let operation: Operation = client.post("/images/build", &body).await?;
                watch.follow(client, operation).await
            }
            Self::Import { from, name, sha256, os, watch } => {
                let os = match os {
                    Os::Linux => "linux",
                    Os::Windows => "windows",
                    Os::Other => "other",
                };
                let body = json!({"from": absolute(&from)?, "name": name, "sha256": sha256, "os": os});
                let operation: Operation = client.post("/images/import", &body).await?;
                watch.follow(client, operation).await
            }
            Self::Capture { desktop, image, unsealed, force, watch } => {
                let body = json!({"image": image, "unsealed": unsealed, "force": force});
                let path = format!("/desktops/{}/capture", segment(&desktop));
                let operation: Operation = client.post(&path, &body).await?;
                watch.follow(client, operation).await
            }
            Self::Delete { image } => {
                client.delete(&format!("/images/{}", segment(&image))).await?;
                say(format!("deleted image {image}"));
                Ok(())
            }
        }
    }
}

async fn versions(client: &Client, name: &str, json: bool) -> Done {
    let mut list: ImageList = client.get("/images").await?;
    list.images.retain(|image| image.name == name);
    if list.images.is_empty() {
        return Err(Failure::new(format!("there is no image {name:?}")).next("oriel image list"));
    }
    if json {
        let value = serde_json::to_value(&list).map_err(|error| Failure::because("cannot write JSON", &error))?;
        return output::print_json(&value);
    }
    let names = |pools: &[Named]| {
        let names: Vec<&str> = pools.iter().map(|pool| pool.name.as_str()).collect();
        output::or_dash(Some(names.join(", ").as_str()))
    };
    let mut rows = Rows::new(
        ["version", "state", "size", "desktops", "pools", "kept for roll-outs of", "made"],
        "there are no versions",
    )
    .right(&[0, 2, 3]);
    for image in &list.images {
        rows.row([
            image.version.to_string(),
            word(&image.state),
            bytes(image.file_bytes),
            image.desktops.to_string(),
            names(&image.pools),
            names(&image.rollouts),
            age(&image.created_at),
        ]);
    }
    rows.print()
}

/// The server does not know this program's folder.
fn absolute(from: &str) -> Result<String, Failure> {
    if from.contains("://") {
        return Ok(from.to_owned());
    }
    std::path::absolute(Path::new(from))
        .map(|path| path.display().to_string())
        .map_err(|error| Failure::because(format!("cannot find {from}"), &error))
}

impl RecipeCommand {
    pub async fn run(self, client: &Client) -> Done {
        let Self::List(Json { json }) = self;
        if json {
            return output::print_json(&client.get::<Value>("/recipes").await?);
        }
        let list: RecipeList = client.get("/recipes").await?;
        let mut rows = Rows::new(["name", "title", "description"], "this server knows no recipes");
        for recipe in list.recipes {
            rows.row([recipe.name, recipe.title, recipe.description]);
        }
        rows.print()
    }
}
