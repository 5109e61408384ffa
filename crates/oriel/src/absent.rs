//! The host that is not there: built without libvirt, or told to use none. Everything else works; desktops wait.

use async_trait::async_trait;
use oriel_compute::{BoxStream, Compute, ComputeError, Observed, Screenshot};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::{Desktop, DesktopId, Finding, GuestPort, HostFacts};
use std::{collections::BTreeSet, path::Path};

pub struct Absent {
    pub uri: String,
}

impl Absent {
    fn no<T>(&self) -> Result<T, ComputeError> {
        let reason = if cfg!(feature = "libvirt") {
            "the configuration says that there is none (libvirt_uri)"
        } else {
            "this program was built without its libvirt feature"
        };
        Err(ComputeError::Unreachable { uri: self.uri.clone(), reason: reason.to_owned() })
    }
}

#[async_trait]
impl Compute for Absent {
    fn name(&self) -> &'static str {
        "none"
    }
    async fn facts(&self) -> Result<HostFacts, ComputeError> {
        self.no()
    }
    async fn list(&self) -> Result<Vec<Observed>, ComputeError> {
        self.no()
    }
    async fn clone_disk(&self, _: &MachineSpec, _: &Path) -> Result<(), ComputeError> {
        self.no()
    }
    async fn write_seed(&self, _: &MachineSpec, _: &GuestIdentity) -> Result<(), ComputeError> {
        self.no()
    }
    async fn define(&self, _: &MachineSpec) -> Result<(), ComputeError> {
        self.no()
    }
    async fn start(&self, _: &MachineSpec) -> Result<(), ComputeError> {
        self.no()
    }
    async fn shut_down(&self, _: DesktopId) -> Result<(), ComputeError> {
        self.no()
    }
    async fn power_off(&self, _: DesktopId) -> Result<(), ComputeError> {
        self.no()
    }
    async fn remove(&self, _: DesktopId, _: Option<u32>) -> Result<(), ComputeError> {
        self.no()
    }
    async fn dial(&self, _: &Desktop, _: GuestPort) -> Result<BoxStream, ComputeError> {
        self.no()
    }
    async fn screenshot(&self, _: DesktopId) -> Result<Screenshot, ComputeError> {
        self.no()
    }
    async fn free_ports(&self, _: &BTreeSet<u16>) -> Result<u16, ComputeError> {
        self.no()
    }
    async fn doctor(&self) -> Vec<Finding> {
        Vec::new()
    }
}
