//! NVIDIA's driver and tools, as their guide and those who run them describe them (vGPU user guide 17, 2.10–2.12).

use super::{
    DEVICES, State,
    errno::{EINVAL, EIO, EPERM},
    error, name_of, parent_of,
};
use crate::{
    mode::{framebuffer_of_name, is_mig_name, nvidia as smi},
    sysfs::{Node, Sysfs, command_file},
};
use std::{collections::BTreeMap, io};

const PROC: &str = "/proc/driver/nvidia/gpus";
/// Most vGPUs on one GPU whatever their size.
const VGPUS_MAX: u64 = 32;

/// What a GPU remembers until its driver leaves.
#[derive(Clone, Debug, Default)]
pub(super) struct Card {
    /// Vendor VFIO: what every function can carry on an empty card, id and name.
    types: Vec<(u64, String)>,
    mixed: bool,
    mig: bool,
    /// MIG GPU instances, by the name of their profile.
    instances: Vec<String>,
}

/// A program that ended with a status other than 0.
fn failed(program: &str, status: i32, text: &str) -> io::Error {
    io::Error::other(format!("`{program}` ended with exit status: {status}: {text}"))
}

/// `557 : NVIDIA A40-1Q`, in either order.
fn type_lines(text: &str) -> Vec<(u64, String)> {
    let one = |line: &str| {
        let (left, right) = line.split_once(':')?;
        let (left, right) = (left.trim(), right.trim());
        match (left.parse(), right.parse()) {
            (Ok(id), _) => Some((id, right.to_owned())),
            (_, Ok(id)) => Some((id, left.to_owned())),
            _ => None,
        }
    };
    text.lines().filter_map(one).collect()
}

impl State {
    pub(super) fn learn_cards(&mut self) {
        for address in self.tree.list(DEVICES).unwrap_or_default() {
            let Some(device) = self.device(&address) else { continue };
            if self.text(&format!("{device}/vendor")) != "0x10de" || self.tree.exists(&format!("{device}/physfn")) {
                continue;
            }
            let mut card = Card {
                mixed: smi::mixed(&self.tree, &address) == Some(true),
                mig: smi::mig(&self.tree, &address) == Some(true),
                instances: smi::instances(&self.tree, &address),
                types: Vec::new(),
            };
            let mut files = self.templates.get(&address).cloned().unwrap_or_default();
            for (path, node) in &mut files {
                if let (true, Node::File(content)) = (path.ends_with("creatable_vgpu_types"), node) {
                    card.types = type_lines(&String::from_utf8_lossy(content));
                }
            }
            // A function that carries something lists nothing: another one knows more.
            for function in self.functions(&device) {
                let types = type_lines(&self.text(&format!("{function}/nvidia/creatable_vgpu_types")));
                if types.len() > card.types.len() {
                    card.types = types;
                }
            }
            self.cards.insert(address, card);
        }
    }

    /// A fresh driver has forgotten locks, mixed sizes and vGPUs.
    pub(super) fn nvidia_bound(&mut self, driver: &str, address: &str) {
        if driver != "nvidia" || self.tree.exists(&format!("{DEVICES}/{address}/physfn")) {
            return;
        }
        self.tree.file(&format!("{PROC}/{address}/unbindLock"), "0\n");
        self.set_mixed(address, false);
    }

    /// NVIDIA's driver waits for ever where its lock was not taken.
    pub(super) fn may_leave_nvidia(&mut self, driver: &str, address: &str) {
        let lock = format!("{PROC}/{address}/unbindLock");
        if driver != "nvidia" || self.tree.node(&lock).is_none() {
            return;
        }
        assert!(self.text(&lock) == "1", "hang: unbinding {address} from nvidia without its unbindLock");
        self.tree.remove(&format!("{PROC}/{address}"));
    }

    pub(super) fn lock_nvidia(&mut self, real: &str, word: &str) -> io::Result<()> {
        if word != "1" && word != "0" {
            return Err(error(EINVAL));
        }
        let address = name_of(parent_of(real));
        let minor = self
            .text(&format!("{PROC}/{address}/information"))
            .lines()
            .find_map(|line| line.strip_prefix("Device Minor:").map(|minor| minor.trim().to_owned()));
        let used = minor.is_some_and(|minor| {
            self.tree
                .nodes()
                .any(|(path, node)| path.starts_with("/proc/") && *node == Node::Link(format!("/dev/nvidia{minor}")))
        });
        // A GPU in use cannot be locked: the write succeeds, the lock stays open.
        if !used {
            self.tree.file(real, format!("{word}\n"));
        }
        Ok(())
    }

    /// A GPU that is driven by NVIDIA's driver: its folder and its address as sysfs writes it.
    fn nvidia_gpu(&self, address: &str) -> Option<(String, String)> {
        let lower = address.to_ascii_lowercase();
        let known = self.device(&lower).map(|device| (device, lower.clone()));
        known.filter(|(device, _)| self.driver(device).as_deref() == Some("nvidia"))
    }

    pub(super) fn sriov_manage(&mut self, address: &str, enable: bool) -> io::Result<()> {
        let fail = |text: &str| failed("sriov-manage", 1, text);
        let (device, address) = self.nvidia_gpu(address).ok_or_else(|| fail("GPU is not bound to nvidia"))?;
        let total = self.tree.number(&format!("{device}/sriov_totalvfs")).unwrap_or(0);
        if total == 0 {
            return Err(fail("SR-IOV is not supported"));
        }
        self.remove_functions(&device);
        self.set_mixed(&address, false);
        self.destroy_instances(&address);
        if enable {
            let ids = self.ids(&device);
            let own = self.text(&format!("{device}/sriov_vf_device"));
            let function_id = if own.is_empty() { ids.1 } else { format!("0x{}", own.trim_start_matches("0x")) };
            self.native.entry((ids.0, function_id)).or_insert_with(|| "nvidia".to_owned());
            self.make_functions(&device, total);
            if self.cards.get(&address).is_some_and(|card| card.types.is_empty()) {
                self.learn_types(&device, &address);
            }
            self.retype(&device);
        }
        Ok(())
    }

    /// All that the functions of a card can carry while it is empty.
    pub(super) fn know_types(&mut self, address: &str, text: &str) {
        if let Some(card) = self.cards.get_mut(address) {
            card.types = type_lines(text);
        }
        if let Some(device) = self.device(address) {
            self.retype(&device);
        }
    }

    fn learn_types(&mut self, device: &str, address: &str) {
        let text = self.text(&format!("{device}/virtfn0/nvidia/creatable_vgpu_types"));
        if let Some(card) = self.cards.get_mut(address) {
            card.types = type_lines(&text);
        }
    }

    fn set_mixed(&mut self, address: &str, on: bool) {
        if let Some(card) = self.cards.get_mut(address) {
            card.mixed = on;
        }
        self.say(address, "vGPU Heterogeneous Mode", on);
    }

    /// Changes a line of what `nvidia-smi -q` prints about one GPU.
    fn say(&mut self, address: &str, key: &str, on: bool) {
        let file = command_file(&["nvidia-smi", "-q"]);
        let Ok(text) = self.tree.read(&file) else { return };
        let mut here = false;
        let mut section = String::new();
        let mut lines = Vec::new();
        for line in String::from_utf8_lossy(&text).lines() {
            if let Some(gpu) = line.strip_prefix("GPU ") {
                here = gpu.to_ascii_lowercase().ends_with(&address.to_ascii_lowercase());
            }
            let word = line.trim();
            if !word.contains(':') {
                word.clone_into(&mut section);
            }
            let name = word.split(':').next().unwrap_or_default().trim();
            let wanted = name == key || (key == "MIG Mode" && section == key && matches!(name, "Current" | "Pending"));
            match line.split_once(':').filter(|(_, value)| here && wanted && value.trim() != "N/A") {
                Some((left, _)) => lines.push(format!("{left}: {}", if on { "Enabled" } else { "Disabled" })),
                None => lines.push(line.to_owned()),
            }
        }
        self.tree.file(&file, format!("{}\n", lines.join("\n")));
    }

    /// Types that exist on a card's functions now.
    fn vgpus(&self, device: &str) -> Vec<u64> {
        let current = |function: &String| self.tree.number(&format!("{function}/nvidia/current_vgpu_type"));
        self.functions(device).iter().filter_map(current).filter(|id| *id != 0).collect()
    }

    /// Rewrites what every function of a card can carry.
    fn retype(&mut self, device: &str) {
        let card = self.cards.get(name_of(device)).cloned().unwrap_or_default();
        let taken = self.vgpus(device);
        let names: BTreeMap<u64, String> = card.types.iter().cloned().collect();
        let size = |id: &u64| names.get(id).and_then(|name| framebuffer_of_name(name)).unwrap_or(0);
        let total = card.types.iter().map(|(id, _)| size(id)).max().unwrap_or(0);
        let used: u64 = taken.iter().map(size).sum();
        let fits = |id: &u64, name: &str| {
            if card.mig {
                // An instance carries as many as fit into its memory.
                let gib = |instance: &String| {
                    let (_, rest) = instance.split_once("g.")?;
                    rest.split("gb").next()?.parse::<u64>().ok()
                };
                let room: u64 = card.instances.iter().filter_map(gib).map(|gib| gib * 1024 / size(id).max(1)).sum();
                return is_mig_name(name) && (taken.len() as u64) < room;
            }
            let same = card.mixed || taken.iter().all(|other| size(other) == size(id));
            !is_mig_name(name) && same && used + size(id) <= total && (taken.len() as u64) < VGPUS_MAX
        };
        let lines: Vec<String> = card
            .types
            .iter()
            .filter(|(id, name)| fits(id, name))
            .map(|(id, name)| format!("{id:<6}: {name}"))
            .collect();
        for function in self.functions(device) {
            let path = format!("{function}/nvidia/creatable_vgpu_types");
            if self.tree.node(&path).is_none() {
                continue;
            }
            let empty = self.tree.number(&format!("{function}/nvidia/current_vgpu_type")).unwrap_or(0) == 0;
            let body = if empty { lines.join("\n") } else { String::new() };
            self.tree.file(&path, format!("ID    : vGPU Name\n{body}\n"));
        }
    }

    /// `current_vgpu_type`: EPERM over another type, EIO for what cannot be made here.
    pub(super) fn set_vgpu_type(&mut self, real: &str, word: &str) -> io::Result<()> {
        let wanted: u64 = word.trim().parse().map_err(|_| error(EINVAL))?;
        let function = parent_of(parent_of(real)).to_owned();
        let now = self.tree.number(real).unwrap_or(0);
        if wanted == now {
            return Ok(());
        }
        if wanted == 0 {
            self.must_be_idle(&function, "removing the vGPU of");
        } else if now != 0 {
            return Err(error(EPERM));
        } else if !type_lines(&self.text(&format!("{function}/nvidia/creatable_vgpu_types")))
            .iter()
            .any(|(id, _)| *id == wanted)
        {
            return Err(error(EIO));
        }
        self.tree.file(real, format!("{wanted}\n"));
        // Parameters are of a vGPU, and go with it.
        self.tree.file(&format!("{function}/nvidia/vgpu_params"), "\n");
        if let Ok(device) = self.tree.real_path(&format!("{function}/physfn")) {
            self.retype(&device);
        }
        Ok(())
    }

    /// `vgpu_params`: taken as they are; the driver looks at them when the machine starts.
    pub(super) fn set_parameters(&mut self, real: &str, word: &str) {
        self.must_be_idle(parent_of(parent_of(real)), "changing the vGPU of");
        self.tree.file(real, format!("{}\n", word.trim()));
    }

    fn destroy_instances(&mut self, address: &str) {
        if let Some(card) = self.cards.get_mut(address) {
            card.instances.clear();
        }
        self.list_instances();
    }

    fn list_instances(&mut self) {
        let file = command_file(&["nvidia-smi", "mig", "-lgi"]);
        let all: Vec<String> = self
            .cards
            .values()
            .enumerate()
            .flat_map(|(gpu, card)| {
                let row = move |(at, name): (usize, &String)| format!("|   {gpu}  MIG {name}  0  {at}  {at}:1  |");
                card.instances.iter().enumerate().map(row).collect::<Vec<_>>()
            })
            .collect();
        if !all.is_empty() || self.tree.node(&file).is_some() {
            self.tree.file(&file, format!("{}\n", all.join("\n")));
        }
    }

    /// `nvidia-smi` where it changes something. `-i` takes a PCI address here.
    pub(super) fn nvidia_smi(&mut self, arguments: &[&str]) -> io::Result<()> {
        let fail = |status: i32, text: &str| failed("nvidia-smi", status, text);
        let address = arguments.iter().position(|word| *word == "-i").and_then(|at| arguments.get(at + 1));
        let (device, address) =
            address.and_then(|address| self.nvidia_gpu(address)).ok_or_else(|| fail(6, "No devices were found"))?;
        let rest: Vec<&str> = arguments.iter().copied().filter(|word| *word != "-i" && !word.contains(':')).collect();
        match rest.as_slice() {
            ["vgpu", "-shm", mode] => {
                if !self.vgpus(&device).is_empty() {
                    return Err(fail(19, "vGPU instances exist"));
                }
                self.set_mixed(&address, *mode == "1");
                self.retype(&device);
            }
            ["-mig", mode] => {
                if !self.vgpus(&device).is_empty() || !self.functions(&device).is_empty() {
                    return Err(fail(19, "In use by another client"));
                }
                if let Some(card) = self.cards.get_mut(&address) {
                    card.mig = *mode == "1";
                }
                self.say(&address, "MIG Mode", *mode == "1");
            }
            ["mig", "-dci"] => {
                if !self.vgpus(&device).is_empty() {
                    return Err(fail(19, "In use by another client"));
                }
            }
            ["mig", "-dgi"] => self.destroy_instances(&address),
            ["mig", "-cci"] => {}
            ["mig", "-cgi", profiles, ..] => {
                let Some(card) = self.cards.get_mut(&address) else { return Err(fail(6, "No devices were found")) };
                if !card.mig {
                    return Err(fail(3, "MIG mode is not enabled"));
                }
                card.instances.extend(profiles.split(',').map(str::to_owned));
                self.list_instances();
                self.retype(&device);
            }
            ["--gpu-reset"] => {}
            _ => return Err(fail(2, "Invalid combination of input arguments")),
        }
        Ok(())
    }
}
