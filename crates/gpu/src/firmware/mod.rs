//! Firmware of a card: the small programs that its driver loads into it from files.
//!
//! ```text
//!   driver's module ──`modinfo -F firmware`──▶ names for *every* chip it knows ──▶ those of this chip, alternatives together
//!                                                                                       │
//!        /lib/firmware/…, compressed or not, in the kernel's search order ◀─────────────┘
//! ```
//!
//! Without the module's list, Intel's names come from a table of Linux 6.1's own lists; of other vendors nothing is known then.

mod amd;
mod intel;
mod nvidia;
mod package;
mod place;

pub use intel::Platform;
pub use package::package;
pub use place::{find, folders};

use crate::{
    Sysfs,
    inventory::{Distribution, Firmware},
};

/// Most files that one card is said to want.
pub const FILES_MAX: usize = 256;

/// Of which card the question is.
#[derive(Clone, Copy, Debug)]
pub struct Card<'a> {
    /// Four hexadecimal digits, as in [`crate::inventory::Gpu`].
    pub vendor_id: &'a str,
    pub device_id: &'a str,
    /// Two hexadecimal digits.
    pub revision: &'a str,
    /// From the PCI ID database: `Ellesmere [Radeon RX 470/480]`. AMD's and NVIDIA's chips are told by it.
    pub name: &'a str,
    /// The driver that holds it; `None` asks for the one which would.
    pub driver: Option<&'a str>,
    /// `uname -r`.
    pub kernel: &'a str,
    pub distribution: &'a Distribution,
}

/// What the card's driver wants of firmware files, and what is there of it. Empty when the driver wants none (`vfio-pci`,
/// `nvidia`, which brings its own) or when nobody knows.
pub fn wanted(sysfs: &dyn Sysfs, card: &Card<'_>) -> Vec<Firmware> {
    let Some(driver) = driver(sysfs, card) else { return Vec::new() };
    let list = sysfs.command(&["modinfo", "-F", "firmware", driver]).ok();
    let names: Vec<&str> = list.as_deref().unwrap_or_default().split_whitespace().collect();
    let mut files = match driver {
        "i915" | "xe" => intel::files(sysfs, card, driver, &names),
        "amdgpu" => amd::amdgpu(card, &names),
        "radeon" => amd::radeon(card, &names),
        "nouveau" => nvidia::nouveau(card, &names),
        _ => Vec::new(),
    };
    files.truncate(FILES_MAX);
    let folders = folders(sysfs, card.kernel);
    let unknown = !sysfs.live() && !folders.iter().any(|folder| sysfs.exists(folder));
    for file in &mut files {
        file.unknown = unknown;
        file.found = file.alternatives.iter().find_map(|name| find(sysfs, &folders, name));
        file.package = file.alternatives.first().and_then(|name| package(card.distribution, card.kernel, driver, name));
    }
    files
}

/// The driver that loads firmware for this card: the one that holds it, or which would if none does. `None` for drivers that
/// load none by this way.
pub fn driver<'a>(sysfs: &dyn Sysfs, card: &Card<'a>) -> Option<&'a str> {
    const LOADING: [&str; 5] = ["i915", "xe", "amdgpu", "radeon", "nouveau"];
    if let Some(driver) = card.driver {
        return LOADING.contains(&driver).then_some(driver);
    }
    match card.vendor_id {
        "8086" => match Platform::of(card.device_id)? {
            Platform::LunarLake | Platform::Battlemage | Platform::PantherLake => Some("xe"),
            _ => Some("i915"),
        },
        "1002" => {
            let amdgpu = amd::chip(card).is_some_and(|chip| !chip.old);
            Some(if amdgpu || sysfs.exists("/sys/bus/pci/drivers/amdgpu") && amd::chip(card).is_none() {
                "amdgpu"
            } else {
                "radeon"
            })
        }
        // Where NVIDIA's driver is installed, nouveau does not come to it.
        "10de" if !sysfs.exists("/sys/module/nvidia") => Some("nouveau"),
        _ => None,
    }
}

fn firmware(role: &str, alternatives: Vec<String>, optional: bool) -> Firmware {
    Firmware { role: role.to_owned(), alternatives, found: None, optional, unknown: false, package: None }
}

#[cfg(test)]
mod tests;
