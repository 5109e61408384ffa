//! A real OpenSSH server of our own, which lets in who measures.

use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::{Child, Command};

pub(crate) struct Sshd {
    folder: TempDir,
    address: SocketAddr,
    // Killed with it.
    _program: Child,
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = std::process::Command::new(program).args(arguments).output();
    let output =
        output.with_context(|| format!("cannot start {program}; install openssh-server and openssh-client"))?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The account that this runs as.
pub(crate) fn user() -> Result<String> {
    output("id", &["-un"])
}

impl Sshd {
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().display().to_string();
        for name in ["host", "user"] {
            output("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &format!("{path}/{name}")])?;
        }
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        // Made by the service where there is one.
        std::fs::create_dir_all("/run/sshd").ok();
        let config = format!(
            "ListenAddress {address}\nHostKey {path}/host\nAuthorizedKeysFile {path}/user.pub\nPidFile none\nUsePAM no\n\
             StrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        );
        std::fs::write(format!("{path}/config"), config)?;
        let program = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &format!("{path}/config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start /usr/sbin/sshd; install openssh-server")?;
        let began = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            ensure!(began.elapsed() < Duration::from_secs(20), "sshd does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { folder, address, _program: program })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
