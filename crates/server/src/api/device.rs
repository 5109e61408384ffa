//! Devices of machines, a PiKVM in front of one or a BMC in one: power, picture, drive, switches and the next boot.

use super::{Named, desktop::ConnectKind};
use oriel_broker::{self as broker, DevicePower, physical, physical::redfish};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// What a device is: a KVM over IP in front of its machine, or a BMC in it, over Redfish or IPMI.
    DeviceKind = physical::DeviceKind { Pikvm, Redfish, Ipmi }
}

mirror! {
    /// What a machine is to start from, once. `setup` is the setup of its firmware, and `normal` takes back what was wished.
    DeviceBootSource = redfish::BootOnce { Cd, Pxe, Disk, Usb, Setup, Normal }
}

/// A device as it is now. What it did not say is null.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Device {
    pub kind: DeviceKind,
    /// What it calls the machine.
    #[schema(required)]
    pub name: Option<String>,
    /// Of kvmd, or of the BMC's firmware.
    #[schema(required)]
    pub version: Option<String>,
    /// The device's board, or the machine's maker and model.
    #[schema(required)]
    pub platform: Option<String>,
    /// What it can do to the machine's power.
    pub actions: Vec<DevicePowerAction>,
    /// What a BMC knows of its machine.
    #[schema(required)]
    pub board: Option<DeviceBoard>,
    /// The machine takes its keyboard.
    #[schema(required)]
    pub keyboard: Option<bool>,
    /// It moves the mouse a little every minute.
    #[schema(required)]
    pub jiggler: Option<bool>,
    /// Those of the machine's keyboard.
    #[schema(required)]
    pub leds: Option<DeviceLeds>,
    #[schema(required)]
    pub power: Option<DeviceLights>,
    #[schema(required)]
    pub video: Option<DeviceVideo>,
    #[schema(required)]
    pub storage: Option<DeviceStorage>,
    /// Its own table of switches and inputs, row by row; an empty row is a separator.
    pub gpio: Vec<Vec<DeviceItem>>,
    /// A PiKVM Switch behind it, or of a machine at a port of one that port alone.
    #[schema(required)]
    pub switch: Option<DeviceSwitch>,
}

/// A Switch: machines at its ports, one of which has the device's keyboard, screen and drive.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceSwitch {
    /// `1.3` is the third port of the first unit; null before somebody chose.
    #[schema(required)]
    pub active: Option<String>,
    /// Its units have done what they were told.
    pub synced: bool,
    pub ports: Vec<DeviceSwitchPort>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceSwitchPort {
    /// `1.3`
    pub port: String,
    /// What the device calls it; often nothing.
    pub name: String,
    pub active: bool,
    /// A machine shows a picture there.
    pub video: bool,
    /// A machine takes the keyboard there.
    pub usb: bool,
    /// By the lights of the machine there.
    pub power: DeviceLights,
}

/// Where a machine is at a Switch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DevicePort {
    /// The device in front of it, by its name in Oriel.
    pub device: String,
    pub port: String,
}

/// A machine as its BMC describes it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceBoard {
    /// Its id among the systems of the BMC; empty where a BMC has one machine alone (IPMI).
    pub system: String,
    #[schema(required)]
    pub serial: Option<String>,
    /// Version of its firmware.
    #[schema(required)]
    pub bios: Option<String>,
    /// `OK`, `Warning` or `Critical`.
    #[schema(required)]
    pub health: Option<String>,
    /// In the BMC's words: `On`, `Off`, `PoweringOn`.
    #[schema(required)]
    pub power_state: Option<String>,
    pub consoles: Vec<DeviceConsole>,
    pub media: Vec<DeviceMedium>,
    #[schema(required)]
    pub boot: Option<DeviceBoot>,
}

/// A console that the BMC has for people who reach it themselves. Oriel shows none of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceConsole {
    /// `graphical`, `serial` or `command`.
    pub kind: String,
    /// `KVMIP`, `SSH`, `IPMI`, in the BMC's words.
    pub ways: Vec<String>,
    /// It is switched on.
    pub enabled: bool,
}

/// A virtual drive of a BMC.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceMedium {
    pub id: String,
    /// `CD`, `DVD`, `USBStick`, `Floppy`.
    pub kinds: Vec<String>,
    /// The address of what is in it, without an account.
    #[schema(required)]
    pub image: Option<String>,
    pub inserted: bool,
}

/// What a machine starts from next.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceBoot {
    /// In the BMC's words: `Cd`, `Pxe`; null: as its firmware is set.
    #[schema(required)]
    pub target: Option<String>,
    /// For one start alone.
    pub once: bool,
    /// What it can be told to start from.
    pub sources: Vec<DeviceBootSource>,
}

/// The lights of the machine's keyboard.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceLeds {
    pub caps: bool,
    pub num: bool,
    pub scroll: bool,
}

/// A device as it was a moment ago: one question of ours for all who look.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceNow {
    pub device: Device,
    /// Since something of it was last heard, in milliseconds.
    pub age_ms: u64,
    /// An image on its way to its storage, or one that was a moment ago.
    #[schema(required)]
    pub transfer: Option<DeviceTransfer>,
}

/// Where an image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceTransferKind {
    /// A browser sends it.
    Upload,
    /// The device fetches it.
    Fetch,
}

/// An image on its way to a device's storage.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceTransfer {
    pub kind: DeviceTransferKind,
    pub name: String,
    /// In bytes; null as long as the device has not said it.
    #[schema(required)]
    pub size: Option<u64>,
    /// Bytes that have arrived.
    pub done: u64,
    /// It is there, or failed.
    pub over: bool,
    #[schema(required)]
    pub failed: Option<String>,
}

/// An address that the device fetches an image from: it must reach it, Oriel need not.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceFetch {
    /// `https://` or `http://`.
    pub url: String,
    /// What the image is called in the storage; as the address says when left out.
    #[serde(default)]
    pub name: Option<String>,
}

/// What a device wrote down.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceLog {
    /// The newest last.
    pub lines: Vec<String>,
}

/// A device among others. Nothing is asked for it: what is known comes from those who look at it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceTile {
    pub id: String,
    pub name: String,
    pub pool: Named,
    pub kind: DeviceKind,
    /// How many connections are open to the machine.
    pub connections: u64,
    #[schema(required)]
    pub power: Option<DeviceLights>,
    #[schema(required)]
    pub video: Option<DeviceVideo>,
    /// Why nothing is known, where it was asked.
    #[schema(required)]
    pub failure: Option<String>,
    /// The machine inside, where one was entered and the caller may open it.
    #[schema(required)]
    pub inside: Option<DeviceInside>,
    /// The port of a Switch that it is; it has no picture and no drive of its own.
    #[schema(required)]
    pub port: Option<DevicePort>,
}

/// What the system of a device's machine can be opened as.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceInside {
    pub id: String,
    pub name: String,
    pub kind: ConnectKind,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceTileList {
    pub devices: Vec<DeviceTile>,
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
    /// An image of the device's storage, or the address that a BMC fetches one from; an empty drive when left out.
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

impl DeviceKind {
    /// Of a machine that is one.
    pub const fn of(protocol: model::MachineProtocol) -> Self {
        match protocol {
            model::MachineProtocol::Redfish => Self::Redfish,
            model::MachineProtocol::Ipmi => Self::Ipmi,
            _ => Self::Pikvm,
        }
    }
}

impl DeviceBootSource {
    const ALL: [Self; 6] = [Self::Cd, Self::Pxe, Self::Disk, Self::Usb, Self::Setup, Self::Normal];

    /// As a path has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cd => "cd",
            Self::Pxe => "pxe",
            Self::Disk => "disk",
            Self::Usb => "usb",
            Self::Setup => "setup",
            Self::Normal => "normal",
        }
    }
}

impl DevicePowerAction {
    const ALL: [Self; 7] =
        [Self::On, Self::Off, Self::OffHard, Self::ResetHard, Self::Press, Self::PressLong, Self::PressReset];

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

impl From<physical::Power> for DeviceLights {
    fn from(of: physical::Power) -> Self {
        Self { enabled: of.enabled, busy: of.busy, on: of.on, disk: of.disk }
    }
}

impl From<physical::Video> for DeviceVideo {
    fn from(of: physical::Video) -> Self {
        Self {
            running: of.running,
            signal: of.signal,
            width: of.width,
            height: of.height,
            frames_per_second: of.frames_per_second,
        }
    }
}

impl From<broker::DeviceTransfer> for DeviceTransfer {
    fn from(of: broker::DeviceTransfer) -> Self {
        let kind = match of.kind {
            broker::TransferKind::Upload => DeviceTransferKind::Upload,
            broker::TransferKind::Fetch => DeviceTransferKind::Fetch,
        };
        Self { kind, name: of.name, size: of.size, done: of.done, over: of.over, failed: of.failed }
    }
}

impl From<redfish::Boot> for DeviceBoot {
    fn from(of: redfish::Boot) -> Self {
        let takes = |source: &DeviceBootSource| redfish::BootOnce::from(*source).is_among(&of.targets);
        let sources = DeviceBootSource::ALL.into_iter().filter(takes).collect();
        Self { target: of.target, once: of.once, sources }
    }
}

impl From<redfish::Board> for DeviceBoard {
    fn from(of: redfish::Board) -> Self {
        let console =
            |one: redfish::Console| DeviceConsole { kind: one.kind.to_owned(), ways: one.ways, enabled: one.enabled };
        let medium = |one: redfish::Medium| DeviceMedium {
            id: one.id,
            kinds: one.kinds,
            image: one.image,
            inserted: one.inserted,
        };
        Self {
            system: of.system,
            serial: of.serial,
            bios: of.bios,
            health: of.health,
            power_state: of.power_state,
            consoles: of.consoles.into_iter().map(console).collect(),
            media: of.media.into_iter().map(medium).collect(),
            boot: of.boot.map(Into::into),
        }
    }
}

impl From<physical::Switch> for DeviceSwitch {
    fn from(of: physical::Switch) -> Self {
        let one = |one: physical::PortState| DeviceSwitchPort {
            port: one.port.to_string(),
            name: one.name,
            active: one.active,
            video: one.video,
            usb: one.usb,
            power: one.power.into(),
        };
        Self {
            active: of.active.map(|port| port.to_string()),
            synced: of.synced,
            ports: of.ports.into_iter().map(one).collect(),
        }
    }
}

impl From<physical::Overview> for Device {
    fn from(of: physical::Overview) -> Self {
        let wired = of.power.is_some_and(|power| power.enabled);
        let has = |action: &DevicePowerAction| {
            wired && of.board.as_ref().is_none_or(|board| board.has(DevicePower::from(*action)))
        };
        let actions = DevicePowerAction::ALL.into_iter().filter(has).collect();
        Self {
            kind: of.kind.into(),
            actions,
            board: of.board.map(Into::into),
            name: of.name,
            version: of.version,
            platform: of.platform,
            keyboard: of.keyboard,
            jiggler: of.jiggler,
            leds: of.leds.map(|bits| DeviceLeds { scroll: bits & 1 != 0, num: bits & 2 != 0, caps: bits & 4 != 0 }),
            power: of.power.map(Into::into),
            video: of.video.map(Into::into),
            storage: of.storage.map(Into::into),
            gpio: of.gpio.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect(),
            switch: of.switch.map(Into::into),
        }
    }
}
