//! Devices in front of machines (PiKVM): their power, drive and switches, one connection for each request.
//!
//! What a device answers is parsed here by a total parser with bounds; its pictures are parsed in sessions' processes, and passed on
//! here as they came.

use crate::guest::authority;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use bytes::Bytes;
use oriel_model::{Desktop, DesktopId, MachineProtocol};
use oriel_physical::{Click, Client, DeviceError, Overview, PhysicalOptions, PowerAction};
use oriel_pin::{Fingerprint, HostPin, Keeper};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::timeout;

/// How long a request to a device may take altogether: less than one to us may.
const DEVICE_TIME_MAX: Duration = Duration::from_secs(25);
/// How long a device remembers a request's sign-in: each request signs in anew.
const SIGNED_IN_SECONDS: u32 = 60;
/// Width of a device's picture, in pixels, at most.
const PICTURE_WIDTH_MAX: u16 = 640;

/// What a device's buttons can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevicePower {
    /// Pressed only when the power light says that something is to do.
    To(PowerAction),
    /// Pressed whatever the lights say.
    Press(Click),
}

/// What is to be in a device's drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveWish {
    /// Of the device's storage; none: the drive is empty.
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
        DeviceError::Refused { .. } => ("device_refused", "look at the device's own page".to_owned()),
        _ => ("device_failed", format!("check the device: oriel device show {}", machine.name)),
    };
    BrokerError::conflict(code, format!("{}: {error}", machine.name), next)
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
            let client = self.device(machine).await?;
            ask(client).await.map_err(|error| failed(machine, &error))
        };
        in_time(machine, asking).await
    }

    /// A connection that is signed in.
    async fn device(&self, machine: &Desktop) -> Result<Client, BrokerError> {
        let external = machine.external.as_ref().filter(|external| external.protocol == MachineProtocol::Pikvm);
        let external = external.ok_or_else(|| {
            BrokerError::conflict(
                "not_a_device",
                format!("{} is no device: it does not speak pikvm", machine.name),
                "enter a device: oriel device add URL",
            )
        })?;
        let secrets = self.machine_secrets(machine).await?;
        let pin = match &external.identity {
            None => HostPin::FirstUse,
            Some(text) => HostPin::Sha256(
                text.parse::<Fingerprint>()
                    .map_err(|_| BrokerError::Internal("a device's identity on record is damaged".to_owned()))?
                    .0,
            ),
        };
        let options = PhysicalOptions {
            host: authority(external),
            user: external.user.clone().unwrap_or_else(|| "admin".to_owned()),
            password: secrets.password.unwrap_or_default(),
            totp: secrets.totp,
            pin,
            keeper: Some(Arc::new(Meeting { broker: self.clone(), machine: machine.id })),
            signed_in_seconds: SIGNED_IN_SECONDS,
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
        self.with_device(machine, |mut client| async move { client.overview().await }).await
    }

    /// Presses a button; the power light shows what came of it, in the overview.
    pub async fn device_power(&self, machine: &Desktop, power: DevicePower) -> Result<(), BrokerError> {
        tracing::info!(machine = %machine.name, ?power, "A device presses a button");
        let press = |mut client: Client| async move {
            match power {
                DevicePower::To(action) => client.power(action, false).await,
                DevicePower::Press(button) => client.click(button).await,
            }
        };
        self.with_device(machine, press).await
    }

    /// Leaves a switch on or off, or presses it for a moment.
    pub async fn device_switch(&self, machine: &Desktop, channel: &str, on: Option<bool>) -> Result<(), BrokerError> {
        tracing::info!(machine = %machine.name, channel, ?on, "A device moves a switch");
        let press = |mut client: Client| async move {
            match on {
                Some(on) => client.switch(channel, on).await,
                None => client.pulse(channel).await,
            }
        };
        self.with_device(machine, press).await
    }

    /// Makes the drive what it is wished to be, and answers what it is then. The machine sees it go and come.
    pub async fn device_drive(&self, machine: &Desktop, wish: DriveWish) -> Result<Overview, BrokerError> {
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
        self.with_device(machine, change).await
    }

    /// Removes an image from a device's storage.
    pub async fn device_remove_image(&self, machine: &Desktop, image: &str) -> Result<(), BrokerError> {
        tracing::info!(machine = %machine.name, image, "A device's image is removed");
        self.with_device(machine, |mut client| async move { client.remove_image(image).await }).await
    }

    /// A small JPEG of what the machine shows. A device that nobody watches starts its streamer for it.
    pub async fn device_picture(&self, machine: &Desktop) -> Result<Bytes, BrokerError> {
        let looking = async {
            let mut client = self.device(machine).await?;
            let seen = client.snapshot(PICTURE_WIDTH_MAX).await.map_err(|error| failed(machine, &error))?;
            if let Some(jpeg) = seen {
                return Ok(jpeg);
            }
            // Only now: whoever comes to a device's events lets all keys go that others hold there.
            let watcher = self.device(machine).await?;
            client.warm_snapshot(PICTURE_WIDTH_MAX, watcher).await.map_err(|error| failed(machine, &error))
        };
        in_time(machine, looking).await
    }
}
