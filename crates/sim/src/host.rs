//! The host: the one in memory that tests have, with calls that rest, fail, and are done without an answer.

use crate::stage::{acts, after_call, before_call};
use async_trait::async_trait;
use oriel_compute::{BoxStream, Compute, ComputeError, Greeting, Observed, Screenshot, SettledGpus, fake::FakeCompute};
use oriel_gpu::{
    Inventory,
    mode::{Plan, Wish},
};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::{Desktop, DesktopId, Finding, GpuAddress, GpuHold, GpuSwitch, GuestPort, HostFacts, PersonalDiskId};
use oriel_store::seam::{Plant, planted};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Both programs of a world have the same one behind it.
pub struct Host {
    pub inner: Arc<FakeCompute>,
    /// Whose calls these are.
    pub program: usize,
}

/// One call: a rest, perhaps a fault, what it does, perhaps a lost answer.
macro_rules! call {
    ($what:literal, $done:expr) => {{
        before_call($what).await.map_err(ComputeError::Injected)?;
        let done = $done.await?;
        after_call($what).map_err(ComputeError::Injected)?;
        Ok(done)
    }};
}

/// A call that changes something: one program alone may.
macro_rules! change {
    ($self:ident, $what:literal, $done:expr) => {{
        before_call($what).await.map_err(ComputeError::Injected)?;
        acts($self.program, $what);
        let done = $done.await?;
        after_call($what).map_err(ComputeError::Injected)?;
        Ok(done)
    }};
}

#[async_trait]
impl Compute for Host {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn facts(&self) -> Result<HostFacts, ComputeError> {
        self.inner.facts().await
    }

    async fn list(&self) -> Result<Vec<Observed>, ComputeError> {
        call!("list", self.inner.list())
    }

    async fn observe(&self, desktops: &[DesktopId]) -> Result<Vec<Observed>, ComputeError> {
        call!("observe", self.inner.observe(desktops))
    }

    async fn clone_disk(&self, spec: &MachineSpec, base: &Path) -> Result<(), ComputeError> {
        change!(self, "clone_disk", self.inner.clone_disk(spec, base))
    }

    async fn write_seed(&self, spec: &MachineSpec, identity: &GuestIdentity) -> Result<(), ComputeError> {
        change!(self, "write_seed", self.inner.write_seed(spec, identity))
    }

    async fn define(&self, spec: &MachineSpec) -> Result<(), ComputeError> {
        change!(self, "define", self.inner.define(spec))
    }

    async fn start(&self, spec: &MachineSpec) -> Result<(), ComputeError> {
        change!(self, "start", self.inner.start(spec))
    }

    async fn shut_down(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        change!(self, "shut_down", self.inner.shut_down(desktop))
    }

    async fn power_off(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        change!(self, "power_off", self.inner.power_off(desktop))
    }

    async fn remove(&self, desktop: DesktopId, keep_generation: Option<u32>) -> Result<(), ComputeError> {
        change!(self, "remove", self.inner.remove(desktop, keep_generation))
    }

    async fn dial(&self, desktop: &Desktop, port: GuestPort) -> Result<BoxStream, ComputeError> {
        call!("dial", self.inner.dial(desktop, port))
    }

    async fn screenshot(&self, desktop: DesktopId) -> Result<Screenshot, ComputeError> {
        self.inner.screenshot(desktop).await
    }

    fn media_folder(&self, desktop: DesktopId) -> Option<PathBuf> {
        self.inner.media_folder(desktop)
    }

    async fn media(&self, desktop: DesktopId) -> Result<Option<PathBuf>, ComputeError> {
        self.inner.media(desktop).await
    }

    async fn insert_media(&self, desktop: DesktopId, medium: Option<&Path>) -> Result<(), ComputeError> {
        self.inner.insert_media(desktop, medium).await
    }

    async fn make_personal_disk(&self, disk: PersonalDiskId, size_gib: u64) -> Result<(), ComputeError> {
        change!(self, "make_personal_disk", self.inner.make_personal_disk(disk, size_gib))
    }

    async fn detach_personal_disk(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        change!(self, "detach_personal_disk", self.inner.detach_personal_disk(desktop))
    }

    async fn free_ports(&self, taken: &BTreeSet<u16>) -> Result<u16, ComputeError> {
        // Planted: what the database refuses by itself shows only where nothing stands before it.
        let none = BTreeSet::new();
        let taken = if planted(Plant::NoPortFence) { &none } else { taken };
        call!("free_ports", self.inner.free_ports(taken))
    }

    async fn doctor(&self) -> Vec<Finding> {
        Vec::new()
    }

    async fn gpus(&self) -> Result<Inventory, ComputeError> {
        call!("gpus", self.inner.gpus())
    }

    async fn prepare_gpu(&self, hold: &GpuHold) -> Result<(), ComputeError> {
        change!(self, "prepare_gpu", self.inner.prepare_gpu(hold))
    }

    async fn release_gpu(&self, hold: &GpuHold) -> Result<(), ComputeError> {
        change!(self, "release_gpu", self.inner.release_gpu(hold))
    }

    async fn gpu_slices(&self) -> Result<Vec<GpuHold>, ComputeError> {
        call!("gpu_slices", self.inner.gpu_slices())
    }

    async fn gpu_findings(&self, gpu: Option<&GpuAddress>) -> Result<Vec<Finding>, ComputeError> {
        self.inner.gpu_findings(gpu).await
    }

    async fn gpu_wishes(&self) -> Result<Vec<Wish>, ComputeError> {
        self.inner.gpu_wishes().await
    }

    async fn settle_gpus(&self) -> Result<SettledGpus, ComputeError> {
        self.inner.settle_gpus().await
    }

    async fn plan_gpu_mode(&self, switch: &GpuSwitch) -> Result<Plan, ComputeError> {
        self.inner.plan_gpu_mode(switch).await
    }

    async fn apply_gpu_mode(
        &self,
        plan: &Plan,
        progress: &(dyn for<'a> Fn(usize, usize, &'a str) + Send + Sync),
    ) -> Result<(), ComputeError> {
        call!("apply_gpu_mode", self.inner.apply_gpu_mode(plan, progress))
    }

    async fn greeting(&self, desktop: &Desktop, port: GuestPort) -> Greeting {
        if before_call("answers").await.is_err() {
            return Greeting::Silent;
        }
        self.inner.greeting(desktop, port).await
    }
}
