//! A host that exists only in memory, for tests of what stands above this room.
//!
//! In [`FakeMode::Auto`] a machine starts and stops at once; in [`FakeMode::Explicit`] only when the test calls
//! [`FakeCompute::settle`]. Any step can be made to fail. It outlives whoever uses it, as a real host does: give the same
//! one to a second broker to see whether that finds what the first one left.
//!
//! It has GPUs when it is given a kernel in memory that has some: [`FakeCompute::with_gpus`], [`m60_host`].

mod gpus;
mod work;

pub use gpus::{M60_GPUS, m60_host};

use crate::{
    BoxStream, Compute, ComputeError, Greeting, ImageFile, MachineWork, Observed, Power, Screenshot, Sealed,
    SettledGpus, gpus::Gpus,
};
use async_trait::async_trait;
use gpus::FakeGpus;
use oriel_gpu::{
    Inventory,
    kernel::Kernel,
    mode::{Plan, Wish},
};
use oriel_machine::{Arch, GuestIdentity, MachineSpec};
use oriel_model::{
    Accelerator, AcceleratorKind, CloudFlavor, CloudNetwork, CloudOffer, Desktop, DesktopId, DiskFacts, DiskSnapshot,
    Finding, GpuAddress, GpuHold, GpuMode, GpuSwitch, GuestPort, HostFacts, ImageOs, Micros, Name, PersonalDiskId,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::io::DuplexStream;

/// Bytes that wait in a dialled stream in each direction.
const STREAM_BYTES_MAX: usize = 1 << 20;
/// Most far ends that are kept open for streams that nobody serves.
const SILENT_STREAMS_MAX: usize = 64;
const PORT_FIRST: u16 = 24_000;
const PORT_LAST: u16 = 24_998;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FakeMode {
    Auto,
    Explicit,
}

/// The steps of [`Compute`], for recording and for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FakeStep {
    Facts,
    List,
    CloneDisk,
    WriteSeed,
    Define,
    Start,
    ShutDown,
    PowerOff,
    Remove,
    Dial,
    Screenshot,
    FreePorts,
    Gpus,
    PrepareGpu,
    ReleaseGpu,
    GpuSlices,
    PlanGpuMode,
    ApplyGpuMode,
    SettleGpus,
    PutImage,
    InsertMedia,
    PersonalDisk,
    Work,
    Seal,
}

/// Serves the guest's end of a dialled stream.
pub type FakeGuest = Box<dyn Fn(DesktopId, GuestPort, DuplexStream) + Send + Sync>;

pub struct FakeCompute {
    name: String,
    mode: FakeMode,
    state: Mutex<State>,
    gpus: Option<FakeGpus>,
    arch: Arch,
    is_cloud: bool,
    /// Where images for drives lie, a folder for each desktop.
    media: Option<PathBuf>,
    /// Where disks lie.
    disks: Option<PathBuf>,
}

#[derive(Default)]
struct State {
    /// What lies in drives.
    media: BTreeMap<DesktopId, PathBuf>,
    /// What each machine was last described as.
    described: BTreeMap<DesktopId, MachineSpec>,
    /// Sizes in GiB, and names of snapshots.
    personal_disks: BTreeMap<PersonalDiskId, (u64, Vec<String>)>,
    machines: BTreeMap<(DesktopId, u32), Machine>,
    worked: BTreeMap<DesktopId, work::Worked>,
    calls: Vec<(FakeStep, Option<DesktopId>)>,
    /// Calls are not kept.
    is_forgetful: bool,
    faults: BTreeMap<FakeStep, VecDeque<String>>,
    always: BTreeMap<FakeStep, String>,
    guest: Option<FakeGuest>,
    silent: VecDeque<DuplexStream>,
    picture: Option<Screenshot>,
    golden: BTreeSet<String>,
    /// Machines show other certificates than they were given.
    are_strangers: bool,
    sealed: BTreeMap<DesktopId, Option<String>>,
    /// Hosts of a cloud that take no new machines.
    closed: BTreeMap<String, String>,
}

#[derive(Clone, Copy)]
struct Machine {
    power: Power,
    /// What `settle` will make of it.
    pending: Option<Power>,
    domain: bool,
    disk: bool,
    seed: bool,
}

const NOTHING: Machine = Machine { power: Power::Off, pending: None, domain: false, disk: false, seed: false };

impl FakeCompute {
    pub fn new(name: impl Into<String>, mode: FakeMode) -> Self {
        Self {
            name: name.into(),
            mode,
            state: Mutex::default(),
            gpus: None,
            arch: Arch::X86_64,
            is_cloud: false,
            media: None,
            disks: None,
        }
    }

    /// Puts GPUs into the host. The kernel's own faults and its log stay with the caller; `modes` are those that were set.
    #[must_use]
    pub fn with_gpus(self, kernel: Arc<Kernel>, modes: &[(GpuAddress, GpuMode)]) -> Self {
        Self { gpus: Some(FakeGpus::new(kernel, modes)), ..self }
    }

    /// Puts a Tesla M60 into the host, both its GPUs in mode `vgpu`.
    #[must_use]
    pub fn with_m60(self) -> Self {
        let modes: Vec<(GpuAddress, GpuMode)> =
            M60_GPUS.iter().filter_map(|gpu| Some((gpu.parse().ok()?, GpuMode::Vgpu))).collect();
        self.with_gpus(Arc::new(m60_host()), &modes)
    }

    /// Makes it a host of another kind.
    #[must_use]
    pub fn with_arch(self, arch: Arch) -> Self {
        Self { arch, ..self }
    }

    /// Makes it a cloud: no ports, no GPUs of ours.
    #[must_use]
    pub fn as_cloud(self) -> Self {
        Self { is_cloud: true, ..self }
    }

    /// Gives its machines drives, for which images lie in this folder.
    #[must_use]
    pub fn with_media(self, folder: impl Into<PathBuf>) -> Self {
        Self { media: Some(folder.into()), ..self }
    }

    /// Gives its machines disks that are files of this folder, `{desktop}.qcow2`, where somebody puts them there.
    #[must_use]
    pub fn with_disks(self, folder: impl Into<PathBuf>) -> Self {
        Self { disks: Some(folder.into()), ..self }
    }

    /// The accounts that guests were last told to forget.
    pub fn sealed(&self) -> BTreeMap<DesktopId, Option<String>> {
        self.state().sealed.clone()
    }

    /// What the desktop's machine was last described as.
    pub fn described(&self, desktop: DesktopId) -> Option<MachineSpec> {
        self.state().described.get(&desktop).cloned()
    }

    /// The person's disk that the desktop's machine was last described with.
    pub fn personal_disk(&self, desktop: DesktopId) -> Option<PersonalDiskId> {
        self.state().described.get(&desktop).and_then(|spec| spec.home?.disk)
    }

    /// Disks of people that there are, with their sizes in GiB.
    pub fn personal_disks(&self) -> BTreeMap<PersonalDiskId, u64> {
        self.state().personal_disks.iter().map(|(id, (size, _))| (*id, *size)).collect()
    }

    /// What the desktop's machine was last described with.
    pub fn holds(&self, desktop: DesktopId) -> Vec<GpuHold> {
        self.described(desktop).map(|spec| spec.gpus).unwrap_or_default()
    }

    fn gpu_room(&self, gpu: &GpuAddress) -> Result<&Gpus, ComputeError> {
        let none = || ComputeError::NoGpus { host: self.name.clone(), gpu: gpu.clone() };
        self.gpus.as_ref().map(|gpus| &gpus.gpus).ok_or_else(none)
    }

    /// The next call of `step` fails with `message`; several faults queue up.
    pub fn fail_next(&self, step: FakeStep, message: impl Into<String>) {
        self.state().faults.entry(step).or_default().push_back(message.into());
    }

    /// Every call of `step` fails until told otherwise with `None`.
    pub fn fail_always(&self, step: FakeStep, message: Option<&str>) {
        let mut state = self.state();
        match message {
            Some(message) => state.always.insert(step, message.to_owned()),
            None => state.always.remove(&step),
        };
    }

    /// The images that [`Compute::keep_golden`] named last.
    pub fn golden(&self) -> BTreeSet<String> {
        self.state().golden.clone()
    }

    /// Completes starts and stops that hang in [`FakeMode::Explicit`].
    pub fn settle(&self, desktop: DesktopId) {
        for (_, machine) in self.state().machines.range_mut(of(desktop)) {
            machine.power = machine.pending.take().unwrap_or(machine.power);
        }
    }

    /// Changes a machine behind everybody's back: a crash, `virsh destroy`, a pulled plug.
    pub fn set_power(&self, desktop: DesktopId, power: Power) {
        for (_, machine) in self.state().machines.range_mut(of(desktop)) {
            if machine.domain {
                machine.power = power;
                machine.pending = None;
            }
        }
    }

    /// Leaves something on the host that nobody asked for.
    pub fn leave_behind(&self, observed: Observed) {
        let Observed { desktop, generation, power, domain, disk, seed } = observed;
        self.state().machines.insert((desktop, generation), Machine { power, pending: None, domain, disk, seed });
    }

    /// Whether machines show other certificates than they were given, as after first boots that failed half-way.
    pub fn make_strangers(&self, strangers: bool) {
        self.state().are_strangers = strangers;
    }

    /// Who answers when a guest is dialled; until this is set streams open and stay silent.
    pub fn serve(&self, guest: FakeGuest) {
        self.state().guest = Some(guest);
    }

    pub fn show(&self, picture: Screenshot) {
        self.state().picture = Some(picture);
    }

    /// What there is, as [`Compute::list`] says it, without a call that shows or fails.
    pub fn observed(&self) -> Vec<Observed> {
        self.state().observed()
    }

    /// Keeps no calls from now on: a benchmark makes very many.
    pub fn forget_calls(&self) {
        let mut state = self.state();
        (state.is_forgetful, state.calls) = (true, Vec::new());
    }

    /// All calls so far, oldest first.
    pub fn calls(&self) -> Vec<(FakeStep, Option<DesktopId>)> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, step: FakeStep, desktop: Option<DesktopId>) -> Result<MutexGuard<'_, State>, ComputeError> {
        let mut state = self.state();
        if !state.is_forgetful {
            state.calls.push((step, desktop));
        }
        let fault =
            state.faults.get_mut(&step).and_then(VecDeque::pop_front).or_else(|| state.always.get(&step).cloned());
        fault.map_or(Ok(state), |message| Err(ComputeError::Injected(message)))
    }

    fn change(&self, machine: &mut Machine, power: Power) {
        match self.mode {
            FakeMode::Auto => machine.power = power,
            FakeMode::Explicit => machine.pending = Some(power).filter(|power| *power != machine.power),
        }
    }
}

/// The keys of all generations of a desktop.
const fn of(desktop: DesktopId) -> RangeInclusive<(DesktopId, u32)> {
    (desktop, 0)..=(desktop, u32::MAX)
}

fn seen(((desktop, generation), machine): (&(DesktopId, u32), &Machine)) -> Observed {
    let Machine { power, domain, disk, seed, .. } = *machine;
    Observed { desktop: *desktop, generation: *generation, power, domain, disk, seed }
}

impl State {
    fn observed(&self) -> Vec<Observed> {
        self.machines.iter().map(seen).collect()
    }

    fn disk(&mut self, id: PersonalDiskId) -> Result<&mut (u64, Vec<String>), ComputeError> {
        let gone = || ComputeError::DiskGone { path: PathBuf::from(id.to_string()) };
        self.personal_disks.get_mut(&id).ok_or_else(gone)
    }

    fn entry(&mut self, spec: &MachineSpec) -> &mut Machine {
        self.machines.entry((spec.desktop, spec.generation)).or_insert(NOTHING)
    }

    fn defined(&mut self, desktop: DesktopId) -> Option<&mut Machine> {
        self.machines.range_mut(of(desktop)).map(|(_, machine)| machine).find(|machine| machine.domain)
    }
}

#[async_trait]
impl Compute for FakeCompute {
    fn name(&self) -> &str {
        &self.name
    }

    fn arch(&self) -> Arch {
        self.arch
    }

    fn is_cloud(&self) -> bool {
        self.is_cloud
    }

    async fn facts(&self) -> Result<HostFacts, ComputeError> {
        drop(self.step(FakeStep::Facts, None)?);
        Ok(HostFacts {
            name: self.name.clone(),
            uri: String::from("fake:///"),
            os: String::from("a host in memory"),
            kernel: String::from("0"),
            arch: self.arch.word().to_owned(),
            cpus: 8,
            cpu_model: String::from("none"),
            memory_mib: 65_536,
            free_disk_bytes: 1 << 40,
            libvirt_version: None,
            qemu_version: None,
            accelerator: Accelerator { kind: AcceleratorKind::Tcg, reason: String::from("nothing runs here") },
        })
    }

    async fn list(&self) -> Result<Vec<Observed>, ComputeError> {
        Ok(self.step(FakeStep::List, None)?.observed())
    }

    async fn observe(&self, desktops: &[DesktopId]) -> Result<Vec<Observed>, ComputeError> {
        let state = self.step(FakeStep::List, None)?;
        Ok(desktops.iter().flat_map(|desktop| state.machines.range(of(*desktop)).map(seen)).collect())
    }

    async fn clone_disk(&self, spec: &MachineSpec, _base: &Path) -> Result<(), ComputeError> {
        self.step(FakeStep::CloneDisk, Some(spec.desktop))?.entry(spec).disk = true;
        Ok(())
    }

    async fn write_seed(&self, spec: &MachineSpec, _identity: &GuestIdentity) -> Result<(), ComputeError> {
        self.step(FakeStep::WriteSeed, Some(spec.desktop))?.entry(spec).seed = true;
        Ok(())
    }

    async fn define(&self, spec: &MachineSpec) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::Define, Some(spec.desktop))?;
        for ((_, generation), machine) in state.machines.range_mut(of(spec.desktop)) {
            if *generation != spec.generation {
                *machine = Machine { power: Power::Off, pending: None, domain: false, ..*machine };
            }
        }
        if state.described.get(&spec.desktop).is_some_and(|before| before.generation != spec.generation) {
            state.media.remove(&spec.desktop);
        }
        state.described.insert(spec.desktop, spec.clone());
        state.entry(spec).domain = true;
        Ok(())
    }

    async fn start(&self, spec: &MachineSpec) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::Start, Some(spec.desktop))?;
        let machine = state.entry(spec);
        if !machine.domain || !machine.disk {
            return Err(ComputeError::NoMachine);
        }
        self.change(machine, Power::Running);
        Ok(())
    }

    async fn shut_down(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::ShutDown, Some(desktop))?;
        if let Some(machine) = state.defined(desktop) {
            self.change(machine, Power::Off);
        }
        Ok(())
    }

    async fn power_off(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::PowerOff, Some(desktop))?;
        if let Some(machine) = state.defined(desktop) {
            (machine.power, machine.pending) = (Power::Off, None);
        }
        Ok(())
    }

    async fn remove(&self, desktop: DesktopId, keep_generation: Option<u32>) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::Remove, Some(desktop))?;
        let gone: Vec<_> = state.machines.range(of(desktop)).map(|(key, _)| *key).collect();
        for key in gone.into_iter().filter(|(_, generation)| Some(*generation) != keep_generation) {
            state.machines.remove(&key);
        }
        state.media.remove(&desktop);
        if let Some(folder) = self.media_folder(desktop) {
            // Images for the drive are of whoever had the desktop before.
            std::fs::remove_dir_all(&folder).ok();
        }
        Ok(())
    }

    async fn keep_golden(&self, images: &BTreeSet<String>) -> Result<bool, ComputeError> {
        self.state().golden.clone_from(images);
        Ok(true)
    }

    async fn dial(&self, desktop: &Desktop, port: GuestPort) -> Result<BoxStream, ComputeError> {
        let mut state = self.step(FakeStep::Dial, Some(desktop.id))?;
        match state.defined(desktop.id) {
            None => return Err(ComputeError::NoMachine),
            Some(machine) if machine.power != Power::Running => return Err(ComputeError::NotRunning),
            Some(_) => {}
        }
        let (near, far) = tokio::io::duplex(STREAM_BYTES_MAX);
        match &state.guest {
            Some(guest) => guest(desktop.id, port, far),
            None => {
                state.silent.push_back(far);
                if state.silent.len() > SILENT_STREAMS_MAX {
                    state.silent.pop_front();
                }
            }
        }
        Ok(Box::new(near))
    }

    async fn screenshot(&self, desktop: DesktopId) -> Result<Screenshot, ComputeError> {
        let mut state = self.step(FakeStep::Screenshot, Some(desktop))?;
        if state.defined(desktop).is_none_or(|machine| machine.power != Power::Running) {
            return Err(ComputeError::NotRunning);
        }
        Ok(state.picture.clone().unwrap_or_else(|| Screenshot {
            width: 4,
            height: 2,
            rgba: [32, 64, 96, 255].repeat(8),
        }))
    }

    fn media_folder(&self, desktop: DesktopId) -> Option<PathBuf> {
        self.media.as_ref().filter(|_| !self.is_cloud).map(|folder| folder.join(desktop.to_string()))
    }

    async fn media(&self, desktop: DesktopId) -> Result<Option<PathBuf>, ComputeError> {
        Ok(self.state().media.get(&desktop).cloned())
    }

    async fn insert_media(&self, desktop: DesktopId, medium: Option<&Path>) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::InsertMedia, Some(desktop))?;
        if self.is_cloud || self.media.is_none() {
            return Err(ComputeError::NoDrives { host: self.name.clone() });
        }
        match medium {
            Some(_) if state.defined(desktop).is_none() => return Err(ComputeError::NoMachine),
            Some(medium) => state.media.insert(desktop, medium.to_owned()),
            None => state.media.remove(&desktop),
        };
        Ok(())
    }

    async fn make_personal_disk(&self, disk: PersonalDiskId, size_gib: u64) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::PersonalDisk, None)?;
        if self.is_cloud {
            return Err(ComputeError::NoPersonalDisks { host: self.name.clone() });
        }
        state.personal_disks.entry(disk).or_insert((size_gib, Vec::new()));
        Ok(())
    }

    async fn detach_personal_disk(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::PersonalDisk, Some(desktop))?;
        if state.defined(desktop).is_some_and(|machine| machine.power != Power::Off) {
            return Err(ComputeError::StillRunning);
        }
        if let Some(home) = state.described.get_mut(&desktop).and_then(|spec| spec.home.as_mut()) {
            home.disk = None;
        }
        Ok(())
    }

    async fn personal_disk_facts(&self, disk: PersonalDiskId) -> Result<DiskFacts, ComputeError> {
        let mut state = self.state();
        let (_, names) = state.disk(disk)?;
        let snapshots = names.iter().map(|name| DiskSnapshot { name: name.clone(), created: Micros(0) }).collect();
        Ok(DiskFacts { used_bytes: 1, snapshots, export_bytes: None })
    }

    async fn grow_personal_disk(&self, disk: PersonalDiskId, size_gib: u64) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::PersonalDisk, None)?;
        let (size, _) = state.disk(disk)?;
        *size = size_gib.max(*size);
        Ok(())
    }

    async fn snapshot_personal_disk(&self, disk: PersonalDiskId, snapshot: &Name) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::PersonalDisk, None)?;
        let (_, names) = state.disk(disk)?;
        if !names.iter().any(|name| name == snapshot.as_str()) {
            names.push(snapshot.to_string());
        }
        Ok(())
    }

    async fn restore_personal_disk(&self, disk: PersonalDiskId, snapshot: &Name) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::PersonalDisk, None)?;
        let (_, names) = state.disk(disk)?;
        if names.iter().any(|name| name == snapshot.as_str()) {
            return Ok(());
        }
        Err(ComputeError::NoSnapshot { name: snapshot.to_string() })
    }

    async fn drop_personal_disk_snapshot(&self, disk: PersonalDiskId, snapshot: &Name) -> Result<(), ComputeError> {
        let mut state = self.step(FakeStep::PersonalDisk, None)?;
        state.disk(disk)?.1.retain(|name| name != snapshot.as_str());
        Ok(())
    }

    async fn delete_personal_disk(&self, disk: PersonalDiskId) -> Result<(), ComputeError> {
        self.step(FakeStep::PersonalDisk, None)?.personal_disks.remove(&disk);
        Ok(())
    }

    async fn check_agent(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        match self.state().defined(desktop) {
            Some(machine) if machine.power == Power::Running => Ok(()),
            _ => Err(ComputeError::NoAgent { reason: String::from("it does not run") }),
        }
    }

    /// Windows goes off by itself.
    async fn seal(&self, desktop: DesktopId, os: ImageOs, account: Option<&str>) -> Result<Sealed, ComputeError> {
        let mut state = self.step(FakeStep::Seal, Some(desktop))?;
        state.sealed.insert(desktop, account.map(str::to_owned));
        let machine = state.defined(desktop).ok_or(ComputeError::NoMachine)?;
        if os != ImageOs::Windows {
            return Ok(Sealed::Done);
        }
        self.change(machine, Power::Off);
        Ok(Sealed::GoesOff)
    }

    fn disk_file(&self, desktop: DesktopId, _generation: u32) -> Option<PathBuf> {
        self.disks.as_ref().map(|folder| folder.join(format!("{desktop}.qcow2")))
    }

    async fn free_ports(&self, taken: &BTreeSet<u16>) -> Result<u16, ComputeError> {
        drop(self.step(FakeStep::FreePorts, None)?);
        if self.is_cloud {
            return Err(ComputeError::NoPortsThere { host: self.name.clone() });
        }
        (PORT_FIRST..=PORT_LAST)
            .step_by(usize::from(MachineSpec::PORTS))
            .find(|port| !taken.contains(port))
            .ok_or(ComputeError::NoPorts { first: PORT_FIRST, last: PORT_LAST })
    }

    async fn doctor(&self) -> Vec<Finding> {
        Vec::new()
    }

    async fn gpus(&self) -> Result<Inventory, ComputeError> {
        drop(self.step(FakeStep::Gpus, None)?);
        match &self.gpus {
            Some(gpus) => gpus.gpus.inventory().await,
            None => Ok(Inventory::default()),
        }
    }

    async fn gpu_findings(&self, gpu: Option<&GpuAddress>) -> Result<Vec<Finding>, ComputeError> {
        match &self.gpus {
            Some(gpus) => gpus.gpus.findings(gpu.cloned()).await,
            None => Ok(Vec::new()),
        }
    }

    async fn prepare_gpu(&self, hold: &GpuHold) -> Result<(), ComputeError> {
        drop(self.step(FakeStep::PrepareGpu, None)?);
        self.gpu_room(&hold.gpu)?.prepare(hold).await
    }

    async fn release_gpu(&self, hold: &GpuHold) -> Result<(), ComputeError> {
        drop(self.step(FakeStep::ReleaseGpu, None)?);
        self.gpu_room(&hold.gpu)?.release(hold).await
    }

    async fn gpu_slices(&self) -> Result<Vec<GpuHold>, ComputeError> {
        drop(self.step(FakeStep::GpuSlices, None)?);
        match &self.gpus {
            Some(gpus) => gpus.gpus.slices().await,
            None => Ok(Vec::new()),
        }
    }

    async fn plan_gpu_mode(&self, switch: &GpuSwitch) -> Result<Plan, ComputeError> {
        drop(self.step(FakeStep::PlanGpuMode, None)?);
        self.gpu_room(&switch.gpu)?.plan(switch).await
    }

    async fn gpu_wishes(&self) -> Result<Vec<Wish>, ComputeError> {
        match &self.gpus {
            Some(gpus) => gpus.gpus.wishes().await,
            None => Ok(Vec::new()),
        }
    }

    async fn settle_gpus(&self) -> Result<SettledGpus, ComputeError> {
        drop(self.step(FakeStep::SettleGpus, None)?);
        match &self.gpus {
            Some(gpus) => gpus.gpus.settle().await,
            None => Ok(SettledGpus::default()),
        }
    }

    async fn apply_gpu_mode(
        &self,
        plan: &Plan,
        progress: &(dyn for<'a> Fn(usize, usize, &'a str) + Send + Sync),
    ) -> Result<(), ComputeError> {
        drop(self.step(FakeStep::ApplyGpuMode, None)?);
        self.gpu_room(&plan.gpu)?.apply(plan, progress).await
    }

    async fn put_image(
        &self,
        image: &ImageFile<'_>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<String, ComputeError> {
        drop(self.step(FakeStep::PutImage, None)?);
        progress(1);
        if !self.is_cloud {
            return Err(ComputeError::NoImage { path: image.path.to_owned() });
        }
        Ok(format!("of-{}", image.sha256))
    }

    fn machine_work(&self) -> Option<&dyn MachineWork> {
        self.is_cloud.then_some(self as &dyn MachineWork)
    }

    /// One flavor and one network.
    async fn offer(&self) -> Result<CloudOffer, ComputeError> {
        if !self.is_cloud {
            return Ok(CloudOffer::default());
        }
        let (id, name) = (String::from("1"), String::from("tiny"));
        let gpu = Some(String::from("VGPU × 1"));
        let flavor = CloudFlavor { id, name, vcpus: 1, memory_mib: 64, disk_gib: 1, gpu, gpus_free: Some(3) };
        let name = String::from("desktops");
        let network = CloudNetwork { id: String::from("n-1"), name, shared: false, external: false };
        Ok(CloudOffer { flavors: vec![flavor], networks: vec![network] })
    }

    /// A running machine answers, served or not.
    async fn greeting(&self, desktop: &Desktop, port: GuestPort) -> Greeting {
        let mut state = self.state();
        if state.defined(desktop.id).is_none_or(|machine| machine.power != Power::Running) {
            return Greeting::Silent;
        }
        if state.are_strangers && port == GuestPort::Rdp { Greeting::Stranger } else { Greeting::Known }
    }
}
