//! A real VNC server with a terminal in it.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

pub(crate) struct XServer {
    address: SocketAddr,
    // Both end with this value.
    server: Child,
    _terminal: Child,
}

impl XServer {
    /// Starts Xtigervnc on a free display and an xterm that runs a bash program and fills the screen.
    pub async fn start(width: u16, height: u16, program: &str) -> Result<Self> {
        for display in 90..120u16 {
            let port = 5900 + display;
            let locked = std::path::Path::new(&format!("/tmp/.X{display}-lock")).exists();
            if locked || std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
                continue;
            }
            let name = format!(":{display}");
            let server = Command::new("Xtigervnc")
                .args([&name, "-geometry", &format!("{width}x{height}"), "-depth", "24", "-SecurityTypes", "None"])
                .args(["-localhost", "-rfbport", &port.to_string(), "-AlwaysShared"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .context("cannot start Xtigervnc: install the package tigervnc-standalone-server")?;
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            wait_for(address).await?;
            let terminal = terminal(&name, width, height, program)?;
            tokio::time::sleep(Duration::from_secs(2)).await;
            return Ok(Self { address, server, _terminal: terminal });
        }
        bail!("no free display between :90 and :119")
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for XServer {
    fn drop(&mut self) {
        // Asked to end, the server takes its lock file along.
        if let Some(id) = self.server.id().and_then(|id| rustix::process::Pid::from_raw(id as i32)) {
            rustix::process::kill_process(id, rustix::process::Signal::TERM).ok();
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

/// An xterm that runs a bash program and fills the screen.
pub(crate) fn terminal(display: &str, width: u16, height: u16, program: &str) -> Result<Child> {
    // xterm's built-in font has cells of 6x13 pixels; what is typed must stay on the screen.
    let cells = format!("{}x{}+0+0", width / 6 - 2, height / 13 - 1);
    Command::new("xterm")
        .args(["-display", display, "-geometry", &cells, "-e", "bash", "-c", program])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start xterm: install the package xterm")
}

async fn wait_for(address: SocketAddr) -> Result<()> {
    for _ in 0..100 {
        if TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("Xtigervnc did not listen on {address} within 10 s")
}
