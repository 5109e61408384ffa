//! An external machine that is wanted beside the one that is there.

use super::{Change, Does, Draft, Mark, World, dangling, same};
use crate::{
    client::segment,
    commands::apply::{
        read::{Place, Wrong},
        said::{self, Said},
        wanted::{Reference, WantedMachine, WantedPool, parameter_key},
    },
};
use oriel_model as model;
use oriel_server::api::external::{Machine, MachineParameters, MachineProtocol};
use serde_json::Value;
use std::collections::BTreeSet;

impl<'a> World<'a> {
    /// Machines behind those that they are reached through.
    pub(super) fn machines(&self) -> Result<Vec<(&'a WantedPool, &'a WantedMachine)>, Wrong> {
        let all = self.wanted.pools.iter().flat_map(|pool| pool.machines.iter().map(move |machine| (pool, machine)));
        let mut left: Vec<_> = all.collect();
        let mut order = Vec::with_capacity(left.len());
        let jump = |machine: &'a WantedMachine| {
            machine.parameters.get("jump").and_then(Value::as_str).filter(|jump| !jump.is_empty())
        };
        let declared: BTreeSet<&str> = left.iter().map(|(_, machine)| machine.name.as_str()).collect();
        for &(_, machine) in &left {
            let nowhere =
                |name: &&str| !declared.contains(*name) && self.present.machines.iter().all(|one| one.name != **name);
            if let Some(name) = jump(machine).filter(nowhere) {
                let place = Place { path: format!("{}.jump", machine.place.path), ..machine.place.clone() };
                return Err(dangling(
                    &Reference { name: name.to_owned(), place },
                    "machine",
                    declared.iter().copied(),
                    "declare it, or see `oriel machine list`",
                ));
            }
        }
        while let Some(&(_, first)) = left.first() {
            let waiting: BTreeSet<&str> = left.iter().map(|(_, machine)| machine.name.as_str()).collect();
            let (ready, later): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|&(_, machine)| jump(machine).is_none_or(|name| !waiting.contains(name)));
            if ready.is_empty() {
                return Err(first
                    .place
                    .wrong("the machines on the way to this one are reached through each other")
                    .next("let the first of them have no `jump`"));
            }
            order.extend(ready);
            left = later;
        }
        Ok(order)
    }

    pub(super) fn machine(&self, pool: &WantedPool, machine: &WantedMachine) -> Result<Option<Change>, Wrong> {
        let there = self.present.machines.iter().find(|one| one.name == machine.name);
        let owner = machine.owner.as_ref().map(|owner| self.person_named(owner)).transpose()?;
        if let Some(there) = there {
            stays(pool, machine, there, owner.as_deref())?;
        }
        let Some(protocol) = machine.protocol.or(there.map(|there| there.protocol)) else {
            return Err(machine
                .place
                .wrong("a machine that is not there yet needs a `protocol`")
                .next("rdp, vnc, spice, ssh, telnet, kubernetes, pikvm, redfish or ipmi"));
        };
        let mut draft = Draft::default();
        let moved = address(machine, protocol, there, &mut draft)?;
        for (key, wanted, before) in [
            ("user", &machine.user, there.and_then(|there| there.user.as_ref())),
            ("identity", &machine.identity, there.and_then(|there| there.identity.as_ref())),
        ] {
            let Some(wanted) = wanted else { continue };
            if wanted != before.map_or("", String::as_str) {
                draft.put(key, wanted);
                let before = there.map(|_| before.cloned().unwrap_or_else(|| "nothing".to_owned()));
                draft.says(key, before, Said::Text(wanted.clone()));
            }
        }
        let rerouted = parameters(machine, there, &mut draft);
        let elsewhere = moved || rerouted || self.how.renew_secrets;
        let there_is = there.map_or([false; 4], |there| {
            [there.has_password, there.has_private_key, there.has_totp, there.has_gateway_password]
        });
        let [password, key, totp, gateway] = there_is.map(|has| has && !elsewhere);
        let secrets = &machine.secrets;
        for (key, from, is_kept) in [
            ("password", &secrets.password, password),
            ("private_key", &secrets.private_key, key),
            // A passphrase goes with its key.
            ("passphrase", &secrets.passphrase, key),
            ("totp_secret", &secrets.totp, totp),
            ("gateway_password", &secrets.gateway_password, gateway),
        ] {
            let Some(from) = from.as_ref().filter(|_| !is_kept) else { continue };
            draft.says(key, None, from.said());
            draft.secrets.push((key, from.clone()));
        }
        match there {
            Some(_) if draft.fields.is_empty() => Ok(None),
            Some(there) => {
                let path = format!("/machines/{}", segment(&there.id));
                Ok(Some(draft.change(Mark::Change, "machine", &machine.name, Does::Patch, path)))
            }
            None => {
                draft.put("name", &machine.name);
                draft.put("protocol", protocol);
                draft.says("protocol", None, said::word(&protocol));
                if let Some(owner) = owner {
                    draft.says("owner", None, &owner);
                    draft.put("owner", owner);
                }
                let path = format!("/pools/{}/machines", segment(&pool.name));
                Ok(Some(draft.change(Mark::Add, "machine", &machine.name, Does::Post, path)))
            }
        }
    }
}

/// What a machine that is there keeps for good.
fn stays(pool: &WantedPool, machine: &WantedMachine, there: &Machine, owner: Option<&str>) -> Result<(), Wrong> {
    let cannot = |what: String| {
        Err(machine.place.wrong(what).next(format!(
            "take it away first with `oriel machine remove {}`, or declare one of another name",
            machine.name
        )))
    };
    if there.pool.name != pool.name {
        return cannot(format!(
            "machine {} is in pool {} already, and does not move to {}",
            machine.name, there.pool.name, pool.name
        ));
    }
    if let Some(protocol) = machine.protocol.filter(|protocol| *protocol != there.protocol) {
        return cannot(format!(
            "machine {} speaks {}, and cannot become one that speaks {}",
            machine.name,
            said::word(&there.protocol),
            said::word(&protocol)
        ));
    }
    let its = there.owner.as_ref().map(|owner| owner.name.as_str());
    match owner {
        Some(owner) if its.is_none_or(|its| !same(its, owner)) => {
            cannot(format!("machine {} is {}, and is not given to {owner}", machine.name, its.unwrap_or("everybody's")))
        }
        _ => Ok(()),
    }
}

/// Whether it is another one than before.
fn address(
    machine: &WantedMachine,
    protocol: MachineProtocol,
    there: Option<&Machine>,
    draft: &mut Draft,
) -> Result<bool, Wrong> {
    let said =
        |host: &str, port: u16| if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let Some((host, port)) = &machine.address else {
        if there.is_none() {
            return Err(machine
                .place
                .wrong("a machine that is not there yet needs an `address`")
                .next("give HOST or HOST:PORT"));
        }
        return Ok(false);
    };
    let port = port.unwrap_or_else(|| model::MachineProtocol::from(protocol).port());
    if there.is_some_and(|there| same(&there.host, host) && there.port == port) {
        return Ok(false);
    }
    draft.put("host", host);
    draft.put("port", port);
    draft.says("address", there.map(|there| said(&there.host, there.port)), said(host, port));
    Ok(there.is_some())
}

/// Whether one differs of a machine that is there.
fn parameters(machine: &WantedMachine, there: Option<&Machine>, draft: &mut Draft) -> bool {
    let before = there.map(|there| there.parameters.clone()).unwrap_or_default();
    let Ok(Value::Object(mut all)) = serde_json::to_value::<MachineParameters>(before) else { return false };
    let mut differs = false;
    for (name, wanted) in &machine.parameters {
        // An empty text takes away.
        let after = if wanted.as_str() == Some("") { Value::Null } else { wanted.clone() };
        let before = all.insert(name.clone(), after.clone()).unwrap_or_default();
        if before != after {
            differs = true;
            let before = there.map(|_| value_said(&before));
            draft.says(parameter_key(name), before, value_said(&after));
        }
    }
    if differs {
        draft.body.insert("parameters".to_owned(), Value::Object(all));
    }
    differs && there.is_some()
}

fn value_said(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        // A certificate as PEM has lines, and says nothing to who reads it.
        Value::String(text) if text.contains('\n') || text.len() > 120 => "a text of its own".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
