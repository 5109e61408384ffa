//! Random texts and how they are compared and stored.

use aws_lc_rs::{digest, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{Rng, seq::IndexedRandom};
use secrecy::{SecretString, zeroize::Zeroize};
use std::fmt::Write;
use subtle::ConstantTimeEq;

/// Lowercase letters and digits without those that look alike (`0 o`, `1 i l`).
const READABLE: [char; 31] = [
    '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k', 'm', 'n', 'p', 'q', 'r',
    's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
];

/// 256 random bits as 43 characters of base64url, and their SHA-256 as [`sha256_hex`], which is all that is stored.
pub fn random_token() -> (SecretString, String) {
    let mut bits: [u8; 32] = rand::random();
    let token = URL_SAFE_NO_PAD.encode(bits);
    bits.zeroize();
    let hash = sha256_hex(&token);
    (token.into(), hash)
}

/// A password to be read out or typed off once: four groups of four like `k7fw-2xqp-9msd-hn4t`, 79 bits.
pub fn one_time_password() -> SecretString {
    let mut rng = rand::rng();
    let mut password = String::with_capacity(19);
    for place in 0..16 {
        if place > 0 && place % 4 == 0 {
            password.push('-');
        }
        password.push(pick(&mut rng));
    }
    password.into()
}

fn pick(rng: &mut impl Rng) -> char {
    READABLE.choose(rng).copied().unwrap_or('2')
}

/// SHA-256 as 64 lowercase hexadecimal digits.
pub fn sha256_hex(data: impl AsRef<[u8]>) -> String {
    hex(digest::digest(&digest::SHA256, data.as_ref()).as_ref())
}

/// HMAC-SHA256 (RFC 2104) in lowercase hex: who knows the key said this.
pub fn hmac_sha256_hex(key: &[u8], data: &[u8]) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing to a String does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether two secrets are the same, in a time that says nothing about where they differ (only about their lengths).
pub fn equal(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    one.as_ref().ct_eq(other.as_ref()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::collections::HashSet;

    #[test]
    fn tokens_are_long_and_their_own() {
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let (token, hash) = random_token();
            let token = token.expose_secret();
            assert_eq!(token.len(), 43);
            assert_eq!(URL_SAFE_NO_PAD.decode(token).unwrap().len(), 32);
            assert_eq!(hash, sha256_hex(token));
            assert!(seen.insert(hash));
            assert!(!format!("{:?}", random_token().0).contains(token));
        }
    }

    #[test]
    fn one_time_passwords_can_be_read_out() {
        let mut seen = HashSet::new();
        let mut used = HashSet::new();
        for _ in 0..1000 {
            let password = one_time_password();
            let password = password.expose_secret();
            let groups: Vec<_> = password.split('-').collect();
            assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [4; 4], "{password}");
            used.extend(password.chars().filter(|c| *c != '-'));
            assert!(seen.insert(password.to_owned()));
        }
        assert_eq!(used, READABLE.into_iter().collect());
        assert!(16.0 * (READABLE.len() as f64).log2() >= 75.0);
        assert!(!READABLE.iter().any(|c| "01ilo".contains(*c)));
    }

    /// FIPS 180-4's examples.
    #[test]
    fn sha256_is_sha256() {
        assert_eq!(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    /// RFC 4231, test case 2.
    #[test]
    fn hmac_is_hmac() {
        let signed = hmac_sha256_hex(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(signed, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn equal_compares() {
        assert!(equal("secret", b"secret"));
        assert!(!equal("secret", "secreT"));
        assert!(!equal("secret", "secre"));
        assert!(!equal("", "s"));
        assert!(equal("", ""));
    }
}
