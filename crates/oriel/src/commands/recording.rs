//! `oriel recording`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, say, word},
};
use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use oriel_screen::recording::{
    Container, RecordingKind,
    cast::{CastEvent, Plain, parse},
    chunk_lines,
};
use oriel_server::api::recording::{Recording, RecordingIndex, RecordingList};
use serde_json::Value;
use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

/// Bytes asked for at once.
const SLICE_BYTES: u64 = 8 << 20;

#[derive(Subcommand)]
pub enum Command {
    /// List recordings, newest first
    List(Json),
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
pub struct Export {
    /// Id
    recording: String,
    /// File to write; it must not exist
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Orec)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The recording as it is, decrypted (docs/recording-format.md)
    Orec,
    /// A terminal as asciicast v2, for asciinema
    Cast,
    /// What a terminal printed, without colours and cursor movements
    Text,
}

fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        let path = |recording: &str| format!("/recordings/{}", segment(recording));
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/recordings").await?),
            Self::List(_) => {
                let list: RecordingList = client.get("/recordings").await?;
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
                rows.print()
            }
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

impl Export {
    async fn run(&self, client: &Client, path: &str) -> Done {
        let index: RecordingIndex = client.get(&format!("{path}/index")).await?;
        let is_shell = index.recording.kind == oriel_server::api::desktop::ConnectKind::Ssh;
        if self.format != Format::Orec && !is_shell {
            return Err(Failure::usage("only the recording of a shell can be written as text")
                .next("leave --format out; the console plays it"));
        }
        let mut file = create(&self.output)?;
        let failed = |error: std::io::Error| {
            Failure::because(format!("cannot write {}", self.output.display()), &error).next("look for a full disk")
        };
        let mut whole = Vec::new();
        let mut at = 0;
        while at < index.size {
            let slice = client.get_range(&format!("{path}/content"), at..(at + SLICE_BYTES).min(index.size)).await?;
            if slice.is_empty() {
                return Err(Failure::new("the recording ended before its size").next("try again"));
            }
            at += slice.len() as u64;
            if self.format == Format::Orec {
                file.write_all(&slice).map_err(failed)?;
            } else {
                whole.extend_from_slice(&slice);
            }
        }
        if self.format != Format::Orec {
            let text = terminal(&Bytes::from(whole), self.format)?;
            file.write_all(text.as_bytes()).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        say(format!("wrote {} of {}", duration(index.duration_ms), index.recording.desktop.name));
        output::print(&self.output.display().to_string())
    }
}

/// What is in a recording is for few: so is the file.
fn create(path: &Path) -> Result<std::fs::File, Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
        Failure::because(format!("cannot make {}", path.display()), &error).next("name a file that does not exist yet")
    })
}

/// A terminal's container as lines of asciicast, or as plain text.
fn terminal(container: &Bytes, format: Format) -> Result<String, Failure> {
    let damaged = |error| Failure::because("the recording is damaged", &error).next("restore a backup of it");
    let read = Container::read(container).map_err(damaged)?;
    if read.header.kind != RecordingKind::Terminal {
        return Err(Failure::usage("this recording is not of a shell").next("leave --format out"));
    }
    let (mut out, mut plain) = (String::new(), Plain::default());
    for chunk in read.chunks {
        let lines = chunk_lines(&container.slice(chunk.offset..chunk.offset + chunk.length)).map_err(damaged)?;
        if format == Format::Cast {
            out.push_str(&lines);
            continue;
        }
        for line in lines.lines() {
            if let Some(CastEvent::Output { text, .. }) = parse(line) {
                plain.push(&text, &mut out);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_screen::recording::{Header, Writer, cast::CastWriter};

    #[test]
    fn shells_become_asciicast_and_text() {
        let (mut writer, header) = Writer::new(&Header {
            kind: RecordingKind::Terminal,
            recording: [0; 16],
            connection: [0; 16],
            started: 0,
            title: "t".into(),
        });
        let mut cast = CastWriter::default();
        writer.push(0, true, CastWriter::header(80, 24, 0, "t", None).as_bytes());
        writer.push(5, false, cast.output(5, b"$ \x1b[32mls\x1b[0m\r\n").as_bytes());
        let (chunk, index) = writer.finish();
        let bytes = Bytes::from([header.bytes, chunk.unwrap().bytes, index.bytes].concat());
        assert_eq!(terminal(&bytes, Format::Text).unwrap(), "$ ls\n");
        let lines = terminal(&bytes, Format::Cast).unwrap();
        assert_eq!(lines.lines().count(), 2);
        assert!(lines.starts_with(r#"{"version":2,"#), "{lines}");
        // Without its index: a program that was killed.
        assert_eq!(terminal(&bytes.slice(..bytes.len() - 3), Format::Text).unwrap(), "$ ls\n");
        assert_eq!(duration(3_723_000), "1:02:03");
    }
}
