//! What people call vendors, devices and classes: from the PCI ID database.

use pci_ids::{Device, FromId as _, Subclass, Vendor};

/// `10de` → 0x10de.
pub(crate) fn id(hex: &str) -> Option<u16> {
    u16::from_str_radix(hex, 16).ok()
}

/// What people say rather than what the database says: `NVIDIA`, `AMD`, `Intel`.
pub fn vendor(vendor_id: &str) -> String {
    let known = match vendor_id {
        "10de" => "NVIDIA",
        "1002" | "1022" => "AMD",
        "8086" => "Intel",
        "1234" => "QEMU",
        "1af4" => "virtio",
        "1a03" => "ASPEED",
        "102b" => "Matrox",
        "15ad" => "VMware",
        "1b36" => "Red Hat",
        "1013" => "Cirrus",
        "14e4" => "Broadcom",
        "19e5" => "Huawei",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let name = id(vendor_id).and_then(Vendor::from_id).map(Vendor::name);
    name.map_or_else(|| vendor_id.to_owned(), |name| first_words(name).to_owned())
}

/// A company without its legal form.
fn first_words(name: &str) -> &str {
    let end = [
        " Corporation",
        " Corp.",
        " Corp",
        " Inc.",
        ", Inc.",
        " Inc",
        ", Ltd.",
        " Co., Ltd.",
        " Ltd.",
        " Limited",
        " Technology",
        " GmbH",
    ]
    .iter()
    .filter_map(|form| name.find(form))
    .min();
    end.and_then(|end| name.get(..end)).unwrap_or(name).trim_end_matches(',').trim()
}

/// `GM204GL [Tesla M60]`; what is not in the database is called by its class and ids.
pub fn device(vendor_id: &str, device_id: &str, class: &str) -> String {
    let known = id(vendor_id).zip(id(device_id)).and_then(|(vendor, device)| Device::from_vid_pid(vendor, device));
    match (known, (vendor_id, device_id)) {
        // QEMU's own, which the database files under a company that nobody knows.
        (_, ("1234", "1111")) => "QEMU standard VGA (bochs)".to_owned(),
        (Some(device), _) => device.name().to_owned(),
        (None, _) => format!("{} {vendor_id}:{device_id}", self::class(class)),
    }
}

/// The board, `Tesla M60`, where the database knows the subsystem.
pub fn board(vendor_id: &str, device_id: &str, subsystem_vendor_id: &str, subsystem_device_id: &str) -> Option<String> {
    let device = Device::from_vid_pid(id(vendor_id)?, id(device_id)?)?;
    let (vendor, board) = (id(subsystem_vendor_id)?, id(subsystem_device_id)?);
    let found = device.subsystems().find(|one| one.subvendor() == vendor && one.subdevice() == board)?;
    Some(found.name().to_owned())
}

/// `VGA compatible controller`, from six (or four) hexadecimal digits of a class code.
pub fn class(class: &str) -> String {
    let part = |range: std::ops::Range<usize>| class.get(range).and_then(|hex| u8::from_str_radix(hex, 16).ok());
    let known = part(0..2).zip(part(2..4)).and_then(|(class, sub)| Subclass::from_cid_sid(class, sub));
    known.map_or_else(|| format!("device of class {class}"), |known| known.name().to_owned())
}

/// Graphics on a processor's chip by their driver.
pub fn on_chip(driver: &str) -> &str {
    match driver {
        "v3d" | "vc4-drm" | "vc4_v3d" => "Broadcom VideoCore",
        "panfrost" | "panthor" | "lima" => "Arm Mali",
        "msm" | "msm_dpu" | "adreno" => "Qualcomm Adreno",
        "etnaviv" | "etnaviv-gpu" => "Vivante",
        "asahi" => "Apple graphics",
        "powervr" | "pvr" => "Imagination PowerVR",
        "tegra" | "gk20a" | "nvgpu" => "NVIDIA Tegra",
        other => other,
    }
}

/// The marketing name in a device's name: what stands in its last brackets.
pub fn short(name: &str) -> &str {
    let inner = name.rfind('[').and_then(|start| name.get(start + 1..)).and_then(|rest| rest.split(']').next());
    inner.filter(|inner| !inner.is_empty()).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cards_of_the_zoo_have_names() {
        assert_eq!((vendor("10de"), device("10de", "13f2", "030000")), ("NVIDIA".into(), "GM204GL [Tesla M60]".into()));
        assert_eq!(device("1002", "6929", "030000"), "Tonga XT GL [FirePro S7150]");
        assert_eq!(device("1002", "7461", "030000"), "Navi 32 [AMD Radeon PRO V710]");
        for (vendor, known) in [
            ("10de", &["13bd", "13f3", "25b6", "26b9", "2235", "2330", "1eb8", "1b80", "1e87"][..]),
            ("8086", &["3e92", "4680", "56c0", "56c1"]),
            ("1002", &["67df"]),
        ] {
            for one in known {
                let name = device(vendor, one, "030000");
                assert!(!name.contains(':'), "{vendor}:{one} is only {name}");
            }
        }
        assert_eq!(device("10de", "ffff", "030200"), "3D controller 10de:ffff");
        assert_eq!(class("0c0330"), "USB controller");
        assert_eq!(vendor("1b21"), "ASMedia");
        assert_eq!((short("GM204GL [Tesla M60]"), short("x")), ("Tesla M60", "x"));
    }
}
