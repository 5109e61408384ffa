//! The one place where the broker looks at the clock: the store's, so that a row and who judges it agree.

pub(crate) use oriel_store::clock::now;
