//! The cable to the machine: a USB gadget made in configfs. To the machine it is a keyboard, two mice and a drive.

mod descriptor;
mod plan;

pub use plan::{Identity, Undone};

use crate::sys;
use oriel_device::{Medium, Report};
use plan::LUN;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often the port is looked at; lights come at once.
const LOOK: Duration = Duration::from_millis(200);
/// After the gadget could not be bound to its port.
const REST: Duration = Duration::from_secs(1);
/// How long a report may wait for a machine to read the one before, and how long once it has stopped reading. A sleeping machine reads nothing.
const WRITE_TIME_MAX: Duration = Duration::from_millis(500);
const STUCK_TIME_MAX: Duration = Duration::from_millis(20);
/// A machine asks for reports every few milliseconds.
const WRITE_AGAIN: Duration = Duration::from_millis(1);

/// Where what belongs to it lies: the kernel's places, and others in tests.
#[derive(Clone, Debug)]
pub struct Places {
    pub gadgets: PathBuf,
    pub ports: PathBuf,
    pub devices: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self { gadgets: "/sys/kernel/config/usb_gadget".into(), ports: "/sys/class/udc".into(), devices: "/dev".into() }
    }
}

#[derive(Clone, Debug)]
pub struct GadgetOptions {
    pub places: Places,
    /// Its folder's name: who else makes gadgets here uses others.
    pub name: String,
    /// The port's controller; the first when left out.
    pub port: Option<String>,
    pub identity: Identity,
    pub drive: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum GadgetError {
    #[error("{} is not there: load the module libcomposite and mount configfs on /sys/kernel/config", .0.display())]
    NoConfigfs(PathBuf),
    #[error("the USB gadget could not be made: {0}")]
    Make(#[source] Undone),
    #[error("an older USB gadget of this name could not be taken away: {0}")]
    Remove(#[source] Undone),
    #[error("no thread could be made for the USB gadget: {0}")]
    Thread(#[source] io::Error),
}

/// What is known of the machine at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// It has configured the gadget: keys arrive.
    pub online: bool,
    /// Lights of the keyboard, as [`oriel_device::Status`] has them.
    pub leds: u8,
}

/// The kernel's bits of lights (num, caps, scroll; HID's LED page) as the device's (scroll, num, caps).
const fn leds(report: u8) -> u8 {
    ((report & 1) << 1) | ((report & 2) << 1) | ((report & 4) >> 2)
}

#[derive(Default)]
struct Port {
    file: Mutex<Option<File>>,
    /// Nobody read in time.
    stuck: AtomicBool,
}

enum Tried {
    Sent,
    /// The report before is not read yet.
    Busy,
    /// Nobody is there.
    Away,
}

struct Shared {
    options: GadgetOptions,
    folder: PathBuf,
    ports: [Port; plan::HIDS.len()],
    /// Held while the gadget is bound or let go. Whether the machine was shown a CD drive when it last looked.
    shown: Mutex<bool>,
    /// Counts files that turned out to be of an older binding.
    stale: AtomicU64,
    /// Between two bindings: no device of a function is to be opened.
    unbound: AtomicBool,
    /// The keyboard, read for its lights, and the count of [`Self::stale`] that it was opened at. Held while it is waited for.
    keyboard: Mutex<Option<(File, u64)>>,
    ends: Mutex<bool>,
    ending: Condvar,
    host: watch::Sender<Host>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Of a gadget that is made in that folder, and not bound yet.
    fn new(options: GadgetOptions, folder: PathBuf) -> Self {
        Self {
            options,
            folder,
            ports: std::array::from_fn(|_| Port::default()),
            shown: Mutex::new(true),
            stale: AtomicU64::new(0),
            unbound: AtomicBool::new(false),
            keyboard: Mutex::new(None),
            ends: Mutex::new(false),
            ending: Condvar::new(),
            host: watch::Sender::new(Host::default()),
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The port that it is bound to.
    fn bound(&self) -> Option<String> {
        let text = fs::read_to_string(self.at("UDC")).ok()?;
        Some(text.trim().to_owned()).filter(|name| !name.is_empty())
    }

    fn bind(&self) -> Result<String, String> {
        let places = &self.options.places;
        let name = match &self.options.port {
            Some(name) => name.clone(),
            None => first(&places.ports).ok_or_else(|| {
                format!(
                    "there is no USB device controller in {}: this port can only be a host's",
                    places.ports.display()
                )
            })?,
        };
        if !places.ports.join(&name).exists() {
            return Err(format!("there is no USB device controller {name} in {}", places.ports.display()));
        }
        plan::put(&self.at("UDC"), name.as_bytes())
            .map_err(|error| format!("the USB device controller {name} cannot be had: {error}"))?;
        // The functions' devices are others now, by the same names.
        self.stale.fetch_add(1, Ordering::Relaxed);
        self.unbound.store(false, Ordering::SeqCst);
        Ok(name)
    }

    /// Closes the functions' devices, and opens none until it is bound again: the kernel makes the next ones in the same memory, which an
    /// open file would still count on.
    fn close_devices(&self) {
        self.unbound.store(true, Ordering::SeqCst);
        self.ports.iter().for_each(|port| drop(held(&port.file).take()));
        drop(held(&self.keyboard).take());
    }

    fn let_go(&self) -> io::Result<()> {
        self.close_devices();
        if self.bound().is_some() { plan::put(&self.at("UDC"), b"\n") } else { Ok(()) }
    }

    /// The device of a function that takes reports.
    fn device(&self, which: usize) -> PathBuf {
        let name = plan::HIDS.get(which).map_or("", |(name, ..)| *name);
        let number = fs::read_to_string(self.at(&format!("functions/{name}/dev"))).ok();
        let minor = number.as_deref().and_then(|number| number.trim().split_once(':')?.1.parse::<u32>().ok());
        self.options.places.devices.join(format!("hidg{}", minor.unwrap_or(which as u32)))
    }

    fn open(&self, which: usize) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(self.device(which))
    }

    fn try_write(&self, which: usize, report: &[u8]) -> Tried {
        let Some(port) = self.ports.get(which) else { return Tried::Away };
        let mut file = held(&port.file);
        // A file may be of an older binding: then once more.
        for _ in 0..2 {
            if self.unbound.load(Ordering::SeqCst) {
                return Tried::Away;
            }
            if file.is_none() {
                *file = self.open(which).ok();
            }
            let Some(open) = file.as_mut() else { return Tried::Away };
            match open.write(report) {
                Ok(_) => return Tried::Sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Tried::Busy,
                Err(_) => {
                    *file = None;
                    self.stale.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Tried::Away
    }

    /// Whether everything ends; waits so long for it.
    fn ends_within(&self, wait: Duration) -> bool {
        let ends = held(&self.ends);
        let (ends, _) =
            self.ending.wait_timeout_while(ends, wait, |ends| !*ends).unwrap_or_else(PoisonError::into_inner);
        *ends
    }

    fn saw(&self, online: bool) {
        let seen = self.host.send_if_modified(|host| {
            // Lights of a machine that has gone are nobody's.
            let now = Host { online, leds: if online { host.leds } else { 0 } };
            std::mem::replace(host, now) != now
        });
        if seen {
            tracing::info!(online, "The machine at the USB cable");
        }
    }

    /// The port, bound anew where it is not.
    fn keep_bound(&self, said: &mut String) -> Option<String> {
        let _shown = held(&self.shown);
        if let Some(name) = self.bound() {
            // Also where it was to be let go, and was not.
            self.unbound.store(false, Ordering::SeqCst);
            return Some(name);
        }
        self.close_devices();
        match self.bind() {
            Ok(name) => {
                tracing::info!(port = name, "The USB gadget is bound");
                said.clear();
                Some(name)
            }
            Err(why) => {
                // Once, and not each second.
                if *said != why {
                    tracing::warn!("{why}");
                    *said = why;
                }
                None
            }
        }
    }

    fn run(&self) {
        let mut said = String::new();
        while !self.ends_within(Duration::ZERO) {
            let Some(name) = self.keep_bound(&mut said) else {
                self.saw(false);
                self.ends_within(REST);
                continue;
            };
            let state = fs::read_to_string(self.options.places.ports.join(name).join("state")).unwrap_or_default();
            let online = state.trim() == "configured";
            self.saw(online);
            if !self.look(online) {
                // No more than once in a while.
                self.ends_within(LOOK);
            }
        }
    }

    /// Waits a moment for the keyboard's lights; `false`: there is nothing to wait for.
    fn look(&self, online: bool) -> bool {
        let mut keyboard = held(&self.keyboard);
        let stale = self.stale.load(Ordering::Relaxed);
        *keyboard = keyboard.take().filter(|(_, of)| online && *of == stale);
        if online && keyboard.is_none() && !self.unbound.load(Ordering::SeqCst) {
            *keyboard = self.open(0).ok().map(|file| (file, stale));
        }
        let Some((file, _)) = keyboard.as_mut() else { return false };
        let ready = sys::poll(file.as_fd(), LOOK).unwrap_or_default();
        let mut report = [0; 64];
        let read = if ready.readable { file.read(&mut report) } else { Ok(0) };
        let is_gone = match read {
            Ok(1..) => {
                let [report, ..] = report;
                self.host.send_if_modified(|host| std::mem::replace(&mut host.leds, leds(report)) != leds(report));
                false
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => true,
            _ => ready.broken,
        };
        if is_gone {
            *keyboard = None;
        }
        !is_gone
    }
}

/// The first controller, by name.
pub fn first(ports: &Path) -> Option<String> {
    let names = fs::read_dir(ports).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.min()
}

/// A gadget that is there until this is dropped.
pub struct Gadget {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Gadget {
    /// Makes it, in the place of one of the same name that a killed program has left. A port that is missing is waited for.
    ///
    /// # Errors
    /// The kernel has no gadgets, or not these functions.
    pub fn begin(options: GadgetOptions) -> Result<Self, GadgetError> {
        let gadgets = &options.places.gadgets;
        if !gadgets.is_dir() {
            return Err(GadgetError::NoConfigfs(gadgets.clone()));
        }
        let folder = gadgets.join(&options.name);
        plan::remove(&folder).map_err(GadgetError::Remove)?;
        let made = plan::Step::Folder(options.name.clone())
            .run(gadgets)
            .and_then(|()| plan::make(&options.identity, options.drive).iter().try_for_each(|step| step.run(&folder)));
        if let Err(undone) = made {
            plan::remove(&folder).ok();
            return Err(GadgetError::Make(undone));
        }
        let shared = Arc::new(Shared::new(options, folder));
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("gadget".to_owned()).spawn(move || theirs.run());
        match thread {
            Ok(thread) => Ok(Self { shared, thread: Mutex::new(Some(thread)) }),
            Err(error) => {
                plan::remove(&shared.folder).ok();
                Err(GadgetError::Thread(error))
            }
        }
    }

    pub fn host(&self) -> watch::Receiver<Host> {
        self.shared.host.subscribe()
    }

    /// Sends a report. What nobody reads in time is left out.
    pub async fn report(&self, report: &Report) {
        let (which, bytes) = match report {
            Report::Keyboard(bytes) => (0, bytes.as_slice()),
            Report::Absolute(bytes) => (1, bytes.as_slice()),
            Report::Relative(bytes) => (2, bytes.as_slice()),
        };
        let Some(port) = self.shared.ports.get(which) else { return };
        let most = if port.stuck.load(Ordering::Relaxed) { STUCK_TIME_MAX } else { WRITE_TIME_MAX };
        let until = Instant::now() + most;
        loop {
            match self.shared.try_write(which, bytes) {
                Tried::Sent => {
                    port.stuck.store(false, Ordering::Relaxed);
                    return;
                }
                Tried::Away => return,
                Tried::Busy if Instant::now() >= until => {
                    if !port.stuck.swap(true, Ordering::Relaxed) {
                        tracing::warn!("The machine does not read what is typed: it sleeps, or hangs");
                    }
                    return;
                }
                Tried::Busy => tokio::time::sleep(WRITE_AGAIN).await,
            }
        }
    }

    pub fn has_drive(&self) -> bool {
        self.shared.options.drive
    }

    /// Puts a medium into the drive, or takes it out, even where the machine has locked it. A drive that is to be of the other kind is shown anew, for
    /// which keyboard and mice are gone for a moment, too: machines ask what a drive is only once.
    ///
    /// # Errors
    /// The kernel refuses; in words.
    pub fn load(&self, medium: Option<&Medium>) -> Result<(), String> {
        let shared = &self.shared;
        if !shared.options.drive {
            return Err("this node shows no drive: usb.drive is off".to_owned());
        }
        let mut shown = held(&shared.shown);
        let lun = shared.at(LUN);
        let set = |file: &str, bytes: &[u8]| {
            let path = lun.join(file);
            plan::put(&path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
        };
        if lun.join("forced_eject").exists() {
            set("forced_eject", b"1")?;
        } else {
            set("file", b"\n")?;
        }
        let Some(medium) = medium else { return Ok(()) };
        let anew = *shown != medium.cdrom;
        if anew {
            shared.let_go().map_err(|error| format!("the USB port cannot be let go: {error}"))?;
        }
        let flag = |on: bool| if on { b"1" } else { b"0" };
        let mut put = set("cdrom", flag(medium.cdrom));
        if put.is_ok() {
            // That is what it is shown as from now on, whatever goes in.
            *shown = medium.cdrom;
            put = set("ro", flag(medium.cdrom || !medium.writable))
                .and_then(|()| set("file", medium.file.as_os_str().as_bytes()));
        }
        if anew && let Err(why) = shared.bind() {
            // The thread tries again.
            tracing::warn!("{why}");
        }
        put
    }

    /// Takes everything away again. Takes a fifth of a second.
    pub fn end(&self) {
        let Some(thread) = held(&self.thread).take() else { return };
        *held(&self.shared.ends) = true;
        self.shared.ending.notify_all();
        thread.join().ok();
        let _shown = held(&self.shared.shown);
        self.shared.close_devices();
        if let Err(error) = plan::remove(&self.shared.folder) {
            tracing::warn!(%error, "The USB gadget is left behind, and taken away at the next start");
        }
    }
}

impl Drop for Gadget {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    /// A gadget as it lies in configfs, of files; begun without making it.
    fn fake(place: &Path) -> Gadget {
        let places = Places { gadgets: place.join("gadgets"), ports: place.join("udc"), devices: place.join("dev") };
        let folder = places.gadgets.join("oriel");
        for path in
            [folder.join(LUN), folder.join("functions/hid.usb0"), places.ports.join("fake.0"), place.join("dev")]
        {
            fs::create_dir_all(path).unwrap();
        }
        for (path, text) in [
            ("UDC", ""),
            ("functions/hid.usb0/dev", "240:3\n"),
            ("functions/mass_storage.usb0/lun.0/cdrom", "1"),
            ("functions/mass_storage.usb0/lun.0/ro", "1"),
            ("functions/mass_storage.usb0/lun.0/file", ""),
            ("functions/mass_storage.usb0/lun.0/forced_eject", ""),
        ] {
            fs::write(folder.join(path), text).unwrap();
        }
        fs::write(places.ports.join("fake.0/state"), "not attached\n").unwrap();
        let options =
            GadgetOptions { places, name: "oriel".to_owned(), port: None, identity: Identity::default(), drive: true };
        Gadget { shared: Arc::new(Shared::new(options, folder)), thread: Mutex::new(None) }
    }

    #[test]
    fn lights_are_those_of_the_api() {
        // Num, caps, scroll.
        assert_eq!([1, 2, 4, 7, 0].map(leds), [2, 4, 1, 7, 0]);
    }

    #[test]
    fn a_port_is_found_bound_and_bound_again() {
        let place = tempfile::tempdir().unwrap();
        let gadget = fake(place.path());
        let mut said = String::new();
        assert_eq!(gadget.shared.keep_bound(&mut said).as_deref(), Some("fake.0"));
        let at = gadget.shared.at("UDC");
        assert_eq!(fs::read(&at).unwrap(), b"fake.0");
        // Somebody has let it go.
        fs::write(&at, "\n").unwrap();
        assert_eq!(gadget.shared.keep_bound(&mut said).as_deref(), Some("fake.0"));
        // The controller is gone.
        fs::write(&at, "\n").unwrap();
        fs::remove_dir_all(place.path().join("udc/fake.0")).unwrap();
        assert_eq!(gadget.shared.keep_bound(&mut said), None);
        assert!(said.contains("no USB device controller"), "{said}");
    }

    #[test]
    fn a_medium_goes_in_and_a_drive_of_another_kind_is_shown_anew() {
        let place = tempfile::tempdir().unwrap();
        let gadget = fake(place.path());
        gadget.shared.bind().unwrap();
        let lun = |file: &str| fs::read_to_string(gadget.shared.at(LUN).join(file)).unwrap();
        let mut medium = Medium { file: "/images/a.iso".into(), cdrom: true, writable: false };
        gadget.load(Some(&medium)).unwrap();
        assert_eq!(
            (lun("cdrom"), lun("ro"), lun("file")),
            ("1".to_owned(), "1".to_owned(), "/images/a.iso".to_owned())
        );
        assert_eq!(lun("forced_eject"), "1");
        (medium.cdrom, medium.writable) = (false, true);
        gadget.load(Some(&medium)).unwrap();
        assert_eq!((lun("cdrom"), lun("ro")), ("0".to_owned(), "0".to_owned()));
        // It was let go, and bound again; a file keeps what was behind the new line.
        assert!(fs::read_to_string(gadget.shared.at("UDC")).unwrap().starts_with("fake.0"));
        assert!(!*held(&gadget.shared.shown));
        gadget.load(None).unwrap();
        fs::remove_file(gadget.shared.at(LUN).join("ro")).unwrap();
        let why = gadget.load(Some(&medium)).unwrap_err();
        assert!(why.contains("lun.0/ro"), "{why}");
        // A drive that became one of another kind, empty, is shown anew for the first again.
        medium.cdrom = true;
        gadget.load(Some(&medium)).unwrap_err();
        assert_eq!((lun("cdrom").as_str(), *held(&gadget.shared.shown)), ("1", true));
    }

    #[tokio::test]
    async fn reports_go_to_the_device_that_the_kernel_names_and_nowhere_without_one() {
        let place = tempfile::tempdir().unwrap();
        let gadget = fake(place.path());
        let report = Report::Keyboard([0, 0, 4, 0, 0, 0, 0, 0]);
        gadget.report(&report).await;
        let device = place.path().join("dev/hidg3");
        assert!(!device.exists());
        fs::write(&device, b"").unwrap();
        gadget.report(&report).await;
        assert_eq!(fs::read(&device).unwrap(), [0, 0, 4, 0, 0, 0, 0, 0]);
        gadget.report(&Report::Relative([0; 5])).await;
        // None while it is let go, and again once it is bound.
        let other = Report::Keyboard([0, 0, 5, 0, 0, 0, 0, 0]);
        gadget.shared.let_go().unwrap();
        gadget.report(&other).await;
        assert_eq!(fs::read(&device).unwrap(), [0, 0, 4, 0, 0, 0, 0, 0]);
        gadget.shared.bind().unwrap();
        gadget.report(&other).await;
        assert_eq!(fs::read(&device).unwrap(), [0, 0, 5, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_kernel_without_gadgets_is_said_so() {
        let options = GadgetOptions {
            places: Places { gadgets: "/nonexistent".into(), ..Places::default() },
            name: "oriel".to_owned(),
            port: None,
            identity: Identity::default(),
            drive: false,
        };
        let error = Gadget::begin(options).err().unwrap();
        assert!(error.to_string().contains("libcomposite"), "{error}");
    }
}
