//! libvirt before the suite that asks every backend the same.

use crate::suite::{self, Stage, spec};
use async_trait::async_trait;
use oriel_compute::{Compute, Observed, Power};
use oriel_libvirt::{LibvirtCompute, LibvirtConfig};
use oriel_machine::{Boot, MachineSpec};
use oriel_model::DesktopId;
use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::Duration,
};
use tempfile::TempDir;

/// A libvirt with QEMU, and a machine that is the probe's payload.
pub struct OnLibvirt {
    folder: TempDir,
    compute: LibvirtCompute,
    /// Another installation on the same libvirt, with a machine of its own.
    other: LibvirtCompute,
    foreign: Mutex<Option<MachineSpec>>,
    /// Ports that were given out, also to machines that are not started yet.
    given: Mutex<BTreeSet<u16>>,
}

fn config(folder: &Path, name: &str, first: u16) -> LibvirtConfig {
    LibvirtConfig {
        name: name.to_owned(),
        uri: std::env::var("ORIEL_TEST_LIBVIRT_URI").unwrap_or_else(|_| String::from("qemu:///system")),
        data: folder.join(name),
        run: folder.join(format!("run-{name}")),
        ports: first..=first + 98,
    }
}

impl OnLibvirt {
    /// `first`: ports differ from test to test, which run beside each other.
    pub async fn find(first: u16) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("oriel").tempdir().unwrap();
        // As a data folder should be: QEMU's user passes through.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let compute = LibvirtCompute::new(config(folder.path(), "here", first));
        let other = LibvirtCompute::new(config(folder.path(), "there", first + 100));
        match compute.list().await {
            Ok(_) => Some(Self { folder, compute, other, foreign: Mutex::default(), given: Mutex::default() }),
            Err(error) if std::env::var("ORIEL_TEST_VM").is_ok_and(|word| word == "required") => panic!("{error}"),
            Err(error) => {
                eprintln!("skipped: {error}");
                None
            }
        }
    }

    pub async fn tidy(self) {
        let foreign = self.foreign.lock().unwrap().take();
        if let Some(spec) = foreign {
            self.other.remove(spec.desktop, None).await.unwrap();
        }
    }
}

#[async_trait]
impl Stage for OnLibvirt {
    type Host = LibvirtCompute;

    fn host(&self) -> &LibvirtCompute {
        &self.compute
    }
    async fn spec(&self, name: &str) -> MachineSpec {
        let kernel = self.folder.path().join("payload");
        std::fs::write(&kernel, oriel_compute::probe::payload()).unwrap();
        let given = self.given.lock().unwrap().clone();
        let port = self.compute.free_ports(&given).await.unwrap();
        self.given.lock().unwrap().insert(port);
        MachineSpec {
            boot: Boot::Kernel { kernel, initrd: None, command_line: String::from("test") },
            port_base: Some(port),
            ..spec(name, None)
        }
    }
    fn base(&self) -> PathBuf {
        let base = self.folder.path().join("base.qcow2");
        if !base.exists() {
            let made =
                Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&base).arg("16M").status().unwrap();
            assert!(made.success());
        }
        base
    }
    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }
    fn lose_an_answer(&self) -> bool {
        false
    }
    /// The same desktop's machine, of another data folder: libvirt knows one machine by one id, so it has an id of its own.
    async fn put_foreign(&self, like: &MachineSpec) -> bool {
        let spec = MachineSpec { port_base: None, ..MachineSpec { desktop: DesktopId::new(), ..like.clone() } };
        suite::make(&self.other, &spec, &self.base()).await.unwrap();
        *self.foreign.lock().unwrap() = Some(spec);
        true
    }
    async fn foreign_is_untouched(&self) -> bool {
        let Some(spec) = self.foreign.lock().unwrap().clone() else { return false };
        let of_it = |found: &Observed| found.desktop == spec.desktop;
        let here = self.compute.list().await.unwrap();
        let there = self.other.list().await.unwrap();
        !here.iter().any(of_it) && there.iter().any(|found| of_it(found) && found.power == Power::Running)
    }
}
