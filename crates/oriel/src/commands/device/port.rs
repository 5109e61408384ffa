//! `oriel device port`: the machines at the ports of a device's Switch, each a desktop of its own.

use super::path;
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, or_dash, say},
};
use clap::Subcommand;
use oriel_server::api::{
    device::{Device, DeviceSwitch},
    external::{Machine, MachineList, MachineNew, MachineParameters, MachineProtocol},
    pool::{PoolKind, PoolList},
};
use serde_json::json;
use std::collections::HashMap;

#[derive(Subcommand)]
pub enum Command {
    /// List the ports of a device's Switch, and the machines that were entered at them
    List {
        /// Id or name
        device: String,
        #[command(flatten)]
        json: Json,
    },
    /// Give a port to a pool, as a desktop of its own: whoever opens it makes the port active
    Add {
        /// The device in front: id or name
        device: String,
        /// 1.3 is the third port of the first unit
        port: String,
        /// Pool of external machines: id or name
        #[arg(long)]
        pool: String,
        /// The name of the machine at it in Oriel
        #[arg(long)]
        name: String,
        /// Whose it is: a person's id or name; everybody's whom the pool allows when left out
        #[arg(long, value_name = "PERSON")]
        owner: Option<String>,
        /// Keyboard layout that text is typed for: us, de
        #[arg(long, value_name = "LAYOUT")]
        keyboard: Option<String>,
        /// The machine inside, by its name in Oriel, where its system speaks rdp, vnc or ssh as well
        #[arg(long, value_name = "MACHINE")]
        inside: Option<String>,
    },
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List { device, json } => list(client, &device, json.json).await,
            Self::Add { device, port, pool, name, owner, keyboard, inside } => {
                let front: Machine = client.get(&format!("/machines/{}", segment(&device))).await?;
                let behind = Some(front.name);
                let new = MachineNew {
                    name,
                    protocol: MachineProtocol::Pikvm,
                    host: front.host,
                    port: Some(front.port),
                    user: None,
                    password: None,
                    private_key: None,
                    passphrase: None,
                    totp_secret: None,
                    gateway_password: None,
                    identity: None,
                    owner,
                    parameters: Some(MachineParameters {
                        keyboard,
                        inside,
                        behind,
                        switch_port: Some(port),
                        ..MachineParameters::default()
                    }),
                };
                let machine: Machine = client.post(&format!("/pools/{}/machines", segment(&pool)), &new).await?;
                say(format!("entered {}; its state: oriel device show {}", machine.name, machine.name));
                output::print(&machine.id)
            }
        }
    }
}

async fn list(client: &Client, device: &str, json: bool) -> Done {
    let front: Machine = client.get(&format!("/machines/{}", segment(device))).await?;
    let now: Device = client.get(&path(device)).await?;
    let Some(switch) = now.switch else {
        return Err(Failure::new(format!("{} has no Switch, or none that answers", front.name))
            .next("check the cable between device and Switch"));
    };
    let entered = entered(client, &front.name).await?;
    if json {
        return output::print_json(&json!({ "switch": switch, "machines": entered }));
    }
    let DeviceSwitch { ports, .. } = switch;
    let mut rows =
        Rows::new(["port", "name", "active", "picture", "power", "machine", "pool"], "the Switch has no ports");
    for one in ports {
        let at = entered.get(&one.port);
        rows.row([
            one.port,
            one.name,
            if one.active { "yes" } else { "" }.to_owned(),
            if one.video { "yes" } else { "no" }.to_owned(),
            if one.power.on { "on" } else { "off" }.to_owned(),
            or_dash(at.map(|machine| machine.name.as_str())),
            or_dash(at.map(|machine| machine.pool.name.as_str())),
        ]);
    }
    rows.print()
}

/// The machines at the ports of a device, by port.
async fn entered(client: &Client, device: &str) -> Result<HashMap<String, Machine>, Failure> {
    let pools: PoolList = client.get("/pools").await?;
    let mut entered = HashMap::new();
    for pool in pools.pools.into_iter().filter(|pool| pool.kind == PoolKind::External) {
        let list: MachineList = client.get(&format!("/pools/{}/machines", segment(&pool.id))).await?;
        for machine in list.machines {
            if machine.parameters.behind.as_deref() == Some(device)
                && let Some(port) = &machine.parameters.switch_port
                && let Ok(port) = port.parse::<oriel_model::SwitchPort>()
            {
                entered.insert(port.to_string(), machine);
            }
        }
    }
    Ok(entered)
}
