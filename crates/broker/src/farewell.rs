//! Whoever is in a desktop that is taken from them at once (a roll-out with `--now`, an image that is made of it) is told before, with a
//! countdown as long as their pool's `warn`. When it ends stands in the desktop's row: other programs tell those who are connected through
//! them, and a kill in between only means that it begins anew, or ends as it was said.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{Desktop, DesktopId, Micros, Pool};

/// A countdown that nobody acted upon for so long is forgotten: people are told anew.
const STALE_SECONDS: i64 = 300;

/// What a look at a countdown comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// They are told now, and may stay until then.
    Begin(Micros),
    /// They were told, and may stay for a moment.
    Wait,
    Over,
}

/// `ends`: of the last countdown; `warn_seconds`: how long one is.
fn look(ends: Option<Micros>, warn_seconds: u32, now: Micros) -> Farewell {
    match ends {
        _ if warn_seconds == 0 => Farewell::Over,
        Some(ends) if ends > now => Farewell::Wait,
        Some(ends) if ends.plus_seconds(STALE_SECONDS) > now => Farewell::Over,
        _ => Farewell::Begin(now.plus_seconds(i64::from(warn_seconds))),
    }
}

impl Broker {
    /// How long whoever is in the desktop may stay, which they are told where they were not yet.
    pub(crate) async fn farewell(&self, pool: &Pool, desktop: &Desktop) -> Result<Farewell, BrokerError> {
        let moment = now();
        let found = look(desktop.facts.ends, pool.leaving.warn_seconds, moment);
        if let Farewell::Begin(ends) = found {
            self.inner.store.modify_desktop(desktop.id, |row| row.facts.ends = Some(ends)).await?;
            self.warn(desktop.id, ends, moment);
            tracing::info!(desktop = %desktop.name, "Whoever is in the desktop is told that they will be cut off");
        }
        Ok(found)
    }

    /// In every program: those who are connected through it to desktops that are about to be taken from them are told how long they have.
    pub(crate) async fn warn_people_here(&self, here: &[DesktopId]) -> Result<(), BrokerError> {
        if here.is_empty() {
            return Ok(());
        }
        let moment = now();
        for desktop in self.inner.store.desktops_named(here).await? {
            if let Some(ends) = desktop.facts.ends.filter(|ends| *ends > moment) {
                self.warn(desktop.id, ends, moment);
            }
        }
        Ok(())
    }

    fn warn(&self, desktop: DesktopId, ends: Micros, now: Micros) {
        let seconds = u32::try_from((ends.0 - now.0) / 1_000_000).unwrap_or(1).max(1);
        if let Some(sessions) = self.sessions() {
            sessions.warn(desktop, seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_once_and_given_their_time() {
        let now = Micros(10_000_000_000);
        let ends = now.plus_seconds(60);
        assert_eq!(look(None, 60, now), Farewell::Begin(ends));
        assert_eq!(look(Some(ends), 60, now.plus_seconds(59)), Farewell::Wait);
        assert_eq!(look(Some(ends), 60, ends), Farewell::Over);
        assert_eq!(look(None, 0, now), Farewell::Over, "a pool that warns nobody");
        // It was paused after they were told, and goes on the next day.
        let later = ends.plus_seconds(STALE_SECONDS);
        assert_eq!(look(Some(ends), 60, later), Farewell::Begin(later.plus_seconds(60)));
    }
}
