//! Public keys as authenticators send them: COSE keys (RFC 9052, section 7; RFC 9053) of the three algorithms that we ask for.

use super::{PasskeyError, cbor::Value};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

/// ECDSA with P-256 and SHA-256, Ed25519, RSASSA-PKCS1-v1_5 with SHA-256 (IANA's registry "COSE Algorithms"), best first.
pub const PASSKEY_ALGORITHMS: [i64; 3] = [ES256, EDDSA, RS256];

const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;

/// Labels of RFC 9052, table 4, and RFC 9053, tables 19 and 20; RFC 8230, table 4.
const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV_OR_N: i64 = -1;
const X_OR_E: i64 = -2;
const Y: i64 = -3;

const KTY_OKP: i64 = 1;
const KTY_EC2: i64 = 2;
const KTY_RSA: i64 = 3;
const CRV_P256: i64 = 1;
const CRV_ED25519: i64 = 6;

/// Bytes of an RSA modulus: 2048 to 4096 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// Bytes of an RSA exponent; all that is seen in the world has three.
const RSA_EXPONENT_BYTES_MAX: usize = 8;

/// A key that signatures are held against.
#[derive(Debug)]
pub(super) enum Key<'a> {
    /// A point that is not compressed: 4, x, y.
    Es256([u8; 65]),
    EdDsa(&'a [u8; 32]),
    Rs256 {
        n: &'a [u8],
        e: &'a [u8],
    },
}

impl<'a> Key<'a> {
    /// Errors: `Algorithm` for one that we do not ask for, `Malformed` for what is no key of its algorithm.
    pub fn of(cose: &Value<'a>) -> Result<Self, PasskeyError> {
        let bad = PasskeyError::Malformed { what: "the public key" };
        let number = |label| cose.numbered(label).and_then(Value::int);
        let bytes = |label| cose.numbered(label).and_then(Value::bytes);
        let (Some(kind), Some(algorithm)) = (number(KTY), number(ALG)) else { return Err(bad) };
        let key = match algorithm {
            ES256 if kind == KTY_EC2 && number(CRV_OR_N) == Some(CRV_P256) => point(bytes(X_OR_E), bytes(Y)),
            EDDSA if kind == KTY_OKP && number(CRV_OR_N) == Some(CRV_ED25519) => {
                bytes(X_OR_E).and_then(|x| x.try_into().ok()).map(Self::EdDsa)
            }
            RS256 if kind == KTY_RSA => modulus(bytes(CRV_OR_N), bytes(X_OR_E)),
            ES256 | EDDSA | RS256 => None,
            _ => return Err(PasskeyError::Algorithm { number: algorithm }),
        };
        let key = key.ok_or(bad)?;
        if key.is_sound() { Ok(key) } else { Err(PasskeyError::Malformed { what: "the public key" }) }
    }

    pub fn algorithm(&self) -> i64 {
        match self {
            Self::Es256(_) => ES256,
            Self::EdDsa(_) => EDDSA,
            Self::Rs256 { .. } => RS256,
        }
    }

    /// Whether it is one, and not only as long as one: a point is on its curve.
    fn is_sound(&self) -> bool {
        match self {
            Self::Es256(point) => ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).is_ok(),
            Self::EdDsa(x) => ParsedPublicKey::new(&ED25519, x).is_ok(),
            Self::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).is_ok()
            }
        }
    }

    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
            }
            Self::EdDsa(x) => UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok(),
            Self::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
        }
    }
}

fn point<'a>(x: Option<&[u8]>, y: Option<&[u8]>) -> Option<Key<'a>> {
    let (x, y): (&[u8; 32], &[u8; 32]) = (x?.try_into().ok()?, y?.try_into().ok()?);
    let mut point = [4; 65];
    let (_, xy) = point.split_first_mut()?;
    let (to_x, to_y) = xy.split_at_mut_checked(32)?;
    to_x.copy_from_slice(x);
    to_y.copy_from_slice(y);
    Some(Key::Es256(point))
}

fn modulus<'a>(n: Option<&'a [u8]>, e: Option<&'a [u8]>) -> Option<Key<'a>> {
    let (n, e) = (n?, e?);
    let good = RSA_BYTES.contains(&n.len())
        && n.first() != Some(&0)
        && (1..=RSA_EXPONENT_BYTES_MAX).contains(&e.len())
        && e.first() != Some(&0);
    good.then_some(Key::Rs256 { n, e })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passkey::cbor;
    use proptest::prelude::*;

    fn key(hex: &str) -> Result<i64, PasskeyError> {
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        Key::of(&cbor::whole(&bytes).unwrap()).map(|key| key.algorithm())
    }

    const X: &str = "afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61";
    const Y: &str = "930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220";

    #[test]
    fn keys_are_told_by_kind_curve_and_algorithm() {
        assert_eq!(key(&format!("a5010203262001215820{X}225820{Y}")), Ok(ES256));
        let of_edwards = "44e06ddd331c36a8dc667bab52bcae63486c916aa5e339e6acebaa84934bf832";
        assert_eq!(key(&format!("a4010103272006215820{of_edwards}")), Ok(EDDSA));
        let bad = Err(PasskeyError::Malformed { what: "the public key" });
        // Another curve, another kind, a point that is not on the curve, one that is too short, none at all.
        assert_eq!(key(&format!("a5010203262002215820{X}225820{Y}")), bad);
        assert_eq!(key(&format!("a5010103262001215820{X}225820{Y}")), bad);
        assert_eq!(key(&format!("a5010203262001215820{Y}225820{Y}")), bad);
        assert_eq!(key(&format!("a501020326200121581f{}225820{Y}", &X[2..])), bad);
        assert_eq!(key("a0"), bad);
        assert_eq!(key("80"), bad);
        // ES384 was not asked for.
        assert_eq!(key(&format!("a501020338222001215820{X}225820{Y}")), Err(PasskeyError::Algorithm { number: -35 }));
        // RSA keys are long enough, and not endless.
        let rsa = |bytes: usize, exponent: &str| {
            key(&format!("a4010303390100205902{:02x}{}{exponent}", bytes - 512, "ff".repeat(bytes)))
        };
        assert_eq!(rsa(512, "2143010001"), Ok(RS256));
        assert_eq!(rsa(513, "2143010001"), bad);
        assert_eq!(rsa(512, "2143000001"), bad);
        assert_eq!(rsa(512, "2140"), bad);
        assert_eq!(key(&format!("a401030339010020 58ff{}2143010001", "ff".repeat(255)).replace(' ', "")), bad);
    }

    proptest! {
        #[test]
        fn any_key_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            if let Some(value) = cbor::whole(&bytes) {
                let _ = Key::of(&value);
            }
        }
    }
}
