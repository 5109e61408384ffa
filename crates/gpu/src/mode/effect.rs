//! What a step makes true, read back from the host: how steps are verified, and why doing or undoing one twice does no harm.

use super::{Action, DEVICES, nvidia};
use crate::{Sysfs, inventory::placement};

/// What the host shows of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is so.
    Done,
    /// It is not; what is instead.
    Not(String),
    /// Nothing to be seen of it.
    Unknown,
}

impl Seen {
    fn of(done: bool, instead: impl FnOnce() -> String) -> Self {
        if done { Self::Done } else { Self::Not(instead()) }
    }
}

/// Whether a path is there; one that ends in `*` is when any name begins so.
fn there(sysfs: &dyn Sysfs, path: &str) -> bool {
    match path.strip_suffix('*').and_then(|start| start.rsplit_once('/')) {
        Some((folder, start)) => sysfs.list(folder).is_ok_and(|names| names.iter().any(|name| name.starts_with(start))),
        None => sysfs.exists(path),
    }
}

fn driver(sysfs: &dyn Sysfs, address: &str) -> Option<String> {
    sysfs.link_name(&format!("{DEVICES}/{address}/driver"))
}

fn driver_words(driver: Option<&str>) -> String {
    driver.map_or_else(|| "it has no driver".to_owned(), |driver| format!("its driver is {driver}"))
}

/// Whether an action's effect is there.
pub(crate) fn seen(sysfs: &dyn Sysfs, action: &Action) -> Seen {
    match action {
        Action::Write { path, content } => written(sysfs, path, content.trim()),
        Action::Run { argv } => ran(sysfs, argv),
        Action::Wait { path, gone, .. } => Seen::of(there(sysfs, path) != *gone, || {
            if *gone { format!("{path} is still there") } else { format!("{path} is not there") }
        }),
        Action::Save { path, content } => {
            let now = sysfs.read(path).ok();
            Seen::of(now.as_deref() == content.as_deref().map(str::as_bytes), || format!("{path} has other content"))
        }
    }
}

fn written(sysfs: &dyn Sysfs, path: &str, word: &str) -> Seen {
    let mut parts = path.rsplit('/');
    let (name, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match name {
        "bind" => {
            let now = driver(sysfs, word);
            Seen::of(now.as_deref() == Some(folder), || driver_words(now.as_deref()))
        }
        "unbind" => {
            let now = driver(sysfs, word);
            // Below a device's own link, any driver is meant.
            let left = if folder == "driver" { now.is_none() } else { now.as_deref() != Some(folder) };
            Seen::of(left, || driver_words(now.as_deref()))
        }
        "drivers_probe" => {
            let now = driver(sysfs, word);
            match sysfs
                .text(&format!("{DEVICES}/{word}/driver_override"))
                .filter(|text| text != "(null)" && !text.is_empty())
            {
                Some(wanted) => Seen::of(now.as_ref() == Some(&wanted), || driver_words(now.as_deref())),
                None if now.is_some() => Seen::Done,
                // Perhaps no driver of this host wants it.
                None => Seen::Unknown,
            }
        }
        "driver_override" => {
            let now = sysfs.text(path).filter(|text| text != "(null)").unwrap_or_default();
            Seen::of(now == word, || format!("it says `{now}`"))
        }
        "create" => {
            Seen::of(sysfs.exists(&format!("{}/{word}", super::MDEVS)), || "there is no such device".to_owned())
        }
        "remove" => {
            let device = path.strip_suffix("/remove").unwrap_or(path);
            Seen::of(!sysfs.exists(device), || "it is still there".to_owned())
        }
        "unbindLock" if word == "0" && !sysfs.exists(path) => Seen::Done,
        "unbindLock" => Seen::of(sysfs.text(path).is_some_and(|text| text.ends_with(word)), || {
            "the driver did not give its lock: something on the host uses the GPU (`nvidia-smi` lists it)".to_owned()
        }),
        "vgpu_params" => {
            let now = sysfs.text(path).unwrap_or_default();
            Seen::of(placement(&now) == placement(word), || format!("it says `{now}`"))
        }
        "sriov_numvfs" | "sriov_drivers_autoprobe" | "current_vgpu_type" => {
            let now = sysfs.text(path).unwrap_or_default();
            Seen::of(now == word, || format!("it says {}", if now.is_empty() { "nothing" } else { &now }))
        }
        _ => Seen::Unknown,
    }
}

fn ran(sysfs: &dyn Sysfs, argv: &[String]) -> Seen {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let [program, rest @ ..] = words.as_slice() else { return Seen::Unknown };
    let module = |name: &str| {
        sysfs.exists(&format!("/sys/module/{}", name.replace('-', "_")))
            || sysfs.exists(&format!("/sys/bus/pci/drivers/{name}"))
    };
    match (program.rsplit('/').next().unwrap_or_default(), rest) {
        ("modprobe", ["-r", name]) => {
            Seen::of(!sysfs.exists(&format!("/sys/module/{}", name.replace('-', "_"))), || {
                format!("{name} is still loaded")
            })
        }
        ("modprobe", [name, ..]) => Seen::of(module(name), || format!("{name} is not loaded")),
        ("sriov-manage", [flag, address]) => {
            let count = sysfs.number(&format!("{DEVICES}/{address}/sriov_numvfs")).unwrap_or(0);
            Seen::of((count > 0) == (*flag == "-e"), || format!("it has {count} virtual functions"))
        }
        ("nvidia-smi", ["vgpu", "-i", address, "-shm", mode]) => match nvidia::mixed(sysfs, address) {
            Some(now) => Seen::of(now == (*mode == "1"), || "`nvidia-smi -q` shows the other mode".to_owned()),
            None => Seen::Unknown,
        },
        ("nvidia-smi", ["-i", address, "-mig", mode]) => match nvidia::mig(sysfs, address) {
            Some(now) => Seen::of(now == (*mode == "1"), || "`nvidia-smi -q` shows the other mode".to_owned()),
            None => Seen::Unknown,
        },
        ("nvidia-smi", ["mig", "-i", address, "-dci" | "-dgi"]) if nvidia::instances(sysfs, address).is_empty() => {
            Seen::Done
        }
        ("nvidia-smi", ["mig", "-i", address, "-cgi", list, ..]) => {
            let mut missing: Vec<&str> = list.split(',').collect();
            for instance in nvidia::instances(sysfs, address) {
                if let Some(at) = missing.iter().position(|name| *name == instance) {
                    missing.remove(at);
                }
            }
            Seen::of(missing.is_empty(), || format!("GPU instances {} are missing", missing.join(", ")))
        }
        _ => Seen::Unknown,
    }
}
