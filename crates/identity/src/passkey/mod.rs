//! Passkeys: whether what a browser and its authenticator say is to be trusted (Web Authentication, level 3, sections 7.1 and 7.2).
//!
//! Nobody is asked who made an authenticator: attestation is `none`, or signed by the new key itself, which some browsers leave as it
//! is. Nothing here keeps anything: whether a challenge was used, whose a credential is, and whether its counter went back is asked by
//! whoever calls.

mod authenticator_data;
mod cbor;
mod client_data;
mod cose;
mod party;

pub use cose::PASSKEY_ALGORITHMS;
pub use party::{NoParty, RelyingParty};

use authenticator_data::AuthenticatorData;
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cbor::Value;
use cose::Key;

/// Longest attestation object that is read, in bytes; one without attestation has some hundreds.
const ATTESTATION_BYTES_MAX: usize = 16 << 10;
/// Longest authenticator data of an assertion, in bytes.
const DATA_BYTES_MAX: usize = 8 << 10;
/// Longest signature, in bytes: that of RSA with 4096 bits.
const SIGNATURE_BYTES_MAX: usize = 512;
/// Longest credential id as base64url, in characters.
pub const CREDENTIAL_ID_CHARS_MAX: usize = authenticator_data::CREDENTIAL_ID_BYTES_MAX.div_ceil(3) * 4;

/// Why a ceremony does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    #[error("{what} cannot be read")]
    Malformed { what: &'static str },
    #[error("the browser did something else than it was asked for")]
    WrongKind,
    #[error("this answers another question than the one that was asked")]
    WrongChallenge,
    #[error("this was answered on a page of {said:?}")]
    WrongOrigin { said: String },
    #[error("this was answered in a page that another site shows")]
    Framed,
    #[error("this passkey was used for another site")]
    WrongRelyingParty,
    #[error("the authenticator did not notice that anybody was there")]
    NotPresent,
    #[error("the authenticator did not ask who is there: it has no PIN, finger or face set up")]
    NotVerified,
    #[error("the browser sent an attestation ({format}) that nobody asked for")]
    Attestation { format: String },
    #[error("the authenticator made a key of an algorithm that nobody asked for ({number})")]
    Algorithm { number: i64 },
    #[error("the signature is not of this passkey")]
    Signature,
    #[error("the passkey says otherwise than before whether it is copied to other devices")]
    Backup,
}

/// What an answer is held against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub party: &'a RelyingParty,
    /// As it was sent: base64url.
    pub challenge: &'a str,
    /// The authenticator must have asked for a PIN, a finger or a face.
    pub verified: bool,
}

/// A credential that was made just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    pub credential_id: Vec<u8>,
    /// A COSE key, as it came.
    pub public_key: Vec<u8>,
    pub sign_count: u32,
    /// The authenticator asked for a PIN, a finger or a face.
    pub verified: bool,
    /// It may be copied to other devices, by whoever keeps the person's passwords; that stays as it is.
    pub backup_eligible: bool,
}

/// A credential that was used just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// Larger than the last one, or zero where the authenticator does not count.
    pub sign_count: u32,
    pub verified: bool,
}

/// What is known of a credential that is used.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'a> {
    /// [`Registered::public_key`].
    pub public_key: &'a [u8],
    pub backup_eligible: bool,
}

/// Section 7.1: `client_data` and `attestation` as the browser sent them (`clientDataJSON`, `attestationObject`).
pub fn register(expected: &Expected<'_>, client_data: &[u8], attestation: &[u8]) -> Result<Registered, PasskeyError> {
    client_data::check(client_data, client_data::CREATE, expected)?;
    let bad = || PasskeyError::Malformed { what: "what the authenticator made" };
    if attestation.len() > ATTESTATION_BYTES_MAX {
        return Err(bad());
    }
    let object = cbor::whole(attestation).ok_or_else(bad)?;
    let format = object.named("fmt").and_then(Value::text).ok_or_else(bad)?;
    let statement = object.named("attStmt").ok_or_else(bad)?;
    let bytes = object.named("authData").and_then(Value::bytes).ok_or_else(bad)?;
    let data = AuthenticatorData::of(bytes).ok_or_else(bad)?;
    data.check(expected)?;
    let attested = data.attested.as_ref().ok_or_else(bad)?;
    let cose = cbor::whole(attested.public_key).ok_or_else(bad)?;
    let key = Key::of(&cose)?;
    match format {
        "none" if statement.is_empty_map() => {}
        "packed" if statement.named("x5c").is_none() => attested_by_itself(statement, &key, bytes, client_data)?,
        _ => {
            let format = format.chars().filter(|c| !c.is_control()).take(32).collect();
            return Err(PasskeyError::Attestation { format });
        }
    }
    Ok(Registered {
        credential_id: attested.credential_id.to_vec(),
        public_key: attested.public_key.to_vec(),
        sign_count: data.sign_count,
        verified: data.is_verified(),
        backup_eligible: data.is_backup_eligible(),
    })
}

/// Section 8.2, "self attestation": the new key signs its own birth.
fn attested_by_itself(
    statement: &Value<'_>,
    key: &Key<'_>,
    data: &[u8],
    client_data: &[u8],
) -> Result<(), PasskeyError> {
    let signature = statement.named("sig").and_then(Value::bytes).filter(|sig| sig.len() <= SIGNATURE_BYTES_MAX);
    let algorithm = statement.named("alg").and_then(Value::int);
    match signature {
        Some(signature)
            if algorithm == Some(key.algorithm()) && key.verifies(&signed(data, client_data), signature) =>
        {
            Ok(())
        }
        _ => Err(PasskeyError::Signature),
    }
}

/// Section 7.2: `client_data`, `data` and `signature` as the browser sent them (`clientDataJSON`, `authenticatorData`, `signature`).
/// Whose the credential is, and what its counter was, is the caller's to know.
pub fn assert(
    expected: &Expected<'_>,
    credential: &Credential<'_>,
    client_data: &[u8],
    data: &[u8],
    signature: &[u8],
) -> Result<Asserted, PasskeyError> {
    client_data::check(client_data, client_data::GET, expected)?;
    let bad = || PasskeyError::Malformed { what: "what the authenticator says" };
    if data.len() > DATA_BYTES_MAX || signature.len() > SIGNATURE_BYTES_MAX {
        return Err(bad());
    }
    let said = AuthenticatorData::of(data).ok_or_else(bad)?;
    said.check(expected)?;
    let cose = cbor::whole(credential.public_key).ok_or(PasskeyError::Malformed { what: "the public key" })?;
    if !Key::of(&cose)?.verifies(&signed(data, client_data), signature) {
        return Err(PasskeyError::Signature);
    }
    if said.is_backup_eligible() != credential.backup_eligible {
        return Err(PasskeyError::Backup);
    }
    Ok(Asserted { sign_count: said.sign_count, verified: said.is_verified() })
}

/// What authenticators sign.
fn signed(data: &[u8], client_data: &[u8]) -> Vec<u8> {
    [data, digest::digest(&digest::SHA256, client_data).as_ref()].concat()
}

/// Bytes as browsers write them in WebAuthn's JSON: base64url without padding.
pub fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The other way round. `None` for anything else.
pub fn of_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
