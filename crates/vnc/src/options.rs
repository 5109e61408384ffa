//! What a connection needs to know before it begins.

use crate::Security;
use secrecy::SecretString;
use std::fmt;

/// SHA-256 of what a server proves itself with, printed as lowercase hexadecimal: its certificate's DER (VeNCrypt), or
/// its RSA key as RSA-AES sends it (length in bits, modulus, exponent).
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whom we believe to be the right server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum HostPin {
    /// Whoever answers. What it proved itself with, if anything, is handed back ([`crate::Session::identity`]), so that
    /// the caller can pin it from then on.
    #[default]
    FirstUse,
    /// Only the one with this fingerprint: a server that proves nothing is refused too, since anybody could be one.
    Sha256([u8; 32]),
}

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
    pub pin: HostPin,
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
