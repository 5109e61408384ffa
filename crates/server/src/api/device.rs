//! Devices in front of machines (PiKVM): power, picture, drive and switches.

use oriel_broker::{DevicePower, physical};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A device as it is now. What it did not say is null.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// What it calls the machine.
    #[schema(required)]
    pub name: Option<String>,
    /// Of kvmd.
    #[schema(required)]
    pub version: Option<String>,
    #[schema(required)]
    pub platform: Option<String>,
    /// The machine takes its keyboard.
    #[schema(required)]
    pub keyboard: Option<bool>,
    /// It moves the mouse a little every minute.
    #[schema(required)]
    pub jiggler: Option<bool>,
    #[schema(required)]
    pub power: Option<DeviceLights>,
    #[schema(required)]
    pub video: Option<DeviceVideo>,
    #[schema(required)]
    pub storage: Option<DeviceStorage>,
    /// Its own table of switches and inputs, row by row; an empty row is a separator.
    pub gpio: Vec<Vec<DeviceItem>>,
}

/// The machine's power, by its lights.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceLights {
    /// The device is wired to the machine's buttons and lights.
    pub enabled: bool,
    pub busy: bool,
    pub on: bool,
    pub disk: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceVideo {
    /// The streamer runs, which it does only while somebody watches.
    pub running: bool,
    pub signal: bool,
    /// In pixels.
    pub width: u32,
    pub height: u32,
    pub frames_per_second: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceStorage {
    pub enabled: bool,
    pub online: bool,
    pub busy: bool,
    /// The machine sees the drive.
    pub connected: bool,
    pub cdrom: bool,
    pub writable: bool,
    /// What is in the drive.
    #[schema(required)]
    pub image: Option<String>,
    pub images: Vec<DeviceImage>,
    /// In bytes.
    pub size: u64,
    pub free: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceImage {
    pub name: String,
    /// In bytes.
    pub size: u64,
    pub complete: bool,
}

/// One line of a switch or an input.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceChannel {
    pub name: String,
    pub on: bool,
    pub online: bool,
    pub busy: bool,
    /// It can be left on or off.
    pub switches: bool,
    /// It can be pressed for a moment.
    pub pulses: bool,
}

/// One cell of the device's table.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DeviceItem {
    Label { text: String },
    Input { channel: DeviceChannel, color: String },
    Output { channel: DeviceChannel, text: String, confirm: bool },
}

/// What to do to the machine's power. The first four press a button only where the power light says that something is to do; the last
/// three press it in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DevicePowerAction {
    On,
    /// A short press: the machine's system shuts down.
    Off,
    /// A long press: power is cut.
    OffHard,
    ResetHard,
    Press,
    PressLong,
    PressReset,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceSwitchChange {
    /// Left on or off; pressed for a moment when left out.
    #[serde(default)]
    pub on: Option<bool>,
}

/// What is to be in the drive.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceDriveChange {
    /// An image of the device's storage; an empty drive when left out.
    #[serde(default)]
    pub image: Option<String>,
    /// A CD rather than a stick.
    #[serde(default)]
    pub cdrom: bool,
    /// The machine may write to it (a stick only).
    #[serde(default)]
    pub writable: bool,
    /// The machine sees the drive.
    #[serde(default)]
    pub connected: bool,
}

impl DevicePowerAction {
    /// As a path has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::OffHard => "off_hard",
            Self::ResetHard => "reset_hard",
            Self::Press => "press",
            Self::PressLong => "press_long",
            Self::PressReset => "press_reset",
        }
    }
}

impl From<DevicePowerAction> for DevicePower {
    fn from(action: DevicePowerAction) -> Self {
        use physical::{Click, PowerAction};
        match action {
            DevicePowerAction::On => Self::To(PowerAction::On),
            DevicePowerAction::Off => Self::To(PowerAction::Off),
            DevicePowerAction::OffHard => Self::To(PowerAction::OffHard),
            DevicePowerAction::ResetHard => Self::To(PowerAction::ResetHard),
            DevicePowerAction::Press => Self::Press(Click::Power),
            DevicePowerAction::PressLong => Self::Press(Click::PowerLong),
            DevicePowerAction::PressReset => Self::Press(Click::Reset),
        }
    }
}

impl From<physical::Channel> for DeviceChannel {
    fn from(channel: physical::Channel) -> Self {
        let physical::Channel { name, on, online, busy, switches, pulses } = channel;
        Self { name, on, online, busy, switches, pulses }
    }
}

impl From<physical::ViewItem> for DeviceItem {
    fn from(item: physical::ViewItem) -> Self {
        match item {
            physical::ViewItem::Label { text } => Self::Label { text },
            physical::ViewItem::Input { channel, color } => Self::Input { channel: channel.into(), color },
            physical::ViewItem::Output { channel, text, confirm } => {
                Self::Output { channel: channel.into(), text, confirm }
            }
        }
    }
}

impl From<physical::Storage> for DeviceStorage {
    fn from(of: physical::Storage) -> Self {
        let image =
            |image: physical::Image| DeviceImage { name: image.name, size: image.size, complete: image.complete };
        Self {
            enabled: of.enabled,
            online: of.online,
            busy: of.busy,
            connected: of.connected,
            cdrom: of.cdrom,
            writable: of.writable,
            image: of.image,
            images: of.images.into_iter().map(image).collect(),
            size: of.size,
            free: of.free,
        }
    }
}

impl From<physical::Overview> for Device {
    fn from(of: physical::Overview) -> Self {
        Self {
            name: of.name,
            version: of.version,
            platform: of.platform,
            keyboard: of.keyboard,
            jiggler: of.jiggler,
            power: of.power.map(|power| DeviceLights {
                enabled: power.enabled,
                busy: power.busy,
                on: power.on,
                disk: power.disk,
            }),
            video: of.video.map(|video| DeviceVideo {
                running: video.running,
                signal: video.signal,
                width: video.width,
                height: video.height,
                frames_per_second: video.frames_per_second,
            }),
            storage: of.storage.map(Into::into),
            gpio: of.gpio.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect(),
        }
    }
}
