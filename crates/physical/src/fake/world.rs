//! What the device knows, and how it can go wrong.

use super::switch::FakeSwitch;
use crate::gadget::Gadget;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// What is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Each answer takes this long.
    pub slow: Option<Duration>,
    /// After so many pictures the connection breaks in the middle of one.
    pub reset_after: Option<u32>,
    /// Connections stay open and nothing comes any more.
    pub silent: bool,
    /// Its clock, in seconds from the right time.
    pub drift: i64,
    /// Firmware of a fork: events are whole and have longer names.
    pub fork: bool,
    /// No pictures over WebSocket.
    pub without_media: bool,
    /// Nothing at all under `/api` but signing in.
    pub without_api: bool,
    /// The power light does not follow the buttons.
    pub unwired: bool,
    /// The units of its Switch do not follow.
    pub stuck_switch: bool,
}

/// What a test gives it.
#[derive(Clone, Debug)]
pub struct FakeOptions {
    pub user: String,
    pub password: String,
    /// In base 32.
    pub totp: Option<String>,
    pub faults: Faults,
    /// Access units of H.264, of which the first stands alone; none: only JPEG is offered.
    pub video: Vec<Bytes>,
    /// A JPEG.
    pub picture: Bytes,
    /// JPEGs that come one after the other in its place, where there are any.
    pub moving: Vec<Bytes>,
    /// Between two pictures of a WebSocket.
    pub period: Duration,
    pub relative: bool,
    /// Units of its Switch, each with four ports.
    pub switch_units: u8,
}

impl Default for FakeOptions {
    fn default() -> Self {
        Self {
            user: "admin".to_owned(),
            password: "admin".to_owned(),
            totp: None,
            faults: Faults::default(),
            video: Vec::new(),
            picture: picture(640, 480),
            moving: Vec::new(),
            period: Duration::from_millis(50),
            relative: false,
            switch_units: 0,
        }
    }
}

/// A JPEG of four quarters: red, green; blue, white.
pub fn picture(width: u16, height: u16) -> Bytes {
    let (w, h) = (usize::from(width), usize::from(height));
    let mut rgb = Vec::with_capacity(w * h * 3);
    for y in 0..h {
        for x in 0..w {
            rgb.extend_from_slice(match (x * 2 < w, y * 2 < h) {
                (true, true) => &[255u8, 0, 0],
                (false, true) => &[0, 255, 0],
                (true, false) => &[0, 0, 255],
                (false, false) => &[255, 255, 255],
            });
        }
    }
    let mut out = Vec::new();
    jpeg_encoder::Encoder::new(&mut out, 95).encode(&rgb, width, height, jpeg_encoder::ColorType::Rgb).ok();
    Bytes::from(out)
}

/// An image on its storage.
#[derive(Clone, Debug)]
pub struct Stored {
    pub bytes: u64,
    /// It is listed from then on: the device notices its files a moment later.
    pub listed: Instant,
}

#[derive(Debug)]
pub struct World {
    pub options: FakeOptions,
    pub gadget: Gadget,
    pub power: bool,
    pub busy_until: Option<Instant>,
    pub caps: bool,
    pub relay: bool,
    pub images: BTreeMap<String, Stored>,
    pub image: Option<String>,
    pub cdrom: bool,
    pub writable: bool,
    pub connected: bool,
    /// Clients that watch, for whom the streamer runs.
    pub watchers: u32,
    pub events_clients: u32,
    pub printed: Vec<(String, Option<String>)>,
    pub sessions: BTreeSet<String>,
    /// Methods and paths, as they came.
    pub requests: Vec<String>,
    pub logins: u32,
    pub pictures_sent: u32,
    pub keys_wanted: u32,
    pub jiggler: bool,
    pub switch: FakeSwitch,
}

impl World {
    pub fn new(options: FakeOptions) -> Self {
        let mut images = BTreeMap::new();
        images.insert("debian.iso".to_owned(), Stored { bytes: 4096, listed: Instant::now() });
        Self {
            gadget: Gadget::new(options.relative),
            switch: FakeSwitch::new(options.switch_units),
            options,
            power: false,
            busy_until: None,
            caps: false,
            relay: false,
            images,
            image: None,
            cdrom: true,
            writable: false,
            connected: false,
            watchers: 0,
            events_clients: 0,
            printed: Vec::new(),
            sessions: BTreeSet::new(),
            requests: Vec::new(),
            logins: 0,
            pictures_sent: 0,
            keys_wanted: 0,
            jiggler: false,
        }
    }

    pub fn is_listed(&self, name: &str) -> bool {
        self.images.get(name).is_some_and(|image| image.listed <= Instant::now())
    }

    pub fn busy(&self) -> bool {
        self.busy_until.is_some_and(|until| until > Instant::now())
    }

    /// A part of its state, whole.
    pub fn part(&self, name: &str) -> Value {
        match name {
            "hid" => {
                let outputs = json!({"available": ["usb", "usb_rel"], "active": if self.options.relative { "usb_rel" } else { "usb" }});
                json!({
                    "enabled": true, "online": true, "busy": false, "connected": null,
                    "keyboard": {"online": true, "leds": {"caps": self.caps, "scroll": false, "num": false},
                                 "outputs": {"available": [], "active": ""}},
                    "mouse": {"online": true, "absolute": !self.options.relative, "outputs": outputs},
                    "jiggler": {"enabled": true, "active": self.jiggler, "interval": 60},
                })
            }
            "atx" => json!({
                "enabled": true, "busy": self.busy(), "acts": {"power": self.busy(), "reset": false},
                "leds": {"power": self.power, "hdd": false},
            }),
            "msd" => {
                let images: serde_json::Map<String, Value> = self
                    .images
                    .iter()
                    .filter(|(name, _)| self.is_listed(name))
                    .map(|(name, image)| {
                        (name.clone(), json!({"complete": true, "removable": true, "writable": true, "size": image.bytes, "mod_ts": 0.0}))
                    })
                    .collect();
                let image = self
                    .image
                    .as_ref()
                    .map(|name| json!({"name": name, "size": 1, "complete": true, "in_storage": true}));
                json!({
                    "enabled": true, "online": true, "busy": false,
                    "storage": {"images": images, "parts": {"": {"size": 1_000_000, "free": 500_000, "writable": true}},
                                "downloading": null, "uploading": null},
                    "drive": {"image": image, "connected": self.connected, "cdrom": self.cdrom, "rw": self.writable},
                })
            }
            "gpio" => json!({"model": gpio_model(), "state": self.gpio_state()}),
            "streamer" => {
                let source = json!({"resolution": {"width": 640, "height": 480}, "online": true, "desired_fps": 30, "captured_fps": 30});
                let streamer =
                    (self.watchers > 0).then(|| json!({"encoder": {"type": "CPU", "quality": 80}, "source": source}));
                json!({"features": {"quality": true, "resolution": false, "h264": true}, "limits": {}, "params": {"quality": 80},
                       "applied": {}, "snapshot": {"saved": null}, "streamer": streamer})
            }
            "info" => json!({
                "meta": {"server": {"host": "fake.example"}},
                "system": {"kvmd": {"version": "4.197"}, "platform": {"base": "Virtual"}},
            }),
            "switch" => self.switch.part(self.options.faults.stuck_switch),
            "ocr" | "hid_keymaps" => json!({}),
            "clients" => json!({"count": self.events_clients}),
            _ => Value::Null,
        }
    }

    pub fn gpio_state(&self) -> Value {
        json!({
            "inputs": {"door": {"online": true, "state": false}},
            "outputs": {"relay": {"online": true, "state": self.relay, "busy": false}},
        })
    }
}

pub fn gpio_model() -> Value {
    json!({
        "scheme": {
            "inputs": {"door": {"hw": {"driver": "__gpio__", "pin": "5"}}},
            "outputs": {"relay": {"switch": true, "pulse": {"delay": 0.1, "min_delay": 0.1, "max_delay": 0.5},
                                  "hw": {"driver": "__gpio__", "pin": "6"}}},
        },
        "view": {
            "header": {"title": [{"type": "label", "text": "Rack"}]},
            "table": [
                [{"type": "label", "text": "Door"}, {"type": "input", "channel": "door", "color": "green"}],
                null,
                [{"type": "label", "text": "Fan"},
                 {"type": "output", "channel": "relay", "text": "Switch", "confirm": true, "hide": false}],
            ],
        },
    })
}
