//! Machines behind a device that nobody is connected to any more: shut down, where their pool says so.
//!
//! ```text
//!  left for long enough ──▶ light on: a short press ──▶ light off: done, until the next visit
//!                              ▲            └──▶ still on: later again, a few times
//! ```
//! Whoever is at the machine inside, where the device names one of its pool, is there as well.
//! Only after a visit through Oriel, and once for each: what is switched on by hand for something else is let alone. Power is never cut.

use super::upkeep::unused_seconds;
use super::{Again, Reconciler, Round};
use crate::clock::now;
use crate::{Broker, BrokerError, DevicePower, Sessions};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use oriel_model::{Desktop, DesktopId, Micros, PoolKind};
use oriel_physical::PowerAction;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Devices that are asked at once.
const PARALLEL_MAX: usize = 8;
/// How long the light may take: machines shut down slowly.
const LIGHT_TIME_MAX: Duration = Duration::from_mins(2);
/// Until a machine that did not follow its button, or whose device did not answer, is looked at again.
const AGAIN: Duration = Duration::from_mins(15);
/// So often its button is pressed after one visit; then somebody has to look.
const TRIES_MAX: u32 = 3;

/// A visit that is over, and what became of its machine.
#[derive(Debug)]
struct Visit {
    until: Micros,
    pressed: Option<Instant>,
    tries: u32,
    /// Not looked at before.
    after: Option<Instant>,
}

/// What the light says to it.
#[derive(Debug, PartialEq, Eq)]
enum Deed {
    Press,
    Done,
    Wait,
    /// It did not follow.
    Late,
}

impl Visit {
    const fn new(until: Micros) -> Self {
        Self { until, pressed: None, tries: 0, after: None }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.tries < TRIES_MAX + u32::from(self.pressed.is_some()) && self.after.is_none_or(|after| after <= now)
    }

    fn judge(&mut self, is_on: bool, now: Instant) -> Deed {
        match self.pressed {
            _ if !is_on => Deed::Done,
            None => {
                (self.pressed, self.tries) = (Some(now), self.tries + 1);
                Deed::Press
            }
            Some(at) if now.duration_since(at) < LIGHT_TIME_MAX => Deed::Wait,
            Some(_) => {
                (self.pressed, self.after) = (None, Some(now + AGAIN));
                Deed::Late
            }
        }
    }
}

#[derive(Default)]
pub(super) struct Power {
    visits: HashMap<DesktopId, Visit>,
}

#[async_trait]
impl Reconciler for Power {
    fn name(&self) -> &'static str {
        "power"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(20)
    }

    fn leads(&self) -> bool {
        true
    }

    fn forget(&mut self) {
        *self = Self::default();
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let left = left(broker).await?;
        self.visits.retain(|id, _| left.iter().any(|one| one.machine.id == *id));
        let moment = Instant::now();
        let mut due = Vec::new();
        for one in &left {
            let visit = self.visits.entry(one.machine.id).or_insert_with(|| Visit::new(one.until));
            if visit.until != one.until {
                *visit = Visit::new(one.until);
            }
            if visit.is_due(moment) {
                due.push(one);
            }
        }
        let asked: Vec<_> = stream::iter(due.into_iter().map(|one| light(broker, one)).collect::<Vec<_>>())
            .buffer_unordered(PARALLEL_MAX)
            .collect()
            .await;
        for (one, light) in asked {
            let machine = &one.machine;
            let Some(visit) = self.visits.get_mut(&machine.id) else { continue };
            let done = match light {
                Ok(Some(is_on)) => step(broker, one, visit, is_on).await,
                Ok(None) => {
                    tracing::warn!(machine = %machine.name, "An unused machine is not shut down: its device is not wired to its button and light");
                    visit.after = Some(Instant::now() + AGAIN);
                    Ok(())
                }
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                tracing::warn!(machine = %machine.name, %error, "An unused machine could not be shut down; it is tried again");
                (visit.pressed, visit.after) = (None, Some(Instant::now() + AGAIN));
            }
        }
        let waits = self.visits.values().filter(|visit| visit.pressed.is_some()).count();
        Ok(Round { again: Again::Later, summary: format!("machines left: {}, shutting down: {waits}", left.len()) })
    }
}

/// A machine that was left for as long as its pool says.
struct Left {
    machine: Desktop,
    /// What people open to be at it: the device, and the machine inside where that is of the same pool.
    doors: Vec<DesktopId>,
    /// Until when somebody was there.
    until: Micros,
}

/// What people open to be at a device's machine.
fn doors(device: &Desktop, pool: &[Desktop]) -> Vec<DesktopId> {
    let inside = device.external.as_ref().and_then(|external| external.parameters.inside.as_deref());
    let inside = inside.and_then(|name| pool.iter().find(|other| other.name.as_str() == name));
    std::iter::once(device.id).chain(inside.map(|other| other.id)).collect()
}

/// Machines behind a device that were left.
async fn left(broker: &Broker) -> Result<Vec<Left>, BrokerError> {
    let store = &broker.inner.store;
    let here: BTreeSet<DesktopId> =
        broker.sessions().map(|sessions| sessions.connected()).unwrap_or_default().into_iter().collect();
    let mut left = Vec::new();
    for pool in store.pools().await? {
        let Some(after) = unused_seconds(&pool, now()).filter(|_| pool.kind == PoolKind::External) else { continue };
        let presence = store.presence_in(pool.id).await?;
        let machines = store.desktops_in_pool(pool.id).await?;
        let is_device =
            |machine: &&Desktop| machine.external.as_ref().is_some_and(|external| external.protocol.is_device());
        for machine in machines.iter().filter(is_device) {
            let doors = doors(machine, &machines);
            let until = doors.iter().filter_map(|door| presence.get(door)).copied().max();
            if let Some(until) = until.filter(|until| until.plus_seconds(after) <= now())
                && !doors.iter().any(|door| here.contains(door))
            {
                left.push(Left { machine: machine.clone(), doors, until });
            }
        }
    }
    Ok(left)
}

/// Whether the machine is on; `None`: its device does not know, or cannot press.
async fn light<'a>(broker: &Broker, one: &'a Left) -> (&'a Left, Result<Option<bool>, BrokerError>) {
    let light = broker.device_overview(&one.machine).await;
    (one, light.map(|overview| overview.power.filter(|power| power.enabled).map(|power| power.on || power.busy)))
}

async fn step(broker: &Broker, one: &Left, visit: &mut Visit, is_on: bool) -> Result<(), BrokerError> {
    let machine = &one.machine;
    match visit.judge(is_on, Instant::now()) {
        Deed::Press => {
            // Somebody may have come while the device was asked.
            let presence = broker.inner.store.presence_in(machine.pool).await?;
            let since = one.doors.iter().filter_map(|door| presence.get(door)).copied().max();
            let connected =
                |sessions: &Arc<dyn Sessions>| one.doors.iter().any(|door| sessions.connections_to(*door) > 0);
            let is_here = broker.sessions().is_some_and(connected);
            if is_here || since != Some(visit.until) {
                *visit = Visit::new(visit.until);
                return Ok(());
            }
            broker.device_power(machine, DevicePower::To(PowerAction::Off)).await?;
            tracing::info!(machine = %machine.name, "Unused machine: its power button was pressed");
        }
        Deed::Done => {
            if visit.pressed.is_some() {
                tracing::info!(machine = %machine.name, "Unused machine shut down: its power light is off");
            }
            for door in &one.doors {
                broker.inner.store.end_presence(*door, visit.until).await?;
            }
        }
        Deed::Wait => {}
        Deed::Late => tracing::warn!(
            machine = %machine.name,
            seconds = LIGHT_TIME_MAX.as_secs(),
            tries = visit.tries,
            "An unused machine did not shut down: its button was pressed, and its power light is still on"
        ),
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_light_says_what_is_next() {
        let now = Instant::now();
        let mut visit = Visit::new(Micros(5));
        // Off already: nothing is pressed.
        assert_eq!((visit.judge(false, now), visit.tries), (Deed::Done, 0));
        assert_eq!(visit.judge(true, now), Deed::Press);
        assert_eq!(visit.judge(true, now + LIGHT_TIME_MAX / 2), Deed::Wait);
        assert_eq!(visit.judge(false, now + LIGHT_TIME_MAX / 2), Deed::Done);
    }

    #[test]
    fn a_machine_that_does_not_follow_is_let_be_in_the_end() {
        let mut now = Instant::now();
        let mut visit = Visit::new(Micros(5));
        for _ in 0..TRIES_MAX {
            assert!(visit.is_due(now));
            assert_eq!(visit.judge(true, now), Deed::Press);
            now += LIGHT_TIME_MAX;
            // The last press is waited for as well.
            assert!(visit.is_due(now));
            assert_eq!(visit.judge(true, now), Deed::Late);
            assert!(!visit.is_due(now));
            now += AGAIN;
        }
        assert!(!visit.is_due(now));
    }
}
