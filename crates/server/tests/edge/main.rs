//! The edge as browsers and programs meet it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect fails, loudly"
)]

mod audit;
mod authorization;
mod directories;
#[path = "../../../oidc/tests/fake/mod.rs"]
mod fake_provider;
mod files;
mod groups;
mod house;
mod machines;
mod metrics;
mod providers;
mod recordings;
mod requests;
mod roles;
mod rules;
mod second_factors;
mod sharing;
#[path = "../../../directory/tests/slapd/mod.rs"]
mod slapd;
mod viewer;
