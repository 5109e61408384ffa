//! Keeps pools at their size, and takes back what people have left.

use super::{
    Again, Reconciler, Round, asked_back,
    gpu_turn::Plan,
    rollout::{self, Look, Move},
    upkeep::{Deed, budget, decide, decide_drained, decide_hosts, is_gone, is_unused, unused_seconds},
};
use crate::clock::now;
use crate::farewell::Farewell;
use crate::{Broker, BrokerError, NewDesktop, seat::PRESENCE_SECONDS};
use async_trait::async_trait;
use oriel_model::{
    AuditDeed, Desktop, DesktopId, DesktopIntent, ImageId, Maintenance, MaintenanceOf, Micros, Pool, PoolId, PoolKind,
    ROLLOUT_FAILURES_MAX, Rollout, RolloutState, UserId,
};
use oriel_store::StoreError;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Pools are all looked at so often, and a second more rarely for every so many desktops; in between those of which something was heard.
const ALL_SECONDS: i64 = 10;
const DESKTOPS_PER_SECOND: i64 = 1000;

#[derive(Default)]
pub(super) struct Pools {
    all_after: Option<Micros>,
    /// Those that something was done for: there may be more.
    again: BTreeSet<PoolId>,
}

#[async_trait]
impl Reconciler for Pools {
    fn name(&self) -> &'static str {
        "pools"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn leads(&self) -> bool {
        true
    }

    fn forget(&mut self) {
        *self = Self::default();
    }

    async fn run(&mut self, broker: &Broker) -> Result<Round, BrokerError> {
        let moment = now();
        let store = &broker.inner.store;
        broker.tell_displaced().await?;
        let heard = broker.inner.reconcilers.heard.take_pools();
        self.again.extend(heard.some);
        let all = heard.all || self.all_after.is_none_or(|after| after <= moment);
        let pools = if all {
            self.all_after = None;
            store.pools().await?
        } else {
            store.pools_named(&self.again.iter().copied().collect::<Vec<_>>()).await?
        };
        let rollouts = store.open_rollouts().await?;
        let closed = store.maintenances().await?;
        let plan = Plan::read(broker).await?;
        let (mut done, mut desktops) = (0, 0);
        let kept = |pool: &&Pool| pool.kind != PoolKind::External;
        for pool in pools.iter().filter(kept) {
            let rollout = rollouts.iter().find(|one| one.pool == pool.id);
            let steps = keep(broker, pool, rollout, &closed, &plan, &mut desktops).await?;
            if steps == 0 {
                self.again.remove(&pool.id);
            } else {
                self.again.insert(pool.id);
            }
            done += steps;
        }
        if all {
            self.again.retain(|id| pools.iter().any(|pool| pool.id == *id));
            self.all_after = Some(moment.plus_seconds(ALL_SECONDS + desktops / DESKTOPS_PER_SECOND));
        } else {
            // Those that are gone.
            self.again.retain(|id| pools.iter().any(|pool| pool.id == *id && pool.kind != PoolKind::External));
        }
        let summary = if done == 0 { "pools are as they shall be".to_owned() } else { format!("steps taken: {done}") };
        Ok(Round { again: if done > 0 { Again::Soon } else { Again::Later }, summary })
    }
}

/// A pool of session hosts: gives places back that people have left, and keeps as many free as there shall be.
async fn keep_hosts(
    broker: &Broker,
    pool: &Pool,
    rollout: Option<&Rollout>,
    drain: Option<&Maintenance>,
    desktops: &mut i64,
) -> Result<u32, BrokerError> {
    let store = &broker.inner.store;
    let mut done = 0;
    let moment = now();
    // Who is connected through this program is there, even where it slept for longer than its word in the database holds.
    let here = crate::place::people_here(broker);
    for place in store.places_in(pool.id).await? {
        let gone = |seat, until| is_gone(pool, seat, until, moment);
        if here.contains(&(place.user, place.desktop)) || !gone(place.seat, place.until) {
            continue;
        }
        if !broker.lead().await? {
            return Ok(done);
        }
        match store.take_back_place(place, gone).await {
            Ok(taken) => {
                done += u32::from(taken);
                broker.wake_accounts();
            }
            // Its host has gone, and the place with it.
            Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let hosts = store.desktops_in_pool(pool.id).await?;
    *desktops += i64::try_from(hosts.len()).unwrap_or(i64::MAX);
    if pool.is_external() {
        return Ok(done);
    }
    let on = broker.places_on(pool.id).await?;
    let mut room = budget(pool, &hosts, moment);
    let deeds = match drain {
        Some(drain) => decide_drained(pool, &hosts, &here_until(broker, &hosts), &on, drain.is_forced(moment), moment),
        None => decide_hosts(pool, &hosts, &on, moment),
    };
    for deed in deeds {
        if !broker.lead().await? {
            return Ok(done);
        }
        if matches!(deed, Deed::Make | Deed::Start(_)) {
            room = room.saturating_sub(1);
        }
        done += u32::from(perform(broker, pool, deed).await?);
    }
    // What a roll-out drains takes people again when that has ended, or waits.
    let moving = rollout.filter(|rollout| rollout.is_moving(moment));
    let is_left = |host: &&Desktop| host.facts.drained_for.is_some_and(|to| moving.is_none_or(|it| it.to != to));
    for host in hosts.iter().filter(is_left) {
        if !broker.lead().await? {
            return Ok(done);
        }
        done += u32::from(set_drained(broker, host.id, None).await?);
    }
    // On a host in maintenance nothing is made anew.
    let Some(rollout) = rollout.filter(|_| drain.is_none()) else { return Ok(done) };
    let mut presence = store.presence_in(pool.id).await?;
    let until = moment.plus_seconds(PRESENCE_SECONDS);
    presence.extend(here.iter().map(|(_, host)| (*host, until)));
    let look = Look { pool, rollout, desktops: &hosts, presence: &presence, people: &on, now: moment };
    for one in rollout::decide(look, room) {
        if !broker.lead().await? {
            return Ok(done);
        }
        done += u32::from(go_on(broker, look, one).await?);
    }
    Ok(done)
}

/// Of these, the desktops that somebody is connected to through this program, and until when that holds.
fn here_until(broker: &Broker, own: &[Desktop]) -> BTreeMap<DesktopId, Micros> {
    let until = now().plus_seconds(PRESENCE_SECONDS);
    let here = broker.sessions().map(|sessions| sessions.connected()).unwrap_or_default();
    here.into_iter().filter(|id| own.iter().any(|one| one.id == *id)).map(|id| (id, until)).collect()
}

/// Lets a session host take nobody new for a roll-out to that version, or people again. Whoever drained it by hand is not overruled.
async fn set_drained(broker: &Broker, id: DesktopId, to: Option<ImageId>) -> Result<bool, BrokerError> {
    let mut done = false;
    let changed = broker.inner.store.modify_desktop(id, |row| {
        let is_by_hand = row.facts.draining && row.facts.drained_for.is_none();
        if matches!(row.intent, DesktopIntent::Running | DesktopIntent::Stopped) && !is_by_hand {
            done = row.facts.drained_for != to;
            (row.facts.draining, row.facts.drained_for) = (to.is_some(), to);
        }
    });
    match changed.await {
        Ok(_) => Ok(done),
        Err(StoreError::Missing { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// One pool. Answers how much was done; counts its desktops. `is_shut`: it lets nobody new in.
async fn keep(
    broker: &Broker,
    pool: &Pool,
    rollout: Option<&Rollout>,
    closed: &[Maintenance],
    plan: &Plan,
    desktops: &mut i64,
) -> Result<u32, BrokerError> {
    let drain = closed.iter().find(|one| one.of == MaintenanceOf::place_of(pool));
    if pool.kind == PoolKind::SessionHost {
        return keep_hosts(broker, pool, rollout, drain, desktops).await;
    }
    let store = &broker.inner.store;
    // Who is where first: whoever comes meanwhile holds the row that a deed looks at once more.
    let mut presence = store.presence_in(pool.id).await?;
    let own = store.desktops_in_pool(pool.id).await?;
    // Who is connected through this program is there, even where it slept for longer than its word in the database holds.
    presence.extend(here_until(broker, &own));
    if let Some(drain) = drain {
        return let_go(broker, pool, (own.as_slice(), &presence), drain, desktops).await;
    }
    let moment = now();
    let coming = store.coming_bookings(pool.id, moment, asked_back::ahead_minutes(pool)).await?;
    let ahead = moment.plus_seconds(i64::from(pool.hours.start_ahead_minutes) * 60);
    let booked = coming.iter().filter(|booking| booking.span.from <= ahead);
    let has = |user: UserId| own.iter().any(|one| one.owner == Some(user) && one.intent != DesktopIntent::Deleted);
    let waiting: BTreeSet<UserId> = booked.map(|booking| booking.user).filter(|user| !has(*user)).collect();
    *desktops += i64::try_from(own.len()).unwrap_or(i64::MAX);
    let mut done = 0;
    // Whoever booked does not get in while the pool is closed.
    let asked = if asked_back::takes_nobody(pool, closed) {
        BTreeMap::new()
    } else {
        asked_back::asked_back(pool, &own, &coming)
    };
    for one in own.iter().filter(|one| asked.get(&one.id).is_some_and(|by| *by <= moment)) {
        if !broker.lead().await? {
            return Ok(done);
        }
        done += u32::from(asked_back::lead_out(broker, pool, one, intent_of_left(pool)).await?);
    }
    done += clear(broker, pool, &own, &plan.leaving(pool, &own, moment)).await?;
    if done > 0 {
        // What else there is to do is seen at the next look, which comes soon.
        return Ok(done);
    }
    let is_closed = plan.is_closed_to(pool.id, moment);
    let mut room = budget(pool, &own, moment);
    for deed in decide(pool, &own, &presence, waiting.len(), moment) {
        // Who leads may have changed since.
        if !broker.lead().await? {
            return Ok(done);
        }
        if matches!(deed, Deed::Make | Deed::Start(_)) {
            if is_closed {
                continue;
            }
            room = room.saturating_sub(1);
        }
        done += u32::from(perform(broker, pool, deed).await?);
    }
    let Some(rollout) = rollout.filter(|_| !is_closed) else { return Ok(done) };
    // What was just done is seen at the next look: a desktop that changed meanwhile is looked at once more while its row is held.
    let people = BTreeMap::new();
    let look = Look { pool, rollout, desktops: &own, presence: &presence, people: &people, now: moment };
    for one in rollout::decide(look, room) {
        if !broker.lead().await? {
            return Ok(done);
        }
        done += u32::from(go_on(broker, look, one).await?);
    }
    Ok(done)
}

/// Of a pool whose host is drained.
async fn let_go(
    broker: &Broker,
    pool: &Pool,
    (own, presence): (&[Desktop], &BTreeMap<DesktopId, Micros>),
    drain: &Maintenance,
    desktops: &mut i64,
) -> Result<u32, BrokerError> {
    *desktops += i64::try_from(own.len()).unwrap_or(i64::MAX);
    let (moment, mut done) = (now(), 0);
    for deed in decide_drained(pool, own, presence, &BTreeMap::new(), drain.is_forced(moment), moment) {
        if !broker.lead().await? {
            return Ok(done);
        }
        done += u32::from(perform(broker, pool, deed).await?);
    }
    Ok(done)
}

/// Frees cards whose turn ends, or is another pool's: `leaving` says by when what holds something of one must be off. Answers how much was
/// done. What an administrator made for somebody stays on, and the card waits for it.
async fn clear(
    broker: &Broker,
    pool: &Pool,
    own: &[Desktop],
    leaving: &BTreeMap<DesktopId, Micros>,
) -> Result<u32, BrokerError> {
    let (mut done, moment) = (0, now());
    for one in own.iter().filter(|one| leaving.get(&one.id).is_some_and(|by| *by <= moment)) {
        if !broker.lead().await? {
            return Ok(done);
        }
        done += u32::from(if one.owner.is_none() {
            set_free(broker, one.id, DesktopIntent::Stopped).await?
        } else {
            // Made anew it would want the card at once: whoever comes next gets another one.
            asked_back::lead_out(broker, pool, one, DesktopIntent::Deleted).await?
        });
    }
    Ok(done)
}

/// One step of a roll-out. Answers whether it was taken: others may have been first, or it was paused or cancelled since.
async fn go_on(broker: &Broker, look: Look<'_>, step: Move) -> Result<bool, BrokerError> {
    let (store, pool, seen) = (&broker.inner.store, look.pool, look.rollout);
    if let Move::Remake(id) | Move::Drain(id) = step {
        // It may have been paused or replaced by another one since it was read.
        let current = store.rollout(pool.id).await?;
        let Some(rollout) = current.filter(|current| is_same(current, seen) && current.state == seen.state) else {
            return Ok(false);
        };
        if matches!(step, Move::Drain(_)) {
            return Ok(rollout.is_moving(now()) && set_drained(broker, id, Some(rollout.to)).await?);
        }
        // Who is connected through this program may not have said so in the database yet.
        let here = look.presence.get(&id).copied();
        if let Some(desktop) = look.desktops.iter().find(|one| one.id == id)
            && here.is_some_and(|until| until > look.now)
            && broker.farewell(pool, desktop).await? != Farewell::Over
        {
            // It is looked at again soon.
            return Ok(true);
        }
        let may = |desktop: &Desktop, there: Option<Micros>| {
            rollout::may(Look { rollout: &rollout, now: now(), ..look }, desktop, there.max(here))
        };
        return match store.remake(id, rollout.to, now(), may).await {
            Ok(done) => {
                if done {
                    tracing::info!(desktop = %id, pool = %pool.name, "Desktop goes to another version");
                    broker.wake_desktop(id);
                }
                Ok(done)
            }
            Err(StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        };
    }
    let moment = look.now;
    let mut done = false;
    let changed = store.modify_rollout(pool.id, |rollout| {
        if !is_same(rollout, seen) || rollout.state != seen.state {
            return;
        }
        match &step {
            Move::Note(failures) => {
                for failure in failures {
                    let known = rollout
                        .failures
                        .iter()
                        .any(|other| other.desktop == failure.desktop && other.generation == failure.generation);
                    if !known && rollout.failures.len() < ROLLOUT_FAILURES_MAX {
                        rollout.failures.push(failure.clone());
                        done = true;
                    }
                }
            }
            Move::Stop(reason) => {
                rollout.reason = Some(reason.clone());
                rollout.state = RolloutState::Stopped;
                done = true;
            }
            // Paused since it was looked at.
            _ if rollout.is_paused => {}
            Move::Watch => {
                done = rollout.watched_since.is_none();
                rollout.watched_since.get_or_insert(moment);
            }
            Move::GoOn => {
                rollout.state = RolloutState::Rest;
                done = true;
            }
            Move::Finish => {
                rollout.state = RolloutState::Done;
                done = true;
            }
            Move::Remake(_) | Move::Drain(_) => {}
        }
    });
    match changed.await {
        Ok(rollout) => {
            if done {
                if let Move::Stop(reason) = &step {
                    broker.audit(stopped(pool)).await?;
                    tracing::warn!(pool = %pool.name, reason, "Roll-out stopped by itself");
                } else {
                    tracing::info!(pool = %pool.name, state = rollout.state.word(), "Roll-out moved on");
                }
            }
            Ok(done)
        }
        Err(StoreError::Missing { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Nobody asked for it: it is told all the same.
fn stopped(pool: &Pool) -> AuditDeed {
    AuditDeed {
        actor_name: "oriel".to_owned(),
        via: "nobody".to_owned(),
        action: "stop_rollout".to_owned(),
        target: format!("/pools/{}/rollout", pool.name),
        outcome: 200,
        code: "too_many_failed".to_owned(),
        ..AuditDeed::default()
    }
}

/// Whether it is the one that was looked at.
fn is_same(one: &Rollout, seen: &Rollout) -> bool {
    (one.from, one.to, one.created) == (seen.from, seen.to, seen.created)
}

/// What becomes of a desktop that its person has left.
fn intent_of_left(pool: &Pool) -> DesktopIntent {
    match pool.kind {
        PoolKind::Ephemeral => DesktopIntent::Deleted,
        _ => DesktopIntent::Recycle,
    }
}

/// Answers whether it was done: others may have been first.
async fn perform(broker: &Broker, pool: &Pool, deed: Deed) -> Result<bool, BrokerError> {
    match deed {
        Deed::Make => {
            let new = NewDesktop { pool: pool.clone(), owner: None, name: None };
            match broker.make_desktop(new, None).await {
                Ok(_) => Ok(true),
                // Its host may be drained since it was looked at.
                Err(
                    BrokerError::Store(StoreError::PoolFull { .. }) | BrokerError::Conflict { code: "host_drains", .. },
                ) => Ok(false),
                Err(error) => Err(error),
            }
        }
        Deed::Stop(id) if pool.kind == PoolKind::SessionHost => {
            set_empty(broker, id, DesktopIntent::Stopped, |_| true).await
        }
        Deed::Delete(id) if pool.kind == PoolKind::SessionHost => {
            set_empty(broker, id, DesktopIntent::Deleted, |_| true).await
        }
        Deed::Refresh(id) => set_empty(broker, id, DesktopIntent::Recycle, |host| host.facts.draining).await,
        Deed::Force(id) => shut_down(broker, pool, id).await,
        Deed::Start(id) => set_free(broker, id, DesktopIntent::Running).await,
        Deed::Stop(id) => set_free(broker, id, DesktopIntent::Stopped).await,
        Deed::Delete(id) => set_free(broker, id, DesktopIntent::Deleted).await,
        Deed::Wipe(id) => match broker.inner.store.wipe_touched(id, now()).await {
            Err(StoreError::Missing { .. }) => Ok(false),
            wiped => {
                broker.wake_desktop(id);
                Ok(wiped?)
            }
        },
        Deed::ShutDown(id) => {
            let moment = now();
            let after = unused_seconds(pool, moment);
            let unused = |desktop: &Desktop, there| after.is_some_and(|after| is_unused(desktop, there, after, moment));
            match broker.inner.store.shut_down_unused(id, moment, unused).await {
                Ok(done) => {
                    if done {
                        broker.wake_desktop(id);
                        tracing::info!(desktop = %id, pool = %pool.name, "Unused desktop shut down");
                    }
                    Ok(done)
                }
                Err(StoreError::Missing { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }
        Deed::TakeBack(id) => {
            let intent = intent_of_left(pool);
            let moment = now();
            let gone = |seat, there| is_gone(pool, seat, there, moment);
            match broker.inner.store.take_back(id, moment, intent, gone).await {
                Ok(taken) => {
                    if taken {
                        broker.wake_desktop(id);
                        tracing::info!(desktop = %id, pool = %pool.name, "Desktop taken back");
                    }
                    Ok(taken)
                }
                Err(StoreError::Missing { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }
    }
}

/// Only of a session host on which nobody has a place: somebody may have got one since it was looked at.
async fn set_empty(
    broker: &Broker,
    id: DesktopId,
    intent: DesktopIntent,
    may: impl FnOnce(&Desktop) -> bool + Send,
) -> Result<bool, BrokerError> {
    match broker.inner.store.change_host(id, intent, now(), may).await {
        Ok(done) => {
            if done {
                broker.wake_desktop(id);
            }
            Ok(done)
        }
        Err(StoreError::Missing { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whoever is inside was told.
async fn shut_down(broker: &Broker, pool: &Pool, id: DesktopId) -> Result<bool, BrokerError> {
    // It may be extended, or over, since it was looked at.
    if !broker.drain_of(pool).await?.is_some_and(|drain| drain.is_forced(now())) {
        return Ok(false);
    }
    let mut done = false;
    let changed = broker.inner.store.modify_desktop(id, |row| {
        if matches!(row.intent, DesktopIntent::Running | DesktopIntent::Restart) {
            row.intent = DesktopIntent::Stopped;
            done = true;
        }
    });
    match changed.await {
        Ok(row) => {
            if done {
                tracing::info!(desktop = %row.name, pool = %pool.name, "The deadline of its host's maintenance is over: desktop shut down");
                broker.wake_desktop(id);
            }
            Ok(done)
        }
        Err(StoreError::Missing { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Only of one that is nobody's: somebody may have got it since it was looked at.
async fn set_free(broker: &Broker, id: DesktopId, intent: DesktopIntent) -> Result<bool, BrokerError> {
    let mut done = false;
    let changed = broker.inner.store.modify_desktop(id, |row| {
        if row.owner.is_none() && matches!(row.intent, DesktopIntent::Running | DesktopIntent::Stopped) {
            done = row.intent != intent;
            row.intent = intent;
        }
    });
    match changed.await {
        Ok(_) => {
            broker.wake_desktop(id);
            Ok(done)
        }
        Err(StoreError::Missing { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
