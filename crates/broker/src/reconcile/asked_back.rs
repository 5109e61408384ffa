//! Who sits on a desktop that somebody else has booked: until when they may stay. They are told in the viewer, and led out before the
//! booking begins; what they leave is wiped like everything that was somebody's.

use super::gpu_turn::Plan;
use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{
    Booking, Desktop, DesktopId, DesktopIntent, DesktopState, Maintenance, MaintenanceOf, Micros, Pool,
    START_AHEAD_MINUTES_MAX, Seat, UserId,
};
use oriel_store::StoreError;
use std::collections::BTreeMap;

/// Bookings are looked at so many minutes before they begin, or as many as the pool starts desktops ahead, if that is more.
const LOOK_MINUTES: u32 = 15;
/// A desktop is led out of a third of the pool's start-ahead before the booking begins, and at most so long: it is wiped meanwhile.
const WIPE_SECONDS_MAX: i64 = 5 * 60;
/// Whoever sits there has at least so long from when the booking was made, and from when the last place was taken.
const WARNED_SECONDS: i64 = 5 * 60;

/// How long ahead bookings of a pool are looked at, in minutes.
pub(super) fn ahead_minutes(pool: &Pool) -> u32 {
    pool.hours.start_ahead_minutes.max(LOOK_MINUTES)
}

/// Whether nobody new gets in, or nothing starts where the pool's desktops stand: then nobody has to leave for others.
pub(super) fn takes_nobody(pool: &Pool, closed: &[Maintenance]) -> bool {
    closed.iter().any(|one| one.of == MaintenanceOf::Pool(pool.id) || one.of == MaintenanceOf::place_of(pool))
}

/// Which desktops are asked back, and by when they must be left. `bookings` have begun or do so within [`ahead_minutes`], by when they
/// begin; those of people who have no desktop of the pool need one.
///
/// Whoever has a desktop for longest without having booked it goes first; whoever booked it stays until their own booking is over.
/// Desktops that administrators made for somebody are left alone.
pub(super) fn asked_back(pool: &Pool, desktops: &[Desktop], bookings: &[Booking]) -> BTreeMap<DesktopId, Micros> {
    let mut asked = BTreeMap::new();
    if !pool.kind.is_shared() || bookings.is_empty() {
        return asked;
    }
    let owned: Vec<&Desktop> =
        desktops.iter().filter(|one| one.owner.is_some() && one.intent != DesktopIntent::Deleted).collect();
    let has = |user: UserId| owned.iter().any(|one| one.owner == Some(user));
    let mut waiting: Vec<&Booking> = Vec::new();
    for one in bookings {
        if !has(one.user) && waiting.iter().all(|other| other.user != one.user) {
            waiting.push(one);
        }
    }
    let own_until =
        |user: Option<UserId>| bookings.iter().filter(|one| Some(one.user) == user).map(|one| one.span.to).max();
    let mut sitters: Vec<(Option<Micros>, Micros, DesktopId)> = owned
        .iter()
        .filter(|one| !matches!(one.intent, DesktopIntent::Recycle | DesktopIntent::Capture))
        .filter_map(|one| Some((own_until(one.owner), one.facts.seat?.since, one.id)))
        .collect();
    sitters.sort_unstable();
    // Until then there was room for one more, and nobody was told anything.
    let full_since = sitters.iter().filter(|(until, ..)| until.is_none()).map(|(_, since, _)| *since).max();
    let told = full_since.map_or(Micros(0), |since| since.plus_seconds(WARNED_SECONDS));
    let mut sitters = sitters.into_iter().peekable();
    let wipe = (i64::from(pool.hours.start_ahead_minutes) * 60 / 3).min(WIPE_SECONDS_MAX);
    let free = (pool.desktops_max as usize).saturating_sub(owned.len());
    for booking in waiting.into_iter().skip(free) {
        let begins = booking.span.from;
        let Some((until, _, id)) = sitters.next_if(|(until, ..)| until.is_none_or(|until| until <= begins)) else {
            continue;
        };
        let by = begins.plus_seconds(-wipe).max(booking.created.plus_seconds(WARNED_SECONDS)).max(told);
        asked.insert(id, until.map_or(by, |until| by.max(until)));
    }
    asked
}

/// Those of all pools, and those that hold something of a card whose turn ends. Of pools in maintenance nobody is, as nobody is led out
/// of them for others.
pub(super) async fn everywhere(broker: &Broker) -> Result<BTreeMap<DesktopId, Micros>, BrokerError> {
    let (store, moment) = (&broker.inner.store, now());
    let closed = store.maintenances().await?;
    let pools = store.pools_with_bookings(moment, START_AHEAD_MINUTES_MAX).await?;
    let mut asked = Plan::read(broker).await?.leaving_everywhere(broker, &closed, moment).await?;
    let open = |pool: &Pool| !takes_nobody(pool, &closed);
    for pool in store.pools_named(&pools).await?.into_iter().filter(open) {
        let coming = store.coming_bookings(pool.id, moment, ahead_minutes(&pool)).await?;
        if !coming.is_empty() {
            let desktops = store.desktops_in_pool(pool.id).await?;
            for (id, by) in asked_back(&pool, &desktops, &coming) {
                let soonest = asked.entry(id).or_insert(by);
                *soonest = by.min(*soonest);
            }
        }
    }
    Ok(asked)
}

/// Takes a desktop from whoever was asked for it until now, with what is to become of it. Answers whether it was taken.
pub(super) async fn lead_out(
    broker: &Broker,
    pool: &Pool,
    desktop: &Desktop,
    intent: DesktopIntent,
) -> Result<bool, BrokerError> {
    // One that is on its way somewhere is taken when it has got there.
    let rests = matches!(
        desktop.state,
        DesktopState::Ready | DesktopState::InUse | DesktopState::Stopped | DesktopState::Failed
    );
    let Some(sat) = desktop.facts.seat.filter(|_| rests) else { return Ok(false) };
    // Whoever got it since was not asked.
    let is_same = |seat: Seat, _: Option<Micros>| seat.since == sat.since;
    match broker.inner.store.take_back(desktop.id, now(), intent, is_same).await {
        Ok(taken) => {
            if taken {
                broker.wake_desktop(desktop.id);
                tracing::info!(desktop = %desktop.name, pool = %pool.name, "Desktop taken back for others, who booked it or its card");
            }
            Ok(taken)
        }
        Err(StoreError::Missing { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use oriel_model::{
        BookingId, DesktopFacts, Hardware, Leaving, Network, PoolHours, PoolId, PoolKind, PoolSize, RecordingPolicy,
        SessionPolicy, Span,
    };

    /// 2026-11-18T11:06:40Z.
    const NOW: Micros = Micros(1_795_000_000_000_000);

    fn pool(desktops_max: u32, start_ahead_minutes: u32) -> Pool {
        Pool {
            id: PoolId::new(),
            name: "floor".parse().unwrap(),
            kind: PoolKind::Floating,
            image: None,
            vcpus: 1,
            memory_mib: 1,
            disk_gib: 1,
            network: Network::User,
            desktops_max,
            keyboard: "us".into(),
            gpu: None,
            hardware: Hardware::default(),
            recording: RecordingPolicy::Off,
            policy: SessionPolicy::default(),
            size: PoolSize::default(),
            hours: PoolHours { start_ahead_minutes, ..PoolHours::default() },
            leaving: Leaving::default(),
            cloud: None,
            personal_disk: None,
            created: Micros(0),
        }
    }

    /// Somebody's since so many minutes ago.
    fn sat(pool: &Pool, user: UserId, ago: i64) -> Desktop {
        let since = NOW.plus_seconds(-60 * ago);
        Desktop {
            id: DesktopId::new(),
            name: "floor-1".parse().unwrap(),
            pool: pool.id,
            owner: Some(user),
            intent: DesktopIntent::Running,
            state: DesktopState::InUse,
            failure: None,
            step: None,
            generation: 1,
            host: None,
            port_base: None,
            facts: DesktopFacts { seat: Some(Seat { since, seen: since }), ..DesktopFacts::default() },
            external: None,
            created: Micros(0),
            changed: Micros(0),
        }
    }

    /// Minutes from now; it was made an hour ago.
    fn booking(pool: &Pool, user: UserId, from: i64, to: i64) -> Booking {
        let span = Span { from: NOW.plus_seconds(60 * from), to: NOW.plus_seconds(60 * to) };
        let created = NOW.plus_seconds(-3600);
        let (priority, firm_from, displaced) = (0, created, None);
        Booking { id: BookingId::new(), pool: pool.id, user, span, priority, firm_from, displaced, created }
    }

    fn by(minutes: i64) -> Micros {
        NOW.plus_seconds(60 * minutes)
    }

    #[test]
    fn whoever_sits_longest_without_a_booking_is_asked_when_no_place_is_left() {
        let floor = pool(2, 15);
        let [ada, bob, eve, mia] = [(); 4].map(|()| UserId::new());
        let desktops = [sat(&floor, ada, 60), sat(&floor, bob, 90)];
        let asked = |of: &[Booking]| asked_back(&floor, &desktops, of);
        assert!(asked(&[]).is_empty());
        assert!(asked(&[booking(&floor, ada, 10, 60)]).is_empty(), "they have one");
        let of_eve = booking(&floor, eve, 10, 60);
        assert_eq!(asked(std::slice::from_ref(&of_eve)), [(desktops[1].id, by(5))].into(), "wiped until it begins");
        let both = [of_eve.clone(), booking(&floor, mia, 12, 60)];
        assert_eq!(asked(&both), [(desktops[1].id, by(5)), (desktops[0].id, by(7))].into());
        // One person is one desktop, and one free place is one less.
        assert_eq!(asked(&[of_eve.clone(), booking(&floor, eve, 70, 90)]).len(), 1);
        assert!(asked_back(&floor, &desktops[..1], std::slice::from_ref(&of_eve)).is_empty());
        assert_eq!(asked_back(&floor, &desktops[..1], &both), [(desktops[0].id, by(7))].into());
        // What an administrator made for somebody is left alone.
        let mut given = desktops.clone();
        for one in &mut given {
            one.facts.seat = None;
        }
        assert!(asked_back(&floor, &given, std::slice::from_ref(&of_eve)).is_empty());
    }

    #[test]
    fn nobody_is_led_out_unwarned_or_of_what_they_booked() {
        let [ada, eve] = [(); 2].map(|()| UserId::new());
        let floor = pool(1, 15);
        let desktops = [sat(&floor, ada, 60)];
        let when = |floor: &Pool, of: &[Booking]| asked_back(floor, &desktops, of).get(&desktops[0].id).copied();
        let just_made = Booking { created: NOW, ..booking(&floor, eve, 2, 60) };
        assert_eq!(when(&floor, &[just_made]), Some(by(5)), "five minutes from when it was made");
        let in_turn = [booking(&floor, ada, -60, 10), booking(&floor, eve, 10, 60)];
        assert_eq!(when(&floor, &in_turn), Some(by(10)), "their own lasts until then");
        let longer = [booking(&floor, ada, -60, 20), booking(&floor, eve, 10, 60)];
        assert_eq!(when(&floor, &longer), None, "the pool became smaller meanwhile");
        assert_eq!(when(&pool(1, 0), &[booking(&floor, eve, 10, 60)]), Some(by(10)), "nothing is made ahead");
        // Somebody took the last place just before.
        let two = pool(2, 0);
        let full = [sat(&two, ada, 60), sat(&two, UserId::new(), 0)];
        assert_eq!(asked_back(&two, &full, &[booking(&two, eve, 1, 60)]), [(full[0].id, by(5))].into());
        assert_eq!(ahead_minutes(&pool(1, 0)), 15);
        let closed = |of| Maintenance { of, reason: String::new(), since: NOW, deadline: None, force: false };
        assert!(!takes_nobody(&floor, &[closed(MaintenanceOf::Pool(PoolId::new()))]));
        assert!(takes_nobody(&floor, &[closed(MaintenanceOf::Pool(floor.id))]));
        assert!(takes_nobody(&floor, &[closed(MaintenanceOf::Host)]), "it stands there");
    }
}
