//! Server groups: which servers stand apart. <https://docs.openstack.org/api-ref/compute/#server-groups-os-server-groups>

use crate::client::{Ask, Client, PAGE, PAGES_MAX};
use crate::{OpenStackError, Service, server::too_many};
use serde::Deserialize;
use serde_json::json;

/// On as many hosts as there are, and together where there are too few (`soft-anti-affinity`, since 2.15).
const APART: &str = "soft-anti-affinity";

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServerGroup {
    pub id: String,
    #[serde(default)]
    pub name: String,
    /// Ids of servers; deleted ones are not among them.
    #[serde(default)]
    pub members: Vec<String>,
}

#[derive(Deserialize)]
struct Many {
    server_groups: Vec<ServerGroup>,
}

#[derive(Deserialize)]
struct One {
    server_group: ServerGroup,
}

impl Client {
    /// All of the project. They have no tags: what is whose is said by their names.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn server_groups(&self) -> Result<Vec<ServerGroup>, OpenStackError> {
        let action = "list server groups";
        let mut groups: Vec<ServerGroup> = Vec::new();
        for _ in 0..PAGES_MAX {
            let query = [("limit", PAGE.to_string()), ("offset", groups.len().to_string())];
            let ask = Ask { query: &query, ..Ask::get(Service::Compute, action, &["os-server-groups"]) };
            let page = self.ask::<Many>(ask).await?.server_groups;
            // Whoever knows no pages sends all at once, again and again.
            let is_new = |one: &&ServerGroup| !groups.iter().any(|known| known.id == one.id);
            let fresh: Vec<ServerGroup> = page.iter().filter(is_new).cloned().collect();
            let last = page.len() < PAGE || fresh.is_empty();
            groups.extend(fresh);
            if last {
                return Ok(groups);
            }
        }
        Err(too_many(action, groups.len()))
    }

    /// One whose servers stand apart where that can be. Where the answer is lost, it may be there: look for its name.
    ///
    /// # Errors
    /// The cloud refuses, as by quota ([`OpenStackError::is_over_quota`]), or fails.
    pub async fn create_server_group(&self, name: &str) -> Result<ServerGroup, OpenStackError> {
        let body = if self.features().await?.one_policy {
            json!({"server_group": {"name": name, "policy": APART}})
        } else {
            json!({"server_group": {"name": name, "policies": [APART]}})
        };
        let ask = Ask::post(Service::Compute, "make a server group", &["os-server-groups"], body);
        Ok(self.ask::<One>(ask).await?.server_group)
    }

    /// Done when it is not there. Its servers go on.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn delete_server_group(&self, id: &str) -> Result<(), OpenStackError> {
        let path = ["os-server-groups", id];
        match self.ask_for(Ask::delete(Service::Compute, "delete a server group", &path)).await {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }
}
