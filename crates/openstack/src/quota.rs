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
    pub fn free(self) -> Option<u64> {
        self.max.map(|max| max.saturating_sub(self.used))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    pub servers: Use,
    pub cpus: Use,
    pub memory_mib: Use,
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
}

impl Client {
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn quotas(&self) -> Result<Quotas, OpenStackError> {
        let all: Wire = self.ask(Ask::get(Service::Compute, "show the quotas", &["limits"])).await?;
        let of = |used: i64, max: i64| Use { used: used.try_into().unwrap_or(0), max: max.try_into().ok() };
        let it = all.limits.absolute;
        Ok(Quotas {
            servers: of(it.total_instances_used, it.max_total_instances),
            cpus: of(it.total_cores_used, it.max_total_cores),
            memory_mib: of(it.total_ram_used, it.max_total_ram_size),
        })
    }
}
