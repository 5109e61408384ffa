//! `oriel gpu`: what a host's GPUs are and can do. Runs here, without a server but for their time plans; with `--root`, on somebody else's
//! host.

mod capture;
mod doctor;
mod list;
mod mode;
pub mod paint;
mod plan;
mod show;

use crate::{
    cli::Global,
    failure::{Done, Failure},
};
use clap::{Args, Subcommand};
use oriel_gpu::{
    GpuError, Inventory, Sysfs, inventory,
    mode::{StateError, StateFolder, Wish},
    sysfs::Folder,
};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum Command {
    /// The GPUs, one line each
    #[command(visible_alias = "ls")]
    List(list::List),
    /// One GPU: everything, and for each mode what is in its way
    Show(show::Show),
    /// What is wrong with them, why, and what to do
    Doctor(doctor::Doctor),
    /// Put all that the engine reads into one file, without secrets and serial numbers: a bug report
    Capture(capture::Capture),
    /// How a GPU is handed out: whole, in slices, as functions, shared
    #[command(subcommand)]
    Mode(mode::Command),
    /// Whose a GPU is at which hours of the week; asks a server
    #[command(subcommand)]
    Plan(plan::Command),
}

impl Command {
    pub async fn run(self, global: &Global) -> Done {
        if let Self::Plan(plan) = self {
            return plan.run(&global.client()?).await;
        }
        // Where `oriel serve` keeps the modes that were set, too.
        let state = global.config(None)?.data().join("gpu");
        match self {
            Self::List(list) => list.run(&state),
            Self::Show(show) => show.run(&state),
            Self::Doctor(doctor) => doctor.run(&state),
            Self::Capture(capture) => capture.run(),
            Self::Mode(mode) => mode.run(&state),
            Self::Plan(_) => Ok(()),
        }
    }
}

/// Which host is looked at.
#[derive(Args)]
pub struct Host {
    /// Look at this capture, or this folder with a host's files, rather than at this host
    #[arg(long, value_name = "DIR|CAPTURE")]
    pub root: Option<PathBuf>,
}

impl Host {
    pub fn open(&self) -> Result<Box<dyn Sysfs>, Failure> {
        match &self.root {
            None => Ok(Box::new(Folder::host())),
            Some(path) => oriel_gpu::capture::open(path).map_err(|error| failure(&error)),
        }
    }

    /// The host's files and its GPUs; `state` is the folder of the modes that were set here.
    pub fn read(&self, state: &Path) -> Result<(Box<dyn Sysfs>, Inventory), Failure> {
        let sysfs = self.open()?;
        let options = if self.root.is_none() { options_here(state) } else { options() };
        let inventory = oriel_gpu::inventory(sysfs.as_ref(), &options).map_err(|error| failure(&error))?;
        Ok((sysfs, inventory))
    }
}

/// `ORIEL_GPU_CLASSES`: prefixes of PCI class codes that count as GPUs beside display controllers, for labs (`0108,0200`).
pub fn options() -> inventory::Options {
    inventory::Options::default().with_classes(&std::env::var("ORIEL_GPU_CLASSES").unwrap_or_default())
}

/// As [`options`], with the modes that were set on this host: what the kernel shows does not tell `shared` from kept by the host.
pub fn options_here(state: &Path) -> inventory::Options {
    let wanted = wishes(state).0.into_iter().map(|wish| (wish.gpu, wish.mode)).collect();
    inventory::Options { wanted, ..options() }
}

/// The modes that were set on this host, and the file that keeps them. Who may not read it sees the host as the kernel shows it.
pub fn wishes(state: &Path) -> (Vec<Wish>, String) {
    if !state.is_dir() {
        return (Vec::new(), String::new());
    }
    let read = || {
        let folder = StateFolder::open(state)?;
        Ok::<_, StateError>((folder.wishes()?, folder.wishes_path().display().to_string()))
    };
    read().unwrap_or_default()
}

/// What the engine says is a whole sentence already.
pub fn failure(error: &GpuError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        GpuError::NoCapture { .. } => failure.code(crate::failure::USAGE),
        _ => failure,
    }
}
