//! What stands behind the API: a machine with power, a picture, a keyboard and a mouse, and perhaps a drive.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use oriel_screen::h264::Unit;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// What a USB port would say to the machine (HID 1.11; the descriptors are a boot keyboard's, and mice with positions and with steps).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Modifiers, a zero, and up to six usages of page 7.
    Keyboard([u8; 8]),
    /// Buttons, x and y (`u16`, little endian, 0 to 32767), wheel, pan.
    Absolute([u8; 7]),
    /// Buttons, dx, dy, wheel, pan.
    Relative([u8; 5]),
}

/// The buttons of a machine's case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    Power,
    /// For more than five seconds: power is cut.
    PowerLong,
    Reset,
}

/// What there is to see of a machine beside its picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The power light; `None`: nobody can press this machine's buttons.
    pub power: Option<bool>,
    pub disk: bool,
    /// Lights of the keyboard: bit 0 scroll, 1 num, 2 caps lock.
    pub leds: u8,
    /// Somebody takes the reports.
    pub input: bool,
}

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub jpeg: Bytes,
    /// In pixels.
    pub width: u16,
    pub height: u16,
    /// When it was taken, in milliseconds since 1970.
    pub taken: u64,
}

/// What is wanted of a machine's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Somebody watches; otherwise no picture need be taken.
    pub watching: bool,
    /// Of JPEGs, 1 to 100.
    pub quality: u8,
    /// At most so many a second.
    pub frames_per_second: u8,
}

/// What is wanted of a machine's H.264.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoWanted {
    /// Somebody watches it; otherwise nothing need be encoded.
    pub watching: bool,
    /// At most so many pictures a second.
    pub frames_per_second: u8,
    /// Most bits, in thousands a second.
    pub kilobits: u16,
    /// Pictures from one key frame to the next; 0: they come at the beginning and when they are asked for.
    pub gop: u8,
}

/// What makes H.264 of a machine's pictures: one for all who watch.
pub trait Encoder: Send + Sync {
    /// Whether there is something that encodes; it may take a while until that is found out. While there is nothing more, who watches is
    /// sent away, to come again for JPEGs.
    fn is_ready(&self) -> bool;
    /// What holds until somebody sets another, in thousands of bits a second and in pictures.
    fn defaults(&self) -> (u16, u8);
    /// Access units, Annex B, in the order in which they are shown. The first one of a picture of another size is a key frame.
    fn units(&self) -> broadcast::Receiver<Unit>;
    /// Told on each change.
    fn want(&self, wanted: VideoWanted);
    /// Somebody cannot go on without a key frame, which is to come soon.
    fn want_key(&self);
}

/// A machine. All of it may be slow, and none of it may hang for ever: the server waits for an answer of [`Self::press`], and gives reports a few
/// seconds.
#[async_trait]
pub trait Machine: Send + Sync + 'static {
    /// What it is called.
    fn name(&self) -> &str;
    /// What the device is that shows it, for people to read.
    fn board(&self) -> String {
        "Virtual machine of Oriel".to_owned()
    }
    fn status(&self) -> watch::Receiver<Status>;
    /// The newest picture; `None`: there is no signal.
    fn pictures(&self) -> watch::Receiver<Option<Picture>>;
    /// Told on each change.
    fn want(&self, wanted: Wanted);
    /// What makes H.264 of its pictures; `None`: there are JPEGs only.
    fn encoder(&self) -> Option<&dyn Encoder> {
        None
    }
    /// Returns when the report is on its way.
    async fn report(&self, report: Report);
    /// Returns when the button is up again.
    ///
    /// # Errors
    /// It was not pressed; why, for the log.
    async fn press(&self, button: Button) -> Result<(), String>;
    /// Where media can be put in; `None`: the device has no drive.
    fn slot(&self) -> Option<&dyn Slot> {
        None
    }
}

/// Something that can be in a machine's drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Medium {
    pub file: PathBuf,
    pub cdrom: bool,
    pub writable: bool,
}

/// Where an image is fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// `http` or `https`.
    pub url: url::Url,
    /// Whoever answers there need not prove who they are.
    pub insecure: bool,
    /// How long the connection may take.
    pub timeout: Duration,
}

/// An image that comes from elsewhere.
pub struct Fetched {
    /// What it is called there.
    pub name: Option<String>,
    /// In bytes.
    pub size: u64,
    pub body: BoxStream<'static, io::Result<Bytes>>,
}

/// A drive of a machine.
#[async_trait]
pub trait Slot: Send + Sync {
    /// Whether it can be such a drive.
    ///
    /// # Errors
    /// Why not, for whoever asked.
    fn check(&self, _cdrom: bool, _writable: bool) -> Result<(), String> {
        Ok(())
    }

    /// Whether [`Self::fetch`] may be asked.
    fn fetches(&self) -> bool {
        false
    }

    /// Begins to fetch an image for the device's storage.
    ///
    /// # Errors
    /// It could not; why, for whoever asked.
    async fn fetch(&self, _from: &Remote) -> Result<Fetched, String> {
        Err("nothing is fetched here".to_owned())
    }

    /// Shows the machine a medium, or takes it away. May take as long as it takes to bring it there.
    ///
    /// # Errors
    /// It could not; why, for whoever asked.
    async fn load(&self, medium: Option<Medium>) -> Result<(), String>;
}
