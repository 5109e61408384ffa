//! Whether an identity token is the provider's, for us, now, and the answer to this sign-in (OpenID Connect Core, section 3.1.3.7).

use crate::{
    SKEW_SECONDS, TOKEN_BYTES_MAX,
    keys::{ALGORITHMS, Key, word},
    words,
};
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};

/// What a token must say.
pub(crate) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    /// How the provider says that it signs; empty where it does not say.
    pub algorithms: &'a [String],
    /// Unix seconds.
    pub now: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Signed by a key that is not known; it may be new.
    UnknownKey,
    Bad(String),
}

fn bad<T>(why: impl Into<String>) -> Result<T, Flaw> {
    Err(Flaw::Bad(why.into()))
}

/// The token's claims, if all of it is as it must be.
pub(crate) fn verify(token: &str, keys: &[Key], expected: &Expected<'_>) -> Result<Map<String, Value>, Flaw> {
    if token.len() > TOKEN_BYTES_MAX {
        return bad("it is too long");
    }
    // "none" is no algorithm of the library's.
    let header = decode_header(token).map_err(|error| Flaw::Bad(words(&error.to_string())))?;
    let algorithm = header.alg;
    if !ALGORITHMS.contains(&algorithm) {
        return bad("it is signed with a secret rather than with a private key");
    }
    if !expected.algorithms.is_empty() && !expected.algorithms.contains(&word(algorithm)) {
        return bad(format!("it is signed with {}, which the provider does not name", word(algorithm)));
    }
    // Extensions that must be understood: none is.
    if header.crit.is_some() || header.enc.is_some() {
        return bad("it asks for what is not known here");
    }
    let mut fit = keys.iter().filter(|key| key.algorithms.contains(&algorithm));
    let key = match &header.kid {
        Some(id) => fit.find(|key| key.id.as_ref() == Some(id)).ok_or(Flaw::UnknownKey)?,
        None => match (fit.next(), fit.next()) {
            (Some(only), None) => only,
            (None, _) => return Err(Flaw::UnknownKey),
            (Some(_), Some(_)) => return bad("it does not say which of several keys has signed it"),
        },
    };
    let mut rules = Validation::new(algorithm);
    rules.leeway = SKEW_SECONDS;
    // Times are looked at below: the library takes the clock itself.
    rules.validate_exp = false;
    rules.set_issuer(&[expected.issuer]);
    rules.set_audience(&[expected.client_id]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = decode::<Map<String, Value>>(token, &key.public, &rules);
    let claims = claims.map_err(|error| Flaw::Bad(words(&error.to_string())))?.claims;
    check(&claims, expected)?;
    Ok(claims)
}

/// Everything beside the signature; issuer and audience once more, whatever the library makes of odd ones.
fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), Flaw> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return bad("another provider has made it");
    }
    let (for_us, others) = match claims.get("aud") {
        Some(Value::String(one)) => (one == expected.client_id, false),
        Some(Value::Array(several)) => {
            (several.iter().any(|one| one.as_str() == Some(expected.client_id)), several.len() > 1)
        }
        _ => (false, false),
    };
    if !for_us {
        return bad("it is for somebody else");
    }
    match claims.get("azp") {
        None if others => return bad("it is for several, and does not say who asked for it"),
        Some(by) if by.as_str() != Some(expected.client_id) => return bad("somebody else has asked for it"),
        _ => {}
    }
    let time = |name: &str| claims.get(name).and_then(seconds);
    match time("exp") {
        Some(until) if expected.now < until.saturating_add(SKEW_SECONDS) => {}
        Some(_) => return bad("it has expired"),
        None => return bad("it does not say when it expires"),
    }
    let soon = expected.now.saturating_add(SKEW_SECONDS);
    match time("iat") {
        Some(made) if made <= soon => {}
        Some(_) => return bad("it was made in the future"),
        None => return bad("it does not say when it was made"),
    }
    if claims.contains_key("nbf") && time("nbf").is_none_or(|from| from > soon) {
        return bad("it is not good yet");
    }
    // Of the same length or not: it was random, and is used once.
    if text("nonce") != Some(expected.nonce) {
        return bad("it is the answer to another sign-in");
    }
    Ok(())
}

/// Times are whole numbers, mostly.
pub(crate) fn seconds(value: &Value) -> Option<u64> {
    match value.as_u64() {
        Some(whole) => Some(whole),
        None => value.as_f64().filter(|at| (0.0..1e15).contains(at)).map(|at| at as u64),
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
