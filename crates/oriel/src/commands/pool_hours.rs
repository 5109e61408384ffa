//! What of `oriel pool` is about hours and about leaving.

use clap::Args;
use oriel_model as model;
use oriel_server::api::pool::{Leaving, LeavingTimes, Pool, PoolHours, PoolKind, PoolNow};

#[derive(Args)]
pub struct Hours {
    /// When the pool is busy, once for each peak: days, hours and an IANA time zone, such as
    /// `'mon-fri 08:00-18:00 Europe/Berlin'`; all that are given replace those of before. `none`: it is at every hour
    #[arg(long, value_name = "PEAK", value_parser = parse_peak)]
    peak: Vec<Option<String>>,
    /// A day without peaks, such as 2026-12-25, once for each; all that are given replace those of before. `none`: no such days
    #[arg(long, value_name = "DAY", value_parser = parse_holiday)]
    holiday: Vec<Option<String>>,
    /// Begin spares so long before a peak
    #[arg(long, value_name = "MINUTES")]
    start_ahead: Option<u32>,
    /// What of --spares differs outside of peaks, as words with commas between: some of `min=`, `running=`, `stopped=`,
    /// `return=MINUTES`; `same` for nothing
    #[arg(long, value_name = "SIZE")]
    off_peak_spares: Option<model::OffPeak>,
    /// What happens to who does nothing, as words with commas between: `idle=MINUTES` without a key or a pointer end a
    /// connection, `warn=SECONDS` before that the person is told, and after `shut_down=MINUTES` without a connection somebody's desktop is
    /// shut down and stays theirs; `never` for none of it. (How long a floating or ephemeral desktop waits for its person is
    /// `return=` of --spares)
    #[arg(long, value_name = "STAGES")]
    leave: Option<model::Leaving>,
    /// The same outside of peaks: some of `idle=MINUTES`, `shut_down=MINUTES`, or `never`; `same` as at peak
    #[arg(long, value_name = "STAGES", value_parser = parse_off_peak_leave)]
    off_peak_leave: Option<OffPeakLeave>,
}

/// `None`: as at peak.
#[derive(Clone, Copy)]
struct OffPeakLeave(Option<model::LeavingTimes>);

fn parse_peak(text: &str) -> Result<Option<String>, String> {
    let peak = (text != "none").then(|| text.parse::<model::Peak>()).transpose()?;
    Ok(peak.map(|peak| peak.to_string()))
}

fn parse_holiday(text: &str) -> Result<Option<String>, String> {
    let day = (text != "none").then(|| model::holiday(text)).transpose()?;
    Ok(day.map(|day| day.to_string()))
}

fn parse_off_peak_leave(text: &str) -> Result<OffPeakLeave, String> {
    (text != "same").then(|| text.parse::<model::LeavingTimes>()).transpose().map(OffPeakLeave)
}

impl Hours {
    /// Whether anything of it was named.
    pub const fn is_named(&self) -> bool {
        self.names_hours() || self.names_leaving()
    }

    const fn names_hours(&self) -> bool {
        !self.peak.is_empty()
            || !self.holiday.is_empty()
            || self.start_ahead.is_some()
            || self.off_peak_spares.is_some()
    }

    const fn names_leaving(&self) -> bool {
        self.leave.is_some() || self.off_peak_leave.is_some()
    }

    /// What becomes of what was there before; `None` where nothing was named.
    pub fn over(&self, hours: PoolHours, leaving: Leaving) -> (Option<PoolHours>, Option<Leaving>) {
        (self.names_hours().then(|| self.hours(hours)), self.names_leaving().then(|| self.leaving(leaving)))
    }

    fn hours(&self, mut hours: PoolHours) -> PoolHours {
        if !self.peak.is_empty() {
            hours.peaks = self.peak.iter().flatten().cloned().collect();
        }
        if !self.holiday.is_empty() {
            hours.holidays = self.holiday.iter().flatten().cloned().collect();
        }
        hours.start_ahead_minutes = self.start_ahead.unwrap_or(hours.start_ahead_minutes);
        if let Some(off_peak) = &self.off_peak_spares {
            let off_peak = model::PoolHours { off_peak: off_peak.clone(), ..model::PoolHours::default() };
            hours.off_peak = PoolHours::from(off_peak).off_peak;
        }
        hours
    }

    fn leaving(&self, mut leaving: Leaving) -> Leaving {
        if let Some(named) = &self.leave {
            leaving = Leaving { off_peak: leaving.off_peak, ..named.clone().into() };
        }
        if let Some(OffPeakLeave(times)) = self.off_peak_leave {
            leaving.off_peak = times.map(|times| LeavingTimes {
                idle_minutes: times.idle_minutes,
                shut_down_minutes: times.shut_down_minutes,
            });
        }
        leaving
    }
}

/// Where the pool's hours stand: `peak until Mon 2026-11-30 18:00 Europe/Berlin`.
pub fn now_in_words(now: &PoolNow, hours: &PoolHours) -> String {
    if hours.peaks.is_empty() {
        return "the same at every hour".to_owned();
    }
    let word = if now.is_peak { "peak" } else { "off peak" };
    match &now.changes_at {
        None => format!("{word} for good"),
        Some(at) => format!("{word} until {}", as_there(at, hours)),
    }
}

/// As the clocks of the first peak show it.
fn as_there(at: &str, hours: &PoolHours) -> String {
    let zone = hours.peaks.first().and_then(|peak| peak.rsplit(' ').next()).unwrap_or("UTC");
    let there = at.parse::<jiff::Timestamp>().and_then(|at| at.in_tz(zone));
    there.map_or_else(|_| at.to_owned(), |at| format!("{} {zone}", at.strftime("%a %Y-%m-%d %H:%M")))
}

/// One line for each thing that happens to who does nothing.
pub fn leaving_in_words(pool: &Pool) -> Vec<String> {
    let leaving = &pool.leaving;
    let both = |at_peak: Option<u32>, off_peak: fn(LeavingTimes) -> Option<u32>, says: &dyn Fn(&str) -> String| {
        let after =
            |minutes: Option<u32>| minutes.map_or_else(|| "never".to_owned(), |minutes| format!("after {minutes} min"));
        let off = leaving.off_peak.map(off_peak);
        match off.filter(|off| *off != at_peak) {
            None => at_peak.map(|_| says(&after(at_peak))),
            Some(off) => Some(says(&format!("{} ({} off peak)", after(at_peak), after(off)))),
        }
    };
    let ends = |when: &str| {
        format!("without key or pointer the connection ends {when}, told {} s before", leaving.warn_seconds)
    };
    let off = |when: &str| format!("without a connection the desktop is shut down {when}, and stays its person's");
    let mut lines: Vec<String> = [
        both(leaving.idle_minutes, |times| times.idle_minutes, &ends),
        both(leaving.shut_down_minutes, |times| times.shut_down_minutes, &off),
    ]
    .into_iter()
    .flatten()
    .collect();
    let then = match pool.kind {
        PoolKind::Floating => Some("made anew for the next person"),
        PoolKind::Ephemeral => Some("deleted"),
        PoolKind::Dedicated | PoolKind::External | PoolKind::SessionHost => None,
    };
    if let Some(then) = then {
        let back = match pool.hours.off_peak.return_minutes {
            Some(off) if off != pool.size.return_minutes => {
                format!("{} min ({off} min off peak)", pool.size.return_minutes)
            }
            _ => format!("{} min", pool.size.return_minutes),
        };
        lines.push(format!("without a connection for {back} the desktop is taken back and {then}"));
    }
    if pool.kind == PoolKind::SessionHost {
        lines.push(format!(
            "without a connection for {} min the place on the host is free again; what runs there goes by the host's own rules",
            pool.size.return_minutes
        ));
    }
    if lines.is_empty() {
        lines.push("nothing happens: desktops run until somebody stops them".to_owned());
    }
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        hours: Hours,
    }

    fn read(words: &[&str]) -> Hours {
        Line::try_parse_from([&["pool"], words].concat()).map_err(|error| error.to_string()).unwrap().hours
    }

    #[test]
    fn what_is_not_named_stays() {
        let (hours, leaving) = read(&[]).over(PoolHours::default(), Leaving::default());
        assert_eq!((hours, leaving, read(&[]).is_named()), (None, None, false));
        let named = read(&[
            "--peak",
            "mon-fri 08:00-18:00 Europe/Berlin",
            "--peak",
            "sat 09:00-12:00 Europe/Berlin",
            "--holiday",
            "2026-12-25",
            "--off-peak-spares",
            "running=0",
            "--leave",
            "idle=30,shut_down=60",
            "--off-peak-leave",
            "idle=5",
        ]);
        let (hours, leaving) = named.over(PoolHours::default(), Leaving::default());
        let (hours, leaving) = (hours.unwrap(), leaving.unwrap());
        assert_eq!((hours.peaks.len(), hours.holidays.as_slice()), (2, &["2026-12-25".to_owned()][..]));
        assert_eq!((hours.off_peak.running_spares, hours.start_ahead_minutes), (Some(0), 15));
        assert_eq!((leaving.idle_minutes, leaving.shut_down_minutes, leaving.warn_seconds), (Some(30), Some(60), 60));
        let off_peak = LeavingTimes { idle_minutes: Some(5), shut_down_minutes: None };
        assert_eq!(leaving.off_peak, Some(off_peak));
        // One more word changes that alone.
        let (later, _) = read(&["--holiday", "none", "--start-ahead", "30"]).over(hours.clone(), leaving);
        let expected = PoolHours { holidays: Vec::new(), start_ahead_minutes: 30, ..hours };
        assert_eq!(later, Some(expected));
        let (_, warned) = read(&["--leave", "idle=10,warn=20"]).over(PoolHours::default(), leaving);
        assert_eq!(warned.map(|leaving| (leaving.warn_seconds, leaving.off_peak)), Some((20, Some(off_peak))));
        let (_, same) = read(&["--off-peak-leave", "same"]).over(PoolHours::default(), leaving);
        assert_eq!(same, Some(Leaving { off_peak: None, ..leaving }));
        for wrong in
            [["--peak", "always"], ["--holiday", "christmas"], ["--leave", "later"], ["--off-peak-spares", "all"]]
        {
            assert!(Line::try_parse_from([&["pool"][..], &wrong].concat()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn hours_are_said_as_clocks_there_show_them() {
        let hours = PoolHours { peaks: vec!["mon-fri 08:00-18:00 Europe/Berlin".into()], ..PoolHours::default() };
        let now = |is_peak, at: Option<&str>| PoolNow {
            is_peak,
            changes_at: at.map(ToOwned::to_owned),
            size: oriel_server::api::pool::PoolSize::default(),
        };
        let said = now_in_words(&now(true, Some("2026-11-30T17:00:00Z")), &hours);
        assert_eq!(said, "peak until Mon 2026-11-30 18:00 Europe/Berlin");
        assert_eq!(now_in_words(&now(false, None), &hours), "off peak for good");
        assert_eq!(now_in_words(&now(true, None), &PoolHours::default()), "the same at every hour");
    }
}
