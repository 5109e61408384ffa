//! `oriel config`: what is configured, and where.

use crate::{
    cli::{Global, Json},
    failure::Done,
    output::{self, Rows},
};
use clap::Subcommand;
use serde_json::json;

#[derive(Subcommand)]
pub enum Command {
    /// Print the effective values and where each came from; secrets are hidden
    Show(Json),
}

impl Command {
    pub fn run(self, global: &Global) -> Done {
        let Self::Show(Json { json }) = self;
        let shown = global.config(None)?.shown();
        if json {
            let values: Vec<_> = shown
                .iter()
                .map(|(key, value, from)| json!({"key": key.name, "value": value, "from": from, "about": key.about}))
                .collect();
            return output::print_json(&json!({"values": values}));
        }
        let mut rows = Rows::new(["key", "value", "from"], "nothing can be configured");
        for (key, value, from) in shown {
            rows.row([key.name.to_owned(), value.unwrap_or_else(|| "-".to_owned()), from]);
        }
        rows.print()
    }
}
