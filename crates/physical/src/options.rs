//! What a connection needs to know before it begins.

use oriel_model::SwitchPort;
use oriel_pin::{HostPin, Keeper};
use secrecy::SecretString;
use std::sync::Arc;

/// Seconds since 1970: what codes of TOTP are made from. The crate reads no clock of its own.
pub type Clock = fn() -> u64;

/// How to talk to the device.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct PhysicalOptions {
    /// What the device is called in requests: a name or an address, with its port where that is not 443.
    pub host: String,
    pub user: String,
    #[serde(with = "oriel_model::carried")]
    pub password: SecretString,
    /// The secret of its second factor, in base 32.
    #[serde(with = "oriel_model::carried::option")]
    pub totp: Option<SecretString>,
    /// Which certificate it must have.
    pub pin: HostPin,
    /// Told which certificate it has where nothing is pinned.
    #[serde(skip)]
    pub keeper: Option<Arc<dyn Keeper>>,
    /// kvmd's keymap with which it types text, `en-us`, `de`; the device's own when unset.
    pub keymap: Option<String>,
    /// Which port of its Switch is to be active: it is made active first, and a session ends when it no longer is.
    #[serde(default)]
    pub switch_port: Option<SwitchPort>,
    /// Take H.264 where the device has it: only for viewers that can decode it.
    pub h264: bool,
    /// How long the device remembers that we are signed in, in seconds; a connection that comes later signs in anew.
    pub signed_in_seconds: u32,
}

impl Default for PhysicalOptions {
    fn default() -> Self {
        Self {
            host: String::new(),
            user: String::new(),
            password: SecretString::default(),
            totp: None,
            pin: HostPin::default(),
            keeper: None,
            keymap: None,
            switch_port: None,
            h264: false,
            signed_in_seconds: 12 * 3600,
        }
    }
}
