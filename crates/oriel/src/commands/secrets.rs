//! `oriel secrets`: the keys that seal what the database holds of secrets.

use super::operation::Watch;
use crate::{
    cli::{Global, Json},
    failure::{Done, Failure, USAGE},
    output::{self, Rows, age, say},
};
use clap::Subcommand;
use oriel_identity::{SEALED_HEAD_CHARS, sealed_with};
use oriel_model::{Micros, SealProgram};
use oriel_server::api::{operation::Operation, secrets::Secrets};
use oriel_store::{Store, StoreError};
use serde_json::{Value, json};
use std::path::Path;

#[derive(Subcommand)]
pub enum Command {
    /// Which keys there are, which server has which, and how much is sealed with each
    Status(Json),
    /// Seal everything with the newest key, which every server on this database must have by now
    Rotate {
        #[command(flatten)]
        watch: Watch,
    },
    /// Put a fresh key into the data folder's seal.key, for the server's next start; needs no server
    AddKey,
    /// Destroy a key of the data folder's seal.key with which nothing is sealed any more; needs no server
    RemoveKey {
        /// As `status` calls it
        key: String,
    },
}

impl Command {
    pub async fn run(self, global: &Global) -> Done {
        match self {
            Self::Status(Json { json: true }) => output::print_json(&global.client()?.get::<Value>("/secrets").await?),
            Self::Status(_) => status(&global.client()?.get("/secrets").await?),
            Self::Rotate { watch } => {
                let client = global.client()?;
                let operation: Operation = client.post("/secrets/rotate", &json!({})).await?;
                watch.follow(&client, operation).await
            }
            Self::AddKey => {
                let data = global.config(None)?.data();
                let key = oriel_identity::add_key(&data).map_err(|error| cannot("add a key", &error))?;
                say(format!(
                    "added to {}: start the server again, then `oriel secrets rotate`",
                    data.join(oriel_identity::KEY_FILE).display()
                ));
                output::print(&key)
            }
            Self::RemoveKey { key } => remove(global, &key).await,
        }
    }
}

fn status(secrets: &Secrets) -> Done {
    let mut rows = Rows::new(["key", "is", "secrets", "of"], "there is no key").right(&[2]);
    for key in &secrets.keys {
        let of: Vec<_> = key.of.iter().map(|one| format!("{} {}", one.count, one.what)).collect();
        let is = match (key.seals, key.here) {
            (true, _) => "seals",
            (_, false) => "MISSING",
            _ if key.count > 0 => "opens",
            _ => "not needed",
        };
        rows.row([key.key.clone(), is.to_owned(), key.count.to_string(), of.join(", ")]);
    }
    rows.print()?;
    if secrets.damaged > 0 {
        say(format!(
            "{} secrets were edited by hand or damaged: enter them anew, or restore a backup",
            secrets.damaged
        ));
    }
    let mut rows = Rows::new(["server", "seals with", "has", "said so"], "no server has said which keys it has");
    for one in &secrets.programs {
        rows.row([one.program.clone(), one.seals.clone(), one.keys.join(", "), age(&one.seen_at)]);
    }
    rows.print()?;
    if let Some(operation) = &secrets.operation {
        say(format!(
            "{} ({}): {}, {:.0} %, {}",
            operation.title,
            age(&operation.created_at),
            output::word(&operation.state),
            operation.progress * 100.0,
            operation.step
        ));
    }
    Ok(())
}

/// What is sealed with it is looked up in the database itself: the key may be the last thing that opens something. And a server that has
/// the key goes on with it, whatever is in the file.
async fn remove(global: &Global, key: &str) -> Done {
    let config = global.config(None)?;
    let database = config.get("database");
    let file = database.strip_prefix("sqlite://").or_else(|| database.strip_prefix("sqlite:")).unwrap_or(database);
    if !file.contains("://") && !Path::new(file).exists() {
        return Err(Failure::new(format!("there is no database {file}: nobody can tell what is sealed with the key"))
            .next("name the server's folder with --data DIR, and its database as the server has it (ORIEL_DATABASE)")
            .code(USAGE));
    }
    let reading = |error: StoreError| cannot("read the database", &error);
    let store = Store::open_unchanged(database).await.map_err(reading)?;
    let counts = store.sealed_counts(SEALED_HEAD_CHARS).await.map_err(reading)?;
    let with_it = counts.iter().filter(|one| sealed_with(&one.head) == Some(key));
    let count: u64 = with_it.map(|one| one.count).sum();
    if count > 0 {
        return Err(Failure::new(format!("{count} secrets are sealed with the key {key}, and would be lost"))
            .next("seal them with the newest key first: `oriel secrets rotate`"));
    }
    let since = Micros(jiff::Timestamp::now().as_microsecond()).plus_seconds(-SealProgram::ALIVE_SECONDS);
    let programs = store.seal_programs(since).await.map_err(reading)?;
    if let Some(one) = programs.iter().find(|one| one.seals == key) {
        return Err(Failure::new(format!(
            "the server {} seals with the key {key}: what it seals from now on would be lost",
            one.program
        ))
        .next("start it with another key before this one, and look at `oriel secrets status`; one that has stopped counts for a minute"));
    }
    let data = config.data();
    let removed = oriel_identity::remove_key(&data, key).map_err(|error| cannot("remove the key", &error))?;
    let file = data.join(oriel_identity::KEY_FILE);
    if !removed {
        return Err(Failure::new(format!("the key {key} is not in {}", file.display()))
            .next("what comes from the environment, another file or a credential is taken away there"));
    }
    say(format!("removed from {}; backups from before cannot be restored without it", file.display()));
    Ok(())
}

fn cannot(what: &str, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::because(format!("cannot {what}"), error)
}
