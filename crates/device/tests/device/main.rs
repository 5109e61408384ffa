//! A machine that is shown as a PiKVM device: its requests one by one, its WebSockets, and our own client against it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod client;
mod drive;
mod house;
mod requests;
#[path = "../../../physical/tests/seat/mod.rs"]
mod seat;
mod sockets;
