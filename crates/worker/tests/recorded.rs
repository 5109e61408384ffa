//! What the gateway records, with a process for each session.

#[path = "../../gateway/tests/recorded.rs"]
mod recorded;
