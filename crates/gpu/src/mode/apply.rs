//! Doing a plan: every step is journalled, checked for users, done, read back; the first that fails turns all around.

use super::{
    Action, Plan, Refusal, StateError, StateFolder, Step, effect,
    effect::Seen,
    explain,
    journal::{Journal, Phase},
    nvidia, usage,
};
use crate::Sysfs;
use oriel_model::GpuAddress;
use std::{fmt, time::Duration};

/// How often something that takes time is looked at.
const POLL: Duration = Duration::from_millis(100);
/// How long an effect may take to show after its write.
const SETTLE_MS: u64 = 5_000;

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("{gpu} cannot be switched: {}", sentences(.refused))]
    Refused { gpu: GpuAddress, refused: Vec<Refusal> },
    #[error("this is a capture, not the running host: it can be planned for, not changed")]
    NotLive,
    #[error("an earlier switch of {gpu} was cut off; run `oriel gpu mode recover` first")]
    Unfinished { gpu: GpuAddress },
    #[error("{does}: {why}; {}", match .undone { Ok(()) => "everything before it was undone, the card is as it was".to_owned(), Err(stuck) => format!("undoing it failed, too: {stuck}; `oriel gpu mode recover` tries again") })]
    Failed { does: String, why: String, undone: Result<(), String> },
    #[error(transparent)]
    State(#[from] StateError),
}

fn sentences(refused: &[Refusal]) -> String {
    refused.iter().map(|refusal| refusal.reason.as_str()).collect::<Vec<_>>().join("; ")
}

/// How a plan that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was so already.
    Nothing,
    Done,
    /// The rest follows at the next boot, through [`super::reapply`].
    AfterReboot,
}

/// What is happening, for people who wait.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    Step {
        number: usize,
        of: usize,
        step: &'a Step,
    },
    /// It was so already.
    Skipped {
        number: usize,
        of: usize,
        step: &'a Step,
    },
    Failed {
        why: &'a str,
    },
    Undo {
        step: &'a Step,
    },
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { number, of, step } => write!(f, "{number}/{of} {}", step.does),
            Self::Skipped { number, of, step } => write!(f, "{number}/{of} {}: is so already", step.does),
            Self::Failed { why } => write!(f, "failed: {why}"),
            Self::Undo { step } => write!(f, "undo: {}", step.undo.as_deref().unwrap_or("nothing")),
        }
    }
}

/// Does a plan and remembers its wish. Blocks for as long as the host needs; holds the GPU's lock meanwhile.
///
/// # Errors
/// [`ApplyError::Failed`] says whether the card is as it was before; the other errors come before anything is changed.
pub fn apply(
    sysfs: &dyn Sysfs,
    plan: &Plan,
    state: &StateFolder,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Applied, ApplyError> {
    if !plan.refused.is_empty() {
        return Err(ApplyError::Refused { gpu: plan.gpu.clone(), refused: plan.refused.clone() });
    }
    if !sysfs.live() {
        return Err(ApplyError::NotLive);
    }
    let _lock = state.lock(&plan.gpu)?;
    if state.journal_path(&plan.gpu).exists() {
        return Err(ApplyError::Unfinished { gpu: plan.gpu.clone() });
    }
    let ended = if plan.needs_reboot { Applied::AfterReboot } else { Applied::Done };
    if plan.steps.is_empty() {
        state.remember(&plan.wish())?;
        return Ok(if plan.needs_reboot { ended } else { Applied::Nothing });
    }
    let mut journal = Journal::begin(sysfs, state, plan)?;
    let of = plan.steps.len();
    for (index, step) in plan.steps.iter().enumerate() {
        journal.phase(Phase::Doing(index))?;
        if effect::seen(sysfs, &step.action) == Seen::Done {
            progress(Progress::Skipped { number: index + 1, of, step });
            continue;
        }
        progress(Progress::Step { number: index + 1, of, step });
        if let Err(why) = take(sysfs, &step.action) {
            progress(Progress::Failed { why: &why });
            journal.phase(Phase::Undoing(index))?;
            let undone = roll_back(sysfs, &mut journal, index, progress);
            if undone.is_ok() {
                journal.end()?;
            }
            return Err(ApplyError::Failed { does: step.does.clone(), why, undone });
        }
        journal.phase(Phase::Ready(index + 1))?;
    }
    finish(state, journal)?;
    Ok(ended)
}

/// The last two things after the last step.
pub(crate) fn finish(state: &StateFolder, mut journal: Journal) -> Result<(), StateError> {
    journal.phase(Phase::Done)?;
    state.remember(&journal.record.plan.wish())?;
    journal.end()
}

/// One action with all its care: nobody uses what it takes, the kernel takes it, its effect shows.
pub(crate) fn take(sysfs: &dyn Sysfs, action: &Action) -> Result<(), String> {
    if let Some(why) = usage::blocked(sysfs, action) {
        return Err(why);
    }
    let_nvidia_go(sysfs, action)?;
    let done = match action {
        Action::Write { path, content } => sysfs.write(path, content.as_bytes()),
        Action::Run { argv } => {
            let words: Vec<&str> = argv.iter().map(String::as_str).collect();
            sysfs.run(&words).or_else(|error| match words.as_slice() {
                // Every instance has its compute instance already: this is done again after a crash.
                ["nvidia-smi", .., "-cci"] if error.to_string().contains("Insufficient") => Ok(()),
                _ => Err(error),
            })
        }
        Action::Save { path, content } => sysfs.save(path, content.as_deref().map(str::as_bytes)),
        Action::Wait { .. } => Ok(()),
    };
    done.map_err(|error| explain(action, &error))?;
    let limit_ms = if let Action::Wait { limit_ms, .. } = action { *limit_ms } else { SETTLE_MS };
    let mut waited = Duration::ZERO;
    loop {
        match effect::seen(sysfs, action) {
            Seen::Done | Seen::Unknown => return Ok(()),
            Seen::Not(instead) if waited.as_millis() >= u128::from(limit_ms) => {
                return Err(match action {
                    Action::Wait { limit_ms, .. } => format!("{instead} after {} seconds", limit_ms / 1000),
                    _ => format!("the host took it without effect: {instead}"),
                });
            }
            Seen::Not(_) => {
                sysfs.pause(POLL);
                waited += POLL;
            }
        }
    }
}

/// NVIDIA's driver must be asked before a GPU is taken from it, or the kernel waits for ever; on the way back, too.
fn let_nvidia_go(sysfs: &dyn Sysfs, action: &Action) -> Result<(), String> {
    let Action::Write { path, content } = action else { return Ok(()) };
    let address = content.trim();
    let lock = nvidia::unbind_lock(address);
    let driver = || sysfs.link_name(&format!("{}/{address}/driver", super::DEVICES));
    if !path.ends_with("/unbind") || !sysfs.exists(&lock) || driver().as_deref() != Some("nvidia") {
        return Ok(());
    }
    let ask = Action::Write { path: lock.clone(), content: "1".to_owned() };
    if effect::seen(sysfs, &ask) == Seen::Done {
        return Ok(());
    }
    sysfs.write(&lock, b"1").map_err(|error| explain(&ask, &error))?;
    match effect::seen(sysfs, &ask) {
        Seen::Not(why) => Err(why),
        _ => Ok(()),
    }
}

/// Undoes the steps up to `from`, last first. Stops at the first that cannot be undone; the journal then stays.
pub(crate) fn roll_back(
    sysfs: &dyn Sysfs,
    journal: &mut Journal,
    from: usize,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), String> {
    let steps: Vec<(usize, Step)> =
        journal.record.plan.steps.iter().cloned().enumerate().take(from.saturating_add(1)).collect();
    for (index, step) in steps.iter().rev() {
        let Some(undo) = &step.undo_action else { continue };
        if effect::seen(sysfs, undo) == Seen::Done {
            continue;
        }
        journal.phase(Phase::Undoing(*index)).map_err(|error| error.to_string())?;
        progress(Progress::Undo { step });
        take(sysfs, undo)?;
    }
    Ok(())
}
