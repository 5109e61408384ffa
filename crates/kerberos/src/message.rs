//! A message with the realm that it is for.

use crate::der;
use crate::realm::check_realm;

/// Longest message, in bytes. A ticket with everything that Windows writes into it has at most 65,535 (`MaxTokenSize`), and a question
/// for a ticket that somebody else can open carries two.
pub const MESSAGE_BYTES_MAX: usize = 192 << 10;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const GENERAL_STRING: u8 = 0x1b;
/// Application tags of RFC 4120 §5.10.
const AS_REQ: u8 = 0x6a;
const TGS_REQ: u8 = 0x6c;
pub(crate) const KRB_ERROR: u8 = 0x7e;
/// PA-FX-FAST (RFC 6113 §5.4.2): a question within a question, which counts instead of what can be read.
const PA_FX_FAST: u32 = 136;

pub(crate) const fn context(number: u8) -> u8 {
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

/// Whether it is what clients ask a KDC for, a ticket, and who asks is `user` of `realm`: a first ticket (AS-REQ, RFC 4120 §5.4.1) is asked
/// for that account, so that no other's password is tried. Further ones (TGS-REQ) need a ticket that somebody has.
pub fn is_question_of(message: &[u8], realm: &str, user: &str) -> bool {
    let Some(found) = der::read(message).filter(|found| found.rest.is_empty()) else { return false };
    match found.tag {
        AS_REQ => is_first_of(found.content, realm, user) == Some(true),
        TGS_REQ => true,
        _ => false,
    }
}

/// `None` where that cannot be read, or where something else would count.
fn is_first_of(request: &[u8], realm: &str, user: &str) -> Option<bool> {
    let fields = der::only(request, SEQUENCE)?;
    if let Some(known) = der::field(fields, context(3)) {
        let mut known = der::only(known, SEQUENCE)?;
        while !known.is_empty() {
            let one = der::read(known).filter(|one| one.tag == SEQUENCE)?;
            if number(der::only(der::field(one.content, context(1))?, INTEGER)?)? == PA_FX_FAST {
                return None;
            }
            known = one.rest;
        }
    }
    let body = der::only(der::field(fields, context(4))?, SEQUENCE)?;
    let name = der::only(der::field(body, context(1))?, SEQUENCE)?;
    let (mut rest, mut parts) = (der::only(der::field(name, context(1))?, SEQUENCE)?, Vec::new());
    while !rest.is_empty() {
        let part = der::read(rest).filter(|part| part.tag == GENERAL_STRING)?;
        parts.push(part.content);
        rest = part.rest;
    }
    let whose = der::only(der::field(body, context(2))?, GENERAL_STRING)?;
    Some(whose == realm.as_bytes() && parts.join(&b'/') == user.as_bytes())
}

/// Of at most four bytes, as all are here.
pub(crate) fn number(digits: &[u8]) -> Option<u32> {
    (1..=4).contains(&digits.len()).then(|| digits.iter().fold(0, |number, digit| number << 8 | u32::from(*digit)))
}

/// The code of an error (RFC 4120 §5.9.1, §7.5.9); `None` for any other message.
pub fn error_code(message: &[u8]) -> Option<u32> {
    let mut fields = der::only(der::only(message, KRB_ERROR)?, SEQUENCE)?;
    while let Some(field) = der::read(fields) {
        if field.tag == context(6) {
            return number(der::only(field.content, INTEGER)?);
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
        let is_question = |message: &[u8]| is_question_of(message, "ORIEL.TEST", "anna");
        assert!(is_question(&der::write(TGS_REQ, &[])) && !is_question(&der::write(AS_REQ, &[0; 300])));
        assert!(!is_question(&refusal(6)) && !is_question(b"GET / HTTP/1.1\r\n") && !is_question(&[]));
    }

    /// AS-REQ as far as it is read: with these kinds of PA-DATA, and a KDC-REQ-BODY of cname and realm.
    fn first(kinds: &[u8], parts: &[&str], realm: &str) -> Vec<u8> {
        let integer = |tag, value: &[u8]| der::write(context(tag), &der::write(INTEGER, value));
        let text = |text: &str| der::write(GENERAL_STRING, text.as_bytes());
        let known: Vec<u8> = kinds
            .iter()
            .flat_map(|kind| {
                let value = der::write(context(2), &der::write(OCTET_STRING, b"x"));
                der::write(SEQUENCE, &[integer(1, &[0, *kind]), value].concat())
            })
            .collect();
        let parts: Vec<u8> = parts.iter().flat_map(|part| text(part)).collect();
        let name = [integer(0, &[1]), der::write(context(1), &der::write(SEQUENCE, &parts))].concat();
        let name = der::write(context(1), &der::write(SEQUENCE, &name));
        let body = [name, der::write(context(2), &text(realm))].concat();
        let fields = [
            integer(1, &[5]),
            integer(2, &[10]),
            der::write(context(3), &der::write(SEQUENCE, &known)),
            der::write(context(4), &der::write(SEQUENCE, &body)),
        ];
        der::write(AS_REQ, &der::write(SEQUENCE, &fields.concat()))
    }

    #[test]
    fn first_tickets_are_asked_for_by_their_account() {
        let anna = first(&[2, 128], &["anna"], "ORIEL.TEST");
        assert!(is_question_of(&anna, "ORIEL.TEST", "anna"));
        assert!(!is_question_of(&anna, "ORIEL.TEST", "bert") && !is_question_of(&anna, "LAB.TEST", "anna"));
        assert!(is_question_of(&first(&[], &["a", "b"], "ORIEL.TEST"), "ORIEL.TEST", "a/b"));
        // One that is hidden in another.
        assert!(!is_question_of(&first(&[2, 136], &["anna"], "ORIEL.TEST"), "ORIEL.TEST", "anna"));
        // Fields twice, or in another order.
        let fields = der::only(der::only(&anna, AS_REQ).unwrap(), SEQUENCE).unwrap();
        let twice = der::write(AS_REQ, &der::write(SEQUENCE, &[fields, fields].concat()));
        assert!(!is_question_of(&twice, "ORIEL.TEST", "anna"));
        for at in 0..anna.len() {
            assert!(!is_question_of(anna.get(..at).unwrap(), "ORIEL.TEST", "anna"), "{at}");
        }
    }

    proptest! {
        #[test]
        fn bytes_of_anybody_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (Envelope::read(&bytes), error_code(&bytes), is_question_of(&bytes, "ORIEL.TEST", "anna"));
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
