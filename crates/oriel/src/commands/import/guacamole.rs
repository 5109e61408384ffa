//! `oriel import guacamole`.

use super::people::{make_people, reason};
use super::report::{MachineLine, PoolLine, Report, State};
use crate::{
    client::{Client, segment},
    failure::{Done, Failure},
};
use clap::Args;
use oriel_guacamole::{FILE_BYTES_MAX, Left, Plan, PlannedMachine, PlannedPool, Site};
use oriel_server::api::{
    external::{Machine, MachineList, MachineNew},
    policy::SessionPolicy as ApiPolicy,
    pool::{Pool, PoolKind, PoolList},
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

#[derive(Args)]
#[command(
    after_help = "What is there already by name stays as it is, so that it can be run again. Everything that has no place in Oriel \
        is named with its reason. A database's password may also be in PGPASSWORD."
)]
pub struct Guacamole {
    /// A user-mapping.xml, or Guacamole's database: postgres:// or mysql://USER:PASSWORD@HOST/NAME
    #[arg(value_name = "FILE|DSN")]
    source: String,
    /// Only say what would be made
    #[arg(long)]
    dry_run: bool,
    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

impl Guacamole {
    pub(super) async fn run(self, client: &Client) -> Done {
        let plan = oriel_guacamole::plan(read(&self.source).await?);
        let mut report = Report { dry_run: self.dry_run, ..Report::default() };
        let work = Work { client, dry_run: self.dry_run };
        let worked = work.all(plan, &mut report).await;
        report.show("Guacamole", self.json)?;
        worked
    }
}

async fn read(source: &str) -> Result<Site, Failure> {
    if source.contains("://") {
        let rows = oriel_store::read_guacamole(source)
            .await
            .map_err(|error| Failure::because("cannot read Guacamole's database", &error))?;
        return Ok(rows.into_site());
    }
    let what = format!("cannot read {source}");
    let file = std::fs::File::open(source).map_err(|error| {
        Failure::because(&what, &error)
            .next("give a user-mapping.xml, or postgres://USER:PASSWORD@HOST/NAME, or mysql://USER:PASSWORD@HOST/NAME")
    })?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(|error| Failure::because(&what, &error))?;
    oriel_guacamole::parse_user_mapping(&text).map_err(|error| Failure::because(&what, &error))
}

/// Makes what is planned, one thing after the other, each only when it is not there.
struct Work<'a> {
    client: &'a Client,
    dry_run: bool,
}

impl Work<'_> {
    async fn all(&self, plan: Plan, report: &mut Report) -> Done {
        let mut left = plan.left;
        let people = make_people(self.client, self.dry_run, plan.people, report, &mut left).await;
        let done = match people {
            Ok(people) => self.pools(plan.pools, &people, report, &mut left).await,
            Err(failure) => Err(failure),
        };
        report.leave(left);
        done
    }

    async fn pools(
        &self,
        wanted: Vec<PlannedPool>,
        people: &BTreeSet<String>,
        report: &mut Report,
        left: &mut Vec<Left>,
    ) -> Done {
        let there: PoolList = self.client.get("/pools").await?;
        let there: BTreeMap<String, Pool> = there.pools.into_iter().map(|pool| (pool.name.clone(), pool)).collect();
        for pool in wanted {
            let users: BTreeSet<String> = pool.users.intersection(people).cloned().collect();
            let name = pool.name.to_string();
            match there.get(&name) {
                Some(found) if found.kind != PoolKind::External => {
                    left.push(Left::new(
                        format!("pool {name:?} with {} machines", pool.machines.len()),
                        "a pool of desktops has that name in Oriel: rename one of them",
                    ));
                }
                found => self.pool(pool, users, found, report, left).await?,
            }
        }
        Ok(())
    }

    async fn pool(
        &self,
        pool: PlannedPool,
        users: BTreeSet<String>,
        found: Option<&Pool>,
        report: &mut Report,
        left: &mut Vec<Left>,
    ) -> Done {
        let name = pool.name.to_string();
        let path = format!("/pools/{}", segment(&name));
        let policy = ApiPolicy::from(pool.policy.clone());
        let machines: Vec<Machine> = match found {
            Some(_) => self.client.get::<MachineList>(&format!("{path}/machines")).await?.machines,
            None => Vec::new(),
        };
        let state = match found {
            Some(_) => State::There,
            None if self.dry_run => State::Planned,
            None => {
                let most = pool.machines.len().max(100);
                let new = json!({"name": name, "kind": "external", "desktops_max": most.min(1000), "policy": policy});
                self.client.post::<Pool>("/pools", &new).await?;
                State::Made
            }
        };
        let allowed: BTreeSet<String> =
            found.iter().flat_map(|pool| &pool.users).map(|user| user.name.to_lowercase()).collect();
        let wanted: BTreeSet<String> = users.iter().map(|user| user.to_lowercase()).collect();
        // A machine in a pool is everybody's whom it allows: nobody may open more than before.
        let wider = !allowed.is_subset(&wanted);
        // Whoever is let into a pool that has machines is let into those too: that is an admin's to decide.
        if machines.is_empty() && !wider {
            for user in users.iter().filter(|user| !allowed.contains(&user.to_lowercase()) && !self.dry_run) {
                self.client.put(&format!("{path}/users/{}", segment(user))).await?;
            }
        } else if allowed != wanted {
            left.push(Left::new(
                format!("who may use pool {name:?}"),
                format!(
                    "others may use it in Oriel than in Guacamole ({}): change it by hand with oriel pool allow and deny",
                    if wanted.is_empty() { "nobody".to_owned() } else { users.iter().cloned().collect::<Vec<_>>().join(", ") }
                ),
            ));
        }
        let other_rules = found.is_some_and(|found| found.policy != policy);
        report.pools.push(PoolLine {
            name: name.clone(),
            state,
            users: users.into_iter().collect(),
            groups: Vec::new(),
            image: None,
            desktops: None,
        });
        let there: BTreeSet<&str> = machines.iter().map(|machine| machine.name.as_str()).collect();
        for machine in pool.machines {
            let line = |state| MachineLine {
                name: machine.name.to_string(),
                pool: name.clone(),
                from: machine.from.clone(),
                state,
            };
            if there.contains(machine.name.as_str()) {
                report.machines.push(line(State::There));
            } else if wider {
                left.push(Left::new(
                    format!("connection {:?}", machine.from),
                    format!("pool {name} is open to people who may not open it in Guacamole: take them out (oriel pool deny), then run this again"),
                ));
            } else if other_rules {
                left.push(Left::new(
                    format!("connection {:?}", machine.from),
                    format!("pool {name} has other rules than it has in Guacamole: set them (oriel pool set {name} --policy {}), then run this again", pool.policy),
                ));
            } else if self.dry_run {
                report.machines.push(line(State::Planned));
            } else {
                match self.client.post::<Machine>(&format!("{path}/machines"), &new_machine(&machine)).await {
                    Ok(_) => report.machines.push(line(State::Made)),
                    Err(failure) if failure.is_refusal() => {
                        left.push(Left::new(format!("connection {:?}", machine.from), reason(&failure)));
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
        Ok(())
    }
}

fn new_machine(machine: &PlannedMachine) -> MachineNew {
    let secret = |secret: &Option<secrecy::SecretString>| secret.as_ref().map(|text| text.expose_secret().to_owned());
    let external = &machine.external;
    MachineNew {
        name: machine.name.to_string(),
        protocol: external.protocol.into(),
        host: external.host.clone(),
        port: Some(external.port),
        user: external.user.clone(),
        password: secret(&machine.password),
        private_key: secret(&machine.private_key),
        passphrase: secret(&machine.passphrase),
        totp_secret: None,
        gateway_password: secret(&machine.gateway_password),
        identity: external.identity.clone(),
        owner: None,
        parameters: Some(external.parameters.clone().into()),
    }
}
