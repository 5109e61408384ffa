//! The gateway's processes, its own and one a session: its address, their memory and CPU time.

use crate::serve::Server;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) struct Gateway {
    address: SocketAddr,
    child: Child,
}

impl Gateway {
    pub async fn start(server: &Server) -> Result<Self> {
        Self::start_with(std::slice::from_ref(server), None).await
    }

    /// `record`: the folder that every connection is recorded into.
    pub async fn start_with(servers: &[Server], record: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve");
        for server in servers {
            command.arg("--server").arg(serde_json::to_string(server)?);
        }
        if let Some(folder) = record {
            command.arg("--record").arg(folder);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let port: u16 = line.trim().parse().context("the gateway did not print its port")?;
        Ok(Self { address: SocketAddr::from(([127, 0, 0, 1], port)), child })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The gateway's process and those that it started.
    fn processes(&self) -> Result<Vec<u32>> {
        let own = self.child.id().context("the gateway has ended")?;
        let started = std::fs::read_dir("/proc")?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|id| stat(*id).is_ok_and(|fields| fields.get(1).is_some_and(|parent| *parent == own.to_string())));
        Ok(std::iter::once(own).chain(started).collect())
    }

    /// Memory of all of them, what they share counted once: `Pss` of proc_pid_smaps(5).
    pub fn pss_mib(&self) -> Result<f64> {
        self.processes()?.into_iter().try_fold(0.0, |sum, id| {
            let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
            let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
            Ok(sum + kib / 1024.0)
        })
    }

    /// User and system time of all of them so far, and of those that have ended: fields 14 to 17 of proc_pid_stat(5), in ticks of
    /// 10 ms.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let own = self.child.id().context("the gateway has ended")?;
        self.processes()?.into_iter().try_fold(0.0, |sum, id| {
            let fields = stat(id)?;
            let count = if id == own { 4 } else { 2 };
            let ticks: f64 = fields.iter().skip(11).take(count).filter_map(|field| field.parse::<f64>().ok()).sum();
            Ok(sum + ticks / 100.0)
        })
    }
}

/// The fields of proc_pid_stat(5) from the third on: its state, its parent, …
fn stat(id: u32) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let after_name = text.rsplit_once(')').context("no name in stat")?.1;
    Ok(after_name.split_whitespace().map(str::to_owned).collect())
}
