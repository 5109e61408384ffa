//! Machines with GPUs: golden files, reviewed by eye against libvirt's description of its format, and held against its schema
//! and, where a libvirt answers, against what it makes of them for QEMU.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod refusals;
mod schema;

use oriel_machine::{
    Arch, Boot, Card, Console, Firmware, Hardware, Igd, Keyboard, MachineSpec, Node, Places, Surroundings, domain_xml,
    quirks,
};
use oriel_model::{AcceleratorKind, GpuAddress, GpuHold, GpuMode, GpuUnit, ImageOs, Network};

pub(crate) const LIBVIRT_10: u32 = 10_000_000;
const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// A desktop with a name for its golden file.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) spec: MachineSpec,
    pub(crate) places: Places,
}

fn spec(os: ImageOs, gpus: Vec<GpuHold>) -> MachineSpec {
    MachineSpec {
        desktop: "01936b1e-7a30-7c3e-8c52-1f2e3d4c5b6a".parse().unwrap(),
        generation: 1,
        name: "studio-1".parse().unwrap(),
        title: String::from("Alice's desktop"),
        os,
        arch: Arch::X86_64,
        boot: Boot::Disk,
        vcpus: 4,
        memory_mib: 8192,
        disk_gib: 40,
        accelerator: AcceleratorKind::Kvm,
        network: Network::Nat { network: String::from("default") },
        port_base: None,
        keyboard: Keyboard::default(),
        gpus,
        hardware: Hardware::default(),
        cloud: None,
        home: None,
    }
}

fn places(cards: Vec<Card>) -> Places {
    Places {
        home: "/var/lib/oriel".into(),
        disk: "/var/lib/oriel/desktops/a/disk-1.qcow2".into(),
        seed: None,
        personal_disk: None,
        medium: None,
        network_socket: None,
        serial_log: None,
        host: Surroundings { cards, ..Surroundings::default() },
    }
}

pub(crate) fn address(text: &str) -> GpuAddress {
    text.parse().unwrap()
}

fn whole(functions: &[&str]) -> GpuHold {
    GpuHold {
        gpu: address(functions.first().unwrap()),
        mode: GpuMode::Whole,
        profile: None,
        slots: Vec::from([0]),
        unit: GpuUnit::Whole { functions: functions.iter().map(|function| function.parse().unwrap()).collect() },
    }
}

fn mdev(parent: &str, profile: &str, type_id: &str, slot: u8) -> GpuHold {
    GpuHold {
        gpu: address(parent),
        mode: GpuMode::Vgpu,
        profile: Some(profile.to_owned()),
        slots: Vec::from([slot]),
        unit: GpuUnit::Mdev {
            uuid: format!("0b57f5a8-94e1-5f4c-9a50-{slot:012}").parse().unwrap(),
            parent: address(parent),
            type_id: type_id.to_owned(),
        },
    }
}

fn seat(render_node: &str) -> GpuHold {
    GpuHold {
        gpu: address("00:02.0"),
        mode: GpuMode::Shared,
        profile: None,
        slots: Vec::new(),
        unit: GpuUnit::Shared { render_node: render_node.to_owned() },
    }
}

fn card(gpu: &str, vendor: &str, class: &str, bars: &[u64]) -> Card {
    Card { vendor_id: vendor.to_owned(), class: class.to_owned(), bars: bars.to_vec(), ..Card::plain(address(gpu)) }
}

fn intel() -> Card {
    Card { render_node: Some(String::from("/dev/dri/renderD128")), ..card("00:02.0", "8086", "0300", &[256 * MIB]) }
}

/// An RTX with sound, USB and USB-C, in node 0.
fn rtx() -> (GpuHold, Card) {
    let node = Some(Node { id: 0, cpus: String::from("0-15,32-47") });
    let hold = whole(&["41:00.0", "41:00.1", "41:00.2", "41:00.3"]);
    (hold, Card { node, ..card("41:00.0", "10de", "0300", &[256 * MIB, 32 * MIB]) })
}

#[expect(clippy::too_many_lines, reason = "a list")]
pub(crate) fn examples() -> Vec<Example> {
    let mut all = Vec::new();
    let mut add = |name, spec, places| all.push(Example { name, spec, places });

    let (hold, its_card) = rtx();
    add("linux_whole_rtx", spec(ImageOs::Linux, Vec::from([hold.clone()])), places(Vec::from([its_card.clone()])));
    let windows_11 = MachineSpec { hardware: Hardware::windows_11(), ..spec(ImageOs::Windows, Vec::from([hold])) };
    add("windows_11_whole_rtx", windows_11, places(Vec::from([its_card])));

    let gtx = whole(&["01:00.0", "01:00.1"]);
    let gtx_card = Card {
        rom: Some("/var/lib/oriel/roms/gtx1080.rom".into()),
        ..card("01:00.0", "10de", "0300", &[256 * MIB, 32 * MIB])
    };
    let hidden = Hardware { hide_hypervisor: true, ..Hardware::default() };
    add(
        "windows_gtx_hidden",
        MachineSpec { hardware: hidden.clone(), ..spec(ImageOs::Windows, Vec::from([gtx.clone()])) },
        places(Vec::from([gtx_card.clone()])),
    );
    add(
        "linux_gtx_hidden",
        MachineSpec { hardware: hidden, ..spec(ImageOs::Linux, Vec::from([gtx.clone()])) },
        places(Vec::from([gtx_card.clone()])),
    );
    let only = Hardware { firmware: Firmware::Bios, console: Console::Without, ..Hardware::default() };
    add(
        "linux_gtx_only_display_under_bios",
        MachineSpec { hardware: only, ..spec(ImageOs::Linux, Vec::from([gtx])) },
        places(Vec::from([gtx_card])),
    );

    let m60 = mdev("06:00.0", "M60-2Q", "nvidia-18", 0);
    let m60_card = card("06:00.0", "10de", "0300", &[256 * MIB, 32 * MIB]);
    add("linux_mdev_m60_2q", spec(ImageOs::Linux, Vec::from([m60.clone()])), places(Vec::from([m60_card.clone()])));
    add("windows_mdev_m60_2q", spec(ImageOs::Windows, Vec::from([m60.clone()])), places(Vec::from([m60_card.clone()])));
    let bios_disk =
        Surroundings { cards: Vec::from([m60_card.clone()]), efi_disk: Some(false), ..Surroundings::default() };
    add(
        "linux_mdev_from_a_bios_disk",
        spec(ImageOs::Linux, Vec::from([m60.clone()])),
        Places { host: bios_disk, ..places(Vec::new()) },
    );
    let another = mdev("07:00.0", "M60-8Q", "nvidia-22", 1);
    add(
        "linux_two_gpus",
        spec(ImageOs::Linux, Vec::from([m60, another])),
        places(Vec::from([m60_card, card("07:00.0", "10de", "0300", &[])])),
    );

    // The kernel's sample driver, whose display needs a render node that a machine in a machine does not have.
    let sample = mdev("mbochs", "mbochs-large", "mbochs-large", 3);
    let lab = Surroundings {
        cards: Vec::from([Card::plain(address("mbochs"))]),
        address_bits: Some(39),
        efi_disk: Some(false),
        ..Surroundings::default()
    };
    add(
        "other_mdev_mbochs_from_a_bios_disk",
        spec(ImageOs::Other, Vec::from([sample])),
        Places { host: lab, ..places(Vec::new()) },
    );

    let l40s = GpuHold {
        gpu: address("c1:00.0"),
        mode: GpuMode::Vgpu,
        profile: Some(String::from("L40S-12Q")),
        slots: Vec::from([0]),
        unit: GpuUnit::VendorVf { address: "c1:00.4".parse().unwrap(), type_id: 1151 },
    };
    let l40s_card = card("c1:00.0", "10de", "0302", &[64 * GIB, 32 * MIB]);
    add("windows_vendor_vf_l40s", spec(ImageOs::Windows, Vec::from([l40s])), places(Vec::from([l40s_card])));

    let flex = GpuHold {
        gpu: address("4d:00.0"),
        mode: GpuMode::Vf,
        profile: None,
        slots: Vec::from([2]),
        unit: GpuUnit::Vf { address: "4d:00.3".parse().unwrap() },
    };
    let flex_card = card("4d:00.0", "8086", "0380", &[512 * MIB, 16 * MIB]);
    let large = Hardware { hugepages_mib: Some(1024), lock_memory: true, ..Hardware::default() };
    let node = Some(Node { id: 1, cpus: String::from("16-31") });
    add(
        "linux_intel_vf_on_hugepages",
        MachineSpec { hardware: large, ..spec(ImageOs::Linux, Vec::from([flex])) },
        places(Vec::from([Card { node, ..flex_card }])),
    );

    let gvt = mdev("00:02.0", "GVTg_V5_4", "i915-GVTg_V5_4", 2);
    add("windows_gvt_g_with_ramfb", spec(ImageOs::Windows, Vec::from([gvt.clone()])), places(Vec::from([intel()])));
    let no_gl = Card { render_node: None, ..intel() };
    add("linux_gvt_g_on_a_host_without_gl", spec(ImageOs::Linux, Vec::from([gvt])), places(Vec::from([no_gl])));

    let igd = whole(&["00:02.0"]);
    let narrow = Places {
        host: Surroundings { cards: Vec::from([intel()]), address_bits: Some(39), ..Surroundings::default() },
        ..places(Vec::new())
    };
    add("linux_igd_universal", spec(ImageOs::Linux, Vec::from([igd.clone()])), narrow.clone());
    let legacy = Hardware { igd: Igd::Legacy, ..Hardware::default() };
    let user = Network::User;
    add(
        "windows_igd_legacy",
        MachineSpec {
            hardware: legacy,
            network: user,
            port_base: Some(24_000),
            ..spec(ImageOs::Windows, Vec::from([igd]))
        },
        narrow,
    );

    let shared = spec(ImageOs::Linux, Vec::from([seat("/dev/dri/renderD128")]));
    add("linux_virgl", shared.clone(), places(Vec::from([intel()])));
    let vulkan = Hardware { vulkan: true, ..Hardware::default() };
    let blobs = Surroundings { cards: Vec::from([intel()]), blobs: true, ..Surroundings::default() };
    add("linux_venus", MachineSpec { hardware: vulkan, ..shared }, Places { host: blobs, ..places(Vec::new()) });

    let h100 = ["17:00.0", "2a:00.0", "3d:00.0", "5b:00.0"];
    let cards = h100.iter().map(|gpu| card(gpu, "10de", "0302", &[128 * GIB, 32 * MIB])).collect();
    add(
        "linux_four_h100_many_processors",
        MachineSpec { vcpus: 288, ..spec(ImageOs::Linux, h100.iter().map(|gpu| whole(&[gpu])).collect()) },
        places(cards),
    );

    let arm = |os, accelerator, gpus| MachineSpec { arch: Arch::Aarch64, accelerator, ..spec(os, gpus) };
    add("aarch64_linux", arm(ImageOs::Linux, AcceleratorKind::Tcg, Vec::new()), places(Vec::new()));
    add("aarch64_windows_under_kvm", arm(ImageOs::Windows, AcceleratorKind::Kvm, Vec::new()), places(Vec::new()));
    add(
        "aarch64_linux_whole_under_kvm",
        arm(ImageOs::Linux, AcceleratorKind::Kvm, Vec::from([whole(&["0004:01:00.0", "0004:01:00.1"])])),
        places(Vec::from([card("0004:01:00.0", "10de", "0302", &[64 * GIB])])),
    );
    add(
        "aarch64_linux_virgl",
        arm(ImageOs::Linux, AcceleratorKind::Kvm, Vec::from([seat("/dev/dri/renderD128")])),
        places(Vec::new()),
    );
    all
}

#[test]
fn golden_files() {
    for Example { name, spec, places } in examples() {
        let why: Vec<String> =
            quirks(&spec, &places.host).iter().map(|quirk| format!("{}: {}", quirk.id, quirk.does)).collect();
        let xml = domain_xml(&spec, &places, LIBVIRT_10).unwrap();
        insta::assert_snapshot!(name, format!("{}\n\n{xml}", why.join("\n")));
    }
}
