//! Servers get another size or another host, and what their disks hold is kept.
//! <https://docs.openstack.org/api-ref/compute/#servers-run-an-action-servers-action>

use crate::answer::read;
use crate::client::{Ask, Client, PAGE};
use crate::{OpenStackError, Service};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a server's disk held once, as an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSnapshot {
    pub id: String,
    pub name: String,
    /// `active` ones are whole.
    pub status: String,
    pub size_bytes: u64,
    pub created: Option<Timestamp>,
    /// Those that are text.
    pub properties: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Many {
    images: Vec<WireSnapshot>,
}

#[derive(Deserialize)]
struct WireSnapshot {
    id: String,
    name: Option<String>,
    #[serde(default)]
    status: String,
    size: Option<u64>,
    created_at: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl From<WireSnapshot> for ServerSnapshot {
    fn from(wire: WireSnapshot) -> Self {
        let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
        Self {
            id: wire.id,
            name: wire.name.unwrap_or_default(),
            status: wire.status,
            size_bytes: wire.size.unwrap_or_default(),
            created: wire.created_at.and_then(|text| text.parse().ok()),
            properties: wire.rest.into_iter().filter_map(text).collect(),
        }
    }
}

impl Client {
    /// Gives a server another flavor, by its id, on whatever host has room. It can go back until [`Self::confirm_move`]. Nova does it
    /// later: while it does, the server has a task.
    ///
    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_conflict`] while the server does something else.
    pub async fn resize_server(&self, id: &str, flavor: &str) -> Result<(), OpenStackError> {
        self.act("resize a server", id, json!({"resize": {"flavorRef": flavor}})).await.map(|_| ())
    }

    /// What the server was before is given up, after a resize or a cold migration.
    ///
    /// # Errors
    /// The cloud refuses or fails; with 400 where there is nothing to confirm.
    pub async fn confirm_move(&self, id: &str) -> Result<(), OpenStackError> {
        self.act("confirm a server's move", id, json!({"confirmResize": null})).await.map(|_| ())
    }

    /// The server becomes what it was before a resize or a cold migration.
    ///
    /// # Errors
    /// The cloud refuses or fails; with 400 where there is nothing to revert.
    pub async fn revert_move(&self, id: &str) -> Result<(), OpenStackError> {
        self.act("revert a server's move", id, json!({"revertResize": null})).await.map(|_| ())
    }

    /// Brings a server that is off to another host, for admins (a host can be named since 2.56). It can go back as after a resize.
    ///
    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_forbidden`] for members.
    pub async fn migrate_server(&self, id: &str, host: Option<&str>) -> Result<(), OpenStackError> {
        let how = host.map_or(Value::Null, |host| json!({"host": host}));
        self.act("migrate a server", id, json!({"migrate": how})).await.map(|_| ())
    }

    /// Brings a server that runs to another host while it runs, for admins. Its disk goes along where it is not shared (2.25).
    ///
    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_forbidden`] for members.
    pub async fn live_migrate_server(&self, id: &str, host: Option<&str>) -> Result<(), OpenStackError> {
        let how = json!({"host": host, "block_migration": "auto"});
        self.act("migrate a server", id, json!({"os-migrateLive": how})).await.map(|_| ())
    }

    /// Makes a server whose host is down anew on another one, for admins (2.14). What was on its host's disk alone is lost: its disk is
    /// the image's again. Since 2.95 it is off then.
    ///
    /// # Errors
    /// The cloud refuses or fails; with 400 or 409 while its host is not known to be down.
    pub async fn evacuate_server(&self, id: &str, host: Option<&str>) -> Result<(), OpenStackError> {
        let how = host.map_or_else(|| json!({}), |host| json!({"host": host}));
        self.act("evacuate a server", id, json!({"evacuate": how})).await.map(|_| ())
    }

    /// Keeps what a server's disk holds now as an image of the project with these properties, and those of the image that the server was
    /// made of; answers with its id (2.45). It is there at once, and `active` when it is whole.
    ///
    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_conflict`] while the server does something else.
    pub async fn snapshot_server(
        &self,
        id: &str,
        name: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<String, OpenStackError> {
        #[derive(Deserialize)]
        struct Made {
            image_id: String,
        }
        let action = "keep what a server's disk holds";
        let body = json!({"createImage": {"name": name, "metadata": properties}});
        let answer = self.act(action, id, body).await?;
        Ok(read::<Made>(Service::Compute, action, &answer)?.image_id)
    }

    /// The project's own snapshots with this property, as many as one page has.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn server_snapshots(&self, property: &str, value: &str) -> Result<Vec<ServerSnapshot>, OpenStackError> {
        let Some(project) = self.token().await?.project_id.clone() else { return Ok(Vec::new()) };
        let query = [
            (property, value.to_owned()),
            ("owner", project),
            ("visibility", "private".to_owned()),
            ("limit", PAGE.to_string()),
        ];
        let found: Many =
            self.ask(Ask { query: &query, ..Ask::get(Service::Image, "list snapshots", &["images"]) }).await?;
        Ok(found.images.into_iter().map(ServerSnapshot::from).collect())
    }
}
