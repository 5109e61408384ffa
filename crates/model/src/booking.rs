//! Bookings: a desktop of a pool is kept for somebody for a span of time.
//!
//! Of a pool as many may be booked for one moment as it may hold desktops. Who may book how many, for how long and how far ahead is said
//! by quotas ([`BookingRules`]), and so is how much a booking weighs ([`BookingWeight`]): where nothing is left, one takes the place of
//! others that weigh less, unless they begin soon.

use crate::{BookingId, Cap, Micros, PoolId, Quota, QuotaKind, UserId};
use std::{cmp::Reverse, collections::BTreeSet, fmt, str::FromStr};

/// Longest booking, in hours, whatever rules say.
pub const BOOKING_HOURS_MAX: u64 = 31 * 24;
/// How many days ahead a booking may begin at most, whatever rules say.
pub const BOOKING_DAYS_MAX: u64 = 366;
/// Bookings of one pool that are not over.
pub const BOOKINGS_OF_POOL_MAX: u64 = 10_000;
/// Highest priority of a booking.
pub const BOOKING_PRIORITY_MAX: u32 = 1000;
/// Longest notice of who is displaced, in hours.
const NOTICE_HOURS_MAX: u64 = 24 * BOOKING_DAYS_MAX;
/// Shortest booking, and how long ago one may begin that is made now: clocks differ.
const MINUTES_MIN: i64 = 5;
/// Where a rule lets somebody book and none says how long or how far ahead.
const HOURS: u64 = 8;
const DAYS: u64 = 30;
/// And where none says how long before its begin a booking is safe.
const NOTICE_HOURS: u64 = 24;
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

/// From a moment on, until before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Micros,
    pub to: Micros,
}

/// A desktop of a pool, for somebody, for a span of time. Unused it stands until its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    pub id: BookingId,
    pub pool: PoolId,
    pub user: UserId,
    pub span: Span,
    /// Where nothing is left, one of a higher priority takes the place of this one.
    pub priority: u32,
    /// From then on none does, however high it is.
    pub firm_from: Micros,
    /// When one did: nothing is kept since, and the row stands so that its person reads why.
    pub displaced: Option<Micros>,
    pub created: Micros,
}

/// By whose word somebody books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookingBy {
    /// Rules say whether they may, and of which priority it is.
    Rules,
    /// An administrator's, whatever rules say: of this priority, or of the one that rules give whom it is for.
    Administrator { priority: Option<u32> },
}

/// What came of a booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// With the priority that it has.
    pub booking: Booking,
    /// Whose place it took, as they are now.
    pub displaced: Vec<Booking>,
}

/// Which bookings are looked for; nothing said means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookingFilter {
    pub pool: Option<PoolId>,
    pub user: Option<UserId>,
    /// Somebody's own and those of these pools alone.
    pub seen_by: Option<(UserId, BTreeSet<PoolId>)>,
}

/// A place in the list of bookings, by when they begin: behind this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookingCursor {
    pub begins: Micros,
    pub id: BookingId,
}

impl fmt::Display for BookingCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.begins.0, self.id)
    }
}

impl FromStr for BookingCursor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('.')
            .and_then(|(begins, id)| Some(Self { begins: Micros(begins.parse().ok()?), id: id.parse().ok()? }));
        parsed.ok_or_else(|| format!("{text:?} is no place in the list of bookings: use `next` of an answer as it is"))
    }
}

impl Span {
    pub fn holds(self, at: Micros) -> bool {
        self.from <= at && at < self.to
    }

    pub fn meets(self, other: Self) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// Whether it has begun, or does so within a minute: clocks differ.
    pub fn has_begun(self, now: Micros) -> bool {
        self.from.0 <= now.0.saturating_add(MINUTE)
    }

    /// Whether anybody at all may book it at that moment.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(self, now: Micros) -> Result<(), BookingRefusal> {
        let refuse = |text: String, next: &str| Err(BookingRefusal::new("bad_span", text, next));
        let length = self.to.0.saturating_sub(self.from.0);
        if length < MINUTES_MIN * MINUTE {
            return refuse(
                format!("a booking lasts at least {MINUTES_MIN} minutes, and this one ends at {}", self.to.rfc3339()),
                "let it end later",
            );
        }
        if self.from.0 < now.0.saturating_sub(MINUTES_MIN * MINUTE) {
            return refuse(
                format!("{} is over: it is {} now", self.from.rfc3339(), now.rfc3339()),
                "let it begin later",
            );
        }
        self.check_against(now, BOOKING_HOURS_MAX, BOOKING_DAYS_MAX)
    }

    fn check_against(self, now: Micros, hours: u64, days: u64) -> Result<(), BookingRefusal> {
        let most = |count: u64, unit: i64| i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(unit);
        let length = self.to.0.saturating_sub(self.from.0);
        if length > most(hours, HOUR) {
            return Err(BookingRefusal::new(
                "booking_too_long",
                format!(
                    "that is {} minutes, and the longest booking here is {}",
                    length / MINUTE,
                    count(hours, "hour")
                ),
                "let it end earlier",
            ));
        }
        if self.from.0.saturating_sub(now.0) > most(days, 24 * HOUR) {
            return Err(BookingRefusal::new(
                "booking_too_early",
                format!("bookings here begin at most {} ahead", count(days, "day")),
                "choose an earlier day, or book it later",
            ));
        }
        Ok(())
    }

    /// The most of these that are there at one moment of this span.
    pub fn peak(self, spans: &[Self]) -> u64 {
        // At the same moment what ends goes before what begins.
        let mut events: Vec<(Micros, i64)> = spans
            .iter()
            .filter(|one| one.from < one.to && one.meets(self))
            .flat_map(|one| [(one.from, 1), (one.to, -1)])
            .collect();
        events.sort_unstable();
        let (mut here, mut most) = (0_i64, 0_i64);
        for (_, change) in events.into_iter().take_while(|(at, _)| *at < self.to) {
            here += change;
            most = most.max(here);
        }
        // All that began before this span reach into it: none of them count too early.
        most.unsigned_abs()
    }

    /// The span in whole hours from its begin on, the last one shorter perhaps; at most as many as a booking may have.
    pub fn hours(self) -> impl Iterator<Item = Self> {
        (0..i64::try_from(BOOKING_HOURS_MAX).unwrap_or_default())
            .map(move |n| self.from.0.saturating_add(n * HOUR))
            .take_while(move |from| *from < self.to.0)
            .map(move |from| Self { from: Micros(from), to: Micros(from.saturating_add(HOUR).min(self.to.0)) })
    }
}

impl Booking {
    /// Whether it keeps something, then or later.
    pub fn stands(&self) -> bool {
        self.displaced.is_none()
    }

    /// Whether one of that priority may take its place at this moment.
    pub fn gives_way_to(&self, priority: u32, now: Micros) -> bool {
        self.stands() && self.priority < priority && now < self.firm_from && !self.span.has_begun(now)
    }
}

/// Whose place a booking of that span and priority takes among those that stand, so that at no moment there are more than so many
/// with it; nobody's where there is room. `None` where there is none.
///
/// At each moment that is too full the lowest goes first; of equals the one that lasts longest, as that makes the most room, and of
/// those the one that was made last.
pub fn displaced_by(
    span: Span,
    priority: u32,
    mut there: Vec<Booking>,
    places: u64,
    now: Micros,
) -> Option<Vec<Booking>> {
    if places == 0 {
        return None;
    }
    there.retain(|one| one.stands() && one.span.meets(span));
    there.sort_by_key(|one| (one.span.from, one.id));
    let (mut here, mut gone): (Vec<Booking>, Vec<Booking>) = (Vec::new(), Vec::new());
    for next in there {
        let at = next.span.from.max(span.from);
        here.retain(|one| one.span.to > at);
        here.push(next);
        while here.len() as u64 >= places {
            let (weakest, _) = here
                .iter()
                .enumerate()
                .filter(|(_, one)| one.gives_way_to(priority, now))
                .min_by_key(|(_, one)| (one.priority, Reverse(one.span.to), Reverse(one.created), one.id))?;
            gone.push(here.swap_remove(weakest));
        }
    }
    Some(gone)
}

/// In UTC, without what is said twice: `2026-11-30 14:00 to 16:00 UTC`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.rfc3339(), self.to.rfc3339());
        let day = |text: &str| text.get(..10).unwrap_or_default().to_owned();
        let time = |text: &str| text.get(11..16).unwrap_or_default().to_owned();
        write!(f, "{} {} to ", day(&from), time(&from))?;
        if day(&from) != day(&to) {
            write!(f, "{} ", day(&to))?;
        }
        write!(f, "{} UTC", time(&to))
    }
}

/// What somebody may book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookingRules {
    /// Bookings that are not over.
    pub at_a_time: Cap,
    /// Longest, in hours.
    pub hours: u64,
    /// How far ahead one begins, in days.
    pub days: u64,
    pub weight: BookingWeight,
}

/// How much somebody's bookings weigh beside those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookingWeight {
    /// Those of a lower one give way.
    pub priority: u32,
    /// From so many hours before its begin on a booking gives way to none; from its making on where there is no limit.
    pub notice: Cap,
}

impl BookingWeight {
    /// By the rules that concern one person and one pool.
    pub fn of(rules: &[Quota]) -> Self {
        let says = |kind| Quota::that_counts(rules, kind).map(|(cap, _)| cap);
        let priority = match says(QuotaKind::BookingPriority) {
            Some(Cap::Most(priority)) => u32::try_from(priority).unwrap_or(BOOKING_PRIORITY_MAX),
            Some(Cap::Unlimited) => BOOKING_PRIORITY_MAX,
            None => 0,
        };
        Self {
            priority: priority.min(BOOKING_PRIORITY_MAX),
            notice: says(QuotaKind::BookingNotice).unwrap_or(Cap::Most(NOTICE_HOURS)),
        }
    }

    /// From when on a booking of that span, made now, gives way to none.
    pub fn firm_from(self, span: Span, now: Micros) -> Micros {
        match self.notice {
            Cap::Unlimited => now,
            Cap::Most(hours) => {
                let notice = i64::try_from(hours.min(NOTICE_HOURS_MAX)).unwrap_or(i64::MAX).saturating_mul(HOUR);
                Micros(span.from.0.saturating_sub(notice)).max(now)
            }
        }
    }
}

impl BookingRules {
    /// By the rules that concern one person and one pool; none when they may not book there.
    pub fn of(rules: &[Quota]) -> Option<Self> {
        let says = |kind| Quota::that_counts(rules, kind).map(|(cap, _)| cap);
        let at_a_time = says(QuotaKind::Bookings).filter(|cap| *cap != Cap::Most(0))?;
        let most = |kind, without: u64, bound: u64| match says(kind) {
            Some(Cap::Most(most)) => most.min(bound),
            Some(Cap::Unlimited) => bound,
            None => without,
        };
        Some(Self {
            at_a_time,
            hours: most(QuotaKind::BookingHours, HOURS, BOOKING_HOURS_MAX),
            days: most(QuotaKind::BookingDays, DAYS, BOOKING_DAYS_MAX),
            weight: BookingWeight::of(rules),
        })
    }

    /// Whether somebody who has so many bookings that are not over may have this one, too.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn check(self, span: Span, held: u64, now: Micros) -> Result<(), BookingRefusal> {
        if let Cap::Most(most) = self.at_a_time
            && held >= most
        {
            return Err(BookingRefusal::new(
                "too_many_bookings",
                format!("{} already, and {most} at a time is the limit", count(held, "booking")),
                "cancel one first, or wait until one is over",
            ));
        }
        span.check_against(now, self.hours, self.days)
    }
}

/// Why there is no booking, or no desktop because of bookings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingRefusal {
    pub code: &'static str,
    pub text: String,
    pub next_step: String,
}

impl BookingRefusal {
    pub fn new(code: &'static str, text: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { code, text: text.into(), next_step: next_step.into() }
    }

    /// All desktops of a pool are somebody's at this moment.
    pub fn pool_full(pool: &str, max: u32) -> Self {
        Self::new(
            "pool_full",
            format!("all {max} desktops of {pool} are in use"),
            "try again when somebody has left, or ask an administrator for more",
        )
    }
}

impl fmt::Display for BookingRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.next_step)
    }
}

fn count(of: u64, noun: &str) -> String {
    format!("{of} {noun}{}", if of == 1 { "" } else { "s" })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::{GroupId, QuotaScope};

    /// 2026-11-18T11:06:40Z.
    const NOW: Micros = Micros(1_795_000_000_000_000);

    fn span(from: i64, to: i64) -> Span {
        Span { from: NOW.plus_seconds(from * 3600), to: NOW.plus_seconds(to * 3600) }
    }

    #[test]
    fn a_peak_is_what_is_there_at_one_moment() {
        let peak = |within: (i64, i64), spans: &[(i64, i64)]| {
            let spans: Vec<Span> = spans.iter().map(|(from, to)| span(*from, *to)).collect();
            span(within.0, within.1).peak(&spans)
        };
        assert_eq!(peak((0, 4), &[]), 0);
        assert_eq!(peak((0, 4), &[(1, 2)]), 1);
        assert_eq!(peak((0, 4), &[(0, 4), (0, 4), (0, 4)]), 3, "the same three times");
        assert_eq!(peak((0, 4), &[(0, 2), (2, 4)]), 1, "one after the other");
        assert_eq!(peak((0, 4), &[(2, 4), (0, 2)]), 1, "in any order");
        assert_eq!(peak((0, 4), &[(0, 3), (2, 4)]), 2);
        assert_eq!(peak((0, 4), &[(0, 1), (1, 2), (2, 3), (3, 4)]), 1);
        assert_eq!(peak((2, 4), &[(0, 2), (4, 6)]), 0, "they touch it");
        assert_eq!(peak((2, 4), &[(0, 6)]), 1, "around it");
        assert_eq!(peak((2, 4), &[(0, 3), (1, 4), (3, 6)]), 2);
        assert_eq!(peak((2, 4), &[(0, 3), (1, 4), (2, 6)]), 3);
        // What was over before it does not count with what begins in it.
        assert_eq!(peak((2, 4), &[(0, 1), (0, 2), (3, 4)]), 1);
        assert_eq!(peak((0, 2), &[(0, 1), (1, 5), (2, 5), (3, 5)]), 1, "nor what begins after it");
        assert_eq!(peak((0, 9), &[(0, 9), (1, 2), (3, 5), (4, 6), (7, 8)]), 3);
        assert_eq!(peak((0, 4), &[(2, 2), (3, 1)]), 0, "nothing lasts no time");
    }

    #[test]
    fn peaks_are_those_that_counting_each_moment_finds() {
        let mut seed = 7_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from((seed >> 33) % below).unwrap()
        };
        for _ in 0..300 {
            let spans: Vec<Span> = (0..next(9))
                .map(|_| {
                    let from = next(20);
                    span(from, from + next(8))
                })
                .collect();
            let from = next(20);
            let within = span(from, from + 1 + next(6));
            let at = |hour| NOW.plus_seconds(hour * 3600);
            let moments = (0_i64..30).map(at).filter(|moment| within.holds(*moment));
            let most = moments.map(|moment| spans.iter().filter(|one| one.holds(moment)).count()).max();
            assert_eq!(within.peak(&spans), most.unwrap_or_default() as u64, "{within:?} {spans:?}");
        }
    }

    fn booking(priority: u32, from: i64, to: i64) -> Booking {
        let span = span(from, to);
        Booking {
            id: BookingId::new(),
            pool: PoolId::new(),
            user: UserId::new(),
            span,
            priority,
            firm_from: span.from,
            displaced: None,
            created: NOW,
        }
    }

    #[test]
    fn the_lowest_that_are_in_the_way_give_way_and_no_others() {
        let there = [booking(1, 1, 3), booking(0, 2, 4), booking(2, 3, 6), booking(0, 8, 9)];
        let gone = |wanted: (i64, i64), priority: u32, places: u64| {
            let gone = displaced_by(span(wanted.0, wanted.1), priority, there.to_vec(), places, NOW)?;
            let of = |one: &Booking| there.iter().position(|other| other.id == one.id).unwrap();
            let mut gone: Vec<usize> = gone.iter().map(of).collect();
            gone.sort_unstable();
            Some(gone)
        };
        assert_eq!(gone((6, 8), 0, 1), Some(vec![]), "there is room");
        assert_eq!(gone((1, 4), 0, 3), Some(vec![]), "never more than two at once");
        assert_eq!(gone((1, 4), 0, 2), None, "equals do not give way");
        assert_eq!(gone((1, 4), 1, 2), Some(vec![1]), "one is enough: it is there at both full moments");
        assert_eq!(gone((1, 2), 9, 1), Some(vec![0]));
        assert_eq!(gone((1, 9), 2, 1), None, "one of them is as high");
        assert_eq!(gone((1, 9), 3, 1), Some(vec![0, 1, 2, 3]));
        assert_eq!(gone((1, 9), 3, 2), Some(vec![1]));
        assert_eq!(gone((6, 8), 9, 0), None, "a pool that holds nothing");
        let longest = [booking(0, 1, 3), booking(0, 1, 5)];
        let went = displaced_by(span(1, 2), 1, longest.to_vec(), 2, NOW).unwrap();
        assert_eq!(went.iter().map(|one| one.id).collect::<Vec<_>>(), [longest[1].id], "of equals the longest");
    }

    #[test]
    fn what_begins_soon_gives_way_to_nobody() {
        let of = |rules: &[&str]| {
            let rules: Vec<Quota> = rules
                .iter()
                .map(|limits| Quota { scope: QuotaScope::Group(GroupId::new()), limits: limits.parse().unwrap() })
                .collect();
            BookingWeight::of(&rules)
        };
        assert_eq!(of(&[]), BookingWeight { priority: 0, notice: Cap::Most(NOTICE_HOURS) });
        assert_eq!(of(&["booking_priority=5", "booking_priority=7"]).priority, 7, "the most generous");
        assert_eq!(of(&["booking_priority=unlimited"]).priority, BOOKING_PRIORITY_MAX);
        assert_eq!(of(&["booking_priority=5000"]).priority, BOOKING_PRIORITY_MAX);
        let firm = |rules: &[&str], from: i64| of(rules).firm_from(span(from, from + 1), NOW);
        let hours = |hours: i64| NOW.plus_seconds(hours * 3600);
        assert_eq!(firm(&[], 48), hours(24));
        assert_eq!(firm(&[], 2), NOW, "from its making on");
        assert_eq!(firm(&["booking_notice=0"], 2), hours(2));
        assert_eq!(firm(&["booking_notice=unlimited"], 48), NOW);
        let one = Booking { firm_from: hours(1), ..booking(1, 2, 3) };
        assert!(one.gives_way_to(2, NOW));
        assert!(!one.gives_way_to(1, NOW), "it is as high");
        assert!(!one.gives_way_to(2, hours(1)), "from then on");
        assert!(!booking(1, 0, 3).gives_way_to(2, NOW), "it has begun");
        assert!(!Booking { displaced: Some(NOW), ..one }.gives_way_to(2, NOW), "it keeps nothing any more");
    }

    #[test]
    fn spans_are_within_reason() {
        assert_eq!(span(0, 1).check(NOW), Ok(()));
        let code = |span: Span| span.check(NOW).unwrap_err().code;
        assert_eq!(code(span(1, 1)), "bad_span");
        assert_eq!(code(span(2, 1)), "bad_span");
        assert_eq!(code(span(-1, 1)), "bad_span");
        assert_eq!(code(span(0, 31 * 24 + 1)), "booking_too_long");
        assert_eq!(code(span(367 * 24, 367 * 24 + 1)), "booking_too_early");
        assert_eq!(code(Span { from: Micros(i64::MIN), to: Micros(i64::MAX) }), "bad_span");
        assert_eq!(code(Span { from: NOW, to: Micros(i64::MAX) }), "booking_too_long");
    }

    #[test]
    fn hours_are_whole_but_the_last() {
        let span = Span { from: NOW, to: NOW.plus_seconds(2 * 3600 + 60) };
        let hours: Vec<Span> = span.hours().collect();
        assert_eq!(hours.len(), 3);
        assert_eq!(hours[0], self::span(0, 1));
        assert_eq!(hours[2], Span { from: NOW.plus_seconds(7200), to: NOW.plus_seconds(7260) });
        let endless = Span { from: NOW, to: Micros(i64::MAX) };
        assert_eq!(endless.hours().count() as u64, BOOKING_HOURS_MAX);
        assert_eq!(self::span(1, 0).hours().count(), 0);
    }

    #[test]
    fn spans_are_said_in_utc() {
        assert_eq!(span(0, 2).to_string(), "2026-11-18 11:06 to 13:06 UTC");
        assert_eq!(span(0, 24).to_string(), "2026-11-18 11:06 to 2026-11-19 11:06 UTC");
    }

    #[test]
    fn who_may_book_is_said_by_the_most_generous() {
        let rule = |scope, limits: &str| Quota { scope, limits: limits.parse().unwrap() };
        let group = || QuotaScope::Group(GroupId::new());
        assert_eq!(BookingRules::of(&[]), None, "nobody may where nothing says so");
        assert_eq!(BookingRules::of(&[rule(QuotaScope::Everyone, "desktops=1,booking_hours=2")]), None);
        let one = rule(group(), "bookings=1,booking_hours=2");
        let weight = BookingWeight { priority: 0, notice: Cap::Most(NOTICE_HOURS) };
        let few = BookingRules { at_a_time: Cap::Most(1), hours: 2, days: DAYS, weight };
        assert_eq!(BookingRules::of(std::slice::from_ref(&one)), Some(few));
        let other = rule(group(), "bookings=unlimited,booking_days=unlimited");
        let all = [one, other];
        let many = BookingRules { at_a_time: Cap::Unlimited, hours: 2, days: BOOKING_DAYS_MAX, weight };
        assert_eq!(BookingRules::of(&all), Some(many));
        let never = rule(QuotaScope::User(UserId::new()), "bookings=0");
        assert_eq!(BookingRules::of(&[all[0].clone(), never]), None);
        assert_eq!(
            BookingRules::of(&[rule(QuotaScope::Pool(PoolId::new()), "bookings=1")]).map(|rules| rules.hours),
            Some(HOURS)
        );
        assert_eq!(few.check(span(1, 3), 0, NOW), Ok(()));
        let code = |span, held| few.check(span, held, NOW).unwrap_err().code;
        assert_eq!(code(span(1, 3), 1), "too_many_bookings");
        assert_eq!(code(span(1, 4), 0), "booking_too_long");
        assert_eq!(code(span(31 * 24, 31 * 24 + 1), 0), "booking_too_early");
        let said = few.check(span(1, 4), 0, NOW).unwrap_err().to_string();
        assert_eq!(said, "that is 180 minutes, and the longest booking here is 2 hours: let it end earlier");
    }
}
