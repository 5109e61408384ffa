//! Mediated devices (`drivers/vfio/mdev`): made by writing a UUID to a type, gone by writing 1 to `remove`.

use super::{
    State,
    errno::{EEXIST, EINVAL, ENOSPC, EUSERS},
    error, name_of, parent_of,
};
use crate::{mode::framebuffer_of_name, sysfs::Sysfs};
use std::{collections::BTreeMap, io};
use uuid::Uuid;

const BUS: &str = "/sys/bus/mdev/devices";

/// What a parent can give.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    rule: Rule,
    /// On an empty parent, by type.
    most: BTreeMap<String, u64>,
    /// Size of one, in the pool's unit.
    size: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// All of one type.
    SameType,
    /// Any mix that fits into so many units.
    Room(u64),
    /// Any mix, counted together.
    Count(u64),
}

impl State {
    pub(super) fn learn_pools(&mut self) {
        let parents: Vec<String> = self
            .tree
            .nodes()
            .filter_map(|(path, _)| path.strip_suffix("/mdev_supported_types").map(str::to_owned))
            .collect();
        for parent in parents {
            self.learn_pool(&parent);
        }
        for uuid in self.tree.list(BUS).unwrap_or_default() {
            if let Ok(device) = self.tree.real_path(&format!("{BUS}/{uuid}")) {
                self.tree.file(&format!("{device}/remove"), "");
            }
        }
    }

    pub(super) fn learn_pool(&mut self, parent: &str) {
        let folder = format!("{parent}/mdev_supported_types");
        let (mut most, mut size) = (BTreeMap::new(), BTreeMap::new());
        let mut rule = None;
        for kind in self.tree.list(&folder).unwrap_or_default() {
            let path = format!("{folder}/{kind}");
            self.tree.file(&format!("{path}/create"), "");
            self.tree.folder(&format!("{path}/devices"));
            let free = self.tree.number(&format!("{path}/available_instances")).unwrap_or(0);
            let taken = self.tree.list(&format!("{path}/devices")).unwrap_or_default().len() as u64;
            let text = self.text(&format!("{path}/description"));
            let fact = |key: &str| {
                let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
                text.split(key).nth(1).map(|rest| digits(rest.trim_start_matches([':', '=', ' '])))?.parse::<u64>().ok()
            };
            most.insert(kind.clone(), fact("max_instance").unwrap_or(free + taken));
            let amount = if kind.starts_with("nvidia-") {
                rule.get_or_insert(Rule::SameType);
                1
            } else if let Some(low) = fact("low_gm_size") {
                low
            } else if let Some(mib) = text
                .split_once("virtual display, ")
                .and_then(|(_, rest)| rest.split_once(" MB video memory"))
                .and_then(|(mib, _)| mib.parse::<u64>().ok())
            {
                mib
            } else {
                rule.get_or_insert(Rule::Count(free + taken));
                1
            };
            size.insert(kind, amount);
        }
        let size_of = |kind: &String| size.get(kind).copied().unwrap_or(1);
        let used: u64 = self.taken(parent).iter().map(|(kind, count)| count * size_of(kind)).sum();
        let free = |kind: &String| self.tree.number(&format!("{folder}/{kind}/available_instances")).unwrap_or(0);
        let room = used + most.keys().map(|kind| free(kind) * size_of(kind)).max().unwrap_or(0);
        self.pools.insert(parent.to_owned(), Pool { rule: rule.unwrap_or(Rule::Room(room)), most, size });
    }

    /// How many of each type exist below a parent.
    fn taken(&self, parent: &str) -> BTreeMap<String, u64> {
        let folder = format!("{parent}/mdev_supported_types");
        let count =
            |kind: &String| self.tree.list(&format!("{folder}/{kind}/devices")).unwrap_or_default().len() as u64;
        self.tree.list(&folder).unwrap_or_default().into_iter().map(|kind| (kind.clone(), count(&kind))).collect()
    }

    fn available(&self, parent: &str, kind: &str) -> u64 {
        let Some(pool) = self.pools.get(parent) else { return 0 };
        let taken = self.taken(parent);
        let most = pool.most.get(kind).copied().unwrap_or(0);
        match pool.rule {
            Rule::SameType if taken.iter().any(|(other, count)| *count > 0 && other != kind) => 0,
            Rule::SameType => most.saturating_sub(taken.get(kind).copied().unwrap_or(0)),
            Rule::Count(total) => total.saturating_sub(taken.values().sum()),
            Rule::Room(total) => {
                let size = |kind: &str| pool.size.get(kind).copied().unwrap_or(1).max(1);
                let used: u64 = taken.iter().map(|(kind, count)| size(kind) * count).sum();
                total.saturating_sub(used) / size(kind)
            }
        }
    }

    /// Writes what is left into every type of a parent.
    pub(super) fn recount(&mut self, parent: &str) {
        let used = self.used_on_card(parent);
        self.recount_with(parent, used.as_deref());
    }

    fn recount_with(&mut self, parent: &str, used: Option<&[(String, u64)]>) {
        let folder = format!("{parent}/mdev_supported_types");
        for kind in self.tree.list(&folder).unwrap_or_default() {
            let left = self.left(parent, &kind, used);
            self.tree.file(&format!("{folder}/{kind}/available_instances"), format!("{left}\n"));
        }
    }

    fn left(&self, parent: &str, kind: &str, used: Option<&[(String, u64)]>) -> u64 {
        let Some(used) = used else { return self.available(parent, kind) };
        // On a virtual function there is room for one, and the card's other functions decide which: all of one size, no more
        // than the card has memory for.
        let size = self.size_of(parent, kind);
        if used.iter().any(|(function, other)| function == parent || *other != size) {
            return 0;
        }
        let most = self.pools.get(parent).and_then(|pool| pool.most.get(kind)).copied().unwrap_or(0);
        most.saturating_sub(used.len() as u64).min(1)
    }

    fn size_of(&self, parent: &str, kind: &str) -> u64 {
        framebuffer_of_name(&self.text(&format!("{parent}/mdev_supported_types/{kind}/name"))).unwrap_or(0)
    }

    /// What a card's functions carry, with sizes; `None` for a parent that is no virtual function.
    fn used_on_card(&self, parent: &str) -> Option<Vec<(String, u64)>> {
        let physical = self.tree.real_path(&format!("{parent}/physfn")).ok()?;
        let mut used = Vec::new();
        for uuid in self.tree.list(BUS).unwrap_or_default() {
            let Ok(device) = self.tree.real_path(&format!("{BUS}/{uuid}")) else { continue };
            let function = parent_of(&device).to_owned();
            if self.tree.real_path(&format!("{function}/physfn")).is_ok_and(|other| other == physical) {
                let kind = self.tree.link_name(&format!("{device}/mdev_type")).unwrap_or_default();
                let size = self.size_of(&function, &kind);
                used.push((function, size));
            }
        }
        Some(used)
    }

    pub(super) fn create_mdev(&mut self, kind: &str, content: &str) -> io::Result<()> {
        // `create_store`: 36 characters, perhaps a line's end behind.
        let word = content.strip_suffix('\n').unwrap_or(content);
        if word.len() != 36 {
            return Err(error(EINVAL));
        }
        let uuid: Uuid = word.parse().map_err(|_| error(EINVAL))?;
        if self.tree.exists(&format!("{BUS}/{uuid}")) {
            return Err(error(EEXIST));
        }
        let parent = parent_of(parent_of(kind)).to_owned();
        if !self.pools.contains_key(&parent) {
            self.learn_pool(&parent);
        }
        if self.left(&parent, name_of(kind), self.used_on_card(&parent).as_deref()) == 0 {
            let counted = self.pools.get(&parent).is_some_and(|pool| matches!(pool.rule, Rule::Count(_)));
            return Err(error(if counted { EUSERS } else { ENOSPC }));
        }
        let device = format!("{parent}/{uuid}");
        self.tree.file(&format!("{device}/remove"), "");
        self.tree.link_to(&format!("{device}/mdev_type"), kind.to_owned());
        self.tree.link_to(&format!("{device}/driver"), "/sys/bus/mdev/drivers/vfio_mdev");
        self.tree.link_to(&format!("{kind}/devices/{uuid}"), device.clone());
        self.tree.link_to(&format!("{BUS}/{uuid}"), device.clone());
        let group = self.make_group(&device);
        self.tree.file("/dev/vfio/vfio", "");
        self.tree.file(&format!("/dev/vfio/{group}"), "");
        self.recount_card(&parent);
        Ok(())
    }

    fn recount_card(&mut self, parent: &str) {
        let siblings = match self.tree.real_path(&format!("{parent}/physfn")) {
            Ok(physical) => self.functions(&physical),
            Err(_) => vec![parent.to_owned()],
        };
        let used = self.used_on_card(parent);
        for sibling in siblings {
            if !self.pools.contains_key(&sibling) {
                self.learn_pool(&sibling);
            }
            self.recount_with(&sibling, used.as_deref());
        }
    }

    pub(super) fn remove_mdev(&mut self, device: &str, word: &str) -> io::Result<()> {
        // `remove_store`: any number, and 0 asks for nothing.
        if word.trim().parse::<u64>().map_err(|_| error(EINVAL))? == 0 {
            return Ok(());
        }
        self.must_be_idle(device, "removing");
        let uuid = name_of(device).to_owned();
        let parent = parent_of(device).to_owned();
        let kind = self.tree.real_path(&format!("{device}/mdev_type")).unwrap_or_default();
        if let Some(group) = self.group(device) {
            self.tree.remove(&format!("/sys/kernel/iommu_groups/{group}"));
            self.tree.remove(&format!("/dev/vfio/{group}"));
        }
        self.tree.remove(&format!("{kind}/devices/{uuid}"));
        self.tree.remove(&format!("{BUS}/{uuid}"));
        self.tree.remove(device);
        self.recount_card(&parent);
        Ok(())
    }

    /// What goes with a parent's driver.
    pub(super) fn remove_mdevs_below(&mut self, parent: &str) {
        for uuid in self.tree.list(BUS).unwrap_or_default() {
            let Ok(device) = self.tree.real_path(&format!("{BUS}/{uuid}")) else { continue };
            if parent_of(&device) == parent {
                self.remove_mdev(&device, "1").ok();
            }
        }
    }
}
