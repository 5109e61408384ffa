//! Whether Nova puts servers on one of its hosts. <https://docs.openstack.org/api-ref/compute/#compute-services-os-services>

use crate::client::{Ask, Client};
use crate::{OpenStackError, Service};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

/// What runs servers on a host.
const BINARY: &str = "nova-compute";

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ComputeService {
    /// A UUID (2.53).
    pub id: String,
    pub host: String,
    /// `enabled`, or `disabled`: no server is made there, or brought there.
    pub status: String,
    #[serde(default)]
    pub disabled_reason: Option<String>,
}

#[derive(Deserialize)]
struct Many {
    services: Vec<ComputeService>,
}

impl Client {
    /// What runs servers on that host, for admins.
    ///
    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_forbidden`] for members.
    pub async fn compute_service(&self, host: &str) -> Result<Option<ComputeService>, OpenStackError> {
        let query = [("host", host.to_owned()), ("binary", BINARY.to_owned())];
        let ask = Ask { query: &query, ..Ask::get(Service::Compute, "find a compute service", &["os-services"]) };
        let found = self.ask::<Many>(ask).await?.services;
        Ok(found.into_iter().find(|one| one.host == host))
    }

    /// Disables it with a reason, or (`None`) enables it, for admins. Servers that are there go on.
    ///
    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_forbidden`] for members.
    pub async fn set_compute_service(&self, id: &str, disabled: Option<&str>) -> Result<(), OpenStackError> {
        let path = ["os-services", id];
        let body = match disabled {
            Some(reason) => json!({"status": "disabled", "disabled_reason": reason}),
            None => json!({"status": "enabled"}),
        };
        let ask = Ask { method: Method::PUT, ..Ask::post(Service::Compute, "set a compute service", &path, body) };
        self.ask_for(ask).await.map(|_| ())
    }
}
