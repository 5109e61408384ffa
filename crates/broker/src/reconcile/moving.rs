//! Moves ended recordings to their bucket, one after the other and some of one at a time, with patience while the bucket fails.

use super::{Again, Reconciler, Round};
use crate::moving::Moved;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_model::{Recording, RecordingId};
use oriel_recording::{Move, RecordingError};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// While nothing is wrong.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// After the first failure; twice as long after each that follows.
const AGAIN_AFTER: Duration = Duration::from_secs(3);
const AGAIN_MAX: Duration = Duration::from_mins(10);

/// What is not to be moved is looked at anew after so long.
const ASIDE: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct Moves {
    current: Option<(Recording, Option<Move>)>,
    /// How often the bucket failed, one time after the other.
    failures: u32,
    /// Those that failed, and when they are tried again: the others come first.
    failed: HashMap<RecordingId, (u32, Instant)>,
    /// Those that are not to be moved, and when that is asked again: without a row, of another bucket, not cut yet.
    aside: HashMap<RecordingId, Instant>,
}

fn pause(failures: u32) -> Duration {
    AGAIN_AFTER.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(AGAIN_MAX)
}

impl Moves {
    fn fails(&mut self, id: RecordingId, error: &BrokerError) {
        self.current = None;
        let failures = self.failed.get(&id).map_or(0, |(failures, _)| *failures) + 1;
        self.failed.insert(id, (failures, Instant::now() + pause(failures)));
        if matches!(error, BrokerError::Recording(RecordingError::Bucket { .. })) {
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// The next one that can be moved, and how many wait for another try.
    async fn next(&mut self, broker: &Broker) -> Result<usize, BrokerError> {
        let spooled = broker.recordings_to_move().await?;
        self.failed.retain(|id, _| spooled.contains(id));
        let now = Instant::now();
        let waits = |id: &RecordingId| self.failed.get(id).is_some_and(|(_, until)| *until > now);
        let waiting = spooled.iter().filter(|id| waits(id)).count();
        let ready: Vec<RecordingId> = spooled.into_iter().filter(|id| !waits(id)).collect();
        self.aside.retain(|_, until| *until > now);
        for id in ready {
            if self.aside.contains_key(&id) {
                continue;
            }
            match broker.begin_moving(id).await {
                Ok(None) => {
                    self.aside.insert(id, now + ASIDE);
                }
                Ok(Some((recording, begun))) => {
                    self.current = Some((recording, Some(begun)));
                    break;
                }
                Err(error) => {
                    self.fails(id, &error);
                    return Err(error);
                }
            }
        }
        Ok(waiting)
    }
}

#[async_trait]
impl Reconciler for Moves {
    fn name(&self) -> &'static str {
        "moved recordings"
    }

    fn period(&self) -> Duration {
        if self.failures == 0 { LOOK_EVERY } else { pause(self.failures) }
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        if self.current.is_none() {
            let waiting = self.next(broker).await?;
            if self.current.is_none() {
                let summary = match waiting {
                    0 => "no recording is to be moved".to_owned(),
                    waiting => format!("{waiting} recordings could not be moved and are tried again"),
                };
                return Ok(Round { again: Again::Later, summary });
            }
        }
        let Some((recording, of)) = &mut self.current else {
            return Ok(Round { again: Again::Later, summary: String::new() });
        };
        let (id, name) = (recording.id, recording.desktop_name.clone());
        let summary = match broker.move_some(recording, of).await {
            Ok(Moved::Some(moved, all)) => {
                format!("moved {} of {} KiB of the recording of {name}", moved / 1024, all / 1024)
            }
            Ok(done) => {
                self.current = None;
                self.failed.remove(&id);
                match done {
                    Moved::All(recording) => {
                        tracing::info!(recording = %id, desktop = recording.desktop_name, "Moved a recording to its bucket");
                        format!("moved the recording of {name}")
                    }
                    _ => format!("the recording of {name} was deleted"),
                }
            }
            Err(error) => {
                self.fails(id, &error);
                return Err(error);
            }
        };
        self.failures = 0;
        Ok(Round { again: Again::Now, summary })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_and_has_an_end() {
        let seconds: Vec<u64> = (1..12).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(seconds, [3, 6, 12, 24, 48, 96, 192, 384, 600, 600, 600]);
        assert_eq!(pause(u32::MAX), AGAIN_MAX);
    }
}
