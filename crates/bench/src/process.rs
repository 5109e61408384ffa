//! The gateway's own process: its address, memory and CPU time.

use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) struct Gateway {
    address: SocketAddr,
    child: Child,
}

impl Gateway {
    pub async fn start(vnc: SocketAddr) -> Result<Self> {
        Self::start_with(&["--vnc", &vnc.to_string()]).await
    }

    pub async fn start_with(machine: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .args(machine)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let port: u16 = line.trim().parse().context("the gateway did not print its port")?;
        Ok(Self { address: SocketAddr::from(([127, 0, 0, 1], port)), child })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn file(&self, name: &str) -> Result<String> {
        let id = self.child.id().context("the gateway has ended")?;
        Ok(std::fs::read_to_string(format!("/proc/{id}/{name}"))?)
    }

    /// Resident memory: `VmRSS` of proc_pid_status(5).
    pub fn rss_mib(&self) -> Result<f64> {
        let status = self.file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    }

    /// User and system time so far: fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = self.file("stat")?;
        let after_name = stat.rsplit_once(')').context("no name in stat")?.1;
        let mut fields = after_name.split_whitespace().skip(11);
        let mut ticks = || -> Result<f64> { Ok(fields.next().context("stat is short")?.parse()?) };
        Ok((ticks()? + ticks()?) / 100.0)
    }
}
