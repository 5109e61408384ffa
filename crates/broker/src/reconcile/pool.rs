//! Keeps pools at their size, and takes back what people have left.

use super::{
    Again, Reconciler, Round,
    upkeep::{Deed, decide, is_gone},
};
use crate::clock::now;
use crate::{Broker, BrokerError, NewDesktop, seat::PRESENCE_SECONDS};
use async_trait::async_trait;
use oriel_model::{DesktopId, DesktopIntent, Micros, Pool, PoolId, PoolKind};
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
        let (mut done, mut desktops) = (0, 0);
        for pool in pools.iter().filter(|pool| pool.kind != PoolKind::External) {
            let steps = keep(broker, pool, &mut desktops).await?;
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

/// One pool. Answers how much was done; counts its desktops.
async fn keep(broker: &Broker, pool: &Pool, desktops: &mut i64) -> Result<u32, BrokerError> {
    let store = &broker.inner.store;
    // Who is where first: whoever comes meanwhile holds the row that a deed looks at once more.
    let mut presence = store.presence_in(pool.id).await?;
    let own = store.desktops_in_pool(pool.id).await?;
    // Who is connected through this program is there, even where it slept for longer than its word in the database holds.
    let until = now().plus_seconds(PRESENCE_SECONDS);
    let here = broker.sessions().map(|sessions| sessions.connected()).unwrap_or_default();
    presence.extend(here.into_iter().filter(|id| own.iter().any(|one| one.id == *id)).map(|id| (id, until)));
    *desktops += i64::try_from(own.len()).unwrap_or(i64::MAX);
    let mut done = 0;
    for deed in decide(pool, &own, &presence, now()) {
        // Who leads may have changed since.
        if !broker.lead().await? {
            break;
        }
        done += u32::from(perform(broker, pool, deed).await?);
    }
    Ok(done)
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
