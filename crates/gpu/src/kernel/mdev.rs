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
        let room = most.iter().map(|(kind, most)| most * size.get(kind).copied().unwrap_or(1)).max().unwrap_or(0);
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
                (total.saturating_sub(used) / size(kind)).min(most)
            }
        }
    }

    /// Writes what is left into every type of a parent, and of its siblings where the card decides.
    pub(super) fn recount(&mut self, parent: &str) {
        let folder = format!("{parent}/mdev_supported_types");
        for kind in self.tree.list(&folder).unwrap_or_default() {
            let left = self.available(parent, &kind).min(self.card_allows(parent, &kind));
            self.tree.file(&format!("{folder}/{kind}/available_instances"), format!("{left}\n"));
        }
    }

    /// On a virtual function there is room for one, and the card's other functions decide which: all of one size, no more than
    /// the card has memory for.
    fn card_allows(&self, parent: &str, kind: &str) -> u64 {
        let Ok(physical) = self.tree.real_path(&format!("{parent}/physfn")) else { return u64::MAX };
        if !self.tree.list(&format!("{parent}/mdev_supported_types")).is_ok_and(|kinds| !kinds.is_empty()) {
            return 0;
        }
        let size = |kind: &str| {
            framebuffer_of_name(&self.text(&format!("{parent}/mdev_supported_types/{kind}/name"))).unwrap_or(0)
        };
        let most = self.pools.get(parent).and_then(|pool| pool.most.get(kind)).copied().unwrap_or(0);
        let mut used = 0;
        for function in self.functions(&physical) {
            let here: Vec<String> =
                self.taken(&function).into_iter().filter(|(_, count)| *count > 0).map(|(kind, _)| kind).collect();
            for other in here {
                if function == parent || size(&other) != size(kind) {
                    return 0;
                }
                used += 1;
            }
        }
        most.saturating_sub(used).min(1)
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
        if self.available(&parent, name_of(kind)).min(self.card_allows(&parent, name_of(kind))) == 0 {
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
        for sibling in siblings {
            if !self.pools.contains_key(&sibling) {
                self.learn_pool(&sibling);
            }
            self.recount(&sibling);
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
