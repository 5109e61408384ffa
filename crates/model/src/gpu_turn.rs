//! A card's time plan: whose it is at which hours of the week, and how it is handed out then.
//!
//! A card that has turns gives nothing outside of them, and a pool that has turns has those cards alone. Before a turn ends its desktops
//! are led out, so that the card can change.

use crate::{BookingRefusal, GpuAddress, GpuMode, GpuTurnId, Micros, Peak, PoolHours, PoolId, Span};

/// Turns of one card, at most.
pub const GPU_TURNS_MAX: usize = 50;
/// So long before a turn ends nothing is started on its card any more, and who is there is led out, in seconds.
const DRAIN_SECONDS: i64 = 10 * 60;
/// How far ahead turns are looked for.
const YEAR_SECONDS: i64 = 366 * 24 * 3600;

/// A card is a pool's at some hours of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuTurn {
    pub id: GpuTurnId,
    pub host: String,
    pub gpu: GpuAddress,
    pub pool: PoolId,
    pub mode: GpuMode,
    /// The profile's key, for `vgpu`: the only one that the card gives meanwhile; any when left out.
    pub profile: Option<String>,
    pub hours: Peak,
    /// It is its turn, and the card is as it says: desktops may start there.
    pub is_ready: bool,
    /// When it was made, or another turn of its card taken away: who holds the card has some time from then on.
    pub created: Micros,
}

impl GpuTurn {
    pub fn is_of(&self, host: &str, gpu: &GpuAddress) -> bool {
        self.host == host && self.gpu == *gpu
    }

    pub fn is_now(&self, now: Micros) -> bool {
        hours([self]).is_peak(now)
    }

    /// From when on its desktops are led out, for one that is now: some time before the card changes hands or its mode. None where it
    /// does not within a year. `turns` are all, or all of its card.
    pub fn drains(&self, turns: &[Self], now: Micros) -> Option<Micros> {
        // Turns that follow one another without a change are one.
        let like = |other: &&Self| {
            other.is_of(&self.host, &self.gpu)
                && (other.pool, other.mode, &other.profile) == (self.pool, self.mode, &self.profile)
        };
        let end = hours(turns.iter().filter(like)).next_change(now)?;
        Some(end.plus_seconds(-DRAIN_SECONDS))
    }

    /// Whether it is its turn, for long enough that something may start.
    pub fn takes(&self, turns: &[Self], now: Micros) -> bool {
        self.is_now(now) && self.drains(turns, now).is_none_or(|drains| now < drains)
    }
}

fn hours<'a>(turns: impl IntoIterator<Item = &'a GpuTurn>) -> PoolHours {
    PoolHours { peaks: turns.into_iter().map(|turn| turn.hours.clone()).collect(), ..PoolHours::default() }
}

/// Whether desktops of a pool may start now, by its own turns: always where it has none.
pub fn may_start(turns: &[GpuTurn], now: Micros) -> bool {
    turns.is_empty() || turns.iter().any(|turn| turn.is_ready && turn.takes(turns, now))
}

/// The span in which a pool has a card, by its own turns, that holds `at` (from there on) or else comes first after it; none where that is
/// more than a year away.
pub fn next_turn(turns: &[GpuTurn], at: Micros) -> Option<Span> {
    if turns.is_empty() {
        return None;
    }
    let hours = hours(turns);
    let from = if hours.is_peak(at) { at } else { hours.next_change(at)? };
    let to = hours.next_change(from).unwrap_or_else(|| from.plus_seconds(YEAR_SECONDS));
    Some(Span { from, to })
}

/// Whether a booking of a pool lies within its turns.
///
/// # Errors
/// When its next one is.
pub fn check_turns(pool: &str, turns: &[GpuTurn], span: Span) -> Result<(), BookingRefusal> {
    let next = next_turn(turns, span.from);
    if turns.is_empty() || next.is_some_and(|next| next.from <= span.from && span.to <= next.to) {
        return Ok(());
    }
    Err(BookingRefusal::new(
        "outside_plan",
        format!("{pool} has its GPU by a time plan: {}", next_in_words(next)),
        "book a time within that",
    ))
}

/// `next from 2026-11-30 14:00 to 16:00 UTC`.
pub fn next_in_words(next: Option<Span>) -> String {
    next.map_or_else(|| "not within a year".to_owned(), |next| format!("next from {next}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    /// 2026-11-18T11:06:40Z, a Wednesday.
    const NOW: Micros = Micros(1_795_000_000_000_000);

    fn turn(pool: PoolId, hours: &str) -> GpuTurn {
        GpuTurn {
            id: GpuTurnId::new(),
            host: "here".to_owned(),
            gpu: "0000:41:00.0".parse().unwrap(),
            pool,
            mode: GpuMode::Vgpu,
            profile: None,
            hours: hours.parse().unwrap(),
            is_ready: true,
            created: Micros(0),
        }
    }

    fn at(time: &str) -> Micros {
        Micros(time.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn turns_that_follow_without_a_change_are_one() {
        let (cad, lab) = (PoolId::new(), PoolId::new());
        let turns =
            [turn(cad, "wed 08:00-12:00 UTC"), turn(cad, "wed 12:00-18:00 UTC"), turn(lab, "wed 18:00-20:00 UTC")];
        assert!(turns[0].is_now(NOW) && !turns[1].is_now(NOW));
        assert_eq!(turns[0].drains(&turns, NOW), Some(at("2026-11-18T17:50:00Z")));
        let other = GpuTurn { profile: Some("M60-2Q".to_owned()), ..turns[1].clone() };
        assert_eq!(turns[0].drains(&[turns[0].clone(), other], NOW), Some(at("2026-11-18T11:50:00Z")));
        assert!(turns[0].takes(&turns, NOW));
        assert!(!turns[1].takes(&turns, at("2026-11-18T17:50:00Z")), "it is being drained");
        let always = [turn(cad, "daily 00:00-24:00 UTC")];
        assert_eq!(always[0].drains(&always, NOW), None);
        assert!(always[0].takes(&always, NOW));
    }

    #[test]
    fn pools_start_within_their_turns_once_the_card_is_ready() {
        assert!(may_start(&[], NOW));
        let mut own = [turn(PoolId::new(), "wed 08:00-12:00 UTC")];
        assert!(may_start(&own, NOW));
        assert!(!may_start(&own, at("2026-11-18T11:55:00Z")));
        own[0].is_ready = false;
        assert!(!may_start(&own, NOW));
    }

    #[test]
    fn bookings_lie_within_turns_and_are_told_the_next() {
        let own = [turn(PoolId::new(), "wed 14:00-16:00 UTC")];
        let book = |from: &str, to: &str| check_turns("cad", &own, Span { from: at(from), to: at(to) });
        assert_eq!(book("2026-11-18T14:00:00Z", "2026-11-18T16:00:00Z"), Ok(()));
        assert_eq!(check_turns("cad", &[], Span { from: NOW, to: NOW.plus_seconds(600) }), Ok(()));
        let refusal = book("2026-11-18T16:00:00Z", "2026-11-18T17:00:00Z").unwrap_err();
        assert_eq!(refusal.code, "outside_plan");
        assert_eq!(refusal.text, "cad has its GPU by a time plan: next from 2026-11-25 14:00 to 16:00 UTC");
        let refusal = book("2026-11-18T15:00:00Z", "2026-11-18T17:00:00Z").unwrap_err();
        assert!(refusal.text.ends_with("next from 2026-11-18 15:00 to 16:00 UTC"), "{refusal}");
    }
}
