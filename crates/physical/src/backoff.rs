//! How long to wait before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);
/// Tries in a row: about half a minute, in which a device comes back from a restart of its service.
pub const TRIES_MAX: u32 = 7;

#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// `None`: it was tried often enough.
    pub fn next(&mut self) -> Option<Duration> {
        if self.tries >= TRIES_MAX {
            return None;
        }
        let wait = FIRST.saturating_mul(1 << self.tries).min(LONGEST);
        self.tries += 1;
        Some(wait)
    }

    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_longer_each_time_and_gives_up() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = std::iter::from_fn(|| backoff.next()).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        backoff.reset();
        assert_eq!(backoff.next(), Some(FIRST));
    }
}
