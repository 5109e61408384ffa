//! `oriel device`: devices of machines (PiKVM, or a BMC that speaks Redfish or IPMI), and desktops that are shown as a PiKVM.

pub mod access;
mod desktop;
pub mod drive;
mod port;
mod serve;
mod upload;

use super::machine::secret;
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, or_dash, say},
};
use clap::{Args, Subcommand, ValueEnum};
use oriel_server::api::{
    device::{
        Device, DeviceBoard, DeviceBootSource, DeviceDriveChange, DeviceFetch, DeviceItem, DeviceKind, DeviceLog,
        DeviceNow, DevicePowerAction, DeviceSwitchChange, DeviceTransfer,
    },
    external::{Machine, MachineList, MachineNew, MachineParameters, MachineProtocol},
    pool::{PoolKind, PoolList},
};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the power light may take: machines shut down slowly.
const LIGHT_TIME_MAX: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub enum Command {
    /// List devices
    List {
        #[command(flatten)]
        json: Json,
    },
    /// Enter a device; its certificate is kept from the first connection on
    Add {
        /// Its address: https://pikvm.example, https://bmc.example, ipmi://bmc.example
        url: String,
        /// What it is: a KVM over IP in front of the machine, or a BMC in it; as the address says when left out (https: pikvm)
        #[arg(long, value_enum)]
        kind: Option<Kind>,
        /// Pool of external machines: id or name
        #[arg(long)]
        pool: String,
        /// The name of the machine behind it in Oriel; the address's first word when left out
        #[arg(long)]
        name: Option<String>,
        /// Account on the device; a PiKVM's is admin when left out
        #[arg(long, required_if_eq_any([("kind", "redfish"), ("kind", "ipmi")]))]
        user: Option<String>,
        /// File with its password (- for stdin)
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
        /// PiKVM: file with the secret of its second factor, in base 32
        #[arg(long, value_name = "FILE")]
        totp_file: Option<PathBuf>,
        /// Redfish: which of the BMC's systems, by id or name, where it has several
        #[arg(long)]
        system: Option<String>,
        /// The machine inside, by its name in Oriel, where its system speaks rdp, vnc or ssh as well
        #[arg(long, value_name = "MACHINE")]
        inside: Option<String>,
        /// SHA-256 of its certificate
        #[arg(long)]
        identity: Option<String>,
        /// Whose it is: a person's id or name; everybody's whom the pool allows when left out
        #[arg(long, value_name = "PERSON")]
        owner: Option<String>,
        /// PiKVM: keyboard layout that text is typed for: us, de
        #[arg(long, value_name = "LAYOUT")]
        keyboard: Option<String>,
    },
    /// Ask a device for its state: power, picture, drive, switches
    Show {
        /// Id or name
        device: String,
        #[command(flatten)]
        json: Json,
    },
    /// Press the machine's buttons
    Power {
        /// Id or name
        device: String,
        #[arg(value_enum)]
        action: Action,
        /// Do not wait until the power light shows it
        #[arg(long)]
        no_wait: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Tell a machine with a BMC what to start from, at its next start alone
    Boot {
        /// Id or name
        device: String,
        #[arg(value_enum)]
        from: BootFrom,
    },
    /// Move a switch of the device's own table
    Switch {
        /// Id or name
        device: String,
        /// Its channel
        channel: String,
        /// Left on or off; pressed for a moment when left out
        #[arg(value_enum)]
        to: Option<To>,
    },
    /// What is in the drive that the device offers to the machine
    #[command(subcommand)]
    Media(Media),
    /// The machines at the ports of its Switch
    #[command(subcommand)]
    Port(port::Command),
    /// What the device wrote down in the last hour
    Log {
        /// Id or name
        device: String,
        #[command(flatten)]
        json: Json,
    },
    /// Show a desktop as a PiKVM device, until interrupted: programs made for PiKVM drive it
    Serve(serve::Serve),
}

#[derive(Subcommand)]
pub enum Media {
    /// List the images of the device's storage
    List {
        /// Id or name
        device: String,
        #[command(flatten)]
        json: Json,
    },
    /// Send an image from here to the device's storage; cut off, it goes on when the same file is sent again, and Ctrl-C removes what arrived
    Upload {
        /// Id or name
        device: String,
        file: PathBuf,
        /// What it is called in the device's storage; as the file when left out
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Put an image into the drive and let the machine see it
    #[command(visible_alias = "connect")]
    Insert {
        /// Id or name
        device: String,
        /// Its name in the device's storage; of a BMC the address that it fetches the image from
        image: String,
        #[command(flatten)]
        how: How,
        #[command(flatten)]
        json: Json,
    },
    /// Take the drive from the machine and empty it
    Eject {
        /// Id or name
        device: String,
        #[command(flatten)]
        json: Json,
    },
    /// Let the device fetch an image from an address that it reaches itself, and wait for it
    Fetch {
        /// Id or name
        device: String,
        /// https://mirror.example/debian.iso
        url: String,
        /// What it is called in the device's storage; as the address says when left out
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Remove an image from the device's storage
    #[command(visible_alias = "delete")]
    Remove {
        /// Id or name
        device: String,
        /// Its name in the device's storage
        image: String,
    },
}

#[derive(Args)]
pub struct How {
    /// A stick rather than a CD
    #[arg(long)]
    stick: bool,
    /// The machine may write to it
    #[arg(long, requires = "stick")]
    writable: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// kvmd's API: PiKVM, and firmware of forks
    Pikvm,
    /// A BMC: iDRAC, iLO, OpenBMC and others
    Redfish,
    /// A BMC that has nothing better: power, the next boot and a serial console
    Ipmi,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum BootFrom {
    /// What is in its virtual or real CD drive
    Cd,
    /// The network
    Pxe,
    /// Its disk
    Disk,
    /// A stick
    Usb,
    /// The setup of its firmware
    Setup,
    /// As it is set: takes back what was told before
    Normal,
}

impl BootFrom {
    const fn source(self) -> DeviceBootSource {
        match self {
            Self::Cd => DeviceBootSource::Cd,
            Self::Pxe => DeviceBootSource::Pxe,
            Self::Disk => DeviceBootSource::Disk,
            Self::Usb => DeviceBootSource::Usb,
            Self::Setup => DeviceBootSource::Setup,
            Self::Normal => DeviceBootSource::Normal,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub enum To {
    On,
    Off,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// When it is off
    On,
    /// A short press when it is on: the machine's system shuts down
    Off,
    /// A long press when it is on: power is cut
    OffHard,
    /// The reset button
    ResetHard,
    /// The power button, whatever the light says
    Press,
    /// For more than five seconds, whatever the light says
    PressLong,
    /// The reset button, whatever the light says
    PressReset,
}

impl Action {
    const fn word(self) -> DevicePowerAction {
        match self {
            Self::On => DevicePowerAction::On,
            Self::Off => DevicePowerAction::Off,
            Self::OffHard => DevicePowerAction::OffHard,
            Self::ResetHard => DevicePowerAction::ResetHard,
            Self::Press => DevicePowerAction::Press,
            Self::PressLong => DevicePowerAction::PressLong,
            Self::PressReset => DevicePowerAction::PressReset,
        }
    }

    /// What the light shows afterwards, where that can be known.
    const fn light(self) -> Option<bool> {
        match self {
            Self::On | Self::ResetHard => Some(true),
            Self::Off | Self::OffHard | Self::PressLong => Some(false),
            Self::Press | Self::PressReset => None,
        }
    }
}

fn path(device: &str) -> String {
    format!("/machines/{}/device", segment(device))
}

impl Command {
    pub async fn run(self, client: Client) -> Done {
        let command = match self {
            Self::Serve(serve) => return serve.run(client).await,
            command => command,
        };
        let client = &client;
        match command {
            Self::List { json } => list(client, json.json).await,
            Self::Add {
                url,
                kind,
                pool,
                name,
                user,
                password_file,
                totp_file,
                system,
                inside,
                identity,
                owner,
                keyboard,
            } => {
                let (kind, host, port) = address(&url, kind)?;
                let short = host.split('.').next().unwrap_or_default().to_owned();
                let new = MachineNew {
                    name: name.unwrap_or(short),
                    protocol: match kind {
                        Kind::Pikvm => MachineProtocol::Pikvm,
                        Kind::Redfish => MachineProtocol::Redfish,
                        Kind::Ipmi => MachineProtocol::Ipmi,
                    },
                    host,
                    port,
                    user: user.or_else(|| (kind == Kind::Pikvm).then(|| "admin".to_owned())),
                    password: secret(Some(&password_file))?,
                    private_key: None,
                    passphrase: None,
                    totp_secret: secret(totp_file.as_deref())?,
                    gateway_password: None,
                    identity,
                    owner,
                    parameters: Some(MachineParameters { keyboard, system, inside, ..MachineParameters::default() }),
                };
                let machine: Machine = client.post(&format!("/pools/{}/machines", segment(&pool)), &new).await?;
                say(format!("entered {}; what it is: oriel device show {}", machine.name, machine.name));
                output::print(&machine.id)
            }
            Self::Show { device, json } => show(&client.get(&path(&device)).await?, json.json),
            Self::Power { device, action, no_wait, json } => {
                client.press(&format!("{}/power/{}", path(&device), action.word().word())).await?;
                let now = match action.light().filter(|_| !no_wait) {
                    Some(light) => until(client, &device, light).await?,
                    None => client.get(&path(&device)).await?,
                };
                show(&now, json.json)
            }
            Self::Boot { device, from } => {
                client.press(&format!("{}/boot/{}", path(&device), from.source().word())).await?;
                say(match from {
                    BootFrom::Normal => format!("{device} starts as its firmware is set"),
                    _ => format!("{device} starts from it once; restart it: oriel device power {device} reset-hard"),
                });
                Ok(())
            }
            Self::Switch { device, channel, to } => {
                let on = to.map(|to| matches!(to, To::On));
                let at = format!("{}/switches/{}", path(&device), segment(&channel));
                client.tell(&at, &DeviceSwitchChange { on }).await
            }
            Self::Media(media) => media.run(client).await,
            Self::Port(port) => port.run(client).await,
            Self::Log { device, json } => {
                let log: DeviceLog = client.get(&format!("{}/log", path(&device))).await?;
                if json.json {
                    return output::print_json(&json!({ "lines": log.lines }));
                }
                output::print(&log.lines.join("\n"))
            }
            // It has run.
            Self::Serve(_) => Ok(()),
        }
    }
}

impl Media {
    async fn run(self, client: &Client) -> Done {
        let drive = async |device: &str, change: DeviceDriveChange, json: Json| {
            let now: Device = client.post(&format!("{}/drive", path(device)), &change).await?;
            images(&now, json.json)
        };
        match self {
            Self::List { device, json } => images(&client.get(&path(&device)).await?, json.json),
            Self::Upload { device, file, name, json } => {
                upload::Upload::open(client, &device, &file, name).await?.send().await?;
                images(&client.get(&path(&device)).await?, json.json)
            }
            Self::Insert { device, image, how, json } => {
                let change = DeviceDriveChange {
                    image: Some(image),
                    cdrom: !how.stick,
                    writable: how.writable,
                    connected: true,
                };
                drive(&device, change, json).await
            }
            Self::Eject { device, json } => {
                let change = DeviceDriveChange { image: None, cdrom: true, writable: false, connected: false };
                drive(&device, change, json).await
            }
            Self::Fetch { device, url, name, json } => {
                let begun: DeviceTransfer =
                    client.post(&format!("{}/fetch", path(&device)), &DeviceFetch { url, name }).await?;
                say(format!("{device} fetches {}, and goes on with it when this is interrupted", begun.name));
                fetched(client, &device).await?;
                images(&client.get(&path(&device)).await?, json.json)
            }
            Self::Remove { device, image } => {
                client.delete(&format!("{}/images?name={}", path(&device), segment(&image))).await?;
                say(format!("{image} is removed from {device}'s storage"));
                Ok(())
            }
        }
    }
}

/// Waits until what is on its way is there; the server gives up what does not move.
async fn fetched(client: &Client, device: &str) -> Result<(), Failure> {
    loop {
        let now: DeviceNow = client.get(&format!("{}/live", path(device))).await?;
        match now.transfer {
            None => return Err(Failure::new("the image was stopped on its way").next("begin anew")),
            Some(DeviceTransfer { failed: Some(why), .. }) => {
                return Err(Failure::new(why).next("check that the device reaches the address"));
            }
            Some(DeviceTransfer { over: true, .. }) => return Ok(()),
            Some(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

/// Waits until the power light shows it.
async fn until(client: &Client, device: &str, light: bool) -> Result<Device, Failure> {
    let end = Instant::now() + LIGHT_TIME_MAX;
    loop {
        let now: Device = client.get(&path(device)).await?;
        let Some(power) = &now.power else {
            return Err(Failure::new(format!("{device} shows no power light")).next("look at its picture"));
        };
        if power.on == light && !power.busy {
            return Ok(now);
        }
        if Instant::now() > end {
            let still = if light { "off" } else { "on" };
            return Err(Failure::new(format!(
                "the button was pressed and the power light is still {still} after {} seconds",
                LIGHT_TIME_MAX.as_secs()
            ))
            .next(match now.kind {
                DeviceKind::Pikvm => "look at the machine's picture, and check the wires between device and machine",
                DeviceKind::Redfish | DeviceKind::Ipmi => {
                    "its system may not listen to the button; power is cut by off-hard"
                }
            }));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// `https://HOST[:PORT][/]`, or `ipmi://HOST[:PORT][/]`, which says what it is.
fn address(text: &str, kind: Option<Kind>) -> Result<(Kind, String, Option<u16>), Failure> {
    let wrong = || {
        let next = match kind {
            _ if text.starts_with("redfish") => "give one like https://bmc.example, and --kind redfish",
            Some(Kind::Ipmi) => "give one like ipmi://bmc.example",
            _ => "give one like https://pikvm.example or https://192.0.2.7:8443",
        };
        Failure::usage(format!("{text:?} is no device's address")).next(next)
    };
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let plain = url.username().is_empty() && url.password().is_none() && matches!(url.path(), "" | "/");
    let kind = match (url.scheme(), kind) {
        ("https", None) => Kind::Pikvm,
        ("https", Some(kind @ (Kind::Pikvm | Kind::Redfish))) => kind,
        ("ipmi", None | Some(Kind::Ipmi)) => Kind::Ipmi,
        _ => return Err(wrong()),
    };
    if !plain || url.query().is_some() {
        return Err(wrong());
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    Ok((kind, host.trim_matches(['[', ']']).to_owned(), url.port()))
}

async fn list(client: &Client, json: bool) -> Done {
    let pools: PoolList = client.get("/pools").await?;
    let mut devices: Vec<Machine> = Vec::new();
    for pool in pools.pools.into_iter().filter(|pool| pool.kind == PoolKind::External) {
        let list: MachineList = client.get(&format!("/pools/{}/machines", segment(&pool.id))).await?;
        let is_device = |machine: &Machine| {
            matches!(machine.protocol, MachineProtocol::Pikvm | MachineProtocol::Redfish | MachineProtocol::Ipmi)
        };
        devices.extend(list.machines.into_iter().filter(is_device));
    }
    if json {
        return output::print_json(&json!({ "devices": devices }));
    }
    let mut rows = Rows::new(
        ["name", "kind", "address", "state", "pool", "owner", "connections"],
        "there are no devices yet: enter one with `oriel device add https://HOST --pool POOL --password-file FILE`",
    )
    .right(&[6]);
    for device in devices {
        rows.row([
            device.name,
            output::word(&device.protocol),
            format!("{}:{}", device.host, device.port),
            output::word(&device.state),
            device.pool.name,
            or_dash(device.owner.map(|owner| owner.name).as_deref()),
            device.connections.to_string(),
        ]);
    }
    rows.print()
}

fn as_json(device: &Device) -> Value {
    serde_json::to_value(device).unwrap_or_default()
}

fn show(device: &Device, json: bool) -> Done {
    if json {
        return output::print_json(&as_json(device));
    }
    let on = |on: bool| if on { "on" } else { "off" };
    let mut rows = Rows::without_headings();
    let mut row = |name: &str, value: String| rows.row([name.to_owned(), value]);
    let (version, platform) = (or_dash(device.version.as_deref()), or_dash(device.platform.as_deref()));
    row(
        "device",
        match device.kind {
            DeviceKind::Pikvm => format!("kvmd {version} on {platform}"),
            DeviceKind::Redfish => format!("BMC {version} of {platform}"),
            DeviceKind::Ipmi => format!("BMC (IPMI) {version} of {platform}"),
        },
    );
    if let Some(power) = &device.power {
        let wired = if power.enabled { "" } else { " (not wired)" };
        row("power", format!("{}{wired}", on(power.on)));
        if device.kind == DeviceKind::Pikvm {
            row("disk light", on(power.disk).to_owned());
        }
    }
    for (name, value) in device.board.iter().flat_map(board) {
        row(name, value);
    }
    if let Some(video) = &device.video {
        row(
            "picture",
            match (video.running, video.signal) {
                (true, true) => format!("{}x{}, {} a second", video.width, video.height, video.frames_per_second),
                (true, false) => "no signal".to_owned(),
                (false, _) => "nobody watches".to_owned(),
            },
        );
    }
    if let Some(storage) = &device.storage {
        let seen = if storage.connected { "seen by the machine" } else { "not connected" };
        row("drive", format!("{}, {seen}", or_dash(storage.image.as_deref())));
        row("storage", format!("{} free of {}", output::bytes(storage.free), output::bytes(storage.size)));
    }
    for item in device.gpio.iter().flatten() {
        match item {
            DeviceItem::Input { channel, .. } => row("input", format!("{}: {}", channel.name, on(channel.on))),
            DeviceItem::Output { channel, text, .. } => {
                row("switch", format!("{} ({text}): {}", channel.name, on(channel.on)));
            }
            DeviceItem::Label { .. } => {}
        }
    }
    for one in device.switch.iter().flat_map(|switch| &switch.ports) {
        let name = if one.name.is_empty() { String::new() } else { format!(" ({})", one.name) };
        let active = if one.active { "active, " } else { "" };
        let signal = if one.video { "picture" } else { "no picture" };
        row("port", format!("{}{name}: {active}{signal}, power {}", one.port, on(one.power.on)));
    }
    rows.print()
}

/// What a BMC knows, line by line.
fn board(board: &DeviceBoard) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let texts = [
        ("system", Some(&board.system).filter(|system| !system.is_empty())),
        ("serial number", board.serial.as_ref()),
        ("firmware", board.bios.as_ref()),
        ("health", board.health.as_ref()),
    ];
    lines.extend(texts.into_iter().filter_map(|(name, text)| Some((name, text?.clone()))));
    if let Some(boot) = &board.boot {
        let how = if boot.once { ", once" } else { "" };
        let target = boot.target.as_ref().map(|target| format!("{target}{how}"));
        lines.push(("starts from", target.unwrap_or_else(|| "as it is set".to_owned())));
    }
    for medium in &board.media {
        let inside = medium.image.as_deref().filter(|_| medium.inserted);
        let inside = inside.unwrap_or(if medium.inserted { "something" } else { "empty" });
        lines.push(("drive", format!("{} ({}): {inside}", medium.id, medium.kinds.join(", "))));
    }
    for console in &board.consoles {
        let enabled = if console.enabled { "" } else { " (switched off)" };
        lines.push(("console", format!("{}: {}{enabled}", console.kind, console.ways.join(", "))));
    }
    lines
}

fn media(board: &DeviceBoard, json: bool) -> Done {
    if json {
        return output::print_json(&json!({ "media": board.media }));
    }
    let mut rows = Rows::new(
        ["drive", "kinds", "image"],
        "the BMC has no virtual drives; its license may not include them, or its account may not use them",
    );
    for medium in &board.media {
        let inside = medium.image.clone().filter(|_| medium.inserted);
        let or = if medium.inserted { "something" } else { "" };
        rows.row([medium.id.clone(), medium.kinds.join(", "), inside.unwrap_or_else(|| or.to_owned())]);
    }
    rows.print()
}

fn images(device: &Device, json: bool) -> Done {
    if let Some(board) = &device.board {
        return media(board, json);
    }
    if json {
        return output::print_json(&json!({ "storage": as_json(device).get("storage") }));
    }
    let Some(storage) = &device.storage else {
        return Err(Failure::new("the device has no storage").next("not every board can offer a drive"));
    };
    let mut rows =
        Rows::new(["image", "size", "complete", "in the drive"], "there are no images on the device").right(&[1]);
    for image in &storage.images {
        let inside = storage.image.as_ref() == Some(&image.name);
        rows.row([
            image.name.clone(),
            output::bytes(image.size),
            if image.complete { "yes" } else { "no" }.to_owned(),
            match (inside, storage.connected) {
                (true, true) => "yes, and the machine sees it",
                (true, false) => "yes, not connected",
                (false, _) => "",
            }
            .to_owned(),
        ]);
    }
    rows.print()
}
