//! FreeRDP's shadow server on an Xvfb: it can do network level authentication, which xrdp 0.9 cannot.

use super::{Running, free_display, free_port, need, run, wait_until};
use oriel_rdp::RdpOptions;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub struct Shadow {
    server: Option<Running>,
    screen: Option<Running>,
    pub port: u16,
    pub display: u32,
    pub pin: [u8; 32],
    folder: tempfile::TempDir,
}

impl Shadow {
    /// Shares an Xvfb of 1024x768 with TLS and NLA; the user is `anna`, the password `geheim`.
    pub fn start(security: &str) -> Self {
        Self::with(security, "+auth")
    }

    /// Anybody may watch: what the graphics pipeline is tested with.
    pub fn open() -> Self {
        Self::with("tls", "-auth")
    }

    fn with(security: &str, authentication: &str) -> Self {
        need("freerdp-shadow-cli");
        let folder = tempfile::tempdir().unwrap();
        let (port, display) = (free_port(), free_display());
        let screen = Command::new(need("Xvfb"))
            .args([&format!(":{display}"), "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let screen = Running(screen);
        wait_until("Xvfb", Duration::from_secs(10), || Path::new(&format!("/tmp/.X11-unix/X{display}")).exists());
        run(Command::new(need("xsetroot")).args(["-solid", "#884422"]).env("DISPLAY", format!(":{display}")));
        // NT hash of "geheim" in the layout of FreeRDP's account file.
        let sam = folder.path().join("sam");
        fs::write(&sam, "anna:::c2ae1fe6e648846352453e816f2aeb93:::\n").unwrap();
        let log = fs::File::create(folder.path().join("shadow.log")).unwrap();
        let server = Command::new(need("freerdp-shadow-cli"))
            .arg(format!("/port:{port}"))
            .args(["/bind-address:127.0.0.1", &format!("/sec:{security}"), authentication])
            .arg(format!("/sam-file:{}", sam.display()))
            .env("DISPLAY", format!(":{display}"))
            .env("HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut shadow =
            Self { server: Some(Running(server)), screen: Some(screen), port, display, pin: [0; 32], folder };
        wait_until("the shadow server", Duration::from_secs(15), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        shadow.pin = shadow.find_pin();
        shadow
    }

    /// The certificate that the server made for itself.
    fn find_pin(&self) -> [u8; 32] {
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path: PathBuf = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ext| ext == "crt") {
                    let der =
                        Command::new("openssl").args(["x509", "-outform", "der", "-in"]).arg(&path).output().unwrap();
                    return Sha256::digest(&der.stdout).into();
                }
            }
        }
        panic!("the shadow server made no certificate\n{}", self.logs());
    }

    pub fn options(&self, password: &str) -> RdpOptions {
        RdpOptions {
            user: "anna".to_owned(),
            password: SecretString::from(password.to_owned()),
            domain: None,
            width: 1024,
            height: 768,
            scale: 100,
            monitors: None,
            keyboard: "us".to_owned(),
            certificate: oriel_pin::HostPin::Sha256(self.pin),
            keeper: None,
            security: oriel_rdp::Security::Any,
            kerberos: None,
            client_name: "oriel-test".to_owned(),
            pipeline: oriel_rdp::Pipeline::Video,
            devices: oriel_rdp::Devices::default(),
            drive: None,
            session: oriel_rdp::SessionOptions::default(),
            gateway: None,
            continuation: oriel_rdp::Continuation::default(),
        }
    }

    pub fn logs(&self) -> String {
        fs::read_to_string(self.folder.path().join("shadow.log")).unwrap_or_default()
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        drop(self.server.take());
        drop(self.screen.take());
    }
}
