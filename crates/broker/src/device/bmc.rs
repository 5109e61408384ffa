//! Machines with a BMC (Redfish): one session there for all who ask, and a look that is shared like a device's.

use super::look::Look;
use super::media::check_address;
use super::{DriveWish, Meeting, external_of, failed, in_time, pin_of};
use crate::guest::authority;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_compute::Stream;
use oriel_model::{Desktop, DesktopId};
use oriel_physical::redfish::{Login, Redfish, RedfishOptions};
use oriel_physical::{DeviceError, Overview, Way};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// BMCs that this program is signed in to, at most; whoever comes then signs in anew.
const LOGINS_MAX: usize = 1024;
/// How often power and boot are asked, in ticks of a second; while something changes, and otherwise.
const QUICK_TICKS: u32 = 2;
const SLOW_TICKS: u32 = 5;
/// How often the rest is asked: drives, consoles, the BMC itself.
const AROUND_TICKS: u32 = 30;
/// How long something that was pressed is looked after quickly.
const CHANGES: Duration = Duration::from_mins(1);
/// How long a BMC that is busy is left alone; each time twice as long, up to the longest.
const BUSY_LEAST: Duration = Duration::from_secs(5);
const BUSY_MOST: Duration = Duration::from_mins(1);

/// Who we are at which BMC: they have few sessions, and each lives as long as it is used. With where and as whom that is: another program
/// of this service may have moved the machine, and a session is no other BMC's to know.
#[derive(Debug, Default)]
pub(crate) struct Logins(Mutex<HashMap<DesktopId, (String, Arc<Login>)>>);

impl Logins {
    fn all(&self) -> MutexGuard<'_, HashMap<DesktopId, (String, Arc<Login>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, machine: DesktopId, place: String) -> Arc<Login> {
        let mut all = self.all();
        if let Some((known, login)) = all.get(&machine)
            && *known == place
        {
            return Arc::clone(login);
        }
        if all.len() >= LOGINS_MAX && !all.contains_key(&machine) {
            all.clear();
        }
        let login = Arc::<Login>::default();
        all.insert(machine, (place, Arc::clone(&login)));
        login
    }

    /// What was signed in with no longer holds.
    pub(crate) fn forget(&self, machine: DesktopId) {
        self.all().remove(&machine);
    }
}

/// The way to a BMC.
struct Road {
    broker: Broker,
    machine: Desktop,
}

impl fmt::Debug for Road {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Road").field("machine", &self.machine.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Way for Road {
    async fn open(&self) -> Result<Box<dyn Stream>, String> {
        let stream = self.broker.dial_machine(&self.machine).await.map_err(|error| error.to_string())?;
        Ok(Box::new(stream))
    }
}

impl Broker {
    async fn bmc(&self, machine: &Desktop) -> Result<Redfish, BrokerError> {
        let external = external_of(machine)?;
        let secrets = self.machine_secrets(machine).await?;
        let options = RedfishOptions {
            host: authority(external),
            user: external.user.clone().unwrap_or_default(),
            password: secrets.password.unwrap_or_default(),
            system: external.parameters.system.clone(),
            pin: pin_of(external)?,
            keeper: Some(Arc::new(Meeting { broker: self.clone(), machine: machine.id })),
        };
        let way = Arc::new(Road { broker: self.clone(), machine: machine.clone() });
        let place = format!("{}@{}:{}", options.user, external.host, external.port);
        Ok(Redfish::new(way, options, self.inner.logins.of(machine.id, place)))
    }

    /// Asks a BMC, within bounds.
    pub(super) async fn with_bmc<T, F>(
        &self,
        machine: &Desktop,
        ask: impl FnOnce(Redfish) -> F + Send,
    ) -> Result<T, BrokerError>
    where
        F: Future<Output = Result<T, DeviceError>> + Send,
    {
        let asking = async {
            let bmc = self.bmc(machine).await?;
            ask(bmc).await.map_err(|error| failed(machine, &error))
        };
        in_time(machine, asking).await
    }

    /// What a BMC fetches from an address, in its drive; or nothing.
    pub(super) async fn bmc_drive(&self, machine: &Desktop, wish: DriveWish) -> Result<Overview, BrokerError> {
        // Not the address: it may have a password in it.
        tracing::info!(machine = %machine.name, cdrom = wish.cdrom, connected = wish.connected, "A BMC's drive changes");
        let overview = match wish.image {
            Some(address) if wish.connected => {
                check_address(&address)?;
                let insert = |mut bmc: Redfish| async move { bmc.insert(&address, wish.cdrom, wish.writable).await };
                self.with_bmc(machine, insert).await?
            }
            Some(_) => {
                return Err(BrokerError::conflict(
                    "device_lacks",
                    format!("{} is a BMC, whose drive holds only what its machine sees", machine.name),
                    "ask for it with `connected`",
                ));
            }
            None => self.with_bmc(machine, |mut bmc: Redfish| async move { bmc.eject().await }).await?,
        };
        self.inner.looks.hurry(machine.id, "msd");
        Ok(overview)
    }

    /// Looks at a BMC until nobody looks any more.
    pub(super) async fn look_at_bmc(
        &self,
        machine: &Desktop,
        look: &Arc<Look>,
        held: &mut Option<Instant>,
    ) -> Result<(), BrokerError> {
        let fail = |error: DeviceError| failed(machine, &error);
        let mut bmc = self.bmc(machine).await?;
        let first = async { bmc.overview().await.map_err(fail) };
        look.tell_overview(in_time(machine, first).await?);
        *held = Some(Instant::now());
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut ticks, mut busy) = (0u32, BUSY_LEAST);
        let (mut quick_until, mut quiet_until) = (None::<Instant>, None::<Instant>);
        while self.inner.looks.keeps(machine.id, look) {
            tick.tick().await;
            ticks = ticks.wrapping_add(1);
            let now = Instant::now();
            if quiet_until.is_some_and(|until| now < until) {
                continue;
            }
            let hurry = look.take_hurry();
            if hurry.is_some() {
                quick_until = Some(now + CHANGES);
            }
            let is_moving = bmc.known().power.is_some_and(|power| power.busy);
            let quick = is_moving || quick_until.is_some_and(|until| now < until);
            let around = ticks.is_multiple_of(AROUND_TICKS) || hurry == Some("msd");
            if !around && hurry.is_none() && !ticks.is_multiple_of(if quick { QUICK_TICKS } else { SLOW_TICKS }) {
                continue;
            }
            let asking = async { if around { bmc.overview().await.map(drop) } else { bmc.refresh().await } };
            let answered = in_time(machine, async { Ok(asking.await) }).await?;
            match answered {
                Ok(()) => {
                    (busy, quiet_until) = (BUSY_LEAST, None);
                    look.tell_overview(bmc.known());
                }
                // What is known stays, and gets older.
                Err(DeviceError::Busy(why)) => {
                    tracing::debug!(machine = %machine.name, why, "A BMC is busy, and is left alone for a while");
                    quiet_until = Some(now + busy);
                    busy = (busy * 2).min(BUSY_MOST);
                }
                Err(error) => return Err(fail(error)),
            }
        }
        Ok(())
    }
}
