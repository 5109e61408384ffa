//! What must not come out, and what must stay as it was.

use super::{LIBVIRT_10, examples, intel, mdev, places, spec, whole};
use oriel_machine::{
    Arch, Card, Firmware, Hardware, Igd, MachineSpec, Places, Surroundings, XmlError, domain_xml, quirks,
};
use oriel_model::{AcceleratorKind, GpuUnit, ImageOs};

#[test]
fn impossible_machines_are_refused_in_words() {
    let igd = || whole(&["00:02.0"]);
    let bios = Hardware { firmware: Firmware::Bios, ..Hardware::default() };
    let cases = [
        MachineSpec { arch: Arch::Aarch64, hardware: bios.clone(), ..spec(ImageOs::Linux, Vec::new()) },
        MachineSpec { hardware: Hardware { tpm: true, ..bios }, ..spec(ImageOs::Linux, Vec::new()) },
        MachineSpec {
            hardware: Hardware { igd: Igd::Legacy, ..Hardware::default() },
            ..spec(ImageOs::Linux, Vec::from([igd(), whole(&["01:00.0"])]))
        },
    ];
    for case in cases {
        let error = domain_xml(&case, &places(Vec::from([intel()])), LIBVIRT_10).unwrap_err();
        assert!(matches!(error, XmlError::Impossible(_)), "{error}");
    }
}

#[test]
fn an_old_libvirt_is_named() {
    let old = |name: &str, libvirt| {
        let example = examples().into_iter().find(|example| example.name == name).unwrap();
        domain_xml(&example.spec, &example.places, libvirt).map_err(|error| error.to_string())
    };
    let error = old("windows_vendor_vf_l40s", 9_000_000).unwrap_err();
    assert!(error.contains("needs libvirt 10.0.0 or newer, and this host has 9.0.0"), "{error}");
    assert!(old("linux_igd_universal", 8_000_000).is_err());
    assert!(old("linux_whole_rtx", 8_000_000).is_ok_and(|xml| !xml.contains("maxphysaddr")));
}

/// The card's slots and addresses come from the database: whatever they are, the machine is one.
#[test]
fn any_slice_has_a_place() {
    let many = (0..16).map(|slot| mdev("00:02.0", "GVTg_V5_8", "i915-GVTg_V5_8", slot)).collect();
    let xml = domain_xml(&spec(ImageOs::Linux, many), &places(Vec::from([intel()])), LIBVIRT_10).unwrap();
    assert_eq!(xml.matches("<hostdev ").count(), 16);
    assert_eq!(xml.matches("ramfb=\"on\"").count(), 1, "one console");
    // Ten on the root bus, the others behind ports; no place twice.
    let mut places: Vec<&str> = xml.lines().filter(|line| line.contains("<address type=\"pci\"")).collect();
    let count = places.len();
    places.sort_unstable();
    places.dedup();
    assert_eq!((count, places.len()), (16, 16));
    let functions = ["0000:81:00.1", "0000:81:00.2"];
    let xml = domain_xml(&spec(ImageOs::Linux, Vec::from([whole(&functions)])), &places_of(&[]), LIBVIRT_10).unwrap();
    assert!(xml.contains("function=\"0x0\" multifunction=\"on\""), "a guest looks at function 0 only: {xml}");
}

fn places_of(cards: &[Card]) -> Places {
    places(cards.to_vec())
}

#[test]
fn hyper_v_and_hiding_need_kvm() {
    let spec = MachineSpec {
        accelerator: AcceleratorKind::Tcg,
        hardware: Hardware { hide_hypervisor: true, ..Hardware::default() },
        ..spec(ImageOs::Windows, Vec::from([whole(&["01:00.0"])]))
    };
    let xml = domain_xml(&spec, &places(Vec::new()), LIBVIRT_10).unwrap();
    assert!(!xml.contains("hyperv") && !xml.contains("<kvm>"), "{xml}");
}

#[test]
fn without_a_gpu_nothing_is_asked_for() {
    for os in [ImageOs::Linux, ImageOs::Windows, ImageOs::Other] {
        assert!(quirks(&spec(os, Vec::new()), &Surroundings::default()).is_empty());
    }
}

#[test]
fn a_seat_leaves_the_machine_as_it_was_but_for_the_display() {
    let seat = super::seat("/dev/dri/renderD129");
    assert!(matches!(seat.unit, GpuUnit::Shared { .. }));
    let with = domain_xml(&spec(ImageOs::Linux, Vec::from([seat])), &places(Vec::new()), LIBVIRT_10).unwrap();
    let without = domain_xml(&spec(ImageOs::Linux, Vec::new()), &places(Vec::new()), LIBVIRT_10).unwrap();
    let new: Vec<&str> = with.lines().map(str::trim).filter(|line| !without.contains(line)).collect();
    assert_eq!(
        new,
        [
            "<graphics type=\"egl-headless\">",
            "<gl rendernode=\"/dev/dri/renderD129\"/>",
            "<acceleration accel3d=\"yes\"/>"
        ]
    );
}
