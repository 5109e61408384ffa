//! Says in the database who is connected through this program: other programs cannot know, and one that is killed says nothing.

use super::{Again, Reconciler, Round};
use crate::clock::now;
use crate::{Broker, BrokerError, seat::PRESENCE_SECONDS};
use async_trait::async_trait;
use oriel_model::{DesktopId, Micros, UserId};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

#[derive(Default)]
pub(super) struct Presence {
    /// Who was connected at the last look.
    before: BTreeSet<DesktopId>,
    /// Until when it was said then that they are there.
    said: Micros,
}

#[async_trait]
impl Reconciler for Presence {
    fn name(&self) -> &'static str {
        "presence"
    }

    /// Twice within the time that a word holds.
    fn period(&self) -> Duration {
        Duration::from_secs(25)
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let sessions = broker.sessions();
        let here: BTreeSet<DesktopId> =
            sessions.as_ref().map(|sessions| sessions.connected()).unwrap_or_default().into_iter().collect();
        let mut touched: BTreeMap<DesktopId, Option<Micros>> = here.iter().map(|id| (*id, None)).collect();
        for (id, at) in sessions.map(|sessions| sessions.touched()).unwrap_or_default() {
            if let Some(last) = touched.get_mut(&id) {
                *last = (*last).max(Some(at));
            }
        }
        let gone: BTreeSet<DesktopId> = self.before.difference(&here).copied().collect();
        let moment = now();
        let until = moment.plus_seconds(PRESENCE_SECONDS);
        broker.inner.store.set_presence(broker.program(), &touched, until, &gone, self.said, moment).await?;
        let attending = broker.inner.attending.told(until);
        broker.inner.store.prolong_attendance(broker.program(), &attending, until).await?;
        // Whoever is on a session host and has no place there any more is led out.
        let people = crate::place::people_here(broker);
        let without = broker.inner.store.set_places(&people, until).await?;
        if !without.is_empty() {
            let users: Vec<UserId> = without.iter().map(|(user, _)| *user).collect();
            broker.end_what_is_over(None, &users).await;
        }
        broker.warn_people_here(&here.iter().copied().collect::<Vec<_>>()).await?;
        let summary = format!("desktops with somebody in them: {}", here.len());
        let gone: Vec<DesktopId> = gone.into_iter().collect();
        for left in broker.inner.store.desktops_named(&gone).await? {
            broker.wake_pool(left.pool);
        }
        (self.before, self.said) = (here, until);
        Ok(Round { again: Again::Later, summary })
    }
}
