//! Tokens of a provider, and of everybody else.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use super::*;
use crate::keys;
use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use proptest::prelude::*;
use serde_json::json;

const NOW: u64 = 1_800_000_000;

struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn jwk(&self, id: &str) -> Value {
        let point = self.0.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "kid": id, "x": B64.encode(&point[1..33]), "y": B64.encode(&point[33..])})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", B64.encode(signature))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()))
}

fn keys_of(jwks: &[Value]) -> Vec<Key> {
    keys::read(json!({"keys": jwks}).as_object().unwrap())
}

fn good() -> Value {
    json!({
        "iss": "https://id.lab", "aud": "oriel", "sub": "7", "nonce": "n1", "iat": NOW - 1, "exp": NOW + 300,
        "preferred_username": "ada",
    })
}

fn with(more: &Value) -> Value {
    let mut claims = good().as_object().unwrap().clone();
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
    Value::Object(claims)
}

fn checked(token: &str, keys: &[Key]) -> Result<Map<String, Value>, Flaw> {
    let expected = Expected { issuer: "https://id.lab", client_id: "oriel", nonce: "n1", algorithms: &[], now: NOW };
    verify(token, keys, &expected)
}

fn why(result: Result<Map<String, Value>, Flaw>) -> String {
    match result {
        Ok(claims) => panic!("it was taken: {claims:?}"),
        Err(Flaw::UnknownKey) => "unknown key".to_owned(),
        Err(Flaw::Bad(why)) => why,
    }
}

#[test]
fn a_token_for_us_is_taken() {
    let signer = Signer::new();
    let keys = keys_of(&[signer.jwk("k1")]);
    let header = json!({"alg": "ES256", "kid": "k1"});
    assert_eq!(checked(&signer.sign(&header, &good()), &keys).unwrap()["preferred_username"], "ada");
    // Whoever has one key need not name it.
    checked(&signer.sign(&json!({"alg": "ES256"}), &good()), &keys).unwrap();
    for more in [
        json!({"aud": ["oriel"]}),
        json!({"aud": ["other", "oriel"], "azp": "oriel"}),
        json!({"azp": "oriel"}),
        // Clocks differ a little.
        json!({"exp": NOW - SKEW_SECONDS + 1}),
        json!({"iat": NOW + SKEW_SECONDS, "nbf": NOW + SKEW_SECONDS}),
        json!({"exp": 1_800_000_300.5}),
    ] {
        checked(&signer.sign(&header, &with(&more)), &keys).unwrap_or_else(|flaw| panic!("{more}: {flaw:?}"));
    }
}

#[test]
fn what_a_token_says_must_fit() {
    let signer = Signer::new();
    let keys = keys_of(&[signer.jwk("k1")]);
    let header = json!({"alg": "ES256", "kid": "k1"});
    for (more, said) in [
        (json!({"iss": "https://evil.lab"}), "InvalidIssuer"),
        (json!({"iss": "https://id.lab/"}), "InvalidIssuer"),
        (json!({"iss": ["https://id.lab", "https://evil.lab"]}), "another provider"),
        (json!({"iss": null}), "iss"),
        (json!({"aud": "other"}), "InvalidAudience"),
        (json!({"aud": ["other"]}), "InvalidAudience"),
        (json!({"aud": []}), "InvalidAudience"),
        (json!({"aud": null}), "aud"),
        (json!({"aud": ["other", "oriel"]}), "who asked for it"),
        (json!({"aud": ["other", "oriel"], "azp": "other"}), "somebody else"),
        (json!({"azp": "other"}), "somebody else"),
        (json!({"azp": 5}), "somebody else"),
        (json!({"exp": NOW - SKEW_SECONDS}), "expired"),
        (json!({"exp": 0}), "expired"),
        (json!({"exp": -5}), "exp"),
        (json!({"exp": "later"}), "exp"),
        (json!({"exp": null}), "exp"),
        (json!({"iat": NOW + SKEW_SECONDS + 1}), "future"),
        (json!({"iat": null}), "when it was made"),
        (json!({"nbf": NOW + SKEW_SECONDS + 1}), "not good yet"),
        (json!({"nbf": "soon"}), "not good yet"),
        (json!({"nonce": "n2"}), "another sign-in"),
        (json!({"nonce": null}), "another sign-in"),
        (json!({"nonce": ["n1"]}), "another sign-in"),
        (json!({"sub": null}), "sub"),
    ] {
        let said_was = why(checked(&signer.sign(&header, &with(&more)), &keys));
        assert!(said_was.contains(said), "{more}: {said_was}");
    }
}

#[test]
fn nobody_else_signs() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let jwk = signer.jwk("k1");
    let keys = keys_of(std::slice::from_ref(&jwk));
    let header = json!({"alg": "ES256", "kid": "k1"});

    // Unsigned, in every way to write it.
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let token = format!("{}.", message(&json!({"alg": none, "kid": "k1"}), &good()));
        why(checked(&token, &keys));
    }
    why(checked(&format!("{}.", message(&header, &good())), &keys));
    why(checked(&message(&header, &good()), &keys));

    // With what is public for a secret: the point, its coordinates as they are written, the whole key.
    let point = signer.0.public_key().as_ref().to_vec();
    let secrets = [
        point.clone(),
        point[1..].to_vec(),
        jwk.to_string().into_bytes(),
        jwk["x"].as_str().unwrap().into(),
        Vec::new(),
    ];
    for secret in secrets {
        let message = message(&json!({"alg": "HS256", "kid": "k1"}), &good());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        let token = format!("{message}.{}", B64.encode(tag));
        assert!(why(checked(&token, &keys)).contains("with a secret"));
    }

    // By another key under the same name, of another kind, unknown, brought along, or one of several.
    assert!(why(checked(&stranger.sign(&header, &good()), &keys)).contains("InvalidSignature"));
    assert_eq!(why(checked(&signer.sign(&json!({"alg": "ES256", "kid": "k2"}), &good()), &keys)), "unknown key");
    for other in ["RS256", "PS256", "ES384", "EdDSA"] {
        assert_eq!(why(checked(&signer.sign(&json!({"alg": other, "kid": "k1"}), &good()), &keys)), "unknown key");
    }
    let brought = json!({"alg": "ES256", "kid": "k1", "jwk": stranger.jwk("k1"), "jku": "https://evil.lab/keys"});
    assert!(why(checked(&stranger.sign(&brought, &good()), &keys)).contains("InvalidSignature"));
    let several = keys_of(&[signer.jwk("k1"), stranger.jwk("k2")]);
    assert!(why(checked(&signer.sign(&json!({"alg": "ES256"}), &good()), &several)).contains("which of several"));
    assert_eq!(why(checked(&signer.sign(&header, &good()), &[])), "unknown key");

    // What must be understood is not.
    let critical = json!({"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false});
    why(checked(&signer.sign(&critical, &good()), &keys));
    // An algorithm that the provider does not name.
    let named = ["RS256".to_owned()];
    let expected = Expected { issuer: "https://id.lab", client_id: "oriel", nonce: "n1", algorithms: &named, now: NOW };
    assert!(why(verify(&signer.sign(&header, &good()), &keys, &expected)).contains("does not name"));

    // Claims that were changed after signing.
    let token = signer.sign(&header, &good());
    let parts: Vec<&str> = token.split('.').collect();
    let forged = format!("{}.{}.{}", parts[0], B64.encode(with(&json!({"sub": "8"})).to_string()), parts[2]);
    assert!(why(checked(&forged, &keys)).contains("InvalidSignature"));
    // Signatures that some take for good ones.
    for signature in [vec![0; 64], vec![0; 0], vec![0xff; 64], vec![0; 4096]] {
        why(checked(&format!("{}.{}.{}", parts[0], parts[1], B64.encode(signature)), &keys));
    }
    let long = with(&json!({"more": "x".repeat(TOKEN_BYTES_MAX)}));
    assert_eq!(why(checked(&signer.sign(&header, &long), &keys)), "it is too long");
}

proptest! {
    #[test]
    fn anything_is_refused_and_nothing_breaks(text in ".{0,400}", cut in 0_usize..400, bit in 0_usize..2400) {
        let signer = Signer::new();
        let keys = keys_of(&[signer.jwk("k1")]);
        prop_assert!(checked(&text, &keys).is_err());
        let token = signer.sign(&json!({"alg": "ES256", "kid": "k1"}), &good());
        let shorter: String = token.chars().take(cut.min(token.len() - 1)).collect();
        prop_assert!(checked(&shorter, &keys).is_err());
        // One bit of what is signed, or of its signature.
        let mut bytes = token.into_bytes();
        let at = bit / 8 % bytes.len();
        bytes[at] ^= 1 << (bit % 7);
        if let Ok(other) = String::from_utf8(bytes) {
            // The last sign of base64 has bits that mean nothing: they must be zero.
            prop_assert!(checked(&other, &keys).is_err());
        }
    }
}
