//! The hosts on which desktops stand: the one that this program runs on, and clouds. A pool says on which; its desktops stay there.

use crate::{Broker, BrokerError};
use oriel_compute::{
    Compute, Jump, JumpDialler, Observed,
    openstack::{OpenStackCompute, OpenStackConfig, gateway},
};
use oriel_model::{Cloud, CloudId, CloudLook, Desktop, DesktopId, Micros, Pool};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// One look at a cloud: the others wait for it.
const LOOK_SECONDS_MAX: u64 = 20;
/// A cloud that did not answer is left alone for so long.
const BLIND_SECONDS: i64 = 20;
/// One answer, and tries of one request: what fails is taken again by the reconciler.
const ANSWER_SECONDS_MAX: u64 = 15;
const ATTEMPTS: u32 = 3;

/// Makes the host that stands for a cloud, where that is not the usual one.
pub type CloudMaker = Arc<dyn Fn(&Cloud) -> Arc<dyn Compute> + Send + Sync>;

/// Clouds that were asked before: their tokens and versions are known.
#[derive(Default)]
pub(crate) struct Clouds {
    standing: Mutex<HashMap<CloudId, Standing>>,
    pub maker: OnceLock<CloudMaker>,
    pub dialler: OnceLock<Arc<dyn JumpDialler>>,
}

struct Standing {
    /// Of the row that it was made of.
    changed: Micros,
    host: Arc<dyn Compute>,
    /// It did not answer; not asked before.
    blind_until: Micros,
    last: Option<CloudLook>,
}

impl Broker {
    /// How clouds are reached, once; the usual way until then.
    pub fn set_cloud_maker(&self, maker: CloudMaker) {
        self.inner.clouds.maker.set(maker).ok();
    }

    /// Who dials through jump hosts, once.
    pub fn set_jump_dialler(&self, dialler: Arc<dyn JumpDialler>) {
        self.inner.clouds.dialler.set(dialler).ok();
    }

    pub(crate) fn jump_dialler(&self) -> Result<Arc<dyn JumpDialler>, BrokerError> {
        let dialler = self.inner.clouds.dialler.get().map(Arc::clone);
        dialler.ok_or_else(|| BrokerError::internal("dialling through a jump host", "nobody here can"))
    }

    /// A cloud as a host. Its row is looked at each time: another program may have changed how to sign in.
    pub(crate) async fn cloud_host(&self, id: CloudId) -> Result<Arc<dyn Compute>, BrokerError> {
        let cloud = self.cloud(id).await?;
        let standing = || self.inner.clouds.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = standing().get(&id).filter(|known| known.changed == cloud.changed) {
            return Ok(Arc::clone(&known.host));
        }
        let host: Arc<dyn Compute> = match self.inner.clouds.maker.get() {
            Some(maker) => maker(&cloud),
            None => {
                let opened = self.open_cloud(&cloud).await?;
                let jump = match opened.jump {
                    Some(host) => Some(Jump { host, dialler: self.jump_dialler()? }),
                    None => None,
                };
                let config = OpenStackConfig {
                    name: cloud.name.to_string(),
                    cloud: opened.way,
                    // They were checked when they were said.
                    gateways: opened.gateways.iter().filter_map(|text| gateway(text).ok()).collect(),
                    shelve: opened.shelve,
                    jump,
                    region: cloud.region.clone(),
                    installation: self.installation().await?,
                    options: oriel_openstack::Options {
                        answer_time: Duration::from_secs(ANSWER_SECONDS_MAX),
                        attempts: ATTEMPTS,
                        ..oriel_openstack::Options::default()
                    },
                };
                Arc::new(OpenStackCompute::new(config)?)
            }
        };
        let made = Standing { changed: cloud.changed, host: Arc::clone(&host), blind_until: Micros(0), last: None };
        standing().insert(id, made);
        Ok(host)
    }

    pub(crate) fn forget_cloud_host(&self, id: CloudId) {
        self.inner.clouds.standing.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    pub(crate) async fn host_of_pool(&self, pool: &Pool) -> Result<Arc<dyn Compute>, BrokerError> {
        match &pool.cloud {
            None => Ok(Arc::clone(&self.inner.compute)),
            Some(place) => self.cloud_host(place.cloud).await,
        }
    }

    /// Where a desktop stands, to look at it or to dial it.
    pub(crate) async fn host_of(&self, desktop: &Desktop) -> Result<Arc<dyn Compute>, BrokerError> {
        // A host may have got another name since; a cloud's never looks like one.
        if desktop.host.as_ref().is_some_and(|host| !host.starts_with(Cloud::HOST_PREFIX)) {
            return Ok(Arc::clone(&self.inner.compute));
        }
        let pool = self.inner.store.pool(desktop.pool).await?;
        self.host_of_pool(&pool.ok_or_else(|| BrokerError::missing("pool", desktop.pool))?).await
    }

    /// Where a desktop stands, to change something there: only for the leader.
    pub(crate) async fn acting_host(&self, desktop: &Desktop) -> Result<Arc<dyn Compute>, BrokerError> {
        let host = self.host_of(desktop).await?;
        self.check_lead()?;
        Ok(host)
    }

    /// What a cloud has of ours: everything, or of these desktops. One that does not answer is asked again after a while.
    pub(crate) async fn look_at_cloud(
        &self,
        id: CloudId,
        desktops: Option<&[DesktopId]>,
    ) -> Result<Vec<Observed>, BrokerError> {
        let unusable =
            |error: &BrokerError| tracing::warn!(cloud = %id, %error, "A cloud cannot be used; its desktops wait");
        let host = self.cloud_host(id).await.inspect_err(unusable)?;
        let until = self.with_standing(id, |standing| standing.blind_until);
        if until.is_some_and(|until| until > crate::clock::now()) {
            return Err(blind(host.name()));
        }
        let look = async {
            match desktops {
                None => host.list().await,
                Some(desktops) => host.observe(desktops).await,
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(LOOK_SECONDS_MAX), look).await;
        let at = crate::clock::now();
        let failed: BrokerError = match found {
            Ok(Ok(found)) => {
                self.with_standing(id, |standing| standing.last = Some(CloudLook { at, problem: None }));
                return Ok(found);
            }
            Ok(Err(error)) => error.into(),
            Err(_) => blind(host.name()),
        };
        let last = CloudLook { at, problem: Some(failed.to_string()) };
        self.with_standing(id, |standing| {
            standing.blind_until = at.plus_seconds(BLIND_SECONDS);
            standing.last = Some(last);
        });
        tracing::warn!(cloud = host.name(), error = %failed, "A cloud cannot be looked at; its desktops wait");
        Err(failed)
    }

    /// How this program's last look at a cloud went; none before the first.
    pub fn last_look_at_cloud(&self, id: CloudId) -> Option<CloudLook> {
        self.with_standing(id, |standing| standing.last.clone()).flatten()
    }

    fn with_standing<T>(&self, id: CloudId, what: impl FnOnce(&mut Standing) -> T) -> Option<T> {
        self.inner.clouds.standing.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&id).map(what)
    }

    /// On which clouds these desktops stand; those of our own host are left out.
    pub(crate) async fn clouds_of(&self, desktops: &[DesktopId]) -> Result<BTreeMap<DesktopId, CloudId>, BrokerError> {
        let store = &self.inner.store;
        if store.clouds().await?.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = store.desktops_named(desktops).await?;
        let pools: Vec<_> =
            rows.iter().map(|row| row.pool).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        let pools = store.pools_named(&pools).await?;
        let on = |row: &Desktop| pools.iter().find(|pool| pool.id == row.pool)?.cloud.as_ref().map(|place| place.cloud);
        Ok(rows.iter().filter_map(|row| Some((row.id, on(row)?))).collect())
    }
}

fn blind(name: &str) -> BrokerError {
    BrokerError::conflict(
        "cloud_does_not_answer",
        format!("cloud {name} does not answer"),
        "its desktops go on when it does; `oriel cloud test` says what is wrong",
    )
}
