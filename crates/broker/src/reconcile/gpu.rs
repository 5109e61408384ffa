//! Gives back what nobody needs of the host's GPUs.

use super::{Again, Reconciler, Round};
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use std::time::Duration;

pub(super) struct Gpus;

#[async_trait]
impl Reconciler for Gpus {
    fn name(&self) -> &'static str {
        "gpus"
    }

    fn period(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn leads(&self) -> bool {
        true
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let summary = match broker.tidy_gpus().await? {
            0 => "nothing was left over".to_owned(),
            1 => "gave back one unit".to_owned(),
            count => format!("gave back {count} units"),
        };
        Ok(Round { again: Again::Later, summary })
    }
}
