//! After a crash: every switch that was cut off is rolled back; where that cannot be, it is finished.

use super::{
    Action, StateError, StateFolder,
    apply::{finish, roll_back, take},
    effect,
    effect::Seen,
    journal::{Journal, Phase, Record, boot},
};
use crate::Sysfs;
use oriel_model::{GpuAddress, GpuMode};
use std::path::Path;

/// What became of one switch that was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    pub gpu: GpuAddress,
    /// Where it was going.
    pub to: GpuMode,
    pub outcome: RecoveryOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveryOutcome {
    /// The GPU is as before.
    RolledBack,
    /// The GPU is as wished.
    Finished,
    /// Neither could be; the journal stays, the next [`recover`] tries again.
    Stuck(String),
    /// Another program is switching it now.
    Busy,
}

/// Looks for switches that were cut off. To be called before anything else when a program starts; finds nothing most times.
///
/// # Errors
/// The state folder cannot be read. What cannot be recovered is no error: see [`RecoveryOutcome::Stuck`].
pub fn recover(sysfs: &dyn Sysfs, state: &StateFolder) -> Result<Vec<Recovered>, StateError> {
    let mut all = Vec::new();
    for path in state.journals()? {
        if let Some(recovered) = recover_one(sysfs, state, &path)? {
            all.push(recovered);
        }
    }
    Ok(all)
}

fn recover_one(sysfs: &dyn Sysfs, state: &StateFolder, path: &Path) -> Result<Option<Recovered>, StateError> {
    let Some(found) = Journal::read(path)? else { return Ok(None) };
    let (gpu, to) = (found.record.plan.gpu.clone(), found.record.plan.to);
    let with = |outcome: RecoveryOutcome| Ok(Some(Recovered { gpu: gpu.clone(), to, outcome }));
    let _lock = match state.lock(&gpu) {
        Ok(lock) => lock,
        Err(StateError::Busy { .. }) => return with(RecoveryOutcome::Busy),
        Err(error) => return Err(error),
    };
    // Its owner may have ended it between the look and the lock.
    let Some(mut journal) = Journal::read(path)? else { return Ok(None) };
    if journal.record.boot != boot(sysfs) {
        keep_only_files(&mut journal.record);
    }
    let from = match journal.record.phase {
        Phase::Done => {
            finish(state, journal)?;
            return with(RecoveryOutcome::Finished);
        }
        Phase::Doing(step) | Phase::Undoing(step) => step,
        Phase::Ready(0) => {
            journal.end()?;
            return with(RecoveryOutcome::RolledBack);
        }
        Phase::Ready(next) => next - 1,
    };
    let stuck = match roll_back(sysfs, &mut journal, from, &mut |_| {}) {
        Ok(()) => {
            journal.end()?;
            return with(RecoveryOutcome::RolledBack);
        }
        Err(stuck) => stuck,
    };
    let steps = journal.record.plan.steps.clone();
    let forward = steps.iter().filter(|step| effect::seen(sysfs, &step.action) != Seen::Done);
    match forward.map(|step| take(sysfs, &step.action)).collect::<Result<Vec<()>, String>>() {
        Ok(_) => {
            finish(state, journal)?;
            with(RecoveryOutcome::Finished)
        }
        Err(ahead) => with(RecoveryOutcome::Stuck(format!("it cannot go back: {stuck}; nor forward: {ahead}"))),
    }
}

/// After a reboot the kernel knows nothing of what was done; files do.
fn keep_only_files(record: &mut Record) {
    for step in &mut record.plan.steps {
        if !matches!(step.undo_action, Some(Action::Save { .. })) {
            step.undo_action = None;
        }
    }
}
