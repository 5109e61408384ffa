//! A kernel in memory: [`Sysfs`] whose files answer writes as Linux does, for tests without hardware.
//!
//! It is made from a [`Tree`] (a capture of a host, or files by hand) and knows the rules of `drivers/base/bus.c`,
//! `drivers/pci/{pci-driver,iov}.c`, `drivers/vfio/mdev` and, from their documentation, of NVIDIA's tools:
//!
//! ```text
//!  write ─▶ fault? ─▶ which attribute ─┬▶ pci      bind, unbind, drivers_probe, driver_override, new_id; groups, /dev/vfio
//!            │                         ├▶ sriov    sriov_numvfs, sriov_drivers_autoprobe; functions come and go
//!            │ killed, errno           ├▶ mdev     create, remove; what is left after each regime's rules
//!            ▼                         └▶ nvidia   current_vgpu_type, unbindLock, sriov-manage, nvidia-smi
//!          the test                        anything else: EACCES
//! ```
//!
//! `examples/conformance.rs` runs one script against this and against a real kernel and compares every answer.
//!
//! What would wedge a real host (unbinding a VFIO device that a process holds) panics here: no test may pass over it.

pub mod errno;
mod mdev;
mod nvidia;
mod pci;
mod shape;
mod snapshot;
mod sriov;

pub use snapshot::snapshot;

use crate::sysfs::{Node, SAVED, Sysfs, Tree};
use errno::{EACCES, EINVAL, ENODEV, ENOENT};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

pub(crate) const DEVICES: &str = "/sys/bus/pci/devices";
pub(crate) const DRIVERS: &str = "/sys/bus/pci/drivers";
const GROUPS: &str = "/sys/kernel/iommu_groups";

/// What goes wrong, and at which change: changes are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The program dies before the change reaches the kernel.
    KillBefore(u64),
    /// The program dies after it.
    KillAfter(u64),
    /// The kernel refuses it.
    Errno(u64, i32),
}

/// What [`Fault::KillBefore`] and [`Fault::KillAfter`] unwind with; a test catches it with `catch_unwind`.
#[derive(Clone, Copy, Debug)]
pub struct Killed;

/// A host in memory whose files can be written.
#[derive(Debug)]
pub struct Kernel {
    state: Mutex<State>,
}

/// Subtrees and links that a driver made and takes away, by device.
type Stash = BTreeMap<String, Vec<(String, Node)>>;

#[derive(Clone, Debug, Default)]
struct State {
    tree: Tree,
    /// Which driver takes which ids by itself: (vendor, device) as in sysfs, to its name.
    native: BTreeMap<(String, String), String>,
    /// Written to `new_id`: driver, vendor, device.
    dynamic: BTreeSet<(String, String, String)>,
    /// Groups that a process holds.
    open: BTreeSet<u32>,
    stash: Stash,
    /// What a GPU's virtual functions bring with them: files below the function, by the GPU's address.
    templates: BTreeMap<String, Vec<(String, Node)>>,
    /// What parents of mediated devices can give, before anything was taken.
    pools: BTreeMap<String, mdev::Pool>,
    cards: BTreeMap<String, nvidia::Card>,
    changes: u64,
    fault: Option<Fault>,
    log: Vec<String>,
}

fn error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

impl Kernel {
    /// A kernel with those files. What only can be written (`bind`, `create`…) is added; what drivers are bound to, they take by
    /// themselves.
    pub fn new(tree: Tree) -> Self {
        let mut state = State { tree, ..State::default() };
        state.complete();
        Self { state: Mutex::new(state) }
    }

    /// That a driver takes devices of those ids (`10de`, `13f2`) by itself.
    #[must_use]
    pub fn native(self, vendor: &str, device: &str, driver: &str) -> Self {
        {
            let mut state = self.lock();
            state.native.insert((format!("0x{vendor}"), format!("0x{device}")), driver.to_owned());
            state.driver_folder(driver);
        }
        self
    }

    /// A file that every virtual function of a GPU has, relative to the function's folder.
    #[must_use]
    pub fn function_file(self, gpu: &str, path: &str, content: &str) -> Self {
        {
            let mut state = self.lock();
            let files = state.templates.entry(gpu.to_owned()).or_default();
            files.retain(|(known, _)| known != path);
            files.push((path.to_owned(), Node::File(content.as_bytes().to_vec())));
            if path.ends_with("creatable_vgpu_types") {
                state.know_types(gpu, content);
            }
        }
        self
    }

    /// Another one that is the same now and goes its own way.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { state: Mutex::new(self.lock().clone()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A killed test unwinds while it holds the lock; the state is what a killed program leaves behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What shall go wrong next; counted from now.
    pub fn fail(&self, fault: Option<Fault>) {
        let mut state = self.lock();
        state.changes = 0;
        state.fault = fault;
    }

    /// How many changes were tried since [`Self::fail`] or the start.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Every change that was tried, as a shell would do it.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// All files as they are now.
    pub fn tree(&self) -> Tree {
        self.lock().tree.clone()
    }

    /// A process opens `/dev/vfio/GROUP` as QEMU does. EPERM while a host driver holds a member (`vfio_group_claim_dma_owner`).
    pub fn open_group(&self, group: u32) -> io::Result<()> {
        self.lock().open_group(group)
    }

    /// That process ends.
    pub fn close_group(&self, group: u32) {
        self.lock().close_group(group);
    }

    /// What modes change, one line each, sorted: two equal texts are two equal states of the GPUs.
    pub fn shape(&self) -> String {
        shape::shape(&self.lock().tree)
    }

    /// One change: counted, perhaps failed, then done.
    fn change<T>(&self, what: String, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.lock();
        let number = state.changes;
        state.changes += 1;
        state.log.push(what);
        match state.fault {
            Some(Fault::KillBefore(at)) if at == number => {
                drop(state);
                std::panic::resume_unwind(Box::new(Killed));
            }
            Some(Fault::Errno(at, errno)) if at == number => return Err(error(errno)),
            _ => {}
        }
        let done = act(&mut state);
        if state.fault == Some(Fault::KillAfter(number)) {
            drop(state);
            std::panic::resume_unwind(Box::new(Killed));
        }
        done
    }
}

impl Sysfs for Kernel {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.lock().tree.read(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.lock().tree.list(path)
    }

    fn link(&self, path: &str) -> io::Result<String> {
        self.lock().tree.link(path)
    }

    fn real_path(&self, path: &str) -> io::Result<String> {
        self.lock().tree.real_path(path)
    }

    fn write(&self, path: &str, content: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(content).into_owned();
        self.change(format!("echo {} > {path}", text.trim_end()), |state| state.write(path, &text))
    }

    fn command(&self, argv: &[&str]) -> io::Result<String> {
        self.lock().tree.command(argv)
    }

    fn live(&self) -> bool {
        true
    }

    fn run(&self, argv: &[&str]) -> io::Result<()> {
        self.change(argv.join(" "), |state| state.run(argv))
    }

    fn save(&self, path: &str, content: Option<&[u8]>) -> io::Result<()> {
        self.change(format!("save {path}"), |state| {
            if !SAVED.iter().any(|prefix| path.starts_with(prefix)) {
                return Err(error(EACCES));
            }
            match content {
                Some(content) => _ = state.tree.file(path, content),
                None => state.tree.remove(path),
            }
            Ok(())
        })
    }

    fn pause(&self, _duration: std::time::Duration) {}
}

impl State {
    /// Adds what captures leave out because it cannot be read.
    fn complete(&mut self) {
        self.tree.file("/sys/bus/pci/drivers_probe", "");
        self.driver_folder("vfio-pci");
        for address in self.tree.list(DEVICES).unwrap_or_default() {
            let Some(device) = self.device(&address) else { continue };
            self.complete_device(&device);
            if let Some(driver) = self.driver(&device) {
                self.driver_folder(&driver);
                self.tree.link_to(&format!("{DRIVERS}/{driver}/{address}"), device.clone());
                if !pci::is_vfio(&driver) {
                    self.native.entry(self.ids(&device)).or_insert(driver);
                }
            }
            if self.driver(&device).is_some_and(|driver| pci::is_vfio(&driver)) {
                self.vfio_node(&device);
            }
        }
        self.learn_functions();
        self.learn_pools();
        self.learn_cards();
    }

    fn complete_device(&mut self, device: &str) {
        let path = format!("{device}/driver_override");
        if self.tree.node(&path).is_none() {
            self.tree.file(&path, "(null)\n");
        }
        if self.tree.node(&format!("{device}/sriov_totalvfs")).is_some() {
            for (name, content) in [
                ("sriov_numvfs", "0\n"),
                ("sriov_drivers_autoprobe", "1\n"),
                ("sriov_offset", "1\n"),
                ("sriov_stride", "1\n"),
            ] {
                let path = format!("{device}/{name}");
                if self.tree.node(&path).is_none() {
                    self.tree.file(&path, content);
                }
            }
        }
    }

    fn driver_folder(&mut self, driver: &str) {
        for name in ["bind", "unbind", "new_id", "remove_id"] {
            let path = format!("{DRIVERS}/{driver}/{name}");
            if self.tree.node(&path).is_none() {
                self.tree.file(&path, "");
            }
        }
    }

    /// The folder of a PCI device, links followed.
    fn device(&self, address: &str) -> Option<String> {
        self.tree.real_path(&format!("{DEVICES}/{address}")).ok()
    }

    fn text(&self, path: &str) -> String {
        self.tree.text(path).unwrap_or_default()
    }

    fn ids(&self, device: &str) -> (String, String) {
        (self.text(&format!("{device}/vendor")), self.text(&format!("{device}/device")))
    }

    fn driver(&self, device: &str) -> Option<String> {
        self.tree.link_name(&format!("{device}/driver"))
    }

    fn group(&self, device: &str) -> Option<u32> {
        self.tree.link_name(&format!("{device}/iommu_group"))?.parse().ok()
    }

    fn write(&mut self, path: &str, content: &str) -> io::Result<()> {
        let real = self.tree.real_path(path)?;
        let word = content.trim_end_matches('\n');
        let folder = parent_of(&real).to_owned();
        match name_of(&real) {
            "drivers_probe" => self.probe(word),
            "driver_override" => {
                let value = if word.is_empty() { "(null)" } else { word };
                self.tree.file(&real, format!("{value}\n"));
                Ok(())
            }
            "bind" if folder.starts_with(DRIVERS) => self.bind(name_of(&folder), word),
            "unbind" if folder.starts_with(DRIVERS) => self.unbind(name_of(&folder), word),
            "new_id" if folder.starts_with(DRIVERS) => self.new_id(name_of(&folder), word),
            "remove_id" if folder.starts_with(DRIVERS) => self.remove_id(name_of(&folder), word),
            "sriov_numvfs" => self.set_functions(&folder, word),
            "sriov_drivers_autoprobe" => {
                // `kstrtobool` looks at the first letter.
                let on = match word.chars().next() {
                    Some('1' | 'y' | 'Y' | 't' | 'T') => 1,
                    Some('0' | 'n' | 'N' | 'f' | 'F') => 0,
                    _ => return Err(error(EINVAL)),
                };
                self.tree.file(&real, format!("{on}\n"));
                Ok(())
            }
            "create" if folder.contains("/mdev_supported_types/") => self.create_mdev(&folder, content),
            "remove" if self.tree.node(&format!("{folder}/mdev_type")).is_some() => self.remove_mdev(&folder, word),
            "current_vgpu_type" => self.set_vgpu_type(&real, word),
            "vgpu_params" => {
                self.set_parameters(&real, word);
                Ok(())
            }
            "unbindLock" => self.lock_nvidia(&real, word),
            _ => Err(error(EACCES)),
        }
    }

    /// The programs of a host, as far as modes run them.
    fn run(&mut self, argv: &[&str]) -> io::Result<()> {
        let [program, arguments @ ..] = argv else { return Err(error(EINVAL)) };
        match (name_of(program), arguments) {
            ("modprobe", ["-r", module]) => {
                for address in self.tree.list(&format!("{DRIVERS}/{module}")).unwrap_or_default() {
                    if let Some(device) = self.device(&address) {
                        self.detach(&device);
                    }
                }
                self.tree.remove(&format!("{DRIVERS}/{module}"));
                self.tree.remove(&format!("/sys/module/{}", module.replace('-', "_")));
                Ok(())
            }
            ("modprobe", [module, parameters @ ..]) => {
                self.tree.folder(&format!("/sys/module/{}", module.replace('-', "_")));
                if pci::is_vfio(module) || self.native.values().any(|driver| driver == module) {
                    self.driver_folder(module);
                }
                self.module_loaded(module, parameters);
                Ok(())
            }
            ("sriov-manage", ["-e", address]) => self.sriov_manage(address, true),
            ("sriov-manage", ["-d", address]) => self.sriov_manage(address, false),
            ("nvidia-smi", arguments) => self.nvidia_smi(arguments),
            ("update-initramfs" | "dracut", _) => Ok(()),
            _ => Err(error(ENOENT)),
        }
    }

    /// The folder of a device, or ENODEV as drivers say it.
    fn device_or(&self, address: &str) -> io::Result<String> {
        self.device(address).ok_or_else(|| error(ENODEV))
    }
}
