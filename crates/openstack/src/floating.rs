//! Floating addresses: they lead from an external network to a port, through a router.
//! <https://docs.openstack.org/api-ref/network/v2/#floating-ips-floatingips>

use crate::client::{Ask, Client};
use crate::{OpenStackError, Service};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FloatingAddress {
    pub id: String,
    /// An IPv4 address: Neutron has no others.
    #[serde(rename = "floating_ip_address", default)]
    pub address: String,
    #[serde(rename = "floating_network_id", default)]
    pub network: String,
    /// Where it leads; none while it leads nowhere.
    #[serde(rename = "port_id")]
    pub port: Option<String>,
    // null of those that were made before descriptions were
    pub description: Option<String>,
}

#[derive(Deserialize)]
struct Many {
    floatingips: Vec<FloatingAddress>,
}

#[derive(Deserialize)]
struct One {
    floatingip: FloatingAddress,
}

impl Client {
    /// The project's, all of them, or those with just this description.
    ///
    /// # Errors
    /// The cloud refuses or fails; [`OpenStackError::is_gone`] where it has no routers at all.
    pub async fn floating_addresses(&self, about: Option<&str>) -> Result<Vec<FloatingAddress>, OpenStackError> {
        let mut query: Vec<(&str, String)> = Vec::new();
        // An admin would see those of other projects.
        if let Some(project) = self.token().await?.project_id.clone() {
            query.push(("project_id", project));
        }
        if let Some(about) = about {
            query.push(("description", about.to_owned()));
        }
        let ask = Ask { query: &query, ..Ask::get(Service::Network, "list floating addresses", &["floatingips"]) };
        let mut all = self.ask::<Many>(ask).await?.floatingips;
        // A cloud may not know the filter.
        all.retain(|one| about.is_none() || one.description.as_deref() == about);
        Ok(all)
    }

    /// Takes an address of an external network for the project; it leads nowhere yet. Where the answer is lost, it may be there: look
    /// for its description.
    ///
    /// # Errors
    /// The cloud refuses, as by quota ([`OpenStackError::is_over_quota`]) or where the network has no more addresses, or fails.
    pub async fn create_floating_address(&self, network: &str, about: &str) -> Result<FloatingAddress, OpenStackError> {
        let body = json!({"floatingip": {"floating_network_id": network, "description": about}});
        let ask = Ask::post(Service::Network, "take a floating address", &["floatingips"], body);
        Ok(self.ask::<One>(ask).await?.floatingip)
    }

    /// Lets it lead to a port; it leads nowhere else then. Done when it leads there already.
    ///
    /// # Errors
    /// The cloud refuses, as where no router leads from the port's network to the address's, or fails.
    pub async fn lead_floating_address(&self, id: &str, port: &str) -> Result<FloatingAddress, OpenStackError> {
        let path = ["floatingips", id];
        let action = "let a floating address lead to a port";
        let body = json!({"floatingip": {"port_id": port}});
        let ask = Ask { method: Method::PUT, ..Ask::post(Service::Network, action, &path, body) };
        Ok(self.ask::<One>(ask).await?.floatingip)
    }

    /// Gives it back; done when it is not there.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn delete_floating_address(&self, id: &str) -> Result<(), OpenStackError> {
        let path = ["floatingips", id];
        match self.ask_for(Ask::delete(Service::Network, "give back a floating address", &path)).await {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }
}
