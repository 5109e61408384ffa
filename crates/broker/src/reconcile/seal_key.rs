//! Says which sealing keys this program has, and sees which the others have: every program does, whoever leads.

use super::{Again, Reconciler, Round};
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use std::time::Duration;

pub(super) struct SealKeys;

#[async_trait]
impl Reconciler for SealKeys {
    fn name(&self) -> &'static str {
        "seal keys"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(15)
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let programs = broker.announce_keys().await?;
        // It was away for so long that the others took it for gone, and cannot read what they write now.
        broker.check_programs(&programs)?;
        let vault = &broker.inner.vault;
        let summary = format!(
            "seals with {}; {} keys here, {} programs on this database",
            vault.seals_with(),
            vault.fingerprints().len(),
            programs.len()
        );
        Ok(Round { again: Again::Later, summary })
    }
}
