//! Mode `whole`: everything in the slot to one machine, through VFIO.

use super::{
    IommuGroup, Whole, console, group, names,
    reader::{Reader, Seen},
};
use oriel_model::PciAddress;

/// The same words as the doctor's.
const CONSOLE: &str = "it draws the host's console (a server's management controller, or a hypervisor's), accelerates nothing, and is best left to the host";

pub(crate) fn read(reader: &Reader, gpu: &Seen, group: Option<&IommuGroup>, gpus: &[PciAddress]) -> Whole {
    let reasons = if gpu.address.is_none() {
        let why = if gpu.is_made_up() {
            "a driver of the kernel makes it up, and there is nothing to hand over"
        } else {
            "it is a part of the processor's chip, which VFIO does not hand over"
        };
        vec![format!("it is no PCI device: {why}")]
    } else if console::console_chip(&gpu.class, &gpu.vendor_id, &gpu.device_id) {
        vec![CONSOLE.to_owned()]
    } else {
        let mut reasons = match group {
            None => vec![without_group(reader, gpu)],
            Some(group) => group::reasons(group, gpus),
        };
        reasons.extend(without_driver(reader));
        reasons
    };
    Whole { available: reasons.is_empty(), reasons }
}

/// Why a function has no IOMMU group.
fn without_group(reader: &Reader, gpu: &Seen) -> String {
    let host = &reader.host;
    let parameter = |name: &str| host.parameter(name).unwrap_or_default();
    if host.iommu.present {
        if gpu.vendor_id == "8086" && host.cpu_vendor == "GenuineIntel" {
            return "no IOMMU group: the kernel keeps the IOMMU off for the integrated GPU unless told otherwise; add intel_iommu=on to \
                    the kernel command line (and take intel_iommu=igfx_off away if it is there)"
                .to_owned();
        }
        return "no IOMMU group: the IOMMU is on, but no unit of it covers this device; see the kernel log for DMAR, AMD-Vi or IORT".to_owned();
    }
    let intel = host.cpu_vendor == "GenuineIntel";
    if host.arch == "aarch64" {
        let words = if host.iommu.in_firmware {
            "the kernel does not drive the SMMU that the firmware describes (arm-smmu-v3)"
        } else {
            "this machine has no SMMU that the firmware describes"
        };
        return format!("no IOMMU group: {words}");
    }
    if !host.iommu.in_firmware {
        let name = if intel { "VT-d" } else { "AMD-Vi (\"IOMMU\")" };
        return format!(
            "no IOMMU group: the firmware describes no IOMMU (/sys/firmware/acpi/tables has no {}): {name} is off in the BIOS, or the machine has none",
            if intel { "DMAR" } else { "IVRS" }
        );
    }
    let why = if parameter("iommu") == "off" {
        "iommu=off stands on the kernel command line"
    } else if intel && parameter("intel_iommu").starts_with("off") {
        "intel_iommu=off stands on the kernel command line"
    } else if intel && host.parameter("intel_iommu").is_none() {
        "intel_iommu=on is missing on the kernel command line"
    } else if !intel && parameter("amd_iommu") == "off" {
        "amd_iommu=off stands on the kernel command line"
    } else {
        "the firmware describes it, but the kernel did not start it; see the kernel log for DMAR or AMD-Vi"
    };
    format!("no IOMMU group: the IOMMU is off ({why})")
}

/// The driver that hands functions over, in the kernel or as a module that could be loaded.
fn without_driver(reader: &Reader) -> Option<String> {
    let sysfs = reader.sysfs;
    if sysfs.exists("/sys/bus/pci/drivers/vfio-pci") || sysfs.exists("/sys/module/vfio_pci") {
        return None;
    }
    let modules = format!("/lib/modules/{}", reader.host.kernel);
    let lists = ["modules.dep", "modules.builtin"].map(|name| sysfs.text(&format!("{modules}/{name}")));
    // Without lists nothing can be said.
    let known = lists.iter().any(Option::is_some);
    let found = lists.iter().flatten().any(|list| list.contains("/vfio-pci.ko"));
    (known && !found).then(|| {
        format!("the kernel {} has no module vfio-pci: install the distribution's full kernel", reader.host.kernel)
    })
}

/// For lists: what is in the way, in a few words.
pub fn blocked(group: &IommuGroup) -> String {
    let names: Vec<String> =
        group.blockers.iter().map(|one| format!("{} {}", names::class(&one.class), one.address)).collect();
    names.join(", ")
}
