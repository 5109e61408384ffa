//! What a connection needs to know before it begins.

use oriel_pin::{HostPin, Keeper};
use secrecy::SecretString;
use std::sync::Arc;

/// How to talk to the server.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct SpiceOptions {
    /// The ticket; servers without one take anything.
    #[serde(with = "oriel_model::carried::option")]
    pub password: Option<SecretString>,
    /// The port is the server's TLS port: every channel goes through TLS.
    pub tls: bool,
    /// Which certificate it must have. Without TLS a server proves nothing.
    pub pin: HostPin,
    /// Told which certificate it has where nothing is pinned.
    #[serde(skip)]
    pub keeper: Option<Arc<dyn Keeper>>,
    /// Take sound.
    pub audio: bool,
    /// Width and height of the person's window, in pixels, for the guest's agent; 0 where it has none.
    pub size: (u16, u16),
}
