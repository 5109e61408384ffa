//! Passkeys: what somebody shows beside their password, or in its place.

use crate::{Micros, PasskeyId, UserId};

/// A passkey of somebody: what is kept of it opens nothing, it only tells its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    pub id: PasskeyId,
    pub user: UserId,
    /// What its person calls it.
    pub label: String,
    /// By which authenticators and browsers know it: base64url.
    pub credential_id: String,
    /// A COSE key: base64url.
    pub public_key: String,
    /// The host that it was made on, and works on.
    pub rp_id: String,
    /// Who its person is to authenticators: random, base64url. The same for all passkeys of a person, and never their name.
    pub user_handle: String,
    /// How it may be reached, in WebAuthn's words: `internal`, `usb`, `hybrid`.
    pub transports: Vec<String>,
    /// The newest that it said; 0 where its authenticator does not count.
    pub sign_count: u32,
    /// Whoever keeps the person's passwords may copy it to their other devices.
    pub synced: bool,
    /// Its authenticator finds it without being told who signs in, and asks for a PIN, a finger or a face: it works without a password.
    pub alone: bool,
    pub created: Micros,
    pub last_used: Option<Micros>,
}

impl Passkey {
    pub const LABEL_CHARS_MAX: usize = 60;
    /// That one person may have.
    pub const PER_USER_MAX: u64 = 10;
    /// Ways to reach an authenticator (WebAuthn level 3, section 5.8.4); others are not kept.
    pub const TRANSPORTS: [&str; 6] = ["usb", "nfc", "ble", "smart-card", "hybrid", "internal"];
}
