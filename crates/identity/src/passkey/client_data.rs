//! What the browser says of a ceremony: `CollectedClientData` (WebAuthn level 3, section 5.8.1) as JSON.

use super::{Expected, PasskeyError};
use crate::equal;
use serde::Deserialize;

/// Longest that is read, in bytes.
const CLIENT_DATA_BYTES_MAX: usize = 4 << 10;

pub(super) const CREATE: &str = "webauthn.create";
pub(super) const GET: &str = "webauthn.get";

/// What else is in it is not looked at: browsers add to it, and say so.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: Option<bool>,
    #[serde(default, rename = "topOrigin")]
    top_origin: Option<String>,
}

/// Whether it is of this ceremony, of this challenge, and of a page of ours that no other one holds in a frame.
pub(super) fn check(json: &[u8], kind: &'static str, expected: &Expected<'_>) -> Result<(), PasskeyError> {
    let bad = || PasskeyError::Malformed { what: "what the browser says of itself" };
    if json.len() > CLIENT_DATA_BYTES_MAX {
        return Err(bad());
    }
    let said: ClientData = serde_json::from_slice(json).map_err(|_| bad())?;
    if said.kind != kind {
        return Err(PasskeyError::WrongKind);
    }
    if !equal(&said.challenge, expected.challenge) {
        return Err(PasskeyError::WrongChallenge);
    }
    if said.origin != expected.party.origin() {
        let said = said.origin.chars().filter(|c| !c.is_control()).take(120).collect();
        return Err(PasskeyError::WrongOrigin { said });
    }
    if said.cross_origin == Some(true) || said.top_origin.is_some() {
        return Err(PasskeyError::Framed);
    }
    Ok(())
}
