//! Where nothing is to start: a host that is drained. What is on its way waits, and what would start rests.

use super::desktop::{People, Step, enter_starting, told};
use crate::{Broker, BrokerError};
use oriel_compute::{Observed, Power};
use oriel_model::{Desktop, DesktopIntent, DesktopState, MaintenanceOf};

/// Where nothing is to start: what is not made yet waits, what is off stays off, and what did not come up yet does not. `None`: it goes on as
/// usual, or is nowhere of that kind.
pub(super) async fn held_back(
    broker: &Broker,
    desktop: &Desktop,
    found: Option<&Observed>,
    people: People<'_>,
) -> Result<Option<Step>, BrokerError> {
    let goes = matches!(desktop.intent, DesktopIntent::Deleted | DesktopIntent::Recycle);
    if goes || !people.drained.contains(&desktop.pool) {
        return Ok(None);
    }
    let power = found.map_or(Power::Off, |found| found.power);
    let is_off = matches!(power, Power::Off | Power::Crashed);
    match (desktop.intent, desktop.state) {
        // What is to be wiped may still run as what it was.
        (_, DesktopState::Provisioning) if matches!(power, Power::Running | Power::Paused) => {
            broker.acting_host(desktop).await?.power_off(desktop.id).await?;
            Ok(Some(Step::Waiting))
        }
        // One that is off, and that somebody started with other tools, is theirs to see to.
        (_, DesktopState::Requested | DesktopState::Placed | DesktopState::Provisioning)
        | (DesktopIntent::Stopped, DesktopState::Stopped) => Ok(Some(Step::Settled)),
        (DesktopIntent::Running | DesktopIntent::Restart, DesktopState::Stopped)
        | (DesktopIntent::Restart, DesktopState::Failed) => {
            advance_to_start(broker, desktop, rest_if_closed).await?;
            Ok(Some(Step::Moving))
        }
        (DesktopIntent::Running, DesktopState::Starting) if is_off => {
            advance_to_start(broker, desktop, rest_if_closed).await?;
            Ok(Some(Step::Moving))
        }
        _ => Ok(None),
    }
}

/// It shall be off, as its host lets nothing start. What is not made yet goes on when that is over.
pub(super) const fn rest(row: &mut Desktop) {
    let is_made = !matches!(
        row.state,
        DesktopState::Requested | DesktopState::Placed | DesktopState::Provisioning | DesktopState::Recycling
    );
    if is_made && matches!(row.intent, DesktopIntent::Running | DesktopIntent::Restart) {
        row.intent = DesktopIntent::Stopped;
    }
}

/// The host may have been opened, and the desktop started, since the round looked: then it goes on.
const fn rest_if_closed(row: &mut Desktop, open: bool) {
    if !open {
        rest(row);
    }
}

/// It starts where its host is open, and rests otherwise.
pub(super) fn start_or_rest(row: &mut Desktop, open: bool) {
    if open {
        enter_starting(row);
    } else {
        rest(row);
    }
}

/// As [`advance`], for a step after which it starts: `change` is told whether its host lets it, and nobody closes that meanwhile.
pub(super) async fn advance_to_start(
    broker: &Broker,
    desktop: &Desktop,
    change: impl FnOnce(&mut Desktop, bool) + Send,
) -> Result<Desktop, BrokerError> {
    let (state, generation) = (desktop.state, desktop.generation);
    let place = place_of(broker, desktop).await?;
    let written = broker
        .inner
        .store
        .start_desktop(desktop.id, place, |row, open| {
            if row.state == state && row.generation == generation {
                change(row, open);
            }
        })
        .await?;
    told(&written, state);
    Ok(written)
}

pub(super) async fn place_of(broker: &Broker, desktop: &Desktop) -> Result<MaintenanceOf, BrokerError> {
    Ok(MaintenanceOf::place_of(&broker.find_pool(&desktop.pool.to_string()).await?))
}
