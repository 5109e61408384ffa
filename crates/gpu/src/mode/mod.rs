//! Switching a GPU from one mode to another: a plan as data, which can be shown before it is done, then applied, verified, and
//! undone on failure; journalled, so that a crash in the middle is finished or rolled back.

mod plan;

pub use plan::{Action, Plan, Refusal, Step};
