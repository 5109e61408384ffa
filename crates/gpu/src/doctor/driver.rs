//! Who holds the card: a driver, the boot's framebuffer, the host's console.

use super::{
    bios::{Setting, words},
    case::{Case, console_chip, held_by_vfio, integrated},
    draft::{error, note, warning_if},
    nvidia,
    window::Range,
};
use crate::inventory::Gpu;
use oriel_model::{Finding, GpuAddress, GpuMode};

const SYSFB: &str = "https://docs.kernel.org/fb/efifb.html";

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if gpu.address.pci().is_none() {
        return;
    }
    silent(case, gpu, findings);
    overridden(gpu, findings);
    grabbed(case, gpu, findings);
    lanes(case, gpu, findings);
    framebuffer(case, gpu, findings);
    boot_vga(case, gpu, findings);
}

/// `vfio-pci.ids=` takes every card of a model, the host's too.
fn grabbed(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let id = format!("{}:{}", gpu.vendor_id, gpu.device_id);
    let twins: Vec<String> = case
        .inventory
        .gpus
        .iter()
        .filter(|other| other.vendor_id == gpu.vendor_id && other.device_id == gpu.device_id)
        .map(|other| other.address.to_string())
        .collect();
    // Once: at the first of them.
    if twins.len() < 2 || twins.first() != Some(&gpu.address.to_string()) {
        return;
    }
    let mut places = vec![("/proc/cmdline".to_owned(), case.host.command_line.clone())];
    for name in case.sysfs.list("/etc/modprobe.d").unwrap_or_default() {
        let path = format!("/etc/modprobe.d/{name}");
        places.push((path.clone(), case.sysfs.text(&path).unwrap_or_default()));
    }
    let asks = |word: &str| {
        word.strip_prefix("vfio-pci.ids=")
            .or_else(|| word.strip_prefix("vfio_pci.ids="))
            .or_else(|| word.strip_prefix("ids="))
            .is_some_and(|ids| ids.to_ascii_lowercase().split(',').any(|one| one.starts_with(&id)))
    };
    let Some((path, line)) = places.iter().find_map(|(path, text)| {
        let line = text.lines().find(|line| line.split_whitespace().any(asks))?;
        Some((path, line))
    }) else {
        return;
    };
    findings.push(
        warning_if(true, "vfio-ids-of-several", &gpu.address)
            .saw(path, line)
            .because(format!(
                "vfio-pci is told to take every card {id}, and there are {}: {}; one that the host should keep is taken from it too",
                twins.len(),
                super::case::enumerate(&twins)
            ))
            .fix(format!(
                "# take `{id}` off that line; Oriel binds each card by its address (driver_override) and does so again at each start:\noriel gpu mode set {} whole",
                gpu.address
            ))
            .see("https://docs.kernel.org/driver-api/vfio.html"),
    );
}

/// A card in a slot with a quarter of its lanes, or badly seated.
fn lanes(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let read =
        |name: &str| case.sysfs.number(&format!("{}/{name}", gpu.path())).filter(|lanes| (1..=32).contains(lanes));
    let (Some(now), Some(most)) = (read("current_link_width"), read("max_link_width")) else { return };
    if now * 4 > most {
        return;
    }
    findings.push(
        note("pcie-width", &gpu.address)
            .saw(format!("{}/current_link_width", gpu.path()), now.to_string())
            .saw(format!("{}/max_link_width", gpu.path()), most.to_string())
            .because(format!("the card has {most} lanes and {now} of them are connected: pictures, video and textures go through a needle's eye"))
            .fix("# the first x16 slot has all lanes; reseat the card and its riser; some slots lose lanes to an M.2 beside them (see the board's manual)")
            .see("https://docs.kernel.org/PCI/index.html"),
    );
}

/// A card that has fallen off the bus reads as all ones.
fn silent(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let path = format!("{}/config", gpu.path());
    let dead = case.sysfs.read(&path).is_ok_and(|bytes| bytes.get(..4) == Some(&[0xff; 4]));
    let mut lines: Vec<&str> = Vec::new();
    if let GpuAddress::Pci(address) = gpu.address {
        let address = address.to_string();
        for words in [
            "fallen off the bus",
            "Unable to change power state",
            "not ready",
            "invalid PCI ROM header signature: expecting 0xaa55, got 0xffff",
        ] {
            lines.extend(case.logged(&[address.as_str(), words], 2));
        }
    }
    if !dead && lines.is_empty() {
        return;
    }
    let mut draft =
        if dead { error("card-silent", &gpu.address) } else { warning_if(true, "card-silent", &gpu.address) };
    if dead {
        draft = draft.saw(path, "ff ff ff ff");
    }
    findings.push(
        draft
            .saw_all(lines.iter().map(|line| ("dmesg".to_owned(), (*line).to_owned())))
            .because(if dead {
                "the card does not answer: all that is read of it are ones. It hung, was not reset after a desktop, or lost power"
            } else {
                "the card stopped answering at some time since the host started: desktops that held it crashed, and may again"
            })
            .fix("# shut the host down and take the power off for ten seconds (a restart may not do); if it comes back: the power plugs and riser of the card, its cooling, \"ASPM\" off in the BIOS")
            .see("https://docs.kernel.org/PCI/pci-error-recovery.html"),
    );
}

/// Somebody's override keeps every driver away.
fn overridden(gpu: &Gpu, findings: &mut Vec<Finding>) {
    let Some(only) = gpu.driver_override.as_deref().filter(|only| !only.is_empty() && *only != "(null)") else {
        return;
    };
    if gpu.driver.is_some() {
        return;
    }
    findings.push(
        warning_if(!only.contains("vfio"), "override-without-driver", &gpu.address)
            .saw(format!("{}/driver_override", gpu.path()), only)
            .because(format!("only the driver `{only}` may take this card, and it did not: nobody holds the card"))
            .fix(format!("modprobe {only} && echo {address} > /sys/bus/pci/drivers_probe\n# or let any driver take it:\necho > {path}/driver_override && echo {address} > /sys/bus/pci/drivers_probe", address = gpu.address, path = gpu.path()))
            .see("https://docs.kernel.org/admin-guide/abi-testing.html"),
    );
}

/// Names in /proc/iomem and /proc/fb of what draws before a driver is loaded.
const EARLY: [&str; 7] = ["efifb", "vesafb", "simplefb", "simple-framebuffer", "simpledrm", "BOOTFB", "bootfb"];

fn framebuffer(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if !case.may_be(GpuMode::Whole) {
        return;
    }
    let Some(GpuAddress::Pci(address)) = Some(&gpu.address) else { return };
    let bars: Vec<Range> = super::window::ranges(case, &address.to_string());
    let map = case.sysfs.text("/proc/iomem").unwrap_or_default();
    let held = map.lines().find(|line| {
        let Some((range, name)) = line.split_once(" : ") else { return false };
        let Some((start, end)) = range.trim().split_once('-') else { return false };
        let (Ok(start), Ok(end)) = (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16)) else { return false };
        // Without privilege all addresses read as zero.
        end > 0
            && EARLY.iter().any(|early| name.trim().starts_with(early))
            && bars.iter().any(|bar| !bar.unset && bar.start <= end && start <= bar.end)
    });
    // The driver of the card itself takes the screen over as it comes.
    let evidence = match held {
        Some(line) => ("/proc/iomem".to_owned(), line.trim().to_owned()),
        None => {
            let list = case.sysfs.text("/proc/fb").unwrap_or_default();
            let early = list
                .lines()
                .find(|line| ["EFI VGA", "VESA VGA", "simple", "simpledrm"].iter().any(|name| line.contains(name)));
            let hidden = !map
                .lines()
                .any(|line| line.contains(&address.to_string()) && !line.trim().starts_with("00000000-00000000"));
            match early {
                Some(line) if gpu.boot_vga && hidden => ("/proc/fb".to_owned(), line.to_owned()),
                _ => return,
            }
        }
    };
    let name = evidence.1.rsplit(" : ").next().unwrap_or_default().to_owned();
    let taken = held_by_vfio(gpu.driver.as_deref());
    let leaves_by_itself = case.kernel().is_some_and(|kernel| kernel >= (6, 0)) && !taken;
    let mut draft = if taken {
        error("framebuffer-holds-bar", &gpu.address)
    } else {
        warning_if(!leaves_by_itself, "framebuffer-holds-bar", &gpu.address)
    };
    draft = draft.saw(evidence.0, evidence.1);
    findings.push(
        draft
            .because(if leaves_by_itself {
                format!("the picture of the boot ({name}) still lies in the card's memory; since Linux 6.0 vfio-pci sends it away when it takes the card, and the host's screen goes dark at that moment")
            } else {
                format!("the picture of the boot ({name}) lies in the card's memory and holds it: a desktop with the card starts without its BAR (\"Failed to mmap\", \"can't reserve\") and shows nothing")
            })
            .fix(if leaves_by_itself {
                format!("# nothing, or keep it away from the start:\n{}", case.system.boot_with("initcall_blacklist=sysfb_init"))
            } else if case.kernel_before(5, 15) {
                case.system.boot_with("video=efifb:off video=vesafb:off")
            } else {
                case.system.boot_with("initcall_blacklist=sysfb_init")
            })
            .see(SYSFB),
    );
}

fn boot_vga(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    if !gpu.boot_vga || case.asked_for(GpuMode::Shared) || case.asked_for(GpuMode::Host) {
        return;
    }
    let others =
        case.inventory.gpus.iter().filter(|other| other.address != gpu.address && other.class == "0300").count();
    let console = case
        .inventory
        .gpus
        .iter()
        .find(|other| other.address != gpu.address && (console_chip(other) || integrated(other)));
    let nvidia_vgpu = nvidia::vgpu_card(gpu) && !nvidia::may_be_primary(gpu);
    // The console on the processor's GPU, with cards beside it, is as it should be.
    if integrated(gpu) && others > 0 {
        return;
    }
    let path = format!("{}/boot_vga", gpu.path());
    let because = if nvidia_vgpu {
        "the host's console is on this card: NVIDIA supports neither vGPU nor handing it out while it is the primary display".to_owned()
    } else if others == 0 && console.is_none() {
        "this is the host's only screen: once a desktop has the card whole, the host has none, and is managed over the network alone".to_owned()
    } else if case.console_beside_others(gpu) {
        "the host's console is on this card: that is well if the other cards are for desktops, and if this one is, the console goes dark".to_owned()
    } else {
        "the host's console is on this card: handing it out darkens the console".to_owned()
    };

    let fix = if others == 0 && console.is_none() {
        "# make sure that ssh works, then go on; or put a cheap second card in for the console".to_owned()
    } else if console.is_some() {
        words(case, Setting::PrimaryDisplay)
    } else {
        "# to move the console to another card: choose its slot in the BIOS (\"Primary Display\", \"Init Display First\": PCIe slot), or swap the cards: most boards begin with the first slot".to_owned()
    };
    let alone = others == 0 && console.is_none();
    let draft = if (alone || case.console_beside_others(gpu)) && !nvidia_vgpu {
        note("boot-vga", &gpu.address)
    } else {
        warning_if(true, "boot-vga", &gpu.address)
    };
    findings.push(draft.saw(path, "1").because(because).fix(fix).see(if nvidia_vgpu {
        "https://docs.nvidia.com/vgpu/latest/grid-vgpu-user-guide/"
    } else {
        "https://docs.kernel.org/gpu/vgaarbiter.html"
    }));
}
