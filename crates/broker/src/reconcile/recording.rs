//! Says which recordings are being written, and ends those that nobody writes any more; beside it, as that takes its time, deletes those
//! that are old, and old exports.

use super::{Again, Reconciler, Round};
use crate::recording::Heard;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use std::time::Duration;

#[derive(Default)]
pub(super) struct Recordings {
    heard: Heard,
}

#[async_trait]
impl Reconciler for Recordings {
    fn name(&self) -> &'static str {
        "recordings"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let summary = match broker.cut_recordings(&mut self.heard).await? {
            0 => "every recording that runs is being written".to_owned(),
            cut => format!("{cut} recordings were cut off; they can be played up to there"),
        };
        Ok(Round { again: Again::Later, summary })
    }
}

pub(super) struct OldRecordings;

#[async_trait]
impl Reconciler for OldRecordings {
    fn name(&self) -> &'static str {
        "old recordings"
    }

    fn period(&self) -> Duration {
        Duration::from_mins(10)
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let exports = broker.expire_exports().await?;
        if exports > 0 {
            tracing::info!(exports, "Deleted exports of recordings that were kept long enough");
        }
        Ok(match broker.expire_recordings().await? {
            0 => Round { again: Again::Later, summary: "no recording was kept long enough".to_owned() },
            // As many as go at once went: there may be more.
            gone => {
                Round { again: Again::Now, summary: format!("{gone} recordings were kept long enough and are deleted") }
            }
        })
    }
}
