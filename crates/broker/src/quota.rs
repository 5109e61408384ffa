//! Quotas: the most that people may hold at the same time, and what they hold.

use crate::{Broker, BrokerError, clock::now, seat::PRESENCE_SECONDS};
use oriel_model::{
    Cap, Desktop, DesktopId, Micros, OverQuota, Pool, PoolId, Quota, QuotaKind, QuotaLimits, QuotaScope, User, UserId,
};
use oriel_store::StoreError;
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What somebody holds, and what limits it.
pub struct QuotaStanding {
    /// One for each kind that people and groups limit and somebody can hold.
    pub uses: Vec<QuotaUse>,
    /// Of pools that limit what one person may hold of them: those that they hold something of, or may.
    pub pools: Vec<PoolUse>,
}

pub struct QuotaUse {
    pub kind: QuotaKind,
    pub held: u64,
    /// None where no rule says anything.
    pub limit: Option<(Cap, QuotaScope)>,
}

pub struct PoolUse {
    pub pool: Pool,
    pub held: u64,
    pub cap: Cap,
}

/// Somebody's tabs in one desktop.
#[derive(Default)]
struct Tabs {
    count: usize,
    /// Until when it was said at most that they are there.
    said: Micros,
}

/// Who is in what through this program, in how many tabs.
#[derive(Default)]
pub(crate) struct Attending(Mutex<BTreeMap<(UserId, DesktopId), Tabs>>);

impl Attending {
    fn all(&self) -> MutexGuard<'_, BTreeMap<(UserId, DesktopId), Tabs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, of whom the database is told now that they are there until then.
    pub fn told(&self, until: Micros) -> BTreeSet<(UserId, DesktopId)> {
        let mut all = self.all();
        for tabs in all.values_mut() {
            tabs.said = tabs.said.max(until);
        }
        all.keys().copied().collect()
    }
}

/// Somebody's tab that is connected. It counts as long as this stands; [`Self::end`] says at once that they have left.
pub struct Attendance {
    broker: Broker,
    place: (UserId, DesktopId),
}

impl Attendance {
    /// It was closed.
    pub async fn end(self) {
        let (broker, place) = (self.broker.clone(), self.place);
        let said = broker.inner.attending.all().get(&place).map_or(Micros(0), |tabs| tabs.said);
        drop(self);
        if broker.inner.attending.all().contains_key(&place) {
            return;
        }
        // Whoever used a ticket up since is there in another tab, which comes in a moment. It is over soon by itself otherwise.
        if let Err(error) = broker.inner.store.leave(place.0, place.1, broker.program(), said).await {
            tracing::warn!(%error, user = %place.0, desktop = %place.1, "That somebody left is not written down");
        }
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let mut all = self.broker.inner.attending.all();
        if let Entry::Occupied(mut tabs) = all.entry(self.place) {
            tabs.get_mut().count = tabs.get().count.saturating_sub(1);
            if tabs.get().count == 0 {
                tabs.remove();
            }
        }
    }
}

impl Broker {
    /// All rules: everyone's first.
    pub async fn quotas(&self) -> Result<Vec<Quota>, BrokerError> {
        Ok(self.inner.store.quotas().await?)
    }

    /// Says what one of them limits, as a whole. Nobody loses what they have: the next is refused.
    ///
    /// Errors: invalid `bad_quota`; `Missing`.
    pub async fn set_quota(&self, scope: QuotaScope, limits: QuotaLimits) -> Result<Quota, BrokerError> {
        limits.check(scope).map_err(|text| BrokerError::invalid("bad_quota", text, "mend that, and send it again"))?;
        let quota = Quota { scope, limits };
        self.inner.store.put_quota(&quota).await?;
        Ok(quota)
    }

    /// It limits nothing from now on. Where it limited nothing is no error.
    pub async fn clear_quota(&self, scope: QuotaScope) -> Result<(), BrokerError> {
        Ok(self.inner.store.delete_quota(scope).await?)
    }

    /// What somebody holds at this moment, and what limits it.
    pub async fn quota_of(&self, user: &User) -> Result<QuotaStanding, BrokerError> {
        let store = &self.inner.store;
        let (rules, desktops, sessions, may, disks) = tokio::try_join!(
            store.quotas_for(user.id),
            store.desktops_of(user.id),
            store.attended_by(user.id, now()),
            store.pools_for(user.id),
            store.personal_disks_of(user.id)
        )?;
        let bookings = store.bookings(None, Some(user.id), crate::clock::now()).await?;
        let of_rules = rules.iter().filter_map(|rule| match rule.scope {
            QuotaScope::Pool(id) => Some(id),
            _ => None,
        });
        let ids: BTreeSet<PoolId> = desktops.iter().map(|one| one.pool).chain(of_rules).collect();
        let ids: Vec<PoolId> = ids.into_iter().collect();
        let pools: BTreeMap<PoolId, Pool> =
            store.pools_named(&ids).await?.into_iter().map(|pool| (pool.id, pool)).collect();
        let taken = |kind: QuotaKind, one: &Desktop| pools.get(&one.pool).map_or(0, |pool| kind.taken_by(one, pool));
        let of_people = QuotaKind::ALL.into_iter().filter(|kind| !kind.is_of_pools() && kind.is_held());
        // What a pool says of bookings there holds only there.
        let of_them: Vec<Quota> =
            rules.iter().filter(|rule| !matches!(rule.scope, QuotaScope::Pool(_))).cloned().collect();
        let uses = of_people
            .map(|kind| QuotaUse {
                kind,
                held: match kind {
                    QuotaKind::Sessions => sessions.len() as u64,
                    QuotaKind::DiskGib => disks.iter().map(|one| one.size_gib).fold(0, u64::saturating_add),
                    QuotaKind::Bookings => bookings.iter().filter(|one| one.stands()).count() as u64,
                    kind => desktops.iter().map(|one| taken(kind, one)).fold(0, u64::saturating_add),
                },
                limit: Quota::that_counts(&of_them, kind),
            })
            .collect();
        let mut uses_of_pools = Vec::new();
        for rule in &rules {
            let QuotaScope::Pool(id) = rule.scope else { continue };
            let (Some(pool), Some(cap)) = (pools.get(&id), rule.limits.0.get(&QuotaKind::PerPerson)) else { continue };
            let of_it = desktops.iter().filter(|one| one.pool == id);
            let held: u64 = of_it.map(|one| taken(QuotaKind::PerPerson, one)).sum();
            if held > 0 || may.iter().any(|one| one.id == id) {
                uses_of_pools.push(PoolUse { pool: pool.clone(), held, cap: *cap });
            }
        }
        uses_of_pools.sort_by(|one, other| one.pool.name.as_str().cmp(other.pool.name.as_str()));
        Ok(QuotaStanding { uses, pools: uses_of_pools })
    }

    /// Somebody's tab is connected from now on, by a ticket that was used up.
    pub fn attendance(&self, user: UserId, desktop: DesktopId) -> Attendance {
        let place = (user, desktop);
        let said = now().plus_seconds(PRESENCE_SECONDS);
        let mut all = self.inner.attending.all();
        let tabs = all.entry(place).or_default();
        tabs.count += 1;
        tabs.said = tabs.said.max(said);
        drop(all);
        Attendance { broker: self.clone(), place }
    }
}

impl BrokerError {
    /// As it is said to `user` themself, when it is about what they hold.
    #[must_use]
    pub fn said_to(self, user: &User) -> Self {
        match self {
            Self::Store(StoreError::OverQuota(over)) if over.person == user.name => Self::over_quota(&over),
            other => other,
        }
    }

    fn over_quota(over: &OverQuota) -> Self {
        Self::conflict("over_quota", over.what(true), over.next_step(true))
    }
}
