//! `oriel audit`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, say},
};
use clap::{Args, Subcommand};
use oriel_server::api::audit::{AuditCheck, AuditEntry, AuditList};
use serde_json::Value;
use std::{io::Write, path::PathBuf};

#[derive(Subcommand)]
pub enum Command {
    /// Show who did what, the newest first
    List {
        #[command(flatten)]
        wanted: Wanted,
        /// At most so many, up to 500
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        limit: u64,
        #[command(flatten)]
        json: Json,
    },
    /// Write all of it, or what is wanted, as lines of JSON, the newest first
    Export {
        #[command(flatten)]
        wanted: Wanted,
        /// File to write; to stdout when left out
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Follow all rows from the first to the last: whether one was changed, exchanged or taken away
    Verify {
        /// What an earlier `oriel audit verify` printed: that row must still be there
        #[arg(long, value_name = "SEQ:HASH")]
        head: Option<String>,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Args)]
pub struct Wanted {
    /// Whose deeds: a name
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// An operation of the API: change_pool
    #[arg(long)]
    action: Option<String>,
    /// A part of what it was done to: pools/studio
    #[arg(long)]
    target: Option<String>,
    /// true: only what was refused; false: only what was done
    #[arg(long)]
    refused: Option<bool>,
    /// From then on: 2026-11-28T09:30:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Wanted {
    fn path(&self, limit: u64, before: Option<u64>) -> String {
        let mut path = format!("/audit?limit={limit}");
        let texts = [
            ("actor", &self.actor),
            ("action", &self.action),
            ("target", &self.target),
            ("from", &self.from),
            ("until", &self.until),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                path = format!("{path}&{name}={}", segment(text));
            }
        }
        if let Some(refused) = self.refused {
            path = format!("{path}&refused={refused}");
        }
        if let Some(before) = before {
            path = format!("{path}&before={before}");
        }
        path
    }
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List { wanted, limit, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&wanted.path(limit, None)).await?)
            }
            Self::List { wanted, limit, .. } => {
                let list: AuditList = client.get(&wanted.path(limit, None)).await?;
                let mut rows = Rows::new(
                    ["row", "at", "who", "via", "from", "did", "to", "answer"],
                    "nothing of that is in the audit",
                )
                .right(&[0]);
                for entry in list.entries {
                    rows.row([
                        entry.seq.to_string(),
                        entry.at.clone(),
                        output::or_dash(Some(&entry.actor_name)),
                        entry.via.clone(),
                        output::or_dash(Some(&entry.address)),
                        entry.action.replace('_', " "),
                        entry.target.clone(),
                        if entry.code.is_empty() {
                            entry.outcome.to_string()
                        } else {
                            format!("{} {}", entry.outcome, entry.code)
                        },
                    ]);
                }
                rows.print()
            }
            Self::Export { wanted, output } => export(client, &wanted, output).await,
            Self::Verify { head, json } => {
                let path = head
                    .map_or_else(|| "/audit/check".to_owned(), |head| format!("/audit/check?head={}", segment(&head)));
                let check: AuditCheck = client.get(&path).await?;
                if json.json {
                    let value =
                        serde_json::to_value(&check).map_err(|error| Failure::because("cannot write JSON", &error))?;
                    output::print_json(&value)?;
                }
                match (check.broken_at, check.why) {
                    (None, _) if json.json => Ok(()),
                    (None, _) => {
                        say(format!(
                            "{} rows follow one another; keep this to show later that none was cut off:",
                            check.rows
                        ));
                        output::print(&check.head)
                    }
                    (Some(row), why) => Err(Failure::new(format!(
                        "the audit does not hold from row {row} on: {}",
                        why.unwrap_or_default()
                    ))
                    .next("compare it with an export or a backup; whoever can write to the database could do this")),
                }
            }
        }
    }
}

async fn export(client: &Client, wanted: &Wanted, output: Option<PathBuf>) -> Done {
    let what = |path: &PathBuf| format!("cannot write {}", path.display());
    let mut file = match &output {
        Some(path) => Some(std::fs::File::create(path).map_err(|error| Failure::because(what(path), &error))?),
        None => None,
    };
    let (mut before, mut count) = (None, 0_u64);
    loop {
        let list: AuditList = client.get(&wanted.path(500, before)).await?;
        for entry in &list.entries {
            let line = line(entry)?;
            match (&mut file, &output) {
                (Some(file), Some(path)) => {
                    writeln!(file, "{line}").map_err(|error| Failure::because(what(path), &error))?;
                }
                _ => output::print(&line)?,
            }
            count += 1;
        }
        before = list.next;
        if before.is_none() {
            break;
        }
    }
    say(format!("{count} rows"));
    Ok(())
}

fn line(entry: &AuditEntry) -> Result<String, Failure> {
    serde_json::to_string(entry).map_err(|error| Failure::because("cannot write JSON", &error))
}
