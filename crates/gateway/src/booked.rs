//! A desktop that others need, because they have booked it or its card: whoever is in it is told until when they may stay, and then the connection ends.

use crate::rules::{Due, Verdict};
use oriel_model::Micros;
use oriel_screen::wire::Notice;
use std::time::Duration;
use tokio::time::Instant;

/// Besides when it becomes known, people are told so long before it ends: what is said may not reach a viewer that is far behind.
const WARNINGS: [Duration; 2] = [Duration::from_mins(5), Duration::from_mins(1)];

/// Tells one viewer.
#[derive(Default)]
pub(crate) struct BookedClock {
    by: Option<Micros>,
    /// How many of [`WARNINGS`] were over when it was last said; none where it was not.
    told: Option<usize>,
}

impl BookedClock {
    /// What is due. `by`: when the connection ends, if it does; `hour`: what time it is.
    pub fn next(&mut self, by: Option<Micros>, now: Instant, hour: Micros) -> Due {
        if by != self.by {
            self.by = by;
            if self.told.take().is_some() && by.is_none() {
                return Due::Say(Notice::Booked, Duration::ZERO);
            }
        }
        let Some(by) = by else { return Due::Wait(None) };
        let left = Duration::from_micros(u64::try_from(by.0.saturating_sub(hour.0)).unwrap_or(0));
        if left.is_zero() {
            return Due::Over(Verdict::Booked);
        }
        let over = WARNINGS.iter().filter(|warning| left <= **warning).count();
        if self.told.is_none_or(|told| told < over) {
            self.told = Some(over);
            return Due::Say(Notice::Booked, left);
        }
        Due::Wait(Some(now + left.saturating_sub(WARNINGS.get(over).copied().unwrap_or_default())))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    const HOUR: Micros = Micros(1_766_044_200_000_000);

    #[test]
    fn who_is_there_is_told_at_once_and_again_before_it_ends() {
        let began = Instant::now();
        let mut clock = BookedClock::default();
        let by = Some(HOUR.plus_seconds(600));
        let (mut passed, mut said) = (0, Vec::new());
        let over = loop {
            let now = began + Duration::from_secs(passed);
            match clock.next(by, now, HOUR.plus_seconds(i64::try_from(passed).unwrap())) {
                Due::Say(Notice::Booked, left) => said.push(left.as_secs()),
                Due::Wait(Some(until)) => passed = (until - began).as_secs(),
                Due::Over(verdict) => break verdict,
                Due::Say(..) | Due::Wait(None) => panic!("nothing else is due"),
            }
        };
        assert_eq!((said.as_slice(), passed, over), (&[600, 300, 60][..], 600, Verdict::Booked));
    }

    #[test]
    fn what_nobody_wants_any_more_is_taken_back() {
        let now = Instant::now();
        let mut clock = BookedClock::default();
        let says = |due: Due| match due {
            Due::Say(Notice::Booked, left) => Some(left.as_secs()),
            _ => None,
        };
        assert!(matches!(clock.next(None, now, HOUR), Due::Wait(None)));
        let soon = Some(HOUR.plus_seconds(30));
        assert_eq!(says(clock.next(soon, now, HOUR)), Some(30));
        assert!(
            matches!(clock.next(soon, now, HOUR), Due::Wait(Some(until)) if until == now + Duration::from_secs(30))
        );
        assert_eq!(says(clock.next(Some(HOUR.plus_seconds(20)), now, HOUR)), Some(20), "another time is said anew");
        assert_eq!(says(clock.next(None, now, HOUR)), Some(0));
        assert!(matches!(clock.next(None, now, HOUR), Due::Wait(None)), "once");
    }
}
