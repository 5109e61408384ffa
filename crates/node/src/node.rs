//! The board as a machine: what the API is served for.

use crate::config::{Config, ConfigError};
use crate::gadget::{Gadget, GadgetError, Host};
use crate::gpio::{Atx, GpioError, Lights};
use crate::video::{H264, Seen, Video};
use async_trait::async_trait;
use futures::future::BoxFuture;
use oriel_device::{Button, Encoder, Fetched, Machine, Medium, Picture, Remote, Report, Slot, Status, Wanted};
use std::io;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::{AbortHandle, spawn_blocking};

#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Gadget(#[from] GadgetError),
    #[error(transparent)]
    Gpio(#[from] GpioError),
    #[error("no thread could be made for the video device: {0}")]
    Video(#[source] io::Error),
}

/// Begins to fetch an image from an address: of whoever starts a node, since nothing here dials anybody.
pub type Fetch = Box<dyn Fn(Remote) -> BoxFuture<'static, Result<Fetched, String>> + Send + Sync>;

/// Where what is known comes from.
#[derive(Clone, Default)]
struct Sources {
    host: Option<watch::Receiver<Host>>,
    seen: Option<watch::Receiver<Seen>>,
    lights: Option<watch::Receiver<Lights>>,
    /// There is a wire to the power light.
    has_power_light: bool,
}

impl Sources {
    fn status(&self) -> Status {
        let host = self.host.as_ref().map(|host| *host.borrow()).unwrap_or_default();
        let lights = self.lights.as_ref().map(|lights| *lights.borrow());
        let signal = self.seen.as_ref().is_some_and(|seen| *seen.borrow() == Seen::Signal);
        Status {
            // Without a light, a machine that shows a picture is on.
            power: lights.map(|lights| if self.has_power_light { lights.power == Some(true) } else { signal }),
            disk: lights.is_some_and(|lights| lights.disk == Some(true)),
            leds: host.leds,
            input: host.online,
        }
    }
}

/// Tells of each change.
async fn follow<T>(mut changes: watch::Receiver<T>, sources: Sources, status: Arc<watch::Sender<Status>>) {
    loop {
        let now = sources.status();
        status.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// A board with its wires, until [`Node::end`] or until it is dropped.
pub struct Node {
    name: String,
    board: String,
    status: Arc<watch::Sender<Status>>,
    /// Of boards that capture nothing.
    no_pictures: watch::Sender<Option<Picture>>,
    video: Option<Video>,
    h264: Option<H264>,
    gadget: Option<Arc<Gadget>>,
    atx: Option<Atx>,
    fetch: Option<Fetch>,
    tasks: Vec<AbortHandle>,
}

impl Node {
    /// Takes the lines, makes the gadget and begins to look at the picture. To be called within a runtime. A video device or a USB port that is not there
    /// yet is waited for; what can only be a mistake is an error. Without `fetch` images come by upload only.
    ///
    /// # Errors
    /// What cannot be had, why, and what to do.
    pub fn begin(config: &Config, fetch: Option<Fetch>) -> Result<Self, NodeError> {
        let atx = config.atx().as_ref().map(Atx::begin).transpose()?;
        let video = config.video()?.map(Video::begin).transpose().map_err(NodeError::Video)?;
        let h264 = video.as_ref().zip(config.h264()).map(|(video, options)| H264::begin(options, video.feed()));
        let gadget = config.gadget().map(Gadget::begin).transpose()?.map(Arc::new);
        let sources = Sources {
            host: gadget.as_ref().map(|gadget| gadget.host()),
            seen: video.as_ref().map(Video::seen),
            lights: atx.as_ref().map(Atx::lights),
            has_power_light: atx.as_ref().is_some_and(Atx::has_power_light),
        };
        let status = Arc::new(watch::Sender::new(sources.status()));
        let mut tasks = Vec::new();
        if let Some(host) = sources.host.clone() {
            tasks.push(tokio::spawn(follow(host, sources.clone(), Arc::clone(&status))).abort_handle());
        }
        if let Some(seen) = sources.seen.clone() {
            tasks.push(tokio::spawn(follow(seen, sources.clone(), Arc::clone(&status))).abort_handle());
        }
        if let Some(lights) = sources.lights.clone() {
            tasks.push(tokio::spawn(follow(lights, sources.clone(), Arc::clone(&status))).abort_handle());
        }
        let no_pictures = watch::Sender::new(None);
        Ok(Self {
            name: config.name.clone(),
            board: board(),
            status,
            no_pictures,
            video,
            h264,
            gadget,
            atx,
            fetch,
            tasks,
        })
    }

    /// Lets buttons go, takes the gadget away and closes the video device.
    pub async fn end(self: &Arc<Self>) {
        let node = Arc::clone(self);
        // Each waits a moment for its thread.
        spawn_blocking(move || {
            if let Some(atx) = &node.atx {
                atx.end();
            }
            if let Some(gadget) = &node.gadget {
                gadget.end();
            }
            if let Some(h264) = &node.h264 {
                h264.end();
            }
            if let Some(video) = &node.video {
                video.end();
            }
        })
        .await
        .ok();
    }
}

/// Where firmware says what a board is: of boards with a device tree, and of PCs.
const MODELS: [&str; 2] = ["/proc/device-tree/model", "/sys/class/dmi/id/product_name"];
const MODEL_CHARS_MAX: usize = 64;

fn board() -> String {
    MODELS
        .into_iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .map(|text| model(&text))
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| "A board".to_owned())
}

/// What people may read of a model's name, which ends with NUL in a device tree.
fn model(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MODEL_CHARS_MAX).collect::<String>().trim().to_owned()
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

#[async_trait]
impl Machine for Node {
    fn name(&self) -> &str {
        &self.name
    }

    fn board(&self) -> String {
        self.board.clone()
    }

    fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    fn pictures(&self) -> watch::Receiver<Option<Picture>> {
        self.video.as_ref().map_or_else(|| self.no_pictures.subscribe(), Video::pictures)
    }

    fn want(&self, wanted: Wanted) {
        if let Some(video) = &self.video {
            video.want(wanted);
        }
    }

    fn encoder(&self) -> Option<&dyn Encoder> {
        self.h264.as_ref().map(|h264| h264 as &dyn Encoder)
    }

    async fn report(&self, report: Report) {
        if let Some(gadget) = &self.gadget {
            gadget.report(&report).await;
        }
    }

    async fn press(&self, button: Button) -> Result<(), String> {
        match &self.atx {
            Some(atx) => atx.press(button).await,
            None => Err("no wires to buttons are configured".to_owned()),
        }
    }

    fn slot(&self) -> Option<&dyn Slot> {
        self.gadget.as_ref().filter(|gadget| gadget.has_drive()).map(|_| self as &dyn Slot)
    }
}

#[async_trait]
impl Slot for Node {
    fn fetches(&self) -> bool {
        self.fetch.is_some()
    }

    async fn fetch(&self, from: &Remote) -> Result<Fetched, String> {
        match &self.fetch {
            Some(fetch) => fetch(from.clone()).await,
            None => Err("this node fetches nothing: usb.fetch is off".to_owned()),
        }
    }

    async fn load(&self, medium: Option<Medium>) -> Result<(), String> {
        let Some(gadget) = self.gadget.clone() else {
            return Err("this node has no USB cable to the machine".to_owned());
        };
        let loaded = spawn_blocking(move || gadget.load(medium.as_ref())).await;
        loaded.unwrap_or_else(|_| Err("the node ends".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_called_what_its_firmware_says() {
        assert_eq!(model("Raspberry Pi 4 Model B Rev 1.4\0"), "Raspberry Pi 4 Model B Rev 1.4");
        assert_eq!(model("Standard PC\n").len(), 11);
        assert_eq!(model(&"x".repeat(100)).len(), MODEL_CHARS_MAX);
    }

    #[test]
    fn what_is_known_is_told_together() {
        let seen = watch::Sender::new(Seen::NoSignal);
        let lights = watch::Sender::new(Lights { power: Some(true), disk: None });
        let host = watch::Sender::new(Host { online: true, leds: 4 });
        let mut sources = Sources { seen: Some(seen.subscribe()), host: Some(host.subscribe()), ..Sources::default() };
        assert_eq!(sources.status(), Status { power: None, disk: false, leds: 4, input: true });
        // A light is believed, and without one the picture is.
        sources.lights = Some(lights.subscribe());
        assert_eq!(sources.status().power, Some(false));
        seen.send_replace(Seen::Signal);
        assert_eq!(sources.status().power, Some(true));
        sources.has_power_light = true;
        lights.send_replace(Lights { power: Some(false), disk: Some(true) });
        assert_eq!((sources.status().power, sources.status().disk), (Some(false), true));
    }
}
