//! Making a server, once.

use super::{OpenStackCompute, floating::FROM, mark::Mark};
use crate::ComputeError;
use base64::{Engine, engine::general_purpose::STANDARD};
use oriel_machine::{CloudParts, GuestIdentity, MachineSpec, USER_DATA};
use oriel_model::CloudRoot;
use oriel_openstack::{Attach, Flavor, NewServer, NewVolume, OpenStackError, USER_DATA_BYTES_MAX};
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Flavors are asked for again after so long, and where one is not among them.
const FLAVORS_SECONDS: u64 = 300;
/// Longest value in a server's metadata, in characters.
const METADATA_MAX: usize = 255;

#[derive(Default)]
pub(super) struct Flavors {
    asked: Option<Instant>,
    all: Vec<Flavor>,
}

impl OpenStackCompute {
    /// The server of this generation, made if there is none. Nova has no token of ours by which it would know a request again: a
    /// lost answer is looked for by its tags.
    pub(super) async fn make(&self, spec: &MachineSpec, identity: &GuestIdentity) -> Result<(), ComputeError> {
        let parts =
            spec.cloud.as_ref().ok_or_else(|| ComputeError::NotForClouds { cloud: self.config.name.clone() })?;
        let mark = Mark { desktop: spec.desktop, generation: spec.generation };
        if self.only_one(mark).await?.is_some() {
            return Ok(());
        }
        let flavor = self.flavor(&parts.flavor).await?;
        let mut volume = self.volume(parts, &flavor)?;
        // One on a volume takes nothing of its host's disk.
        let disk_gib = if volume.is_some() { 0 } else { flavor.disk_gib };
        self.has_place(&Flavor { disk_gib, ..flavor.clone() }).await?;
        if let Some(volume) = &mut volume {
            volume.snapshot = self.golden(&parts.image, volume.kind.as_deref(), volume.gib).await?;
        }
        let _making = self.groups.making.read().await;
        let mut new = NewServer::new(spec.name.as_str(), &parts.image, &flavor.id);
        let (attach, is_guarded) = self.attach(&parts.network).await?;
        if is_guarded {
            new.security_groups.extend(self.closed().await?);
        }
        new.attach = vec![attach];
        new.volume = volume;
        new.group = self.apart(parts.pool).await?;
        new.tags = mark.tags(&self.config.installation);
        new.metadata = metadata(spec);
        if let Some(from) = &parts.floating {
            let network = self.floating_network(from).await?;
            // Until there is a server nothing says that there is an address.
            self.groups.look_again();
            self.take_address(spec.desktop, &network).await?;
            new.metadata.insert(FROM.to_owned(), network);
        }
        new.user_data = Some(user_data(spec, identity)?);
        new.config_drive = true;
        let mut made = self.client.create_server(&new).await;
        // "Quota exceeded, too many servers in group": that they stand apart is only a wish.
        if let Err(error) = &made
            && new.group.is_some()
            && error.is_over_quota()
            && error.to_string().contains("group")
        {
            self.took_no_more(parts.pool, error).await;
            new.group = None;
            made = self.client.create_server(&new).await;
        }
        match made {
            Ok(id) => {
                tracing::info!(cloud = self.config.name, server = id, desktop = %spec.name, "A server is being made");
                Ok(())
            }
            Err(error) if error.is_over_quota() => Err(ComputeError::NoPlace {
                cloud: self.config.name.clone(),
                reason: format!("{error}; delete servers of the project, or let the cloud's admin raise its quota"),
            }),
            Err(error) => {
                // One of the groups, or the snapshot, may have been removed by somebody: the next try looks.
                if matches!(error.status(), Some(400 | 404)) {
                    self.groups.forget().await;
                    self.golden.forget().await;
                }
                Err(self.failed(error))
            }
        }
    }

    fn volume(&self, parts: &CloudParts, flavor: &Flavor) -> Result<Option<NewVolume>, ComputeError> {
        let CloudRoot::Volume { kind, gib } = &parts.root else { return Ok(None) };
        let gib = gib.map_or(flavor.disk_gib, u64::from);
        if gib == 0 {
            return Err(ComputeError::NoPlace {
                cloud: self.config.name.clone(),
                reason: format!(
                    "flavor {} has no disk, so that it does not say how large a volume shall be; make the pool with root volume,size=GIB",
                    flavor.name
                ),
            });
        }
        Ok(Some(NewVolume { kind: kind.clone(), gib, snapshot: None }))
    }

    /// Says no before a server is made that could only fail. Who may not ask Placement learns it from Nova.
    pub(super) async fn has_place(&self, flavor: &Flavor) -> Result<(), ComputeError> {
        match self.client.fits(flavor).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(ComputeError::NoPlace { cloud: self.config.name.clone(), reason }),
            Err(error) => {
                tracing::debug!(cloud = self.config.name, %error, "Whether a server fits cannot be asked; Nova will say");
                Ok(())
            }
        }
    }

    /// By id or by name.
    pub(super) async fn flavor(&self, key: &str) -> Result<Flavor, ComputeError> {
        let mut flavors = self.flavors.lock().await;
        let is_new = |asked: &Instant| asked.elapsed() < Duration::from_secs(FLAVORS_SECONDS);
        let find = |all: &[Flavor]| all.iter().find(|one| one.id == key || one.name == key).cloned();
        if flavors.asked.as_ref().is_some_and(is_new)
            && let Some(found) = find(&flavors.all)
        {
            return Ok(found);
        }
        flavors.all = self.client.flavors().await.map_err(|error| self.failed(error))?;
        flavors.asked = Some(Instant::now());
        find(&flavors.all).ok_or_else(|| ComputeError::NotInCloud {
            cloud: self.config.name.clone(),
            kind: "flavor",
            name: key.to_owned(),
            advice: "`openstack flavor list` shows those that the project may use",
        })
    }

    /// With whether Neutron guards its ports: only then a security group can be said. That nobody takes another's address is the
    /// same guard's, and never switched off here.
    async fn attach(&self, network: &str) -> Result<(Attach, bool), ComputeError> {
        match network {
            CloudParts::NO_NETWORK => return Ok((Attach::Nothing, false)),
            CloudParts::ANY_NETWORK => return Ok((Attach::Auto, true)),
            _ => {}
        }
        let all = self.client.networks().await.map_err(|error| self.failed(error))?;
        let found = all.into_iter().find(|one| one.id == network || one.name == network);
        if found.as_ref().is_some_and(|one| one.port_security_enabled == Some(false)) {
            tracing::warn!(
                cloud = self.config.name,
                network,
                "This network has no port security: nothing there keeps others out of desktops"
            );
        }
        found.map(|one| (Attach::Network(one.id), one.port_security_enabled != Some(false))).ok_or_else(|| {
            ComputeError::NotInCloud {
                cloud: self.config.name.clone(),
                kind: "network",
                name: network.to_owned(),
                advice: "`openstack network list` shows those that the project can see",
            }
        })
    }

    /// Why a server is in error, in a sentence that says what to do.
    pub(super) async fn why(&self, server: &oriel_openstack::Server) -> ComputeError {
        let cloud = self.config.name.clone();
        let said = match self.flavor(&server.flavor).await {
            Ok(flavor) => self.client.why_not_made(server, &flavor).await,
            Err(_) => OpenStackError::NoHost(format!(
                "the cloud could not make {}: it said {}",
                server.name,
                server.fault.as_ref().map_or("nothing more", |fault| fault.message.trim())
            )),
        };
        ComputeError::NoPlace { cloud, reason: said.to_string() }
    }
}

/// For people who look with other tools, and for whoever follows a rebuild.
pub(super) fn metadata(spec: &MachineSpec) -> BTreeMap<String, String> {
    [
        ("oriel-desktop", spec.desktop.to_string()),
        ("oriel-generation", spec.generation.to_string()),
        ("oriel-title", spec.title.chars().take(METADATA_MAX).collect()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// The seed's user data alone: name and network come from the cloud's own config drive.
pub(super) fn user_data(spec: &MachineSpec, identity: &GuestIdentity) -> Result<SecretString, ComputeError> {
    let files = oriel_machine::seed(spec, identity)?;
    let file = files.iter().find(|file| file.name == USER_DATA);
    let file = file.ok_or_else(|| ComputeError::Seed(format!("it has no {USER_DATA}")))?;
    let text = STANDARD.encode(file.content.expose_secret());
    if text.len() > USER_DATA_BYTES_MAX {
        return Err(ComputeError::SeedTooLong { bytes: text.len(), max: USER_DATA_BYTES_MAX });
    }
    Ok(text.into())
}
