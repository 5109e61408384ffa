//! `oriel export`: the present configuration as a file that `oriel apply` takes.

use super::apply::{Language, Needs, fetch, write};
use crate::{
    client::Client,
    failure::{Done, Failure},
    output::{self, say},
};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Secrets are not in it: comments name which are left out. `oriel export | oriel apply --dry-run -f -` finds nothing to change."
)]
pub struct Export {
    /// Which language; by the name of --output when left out, else TOML
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// File to write; to stdout when left out
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    Toml,
    Yaml,
}

impl Export {
    pub async fn run(self, client: &Client) -> Done {
        let named = self.output.as_deref().and_then(|path| path.file_name()?.to_str()).and_then(Language::of);
        let language = match self.format {
            Some(Format::Toml) => Language::Toml,
            Some(Format::Yaml) => Language::Yaml,
            None => named.unwrap_or(Language::Toml),
        };
        let text = write(&fetch(client, &Needs::ALL).await?, language);
        let Some(path) = self.output else { return output::print(text.trim_end()) };
        std::fs::write(&path, text)
            .map_err(|error| Failure::because(format!("cannot write {}", path.display()), &error))?;
        say(format!("wrote {}", path.display()));
        Ok(())
    }
}
