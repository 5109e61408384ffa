//! Whether people who come from a directory are still there, and in which groups: whoever is not has nothing open any more.

use super::{Again, Reconciler, Round};
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use std::time::Duration;

pub(super) struct Directories;

#[async_trait]
impl Reconciler for Directories {
    fn name(&self) -> &'static str {
        "directories"
    }

    fn period(&self) -> Duration {
        Duration::from_mins(5)
    }

    fn leads(&self) -> bool {
        true
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let summary = match broker.follow_directories().await? {
            (0, _) => "nobody comes from a directory".to_owned(),
            (looked, 0) => format!("looked at {looked} people of directories"),
            (looked, out) => format!("looked at {looked} people of directories; {out} are let in no more"),
        };
        Ok(Round { again: Again::Later, summary })
    }
}
