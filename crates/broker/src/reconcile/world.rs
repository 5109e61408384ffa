//! What there is on all hosts, and what is removed of it without asking each time: a cloud that fails keeps none of the others waiting.

use crate::{Broker, BrokerError};
use oriel_compute::Observed;
use oriel_model::{CloudId, DesktopId, ImageId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// How long tidying a cloud may take in one round.
const PRUNE_SECONDS_MAX: u64 = 20;

/// What there is on all hosts.
pub(super) struct World {
    pub seen: HashMap<DesktopId, Observed>,
    /// Where each desktop was seen, until its row is found.
    pub orphans: BTreeMap<DesktopId, Option<CloudId>>,
    /// Hosts that could not be looked at; `None` is our own.
    pub blind: BTreeSet<Option<CloudId>>,
    /// Why our own could not.
    pub trouble: Option<BrokerError>,
}

pub(super) async fn look_at_world(broker: &Broker) -> Result<World, BrokerError> {
    let clouds = broker.inner.store.clouds().await?;
    let mut world = World { seen: HashMap::new(), orphans: BTreeMap::new(), blind: BTreeSet::new(), trouble: None };
    let mut looked = vec![(None, broker.inner.compute.list().await.map_err(BrokerError::from))];
    // One that does not answer keeps none of the others waiting.
    let looks = clouds.iter().map(|cloud| async { (Some(cloud.id), broker.look_at_cloud(cloud.id, None).await) });
    looked.extend(futures::future::join_all(looks).await);
    for (host, found) in looked {
        match found {
            Ok(found) => {
                world.orphans.extend(found.iter().map(|found| (found.desktop, host)));
                world.seen.extend(found.into_iter().map(|found| (found.desktop, found)));
                if let Some(cloud) = host {
                    prune(broker, cloud).await?;
                }
            }
            // It said why in the log.
            Err(_) if host.is_some() => {
                world.blind.insert(host);
            }
            Err(error) if clouds.is_empty() => return Err(error),
            Err(error) => {
                world.blind.insert(None);
                world.trouble = Some(error);
            }
        }
    }
    Ok(world)
}

/// As [`remove_from_cloud`], for what a lost answer left twice.
async fn prune(broker: &Broker, cloud: CloudId) -> Result<(), BrokerError> {
    let host = broker.cloud_host(cloud).await?;
    broker.check_lead()?;
    // Desktops everywhere wait for it. What is not done by then is found again by a later look.
    match tokio::time::timeout(Duration::from_secs(PRUNE_SECONDS_MAX), host.prune()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(cloud = host.name(), %error, "What is there twice could not be removed"),
        Err(_) => tracing::warn!(cloud = host.name(), seconds = PRUNE_SECONDS_MAX, "Tidying a cloud takes too long"),
    }
    Ok(())
}

/// As [`prune`], for what volumes of images are cloned from that no desktop there has or may get. `false`: its cloud failed.
pub(super) async fn keep_golden(
    broker: &Broker,
    cloud: CloudId,
    images: &BTreeSet<ImageId>,
) -> Result<bool, BrokerError> {
    let host = broker.cloud_host(cloud).await?;
    let there = broker.inner.store.cloud_images(cloud).await?;
    let keep = there.into_iter().filter(|one| images.contains(&one.image)).map(|one| one.remote).collect();
    broker.check_lead()?;
    match tokio::time::timeout(Duration::from_secs(PRUNE_SECONDS_MAX), host.keep_golden(&keep)).await {
        Ok(Ok(_)) => return Ok(true),
        Ok(Err(error)) => tracing::warn!(cloud = host.name(), %error, "Golden volumes could not be removed"),
        Err(_) => tracing::warn!(cloud = host.name(), seconds = PRUNE_SECONDS_MAX, "Tidying a cloud takes too long"),
    }
    Ok(false)
}

/// A cloud that says no has nothing to do with the others: its leftovers are found again.
pub(super) async fn remove_from_cloud(broker: &Broker, cloud: CloudId, desktop: DesktopId) -> Result<(), BrokerError> {
    let host = broker.cloud_host(cloud).await?;
    broker.check_lead()?;
    if let Err(error) = host.remove(desktop, None).await {
        tracing::warn!(cloud = host.name(), %desktop, %error, "What is left of a desktop could not be removed");
    }
    Ok(())
}
