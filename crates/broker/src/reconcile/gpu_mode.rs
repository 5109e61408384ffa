//! Makes every GPU again what it was set to: at boot, and until it is.

use super::{Again, Reconciler, Round};
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_compute::SettledGpus;
use oriel_model::GpuAddress;
use std::time::Duration;

/// Between tries after the first failure; doubled by each that follows.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// What a card lacks often comes by itself (a driver that loads late), or needs a person.
const LONGEST_WAIT: Duration = Duration::from_mins(30);

#[derive(Default)]
pub(super) struct GpuModes {
    /// Tries in a row that left something undone.
    failures: u32,
    /// All is as it was set. It was so once since this program started: what people do by hand afterwards is theirs.
    settled: Option<String>,
}

impl GpuModes {
    fn wait(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1));
        FIRST_WAIT.saturating_mul(doubled).min(LONGEST_WAIT)
    }
}

#[async_trait]
impl Reconciler for GpuModes {
    fn name(&self) -> &'static str {
        "gpu modes"
    }

    fn period(&self) -> Duration {
        if self.settled.is_some() { LONGEST_WAIT } else { self.wait() }
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        if let Some(summary) = &self.settled {
            return Ok(Round { again: Again::Later, summary: summary.clone() });
        }
        let tried = broker.inner.compute.settle_gpus().await;
        let all = tried.inspect_err(|_| self.failures = self.failures.saturating_add(1))?;
        let summary = words(&all);
        if all.failed.is_empty() && all.missing.is_empty() {
            self.settled = Some(summary.clone());
        } else {
            self.failures = self.failures.saturating_add(1);
        }
        if all.failed.is_empty() {
            return Ok(Round { again: Again::Later, summary });
        }
        Err(oriel_compute::ComputeError::GpuModes(all.failed.join("; ")).into())
    }
}

fn words(all: &SettledGpus) -> String {
    let list = |gpus: &[GpuAddress]| gpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut parts = vec![match all.settled {
        0 if all.missing.is_empty() && all.after_reboot.is_empty() => "no mode was set".to_owned(),
        1 => "1 GPU is as it was set".to_owned(),
        count => format!("{count} GPUs are as they were set"),
    }];
    if !all.after_reboot.is_empty() {
        parts.push(format!("after a reboot: {}", list(&all.after_reboot)));
    }
    if !all.missing.is_empty() {
        parts.push(format!("not there now: {}", list(&all.missing)));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_grow_rarer() {
        let waits = [1, 2, 3, 9, 10, 40].map(|failures| GpuModes { failures, settled: None }.period().as_secs());
        assert_eq!(waits, [2, 4, 8, 512, 1024, 1800]);
    }
}
