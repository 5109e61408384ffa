//! Fault points: places where a test kills the program as `kill -9` would, to see it converge when started again.
//!
//! `ORIEL_FAULT=desktop.cloned` aborts the process the first time it passes that point. Not set (always, outside tests),
//! a point costs one comparison.
//!
//! A simulation has many programs in one process: it asks to be told of each point that its thread passes ([`watch`]), and lets the
//! program that passes it die by unwinding.

use std::{cell::RefCell, sync::LazyLock};

static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("ORIEL_FAULT").ok());

/// Every point there is, for tests that walk them.
pub const POINTS: [&str; 24] = [
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
    "export.film_made",
    "export.kept",
    "recording.some_moved",
    "recording.moved",
    "gpu.claimed",
    "gpu.prepared",
    "gpu.released",
    "desktop.disk_held",
    "desktop.disk_made",
    "desktop.disk_detached",
    "capture.claimed",
    "capture.sealed",
];

/// Answers whether the program dies at the point that it is told of.
pub type Watch = Box<dyn FnMut(&str) -> bool>;

/// What unwinds a program that dies in a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Killed;

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// Tells `watch` of every point that this thread passes; `None` stops that.
pub fn watch(watch: Option<Watch>) {
    WATCH.with_borrow_mut(|watching| *watching = watch);
}

/// Dies here when a test asked for it.
pub fn point(name: &str) {
    debug_assert!(POINTS.contains(&name), "{name} is not in POINTS");
    if WATCH.with_borrow_mut(|watching| watching.as_mut().is_some_and(|watch| watch(name))) {
        std::panic::resume_unwind(Box::new(Killed));
    }
    if WANTED.as_deref() == Some(name) {
        // As abrupt as SIGKILL: no destructors, no flushing.
        std::process::abort();
    }
}
