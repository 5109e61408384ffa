//! Says in the database who is connected through this program: other programs cannot know, and one that is killed says nothing.

use super::{Again, Reconciler, Round};
use crate::clock::now;
use crate::{Broker, BrokerError, seat::PRESENCE_SECONDS};
use async_trait::async_trait;
use oriel_model::{DesktopId, Micros};
use std::{collections::BTreeSet, time::Duration};

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
        let here: BTreeSet<DesktopId> =
            broker.sessions().map(|sessions| sessions.connected()).unwrap_or_default().into_iter().collect();
        let gone: BTreeSet<DesktopId> = self.before.difference(&here).copied().collect();
        let moment = now();
        let until = moment.plus_seconds(PRESENCE_SECONDS);
        broker.inner.store.set_presence(broker.program(), &here, until, &gone, self.said, moment).await?;
        let summary = format!("desktops with somebody in them: {}", here.len());
        let gone: Vec<DesktopId> = gone.into_iter().collect();
        for left in broker.inner.store.desktops_named(&gone).await? {
            broker.wake_pool(left.pool);
        }
        (self.before, self.said) = (here, until);
        Ok(Round { again: Again::Later, summary })
    }
}
