//! Throws away what has expired: sessions, tokens, tickets.

use super::{Again, Reconciler, Round};
use crate::clock::now;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use std::time::Duration;

pub(super) struct Reaper;

#[async_trait]
impl Reconciler for Reaper {
    fn name(&self) -> &'static str {
        "reaper"
    }

    fn period(&self) -> Duration {
        Duration::from_mins(1)
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        // A desktop waits for its person for a day at most.
        broker.inner.store.delete_old_presence(now().plus_seconds(-2 * 24 * 3600)).await?;
        broker.inner.store.delete_old_attendance(now().plus_seconds(-24 * 3600)).await?;
        broker.inner.store.delete_old_bookings(now().plus_seconds(-24 * 3600)).await?;
        let expired = broker.inner.store.delete_expired(now()).await?;
        let oriel_store::Expired { web_sessions, api_tokens, tickets } = expired;
        let summary = match web_sessions + api_tokens + tickets {
            0 => "nothing had expired".to_owned(),
            _ => format!("removed what had expired: {web_sessions} sessions, {api_tokens} tokens, {tickets} tickets"),
        };
        Ok(Round { again: Again::Later, summary })
    }
}
