//! An account's first ticket (AS-REP), as far as the key is told in it that it is encrypted with.

use crate::der;
use crate::message::{GENERAL_STRING, INTEGER, KRB_ERROR, MESSAGE_BYTES_MAX, OCTET_STRING, SEQUENCE, context, number};

/// Hints about keys that are read of one message; KDCs give one for each etype that an account has.
pub const HINTS_MAX: usize = 16;

/// Application tag of RFC 4120 §5.10.
const AS_REP: u8 = 0x6b;
/// PA-ETYPE-INFO2 (RFC 4120 §5.2.7.5).
const PA_ETYPE_INFO2: u32 = 19;

/// How a key is made from a password: ETYPE-INFO2-ENTRY (RFC 4120 §5.2.7.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHint {
    /// RFC 3961 §8.
    pub etype: u32,
    /// Missing where it is the usual one.
    pub salt: Option<Vec<u8>>,
    /// `s2kparams`; for AES a number of iterations in four bytes (RFC 3962 §4).
    pub parameters: Option<Vec<u8>>,
}

/// A KDC-REP (RFC 4120 §5.4.2) to an AS-REQ.
#[derive(Debug, PartialEq, Eq)]
pub struct AsRep<'m> {
    /// How [`Self::cipher`] is encrypted (RFC 3961 §8).
    pub etype: u32,
    /// What is encrypted for the account. The message ends with it.
    pub cipher: &'m [u8],
    /// Of its own padata, in their order; at most [`HINTS_MAX`], and none where they cannot be read.
    pub hints: Vec<KeyHint>,
    /// The account's usual salt: its realm, and the parts of its name (RFC 4120 §4).
    pub salt: Vec<u8>,
    head: &'m [u8],
}

impl<'m> AsRep<'m> {
    /// `None` for any other message.
    pub fn read(message: &'m [u8]) -> Option<Self> {
        if message.len() > MESSAGE_BYTES_MAX {
            return None;
        }
        let fields = der::only(der::only(message, AS_REP)?, SEQUENCE)?;
        let mut salt = der::only(der::field(fields, context(3))?, GENERAL_STRING)?.to_vec();
        let name = der::only(der::field(fields, context(4))?, SEQUENCE)?;
        let mut parts = der::only(der::field(name, context(1))?, SEQUENCE)?;
        while !parts.is_empty() {
            let part = der::read(parts).filter(|part| part.tag == GENERAL_STRING)?;
            salt.extend_from_slice(part.content);
            parts = part.rest;
        }
        let encrypted = der::only(der::field(fields, context(6))?, SEQUENCE)?;
        let etype = number(der::only(der::field(encrypted, context(0))?, INTEGER)?)?;
        let cipher = der::only(der::field(encrypted, context(2))?, OCTET_STRING)?;
        let head = message.strip_suffix(cipher)?;
        let hints = der::field(fields, context(2)).and_then(hints).unwrap_or_default();
        Some(Self { etype, cipher, hints, salt, head })
    }

    /// The same message with something else encrypted in it, of the same length; `None` where the length is another.
    pub fn with_cipher(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        (cipher.len() == self.cipher.len()).then(|| [self.head, cipher].concat())
    }
}

/// What an error tells about the keys of the account (RFC 4120 §5.9.1: METHOD-DATA, with `KDC_ERR_PREAUTH_REQUIRED`); `None` for any other
/// message.
pub fn key_hints(message: &[u8]) -> Option<Vec<KeyHint>> {
    if message.len() > MESSAGE_BYTES_MAX {
        return None;
    }
    let fields = der::only(der::only(message, KRB_ERROR)?, SEQUENCE)?;
    hints(der::only(der::field(fields, context(12))?, OCTET_STRING)?)
}

/// Those of a SEQUENCE OF PA-DATA (RFC 4120 §5.2.7).
fn hints(known: &[u8]) -> Option<Vec<KeyHint>> {
    let mut known = der::only(known, SEQUENCE)?;
    while !known.is_empty() {
        let one = der::read(known).filter(|one| one.tag == SEQUENCE)?;
        if number(der::only(der::field(one.content, context(1))?, INTEGER)?) == Some(PA_ETYPE_INFO2) {
            return entries(der::only(der::field(one.content, context(2))?, OCTET_STRING)?);
        }
        known = one.rest;
    }
    None
}

fn entries(info: &[u8]) -> Option<Vec<KeyHint>> {
    let (mut rest, mut hints) = (der::only(info, SEQUENCE)?, Vec::new());
    while !rest.is_empty() && hints.len() < HINTS_MAX {
        let one = der::read(rest).filter(|one| one.tag == SEQUENCE)?;
        let etype = number(der::only(der::field(one.content, context(0))?, INTEGER)?)?;
        let bytes = |field: u8, tag: u8| match der::field(one.content, context(field)) {
            Some(content) => der::only(content, tag).map(|bytes| Some(bytes.to_vec())),
            None => Some(None),
        };
        hints.push(KeyHint { etype, salt: bytes(1, GENERAL_STRING)?, parameters: bytes(2, OCTET_STRING)? });
        rest = one.rest;
    }
    Some(hints)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn integer(field: u8, value: u8) -> Vec<u8> {
        der::write(context(field), &der::write(INTEGER, &[value]))
    }

    fn text(field: u8, tag: u8, value: &[u8]) -> Vec<u8> {
        der::write(context(field), &der::write(tag, value))
    }

    fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
        der::write(SEQUENCE, &parts.concat())
    }

    /// PA-PW-SALT, which counts for nothing, and PA-ETYPE-INFO2.
    fn known() -> Vec<u8> {
        let first = sequence(&[integer(0, 18), text(1, GENERAL_STRING, b"salz")]);
        let second = sequence(&[integer(0, 17), text(2, OCTET_STRING, &[0, 0, 0x10, 0])]);
        let info = sequence(&[first, second]);
        let other = sequence(&[integer(1, 3), text(2, OCTET_STRING, b"x")]);
        sequence(&[other, sequence(&[integer(1, 19), text(2, OCTET_STRING, &info)])])
    }

    fn told() -> Vec<KeyHint> {
        vec![
            KeyHint { etype: 18, salt: Some(b"salz".to_vec()), parameters: None },
            KeyHint { etype: 17, salt: None, parameters: Some(vec![0, 0, 0x10, 0]) },
        ]
    }

    fn reply() -> Vec<u8> {
        let parts = sequence(&[der::write(GENERAL_STRING, b"TERMSRV"), der::write(GENERAL_STRING, b"desk")]);
        let name = sequence(&[integer(0, 2), der::write(context(1), &parts)]);
        let encrypted = sequence(&[integer(0, 18), integer(1, 1), text(2, OCTET_STRING, &[7; 200])]);
        let fields = [
            integer(0, 5),
            integer(1, 11),
            der::write(context(2), &known()),
            text(3, GENERAL_STRING, b"ORIEL.TEST"),
            der::write(context(4), &name),
            der::write(context(5), &der::write(0x61, &[])),
            der::write(context(6), &encrypted),
        ];
        der::write(AS_REP, &sequence(&fields))
    }

    #[test]
    fn replies_tell_how_their_key_is_made() {
        let message = reply();
        let read = AsRep::read(&message).unwrap();
        assert_eq!((read.etype, read.cipher, &read.hints), (18, &[7; 200][..], &told()));
        assert_eq!(read.salt, b"ORIEL.TESTTERMSRVdesk");
        assert_eq!(read.with_cipher(&[7; 200]).unwrap(), message);
        let other = read.with_cipher(&[8; 200]).unwrap();
        assert_eq!(AsRep::read(&other).unwrap().cipher, [8; 200]);
        assert!(read.with_cipher(&[7; 199]).is_none() && key_hints(&message).is_none());
        for at in 0..message.len() {
            assert!(AsRep::read(message.get(..at).unwrap()).is_none(), "{at}");
        }
    }

    #[test]
    fn errors_tell_how_keys_are_made() {
        let error = der::write(KRB_ERROR, &sequence(&[integer(6, 25), text(12, OCTET_STRING, &known())]));
        assert_eq!(key_hints(&error).unwrap(), told());
        assert!(AsRep::read(&error).is_none());
        assert!(key_hints(&der::write(KRB_ERROR, &sequence(&[integer(6, 37)]))).is_none());
    }

    proptest! {
        #[test]
        fn bent_replies_are_read_or_refused(at in 0_usize..330, byte in any::<u8>()) {
            let mut message = reply();
            if let Some(there) = message.get_mut(at) {
                *there = byte;
            }
            let _ = key_hints(&message);
            if let Some(read) = AsRep::read(&message) {
                prop_assert!(message.ends_with(read.cipher));
            }
        }
    }
}
