//! The edge as browsers and programs meet it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect fails, loudly"
)]

mod apps;
mod audit;
#[path = "../../../identity/tests/authenticator/mod.rs"]
mod authenticator;
mod authorization;
mod bookings;
mod clouds;
mod directories;
#[path = "../../../oidc/tests/fake/mod.rs"]
mod fake_provider;
mod files;
mod groups;
mod house;
mod machines;
mod maintenance;
mod metrics;
mod passkeys;
mod personal_disks;
mod providers;
mod proxies;
mod quotas;
mod recordings;
mod requests;
mod roles;
mod rollouts;
mod rules;
mod second_factors;
mod sharing;
#[path = "../../../directory/tests/slapd/mod.rs"]
mod slapd;
mod viewer;
