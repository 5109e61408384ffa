//! What a project may have, and how much of it is used.
//! <https://docs.openstack.org/api-ref/compute/#limits-limits>

use crate::client::{Ask, Client};
use crate::{OpenStackError, Service};
use serde::Deserialize;

/// Of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    pub used: u64,
    /// None: as much as there is.
    pub max: Option<u64>,
}

impl Use {
    /// As services say it: -1 means no limit.
    pub(crate) fn of(used: i64, max: i64) -> Self {
        Self { used: used.try_into().unwrap_or(0), max: max.try_into().ok() }
    }

    pub fn free(self) -> Option<u64> {
        self.max.map(|max| max.saturating_sub(self.used))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    pub servers: Use,
    pub cpus: Use,
    pub memory_mib: Use,
    /// Absent where Nova does not say.
    pub server_groups: Option<Use>,
    /// Most servers of one server group; none: as many as there are, or Nova does not say.
    pub server_group_members: Option<u64>,
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
    max_total_instances: i64,
    total_instances_used: i64,
    max_total_cores: i64,
    total_cores_used: i64,
    #[serde(rename = "maxTotalRAMSize")]
    max_total_ram_size: i64,
    #[serde(rename = "totalRAMUsed")]
    total_ram_used: i64,
    max_server_groups: Option<i64>,
    total_server_groups_used: Option<i64>,
    max_server_group_members: Option<i64>,
}

impl Client {
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn quotas(&self) -> Result<Quotas, OpenStackError> {
        let all: Wire = self.ask(Ask::get(Service::Compute, "show the quotas", &["limits"])).await?;
        let it = all.limits.absolute;
        Ok(Quotas {
            servers: Use::of(it.total_instances_used, it.max_total_instances),
            cpus: Use::of(it.total_cores_used, it.max_total_cores),
            memory_mib: Use::of(it.total_ram_used, it.max_total_ram_size),
            server_groups: it.total_server_groups_used.zip(it.max_server_groups).map(|(used, max)| Use::of(used, max)),
            server_group_members: it.max_server_group_members.and_then(|max| max.try_into().ok()),
        })
    }
}
