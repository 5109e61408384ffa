//! The clock of everything that is about rows. There is one, so that a simulation can have time of its own.

use oriel_model::Micros;
use std::cell::Cell;

thread_local! {
    static SET: Cell<Option<Micros>> = const { Cell::new(None) };
}

/// Now; on a thread that was given an hour with [`set`], that hour.
pub fn now() -> Micros {
    SET.get().unwrap_or_else(|| Micros(jiff::Timestamp::now().as_microsecond()))
}

/// Stops the clock of this thread at that hour, for a simulation; `None` lets it run again.
pub fn set(hour: Option<Micros>) {
    SET.set(hour);
}
