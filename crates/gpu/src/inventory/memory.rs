//! Video memory of a GPU, from whoever knows it.

use super::{Bar, catalogue, names, reader::Reader, reader::Seen};

/// Video memory in MiB as people say it (48 GiB for an L40S, of which a driver may keep some for itself). In this order: tables of
/// known boards, the driver (amdgpu's `mem_info_vram_total`, xe's `tileN/physical_vram_size_bytes`, `nvidia-smi -q`), and last
/// the largest size of a resizable BAR, which is the memory rounded up to a power of two. `None` where nothing tells, and for
/// graphics that borrow the host's memory.
pub(super) fn read(reader: &Reader, gpu: &Seen, bars: &[Bar]) -> Option<u64> {
    gpu.address?;
    let table = || {
        let card =
            catalogue::card(&gpu.vendor_id, &gpu.device_id, &gpu.subsystem_device_id).map(|card| card.memory_mib);
        card.or_else(|| catalogue::memory_mib(&gpu.vendor_id, &gpu.device_id))
    };
    table()
        .or_else(|| named(names::short(&gpu.title)))
        .or_else(|| from_driver(reader, gpu))
        .or_else(|| bars.iter().filter_map(|bar| bar.resizable.as_ref()?.sizes_mib.last().copied()).max())
        .filter(|size| *size > 0)
}

/// A name that says it: `GeForce GTX 1060 3GB`, `Tesla V100 PCIe 32GB`.
fn named(name: &str) -> Option<u64> {
    let mut last = "";
    for word in name.split([' ', '/', ']', '[']) {
        let gigabytes = match word.strip_suffix("GB") {
            Some("") => last,
            Some(number) => number,
            None => "",
        };
        if let Ok(size) = gigabytes.parse::<u64>() {
            return size.checked_mul(1024);
        }
        last = word;
    }
    None
}

fn from_driver(reader: &Reader, gpu: &Seen) -> Option<u64> {
    let bytes = |name: &str| reader.sysfs.number(&format!("{}/{name}", gpu.path));
    match gpu.driver.as_deref()? {
        "amdgpu" => bytes("mem_info_vram_total").map(|size| size >> 20),
        "xe" => {
            let tiles = (0..TILES_MAX).map_while(|tile| bytes(&format!("tile{tile}/physical_vram_size_bytes")));
            Some(tiles.sum::<u64>() >> 20)
        }
        "nvidia" => reader.ask_smi(gpu)?.memory_mib,
        _ => None,
    }
    .filter(|size| *size > 0)
}

/// Most tiles of one Intel GPU.
const TILES_MAX: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_say_the_memory() {
        for (name, size) in [
            ("GeForce GTX 1060 3GB", Some(3072)),
            ("Tesla V100 PCIe 32GB", Some(32_768)),
            ("A100 SXM4 80 GB", Some(81_920)),
            ("Radeon RX 470/480/570/580", None),
            ("GB", None),
            ("x 99999999999999999999GB", None),
        ] {
            assert_eq!(named(name), size, "{name}");
        }
    }
}
