//! A real Active Directory of one domain controller: Samba's, on a loopback address of its own, for its ports are what they are.

use oriel_model::{DirectoryKind, DirectorySettings};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use std::{
    fmt::Write as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Fits the domain's rules for passwords.
pub const PASSWORD: &str = "Green-Lamps-7";
const SERVER: &str = "/usr/sbin/samba";
const TOOL: &str = "/usr/bin/samba-tool";

/// `None` where it cannot be: the test says so and is skipped. `./test` installs it, and CI is root.
pub struct Samba {
    child: Child,
    folder: tempfile::TempDir,
    address: String,
}

impl Samba {
    pub fn start() -> Option<Self> {
        let is_there = Path::new(SERVER).exists() && Path::new("/usr/share/samba/setup").exists();
        // The port of LDAP is below 1024, and Samba has no other.
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
        if !is_there || !is_root {
            assert!(std::env::var_os("ORIEL_TEST_VM").is_none(), "Samba is not installed, or this is not root");
            eprintln!("skipped: Samba is not installed, or this is not root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let id = std::process::id();
        let address = format!("127.{}.{}.{}", 64 + id % 128, id / 128 % 256, 1 + id / 32768 % 250);
        let at = |name: &str| folder.path().join(name);
        let provisioned = Command::new(TOOL)
            .args(["domain", "provision", "--realm=LAB.EXAMPLE", "--domain=LAB", "--server-role=dc"])
            .args(["--dns-backend=NONE", "--use-rfc2307", "--option=vfs objects="])
            .arg(format!("--adminpass={PASSWORD}"))
            .arg(format!("--targetdir={}", folder.path().display()))
            .arg(format!("--option=posix:eadb={}", at("eadb.tdb").display()))
            .args(["--option=bind interfaces only=yes", &format!("--option=interfaces={address}/8")])
            .output()
            .unwrap();
        assert!(provisioned.status.success(), "{}", String::from_utf8_lossy(&provisioned.stderr));
        for name in ["cache", "run"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        let child = Command::new(SERVER)
            .args(["-i", "-M", "single", "-s"])
            .arg(at("etc/smb.conf"))
            .args(["--option=server services=ldap", "--option=dcerpc endpoint servers="])
            .arg(format!("--option=pid directory={}", at("run").display()))
            .arg(format!("--option=ncalrpc dir={}", at("run/rpc").display()))
            .arg(format!("--option=log file={}", at("run/log").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(at("run/said")).unwrap())
            .spawn()
            .unwrap();
        let mut samba = Self { child, folder, address };
        let began = Instant::now();
        while TcpStream::connect((samba.address.as_str(), 636)).is_err() {
            let said = || std::fs::read_to_string(samba.folder.path().join("run/said")).unwrap_or_default();
            assert!(samba.child.try_wait().unwrap().is_none(), "Samba ended: {}", said());
            assert!(began.elapsed() < Duration::from_secs(30), "Samba does not listen: {}", said());
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(samba)
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("etc/smb.conf")
    }

    pub fn tool(&self, arguments: &[&str]) {
        let done = Command::new(TOOL).args(arguments).arg("-s").arg(self.configuration()).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// By the pin of the certificate that it made for itself.
    pub fn settings(&self) -> DirectorySettings {
        let pem = std::fs::read(self.folder.path().join("private/tls/cert.pem")).unwrap();
        let der = CertificateDer::from_pem_slice(&pem).unwrap();
        let pin = Sha256::digest(&der).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        DirectorySettings {
            kind: DirectoryKind::ActiveDirectory,
            url: format!("ldaps://{}", self.address),
            pin: Some(pin),
            bind_dn: Some("Administrator@lab.example".into()),
            base: "dc=lab,dc=example".into(),
            ..DirectorySettings::default()
        }
    }

    pub fn service() -> SecretString {
        PASSWORD.into()
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
