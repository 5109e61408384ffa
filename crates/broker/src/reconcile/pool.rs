//! Keeps pools at their size, and takes back what people have left.

use super::{
    Again, Reconciler, Round,
    rollout::{self, Look, Move},
    upkeep::{Deed, budget, decide, decide_hosts, is_gone, is_unused, unused_seconds},
};
use crate::clock::now;
use crate::farewell::Farewell;
use crate::{Broker, BrokerError, NewDesktop, seat::PRESENCE_SECONDS};
use async_trait::async_trait;
use oriel_model::{
    AuditDeed, Desktop, DesktopId, DesktopIntent, Micros, Pool, PoolId, PoolKind, ROLLOUT_FAILURES_MAX, Rollout,
    RolloutState, UserId,
};
use oriel_store::StoreError;
use std::{collections::BTreeSet, time::Duration};

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
        let (mut done, mut desktops) = (0, 0);
        let kept = |pool: &&Pool| pool.kind != PoolKind::External;
        for pool in pools.iter().filter(kept) {
            let rollout = rollouts.iter().find(|one| one.pool == pool.id);
            let steps = keep(broker, pool, rollout, &mut desktops).await?;
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
async fn keep_hosts(broker: &Broker, pool: &Pool, desktops: &mut i64) -> Result<u32, BrokerError> {
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
            Ok(taken) => done += u32::from(taken),
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
    for deed in decide_hosts(pool, &hosts, &on, moment) {
        if !broker.lead().await? {
            return Ok(done);
        }
        done += u32::from(perform(broker, pool, deed).await?);
    }
    Ok(done)
}

/// One pool. Answers how much was done; counts its desktops.
async fn keep(broker: &Broker, pool: &Pool, rollout: Option<&Rollout>, desktops: &mut i64) -> Result<u32, BrokerError> {
    if pool.kind == PoolKind::SessionHost {
        return keep_hosts(broker, pool, desktops).await;
    }
    let store = &broker.inner.store;
    // Who is where first: whoever comes meanwhile holds the row that a deed looks at once more.
    let mut presence = store.presence_in(pool.id).await?;
    let own = store.desktops_in_pool(pool.id).await?;
    // Who is connected through this program is there, even where it slept for longer than its word in the database holds.
    let until = now().plus_seconds(PRESENCE_SECONDS);
    let here = broker.sessions().map(|sessions| sessions.connected()).unwrap_or_default();
    presence.extend(here.into_iter().filter(|id| own.iter().any(|one| one.id == *id)).map(|id| (id, until)));
    let booked = store.due_bookings(pool, now()).await?;
    let has = |user: UserId| own.iter().any(|one| one.owner == Some(user) && one.intent != DesktopIntent::Deleted);
    let waiting: BTreeSet<UserId> = booked.iter().map(|booking| booking.user).filter(|user| !has(*user)).collect();
    *desktops += i64::try_from(own.len()).unwrap_or(i64::MAX);
    let mut done = 0;
    let moment = now();
    let mut room = budget(pool, &own, moment);
    for deed in decide(pool, &own, &presence, waiting.len(), moment) {
        // Who leads may have changed since.
        if !broker.lead().await? {
            return Ok(done);
        }
        if matches!(deed, Deed::Make | Deed::Start(_)) {
            room = room.saturating_sub(1);
        }
        done += u32::from(perform(broker, pool, deed).await?);
    }
    let Some(rollout) = rollout else { return Ok(done) };
    // What was just done is seen at the next look: a desktop that changed meanwhile is looked at once more while its row is held.
    let look = Look { pool, rollout, desktops: &own, presence: &presence, now: moment };
    for one in rollout::decide(look, room) {
        if !broker.lead().await? {
            return Ok(done);
        }
        done += u32::from(go_on(broker, look, one).await?);
    }
    Ok(done)
}

/// One step of a roll-out. Answers whether it was taken: others may have been first, or it was paused or cancelled since.
async fn go_on(broker: &Broker, look: Look<'_>, step: Move) -> Result<bool, BrokerError> {
    let (store, pool, seen) = (&broker.inner.store, look.pool, look.rollout);
    if let Move::Remake(id) = step {
        // It may have been paused or replaced by another one since it was read.
        let current = store.rollout(pool.id).await?;
        let Some(rollout) = current.filter(|current| is_same(current, seen) && current.state == seen.state) else {
            return Ok(false);
        };
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
            Move::Remake(_) => {}
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

/// Answers whether it was done: others may have been first.
async fn perform(broker: &Broker, pool: &Pool, deed: Deed) -> Result<bool, BrokerError> {
    match deed {
        Deed::Make => {
            let new = NewDesktop { pool: pool.clone(), owner: None, name: None };
            match broker.make_desktop(new, None).await {
                Ok(_) => Ok(true),
                Err(BrokerError::Store(StoreError::PoolFull { .. })) => Ok(false),
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
            let intent = match pool.kind {
                PoolKind::Ephemeral => DesktopIntent::Deleted,
                _ => DesktopIntent::Recycle,
            };
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
