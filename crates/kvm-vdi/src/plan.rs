//! What is made in Oriel of what kvm-vdi keeps.

use crate::address::Address;
use crate::rows::{MachineRow, PoolRow, Rows};
use oriel_model::Name;
use oriel_model::import::{Left, Names, word};
use std::collections::{BTreeMap, BTreeSet};

/// Most desktops of a pool.
const DESKTOPS_MAX: usize = 1000;

#[derive(Debug, Default)]
pub struct Plan {
    /// Names of people to make: those with a password in kvm-vdi.
    pub people: Vec<String>,
    /// Names of groups to make: those of Active Directory.
    pub groups: Vec<String>,
    /// Disks that pools are made of.
    pub images: Vec<PlannedImage>,
    pub pools: Vec<PlannedPool>,
    pub external: Vec<PlannedMachines>,
    pub mapped: Vec<Mapped>,
    pub left: Vec<Left>,
}

/// What something of kvm-vdi becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    pub what: String,
    pub to: String,
}

/// An initial machine, whose disk is an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedImage {
    /// The name under which it is looked for in Oriel.
    pub name: Name,
    /// Its name in kvm-vdi.
    pub from: String,
    /// Where its disk lies.
    pub hypervisor: String,
    pub windows: bool,
}

/// Desktops of one image for the people and groups of one pool of kvm-vdi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPool {
    pub name: Name,
    /// Its name in kvm-vdi.
    pub from: String,
    /// The name of its [`PlannedImage`].
    pub image: Name,
    /// How many machines it has in kvm-vdi.
    pub desktops: u32,
    /// People to make.
    pub users: BTreeSet<String>,
    /// People whom a directory knows: they may not be there yet.
    pub domain_users: BTreeSet<String>,
    pub groups: BTreeSet<String>,
}

/// Machines of one pool of kvm-vdi whose addresses are known, for its people and groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedMachines {
    pub name: Name,
    /// The pool's name in kvm-vdi.
    pub from: String,
    pub users: BTreeSet<String>,
    pub domain_users: BTreeSet<String>,
    pub groups: BTreeSet<String>,
    pub machines: Vec<PlannedMachine>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedMachine {
    pub name: Name,
    /// Its name in kvm-vdi.
    pub from: String,
    pub address: Address,
}

/// The same rows give the same plan, names included. `addresses`: of machines, by their names, where somebody knows them.
pub fn plan(mut rows: Rows, addresses: &BTreeMap<String, Address>) -> Plan {
    let mut plan = Plan::default();
    rows.pools.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    rows.machines.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    let people: BTreeSet<String> = rows.clients.iter().filter(|one| !one.domain).map(|one| one.name.clone()).collect();
    plan.people.extend(people);
    let groups: BTreeSet<String> = rows.groups.iter().map(|group| group.name.clone()).collect();
    plan.groups.extend(groups);
    hypervisors(&rows, &mut plan);
    for admin in &rows.admins {
        plan.left.push(Left::new(
            format!("administrator {admin:?}"),
            "administrators are made by hand: oriel user create NAME --role admin",
        ));
    }
    for name in addresses.keys().filter(|name| !rows.machines.iter().any(|machine| machine.name == **name)) {
        plan.left.push(Left::new(format!("the address of machine {name:?}"), "kvm-vdi has no machine of that name"));
    }
    let house = House::new(&rows, addresses);
    let mut given = Given::default();
    for pool in &rows.pools {
        house.pool(pool, &mut given, &mut plan);
    }
    house.machines(&given.machines, &mut plan);
    plan
}

/// Names that were given, and machines that have a place.
#[derive(Default)]
struct Given {
    pools: Names,
    names: Names,
    machines: BTreeSet<i64>,
}

fn hypervisors(rows: &Rows, plan: &mut Plan) {
    for hypervisor in &rows.hypervisors {
        let machines = rows.machines.iter().filter(|machine| machine.hypervisor == hypervisor.id).count();
        let out = if hypervisor.maintenance { ", which is in maintenance," } else { "" };
        plan.left.push(Left::new(
            format!("hypervisor {:?} ({}){out} with {machines} machines", hypervisor.name, hypervisor.address),
            "Oriel makes desktops on the host that it runs on, and on clouds: nothing is taken from a hypervisor but the disks of initial machines, as images",
        ));
    }
}

/// The rows, found by their ids.
struct House<'a> {
    rows: &'a Rows,
    addresses: &'a BTreeMap<String, Address>,
    machines: BTreeMap<i64, &'a MachineRow>,
    hypervisors: BTreeMap<i64, &'a str>,
    /// By the initial machine's id.
    images: BTreeMap<i64, Name>,
}

impl<'a> House<'a> {
    fn new(rows: &'a Rows, addresses: &'a BTreeMap<String, Address>) -> Self {
        let mut names = Names::default();
        let initial = rows.machines.iter().filter(|machine| machine.kind == "initialmachine");
        Self {
            rows,
            addresses,
            machines: rows.machines.iter().map(|machine| (machine.id, machine)).collect(),
            hypervisors: rows.hypervisors.iter().map(|one| (one.id, one.name.as_str())).collect(),
            images: initial.map(|machine| (machine.id, names.take(&word(&machine.name)))).collect(),
        }
    }

    fn on(&self, machine: &MachineRow) -> String {
        self.hypervisors.get(&machine.hypervisor).copied().unwrap_or("the cloud").to_owned()
    }

    fn said(&self, machine: &MachineRow) -> String {
        format!("machine {:?} on {}", machine.name, self.on(machine))
    }

    /// One pool of kvm-vdi: one here for each image that its machines are made of.
    fn pool(&self, pool: &PoolRow, given: &mut Given, plan: &mut Plan) {
        let mut by_image: BTreeMap<(&str, i64), Vec<&MachineRow>> = BTreeMap::new();
        for link in self.rows.pool_machines.iter().filter(|link| link.pool == pool.id) {
            let Some(machine) = self.machines.get(&link.member).copied() else { continue };
            if machine.kind != "vdimachine" || self.addresses.contains_key(&machine.name) {
                continue;
            }
            let source =
                machine.source.and_then(|id| self.machines.get(&id)).filter(|one| self.images.contains_key(&one.id));
            match source {
                Some(source) => by_image.entry((source.name.as_str(), source.id)).or_default().push(machine),
                None => plan.left.push(Left::new(
                    format!("{} in pool {:?}", self.said(machine), pool.name),
                    "kvm-vdi does not say of which initial machine it was made",
                )),
            }
        }
        let what = format!("pool {:?}", pool.name);
        let name = if by_image.is_empty() { pool.name.clone() } else { format!("{}-machines", pool.name) };
        let has_machines = self.external(pool, &name, given, plan);
        if by_image.is_empty() && has_machines {
            return;
        }
        if by_image.is_empty() {
            plan.left.push(Left::new(
                what,
                "none of its machines is made of an initial machine: enter them by their addresses (--address NAME=rdp://HOST)",
            ));
            return;
        }
        if by_image.len() > 1 {
            plan.left.push(Left::new(
                &what,
                format!(
                    "its machines are made of {0} initial machines: it becomes {0} pools, for the same people",
                    by_image.len()
                ),
            ));
        }
        if by_image.values().flatten().any(|machine| !machine.forgets) {
            plan.left.push(Left::new(
                &what,
                "what people leave in its machines stays there in kvm-vdi; a desktop of a floating pool is made anew after each person",
            ));
        }
        let several = by_image.len() > 1;
        for ((_, id), mut machines) in by_image {
            let Some(image) = self.images.get(&id) else { continue };
            let name = if several { word(&format!("{}-{image}", pool.name)) } else { word(&pool.name) };
            let name = given.pools.take(&name);
            // Somebody may have put it in twice.
            machines.sort_by_key(|machine| machine.id);
            machines.dedup_by_key(|machine| machine.id);
            if machines.len() > DESKTOPS_MAX {
                plan.left
                    .push(Left::new(&what, format!("it has more than {DESKTOPS_MAX} machines, the most of a pool")));
            }
            for machine in &machines {
                plan.mapped.push(Mapped { what: self.said(machine), to: format!("a desktop of pool {name}") });
            }
            plan.pools.push(PlannedPool {
                name,
                from: pool.name.clone(),
                image: image.clone(),
                desktops: u32::try_from(machines.len().min(DESKTOPS_MAX)).unwrap_or(1),
                users: self.clients_of(pool, false),
                domain_users: self.clients_of(pool, true),
                groups: self.groups_of(pool),
            });
        }
    }

    /// Those of its machines whose addresses are known. Answers whether there are any.
    fn external(&self, pool: &PoolRow, name: &str, given: &mut Given, plan: &mut Plan) -> bool {
        let mut machines = Vec::new();
        for link in self.rows.pool_machines.iter().filter(|link| link.pool == pool.id) {
            let Some(machine) = self.machines.get(&link.member).copied() else { continue };
            let Some(address) = self.addresses.get(&machine.name) else { continue };
            if !given.machines.insert(machine.id) {
                plan.left.push(Left::new(
                    format!("{} in pool {:?}", self.said(machine), pool.name),
                    "it is a machine of another pool already, or twice in this one",
                ));
                continue;
            }
            let name = given.names.take(&word(&machine.name));
            machines.push(PlannedMachine { name, from: machine.name.clone(), address: address.clone() });
        }
        if machines.is_empty() {
            return false;
        }
        let name = given.pools.take(&word(name));
        for machine in &machines {
            let to = format!("machine {} of pool {name}", machine.name);
            plan.mapped.push(Mapped { what: format!("machine {:?}", machine.from), to });
        }
        plan.external.push(PlannedMachines {
            name,
            from: pool.name.clone(),
            users: self.clients_of(pool, false),
            domain_users: self.clients_of(pool, true),
            groups: self.groups_of(pool),
            machines,
        });
        true
    }

    fn clients_of(&self, pool: &PoolRow, domain: bool) -> BTreeSet<String> {
        let links = self.rows.pool_clients.iter().filter(|link| link.pool == pool.id);
        let members: BTreeSet<i64> = links.map(|link| link.member).collect();
        let clients = self.rows.clients.iter().filter(|one| one.domain == domain && members.contains(&one.id));
        clients.map(|client| client.name.clone()).collect()
    }

    fn groups_of(&self, pool: &PoolRow) -> BTreeSet<String> {
        let links = self.rows.pool_groups.iter().filter(|link| link.pool == pool.id);
        let members: BTreeSet<i64> = links.map(|link| link.member).collect();
        self.rows.groups.iter().filter(|one| members.contains(&one.id)).map(|group| group.name.clone()).collect()
    }

    /// Machines that are no desktops of pools.
    fn machines(&self, given: &BTreeSet<i64>, plan: &mut Plan) {
        let used: BTreeSet<Name> = plan.pools.iter().map(|pool| pool.image.clone()).collect();
        let pooled: BTreeSet<i64> = self.rows.pool_machines.iter().map(|link| link.member).collect();
        let mut images = Vec::new();
        for machine in self.rows.machines.iter().filter(|machine| !given.contains(&machine.id)) {
            let what = self.said(machine);
            match machine.kind.as_str() {
                "initialmachine" if self.images.get(&machine.id).is_some_and(|name| used.contains(name)) => {
                    let Some(name) = self.images.get(&machine.id) else { continue };
                    plan.mapped.push(Mapped { what: format!("initial {what}"), to: format!("image {name}") });
                    images.push(PlannedImage {
                        name: name.clone(),
                        from: machine.name.clone(),
                        hypervisor: self.on(machine),
                        windows: machine.os.eq_ignore_ascii_case("windows"),
                    });
                }
                "initialmachine" => plan.left.push(Left::new(
                    format!("initial {what}"),
                    "no pool has machines that are made of it; its disk can be brought in all the same (oriel image import)",
                )),
                "sourcemachine" => plan.left.push(Left::new(
                    format!("source {what}"),
                    "initial machines are copies of it, and those become images: keep its disk to make later versions of them",
                )),
                // Of those in pools it was said there.
                "vdimachine" if pooled.contains(&machine.id) => {}
                "vdimachine" => plan.left.push(Left::new(what, "it is in no pool: nobody could get it")),
                _ => plan.left.push(Left::new(
                    what,
                    "kvm-vdi knows no address of what runs in it: say it for one that is in a pool (--address NAME=rdp://HOST), enter it with oriel machine add, or bring its disk in as an image (oriel image import)",
                )),
            }
        }
        plan.images = images;
    }
}
