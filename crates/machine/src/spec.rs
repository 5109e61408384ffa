//! What a machine is to be, independent of where its files lie.

use crate::{Hardware, Surroundings};
use oriel_model::{AcceleratorKind, CloudRoot, DesktopId, GpuHold, ImageOs, Name, Network, PersonalDiskId, PoolId};
use std::path::PathBuf;

/// One generation of one desktop, as its host is to run it.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineSpec {
    pub desktop: DesktopId,
    /// Counts every provisioning; resources of another generation are leftovers.
    pub generation: u32,
    /// The guest's host name.
    pub name: Name,
    /// For people who look with virt-manager; any text.
    pub title: String,
    pub os: ImageOs,
    pub arch: Arch,
    pub boot: Boot,
    pub vcpus: u32,
    pub memory_mib: u64,
    /// The disk is grown to this size; an image that is larger stays as large as it is.
    pub disk_gib: u64,
    pub accelerator: AcceleratorKind,
    pub network: Network,
    /// First of the host's loopback ports that lead to the guest (`+0` RDP, `+1` SSH), for [`Network::User`].
    pub port_base: Option<u16>,
    pub keyboard: crate::Keyboard,
    /// What it holds of the host's GPUs, in the order in which the guest sees them.
    pub gpus: Vec<GpuHold>,
    pub hardware: Hardware,
    /// What a cloud makes it of; none on a host of our own.
    pub cloud: Option<CloudParts>,
    /// Its guest takes a personal disk for its person's home.
    pub home: Option<HomeDisk>,
}

/// The home of a machine's person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HomeDisk {
    /// The disk that it is to start with; none while it is nobody's.
    pub disk: Option<PersonalDiskId>,
}

/// What a cloud makes a machine of, in the cloud's own words: it has its own images, sizes and networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudParts {
    /// The id of an image that the cloud has.
    pub image: String,
    /// A flavor's id or name: processors, memory, disk and GPU.
    pub flavor: String,
    /// A network's id or name; `auto` for what the project has, `none` for no network card.
    pub network: String,
    /// Whose desktops stand apart from one another, where there is room.
    pub pool: PoolId,
    /// The external network, by its id or name, from which it has an address of its own; none: it is reached at its card's.
    pub floating: Option<String>,
    pub root: CloudRoot,
}

impl CloudParts {
    /// Whatever network the project has.
    pub const ANY_NETWORK: &str = "auto";
    pub const NO_NETWORK: &str = "none";
}

impl MachineSpec {
    /// Loopback ports that one desktop takes.
    pub const PORTS: u16 = 2;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    X86_64,
    /// QEMU's `virt` board, started by UEFI.
    Aarch64,
}

impl Arch {
    /// Of the computer that this runs on. Its desktops are of the same kind: only that runs under KVM.
    pub fn here() -> Self {
        // Elsewhere QEMU emulates what most images are made for.
        Self::named(std::env::consts::ARCH).unwrap_or(Self::X86_64)
    }

    /// By the kernel's word, or Debian's.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "x86_64" | "amd64" => Some(Self::X86_64),
            "aarch64" | "arm64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// The word libvirt and QEMU use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

/// What the machine starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boot {
    /// The boot loader on its disk.
    Disk,
    /// The CD in its drive, and its disk where nothing is in it that can be started.
    Drive,
    /// A kernel that lies on the host.
    Kernel { kernel: PathBuf, initrd: Option<PathBuf>, command_line: String },
}

/// Where the machine's files lie on its host; only the room that talks to the host knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The data folder, absolute: whose machine it is.
    pub home: PathBuf,
    pub disk: PathBuf,
    /// A read-only ISO labelled `CIDATA`.
    pub seed: Option<PathBuf>,
    /// The disk of [`MachineSpec::home`].
    pub personal_disk: Option<PathBuf>,
    /// What lies in its CD drive.
    pub medium: Option<PathBuf>,
    /// Where the user-mode network's helper listens, for [`Network::User`].
    pub network_socket: Option<PathBuf>,
    /// What the serial console says goes here too.
    pub serial_log: Option<PathBuf>,
    /// The default for a desktop without a GPU.
    pub host: Surroundings,
}

/// The domain's name in libvirt: readable, and unique also beside desktops of the same name from another data folder.
pub fn domain_name(name: &Name, desktop: DesktopId) -> String {
    // The end of a version 7 UUID is random.
    let id = desktop.0.simple().to_string();
    format!("oriel-{name}-{}", id.get(26..).unwrap_or_default())
}
