//! Volumes: disks of their own service. Nova makes and deletes those of servers itself; what is made here is what those are cloned
//! from.
//! <https://docs.openstack.org/api-ref/block-storage/v3/>

use crate::client::{Ask, Client, PAGE, PAGES_MAX};
use crate::microversion::WireVersions;
use crate::server::{time, too_many};
use crate::{Microversion, OpenStackError, Service, Use};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeQuotas {
    pub volumes: Use,
    pub snapshots: Use,
    /// Of volumes and, unless the cloud says otherwise (`no_snapshot_gb_quota`), of snapshots.
    pub gib: Use,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Volume {
    pub id: String,
    // null of those that Nova has made
    pub name: Option<String>,
    /// `available` ones can be used; `creating` and `downloading` ones soon.
    #[serde(default)]
    pub status: String,
    #[serde(rename = "size", default)]
    pub gib: u64,
    #[serde(rename = "created_at", default, deserialize_with = "moment")]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// The snapshot that it was made of.
    #[serde(rename = "snapshot_id")]
    pub snapshot: Option<String>,
    /// What the image that it was made of says of itself.
    #[serde(rename = "volume_image_metadata", default)]
    pub image: BTreeMap<String, String>,
}

/// A volume that is made of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageVolume {
    pub name: String,
    /// For people who look with other tools.
    pub about: String,
    pub image: String,
    pub gib: u64,
    /// Cinder's name of a type; the project's usual one when left out.
    pub kind: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// Cinder writes times without their zone; they are UTC.
pub(crate) fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Option::<String>::deserialize(from).map(time)
}

#[derive(Deserialize)]
struct Many {
    volumes: Vec<Volume>,
}

#[derive(Deserialize)]
struct One {
    volume: Volume,
}

#[derive(Deserialize)]
struct Types {
    volume_types: Vec<WireType>,
}

#[derive(Deserialize)]
struct WireType {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Wire {
    limits: Limits,
}

#[derive(Deserialize)]
struct Limits {
    absolute: Absolute,
}

/// -1 means no limit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Absolute {
    max_total_volumes: i64,
    total_volumes_used: i64,
    max_total_snapshots: i64,
    total_snapshots_used: i64,
    max_total_volume_gigabytes: i64,
    total_gigabytes_used: i64,
}

impl Client {
    /// Cinder before 3.67 (2021) has the project in every path, and those since take it there, too.
    pub(crate) async fn volume_project(&self) -> Result<String, OpenStackError> {
        self.token().await?.project_id.clone().ok_or(OpenStackError::NoProject)
    }

    /// The newest version that this Cinder speaks. Oriel asks all of it in 3.0; Nova needs 3.68 to write an image over a volume.
    ///
    /// # Errors
    /// The cloud has no Cinder, or it does not answer.
    pub async fn volume_version(&self) -> Result<Microversion, OpenStackError> {
        let (service, action) = (Service::BlockStorage, "say its versions");
        // Unlike others, Cinder says it only to those who are signed in.
        let said: WireVersions = self.ask(Ask::get(service, action, &[])).await?;
        said.span("v3.0").map(|(_, max)| max).ok_or_else(|| OpenStackError::NotUnderstood {
            service,
            action: action.to_owned(),
            what: "no version v3.0 with its span".to_owned(),
        })
    }

    /// # Errors
    /// The cloud has no Cinder, refuses or fails.
    pub async fn volume_quotas(&self) -> Result<VolumeQuotas, OpenStackError> {
        let project = self.volume_project().await?;
        let path = [project.as_str(), "limits"];
        let all: Wire = self.ask(Ask::get(Service::BlockStorage, "show the quotas", &path)).await?;
        let it = all.limits.absolute;
        Ok(VolumeQuotas {
            volumes: Use::of(it.total_volumes_used, it.max_total_volumes),
            snapshots: Use::of(it.total_snapshots_used, it.max_total_snapshots),
            gib: Use::of(it.total_gigabytes_used, it.max_total_volume_gigabytes),
        })
    }

    /// Names of the types that the project may use.
    ///
    /// # Errors
    /// The cloud has no Cinder, refuses or fails.
    pub async fn volume_types(&self) -> Result<Vec<String>, OpenStackError> {
        let project = self.volume_project().await?;
        let path = [project.as_str(), "types"];
        let all: Types = self.ask(Ask::get(Service::BlockStorage, "list volume types", &path)).await?;
        Ok(all.volume_types.into_iter().map(|one| one.name).collect())
    }

    /// The project's volumes that nothing uses.
    ///
    /// # Errors
    /// The cloud has no Cinder, refuses or fails.
    pub async fn unused_volumes(&self) -> Result<Vec<Volume>, OpenStackError> {
        let mut all = self.volumes(("status", "available")).await?;
        // The filter is the cloud's.
        all.retain(|one| one.status == "available");
        Ok(all)
    }

    /// The project's volumes that have this among their metadata.
    ///
    /// # Errors
    /// The cloud has no Cinder, refuses or fails.
    pub async fn volumes_with(&self, key: &str, value: &str) -> Result<Vec<Volume>, OpenStackError> {
        let mut all = self.volumes(("metadata", &json!({key: value}).to_string())).await?;
        all.retain(|one| one.metadata.get(key).is_some_and(|its| its == value));
        Ok(all)
    }

    async fn volumes(&self, filter: (&str, &str)) -> Result<Vec<Volume>, OpenStackError> {
        let action = "list volumes";
        let project = self.volume_project().await?;
        let path = [project.as_str(), "volumes", "detail"];
        let mut volumes: Vec<Volume> = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut query = vec![(filter.0, filter.1.to_owned()), ("limit", PAGE.to_string())];
            if let Some(last) = volumes.last() {
                query.push(("marker", last.id.clone()));
            }
            let ask = Ask { query: &query, ..Ask::get(Service::BlockStorage, action, &path) };
            let page = self.ask::<Many>(ask).await?.volumes;
            let last = page.len() < PAGE;
            volumes.extend(page);
            if last {
                return Ok(volumes);
            }
        }
        Err(too_many(action, volumes.len()))
    }

    /// Asks for a volume that holds what an image does; Cinder fills it later. Where the answer is lost, it may be there all the same:
    /// look for its metadata before asking again.
    ///
    /// # Errors
    /// The cloud has no Cinder, refuses (as for a volume that is smaller than the image) or fails.
    pub async fn create_volume(&self, new: &ImageVolume) -> Result<Volume, OpenStackError> {
        let project = self.volume_project().await?;
        let mut volume = json!({
            "name": new.name, "description": new.about, "imageRef": new.image, "size": new.gib, "metadata": new.metadata,
        });
        if let (Some(kind), Some(volume)) = (&new.kind, volume.as_object_mut()) {
            volume.insert("volume_type".to_owned(), kind.as_str().into());
        }
        let path = [project.as_str(), "volumes"];
        let ask = Ask::post(Service::BlockStorage, "make a volume", &path, json!({"volume": volume}));
        Ok(self.ask::<One>(ask).await?.volume)
    }

    /// Deletes it; done when it is not there. Cinder does it later.
    ///
    /// # Errors
    /// The cloud refuses or fails: with 400 as long as it has snapshots or a server has it.
    pub async fn delete_volume(&self, id: &str) -> Result<(), OpenStackError> {
        let project = self.volume_project().await?;
        let path = [project.as_str(), "volumes", id];
        match self.ask_for(Ask::delete(Service::BlockStorage, "delete a volume", &path)).await {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }
}
