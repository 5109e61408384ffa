//! A time zone as RDP tells it (MS-RDPBCGR 2.2.1.11.1.1.1.1): the distance to UTC, and by which rule clocks change.

use ironrdp_pdu::rdp::client_info::{
    DayOfWeek, DayOfWeekOccurrence, Month, OptionalSystemTime, SystemTime, TimezoneInfo,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

/// Changes of the clock that a rule is read off: eight years of them.
const CHANGES_MAX: usize = 16;
/// A zone whose clock is not changed within so many days is not changed at all.
const DAYS_MAX: i64 = 400;
/// Longest name in UTF-16 units, without the zero that ends it.
const NAME_UNITS_MAX: usize = 31;

/// Made where the time zones' files can be read, used where they cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeZone {
    name: String,
    /// Minutes that are added to its time to get UTC.
    bias: i32,
    daylight: Option<Daylight>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Daylight {
    /// Minutes beside the bias while it lasts: negative, where clocks go forward.
    bias: i32,
    begin: Change,
    end: Change,
}

/// The `week`th `weekday` of a month; the fifth is the last. The time is that of the clock before it is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    month: u8,
    /// From Sunday.
    weekday: u8,
    week: u8,
    hour: u8,
    minute: u8,
}

impl TimeZone {
    /// By its name of the IANA database, like `Europe/Berlin`, with the rule that it follows from `now` on. `None`: this machine knows
    /// no such zone.
    pub fn named(name: &str, now: Timestamp) -> Option<Self> {
        let zone = jiff::tz::TimeZone::get(name).ok()?;
        let mut before = zone.to_offset(now);
        let mut changes: Vec<(Offset, DateTime)> = Vec::new();
        let mut last = now;
        for change in zone.following(now).take(CHANGES_MAX) {
            let (at, offset) = (change.timestamp(), change.offset());
            if at.as_second().saturating_sub(last.as_second()) > DAYS_MAX * 86_400 {
                break;
            }
            // Some are about the zone's letters alone.
            if offset != before {
                changes.push((offset, before.to_datetime(at)));
            }
            (before, last) = (offset, at);
        }
        let minutes = |offset: Offset| -(offset.seconds() / 60);
        let standard = changes.iter().map(|(offset, _)| *offset).min();
        let summer = changes.iter().map(|(offset, _)| *offset).max();
        let name: String = name.chars().take(NAME_UNITS_MAX).collect();
        let (Some(standard), Some(summer)) = (standard, summer.filter(|summer| Some(*summer) != standard)) else {
            return Some(Self { name, bias: minutes(zone.to_offset(now)), daylight: None });
        };
        let of = |wanted: Offset| rule(changes.iter().filter(|(offset, _)| *offset == wanted).map(|(_, at)| *at));
        let bias = minutes(standard);
        let daylight = of(summer).zip(of(standard));
        let daylight = daylight.map(|(begin, end)| Daylight { bias: minutes(summer) - bias, begin, end });
        Some(Self { name, bias, daylight })
    }

    pub(crate) fn info(&self) -> TimezoneInfo {
        let date = |change: Option<Change>| OptionalSystemTime(change.and_then(Change::date));
        let daylight = self.daylight;
        TimezoneInfo {
            bias: self.bias,
            standard_name: self.name.clone(),
            standard_date: date(daylight.map(|daylight| daylight.end)),
            standard_bias: 0,
            daylight_name: self.name.clone(),
            daylight_date: date(daylight.map(|daylight| daylight.begin)),
            daylight_bias: daylight.map_or(0, |daylight| daylight.bias),
        }
    }
}

/// The rule that changes of several years follow: that of the first, unless all are in a month's last week.
fn rule(mut changes: impl Iterator<Item = DateTime>) -> Option<Change> {
    let first = changes.next()?;
    let is_last = |at: DateTime| at.day() + 7 > at.date().days_in_month();
    let last = is_last(first) && changes.all(is_last);
    Some(Change {
        month: first.month().unsigned_abs(),
        weekday: first.weekday().to_sunday_zero_offset().unsigned_abs(),
        week: if last { 5 } else { (first.day().unsigned_abs().saturating_sub(1) / 7 + 1).min(4) },
        hour: first.hour().unsigned_abs(),
        minute: first.minute().unsigned_abs(),
    })
}

impl Change {
    fn date(self) -> Option<SystemTime> {
        use DayOfWeek::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
        use DayOfWeekOccurrence::{First, Fourth, Last, Second, Third};
        use Month::{April, August, December, February, January, July, June, March, May, November, October, September};
        let months = [January, February, March, April, May, June, July, August, September, October, November, December];
        let days = [Sunday, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday];
        let weeks = [First, Second, Third, Fourth, Last];
        Some(SystemTime {
            month: months.into_iter().nth(usize::from(self.month).checked_sub(1)?)?,
            day_of_week: days.into_iter().nth(usize::from(self.weekday))?,
            day: weeks.into_iter().nth(usize::from(self.week).checked_sub(1)?)?,
            hour: self.hour.into(),
            minute: self.minute.into(),
            second: 0,
            milliseconds: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::named(name, "2026-11-28T12:00:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn clocks_that_change_and_clocks_that_do_not() {
        let berlin = zone("Europe/Berlin");
        let begin = Change { month: 3, weekday: 0, week: 5, hour: 2, minute: 0 };
        let end = Change { month: 10, weekday: 0, week: 5, hour: 3, minute: 0 };
        assert_eq!((berlin.bias, berlin.daylight), (-60, Some(Daylight { bias: -60, begin, end })));
        let york = zone("America/New_York").daylight.unwrap();
        assert_eq!((york.begin.month, york.begin.week, york.begin.hour), (3, 2, 2));
        assert_eq!((york.end.month, york.end.week, york.end.hour), (11, 1, 2));
        // The database says of Ireland that its winter is the exception; Windows knows it the other way round.
        let dublin = zone("Europe/Dublin");
        assert_eq!(
            (dublin.bias, dublin.daylight.map(|daylight| (daylight.bias, daylight.begin.month))),
            (0, Some((-60, 3)))
        );
        // South of the equator summer begins in October.
        let sydney = zone("Australia/Sydney");
        assert_eq!((sydney.bias, sydney.daylight.map(|daylight| daylight.begin.month)), (-600, Some(10)));
        for (name, bias) in [("Asia/Kolkata", -330), ("Asia/Tokyo", -540), ("UTC", 0)] {
            assert_eq!((zone(name).bias, zone(name).daylight), (bias, None), "{name}");
        }
        assert!(TimeZone::named("Middle/Earth", Timestamp::UNIX_EPOCH).is_none());
    }

    #[test]
    fn it_fits_what_rdp_has_for_it() {
        let info = zone("America/Argentina/ComodRivadavia").info();
        assert!(info.standard_name.len() <= NAME_UNITS_MAX);
        assert_eq!(ironrdp_core::encode_vec(&zone("Europe/Berlin").info()).unwrap().len(), 172);
        assert!(zone("Asia/Tokyo").info().daylight_date.0.is_none());
    }
}
