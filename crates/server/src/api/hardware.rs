//! What a pool's machines are made of beyond their size.

use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// What a machine starts with.
    Firmware = model::Firmware {
        /// UEFI with a passed-through GPU, with a TPM and on arm64; BIOS otherwise.
        Auto,
        /// x86 only.
        Bios,
        Uefi,
        /// Secure Boot: starts only what Microsoft's keys have signed.
        SecureUefi,
    }
}

mirror! {
    /// The emulated display beside a GPU.
    Console = model::Console {
        /// It stays: people see the machine start.
        Beside,
        /// The GPU is the only display.
        Without,
    }
}

mirror! {
    /// How an integrated Intel GPU is given whole (GVT-d).
    Igd = model::Igd {
        /// As a second display.
        Universal,
        /// As the only display, with its BIOS: monitors on the host's sockets show the desktop.
        Legacy,
    }
}

mirror! {
    /// Which processors and memory of a host with several nodes.
    Numa = model::Numa {
        /// Those beside the GPU.
        BesideCard,
        Anywhere,
    }
}

/// What a machine is made of beyond its size. What is left out is as usual, which is right for nearly everybody; it holds from
/// each desktop's next start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    #[serde(default = "usual_firmware")]
    pub firmware: Firmware,
    /// An emulated TPM 2.0; Windows 11 wants it with `secure_uefi`.
    #[serde(default)]
    pub tpm: bool,
    /// Hides that the machine is virtual: NVIDIA drivers for GeForce before 465 refuse to work otherwise.
    #[serde(default)]
    pub hide_hypervisor: bool,
    #[serde(default = "usual_console")]
    pub console: Console,
    #[serde(default = "usual_igd")]
    pub igd: Igd,
    /// Vulkan through a shared GPU (venus), where the host can: Linux 6.13 and virglrenderer 1.0.
    #[serde(default)]
    pub vulkan: bool,
    /// Takes memory from the host's huge pages of this size: 2 or 1024 on x86.
    #[serde(default)]
    pub hugepages_mib: Option<u64>,
    /// Keeps all of QEMU's memory in RAM.
    #[serde(default)]
    pub lock_memory: bool,
    #[serde(default = "usual_numa")]
    pub numa: Numa,
}

const fn usual_firmware() -> Firmware {
    Firmware::Auto
}
const fn usual_console() -> Console {
    Console::Beside
}
const fn usual_igd() -> Igd {
    Igd::Universal
}
const fn usual_numa() -> Numa {
    Numa::BesideCard
}

impl From<model::Hardware> for Hardware {
    fn from(hardware: model::Hardware) -> Self {
        let model::Hardware { firmware, tpm, hide_hypervisor, console, igd, vulkan, hugepages_mib, lock_memory, numa } =
            hardware;
        Self {
            firmware: firmware.into(),
            tpm,
            hide_hypervisor,
            console: console.into(),
            igd: igd.into(),
            vulkan,
            hugepages_mib,
            lock_memory,
            numa: numa.into(),
        }
    }
}

impl From<Hardware> for model::Hardware {
    fn from(hardware: Hardware) -> Self {
        let Hardware { firmware, tpm, hide_hypervisor, console, igd, vulkan, hugepages_mib, lock_memory, numa } =
            hardware;
        Self {
            firmware: firmware.into(),
            tpm,
            hide_hypervisor,
            console: console.into(),
            igd: igd.into(),
            vulkan,
            hugepages_mib,
            lock_memory,
            numa: numa.into(),
        }
    }
}
