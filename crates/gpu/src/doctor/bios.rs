//! What a setting is called in the BIOS, by who made the board. Menus differ by model: the words are where to begin.
//!
//! Sources: the makers' manuals (ASUS PRIME/ProArt/WS, ASRock and ASRock Rack, Gigabyte, MSI, Supermicro X11–X13 and H11–H13,
//! Dell PowerEdge "System Setup", HPE "UEFI System Utilities", Lenovo ThinkSystem and ThinkStation).

use super::case::Case;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Iommu,
    Above4G,
    PrimaryDisplay,
    SrIov,
    Acs,
    /// Graphics memory that the processor's GPU gets.
    Aperture,
}

/// One line: where to look, in this machine's own words where they are known.
pub(super) fn words(case: &Case<'_>, setting: Setting) -> String {
    let read = |file: &str| case.sysfs.text(&format!("/sys/class/dmi/id/{file}")).unwrap_or_default();
    let maker = format!("{} {}", read("board_vendor"), read("sys_vendor")).to_ascii_lowercase();
    let amd = case.host.cpu_vendor == "AuthenticAMD";
    let known: Option<(&str, &str)> = [
        ("supermicro", "Supermicro"),
        ("dell", "Dell"),
        ("hewlett", "HPE"),
        ("hpe", "HPE"),
        ("lenovo", "Lenovo"),
        ("asrock", "ASRock"),
        ("asus", "ASUS"),
        ("gigabyte", "Gigabyte"),
        ("giga-byte", "Gigabyte"),
        ("micro-star", "MSI"),
    ]
    .into_iter()
    .find(|(word, _)| maker.contains(word));
    let path = known.and_then(|(_, name)| menu(name, setting, amd));
    let general = match (setting, amd) {
        (Setting::Iommu, true) => "enable \"IOMMU\" (AMD-Vi; \"Enabled\", not \"Auto\") and \"SVM Mode\"",
        (Setting::Iommu, false) => "enable \"Intel VT-d\" (\"Virtualization Technology for Directed I/O\")",
        (Setting::Above4G, _) => "enable \"Above 4G Decoding\" (\"64-bit BAR\", \"Memory Mapped I/O above 4 GB\")",
        (Setting::PrimaryDisplay, _) => {
            "set \"Primary Display\" (\"Init Display First\") to the onboard or integrated graphics, \"iGPU Multi-Monitor\" to enabled"
        }
        (Setting::SrIov, _) => {
            "enable \"SR-IOV Support\" and \"Above 4G Decoding\", and \"ARI Support\" where there is one"
        }
        (Setting::Acs, true) => "enable \"ACS Enable\" and \"AER Cap\" under \"AMD CBS > NBIO Common Options\"",
        (Setting::Acs, false) => "enable \"ACS Control\" where there is one",
        (Setting::Aperture, _) => "raise \"Aperture Size\" (\"DVMT/Graphics Aperture\") to 512 MB or more",
    };
    match (known, path) {
        (Some((_, name)), Some(path)) => format!("# BIOS ({name}): {path}; in other words: {general}"),
        (Some((_, name)), None) => format!("# BIOS ({name}): {general}"),
        _ => format!("# BIOS: {general}"),
    }
}

fn menu(maker: &str, setting: Setting, amd: bool) -> Option<&'static str> {
    Some(match (maker, setting, amd) {
        ("ASUS", Setting::Iommu, false) => "Advanced > System Agent (SA) Configuration > VT-d",
        ("ASUS" | "ASRock" | "Gigabyte", Setting::Iommu, true) => "Advanced > AMD CBS > NBIO Common Options > IOMMU",
        ("ASRock", Setting::Iommu, false) => "Advanced > Chipset Configuration > VT-d",
        ("Gigabyte", Setting::Iommu, false) => "Settings > Miscellaneous > VT-d",
        ("MSI", Setting::Iommu, false) => "OC > CPU Features > Intel VT-D Tech",
        ("MSI", Setting::Iommu, true) => "OC > Advanced CPU Configuration > AMD CBS > IOMMU",
        ("Supermicro", Setting::Iommu, false) => {
            "Advanced > Chipset Configuration > North Bridge > IIO Configuration > Intel VT for Directed I/O (VT-d)"
        }
        ("Supermicro", Setting::Iommu, true) => "Advanced > NB Configuration > IOMMU",
        ("Dell", Setting::Iommu, _) => {
            "System BIOS > Processor Settings > Virtualization Technology (and IOMMU Support)"
        }
        ("HPE", Setting::Iommu, false) => "System Configuration > BIOS/Platform > Virtualization Options > Intel VT-d",
        ("HPE", Setting::Iommu, true) => {
            "System Configuration > BIOS/Platform > Virtualization Options > AMD I/O Virtualization Technology"
        }
        ("Lenovo", Setting::Iommu, false) => {
            "System Settings > Devices and I/O Ports > Intel VT for Directed I/O (VT-d)"
        }
        ("ASUS", Setting::Above4G, _) => "Advanced > PCI Subsystem Settings > Above 4G Decoding",
        ("ASRock", Setting::Above4G, _) => "Advanced > PCI Configuration > Above 4G Decoding",
        ("Gigabyte", Setting::Above4G, _) => "Settings > IO Ports > Above 4G Decoding",
        ("MSI", Setting::Above4G, _) => "Settings > Advanced > PCI Subsystem Settings > Above 4G memory",
        ("Supermicro", Setting::Above4G, _) => {
            "Advanced > PCIe/PCI/PnP Configuration > Above 4G Decoding (and MMIO High Size)"
        }
        ("Dell", Setting::Above4G, _) => "System BIOS > Integrated Devices > Memory Mapped I/O above 4GB",
        ("HPE", Setting::Above4G, _) => {
            "System Configuration > BIOS/Platform > PCIe Device Configuration > PCIe 64-bit BAR Support"
        }
        ("Lenovo", Setting::Above4G, _) => {
            "System Settings > Devices and I/O Ports > MM Config Base, PCI 64-Bit Resource"
        }
        ("Supermicro", Setting::PrimaryDisplay, _) => "Advanced > PCIe/PCI/PnP Configuration > VGA Priority: Onboard",
        ("Dell", Setting::PrimaryDisplay, _) => "System BIOS > Integrated Devices > Embedded Video Controller: Enabled",
        ("HPE", Setting::PrimaryDisplay, _) => {
            "System Configuration > BIOS/Platform > Advanced Options > Video Options > Embedded Video Primary"
        }
        ("ASUS", Setting::PrimaryDisplay, false) => {
            "Advanced > System Agent (SA) Configuration > Graphics Configuration > Primary Display"
        }
        ("Gigabyte", Setting::PrimaryDisplay, _) => "Settings > IO Ports > Initial Display Output",
        ("ASRock", Setting::PrimaryDisplay, _) => "Advanced > Chipset Configuration > Primary Graphics Adapter",
        ("MSI", Setting::PrimaryDisplay, _) => {
            "Settings > Advanced > Integrated Graphics Configuration > Initiate Graphic Adapter"
        }
        ("Supermicro", Setting::SrIov, _) => "Advanced > PCIe/PCI/PnP Configuration > SR-IOV Support",
        ("Dell", Setting::SrIov, _) => "System BIOS > Integrated Devices > SR-IOV Global Enable",
        ("HPE", Setting::SrIov, _) => "System Configuration > BIOS/Platform > Virtualization Options > SR-IOV",
        ("ASUS", Setting::SrIov, _) => "Advanced > PCI Subsystem Settings > SR-IOV Support",
        ("Supermicro", Setting::Acs, _) => "Advanced > ACPI or NB Configuration > PCIe ACS / ACS Enable",
        ("ASUS" | "ASRock" | "Gigabyte", Setting::Acs, true) => "Advanced > AMD CBS > NBIO Common Options > ACS Enable",
        _ => return None,
    })
}
