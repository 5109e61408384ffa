//! Codes of authenticator apps: RFC 6238 with what all apps know, HMAC-SHA-1, six digits, steps of 30 seconds.
//! And recovery codes for the day when the app is gone.

use crate::{equal, one_time_password, sha256_hex};
use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use secrecy::{
    ExposeSecret, SecretString,
    zeroize::{Zeroize, Zeroizing},
};

/// Digits of a code.
pub const TOTP_DIGITS: usize = 6;
/// Seconds that a code is shown.
pub const TOTP_STEP_SECONDS: u64 = 30;
/// Recovery codes that are made at once.
pub const RECOVERY_CODES: usize = 10;

/// Codes of so many steps before and after this one are taken: for clocks that differ, and for who types slowly.
const STEPS_AROUND: u64 = 1;
/// 160 bits, as RFC 4226 (section 4, R6) recommends.
const SECRET_BYTES: usize = 20;

/// A new secret, as base32 without padding: 32 characters.
pub fn new_totp_secret() -> SecretString {
    let mut bytes: [u8; SECRET_BYTES] = rand::random();
    let secret = BASE32_NOPAD.encode(&bytes);
    bytes.zeroize();
    secret.into()
}

/// The step of time to which a code belongs that is right at this moment (seconds since 1970): a step after `last_step`,
/// which is that of the newest code that was taken. `None`: it is wrong, or was used.
pub fn check_totp(secret: &SecretString, code: &str, seconds: u64, last_step: u64) -> Option<u64> {
    let now = seconds / TOTP_STEP_SECONDS;
    let key = Zeroizing::new(BASE32_NOPAD.decode(secret.expose_secret().as_bytes()).ok()?);
    // Each is compared, whichever fits.
    (now.saturating_sub(STEPS_AROUND)..=now.saturating_add(STEPS_AROUND))
        .filter(|step| equal(code_of(&key, *step), code))
        .rfind(|step| *step > last_step)
}

/// The code that an app shows at this moment (seconds since 1970): for tests and for whoever plays an app.
pub fn totp_code(secret: &SecretString, seconds: u64) -> Option<String> {
    let key = Zeroizing::new(BASE32_NOPAD.decode(secret.expose_secret().as_bytes()).ok()?);
    Some(code_of(&key, seconds / TOTP_STEP_SECONDS))
}

/// RFC 4226, section 5.3.
fn code_of(key: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag.last().copied().unwrap_or_default() & 0x0f);
    let four = tag.get(at..at + 4).and_then(|four| <[u8; 4]>::try_from(four).ok()).unwrap_or_default();
    let number = (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000;
    format!("{number:06}")
}

/// What an app reads from a picture: the key URI format of authenticator apps.
pub fn totp_uri(secret: &SecretString, name: &str) -> SecretString {
    let mut account = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            account.push(char::from(byte));
        } else {
            account.push('%');
            account.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
    format!(
        "otpauth://totp/Oriel:{account}?secret={}&issuer=Oriel&algorithm=SHA1&digits={TOTP_DIGITS}&period={TOTP_STEP_SECONDS}",
        secret.expose_secret()
    )
    .into()
}

/// New recovery codes: 79 bits each, to be written down.
pub fn new_recovery_codes() -> Vec<SecretString> {
    (0..RECOVERY_CODES).map(|_| one_time_password()).collect()
}

/// All that is stored of one. `None` for what cannot be one: it has sixteen letters and digits, and hyphens and blanks and capitals
/// do not matter. A hash that is quick is enough: nobody guesses 79 bits.
pub fn recovery_code_sha256(code: &str) -> Option<String> {
    let plain = code.chars().filter(|c| !c.is_whitespace() && *c != '-').take(17).flat_map(char::to_lowercase);
    let mut plain: String = plain.collect();
    let hash = (plain.len() == 16 && plain.chars().all(|c| c.is_ascii_alphanumeric()))
        .then(|| sha256_hex(format!("oriel recovery code {plain}")));
    plain.zeroize();
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret: SecretString = BASE32_NOPAD.encode(b"12345678901234567890").into();
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(totp_code(&secret, seconds).as_deref(), Some(code), "{seconds}");
            assert_eq!(check_totp(&secret, code, seconds, 0), Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_around_its_time_and_once() {
        let secret = new_totp_secret();
        let now = 1_800_000_000;
        let code = totp_code(&secret, now).unwrap();
        let step = now / 30;
        for (at, fits) in [(now - 31, false), (now - 30, true), (now, true), (now + 59, true), (now + 60, false)] {
            assert_eq!(check_totp(&secret, &code, at, 0).is_some(), fits, "{at}");
        }
        assert_eq!(check_totp(&secret, &code, now, step - 1), Some(step));
        assert_eq!(check_totp(&secret, &code, now, step), None, "it was used");
        assert_eq!(check_totp(&secret, &code, now, step + 1), None, "a newer one was used");
        for wrong in ["", "1", "0000000", "12345６", &format!("{code} ")] {
            assert_eq!(check_totp(&secret, wrong, now, 0), None, "{wrong:?}");
        }
        assert_eq!(check_totp(&"not base32!".to_owned().into(), &code, now, 0), None);
    }

    #[test]
    fn secrets_are_their_own_and_fit_into_a_uri() {
        let (one, other) = (new_totp_secret(), new_totp_secret());
        assert_eq!(one.expose_secret().len(), 32);
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(
            totp_uri(&"ABC".to_owned().into(), "zoë+1@lab").expose_secret(),
            "otpauth://totp/Oriel:zo%C3%AB%2B1@lab?secret=ABC&issuer=Oriel&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn recovery_codes_are_read_as_people_write_them() {
        let codes = new_recovery_codes();
        let hashes: HashSet<_> = codes.iter().map(|code| recovery_code_sha256(code.expose_secret()).unwrap()).collect();
        assert_eq!(hashes.len(), RECOVERY_CODES);
        let code = codes[0].expose_secret();
        let hash = recovery_code_sha256(code);
        assert_eq!(recovery_code_sha256(&format!(" {} ", code.to_uppercase().replace('-', " "))), hash);
        assert_eq!(recovery_code_sha256(&code.replace('-', "")), hash);
        for none in ["", "123456", "k7fw-2xqp-9msd-hn4", "k7fw-2xqp-9msd-hn4tt", "k7fw-2xqp-9msd-hn4ä"] {
            assert_eq!(recovery_code_sha256(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_code_and_any_secret_are_total(secret in "\\PC{0,60}", code in "\\PC{0,20}", at in any::<u64>()) {
            let _ = check_totp(&secret.into(), &code, at, 0);
            let _ = recovery_code_sha256(&code);
        }
    }
}
