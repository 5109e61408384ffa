//! The pace of a person's voice on its way to the machine: a second of it in a second, and nothing that waits.

use oriel_screen::MicrophoneFormat;
use std::time::Duration;
use tokio::time::Instant;

/// So much sound may be ahead of the clock. What comes after a network stood still is late, and is left out beyond this: the machine hears
/// what is said now.
pub(crate) const MICROPHONE_AHEAD_MAX: Duration = Duration::from_millis(200);

/// Sound that was passed on, against the clock.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When what was passed on so far has been said.
    said_until: Option<Instant>,
}

impl Pace {
    /// Whether so many bytes go on at this moment.
    pub fn admit(&mut self, now: Instant, format: MicrophoneFormat, bytes: usize) -> bool {
        let micros = (bytes as u64).saturating_mul(1_000_000) / (format.second_bytes().max(1) as u64);
        let begin = self.said_until.map_or(now, |until| until.max(now));
        let end = begin + Duration::from_micros(micros);
        let fits = end <= now + MICROPHONE_AHEAD_MAX;
        if fits {
            self.said_until = Some(end);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONO: MicrophoneFormat = MicrophoneFormat { channels: 1, rate: 48_000 };
    const BLOCK: usize = 960;

    #[test]
    fn what_is_said_in_time_goes_on_for_ever() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        for block in 0..10_000 {
            assert!(pace.admit(begun + Duration::from_millis(10) * block, MONO, BLOCK), "{block}");
        }
    }

    #[test]
    fn after_a_silence_of_the_network_the_rest_is_left_out_and_then_it_goes_on() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        assert!(pace.admit(begun, MONO, BLOCK));
        // Three seconds come at once.
        let now = begun + Duration::from_secs(3);
        let passed = (0..300).filter(|_| pace.admit(now, MONO, BLOCK)).count();
        assert_eq!(passed, 20, "a fifth of a second");
        // From then on what is said comes through as soon as there is room.
        assert!(!pace.admit(now + Duration::from_millis(9), MONO, BLOCK));
        assert!(pace.admit(now + Duration::from_millis(10), MONO, BLOCK));
    }

    #[test]
    fn a_flood_of_a_hostile_viewer_is_a_second_in_a_second() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        let mut passed = 0;
        for step in 0..100_000u64 {
            passed += usize::from(pace.admit(begun + Duration::from_micros(step * 10), MONO, BLOCK));
        }
        assert!((100..=120).contains(&passed), "{passed} blocks of 10 ms in a second");
        assert!(!pace.admit(begun, MONO, usize::MAX));
        assert!(Pace::default().admit(begun, MONO, 0));
    }
}
