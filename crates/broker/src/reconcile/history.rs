//! Notes once a minute how things stand: what dashboards draw later.

use super::{Again, Reconciler, Round};
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use std::time::Duration;

pub(super) struct History;

#[async_trait]
impl Reconciler for History {
    fn name(&self) -> &'static str {
        "history"
    }

    fn period(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn leads(&self) -> bool {
        true
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let point = broker.standing().await?;
        broker.inner.store.note_history(&point).await?;
        let summary = format!("noted {} of {} desktops in use", point.in_use, point.desktops);
        Ok(Round { again: Again::Later, summary })
    }
}
