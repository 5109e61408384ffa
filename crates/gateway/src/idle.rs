//! Connections that nobody touches are ended. What counts is the input that came in here; of what a page says of itself, nothing does.

use crate::rules::{Due, Verdict, of_minutes};
use oriel_model::{Leaving, Micros, PoolHours};
use oriel_screen::wire::Notice;
use std::time::Duration;
use tokio::time::Instant;

/// So often it is looked whether other times hold, where they depend on the hour.
const LOOK: Duration = Duration::from_mins(1);

/// When a connection that nobody touches is ended, and how long before that its person is told.
#[derive(Clone, Debug, Default)]
pub struct IdleEnd {
    /// After how long without input; none is never.
    pub at_peak: Option<Duration>,
    pub off_peak: Option<Duration>,
    /// At most half of the time.
    pub warning: Duration,
    /// When it is peak.
    pub hours: PoolHours,
    /// When somebody touched the desktop last, for a connection of which nothing is known: a page came back by itself, and the program
    /// that knew was started anew.
    pub touched: Option<Micros>,
}

impl IdleEnd {
    pub fn new(leaving: &Leaving, hours: PoolHours, touched: Option<Micros>) -> Self {
        let off_peak = leaving.off_peak.unwrap_or(leaving.times);
        Self {
            at_peak: leaving.times.idle_minutes.map(of_minutes),
            off_peak: off_peak.idle_minutes.map(of_minutes),
            warning: Duration::from_secs(leaving.warn_seconds.into()),
            hours,
            touched,
        }
    }

    fn patience(&self, hour: Micros) -> Option<Duration> {
        // Without a look at the hour where it says nothing.
        if self.depends_on_the_hour() && !self.hours.is_peak(hour) { self.off_peak } else { self.at_peak }
    }

    fn depends_on_the_hour(&self) -> bool {
        self.at_peak != self.off_peak
    }
}

/// What is known of a connection, whoever looks at it.
#[derive(Default)]
pub(crate) struct Use {
    touched: Option<Instant>,
    /// Its person was told that it ends then.
    ends: Option<Instant>,
}

impl Use {
    pub fn touch(&mut self, now: Instant) {
        self.touched = Some(now);
    }

    pub fn touched(&self) -> Option<Instant> {
        self.touched
    }

    /// What a program before this one knew, where this one knows nothing.
    pub fn recall(&mut self, end: &IdleEnd, now: Instant, hour: Micros) {
        if let (None, Some(touched)) = (self.touched, end.touched) {
            let ago = u64::try_from(hour.0.saturating_sub(touched.0)).unwrap_or(0);
            self.touched = now.checked_sub(Duration::from_micros(ago));
        }
    }
}

/// Tells one viewer.
pub(crate) struct IdleClock {
    end: IdleEnd,
    told: bool,
}

impl IdleClock {
    pub fn new(end: IdleEnd) -> Self {
        Self { end, told: false }
    }

    /// What is due. `began`: when the connection did, which is when somebody opened it.
    pub fn next(&mut self, of: &mut Use, began: Instant, now: Instant, hour: Micros) -> Due {
        let look = self.end.depends_on_the_hour().then(|| now + LOOK);
        let rest = |until: Option<Instant>| Due::Wait(until.into_iter().chain(look).min());
        let touched = of.touched.unwrap_or(began);
        let Some(patience) = self.end.patience(hour) else {
            of.ends = None;
            return if std::mem::take(&mut self.told) { Due::Say(Notice::Idle, Duration::ZERO) } else { rest(None) };
        };
        let warning = self.end.warning.min(patience / 2);
        let warns_at = touched + patience - warning;
        if warns_at > now {
            of.ends = None;
            return if std::mem::take(&mut self.told) {
                Due::Say(Notice::Idle, Duration::ZERO)
            } else {
                rest(Some(warns_at))
            };
        }
        // Where the hour shortens the time, the person is told all the same.
        let ends = *of.ends.get_or_insert((touched + patience).max(now + warning));
        if ends <= now {
            Due::Over(Verdict::Idle { after: patience })
        } else if std::mem::replace(&mut self.told, true) {
            // A person who comes back sees the warning go soon.
            Due::Wait(Some(ends.min(now + Duration::from_secs(1))))
        } else {
            Due::Say(Notice::Idle, ends - now)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    /// 07:50 of a Thursday, in UTC.
    const HOUR: Micros = Micros(1_766_044_200_000_000);

    fn end(leave: &str, off_peak: Option<&str>) -> IdleEnd {
        let hours = PoolHours { peaks: vec!["thu 08:00-18:00 UTC".parse().unwrap()], ..PoolHours::default() };
        let leaving = Leaving { off_peak: off_peak.map(|times| times.parse().unwrap()), ..leave.parse().unwrap() };
        IdleEnd::new(&leaving, hours, None)
    }

    /// What is said when, and when it is over.
    type Course = (Vec<(u64, u64)>, Option<(u64, Verdict)>);

    /// Runs a clock through a time of its own: what is said when, and when it is over, in seconds since the beginning.
    fn run(end: IdleEnd, touches: &[u64]) -> Course {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let (mut clock, mut of) = (IdleClock::new(end), Use::default());
        let (mut now, mut said) = (began, Vec::new());
        loop {
            if let Some(touched) = touches.iter().map(|touch| at(*touch)).filter(|touch| *touch <= now).max() {
                of.touch(touched);
            }
            let passed = now - began;
            let hour = HOUR.plus_seconds(i64::try_from(passed.as_secs()).unwrap());
            match clock.next(&mut of, began, now, hour) {
                Due::Say(Notice::Idle, left) => said.push((passed.as_secs(), left.as_secs())),
                Due::Wait(Some(until)) if passed < Duration::from_hours(10) => now = until,
                Due::Over(verdict) => return (said, Some((passed.as_secs(), verdict))),
                Due::Say(..) | Due::Wait(_) => return (said, None),
            }
        }
    }

    #[test]
    fn nobody_there_ends_it_and_a_key_puts_it_off() {
        let (said, over) = run(end("idle=10,warn=30", None), &[580]);
        assert_eq!(said, [(570, 30), (580, 0), (1150, 30)]);
        assert_eq!(over, Some((1180, Verdict::Idle { after: of_minutes(10) })));
        assert_eq!(run(end("idle=1", None), &[]).0, [(30, 30)], "at most half of the time");
        assert_eq!(run(end("idle=1,warn=0", None), &[]), (vec![], Some((60, Verdict::Idle { after: of_minutes(1) }))));
        assert_eq!(run(end("never", None), &[]), (vec![], None));
    }

    #[test]
    fn the_hour_says_how_long() {
        // Off peak until ten minutes from now.
        let (said, over) = run(end("idle=5", Some("idle=30")), &[]);
        assert_eq!(said, [(600, 60)], "told although it is long enough already");
        assert_eq!(over, Some((660, Verdict::Idle { after: of_minutes(5) })));
        let (said, over) = run(end("idle=60", Some("idle=10")), &[]);
        assert_eq!(said, [(540, 60), (600, 0), (3540, 60)]);
        assert_eq!(over.map(|(at, _)| at), Some(3600));
        let (said, over) = run(end("never", Some("idle=20")), &[]);
        assert_eq!((said, over), (vec![], None));
    }

    #[test]
    fn a_program_that_is_started_anew_goes_on_from_what_is_known() {
        let now = Instant::now() + Duration::from_hours(1);
        let known = |ago: i64| IdleEnd { touched: Some(HOUR.plus_seconds(-ago)), ..end("idle=10,warn=30", None) };
        let due = |of: &mut Use, end: IdleEnd| {
            of.recall(&end, now, HOUR);
            IdleClock::new(end).next(of, now, now, HOUR)
        };
        let in_seconds = |due: Due| match due {
            Due::Wait(Some(until)) => (until - now).as_secs(),
            _ => 0,
        };
        assert_eq!(in_seconds(due(&mut Use::default(), known(400))), 170);
        assert!(matches!(due(&mut Use::default(), known(3000)), Due::Say(_, left) if left.as_secs() == 30));
        // Somebody opened it.
        let mut opened = Use::default();
        opened.touch(now);
        assert_eq!(in_seconds(due(&mut opened, known(400))), 570);
    }

    #[test]
    fn who_comes_again_and_again_has_no_more_time() {
        let began = Instant::now();
        let mut of = Use::default();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        for seconds in [580, 590] {
            let mut clock = IdleClock::new(end("idle=10,warn=30", None));
            let due = clock.next(&mut of, began, at(seconds), HOUR);
            assert!(matches!(due, Due::Say(Notice::Idle, left) if left.as_secs() == 610 - seconds), "{seconds}");
        }
        let mut clock = IdleClock::new(end("idle=10,warn=30", None));
        assert!(matches!(clock.next(&mut of, began, at(610), HOUR), Due::Over(_)));
    }
}
