//! Devices of machines: a PiKVM in front of one, a BMC in one. Their power, drive and switches, one connection for each command. Whoever
//! looks on shares one connection with all who do ([`look`]), and images are on their way to it in tasks of their own ([`media`]).
//! What a BMC takes is said in [`bmc`], and in [`ipmi`] where it has nothing better.
//!
//! What a device answers is parsed here by a total parser with bounds; its pictures are parsed in sessions' processes, and passed on
//! here as they came.

mod bmc;
mod ipmi;
mod look;
mod media;
mod port;

pub(crate) use bmc::Logins;
pub(crate) use ipmi::Bmcs;
pub(crate) use look::Looks;
pub use look::{DeviceKnown, DeviceLook, DevicePicture};
pub(crate) use media::Transfers;
pub use media::{DeviceTransfer, ImageUpload, TransferKind, UploadPiece};
pub(crate) use port::is_behind;

use self::port::port_of;
use crate::guest::authority;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_model::{Desktop, DesktopId, External, MachineProtocol};
use oriel_physical::redfish::BootOnce;
use oriel_physical::{Button, Client, DeviceError, Overview, PhysicalOptions};
use oriel_pin::{Fingerprint, HostPin, Keeper};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::timeout;

/// How long a request to a device may take altogether: less than one to us may.
const DEVICE_TIME_MAX: Duration = Duration::from_secs(25);
/// How long a device remembers a request's sign-in: each request signs in anew.
const SIGNED_IN_SECONDS: u32 = 60;

/// What a device's buttons can be told.
pub type DevicePower = Button;

/// What is to be in a device's drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveWish {
    /// Of the device's storage, or of a BMC an address that it fetches from; none: the drive is empty.
    pub image: Option<String>,
    pub cdrom: bool,
    pub writable: bool,
    /// Whether the machine sees the drive.
    pub connected: bool,
}

/// Keeps who a device is where nobody knew.
struct Meeting {
    broker: Broker,
    machine: DesktopId,
}

impl fmt::Debug for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meeting").field("machine", &self.machine).finish_non_exhaustive()
    }
}

#[async_trait]
impl Keeper for Meeting {
    async fn met(&self, _: usize, identity: &str) -> Result<(), String> {
        self.broker.pin_identity(self.machine, 0, identity).await.map_err(|error| error.to_string())
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// In the device's own words, with what to do.
fn failed(machine: &Desktop, error: &DeviceError) -> BrokerError {
    let (code, next) = match error {
        DeviceError::IdentityChanged { .. } | DeviceError::IdentityNotKept(_) => {
            ("identity_changed", format!("compare: oriel machine identity {}", machine.name))
        }
        DeviceError::CredentialsRefused | DeviceError::Totp(_) => (
            "device_credentials",
            format!("enter them: oriel machine set {} --user USER --password-file FILE", machine.name),
        ),
        DeviceError::NoPicture => {
            ("no_picture", "check that the machine is on, and its cable to the device".to_owned())
        }
        DeviceError::Busy(_) => ("device_busy", "try again in a moment".to_owned()),
        DeviceError::Lacks(_) => ("device_lacks", format!("what it has: oriel device show {}", machine.name)),
        DeviceError::SystemUnclear(_) => {
            ("device_system", format!("name it: oriel machine set {} --system SYSTEM", machine.name))
        }
        DeviceError::Refused { .. } => ("device_refused", "look at the device's own page".to_owned()),
        _ => ("device_failed", format!("check the device: oriel device show {}", machine.name)),
    };
    BrokerError::conflict(code, format!("{}: {error}", machine.name), next)
}

fn external_of(machine: &Desktop) -> Result<&External, BrokerError> {
    let external = machine.external.as_ref().filter(|external| external.protocol.is_device());
    external.ok_or_else(|| {
        BrokerError::conflict(
            "not_a_device",
            format!("{} is no device: it does not speak pikvm, redfish or ipmi", machine.name),
            "enter a device: oriel device add URL",
        )
    })
}

fn is_bmc(machine: &Desktop) -> bool {
    machine.external.as_ref().is_some_and(|external| external.protocol == MachineProtocol::Redfish)
}

fn is_ipmi(machine: &Desktop) -> bool {
    machine.external.as_ref().is_some_and(|external| external.protocol == MachineProtocol::Ipmi)
}

/// A device with a picture, storage and switches, which a BMC has not. `what` of it was wished.
fn kvm_of<'a>(machine: &'a Desktop, what: &str) -> Result<&'a External, BrokerError> {
    let external = external_of(machine)?;
    if let Some((device, port)) = port_of(machine) {
        return Err(BrokerError::conflict(
            "device_lacks",
            format!(
                "{} is port {port} of a Switch, whose {what} is that of {device}, the device in front",
                machine.name
            ),
            format!("do it there: oriel device show {device}"),
        ));
    }
    if external.protocol == MachineProtocol::Pikvm {
        return Ok(external);
    }
    Err(BrokerError::conflict(
        "device_lacks",
        format!("{} is a BMC, which has no {what} over {}", machine.name, spoken(external)),
        format!("what it has: oriel device show {}", machine.name),
    ))
}

/// What a BMC speaks, as people write it.
const fn spoken(external: &External) -> &'static str {
    if matches!(external.protocol, MachineProtocol::Ipmi) { "IPMI" } else { "Redfish" }
}

/// Who a device must be.
fn pin_of(external: &External) -> Result<HostPin, BrokerError> {
    let Some(text) = &external.identity else { return Ok(HostPin::FirstUse) };
    let fingerprint = text
        .parse::<Fingerprint>()
        .map_err(|_| BrokerError::Internal("a device's identity on record is damaged".to_owned()))?;
    Ok(HostPin::Sha256(fingerprint.0))
}

/// A failure that several people are told.
#[derive(Clone, Debug)]
struct Trouble {
    code: &'static str,
    text: String,
    next_step: String,
}

impl Trouble {
    fn of(machine: &str, error: &BrokerError) -> Self {
        match error {
            BrokerError::Conflict { code, text, next_step } => {
                Self { code: *code, text: text.clone(), next_step: next_step.clone() }
            }
            other => Self {
                code: "device_failed",
                text: format!("{machine}: {other}"),
                next_step: format!("check the device: oriel device show {machine}"),
            },
        }
    }

    fn error(&self) -> BrokerError {
        BrokerError::conflict(self.code, self.text.clone(), self.next_step.clone())
    }
}

async fn in_time<T>(machine: &Desktop, asking: impl Future<Output = Result<T, BrokerError>>) -> Result<T, BrokerError> {
    let late = |_| failed(machine, &DeviceError::TimedOut(DEVICE_TIME_MAX.as_secs()));
    timeout(DEVICE_TIME_MAX, asking).await.map_err(late)?
}

impl Broker {
    /// Asks a device, within bounds.
    async fn with_device<T, F>(&self, machine: &Desktop, ask: impl FnOnce(Client) -> F + Send) -> Result<T, BrokerError>
    where
        F: Future<Output = Result<T, DeviceError>> + Send,
    {
        let asking = async {
            let client = self.device(machine, SIGNED_IN_SECONDS).await?;
            ask(client).await.map_err(|error| failed(machine, &error))
        };
        in_time(machine, asking).await
    }

    /// A connection that is signed in, for so many seconds as the device is concerned.
    async fn device(&self, machine: &Desktop, signed_in_seconds: u32) -> Result<Client, BrokerError> {
        let (device, _) = self.front_of(machine).await?;
        let machine = &device;
        let external = kvm_of(machine, "such part")?;
        let secrets = self.machine_secrets(machine).await?;
        let pin = pin_of(external)?;
        let options = PhysicalOptions {
            host: authority(external),
            user: external.user.clone().unwrap_or_else(|| "admin".to_owned()),
            password: secrets.password.unwrap_or_default(),
            totp: secrets.totp,
            pin,
            keeper: Some(Arc::new(Meeting { broker: self.clone(), machine: machine.id })),
            signed_in_seconds,
            ..PhysicalOptions::default()
        };
        let stream = self.dial_machine(machine).await?;
        let opening = async {
            let mut client = Client::open(Box::new(stream), &options).await?;
            client.login(&options, unix_seconds).await?;
            Ok(client)
        };
        opening.await.map_err(|error| failed(machine, &error))
    }

    /// Power, picture, drive and switches of a device, as they are now.
    pub async fn device_overview(&self, machine: &Desktop) -> Result<Overview, BrokerError> {
        if is_ipmi(machine) {
            return self.ipmi_overview(machine).await;
        }
        if is_bmc(machine) {
            return self.with_bmc(machine, |mut bmc| async move { bmc.overview().await }).await;
        }
        let overview = self.with_device(machine, |mut client| async move { client.overview().await }).await?;
        Ok(match port_of(machine) {
            Some((_, port)) => overview.at_port(port),
            None => overview,
        })
    }

    /// Presses a button; the power light shows what came of it, in the overview.
    pub async fn device_power(&self, machine: &Desktop, power: DevicePower) -> Result<(), BrokerError> {
        tracing::info!(machine = %machine.name, ?power, "A device presses a button");
        if is_ipmi(machine) {
            self.ipmi_press(machine, power).await?;
            self.inner.looks.hurry(machine.id, "atx");
            return Ok(());
        }
        if is_bmc(machine) {
            self.with_bmc(machine, |mut bmc| async move { bmc.press(power).await }).await?;
            self.inner.looks.hurry(machine.id, "atx");
            return Ok(());
        }
        let (device, port) = self.front_of(machine).await?;
        if let Some(port) = port {
            self.with_device(machine, |mut client| async move { client.press_at(port, power).await }).await?;
            self.inner.looks.hurry(device.id, "switch");
            return Ok(());
        }
        let press = |mut client: Client| async move {
            match power {
                Button::To(action) => client.power(action, false).await,
                Button::Press(button) => client.click(button).await,
            }
        };
        self.with_device(machine, press).await?;
        self.inner.looks.hurry(machine.id, "atx");
        Ok(())
    }

    /// Leaves a switch on or off, or presses it for a moment.
    pub async fn device_switch(&self, machine: &Desktop, channel: &str, on: Option<bool>) -> Result<(), BrokerError> {
        kvm_of(machine, "switches")?;
        tracing::info!(machine = %machine.name, channel, ?on, "A device moves a switch");
        let press = |mut client: Client| async move {
            match on {
                Some(on) => client.switch(channel, on).await,
                None => client.pulse(channel).await,
            }
        };
        self.with_device(machine, press).await?;
        self.inner.looks.hurry(machine.id, "gpio");
        Ok(())
    }

    /// Makes the drive what it is wished to be, and answers what it is then. The machine sees it go and come.
    pub async fn device_drive(&self, machine: &Desktop, wish: DriveWish) -> Result<Overview, BrokerError> {
        if is_bmc(machine) {
            return self.bmc_drive(machine, wish).await;
        }
        kvm_of(machine, "drive")?;
        tracing::info!(machine = %machine.name, ?wish, "A device's drive changes");
        let change = |mut client: Client| async move {
            let now = client.state(&["msd"]).await?.storage();
            if now.is_some_and(|storage| storage.connected) {
                client.connect_drive(false).await?;
            }
            client.insert(wish.image.as_deref(), wish.cdrom, wish.writable).await?;
            if wish.connected {
                client.connect_drive(true).await?;
            }
            client.overview().await
        };
        let overview = self.with_device(machine, change).await?;
        self.inner.looks.hurry(machine.id, "msd");
        Ok(overview)
    }

    /// Removes an image from a device's storage.
    pub async fn device_remove_image(&self, machine: &Desktop, image: &str) -> Result<(), BrokerError> {
        kvm_of(machine, "storage")?;
        tracing::info!(machine = %machine.name, image, "A device's image is removed");
        self.with_device(machine, |mut client| async move { client.remove_image(image).await }).await?;
        self.inner.transfers.forget(machine.id, image);
        self.inner.looks.hurry(machine.id, "msd");
        Ok(())
    }

    /// What the device wrote down in the last `seconds`, the newest last.
    pub async fn device_log(&self, machine: &Desktop, seconds: u32) -> Result<String, BrokerError> {
        kvm_of(machine, "log that is read")?;
        self.with_device(machine, |mut client| async move { client.log(seconds).await }).await
    }

    /// What the machine of a BMC starts from next, for one start.
    pub async fn device_boot(&self, machine: &Desktop, from: BootOnce) -> Result<(), BrokerError> {
        if is_ipmi(machine) {
            tracing::info!(machine = %machine.name, ?from, "A machine is told what to start from once");
            self.ipmi_boot(machine, from).await?;
            self.inner.looks.hurry(machine.id, "boot");
            return Ok(());
        }
        if external_of(machine)?.protocol != MachineProtocol::Redfish {
            return Err(BrokerError::conflict(
                "device_lacks",
                format!("{} is a PiKVM, which does not tell its machine what to start from", machine.name),
                "choose it in the machine's own firmware, with the keyboard",
            ));
        }
        tracing::info!(machine = %machine.name, ?from, "A machine is told what to start from once");
        self.with_bmc(machine, |mut bmc| async move { bmc.boot_once(from).await }).await?;
        self.inner.looks.hurry(machine.id, "boot");
        Ok(())
    }

    /// Which certificate a BMC has right now; nothing else is asked.
    pub async fn device_identity(&self, machine: &Desktop) -> Result<String, BrokerError> {
        external_of(machine)?;
        let asking = async {
            let stream = self.dial_machine(machine).await?;
            let seen = oriel_physical::identity(Box::new(stream)).await;
            seen.map(|seen| seen.to_string()).map_err(|error| failed(machine, &error))
        };
        in_time(machine, asking).await
    }
}
