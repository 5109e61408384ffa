//! Desktops on an OpenStack: one region of one project. Nova and Placement decide where; Oriel asks well.
//!
//! A desktop's machine is a server with tags that say whose it is ([`mark`]). There are no files and no ports of a host: disk, seed
//! and definition are parts of the one call that makes the server ([`make`]), and the guest is dialled at the server's address.
//! What Oriel observes is one list by tags for each look. `changes-since` would not show a delete: Nova takes a deleted server's tags away.

mod floating;
mod golden;
mod groups;
mod image;
mod make;
mod mark;
mod offer;
mod renew;
mod screen;
mod work;

use crate::{
    BoxStream, Compute, ComputeError, ImageFile, Jump, MachineWork, Observed, Power, Renewed, ScreenProtocol,
    Screenshot,
};
use async_trait::async_trait;
use floating::Floating;
use golden::Golden;
use groups::Groups;
use ipnet::IpNet;
use make::Flavors;
use mark::Mark;
use oriel_machine::{Arch, GuestIdentity, MachineSpec};
use oriel_model::{
    Accelerator, AcceleratorKind, CloudOffer, Desktop, DesktopId, Finding, GuestPort, HostFacts, Severity,
};
use oriel_openstack::{
    Client, Cloud, ConsoleAddress, ConsoleKind, OpenStackError, Options, Reboot, Server, ServerFilter, ServerStatus,
    doctor,
};
use screen::Screen;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::net::TcpStream;

/// How long a guest's door may take to open, in seconds: it may be in another house.
const DIAL_SECONDS_MAX: u64 = 10;
/// A delete is waited for so long; then the step is taken again later.
const GONE_SECONDS_MAX: u64 = 15;
/// Between two looks whether it is gone.
const GONE_LOOK: Duration = Duration::from_millis(500);
/// A server that was off for so long is shelved, where that is wanted: who comes back soon does not wait for it.
const SHELVE_SECONDS: u64 = 600;
/// Shelved in one round: each keeps a disk as an image.
const SHELVED_AT_ONCE: usize = 4;
const RDP_PORT: u16 = 3389;
const SSH_PORT: u16 = 22;

/// Which cloud, and what is ours there.
#[derive(Clone, Debug)]
pub struct OpenStackConfig {
    /// What people and the database call this cloud.
    pub name: String,
    pub cloud: Cloud,
    /// One of the cloud's, where it has several.
    pub region: Option<String>,
    /// Whose servers are ours: made once for a database, at most 51 characters without `,` and `/`.
    pub installation: String,
    /// From where desktops' RDP and SSH are dialled: nothing else reaches them. Empty: from anywhere.
    pub gateways: Vec<IpNet>,
    /// Desktops that are off are shelved: they take no room on a host, and longer to start.
    pub shelve: bool,
    /// Guests and screens are dialled through this one.
    pub jump: Option<Jump>,
    pub options: Options,
}

/// A network from which guests are dialled: `192.0.2.0/24`, or one address.
///
/// # Errors
/// A sentence: what is no network.
pub fn gateway(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map(|net| net.trunc())
        .map_err(|_| format!("{:?} is no address and no network", text.chars().take(64).collect::<String>()))
}

pub struct OpenStackCompute {
    config: OpenStackConfig,
    client: Arc<Client>,
    flavors: tokio::sync::Mutex<Flavors>,
    /// Ids of servers that the last list saw beside an older one of the same generation.
    surplus: Mutex<BTreeSet<String>>,
    /// Ids of servers that the last list saw off for long enough to be put away.
    idle: Mutex<Vec<String>>,
    /// A server with snapshots was seen since this was started, so that some may be left of one that has gone.
    has_snapshots: AtomicBool,
    groups: Groups,
    floating: Floating,
    golden: Golden,
}

impl OpenStackCompute {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// The cloud's certificate cannot be used.
    pub fn new(config: OpenStackConfig) -> Result<Self, ComputeError> {
        let client = Client::new(&config.cloud, config.region.as_deref(), config.options.clone())
            .map_err(|source| ComputeError::Cloud { cloud: config.name.clone(), source })?;
        let client = Arc::new(client);
        Ok(Self {
            config,
            client,
            flavors: tokio::sync::Mutex::default(),
            surplus: Mutex::default(),
            idle: Mutex::default(),
            has_snapshots: AtomicBool::default(),
            groups: Groups::default(),
            floating: Floating::default(),
            golden: Golden::default(),
        })
    }

    /// Requests so far, repetitions included.
    pub fn calls(&self) -> u64 {
        self.client.calls()
    }

    /// As [`Self::calls`], by what they were for ("list servers").
    pub fn calls_by_kind(&self) -> BTreeMap<String, u64> {
        self.client.calls_by_kind()
    }

    fn failed(&self, source: OpenStackError) -> ComputeError {
        ComputeError::Cloud { cloud: self.config.name.clone(), source }
    }

    /// Ours among those with these tags, by desktop, generation and age.
    async fn servers(&self, tags: Vec<String>) -> Result<Vec<(Mark, Server)>, ComputeError> {
        let filter = ServerFilter { tags, ..ServerFilter::default() };
        let all = self.client.servers(&filter).await.map_err(|error| self.failed(error))?;
        // The filter is the cloud's; what is touched is decided here.
        let mut ours: Vec<(Mark, Server)> = all
            .into_iter()
            .filter(|server| server.status != ServerStatus::Deleted)
            .filter_map(|server| Some((Mark::of(&server, &self.config.installation)?, server)))
            .collect();
        ours.sort_by(|(a, one), (b, other)| (a, one.created, &one.id).cmp(&(b, other.created, &other.id)));
        Ok(ours)
    }

    async fn of_desktop(&self, desktop: DesktopId) -> Result<Vec<(Mark, Server)>, ComputeError> {
        let mut all = self.servers(mark::of_desktop(&self.config.installation, desktop)).await?;
        all.retain(|(mark, _)| mark.desktop == desktop);
        Ok(all)
    }

    /// The newest generation's server, to look at or to dial.
    async fn newest(&self, desktop: DesktopId) -> Result<Server, ComputeError> {
        self.its_server(desktop).await.map(|(_, server)| server)
    }

    /// The server of a generation. Of two, which a lost answer leaves, the younger goes.
    async fn only_one(&self, mark: Mark) -> Result<Option<Server>, ComputeError> {
        let mut all = self.of_desktop(mark.desktop).await?.into_iter().filter(|(its, _)| *its == mark);
        let first = all.next();
        for (_, twin) in all {
            self.delete(&twin).await?;
        }
        Ok(first.map(|(_, server)| server))
    }

    /// Straight, or through the jump host. The error is a reason.
    async fn connect(&self, host: &str, port: u16) -> Result<BoxStream, String> {
        let open = async {
            let Some(jump) = &self.config.jump else {
                let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
                stream.set_nodelay(true).map_err(|error| error.to_string())?;
                return Ok(Box::new(stream) as BoxStream);
            };
            let through = format!("through the jump host {}", jump.host.name());
            jump.dialler.open(&jump.host, host, port).await.map_err(|reason| format!("{through}: {reason}"))
        };
        tokio::time::timeout(Duration::from_secs(DIAL_SECONDS_MAX), open)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {DIAL_SECONDS_MAX} s")))
    }

    /// Shelves a server that is still off: Nova would switch off one that somebody has started since it was listed.
    async fn put_away(&self, id: &str) -> Result<(), OpenStackError> {
        let server = match self.client.server(id).await {
            Err(error) if error.is_gone() => return Ok(()),
            server => server?,
        };
        if !is_idle(&server) {
            return Ok(());
        }
        tracing::info!(cloud = self.config.name, server = id, "A server that is off is put away");
        self.client.shelve_server(id).await.or_else(fine_when_done)
    }

    async fn delete(&self, server: &Server) -> Result<(), ComputeError> {
        if server.task.as_deref() == Some("deleting") {
            return Ok(());
        }
        tracing::info!(cloud = self.config.name, server = server.id, name = server.name, "A server is being deleted");
        self.client.delete_server(&server.id).await.map_err(|error| self.failed(error))
    }

    /// Nova says yes to a delete and does it later; what is ours counts until it is gone.
    async fn until_gone(&self, servers: &[Server]) -> Result<(), ComputeError> {
        let began = Instant::now();
        for server in servers {
            loop {
                match self.client.server(&server.id).await {
                    Err(error) if error.is_gone() => break,
                    Ok(now) if now.status == ServerStatus::Deleted => break,
                    Ok(now) if now.status == ServerStatus::Error && now.task.is_none() && now.fault != server.fault => {
                        let said = now.fault.map_or_else(|| "nothing more".to_owned(), |fault| fault.message);
                        let reason = format!("server {} could not be deleted: the cloud said {said}", now.id);
                        return Err(ComputeError::NoPlace { cloud: self.config.name.clone(), reason });
                    }
                    Err(error) => return Err(self.failed(error)),
                    Ok(_) => {}
                }
                if began.elapsed() > Duration::from_secs(GONE_SECONDS_MAX) {
                    let cloud = self.config.name.clone();
                    return Err(ComputeError::CloudSlow {
                        cloud,
                        action: "deleted a server",
                        seconds: GONE_SECONDS_MAX,
                    });
                }
                tokio::time::sleep(GONE_LOOK).await;
            }
        }
        Ok(())
    }

    /// Both are `os-stop`, which asks the guest first and pulls the plug after the cloud's own patience (`shutdown_timeout`).
    async fn stop(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        for (_, server) in self.of_desktop(desktop).await? {
            // Nova would write the order down for nobody, and from then on the server would be at it.
            if server.is_host_lost() {
                continue;
            }
            let done = match server.status {
                ServerStatus::Active | ServerStatus::Rescue | ServerStatus::Error if server.task.is_none() => {
                    self.client.stop_server(&server.id).await
                }
                // Only what runs can be stopped: the next try finds it running.
                ServerStatus::Paused | ServerStatus::Suspended if server.task.is_none() => {
                    self.client.resume_server(&server).await
                }
                // Nova stops none that could still go back to what it was before.
                ServerStatus::VerifyResize if server.task.is_none() && !server.is_off => {
                    self.client.confirm_move(&server.id).await.or_else(work::fine_when_over)
                }
                _ => Ok(()),
            };
            done.or_else(fine_when_done).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }
}

/// Somebody else was faster, or it is gone.
fn fine_when_done(error: OpenStackError) -> Result<(), OpenStackError> {
    if error.is_conflict() || error.is_gone() { Ok(()) } else { Err(error) }
}

/// Off, and nothing was done with it for a while.
fn is_idle(server: &Server) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let since = server.updated.map_or(u64::MAX, |at| u64::try_from(at.as_second()).unwrap_or(0));
    server.status == ServerStatus::Shutoff && server.task.is_none() && now.saturating_sub(since) > SHELVE_SECONDS
}

fn power(server: &Server) -> Power {
    match server.status {
        ServerStatus::Shutoff | ServerStatus::Shelved | ServerStatus::Deleted => Power::Off,
        // It is moved, or gets another disk, while it is off.
        ServerStatus::VerifyResize | ServerStatus::Rebuild | ServerStatus::Other(_) if server.is_off => Power::Off,
        ServerStatus::Paused | ServerStatus::Suspended if !server.is_host_lost() => Power::Paused,
        ServerStatus::Error => Power::Crashed,
        _ if server.is_host_lost() => Power::Lost,
        // One that is being built runs as soon as it is there: nothing starts it.
        _ => Power::Running,
    }
}

fn seen(mark: Mark, server: &Server) -> Observed {
    // One that could not be made is nothing that could be started again.
    let whole = server.status != ServerStatus::Error || server.launched.is_some();
    Observed {
        desktop: mark.desktop,
        generation: mark.generation,
        power: power(server),
        domain: true,
        disk: whole,
        seed: whole,
    }
}

/// Whether an address leads somewhere. What the cloud says is not believed to be a guest's when it is nobody's or our own.
fn leads(ip: &IpAddr) -> bool {
    // As it is dialled: the first kind may be written as the second.
    let ip = ip.to_canonical();
    let local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !local && !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast()
}

/// The first address that leads somewhere.
fn address(server: &Server) -> Option<IpAddr> {
    let all: Vec<IpAddr> =
        server.addresses.values().flatten().filter_map(|text| text.parse().ok()).filter(leads).collect();
    all.iter().find(|ip| ip.is_ipv4()).or_else(|| all.first()).copied()
}

impl OpenStackCompute {
    /// A stream to a server's screen: VNC where its compute host has that, SPICE where it has that alone.
    async fn open_screen(&self, server: &Server) -> Result<(BoxStream, ScreenProtocol), ComputeError> {
        let (way, protocol) = match self.client.console(&server.id, ConsoleKind::Vnc).await {
            Ok(way) => (way, ScreenProtocol::Vnc),
            // "Unavailable console type": where neither is there, the first is what is told.
            Err(error) if error.status() == Some(400) => {
                match self.client.console(&server.id, ConsoleKind::Spice).await {
                    Ok(way) => (way, ScreenProtocol::Spice),
                    Err(other) if other.status() == Some(400) => return Err(self.failed(error)),
                    Err(other) => return Err(self.failed(other)),
                }
            }
            Err(error) => return Err(self.failed(error)),
        };
        let ConsoleAddress { host, port, .. } = way.address.clone();
        let unreachable = |reason: String| OpenStackError::ScreenUnreachable {
            server: server.id.clone(),
            address: format!("{host}:{port}"),
            reason,
        };
        let door = u16::try_from(port).map_err(|_| self.failed(unreachable(String::from("that is no port"))))?;
        let stream = self.connect(&host, door).await.map_err(|reason| self.failed(unreachable(reason)))?;
        // Looked at after it is open: the port behind it may be another server's by now.
        let way = self.client.still_open(way).await.map_err(|error| self.failed(error))?;
        Ok((Box::new(Screen::new(Arc::clone(&self.client), stream, way)), protocol))
    }
}

#[async_trait]
impl Compute for OpenStackCompute {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn is_cloud(&self) -> bool {
        true
    }

    /// Nova does not say what its hosts are before a server is made.
    fn arch(&self) -> Arch {
        Arch::X86_64
    }

    /// Of the project: what it may have.
    async fn facts(&self) -> Result<HostFacts, ComputeError> {
        let failed = |error| self.failed(error);
        let versions = self.client.compute_versions().await.map_err(failed)?;
        let quotas = self.client.quotas().await.map_err(failed)?;
        let region = self.client.region().await.map_err(failed)?;
        Ok(HostFacts {
            name: self.config.name.clone(),
            uri: self.config.cloud.auth_url.to_string(),
            os: format!("OpenStack, region {region}"),
            kernel: format!("Nova {}", versions.max),
            arch: self.arch().word().to_owned(),
            cpus: quotas.cpus.max.map_or(0, |max| u32::try_from(max).unwrap_or(u32::MAX)),
            cpu_model: String::new(),
            memory_mib: quotas.memory_mib.max.unwrap_or(0),
            free_disk_bytes: 0,
            libvirt_version: None,
            qemu_version: None,
            accelerator: Accelerator {
                kind: AcceleratorKind::Kvm,
                reason: String::from("the cloud decides what its servers run on"),
            },
        })
    }

    async fn list(&self) -> Result<Vec<Observed>, ComputeError> {
        let all = self.servers(mark::common(&self.config.installation)).await?;
        let mut found = BTreeMap::new();
        let mut surplus = BTreeSet::new();
        for (mark, server) in &all {
            // The oldest comes first.
            if found.contains_key(mark) {
                surplus.insert(server.id.clone());
            } else {
                found.insert(*mark, seen(*mark, server));
            }
        }
        *self.surplus.lock().unwrap_or_else(PoisonError::into_inner) = surplus;
        if all.iter().any(|(_, server)| work::is_kept(server)) {
            self.has_snapshots.store(true, Ordering::Relaxed);
        }
        if self.config.shelve {
            let idle = all.iter().filter(|(_, server)| is_idle(server)).map(|(_, server)| server.id.clone());
            *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = idle.take(SHELVED_AT_ONCE).collect();
        }
        self.groups.count(all.len());
        Ok(found.into_values().collect())
    }

    /// One desktop's is a small answer; for more the list is as good.
    async fn observe(&self, desktops: &[DesktopId]) -> Result<Vec<Observed>, ComputeError> {
        let all = match desktops {
            [] => return Ok(Vec::new()),
            [one] => self.of_desktop(*one).await?,
            _ => self.servers(mark::common(&self.config.installation)).await?,
        };
        let mut found = BTreeMap::new();
        for (mark, server) in all.iter().filter(|(mark, _)| desktops.contains(&mark.desktop)) {
            found.entry(*mark).or_insert_with(|| seen(*mark, server));
        }
        Ok(found.into_values().collect())
    }

    /// Nova clones the disk as it makes the server.
    async fn clone_disk(&self, _spec: &MachineSpec, _base: &Path) -> Result<(), ComputeError> {
        Ok(())
    }

    async fn write_seed(&self, spec: &MachineSpec, identity: &GuestIdentity) -> Result<(), ComputeError> {
        self.make(spec, identity).await
    }

    async fn renew(&self, spec: &MachineSpec, identity: &GuestIdentity) -> Result<Renewed, ComputeError> {
        self.rebuild(spec, identity).await
    }

    /// Nova knows no machine that is not made: this only looks whether it is.
    async fn define(&self, spec: &MachineSpec) -> Result<(), ComputeError> {
        let mark = Mark { desktop: spec.desktop, generation: spec.generation };
        self.only_one(mark).await?.map(drop).ok_or(ComputeError::NoMachine)
    }

    async fn start(&self, spec: &MachineSpec) -> Result<(), ComputeError> {
        let mark = Mark { desktop: spec.desktop, generation: spec.generation };
        let server = self.only_one(mark).await?.ok_or(ComputeError::NoMachine)?;
        // Its cloud would take the order, and nobody would carry it out.
        if server.is_host_lost() {
            return Err(self.no_host(&server));
        }
        if server.task.is_some() {
            return Ok(());
        }
        let done = match server.status {
            ServerStatus::Shutoff => self.client.start_server(&server.id).await,
            ServerStatus::Paused | ServerStatus::Suspended | ServerStatus::Shelved => {
                self.client.resume_server(&server).await
            }
            // It ran once: a hard reboot brings it back where its host can.
            ServerStatus::Error if server.launched.is_some() => {
                self.client.reboot_server(&server.id, Reboot::Hard).await
            }
            ServerStatus::Error => return Err(self.why(&server).await),
            // Moved while it was off: it stays as it is now.
            ServerStatus::VerifyResize if server.is_off => {
                self.client.confirm_move(&server.id).await.or_else(work::fine_when_over)
            }
            _ => Ok(()),
        };
        done.or_else(fine_when_done).map_err(|error| self.failed(error))
    }

    async fn shut_down(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        self.stop(desktop).await
    }

    async fn power_off(&self, desktop: DesktopId) -> Result<(), ComputeError> {
        self.stop(desktop).await
    }

    async fn remove(&self, desktop: DesktopId, keep_generation: Option<u32>) -> Result<(), ComputeError> {
        let mut kept = false;
        let mut going = Vec::new();
        let all = self.of_desktop(desktop).await?;
        if keep_generation.is_none() {
            // Before the servers, which say that there is one: another try finds it.
            if all.iter().any(|(_, server)| floating::is_wanted(server)) {
                self.give_back(desktop).await?;
            } else if all.is_empty() && self.floating.is_used() {
                self.groups.look_again();
            }
        }
        for (mark, server) in all {
            // Of the kept generation's the first is the oldest.
            if keep_generation == Some(mark.generation) && !std::mem::replace(&mut kept, true) {
                continue;
            }
            going.push(server);
        }
        // Before the servers, which say that there are some. They may have gone at an earlier try; a first generation had none.
        let may_be_left = going.is_empty() && keep_generation != Some(1) && self.has_snapshots.load(Ordering::Relaxed);
        let looks = may_be_left || going.iter().any(work::is_kept);
        let stays = looks && self.drop_snapshots(desktop, keep_generation).await?;
        for server in &going {
            self.delete(server).await?;
        }
        self.until_gone(&going).await?;
        if stays && self.drop_snapshots(desktop, keep_generation).await? {
            tracing::warn!(cloud = self.config.name, %desktop, "A snapshot of a desktop that is gone is in use, and stays");
        }
        Ok(())
    }

    async fn prune(&self) -> Result<usize, ComputeError> {
        let surplus = std::mem::take(&mut *self.surplus.lock().unwrap_or_else(PoisonError::into_inner));
        for id in &surplus {
            tracing::warn!(
                cloud = self.config.name,
                server = id,
                "A lost answer left a server twice; the younger goes"
            );
            self.client.delete_server(id).await.map_err(|error| self.failed(error))?;
        }
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for id in &idle {
            if let Err(error) = self.put_away(id).await {
                tracing::warn!(cloud = self.config.name, server = id, %error, "A server that is off could not be put away");
                // Whatever is in the way of one is in the way of the others.
                break;
            }
        }
        self.keep_closed().await;
        self.tidy().await;
        Ok(surplus.len())
    }

    async fn keep_golden(&self, images: &BTreeSet<String>) -> Result<bool, ComputeError> {
        self.tidy_golden(images).await
    }

    async fn dial(&self, desktop: &Desktop, port: GuestPort) -> Result<BoxStream, ComputeError> {
        let server = self.newest(desktop.id).await?;
        if power(&server) == Power::Off {
            return Err(ComputeError::NotRunning);
        }
        let port = match port {
            GuestPort::Console => return Ok(self.open_screen(&server).await?.0),
            GuestPort::Rdp => RDP_PORT,
            GuestPort::Ssh => SSH_PORT,
        };
        let ip = if floating::is_wanted(&server) {
            self.floating_of(desktop.id, &server).await?
        } else if server.addresses.values().all(Vec::is_empty) && server.status == ServerStatus::Active {
            return Err(ComputeError::NoCard { cloud: self.config.name.clone() });
        } else {
            address(&server).ok_or(ComputeError::NoAddress)?
        };
        let address = SocketAddr::new(ip, port);
        self.connect(&address.ip().to_string(), port)
            .await
            .map_err(|reason| ComputeError::NotAnswering { address: address.to_string(), reason })
    }

    async fn dial_screen(&self, desktop: &Desktop) -> Result<(BoxStream, ScreenProtocol), ComputeError> {
        let server = self.newest(desktop.id).await?;
        if power(&server) == Power::Off {
            return Err(ComputeError::NotRunning);
        }
        self.open_screen(&server).await
    }

    async fn put_image(
        &self,
        image: &ImageFile<'_>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<String, ComputeError> {
        self.bring(image, progress).await
    }

    fn machine_work(&self) -> Option<&dyn MachineWork> {
        Some(self)
    }

    async fn offer(&self) -> Result<CloudOffer, ComputeError> {
        self.choices().await
    }

    async fn has_come_up(&self, desktop: &Desktop) -> bool {
        let Ok(server) = self.newest(desktop.id).await else { return false };
        if server.status != ServerStatus::Active {
            return false;
        }
        // One that is reached by an address of its own has it before somebody comes.
        !floating::is_wanted(&server) || self.floating_of(desktop.id, &server).await.is_ok()
    }

    /// A cloud shows a picture to nobody but whoever opens the console.
    async fn screenshot(&self, _desktop: DesktopId) -> Result<Screenshot, ComputeError> {
        Err(ComputeError::Picture(String::from("a cloud has none; open the desktop's console to see its display")))
    }

    async fn free_ports(&self, _taken: &BTreeSet<u16>) -> Result<u16, ComputeError> {
        Err(ComputeError::NoPortsThere { host: self.config.name.clone() })
    }

    async fn doctor(&self) -> Vec<Finding> {
        let mut findings =
            doctor::doctor(&self.config.cloud, self.config.region.as_deref(), &self.config.options).await;
        // Whoever cannot sign in cannot see these either.
        if findings.iter().any(|one| one.id == "sign-in" && one.severity == Severity::Ok) {
            findings.extend(self.floating_finding().await);
            findings.extend(self.golden_finding().await);
        }
        findings
    }
}
