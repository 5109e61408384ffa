//! What is known of a device: the events of `/api/ws`, merged.
//!
//! kvmd sends its parts whole once and then only what changed; where a null stands, that is the value. Older kvmd and firmware that was
//! forked from it send whole parts under longer names (`atx_state`, `gpio_model_state`, `info_fan_state`).

use crate::EVENT_BYTES_MAX;
use crate::redfish::Board;
use crate::switch::Switch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Largest state that is kept, in bytes of its texts and 16 for each value.
pub const STATE_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StateError {
    #[error("an event of {0} bytes is longer than the {EVENT_BYTES_MAX} that are accepted")]
    TooLong(usize),
    #[error("an event is not valid: {0}")]
    Invalid(String),
    #[error("the device's state is larger than the {STATE_BYTES_MAX} bytes that are kept")]
    TooLarge,
}

/// How deep a part's objects are merged; what lies deeper is replaced. The list of images, for example, is sent whole: merged, those
/// that were removed would stay.
const PARTS: [(&str, u8); 10] = [
    ("hid", 2),
    ("atx", 0),
    ("msd", 2),
    ("gpio", 3),
    ("streamer", 1),
    ("info", 1),
    ("ocr", 0),
    ("hid_keymaps", 0),
    ("switch", 2),
    ("clients", 0),
];

#[derive(Deserialize)]
struct Event {
    event_type: String,
    #[serde(default)]
    event: Value,
}

/// The whole of it.
#[derive(Clone, Debug, Default)]
pub struct State {
    parts: Map<String, Value>,
}

fn merge(old: &mut Value, new: Value, depth: u8) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if depth > 0 => {
            for (name, value) in new {
                match old.get_mut(&name) {
                    Some(place) => merge(place, value, depth - 1),
                    None => drop(old.insert(name, value)),
                }
            }
        }
        (place, new) => *place = new,
    }
}

fn weight(value: &Value) -> usize {
    16 + match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(weight).sum(),
        Value::Object(map) => map.iter().map(|(name, value)| name.len() + weight(value)).sum(),
        _ => 0,
    }
}

impl State {
    /// Takes a text message of `/api/ws`. Answers the part that changed; `None` for what is no part's.
    ///
    /// # Errors
    /// It is no event, or too much.
    pub fn apply(&mut self, message: &[u8]) -> Result<Option<&'static str>, StateError> {
        if message.len() > EVENT_BYTES_MAX {
            return Err(StateError::TooLong(message.len()));
        }
        let Event { event_type, event } =
            serde_json::from_slice(message).map_err(|error| StateError::Invalid(error.to_string()))?;
        Ok(match event_type.as_str() {
            // Full events of older firmware.
            "gpio_model_state" => self.put("gpio", Some("model"), event, true)?,
            "gpio_state" => self.put("gpio", Some("state"), event, true)?,
            name => {
                let info = name.strip_prefix("info_").and_then(|rest| rest.strip_suffix("_state"));
                match (info, name.strip_suffix("_state")) {
                    (Some(sub), _) => self.put("info", Some(sub), event, true)?,
                    (None, Some(part)) => self.put(part, None, event, true)?,
                    (None, None) => self.put(name, None, event, false)?,
                }
            }
        })
    }

    /// Takes the answer to a question about a part, which is whole.
    ///
    /// # Errors
    /// It is too much.
    pub fn set(&mut self, part: &str, value: Value) -> Result<(), StateError> {
        self.put(part, None, value, true).map(drop)
    }

    fn put(
        &mut self,
        part: &str,
        sub: Option<&str>,
        event: Value,
        whole: bool,
    ) -> Result<Option<&'static str>, StateError> {
        let Some((name, depth)) = PARTS.into_iter().find(|(name, _)| *name == part) else { return Ok(None) };
        let (event, depth) = match (sub, whole) {
            (Some(sub), _) => (Value::Object(Map::from_iter([(sub.to_owned(), event)])), 1),
            (None, true) => (event, 0),
            (None, false) => (event, depth),
        };
        let place = self.parts.entry(name).or_insert(Value::Null);
        merge(place, event, depth);
        if self.parts.values().map(weight).sum::<usize>() > STATE_BYTES_MAX {
            self.parts.remove(name);
            return Err(StateError::TooLarge);
        }
        Ok(Some(name))
    }

    /// By a pointer (RFC 6901) from the parts on: `/hid/keyboard/leds/caps`.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        let rest = pointer.strip_prefix('/')?;
        let (part, rest) =
            rest.split_once('/').map_or((rest, ""), |(part, _)| (part, rest.get(part.len()..).unwrap_or_default()));
        self.parts.get(part)?.pointer(rest)
    }

    fn flag(&self, pointer: &str) -> Option<bool> {
        self.get(pointer)?.as_bool()
    }

    fn text(&self, pointer: &str) -> Option<String> {
        self.get(pointer)?.as_str().map(str::to_owned)
    }

    fn number(&self, pointer: &str) -> Option<u64> {
        self.get(pointer)?.as_u64()
    }

    /// Keyboard lights as viewers have them: bit 0 scroll, 1 num, 2 caps lock.
    pub fn leds(&self) -> Option<u8> {
        let led = |name: &str| self.flag(&format!("/hid/keyboard/leds/{name}"));
        let (scroll, num, caps) = (led("scroll")?, led("num")?, led("caps")?);
        Some(u8::from(scroll) | (u8::from(num) << 1) | (u8::from(caps) << 2))
    }

    /// Whether the mouse takes positions on the screen; steps otherwise.
    pub fn is_absolute(&self) -> Option<bool> {
        self.flag("/hid/mouse/absolute")
    }

    pub fn power(&self) -> Option<Power> {
        Some(Power {
            enabled: self.flag("/atx/enabled")?,
            busy: self.flag("/atx/busy").unwrap_or(false),
            on: self.flag("/atx/leds/power")?,
            disk: self.flag("/atx/leds/hdd").unwrap_or(false),
        })
    }

    pub fn video(&self) -> Option<Video> {
        let streamer = self.get("/streamer")?;
        let source = |name: &str| self.get(&format!("/streamer/streamer/source/{name}"));
        let side =
            |name: &str| self.number(&format!("/streamer/streamer/source/resolution/{name}")).map(|side| side as u32);
        Some(Video {
            running: streamer.get("streamer").is_some_and(Value::is_object),
            signal: source("online").and_then(Value::as_bool).unwrap_or(false),
            width: side("width").unwrap_or(0),
            height: side("height").unwrap_or(0),
            frames_per_second: source("captured_fps").and_then(Value::as_u64).unwrap_or(0) as u32,
        })
    }

    pub fn storage(&self) -> Option<Storage> {
        let msd = self.get("/msd")?;
        let store = msd.get("storage").filter(|store| store.is_object());
        let image = |name: &str, value: &Value| Image {
            name: name.to_owned(),
            size: value.get("size").and_then(Value::as_u64).unwrap_or(0),
            complete: value.get("complete").and_then(Value::as_bool).unwrap_or(true),
        };
        // Before it had several parts: one size, one free.
        let part = |name: &str| {
            let store = store?;
            let of_part = store.get("parts").and_then(|parts| parts.get("")?.get(name));
            of_part.or_else(|| store.get(name))?.as_u64()
        };
        let moving = |name: &str, done: &str| {
            let of = store?.get(name).filter(|of| of.is_object())?;
            let bytes = |name: &str| of.get(name).and_then(Value::as_u64).unwrap_or(0);
            Some(Transfer {
                name: of.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
                size: bytes("size"),
                done: bytes(done),
            })
        };
        let images = store.and_then(|store| store.get("images")).and_then(Value::as_object);
        Some(Storage {
            enabled: self.flag("/msd/enabled").unwrap_or(false),
            online: self.flag("/msd/online").unwrap_or(false),
            busy: self.flag("/msd/busy").unwrap_or(false),
            connected: self.flag("/msd/drive/connected").unwrap_or(false),
            cdrom: self.flag("/msd/drive/cdrom").unwrap_or(false),
            writable: self.flag("/msd/drive/rw").unwrap_or(false),
            image: self.text("/msd/drive/image/name"),
            images: images
                .map(|images| images.iter().map(|(name, value)| image(name, value)).collect())
                .unwrap_or_default(),
            size: part("size").unwrap_or(0),
            free: part("free").unwrap_or(0),
            uploading: moving("uploading", "written"),
        })
    }

    /// Switches and inputs, as the device's own table shows them: rows, in which nothing is a separator.
    pub fn gpio(&self) -> Vec<Vec<ViewItem>> {
        let rows = self.get("/gpio/model/view/table").and_then(Value::as_array);
        let mut table = Vec::new();
        for row in rows.into_iter().flatten() {
            let items = row.as_array().map(|items| items.iter().filter_map(|item| self.item(item)).collect());
            table.push(items.unwrap_or_default());
        }
        table
    }

    fn item(&self, item: &Value) -> Option<ViewItem> {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let channel = |side: &str| {
            let name = text("channel");
            let of = self.get("/gpio/state")?.get(side)?.get(&name)?;
            let flag = |of: &Value, name: &str| of.get(name).and_then(Value::as_bool).unwrap_or(false);
            let model = self.get("/gpio/model/scheme").and_then(|scheme| scheme.get(side)?.get(&name));
            let pulse = model.and_then(|model| model.get("pulse")?.get("delay")?.as_f64()).unwrap_or(0.0);
            Some(Channel {
                on: flag(of, "state"),
                online: flag(of, "online"),
                busy: flag(of, "busy"),
                switches: model.is_some_and(|model| flag(model, "switch")),
                pulses: pulse > 0.0,
                name,
            })
        };
        Some(match item.get("type")?.as_str()? {
            "label" => ViewItem::Label { text: text("text") },
            "input" => ViewItem::Input { channel: channel("inputs")?, color: text("color") },
            "output" => ViewItem::Output {
                channel: channel("outputs")?,
                text: text("text"),
                confirm: item.get("confirm").and_then(Value::as_bool).unwrap_or(false),
            },
            _ => return None,
        })
    }

    /// All that people are shown of it.
    pub fn overview(&self) -> Overview {
        Overview {
            kind: DeviceKind::Pikvm,
            name: self.text("/info/meta/server/host"),
            version: self.text("/info/system/kvmd/version"),
            platform: self.text("/info/system/platform/base").or_else(|| self.text("/info/hw/platform/base")),
            keyboard: self.flag("/hid/keyboard/online"),
            mouse_absolute: self.is_absolute(),
            leds: self.leds(),
            jiggler: self.flag("/hid/jiggler/active"),
            power: self.power(),
            video: self.video(),
            storage: self.storage(),
            gpio: self.gpio(),
            switch: self.switch(),
            board: None,
        }
    }
}

/// What a device is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A KVM over IP in front of the machine.
    #[default]
    Pikvm,
    /// A BMC in it.
    Redfish,
    /// A BMC in it, over IPMI.
    Ipmi,
}

/// The machine's power, by its lights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Power {
    /// The device is wired to the machine's buttons and lights.
    pub enabled: bool,
    pub busy: bool,
    pub on: bool,
    pub disk: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Video {
    /// The streamer runs, which it does only while somebody watches.
    pub running: bool,
    pub signal: bool,
    /// In pixels.
    pub width: u32,
    pub height: u32,
    pub frames_per_second: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Storage {
    pub enabled: bool,
    pub online: bool,
    pub busy: bool,
    /// The machine sees the drive.
    pub connected: bool,
    pub cdrom: bool,
    pub writable: bool,
    /// What is in the drive.
    pub image: Option<String>,
    pub images: Vec<Image>,
    /// In bytes.
    pub size: u64,
    pub free: u64,
    pub uploading: Option<Transfer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    pub name: String,
    /// In bytes.
    pub size: u64,
    pub complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transfer {
    pub name: String,
    /// In bytes.
    pub size: u64,
    pub done: u64,
}

/// One line of a switch or an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    pub name: String,
    pub on: bool,
    pub online: bool,
    pub busy: bool,
    /// It can be left on or off.
    pub switches: bool,
    /// It can be pressed for a moment.
    pub pulses: bool,
}

/// One cell of the device's own table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ViewItem {
    Label { text: String },
    Input { channel: Channel, color: String },
    Output { channel: Channel, text: String, confirm: bool },
}

/// All that people are shown of a device. What it did not say is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overview {
    pub kind: DeviceKind,
    pub name: Option<String>,
    pub version: Option<String>,
    pub platform: Option<String>,
    pub keyboard: Option<bool>,
    pub mouse_absolute: Option<bool>,
    /// Bit 0 scroll, 1 num, 2 caps lock.
    pub leds: Option<u8>,
    pub jiggler: Option<bool>,
    pub power: Option<Power>,
    pub video: Option<Video>,
    pub storage: Option<Storage>,
    pub gpio: Vec<Vec<ViewItem>>,
    /// A Switch behind it, with machines at its ports.
    pub switch: Option<Switch>,
    /// What a BMC knows of its machine.
    pub board: Option<Board>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn apply(state: &mut State, kind: &str, event: Value) -> Option<&'static str> {
        state.apply(json!({"event_type": kind, "event": event}).to_string().as_bytes()).unwrap()
    }

    fn with_storage() -> State {
        let mut state = State::default();
        let images = json!({"a.iso": {"complete": true, "size": 5}, "b.iso": {"complete": true, "size": 6}});
        apply(
            &mut state,
            "msd",
            json!({"enabled": true, "online": true, "busy": false,
                   "storage": {"images": images, "parts": {"": {"size": 100, "free": 40, "writable": true}}, "uploading": null},
                   "drive": {"image": {"name": "a.iso"}, "connected": true, "cdrom": true, "rw": false}}),
        );
        state
    }

    #[test]
    fn lists_are_replaced_and_the_rest_is_merged() {
        let mut state = with_storage();
        let before = state.storage().unwrap();
        assert_eq!((before.image.as_deref(), before.images.len(), before.free), (Some("a.iso"), 2, 40));
        // An image was removed: only the list comes.
        apply(&mut state, "msd", json!({"storage": {"images": {"a.iso": {"complete": true, "size": 5}}}}));
        apply(&mut state, "msd", json!({"storage": {"uploading": {"name": "c.iso", "size": 10, "written": 4}}}));
        let storage = state.storage().unwrap();
        assert_eq!((storage.images.len(), storage.size, storage.connected), (1, 100, true));
        assert_eq!(storage.uploading.unwrap().done, 4);
        // A null is the value.
        apply(&mut state, "msd", json!({"storage": {"uploading": null}, "busy": true}));
        apply(&mut state, "msd", json!({"drive": {"image": null, "connected": false, "cdrom": true, "rw": false}}));
        let storage = state.storage().unwrap();
        assert_eq!((storage.uploading, storage.image, storage.busy), (None, None, true));
        // Without its card, there is no storage.
        apply(&mut state, "msd", json!({"storage": null, "online": false}));
        assert_eq!(state.storage().unwrap().images, []);
    }

    #[test]
    fn gpio_tells_only_the_channels_that_changed() {
        let mut state = State::default();
        let model = json!({
        "scheme": {"inputs": {"led": {}}, "outputs": {"relay": {"switch": true, "pulse": {"delay": 0.1}}}},
        "view": {"header": {"title": []}, "table": [
            [{"type": "label", "text": "Rack"}, {"type": "input", "channel": "led", "color": "green"},
             {"type": "output", "channel": "relay", "text": "Fan", "confirm": true}],
            null,
        ]}});
        let now = json!({"inputs": {"led": {"online": true, "state": false}},
                         "outputs": {"relay": {"online": true, "state": false, "busy": false}}});
        apply(&mut state, "gpio", json!({"model": model, "state": now}));
        apply(
            &mut state,
            "gpio",
            json!({"state": {"inputs": {"led": {"online": true, "state": true}}, "outputs": {}}}),
        );
        let table = state.gpio();
        assert_eq!((table.len(), table[1].len()), (2, 0));
        let [ViewItem::Label { text }, ViewItem::Input { channel: led, .. }, ViewItem::Output { channel, confirm, .. }] =
            table[0].as_slice()
        else {
            panic!("{table:?}")
        };
        assert_eq!((text.as_str(), led.on, *confirm), ("Rack", true, true));
        assert_eq!((channel.on, channel.online, channel.switches, channel.pulses), (false, true, true, true));
    }

    #[test]
    fn forks_say_it_all_under_longer_names() {
        let mut state = State::default();
        let leds = |caps: bool| json!({"caps": caps, "scroll": false, "num": true});
        let hid = |caps: bool| json!({"keyboard": {"online": true, "leds": leds(caps)}, "mouse": {"absolute": true}});
        assert_eq!(apply(&mut state, "hid_state", hid(false)), Some("hid"));
        assert_eq!(state.leds(), Some(0b010));
        apply(&mut state, "hid_state", hid(true));
        assert_eq!((state.leds(), state.is_absolute()), (Some(0b110), Some(true)));
        apply(&mut state, "atx_state", json!({"enabled": true, "busy": false, "leds": {"power": true, "hdd": false}}));
        assert!(state.power().unwrap().on);
        apply(&mut state, "info_meta_state", json!({"server": {"host": "rack1"}}));
        apply(&mut state, "info_fan_state", json!({"monitored": false}));
        assert_eq!(state.overview().name.as_deref(), Some("rack1"));
        apply(&mut state, "gpio_model_state", json!({"view": {"table": [[{"type": "label", "text": "x"}]]}}));
        apply(&mut state, "gpio_state", json!({"inputs": {}, "outputs": {}}));
        assert_eq!(state.gpio().len(), 1);
        // One size for all, as it was before storage had parts.
        apply(&mut state, "msd_state", json!({"storage": {"size": 7, "free": 3, "images": {}}}));
        assert_eq!(state.storage().unwrap().free, 3);
        // And what nobody knows.
        assert_eq!(apply(&mut state, "janus_state", json!({})), None);
        assert_eq!(apply(&mut state, "loop", json!({})), None);
    }

    #[test]
    fn newer_names_change_only_what_they_name() {
        let mut state = State::default();
        let outputs = json!({"available": ["usb"], "active": "usb"});
        apply(
            &mut state,
            "hid",
            json!({"online": true, "keyboard": {"online": true, "leds": {"caps": false, "scroll": false, "num": false}, "outputs": outputs},
                   "mouse": {"absolute": true, "outputs": outputs}}),
        );
        apply(&mut state, "hid", json!({"keyboard": {"leds": {"caps": true, "scroll": false, "num": false}}}));
        apply(&mut state, "hid", json!({"mouse": {"absolute": false}}));
        assert_eq!((state.leds(), state.is_absolute()), (Some(0b100), Some(false)));
        assert_eq!(state.get("/hid/keyboard/outputs/active"), Some(&json!("usb")));
        apply(&mut state, "streamer", json!({"params": {"quality": 80}, "streamer": null}));
        assert!(!state.video().unwrap().running);
        let source = json!({"online": true, "resolution": {"width": 1920, "height": 1080}, "captured_fps": 30});
        apply(&mut state, "streamer", json!({"streamer": {"source": source}}));
        let video = state.video().unwrap();
        assert_eq!((video.running, video.signal, video.width, video.height), (true, true, 1920, 1080));
        assert_eq!(state.get("/streamer/params/quality"), Some(&json!(80)));
        apply(&mut state, "streamer", json!({"streamer": null}));
        assert!(!state.video().unwrap().signal);
    }

    #[test]
    fn too_much_is_refused() {
        let mut state = State::default();
        let long = vec![b' '; EVENT_BYTES_MAX + 1];
        assert_eq!(state.apply(&long), Err(StateError::TooLong(EVENT_BYTES_MAX + 1)));
        assert!(matches!(state.apply(b"[]"), Err(StateError::Invalid(_))));
        let deep = format!("{{\"event_type\":\"hid\",\"event\":{}", "[".repeat(500));
        assert!(matches!(state.apply(deep.as_bytes()), Err(StateError::Invalid(_))));
        // Each event may name new channels.
        let text = "x".repeat(900_000);
        let refused = (0..6).find_map(|turn| {
            let name = format!("c{turn}");
            let event = json!({"state": {"inputs": {name: {"x": text}}}});
            state.apply(json!({"event_type": "gpio", "event": event}).to_string().as_bytes()).err()
        });
        assert_eq!(refused, Some(StateError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,200}", kind in "(hid|atx|msd|gpio|streamer|info|switch)(_state)?") {
            let mut state = with_storage();
            state.apply(text.as_bytes()).ok();
            state.apply(format!("{{\"event_type\":\"{kind}\",\"event\":{}}}", json!(text)).as_bytes()).ok();
            state.overview();
        }
    }
}
