//! People who sign in at a provider of identities: OpenID Connect Core 1.0, the code flow with PKCE (RFC 7636).
//!
//! ```text
//!  browser ─▶ begin: state, nonce, challenge ─▶ provider ─▶ browser ─▶ finish: code ─▶ token ─▶ signature, issuer, audience, time, nonce ─▶ who it is
//!                       └── known: discovery and keys, asked again after a while and when a key is not among them ──┘
//! ```
//! Everything that a provider sends is bounded in size and time, redirects lead nowhere, and TLS is by a CA or a pin. Nothing is kept
//! here of a sign-in on its way: whoever calls keeps it, for one browser and one use.

mod begin;
mod claims;
mod dial;
mod discovery;
mod keys;
mod known;
mod token;

pub use begin::{Begun, Wish};
pub use claims::Found;
pub use known::{Answered, Looked, Provider};

use std::time::Duration;

/// How long one question to a provider may take, from dialling to the end of the answer.
pub const QUESTION_TIME_MAX: Duration = Duration::from_secs(8);
/// Longest answer of a provider, in bytes.
pub const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Longest identity token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 64 << 10;
/// Groups of one person.
pub const GROUPS_MAX: usize = 1000;
/// Keys of a provider that are looked at.
pub const KEYS_MAX: usize = 100;
/// Clocks that differ by less get along, in seconds.
pub const SKEW_SECONDS: u64 = 60;

#[derive(Clone, Debug, thiserror::Error)]
pub enum OidcError {
    #[error("cannot reach {url} ({why}): check the address, and that the provider runs and no firewall is between")]
    Unreachable { url: String, why: String },
    #[error("{url} did not answer in {} seconds: look at the provider's load, and at the network", QUESTION_TIME_MAX.as_secs())]
    Late { url: String },
    #[error("no trusted TLS with {url} ({why}): give the CA that signs its certificate, or the certificate's pin")]
    Tls { url: String, why: String },
    #[error(
        "{url} sent something else than was asked for ({why}): check that the issuer is a provider of OpenID Connect"
    )]
    Garbled { url: String, why: String },
    #[error("the provider's description of itself does not fit ({why}): check the issuer, and the provider's settings")]
    Discovery { why: String },
    #[error("the provider does not know us by that name and secret ({why}): check client id and client secret")]
    Client { why: String },
    #[error("the provider takes this sign-in's code no more ({why}): sign in again")]
    Code { why: String },
    #[error("the provider refused to say who it is ({why}): look at the provider's log")]
    Refused { why: String },
    #[error("the provider's token is not to be trusted ({why}): look at the provider's settings, and at both clocks")]
    Token { why: String },
    #[error("the provider does not say {claim:?} of this person: let it send that claim, or set another one")]
    NoClaim { claim: String },
    #[error("the provider has too many groups of this person to name them: let it send only those that matter here")]
    TooManyGroups,
}

impl OidcError {
    /// What was brought back was wrong, rather than the provider out of order.
    pub const fn is_of_browser(&self) -> bool {
        matches!(self, Self::Code { .. } | Self::Token { .. })
    }
}

/// Words of a provider, for people: bounded, and one line.
fn words(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
