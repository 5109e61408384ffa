//! `oriel import kvm-vdi`.

use super::people::{make_people, reason};
use super::report::{GroupLine, ImageLine, MachineLine, MappedLine, PoolLine, Report, State};
use crate::{
    client::{Client, segment},
    failure::{Done, Failure},
};
use clap::Args;
use oriel_kvm_vdi::{Address, FILE_BYTES_MAX, Plan, PlannedImage, PlannedMachines, PlannedPool, Rows};
use oriel_model::import::Left;
use oriel_server::api::{
    directory::DirectoryList,
    external::{Machine, MachineList},
    group::{Group, GroupList},
    image::{ImageList, ImageState},
    pool::{Pool, PoolKind, PoolList},
    user::UserList,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

#[derive(Args)]
#[command(
    after_help = "Pools become floating pools of the image that has the name of their machines' initial machine: bring its disk in first \
        (oriel image import FILE --name NAME), or name another image with --image. What is missing is named, with what to do; what is \
        there already by name stays as it is, so that it can be run again."
)]
pub struct KvmVdi {
    /// A dump of kvm-vdi's database (mysqldump vdi), or the database: mysql://USER:PASSWORD@HOST/NAME
    #[arg(value_name = "DSN|FILE")]
    source: String,
    /// An image of Oriel's for an initial machine, by their names: `win10-initial=windows-10`; may be given several times
    #[arg(long = "image", value_name = "INITIAL=IMAGE")]
    images: Vec<String>,
    /// Where a machine is, which kvm-vdi does not know: `files=rdp://10.0.0.7`, also vnc:// and ssh://; it becomes a machine of a pool of
    /// others' machines. May be given several times
    #[arg(long = "address", value_name = "MACHINE=ADDRESS")]
    addresses: Vec<String>,
    /// Virtual CPUs of a desktop of new pools (kvm-vdi keeps them in libvirt alone)
    #[arg(long)]
    vcpus: Option<u32>,
    /// Memory of a desktop of new pools, in MiB
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// Disk of a desktop of new pools, in GiB
    #[arg(long, value_name = "GIB")]
    disk: Option<u64>,
    /// A cloud on which new pools shall stand, rather than on this host: id or name
    #[arg(long, value_name = "CLOUD", requires = "flavor", conflicts_with_all = ["vcpus", "memory", "disk"])]
    cloud: Option<String>,
    /// The cloud's flavor for their desktops, by id or name
    #[arg(long, value_name = "FLAVOR", requires = "cloud")]
    flavor: Option<String>,
    /// Let people and groups also into pools that are there already, as kvm-vdi does
    #[arg(long)]
    let_in: bool,
    /// Only say what would be made
    #[arg(long)]
    dry_run: bool,
    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

impl KvmVdi {
    pub(super) async fn run(self, client: &Client) -> Done {
        let images = self.named_images()?;
        let addresses = self.named_addresses()?;
        let plan = oriel_kvm_vdi::plan(read(&self.source).await?, &addresses);
        let mut report = Report { dry_run: self.dry_run, ..Report::default() };
        let worked = Work { client, with: &self, images }.all(plan, &mut report).await;
        report.show("kvm-vdi", self.json)?;
        worked
    }

    fn named_addresses(&self) -> Result<BTreeMap<String, Address>, Failure> {
        let read = |text: &String| -> Result<(String, Address), Failure> {
            let wrong = |why: String| {
                Failure::usage(format!("--address {text}: {why}"))
                    .next("write MACHINE=ADDRESS, such as files=rdp://10.0.0.7")
            };
            let (machine, address) = text.split_once('=').ok_or_else(|| wrong("it names no two things".to_owned()))?;
            Ok((machine.to_owned(), address.parse::<Address>().map_err(wrong)?))
        };
        self.addresses.iter().map(read).collect()
    }

    /// Images by the names of initial machines.
    fn named_images(&self) -> Result<BTreeMap<String, String>, Failure> {
        let read = |text: &String| {
            let parts = text.split_once('=').filter(|(initial, image)| !initial.is_empty() && !image.is_empty());
            parts.map(|(initial, image)| (initial.to_owned(), image.to_owned())).ok_or_else(|| {
                Failure::usage(format!("--image {text} names no two things"))
                    .next("write INITIAL=IMAGE, such as win10-initial=windows-10")
            })
        };
        self.images.iter().map(read).collect()
    }
}

async fn read(source: &str) -> Result<Rows, Failure> {
    if source.contains("://") {
        return oriel_store::read_kvm_vdi(source)
            .await
            .map_err(|error| Failure::because("cannot read kvm-vdi's database", &error));
    }
    let what = format!("cannot read {source}");
    let file = std::fs::File::open(source).map_err(|error| {
        Failure::because(&what, &error)
            .next("give a dump of kvm-vdi's database (mysqldump vdi > FILE), or mysql://USER:PASSWORD@HOST/NAME")
    })?;
    let mut dump = Vec::new();
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut dump).map_err(|error| Failure::because(&what, &error))?;
    oriel_kvm_vdi::parse_dump(&dump).map_err(|error| Failure::because(&what, &error))
}

/// Makes what is planned, one thing after the other, each only when it is not there.
struct Work<'a> {
    client: &'a Client,
    with: &'a KvmVdi,
    /// Images by the names of initial machines.
    images: BTreeMap<String, String>,
}

/// What there is to let in.
struct There {
    /// Everybody, by their names in small letters.
    people: BTreeMap<String, String>,
    /// Groups that are there by now.
    groups: BTreeSet<String>,
    /// Images by the planned names of initial machines.
    images: BTreeMap<String, String>,
    pools: BTreeMap<String, Pool>,
}

impl There {
    /// Who of a pool's people is here.
    fn people_of(
        &self,
        pool: &str,
        users: &BTreeSet<String>,
        domain_users: &BTreeSet<String>,
        left: &mut Vec<Left>,
    ) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for user in users.iter().chain(domain_users) {
            match self.people.get(&user.to_lowercase()) {
                Some(user) => {
                    found.insert(user.clone());
                }
                // Of the others it was said when they were not made.
                None if domain_users.contains(user) => left.push(Left::new(
                    format!("{user:?} in pool {pool:?}"),
                    "they are of a directory, and are here once they have signed in by it (oriel directory add): run this again then, with --let-in",
                )),
                None => {}
            }
        }
        found
    }
}

impl Work<'_> {
    async fn all(&self, plan: Plan, report: &mut Report) -> Done {
        let mut left = plan.left;
        report.mapped = plan.mapped.into_iter().map(|one| MappedLine { what: one.what, to: one.to }).collect();
        let done =
            self.make(plan.people, plan.groups, plan.images, (plan.pools, plan.external), report, &mut left).await;
        report.leave(left);
        done
    }

    async fn make(
        &self,
        people: Vec<String>,
        groups: Vec<String>,
        images: Vec<PlannedImage>,
        (pools, external): (Vec<PlannedPool>, Vec<PlannedMachines>),
        report: &mut Report,
        left: &mut Vec<Left>,
    ) -> Done {
        let mut by_name: BTreeMap<String, String> = make_people(self.client, self.with.dry_run, people, report, left)
            .await?
            .into_iter()
            .map(|name| (name.to_lowercase(), name))
            .collect();
        let all: UserList = self.client.get("/users").await?;
        by_name.extend(all.users.into_iter().map(|user| (user.name.to_lowercase(), user.name)));
        let groups = self.groups(groups, report, left).await?;
        let images = self.images(images, report, left).await?;
        let pools_there: PoolList = self.client.get("/pools").await?;
        let pools_there = pools_there.pools.into_iter().map(|pool| (pool.name.clone(), pool)).collect();
        let there = There { people: by_name, groups, images, pools: pools_there };
        for pool in pools {
            self.pool(pool, &there, report, left).await?;
        }
        for pool in external {
            self.external_pool(pool, &there, report, left).await?;
        }
        Ok(())
    }

    /// Answers which are there afterwards.
    async fn groups(
        &self,
        wanted: Vec<String>,
        report: &mut Report,
        left: &mut Vec<Left>,
    ) -> Result<BTreeSet<String>, Failure> {
        let mut there = BTreeSet::new();
        if wanted.is_empty() {
            return Ok(there);
        }
        let list: GroupList = self.client.get("/groups").await?;
        let list: BTreeMap<String, String> =
            list.groups.into_iter().map(|group| (group.name.to_lowercase(), group.id)).collect();
        let directories: DirectoryList = self.client.get("/directories").await?;
        let mapped = directories.directories.into_iter().flat_map(|directory| directory.settings.groups);
        let mapped: BTreeSet<String> = mapped.map(|mapping| mapping.group).collect();
        for name in wanted {
            let id = list.get(&name.to_lowercase());
            let state = if id.is_some() {
                State::There
            } else if self.with.dry_run {
                State::Planned
            } else {
                let new = json!({"name": name, "about": "a group of Active Directory, from kvm-vdi"});
                match self.client.post::<Group>("/groups", &new).await {
                    Ok(_) => State::Made,
                    Err(failure) if failure.is_refusal() => {
                        left.push(Left::new(format!("group {name:?}"), reason(&failure)));
                        continue;
                    }
                    Err(failure) => return Err(failure),
                }
            };
            if !id.is_some_and(|id| mapped.contains(id)) {
                left.push(Left::new(
                    format!("who is in group {name:?}"),
                    format!(
                        "the directory says so once it is mapped: oriel directory set DIRECTORY --group '{name}=DN'"
                    ),
                ));
            }
            there.insert(name.clone());
            report.groups.push(GroupLine { name, state });
        }
        Ok(there)
    }

    /// Answers which of Oriel's images stand for which initial machines.
    async fn images(
        &self,
        wanted: Vec<PlannedImage>,
        report: &mut Report,
        left: &mut Vec<Left>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let list: ImageList = self.client.get("/images").await?;
        let ready = list.images.iter().filter(|image| image.state == ImageState::Ready);
        let ready: BTreeSet<&str> = ready.map(|image| image.name.as_str()).collect();
        let mut found = BTreeMap::new();
        for image in wanted {
            let planned = image.name.to_string();
            let name = self.images.get(&image.from).cloned().unwrap_or_else(|| planned.clone());
            // With a version, or an id: the server says whether it is there.
            let is_there =
                ready.contains(name.split(':').next().unwrap_or_default()) || self.images.contains_key(&image.from);
            if is_there {
                found.insert(planned, name.clone());
            } else {
                let os = if image.windows { " --os windows" } else { "" };
                left.push(Left::new(
                    format!("image {name:?}, the disk of initial machine {:?}", image.from),
                    format!(
                        "it is not here yet: find its disk on {} (virsh domblklist '{}'), copy it to this host, then oriel image import FILE --name {name}{os}, and run this again; or name another image: --image '{}=IMAGE'",
                        image.hypervisor, image.from, image.from
                    ),
                ));
            }
            report.images.push(ImageLine { name, from: image.from, there: is_there });
        }
        for initial in self.images.keys().filter(|initial| !report.images.iter().any(|line| line.from == **initial)) {
            left.push(Left::new(
                format!("--image {initial}=…"),
                "no pool of kvm-vdi has machines of an initial machine of that name",
            ));
        }
        Ok(found)
    }

    async fn pool(&self, pool: PlannedPool, there: &There, report: &mut Report, left: &mut Vec<Left>) -> Done {
        let name = pool.name.to_string();
        let what = format!("pool {:?} with {} machines", pool.from, pool.desktops);
        let found = there.pools.get(&name);
        if let Some(other) = found.filter(|found| found.kind != PoolKind::Floating) {
            left.push(Left::new(
                what,
                format!(
                    "a pool {} of another kind is in Oriel already: rename one of them, or change it by hand",
                    other.name
                ),
            ));
            return Ok(());
        }
        let image = there.images.get(pool.image.as_str());
        let state = match (found, image) {
            (Some(_), _) => State::There,
            (None, None) => {
                left.push(Left::new(what, format!("its image {} is not here yet", pool.image)));
                return Ok(());
            }
            (None, Some(_)) if self.with.dry_run => State::Planned,
            (None, Some(image)) => match self.client.post::<Pool>("/pools", &self.new_pool(&pool, image)).await {
                Ok(_) => State::Made,
                Err(failure) if failure.is_refusal() => {
                    left.push(Left::new(what, reason(&failure)));
                    return Ok(());
                }
                Err(failure) => return Err(failure),
            },
        };
        let users = there.people_of(&pool.from, &pool.users, &pool.domain_users, left);
        let groups: BTreeSet<String> = pool.groups.intersection(&there.groups).cloned().collect();
        let line = PoolLine {
            name,
            state,
            users: users.iter().cloned().collect(),
            groups: groups.iter().cloned().collect(),
            image: Some(
                found
                    .and_then(|found| found.image.as_ref())
                    .map(|image| image.name.clone())
                    .or_else(|| image.cloned())
                    .unwrap_or_default(),
            ),
            desktops: Some(found.map_or(pool.desktops, |found| found.desktops_max)),
        };
        let name = line.name.clone();
        report.pools.push(line);
        self.let_in(&name, found, false, &users, &groups, left).await
    }

    /// A pool of machines by their addresses.
    async fn external_pool(
        &self,
        pool: PlannedMachines,
        there: &There,
        report: &mut Report,
        left: &mut Vec<Left>,
    ) -> Done {
        let name = pool.name.to_string();
        let path = format!("/pools/{}", segment(&name));
        let found = there.pools.get(&name);
        let users = there.people_of(&pool.from, &pool.users, &pool.domain_users, left);
        let groups: BTreeSet<String> = pool.groups.intersection(&there.groups).cloned().collect();
        let what = format!("pool {:?} with {} machines", pool.from, pool.machines.len());
        if found.is_some_and(|found| found.kind != PoolKind::External) {
            left.push(Left::new(
                what,
                format!("a pool {name} of another kind is in Oriel already: rename one of them"),
            ));
            return Ok(());
        }
        // A machine in a pool is everybody's whom it allows: nobody may open more than before.
        let is_among = |of: &[oriel_server::api::Named], wanted: &BTreeSet<String>| {
            of.iter().all(|one| wanted.iter().any(|name| name.to_lowercase() == one.name.to_lowercase()))
        };
        if found.is_some_and(|found| !is_among(&found.users, &users) || !is_among(&found.groups, &groups)) {
            left.push(Left::new(
                what,
                format!("pool {name} is open to others here than in kvm-vdi: take them out (oriel pool deny), then run this again"),
            ));
            return Ok(());
        }
        let machines: Vec<Machine> = match found {
            Some(_) => self.client.get::<MachineList>(&format!("{path}/machines")).await?.machines,
            None => Vec::new(),
        };
        let has_others =
            machines.iter().any(|one| pool.machines.iter().all(|planned| planned.name.as_str() != one.name));
        let state = match found {
            Some(_) => State::There,
            None if self.with.dry_run => State::Planned,
            None => {
                self.client.post::<Pool>("/pools", &json!({"name": name, "kind": "external"})).await?;
                State::Made
            }
        };
        report.pools.push(PoolLine {
            name: name.clone(),
            state,
            users: users.iter().cloned().collect(),
            groups: groups.iter().cloned().collect(),
            image: None,
            desktops: None,
        });
        for machine in pool.machines {
            let state = if machines.iter().any(|one| one.name == machine.name.as_str()) {
                State::There
            } else if self.with.dry_run {
                State::Planned
            } else {
                let at = &machine.address;
                let new = json!({
                    "name": machine.name.as_str(), "protocol": at.protocol.word(), "host": at.host, "port": at.port,
                });
                match self.client.post::<Machine>(&format!("{path}/machines"), &new).await {
                    Ok(_) => State::Made,
                    Err(failure) if failure.is_refusal() => {
                        left.push(Left::new(format!("machine {:?}", machine.from), reason(&failure)));
                        continue;
                    }
                    Err(failure) => return Err(failure),
                }
            };
            let (machine, from) = (machine.name.to_string(), machine.from);
            report.machines.push(MachineLine { name: machine, pool: name.clone(), from, state });
        }
        self.let_in(&name, found, has_others, &users, &groups, left).await
    }

    /// Lets people and groups into a new pool; into one that was there, or that has more in it than kvm-vdi's, only when that was asked for.
    async fn let_in(
        &self,
        pool: &str,
        found: Option<&Pool>,
        has_others: bool,
        users: &BTreeSet<String>,
        groups: &BTreeSet<String>,
        left: &mut Vec<Left>,
    ) -> Done {
        let folded = |named: &[oriel_server::api::Named]| -> BTreeSet<String> {
            named.iter().map(|one| one.name.to_lowercase()).collect()
        };
        let users_in = found.map(|found| folded(&found.users)).unwrap_or_default();
        let groups_in = found.map(|found| folded(&found.groups)).unwrap_or_default();
        let users_out: Vec<&String> = users.iter().filter(|user| !users_in.contains(&user.to_lowercase())).collect();
        let groups_out: Vec<&String> =
            groups.iter().filter(|group| !groups_in.contains(&group.to_lowercase())).collect();
        if users_out.is_empty() && groups_out.is_empty() {
            return Ok(());
        }
        // One that nobody may use is where an earlier run was cut off.
        let is_fresh = !has_others && users_in.is_empty() && groups_in.is_empty();
        if !is_fresh && !self.with.let_in {
            let groups = groups_out.iter().map(|group| format!("group {group}"));
            let whom: Vec<String> = users_out.iter().map(|user| (*user).clone()).chain(groups).collect();
            left.push(Left::new(
                format!("{} in pool {pool:?}", whom.join(", ")),
                "the pool was there, without them: let them in with --let-in, or by hand (oriel pool allow)",
            ));
            return Ok(());
        }
        if self.with.dry_run {
            return Ok(());
        }
        let path = format!("/pools/{}", segment(pool));
        for user in users_out {
            self.client.put(&format!("{path}/users/{}", segment(user))).await?;
        }
        for group in groups_out {
            self.client.put(&format!("{path}/groups/{}", segment(group))).await?;
        }
        Ok(())
    }

    fn new_pool(&self, pool: &PlannedPool, image: &str) -> serde_json::Value {
        let with = self.with;
        let place = with.cloud.as_ref().map(|cloud| json!({"cloud": cloud, "flavor": with.flavor}));
        json!({
            "name": pool.name.as_str(), "kind": "floating", "image": image, "desktops_max": pool.desktops,
            "vcpus": with.vcpus, "memory_mib": with.memory, "disk_gib": with.disk, "cloud": place,
        })
    }
}
