//! The card's ROM: what starts it in a desktop's firmware.

use super::{
    case::{Case, integrated},
    draft::{note, warning, warning_if},
};
use crate::inventory::{BarKind, Gpu};
use oriel_model::{Finding, GpuMode};

const ROM_ABI: &str = "https://docs.kernel.org/PCI/sysfs-pci.html";
/// Most images in one ROM.
const IMAGES_MAX: usize = 16;
/// `IORESOURCE_ROM_SHADOW` (`include/linux/ioport.h`): what is read is the copy that the boot left below 1 MiB.
const SHADOW: u64 = 1 << 1;

/// One image of a ROM, by the code type of its PCI data structure (PCI Firmware Specification 3.3, §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Image {
    Bios,
    OpenFirmware,
    Efi,
    Other(u8),
}

/// The images in a ROM; `None` when it does not begin as a ROM does.
pub(super) fn images(rom: &[u8]) -> Option<Vec<Image>> {
    let word = |at: usize| Some(u16::from_le_bytes([*rom.get(at)?, *rom.get(at + 1)?]));
    let mut images = Vec::new();
    let mut start = 0;
    while images.len() < IMAGES_MAX {
        if word(start) != Some(0xaa55) {
            break;
        }
        let Some(data) = word(start + 0x18).map(|offset| start + usize::from(offset)) else { break };
        if rom.get(data..data + 4) != Some(b"PCIR") {
            break;
        }
        let (Some(length), Some(code), Some(indicator)) =
            (word(data + 0x10), rom.get(data + 0x14), rom.get(data + 0x15))
        else {
            break;
        };
        images.push(match code {
            0 => Image::Bios,
            1 => Image::OpenFirmware,
            3 => Image::Efi,
            other => Image::Other(*other),
        });
        if indicator & 0x80 != 0 || length == 0 {
            break;
        }
        start += usize::from(length) * 512;
    }
    (!images.is_empty()).then_some(images)
}

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    // The processor's GPU has its ROM in the BIOS, a 3D controller needs none.
    if gpu.address.pci().is_none() || integrated(gpu) || gpu.class != "0300" || !case.may_be(GpuMode::Whole) {
        return;
    }
    if shadowed(case, gpu, findings) {
        return;
    }
    let path = format!("{}/rom", gpu.path());
    let rom = case.sysfs.read(&path).ok().filter(|bytes| !bytes.is_empty());
    let has_rom = gpu.bars.iter().any(|bar| bar.kind == BarKind::Rom);
    let Some(rom) = rom else {
        if has_rom && case.options.guest.is_some() {
            findings.push(
                note("rom-unread", &gpu.address)
                    .saw(&path, "cannot be read until it is switched on")
                    .because("whether the card starts under UEFI is not known: cards from before about 2013 may not")
                    .fix(format!("echo 1 > {path} && oriel gpu doctor {}; echo 0 > {path}", gpu.address))
                    .see(ROM_ABI),
            );
        }
        return;
    };
    let hex = |bytes: &[u8]| bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    match images(&rom) {
        None => findings.push(
            warning("rom-broken", &gpu.address)
                .saw(&path, hex(&rom))
                .because("what the card shows as its ROM does not begin with 55 aa: a desktop's firmware cannot start the card, and its screen stays black until the driver is loaded, if it loads")
                .fix(romfile(gpu))
                .see(ROM_ABI),
        ),
        Some(found) if !found.contains(&Image::Efi) => findings.push(
            warning_if(case.options.mode.is_none_or(|mode| mode == GpuMode::Whole), "rom-without-uefi", &gpu.address)
                .saw(&path, format!("{} image{}, none for UEFI (code type 3): {found:?}", found.len(), if found.len() == 1 { "" } else { "s" }))
                .because("the card's ROM has no UEFI part (GOP): in a desktop with UEFI, which Windows 11 insists on, the card shows nothing until the system's driver is loaded")
                .fix(format!("# look for a VBIOS with UEFI GOP from the card's maker, and put it where Oriel finds it when a desktop starts:\n#   {}\n# or make the pool's image one that starts by BIOS: the card is then the desktop's VGA", rom_file(gpu)))
                .see("https://wiki.archlinux.org/title/PCI_passthrough_via_OVMF#UEFI_(OVMF)_compatibility_in_VBIOS"),
        ),
        Some(_) => {}
    }
}

/// The BIOS ran from the copy and changed it: it is no ROM any more.
fn shadowed(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) -> bool {
    let Some(address) = gpu.address.pci().filter(|_| gpu.boot_vga) else { return false };
    let ranges = super::window::ranges(case, &address.to_string());
    let Some(rom) = ranges.iter().find(|range| range.index == 6) else { return false };
    if rom.start != 0xc_0000 && rom.flags & SHADOW == 0 {
        return false;
    }
    findings.push(
        warning_if(!case.console_beside_others(gpu), "rom-shadowed", &gpu.address)
            .saw(format!("{}/resource", gpu.path()), format!("0x{:016x} 0x{:016x} 0x{:016x}", rom.start, rom.end, rom.flags))
            .saw(format!("{}/boot_vga", gpu.path()), "1")
            .because("the host started with this card, and what it shows as the card's ROM is the copy that the BIOS worked with and changed: a desktop that starts from it stays black")
            .fix(romfile(gpu))
            .see(ROM_ABI),
    );
    true
}

/// Oriel makes a desktop's machine anew at each start, with the ROM that lies in its data folder by the card's address.
fn rom_file(gpu: &Gpu) -> String {
    format!("/var/lib/oriel/roms/{}.rom", gpu.address)
}

fn romfile(gpu: &Gpu) -> String {
    format!(
        "# start the host once with another card as the primary one, and save this card's ROM as it is, where Oriel finds it when a desktop starts:\nmkdir -p /var/lib/oriel/roms   # below the data folder, if yours is another\ncd {path} && echo 1 > rom && cat rom > {file}; echo 0 > rom",
        path = gpu.path(),
        file = rom_file(gpu)
    )
}
