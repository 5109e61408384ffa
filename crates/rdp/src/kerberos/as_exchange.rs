//! First tickets as MIT's KDC gives them, for sspi.
//!
//! What is encrypted for the account in an AS-REP is an `EncASRepPart` (application tag 25) or an `EncTGSRepPart` (26), with the same in it: RFC
//! 4120 §5.4.2 has clients take either, and MIT's KDC sends the second. sspi (0.23) takes the first alone. So it is opened here with the key
//! that the password makes, gets the other tag, and is closed again.

use oriel_kerberos::{AsRep, KeyHint, key_hints};
use picky_krb::constants::key_usages::AS_REP_ENC;
use picky_krb::crypto::CipherSuite;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

/// Tags of `EncASRepPart` and `EncTGSRepPart` as they stand in a message: class application, constructed, 25 and 26.
const ENC_AS_REP_PART: u8 = 0x79;
const ENC_TGS_REP_PART: u8 = 0x7a;
/// `s2kparams` of AES that say what is meant without them (RFC 3962 §4): 4096 iterations. sspi makes keys with no other number.
const ITERATIONS: [u8; 4] = [0, 0, 0x10, 0];

/// One account asks for its first ticket (AS exchange, RFC 4120 §3.1): everything that the KDC answers passes by here.
#[derive(Debug)]
pub struct AsExchange<'p> {
    password: &'p SecretString,
    /// Of the KDC's last error that had some.
    hints: Vec<KeyHint>,
}

impl<'p> AsExchange<'p> {
    pub const fn new(password: &'p SecretString) -> Self {
        Self { password, hints: Vec::new() }
    }

    /// Takes an answer of the KDC, without the length that it has before it on TCP, and gives what sspi gets instead, of the same length. `None`
    /// where it gets the answer as it is: also where this password does not open it, which sspi then says.
    pub fn take(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        if let Some(hints) = key_hints(message) {
            self.hints = hints;
            return None;
        }
        let reply = AsRep::read(message)?;
        let suite = match reply.etype {
            17 => CipherSuite::Aes128CtsHmacSha196,
            18 => CipherSuite::Aes256CtsHmacSha196,
            _ => return None,
        };
        let cipher = suite.cipher();
        let key = |salt: &[u8]| {
            cipher.generate_key_from_password(self.password.expose_secret().as_bytes(), salt).ok().map(Zeroizing::new)
        };
        let hint = reply.hints.iter().chain(&self.hints).find(|hint| hint.etype == reply.etype);
        let parameters = hint.and_then(|hint| hint.parameters.as_deref());
        if parameters.is_some_and(|parameters| parameters != ITERATIONS) {
            return None;
        }
        let salt = hint.and_then(|hint| hint.salt.as_deref()).unwrap_or(&reply.salt);
        let opening = key(salt)?;
        let mut part = Zeroizing::new(cipher.decrypt(&opening, AS_REP_ENC, reply.cipher).ok()?);
        let tag = part.first_mut().filter(|tag| **tag == ENC_TGS_REP_PART)?;
        *tag = ENC_AS_REP_PART;
        // sspi opens it by the first hint of the reply itself, and without one by a key with no salt, whatever the error said before.
        let closing = match reply.hints.first() {
            Some(own) if own.etype == reply.etype && own.salt.is_some() => opening,
            Some(_) => return None,
            None => key(&[])?,
        };
        reply.with_cipher(&cipher.encrypt(&closing, AS_REP_ENC, &part).ok()?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use ironrdp_connector::sspi::kerberos::EncryptionParams;
    use ironrdp_connector::sspi::kerberos::client::extractors::{
        extract_encryption_params_from_as_rep, extract_session_key_from_as_rep,
    };

    const SESSION_KEY: [u8; 32] = [0x5a; 32];
    const SALT: &[u8] = b"ORIEL.TESTanna";

    /// An element with the elements in it.
    fn element(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
        let content = parts.concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let mut bytes = vec![tag];
        match length {
            [0, short @ 0..=0x7f] => bytes.push(short),
            [0, long] => bytes.extend([0x81, long]),
            [high, low] => bytes.extend([0x82, high, low]),
        }
        bytes.extend(content);
        bytes
    }

    /// The field of a sequence with one value.
    fn field(number: u8, tag: u8, value: &[u8]) -> Vec<u8> {
        element(0xa0 | number, &[element(tag, &[value.to_vec()])])
    }

    fn name(field_number: u8, parts: &[&str]) -> Vec<u8> {
        let parts: Vec<_> = parts.iter().map(|part| element(0x1b, &[part.as_bytes().to_vec()])).collect();
        let parts = element(0xa1, &[element(0x30, &parts)]);
        element(0xa0 | field_number, &[element(0x30, &[field(0, 0x02, &[1]), parts])])
    }

    fn encrypted(field_number: u8, etype: u8, cipher: &[u8]) -> Vec<u8> {
        let fields = [field(0, 0x02, &[etype]), field(1, 0x02, &[1]), field(2, 0x04, cipher)];
        element(0xa0 | field_number, &[element(0x30, &fields)])
    }

    /// PA-DATA with the key's salt and `s2kparams`.
    fn known(etype: u8, parameters: Option<&[u8]>) -> Vec<u8> {
        let mut entry = vec![field(0, 0x02, &[etype]), field(1, 0x1b, SALT)];
        entry.extend(parameters.map(|parameters| field(2, 0x04, parameters)));
        let info = element(0x30, &[element(0x30, &entry)]);
        element(0x30, &[element(0x30, &[field(1, 0x02, &[19]), field(2, 0x04, &info)])])
    }

    /// AS-REP for anna, whose password is `geheim`, with this tag in what is encrypted.
    fn reply(tag: u8, suite: &CipherSuite, known: Option<Vec<u8>>) -> Vec<u8> {
        let time = b"20261130095841Z";
        let key = element(0x30, &[field(0, 0x02, &[18]), field(1, 0x04, &SESSION_KEY)]);
        let last = element(0x30, &[element(0x30, &[field(0, 0x02, &[0]), field(1, 0x18, b"19700101000000Z")])]);
        let part = [
            element(0xa0, &[key]),
            element(0xa1, &[last]),
            field(2, 0x02, &[0x12, 0x34]),
            field(4, 0x03, &[0, 0, 0x81, 0, 0]),
            field(5, 0x18, time),
            field(7, 0x18, time),
            field(9, 0x1b, b"ORIEL.TEST"),
            name(10, &["krbtgt", "ORIEL.TEST"]),
        ];
        let part = element(tag, &[element(0x30, &part)]);
        let cipher = suite.cipher();
        let key = cipher.generate_key_from_password(b"geheim", SALT).unwrap();
        let part = cipher.encrypt(&key, AS_REP_ENC, &part).unwrap();
        let ticket = [
            field(0, 0x02, &[5]),
            field(1, 0x1b, b"ORIEL.TEST"),
            name(2, &["krbtgt", "ORIEL.TEST"]),
            encrypted(3, 18, &[7; 60]),
        ];
        let mut fields = vec![field(0, 0x02, &[5]), field(1, 0x02, &[11])];
        fields.extend(known.map(|known| element(0xa2, &[known])));
        fields.extend([
            field(3, 0x1b, b"ORIEL.TEST"),
            name(4, &["anna"]),
            element(0xa5, &[element(0x61, &[element(0x30, &ticket)])]),
            encrypted(6, suite.into(), &part),
        ]);
        element(0x6b, &[element(0x30, &fields)])
    }

    /// What sspi reads in it.
    fn session_key(message: &[u8]) -> Option<Vec<u8>> {
        let reply: picky_krb::messages::AsRep = picky_asn1_der::from_bytes(message).unwrap();
        let (etype, salt) = extract_encryption_params_from_as_rep(&reply).unwrap();
        let suite = CipherSuite::try_from(usize::from(etype)).unwrap();
        let parameters = EncryptionParams { encryption_type: Some(suite), ..EncryptionParams::default_for_client() };
        let key = extract_session_key_from_as_rep(&reply, &salt, "geheim", &parameters).ok()?;
        Some(key.as_ref().clone())
    }

    #[test]
    fn sspi_takes_what_mits_kdc_sends() {
        let password = SecretString::from("geheim");
        for suite in [CipherSuite::Aes128CtsHmacSha196, CipherSuite::Aes256CtsHmacSha196] {
            let etype = u8::from(&suite);
            let mut exchange = AsExchange::new(&password);
            // As Active Directory has it.
            let usual = reply(ENC_AS_REP_PART, &suite, Some(known(etype, None)));
            assert_eq!(session_key(&usual).unwrap(), SESSION_KEY);
            assert!(exchange.take(&usual).is_none());
            for parameters in [None, Some(&ITERATIONS[..])] {
                let mits = reply(ENC_TGS_REP_PART, &suite, Some(known(etype, parameters)));
                assert!(session_key(&mits).is_none(), "sspi takes it by itself now: this is needed no more");
                let other = exchange.take(&mits).unwrap();
                assert_eq!(session_key(&other).unwrap(), SESSION_KEY);
                assert!(other.len() == mits.len() && exchange.take(&other).is_none());
            }
        }
    }

    #[test]
    fn salts_come_from_the_error_before_or_from_the_name() {
        let (password, suite) = (SecretString::from("geheim"), CipherSuite::Aes256CtsHmacSha196);
        let bare = reply(ENC_TGS_REP_PART, &suite, None);
        let by_name = AsExchange::new(&password).take(&bare).unwrap();
        assert_eq!(session_key(&by_name).unwrap(), SESSION_KEY);
        let error = |parameters: Option<&[u8]>| {
            element(0x7e, &[element(0x30, &[field(6, 0x02, &[25]), field(12, 0x04, &known(18, parameters))])])
        };
        let mut exchange = AsExchange::new(&password);
        assert!(exchange.take(&error(None)).is_none());
        assert_eq!(session_key(&exchange.take(&bare).unwrap()).unwrap(), SESSION_KEY);
        // Keys of other iterations are none of sspi's.
        assert!(exchange.take(&error(Some(&[0, 0, 0x20, 0]))).is_none() && exchange.take(&bare).is_none());
    }

    #[test]
    fn whatever_else_comes_passes() {
        let suite = CipherSuite::Aes256CtsHmacSha196;
        let mits = reply(ENC_TGS_REP_PART, &suite, Some(known(18, None)));
        let wrong = SecretString::from("falsch");
        assert!(AsExchange::new(&wrong).take(&mits).is_none());
        let password = SecretString::from("geheim");
        let mut exchange = AsExchange::new(&password);
        let other_etype = reply(ENC_TGS_REP_PART, &suite, Some(known(17, None)));
        let short = element(0x6b, &[element(0x30, &[encrypted(6, 18, &[])])]);
        for message in [&other_etype, &short, &Vec::new(), &mits.get(..mits.len() - 1).unwrap().to_vec()] {
            assert!(exchange.take(message).is_none());
        }
        assert!(exchange.take(&mits).is_some());
    }
}
