//! Tells whoever is inside, through this program, that their desktop's host is drained, and again when the time gets short.

use super::{Again, Reconciler, Round};
use crate::clock::now;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_model::{Desktop, DesktopId, Maintenance, MaintenanceOf, Micros};
use std::{collections::BTreeMap, time::Duration};

/// Told once more when so many seconds are left.
const LEFT: [i64; 4] = [15 * 60, 5 * 60, 60, 0];

/// What was told of which maintenance: since and until when it is, and how many of [`LEFT`] were over.
type Told = (Micros, Option<Micros>, usize);

#[derive(Default)]
pub(super) struct Maintenances {
    told: BTreeMap<DesktopId, Told>,
}

#[async_trait]
impl Reconciler for Maintenances {
    fn name(&self) -> &'static str {
        "maintenance"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(15)
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let later = |summary: String| Ok(Round { again: Again::Later, summary });
        let store = &broker.inner.store;
        let mut closed = store.maintenances().await?;
        closed.retain(|one| !matches!(one.of, MaintenanceOf::Pool(_)));
        let Some(sessions) = broker.sessions().filter(|_| !closed.is_empty()) else {
            self.told.clear();
            return later("no host is drained".to_owned());
        };
        let here = sessions.connected();
        self.told.retain(|id, _| here.contains(id));
        let moment = now();
        let desktops = store.desktops_named(&here).await?;
        let pools: Vec<_> = desktops.iter().map(|one| one.pool).collect();
        let pools = store.pools_named(&pools).await?;
        let mut said = 0;
        for desktop in desktops.iter().filter(|one| one.external.is_none()) {
            let of = pools.iter().find(|pool| pool.id == desktop.pool).map(MaintenanceOf::place_of);
            let Some(drain) = closed.iter().find(|one| Some(one.of) == of) else { continue };
            let told = (drain.since, drain.deadline, steps(drain, moment));
            if self.told.insert(desktop.id, told) == Some(told) {
                continue;
            }
            if let Some(text) = words(desktop, drain, moment) {
                sessions.say(desktop.id, &text);
                said += 1;
            }
        }
        later(format!("hosts that are drained: {}, told just now: {said}", closed.len()))
    }
}

/// How many of [`LEFT`] are over.
fn steps(drain: &Maintenance, now: Micros) -> usize {
    let Some(deadline) = drain.deadline else { return 0 };
    LEFT.iter().filter(|left| now.plus_seconds(**left) >= deadline).count()
}

/// Nothing when they will be gone in a moment.
fn words(desktop: &Desktop, drain: &Maintenance, now: Micros) -> Option<String> {
    let (name, why) = (&desktop.name, drain.because());
    let begin = format!("the host of {name} is in maintenance{why}");
    let Some(deadline) = drain.deadline else {
        return Some(format!(
            "{begin}. Please save your work and leave when you can; once it is off, {name} does not start before that is over"
        ));
    };
    let minutes = (deadline.0 - now.0).div_euclid(60_000_000) + 1;
    let in_time = if minutes == 1 { "within a minute".to_owned() } else { format!("within {minutes} minutes") };
    match (drain.force, deadline > now) {
        (true, true) => Some(format!("{begin}. Save your work: {name} is shut down {in_time}")),
        (true, false) => None,
        (false, true) => Some(format!("{begin}. Please save your work and leave {in_time}")),
        (false, false) => Some(format!("{begin}. Please save your work and leave now")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_when_it_begins_and_when_time_gets_short() {
        let drain = |deadline, force| Maintenance {
            of: MaintenanceOf::Host,
            reason: "new memory".to_owned(),
            since: Micros(0),
            deadline,
            force,
        };
        let end = Micros(0).plus_seconds(7200);
        let told = |seconds: i64| steps(&drain(Some(end), true), Micros(0).plus_seconds(seconds));
        assert_eq!([0, 6299, 6300, 6900, 7140, 8000].map(told), [0, 0, 1, 2, 3, 4]);
        assert_eq!(steps(&drain(None, false), end), 0);
    }
}
