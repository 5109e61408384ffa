//! The drive: images in a folder, of which the machine sees one.

use crate::answer::{Answered, Refusal, done, result, streamed, typed_body};
use crate::inner::Inner;
use crate::machine::{Fetched, Medium, Remote};
use crate::query::Query;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{interval, timeout};
use url::Url;

/// Images that are listed, and the longest name of one, in bytes (a file's may have 255).
const IMAGES_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 200;
/// An upload that says nothing for so long is over.
const STALL_MAX: Duration = Duration::from_mins(2);
/// How long an address may take to answer, in seconds: at most, and where nobody says.
const REMOTE_SECONDS_MAX: f64 = 60.0;
const REMOTE_TIME: Duration = Duration::from_secs(10);

/// An image on its way.
type Pieces = BoxStream<'static, io::Result<Bytes>>;

#[derive(Clone, Debug, PartialEq)]
struct Image {
    size: u64,
    /// Seconds since 1970.
    changed: f64,
    complete: bool,
}

#[derive(Debug, Default)]
struct Now {
    images: BTreeMap<String, Image>,
    /// Of the folder's file system, in bytes.
    size: u64,
    free: u64,
    image: Option<String>,
    cdrom: bool,
    writable: bool,
    connected: bool,
    busy: bool,
    /// Name, bytes that come, bytes that have come.
    uploading: Option<(String, u64, u64)>,
}

pub(crate) struct Drive {
    folder: PathBuf,
    /// Of all images together.
    bytes_max: u64,
    now: Mutex<Now>,
}

fn busy() -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "MsdIsBusyError", "Performing another MSD operation, please try again later")
}

fn connected() -> Refusal {
    Refusal::bad("MsdConnectedError", "MSD is connected to Server, but shouldn't for this operation")
}

fn unknown() -> Refusal {
    Refusal::bad("MsdUnknownImageError", "The image is not found in the storage")
}

fn failed(error: &io::Error) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "MsdError", format!("The storage cannot be used: {error}"))
}

/// A file of the folder itself, and none that is hidden.
fn name_of(given: &str) -> Result<String, Refusal> {
    let name = given.trim();
    let plain = !name.starts_with('.') && !name.contains('/') && !name.chars().any(char::is_control);
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
    if plain && fits { Ok(name.to_owned()) } else { Err(Refusal::invalid(given, "MSD image name")) }
}

fn incomplete(name: &str) -> String {
    format!(".__{name}.incomplete")
}

/// Nothing of it may be touched meanwhile, until it is dropped.
struct Busy(Arc<Inner>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(drive) = &self.0.drive {
            let mut now = drive.now();
            now.busy = false;
            now.uploading = None;
        }
        self.0.change();
    }
}

impl Drive {
    pub fn new(folder: PathBuf, bytes_max: u64) -> Self {
        let drive = Self { folder, bytes_max, now: Mutex::new(Now { cdrom: true, ..Now::default() }) };
        drive.put(list(&drive.folder));
        drive
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, found: (BTreeMap<String, Image>, u64, u64)) -> bool {
        let mut now = self.now();
        let changed = now.images != found.0;
        let used = found.0.values().fold(0u64, |sum, image| sum.saturating_add(image.size));
        now.images = found.0;
        now.size = found.1.min(self.bytes_max);
        now.free = found.2.min(self.bytes_max.saturating_sub(used));
        changed
    }

    /// Looks into the folder; whether there is something new.
    pub async fn look(&self) -> bool {
        let folder = self.folder.clone();
        match tokio::task::spawn_blocking(move || list(&folder)).await {
            Ok(found) => self.put(found),
            Err(_) => false,
        }
    }

    pub fn part(&self) -> Value {
        let now = self.now();
        let told = |image: &Image| json!({"complete": image.complete, "removable": true, "writable": true, "size": image.size, "mod_ts": image.changed});
        let images: Map<String, Value> = now.images.iter().map(|(name, image)| (name.clone(), told(image))).collect();
        let in_drive = now.image.as_ref().map(|name| {
            let mut image = now.images.get(name).map_or_else(|| json!({}), told);
            if let Some(image) = image.as_object_mut() {
                image.insert("name".to_owned(), json!(name));
                image.insert("in_storage".to_owned(), json!(now.images.contains_key(name)));
            }
            image
        });
        let uploading =
            now.uploading.as_ref().map(|(name, size, written)| json!({"name": name, "size": size, "written": written}));
        json!({
            "enabled": true, "online": true, "busy": now.busy,
            "storage": {
                "images": images,
                "parts": {"": {"size": now.size, "free": now.free, "writable": true}},
                "downloading": null,
                "uploading": uploading,
            },
            "drive": {"image": in_drive, "connected": now.connected, "cdrom": now.cdrom, "rw": now.writable},
        })
    }

    fn begin(&self, inner: &Arc<Inner>) -> Result<Busy, Refusal> {
        let mut now = self.now();
        if std::mem::replace(&mut now.busy, true) {
            return Err(busy());
        }
        drop(now);
        inner.change();
        Ok(Busy(Arc::clone(inner)))
    }

    async fn load(&self, inner: &Inner, medium: Option<Medium>) -> Result<(), Refusal> {
        let slot = inner.machine.slot().ok_or_else(disabled)?;
        slot.load(medium).await.map_err(|why| {
            inner.log.add(&format!("The drive could not be changed: {why}"));
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "MsdError", why)
        })
    }

    fn set_params(&self, inner: &Inner, query: &Query) -> Result<(), Refusal> {
        let (cdrom, rw) = (query.flag("cdrom")?, query.flag("rw")?);
        let image = query.get("image").filter(|image| !image.is_empty());
        if image.is_some_and(|image| image.contains("://")) {
            return Err(Refusal::bad("MsdRemoteDisabledError", "Remote images binding is disabled"));
        }
        let image = image.map(name_of).transpose()?;
        let mut now = self.now();
        if now.connected {
            return Err(connected());
        }
        if image.as_ref().is_some_and(|image| !now.images.get(image).is_some_and(|image| image.complete)) {
            return Err(unknown());
        }
        let cdrom = cdrom.unwrap_or(now.cdrom);
        // A CD cannot be written to.
        let writable = rw.unwrap_or(now.writable) && !cdrom;
        let slot = inner.machine.slot().ok_or_else(disabled)?;
        slot.check(cdrom, writable).map_err(|why| Refusal::bad("MsdPermissionsError", why))?;
        if query.get("image").is_some() {
            now.image = image;
        }
        (now.cdrom, now.writable) = (cdrom, writable);
        Ok(())
    }

    async fn set_connected(&self, inner: &Inner, on: bool) -> Result<(), Refusal> {
        let medium = {
            let now = self.now();
            match (on, now.connected, &now.image) {
                (true, true, _) => return Err(connected()),
                (false, false, _) => {
                    let text = "MSD is disconnected from Server, but should be for this operation";
                    return Err(Refusal::bad("MsdDisconnectedError", text));
                }
                (true, false, None) => return Err(Refusal::bad("MsdImageNotSelected", "The image is not selected")),
                (true, false, Some(name)) => {
                    Some(Medium { file: self.folder.join(name), cdrom: now.cdrom, writable: now.writable })
                }
                (false, true, _) => None,
            }
        };
        self.load(inner, medium).await?;
        self.now().connected = on;
        Ok(())
    }

    async fn remove(&self, query: &Query) -> Result<(), Refusal> {
        let name = name_of(query.text("image"))?;
        let complete = {
            let now = self.now();
            if now.connected {
                return Err(connected());
            }
            now.images.get(&name).ok_or_else(unknown)?.complete
        };
        let file = if complete { name.clone() } else { incomplete(&name) };
        tokio::fs::remove_file(self.folder.join(file)).await.map_err(|error| failed(&error))?;
        let mut now = self.now();
        if now.image.as_ref() == Some(&name) {
            now.image = None;
        }
        Ok(())
    }

    async fn reset(&self, inner: &Inner) -> Result<(), Refusal> {
        let emptied = self.load(inner, None).await;
        // What was in it before this device was shown is nobody's fault here.
        if self.now().connected {
            emptied?;
        }
        let mut now = self.now();
        (now.image, now.cdrom, now.writable, now.connected) = (None, true, false, false);
        Ok(())
    }
}

fn disabled() -> Refusal {
    Refusal::bad("MsdDisabledError", "MSD is disabled")
}

/// What is in the folder, and its file system's size and room. What cannot be looked at is not listed.
fn list(folder: &Path) -> (BTreeMap<String, Image>, u64, u64) {
    let mut images = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten().take(IMAGES_MAX) {
        let (Ok(name), Ok(meta)) = (entry.file_name().into_string(), entry.metadata()) else { continue };
        let part = name.strip_prefix(".__").and_then(|name| name.strip_suffix(".incomplete")).map(str::to_owned);
        let (name, complete) = part.map_or((name, true), |name| (name, false));
        if !meta.is_file() || name_of(&name).is_err() {
            continue;
        }
        let changed = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        images.entry(name).or_insert(Image { size: meta.len(), changed: changed.as_secs_f64(), complete });
    }
    let room = rustix::fs::statvfs(folder).map_or((0, 0), |room| {
        (room.f_blocks.saturating_mul(room.f_frsize), room.f_bavail.saturating_mul(room.f_frsize))
    });
    (images, room.0, room.1)
}

/// A command that needs no body.
pub(crate) async fn command(inner: &Arc<Inner>, what: &str, query: &Query) -> Answered {
    let drive = inner.drive.as_ref().ok_or_else(disabled)?;
    let busy = drive.begin(inner)?;
    match what {
        "set_params" => {
            drive.look().await;
            drive.set_params(inner, query)?;
        }
        "set_connected" => {
            let on = query.needed_flag("connected")?;
            // Whoever asked may hang up meanwhile: it goes on to its end, and what is in the drive is known.
            let set = tokio::spawn(async move {
                let drive = busy.0.drive.as_ref().ok_or_else(disabled)?;
                drive.set_connected(&busy.0, on).await
            });
            set.await.map_err(|_| {
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "MsdError", "The machine did not answer")
            })??;
        }
        "remove" => drive.remove(query).await?,
        "reset" => drive.reset(inner).await?,
        _ => return Ok(crate::answer::plain(StatusCode::NOT_FOUND)),
    }
    drive.look().await;
    Ok(done())
}

/// Takes an image, as many bytes as its length says, into a file that gets its name when it is whole.
pub(crate) async fn write(inner: &Arc<Inner>, query: &Query, length: Option<u64>, body: Incoming) -> Answered {
    let drive = inner.drive.as_ref().ok_or_else(disabled)?;
    let name = name_of(query.text("image"))?;
    no_prefix(query)?;
    let remove = query.on("remove_incomplete")?;
    let size = length.ok_or_else(|| Refusal::invalid("None", "Content-Length"))?;
    let _busy = drive.begin(inner)?;
    drive.expect(inner, &name, size).await?;
    let body = StreamExt::boxed(TryStreamExt::map_err(body.into_data_stream(), io::Error::other));
    let written = drive.keep(inner, &name, size, remove, body).await?;
    Ok(result(json!({"image": {"name": name, "size": size, "written": written}})))
}

/// Fetches an image from an address, and says about once a second how much of it is there.
pub(crate) async fn write_remote(inner: &Arc<Inner>, query: &Query) -> Answered {
    let drive = inner.drive.as_ref().ok_or_else(disabled)?;
    let slot = inner.machine.slot().ok_or_else(disabled)?;
    if !slot.fetches() {
        return Err(Refusal::bad("MsdRemoteDisabledError", "Images are not fetched by this device"));
    }
    no_prefix(query)?;
    let given = query.get("image").filter(|name| !name.is_empty()).map(name_of).transpose()?;
    let url = Url::parse(query.text("url").trim()).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let from = Remote {
        url: url.ok_or_else(|| Refusal::invalid(query.text("url"), "URL"))?,
        insecure: query.on("insecure")?,
        timeout: query.seconds("timeout", REMOTE_SECONDS_MAX)?.unwrap_or(REMOTE_TIME),
    };
    let remove = query.on("remove_incomplete")?;
    let busy = drive.begin(inner)?;
    let fetched = slot.fetch(&from).await.map_err(|why| {
        inner.log.add(&format!("An image could not be fetched: {why}"));
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "UnavailableError", why)
    })?;
    let name = given.map_or_else(|| name_of(fetched.name.as_deref().unwrap_or_default()), Ok)?;
    drive.expect(inner, &name, fetched.size).await?;
    let (lines, told) = mpsc::channel(1);
    tokio::spawn(fetch(busy, name, fetched, remove, lines));
    let told = futures::stream::unfold(told, |mut told: mpsc::Receiver<Bytes>| async move {
        let line = told.recv().await?;
        Some((Ok(line), told))
    });
    Ok(typed_body("application/x-ndjson", streamed(told)))
}

async fn fetch(busy: Busy, name: String, fetched: Fetched, remove: bool, lines: mpsc::Sender<Bytes>) {
    let inner = Arc::clone(&busy.0);
    let Some(drive) = &inner.drive else { return };
    let size = fetched.size;
    let line = |written: u64| {
        let image = json!({"name": name, "size": size, "written": written});
        Bytes::from(format!("{}\r\n", json!({"ok": true, "result": {"image": image}})))
    };
    let mut second = interval(Duration::from_secs(1));
    let kept = {
        let mut keeping = std::pin::pin!(drive.keep(&inner, &name, size, remove, fetched.body));
        loop {
            tokio::select! {
                kept = &mut keeping => break kept,
                _ = second.tick() => {
                    let written = drive.now().uploading.as_ref().map_or(0, |(_, _, written)| *written);
                    // Whoever reads slowly hears less, and holds nothing up.
                    if let Err(TrySendError::Closed(_)) = lines.try_send(line(written)) {
                        break Err(Refusal::bad("MsdOfflineError", "whoever asked for it has gone"));
                    }
                }
            }
        }
    };
    if remove && kept.is_err() {
        tokio::fs::remove_file(drive.folder.join(incomplete(&name))).await.ok();
        drive.look().await;
    }
    // Whoever reads the last line may go on at once.
    drop(busy);
    let last = match kept {
        Ok(written) => line(written),
        Err(refusal) => {
            let why = json!({"ok": false, "result": {"error": refusal.name, "error_msg": refusal.text}});
            Bytes::from(format!("{why}\r\n"))
        }
    };
    lines.send(last).await.ok();
}

fn no_prefix(query: &Query) -> Result<(), Refusal> {
    let prefix = query.text("prefix");
    if prefix.is_empty() { Ok(()) } else { Err(Refusal::invalid(prefix, "MSD image prefix")) }
}

impl Drive {
    /// Makes sure that there is room for an image and none of that name, and says that it comes.
    async fn expect(&self, inner: &Inner, name: &str, size: u64) -> Result<(), Refusal> {
        self.look().await;
        {
            let mut now = self.now();
            if now.connected {
                return Err(connected());
            }
            if now.images.get(name).is_some_and(|image| image.complete) {
                return Err(Refusal::bad("MsdImageExistsError", "This image is already exists"));
            }
            if size > now.free {
                let text = format!("The image has {size} bytes, and there is room for {}", now.free);
                return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "MsdError", text));
            }
            now.uploading = Some((name.to_owned(), size, 0));
        }
        inner.log.add(&format!("Image {name} comes: {size} bytes"));
        Ok(())
    }

    /// Takes it in; answers how many bytes it has.
    async fn keep(&self, inner: &Inner, name: &str, size: u64, remove: bool, body: Pieces) -> Result<u64, Refusal> {
        let part = self.folder.join(incomplete(name));
        match self.fill(inner, &part, size, body).await {
            Ok(written) if written == size => {
                tokio::fs::rename(&part, self.folder.join(name)).await.map_err(|error| failed(&error))?;
                inner.log.add(&format!("Image {name} is whole"));
                self.look().await;
                Ok(written)
            }
            written => {
                if remove {
                    tokio::fs::remove_file(&part).await.ok();
                }
                self.look().await;
                let why =
                    written.map_or_else(|refusal| refusal.text, |written| format!("{written} of {size} bytes came"));
                inner.log.add(&format!("Image {name} was cut off: {why}"));
                Err(Refusal::bad("MsdOfflineError", format!("The upload was cut off: {why}")))
            }
        }
    }

    async fn fill(&self, inner: &Inner, part: &Path, size: u64, mut body: Pieces) -> Result<u64, Refusal> {
        let mut file = tokio::fs::File::create(part).await.map_err(|error| failed(&error))?;
        let (mut written, mut told) = (0u64, 0u64);
        let lost = || Refusal::bad("MsdOfflineError", "the connection was lost");
        while let Some(data) = timeout(STALL_MAX, body.next()).await.map_err(|_| lost())? {
            let data = data.map_err(|_| lost())?;
            written += data.len() as u64;
            if written > size {
                return Err(Refusal::bad("ValidatorError", "more came than Content-Length says"));
            }
            file.write_all(&data).await.map_err(|error| failed(&error))?;
            if let Some(uploading) = &mut self.now().uploading {
                uploading.2 = written;
            }
            if written - told >= 4 << 20 {
                told = written;
                inner.change();
            }
        }
        file.sync_all().await.map_err(|error| failed(&error))?;
        Ok(written)
    }
}
