//! What is made in Oriel of what Guacamole keeps.

use crate::parameters::{Fields, fields};
use crate::rules;
use crate::site::{Connection, Site};
use oriel_model::import::{Left, Names, word};
use oriel_model::{External, MachineProtocol, Name, SessionPolicy};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

#[derive(Debug, Default)]
pub struct Plan {
    /// Names of people to make.
    pub people: Vec<String>,
    pub pools: Vec<PlannedPool>,
    pub left: Vec<Left>,
}

/// Machines that exactly these people may open, under the same rules.
#[derive(Debug)]
pub struct PlannedPool {
    pub name: Name,
    pub policy: SessionPolicy,
    pub users: BTreeSet<String>,
    pub machines: Vec<PlannedMachine>,
}

#[derive(Debug)]
pub struct PlannedMachine {
    pub name: Name,
    /// Its name in Guacamole.
    pub from: String,
    pub external: External,
    pub password: Option<SecretString>,
    pub private_key: Option<SecretString>,
    pub passphrase: Option<SecretString>,
    pub gateway_password: Option<SecretString>,
}

/// What connections of one pool have in common: group, people, and rules as text.
type Audience = (Vec<String>, BTreeSet<String>, String);

/// The same site gives the same plan, names included.
pub fn plan(site: Site) -> Plan {
    let mut plan = Plan { left: site.left, ..Plan::default() };
    for person in &site.people {
        if person.disabled {
            plan.left.push(Left::new(format!("person {:?}", person.name), "the account is disabled in Guacamole"));
            continue;
        }
        if person.admin {
            plan.left.push(Left::new(
                format!("administrator {:?}", person.name),
                "becomes a person like others; the role is given by hand: oriel user set NAME --role admin",
            ));
        }
        plan.people.push(person.name.clone());
    }
    let known: BTreeSet<&String> = plan.people.iter().collect();
    let mut connections = site.connections;
    connections.sort_by(|a, b| (&a.group, &a.name, &a.protocol).cmp(&(&b.group, &b.name, &b.protocol)));
    let mut audiences: BTreeMap<Audience, (SessionPolicy, Vec<Connection>)> = BTreeMap::new();
    for mut connection in connections {
        connection.users.retain(|user| known.contains(user));
        let policy = rules::rules(&connection);
        let key = (connection.group.clone(), connection.users.clone(), policy.to_string());
        audiences.entry(key).or_insert_with(|| (policy, Vec::new())).1.push(connection);
    }
    let mut groups: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for (group, _, _) in audiences.keys() {
        *groups.entry(group.clone()).or_default() += 1;
    }
    for (group, pools) in groups.iter().filter(|(_, pools)| **pools > 1) {
        plan.left.push(Left::new(
            group_words(group),
            format!("its connections are not all for the same people under the same rules: it becomes {pools} pools"),
        ));
    }
    let (mut pool_names, mut machine_names) = (Names::default(), Names::default());
    for ((group, users, rules), (policy, connections)) in audiences {
        let whole = groups.get(&group) == Some(&1);
        let mut machines = Vec::new();
        for connection in connections {
            if let Some(machine) = machine(connection, &mut machine_names, &mut plan.left) {
                machines.push(machine);
            }
        }
        if machines.is_empty() {
            continue;
        }
        let word = word(if group.is_empty() { "guacamole".to_owned() } else { group.join("-") }.as_str());
        let name = if whole { word } else { format!("{word}-{}", mark(&users, &rules)) };
        plan.pools.push(PlannedPool { name: pool_names.take(&name), policy, users, machines });
    }
    plan
}

fn group_words(group: &[String]) -> String {
    if group.is_empty() { "connections outside of groups".to_owned() } else { format!("group {:?}", group.join("/")) }
}

fn machine(connection: Connection, names: &mut Names, left: &mut Vec<Left>) -> Option<PlannedMachine> {
    let what = format!("connection {:?}", connection.name);
    let protocol = match connection.protocol.as_str() {
        "rdp" => MachineProtocol::Rdp,
        "vnc" => MachineProtocol::Vnc,
        "ssh" => MachineProtocol::Ssh,
        "telnet" => MachineProtocol::Telnet,
        "kubernetes" => MachineProtocol::Kubernetes,
        other => {
            let other: String = other.chars().take(40).collect();
            left.push(Left::new(what, format!("Oriel has no machines that speak {other:?}")));
            return None;
        }
    };
    let Fields { external, password, private_key, passphrase, gateway_password, .. } =
        fields(protocol, &what, connection.parameters, left)?;
    let name = names.take(&word(&connection.name));
    Some(PlannedMachine { name, from: connection.name, external, password, private_key, passphrase, gateway_password })
}

/// Six digits that stand for these people and rules: when they change, so does the pool's name, and nobody gets into another's pool.
fn mark(users: &BTreeSet<String>, rules: &str) -> String {
    let mut hash = Sha256::new();
    for user in users {
        hash.update(user.as_bytes());
        hash.update([0]);
    }
    hash.update(rules.as_bytes());
    let mut mark = String::new();
    for byte in hash.finalize().iter().take(3) {
        // Writing into a String does not fail.
        write!(mark, "{byte:02x}").ok();
    }
    mark
}
