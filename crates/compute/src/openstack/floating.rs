//! Floating addresses: one for each desktop of a pool that wants them, taken before its server is made and given back with the desktop.
//!
//! Whose an address is says its description, which is written in the call that takes it: a lost answer leaves one that is found
//! again. That a server is to be reached by one is said in its metadata, and a server that has come up gets the address that was
//! taken. From generation to generation a desktop keeps it.

use super::{OpenStackCompute, groups::is_not_for_us, mark};
use crate::ComputeError;
use oriel_model::{DesktopId, Finding, FindingEvidence, Severity};
use oriel_openstack::{FloatingAddress, OpenStackError, Server};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Of a server: the id of the external network from which its address is.
pub(super) const FROM: &str = "oriel-floating-from";
/// What was found is looked at again after so long: somebody may have taken an address away.
const KNOWN: Duration = Duration::from_mins(5);
/// Most that are remembered.
const KNOWN_MAX: usize = 4096;

#[derive(Default)]
pub(super) struct Floating {
    /// Where servers are reached, by their ids.
    known: Mutex<BTreeMap<String, (IpAddr, Instant)>>,
    /// One was taken or seen since this was started, so that some may be left over.
    is_used: AtomicBool,
    /// Leftovers were looked for since this was started.
    was_looked: AtomicBool,
}

impl Floating {
    fn at(&self, server: &str) -> Option<IpAddr> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(server).filter(|(_, at)| at.elapsed() < KNOWN).map(|(ip, _)| *ip)
    }

    fn keep(&self, server: &str, ip: IpAddr) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(server.to_owned(), (ip, Instant::now()));
    }

    pub fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Whether the server is to be reached by a floating address.
pub(super) fn is_wanted(server: &Server) -> bool {
    server.metadata.contains_key(FROM)
}

impl OpenStackCompute {
    /// The external network's id, by its id or name.
    pub(super) async fn floating_network(&self, key: &str) -> Result<String, ComputeError> {
        let all = self.client.networks().await.map_err(|error| self.failed(error))?;
        let named = |one: &oriel_openstack::Network| one.external && (one.id == key || one.name == key);
        all.into_iter().find(named).map(|one| one.id).ok_or_else(|| ComputeError::NotInCloud {
            cloud: self.config.name.clone(),
            kind: "external network",
            name: key.to_owned(),
            advice: "`openstack network list --external` shows those from which floating addresses come",
        })
    }

    /// The desktop's address, taken if it has none. Of several, which a lost answer leaves, the one that leads somewhere stays.
    pub(super) async fn take_address(
        &self,
        desktop: DesktopId,
        network: &str,
    ) -> Result<FloatingAddress, ComputeError> {
        self.floating.is_used.store(true, Ordering::Relaxed);
        let about = mark::about(&self.config.installation, desktop);
        let failed = |error| self.failed(error);
        let mut all = self.client.floating_addresses(Some(&about)).await.map_err(failed)?;
        all.sort_by_cached_key(|one| (one.network != network, one.port.is_none(), one.id.clone()));
        let mut all = all.into_iter();
        let first = all.next();
        for twin in all {
            tracing::warn!(cloud = self.config.name, address = twin.address, %desktop, "A second floating address is given back");
            self.client.delete_floating_address(&twin.id).await.map_err(failed)?;
        }
        if let Some(first) = first {
            return Ok(first);
        }
        match self.client.create_floating_address(network, &about).await {
            Ok(made) => {
                tracing::info!(cloud = self.config.name, address = made.address, %desktop, "A floating address is taken");
                Ok(made)
            }
            Err(error) if error.is_over_quota() || is_used_up(&error) => Err(ComputeError::NoPlace {
                cloud: self.config.name.clone(),
                reason: format!(
                    "{error}; give back floating addresses of the project, or let the cloud's admin raise its quota or widen the network"
                ),
            }),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Where the server is reached, once its address leads to it.
    pub(super) async fn floating_of(&self, desktop: DesktopId, server: &Server) -> Result<IpAddr, ComputeError> {
        let failed = |error| self.failed(error);
        if let Some(ip) = self.floating.at(&server.id) {
            return Ok(ip);
        }
        let network = server.metadata.get(FROM).ok_or(ComputeError::NoAddress)?;
        let ports = self.client.ports_of(&server.id).await.map_err(failed)?;
        // The first card's: a desktop has one.
        let port = ports.into_iter().find(|port| !port.fixed_ips.is_empty()).ok_or(ComputeError::NoAddress)?;
        let mut address = self.take_address(desktop, network).await?;
        if address.port.as_deref() != Some(port.id.as_str()) {
            address = self.client.lead_floating_address(&address.id, &port.id).await.map_err(|error| {
                tracing::warn!(
                    cloud = self.config.name, server = server.id, address = address.address, %error,
                    "A floating address cannot lead to a desktop; is there a router between its network and the desktop's?"
                );
                self.failed(error)
            })?;
            tracing::info!(
                cloud = self.config.name,
                server = server.id,
                address = address.address,
                "A floating address leads to a desktop"
            );
        }
        let ip = address.address.parse().ok().filter(super::leads).ok_or(ComputeError::NoAddress)?;
        self.floating.keep(&server.id, ip);
        Ok(ip)
    }

    /// Gives back what the desktop has.
    pub(super) async fn give_back(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        let about = mark::about(&self.config.installation, desktop);
        let all = match self.client.floating_addresses(Some(&about)).await {
            Err(error) if is_not_for_us(&error) => return Ok(()),
            all => all.map_err(|error| self.failed(error))?,
        };
        for one in all {
            tracing::info!(cloud = self.config.name, address = one.address, %desktop, "A floating address is given back");
            self.client.delete_floating_address(&one.id).await.map_err(|error| self.failed(error))?;
        }
        self.floating.forget();
        Ok(())
    }

    /// Ours whose desktops have no server. Nothing where the cloud, or these credentials, know no floating addresses.
    async fn left_over(&self) -> Result<(usize, Vec<(DesktopId, FloatingAddress)>), ComputeError> {
        let all = match self.client.floating_addresses(None).await {
            Err(error) if is_not_for_us(&error) => return Ok((0, Vec::new())),
            all => all.map_err(|error| self.failed(error))?,
        };
        let desktop = |one: &FloatingAddress| mark::of_about(one.description.as_deref()?, &self.config.installation);
        let mut ours: Vec<(DesktopId, FloatingAddress)> =
            all.into_iter().filter_map(|one| Some((desktop(&one)?, one))).collect();
        let count = ours.len();
        if count > 0 {
            let servers = self.servers(mark::common(&self.config.installation)).await?;
            let there: BTreeSet<DesktopId> = servers.iter().map(|(mark, _)| mark.desktop).collect();
            ours.retain(|(desktop, _)| !there.contains(desktop));
        }
        Ok((count, ours))
    }

    /// Gives back addresses whose desktops have no server. Nobody makes one meanwhile.
    pub(super) async fn give_back_leftovers(&self) -> Result<(), ComputeError> {
        if !self.floating.is_used() && self.floating.was_looked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (count, leftovers) = self.left_over().await?;
        self.floating.was_looked.store(true, Ordering::Relaxed);
        self.floating.is_used.store(count > 0, Ordering::Relaxed);
        for (desktop, one) in leftovers {
            tracing::warn!(cloud = self.config.name, address = one.address, %desktop, "A floating address that leads to no desktop is given back");
            self.client.delete_floating_address(&one.id).await.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// For the doctor: addresses cost money, also when they lead nowhere.
    pub(super) async fn floating_finding(&self) -> Option<Finding> {
        let (severity, evidence, reason, fix) = match self.left_over().await {
            Ok((0, _)) => return None,
            Ok((count, leftovers)) if leftovers.is_empty() => {
                (Severity::Ok, Vec::new(), format!("{count} floating addresses, each of a desktop that stands"), "")
            }
            Ok((count, leftovers)) => {
                let evidence = leftovers
                    .iter()
                    .take(20)
                    .map(|(desktop, one)| FindingEvidence { path: one.address.clone(), content: desktop.to_string() })
                    .collect();
                let reason = format!(
                    "{} of {count} floating addresses are of desktops without a server: the next look after a desktop is made or goes gives them back",
                    leftovers.len()
                );
                (
                    Severity::Note,
                    evidence,
                    reason,
                    "openstack floating ip list --long   # those whose description begins with oriel-of-",
                )
            }
            Err(error) => (Severity::Warning, Vec::new(), error.to_string(), "the log of neutron-server says why"),
        };
        Some(Finding {
            id: "floating-addresses".to_owned(),
            severity,
            subject: self.config.name.clone(),
            evidence,
            reason,
            fix: fix.to_owned(),
            source: "https://docs.openstack.org/api-ref/network/v2/#floating-ips-floatingips".to_owned(),
        })
    }
}

/// "No more IP addresses available on network", "Unable to find any IP address on external network".
fn is_used_up(error: &OpenStackError) -> bool {
    let words = error.to_string();
    matches!(error.status(), Some(400 | 409))
        && (words.contains("No more IP addresses") || words.contains("any IP address"))
}
