//! A provider's public keys (RFC 7517), each with what it may verify. Secret ones are never among them.

use crate::KEYS_MAX;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde_json::{Map, Value};

/// How identity tokens may be signed: by a key of which the provider alone has the private half.
pub(crate) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

pub(crate) struct Key {
    pub id: Option<String>,
    pub algorithms: Vec<Algorithm>,
    pub public: DecodingKey,
}

/// As RFC 7518 writes it.
pub(crate) fn word(algorithm: Algorithm) -> String {
    format!("{algorithm:?}")
}

/// Those that can be used; what is no key, or not for this, is left out.
pub(crate) fn read(answer: &Map<String, Value>) -> Vec<Key> {
    let keys = answer.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    keys.iter().take(KEYS_MAX).filter_map(one).collect()
}

fn one(value: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let fit: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => ALGORITHMS.get(..6)?,
        AlgorithmParameters::EllipticCurve(of) => match of.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(of) if of.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        // A secret that stands in public.
        AlgorithmParameters::OctetKeyPair(_) | AlgorithmParameters::OctetKey(_) => return None,
    };
    let said = value.get("alg").and_then(Value::as_str);
    let algorithms: Vec<Algorithm> =
        fit.iter().copied().filter(|one| said.is_none_or(|said| word(*one) == said)).collect();
    if algorithms.is_empty() {
        return None;
    }
    Some(Key { id: jwk.common.key_id.clone(), algorithms, public: DecodingKey::from_jwk(&jwk).ok()? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_public_keys_for_signatures_are_taken() {
        let ec = json!({"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB", "kid": "e"});
        let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "r", "use": "sig"});
        let mut bad = vec![
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "o", "alg": "HS256"}),
            json!({"kty": "EC", "crv": "P-521", "x": "AQAB", "y": "AQAB"}),
            json!({"kty": "EC", "crv": "secp256k1", "x": "AQAB", "y": "AQAB"}),
            json!({"kty": "what"}),
            json!(5),
        ];
        for (name, value) in [("use", "enc"), ("alg", "RSA-OAEP"), ("alg", "HS256"), ("alg", "none")] {
            let mut key = rsa.as_object().unwrap().clone();
            key.insert(name.to_owned(), json!(value));
            bad.push(Value::Object(key));
        }
        let all: Vec<Value> = bad.into_iter().chain([ec, rsa]).collect();
        let keys = read(json!({"keys": all}).as_object().unwrap());
        let ids: Vec<_> = keys.iter().map(|key| key.id.clone().unwrap()).collect();
        assert_eq!(ids, ["e", "r"]);
        assert_eq!(keys.first().unwrap().algorithms, [Algorithm::ES256]);
        assert_eq!(keys.last().unwrap().algorithms.len(), 6);
        for empty in [json!({}), json!({"keys": {}}), json!({"keys": [[]]})] {
            assert!(read(empty.as_object().unwrap()).is_empty());
        }
    }
}
