//! A message with the realm that it is for.

use crate::der;
use crate::realm::check_realm;

/// Longest message, in bytes. A ticket with everything that Windows writes into it has at most 65,535 (`MaxTokenSize`), and a question
/// for a ticket that somebody else can open carries two.
pub const MESSAGE_BYTES_MAX: usize = 192 << 10;

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const GENERAL_STRING: u8 = 0x1b;
/// Application tags of RFC 4120 §5.10.
const AS_REQ: u8 = 0x6a;
const TGS_REQ: u8 = 0x6c;
const KRB_ERROR: u8 = 0x7e;

const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// A message of Kerberos and whose KDC it is for or from (KDC-PROXY-MESSAGE, MS-KKDCP 2.2.2).
#[derive(Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Missing in answers.
    pub realm: Option<String>,
    /// Without the length that it has before it on TCP.
    pub message: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
#[error("what was to travel to a KDC or from it is no message of Kerberos: {0}")]
pub struct EnvelopeError(&'static str);

impl Envelope {
    /// # Errors
    /// It is something else, or longer than [`MESSAGE_BYTES_MAX`].
    pub fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(EnvelopeError("it is too long"));
        }
        let fields = der::only(bytes, SEQUENCE).ok_or(EnvelopeError("it is no envelope of MS-KKDCP"))?;
        let first = der::read(fields).filter(|field| field.tag == context(0)).ok_or(EnvelopeError("it is empty"))?;
        let framed = der::only(first.content, OCTET_STRING).ok_or(EnvelopeError("it has no message"))?;
        // The length of TCP (RFC 4120 §7.2.2) stands in it.
        let (length, message) = framed.split_first_chunk().ok_or(EnvelopeError("its message has no length"))?;
        if usize::try_from(u32::from_be_bytes(*length)) != Ok(message.len()) || message.is_empty() {
            return Err(EnvelopeError("its message has another length than it says"));
        }
        let realm = match der::read(first.rest).filter(|field| field.tag == context(1)) {
            Some(field) => Some(realm(field.content).ok_or(EnvelopeError("its realm has no name that realms have"))?),
            None => None,
        };
        Ok(Self { realm, message: message.to_vec() })
    }

    pub fn write(&self) -> Vec<u8> {
        let mut framed = (self.message.len() as u32).to_be_bytes().to_vec();
        framed.extend_from_slice(&self.message);
        let mut fields = der::write(context(0), &der::write(OCTET_STRING, &framed));
        if let Some(realm) = &self.realm {
            fields.extend(der::write(context(1), &der::write(GENERAL_STRING, realm.as_bytes())));
        }
        der::write(SEQUENCE, &fields)
    }
}

fn realm(field: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(der::only(field, GENERAL_STRING)?).ok()?;
    check_realm(name).ok().map(|()| name.to_owned())
}

/// Whether it is what clients ask a KDC for: a ticket. Nothing else is passed on.
pub fn is_question(message: &[u8]) -> bool {
    der::read(message).is_some_and(|found| [AS_REQ, TGS_REQ].contains(&found.tag) && found.rest.is_empty())
}

/// The code of an error (RFC 4120 §5.9.1, §7.5.9); `None` for any other message.
pub fn error_code(message: &[u8]) -> Option<u32> {
    let mut fields = der::only(der::only(message, KRB_ERROR)?, SEQUENCE)?;
    while let Some(field) = der::read(fields) {
        if field.tag == context(6) {
            let digits = der::only(field.content, 0x02)?;
            return (1..=4)
                .contains(&digits.len())
                .then(|| digits.iter().fold(0, |code, digit| code << 8 | u32::from(*digit)));
        }
        fields = field.rest;
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// KRB-ERROR of an MIT KDC that does not know the account: pvno, msg-type, stime, susec, error-code, realm, sname.
    fn refusal(code: u8) -> Vec<u8> {
        let integer = |tag, value: u8| der::write(context(tag), &der::write(0x02, &[value]));
        let mut fields = integer(0, 5);
        fields.extend(integer(1, 30));
        fields.extend(der::write(context(4), &der::write(0x18, b"20261130095841Z")));
        fields.extend(integer(5, 1));
        fields.extend(integer(6, code));
        fields.extend(der::write(context(9), &der::write(GENERAL_STRING, b"ORIEL.TEST")));
        der::write(KRB_ERROR, &der::write(SEQUENCE, &fields))
    }

    #[test]
    fn envelopes_come_as_they_were_sent() {
        for length in [2, 100, 200, 300, 70_000] {
            for realm in [None, Some("ORIEL.TEST".to_owned())] {
                let sent = Envelope { realm, message: vec![0x6a; length] };
                assert_eq!(Envelope::read(&sent.write()).unwrap(), sent);
            }
        }
        let long = Envelope { realm: None, message: vec![0; MESSAGE_BYTES_MAX] }.write();
        assert!(Envelope::read(&long).is_err());
        let odd = Envelope { realm: Some("corp".into()), message: vec![1] }.write();
        assert!(Envelope::read(&odd).unwrap_err().to_string().contains("realm"));
    }

    #[test]
    fn errors_have_a_code_and_questions_are_told_apart() {
        assert_eq!(error_code(&refusal(6)), Some(6));
        assert_eq!(error_code(&der::write(0x6b, &[])), None);
        assert!(is_question(&der::write(AS_REQ, &[0; 300])) && is_question(&der::write(TGS_REQ, &[])));
        assert!(!is_question(&refusal(6)) && !is_question(b"GET / HTTP/1.1\r\n") && !is_question(&[]));
    }

    proptest! {
        #[test]
        fn bytes_of_anybody_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (Envelope::read(&bytes), error_code(&bytes), is_question(&bytes));
        }

        #[test]
        fn bent_bytes_are_read_or_refused(at in 0_usize..90, bit in 0_u32..8) {
            let mut bytes = Envelope { realm: Some("ORIEL.TEST".into()), message: refusal(24) }.write();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
            if let Ok(read) = Envelope::read(&bytes) {
                let _ = error_code(&read.message);
            }
        }
    }
}
