//! What there was, minute by minute: what a dashboard draws.

/// Points of the last day and a bit are one minute apart.
pub const HISTORY_FINE_MINUTES: i64 = 26 * 60;
/// Older ones so many.
pub const HISTORY_COARSE_MINUTES: i64 = 10;
/// And none is older.
pub const HISTORY_MINUTES_MAX: i64 = 8 * 24 * 60;

/// How things stood in one minute, in the whole database: through whatever program people were connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryPoint {
    /// Since 1970.
    pub minute: i64,
    /// Desktops and machines that somebody was connected to.
    pub in_use: u64,
    /// Desktops of ours that were on.
    pub running: u64,
    /// Desktops of ours and others' machines, whatever became of them.
    pub desktops: u64,
    /// Desktops that failed, and machines that did not answer.
    pub failed: u64,
    /// Running desktops that were nobody's.
    pub spares: u64,
    /// How many of those pools wanted.
    pub spares_wanted: u64,
    /// Units of GPUs that desktops held.
    pub gpu_units: u64,
}

impl HistoryPoint {
    /// One point for each span of so many minutes, beginning with it: the most of everything, and the fewest spares. `points` by their
    /// minutes.
    pub fn coarse(points: &[Self], minutes: i64) -> Vec<Self> {
        let minutes = minutes.max(1);
        let mut coarse: Vec<Self> = Vec::new();
        for point in points {
            let minute = point.minute - point.minute.rem_euclid(minutes);
            match coarse.last_mut() {
                Some(last) if last.minute == minute => {
                    last.in_use = last.in_use.max(point.in_use);
                    last.running = last.running.max(point.running);
                    last.desktops = last.desktops.max(point.desktops);
                    last.failed = last.failed.max(point.failed);
                    last.spares = last.spares.min(point.spares);
                    last.spares_wanted = last.spares_wanted.max(point.spares_wanted);
                    last.gpu_units = last.gpu_units.max(point.gpu_units);
                }
                _ => coarse.push(Self { minute, ..*point }),
            }
        }
        coarse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_and_a_lack_of_spares_stay() {
        let point = |minute, in_use, spares| HistoryPoint { minute, in_use, spares, ..HistoryPoint::default() };
        let points = [point(9, 1, 4), point(10, 2, 3), point(14, 7, 0), point(19, 3, 2), point(31, 0, 5)];
        let coarse = HistoryPoint::coarse(&points, 10);
        assert_eq!(coarse, [point(0, 1, 4), point(10, 7, 0), point(30, 0, 5)]);
        assert_eq!(HistoryPoint::coarse(&points, 0), points);
        assert_eq!(HistoryPoint::coarse(&[], 5), []);
    }
}
