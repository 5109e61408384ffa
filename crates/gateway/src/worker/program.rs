//! The program that workers run.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    pub program: PathBuf,
    /// Before those that the program's own part needs.
    pub arguments: Vec<OsString>,
    /// What it has of an environment, beyond nothing.
    pub environment: Vec<(OsString, OsString)>,
}

/// A worker that runs.
pub(super) struct Started {
    pub child: Child,
    pub frames: UnixStream,
    pub doors: UnixStream,
}

impl WorkerProgram {
    /// It gets the frames as its standard input and the doors as its standard output; its log is its standard error.
    pub(super) fn start(&self) -> io::Result<Started> {
        let (frames, its_frames) = UnixStream::pair()?;
        let (doors, its_doors) = UnixStream::pair()?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            // Nobody looks for KDCs there: it asks for them here.
            .env(oriel_rdp::KDC_VARIABLE, oriel_rdp::KDC_PLACE)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(its_frames)))
            .stdout(Stdio::from(OwnedFd::from(its_doors)))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            // Control-C in a terminal is for the server, which tells its sessions.
            .process_group(0)
            .spawn()?;
        Ok(Started { child, frames, doors })
    }
}
