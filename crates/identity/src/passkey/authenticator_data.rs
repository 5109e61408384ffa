//! What the authenticator says: authenticator data (WebAuthn level 3, section 6.1).
//!
//! ```text
//! SHA-256 of the relying party's id (32) · flags (1) · counter (4) · [aaguid (16) · length (2) · credential id · COSE key] · [extensions]
//! ```

use super::{Expected, PasskeyError, cbor};
use crate::equal;
use aws_lc_rs::digest;

/// Longest credential id, in bytes (section 7.1).
pub(super) const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    rp_id_sha256: &'a [u8; 32],
    flags: u8,
    pub sign_count: u32,
    pub attested: Option<Attested<'a>>,
}

/// A credential that was just made.
#[derive(Debug)]
pub(super) struct Attested<'a> {
    pub credential_id: &'a [u8],
    /// As it came.
    pub public_key: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    /// `None` for what is cut off, has something behind it, or contradicts itself.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let (rp_id_sha256, rest) = bytes.split_first_chunk::<32>()?;
        let (&[flags], rest) = rest.split_first_chunk::<1>()?;
        let (count, mut rest) = rest.split_first_chunk::<4>()?;
        let mut attested = None;
        if flags & ATTESTED != 0 {
            let (_aaguid, behind) = rest.split_first_chunk::<16>()?;
            let (length, behind) = behind.split_first_chunk::<2>()?;
            let (credential_id, key) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            if !(1..=CREDENTIAL_ID_BYTES_MAX).contains(&credential_id.len()) {
                return None;
            }
            let (value, behind) = cbor::first(key)?;
            if !value.is_map() {
                return None;
            }
            let public_key = key.get(..key.len().checked_sub(behind.len())?)?;
            attested = Some(Attested { credential_id, public_key });
            rest = behind;
        }
        if flags & EXTENSIONS != 0 {
            let (value, behind) = cbor::first(rest)?;
            if !value.is_map() {
                return None;
            }
            rest = behind;
        }
        // What is not to be copied elsewhere was not (section 6.1.3).
        let impossible = flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0;
        (rest.is_empty() && !impossible).then_some(Self {
            rp_id_sha256,
            flags,
            sign_count: u32::from_be_bytes(*count),
            attested,
        })
    }

    /// Whether it is of our relying party, and of a person who was there.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), PasskeyError> {
        let ours = digest::digest(&digest::SHA256, expected.party.id().as_bytes());
        if !equal(self.rp_id_sha256, ours) {
            return Err(PasskeyError::WrongRelyingParty);
        }
        if self.flags & USER_PRESENT == 0 {
            return Err(PasskeyError::NotPresent);
        }
        if expected.verified && !self.is_verified() {
            return Err(PasskeyError::NotVerified);
        }
        Ok(())
    }

    /// It asked for a PIN, a finger or a face.
    pub fn is_verified(&self) -> bool {
        self.flags & USER_VERIFIED != 0
    }

    pub fn is_backup_eligible(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }
}
