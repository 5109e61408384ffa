//! What an administrator does with one machine of an engine that can: clouds do, a host of our own does not.

use crate::ComputeError;
use async_trait::async_trait;
use oriel_model::{DesktopId, Name, Standing};

/// Each asks for something that the engine does later: [`Self::standing`] says how far it is, and what came of it. What is so already
/// is not asked for again.
#[async_trait]
pub trait MachineWork: Send + Sync {
    /// How the machine stands. Errors: `NoMachine`.
    async fn standing(&self, desktop: DesktopId) -> Result<Standing, ComputeError>;

    /// Gives it another size, by a flavor's id or name. It is switched off for that, and can go back until [`Self::confirm`]. Answers
    /// whether there was something to do.
    async fn resize(&self, desktop: DesktopId, flavor: &str) -> Result<bool, ComputeError>;

    /// Brings it to another host: one that runs while it runs, one that is off as with a resize. `evacuate`: its host is down, it is made
    /// anew elsewhere, and what lay on that host's own disk is lost. Answers whether there was something to do.
    async fn migrate(&self, desktop: DesktopId, to: Option<&str>, evacuate: bool) -> Result<bool, ComputeError>;

    /// What of ours stands on one of the engine's own hosts, as far as it is told.
    async fn on_host(&self, host: &str) -> Result<Vec<DesktopId>, ComputeError>;

    /// One of the engine's own hosts takes no new machines, with a reason for its administrators, or (`None`) takes them again. What is there
    /// goes on. Errors: `NotDone` for who is none of them, and for a host that the engine does not know.
    async fn close_host(&self, host: &str, reason: Option<&str>) -> Result<(), ComputeError>;

    /// It stays as it was made by a resize or a migration.
    async fn confirm(&self, desktop: DesktopId) -> Result<(), ComputeError>;

    /// It becomes again what it was before a resize or a migration.
    async fn revert(&self, desktop: DesktopId) -> Result<(), ComputeError>;

    /// Keeps what its disk holds now. One of that name that is there stays. Its system is not asked: what it has not written yet is not
    /// in it.
    async fn take_snapshot(&self, desktop: DesktopId, snapshot: &Name) -> Result<(), ComputeError>;

    /// Makes its disk what it was at a snapshot. Errors: `NotDone` for one of an earlier generation, which had other keys.
    async fn restore_snapshot(&self, desktop: DesktopId, snapshot: &Name) -> Result<(), ComputeError>;

    async fn drop_snapshot(&self, desktop: DesktopId, snapshot: &Name) -> Result<(), ComputeError>;
}
