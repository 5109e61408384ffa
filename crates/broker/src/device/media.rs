//! Images on their way to a device's storage: sent by a browser in pieces, or fetched by the device itself. One at a time for each
//! device, each in a task of its own, and nothing whole in memory.
//!
//! ```text
//!  piece ─┐
//!  piece ─┼─▶ a few chunks that wait ──▶ one request of the device's, as long as the image
//!  piece ─┘
//! ```
//! A browser that is cut off goes on where the next byte is missing, as long as the device keeps its request; kvmd cannot go on with a
//! request that was lost, and then it begins anew.

use super::{Trouble, failed, in_time, kvm_of};
use crate::{Broker, BrokerError};
use bytes::Bytes;
use oriel_model::{Desktop, DesktopId};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedMutexGuard, mpsc, watch};
use tokio::time::{Instant as Deadline, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// Chunks of a piece that wait for the device; each is what the network gave at once.
const CHUNKS_MAX: usize = 16;
/// Largest image that is taken, in bytes.
const IMAGE_BYTES_MAX: u64 = 1 << 40;
/// Longest name of an image, in bytes, and longest address.
const NAME_BYTES_MAX: usize = 255;
const URL_BYTES_MAX: usize = 2048;
const TAG_CHARS_MAX: usize = 32;
/// Nothing moved for so long: whoever sent it does not come back, or the device hangs.
const IDLE_MAX: Duration = Duration::from_mins(3);
/// How long a failure or an end is shown.
const SHOWN: Duration = Duration::from_mins(10);
/// How long a piece waits for the one before it, whose browser may be gone.
const BEFORE_TIME_MAX: Duration = Duration::from_secs(5);
/// How long the device remembers the sign-in, in seconds: the request is made right after it, and the listing asked behind it.
const SIGNED_IN_SECONDS: u32 = 24 * 3600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferKind {
    /// A browser sends it.
    Upload,
    /// The device fetches it.
    Fetch,
}

/// An image on its way, or one that was a moment ago.
#[derive(Clone, Debug)]
pub struct DeviceTransfer {
    pub kind: TransferKind,
    pub name: String,
    /// In bytes; nobody knows it of what is fetched until the device says it.
    pub size: Option<u64>,
    pub done: u64,
    /// It is there, or failed.
    pub over: bool,
    pub failed: Option<String>,
}

/// Which piece of which image.
#[derive(Clone, Debug)]
pub struct UploadPiece {
    pub name: String,
    /// Tells this upload from others of the same name.
    pub tag: String,
    pub offset: u64,
    /// Of the whole image.
    pub size: u64,
}

type Feed = Option<mpsc::Sender<io::Result<Bytes>>>;

#[derive(Debug)]
struct Transfer {
    kind: TransferKind,
    name: String,
    tag: String,
    size: AtomicU64,
    done: AtomicU64,
    /// One piece at a time; taken when the last byte is on its way.
    feed: Arc<tokio::sync::Mutex<Feed>>,
    moved: Mutex<Instant>,
    stop: CancellationToken,
    outcome: watch::Sender<Option<Result<(), Trouble>>>,
}

impl Transfer {
    fn new(kind: TransferKind, name: String, tag: String, size: u64, feed: Feed) -> Self {
        Self {
            kind,
            name,
            tag,
            size: AtomicU64::new(size),
            done: AtomicU64::new(0),
            feed: Arc::new(tokio::sync::Mutex::new(feed)),
            moved: Mutex::new(Instant::now()),
            stop: CancellationToken::new(),
            outcome: watch::Sender::new(None),
        }
    }

    fn is_over(&self) -> bool {
        self.outcome.borrow().is_some()
    }

    fn has_failed(&self) -> bool {
        matches!(&*self.outcome.borrow(), Some(Err(_)))
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    fn moved(&self) -> MutexGuard<'_, Instant> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_of(&self, name: &str, tag: &str) -> bool {
        self.kind == TransferKind::Upload && self.name == name && self.tag == tag
    }

    /// Ends when nothing has moved for too long.
    async fn idles(&self) {
        loop {
            let left = IDLE_MAX.saturating_sub(self.moved().elapsed());
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    fn end(&self, machine: &Desktop, outcome: Result<(), BrokerError>) {
        if let Err(error) = &outcome {
            tracing::info!(machine = %machine.name, image = self.name, %error, "An image did not arrive at a device");
        }
        *self.moved() = Instant::now();
        let told = outcome.map_err(|error| Trouble::of(machine.name.as_str(), &error));
        self.outcome.send_replace(Some(told));
    }

    fn shown(&self) -> DeviceTransfer {
        let size = self.size();
        DeviceTransfer {
            kind: self.kind,
            name: self.name.clone(),
            size: (size > 0 || self.kind == TransferKind::Upload).then_some(size),
            done: self.done(),
            over: self.is_over(),
            failed: match &*self.outcome.borrow() {
                Some(Err(trouble)) => Some(trouble.text.clone()),
                _ => None,
            },
        }
    }
}

/// All images on their way.
#[derive(Debug, Default)]
pub(crate) struct Transfers(Mutex<HashMap<DesktopId, Arc<Transfer>>>);

impl Transfers {
    fn all(&self) -> MutexGuard<'_, HashMap<DesktopId, Arc<Transfer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, machine: DesktopId) -> Option<Arc<Transfer>> {
        let mut all = self.all();
        let found = all.get(&machine)?;
        if found.is_over() && found.moved().elapsed() >= SHOWN {
            all.remove(&machine);
            return None;
        }
        Some(Arc::clone(found))
    }

    /// Takes the place of one that is over. `Err`: one is on its way.
    fn put(&self, machine: DesktopId, transfer: &Arc<Transfer>) -> Result<(), Arc<Transfer>> {
        let mut all = self.all();
        if let Some(before) = all.get(&machine).filter(|before| !before.is_over()) {
            return Err(Arc::clone(before));
        }
        all.insert(machine, Arc::clone(transfer));
        Ok(())
    }

    /// An image is gone: that it was sent means nothing any more.
    pub(super) fn forget(&self, machine: DesktopId, image: &str) {
        let mut all = self.all();
        if all.get(&machine).is_some_and(|transfer| transfer.is_over() && transfer.name == image) {
            all.remove(&machine);
        }
    }

    /// Ends what is on its way; what is over is shown no longer. `false`: there was nothing.
    pub(crate) fn stop(&self, machine: DesktopId) -> bool {
        let found = self.all().remove(&machine);
        found.is_some_and(|transfer| {
            transfer.stop.cancel();
            true
        })
    }
}

/// A piece that is being written.
#[derive(Debug)]
pub struct ImageUpload {
    transfer: Arc<Transfer>,
    feed: OwnedMutexGuard<Feed>,
}

fn slow() -> BrokerError {
    BrokerError::conflict(
        "piece_too_slow",
        "the device did not take the piece in time",
        "ask how much has arrived, and go on there",
    )
}

fn gap(text: impl Into<String>) -> BrokerError {
    BrokerError::conflict("upload_gap", text, "ask how much has arrived, and go on there")
}

fn busy(machine: &Desktop, other: &Transfer) -> BrokerError {
    BrokerError::conflict(
        "device_busy",
        format!("{} is on its way to {} already", other.name, machine.name),
        "wait for it, or stop it",
    )
}

impl ImageUpload {
    /// What has arrived of the image, in bytes.
    pub fn at(&self) -> u64 {
        self.transfer.done()
    }

    /// Hands bytes to the device, as fast as it takes them.
    pub async fn write(&mut self, bytes: Bytes, deadline: Deadline) -> Result<(), BrokerError> {
        let length = bytes.len() as u64;
        let Some(feed) = self.feed.as_ref() else { return Err(gap("all of it has arrived already")) };
        match timeout_at(deadline, feed.send(Ok(bytes))).await {
            Ok(Ok(())) => {
                self.transfer.done.fetch_add(length, Ordering::Relaxed);
                *self.transfer.moved() = Instant::now();
                Ok(())
            }
            Ok(Err(_)) => match self.ended(deadline).await {
                Some(Err(trouble)) => Err(trouble.error()),
                _ => Err(gap("the device took no more of it")),
            },
            Err(_) => Err(slow()),
        }
    }

    async fn ended(&self, deadline: Deadline) -> Option<Result<(), Trouble>> {
        let mut outcome = self.transfer.outcome.subscribe();
        timeout_at(deadline, outcome.wait_for(Option::is_some)).await.ok()?.ok()?.clone()
    }

    /// The end of a piece. `true`: the device has all of it, and lists it.
    pub async fn settle(mut self, deadline: Deadline) -> Result<bool, BrokerError> {
        if self.at() < self.transfer.size() {
            return Ok(false);
        }
        // The end of the request.
        drop(self.feed.take());
        match self.ended(deadline).await {
            Some(Ok(())) => Ok(true),
            Some(Err(trouble)) => Err(trouble.error()),
            None => Err(slow()),
        }
    }
}

/// An image's name, as devices take it.
fn check_name(name: &str) -> Result<(), BrokerError> {
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.');
    if name.len() <= NAME_BYTES_MAX && name.split('/').all(is_part) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(BrokerError::invalid(
        "bad_image_name",
        format!("{:?} is no name of an image", name.chars().take(80).collect::<String>()),
        format!("use at most {NAME_BYTES_MAX} characters that do not begin with a dot, like debian.iso"),
    ))
}

/// An address that a device is to fetch an image from.
pub(super) fn check_address(url: &str) -> Result<(), BrokerError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_url = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if is_url && url.len() <= URL_BYTES_MAX && url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(BrokerError::invalid(
        "bad_url",
        "that is no address that a device can fetch from",
        "enter one that begins with https:// or http://, without spaces",
    ))
}

/// What an address ends with.
fn name_of(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if last.is_empty() || check_name(last).is_err() { "an image".to_owned() } else { last.to_owned() }
}

impl Broker {
    /// How much of an upload has arrived, in bytes: where it goes on.
    pub fn device_uploaded(&self, machine: DesktopId, name: &str, tag: &str) -> u64 {
        let found = self.inner.transfers.get(machine).filter(|transfer| transfer.is_of(name, tag));
        // What failed begins anew.
        found.filter(|transfer| !transfer.has_failed()).map_or(0, |transfer| transfer.done())
    }

    /// Begins an upload, or goes on with it.
    pub async fn device_upload(&self, machine: &Desktop, piece: UploadPiece) -> Result<ImageUpload, BrokerError> {
        kvm_of(machine, "storage")?;
        let UploadPiece { name, tag, offset, size } = piece;
        check_name(&name)?;
        if tag.chars().count() > TAG_CHARS_MAX || !tag.chars().all(|one| one.is_ascii_alphanumeric()) {
            return Err(BrokerError::invalid(
                "bad_tag",
                "the upload's tag is not made of letters and digits",
                format!("use at most {TAG_CHARS_MAX} of them"),
            ));
        }
        if size == 0 || size > IMAGE_BYTES_MAX {
            return Err(BrokerError::invalid(
                "bad_image_size",
                format!("an image of {size} bytes is not taken"),
                "send a file that is not empty and not larger than 1 TiB",
            ));
        }
        let found = self.inner.transfers.get(machine.id);
        let goes_on = found.filter(|transfer| {
            // The same file once more, from the beginning.
            let again = transfer.is_over() && offset == 0;
            transfer.is_of(&name, &tag) && transfer.size() == size && !transfer.has_failed() && !again
        });
        let transfer = match goes_on {
            Some(transfer) => transfer,
            None if offset > 0 => return Err(gap(format!("nothing of {name} has arrived"))),
            None => self.begin_upload(machine, name, tag, size)?,
        };
        let feed = timeout(BEFORE_TIME_MAX, Arc::clone(&transfer.feed).lock_owned())
            .await
            .map_err(|_| gap("another piece of it is still on its way"))?;
        if offset != transfer.done() {
            return Err(gap(format!("the piece begins at {offset}, and {} bytes have arrived", transfer.done())));
        }
        Ok(ImageUpload { transfer, feed })
    }

    fn begin_upload(
        &self,
        machine: &Desktop,
        name: String,
        tag: String,
        size: u64,
    ) -> Result<Arc<Transfer>, BrokerError> {
        let (feed, chunks) = mpsc::channel(CHUNKS_MAX);
        let transfer = Arc::new(Transfer::new(TransferKind::Upload, name, tag, size, Some(feed)));
        self.inner.transfers.put(machine.id, &transfer).map_err(|before| busy(machine, &before))?;
        tracing::info!(machine = %machine.name, image = transfer.name, bytes = size, "An image is sent to a device");
        tokio::spawn(carry(self.clone(), machine.clone(), Arc::clone(&transfer), Load::Chunks(chunks)));
        Ok(transfer)
    }

    /// Lets the device fetch an image from an address that it reaches itself.
    pub fn device_fetch(
        &self,
        machine: &Desktop,
        url: &str,
        name: Option<String>,
    ) -> Result<DeviceTransfer, BrokerError> {
        kvm_of(machine, "storage")?;
        if let Some(name) = &name {
            check_name(name)?;
        }
        check_address(url)?;
        let shown = name.clone().unwrap_or_else(|| name_of(url));
        let transfer = Arc::new(Transfer::new(TransferKind::Fetch, shown, String::new(), 0, None));
        self.inner.transfers.put(machine.id, &transfer).map_err(|before| busy(machine, &before))?;
        // Not the address: it may have a password in it.
        tracing::info!(machine = %machine.name, image = transfer.name, "A device fetches an image");
        let load = Load::Url { url: url.to_owned(), name };
        tokio::spawn(carry(self.clone(), machine.clone(), Arc::clone(&transfer), load));
        Ok(transfer.shown())
    }

    /// What is on its way to a device, or was a moment ago.
    pub fn device_transfer(&self, machine: DesktopId) -> Option<DeviceTransfer> {
        self.inner.transfers.get(machine).map(|transfer| transfer.shown())
    }

    /// Stops what is on its way: the device removes what has arrived of it.
    pub fn device_stop_transfer(&self, machine: &Desktop) {
        if self.inner.transfers.stop(machine.id) {
            tracing::info!(machine = %machine.name, "An image on its way to a device was stopped");
        }
    }

    async fn load(&self, machine: &Desktop, transfer: &Transfer, load: Load) -> Result<(), BrokerError> {
        let mut client = in_time(machine, self.device(machine, SIGNED_IN_SECONDS)).await?;
        let loaded = match load {
            Load::Chunks(mut chunks) => {
                let chunks = futures::stream::poll_fn(move |context| chunks.poll_recv(context));
                client.upload_image(&transfer.name, transfer.size(), chunks).await
            }
            Load::Url { url, name } => {
                let progress = |size: u64, done: u64| {
                    transfer.size.store(size, Ordering::Relaxed);
                    transfer.done.store(done, Ordering::Relaxed);
                    *transfer.moved() = Instant::now();
                };
                client.fetch_image(&url, name.as_deref(), progress).await.map(drop)
            }
        };
        loaded.map_err(|error| failed(machine, &error))
    }
}

/// Where an image comes from.
enum Load {
    Chunks(mpsc::Receiver<io::Result<Bytes>>),
    Url { url: String, name: Option<String> },
}

/// To the end of a transfer. With its connection the device's request ends.
async fn carry(broker: Broker, machine: Desktop, transfer: Arc<Transfer>, load: Load) {
    let outcome = tokio::select! {
        loaded = broker.load(&machine, &transfer, load) => loaded,
        () = transfer.stop.cancelled() => Err(BrokerError::conflict(
            "transfer_stopped",
            format!("{} was stopped on its way to {}", transfer.name, machine.name),
            "begin anew",
        )),
        () = transfer.idles() => Err(BrokerError::conflict(
            "transfer_stopped",
            format!(
                "nothing of {} moved to {} for {} minutes, so that it was given up",
                transfer.name,
                machine.name,
                IDLE_MAX.as_secs() / 60
            ),
            "check the network, and begin anew",
        )),
    };
    transfer.end(&machine, outcome);
    broker.inner.looks.hurry(machine.id, "msd");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["debian.iso", "sets/debian 13.iso", "x"] {
            check_name(good).unwrap();
        }
        for bad in ["", ".hidden", "a/../b", "a//b", "/a", "a\nb", &"x".repeat(256)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(name_of("https://user:pw@mirror.example/d/debian.iso?x=1#y"), "debian.iso");
        assert_eq!(name_of("https://mirror.example/"), "mirror.example");
        assert_eq!(name_of("https://mirror.example/.x"), "an image");
    }

    #[test]
    fn one_at_a_time_and_what_is_over_makes_room() {
        let transfers = Transfers::default();
        let machine = DesktopId::new();
        let of = |name: &str| Arc::new(Transfer::new(TransferKind::Upload, name.to_owned(), "t".to_owned(), 10, None));
        let first = of("a.iso");
        transfers.put(machine, &first).unwrap();
        assert_eq!(transfers.put(machine, &of("b.iso")).unwrap_err().name, "a.iso");
        assert!(!first.shown().over && first.is_of("a.iso", "t") && !first.is_of("a.iso", "u"));
        first.outcome.send_replace(Some(Ok(())));
        assert!(transfers.get(machine).unwrap().shown().over);
        transfers.put(machine, &of("b.iso")).unwrap();
        assert!(transfers.stop(machine) && !transfers.stop(machine));
    }
}
