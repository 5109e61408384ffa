//! Desktops on libvirt and QEMU. No other room speaks libvirt.
//!
//! Files of a desktop lie in `{data}/desktops/{id}/`, one set per generation: `disk-3.qcow2`, `seed-3.iso`,
//! `serial-3.log`. Its network helper lives in `{run}/{id}/` ([`network`]).

mod connection;
mod disk;
mod findings;
mod firmware;
mod network;
mod personal_disk;
mod places;
mod seal;
mod seed_iso;

pub use findings::findings;

use async_trait::async_trait;
use connection::{Connection, QemuUser};
use oriel_compute::{
    BoxStream, Compute, ComputeError, Gpus, Observed, Power, Screenshot, Sealed, SettledGpus, machine_facts, probe,
};
use oriel_gpu::{
    Inventory,
    mode::{Plan, Wish},
    sysfs::Folder,
};
use oriel_machine::{Boot, CdDrive, GuestIdentity, MachineSpec, Marker, Places, Surroundings, domain_xml, marker_of};
use oriel_model::{
    Desktop, DesktopId, DiskFacts, Finding, GpuAddress, GpuHold, GpuSwitch, GuestPort, HostFacts, ImageOs, Name,
    Network, PersonalDiskId,
};
use places::{Kind, Layout};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    ops::RangeInclusive,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::net::{TcpStream, UnixStream};
use virt::{connect::Connect, domain::Domain, stream::Stream as VirtStream, sys};

/// How long a guest's door may take to open, in seconds.
const DIAL_SECONDS_MAX: u64 = 5;
const RDP_PORT: u16 = 3389;
const SSH_PORT: u16 = 22;
/// Below the data folder: the modes that GPUs were set to, and the journals of switches.
const GPU_FOLDER: &str = "gpu";
/// Below the data folder: ROMs of cards whose own cannot be read, by address (`0000:41:00.0.rom`).
const ROM_FOLDER: &str = "roms";
const INACTIVE: u32 = sys::VIR_DOMAIN_XML_INACTIVE;
/// One read of a screenshot's stream, in bytes.
const PICTURE_CHUNK: usize = 256 * 1024;

/// How to reach libvirt, and where desktops' files go.
#[derive(Clone, Debug)]
pub struct LibvirtConfig {
    /// What people and the database call this host.
    pub name: String,
    /// Any `qemu:///` address of this machine: `qemu:///system`, `qemu:///session`, `qemu:///embed?root=DIR`.
    pub uri: String,
    /// The data folder; QEMU's user must be able to enter it.
    pub data: PathBuf,
    /// For sockets, whose paths must be short (107 bytes): `DATA/run`.
    pub run: PathBuf,
    /// Loopback ports for desktops on the `user` network.
    pub ports: RangeInclusive<u16>,
}

pub struct LibvirtCompute {
    config: LibvirtConfig,
    connection: Connection,
    layout: Layout,
    gpus: Gpus,
}

impl LibvirtCompute {
    /// Connects when it is first needed, and again whenever libvirt was restarted.
    pub fn new(config: LibvirtConfig) -> Self {
        let layout = Layout::new(&config.data, &config.run);
        let gpus = Gpus::new(Arc::new(Folder::host()), layout.home().join(GPU_FOLDER));
        Self { connection: Connection::new(&config.uri), layout, gpus, config }
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl Fn(&Connect, &Path) -> Result<T, ComputeError> + Send + 'static,
    ) -> Result<T, ComputeError> {
        let home = self.layout.home().to_owned();
        self.connection.with(move |connect| work(connect, &home)).await
    }

    async fn places(&self, spec: &MachineSpec) -> Result<Places, ComputeError> {
        let file = |kind| self.layout.file(spec.desktop, spec.generation, kind);
        let helper = spec.network == Network::User && self.user_network().await;
        Ok(Places {
            home: self.layout.home().to_owned(),
            disk: file(Kind::Disk),
            seed: Some(file(Kind::Seed)).filter(|seed| seed.exists()),
            personal_disk: spec.home.and_then(|home| home.disk).map(|disk| self.layout.personal_disk(disk)),
            medium: self.kept_medium(spec).await?,
            network_socket: helper.then(|| self.layout.network_socket(spec.desktop)),
            serial_log: Some(file(Kind::Serial)),
            host: self.surroundings(spec).await,
        })
    }

    /// What lies in the drive of the machine of this generation: that is not taken out where it is described again. Where libvirt does not
    /// say, nothing is known of it, and the machine is not described.
    async fn kept_medium(&self, spec: &MachineSpec) -> Result<Option<PathBuf>, ComputeError> {
        let (desktop, generation) = (spec.desktop, spec.generation);
        let found = self
            .with(move |connect, home| {
                let Some((domain, marker)) = find(connect, home, desktop)? else { return Ok(None) };
                let kept = if marker.generation == generation { drive(&domain, INACTIVE)? } else { None };
                Ok(kept.and_then(|drive| drive.medium))
            })
            .await?;
        // Without its file the machine would not start.
        Ok(found.filter(|medium| medium.exists()))
    }

    /// A machine without a GPU is the same on every host.
    async fn surroundings(&self, spec: &MachineSpec) -> Surroundings {
        if spec.gpus.is_empty() {
            return Surroundings::default();
        }
        let roms = self.layout.home().join(ROM_FOLDER);
        let mut surroundings = self.gpus.surroundings(&spec.gpus, roms).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "The host's GPUs cannot be read; a machine is described without knowing them");
            Surroundings::default()
        });
        if matches!(spec.boot, Boot::Disk | Boot::Drive) {
            let disk = self.layout.file(spec.desktop, spec.generation, Kind::Disk);
            surroundings.efi_disk = firmware::efi_disk(&disk).await;
        }
        surroundings
    }

    /// Whether desktops can reach the world; without that they are cut off, but can still be dialled.
    async fn user_network(&self) -> bool {
        let Ok(user) = self.connection.qemu_user().await else { return false };
        match network::usable(user).await {
            Ok(()) => true,
            Err(reason) => {
                tracing::warn!(reason, "Desktops on the network \"user\" reach nothing outside");
                false
            }
        }
    }

    /// Makes a machine that is not our generation go, and says whether the wanted one is there.
    async fn remove_domain(&self, desktop: DesktopId, keep_generation: Option<u32>) -> Result<bool, ComputeError> {
        self.with(move |connect, home| {
            let Some((domain, marker)) = find(connect, home, desktop)? else { return Ok(false) };
            if keep_generation == Some(marker.generation) {
                return Ok(true);
            }
            pull_plug(&domain)?;
            let flags = sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
                | sys::VIR_DOMAIN_UNDEFINE_NVRAM;
            domain
                .undefine_flags(flags)
                .or_else(connection::fine_when_gone)
                .map_err(connection::failed("remove the machine"))?;
            Ok(false)
        })
        .await
    }

    async fn guest_address(&self, desktop: DesktopId) -> Result<IpAddr, ComputeError> {
        self.with(move |connect, home| {
            let (domain, _) = find(connect, home, desktop)?.ok_or(ComputeError::NoMachine)?;
            if !domain.is_active().map_err(connection::failed("look at the machine"))? {
                return Err(ComputeError::NotRunning);
            }
            // A lease is the host's own word; the guest's word comes next.
            let sources =
                [sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT];
            let addresses =
                sources.into_iter().filter_map(|source| domain.interface_addresses(source, 0).ok()).flatten();
            addresses
                .flat_map(|interface| interface.addrs)
                .filter_map(|address| address.addr.parse::<Ipv4Addr>().ok())
                .find(|address| !address.is_loopback() && !address.is_link_local())
                .map(IpAddr::V4)
                .ok_or(ComputeError::NoAddress)
        })
        .await
    }
}

/// The desktop's domain, if it is really ours.
fn find(connect: &Connect, home: &Path, desktop: DesktopId) -> Result<Option<(Domain, Marker)>, ComputeError> {
    let domain = match Domain::lookup_by_uuid(connect, desktop.0) {
        Ok(domain) => domain,
        Err(error) if connection::is_gone(&error) => return Ok(None),
        Err(error) => return Err(connection::failed("look for the machine")(error)),
    };
    let marker = mark(&domain, home).map_err(connection::failed("read whose the machine is"))?;
    Ok(marker.filter(|marker| marker.desktop == desktop).map(|marker| (domain, marker)))
}

/// Ours and how they are. A machine of which libvirt does not say that is not off, nor gone: then nothing is known of any.
fn ours(connect: &Connect, home: &Path) -> Result<Vec<(Marker, Power)>, ComputeError> {
    let mut ours = Vec::new();
    for domain in connect.list_all_domains(0).map_err(connection::failed("list machines"))? {
        match mark(&domain, home) {
            Ok(Some(marker)) => ours.push((marker, power(&domain)?)),
            Ok(None) => {}
            // Somebody else's that we may not read.
            Err(error) if connect.is_alive().unwrap_or(false) => {
                tracing::warn!(error = error.message(), "Whose a machine is cannot be read");
            }
            Err(error) => return Err(connection::failed("read whose a machine is")(error)),
        }
    }
    Ok(ours)
}

fn mark(domain: &Domain, home: &Path) -> Result<Option<Marker>, virt::error::Error> {
    let (kind, namespace) = (sys::VIR_DOMAIN_METADATA_ELEMENT as i32, oriel_machine::METADATA_NAMESPACE);
    let metadata = match domain.get_metadata(kind, Some(namespace), 0) {
        Ok(metadata) => metadata,
        Err(error) if connection::is_gone(&error) || connection::has_no_metadata(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    // libvirt gives the element of that namespace, stripped of the namespace itself. Machines of another data folder are
    // somebody else's, though they carry our mark.
    let marker = marker_of(&format!("<metadata xmlns=\"{namespace}\">{metadata}</metadata>"));
    Ok(marker.filter(|marker| Path::new(&marker.home) == home))
}

/// What libvirt does not say is no power state: whoever took it for off would cut the power of people at work.
fn power(domain: &Domain) -> Result<Power, ComputeError> {
    Ok(match domain.get_state() {
        Ok((sys::VIR_DOMAIN_PAUSED | sys::VIR_DOMAIN_PMSUSPENDED, _)) => Power::Paused,
        Ok((sys::VIR_DOMAIN_CRASHED, _)) => Power::Crashed,
        // A guest that panicked is destroyed; libvirt remembers why.
        Ok((sys::VIR_DOMAIN_SHUTOFF, reason)) if reason == sys::VIR_DOMAIN_SHUTOFF_CRASHED as i32 => Power::Crashed,
        Ok((sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED | sys::VIR_DOMAIN_SHUTDOWN, _)) => Power::Running,
        Ok(_) => Power::Off,
        Err(error) if connection::is_gone(&error) => Power::Off,
        Err(error) => return Err(connection::failed("look at the machine")(error)),
    })
}

/// The machine's drive as it is now (0), or from its next start on ([`INACTIVE`]).
fn drive(domain: &Domain, which: u32) -> Result<Option<CdDrive>, ComputeError> {
    let xml = domain.get_xml_desc(which).map_err(connection::failed("look at the machine's drive"))?;
    Ok(CdDrive::find(&xml))
}

fn pull_plug(domain: &Domain) -> Result<(), ComputeError> {
    if domain
        .is_active()
        .or_else(|error| if connection::is_gone(&error) { Ok(false) } else { Err(error) })
        .map_err(connection::failed("look at the machine"))?
    {
        domain.destroy().or_else(connection::fine_when_gone).map_err(connection::failed("switch the machine off"))?;
    }
    Ok(())
}

#[async_trait]
impl Compute for LibvirtCompute {
    fn name(&self) -> &str {
        &self.config.name
    }

    async fn facts(&self) -> Result<HostFacts, ComputeError> {
        let machine = machine_facts(&self.config.data);
        let versions =
            self.with(move |connect, _| Ok((connect.get_lib_version().ok(), connect.get_hyp_version().ok()))).await?;
        let accelerator = probe::probe(&self.config.data).await.accelerator();
        Ok(HostFacts {
            name: self.config.name.clone(),
            uri: self.config.uri.clone(),
            os: machine.os,
            kernel: machine.kernel,
            arch: machine.arch,
            cpus: machine.cpus,
            cpu_model: machine.cpu_model,
            memory_mib: machine.memory_mib,
            free_disk_bytes: machine.free_disk_bytes,
            libvirt_version: versions.0.map(connection::version_text),
            qemu_version: versions.1.map(connection::version_text),
            accelerator,
        })
    }

    async fn list(&self) -> Result<Vec<Observed>, ComputeError> {
        let domains = self.with(ours).await?;
        let mut all = BTreeMap::new();
        for found in self.layout.scan()? {
            let key = (found.desktop, found.generation.unwrap_or(0));
            let observed = all.entry(key).or_insert_with(|| nothing(key));
            observed.disk |= found.kind == Some(Kind::Disk);
            observed.seed |= found.kind == Some(Kind::Seed);
        }
        for (marker, power) in domains {
            let key = (marker.desktop, marker.generation);
            let observed = all.entry(key).or_insert_with(|| nothing(key));
            (observed.domain, observed.power) = (true, power);
        }
        // An empty folder matters only when nothing else is left of its desktop.
        let whole: BTreeSet<DesktopId> =
            all.keys().filter(|(_, generation)| *generation > 0).map(|(desktop, _)| *desktop).collect();
        Ok(all
            .into_values()
            .filter(|observed| {
                observed.generation > 0 || observed.domain || observed.disk || !whole.contains(&observed.desktop)
            })
            .collect())
    }

    async fn clone_disk(&self, spec: &MachineSpec, base: &Path) -> Result<(), ComputeError> {
        self.layout.make_desktop_folder(spec.desktop)?;
        if let Ok(user) = self.connection.qemu_user().await {
            disk::check_enterable(&self.config.data, user)?;
            disk::check_enterable(base, user)?;
        }
        disk::clone(base, &self.layout.file(spec.desktop, spec.generation, Kind::Disk), spec.disk_gib).await
    }

    async fn write_seed(&self, spec: &MachineSpec, identity: &GuestIdentity) -> Result<(), ComputeError> {
        self.layout.make_desktop_folder(spec.desktop)?;
        seed_iso::write(
            &self.layout.file(spec.desktop, spec.generation, Kind::Seed),
            oriel_machine::seed(spec, identity)?,
        )
    }

    async fn define(&self, spec: &MachineSpec) -> Result<(), ComputeError> {
        self.remove_domain(spec.desktop, Some(spec.generation)).await?;
        let libvirt = self
            .with(move |connect, _| connect.get_lib_version().map_err(connection::failed("say its version")))
            .await?;
        let xml = domain_xml(spec, &self.places(spec).await?, libvirt)?;
        self.with(move |connect, _| {
            Domain::define_xml(connect, &xml).map(drop).map_err(connection::failed("define the machine"))
        })
        .await
    }

    async fn start(&self, spec: &MachineSpec) -> Result<(), ComputeError> {
        let (desktop, generation) = (spec.desktop, spec.generation);
        let power = self
            .with(move |connect, home| {
                let found = find(connect, home, desktop)?.filter(|(_, marker)| marker.generation == generation);
                power(&found.ok_or(ComputeError::NoMachine)?.0)
            })
            .await?;
        if power == Power::Running {
            return Ok(());
        }
        if power != Power::Paused && spec.network == Network::User && self.user_network().await {
            network::start(&self.layout, desktop, self.connection.qemu_user().await?).await?;
        }
        self.with(move |connect, home| {
            let (domain, _) = find(connect, home, desktop)?.ok_or(ComputeError::NoMachine)?;
            match self::power(&domain)? {
                Power::Running => Ok(()),
                Power::Paused => domain.resume().map(drop).map_err(connection::failed("resume the machine")),
                Power::Off | Power::Crashed | Power::Lost => {
                    domain.create().map(drop).map_err(connection::failed("start the machine"))
                }
            }
        })
        .await
    }

    async fn shut_down(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        self.with(move |connect, home| {
            let Some((domain, _)) = find(connect, home, desktop)? else { return Ok(()) };
            if power(&domain)? != Power::Running {
                return Ok(());
            }
            // The agent when it listens, the power button otherwise.
            let agent = domain.shutdown_flags(sys::VIR_DOMAIN_SHUTDOWN_GUEST_AGENT);
            agent
                .or_else(|_| domain.shutdown_flags(sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN))
                .map(drop)
                .or_else(connection::fine_when_gone)
                .map_err(connection::failed("shut the machine down"))
        })
        .await
    }

    async fn power_off(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        self.with(move |connect, home| find(connect, home, desktop)?.map_or(Ok(()), |(domain, _)| pull_plug(&domain)))
            .await?;
        network::stop(&self.layout, desktop).await
    }

    async fn remove(&self, desktop: DesktopId, keep_generation: Option<u32>) -> Result<(), ComputeError> {
        let kept = self.remove_domain(desktop, keep_generation).await?;
        if !kept {
            network::stop(&self.layout, desktop).await?;
        }
        self.layout.remove(desktop, keep_generation)
    }

    async fn dial(&self, desktop: &Desktop, port: GuestPort) -> Result<BoxStream, ComputeError> {
        let (guest, offset) = match port {
            GuestPort::Console => return self.console(desktop.id).await,
            GuestPort::Rdp => (RDP_PORT, 0),
            GuestPort::Ssh => (SSH_PORT, 1),
        };
        let address = match desktop.port_base.and_then(|base| base.checked_add(offset)) {
            Some(host) => SocketAddr::from((Ipv4Addr::LOCALHOST, host)),
            None => SocketAddr::new(self.guest_address(desktop.id).await?, guest),
        };
        let failed = |reason: String| ComputeError::NotAnswering { address: address.to_string(), reason };
        let stream = tokio::time::timeout(Duration::from_secs(DIAL_SECONDS_MAX), TcpStream::connect(address))
            .await
            .map_err(|_| failed(format!("no answer within {DIAL_SECONDS_MAX} s")))?
            .map_err(|error| failed(error.to_string()))?;
        // Keystrokes must not wait for more of their kind.
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        Ok(Box::new(stream))
    }

    async fn screenshot(&self, desktop: DesktopId) -> Result<Screenshot, ComputeError> {
        self.with(move |connect, home| {
            let (domain, _) = find(connect, home, desktop)?.ok_or(ComputeError::NoMachine)?;
            if power(&domain)? != Power::Running {
                return Err(ComputeError::NotRunning);
            }
            let failed = || connection::failed("take a picture of the machine's display");
            let stream = VirtStream::new(connect, 0).map_err(failed())?;
            domain.screenshot(&stream, 0, 0).map_err(failed())?;
            let mut encoded = Vec::new();
            let mut chunk = vec![0; PICTURE_CHUNK];
            loop {
                let got = stream.recv(&mut chunk).map_err(failed())?;
                if got == 0 {
                    break;
                }
                encoded.extend_from_slice(chunk.get(..got).unwrap_or_default());
                if encoded.len() > Screenshot::ENCODED_MAX {
                    let _ = stream.abort();
                    return Err(ComputeError::Picture(format!("it is larger than {} bytes", Screenshot::ENCODED_MAX)));
                }
            }
            stream.finish().map_err(failed())?;
            Screenshot::decode(&encoded)
        })
        .await
    }

    fn media_folder(&self, desktop: DesktopId) -> Option<PathBuf> {
        Some(self.layout.media_folder(desktop))
    }

    async fn media(&self, desktop: DesktopId) -> Result<Option<PathBuf>, ComputeError> {
        self.with(move |connect, home| {
            let Some((domain, _)) = find(connect, home, desktop)? else { return Ok(None) };
            Ok(drive(&domain, INACTIVE)?.and_then(|drive| drive.medium))
        })
        .await
    }

    async fn insert_media(&self, desktop: DesktopId, medium: Option<&Path>) -> Result<(), ComputeError> {
        if let Some(medium) = medium
            && let Ok(user) = self.connection.qemu_user().await
        {
            disk::check_enterable(medium, user)?;
        }
        let medium = medium.map(std::path::absolute).transpose().map_err(ComputeError::file("find", Path::new(".")))?;
        self.with(move |connect, home| {
            let Some((domain, _)) = find(connect, home, desktop)? else {
                return if medium.is_some() { Err(ComputeError::NoMachine) } else { Ok(()) };
            };
            let active = domain.is_active().map_err(connection::failed("look at the machine"))?;
            let (later, now) = (drive(&domain, INACTIVE)?, if active { Some(drive(&domain, 0)?) } else { None });
            let (Some(later), false) = (later, now == Some(None)) else {
                // Nothing is in what is not there.
                return if medium.is_some() { Err(ComputeError::NoDriveYet) } else { Ok(()) };
            };
            let is_so = |drive: &CdDrive| drive.medium == medium;
            if is_so(&later) && now.flatten().as_ref().is_none_or(is_so) {
                return Ok(());
            }
            // A guest that holds its tray shut does not keep what its person wants out.
            let mut flags = sys::VIR_DOMAIN_AFFECT_CONFIG | sys::VIR_DOMAIN_DEVICE_MODIFY_FORCE;
            if active {
                flags |= sys::VIR_DOMAIN_AFFECT_LIVE;
            }
            let xml = CdDrive { medium: medium.clone(), ..later }.xml()?;
            let action = if medium.is_some() { "put the image into the drive" } else { "empty the drive" };
            domain.update_device_flags(&xml, flags).map(drop).map_err(connection::failed(action))
        })
        .await
    }

    async fn make_personal_disk(&self, disk: PersonalDiskId, size_gib: u64) -> Result<(), ComputeError> {
        self.make_disk(disk, size_gib).await
    }

    async fn detach_personal_disk(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        self.take_disk_out(desktop).await
    }

    async fn personal_disk_facts(&self, disk: PersonalDiskId) -> Result<DiskFacts, ComputeError> {
        self.disk_facts(disk).await
    }

    async fn grow_personal_disk(&self, disk: PersonalDiskId, size_gib: u64) -> Result<(), ComputeError> {
        self.grow_disk(disk, size_gib).await
    }

    async fn snapshot_personal_disk(&self, disk: PersonalDiskId, snapshot: &Name) -> Result<(), ComputeError> {
        self.make_disk_snapshot(disk, snapshot).await
    }

    async fn restore_personal_disk(&self, disk: PersonalDiskId, snapshot: &Name) -> Result<(), ComputeError> {
        self.restore_disk_snapshot(disk, snapshot).await
    }

    async fn drop_personal_disk_snapshot(&self, disk: PersonalDiskId, snapshot: &Name) -> Result<(), ComputeError> {
        self.drop_disk_snapshot(disk, snapshot).await
    }

    async fn export_personal_disk(
        &self,
        disk: PersonalDiskId,
        progress: &(dyn Fn(f64) + Send + Sync),
    ) -> Result<u64, ComputeError> {
        self.copy_disk(disk, progress).await
    }

    fn personal_disk_export(&self, disk: PersonalDiskId) -> Option<PathBuf> {
        Some(self.layout.disk_export(disk)).filter(|path| path.is_file())
    }

    async fn delete_personal_disk_export(&self, disk: PersonalDiskId) -> Result<(), ComputeError> {
        self.remove_disk(disk, true)
    }

    async fn delete_personal_disk(&self, disk: PersonalDiskId) -> Result<(), ComputeError> {
        self.remove_whole_disk(disk).await
    }

    async fn check_agent(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        self.ping_agent(desktop).await
    }

    async fn seal(&self, desktop: DesktopId, os: ImageOs, account: Option<&str>) -> Result<Sealed, ComputeError> {
        self.seal_guest(desktop, os, account).await
    }

    fn disk_file(&self, desktop: DesktopId, generation: u32) -> Option<PathBuf> {
        Some(self.layout.file(desktop, generation, Kind::Disk))
    }

    async fn free_ports(&self, taken: &BTreeSet<u16>) -> Result<u16, ComputeError> {
        let (first, last) = (*self.config.ports.start(), *self.config.ports.end());
        let bases = (first..last).step_by(usize::from(MachineSpec::PORTS));
        bases
            .filter(|base| !taken.contains(base))
            .find(|base| both_free(*base))
            .ok_or(ComputeError::NoPorts { first, last })
    }

    async fn ports_free(&self, base: u16) -> bool {
        both_free(base)
    }

    async fn gpus(&self) -> Result<Inventory, ComputeError> {
        self.gpus.inventory().await
    }

    async fn gpu_findings(&self, gpu: Option<&GpuAddress>) -> Result<Vec<Finding>, ComputeError> {
        self.gpus.findings(gpu.cloned()).await
    }

    async fn prepare_gpu(&self, hold: &GpuHold) -> Result<(), ComputeError> {
        self.gpus.prepare(hold).await
    }

    async fn release_gpu(&self, hold: &GpuHold) -> Result<(), ComputeError> {
        self.gpus.release(hold).await
    }

    async fn gpu_slices(&self) -> Result<Vec<GpuHold>, ComputeError> {
        self.gpus.slices().await
    }

    async fn plan_gpu_mode(&self, switch: &GpuSwitch) -> Result<Plan, ComputeError> {
        self.gpus.plan(switch).await
    }

    async fn gpu_wishes(&self) -> Result<Vec<Wish>, ComputeError> {
        self.gpus.wishes().await
    }

    async fn settle_gpus(&self) -> Result<SettledGpus, ComputeError> {
        self.gpus.settle().await
    }

    async fn apply_gpu_mode(
        &self,
        plan: &Plan,
        progress: &(dyn for<'a> Fn(usize, usize, &'a str) + Send + Sync),
    ) -> Result<(), ComputeError> {
        self.gpus.apply(plan, progress).await
    }

    async fn doctor(&self) -> Vec<Finding> {
        oriel_compute::doctor(&self.config.data, findings(&self.config.uri, &self.config.data).await).await
    }
}

impl LibvirtCompute {
    /// One end of a socket pair goes to QEMU's VNC server through libvirt: nothing listens anywhere, and no permission
    /// on any path is needed.
    async fn console(&self, desktop: DesktopId) -> Result<BoxStream, ComputeError> {
        let near = self
            .with(move |connect, home| {
                let (domain, _) = find(connect, home, desktop)?.ok_or(ComputeError::NoMachine)?;
                if power(&domain)? == Power::Off {
                    return Err(ComputeError::NotRunning);
                }
                let pair = std::os::unix::net::UnixStream::pair();
                let (near, far) = pair.map_err(|error| ComputeError::NotAnswering {
                    address: String::from("the console"),
                    reason: error.to_string(),
                })?;
                domain
                    .open_graphics(0, far.as_raw_fd(), sys::VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
                    .map_err(connection::failed("open the machine's console"))?;
                Ok(near)
            })
            .await?;
        let stream = near.set_nonblocking(true).and_then(|()| UnixStream::from_std(near));
        Ok(Box::new(stream.map_err(|error| ComputeError::NotAnswering {
            address: String::from("the console"),
            reason: error.to_string(),
        })?))
    }
}

/// Whether nobody listens on a desktop's two ports.
fn both_free(base: u16) -> bool {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    free(base) && base.checked_add(1).is_some_and(free)
}

const fn nothing((desktop, generation): (DesktopId, u32)) -> Observed {
    Observed { desktop, generation, power: Power::Off, domain: false, disk: false, seed: false }
}
