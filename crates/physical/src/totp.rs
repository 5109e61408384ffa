//! Six digits that change every half minute (RFC 6238 with SHA-1), which kvmd wants appended to the password.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};

/// Longest secret, in characters of base 32.
pub const SECRET_BYTES_MAX: usize = 128;
const STEP_SECONDS: u64 = 30;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the TOTP secret is not base 32 of 1 to {SECRET_BYTES_MAX} letters (A to Z, 2 to 7): enter it as the device showed it"
)]
pub struct TotpError;

fn bytes(secret: &SecretString) -> Result<Vec<u8>, TotpError> {
    let text: String = secret
        .expose_secret()
        .chars()
        .filter(|one| !matches!(one, ' ' | '-' | '='))
        .map(|one| one.to_ascii_uppercase())
        .collect();
    if !(1..=SECRET_BYTES_MAX).contains(&text.len()) {
        return Err(TotpError);
    }
    data_encoding::BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| TotpError)
}

/// Whether it is one.
pub fn check(secret: &SecretString) -> Result<(), TotpError> {
    bytes(secret).map(drop)
}

/// The digits at a time, in seconds since 1970.
pub(crate) fn code(secret: &SecretString, unix: u64) -> Result<String, TotpError> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes(secret)?);
    let hash = hmac::sign(&key, &(unix / STEP_SECONDS).to_be_bytes());
    let hash = hash.as_ref();
    let at = usize::from(hash.last().copied().unwrap_or_default() & 15);
    let four = hash.get(at..).and_then(|from| from.first_chunk::<4>()).copied().unwrap_or_default();
    Ok(format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = SecretString::from("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        for (unix, digits) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(&secret, unix).unwrap(), digits);
        }
        assert_eq!(code(&SecretString::from("gezd gnbv-gy3t qojq gezd gnbv gy3t qojq="), 59).unwrap(), "287082");
        for bad in ["", "1", "GEZDGNB!", &"A".repeat(129)] {
            assert_eq!(check(&SecretString::from(bad)), Err(TotpError), "{bad}");
        }
    }
}
