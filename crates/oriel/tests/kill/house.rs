//! `oriel serve` as a process that may die at any time, and the command line that talks to it.

use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long anything may take that is waited for. Software emulation beside other tests is slow.
const PATIENCE: Duration = Duration::from_secs(100);
/// What a process that called `abort` was ended by.
const SIGABRT: i32 = 6;

/// A data folder with everything that belongs to it.
pub struct House {
    folder: TempDir,
    pub data: PathBuf,
    ports: &'static str,
}

impl House {
    /// None where no libvirt answers, unless `ORIEL_TEST_VM=required`.
    pub fn new(ports: &'static str) -> Option<Self> {
        let answers = virsh().arg("uri").output().is_ok_and(|output| output.status.success());
        if !answers {
            assert!(std::env::var("ORIEL_TEST_VM").as_deref() != Ok("required"), "{} does not answer", uri());
            eprintln!("skipped: {} does not answer", uri());
            return None;
        }
        let folder = tempfile::Builder::new().prefix("oriel-kill-").tempdir_in("/var/tmp").unwrap();
        // QEMU's user passes through.
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let data = folder.path().join("data");
        Some(Self { folder, data, ports })
    }

    /// The program with this house's configuration, which no command line shows.
    pub fn oriel(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORIEL_") || name.starts_with("XDG_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .env("ORIEL_DATA", &self.data)
            .env("ORIEL_CACHE", self.folder.path().join("cache"))
            .env("ORIEL_LIBVIRT_URI", uri())
            .env("ORIEL_ACCELERATOR", "tcg")
            .env("ORIEL_LISTEN", "127.0.0.1:0")
            .env("ORIEL_PORTS", self.ports);
        command
    }

    pub fn serve(&self, fault: Option<&str>) -> Serve {
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = self.oriel(&["serve"]);
        if let Some(point) = fault {
            command.env("ORIEL_FAULT", point);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("ready: ").unwrap_or_default().trim().trim_end_matches('/').to_owned();
        assert!(fault.is_some() || !url.is_empty(), "said {line:?}");
        Serve { child, url }
    }

    /// A command's stdout, or its stderr when it failed.
    pub fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.oriel(arguments).output().unwrap();
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }

    /// A command that must go well.
    pub fn tell(&self, arguments: &[&str]) -> String {
        self.ask(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.tell(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// An image and a pool `lab` of the smallest machines.
    pub fn furnish(&self) {
        self.tell(&["image", "import", self.disk().to_str().unwrap(), "--name", "tiny", "--os", "other"]);
        self.pool();
    }

    pub fn pool(&self) {
        self.tell(&["pool", "create", "lab", "--image", "tiny", "--memory", "256", "--vcpus", "1", "--disk", "1"]);
    }

    /// A disk of 64 MiB whose boot sector waits for the power button and then switches the machine off: a guest that
    /// shuts down when asked to, without any operating system.
    pub fn disk(&self) -> PathBuf {
        let raw = self.folder.path().join("tiny.raw");
        let disk = self.folder.path().join("tiny.qcow2");
        let mut sector = [
            0xb8, 0x00, 0x01, 0xba, 0x02, 0x06, 0xef, // PM1 enable (Q35: 0x602): the power button
            0xba, 0x00, 0x06, // PM1 status
            0xfb, 0xf4, 0xed, 0xf6, 0xc4, 0x01, 0x74,
            0xf8, // sleep until a tick; again until the button was pressed
            0xb8, 0x00, 0x20, 0xba, 0x04, 0x06, 0xef, // PM1 control: sleep, type 0: off
            0xf4, 0xeb, 0xfd,
        ]
        .to_vec();
        sector.resize(510, 0);
        sector.extend([0x55, 0xaa]);
        fs::write(&raw, sector).unwrap();
        fs::File::options().write(true).open(&raw).unwrap().set_len(64 << 20).unwrap();
        let convert = ["convert", "-f", "raw", "-O", "qcow2"];
        assert!(Command::new("qemu-img").args(convert).args([&raw, &disk]).status().unwrap().success());
        disk
    }

    pub fn desktops(&self) -> Vec<Value> {
        self.json(&["desktop", "list"])["desktops"].as_array().unwrap().clone()
    }

    /// Waits until the desktop is in that state; a failure of its own ends the waiting.
    pub fn until(&self, desktop: &str, state: &str) {
        let mut last = Value::Null;
        let came = wait(|| {
            last = self.json(&["desktop", "show", desktop]);
            assert!(state == "failed" || last["state"] != "failed", "{desktop} failed: {}", last["failure"]);
            last["state"] == state
        });
        assert!(came, "{desktop} did not become {state}: {last:#}");
    }

    pub fn until_gone(&self, desktop: &str) {
        assert!(wait(|| self.ask(&["desktop", "show", desktop]).is_err()), "{desktop} is still there");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
        }
        // Whatever a failed test has left, by its own mark.
        for domain in super::world::domains(&self.data) {
            virsh().args(["destroy", &domain.uuid]).output().ok();
            virsh().args(["undefine", &domain.uuid]).output().ok();
        }
        for (pid, _) in super::world::processes(&self.data) {
            Command::new("kill").args(["-KILL", &pid.to_string()]).output().ok();
        }
    }
}

pub struct Serve {
    child: Child,
    /// Without a slash at its end; empty when it died before it was ready.
    pub url: String,
}

impl Serve {
    /// Waits until it has died at its fault point.
    pub fn dies(mut self) {
        assert!(wait(|| self.child.try_wait().unwrap().is_some()), "the fault point was not passed");
        assert_eq!(self.child.wait().unwrap().signal(), Some(SIGABRT), "it ended in another way");
    }

    /// SIGKILL: nothing is tidied up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Looks again and again; false when it never became so.
pub fn wait(mut so: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}

fn uri() -> String {
    std::env::var("ORIEL_TEST_LIBVIRT_URI").unwrap_or_else(|_| String::from("qemu:///system"))
}

pub fn virsh() -> Command {
    let mut command = Command::new("virsh");
    command.args(["-q", "-c", &uri()]);
    command
}

/// The names in a folder, sorted; none when it is not there.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
