//! A real RDP server with H.264 graphics, and motion on the screen that it shares.

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// What the shared screen shows.
pub(crate) enum Shows {
    /// A turning, wandering solid, so many times a second.
    Motion { fps: u32 },
    /// A terminal that runs a bash program and fills the screen.
    Terminal(&'static str),
}

/// An Xvfb, shared by FreeRDP's shadow server. All end with this value.
pub(crate) struct Shadow {
    pub address: SocketAddr,
    /// SHA-256 of its certificate.
    pub pin: [u8; 32],
    _children: Vec<Child>,
    _folder: tempfile::TempDir,
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true)
}

impl Shadow {
    pub async fn start(width: u16, height: u16, shows: Shows) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let display = (200..400u16)
            .find(|display| !Path::new(&format!("/tmp/.X{display}-lock")).exists())
            .context("no free display between :200 and :399")?;
        let name = format!(":{display}");
        let screen = quiet(Command::new("Xvfb").args([&name, "-screen", "0", &format!("{width}x{height}x24")]))
            .args(["-nolisten", "tcp", "-noreset"])
            .spawn()
            .context("cannot start Xvfb: install the package xvfb")?;
        wait_for("Xvfb", || Path::new(&format!("/tmp/.X11-unix/X{display}")).exists()).await?;
        let motion = match shows {
            Shows::Motion { fps } => {
                let side = height * 3 / 4;
                quiet(Command::new("ico").args(["-display", &name, "-r", "-faces"]))
                    .args(["-size", &format!("{side}x{side}"), "-sleep", &format!("{:.4}", 1.0 / f64::from(fps))])
                    .spawn()
                    .context("cannot start ico: install the package x11-apps")?
            }
            Shows::Terminal(program) => crate::xserver::terminal(&name, width, height, program)?,
        };
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let server = quiet(&mut Command::new("freerdp-shadow-cli"))
            .args([&format!("/port:{port}"), "/bind-address:127.0.0.1", "/sec:tls", "-auth"])
            .env("DISPLAY", &name)
            .env("HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .spawn()
            .context("cannot start freerdp-shadow-cli: install the package freerdp2-shadow-x11")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        wait_for("freerdp-shadow-cli", || std::net::TcpStream::connect(address).is_ok()).await?;
        let certificate = find_certificate(folder.path())?;
        let der = Command::new("openssl").args(["x509", "-outform", "der", "-in"]).arg(certificate).output().await?;
        let pin = Sha256::digest(&der.stdout).into();
        Ok(Self { address, pin, _children: vec![server, motion, screen], _folder: folder })
    }
}

/// The certificate that the server made for itself.
fn find_certificate(folder: &Path) -> Result<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "crt") {
                return Ok(path);
            }
        }
    }
    bail!("freerdp-shadow-cli made no certificate")
}

async fn wait_for(what: &str, ready: impl Fn() -> bool) -> Result<()> {
    for _ in 0..200 {
        if ready() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("{what} was not ready within 20 s")
}
