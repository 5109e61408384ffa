//! Volumes: disks of their own service. Nova makes and deletes those of servers itself; here is only what is looked at.
//! <https://docs.openstack.org/api-ref/block-storage/v3/>

use crate::client::{Ask, Client, PAGE, PAGES_MAX};
use crate::{OpenStackError, Service, Use, server::too_many};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeQuotas {
    pub volumes: Use,
    pub gib: Use,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Volume {
    pub id: String,
    // null of those that Nova has made
    pub name: Option<String>,
    #[serde(default)]
    pub status: String,
    #[serde(rename = "size", default)]
    pub gib: u64,
    /// What the image that it was made of says of itself.
    #[serde(rename = "volume_image_metadata", default)]
    pub image: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Many {
    volumes: Vec<Volume>,
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
    max_total_volume_gigabytes: i64,
    total_gigabytes_used: i64,
}

impl Client {
    /// Cinder before 3.67 (2021) has the project in every path, and those since take it there, too.
    async fn volume_project(&self) -> Result<String, OpenStackError> {
        self.token().await?.project_id.clone().ok_or(OpenStackError::NoProject)
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
        let action = "list volumes";
        let project = self.volume_project().await?;
        let path = [project.as_str(), "volumes", "detail"];
        let mut volumes: Vec<Volume> = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut query = vec![("status", "available".to_owned()), ("limit", PAGE.to_string())];
            if let Some(last) = volumes.last() {
                query.push(("marker", last.id.clone()));
            }
            let ask = Ask { query: &query, ..Ask::get(Service::BlockStorage, action, &path) };
            let page = self.ask::<Many>(ask).await?.volumes;
            let last = page.len() < PAGE;
            volumes.extend(page);
            if last {
                // The filter is the cloud's.
                volumes.retain(|one| one.status == "available");
                return Ok(volumes);
            }
        }
        Err(too_many(action, volumes.len()))
    }
}
