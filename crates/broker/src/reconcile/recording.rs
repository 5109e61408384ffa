//! Ends the recordings that nobody writes any more.

use super::{Again, Reconciler, Round};
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use std::time::Duration;

pub(super) struct Recordings;

#[async_trait]
impl Reconciler for Recordings {
    fn name(&self) -> &'static str {
        "recordings"
    }

    fn period(&self) -> Duration {
        Duration::from_mins(1)
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let summary = match broker.cut_recordings().await? {
            0 => "every recording that runs is being written".to_owned(),
            count => format!("{count} recordings were cut off; they can be played up to there"),
        };
        Ok(Round { again: Again::Later, summary })
    }
}
