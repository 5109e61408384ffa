//! Where a simulation takes hold: between what was read and what is written, somebody else may come first, and a program may die.
//!
//! Nothing of this does anything outside a simulation, which runs each of its worlds on one thread and sets that thread's
//! [`hold`]. A [`Plant`] is a mistake that somebody could make, put in on purpose: a simulation that does not notice it is no good.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    task::Poll,
};

/// Answers whether whoever came here may go on.
pub type Hold = Box<dyn FnMut(Pass) -> bool>;

/// Whether somebody came to this place just now, or asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    First,
    Again,
}

/// A mistake to be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// The key that keeps the ports of two desktops apart is missing, and so is the look at those that are taken; and as
    /// [`Self::NoLead`].
    NoPortFence,
    /// A seat is given without a look whether it is still free.
    NoSeatFence,
    /// One person may have several seats of a pool: the unique index is missing.
    NoSeatKey,
    /// A seat is taken back without a look whether somebody is there.
    NoDrain,
    /// What was taken back is not wiped before the next person gets it.
    NoWipe,
    /// Nobody asks who may act on the world: every program does.
    NoLead,
    /// Nobody looks at what somebody holds before they get more.
    NoQuotaFence,
    /// Whoever wants a person's disk gets it, whoever has it.
    NoDiskFence,
    /// A place on a session host is given without a look whether one is left, or whether it takes anybody.
    NoPlaceFence,
    /// A session host is made anew, switched off or deleted without a look whether somebody has a place on it.
    NoHostDrain,
    /// A desktop starts without a look whether its host is drained.
    NoMaintenanceFence,
}

thread_local! {
    static HOLD: RefCell<Option<Hold>> = const { RefCell::new(None) };
    static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
    static WRITES: Cell<u64> = const { Cell::new(0) };
}

/// Takes hold of this thread's writers; `None` lets go.
pub fn hold(hold: Option<Hold>) {
    HOLD.with_borrow_mut(|held| *held = hold);
}

/// Waits until the simulation says so; everywhere else it goes on at once.
pub async fn pass() {
    let mut first = true;
    poll_fn(|context| {
        let pass = if first { Pass::First } else { Pass::Again };
        first = false;
        if HOLD.with_borrow_mut(|held| held.as_mut().is_none_or(|hold| hold(pass))) {
            return Poll::Ready(());
        }
        // Whoever simulates asks again when it is time; a set of futures must not think that this one sleeps.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    WRITES.set(WRITES.get() + 1);
}

/// How many writes this thread has begun: as long as it stays the same, a simulation has nothing new to look at.
pub fn writes() -> u64 {
    WRITES.get()
}

/// Plants a mistake on this thread, for a simulation.
pub fn plant(plant: Option<Plant>) {
    PLANTED.set(plant);
}

pub fn planted(plant: Plant) -> bool {
    PLANTED.get() == Some(plant)
}
