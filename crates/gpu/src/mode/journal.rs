//! How far a switch has come: on the disk before and after every step.
//!
//! ```text
//!            ┌────────────── next step ──────────────┐
//!            ▼                                       │
//!  begun ─▶ doing(n) ─▶ the step, and its effect ─▶ ready(n+1) ─▶ … ─▶ done ─▶ wish kept ─▶ journal gone
//!            └── failed, or killed and started again ─▶ undoing(n … 0) ─▶ journal gone
//! ```

use super::{Plan, StateError, StateFolder, state};
use crate::Sysfs;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", content = "step", rename_all = "snake_case")]
pub(crate) enum Phase {
    /// This step may have been taken.
    Doing(usize),
    /// All steps before this one have been taken.
    Ready(usize),
    /// All steps have been taken.
    Done,
    /// This step and all before it are still to be undone.
    Undoing(usize),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// `/proc/sys/kernel/random/boot_id`: after a reboot the kernel has forgotten all but files.
    pub boot: String,
    pub phase: Phase,
    pub plan: Plan,
}

/// The journal of one switch.
pub(crate) struct Journal {
    path: PathBuf,
    pub record: Record,
}

pub(crate) fn boot(sysfs: &dyn Sysfs) -> String {
    sysfs.text("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

impl Journal {
    pub fn begin(sysfs: &dyn Sysfs, state: &StateFolder, plan: &Plan) -> Result<Self, StateError> {
        let record = Record { boot: boot(sysfs), phase: Phase::Ready(0), plan: plan.clone() };
        let journal = Self { path: state.journal_path(&plan.gpu), record };
        journal.write()?;
        Ok(journal)
    }

    /// What a killed program left.
    pub fn read(path: &Path) -> Result<Option<Self>, StateError> {
        Ok(state::read(path)?.map(|record| Self { path: path.to_owned(), record }))
    }

    pub fn phase(&mut self, phase: Phase) -> Result<(), StateError> {
        self.record.phase = phase;
        self.write()
    }

    fn write(&self) -> Result<(), StateError> {
        StateFolder::replace(&self.path, &self.record)
    }

    pub fn end(self) -> Result<(), StateError> {
        StateFolder::remove(&self.path)
    }
}
