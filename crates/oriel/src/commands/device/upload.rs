//! `oriel device media upload`: an image from here into a device's storage, in pieces. What was cut off goes on where it stopped when
//! the same file is sent again; who interrupts it has what arrived removed.

use super::path;
use crate::{
    client::{Client, segment},
    failure::{Failure, INTERRUPTED, NO_SERVER},
    output::{bytes, say},
};
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oriel_server::api::{
    device::{DeviceNow, DeviceTransfer, DeviceTransferKind},
    file::FileUpload,
};
use std::{
    io::{IsTerminal as _, SeekFrom},
    path::Path,
    time::{Duration, UNIX_EPOCH},
};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};

/// Most bytes that are sent at once: within the time that the server gives a piece, to slow devices too.
const PIECE_BYTES: u64 = 4 << 20;
/// How often in a row a piece may break off.
const TRIES_MAX: u32 = 5;
/// How long it then waits.
const PAUSE: Duration = Duration::from_secs(1);
/// Refusals after which an image goes on where its next byte is missing.
const GO_ON: [&str; 2] = ["upload_gap", "piece_too_slow"];

/// Which file goes where.
pub struct Upload<'a> {
    client: &'a Client,
    /// The API's path of it.
    place: String,
    device: &'a str,
    name: String,
    /// The same for the same file.
    tag: String,
    file: File,
    size: u64,
}

impl<'a> Upload<'a> {
    /// Opens the file; `name`: what it is called on the device, where that is not the file's own name.
    pub async fn open(client: &'a Client, device: &'a str, file: &Path, name: Option<String>) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| Failure::because(format!("cannot read {}", file.display()), &error);
        let name = match name {
            Some(name) => name,
            None => file.file_name().and_then(|name| name.to_str()).map(str::to_owned).ok_or_else(|| {
                Failure::usage(format!("{} is no image's name", file.display())).next("name it: --name NAME")
            })?,
        };
        let opened = File::open(file).await.map_err(cannot)?;
        let meta = opened.metadata().await.map_err(cannot)?;
        if !meta.is_file() || meta.len() == 0 {
            return Err(Failure::usage(format!("{} is no file, or is empty", file.display())).next("give an image"));
        }
        let changed = meta.modified().map_err(cannot)?.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let size = meta.len();
        let tag = format!("{size:x}t{changed:x}").chars().take(32).collect();
        Ok(Self { client, place: format!("{}/upload", path(device)), device, name, tag, file: opened, size })
    }

    fn query(&self) -> String {
        format!("name={}&tag={}", segment(&self.name), self.tag)
    }

    async fn arrived(&self) -> Result<u64, Failure> {
        let there: FileUpload = self.client.get(&format!("{}?{}", self.place, self.query())).await?;
        Ok(there.offset.min(self.size))
    }

    /// Sends it, to its end. Ctrl-C has what arrived removed.
    pub async fn send(mut self) -> Result<(), Failure> {
        let (client, device, name) = (self.client, self.device.to_owned(), self.name.clone());
        let mut shown = Progress::new(&name, self.size);
        let outcome = tokio::select! {
            outcome = self.pieces(&mut shown) => outcome,
            _ = tokio::signal::ctrl_c() => {
                shown.end();
                stop(client, &device, &name).await?;
                say(format!("{name} was stopped, and what had arrived of it is removed from {device}"));
                return Err(Failure::silent(INTERRUPTED));
            }
        };
        shown.end();
        outcome
    }

    async fn pieces(&mut self, shown: &mut Progress) -> Result<(), Failure> {
        let mut at = self.arrived().await?;
        let mut tries = 0;
        loop {
            shown.look(at);
            match self.piece(at).await {
                Ok(FileUpload { complete: true, .. }) => return Ok(()),
                Ok(taken) if taken.offset > at => (at, tries) = (taken.offset, 0),
                // Nothing of it was taken, and nobody said why.
                Ok(_) => {
                    return Err(Failure::new(format!("the device took {at} bytes of {} and no more", self.name))
                        .next("send it again: it goes on there"));
                }
                Err(failure) => {
                    tries += 1;
                    let passes = failure.code == NO_SERVER
                        || failure.problem.as_deref().is_some_and(|problem| GO_ON.contains(&problem));
                    if !passes || tries >= TRIES_MAX {
                        return Err(failure);
                    }
                    tokio::time::sleep(PAUSE).await;
                    at = self.arrived().await?;
                }
            }
        }
    }

    /// The next piece; behind the last byte an empty one asks whether the device has it all.
    async fn piece(&mut self, at: u64) -> Result<FileUpload, Failure> {
        let name = &self.name;
        let cannot = |error: std::io::Error| Failure::because(format!("cannot read {name}"), &error);
        self.file.seek(SeekFrom::Start(at)).await.map_err(cannot)?;
        let most = PIECE_BYTES.min(self.size - at);
        let mut piece = Vec::new();
        (&mut self.file).take(most).read_to_end(&mut piece).await.map_err(cannot)?;
        if piece.len() as u64 != most {
            return Err(Failure::new(format!("{name} has become shorter while it was sent")).next("send it again"));
        }
        let place = format!("{}?{}&offset={at}&size={}", self.place, self.query(), self.size);
        self.client.put_bytes(&place, Bytes::from(piece)).await
    }
}

/// Stops what is on its way, where it is this image.
async fn stop(client: &Client, device: &str, name: &str) -> Result<(), Failure> {
    let now: DeviceNow = client.get(&format!("{}/live", path(device))).await?;
    let is_ours = |one: &DeviceTransfer| one.kind == DeviceTransferKind::Upload && one.name == name && !one.over;
    if now.transfer.as_ref().is_some_and(is_ours) {
        client.delete(&format!("{}/upload", path(device))).await?;
    }
    Ok(())
}

/// A bar on a terminal, a line for each tenth elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    name: String,
    size: u64,
    tenth: u64,
}

impl Progress {
    fn new(name: &str, size: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
            let style = "{prefix}  {bar:30} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.progress_chars("━╸ "));
            }
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self { bar, name: name.to_owned(), size, tenth: 0 }
    }

    fn look(&mut self, at: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(at);
            return;
        }
        let tenth = at.saturating_mul(10) / self.size.max(1);
        if tenth > self.tenth {
            self.tenth = tenth;
            say(format!("{}: {} of {}", self.name, bytes(at), bytes(self.size)));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
