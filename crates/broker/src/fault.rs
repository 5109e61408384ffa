//! Fault points: places where a test kills the program as `kill -9` would, to see it converge when started again.
//!
//! `ORIEL_FAULT=desktop.cloned` aborts the process the first time it passes that point. Not set (always, outside tests),
//! a point costs one comparison.

use std::sync::LazyLock;

static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("ORIEL_FAULT").ok());

/// Every point there is, for tests that walk them.
pub const POINTS: [&str; 15] = [
    "desktop.placed",
    "desktop.secret_kept",
    "desktop.generation_chosen",
    "desktop.cloned",
    "desktop.seeded",
    "desktop.defined",
    "desktop.started",
    "desktop.ready",
    "desktop.stopping",
    "desktop.recycling",
    "desktop.removed",
    "operation.image_made",
    "gpu.claimed",
    "gpu.prepared",
    "gpu.released",
];

/// Dies here when a test asked for it.
pub fn point(name: &str) {
    debug_assert!(POINTS.contains(&name), "{name} is not in POINTS");
    if WANTED.as_deref() == Some(name) {
        // As abrupt as SIGKILL: no destructors, no flushing.
        std::process::abort();
    }
}
