//! Hosts, clouds and pools that take nothing new for a while.
//!
//! A host that is drained gets no new desktop, and nothing that is off starts there; what runs for nobody is switched off, and who is
//! inside is told ([`crate::reconcile`]'s `maintenance`) and may stay until the deadline, if that is one that forces. Desktops of Oriel's
//! own host cannot go elsewhere: their disks are there. A pool in maintenance runs on, and lets nobody new in.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{
    Cloud, Desktop, DesktopId, DesktopIntent, DesktopState, MAINTENANCE_SECONDS_MAX, Maintenance, MaintenanceOf, Name,
    Permission, Pool, PoolId, PoolKind, TokenScope, User, UserId, maintenance_reason,
};
use oriel_store::seam::{Plant, planted};
use std::collections::{BTreeMap, BTreeSet};

/// What an administrator asks of a host.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    /// What people are told; may be empty.
    pub reason: String,
    /// Until when whoever is inside should have left, from now, in seconds.
    pub deadline_seconds: Option<i64>,
    /// What still runs then is shut down.
    pub force: bool,
}

/// A host, or a cloud, and what stands on it.
#[derive(Clone, Debug)]
pub struct HostStanding {
    /// What it is called: the host's name, or `cloud:NAME`.
    pub name: String,
    pub of: MaintenanceOf,
    pub maintenance: Option<Maintenance>,
    /// What stands there, without what is being deleted; by name.
    pub desktops: Vec<Tenant>,
}

/// A desktop that stands on a host.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: DesktopId,
    pub name: Name,
    pub pool: Name,
    pub state: DesktopState,
    /// Who is inside; of a desktop that is nobody's, whoever looks into it has no name.
    pub inside: Vec<String>,
    pub is_used: bool,
    pub fate: Fate,
}

/// What draining its host means for a desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is off, or not made yet, and stays so.
    StaysOff,
    /// It runs for nobody: it is switched off.
    SwitchedOff,
    /// It runs for somebody: until they leave, or until a deadline that forces.
    Waits,
}

impl Fate {
    fn of(desktop: &Desktop, is_used: bool, places: u32) -> Self {
        let runs = matches!(
            desktop.state,
            DesktopState::Starting
                | DesktopState::Ready
                | DesktopState::InUse
                | DesktopState::Stopping
                | DesktopState::Unreachable
        );
        if !runs {
            Self::StaysOff
        } else if desktop.owner.is_some() || is_used || places > 0 {
            Self::Waits
        } else {
            Self::SwitchedOff
        }
    }
}

impl Broker {
    /// All hosts: Oriel's own, and clouds by name; with what stands there.
    pub async fn hosts(&self) -> Result<Vec<HostStanding>, BrokerError> {
        let store = &self.inner.store;
        let (clouds, pools, closed) = (store.clouds().await?, store.pools().await?, store.maintenances().await?);
        let users: BTreeMap<UserId, String> =
            store.users().await?.into_iter().map(|user| (user.id, user.name)).collect();
        let used = self.used().await?;
        let own = (self.inner.compute.name().to_owned(), MaintenanceOf::Host);
        let clouds = clouds.iter().map(|cloud| (cloud.host(), MaintenanceOf::Cloud(cloud.id)));
        let mut hosts = Vec::new();
        for (name, of) in std::iter::once(own).chain(clouds) {
            let mut desktops = Vec::new();
            for pool in pools.iter().filter(|pool| !pool.is_external() && MaintenanceOf::place_of(pool) == of) {
                desktops.extend(self.tenants(pool, &used, &users).await?);
            }
            desktops.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
            let maintenance = closed.iter().find(|one| one.of == of).cloned();
            hosts.push(HostStanding { name, of, maintenance, desktops });
        }
        Ok(hosts)
    }

    /// One of them, by name, `host` for Oriel's own. Errors: `Missing`.
    pub async fn find_host(&self, key: &str) -> Result<HostStanding, BrokerError> {
        let of = self.host_named(key).await?;
        let all = self.hosts().await?;
        all.into_iter().find(|host| host.of == of).ok_or_else(|| BrokerError::missing("host", key))
    }

    async fn host_named(&self, key: &str) -> Result<MaintenanceOf, BrokerError> {
        if let Some(cloud) = key.strip_prefix(Cloud::HOST_PREFIX) {
            return Ok(MaintenanceOf::Cloud(self.find_cloud(cloud).await?.id));
        }
        if key == "host" || key == self.inner.compute.name() {
            return Ok(MaintenanceOf::Host);
        }
        Err(BrokerError::missing("host", key))
    }

    /// Desktops that somebody is connected to, through any program.
    async fn used(&self) -> Result<BTreeSet<DesktopId>, BrokerError> {
        let mut used = self.inner.store.present(self.program(), now()).await?;
        used.extend(self.sessions().map(|sessions| sessions.connected()).unwrap_or_default());
        Ok(used)
    }

    async fn tenants(
        &self,
        pool: &Pool,
        used: &BTreeSet<DesktopId>,
        users: &BTreeMap<UserId, String>,
    ) -> Result<Vec<Tenant>, BrokerError> {
        let store = &self.inner.store;
        let (moment, name) = (now(), |user: &UserId| users.get(user).cloned());
        let mut inside: BTreeMap<DesktopId, Vec<String>> = BTreeMap::new();
        let mut places: BTreeMap<DesktopId, u32> = BTreeMap::new();
        if pool.kind == PoolKind::SessionHost {
            for place in store.places_in(pool.id).await? {
                *places.entry(place.desktop).or_default() += 1;
                if place.until.is_some_and(|until| until > moment) {
                    inside.entry(place.desktop).or_default().extend(name(&place.user));
                }
            }
        }
        let rows = store.desktops_in_pool(pool.id).await?.into_iter();
        let rows = rows.filter(|one| one.external.is_none() && one.intent != DesktopIntent::Deleted);
        Ok(rows
            .map(|desktop| {
                let mut inside = inside.remove(&desktop.id).unwrap_or_default();
                let is_used = used.contains(&desktop.id) || !inside.is_empty();
                if is_used {
                    inside.extend(desktop.owner.as_ref().and_then(name));
                }
                let fate = Fate::of(&desktop, is_used, places.get(&desktop.id).copied().unwrap_or(0));
                Tenant {
                    id: desktop.id,
                    name: desktop.name,
                    pool: pool.name.clone(),
                    state: desktop.state,
                    inside,
                    is_used,
                    fate,
                }
            })
            .collect())
    }

    /// From now on the host gets no new desktop, and nothing starts there. Said again, reason and deadline are as they are said now.
    ///
    /// Errors: `Missing` host; `Invalid` reason or deadline.
    pub async fn drain_host(&self, key: &str, drain: Drain) -> Result<HostStanding, BrokerError> {
        let of = self.host_named(key).await?;
        let reason = checked(&drain.reason)?;
        let deadline = match drain.deadline_seconds {
            Some(seconds) if !(1..=MAINTENANCE_SECONDS_MAX).contains(&seconds) => {
                return Err(BrokerError::invalid(
                    "bad_deadline",
                    format!("a deadline is 1 second to {} days from now", MAINTENANCE_SECONDS_MAX / 86_400),
                    "say how long people may stay, for example 2h",
                ));
            }
            None if drain.force => {
                return Err(BrokerError::invalid(
                    "force_without_deadline",
                    "what still runs is shut down at a deadline, and there is none",
                    "say until when people may stay, too",
                ));
            }
            seconds => seconds.map(|seconds| now().plus_seconds(seconds)),
        };
        let wanted = Maintenance { of, reason, since: now(), deadline, force: drain.force };
        let kept = self.inner.store.put_maintenance(&wanted).await?;
        tracing::info!(host = key, forced = kept.force, "Host takes nothing new");
        self.wake_all();
        self.find_host(key).await
    }

    /// It gets desktops again, and they start. Once more is no error. Errors: `Missing`.
    pub async fn resume_host(&self, key: &str) -> Result<HostStanding, BrokerError> {
        let of = self.host_named(key).await?;
        if self.inner.store.end_maintenance(of).await? {
            tracing::info!(host = key, "Host takes desktops again");
        }
        self.wake_all();
        self.find_host(key).await
    }

    /// The pool lets nobody new in from now on; whoever is inside stays. Errors: `Invalid` message.
    pub async fn maintain_pool(&self, pool: &Pool, message: &str) -> Result<Maintenance, BrokerError> {
        let of = MaintenanceOf::Pool(pool.id);
        let wanted = Maintenance { of, reason: checked(message)?, since: now(), deadline: None, force: false };
        let kept = self.inner.store.put_maintenance(&wanted).await?;
        tracing::info!(pool = %pool.name, "Pool lets nobody new in");
        Ok(kept)
    }

    /// Once more is no error.
    pub async fn open_pool(&self, pool: &Pool) -> Result<(), BrokerError> {
        self.inner.store.end_maintenance(MaintenanceOf::Pool(pool.id)).await?;
        self.wake_pool(pool.id);
        Ok(())
    }

    /// Everything that takes nothing new.
    pub async fn maintenances(&self) -> Result<Vec<Maintenance>, BrokerError> {
        Ok(self.inner.store.maintenances().await?)
    }

    fn wake_all(&self) {
        self.wake_desktops();
        self.wake_pools();
        self.wake_maintenance();
    }

    /// That the host of a pool's desktops takes nothing new.
    pub(crate) async fn drain_of(&self, pool: &Pool) -> Result<Option<Maintenance>, BrokerError> {
        if pool.is_external() {
            return Ok(None);
        }
        Ok(self.inner.store.maintenance(MaintenanceOf::place_of(pool)).await?)
    }

    /// The pools whose host takes nothing new.
    pub(crate) async fn drained_pools(&self) -> Result<BTreeSet<PoolId>, BrokerError> {
        let mut closed = self.inner.store.maintenances().await?;
        closed.retain(|one| !matches!(one.of, MaintenanceOf::Pool(_)));
        if closed.is_empty() || planted(Plant::NoMaintenanceFence) {
            return Ok(BTreeSet::new());
        }
        let pools = self.inner.store.pools().await?;
        let drained = |pool: &&Pool| closed.iter().any(|one| one.of == MaintenanceOf::place_of(pool));
        Ok(pools.iter().filter(|pool| !pool.is_external()).filter(drained).map(|pool| pool.id).collect())
    }

    /// Errors: conflict `host_drains`.
    pub(crate) async fn check_host_open(&self, pool: &Pool) -> Result<(), BrokerError> {
        match self.drain_of(pool).await? {
            Some(drain) => Err(drains(pool, &drain)),
            None => Ok(()),
        }
    }

    /// Whether somebody who has nothing open of a pool may get in. Whoever changes the pool may: they see to it.
    ///
    /// Errors: conflict `pool_maintenance`.
    pub(crate) async fn check_pool_open(&self, user: &User, pool: PoolId) -> Result<(), BrokerError> {
        let Some(maintenance) = self.inner.store.maintenance(MaintenanceOf::Pool(pool)).await? else { return Ok(()) };
        if self.grants(user, TokenScope::All).await?.may_in(Permission::PoolsWrite, pool) {
            return Ok(());
        }
        Err(BrokerError::conflict(
            "pool_maintenance",
            format!("these desktops are in maintenance, and nobody new gets in{}", maintenance.because()),
            "try again later; whoever is inside stays",
        ))
    }

    /// As [`Self::check_pool_open`], for who opens a connection: one that broke goes on.
    pub(crate) async fn check_pool_opens(
        &self,
        user: &User,
        desktop: &Desktop,
        resumes: bool,
    ) -> Result<(), BrokerError> {
        if resumes && self.used().await?.contains(&desktop.id) {
            return Ok(());
        }
        self.check_pool_open(user, desktop.pool).await
    }

    /// Somebody asks a pool for a desktop, or a place, while its host is drained: what runs for them is theirs, and nothing else is there.
    ///
    /// Errors: conflict `host_drains`.
    pub(crate) async fn check_has_running(&self, user: &User, pool: &Pool) -> Result<(), BrokerError> {
        let Some(drain) = self.drain_of(pool).await? else { return Ok(()) };
        let own = self.inner.store.desktops_for(user.id).await?;
        if own.iter().any(|one| one.pool == pool.id && is_up(one)) { Ok(()) } else { Err(drains(pool, &drain)) }
    }
}

/// Whether people can be inside.
const fn is_up(desktop: &Desktop) -> bool {
    matches!(desktop.intent, DesktopIntent::Running)
        && matches!(desktop.state, DesktopState::Starting | DesktopState::Ready | DesktopState::InUse)
}

fn checked(reason: &str) -> Result<String, BrokerError> {
    maintenance_reason(reason).map_err(|text| BrokerError::invalid("bad_reason", text, "say it shorter"))
}

fn drains(pool: &Pool, drain: &Maintenance) -> BrokerError {
    BrokerError::conflict(
        "host_drains",
        format!("the host of {}'s desktops is in maintenance, and nothing starts there{}", pool.name, drain.because()),
        "try again later; an administrator ends it with `oriel host resume`",
    )
}
