//! Whether machines that Oriel does not run answer, and whether somebody uses them.
//!
//! ```text
//! Unreachable ◀── dialled ──▶ Ready ⇄ InUse (connections come and go)
//! ```
//! A look is one connection that is opened and closed again; nothing is said on it.

use super::{Again, Reconciler, Round};
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use oriel_model::{Desktop, DesktopId, DesktopState, External, MachineProtocol};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Machines that are dialled at once.
const PARALLEL_MAX: usize = 16;
/// How long one may take to take the connection.
const PROBE_SECONDS_MAX: u16 = 3;
/// How often each is looked at: SSH servers write a line for every connection.
const PERIOD: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct Machines {
    /// When each was last dialled, where, and what came of it: the words, or nothing when it answered.
    looks: HashMap<DesktopId, Look>,
}

struct Look {
    at: Instant,
    host: String,
    port: u16,
    failure: Option<String>,
}

#[async_trait]
impl Reconciler for Machines {
    fn name(&self) -> &'static str {
        "machines"
    }

    fn period(&self) -> Duration {
        PERIOD / 4
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let mut machines = broker.inner.store.desktops().await?;
        machines.retain(|desktop| desktop.external.is_some());
        let due = machines.iter().filter(|machine| self.is_due(machine)).map(|machine| look(broker, machine));
        let looks: Vec<_> = stream::iter(due.collect::<Vec<_>>()).buffer_unordered(PARALLEL_MAX).collect().await;
        self.looks.retain(|id, _| machines.iter().any(|machine| machine.id == *id));
        self.looks.extend(looks.into_iter().flatten());
        let mut unreachable = 0;
        for machine in &machines {
            let failure = self.looks.get(&machine.id).and_then(|look| look.failure.clone());
            unreachable += usize::from(failure.is_some());
            let used = broker.sessions().is_some_and(|sessions| sessions.connections_to(machine.id) > 0);
            let state = match (&failure, used) {
                (_, true) => DesktopState::InUse,
                (None, false) => DesktopState::Ready,
                (Some(_), false) => DesktopState::Unreachable,
            };
            let failure = failure.filter(|_| state == DesktopState::Unreachable);
            if (machine.state, &machine.failure) != (state, &failure) {
                settle(broker, machine, state, failure).await?;
            }
        }
        Ok(Round {
            again: Again::Later,
            summary: format!("machines: {}, not reachable: {unreachable}", machines.len()),
        })
    }
}

impl Machines {
    fn is_due(&self, machine: &Desktop) -> bool {
        match (self.looks.get(&machine.id), &machine.external) {
            (Some(look), Some(external)) => {
                look.at.elapsed() >= PERIOD || look.host != external.host || look.port != external.port
            }
            _ => true,
        }
    }
}

async fn look(broker: &Broker, machine: &Desktop) -> Option<(DesktopId, Look)> {
    let external = machine.external.as_ref()?;
    let failure = if external.protocol == MachineProtocol::Ipmi {
        broker.greet_bmc(machine).await.err().map(|error| error.to_string())
    } else {
        dial(broker, machine, external).await
    };
    let look = Look { at: Instant::now(), host: external.host.clone(), port: external.port, failure };
    Some((machine.id, look))
}

/// Why it does not answer, where it does not.
async fn dial(broker: &Broker, machine: &Desktop, external: &External) -> Option<String> {
    match broker.way_to(machine).await {
        Err(error) => Some(error.to_string()),
        Ok(way) => {
            // Beyond a jump host or a gateway nothing is seen from here: whether that one answers is what is known.
            let (first, before) = match way.first().and_then(|jump| Some((jump.external.as_ref()?, &jump.name))) {
                Some((first, name)) => (first, format!("its jump host {name}: ")),
                None if external.parameters.gateway().is_some() => (external, "its RD Gateway: ".to_owned()),
                None => (external, String::new()),
            };
            let (host, port) = first.dialled();
            let dialled = broker.outside().dial(host, port, PROBE_SECONDS_MAX).await;
            dialled.err().map(|error| format!("{before}{error}"))
        }
    }
}

async fn settle(
    broker: &Broker,
    machine: &Desktop,
    state: DesktopState,
    failure: Option<String>,
) -> Result<(), BrokerError> {
    let seen = machine.external.clone();
    let moved = broker
        .inner
        .store
        .modify_desktop(machine.id, |row| {
            // What was seen is about the address that was dialled.
            if row.external == seen {
                row.state = state;
                row.failure = failure;
                row.step = None;
            }
        })
        .await;
    match moved {
        // Deleted meanwhile.
        Err(oriel_store::StoreError::Missing { .. }) => Ok(()),
        moved => Ok(moved.map(drop)?),
    }
}
