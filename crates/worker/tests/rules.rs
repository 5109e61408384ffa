//! What the gateway does, with a process for each session.

#[path = "../../gateway/tests/rules.rs"]
mod rules;
