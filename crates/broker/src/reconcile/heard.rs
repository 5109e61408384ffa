//! What this program itself changed, and so knows of without looking at everything.

use oriel_model::{DesktopId, PoolId};
use std::{
    collections::BTreeSet,
    mem::take,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Beyond so many names it is quicker to look at all.
const HEARD_MAX: usize = 2000;

/// Which desktops and pools changed since somebody last asked. Whatever others do to them is found by looking.
#[derive(Default)]
pub(crate) struct Heard(Mutex<State>);

#[derive(Default)]
struct State {
    desktops: Names<DesktopId>,
    pools: Names<PoolId>,
}

/// Some, or all.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names<Id> {
    pub all: bool,
    pub some: BTreeSet<Id>,
}

impl<Id> Default for Names<Id> {
    fn default() -> Self {
        Self { all: false, some: BTreeSet::new() }
    }
}

impl<Id: Ord> Names<Id> {
    fn add(&mut self, id: Id) {
        if self.some.len() < HEARD_MAX {
            self.some.insert(id);
        } else {
            self.all = true;
        }
    }
}

impl Heard {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn desktop(&self, id: DesktopId) {
        self.state().desktops.add(id);
    }

    pub fn all_desktops(&self) {
        self.state().desktops.all = true;
    }

    pub fn all_pools(&self) {
        self.state().pools.all = true;
    }

    pub fn pool(&self, id: PoolId) {
        self.state().pools.add(id);
    }

    /// What was heard, which is forgotten here.
    pub fn take_desktops(&self) -> Names<DesktopId> {
        take(&mut self.state().desktops)
    }

    pub fn take_pools(&self) -> Names<PoolId> {
        take(&mut self.state().pools)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_are_all() {
        let heard = Heard::default();
        let first = DesktopId::new();
        heard.desktop(first);
        heard.desktop(first);
        assert_eq!(heard.take_desktops(), Names { all: false, some: BTreeSet::from([first]) });
        for _ in 0..=HEARD_MAX {
            heard.desktop(DesktopId::new());
        }
        let names = heard.take_desktops();
        assert!(names.all && names.some.len() == HEARD_MAX);
        assert_eq!(heard.take_desktops(), Names::default());
    }
}
