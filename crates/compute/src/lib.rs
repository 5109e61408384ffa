//! The room that talks to machines which run desktops.
//!
//! [`Compute`] is a set of steps, each safe to repeat: whoever moves desktops along looks at [`Compute::list`], takes the
//! next step, and may be killed between any two. [`openstack`] does them on a cloud, [`fake`] in memory for tests, and
//! a room of its own above this one, `oriel-libvirt`, on a host of ours.
//! [`probe`] finds out whether KVM really works here, [`doctor`] says what is wrong with a host and how to mend it.

pub mod command;
mod doctor;
mod error;
pub mod external;
pub mod fake;
mod gpus;
mod greeting;
mod host;
mod jump;
pub mod openstack;
mod picture;
pub mod probe;
mod wake;
mod work;

pub use doctor::doctor;
pub use error::ComputeError;
pub use gpus::{Gpus, SettledGpus};
pub use greeting::Greeting;
pub use host::machine_facts;
pub use jump::{Jump, JumpDialler, JumpHost};
pub use picture::Screenshot;
pub use work::MachineWork;

use async_trait::async_trait;
use oriel_gpu::{
    Inventory,
    mode::{Plan, Wish},
};
use oriel_machine::{Arch, GuestIdentity, MachineSpec};
use oriel_model::{
    CloudOffer, Desktop, DesktopId, DiskFacts, Finding, GpuAddress, GpuHold, GpuSwitch, GuestPort, HostFacts, ImageOs,
    Name, PersonalDiskId,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

pub use oriel_stream::{BoxStream, Stream};

/// How long a door of a guest may take to say its first word.
pub const ANSWER_SECONDS_MAX: u64 = 5;

/// What exists of one generation of one desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    pub desktop: DesktopId,
    /// 0 for what is left of a desktop without saying of which generation.
    pub generation: u32,
    /// `Off` when there is no machine.
    pub power: Power,
    /// The machine is known to the hypervisor.
    pub domain: bool,
    pub disk: bool,
    pub seed: bool,
}

/// A golden disk in a file of this machine.
#[derive(Clone, Copy, Debug)]
pub struct ImageFile<'a> {
    /// A qcow2.
    pub path: &'a Path,
    /// Of its content: by this it is known again.
    pub sha256: &'a str,
    /// For people who look with other tools.
    pub name: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    Running,
    Off,
    Paused,
    Crashed,
    /// The host under it does not answer to its engine: nothing is known of it, and nothing can be done with it where it stands.
    Lost,
}

/// What came of making a machine anew where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// Nothing was done: remove the old one and make the new one.
    No,
    /// It is being done; ask again.
    Underway,
    /// It is of the new generation now.
    Done,
}

/// How far a guest is that was told to forget who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// It has, and may be shut down.
    Done,
    /// It is at it, and goes off by itself when it has.
    GoesOff,
}

/// What is spoken at a machine's own display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenProtocol {
    Vnc,
    Spice,
}

/// A host of desktops. Every step may be repeated without harm, and does nothing when there is nothing to do.
#[async_trait]
pub trait Compute: Send + Sync {
    /// The host's name, as stored in `Desktop::host`.
    fn name(&self) -> &str;

    /// It is a cloud: its machines are made of [`MachineSpec::cloud`], have no ports of a host and no GPU of ours, and are removed
    /// without being switched off before.
    fn is_cloud(&self) -> bool {
        false
    }

    /// What its machines are: the host's own kind, which alone runs under KVM.
    fn arch(&self) -> Arch {
        Arch::here()
    }

    async fn facts(&self) -> Result<HostFacts, ComputeError>;

    /// Everything of ours on the host, leftovers included. What is not ours is never touched.
    async fn list(&self) -> Result<Vec<Observed>, ComputeError>;

    /// As [`Self::list`], of these desktops alone.
    async fn observe(&self, desktops: &[DesktopId]) -> Result<Vec<Observed>, ComputeError> {
        let mut all = self.list().await?;
        all.retain(|found| desktops.contains(&found.desktop));
        Ok(all)
    }

    /// Makes the machine's disk, a linked clone of `base`.
    async fn clone_disk(&self, spec: &MachineSpec, base: &Path) -> Result<(), ComputeError>;

    /// Makes the volume from which the guest sets itself up. A cloud hands that to a machine only while it makes it: there this
    /// makes the machine, and what the steps before and after make is part of it.
    async fn write_seed(&self, spec: &MachineSpec, identity: &GuestIdentity) -> Result<(), ComputeError>;

    /// Makes the machine of an older generation that stands there one of this generation, with a fresh disk, where that is better than
    /// removing and making it: its place and address stay. What was on the old disk is seen by nobody.
    async fn renew(&self, _spec: &MachineSpec, _identity: &GuestIdentity) -> Result<Renewed, ComputeError> {
        Ok(Renewed::No)
    }

    /// Tells the hypervisor about the machine; takes the place of another generation of the same desktop.
    async fn define(&self, spec: &MachineSpec) -> Result<(), ComputeError>;

    async fn start(&self, spec: &MachineSpec) -> Result<(), ComputeError>;

    /// Asks the guest to shut down; it may take its time, or not listen.
    async fn shut_down(&self, desktop: DesktopId) -> Result<(), ComputeError>;

    /// Pulls the plug.
    async fn power_off(&self, desktop: DesktopId) -> Result<(), ComputeError>;

    /// Removes machine, disk, seed, network helper and sockets of all generations but `keep_generation`.
    async fn remove(&self, desktop: DesktopId, keep_generation: Option<u32>) -> Result<(), ComputeError>;

    /// Removes what a lost answer left twice, as far as the last [`Self::list`] saw it. Answers how many.
    async fn prune(&self) -> Result<usize, ComputeError> {
        Ok(0)
    }

    /// Deletes what machines of other images than these (a cloud's ids) were cloned from there. `false`: some of it is still there; ask
    /// again.
    async fn keep_golden(&self, _images: &BTreeSet<String>) -> Result<bool, ComputeError> {
        Ok(true)
    }

    /// Opens a stream to a door of the guest. An open stream does not yet mean that the guest answers: [`Self::answers`].
    async fn dial(&self, desktop: &Desktop, port: GuestPort) -> Result<BoxStream, ComputeError>;

    /// As [`Self::dial`], to the machine's own display, and what is spoken there.
    async fn dial_screen(&self, desktop: &Desktop) -> Result<(BoxStream, ScreenProtocol), ComputeError> {
        Ok((self.dial(desktop, GuestPort::Console).await?, ScreenProtocol::Vnc))
    }

    /// What the machine's own display shows.
    async fn screenshot(&self, desktop: DesktopId) -> Result<Screenshot, ComputeError>;

    /// The folder of this machine whose images may be put into the desktop's drive, which its own QEMU may enter; [`Self::remove`]
    /// empties it. `None`: its machines have no drive. Whoever fills it makes it, passable to everybody and readable to nobody.
    fn media_folder(&self, _desktop: DesktopId) -> Option<PathBuf> {
        None
    }

    /// What lies in the machine's drive.
    async fn media(&self, _desktop: DesktopId) -> Result<Option<PathBuf>, ComputeError> {
        Ok(None)
    }

    /// Puts a CD image into the machine's drive, which only reads it, or takes out what is there, as one presses the drive's button
    /// with a pin: what the guest has open breaks. It stays in over restarts, and is gone with the generation.
    async fn insert_media(&self, _desktop: DesktopId, _medium: Option<&Path>) -> Result<(), ComputeError> {
        Err(ComputeError::NoDrives { host: self.name().to_owned() })
    }

    /// Makes a person's disk: blank, and sparse. One that is there stays as it is. A machine gets it by [`MachineSpec::home`].
    async fn make_personal_disk(&self, _disk: PersonalDiskId, _size_gib: u64) -> Result<(), ComputeError> {
        Err(ComputeError::NoPersonalDisks { host: self.name().to_owned() })
    }

    /// Takes the personal disk out of the desktop's machine, which must be off: started by whatever means, it is without it. Where
    /// there is none, it does nothing.
    ///
    /// Errors: `StillRunning`.
    async fn detach_personal_disk(&self, _desktop: DesktopId) -> Result<(), ComputeError> {
        Ok(())
    }

    async fn personal_disk_facts(&self, _disk: PersonalDiskId) -> Result<DiskFacts, ComputeError> {
        Err(ComputeError::NoPersonalDisks { host: self.name().to_owned() })
    }

    /// Grows a disk that is in no machine; the guest's file system follows when it is mounted next.
    async fn grow_personal_disk(&self, _disk: PersonalDiskId, _size_gib: u64) -> Result<(), ComputeError> {
        Err(ComputeError::NoPersonalDisks { host: self.name().to_owned() })
    }

    /// Keeps what a disk, which is in no machine, holds now. One of that name that is there stays.
    async fn snapshot_personal_disk(&self, _disk: PersonalDiskId, _snapshot: &Name) -> Result<(), ComputeError> {
        Err(ComputeError::NoPersonalDisks { host: self.name().to_owned() })
    }

    /// Makes a disk, which is in no machine, what it was at a snapshot. Errors: `NoSnapshot`.
    async fn restore_personal_disk(&self, _disk: PersonalDiskId, _snapshot: &Name) -> Result<(), ComputeError> {
        Err(ComputeError::NoPersonalDisks { host: self.name().to_owned() })
    }

    async fn drop_personal_disk_snapshot(&self, _disk: PersonalDiskId, _snapshot: &Name) -> Result<(), ComputeError> {
        Err(ComputeError::NoPersonalDisks { host: self.name().to_owned() })
    }

    /// Copies a disk, which is in no machine, into a file of its own ([`Self::personal_disk_export`]), in place of an older copy.
    /// `progress` hears from 0 to 1. Dropped half-way, it leaves nothing that counts. Answers the file's bytes.
    async fn export_personal_disk(
        &self,
        _disk: PersonalDiskId,
        _progress: &(dyn Fn(f64) + Send + Sync),
    ) -> Result<u64, ComputeError> {
        Err(ComputeError::NoPersonalDisks { host: self.name().to_owned() })
    }

    /// Where the copy lies, if one was made.
    fn personal_disk_export(&self, _disk: PersonalDiskId) -> Option<PathBuf> {
        None
    }

    async fn delete_personal_disk_export(&self, _disk: PersonalDiskId) -> Result<(), ComputeError> {
        Ok(())
    }

    /// Deletes a disk, which is in no machine, its snapshots and its copy.
    async fn delete_personal_disk(&self, _disk: PersonalDiskId) -> Result<(), ComputeError> {
        Ok(())
    }

    /// Whether the guest can be told something: its agent answers. Errors: `NoAgent`, `NoSealing`.
    async fn check_agent(&self, _desktop: DesktopId) -> Result<(), ComputeError> {
        Err(ComputeError::NoSealing { host: self.name().to_owned() })
    }

    /// Has the guest forget who it is, so that its disk can become an image: its machine id and host keys, what set it up, `account` with its
    /// home, what was typed into shells. A personal disk that is mounted there is taken out of it first, and keeps what it holds. May be
    /// asked again when it failed half-way.
    ///
    /// Errors: `NoAgent`, `NoSealing`; `NotSealed` with what stood in the way.
    async fn seal(&self, _desktop: DesktopId, _os: ImageOs, _account: Option<&str>) -> Result<Sealed, ComputeError> {
        Err(ComputeError::NoSealing { host: self.name().to_owned() })
    }

    /// The file of this machine that is the disk of that generation, a clone of its image. `None`: disks are no files here.
    fn disk_file(&self, _desktop: DesktopId, _generation: u32) -> Option<PathBuf> {
        None
    }

    /// A base of [`MachineSpec::PORTS`] loopback ports that are neither in `taken` (other desktops' bases) nor in use.
    async fn free_ports(&self, taken: &BTreeSet<u16>) -> Result<u16, ComputeError>;

    /// Whether the [`MachineSpec::PORTS`] ports from `base` on are free for a machine that does not run.
    async fn ports_free(&self, _base: u16) -> bool {
        true
    }

    /// What is wrong with the host, and how to mend it.
    async fn doctor(&self) -> Vec<Finding>;

    /// The host's GPUs as they are now; none where it has none or cannot say.
    async fn gpus(&self) -> Result<Inventory, ComputeError> {
        Ok(Inventory::default())
    }

    /// What is wrong with a GPU of the host, or with all of them.
    async fn gpu_findings(&self, _gpu: Option<&GpuAddress>) -> Result<Vec<Finding>, ComputeError> {
        Ok(Vec::new())
    }

    /// Makes the unit that the claim names, so that a machine can be started with it.
    async fn prepare_gpu(&self, hold: &GpuHold) -> Result<(), ComputeError> {
        Err(ComputeError::NoGpus { host: self.name().to_owned(), gpu: hold.gpu.clone() })
    }

    /// Gives the unit back: removes a slice that was made for it. The machine must be off.
    async fn release_gpu(&self, _hold: &GpuHold) -> Result<(), ComputeError> {
        Ok(())
    }

    /// Slices on the host that Oriel made: those that no claim names are leftovers.
    async fn gpu_slices(&self) -> Result<Vec<GpuHold>, ComputeError> {
        Ok(Vec::new())
    }

    /// The modes that somebody set and that hold until somebody sets others.
    async fn gpu_wishes(&self) -> Result<Vec<Wish>, ComputeError> {
        Ok(Vec::new())
    }

    /// Recovers switches that a crash cut off and makes every GPU again what it was set to: after a reboot the kernel has
    /// forgotten. The first look at the host's GPUs waits for the first such try.
    async fn settle_gpus(&self) -> Result<SettledGpus, ComputeError> {
        Ok(SettledGpus::default())
    }

    /// How the GPU would be switched, or why not.
    async fn plan_gpu_mode(&self, switch: &GpuSwitch) -> Result<Plan, ComputeError> {
        Err(ComputeError::NoGpus { host: self.name().to_owned(), gpu: switch.gpu.clone() })
    }

    /// Switches it: every step is verified, and undone when a later one fails. `progress` hears the step that begins, and how
    /// many there are.
    async fn apply_gpu_mode(
        &self,
        plan: &Plan,
        _progress: &(dyn for<'a> Fn(usize, usize, &'a str) + Send + Sync),
    ) -> Result<(), ComputeError> {
        Err(ComputeError::NoGpus { host: self.name().to_owned(), gpu: plan.gpu.clone() })
    }

    /// Brings an image's file to a cloud, once, and answers with the cloud's id of it. `progress` hears how many bytes have gone.
    async fn put_image(
        &self,
        image: &ImageFile<'_>,
        _progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<String, ComputeError> {
        Err(ComputeError::NoImage { path: image.path.to_owned() })
    }

    /// Another size, another host, snapshots of a machine, where the host is an engine that has them.
    fn machine_work(&self) -> Option<&dyn MachineWork> {
        None
    }

    /// What pools may choose of a cloud; nothing on a host of our own.
    async fn offer(&self) -> Result<CloudOffer, ComputeError> {
        Ok(CloudOffer::default())
    }

    /// Whether a machine that was told to run is there to be looked at: a cloud takes its time to build one.
    async fn has_come_up(&self, _desktop: &Desktop) -> bool {
        true
    }

    /// What a door of the guest answers within [`ANSWER_SECONDS_MAX`]. Who the machine is is looked at on RDP alone.
    async fn greeting(&self, desktop: &Desktop, port: GuestPort) -> Greeting {
        let greet = async {
            let stream = self.dial(desktop, port).await.ok()?;
            greeting::on(stream, desktop, port).await.ok()
        };
        let greeting = tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS_MAX), greet).await;
        greeting.ok().flatten().unwrap_or(Greeting::Silent)
    }

    /// Whether a door of the guest answers in its protocol within [`ANSWER_SECONDS_MAX`], as the machine that it is known as.
    async fn answers(&self, desktop: &Desktop, port: GuestPort) -> bool {
        self.greeting(desktop, port).await == Greeting::Known
    }
}
