//! What guests see and may do, with a process for each session.

#[path = "../../gateway/tests/shared.rs"]
mod shared;
