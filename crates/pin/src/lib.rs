//! Who a remote machine is. Certificates' signers and names play no part: a machine is the one with the pinned certificate or key,
//! or, where nothing is pinned yet, the first that is met, which a [`Keeper`] then pins.
//!
//! ```text
//!  stream ─▶ tls::begin(pin) ─▶ TLS to the pinned machine, and its fingerprint
//!                                └─ HostPin::FirstUse ─▶ Keeper::met, before anything is told to the machine
//! ```
//! Servers that people are taken from (directories, providers of identities) may be known by who signs instead: [`tls::begin_signed`].

mod fingerprint;
pub mod tls;

pub use fingerprint::{Fingerprint, NotAFingerprint};

use async_trait::async_trait;
use std::fmt;

/// Whom we believe to be the right machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum HostPin {
    /// Whoever answers. What it proves itself with, if anything, is told to the [`Keeper`], so that it is pinned from then on.
    #[default]
    FirstUse,
    /// Only the one with this fingerprint: a machine that proves nothing is refused too, since anybody could be one.
    Sha256([u8; 32]),
}

/// Keeps who a machine is when it is met for the first time: asked after the machine has proven that it has the private key, and before
/// it is told who we are.
#[async_trait]
pub trait Keeper: Send + Sync + fmt::Debug {
    /// `identity` is a [`Fingerprint`] as text, or an OpenSSH public key. `hop` is 0 for the machine, and 1, 2, … for the machines on
    /// the way to it.
    ///
    /// # Errors
    /// The machine is not to be used: the words are for the person in front of the viewer.
    async fn met(&self, hop: usize, identity: &str) -> Result<(), String>;
}
