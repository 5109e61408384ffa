//! What a pool's roll-out does next: which desktops are made anew of the new version, and whether it goes on, stops or is done. Decided on
//! a look, by functions that do nothing themselves; the reconciler `pools` does what they say, and looks again.

use oriel_model::{
    Desktop, DesktopId, DesktopIntent, DesktopState, Micros, Pool, PoolKind, ROLLOUT_FAILURES_MAX,
    ROLLOUT_REASON_CHARS_MAX, Replace, Rollout, RolloutFailure, RolloutState,
};
use std::{collections::BTreeMap, fmt::Write as _};

/// Failures that a reason names.
const NAMED_MAX: usize = 5;

/// A roll-out and what it is about, at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub pool: &'a Pool,
    pub rollout: &'a Rollout,
    pub desktops: &'a [Desktop],
    /// Until when somebody is, or was, connected to each.
    pub presence: &'a BTreeMap<DesktopId, Micros>,
    /// Of session hosts: how many have a place on each.
    pub people: &'a BTreeMap<DesktopId, u32>,
    pub now: Micros,
}

/// How far a pool's desktops are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolloutCount {
    /// Of the new version, and came up (or are off).
    pub new: u32,
    /// Being made anew of the new version.
    pub on_their_way: u32,
    /// Of the new version, and did not come up.
    pub failed: u32,
    /// Of an older version, and next.
    pub old: u32,
    /// Of an older version, and somebody's, or in the middle of something: they wait until that is over.
    pub waiting: u32,
    /// Of an older version, and left so: somebody's for good.
    pub kept: u32,
}

impl Look<'_> {
    fn people(&self, host: &Desktop) -> u32 {
        self.people.get(&host.id).copied().unwrap_or(0)
    }
}

impl RolloutCount {
    pub(crate) fn of(look: Look<'_>) -> Self {
        let mut count = Self::default();
        for place in look.desktops.iter().filter_map(|one| place(look, one)) {
            *match place {
                Place::Up => &mut count.new,
                Place::Coming => &mut count.on_their_way,
                Place::Failed => &mut count.failed,
                Place::Next => &mut count.old,
                Place::Waiting => &mut count.waiting,
                Place::Kept => &mut count.kept,
            } += 1;
        }
        count
    }

    /// Those that it is about.
    pub const fn total(&self) -> u32 {
        self.new + self.on_their_way + self.failed + self.old + self.waiting
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// These did not come up.
    Note(Vec<RolloutFailure>),
    /// Made anew, of the new version.
    Remake(DesktopId),
    /// A session host of the old version takes nobody new: when the last one has left, it is made anew.
    Drain(DesktopId),
    /// Enough came up: from now on they are watched.
    Watch,
    /// They proved themselves, or there is nothing to try it on: new desktops are of the new version, and the rest follows.
    GoOn,
    /// Why. New desktops are of the old version again.
    Stop(String),
    Finish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Up,
    Coming,
    Failed,
    Next,
    Waiting,
    Kept,
}

/// Where a desktop stands; none where the roll-out is not about it.
fn place(look: Look<'_>, desktop: &Desktop) -> Option<Place> {
    let rollout = look.rollout;
    if desktop.external.is_some() || desktop.intent == DesktopIntent::Deleted || desktop.state == DesktopState::Deleting
    {
        return None;
    }
    // Nothing that is there of it stays: what it is made of is chosen when it is made.
    let is_unmade = desktop.intent == DesktopIntent::Recycle
        || matches!(desktop.state, DesktopState::Requested | DesktopState::Placed | DesktopState::Recycling);
    if is_unmade {
        let is_new = rollout.pool_image() == rollout.to || rollout.tries(desktop);
        return Some(if is_new { Place::Coming } else { Place::Waiting });
    }
    // One that had failed before is tried anew.
    let has_failed_before = desktop.state == DesktopState::Failed && desktop.changed < rollout.created;
    let is_tried = desktop.facts.image == Some(rollout.to)
        // It did not even get so far: trying it over and over says the same.
        || (desktop.state == DesktopState::Failed && desktop.facts.next == Some(rollout.to));
    if is_tried && !has_failed_before {
        return Some(match desktop.state {
            DesktopState::Failed => Place::Failed,
            // One that somebody stopped before it had come up says nothing, and nobody waits for it.
            DesktopState::Ready | DesktopState::InUse | DesktopState::Stopped => Place::Up,
            // It came up; that its cloud's host is down since has nothing to do with its system.
            DesktopState::Stopping | DesktopState::Unreachable if desktop.facts.ready.is_some() => Place::Up,
            _ => Place::Coming,
        });
    }
    let is_there = look.presence.get(&desktop.id).is_some_and(|until| *until > look.now)
        || desktop.state == DesktopState::InUse
        || look.people(desktop) > 0;
    if is_for_good(look, desktop) {
        if !rollout.plan.wipe_dedicated {
            return Some(Place::Kept);
        }
        let may = match rollout.plan.replace {
            Replace::Now => is_settled(desktop),
            Replace::OnLogOff if desktop.owner.is_some() => is_off(desktop) && !is_there,
            Replace::OnLogOff => is_settled(desktop) && !is_there,
        };
        return Some(if may { Place::Next } else { Place::Waiting });
    }
    Some(if may_remake(look, desktop, is_there) { Place::Next } else { Place::Waiting })
}

fn may_remake(look: Look<'_>, desktop: &Desktop, is_there: bool) -> bool {
    let is_free = desktop.owner.is_none() && !is_there;
    is_settled(desktop) && (is_free || look.rollout.plan.replace == Replace::Now)
}

/// Whether what is on its disk may be somebody's for good: nothing makes it anew by itself.
fn is_for_good(look: Look<'_>, desktop: &Desktop) -> bool {
    let is_dedicated = look.pool.kind == PoolKind::Dedicated;
    match desktop.owner {
        Some(_) => is_dedicated || desktop.facts.seat.is_none(),
        // A spare that nobody was in is like any other; one that an administrator made or was in may have been set up.
        None => is_dedicated && (look.pool.keeps_nothing() || look.presence.contains_key(&desktop.id)),
    }
}

/// Whether nothing is going on with it.
const fn is_settled(desktop: &Desktop) -> bool {
    matches!(desktop.intent, DesktopIntent::Running | DesktopIntent::Stopped)
        && matches!(
            desktop.state,
            DesktopState::Ready | DesktopState::InUse | DesktopState::Stopped | DesktopState::Failed
        )
}

/// Whether it counts as on its way for who says how much room there is; what failed is not waited for.
const fn is_begun(state: DesktopState) -> bool {
    !matches!(state, DesktopState::Ready | DesktopState::InUse | DesktopState::Stopping | DesktopState::Stopped)
}

const fn is_off(desktop: &Desktop) -> bool {
    is_settled(desktop) && matches!(desktop.state, DesktopState::Stopped | DesktopState::Failed)
}

/// Whether that desktop may be made anew now: asked once more while its row is held. `there`: until when somebody is, or was, in it.
pub(crate) fn may(look: Look<'_>, desktop: &Desktop, there: Option<Micros>) -> bool {
    let presence = there.map(|until| BTreeMap::from([(desktop.id, until)])).unwrap_or_default();
    look.rollout.is_moving(look.now) && place(Look { presence: &presence, ..look }, desktop) == Some(Place::Next)
}

/// What is to be done. `room`: how many desktops may be begun now.
pub(crate) fn decide(look: Look<'_>, room: usize) -> Vec<Move> {
    let rollout = look.rollout;
    if !rollout.state.is_open() {
        return Vec::new();
    }
    let places: Vec<(&Desktop, Place)> =
        look.desktops.iter().filter_map(|one| Some((one, place(look, one)?))).collect();
    let count = |wanted: Place| places.iter().filter(|(_, place)| *place == wanted).count();
    let total = places.len() - count(Place::Kept);
    let mut moves = Vec::new();
    // Those that were promised to be made anew, and are not begun yet, have their room.
    let promised = |one: &&Desktop| one.intent == DesktopIntent::Recycle && !is_begun(one.state);
    let room = room.saturating_sub(look.desktops.iter().filter(promised).count());

    let fresh = fresh_failures(look, &places);
    if let Some(reason) = too_many(rollout, &fresh, total) {
        return vec![Move::Note(fresh), Move::Stop(reason)];
    }
    if !fresh.is_empty() {
        moves.push(Move::Note(fresh));
    }
    if !rollout.is_moving(look.now) {
        return moves;
    }
    let (up, coming, next, waiting) =
        (count(Place::Up), count(Place::Coming), count(Place::Next), count(Place::Waiting));
    match rollout.state {
        RolloutState::Canary => {
            let asked = rollout.plan.canary.at_least(total);
            // Those that failed, and may, are not waited for.
            let wanted = asked.min(total - count(Place::Failed));
            let watched = |since: Micros| look.now >= since.plus_seconds(i64::from(rollout.plan.watch_minutes) * 60);
            if total == 0 || asked == 0 || rollout.watched_since.is_some_and(watched) {
                moves.push(Move::GoOn);
                return moves;
            }
            if up + coming + next + waiting == 0 {
                // All that there is of it failed.
                moves.push(Move::Stop("no desktop of the new version came up".to_owned()));
                return moves;
            }
            if up >= wanted && rollout.watched_since.is_none() {
                moves.push(Move::Watch);
            }
            let missing = wanted.saturating_sub(up + coming);
            if look.pool.kind == PoolKind::SessionHost {
                moves.extend(host_moves(look, &places, room, missing));
            } else {
                moves.extend(remakes(&places, missing.min(room)));
            }
        }
        RolloutState::Rest => {
            if coming + next + waiting == 0 {
                moves.push(Move::Finish);
            }
            if look.pool.kind == PoolKind::SessionHost {
                moves.extend(host_moves(look, &places, room, usize::MAX));
            } else {
                moves.extend(remakes(&places, room));
            }
        }
        RolloutState::Done | RolloutState::Stopped | RolloutState::Cancelled => {}
    }
    moves
}

/// Those of which it is not known yet.
fn fresh_failures(look: Look<'_>, places: &[(&Desktop, Place)]) -> Vec<RolloutFailure> {
    let known = &look.rollout.failures;
    let left = ROLLOUT_FAILURES_MAX.saturating_sub(known.len());
    places
        .iter()
        .filter(|(_, place)| *place == Place::Failed)
        .map(|(one, _)| *one)
        .filter(|one| !known.iter().any(|other| other.desktop == one.id && other.generation == one.generation))
        .take(left)
        .map(|one| RolloutFailure {
            desktop: one.id,
            name: one.name.clone(),
            generation: one.generation,
            reason: one.failure.as_deref().unwrap_or("it failed").chars().take(ROLLOUT_REASON_CHARS_MAX).collect(),
            at: look.now,
        })
        .collect()
}

/// Why it stops, when it does.
fn too_many(rollout: &Rollout, fresh: &[RolloutFailure], total: usize) -> Option<String> {
    let failed = rollout.failures.len() + fresh.len();
    let limit = rollout.plan.stop_after.at_most(total).min(ROLLOUT_FAILURES_MAX - 1);
    // Going back is what is left when it does not come up.
    if rollout.is_rollback || failed <= limit {
        return None;
    }
    let mut reason = match failed {
        1 => "a desktop of the new version did not come up".to_owned(),
        _ => format!("{failed} desktops of the new version did not come up"),
    };
    if limit > 0 {
        write!(reason, ", and at most {limit} may").ok();
    }
    let named: Vec<String> = rollout
        .failures
        .iter()
        .chain(fresh)
        .take(NAMED_MAX)
        .map(|failure| format!("{}: {}", failure.name, failure.reason))
        .collect();
    reason.push_str(": ");
    reason.push_str(&named.join("; "));
    if failed > NAMED_MAX {
        write!(reason, "; and {} more", failed - NAMED_MAX).ok();
    }
    Some(reason)
}

/// At most so many, those first that nobody misses. Of those that stand ready for who comes, about half goes on standing.
fn remakes(places: &[(&Desktop, Place)], most: usize) -> Vec<Move> {
    let stands = |one: &Desktop| one.owner.is_none() && one.state == DesktopState::Ready;
    let coming = places.iter().filter(|(one, place)| *place == Place::Coming && one.owner.is_none()).count();
    let standing = places.iter().filter(|(one, place)| *place != Place::Coming && stands(one)).count();
    let mut spare = standing.saturating_sub(usize::midpoint(standing, coming));
    let mut next: Vec<&Desktop> =
        places.iter().filter(|(_, place)| *place == Place::Next).map(|(one, _)| *one).collect();
    next.sort_by_key(|one| (stands(one), one.owner.is_some(), one.id));
    let mut chosen = Vec::new();
    for one in next {
        if chosen.len() >= most {
            break;
        }
        if stands(one) {
            if spare == 0 {
                continue;
            }
            spare -= 1;
        }
        chosen.push(Move::Remake(one.id));
    }
    chosen
}

/// As [`remakes`], for session hosts: one without anybody is made anew, one with people takes nobody new from now on, and is when they have left;
/// those with the fewest come first. As many places stay free as there shall be, one at least, but for one host at a time: a pool that cannot
/// grow would never get on. At most `most` are remade, and `begun` are on their way together.
fn host_moves(look: Look<'_>, places: &[(&Desktop, Place)], most: usize, begun: usize) -> Vec<Move> {
    let size = look.pool.size_at(look.now);
    let free = |one: &Desktop| match (one.intent, one.state) {
        _ if one.facts.draining => 0,
        (DesktopIntent::Running, DesktopState::Ready | DesktopState::InUse) => {
            size.sessions.saturating_sub(look.people(one))
        }
        _ => 0,
    };
    let empties = |one: &Desktop| one.facts.drained_for.is_some();
    let mut left = look.desktops.iter().map(free).fold(0, u32::saturating_add);
    let coming = places.iter().filter(|(_, place)| *place == Place::Coming).count();
    let emptying = places.iter().filter(|(one, place)| *place != Place::Coming && empties(one)).count();
    let (mut under_way, mut may_begin, mut remade) = (coming + emptying, begun.saturating_sub(emptying), 0);
    let mut next: Vec<(&Desktop, Place)> = places
        .iter()
        .copied()
        .filter(|(one, place)| match place {
            Place::Next => true,
            Place::Waiting => is_settled(one) && look.people(one) > 0 && !one.facts.draining,
            _ => false,
        })
        .collect();
    next.sort_by_key(|(one, _)| (look.people(one), free(one), one.id));
    let mut moves = Vec::new();
    for (one, place) in next {
        let gone = free(one);
        // A full one has none to lose now, but those that people leave there: all of them drained at once would let nobody in for long.
        let loses = gone > 0 || look.people(one) > 0 && !one.facts.draining;
        let too_few = loses && left.saturating_sub(gone) < size.running_spares.max(1) && under_way > 0;
        if too_few || !empties(one) && may_begin == 0 || place == Place::Next && remade >= most {
            continue;
        }
        if !empties(one) {
            may_begin -= 1;
            under_way += 1;
        }
        left = left.saturating_sub(gone);
        if place == Place::Next {
            remade += 1;
            moves.push(Move::Remake(one.id));
        } else {
            moves.push(Move::Drain(one.id));
        }
    }
    moves
}

/// Where it stands, in a line for people.
pub(crate) fn words(look: Look<'_>, count: &RolloutCount) -> String {
    let rollout = look.rollout;
    let done = format!("{} of {} desktops are of the new version", count.new, count.total());
    let kept = match count.kept {
        0 => String::new(),
        1 => "; 1 is somebody's for good and stays as it is".to_owned(),
        many => format!("; {many} are somebody's for good and stay as they are"),
    };
    let waits = match count.waiting {
        0 => String::new(),
        1 => "; 1 waits until it is free".to_owned(),
        many => format!("; {many} wait until they are free"),
    };
    let what = match rollout.state {
        RolloutState::Done => format!("done: {done}"),
        RolloutState::Stopped => {
            format!("stopped, new desktops are of the old version: {}", rollout.reason.as_deref().unwrap_or_default())
        }
        RolloutState::Cancelled => format!("cancelled: {done}"),
        _ if rollout.is_paused => format!("paused: {done}"),
        _ if !rollout.is_moving(look.now) => {
            format!("begins at {}", rollout.plan.not_before.unwrap_or_default().rfc3339())
        }
        RolloutState::Canary => match rollout.watched_since {
            Some(since) => format!(
                "the first desktops came up and are watched until {}",
                since.plus_seconds(i64::from(rollout.plan.watch_minutes) * 60).rfc3339()
            ),
            None => {
                let total = count.total() as usize;
                let wanted = rollout.plan.canary.at_least(total).min(total);
                format!("trying it on the first {wanted}: {} came up, {} on their way", count.new, count.on_their_way)
            }
        },
        RolloutState::Rest => format!("{done}, {} on their way", count.on_their_way),
    };
    let (waits, kept) = match rollout.state {
        RolloutState::Canary | RolloutState::Rest => (waits, kept),
        RolloutState::Done => (String::new(), kept),
        RolloutState::Stopped | RolloutState::Cancelled => (String::new(), String::new()),
    };
    format!("{what}{waits}{kept}")
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
