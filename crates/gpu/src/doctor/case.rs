//! The host that is looked at, and questions that several findings ask.

use super::{Options, system::System};
use crate::{
    Inventory, Sysfs,
    firmware::Platform,
    inventory::{Gpu, Host},
};
use oriel_model::GpuMode;
use std::cell::OnceCell;

pub(super) struct Case<'a> {
    pub sysfs: &'a dyn Sysfs,
    pub inventory: &'a Inventory,
    pub host: &'a Host,
    pub options: &'a Options,
    pub system: System<'a>,
    dmesg: OnceCell<String>,
    modules: OnceCell<Option<String>>,
}

impl<'a> Case<'a> {
    pub fn new(sysfs: &'a dyn Sysfs, inventory: &'a Inventory, options: &'a Options) -> Self {
        Self {
            sysfs,
            inventory,
            host: &inventory.host,
            options,
            system: System::new(sysfs, &inventory.host),
            dmesg: OnceCell::new(),
            modules: OnceCell::new(),
        }
    }

    /// `(major, minor)` of the kernel; `None` when it has no such name.
    pub fn kernel(&self) -> Option<(u32, u32)> {
        version(&self.host.kernel)
    }

    /// False as well when the kernel's version is not known.
    pub fn kernel_before(&self, major: u32, minor: u32) -> bool {
        self.kernel().is_some_and(|kernel| kernel < (major, minor))
    }

    pub fn x86(&self) -> bool {
        self.host.arch == "x86_64"
    }

    pub fn arm(&self) -> bool {
        self.host.arch == "aarch64"
    }

    /// Whether the kernel was started with this word.
    pub fn booted_with(&self, word: &str) -> bool {
        self.host.command_line.split_whitespace().any(|one| one == word)
    }

    /// The first of these words that the kernel was started with.
    pub fn booted_with_any(&self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().find(|word| self.booted_with(word)).copied()
    }

    /// The mode asked for is this one, or none was named.
    pub fn may_be(&self, mode: GpuMode) -> bool {
        self.options.mode.is_none_or(|asked| asked == mode)
    }

    pub fn asked_for(&self, mode: GpuMode) -> bool {
        self.options.mode == Some(mode)
    }

    /// The kernel's log; empty when it is not at hand.
    pub fn dmesg(&self) -> &str {
        self.dmesg.get_or_init(|| self.sysfs.command(&["dmesg", "--notime"]).unwrap_or_default())
    }

    /// Lines of the log with all of these words, at most `most`.
    pub fn logged(&self, words: &[&str], most: usize) -> Vec<&str> {
        let hit = |line: &&str| words.iter().all(|word| line.contains(word));
        self.dmesg().lines().filter(hit).take(most).collect()
    }

    /// Whether this kernel has the module, loaded, built in or on disk; `None` when its lists are not at hand.
    pub fn module(&self, name: &str) -> Option<bool> {
        let (dash, line) = (name.replace('_', "-"), name.replace('-', "_"));
        if self.sysfs.exists(&format!("/sys/module/{line}")) {
            return Some(true);
        }
        let list = self.modules.get_or_init(|| {
            let folder = format!("/lib/modules/{}", self.host.kernel);
            let read = |file: &str| self.sysfs.text(&format!("{folder}/{file}"));
            // The list of what is on disk decides; what is built in only adds to it.
            let on_disk = read("modules.dep").filter(|text| !text.is_empty())?;
            Some(format!("{on_disk}\n{}", read("modules.builtin").unwrap_or_default()))
        });
        let list = list.as_deref()?;
        let files = [format!("/{dash}.ko"), format!("/{line}.ko")];
        Some(list.lines().any(|entry| {
            let path = entry.split(':').next().unwrap_or_default();
            files.iter().any(|file| path.contains(file.as_str()))
        }))
    }

    /// A module's parameter and where it was read.
    pub fn parameter(&self, module: &str, name: &str) -> Option<(String, String)> {
        let path = format!("/sys/module/{module}/parameters/{name}");
        let value = self.sysfs.text(&path)?;
        Some((path, value))
    }

    /// `card0`, `renderD128`: what the card's driver offers to programs.
    pub fn drm(&self, gpu: &Gpu) -> Vec<String> {
        let address = gpu.address.to_string();
        let of_card = |name: &String| {
            self.sysfs.link_name(&format!("/sys/class/drm/{name}/device")).is_some_and(|device| device == address)
        };
        let mut names: Vec<String> =
            self.sysfs.list("/sys/class/drm").unwrap_or_default().into_iter().filter(of_card).collect();
        names.extend(self.sysfs.list(&format!("{}/drm", gpu.path())).unwrap_or_default());
        names.sort();
        names.dedup();
        names
    }

    /// The host's console is on this card, there are others to hand out, and nobody asked for this one.
    pub fn console_beside_others(&self, gpu: &Gpu) -> bool {
        let asked = self
            .options
            .gpu
            .as_ref()
            .is_some_and(|address| self.inventory.gpu(address).is_ok_and(|one| one.address == gpu.address));
        gpu.boot_vga && !asked && self.cards().any(|other| other.address != gpu.address)
    }

    /// GPUs that could be handed out: neither console chips nor parents of mediated devices that are no PCI devices.
    pub fn cards(&self) -> impl Iterator<Item = &'a Gpu> {
        self.inventory.gpus.iter().filter(|gpu| gpu.address.pci().is_some() && !console_chip(gpu))
    }
}

/// `6.12` of `6.12.38+deb13-amd64`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|letter: char| !letter.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// A display controller that a server's management chip or a hypervisor puts there for the console.
pub(super) fn console_chip(gpu: &Gpu) -> bool {
    crate::inventory::console_chip(&gpu.class, &gpu.vendor_id, &gpu.device_id)
}

pub(super) fn intel(gpu: &Gpu) -> Option<Platform> {
    (gpu.vendor_id == "8086").then(|| Platform::of(&gpu.device_id)).flatten()
}

/// In the processor's package: on the first bus, where nothing can be plugged in, or AMD's, behind an internal bridge.
pub(super) fn integrated(gpu: &Gpu) -> bool {
    const AMD: [&str; 24] = [
        "Raven",
        "Picasso",
        "Renoir",
        "Lucienne",
        "Cezanne",
        "Barcelo",
        "Rembrandt",
        "Raphael",
        "Phoenix",
        "HawkPoint",
        "Strix",
        "Krackan",
        "Mendocino",
        "VanGogh",
        "Carrizo",
        "Stoney",
        "Kaveri",
        "Kabini",
        "Mullins",
        "Trinity",
        "Richland",
        "Wani",
        "Granite Ridge",
        "Sumo",
    ];
    match gpu.vendor_id.as_str() {
        "8086" => intel(gpu).map_or(gpu.address.pci().is_some_and(|address| address.bus == 0), Platform::integrated),
        "1002" => AMD.iter().any(|name| gpu.name.starts_with(name)),
        _ => false,
    }
}

pub(super) fn held_by_vfio(driver: Option<&str>) -> bool {
    driver.is_some_and(|driver| driver.contains("vfio"))
}

/// A size as people say it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

/// `a, b and c`.
pub(super) fn enumerate<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}
