//! `oriel disk`.

use super::{operation::finished, recording};
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, say},
};
use clap::{Args, Subcommand};
use oriel_server::api::{
    operation::Operation,
    personal_disk::{DiskSnapshotNew, PersonalDisk, PersonalDiskChange, PersonalDiskFacts, PersonalDiskList},
};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Command {
    /// List personal disks: people's homes, which follow them from desktop to desktop
    ///
    /// Pools give them: `oriel pool set POOL --personal-disk size=20`.
    List {
        /// Only those that no desktop takes any more: their person has gone, or no pool names them
        #[arg(long)]
        orphaned: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Show a disk: what it takes, its snapshots, who has it
    Show {
        /// Id, or PERSON/NAME as in `ada/home`
        disk: String,
        #[command(flatten)]
        json: Json,
    },
    /// Make a disk larger, while it is in no desktop that runs
    Resize {
        /// Id, or PERSON/NAME as in `ada/home`
        disk: String,
        /// Its new size in GiB; disks never shrink
        #[arg(value_name = "GIB")]
        size: u64,
    },
    /// Keep what a disk holds now under a name, go back to it, or delete it
    Snapshot(Snapshot),
    /// Copy a disk into a file: a qcow2 that any QEMU reads, without snapshots
    Export {
        /// Id, or PERSON/NAME as in `ada/home`
        disk: String,
        /// File to write; it must not exist
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Delete a disk that is in no desktop, with its snapshots and all that its person keeps there
    Delete {
        /// Id, or PERSON/NAME as in `ada/home`
        disk: String,
        /// Do it: there is no way back
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub struct Snapshot {
    /// Id, or PERSON/NAME as in `ada/home`
    disk: String,
    /// Its name: lowercase letters, digits and hyphens
    name: String,
    /// Bring the disk back to that snapshot; what was written since is lost
    #[arg(long, conflicts_with = "delete")]
    restore: bool,
    /// Delete that snapshot
    #[arg(long)]
    delete: bool,
}

fn path(disk: &str) -> String {
    format!("/personal-disks/{}", segment(disk))
}

/// In what it is, in a few words.
fn place(disk: &PersonalDisk) -> String {
    match (&disk.desktop, &disk.operation) {
        (Some(desktop), _) => desktop.name.clone(),
        (None, Some(operation)) => format!("operation {operation}"),
        (None, None) => "-".to_owned(),
    }
}

fn title(disk: &PersonalDisk) -> String {
    format!("{}/{}", disk.person.name, disk.name)
}

/// Watches what was begun to its end, and says what came of it.
async fn watch(client: &Client, operation: Operation) -> Done {
    let done = finished(client, operation).await?;
    say(done.step);
    Ok(())
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List { orphaned, json } => list(client, orphaned, json.json).await,
            Self::Show { disk, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&disk)).await?)
            }
            Self::Show { disk, .. } => show(&client.get(&path(&disk)).await?),
            Self::Resize { disk, size } => {
                let change = PersonalDiskChange { size_gib: size };
                watch(client, client.patch(&path(&disk), &change).await?).await
            }
            Self::Snapshot(snapshot) => {
                let all = format!("{}/snapshots", path(&snapshot.disk));
                let one = format!("{all}/{}", segment(&snapshot.name));
                let operation = if snapshot.restore {
                    client.post(&format!("{one}/restore"), &json!({})).await?
                } else if snapshot.delete {
                    client.delete_for(&one).await?
                } else {
                    client.post(&all, &DiskSnapshotNew { name: snapshot.name }).await?
                };
                watch(client, operation).await
            }
            Self::Export { disk, output } => export(client, &disk, &output).await,
            Self::Delete { disk, yes } => {
                if !yes {
                    let facts: PersonalDiskFacts = client.get(&path(&disk)).await?;
                    return Err(Failure::usage(format!(
                        "{} and all that {} keeps there would be gone for good ({})",
                        title(&facts.disk),
                        facts.disk.person.name,
                        output::bytes(facts.used_bytes)
                    ))
                    .next(format!("keep a copy with `oriel disk export {disk} -o FILE`, then say --yes")));
                }
                watch(client, client.delete_for(&path(&disk)).await?).await
            }
        }
    }
}

async fn list(client: &Client, orphaned: bool, as_json: bool) -> Done {
    let mut list: PersonalDiskList = client.get("/personal-disks").await?;
    if orphaned {
        list.personal_disks.retain(|disk| disk.orphaned);
    }
    if as_json {
        let value = serde_json::to_value(&list).map_err(|error| Failure::because("cannot write the list", &error))?;
        return output::print_json(&value);
    }
    let mut rows = Rows::new(
        ["disk", "size", "in", "orphaned", "host", "made", "id"],
        "there are no personal disks: `oriel pool set POOL --personal-disk size=20` gives one to everybody who gets a desktop there",
    )
    .right(&[1]);
    for disk in list.personal_disks {
        rows.row([
            title(&disk),
            format!("{} GiB", disk.size_gib),
            place(&disk),
            if disk.orphaned { "yes" } else { "-" }.to_owned(),
            disk.host,
            age(&disk.created_at),
            disk.id,
        ]);
    }
    rows.print()
}

fn show(facts: &PersonalDiskFacts) -> Done {
    let disk = &facts.disk;
    let mut rows = Rows::without_headings();
    let mut row = |name: &str, value: String| rows.row([name.to_owned(), value]);
    row("disk", title(disk));
    row("id", disk.id.clone());
    row("size", format!("{} GiB, of which {} are taken", disk.size_gib, output::bytes(facts.used_bytes)));
    row("in", place(disk));
    row("host", disk.host.clone());
    if disk.orphaned {
        row("orphaned", "its person has gone, or neither a pool nor a desktop of theirs names it any more".to_owned());
    }
    for (place, snapshot) in facts.snapshots.iter().enumerate() {
        let name = if place == 0 { "snapshots" } else { "" };
        row(name, format!("{}, kept {}", snapshot.name, age(&snapshot.created_at)));
    }
    if let Some(bytes) = facts.export_bytes {
        row("copy", format!("{} that nobody fetched", output::bytes(bytes)));
    }
    row("made", age(&disk.created_at));
    rows.print()
}

async fn export(client: &Client, disk: &str, to: &std::path::Path) -> Done {
    // Before an hour of work: that the file can be made.
    let mut file = recording::create(to)?;
    let copied = fetch(client, disk, to, &mut file).await;
    if copied.is_err() {
        std::fs::remove_file(to).ok();
        return copied;
    }
    output::print(&to.display().to_string())
}

async fn fetch(client: &Client, disk: &str, to: &std::path::Path, file: &mut std::fs::File) -> Done {
    let at = format!("{}/export", path(disk));
    finished(client, client.post(&at, &json!({})).await?).await?;
    let facts: PersonalDiskFacts = client.get(&path(disk)).await?;
    let gone = || Failure::new("the copy is gone").next("somebody deleted it: export the disk again");
    let bytes = facts.export_bytes.ok_or_else(gone)?;
    recording::copy(client, &at, bytes, file, to).await?;
    say(format!("wrote {} of {}", output::bytes(bytes), title(&facts.disk)));
    // It is here now; there it would only take room.
    client.delete(&at).await
}
