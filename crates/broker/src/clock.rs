//! The one place where the broker looks at the clock.

use oriel_model::Micros;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) fn now() -> Micros {
    Micros(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64))
}
