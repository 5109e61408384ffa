//! Security groups: what may reach a server. <https://docs.openstack.org/api-ref/network/v2/#security-groups-security-groups>

use crate::client::{Ask, Client};
use crate::{OpenStackError, Service};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SecurityGroup {
    pub id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(rename = "security_group_rules", default)]
    pub rules: Vec<SecurityRule>,
}

/// What one rule lets through.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SecurityRule {
    #[serde(default)]
    pub id: String,
    /// `ingress` or `egress`.
    #[serde(default)]
    pub direction: String,
    /// `IPv4` or `IPv6`.
    #[serde(default)]
    pub ethertype: String,
    /// None: any.
    pub protocol: Option<String>,
    pub port_range_min: Option<i64>,
    pub port_range_max: Option<i64>,
    /// None: from anywhere, or from another group.
    pub remote_ip_prefix: Option<String>,
    pub remote_group_id: Option<String>,
}

/// One TCP port that is to be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub port: u16,
    /// `192.0.2.7/32`; none for anywhere, by IPv4 and by IPv6 (`v6`).
    pub from: Option<String>,
    pub v6: bool,
}

#[derive(Deserialize)]
struct Many {
    security_groups: Vec<SecurityGroup>,
}

#[derive(Deserialize)]
struct One {
    security_group: SecurityGroup,
}

impl Opening {
    const fn ethertype(&self) -> &'static str {
        if self.v6 { "IPv6" } else { "IPv4" }
    }

    /// None: from anywhere, however that is said.
    fn from(&self) -> Option<&str> {
        self.from.as_deref().filter(|prefix| !is_anywhere(prefix))
    }

    /// Whether this rule opens just that.
    pub fn is(&self, rule: &SecurityRule) -> bool {
        let port = Some(i64::from(self.port));
        let from = rule.remote_ip_prefix.as_deref().filter(|prefix| !is_anywhere(prefix));
        rule.direction == "ingress"
            && rule.ethertype == self.ethertype()
            && rule.protocol.as_deref() == Some("tcp")
            && (rule.port_range_min, rule.port_range_max) == (port, port)
            && rule.remote_group_id.is_none()
            && from == self.from()
    }

    fn body(&self, group: &str) -> Value {
        json!({"security_group_rule": {
            "security_group_id": group, "direction": "ingress", "ethertype": self.ethertype(), "protocol": "tcp",
            "port_range_min": self.port, "port_range_max": self.port, "remote_ip_prefix": self.from(),
        }})
    }
}

fn is_anywhere(prefix: &str) -> bool {
    matches!(prefix, "0.0.0.0/0" | "::/0")
}

impl Client {
    /// The project's groups of this name, with their rules; Neutron lets several have the same.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn security_groups_named(&self, name: &str) -> Result<Vec<SecurityGroup>, OpenStackError> {
        let mut query = vec![("name", name.to_owned())];
        // An admin would see those of other projects.
        if let Some(project) = self.token().await?.project_id.clone() {
            query.push(("project_id", project));
        }
        let ask = Ask { query: &query, ..Ask::get(Service::Network, "list security groups", &["security-groups"]) };
        Ok(self.ask::<Many>(ask).await?.security_groups)
    }

    /// Lets out what goes out and nothing in. Where the answer is lost, it may be there: look for its name.
    ///
    /// # Errors
    /// The cloud refuses, as by quota ([`OpenStackError::is_over_quota`]), or fails.
    pub async fn create_security_group(&self, name: &str, about: &str) -> Result<SecurityGroup, OpenStackError> {
        let body = json!({"security_group": {"name": name, "description": about}});
        let ask = Ask::post(Service::Network, "make a security group", &["security-groups"], body);
        Ok(self.ask::<One>(ask).await?.security_group)
    }

    /// Done when it is open already.
    ///
    /// # Errors
    /// The cloud refuses, as by quota, or fails.
    pub async fn open_in_security_group(&self, group: &str, opening: &Opening) -> Result<(), OpenStackError> {
        let path = ["security-group-rules"];
        let ask = Ask::post(Service::Network, "open a port in a security group", &path, opening.body(group));
        match self.ask_for(ask).await {
            // "Security group rule already exists": another try made it.
            Err(error) if !error.is_conflict() || error.is_over_quota() => Err(error),
            _ => Ok(()),
        }
    }

    /// Done when it is not there.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn delete_security_rule(&self, id: &str) -> Result<(), OpenStackError> {
        let path = ["security-group-rules", id];
        match self.ask_for(Ask::delete(Service::Network, "close a port in a security group", &path)).await {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }

    /// Done when it is not there.
    ///
    /// # Errors
    /// The cloud refuses, as for one that ports still have ([`OpenStackError::is_conflict`]), or fails.
    pub async fn delete_security_group(&self, id: &str) -> Result<(), OpenStackError> {
        let path = ["security-groups", id];
        match self.ask_for(Ask::delete(Service::Network, "delete a security group", &path)).await {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_known_by_what_it_opens() {
        let rule = |from: Option<&str>| SecurityRule {
            id: "1".into(),
            direction: "ingress".into(),
            ethertype: "IPv4".into(),
            protocol: Some("tcp".into()),
            port_range_min: Some(22),
            port_range_max: Some(22),
            remote_ip_prefix: from.map(str::to_owned),
            remote_group_id: None,
        };
        let anywhere = Opening { port: 22, from: None, v6: false };
        assert!(anywhere.is(&rule(None)) && anywhere.is(&rule(Some("0.0.0.0/0"))));
        assert!(!anywhere.is(&rule(Some("192.0.2.7/32"))));
        let said = Opening { from: Some("0.0.0.0/0".into()), ..anywhere.clone() };
        assert!(said.is(&rule(None)) && said.is(&rule(Some("0.0.0.0/0"))));
        let near = Opening { from: Some("192.0.2.7/32".into()), ..anywhere.clone() };
        assert!(near.is(&rule(Some("192.0.2.7/32"))) && !near.is(&rule(None)));
        assert!(!Opening { v6: true, ..anywhere.clone() }.is(&rule(None)));
        assert!(!Opening { port: 23, ..anywhere.clone() }.is(&rule(None)));
        assert!(!anywhere.is(&SecurityRule { port_range_max: Some(80), ..rule(None) }));
        assert!(!anywhere.is(&SecurityRule { remote_group_id: Some("2".into()), ..rule(None) }));
        assert!(!anywhere.is(&SecurityRule { direction: "egress".into(), ..rule(None) }));
    }
}
