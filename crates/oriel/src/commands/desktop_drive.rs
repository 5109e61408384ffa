//! `oriel desktop drive`: the CD drive of a desktop that Oriel runs.

use super::device::drive::{Others, load};
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::Done,
    output::{self, Rows, bytes, say},
};
use clap::Subcommand;
use oriel_server::api::drive::DesktopDrive;
use serde_json::json;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Command {
    /// What is in it, and the images that lie on the desktop's host for it
    Show {
        /// Desktop: id or name
        desktop: String,
        #[command(flatten)]
        json: Json,
    },
    /// Put a CD image from here into it; it goes to the desktop's host first, unless it lies there, in place of one of its name
    Insert {
        /// Desktop: id or name
        desktop: String,
        file: PathBuf,
    },
    /// Take out what is in it
    Eject {
        /// Desktop: id or name
        desktop: String,
    },
    /// Start the desktop from it, when it starts next and not again; for those who may make desktops of its pool
    Boot {
        /// Desktop: id or name
        desktop: String,
        /// Take that back: from its disk
        #[arg(long)]
        never_mind: bool,
    },
}

fn place(desktop: &str) -> String {
    format!("/desktops/{}/drive", segment(desktop))
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::Show { desktop, json } => show(&client.get(&place(&desktop)).await?, json.json),
            Self::Insert { desktop, file } => {
                load(client, &place(&desktop), Some(file.as_path()), Others::Stay).await?;
                say(format!("{} is in the drive of {desktop}", file.display()));
                Ok(())
            }
            Self::Eject { desktop } => {
                load(client, &place(&desktop), None, Others::Stay).await?;
                say(format!("the drive of {desktop} is empty"));
                Ok(())
            }
            Self::Boot { desktop, never_mind: true } => {
                client.delete(&format!("{}/start", place(&desktop))).await?;
                say(format!("{desktop} starts from its disk"));
                Ok(())
            }
            Self::Boot { desktop, never_mind: false } => {
                let path = format!("{}/start", place(&desktop));
                let drive: DesktopDrive = client.put_json(&path, &json!({})).await?;
                let image = drive.image.unwrap_or_else(|| "its drive".to_owned());
                say(format!("{desktop} starts from {image} once; restart it: oriel desktop restart {desktop}"));
                Ok(())
            }
        }
    }
}

fn show(drive: &DesktopDrive, json: bool) -> Done {
    if json {
        return output::print_json(&json!({ "drive": drive }));
    }
    let mut rows = Rows::new(["image", "size", "complete", "in the drive"], "no image lies on its host").right(&[1]);
    for image in &drive.images {
        let inside = drive.image.as_ref() == Some(&image.name);
        rows.row([
            image.name.clone(),
            bytes(image.bytes),
            if image.complete { "yes" } else { "no" }.to_owned(),
            match (inside, drive.starts) {
                (true, true) => "yes, and it starts from it next",
                (true, false) => "yes",
                (false, _) => "",
            }
            .to_owned(),
        ]);
    }
    rows.print()
}
