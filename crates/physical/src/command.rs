//! What a device can be told to do. All arguments are in the query, as kvmd wants them.

use crate::client::{Client, streamed};
use crate::state::{Overview, State};
use crate::{DeviceError, PRINT_BYTES_MAX};
use bytes::Bytes;
use hyper::Method;
use serde_json::Value;
use std::io;
use std::time::Duration;
use tokio::time::sleep;
use url::form_urlencoded::Serializer;

/// How long the lights may take to show what was done: machines shut down slowly.
pub const POWER_SECONDS_MAX: u64 = 90;
/// How long an image may take to appear in the list after it was sent.
const LISTING_SECONDS_MAX: u64 = 15;
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long a streamer takes to start.
const WARM_SECONDS_MAX: u64 = 8;
/// Pieces of a remote download's progress that are kept, in bytes.
const PROGRESS_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerAction {
    On,
    /// A short press: the machine's system shuts down.
    Off,
    /// A long press: power is cut.
    OffHard,
    ResetHard,
}

impl PowerAction {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::OffHard => "off_hard",
            Self::ResetHard => "reset_hard",
        }
    }

    /// What the power light must show afterwards.
    const fn light(self) -> bool {
        matches!(self, Self::On | Self::ResetHard)
    }
}

/// A press of a button, whatever the lights say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Click {
    Power,
    PowerLong,
    Reset,
}

impl Click {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::PowerLong => "power_long",
            Self::Reset => "reset",
        }
    }
}

/// What a device can be told to do to its machine's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// Pressed only when the power light says that something is to do.
    To(PowerAction),
    /// Pressed whatever the lights say.
    Press(Click),
}

pub(crate) fn with(path: &str, pairs: &[(&str, &str)]) -> String {
    format!("{path}?{}", Serializer::new(String::new()).extend_pairs(pairs).finish())
}

const fn flag(on: bool) -> &'static str {
    if on { "1" } else { "0" }
}

impl Client {
    async fn command(&mut self, path: &str, pairs: &[(&str, &str)]) -> Result<Value, DeviceError> {
        self.ask(Method::POST, &with(path, pairs)).await
    }

    /// Everything that people are shown. Parts that the firmware lacks are missing.
    ///
    /// # Errors
    /// The device does not answer.
    pub async fn overview(&mut self) -> Result<Overview, DeviceError> {
        self.state(&["hid", "atx", "msd", "gpio", "streamer", "info", "switch"]).await.map(|state| state.overview())
    }

    /// Some parts of its state, asked one by one.
    ///
    /// # Errors
    /// The device does not answer.
    pub async fn state(&mut self, parts: &[&str]) -> Result<State, DeviceError> {
        let mut state = State::default();
        for part in parts {
            self.refresh(&mut state, part).await?;
        }
        Ok(state)
    }

    /// Asks for one part, and puts it into what is known. One that the firmware lacks stays as it was.
    ///
    /// # Errors
    /// The device does not answer.
    pub async fn refresh(&mut self, state: &mut State, part: &str) -> Result<(), DeviceError> {
        match self.ask(Method::GET, &format!("/api/{part}")).await {
            Ok(value) => state.set(part, value).map_err(|error| DeviceError::Protocol(error.to_string())),
            Err(DeviceError::NotThere { .. } | DeviceError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Does it, and waits until the power light shows it. A light that does not change says so: the buttons may not be wired.
    ///
    /// # Errors
    /// The device refused, or the light still shows the opposite.
    pub async fn power(&mut self, action: PowerAction, wait: bool) -> Result<(), DeviceError> {
        self.command("/api/atx/power", &[("action", action.word())]).await?;
        if !wait {
            return Ok(());
        }
        for _ in 0..POWER_SECONDS_MAX * 2 {
            let state = self.state(&["atx"]).await?;
            let Some(power) = state.power() else {
                return Err(DeviceError::Unverified("the device shows no power light; look at its picture".to_owned()));
            };
            if power.on == action.light() && !power.busy {
                return Ok(());
            }
            sleep(LOOK_AGAIN).await;
        }
        let still = if action.light() { "off" } else { "on" };
        Err(DeviceError::Unverified(format!(
            "the button was pressed and the power light is still {still} after {POWER_SECONDS_MAX} seconds; look at the picture, \
             and check the wires to the machine"
        )))
    }

    /// # Errors
    /// The device refused.
    pub async fn click(&mut self, button: Click) -> Result<(), DeviceError> {
        self.command("/api/atx/click", &[("button", button.word())]).await.map(drop)
    }

    /// Leaves a switch on or off.
    ///
    /// # Errors
    /// The device refused.
    pub async fn switch(&mut self, channel: &str, on: bool) -> Result<(), DeviceError> {
        self.command("/api/gpio/switch", &[("channel", channel), ("state", flag(on)), ("wait", "1")]).await.map(drop)
    }

    /// Presses a switch for a moment.
    ///
    /// # Errors
    /// The device refused.
    pub async fn pulse(&mut self, channel: &str) -> Result<(), DeviceError> {
        self.command("/api/gpio/pulse", &[("channel", channel), ("wait", "1")]).await.map(drop)
    }

    /// Types text. Characters that the keymap lacks are left out by the device.
    ///
    /// # Errors
    /// The text is too long, or the device refused.
    pub async fn print(&mut self, text: &str, keymap: Option<&str>) -> Result<(), DeviceError> {
        if text.len() > PRINT_BYTES_MAX {
            return Err(DeviceError::Protocol(format!("a text of more than {PRINT_BYTES_MAX} bytes is not typed")));
        }
        let mut pairs = vec![("limit", "0")];
        pairs.extend(keymap.map(|keymap| ("keymap", keymap)));
        let body = crate::client::full(text.to_owned());
        self.upload(&with("/api/hid/print", &pairs), "text/plain", None, body).await.map(drop)
    }

    /// Moves the mouse a little every minute, so that the machine does not lock.
    ///
    /// # Errors
    /// The device refused.
    pub async fn jiggle(&mut self, on: bool) -> Result<(), DeviceError> {
        self.command("/api/hid/set_params", &[("jiggler", flag(on))]).await.map(drop)
    }

    /// A small JPEG of what there is to see. `None`: the streamer does not run, or there is no signal.
    ///
    /// # Errors
    /// The device does not answer.
    pub async fn snapshot(&mut self, width_max: u16) -> Result<Option<Bytes>, DeviceError> {
        let width = width_max.to_string();
        let pairs =
            [("preview", "1"), ("preview_max_width", &width), ("preview_max_height", &width), ("allow_offline", "1")];
        match self.picture(&with("/api/streamer/snapshot", &pairs)).await {
            Ok(bytes) if crate::jpeg::size(&bytes).is_some() => Ok(Some(bytes)),
            // A fork sends video there and calls it a picture.
            Ok(_) | Err(DeviceError::NoPicture) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A snapshot of a streamer that has to start first: it runs while somebody watches, and `watcher` becomes who does.
    ///
    /// # Errors
    /// There is no picture, or the device does not answer.
    pub async fn warm_snapshot(&mut self, width_max: u16, watcher: Client) -> Result<Bytes, DeviceError> {
        let _watching = watcher.websocket("/api/ws?stream=1").await?;
        for _ in 0..WARM_SECONDS_MAX * 2 {
            sleep(LOOK_AGAIN).await;
            if let Some(bytes) = self.snapshot(width_max).await? {
                return Ok(bytes);
            }
        }
        Err(DeviceError::NoPicture)
    }

    /// Puts an image into the drive, or nothing; the machine sees it when it is connected.
    ///
    /// # Errors
    /// The drive is connected, or the image is not there.
    pub async fn insert(&mut self, image: Option<&str>, cdrom: bool, writable: bool) -> Result<(), DeviceError> {
        let pairs = [("image", image.unwrap_or_default()), ("cdrom", flag(cdrom)), ("rw", flag(writable && !cdrom))];
        self.command("/api/msd/set_params", &pairs).await.map(drop)
    }

    /// # Errors
    /// It is already so, or nothing is in the drive.
    pub async fn connect_drive(&mut self, on: bool) -> Result<(), DeviceError> {
        self.command("/api/msd/set_connected", &[("connected", flag(on))]).await.map(drop)
    }

    /// # Errors
    /// The drive is connected, or the image is not there.
    pub async fn remove_image(&mut self, image: &str) -> Result<(), DeviceError> {
        self.command("/api/msd/remove", &[("image", image)]).await.map(drop)
    }

    /// Sends an image, whose length must be known, and waits until the device lists it: it notices its files a moment later. An upload
    /// that was cut off leaves nothing that can be gone on with, so it begins anew.
    ///
    /// # Errors
    /// The device refused, or has no room.
    pub async fn upload_image<S>(&mut self, name: &str, length: u64, pieces: S) -> Result<(), DeviceError>
    where
        S: futures::Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let path = with("/api/msd/write", &[("image", name), ("remove_incomplete", "1")]);
        self.upload(&path, "application/octet-stream", Some(length), streamed(pieces)).await?;
        self.wait_for_image(name).await
    }

    async fn wait_for_image(&mut self, name: &str) -> Result<(), DeviceError> {
        for _ in 0..LISTING_SECONDS_MAX * 2 {
            let state = self.state(&["msd"]).await?;
            let storage = state.storage();
            let listed = storage.as_ref().and_then(|storage| storage.images.iter().find(|image| image.name == name));
            if listed.is_some_and(|image| image.complete) {
                return Ok(());
            }
            sleep(LOOK_AGAIN).await;
        }
        Err(DeviceError::Unverified(format!(
            "the device took {name:?} and does not list it after {LISTING_SECONDS_MAX} seconds; look at its storage"
        )))
    }

    /// Lets the device fetch an image itself; `progress` is told its bytes, those that there are and those that have come. Answers the
    /// image's name.
    ///
    /// # Errors
    /// The device refused, or cannot reach the address.
    pub async fn fetch_image(
        &mut self,
        url: &str,
        name: Option<&str>,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<String, DeviceError> {
        use http_body_util::BodyExt;
        let mut pairs = vec![("url", url), ("remove_incomplete", "1")];
        pairs.extend(name.map(|name| ("image", name)));
        let mut body = self.stream(Method::POST, &with("/api/msd/write_remote", &pairs)).await?;
        let (mut line, mut last) = (Vec::new(), None);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| DeviceError::Lost(error.to_string()))?;
            let Some(data) = frame.data_ref() else { continue };
            for byte in data {
                if *byte != b'\n' {
                    line.push(*byte);
                    if line.len() > PROGRESS_BYTES_MAX {
                        return Err(DeviceError::Protocol("a line of progress without an end".to_owned()));
                    }
                    continue;
                }
                last = fetched(&line)?.or(last);
                line.clear();
                if let Some((_, size, done)) = &last {
                    progress(*size, *done);
                }
            }
        }
        last = fetched(&line)?.or(last);
        let (name, ..) = last.ok_or_else(|| DeviceError::Protocol("a download without an image".to_owned()))?;
        self.wait_for_image(&name).await?;
        Ok(name)
    }

    /// Resets its keyboard and mouse.
    ///
    /// # Errors
    /// The device refused.
    pub async fn reset_hid(&mut self) -> Result<(), DeviceError> {
        self.command("/api/hid/reset", &[]).await.map(drop)
    }

    /// Its log, `seconds` back.
    ///
    /// # Errors
    /// The device refused.
    pub async fn log(&mut self, seconds: u32) -> Result<String, DeviceError> {
        let path = with("/api/log", &[("seek", &seconds.to_string())]);
        let bytes = self.picture(&path).await?;
        Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
    }
}

/// A line of a download's progress: the image, its bytes, and those that have come. The last may be a refusal.
fn fetched(line: &[u8]) -> Result<Option<(String, u64, u64)>, DeviceError> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let answer: Value = serde_json::from_slice(line).map_err(|error| DeviceError::Protocol(error.to_string()))?;
    let result = answer.get("result");
    if answer.get("ok").and_then(Value::as_bool) == Some(false) {
        let text = |name: &str| {
            let text = result.and_then(|result| result.get(name)?.as_str()).unwrap_or("unknown");
            text.chars().filter(|one| !one.is_control()).take(200).collect()
        };
        return Err(DeviceError::Refused { status: 200, name: text("error"), text: text("error_msg") });
    }
    let image = result.and_then(|result| result.get("image"));
    let bytes = |name: &str| image.and_then(|image| image.get(name)?.as_u64()).unwrap_or(0);
    let name = image.and_then(|image| image.get("name")?.as_str()).map(str::to_owned);
    Ok(name.map(|name| (name, bytes("size"), bytes("written"))))
}
