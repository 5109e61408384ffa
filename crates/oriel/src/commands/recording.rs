//! `oriel recording`.

use super::operation::finished;
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, say, word},
};
use clap::{Args, Subcommand, ValueEnum};
use oriel_server::api::{
    export::{ExportFormat, ExportList, NewExport},
    operation::{Operation, OperationState},
    recording::{Recording, RecordingIndex, RecordingList, RecordingState},
};
use serde_json::Value;
use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

/// Bytes asked for at once.
const SLICE_BYTES: u64 = 8 << 20;
/// Recordings asked for at once.
const PAGE_MAX: usize = 500;

#[derive(Subcommand)]
pub enum Command {
    /// List recordings, newest first
    List(List),
    /// Show one
    Show {
        /// Id
        recording: String,
        #[command(flatten)]
        json: Json,
    },
    /// Write one into a file
    Export(Export),
    /// Delete one that is no longer being written
    Delete {
        /// Id
        recording: String,
    },
}

#[derive(Args)]
pub struct List {
    /// Of this person: name or id
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Of this desktop: name or id
    #[arg(long, value_name = "NAME")]
    desktop: Option<String>,
    /// Begun then or later: 2026-11-28 (UTC) or 2026-11-28T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Begun before
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// With this in the name of desktop, person or pool
    #[arg(long, value_name = "PART")]
    text: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    json: Json,
}

#[derive(Args)]
pub struct Export {
    /// Id
    recording: String,
    /// File to write; it must not exist
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Orec)]
    format: Format,
    /// In films, make pauses short
    #[arg(long)]
    skip_idle: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The recording as it is, decrypted (docs/recording-format.md)
    Orec,
    /// A screen as a film, H.264
    Mp4,
    /// A screen as a film, VP9
    Webm,
    /// A terminal as asciicast v2, for asciinema
    Cast,
    /// What a terminal printed, without colours and cursor movements
    Text,
}

impl Format {
    /// What the server makes; nothing where it has it already.
    const fn made(self) -> Option<ExportFormat> {
        match self {
            Self::Orec => None,
            Self::Mp4 => Some(ExportFormat::Mp4),
            Self::Webm => Some(ExportFormat::Webm),
            Self::Cast => Some(ExportFormat::Cast),
            Self::Text => Some(ExportFormat::Text),
        }
    }
}

fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Where it is, and how far on its way to a bucket.
fn kept_in(bucket: Option<String>, moved: u64, bytes: u64) -> String {
    match bucket {
        Some(bucket) => bucket,
        None if moved == 0 => "the server's folder".to_owned(),
        None => format!("the server's folder; {} % are in the bucket", moved.saturating_mul(100) / bytes.max(1)),
    }
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        let path = |recording: &str| format!("/recordings/{}", segment(recording));
        match self {
            Self::List(list) => list.run(client).await,
            Self::Show { recording, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&recording)).await?)
            }
            Self::Show { recording, .. } => {
                let recording: Recording = client.get(&path(&recording)).await?;
                for (name, value) in [
                    ("id", recording.id),
                    ("desktop", recording.desktop.name),
                    ("user", recording.user.name),
                    ("pool", recording.pool.name),
                    ("kind", word(&recording.kind)),
                    ("state", word(&recording.state)),
                    ("began", recording.started_at),
                    ("ended", recording.ended_at.unwrap_or_else(|| "-".to_owned())),
                    ("length", duration(recording.duration_ms)),
                    ("size", output::bytes(recording.bytes)),
                    ("kept in", kept_in(recording.bucket, recording.moved_bytes, recording.bytes)),
                ] {
                    output::print(&format!("{name:<8} {value}"))?;
                }
                Ok(())
            }
            Self::Export(export) => export.run(client, &path(&export.recording)).await,
            Self::Delete { recording } => {
                client.delete(&path(&recording)).await?;
                say(format!("deleted recording {recording}"));
                Ok(())
            }
        }
    }
}

impl List {
    async fn run(&self, client: &Client) -> Done {
        let mut list = RecordingList { recordings: Vec::new(), next: None };
        loop {
            let page: RecordingList = client.get(&self.question(list.next.as_deref(), list.recordings.len())).await?;
            list.recordings.extend(page.recordings);
            list.next = page.next;
            if list.next.is_none() || list.recordings.len() >= self.limit {
                break;
            }
        }
        if self.json.json {
            let value =
                serde_json::to_value(&list).map_err(|error| Failure::because("cannot write the list", &error))?;
            return output::print_json(&value);
        }
        let more = list.next.is_some();
        let mut rows = Rows::new(
            ["id", "desktop", "user", "pool", "kind", "state", "length", "size", "began"],
            "nothing was recorded yet: `oriel pool set POOL --recording always` begins it",
        )
        .right(&[6, 7]);
        for recording in list.recordings {
            rows.row([
                recording.id,
                recording.desktop.name,
                recording.user.name,
                recording.pool.name,
                word(&recording.kind),
                word(&recording.state),
                duration(recording.duration_ms),
                output::bytes(recording.bytes),
                age(&recording.started_at),
            ]);
        }
        rows.print()?;
        if more {
            say("there are older ones: narrow it down, or see more with --limit");
        }
        Ok(())
    }

    fn question(&self, cursor: Option<&str>, have: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let said = [
            ("user", self.user.as_deref()),
            ("desktop", self.desktop.as_deref()),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
            ("text", self.text.as_deref()),
            ("cursor", cursor),
        ];
        for (name, value) in said {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.append_pair("limit", &self.limit.saturating_sub(have).clamp(1, PAGE_MAX).to_string());
        format!("/recordings?{}", query.finish())
    }
}

impl Export {
    async fn run(&self, client: &Client, path: &str) -> Done {
        let index: RecordingIndex = client.get(&format!("{path}/index")).await?;
        // Before an hour of work: that the file can be made.
        let mut file = create(&self.output)?;
        let done = self.write(client, path, &index, &mut file).await;
        if done.is_err() {
            std::fs::remove_file(&self.output).ok();
            return done;
        }
        say(format!("wrote {} of {}", duration(index.duration_ms), index.recording.desktop.name));
        output::print(&self.output.display().to_string())
    }

    async fn write(&self, client: &Client, path: &str, index: &RecordingIndex, file: &mut std::fs::File) -> Done {
        let Some(format) = self.format.made() else {
            return copy(client, &format!("{path}/content"), index.size, file, &self.output).await;
        };
        let exports = format!("{path}/exports");
        // One that was asked for before and goes on, or was not fetched, is the same; unless there is more to be seen by now.
        let list: ExportList = client.get(&exports).await?;
        let same = list.exports.into_iter().find(|export| {
            index.recording.state != RecordingState::Recording
                && (export.format, export.skip_idle) == (format, self.skip_idle)
                && !matches!(export.state, OperationState::Failed | OperationState::Cancelled)
        });
        let operation: Operation = match same {
            Some(export) => client.get(&format!("/operations/{}", segment(&export.id))).await?,
            None => client.post(&exports, &NewExport { format, skip_idle: self.skip_idle }).await?,
        };
        let id = operation.id.clone();
        finished(client, operation).await?;
        let list: ExportList = client.get(&exports).await?;
        let gone = || Failure::new("the export is gone").next("somebody deleted it: export the recording again");
        let export = list.exports.into_iter().find(|export| export.id == id).ok_or_else(gone)?;
        let at = format!("{exports}/{}", segment(&id));
        copy(client, &format!("{at}/content"), export.bytes, file, &self.output).await?;
        // It is here now; elsewhere it would only take room.
        client.delete(&at).await
    }
}

/// Slice by slice.
pub(super) async fn copy(client: &Client, from: &str, size: u64, file: &mut std::fs::File, to: &Path) -> Done {
    let failed = |error: std::io::Error| {
        Failure::because(format!("cannot write {}", to.display()), &error).next("look for a full disk")
    };
    let mut at = 0;
    while at < size {
        let slice = client.get_range(from, at..(at + SLICE_BYTES).min(size)).await?;
        if slice.is_empty() {
            return Err(Failure::new("it ended before its size").next("try again"));
        }
        at += slice.len() as u64;
        file.write_all(&slice).map_err(failed)?;
    }
    file.sync_all().map_err(failed)
}

/// What is in a recording is for few: so is the file.
pub(super) fn create(path: &Path) -> Result<std::fs::File, Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
        Failure::because(format!("cannot make {}", path.display()), &error).next("name a file that does not exist yet")
    })
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn lengths_are_hours_minutes_and_seconds() {
        assert_eq!(duration(3_723_000), "1:02:03");
    }
}
