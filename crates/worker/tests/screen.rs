//! What the gateway does, with a process for each session.

#[path = "../../gateway/tests/screen.rs"]
mod screen;
