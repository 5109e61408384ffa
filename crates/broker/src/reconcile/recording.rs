//! Says which recordings are being written, ends those that nobody writes any more, and deletes those that are old.

use super::{Again, Reconciler, Round};
use crate::recording::Heard;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use std::time::{Duration, Instant};

/// How often it looks for recordings that are old enough to go.
const EXPIRY_PERIOD: Duration = Duration::from_mins(10);

#[derive(Default)]
pub(super) struct Recordings {
    heard: Heard,
    looked: Option<Instant>,
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
        let cut = broker.cut_recordings(&mut self.heard).await?;
        let mut again = Again::Later;
        let mut expired = 0;
        if self.looked.is_none_or(|at| at.elapsed() >= EXPIRY_PERIOD) {
            expired = broker.expire_recordings().await?;
            // As many as go at once went: there may be more.
            if expired == 0 {
                self.looked = Some(Instant::now());
            } else {
                again = Again::Now;
            }
        }
        let summary = match (cut, expired) {
            (0, 0) => "every recording that runs is being written".to_owned(),
            (cut, 0) => format!("{cut} recordings were cut off; they can be played up to there"),
            (_, expired) => format!("{expired} recordings were kept long enough and are deleted"),
        };
        Ok(Round { again, summary })
    }
}
