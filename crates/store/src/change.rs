//! Changing a noun in place: the same rules for desktops and operations.

use oriel_model::{Desktop, Micros, Operation};

/// A noun that says when it was last changed.
pub(crate) trait Changing: Clone + PartialEq {
    /// What no change may touch: id and time of birth.
    fn keep_from(&mut self, before: &Self);
    fn changed(&mut self) -> &mut Micros;
}

impl Changing for Desktop {
    fn keep_from(&mut self, before: &Self) {
        (self.id, self.created) = (before.id, before.created);
    }
    fn changed(&mut self) -> &mut Micros {
        &mut self.changed
    }
}

impl Changing for Operation {
    fn keep_from(&mut self, before: &Self) {
        (self.id, self.created) = (before.id, before.created);
    }
    fn changed(&mut self) -> &mut Micros {
        &mut self.changed
    }
}

/// What `change` makes of it, or `None` when that is what it was. Its `changed` becomes `now` (never earlier than it was),
/// unless `change` set it.
pub(crate) fn changed<T: Changing>(before: &mut T, now: Micros, change: impl FnOnce(&mut T)) -> Option<T> {
    let mut after = before.clone();
    change(&mut after);
    after.keep_from(before);
    if after == *before {
        return None;
    }
    let was = *before.changed();
    if *after.changed() == was {
        *after.changed() = now.max(was);
    }
    Some(after)
}
