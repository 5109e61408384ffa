//! Machines with a BMC that speaks IPMI: one session there for all who ask, power, what the machine starts from next, and its serial
//! console. A BMC has few sessions, forgets one that is silent for a minute, and has a console for one session at a time.

use super::look::Look;
use super::{external_of, in_time};
use crate::{Broker, BrokerError};
use oriel_compute::BoxStream;
use oriel_ipmi::{Account, Boot, BootDevice, Chassis, Client, Console, Control, DeviceId, IpmiError, Role};
use oriel_model::serial::{SERIAL_BEGIN, serial_answer};
use oriel_model::{Desktop, DesktopId};
use oriel_physical::redfish::{self, Board, BootOnce};
use oriel_physical::{Button, Click, DeviceKind, Overview, Power, PowerAction};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UdpSocket, UnixStream};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// BMCs that this program has a session with, at most; whoever comes then signs in anew.
const SESSIONS_MAX: usize = 1024;
/// A session that was silent for so long is not used again: the BMC forgets it after a minute.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How often power and boot are asked, in ticks of a second; while something changes, and otherwise.
const QUICK_TICKS: u32 = 2;
const SLOW_TICKS: u32 = 10;
/// How long something that was pressed is looked after quickly.
const CHANGES: Duration = Duration::from_mins(1);
/// How long a BMC may take to say that it is there.
const GREETING: Duration = Duration::from_secs(4);
/// How long a console waits for somebody who looks.
const BEGIN_TIME_MAX: Duration = Duration::from_mins(1);
/// How long the last words of a console may take.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// What such a BMC takes, in Redfish's words.
const RESETS: [&str; 4] = ["On", "GracefulShutdown", "ForceOff", "ForceRestart"];
const TARGETS: [&str; 5] = ["Cd", "Pxe", "Hdd", "Usb", "BiosSetup"];

/// What is known of a machine.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// Of the BMC: asked once a session.
    id: Option<DeviceId>,
    chassis: Chassis,
    boot: Option<Boot>,
}

/// A session that is kept, and what was learnt in it.
struct Held {
    client: Client,
    /// That it was begun with: another program of this service may have been given another one.
    password: SecretString,
    id: Option<DeviceId>,
    used: Instant,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("used", &self.used).finish_non_exhaustive()
    }
}

type Place = Arc<tokio::sync::Mutex<Option<Held>>>;

/// The sessions with BMCs: with where and as whom each is, as another program of this service may have moved the machine.
#[derive(Debug, Default)]
pub(crate) struct Bmcs(Mutex<HashMap<DesktopId, (String, Place)>>);

impl Bmcs {
    fn all(&self) -> MutexGuard<'_, HashMap<DesktopId, (String, Place)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, machine: DesktopId, where_and_who: String) -> Place {
        let mut all = self.all();
        if let Some((known, place)) = all.get(&machine)
            && *known == where_and_who
        {
            return Arc::clone(place);
        }
        // Those that nobody asks any more keep no sockets and no keys here.
        all.retain(|_, (_, place)| {
            let is_fresh = |held: &Held| held.used.elapsed() < SILENCE_MAX;
            Arc::strong_count(place) > 1 || place.try_lock().is_ok_and(|held| held.as_ref().is_some_and(is_fresh))
        });
        if all.len() >= SESSIONS_MAX && !all.contains_key(&machine) {
            all.clear();
        }
        let place = Place::default();
        all.insert(machine, (where_and_who, Arc::clone(&place)));
        place
    }

    /// What was signed in with no longer holds. The session itself ends by its silence.
    pub(crate) fn forget(&self, machine: DesktopId) {
        self.all().remove(&machine);
    }
}

/// What is asked of a BMC.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Look,
    Press(Control),
    Boot(Option<BootDevice>),
}

/// In the BMC's own words, with what to do.
fn refused(machine: &Desktop, error: &IpmiError) -> BrokerError {
    let (code, next) = match error {
        IpmiError::CredentialsRefused | IpmiError::BadAccount(_) => (
            "device_credentials",
            format!("enter them: oriel machine set {} --user USER --password-file FILE", machine.name),
        ),
        IpmiError::Busy(_) | IpmiError::ConsoleTaken => ("device_busy", "try again in a moment".to_owned()),
        IpmiError::Lacks { .. } => ("device_lacks", format!("what it has: oriel device show {}", machine.name)),
        IpmiError::Refused { .. } | IpmiError::RoleRefused(_) | IpmiError::NoSuite | IpmiError::TooOld => {
            ("device_refused", "look at the BMC's own page".to_owned())
        }
        _ => ("device_failed", format!("check the device: oriel device show {}", machine.name)),
    };
    BrokerError::conflict(code, format!("{}: {error}", machine.name), next)
}

fn lacks(machine: &Desktop, text: &str) -> BrokerError {
    BrokerError::conflict(
        "device_lacks",
        format!("{} is a BMC: {text}", machine.name),
        format!("what it has: oriel device show {}", machine.name),
    )
}

impl Known {
    fn overview(&self) -> Overview {
        let board = Board {
            system: String::new(),
            serial: None,
            bios: None,
            health: Some(
                match (self.chassis.has_fault(), self.chassis.intrusion) {
                    (true, _) => "Critical",
                    (false, true) => "Warning",
                    (false, false) => "OK",
                }
                .to_owned(),
            ),
            power_state: Some(if self.chassis.on { "On" } else { "Off" }.to_owned()),
            resets: Some(RESETS.map(str::to_owned).to_vec()),
            consoles: Vec::new(),
            media: Vec::new(),
            boot: self.boot.map(|boot| redfish::Boot {
                target: boot.device.map(|device| target(device).to_owned()),
                once: boot.once,
                targets: TARGETS.map(str::to_owned).to_vec(),
            }),
        };
        Overview {
            kind: DeviceKind::Ipmi,
            version: self.id.map(|id| format!("{}.{:02}", id.firmware_major, id.firmware_minor)),
            platform: self.id.map(|id| {
                let maker = id.maker().map_or_else(|| format!("maker {}", id.manufacturer), str::to_owned);
                format!("{maker}, product {:#06x}", id.product)
            }),
            power: Some(Power { enabled: true, busy: false, on: self.chassis.on, disk: false }),
            board: Some(board),
            ..Overview::default()
        }
    }
}

/// As Redfish calls it.
const fn target(device: BootDevice) -> &'static str {
    match device {
        BootDevice::Network => "Pxe",
        BootDevice::Disk => "Hdd",
        BootDevice::Cd => "Cd",
        BootDevice::Removable => "Usb",
        BootDevice::Setup => "BiosSetup",
    }
}

/// What a button is to a BMC; none: it has no such button.
const fn control(button: Button) -> Option<Control> {
    match button {
        Button::To(PowerAction::On) => Some(Control::On),
        Button::To(PowerAction::Off) => Some(Control::Soft),
        Button::To(PowerAction::OffHard) | Button::Press(Click::PowerLong) => Some(Control::Off),
        Button::To(PowerAction::ResetHard) | Button::Press(Click::Reset) => Some(Control::Reset),
        Button::Press(Click::Power) => None,
    }
}

/// Whether the machine is where that leads to already.
const fn is_there(control: Control, on: bool) -> bool {
    match control {
        Control::On => on,
        Control::Off | Control::Soft => !on,
        Control::Cycle | Control::Reset => false,
    }
}

impl Held {
    async fn look(&mut self) -> Result<Known, IpmiError> {
        let chassis = self.client.chassis().await?;
        if self.id.is_none() {
            self.id = unless_lacking(self.client.device_id().await)?;
        }
        let boot = unless_lacking(self.client.boot().await)?;
        Ok(Known { id: self.id, chassis, boot })
    }

    async fn act(&mut self, deed: Deed) -> Result<(), IpmiError> {
        match deed {
            Deed::Look => Ok(()),
            Deed::Press(control) => self.client.control(control).await,
            Deed::Boot(device) => self.client.boot_once(device).await,
        }
    }
}

/// What a BMC does not have, or does not show to this account.
fn unless_lacking<T>(found: Result<T, IpmiError>) -> Result<Option<T>, IpmiError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(IpmiError::Lacks { .. } | IpmiError::Refused { .. } | IpmiError::Protocol(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Broker {
    async fn bmc_account(&self, machine: &Desktop) -> Result<Account, BrokerError> {
        let external = external_of(machine)?;
        let secrets = self.machine_secrets(machine).await?;
        Ok(Account { user: external.user.clone().unwrap_or_default(), password: secrets.password.unwrap_or_default() })
    }

    async fn bmc_socket(&self, machine: &Desktop) -> Result<UdpSocket, BrokerError> {
        let external = external_of(machine)?;
        let seconds = external.parameters.timeout_seconds.unwrap_or(oriel_compute::external::DIAL_SECONDS);
        Ok(self.outside().datagrams(&external.host, external.port, seconds).await?)
    }

    /// Whether a BMC is there; nobody signs in.
    pub(crate) async fn greet_bmc(&self, machine: &Desktop) -> Result<(), BrokerError> {
        // With finding its address: many are looked at in turn.
        let greeting = async {
            let socket = self.bmc_socket(machine).await?;
            oriel_ipmi::reaches(&socket).await.map_err(|error| refused(machine, &error))
        };
        let silent = |_| Err(refused(machine, &IpmiError::Unreachable("no answer".to_owned())));
        timeout(GREETING, greeting).await.unwrap_or_else(silent)
    }

    /// Does something in the session that is kept, or in a new one, and answers how the machine was just before.
    async fn ask_bmc(&self, machine: &Desktop, deed: Deed) -> Result<Known, BrokerError> {
        let external = external_of(machine)?;
        let fail = |error: IpmiError| refused(machine, &error);
        let account = self.bmc_account(machine).await?;
        let where_and_who = format!("{}@{}:{}", account.user, external.host, external.port);
        let place = self.inner.bmcs.of(machine.id, where_and_who);
        let asking = async {
            let mut place = place.lock().await;
            // Taken out: a question that is given up on half-way leaves no session behind that is in the middle of something.
            let mut known = None;
            let holds = |held: &Held| {
                held.used.elapsed() < SILENCE_MAX && held.password.expose_secret() == account.password.expose_secret()
            };
            if let Some(mut held) = place.take().filter(holds) {
                match held.look().await {
                    Ok(now) => known = Some((held, now)),
                    // The BMC restarted, and knows nothing of it.
                    Err(IpmiError::Lost) => {}
                    Err(error) => {
                        *place = Some(held);
                        return Err(fail(error));
                    }
                }
            }
            let (mut held, now) = match known {
                Some(known) => known,
                None => {
                    let socket = self.bmc_socket(machine).await?;
                    let client = Client::open(socket, &account, Role::Operator).await.map_err(fail)?;
                    let password = account.password.clone();
                    let mut held = Held { client, password, id: None, used: Instant::now() };
                    match held.look().await {
                        Ok(now) => (held, now),
                        Err(error) => {
                            held.client.close().await;
                            return Err(fail(error));
                        }
                    }
                }
            };
            let is_done = matches!(deed, Deed::Press(control) if is_there(control, now.chassis.on));
            let done = if is_done { Ok(()) } else { held.act(deed).await };
            if !matches!(done, Err(IpmiError::Lost)) {
                held.used = Instant::now();
                *place = Some(held);
            }
            done.map_err(fail)?;
            Ok(now)
        };
        in_time(machine, asking).await
    }

    pub(super) async fn ipmi_overview(&self, machine: &Desktop) -> Result<Overview, BrokerError> {
        Ok(self.ask_bmc(machine, Deed::Look).await?.overview())
    }

    pub(super) async fn ipmi_press(&self, machine: &Desktop, button: Button) -> Result<(), BrokerError> {
        let control = control(button).ok_or_else(|| {
            lacks(machine, "over IPMI its power button is not pressed, but its power told to be on or off")
        })?;
        self.ask_bmc(machine, Deed::Press(control)).await.map(drop)
    }

    pub(super) async fn ipmi_boot(&self, machine: &Desktop, from: BootOnce) -> Result<(), BrokerError> {
        let device = match from {
            BootOnce::Cd => Some(BootDevice::Cd),
            BootOnce::Pxe => Some(BootDevice::Network),
            BootOnce::Disk => Some(BootDevice::Disk),
            BootOnce::Usb => Some(BootDevice::Removable),
            BootOnce::Setup => Some(BootDevice::Setup),
            BootOnce::Normal => None,
        };
        self.ask_bmc(machine, Deed::Boot(device)).await.map(drop)
    }

    /// Looks at a BMC until nobody looks any more.
    pub(super) async fn look_at_ipmi(
        &self,
        machine: &Desktop,
        look: &Arc<Look>,
        held: &mut Option<Instant>,
    ) -> Result<(), BrokerError> {
        look.tell_overview(self.ipmi_overview(machine).await?);
        *held = Some(Instant::now());
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut ticks, mut quick_until) = (0u32, None::<Instant>);
        while self.inner.looks.keeps(machine.id, look) {
            tick.tick().await;
            ticks = ticks.wrapping_add(1);
            let now = Instant::now();
            let hurry = look.take_hurry().is_some();
            if hurry {
                quick_until = Some(now + CHANGES);
            }
            let period = if quick_until.is_some_and(|until| now < until) { QUICK_TICKS } else { SLOW_TICKS };
            if hurry || ticks.is_multiple_of(period) {
                look.tell_overview(self.ipmi_overview(machine).await?);
            }
        }
        Ok(())
    }

    /// The machine's serial console, which is opened when a terminal asks for it ([`oriel_model::serial`]).
    pub(crate) fn bmc_console(&self, machine: &Desktop) -> Result<BoxStream, BrokerError> {
        let failed = |error| BrokerError::internal("opening a console's stream", error);
        let (near, far) = UnixStream::pair().map_err(failed)?;
        tokio::spawn(carry(self.clone(), machine.clone(), near));
        Ok(Box::new(far))
    }

    async fn open_console(&self, machine: &Desktop) -> Result<Console, BrokerError> {
        let opening = async {
            // As it is now: it may have been moved or removed since the terminal was let in.
            let machine = &self.find_machine(&machine.id.to_string()).await?;
            let account = self.bmc_account(machine).await?;
            // Where it is is for admins.
            let socket = self.bmc_socket(machine).await.map_err(|error| match error {
                BrokerError::External(error) => BrokerError::conflict(
                    "machine_unreachable",
                    error.without_address(machine.name.as_str()),
                    format!("oriel machine show {}", machine.name),
                ),
                error => error,
            })?;
            Console::open(socket, &account).await.map_err(|error| refused(machine, &error))
        };
        in_time(machine, opening).await
    }
}

async fn carry(broker: Broker, machine: Desktop, mut terminal: UnixStream) {
    if !matches!(timeout(BEGIN_TIME_MAX, terminal.read_u8()).await, Ok(Ok(SERIAL_BEGIN))) {
        return;
    }
    let console = match broker.open_console(&machine).await {
        Ok(console) => console,
        Err(error) => {
            tracing::info!(machine = %machine.name, %error, "A machine's serial console was not opened");
            let answer = serial_answer(Err(&error.to_string()));
            timeout(LAST_WORDS, terminal.write_all(&answer)).await.ok();
            return;
        }
    };
    tracing::info!(machine = %machine.name, "A machine's serial console was opened");
    // Though nobody took the answer: the console is given back.
    terminal.write_all(&serial_answer(Ok(()))).await.ok();
    if let Err(error) = console.serve(&mut terminal).await {
        tracing::info!(machine = %machine.name, %error, "A machine's serial console ended");
        let words = format!("\r\n{error}\r\n");
        timeout(LAST_WORDS, terminal.write_all(words.as_bytes())).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_are_told_once() {
        assert_eq!(control(Button::To(PowerAction::Off)), Some(Control::Soft));
        assert_eq!(control(Button::Press(Click::Power)), None);
        assert!(is_there(Control::On, true) && is_there(Control::Soft, false) && !is_there(Control::Reset, false));
    }

    #[test]
    fn a_session_is_of_one_place() {
        let (bmcs, machine) = (Bmcs::default(), DesktopId::new());
        let first = bmcs.of(machine, "ada@a:623".to_owned());
        assert!(Arc::ptr_eq(&first, &bmcs.of(machine, "ada@a:623".to_owned())));
        assert!(!Arc::ptr_eq(&first, &bmcs.of(machine, "ada@b:623".to_owned())));
        // In it nobody is signed in.
        let other = DesktopId::new();
        bmcs.of(other, "ada@c:623".to_owned());
        assert!(!bmcs.all().contains_key(&machine));
        bmcs.forget(other);
        assert!(bmcs.all().is_empty());
    }
}
