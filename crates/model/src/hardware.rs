//! What a pool wishes of its desktops' machines beyond their size.

use crate::{GpuRequest, GpuWish};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The default is right for nearly everybody: what a GPU needs follows from the GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hardware {
    pub firmware: Firmware,
    /// An emulated TPM 2.0, as Windows 11 wants it.
    pub tpm: bool,
    /// Hides from the guest that it is a guest: NVIDIA drivers before 465 refuse to work in one.
    pub hide_hypervisor: bool,
    pub console: Console,
    pub igd: Igd,
    /// Vulkan beside OpenGL for a seat at a shared GPU (venus); only where the host can: Linux 6.13, virglrenderer 1.0.
    pub vulkan: bool,
    /// Size of the host's huge pages to take memory from, in MiB: one of [`Hardware::HUGEPAGES_MIB`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hugepages_mib: Option<u64>,
    /// Keeps all of QEMU's memory in RAM. What a passed-through GPU reaches is pinned without this.
    pub lock_memory: bool,
    /// Runs on the processors and the memory beside the card, where the host has several nodes.
    pub numa: Numa,
}

/// What the machine starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Firmware {
    /// UEFI with a passed-through GPU, with a TPM and on aarch64; BIOS otherwise, and where the disk is known to start by BIOS
    /// only.
    #[default]
    Auto,
    /// `SeaBIOS`; x86 only.
    Bios,
    Uefi,
    /// UEFI that starts only what Microsoft's keys have signed; unsigned kernel modules do not load then.
    SecureUefi,
}

/// The emulated display beside a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Console {
    /// It stays: people see the machine start, and get in when the GPU's driver does not work.
    #[default]
    Beside,
    /// The GPU is the only display, for guests and licences that cannot bear a second one.
    Without,
}

/// How an integrated Intel GPU is given away whole (GVT-d).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Igd {
    /// As a second display: the guest's driver does everything ("universal pass-through").
    #[default]
    Universal,
    /// As the only display, in the place and with the ROM that its BIOS expects: monitors on the host's sockets show the
    /// guest. Needs the i440FX board and `SeaBIOS`.
    Legacy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numa {
    #[default]
    BesideCard,
    Anywhere,
}

impl Firmware {
    pub const ALL: [Self; 4] = [Self::Auto, Self::Bios, Self::Uefi, Self::SecureUefi];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Bios => "bios",
            Self::Uefi => "uefi",
            Self::SecureUefi => "secure_uefi",
        }
    }
}

impl Console {
    pub const ALL: [Self; 2] = [Self::Beside, Self::Without];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Beside => "beside",
            Self::Without => "without",
        }
    }
}

impl Igd {
    pub const ALL: [Self; 2] = [Self::Universal, Self::Legacy];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Universal => "universal",
            Self::Legacy => "legacy",
        }
    }
}

impl Numa {
    pub const ALL: [Self; 2] = [Self::BesideCard, Self::Anywhere];

    pub const fn word(self) -> &'static str {
        match self {
            Self::BesideCard => "beside_card",
            Self::Anywhere => "anywhere",
        }
    }
}

impl Hardware {
    /// Huge pages that Linux makes on x86 (2, 1024) and on arm64 with pages of 4, 16 and 64 KiB (Documentation/arch/arm64/hugetlbpage.rst).
    pub const HUGEPAGES_MIB: [u64; 5] = [2, 32, 512, 1024, 16384];

    /// What Windows 11 asks for: UEFI with Secure Boot and a TPM 2.0.
    pub fn windows_11() -> Self {
        Self { firmware: Firmware::SecureUefi, tpm: true, ..Self::default() }
    }

    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Wishes that contradict each other, the memory's size or what the pool asks of a GPU. The error is a sentence.
    pub fn check(&self, memory_mib: u64, gpu: Option<&GpuRequest>) -> Result<(), String> {
        let wrong = |text: &str| Err(text.to_owned());
        if self.firmware == Firmware::Bios && self.tpm {
            return wrong("a TPM goes with UEFI: leave firmware on auto, or the TPM out");
        }
        if self.igd == Igd::Legacy && (self.tpm || matches!(self.firmware, Firmware::Uefi | Firmware::SecureUefi)) {
            return wrong(
                "an integrated GPU as the only display (igd legacy) starts by BIOS: leave tpm out and firmware on auto, or choose igd universal",
            );
        }
        if let Some(size) = self.hugepages_mib {
            if !Self::HUGEPAGES_MIB.contains(&size) {
                let sizes: Vec<String> = Self::HUGEPAGES_MIB.iter().map(u64::to_string).collect();
                return Err(format!(
                    "the host has no huge pages of {size} MiB; their sizes are {} MiB",
                    sizes.join(", ")
                ));
            }
            if !memory_mib.is_multiple_of(size) {
                return Err(format!(
                    "{memory_mib} MiB of memory are no multiple of huge pages of {size} MiB: change one of them"
                ));
            }
        }
        let mode = gpu.map(|gpu| gpu.mode);
        if self.vulkan && !matches!(mode, Some(GpuWish::Auto | GpuWish::Shared)) {
            return wrong("vulkan is carried to a shared GPU: ask for gpu mode shared or auto, or leave it out");
        }
        if self.igd == Igd::Legacy && !matches!(mode, Some(GpuWish::Auto | GpuWish::Whole)) {
            return wrong("igd legacy is about an integrated GPU that is given whole: ask for gpu mode whole or auto");
        }
        if self.console == Console::Without && !mode.is_some_and(|mode| mode != GpuWish::Shared) {
            return wrong(
                "without its console a desktop needs a GPU of its own as display: ask for one, or keep the console",
            );
        }
        Ok(())
    }
}

/// As it is written on a command line: `firmware=secure_uefi,tpm`; `default` for none.
impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = Self::default();
        let mut parts = Vec::new();
        if self.firmware != usual.firmware {
            parts.push(format!("firmware={}", self.firmware.word()));
        }
        if self.tpm {
            parts.push("tpm".to_owned());
        }
        if self.hide_hypervisor {
            parts.push("hide_hypervisor".to_owned());
        }
        if self.console != usual.console {
            parts.push(format!("console={}", self.console.word()));
        }
        if self.igd != usual.igd {
            parts.push(format!("igd={}", self.igd.word()));
        }
        if self.vulkan {
            parts.push("vulkan".to_owned());
        }
        if let Some(size) = self.hugepages_mib {
            parts.push(format!("hugepages_mib={size}"));
        }
        if self.lock_memory {
            parts.push("lock_memory".to_owned());
        }
        if self.numa != usual.numa {
            parts.push(format!("numa={}", self.numa.word()));
        }
        if parts.is_empty() { f.write_str("default") } else { f.write_str(&parts.join(",")) }
    }
}

impl FromStr for Hardware {
    type Err = String;

    /// [`Hardware::check`] is the reader's to call: it needs to know the pool.
    fn from_str(text: &str) -> Result<Self, String> {
        fn one<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str, value: &str, part: &str) -> Result<T, String> {
            let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
            let found = all.iter().copied().find(|one| word(*one) == value);
            found.ok_or_else(|| format!("{value:?} in {part:?} is none of {}", words.join(", ")))
        }
        let mut hardware = Self::default();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                None => match part {
                    "default" => {}
                    "windows_11" => {
                        hardware.firmware = Firmware::SecureUefi;
                        hardware.tpm = true;
                    }
                    "tpm" => hardware.tpm = true,
                    "hide_hypervisor" => hardware.hide_hypervisor = true,
                    "vulkan" => hardware.vulkan = true,
                    "lock_memory" => hardware.lock_memory = true,
                    _ => return Err(unknown(part)),
                },
                Some(("firmware", value)) => hardware.firmware = one(&Firmware::ALL, Firmware::word, value, part)?,
                Some(("console", value)) => hardware.console = one(&Console::ALL, Console::word, value, part)?,
                Some(("igd", value)) => hardware.igd = one(&Igd::ALL, Igd::word, value, part)?,
                Some(("numa", value)) => hardware.numa = one(&Numa::ALL, Numa::word, value, part)?,
                Some(("hugepages_mib", value)) => {
                    let size = value.parse().map_err(|_| format!("{value:?} in {part:?} is no number"))?;
                    hardware.hugepages_mib = Some(size);
                }
                Some((key, _)) => return Err(unknown(key)),
            }
        }
        Ok(hardware)
    }
}

fn unknown(word: &str) -> String {
    format!(
        "{:?} is no wish for a machine; write some of firmware=auto|bios|uefi|secure_uefi, tpm, hide_hypervisor, \
         console=beside|without, igd=universal|legacy, vulkan, hugepages_mib=SIZE, lock_memory, numa=beside_card|anywhere, \
         or windows_11 for Secure Boot with a TPM, or default for none",
        word.chars().take(40).collect::<String>()
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_as_they_are_written() {
        for text in [
            "default",
            "firmware=secure_uefi,tpm",
            "firmware=bios,console=without,igd=legacy",
            "hide_hypervisor,vulkan,hugepages_mib=1024,lock_memory,numa=anywhere",
        ] {
            assert_eq!(text.parse::<Hardware>().unwrap().to_string(), text);
        }
        assert_eq!("windows_11".parse(), Ok(Hardware::windows_11()));
        for wrong in ["", "tpm=2", "speed", "firmware=open", "hugepages_mib=x"] {
            assert!(wrong.parse::<Hardware>().is_err(), "{wrong}");
        }
        // What was stored before a field was there is read.
        assert_eq!(serde_json::from_str::<Hardware>(r#"{"tpm":true}"#).unwrap(), "tpm".parse().unwrap());
        assert!(serde_json::from_str::<Hardware>(r#"{"speed":11}"#).is_err());
    }

    #[test]
    fn contradictions_are_told() {
        let check = |hardware: &str, gpu: Option<&str>| {
            let gpu = gpu.map(|gpu| gpu.parse::<GpuRequest>().unwrap());
            hardware.parse::<Hardware>().unwrap().check(3000, gpu.as_ref())
        };
        for (hardware, gpu) in [
            ("default", None),
            ("windows_11,hide_hypervisor", None),
            ("hugepages_mib=2", None),
            ("vulkan", Some("shared")),
            ("igd=legacy,firmware=bios", Some("whole,vendor=intel")),
            ("console=without", Some("vgpu,profile=M60-2Q")),
        ] {
            assert_eq!(check(hardware, gpu), Ok(()), "{hardware} {gpu:?}");
        }
        for (hardware, gpu, word) in [
            ("firmware=bios,tpm", None, "UEFI"),
            ("igd=legacy,tpm", Some("whole"), "BIOS"),
            ("igd=legacy", Some("shared"), "whole"),
            ("hugepages_mib=1024", None, "multiple"),
            ("hugepages_mib=3", None, "1024"),
            ("vulkan", None, "shared"),
            ("vulkan", Some("whole"), "shared"),
            ("console=without", None, "GPU of its own"),
            ("console=without", Some("shared"), "GPU of its own"),
        ] {
            let error = check(hardware, gpu).unwrap_err();
            assert!(error.contains(word), "{hardware} {gpu:?}: {error}");
        }
    }
}
