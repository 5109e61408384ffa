//! `oriel device`: devices in front of machines (PiKVM).

use super::machine::secret;
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, or_dash, say},
};
use clap::{Args, Subcommand, ValueEnum};
use oriel_server::api::{
    device::{Device, DeviceDriveChange, DeviceItem, DevicePowerAction, DeviceSwitchChange},
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
        /// Its address: https://pikvm.example
        url: String,
        /// Pool of external machines: id or name
        #[arg(long)]
        pool: String,
        /// The name of the machine behind it in Oriel; the address's first word when left out
        #[arg(long)]
        name: Option<String>,
        /// Account on the device
        #[arg(long, default_value = "admin")]
        user: String,
        /// File with its password (- for stdin)
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
        /// File with the secret of its second factor, in base 32
        #[arg(long, value_name = "FILE")]
        totp_file: Option<PathBuf>,
        /// SHA-256 of its certificate
        #[arg(long)]
        identity: Option<String>,
        /// Whose it is: a person's id or name; everybody's whom the pool allows when left out
        #[arg(long, value_name = "PERSON")]
        owner: Option<String>,
        /// Keyboard layout that text is typed for: us, de
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
    /// Put an image into the drive and let the machine see it
    Insert {
        /// Id or name
        device: String,
        /// Its name in the device's storage
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
    /// Remove an image from the device's storage
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
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List { json } => list(client, json.json).await,
            Self::Add { url, pool, name, user, password_file, totp_file, identity, owner, keyboard } => {
                let (host, port) = address(&url)?;
                let short = host.split('.').next().unwrap_or_default().to_owned();
                let new = MachineNew {
                    name: name.unwrap_or(short),
                    protocol: MachineProtocol::Pikvm,
                    host,
                    port,
                    user: Some(user),
                    password: secret(Some(&password_file))?,
                    private_key: None,
                    passphrase: None,
                    totp_secret: secret(totp_file.as_deref())?,
                    identity,
                    owner,
                    parameters: Some(MachineParameters { keyboard, ..MachineParameters::default() }),
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
            Self::Switch { device, channel, to } => {
                let on = to.map(|to| matches!(to, To::On));
                let at = format!("{}/switches/{}", path(&device), segment(&channel));
                client.tell(&at, &DeviceSwitchChange { on }).await
            }
            Self::Media(media) => media.run(client).await,
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
            Self::Remove { device, image } => {
                client.delete(&format!("{}/images?name={}", path(&device), segment(&image))).await?;
                say(format!("{image} is removed from {device}'s storage"));
                Ok(())
            }
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
            .next("look at the machine's picture, and check the wires between device and machine"));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// `https://HOST[:PORT][/]`.
fn address(text: &str) -> Result<(String, Option<u16>), Failure> {
    let wrong = || {
        Failure::usage(format!("{text:?} is no device's address"))
            .next("give one like https://pikvm.example or https://192.0.2.7:8443")
    };
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let plain = url.username().is_empty() && url.password().is_none() && matches!(url.path(), "" | "/");
    if url.scheme() != "https" || !plain || url.query().is_some() {
        return Err(wrong());
    }
    let host = url.host_str().ok_or_else(wrong)?;
    Ok((host.trim_matches(['[', ']']).to_owned(), url.port()))
}

async fn list(client: &Client, json: bool) -> Done {
    let pools: PoolList = client.get("/pools").await?;
    let mut devices: Vec<Machine> = Vec::new();
    for pool in pools.pools.into_iter().filter(|pool| pool.kind == PoolKind::External) {
        let list: MachineList = client.get(&format!("/pools/{}/machines", segment(&pool.id))).await?;
        devices.extend(list.machines.into_iter().filter(|machine| machine.protocol == MachineProtocol::Pikvm));
    }
    if json {
        return output::print_json(&json!({ "devices": devices }));
    }
    let mut rows = Rows::new(
        ["name", "address", "state", "pool", "owner", "connections"],
        "there are no devices yet: enter one with `oriel device add https://HOST --pool POOL --password-file FILE`",
    )
    .right(&[5]);
    for device in devices {
        rows.row([
            device.name,
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
    row("device", format!("kvmd {} on {}", or_dash(device.version.as_deref()), or_dash(device.platform.as_deref())));
    if let Some(power) = &device.power {
        let wired = if power.enabled { "" } else { " (not wired)" };
        row("power", format!("{}{wired}", on(power.on)));
        row("disk light", on(power.disk).to_owned());
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
    rows.print()
}

fn images(device: &Device, json: bool) -> Done {
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
