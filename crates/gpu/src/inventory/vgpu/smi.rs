//! What `nvidia-smi` prints about slices: MIG, mixed sizes, and every type with its placement IDs.

use super::known::Known;
use crate::{Sysfs, sysfs::NAMES_MAX};
use oriel_model::PciAddress;
use std::collections::BTreeMap;

/// Most IDs of one type: a card has at most 96 GiB in slots of 1 GiB, and some room to grow.
const IDS_MAX: usize = 256;

/// One GPU in the order of `nvidia-smi -q`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SmiGpu {
    pub address: Option<PciAddress>,
    /// `None` where the card has no MIG.
    pub mig: Option<bool>,
    /// Slices of several sizes at once: whether the card can, whether it does.
    pub can_mix: bool,
    pub mixed: bool,
    /// `FB Memory Usage`, `Total`.
    pub memory_mib: Option<u64>,
    pub types: Vec<Known>,
    pub instances: Vec<MigProfile>,
    pub made: Vec<MigInstance>,
}

/// A line of `nvidia-smi mig -lgip` with its placements of `-lgipp`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MigProfile {
    /// `1g.10gb`, `1g.10gb+me`.
    pub name: String,
    pub id: u32,
    pub free: u32,
    pub total: u32,
    pub ids: Vec<u8>,
    pub size: u8,
}

/// A line of `nvidia-smi mig -lgi`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MigInstance {
    pub name: String,
    pub profile: u32,
    pub id: u32,
    pub start: u8,
    pub size: u8,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Smi {
    gpus: Vec<SmiGpu>,
}

impl Smi {
    pub fn read(sysfs: &dyn Sysfs) -> Self {
        let output = |words: &[&str]| sysfs.command(words).unwrap_or_default();
        let mut smi = Self { gpus: query(&output(&["nvidia-smi", "-q"])) };
        if smi.gpus.is_empty() {
            return smi;
        }
        let types = types(&output(&["nvidia-smi", "vgpu", "-s", "-v"]));
        for gpu in &mut smi.gpus {
            if let Some(of_gpu) = gpu.address.and_then(|address| types.get(&address)) {
                of_gpu.clone_into(&mut gpu.types);
            }
        }
        if smi.gpus.iter().any(|gpu| gpu.mig == Some(true)) {
            smi.mig(
                &output(&["nvidia-smi", "mig", "-lgip"]),
                &output(&["nvidia-smi", "mig", "-lgipp"]),
                &output(&["nvidia-smi", "mig", "-lgi"]),
            );
        }
        smi
    }

    pub fn gpu(&self, address: PciAddress) -> Option<&SmiGpu> {
        self.gpus.iter().find(|gpu| gpu.address == Some(address))
    }

    fn mig(&mut self, profiles: &str, placements: &str, instances: &str) {
        for line in profiles.lines() {
            if let Some((index, profile)) = profile(line)
                && let Some(gpu) = self.gpus.get_mut(index)
            {
                gpu.instances.push(profile);
            }
        }
        for line in placements.lines() {
            let Some((index, id, ids, size)) = placement(line) else { continue };
            let of_gpu = self.gpus.get_mut(index).map(|gpu| &mut gpu.instances);
            if let Some(profile) = of_gpu.and_then(|profiles| profiles.iter_mut().find(|one| one.id == id)) {
                (profile.ids, profile.size) = (ids, size);
            }
        }
        for line in instances.lines() {
            if let Some((index, instance)) = instance(line)
                && let Some(gpu) = self.gpus.get_mut(index)
            {
                gpu.made.push(instance);
            }
        }
    }
}

/// `nvidia-smi -q`: a paragraph per GPU, `GPU 00000000:41:00.0`, with indented `name : value` lines below headings.
fn query(text: &str) -> Vec<SmiGpu> {
    let mut gpus: Vec<SmiGpu> = Vec::new();
    let mut heading = "";
    for line in text.lines().take(NAMES_MAX) {
        if let Some(address) = line.strip_prefix("GPU ") {
            gpus.push(SmiGpu { address: address.trim().parse().ok(), ..SmiGpu::default() });
            continue;
        }
        let Some(gpu) = gpus.last_mut() else { continue };
        let Some((name, value)) = line.split_once(" : ") else {
            heading = line.trim();
            continue;
        };
        // "Not Supported" has "Supported" in it: values are compared, never searched.
        match (heading, name.trim(), value.trim()) {
            ("FB Memory Usage", "Total", value) => {
                gpu.memory_mib = value.split_whitespace().next().and_then(|number| number.parse().ok());
            }
            ("MIG Mode", "Current", "Enabled") => gpu.mig = Some(true),
            ("MIG Mode", "Current", "Disabled") => gpu.mig = Some(false),
            (_, "Heterogeneous Time-Slice Sizes" | "Heterogenous Time-Slice Sizes", value) => {
                gpu.can_mix = value == "Supported";
            }
            (_, "vGPU Heterogeneous Mode" | "vGPU Heterogenous Mode", value) => gpu.mixed = value == "Enabled",
            _ => {}
        }
    }
    gpus
}

/// `nvidia-smi vgpu -s -v`: below each GPU a paragraph per type, begun by `vGPU Type ID : 0x22e`.
fn types(text: &str) -> BTreeMap<PciAddress, Vec<Known>> {
    let mut all: BTreeMap<PciAddress, Vec<Known>> = BTreeMap::new();
    let mut address: Option<PciAddress> = None;
    let mut width = String::new();
    for line in text.lines().take(NAMES_MAX) {
        if let Some(found) = line.strip_prefix("GPU ") {
            address = found.trim().parse().ok();
            continue;
        }
        let Some(address) = address else { continue };
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim(), value.trim());
        let first = value.split_whitespace().next().unwrap_or_default();
        let list = all.entry(address).or_default();
        if name == "vGPU Type ID" {
            let number = first
                .strip_prefix("0x")
                .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                .or_else(|| first.parse().ok());
            list.push(Known {
                number: number.map(|number| number.to_string()).unwrap_or_default(),
                ..Known::default()
            });
            continue;
        }
        let Some(known) = list.last_mut() else { continue };
        match name {
            "Name" => {
                let named = Known::named(value);
                (known.key, known.framebuffer_mib) = (named.key, named.framebuffer_mib);
            }
            "Max Instances" => known.max = first.parse().unwrap_or(0),
            "FB Memory" if known.framebuffer_mib == 0 => known.framebuffer_mib = first.parse().unwrap_or(0),
            "Display Heads" => known.heads = first.parse().unwrap_or(0),
            "Maximum X Resolution" => first.clone_into(&mut width),
            "Maximum Y Resolution" => known.resolution = format!("{width}x{first}"),
            "Frame Rate Limit" => known.frame_rate_limit = Some(first.parse().unwrap_or(0)),
            "Placement Size" => known.size = first.parse().unwrap_or(0),
            "Heterogeneous Supported Placement IDs" => known.mixed = ids(value),
            "Homogeneous Supported Placement IDs" => known.equal = ids(value),
            // Drivers before homogeneous placement: the only list there is.
            "Supported Placement IDs" => known.mixed = ids(value),
            _ => {}
        }
    }
    for list in all.values_mut() {
        list.retain(|known| !known.key.is_empty());
    }
    all
}

fn ids(text: &str) -> Vec<u8> {
    text.split([' ', ',']).filter_map(|id| id.parse().ok()).take(IDS_MAX).collect()
}

/// `|   0  MIG 1g.10gb       19     7/7        9.50       No     14     0     0   |`
fn profile(line: &str) -> Option<(usize, MigProfile)> {
    let (index, name, mut rest) = mig_line(line)?;
    let id = rest.next()?.parse().ok()?;
    let (free, total) = rest.next()?.split_once('/')?;
    let profile =
        MigProfile { name, id, free: free.parse().ok()?, total: total.parse().ok()?, ..MigProfile::default() };
    Some((index, profile))
}

/// `|   0  MIG 1g.10gb         19        7          4:1     |`
fn instance(line: &str) -> Option<(usize, MigInstance)> {
    let (index, name, mut rest) = mig_line(line)?;
    let (profile, id) = (rest.next()?.parse().ok()?, rest.next()?.parse().ok()?);
    let (start, size) = rest.next()?.split_once(':')?;
    Some((index, MigInstance { name, profile, id, start: start.parse().ok()?, size: size.parse().ok()? }))
}

fn mig_line(line: &str) -> Option<(usize, String, impl Iterator<Item = &str>)> {
    let mut words = line.trim().trim_matches('|').split_whitespace();
    let index = words.next()?.parse().ok()?;
    (words.next()? == "MIG").then_some(())?;
    Some((index, words.next()?.to_owned(), words))
}

/// `GPU  0 Profile ID 19 Placements: {0,1,2,3,4,5,6}:1`
fn placement(line: &str) -> Option<(usize, u32, Vec<u8>, u8)> {
    let (before, after) = line.split_once('{')?;
    let (list, size) = after.split_once("}:")?;
    let mut words = before.split_whitespace();
    (words.next()? == "GPU").then_some(())?;
    let index = words.next()?.parse().ok()?;
    let id = words.find_map(|word| word.parse().ok())?;
    Some((index, id, ids(list), size.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysfs::Tree;

    #[test]
    fn the_tool_is_understood() {
        let mut tree = Tree::new();
        tree.prints(
            &["nvidia-smi", "-q"],
            "==============NVSMI LOG==============\n\nAttached GPUs                             : 2\n\
             GPU 00000000:41:00.0\n    Product Name                          : NVIDIA H100 PCIe\n    vGPU Device Capability\n\
             \x20       Heterogeneous Time-Slice Sizes    : Not Supported\n    MIG Mode\n        Current                           : Enabled\n\
             \x20       Pending                           : Enabled\n\
             GPU 00000000:C1:00.0\n    vGPU Device Capability\n        Heterogeneous Time-Slice Sizes    : Supported\n    MIG Mode\n\
             \x20       Current                           : N/A\n    GPU Virtualization Mode\n        vGPU Heterogeneous Mode           : Enabled\n",
        )
        .prints(
            &["nvidia-smi", "mig", "-lgip"],
            "| GPU   Name             ID    Instances   Memory     P2P    SM    DEC   ENC  |\n\
             |                              Free/Total   GiB              CE    JPEG  OFA  |\n\
             |   0  MIG 1g.10gb       19     6/7        9.50       No     14     0     0   |\n\
             |                                                             1     0     0   |\n\
             |   0  MIG 1g.10gb+me    20     1/1        9.50       No     14     1     0   |\n",
        )
        .prints(&["nvidia-smi", "mig", "-lgipp"], "GPU  0 Profile ID 19 Placements: {0,1,2,3,4,5,6}:1\nGPU  0 Profile ID  0 Placement  : {0}:8\n")
        .prints(&["nvidia-smi", "mig", "-lgi"], "|   0  MIG 1g.10gb         19        7          4:1     |\n| x\n")
        .prints(
            &["nvidia-smi", "vgpu", "-s", "-v"],
            "GPU 00000000:C1:00.0\n    vGPU Type ID                          : 0x47c\n        Name                              : NVIDIA L40S-2Q\n\
             \x20       Max Instances                     : 24\n        FB Memory                         : 2048 MiB\n\
             \x20       Display Heads                     : 4\n        Maximum X Resolution              : 7680\n\
             \x20       Maximum Y Resolution              : 4320\n        Frame Rate Limit                  : 60 FPS\n\
             \x20       Placement Size                    : 2\n        Homogeneous Supported Placement IDs : 0 2 4\n\
             \x20       Heterogeneous Supported Placement IDs : 0 4 6\n    vGPU Type ID : 0x1\n",
        );
        let smi = Smi::read(&tree);
        let h100 = smi.gpu("0000:41:00.0".parse().unwrap()).unwrap();
        assert_eq!((h100.mig, h100.can_mix, h100.mixed, h100.instances.len()), (Some(true), false, false, 2));
        let first = &h100.instances[0];
        assert_eq!((first.id, first.free, first.total, first.ids.len(), first.size), (19, 6, 7, 7, 1));
        assert_eq!(h100.made, [MigInstance { name: "1g.10gb".into(), profile: 19, id: 7, start: 4, size: 1 }]);
        let l40s = smi.gpu("c1:00.0".parse().unwrap()).unwrap();
        assert_eq!((l40s.mig, l40s.can_mix, l40s.mixed, l40s.types.len()), (None, true, true, 1));
        let two = &l40s.types[0];
        assert_eq!((two.number.as_str(), two.max, two.size), ("1148", 24, 2));
        assert_eq!(
            (two.equal.as_slice(), two.mixed.as_slice(), two.resolution.as_str()),
            (&[0, 2, 4][..], &[0, 4, 6][..], "7680x4320")
        );
    }
}
