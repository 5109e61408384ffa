//! What vGPU type names say, and where virtual functions lie.

use oriel_model::PciAddress;

/// The part of a name that says size and series: `2Q` of `GRID M60-2Q`, `RTX Pro 6000 Blackwell DC-1-24Q`.
fn tail(name: &str) -> Option<(u64, char)> {
    let last = name.trim().rsplit('-').next()?;
    let last = ["MEALL", "NOME", "ME", "GFX"].iter().find_map(|end| last.strip_suffix(end)).unwrap_or(last);
    // `2B4`: an older form of `2B`.
    let last = last.strip_suffix("B4").map_or_else(|| last.to_owned(), |size| format!("{size}B"));
    let series = last.chars().last().filter(|series| "ABCQ".contains(*series))?;
    let size = last.get(..last.len() - 1)?.parse().ok()?;
    Some((size, series))
}

/// Framebuffer in MiB as NVIDIA's names say it; 0 stands for 512.
pub(crate) fn framebuffer_of_name(name: &str) -> Option<u64> {
    tail(name).map(|(gib, _)| if gib == 0 { 512 } else { gib * 1024 })
}

/// Slices of compute and GiB of framebuffer of a MIG-backed type, and whether it draws: `H100-1-10C`.
pub(crate) fn mig_name(name: &str) -> Option<(u64, u64, bool)> {
    let (gib, series) = tail(name)?;
    let mut parts = name.trim().rsplit('-');
    parts.next();
    let slices = parts.next().filter(|part| part.len() == 1).and_then(|part| part.parse().ok())?;
    // At least a card's name must be left in front.
    parts.next()?;
    (1..=9).contains(&slices).then_some((slices, gib, series != 'C'))
}

pub(crate) fn is_mig_name(name: &str) -> bool {
    mig_name(name).is_some()
}

/// The address of a virtual function (PCI Express SR-IOV, 2.1.2): First VF Offset and VF Stride count routing ids.
pub(crate) fn function_address(physical: PciAddress, offset: u64, stride: u64, index: u64) -> PciAddress {
    let own = u64::from(physical.bus) << 8 | u64::from(physical.device) << 3 | u64::from(physical.function);
    let id = own.saturating_add(offset).saturating_add(stride.saturating_mul(index));
    PciAddress {
        domain: physical.domain,
        bus: (id >> 8 & 0xff) as u8,
        device: (id >> 3 & 0x1f) as u8,
        function: (id & 7) as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_sizes() {
        for (name, mib) in [("GRID M60-2Q", 2048), ("M60-0B", 512), ("NVIDIA A40-48C", 49_152), ("GRID M10-2B4", 2048)]
        {
            assert_eq!(framebuffer_of_name(name), Some(mib), "{name}");
        }
        assert_eq!(mig_name("NVIDIA H100-1-10CME"), Some((1, 10, false)));
        assert_eq!(mig_name("RTX Pro 6000 Blackwell DC-1-24Q"), Some((1, 24, true)));
        assert_eq!(mig_name("RTXA6000-2Q"), None);
        assert_eq!(mig_name("NVIDIA RTX Pro 6000 Blackwell DC-24Q"), None);
    }

    #[test]
    fn functions_lie_behind_their_physical_one() {
        let physical = PciAddress { domain: 0, bus: 0x41, device: 0, function: 0 };
        assert_eq!(function_address(physical, 4, 1, 0).to_string(), "0000:41:00.4");
        assert_eq!(function_address(physical, 128, 2, 3).to_string(), "0000:41:10.6");
        assert_eq!(function_address(physical, 256, 1, 1).to_string(), "0000:42:00.1");
    }
}
