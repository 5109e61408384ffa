//! The gateway's processes, its own and one a session: its address, their memory and CPU time.

use crate::serve::Server;
use crate::target::Target;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) struct Gateway {
    way: Way,
    process: Process,
}

/// How viewers reach it.
pub(crate) enum Way {
    /// A WebSocket for each viewer.
    Oriel(SocketAddr),
    /// Guacamole's protocol, which names the server.
    Guacd(SocketAddr, Vec<Server>),
}

/// Whose CPU time and memory count, with those that it starts.
enum Process {
    Started(Child),
    /// It was there.
    Found(u32),
    /// Not on this machine.
    Elsewhere,
}

impl Gateway {
    /// What stands before a server: Oriel's gateway, which is started, or the guacd that is to be measured.
    pub async fn before(server: &Server, target: &Target) -> Result<Self> {
        match target {
            Target::Guacd(address) => {
                let process = listener(*address)?.map_or(Process::Elsewhere, Process::Found);
                Ok(Self { way: Way::Guacd(*address, vec![server.clone()]), process })
            }
            _ => Self::start_with(std::slice::from_ref(server), None).await,
        }
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
        Ok(Self { way: Way::Oriel(SocketAddr::from(([127, 0, 0, 1], port))), process: Process::Started(child) })
    }

    pub const fn way(&self) -> &Way {
        &self.way
    }

    fn own(&self) -> Result<Option<u32>> {
        Ok(match &self.process {
            Process::Started(child) => Some(child.id().context("the gateway has ended")?),
            Process::Found(id) => Some(*id),
            Process::Elsewhere => None,
        })
    }

    /// The gateway's process and those that it started.
    fn processes(own: u32) -> Result<Vec<u32>> {
        let started = std::fs::read_dir("/proc")?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|id| stat(*id).is_ok_and(|fields| fields.get(1).is_some_and(|parent| *parent == own.to_string())));
        Ok(std::iter::once(own).chain(started).collect())
    }

    /// Memory of all of them, what they share counted once: `Pss` of proc_pid_smaps(5).
    pub fn pss_mib(&self) -> Result<Option<f64>> {
        let Some(own) = self.own()? else { return Ok(None) };
        Self::processes(own)?
            .into_iter()
            .try_fold(0.0, |sum, id| -> Result<f64> {
                let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
                let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
                let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
                Ok(sum + kib / 1024.0)
            })
            .map(Some)
    }

    /// User and system time of all of them so far, and of those that have ended: fields 14 to 17 of proc_pid_stat(5), in ticks of
    /// 10 ms.
    pub fn cpu_seconds(&self) -> Result<Option<f64>> {
        let Some(own) = self.own()? else { return Ok(None) };
        Self::processes(own)?
            .into_iter()
            .try_fold(0.0, |sum, id| -> Result<f64> {
                let fields = stat(id)?;
                let count = if id == own { 4 } else { 2 };
                let ticks: f64 = fields.iter().skip(11).take(count).filter_map(|field| field.parse::<f64>().ok()).sum();
                Ok(sum + ticks / 100.0)
            })
            .map(Some)
    }
}

/// The process that listens at an address of this machine: its socket is in proc_net(5), and then in somebody's file descriptors.
fn listener(address: SocketAddr) -> Result<Option<u32>> {
    const LISTENS: &str = "0A";
    if !address.ip().is_loopback() {
        return Ok(None);
    }
    let port = format!(":{:04X}", address.port());
    let socket = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        std::fs::read_to_string(table).ok()?.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields.get(1)?.ends_with(&port) && *fields.get(3)? == LISTENS;
            listens.then(|| format!("socket:[{}]", fields.get(9).copied().unwrap_or_default()))
        })
    });
    let Some(socket) = socket else { return Ok(None) };
    let holds = |id: &u32| {
        let files = std::fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|link| link.as_os_str() == socket.as_str())
    };
    let those = std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // The first one: those that it starts hold the socket as well.
    let mut holders: Vec<u32> = those.filter(holds).collect();
    holders.sort_unstable();
    Ok(holders.first().copied())
}

/// The fields of proc_pid_stat(5) from the third on: its state, its parent, …
fn stat(id: u32) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let after_name = text.rsplit_once(')').context("no name in stat")?.1;
    Ok(after_name.split_whitespace().map(str::to_owned).collect())
}
