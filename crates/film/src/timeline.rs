//! When a moment of the recording is in the film.

/// A pause longer than this is one, and so much is left of it when pauses are left out: as in the player.
const IDLE_MS: u32 = 2000;
const IDLE_LEFT_MS: u32 = 400;

/// Moments come in their order; one that goes back counts as the one before.
#[derive(Debug)]
pub(crate) struct Timeline {
    skip_idle: bool,
    last: u32,
    film: u64,
}

impl Timeline {
    pub const fn new(skip_idle: bool) -> Self {
        Self { skip_idle, last: 0, film: 0 }
    }

    /// The film's millisecond of a moment.
    pub fn at(&mut self, ms: u32) -> u64 {
        let gap = ms.saturating_sub(self.last);
        self.last = self.last.max(ms);
        self.film += u64::from(if self.skip_idle && gap > IDLE_MS { IDLE_LEFT_MS } else { gap });
        self.film
    }

    /// The recording's millisecond of a moment of the film that is not past what was asked for last.
    pub fn back(&self, film: u64) -> u32 {
        self.last.saturating_sub(u32::try_from(self.film.saturating_sub(film)).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_become_short_where_that_is_wanted() {
        let mut all = Timeline::new(false);
        assert_eq!([0, 1500, 60_000, 59_000].map(|ms| all.at(ms)), [0, 1500, 60_000, 60_000]);
        let mut short = Timeline::new(true);
        assert_eq!([0, 1500, 3500, 60_000, 60_100].map(|ms| short.at(ms)), [0, 1500, 3500, 3900, 4000]);
        assert_eq!((short.back(4000), short.back(3950)), (60_100, 60_050));
    }
}
