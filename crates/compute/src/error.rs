//! What can go wrong with a host, in sentences for the person who must mend it.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    #[error("cannot reach libvirt at {uri}: {reason}; run \"oriel doctor\" to see what is missing")]
    Unreachable { uri: String, reason: String },
    #[error("libvirt could not {action}: {reason}")]
    Libvirt { action: String, reason: String },
    #[error("libvirt could not {action}: this host has no {what}; install it: apt-get install {package}")]
    Lacking { action: String, what: &'static str, package: &'static str },
    #[error("there is no GPU {gpu} on host {host}; `oriel gpu list` shows what there is")]
    NoGpus { host: String, gpu: oriel_model::GpuAddress },
    /// Something about a GPU failed; the sentence says what.
    #[error("{reason}")]
    Gpu { gpu: oriel_model::GpuAddress, reason: String },
    #[error("modes of GPUs could not be set again: {0}")]
    GpuModes(String),
    #[error(transparent)]
    GpuRead(#[from] oriel_gpu::GpuError),
    #[error(transparent)]
    GpuState(#[from] oriel_gpu::mode::StateError),
    #[error("the desktop has no machine on this host; start it again to make one")]
    NoMachine,
    #[error("the desktop's machine is not running; start it first")]
    NotRunning,
    #[error("machines on {host} have no drive that images could be put into")]
    NoDrives { host: String },
    #[error(
        "the desktop's machine has no drive: one that was described by an older Oriel gets it with its next start, and Windows on arm64 has none; shut it down and start it again"
    )]
    NoDriveYet,
    #[error("machines on {host} take no personal disks; only a host of Oriel's own does")]
    NoPersonalDisks { host: String },
    #[error("the desktop's machine runs: its personal disk is taken out when it is off")]
    StillRunning,
    #[error(
        "the personal disk {path} is missing; put it back from a copy, or delete the disk: its person gets a new one"
    )]
    DiskGone { path: PathBuf },
    #[error("the personal disk has no snapshot {name:?}; `oriel disk show` lists those that there are")]
    NoSnapshot { name: String },
    #[error("guests on {host} cannot be told to forget who they are")]
    NoSealing { host: String },
    #[error("its guest agent does not answer: {reason}; install qemu-guest-agent in it, and start it once more")]
    NoAgent { reason: String },
    /// The guest did not forget who it is; the sentence says what stood in the way.
    #[error("{reason}")]
    NotSealed { reason: String },
    #[error("cannot reach the guest at {address}: {reason}; it may still be starting")]
    NotAnswering { address: String, reason: String },
    #[error("the guest's address is not known yet; it may still be starting, or has no DHCP lease and no guest agent")]
    NoAddress,
    #[error(
        "no pair of free loopback ports between {first} and {last}; widen the range in the configuration or remove desktops"
    )]
    NoPorts { first: u16, last: u16 },
    #[error("{program} is missing; install it, \"oriel doctor\" tells how")]
    ProgramMissing { program: String },
    #[error("{program} failed to {action}: {reason}")]
    Command { program: String, action: String, reason: String },
    #[error("{program} took longer than {seconds} s to {action} and was stopped; the host may be overloaded")]
    CommandSlow { program: String, action: String, seconds: u64 },
    #[error("cannot {action} {path}: {source}")]
    File { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error(
        "QEMU runs as user id {user} and may not enter {path}; move the data folder (for example to /var/lib/oriel) or run: chmod o+x {path}"
    )]
    NotEnterable { user: u32, path: PathBuf },
    #[error("the base image {path} is missing; import or build it again")]
    NoImage { path: PathBuf },
    #[error("cannot describe the machine: {0}")]
    Xml(#[from] oriel_machine::XmlError),
    #[error(transparent)]
    Identity(#[from] oriel_machine::IdentityError),
    #[error("cannot write the seed volume: {0}")]
    Seed(String),
    #[error("cannot read the machine's picture: {0}")]
    Picture(String),
    #[error("cloud {cloud}: {source}")]
    Cloud { cloud: String, source: oriel_openstack::OpenStackError },
    /// A cloud that is well has no place for one more; the sentence says of what.
    #[error("cloud {cloud}: {reason}")]
    NoPlace { cloud: String, reason: String },
    /// It does not do that, or not for these credentials, or not now; the sentence says why.
    #[error("cloud {cloud}: {reason}")]
    NotDone { cloud: String, reason: String },
    #[error("cloud {cloud} has not {action} after {seconds} s; it is looked at again")]
    CloudSlow { cloud: String, action: &'static str, seconds: u64 },
    #[error("cloud {cloud} has no {kind} {name:?}; {advice}")]
    NotInCloud { cloud: String, kind: &'static str, name: String, advice: &'static str },
    #[error(
        "the machine is described for a host of our own and not for cloud {cloud}: it has no flavor and no image there"
    )]
    NotForClouds { cloud: String },
    #[error("what the guest sets itself up from is {bytes} bytes long, and a cloud takes {max}")]
    SeedTooLong { bytes: usize, max: usize },
    #[error(
        "the machine has no network card on cloud {cloud}: only its console can be opened; name a network in the pool, and make the desktop anew"
    )]
    NoCard { cloud: String },
    #[error("{host} has no ports of its own that lead to its machines")]
    NoPortsThere { host: String },
    #[error("{0}")]
    Injected(String),
    #[error("a task of the host's room ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl ComputeError {
    /// It may go well a moment later, with nothing changed here: a cloud does not answer, or takes its time.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Cloud { source, .. } => source.is_passing(),
            Self::CloudSlow { .. } => true,
            _ => false,
        }
    }

    /// `action` is what could not be done to `path`: "write", "look into".
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}
