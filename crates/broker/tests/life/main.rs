//! The broker with the real store and the real reconcilers, on a host that exists in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod bookings;
mod captures;
mod clouds;
mod desktops;
mod gpus;
mod house;
mod machines;
mod personal_disks;
mod pools;
mod quotas;
mod rollouts;
mod secrets;
mod session_hosts;
mod webhooks;
