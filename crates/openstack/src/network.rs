//! Networks and the ports on them.
//! <https://docs.openstack.org/api-ref/network/v2/>

use crate::client::{Ask, Client};
use crate::{OpenStackError, Service};
use serde::Deserialize;
use serde_json::json;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Network {
    pub id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub admin_state_up: bool,
    #[serde(default)]
    pub shared: bool,
    /// Others' addresses are behind it: floating ones come from there.
    #[serde(rename = "router:external", default)]
    pub external: bool,
    /// Absent where the cloud has no such extension.
    pub port_security_enabled: Option<bool>,
    #[serde(default)]
    pub subnets: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Port {
    pub id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub network_id: String,
    /// The server that has it; empty when none does.
    #[serde(default)]
    pub device_id: String,
    #[serde(default)]
    pub mac_address: String,
    #[serde(default)]
    pub fixed_ips: Vec<FixedAddress>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FixedAddress {
    #[serde(default)]
    pub ip_address: String,
}

#[derive(Deserialize)]
struct Networks {
    networks: Vec<Network>,
}

#[derive(Deserialize)]
struct Ports {
    ports: Vec<Port>,
}

#[derive(Deserialize)]
struct OnePort {
    port: Port,
}

impl Client {
    /// All networks that the project can see. Neutron sends them in one piece.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn networks(&self) -> Result<Vec<Network>, OpenStackError> {
        let all: Networks = self.ask(Ask::get(Service::Network, "list networks", &["networks"])).await?;
        Ok(all.networks)
    }

    /// The ports of a server.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn ports_of(&self, server: &str) -> Result<Vec<Port>, OpenStackError> {
        let query = [("device_id", server.to_owned())];
        let all: Ports =
            self.ask(Ask { query: &query, ..Ask::get(Service::Network, "list ports", &["ports"]) }).await?;
        Ok(all.ports)
    }

    /// # Errors
    /// The cloud refuses or fails.
    pub async fn create_port(&self, network: &str, name: &str) -> Result<Port, OpenStackError> {
        let body = json!({"port": {"network_id": network, "name": name}});
        let made: OnePort = self.ask(Ask::post(Service::Network, "make a port", &["ports"], body)).await?;
        Ok(made.port)
    }

    /// Done when it is not there.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn delete_port(&self, id: &str) -> Result<(), OpenStackError> {
        match self.ask_for(Ask::delete(Service::Network, "delete a port", &["ports", id])).await {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }
}
