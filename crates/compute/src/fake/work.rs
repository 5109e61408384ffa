//! Another size, another host and snapshots of machines of a cloud in memory: done at once.

use super::{FakeCompute, FakeStep, State, of};
use crate::{ComputeError, MachineWork, Power};
use async_trait::async_trait;
use oriel_model::{DesktopId, DesktopSnapshot, Micros, MoveState, Name, Standing};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::MutexGuard,
};

/// Where machines are made, and where they go when nobody says where.
const FIRST: &str = "first";
const SECOND: &str = "second";

/// What was done with a machine.
#[derive(Clone, Default)]
pub(super) struct Worked {
    /// What it was brought to; its description's when left out.
    flavor: Option<String>,
    host: Option<String>,
    /// What it can go back to.
    before: Option<(Option<String>, Option<String>)>,
    /// With the generation that each is of.
    snapshots: Vec<(String, u32)>,
}

impl Worked {
    fn host(&self) -> &str {
        self.host.as_deref().unwrap_or(FIRST)
    }
}

impl State {
    fn generation(&self, desktop: DesktopId) -> u32 {
        self.machines.range(of(desktop)).map(|((_, generation), _)| *generation).max().unwrap_or_default()
    }

    fn power(&self, desktop: DesktopId) -> Power {
        let domain = self.machines.range(of(desktop)).map(|(_, machine)| machine).find(|machine| machine.domain);
        domain.map_or(Power::Off, |machine| machine.power)
    }
}

impl FakeCompute {
    /// Hosts that take no new machines, with the reasons.
    pub fn closed_hosts(&self) -> BTreeMap<String, String> {
        self.state().closed.clone()
    }

    fn work(&self, desktop: DesktopId) -> Result<MutexGuard<'_, State>, ComputeError> {
        let mut state = self.step(FakeStep::Work, Some(desktop))?;
        if state.defined(desktop).is_none() {
            return Err(ComputeError::NoMachine);
        }
        Ok(state)
    }

    fn no<T>(&self, reason: &str) -> Result<T, ComputeError> {
        Err(ComputeError::NotDone { cloud: self.name.clone(), reason: reason.to_owned() })
    }
}

#[async_trait]
impl MachineWork for FakeCompute {
    async fn standing(&self, desktop: DesktopId) -> Result<Standing, ComputeError> {
        let state = self.work(desktop)?;
        let worked = state.worked.get(&desktop).cloned().unwrap_or_default();
        let generation = state.generation(desktop);
        let described = state.described.get(&desktop).and_then(|spec| spec.cloud.as_ref());
        let kept = |(name, of): &(String, u32)| DesktopSnapshot {
            name: name.clone(),
            created: Micros(1),
            bytes: 1 << 20,
            is_whole: true,
            is_foreign: *of != generation,
        };
        Ok(Standing {
            flavor: worked.flavor.clone().or_else(|| described.map(|parts| parts.flavor.clone())).unwrap_or_default(),
            host: Some(worked.host().to_owned()),
            is_host_lost: state.power(desktop) == Power::Lost,
            state: if worked.before.is_some() { MoveState::Unconfirmed } else { MoveState::Settled },
            doing: None,
            snapshots: worked.snapshots.iter().map(kept).collect(),
        })
    }

    async fn resize(&self, desktop: DesktopId, flavor: &str) -> Result<bool, ComputeError> {
        let mut state = self.work(desktop)?;
        let described = state.described.get(&desktop).and_then(|spec| spec.cloud.as_ref());
        let was = described.map(|parts| parts.flavor.clone());
        let worked = state.worked.entry(desktop).or_default();
        if worked.flavor.as_ref().or(was.as_ref()).is_some_and(|now| now == flavor) {
            return Ok(false);
        }
        worked.before = Some((worked.flavor.take(), worked.host.clone()));
        worked.flavor = Some(flavor.to_owned());
        Ok(true)
    }

    async fn migrate(&self, desktop: DesktopId, to: Option<&str>, evacuate: bool) -> Result<bool, ComputeError> {
        let mut state = self.work(desktop)?;
        let is_lost = state.power(desktop) == Power::Lost;
        if is_lost != evacuate {
            return self.no(if is_lost { "its host is down" } else { "its host is up" });
        }
        let is_off = state.power(desktop) == Power::Off;
        if evacuate && let Some(machine) = state.defined(desktop) {
            machine.power = Power::Off;
        }
        let worked = state.worked.entry(desktop).or_default();
        let other = if worked.host() == FIRST { SECOND } else { FIRST };
        let before = (worked.flavor.clone(), worked.host.clone());
        worked.host = Some(to.unwrap_or(other).to_owned());
        worked.before = is_off.then_some(before);
        Ok(true)
    }

    async fn on_host(&self, host: &str) -> Result<Vec<DesktopId>, ComputeError> {
        let state = self.step(FakeStep::Work, None)?;
        let stands = |id: &DesktopId| state.worked.get(id).map_or(FIRST, Worked::host) == host;
        let all: BTreeSet<DesktopId> =
            state.machines.iter().filter(|(_, machine)| machine.domain).map(|((id, _), _)| *id).collect();
        Ok(all.into_iter().filter(stands).collect())
    }

    async fn close_host(&self, host: &str, reason: Option<&str>) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::Work, None)?;
        match reason {
            Some(reason) => _ = state.closed.insert(host.to_owned(), reason.to_owned()),
            None => _ = state.closed.remove(host),
        }
        Ok(())
    }

    async fn confirm(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        self.work(desktop)?.worked.entry(desktop).or_default().before = None;
        Ok(())
    }

    async fn revert(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        let mut state = self.work(desktop)?;
        let worked = state.worked.entry(desktop).or_default();
        let Some((flavor, host)) = worked.before.take() else { return self.no("there is nothing to revert") };
        (worked.flavor, worked.host) = (flavor, host);
        Ok(())
    }

    async fn take_snapshot(&self, desktop: DesktopId, snapshot: &Name) -> Result<(), ComputeError> {
        let mut state = self.work(desktop)?;
        let generation = state.generation(desktop);
        let kept = &mut state.worked.entry(desktop).or_default().snapshots;
        if !kept.iter().any(|(name, _)| name == snapshot.as_str()) {
            kept.push((snapshot.to_string(), generation));
        }
        Ok(())
    }

    async fn restore_snapshot(&self, desktop: DesktopId, snapshot: &Name) -> Result<(), ComputeError> {
        let state = self.work(desktop)?;
        let generation = state.generation(desktop);
        let kept = state.worked.get(&desktop).map(|worked| worked.snapshots.clone()).unwrap_or_default();
        match kept.iter().find(|(name, _)| name == snapshot.as_str()) {
            Some((_, of)) if *of == generation => Ok(()),
            Some(_) => self.no("that is of an earlier generation"),
            None => self.no("there is no such snapshot"),
        }
    }

    async fn drop_snapshot(&self, desktop: DesktopId, snapshot: &Name) -> Result<(), ComputeError> {
        let mut state = self.work(desktop)?;
        state.worked.entry(desktop).or_default().snapshots.retain(|(name, _)| name != snapshot.as_str());
        Ok(())
    }
}
