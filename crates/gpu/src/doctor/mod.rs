//! What is wrong with a host's GPUs, why, and the exact fix.

use crate::{Inventory, Sysfs};
use oriel_model::{Finding, GpuAddress};

/// What the doctor is asked.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only this GPU; the host's findings come all the same.
    pub gpu: Option<GpuAddress>,
    pub guest: Option<Guest>,
}

/// What shall run in the desktop: some findings concern one system only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    Windows,
    Linux,
}

/// Looks; changes nothing. Findings come with the worst first, then by subject.
pub fn doctor(sysfs: &dyn Sysfs, inventory: &Inventory, options: &Options) -> Vec<Finding> {
    let _ = (sysfs, inventory, options);
    Vec::new()
}
