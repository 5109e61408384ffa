//! What a connection needs to know before it begins.

use crate::Security;
use oriel_pin::{HostPin, Keeper};
use secrecy::SecretString;
use std::sync::Arc;

/// Which ways to sign in may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SecurityPolicy {
    /// All but those that send a password readably ([`Security::sends_password_in_clear`]).
    #[default]
    Safe,
    /// Only these.
    Only(Vec<Security>),
}

impl SecurityPolicy {
    pub(crate) fn allows(&self, security: Security) -> bool {
        match self {
            Self::Safe => !security.sends_password_in_clear(),
            Self::Only(list) => list.contains(&security),
        }
    }
}

/// How to talk to the server.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct VncOptions {
    /// For the ways to sign in that ask for one; without it, those are not used.
    pub user: Option<String>,
    /// For VNC authentication only its first eight bytes count, by the protocol's design.
    #[serde(with = "oriel_model::carried::option")]
    pub password: Option<SecretString>,
    pub security: SecurityPolicy,
    /// What the server must prove itself with.
    pub pin: HostPin,
    /// Told what it proves itself with where nothing is pinned.
    #[serde(skip)]
    pub keeper: Option<Arc<dyn Keeper>>,
    /// Do not enter VeNCrypt: for a second try after [`crate::ConnectError::VeNCryptUnusable`].
    pub without_vencrypt: bool,
    /// The stream leads to an UltraVNC repeater: what to ask it for, `host:display` or `ID:number`.
    pub repeater: Option<String>,
    /// The server is on this machine (loopback or unix socket): cheap encodings are better than small ones.
    pub nearby: bool,
    /// Let the server send JPEG, 0 (smallest) to 9 (best); `None`: only lossless pictures.
    pub quality: Option<u8>,
    /// Let the server send H.264: only for viewers that can decode it, since the surface keeps none of its pixels.
    pub h264: bool,
    /// Ask for sound (QEMU's extension).
    pub audio: bool,
}
