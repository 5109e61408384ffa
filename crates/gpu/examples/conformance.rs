//! The kernel model beside the real kernel: one script of writes, every answer compared.
//!
//! ```text
//! conformance --live [--vfs ADDRESS]… [--displays ADDRESS,ADDRESS]   as root, in a machine that may be changed
//! conformance --live --script                                        only prints the script for this host
//! conformance --die N [--after] --state DIR [--classes CLASS,…] ADDRESS MODE [--count N] [--profile KEY] [--mixed] [--force]
//! ```
//!
//! `--live` copies the host's files into a model, then does every operation on both. It finds its subjects by itself: the first
//! two display controllers of one model (1234:1111 or whatever is there twice), every physical function with virtual functions
//! to make, every parent of mediated devices. Needed: vfio-pci loaded, nothing using those devices. All is put back.
//! Standard output is one JSON object per line:
//!
//! ```text
//! {"n":4,"op":"echo 0000:01:00.0 > /sys/bus/pci/drivers_probe","live":{"answer":"ok","state":{…}},"model":{…},"same":true}
//! {"compared":93,"different":0}
//! ```
//!
//! `answer` is `ok` or the errno's name; `state` what the operation could have changed: a device's driver and override, the
//! number of functions, what every type has left. The exit status is 0 when all are the same, 1 when any differs.
//!
//! `--die` switches a GPU of the running host, and kills itself with SIGKILL before (or with `--after` behind) the change
//! number N, counted from 0. It ends with status 0 when the switch was done before that.

use oriel_gpu::{
    Sysfs, inventory,
    inventory::Options,
    kernel::{Kernel, errno, snapshot},
    mode::{self, StateFolder, Wish},
    sysfs::Folder,
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    io,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
};

const DEVICES: &str = "/sys/bus/pci/devices";
const DRIVERS: &str = "/sys/bus/pci/drivers";
const MDEVS: &str = "/sys/bus/mdev/devices";

/// One write, and what it could have changed.
struct Operation {
    path: String,
    content: String,
    watch: Vec<Watch>,
}

/// Something to look at on both sides.
#[derive(Clone)]
enum Watch {
    Device(String),
    Functions(String),
    Parent(String),
}

impl Watch {
    fn look(&self, sysfs: &dyn Sysfs, into: &mut Map<String, Value>) {
        match self {
            Self::Device(address) => {
                let path = real(sysfs, address);
                let driver = sysfs.link_name(&format!("{path}/driver"));
                let group = sysfs.link_name(&format!("{path}/iommu_group")).unwrap_or_default();
                let vfio = sysfs.exists(&format!("/dev/vfio/{group}"));
                let only = sysfs.text(&format!("{path}/driver_override"));
                into.insert(address.clone(), json!({ "driver": driver, "driver_override": only, "vfio_node": vfio }));
            }
            Self::Functions(address) => {
                let path = format!("{DEVICES}/{address}");
                let names = sysfs.list(&path).unwrap_or_default();
                let functions: BTreeMap<String, Value> = names
                    .into_iter()
                    .filter(|name| name.starts_with("virtfn"))
                    .map(|name| {
                        let driver = sysfs.link_name(&format!("{path}/{name}/driver"));
                        let at = sysfs.link_name(&format!("{path}/{name}"));
                        (name, json!({ "at": at, "driver": driver }))
                    })
                    .collect();
                let text = |name: &str| sysfs.text(&format!("{path}/{name}"));
                into.insert(
                    address.clone(),
                    json!({
                        "numvfs": text("sriov_numvfs"), "autoprobe": text("sriov_drivers_autoprobe"), "functions": functions,
                        "driver": sysfs.link_name(&format!("{path}/driver")),
                    }),
                );
            }
            Self::Parent(name) => {
                let folder = format!("/sys/class/mdev_bus/{name}/mdev_supported_types");
                let left: BTreeMap<String, Option<String>> = sysfs
                    .list(&folder)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|kind| {
                        let left = sysfs.text(&format!("{folder}/{kind}/available_instances"));
                        (kind, left)
                    })
                    .collect();
                let made = sysfs.list(MDEVS).unwrap_or_default().len();
                into.insert(name.clone(), json!({ "available": left, "devices": made }));
            }
        }
    }
}

/// `virtfn0` below a function stands for its address.
fn real(sysfs: &dyn Sysfs, address: &str) -> String {
    let path = format!("{DEVICES}/{address}");
    sysfs.real_path(&path).unwrap_or(path)
}

#[derive(Default)]
struct Script {
    operations: Vec<Operation>,
    watch: Vec<Watch>,
}

impl Script {
    fn echo(&mut self, content: impl Into<String>, path: impl Into<String>) {
        self.operations.push(Operation { path: path.into(), content: content.into(), watch: self.watch.clone() });
    }

    /// Two devices of one model: only the one that is meant may move.
    fn displays(&mut self, sysfs: &dyn Sysfs, one: &str, other: &str) {
        self.watch = vec![Watch::Device(one.to_owned()), Watch::Device(other.to_owned())];
        let driver = sysfs.link_name(&format!("{DEVICES}/{one}/driver"));
        let probe = "/sys/bus/pci/drivers_probe";
        let only = format!("{DEVICES}/{one}/driver_override");
        self.echo("0000:fe:1f.7", probe);
        self.echo(other, format!("{DRIVERS}/vfio-pci/bind"));
        self.echo(other, format!("{DRIVERS}/vfio-pci/unbind"));
        if let Some(driver) = &driver {
            self.echo(one, format!("{DRIVERS}/{driver}/bind"));
            self.echo(one, format!("{DRIVERS}/{driver}/unbind"));
            self.echo(one, format!("{DRIVERS}/{driver}/unbind"));
        }
        self.echo("vfio-pci\n", &only);
        if let Some(driver) = &driver {
            self.echo(one, format!("{DRIVERS}/{driver}/bind"));
        }
        self.echo(one, probe);
        self.echo(one, probe);
        self.echo(one, format!("{DRIVERS}/vfio-pci/bind"));
        self.echo("no-such-driver", &only);
        self.echo(one, format!("{DRIVERS}/vfio-pci/unbind"));
        self.echo(one, probe);
        self.echo(one, format!("{DRIVERS}/vfio-pci/bind"));
        self.echo("\n", &only);
        self.echo(one, probe);
        // Why nobody should use `new_id`: both go.
        for address in [one, other] {
            if let Some(driver) = sysfs.link_name(&format!("{DEVICES}/{address}/driver")) {
                self.echo(address, format!("{DRIVERS}/{driver}/unbind"));
            }
        }
        let id = |name: &str| {
            let text = sysfs.text(&format!("{DEVICES}/{one}/{name}")).unwrap_or_default();
            text.trim_start_matches("0x").to_owned()
        };
        let ids = format!("{} {}", id("vendor"), id("device"));
        self.echo(&ids, format!("{DRIVERS}/vfio-pci/new_id"));
        self.echo(&ids, format!("{DRIVERS}/vfio-pci/new_id"));
        self.echo(&ids, format!("{DRIVERS}/vfio-pci/remove_id"));
        self.echo(&ids, format!("{DRIVERS}/vfio-pci/remove_id"));
        for address in [one, other] {
            self.echo(address, format!("{DRIVERS}/vfio-pci/unbind"));
            if sysfs.link_name(&format!("{DEVICES}/{address}/driver")).is_some() {
                self.echo(address, probe);
            }
        }
    }

    /// A physical function: every answer of `sriov_numvfs`.
    fn functions(&mut self, sysfs: &dyn Sysfs, address: &str) {
        self.watch = vec![Watch::Functions(address.to_owned())];
        let path = format!("{DEVICES}/{address}");
        let number = format!("{path}/sriov_numvfs");
        let probe = format!("{path}/sriov_drivers_autoprobe");
        let total = sysfs.number(&format!("{path}/sriov_totalvfs")).unwrap_or(0);
        let driver = sysfs.link_name(&format!("{path}/driver"));
        for wrong in [(total + 1).to_string(), "many".to_owned(), "-1".to_owned()] {
            self.echo(wrong, &number);
        }
        self.echo("maybe", &probe);
        self.echo("0", &probe);
        let two = total.min(2).to_string();
        self.echo(&two, &number);
        self.echo(&two, &number);
        self.echo("1", &number);
        self.echo("vfio-pci", format!("{path}/virtfn0/driver_override"));
        let (offset, stride) = (
            sysfs.number(&format!("{path}/sriov_offset")).unwrap_or(1),
            sysfs.number(&format!("{path}/sriov_stride")).unwrap_or(1),
        );
        if let Some(first) = function(address, offset, stride, 0) {
            self.echo(&first, "/sys/bus/pci/drivers_probe");
            self.echo(&first, format!("{DRIVERS}/vfio-pci/unbind"));
        }
        self.echo("0", &number);
        self.echo("0", &number);
        if let Some(driver) = driver {
            self.echo(address, format!("{DRIVERS}/{driver}/unbind"));
            self.echo("1", &number);
            self.echo("0", &number);
            self.echo(address, format!("{DRIVERS}/{driver}/bind"));
        }
        self.echo("1", &probe);
    }

    /// A parent of mediated devices: until it is full, and empty again.
    fn parent(&mut self, sysfs: &dyn Sysfs, name: &str) {
        self.watch = vec![Watch::Parent(name.to_owned())];
        let folder = format!("/sys/class/mdev_bus/{name}/mdev_supported_types");
        let kinds = sysfs.list(&folder).unwrap_or_default();
        let left = |kind: &String| sysfs.number(&format!("{folder}/{kind}/available_instances")).unwrap_or(0);
        let (Some(few), Some(many)) =
            (kinds.iter().min_by_key(|kind| left(kind)), kinds.iter().max_by_key(|kind| left(kind)))
        else {
            return;
        };
        let uuid = |number: u64| format!("6f726965-6cff-8000-8000-{number:012x}");
        self.echo("nonsense", format!("{folder}/{few}/create"));
        self.echo("6f726965-6cff-8000-8000-00000000000z", format!("{folder}/{few}/create"));
        self.echo(uuid(0), format!("{folder}/{many}/create"));
        self.echo(uuid(0), format!("{folder}/{many}/create"));
        self.echo(uuid(0), format!("{folder}/{few}/create"));
        // One more than there is room for.
        let most = left(few).min(64);
        for number in 1..=most {
            self.echo(uuid(number), format!("{folder}/{few}/create"));
        }
        self.echo(uuid(most + 1), format!("{folder}/{many}/create"));
        self.echo("0", format!("{MDEVS}/{}/remove", uuid(0)));
        self.echo("x", format!("{MDEVS}/{}/remove", uuid(0)));
        for number in 0..=most + 1 {
            self.echo("1", format!("{MDEVS}/{}/remove", uuid(number)));
        }
    }
}

/// The address of a virtual function that is not yet there.
fn function(address: &str, offset: u64, stride: u64, index: u64) -> Option<String> {
    let one: oriel_model::PciAddress = address.parse().ok()?;
    let id = (u64::from(one.bus) << 8 | u64::from(one.device) << 3 | u64::from(one.function)) + offset + stride * index;
    Some(format!("{:04x}:{:02x}:{:02x}.{:x}", one.domain, id >> 8 & 0xff, id >> 3 & 0x1f, id & 7))
}

fn script(sysfs: &dyn Sysfs, options: &Arguments) -> Script {
    let mut script = Script::default();
    let mut models: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut physical = Vec::new();
    for address in sysfs.list(DEVICES).unwrap_or_default() {
        let text = |name: &str| sysfs.text(&format!("{DEVICES}/{address}/{name}")).unwrap_or_default();
        if text("class").starts_with("0x03") && text("boot_vga") != "1" {
            models.entry((text("vendor"), text("device"))).or_default().push(address.clone());
        }
        if sysfs.number(&format!("{DEVICES}/{address}/sriov_totalvfs")).unwrap_or(0) > 0 {
            physical.push(address);
        }
    }
    let twins = options.displays.clone().or_else(|| models.into_values().find(|group| group.len() > 1));
    if let Some([one, other, ..]) = twins.as_deref() {
        script.displays(sysfs, one, other);
    }
    for address in options.vfs.clone().unwrap_or(physical) {
        script.functions(sysfs, &address);
    }
    for name in sysfs.list("/sys/class/mdev_bus").unwrap_or_default() {
        script.parent(sysfs, &name);
    }
    script
}

fn answer(sysfs: &dyn Sysfs, operation: &Operation) -> Value {
    let answer = match sysfs.write(&operation.path, operation.content.as_bytes()) {
        Ok(()) => "ok".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "ENOENT".to_owned(),
        Err(error) => errno::of(&error),
    };
    let mut state = Map::new();
    for watch in &operation.watch {
        watch.look(sysfs, &mut state);
    }
    json!({ "answer": answer, "state": state })
}

fn compare(options: &Arguments) -> ExitCode {
    let host = Folder::host();
    let script = script(&host, options);
    let model = Kernel::new(snapshot(&host));
    let mut different = 0;
    for (number, operation) in script.operations.iter().enumerate() {
        let op = format!("echo {} > {}", operation.content.trim(), operation.path);
        if options.script {
            println!("{}", json!({ "n": number, "op": op }));
            continue;
        }
        let (live, model) = (answer(&host, operation), answer(&model, operation));
        let same = live == model;
        different += u32::from(!same);
        println!("{}", json!({ "n": number, "op": op, "live": live, "model": model, "same": same }));
    }
    println!("{}", json!({ "compared": script.operations.len(), "different": different }));
    ExitCode::from(u8::from(different > 0))
}

/// A host on which the program dies at a certain change.
struct Dying {
    host: Folder,
    at: u64,
    after: bool,
    changes: AtomicU64,
}

impl Dying {
    fn change<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let number = self.changes.fetch_add(1, Ordering::SeqCst);
        if number == self.at && !self.after {
            die();
        }
        let done = act();
        if number == self.at {
            die();
        }
        done
    }
}

fn die() -> ! {
    let own = std::process::id().to_string();
    std::process::Command::new("kill").args(["-KILL", &own]).status().ok();
    std::process::abort()
}

impl Sysfs for Dying {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.host.read(path)
    }
    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.host.list(path)
    }
    fn link(&self, path: &str) -> io::Result<String> {
        self.host.link(path)
    }
    fn real_path(&self, path: &str) -> io::Result<String> {
        self.host.real_path(path)
    }
    fn write(&self, path: &str, content: &[u8]) -> io::Result<()> {
        self.change(|| self.host.write(path, content))
    }
    fn command(&self, argv: &[&str]) -> io::Result<String> {
        self.host.command(argv)
    }
    fn live(&self) -> bool {
        true
    }
    fn run(&self, argv: &[&str]) -> io::Result<()> {
        self.change(|| self.host.run(argv))
    }
    fn save(&self, path: &str, content: Option<&[u8]>) -> io::Result<()> {
        self.change(|| self.host.save(path, content))
    }
}

fn switch(options: &Arguments, at: u64) -> Result<(), Box<dyn std::error::Error>> {
    let [address, mode] = options.words.as_slice() else { return Err("an address and a mode are needed".into()) };
    let host = Dying { host: Folder::host(), at, after: options.after, changes: AtomicU64::new(0) };
    let state = StateFolder::open(options.state.clone().ok_or("--state DIR is needed")?)?;
    let what = Options::default().with_classes(options.classes.as_deref().unwrap_or_default());
    let mut wish = Wish::new(address.parse()?, mode.parse()?);
    wish.count = options.count;
    wish.profile.clone_from(&options.profile);
    (wish.mixed, wish.force) = (options.mixed, options.force);
    let plan = mode::plan(&host, &inventory(&host, &what)?, &wish)?;
    mode::apply(&host, &plan, &state, &mut |progress| println!("{progress}"))?;
    println!("done with {} changes", host.changes.load(Ordering::SeqCst));
    Ok(())
}

#[derive(Default)]
struct Arguments {
    script: bool,
    displays: Option<Vec<String>>,
    vfs: Option<Vec<String>>,
    die: Option<u64>,
    after: bool,
    state: Option<String>,
    classes: Option<String>,
    count: Option<u32>,
    profile: Option<String>,
    mixed: bool,
    force: bool,
    words: Vec<String>,
}

fn arguments() -> Option<Arguments> {
    let mut all = Arguments::default();
    let mut live = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--live" => live = true,
            "--script" => all.script = true,
            "--after" => all.after = true,
            "--mixed" => all.mixed = true,
            "--force" => all.force = true,
            "--displays" => all.displays = Some(words.next()?.split(',').map(str::to_owned).collect()),
            "--vfs" => all.vfs.get_or_insert_default().push(words.next()?),
            "--die" => all.die = Some(words.next()?.parse().ok()?),
            "--state" => all.state = Some(words.next()?),
            "--classes" => all.classes = Some(words.next()?),
            "--count" => all.count = Some(words.next()?.parse().ok()?),
            "--profile" => all.profile = Some(words.next()?),
            other if other.starts_with('-') => return None,
            _ => all.words.push(word),
        }
    }
    (live || all.die.is_some()).then_some(all)
}

fn main() -> ExitCode {
    let Some(options) = arguments() else {
        eprintln!("usage: see the head of examples/conformance.rs");
        return ExitCode::from(2);
    };
    let Some(at) = options.die else { return compare(&options) };
    match switch(&options, at) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
