//! At boot: every GPU becomes again what was wished.

use super::{Applied, StateError, StateFolder, Wish, apply, plan};
use crate::{GpuError, Inventory, Sysfs};

/// What became of one wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reapplied {
    pub wish: Wish,
    pub outcome: ReapplyOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReapplyOutcome {
    /// It is so already.
    Nothing,
    Done,
    AfterReboot,
    /// The card is not there now. Its wish is kept.
    Missing,
    /// Why it cannot be: of the plan, or of a step.
    Failed(String),
}

/// Fulfils the wishes of `modes.json`. Doing it again does nothing. A card that is missing, or one that fails, keeps none of the
/// others from theirs.
///
/// # Errors
/// The state folder cannot be read.
pub fn reapply(sysfs: &dyn Sysfs, inventory: &Inventory, state: &StateFolder) -> Result<Vec<Reapplied>, StateError> {
    let one = |wish: Wish| {
        let outcome = match plan(sysfs, inventory, &wish) {
            Err(GpuError::NoSuchGpu { .. }) => ReapplyOutcome::Missing,
            Err(error) => ReapplyOutcome::Failed(error.to_string()),
            Ok(plan) => match apply(sysfs, &plan, state, &mut |_| {}) {
                Ok(Applied::Nothing) => ReapplyOutcome::Nothing,
                Ok(Applied::Done) => ReapplyOutcome::Done,
                Ok(Applied::AfterReboot) => ReapplyOutcome::AfterReboot,
                Err(error) => ReapplyOutcome::Failed(error.to_string()),
            },
        };
        Reapplied { wish, outcome }
    };
    Ok(state.wishes()?.into_iter().map(one).collect())
}
