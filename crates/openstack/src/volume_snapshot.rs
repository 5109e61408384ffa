//! Snapshots of volumes: what other volumes are cloned from.
//! <https://docs.openstack.org/api-ref/block-storage/v3/#volume-snapshots-snapshots>

use crate::client::{Ask, Client, PAGE, PAGES_MAX};
use crate::server::too_many;
use crate::volume::moment;
use crate::{OpenStackError, Service};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct VolumeSnapshot {
    pub id: String,
    pub name: Option<String>,
    /// `available` ones can be cloned; `creating` ones soon; of a store that makes none it is `error`.
    #[serde(default)]
    pub status: String,
    /// Of the volume as it was: a clone has at least as much.
    #[serde(rename = "size", default)]
    pub gib: u64,
    #[serde(rename = "volume_id")]
    pub volume: String,
    #[serde(rename = "created_at", default, deserialize_with = "moment")]
    pub created: Option<Timestamp>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Many {
    snapshots: Vec<VolumeSnapshot>,
}

#[derive(Deserialize)]
struct One {
    snapshot: VolumeSnapshot,
}

impl Client {
    /// The project's snapshots of one volume, or of all.
    ///
    /// # Errors
    /// The cloud has no Cinder, refuses or fails.
    pub async fn volume_snapshots(&self, volume: Option<&str>) -> Result<Vec<VolumeSnapshot>, OpenStackError> {
        let action = "list snapshots of volumes";
        let project = self.volume_project().await?;
        let path = [project.as_str(), "snapshots", "detail"];
        let mut snapshots: Vec<VolumeSnapshot> = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut query = vec![("limit", PAGE.to_string())];
            if let Some(id) = volume {
                query.push(("volume_id", id.to_owned()));
            }
            if let Some(last) = snapshots.last() {
                query.push(("marker", last.id.clone()));
            }
            let ask = Ask { query: &query, ..Ask::get(Service::BlockStorage, action, &path) };
            let page = self.ask::<Many>(ask).await?.snapshots;
            let last = page.len() < PAGE;
            snapshots.extend(page);
            if last {
                // The filter is the cloud's.
                snapshots.retain(|one| volume.is_none_or(|id| one.volume == id));
                return Ok(snapshots);
            }
        }
        Err(too_many(action, snapshots.len()))
    }

    /// Asks for a snapshot of a volume that nothing uses; Cinder makes it later. Where the answer is lost, it may be there all the
    /// same: look for its metadata before asking again.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn create_volume_snapshot(
        &self,
        name: &str,
        volume: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<VolumeSnapshot, OpenStackError> {
        let project = self.volume_project().await?;
        let path = [project.as_str(), "snapshots"];
        let body = json!({"snapshot": {"name": name, "volume_id": volume, "metadata": metadata}});
        let ask = Ask::post(Service::BlockStorage, "make a snapshot of a volume", &path, body);
        Ok(self.ask::<One>(ask).await?.snapshot)
    }

    /// Deletes it; done when it is not there. Cinder does it later. Volumes that were made of it stay.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn delete_volume_snapshot(&self, id: &str) -> Result<(), OpenStackError> {
        let project = self.volume_project().await?;
        let path = [project.as_str(), "snapshots", id];
        match self.ask_for(Ask::delete(Service::BlockStorage, "delete a snapshot of a volume", &path)).await {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }
}
