//! What a pool needs right now: which desktops it makes, starts, stops, takes back and deletes. Decided on a look, by functions
//! that do nothing themselves; the reconciler `pools` does what they say, and looks again.

use oriel_model::{Desktop, DesktopId, DesktopIntent, DesktopState, Micros, Pool, PoolKind, Seat};
use oriel_store::seam::{Plant, planted};
use std::collections::BTreeMap;

/// A spare that failed is replaced after so long: a pool whose image does not start must not make desktops for ever.
const FAILED_SECONDS: i64 = 300;
/// One too many goes after so long: somebody may come back.
const SURPLUS_SECONDS: i64 = 120;
/// Whoever was given one, or whose desktop has just become ready, has at least so long to get in.
pub(crate) const ARRIVAL_SECONDS: i64 = 120;
const SECOND: i64 = 1_000_000;

/// What there is of a pool's desktops, those that are being deleted left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCount {
    /// Somebody's.
    pub used: u32,
    /// Nobody's, and running.
    pub ready: u32,
    /// Nobody's, and being made, wiped, started or switched off.
    pub on_their_way: u32,
    /// Nobody's, and off.
    pub stopped: u32,
    /// Nobody's, and failed.
    pub failed: u32,
}

impl PoolCount {
    pub fn of(desktops: &[Desktop]) -> Self {
        let mut count = Self::default();
        for one in desktops.iter().filter(|one| one.intent != DesktopIntent::Deleted) {
            let place = match one.state {
                _ if one.owner.is_some() => &mut count.used,
                DesktopState::Ready | DesktopState::InUse => &mut count.ready,
                DesktopState::Stopped => &mut count.stopped,
                DesktopState::Failed => &mut count.failed,
                _ => &mut count.on_their_way,
            };
            *place += 1;
        }
        count
    }
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Make one that is nobody's.
    Make,
    Start(DesktopId),
    Stop(DesktopId),
    /// It is somebody's, and nobody is in it for long enough. It stays theirs.
    ShutDown(DesktopId),
    /// Its person is gone for long enough.
    TakeBack(DesktopId),
    /// It is nobody's, and somebody was in it.
    Wipe(DesktopId),
    Delete(DesktopId),
    /// A session host takes nobody new, and the last one has left: it is made anew.
    Refresh(DesktopId),
    /// Its host is drained, and the deadline over: it is shut down, whoever is inside.
    Force(DesktopId),
}

/// What is to be done for a pool. `presence` says until when somebody is, or was, connected to each desktop; so many of them are `booked`
/// about now by people who have none yet, and run for them beside the pool's spares.
pub(crate) fn decide(
    pool: &Pool,
    desktops: &[Desktop],
    presence: &BTreeMap<DesktopId, Micros>,
    booked: usize,
    now: Micros,
) -> Vec<Deed> {
    let size = &pool.size_at(now);
    let unused = unused_seconds(pool, now);
    let mut deeds = Vec::new();
    for one in desktops {
        if is_left(pool, one, presence, now) {
            deeds.push(Deed::TakeBack(one.id));
        } else if unused.is_some_and(|after| is_unused(one, presence.get(&one.id).copied(), after, now)) {
            deeds.push(Deed::ShutDown(one.id));
        }
    }
    // Desktops that admins made by hand are not for us to start, stop or delete.
    if pool.kind == PoolKind::Dedicated && pool.keeps_nothing() {
        return deeds;
    }
    let standing: Vec<&Desktop> = desktops.iter().filter(|one| one.intent != DesktopIntent::Deleted).collect();
    let free: Vec<&Desktop> = standing.iter().copied().filter(|one| one.owner.is_none()).collect();
    let longer = |one: &Desktop, seconds: i64| now.0 - one.changed.0 > seconds * SECOND;
    deeds.extend(
        free.iter()
            .filter(|one| one.state == DesktopState::Failed && longer(one, FAILED_SECONDS))
            .map(|one| Deed::Delete(one.id)),
    );
    if pool.kind.is_shared() {
        let touched = |one: &&&Desktop| presence.get(&one.id).is_some_and(|until| *until <= now);
        deeds.extend(free.iter().filter(touched).map(|one| Deed::Wipe(one.id)));
    }
    let (failed, free): (Vec<&Desktop>, Vec<&Desktop>) =
        free.into_iter().partition(|one| one.state == DesktopState::Failed);
    let (off, running): (Vec<&Desktop>, Vec<&Desktop>) =
        free.iter().copied().partition(|one| one.intent == DesktopIntent::Stopped);

    let mut budget = budget(pool, desktops, now);
    let (spares, stock) = (size.running_spares as usize + booked, size.stopped_spares as usize);
    let most = pool.desktops_max as usize;
    let used = standing.len() - free.len() - failed.len();
    let wanted = (size.min as usize).max(used + spares + stock).min(most.saturating_sub(failed.len()));
    let mut total = used + free.len();

    // Running spares: what is made already first.
    let missing = spares.saturating_sub(running.len()).min(budget);
    let started: Vec<&Desktop> =
        off.iter().copied().filter(|one| one.state == DesktopState::Stopped).take(missing).collect();
    budget -= started.len();
    deeds.extend(started.iter().map(|one| Deed::Start(one.id)));
    while total < wanted && budget > 0 {
        total += 1;
        budget -= 1;
        deeds.push(Deed::Make);
    }
    if !started.is_empty() {
        return deeds;
    }
    // One too many: what runs for nobody is switched off while stock is missing, and goes otherwise. Of dedicated ones, in which somebody
    // may have set something up, none goes.
    let idle = running.iter().filter(|one| {
        one.state == DesktopState::Ready
            && one.intent == DesktopIntent::Running
            && presence.get(&one.id).is_none_or(|until| *until <= now)
    });
    let surplus = running.len().saturating_sub(spares);
    let keep = (size.min as usize).max(used + spares + stock);
    let mut too_many = if pool.kind.is_shared() { total.saturating_sub(keep) } else { 0 };
    for one in idle.rev().take(surplus) {
        if too_many == 0 && (pool.kind.is_shared() || longer(one, SURPLUS_SECONDS)) {
            deeds.push(Deed::Stop(one.id));
        } else if too_many > 0 && longer(one, SURPLUS_SECONDS) {
            too_many -= 1;
            deeds.push(Deed::Delete(one.id));
        }
    }
    if pool.kind.is_shared() {
        let old = off.iter().filter(|one| one.state == DesktopState::Stopped && longer(one, SURPLUS_SECONDS));
        let beyond = off.len().saturating_sub(stock).min(too_many);
        deeds.extend(old.rev().take(beyond).map(|one| Deed::Delete(one.id)));
    }
    deeds
}

/// What is to be done for a pool of session hosts. `on`: how many people have a place on each. Spares that run are places there.
pub(crate) fn decide_hosts(pool: &Pool, hosts: &[Desktop], on: &BTreeMap<DesktopId, u32>, now: Micros) -> Vec<Deed> {
    let size = &pool.size_at(now);
    let people = |host: &Desktop| on.get(&host.id).copied().unwrap_or(0);
    let longer = |one: &Desktop, seconds: i64| now.0 - one.changed.0 > seconds * SECOND;
    let standing: Vec<&Desktop> = hosts
        .iter()
        .filter(|one| one.owner.is_none() && !matches!(one.intent, DesktopIntent::Deleted | DesktopIntent::Recycle))
        .collect();
    let coming = hosts.iter().filter(|one| one.intent == DesktopIntent::Recycle).count();
    let (failed, standing): (Vec<&Desktop>, Vec<&Desktop>) =
        standing.into_iter().partition(|one| one.state == DesktopState::Failed);
    let (draining, standing): (Vec<&Desktop>, Vec<&Desktop>) = standing.into_iter().partition(|one| one.facts.draining);
    let (off, running): (Vec<&Desktop>, Vec<&Desktop>) =
        standing.into_iter().partition(|one| one.intent == DesktopIntent::Stopped);

    let mut deeds: Vec<Deed> = draining
        .iter()
        // One that a roll-out drains goes to that one's version, by that.
        .filter(|one| one.facts.drained_for.is_none())
        .filter(|one| (people(one) == 0 || planted(Plant::NoHostDrain)) && rests(one))
        .map(|one| Deed::Refresh(one.id))
        .collect();
    let lost = failed.iter().filter(|one| people(one) == 0 && longer(one, FAILED_SECONDS));
    deeds.extend(lost.map(|one| Deed::Delete(one.id)));

    let places = |host: &Desktop| size.sessions.saturating_sub(people(host));
    let mut free: u32 = running.iter().map(|one| places(one)).sum();
    // What is being made anew is on its way to be free.
    free = free.saturating_add(size.sessions.saturating_mul(u32::try_from(coming).unwrap_or(u32::MAX)));
    let (stock, least) = (size.stopped_spares as usize, size.min as usize);
    let most = (pool.desktops_max as usize).saturating_sub(failed.len());
    let mut total = running.len() + off.len() + draining.len() + coming;
    let mut budget = budget(pool, hosts, now);

    // What is made already first.
    let mut started = 0;
    for one in off.iter().filter(|one| one.state == DesktopState::Stopped) {
        if free >= size.running_spares || budget == 0 {
            break;
        }
        deeds.push(Deed::Start(one.id));
        free += places(one);
        (budget, started) = (budget - 1, started + 1);
    }
    let mut made = 0;
    let mut empty = running.iter().filter(|one| people(one) == 0).count() + coming;
    let mut asleep = off.len() - started;
    while total < most && budget > 0 {
        // What runs for nobody, and is more than shall be free, is switched off for the stock when it is there.
        let beyond = free.saturating_sub(size.running_spares) / size.sessions.max(1);
        let stocked = asleep + empty.min(beyond as usize);
        if free >= size.running_spares && total >= least && stocked >= stock {
            break;
        }
        deeds.push(Deed::Make);
        free = free.saturating_add(size.sessions);
        (total, budget, empty, made) = (total + 1, budget - 1, empty + 1, made + 1);
    }
    if started > 0 || made > 0 {
        return deeds;
    }
    // One too many: empty ones, from the last on. Off where stock is missing or the pool would be too small, else it goes.
    let idle = running.iter().filter(|one| one.state == DesktopState::Ready && people(one) == 0);
    for one in idle.rev().filter(|one| longer(one, SURPLUS_SECONDS)) {
        if free < size.running_spares.saturating_add(size.sessions) {
            break;
        }
        if asleep < stock || total <= least {
            deeds.push(Deed::Stop(one.id));
            asleep += 1;
        } else {
            deeds.push(Deed::Delete(one.id));
            total -= 1;
        }
        free = free.saturating_sub(size.sessions);
    }
    let old =
        off.iter().filter(|one| one.state == DesktopState::Stopped && people(one) == 0 && longer(one, SURPLUS_SECONDS));
    for one in old.rev() {
        if asleep <= stock || total <= least {
            break;
        }
        deeds.push(Deed::Delete(one.id));
        (asleep, total) = (asleep - 1, total - 1);
    }
    deeds
}

/// As [`decide`] and [`decide_hosts`], where the host of the pool's desktops is drained: nothing is made or started, what runs for nobody is
/// switched off, and what people have left goes its usual way. `on`: how many people have a place on each session host. `forced`: the
/// deadline is over, and whoever is inside is not waited for.
pub(crate) fn decide_drained(
    pool: &Pool,
    desktops: &[Desktop],
    presence: &BTreeMap<DesktopId, Micros>,
    on: &BTreeMap<DesktopId, u32>,
    forced: bool,
    now: Micros,
) -> Vec<Deed> {
    let unused = unused_seconds(pool, now);
    let deed = |one: &Desktop| {
        let there = presence.get(&one.id).copied();
        let runs = matches!(one.intent, DesktopIntent::Running | DesktopIntent::Restart)
            && matches!(
                one.state,
                DesktopState::Starting | DesktopState::Ready | DesktopState::InUse | DesktopState::Unreachable
            );
        let is_free = one.owner.is_none() && on.get(&one.id).is_none_or(|places| *places == 0);
        if pool.kind != PoolKind::SessionHost {
            if is_left(pool, one, presence, now) {
                return Some(Deed::TakeBack(one.id));
            }
            if unused.is_some_and(|after| is_unused(one, there, after, now)) {
                return Some(Deed::ShutDown(one.id));
            }
            let is_kept = matches!(one.intent, DesktopIntent::Deleted | DesktopIntent::Recycle);
            if pool.kind.is_shared() && is_free && !is_kept && there.is_some_and(|until| until <= now) {
                return Some(Deed::Wipe(one.id));
            }
        }
        if runs && forced {
            return Some(Deed::Force(one.id));
        }
        let is_idle = is_free && one.intent == DesktopIntent::Running && one.state == DesktopState::Ready;
        (is_idle && there.is_none_or(|until| until <= now)).then_some(Deed::Stop(one.id))
    };
    desktops.iter().filter_map(deed).collect()
}

/// Whether nothing is on its way with it.
const fn rests(host: &Desktop) -> bool {
    matches!(host.state, DesktopState::Ready | DesktopState::InUse | DesktopState::Stopped | DesktopState::Failed)
}

/// The hosts on which somebody new may have a place, in the order in which they are given: those that are ready for it first, then those
/// that will be soonest, and among those that are as good the one that the pool's rule prefers.
pub(crate) fn hosts_in_order(pool: &Pool, hosts: Vec<Desktop>, on: &BTreeMap<DesktopId, u32>) -> Vec<Desktop> {
    let people = |host: &Desktop| on.get(&host.id).copied().unwrap_or(0);
    let is_full = |one: &Desktop| people(one) >= pool.size.sessions && !planted(Plant::NoPlaceFence);
    let rank = |one: &Desktop| match (one.intent, one.state) {
        _ if one.facts.draining || one.owner.is_some() || is_full(one) => None,
        (DesktopIntent::Running, DesktopState::Ready | DesktopState::InUse) => Some(0),
        (DesktopIntent::Running, DesktopState::Starting) => Some(1),
        (DesktopIntent::Stopped, DesktopState::Stopped) => Some(2),
        // What is being wiped takes nobody before that is done.
        (DesktopIntent::Running, DesktopState::Requested | DesktopState::Placed | DesktopState::Provisioning) => {
            Some(3)
        }
        _ => None,
    };
    let mut ranked: Vec<(u8, u32, Desktop)> = hosts
        .into_iter()
        .filter_map(|one| {
            let people = people(&one);
            let weight = if pool.size.fill { u32::MAX - people } else { people };
            Some((rank(&one)?, weight, one))
        })
        .collect();
    ranked.sort_by(|(rank, weight, one), (other, than, two)| (rank, weight, one.id).cmp(&(other, than, two.id)));
    ranked.into_iter().map(|(_, _, one)| one).collect()
}

/// Whether its person is gone for so long that others may have it.
fn is_left(pool: &Pool, desktop: &Desktop, presence: &BTreeMap<DesktopId, Micros>, now: Micros) -> bool {
    let Some(seat) = desktop.facts.seat else { return false };
    pool.kind.is_shared()
        && !matches!(desktop.intent, DesktopIntent::Deleted | DesktopIntent::Recycle | DesktopIntent::Capture)
        // One that is still starting for its person is not left: they wait for it.
        && matches!(desktop.state, DesktopState::Ready | DesktopState::InUse | DesktopState::Stopped | DesktopState::Failed)
        && is_gone(pool, seat, presence.get(&desktop.id).copied(), now)
}

/// Whether the person of a seat is gone for so long as the pool waits for them. `there`: until when somebody is, or was, connected.
pub(crate) fn is_gone(pool: &Pool, seat: Seat, there: Option<Micros>, now: Micros) -> bool {
    let there = there.filter(|_| !planted(Plant::NoDrain));
    let waits = i64::from(pool.return_minutes_at(now)) * 60;
    match there {
        // They were in it since they asked for it.
        Some(until) if until > seat.seen => until.plus_seconds(waits) <= now,
        _ => seat.seen.plus_seconds(waits.max(ARRIVAL_SECONDS)) <= now,
    }
}

/// After how long without anybody in it somebody's desktop is shut down, in seconds; none where it never is.
pub(crate) fn unused_seconds(pool: &Pool, now: Micros) -> Option<i64> {
    let minutes = pool.leaving.at(&pool.hours, now).shut_down_minutes?;
    Some((i64::from(minutes) * 60).max(ARRIVAL_SECONDS))
}

/// Whether somebody's desktop runs for nobody for so many seconds. `there`: until when somebody is, or was, connected.
pub(crate) fn is_unused(desktop: &Desktop, there: Option<Micros>, after: i64, now: Micros) -> bool {
    let facts = &desktop.facts;
    // Whoever had it started, or asked for it, is on their way.
    let last = [there, facts.ready, facts.seat.map(|seat| seat.seen)].into_iter().flatten().max();
    desktop.owner.is_some()
        && desktop.external.is_none()
        && desktop.intent == DesktopIntent::Running
        && desktop.state == DesktopState::Ready
        && last.unwrap_or(desktop.changed).plus_seconds(after) <= now
}

/// How many spares may be begun now.
pub(crate) fn budget(pool: &Pool, desktops: &[Desktop], now: Micros) -> usize {
    let size = &pool.size;
    let moving = desktops.iter().filter(|one| is_on_its_way(one)).count();
    let fresh = desktops
        .iter()
        .filter(|one| now.0 - one.facts.started.unwrap_or(one.created).max(one.created).0 < 60 * SECOND)
        .count();
    let share = (pool.desktops_max as usize * size.percent as usize).div_ceil(100).max(1);
    (size.parallel as usize).min(share).saturating_sub(moving).min((size.per_minute as usize).saturating_sub(fresh))
}

const fn is_on_its_way(desktop: &Desktop) -> bool {
    matches!(
        desktop.state,
        DesktopState::Requested
            | DesktopState::Placed
            | DesktopState::Provisioning
            | DesktopState::Starting
            | DesktopState::Recycling
    )
}

/// The free desktops of a pool in the order in which they are given away: those that are ready for long enough first, then those
/// that will be soonest. Everybody begins with another one of those that are as good: people who come at once are not all told to wait
/// for each other.
pub(crate) fn in_order(pool: &Pool, desktops: Vec<Desktop>, name: &str, now: Micros) -> Vec<Desktop> {
    let settled = |one: &Desktop| {
        let ready = one.facts.ready.unwrap_or(one.changed);
        now.0 - ready.0 >= i64::from(pool.size.settle_seconds) * SECOND
    };
    let rank = |one: &Desktop| match (one.intent, one.state) {
        (DesktopIntent::Running, DesktopState::Ready) if settled(one) => Some(0),
        (DesktopIntent::Running, DesktopState::Ready) => Some(1),
        (DesktopIntent::Running, DesktopState::Starting) => Some(2),
        (DesktopIntent::Stopped, DesktopState::Stopped) => Some(3),
        (DesktopIntent::Running, state) if is_making(state) => Some(4),
        _ => None,
    };
    let mut ranked: Vec<(u8, Desktop)> = desktops
        .into_iter()
        .filter(|one| one.owner.is_none() && one.external.is_none())
        .filter_map(|one| Some((rank(&one)?, one)))
        .collect();
    ranked.sort_by(|(one, first), (other, second)| one.cmp(other).then(first.id.cmp(&second.id)));
    let best = ranked.first().map(|(rank, _)| *rank);
    let alike = ranked.iter().take_while(|(rank, _)| Some(*rank) == best).count();
    let start = name.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    if let (Some(alike), Some(start)) = (ranked.get_mut(..alike), start.checked_rem(alike)) {
        alike.rotate_left(start);
    }
    ranked.into_iter().map(|(_, one)| one).collect()
}

const fn is_making(state: DesktopState) -> bool {
    matches!(
        state,
        DesktopState::Requested | DesktopState::Placed | DesktopState::Provisioning | DesktopState::Recycling
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use oriel_model::{
        DesktopFacts, Hardware, Leaving, Network, PoolHours, PoolId, RecordingPolicy, SessionPolicy, UserId,
    };

    /// Long after everything.
    const NOW: Micros = Micros(10_000 * SECOND);

    fn pool(kind: PoolKind, size: &str) -> Pool {
        Pool {
            id: PoolId::new(),
            name: "floor".parse().unwrap(),
            kind,
            image: None,
            vcpus: 1,
            memory_mib: 1,
            disk_gib: 1,
            network: Network::User,
            desktops_max: 5,
            keyboard: "us".into(),
            gpu: None,
            hardware: Hardware::default(),
            recording: RecordingPolicy::Off,
            policy: SessionPolicy::default(),
            size: size.parse().unwrap(),
            hours: PoolHours::default(),
            leaving: Leaving::default(),
            cloud: None,
            personal_disk: None,
            created: Micros(0),
        }
    }

    fn desktop(pool: &Pool, state: DesktopState) -> Desktop {
        let intent = match state {
            DesktopState::Stopped => DesktopIntent::Stopped,
            _ => DesktopIntent::Running,
        };
        Desktop {
            id: DesktopId::new(),
            name: "floor-1".parse().unwrap(),
            pool: pool.id,
            owner: None,
            intent,
            state,
            failure: None,
            step: None,
            generation: 1,
            host: None,
            port_base: None,
            facts: DesktopFacts::default(),
            external: None,
            created: Micros(0),
            changed: Micros(0),
        }
    }

    fn seated(pool: &Pool, seen: Micros) -> Desktop {
        let mut one = desktop(pool, DesktopState::Ready);
        (one.owner, one.facts.seat) = (Some(UserId::new()), Some(Seat { since: seen, seen }));
        one
    }

    fn asks(pool: &Pool, desktops: &[Desktop]) -> Vec<Deed> {
        decide(pool, desktops, &BTreeMap::new(), 0, NOW)
    }

    #[test]
    fn spares_are_begun_at_the_pools_pace_and_within_its_bounds() {
        let pool = pool(PoolKind::Floating, "running=3,stopped=1,parallel=2");
        assert_eq!(asks(&pool, &[]), [Deed::Make, Deed::Make]);
        let on_its_way = || desktop(&pool, DesktopState::Provisioning);
        assert_eq!(asks(&pool, &[on_its_way(), on_its_way()]), []);
        // Five is all that it may hold, and four are somebody's.
        let mut all: Vec<Desktop> = (0..4).map(|_| seated(&pool, NOW)).collect();
        assert_eq!(asks(&pool, &all), [Deed::Make]);
        all.push(desktop(&pool, DesktopState::Ready));
        assert_eq!(asks(&pool, &all), []);
        // What is made already is started before another is made.
        let off = desktop(&pool, DesktopState::Stopped);
        assert_eq!(asks(&pool, std::slice::from_ref(&off))[0], Deed::Start(off.id));
    }

    #[test]
    fn a_spare_that_failed_is_replaced_and_goes_after_a_while() {
        for kind in [PoolKind::Floating, PoolKind::Ephemeral, PoolKind::Dedicated] {
            let pool = pool(kind, "running=1");
            let mut failed = desktop(&pool, DesktopState::Failed);
            assert_eq!(asks(&pool, std::slice::from_ref(&failed)), [Deed::Delete(failed.id), Deed::Make]);
            failed.changed = NOW.plus_seconds(-FAILED_SECONDS);
            assert_eq!(asks(&pool, std::slice::from_ref(&failed)), [Deed::Make], "not for ever more");
            // As many as the pool may have: no more are made than one for each that goes.
            let all: Vec<Desktop> = (0..5).map(|_| failed.clone()).collect();
            assert_eq!(asks(&pool, &all), []);
        }
    }

    #[test]
    fn what_is_booked_runs_beside_the_spares() {
        let pool = pool(PoolKind::Floating, "running=1,parallel=9");
        let booked = |desktops: &[Desktop], booked| decide(&pool, desktops, &BTreeMap::new(), booked, NOW);
        assert_eq!(booked(&[], 2), [Deed::Make, Deed::Make, Deed::Make]);
        let three: Vec<Desktop> = (0..3).map(|_| desktop(&pool, DesktopState::Ready)).collect();
        assert_eq!(booked(&three, 2), []);
        assert_eq!(booked(&three, 1), [Deed::Delete(three[2].id)], "one booking was cancelled");
        assert_eq!(booked(&[], 9).len(), 5, "as many as it may hold");
        let off = desktop(&pool, DesktopState::Stopped);
        assert_eq!(booked(&[three[0].clone(), off.clone()], 1), [Deed::Start(off.id)]);
    }

    #[test]
    fn what_is_too_many_goes_but_not_where_somebody_may_have_set_it_up() {
        let shared = pool(PoolKind::Floating, "running=1");
        let two = [desktop(&shared, DesktopState::Ready), desktop(&shared, DesktopState::Ready)];
        assert_eq!(asks(&shared, &two), [Deed::Delete(two[1].id)]);
        let mut fresh = two.clone();
        fresh[1].changed = NOW.plus_seconds(-SURPLUS_SECONDS);
        fresh[0].changed = NOW;
        assert_eq!(asks(&shared, &fresh), [], "somebody may come back");
        let kept = pool(PoolKind::Dedicated, "running=1");
        assert_eq!(asks(&kept, &two), [Deed::Stop(two[1].id)]);
        assert_eq!(asks(&pool(PoolKind::Dedicated, "default"), &two), [], "those are an administrator's");
    }

    #[test]
    fn people_have_time_to_come_and_to_come_back() {
        let pool = pool(PoolKind::Floating, "return=0");
        let seat = |ago: i64| Seat { since: Micros(0), seen: NOW.plus_seconds(-ago) };
        assert!(!is_gone(&pool, seat(ARRIVAL_SECONDS - 1), None, NOW), "they are on their way");
        assert!(is_gone(&pool, seat(ARRIVAL_SECONDS), None, NOW));
        assert!(!is_gone(&pool, seat(1000), Some(NOW.plus_seconds(1)), NOW), "they are there");
        assert!(is_gone(&pool, seat(1000), Some(NOW), NOW), "they left");
        // Of another visit, before they asked for it again.
        assert!(!is_gone(&pool, seat(10), Some(NOW.plus_seconds(-20)), NOW));
        let waits = self::pool(PoolKind::Floating, "return=5");
        assert!(!is_gone(&waits, seat(1000), Some(NOW.plus_seconds(-299)), NOW));
        assert!(is_gone(&waits, seat(1000), Some(NOW.plus_seconds(-300)), NOW));
    }

    #[test]
    fn spares_follow_the_hours_and_are_begun_ahead_of_them() {
        let mut pool = pool(PoolKind::Floating, "running=2,parallel=9");
        // NOW is 02:46:40 of a Thursday, in UTC.
        let peaks = |text: &str| vec![text.parse().unwrap()];
        pool.hours.peaks = peaks("thu 08:00-18:00 UTC");
        assert_eq!(asks(&pool, &[]), [Deed::Make, Deed::Make], "nothing differs off peak");
        pool.hours.off_peak = "running=0".parse().unwrap();
        assert_eq!(asks(&pool, &[]), []);
        let two = [desktop(&pool, DesktopState::Ready), desktop(&pool, DesktopState::Ready)];
        assert_eq!(asks(&pool, &two), [Deed::Delete(two[1].id), Deed::Delete(two[0].id)], "peak is over");
        pool.hours.peaks = peaks("thu 03:00-18:00 UTC");
        assert_eq!(asks(&pool, &[]), [Deed::Make, Deed::Make], "it begins in a quarter of an hour");
        pool.hours.start_ahead_minutes = 13;
        assert_eq!(asks(&pool, &[]), []);
        pool.hours.peaks = peaks("thu 02:00-18:00 UTC");
        assert_eq!(asks(&pool, &[]), [Deed::Make, Deed::Make]);
        pool.hours.holidays = [oriel_model::holiday("1970-01-01").unwrap()].into();
        assert_eq!(asks(&pool, &[]), []);
        // Spares of a dedicated pool are off, and kept.
        let mut kept = self::pool(PoolKind::Dedicated, "default");
        kept.hours = PoolHours { off_peak: "stopped=1".parse().unwrap(), ..pool.hours };
        assert_eq!(asks(&kept, &[]), [Deed::Make]);
    }

    #[test]
    fn who_left_waits_as_the_hour_says() {
        let mut pool = pool(PoolKind::Floating, "return=30");
        pool.hours.peaks = vec!["thu 08:00-18:00 UTC".parse().unwrap()];
        pool.hours.off_peak = "return=5".parse().unwrap();
        let seat = Seat { since: Micros(0), seen: Micros(0) };
        let left = |ago: i64| Some(NOW.plus_seconds(-ago));
        assert!(is_gone(&pool, seat, left(300), NOW) && !is_gone(&pool, seat, left(299), NOW));
        pool.hours.peaks = vec!["thu 02:00-18:00 UTC".parse().unwrap()];
        assert!(is_gone(&pool, seat, left(1800), NOW) && !is_gone(&pool, seat, left(1799), NOW));
    }

    #[test]
    fn a_desktop_without_anybody_in_it_is_shut_down_and_stays_theirs() {
        for kind in [PoolKind::Dedicated, PoolKind::Floating] {
            let mut pool = pool(kind, "return=60");
            let one = seated(&pool, NOW.plus_seconds(-2000));
            let after = |pool: &Pool, one: &Desktop, ago: i64| {
                let there = BTreeMap::from([(one.id, NOW.plus_seconds(-ago))]);
                decide(pool, std::slice::from_ref(one), &there, 0, NOW)
            };
            assert_eq!(after(&pool, &one, 1800), [], "never, where nobody says so");
            pool.leaving = "shut_down=30".parse().unwrap();
            assert_eq!(after(&pool, &one, 1800), [Deed::ShutDown(one.id)], "{kind:?}");
            assert_eq!(after(&pool, &one, 1799), []);
            assert_eq!(after(&pool, &one, -60), [], "somebody is there");
            let mut fresh = one.clone();
            fresh.facts.ready = Some(NOW.plus_seconds(-100));
            assert_eq!(after(&pool, &fresh, 1800), [], "it was just started for somebody");
            // Off already, or on its way.
            for state in [DesktopState::Stopped, DesktopState::Starting, DesktopState::InUse] {
                let other = Desktop { state, ..one.clone() };
                assert_eq!(after(&pool, &other, 1800), [], "{state:?}");
            }
            let spare = Desktop { owner: None, facts: DesktopFacts::default(), ..one.clone() };
            assert!(!after(&pool, &spare, 1800).contains(&Deed::ShutDown(spare.id)), "a spare is nobody's");
            // Off peak it takes less.
            pool.hours.peaks = vec!["thu 08:00-18:00 UTC".parse().unwrap()];
            pool.leaving.off_peak = Some("shut_down=5".parse().unwrap());
            assert_eq!(after(&pool, &one, 300), [Deed::ShutDown(one.id)]);
        }
    }

    #[test]
    fn each_kind_does_with_what_was_left_as_it_says() {
        let long_ago = Micros(0);
        for (kind, taken) in [(PoolKind::Floating, true), (PoolKind::Ephemeral, true), (PoolKind::Dedicated, false)] {
            let pool = pool(kind, "min=1");
            let one = seated(&pool, long_ago);
            assert_eq!(asks(&pool, std::slice::from_ref(&one)).contains(&Deed::TakeBack(one.id)), taken, "{kind:?}");
        }
        // A free one that somebody was in.
        let pool = pool(PoolKind::Floating, "running=1");
        let one = desktop(&pool, DesktopState::Ready);
        let touched = BTreeMap::from([(one.id, NOW)]);
        assert_eq!(decide(&pool, std::slice::from_ref(&one), &touched, 0, NOW), [Deed::Wipe(one.id)]);
    }

    fn place_counts(counts: &[(&Desktop, u32)]) -> BTreeMap<DesktopId, u32> {
        counts.iter().map(|(host, people)| (host.id, *people)).collect()
    }

    #[test]
    fn spares_of_session_hosts_are_places() {
        let pool = pool(PoolKind::SessionHost, "running=5,sessions=4,parallel=9");
        let asks = |hosts: &[Desktop], on: &BTreeMap<DesktopId, u32>| decide_hosts(&pool, hosts, on, NOW);
        assert_eq!(asks(&[], &BTreeMap::new()), [Deed::Make, Deed::Make], "five places are on two hosts");
        let host = || desktop(&pool, DesktopState::Ready);
        let two = [host(), host()];
        assert_eq!(asks(&two, &place_counts(&[(&two[0], 3)])), [], "five are free");
        assert_eq!(asks(&two, &place_counts(&[(&two[0], 4)])), [Deed::Make], "four are");
        // One that is off is started first.
        let off = [two[0].clone(), desktop(&pool, DesktopState::Stopped)];
        assert_eq!(asks(&off, &place_counts(&[(&off[0], 1)])), [Deed::Start(off[1].id)]);
        // An empty one too many goes, and none with somebody on it.
        let three = [host(), host(), host()];
        assert_eq!(asks(&three, &BTreeMap::new()), [Deed::Delete(three[2].id)]);
        let on = place_counts(&[(&three[2], 1)]);
        assert_eq!(asks(&three, &on), [Deed::Delete(three[1].id)]);
    }

    #[test]
    fn stock_and_least_size_of_session_hosts() {
        let pool = pool(PoolKind::SessionHost, "min=2,stopped=1,sessions=4,parallel=9");
        let asks = |hosts: &[Desktop]| decide_hosts(&pool, hosts, &BTreeMap::new(), NOW);
        assert_eq!(asks(&[]), [Deed::Make, Deed::Make]);
        let two = [desktop(&pool, DesktopState::Ready), desktop(&pool, DesktopState::Ready)];
        assert_eq!(asks(&two), [Deed::Stop(two[1].id), Deed::Stop(two[0].id)]);
        let off = [desktop(&pool, DesktopState::Stopped), desktop(&pool, DesktopState::Stopped)];
        assert_eq!(asks(&off), [], "two there always are");
    }

    #[test]
    fn a_drained_host_waits_for_people_until_the_deadline() {
        let pool = pool(PoolKind::Floating, "running=2,return=5");
        let (idle, off) = (desktop(&pool, DesktopState::Ready), desktop(&pool, DesktopState::Stopped));
        let visited = desktop(&pool, DesktopState::Ready);
        let used = seated(&pool, NOW);
        let all = [idle.clone(), off, visited.clone(), used.clone()];
        let there = BTreeMap::from([(visited.id, NOW.plus_seconds(30)), (used.id, NOW.plus_seconds(30))]);
        let on = BTreeMap::new();
        let deeds = decide_drained(&pool, &all, &there, &on, false, NOW);
        assert_eq!(deeds, [Deed::Stop(idle.id)], "nothing is made, and nobody is thrown out");
        let deeds = decide_drained(&pool, &all, &there, &on, true, NOW);
        assert_eq!(deeds, [idle.id, visited.id, used.id].map(Deed::Force));
        // Who has left has left, as always: it is wiped when the host is open again.
        let later = NOW.plus_seconds(3600);
        let deeds = decide_drained(&pool, &[visited.clone(), used.clone()], &there, &on, false, later);
        assert_eq!(deeds, [Deed::Wipe(visited.id), Deed::TakeBack(used.id)]);
    }

    #[test]
    fn a_draining_host_is_made_anew_when_the_last_one_has_left() {
        let pool = pool(PoolKind::SessionHost, "sessions=4");
        let mut host = desktop(&pool, DesktopState::InUse);
        host.facts.draining = true;
        let hosts = [host.clone()];
        assert_eq!(decide_hosts(&pool, &hosts, &place_counts(&[(&host, 1)]), NOW), []);
        assert_eq!(decide_hosts(&pool, &hosts, &BTreeMap::new(), NOW), [Deed::Refresh(host.id)]);
        assert!(hosts_in_order(&pool, hosts.to_vec(), &BTreeMap::new()).is_empty(), "it takes nobody");
    }

    #[test]
    fn the_rule_says_which_host_is_given() {
        let hosts = |pool: &Pool| [desktop(pool, DesktopState::Ready), desktop(pool, DesktopState::Ready)];
        for (rule, chosen) in [("sessions=3", 0), ("sessions=3,fill", 1)] {
            let pool = pool(PoolKind::SessionHost, rule);
            let mut all = hosts(&pool).to_vec();
            let on = place_counts(&[(&all[0], 1), (&all[1], 2)]);
            let (full, off) = (desktop(&pool, DesktopState::Ready), desktop(&pool, DesktopState::Stopped));
            let on: BTreeMap<DesktopId, u32> = on.into_iter().chain([(full.id, 3)]).collect();
            let expected = [all[chosen].id, all[1 - chosen].id, off.id];
            all.extend([full, off]);
            let order: Vec<DesktopId> = hosts_in_order(&pool, all, &on).iter().map(|one| one.id).collect();
            assert_eq!(order, expected, "{rule}: and never the full one");
        }
    }
}
