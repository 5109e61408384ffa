//! Switching a GPU from one mode to another: a plan as data, which can be shown before it is done, then applied, verified, and
//! undone on failure; journalled, so that a crash in the middle is finished or rolled back.
//!
//! ```text
//!             Wish ─▶ plan ─▶ Plan ─▶ apply ──────────────────────────────▶ modes.json
//!                               │       │  for every step: journal, is nobody using it, do, read back, journal
//!                     refused ◀─┘       └─ failed ─▶ undo what was done, last first ─▶ as before
//!
//!  at the start:  recover ─▶ a journal was left: roll back; where that cannot be, finish
//!                 reapply ─▶ every wish of modes.json that is not so: plan, apply
//! ```
//!
//! The whole of it is synchronous and works on any [`Sysfs`]: a capture can be planned for, the running host can be changed.
//!
//! ```no_run
//! # use oriel_gpu::{Sysfs, inventory, mode::{self, Wish, StateFolder}, sysfs::Folder};
//! # use oriel_model::GpuMode;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Folder::host();
//! let state = StateFolder::open("/var/lib/oriel/gpu")?;
//! mode::recover(&host, &state)?;
//! let gpus = inventory(&host, &Default::default())?;
//! let plan = mode::plan(&host, &gpus, &Wish::new("0000:41:00.0".parse()?, GpuMode::Whole))?;
//! mode::apply(&host, &plan, &state, &mut |progress| println!("{progress}"))?;
//! # Ok(())
//! # }
//! ```

mod apply;
pub(crate) mod carved;
mod draft;
mod effect;
mod functions;
mod gim;
mod intel;
mod journal;
mod mark;
mod mig;
mod name;
mod native;
pub(crate) mod nvidia;
mod plan;
mod planner;
mod reapply;
mod recover;
mod state;
mod usage;
mod vgpu;
mod whole;
mod wish;
mod words;

pub use apply::{Applied, ApplyError, Progress, apply};
pub use mark::{INDEX_MAX, Owner, desktop_slice, is_of, owner};
pub use plan::{Action, Plan, Refusal, Step};
pub use planner::plan;
pub use reapply::{Reapplied, ReapplyOutcome, reapply};
pub use recover::{Recovered, RecoveryOutcome, recover};
pub use state::{StateError, StateFolder};
pub use wish::Wish;

pub(crate) use apply::take;
pub(crate) use name::{framebuffer_of_name, function_address, is_mig_name};
pub(crate) use usage::Usage;
pub(crate) use words::explain;

pub(crate) const DEVICES: &str = "/sys/bus/pci/devices";
pub(crate) const DRIVERS: &str = "/sys/bus/pci/drivers";
pub(crate) const MDEVS: &str = "/sys/bus/mdev/devices";

/// Drivers that hold a device for others.
pub(crate) fn holds_for_others(driver: &str) -> bool {
    is_vfio(driver) || driver == "pci-stub"
}

/// VFIO's driver and its variants for certain cards (`nvgrace_gpu_vfio_pci`, `xe-vfio-pci`).
pub(crate) fn is_vfio(driver: &str) -> bool {
    driver.ends_with("vfio-pci") || driver.ends_with("vfio_pci")
}
