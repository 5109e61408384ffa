//! What a provider says of somebody, as far as it matters here.

use crate::{GROUPS_MAX, OidcError, token::seconds};
use oriel_model::{ProviderSettings, SUBJECT_CHARS_MAX};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Somebody, as their provider knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Never given to somebody else.
    pub subject: String,
    pub name: String,
    pub groups: BTreeSet<String>,
    /// When they last showed who they are, in Unix seconds.
    pub signed_in: Option<u64>,
    /// They gave a second factor there, by what the settings say of `acr` and `amr`.
    pub second_factor: bool,
}

/// A claim by its name, or by a path of names with dots between.
fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut parts = name.split('.');
    let first = claims.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// Whether the token alone says it, so that nobody else must be asked.
pub(crate) fn is_whole(settings: &ProviderSettings, claims: &Map<String, Value>) -> bool {
    claim(claims, settings.name_claim()).is_some() && claim(claims, settings.groups_claim()).is_some()
}

pub(crate) fn subject(claims: &Map<String, Value>) -> Result<String, OidcError> {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let good =
        !subject.is_empty() && subject.chars().count() <= SUBJECT_CHARS_MAX && !subject.chars().any(char::is_control);
    if good { Ok(subject.to_owned()) } else { Err(OidcError::NoClaim { claim: "sub".to_owned() }) }
}

/// `more` is what the provider says beside the token, of the same person. How somebody signed in is taken from the token alone.
pub(crate) fn read(
    settings: &ProviderSettings,
    token: &Map<String, Value>,
    more: Option<&Map<String, Value>>,
) -> Result<Found, OidcError> {
    let find = |name: &str| claim(token, name).or_else(|| claim(more?, name));
    let missing = |claim: &str| OidcError::NoClaim { claim: claim.to_owned() };
    let name = find(settings.name_claim()).and_then(Value::as_str).ok_or_else(|| missing(settings.name_claim()))?;
    let mut groups = BTreeSet::new();
    match find(settings.groups_claim()) {
        Some(Value::String(one)) => {
            groups.insert(one.clone());
        }
        Some(Value::Array(several)) if several.len() > GROUPS_MAX => return Err(OidcError::TooManyGroups),
        Some(Value::Array(several)) => groups.extend(several.iter().filter_map(Value::as_str).map(str::to_owned)),
        // Said by reference only (OpenID Connect Core, section 5.6.2): whoever is in many is not in none.
        _ => {
            let elsewhere = |of: &Map<String, Value>| of.get("_claim_names")?.get(settings.groups_claim()).map(|_| ());
            if elsewhere(token).is_some() || more.and_then(elsewhere).is_some() {
                return Err(OidcError::TooManyGroups);
            }
        }
    }
    let acr = token.get("acr").and_then(Value::as_str);
    let amr = token.get("amr").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let by_acr = acr.is_some_and(|acr| settings.factor_acr.iter().any(|one| one == acr));
    let by_amr = amr.iter().filter_map(Value::as_str).any(|amr| settings.factor_amr.iter().any(|one| one == amr));
    Ok(Found {
        subject: subject(token)?,
        name: name.to_owned(),
        groups,
        signed_in: token.get("auth_time").and_then(seconds),
        second_factor: by_acr || by_amr,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(settings: &ProviderSettings, token: &Value, more: Option<&Value>) -> Result<Found, OidcError> {
        read(settings, token.as_object().unwrap(), more.map(|more| more.as_object().unwrap()))
    }

    #[test]
    fn people_are_read() {
        let mut settings = ProviderSettings {
            factor_acr: vec!["gold".into()],
            factor_amr: vec!["otp".into(), "hwk".into()],
            ..ProviderSettings::default()
        };
        let token = json!({"sub": "7", "preferred_username": "ada", "groups": ["a", 5, "b", "a"], "auth_time": 12});
        let ada = found(&settings, &token, None).unwrap();
        assert_eq!((ada.subject.as_str(), ada.name.as_str(), ada.signed_in), ("7", "ada", Some(12)));
        assert_eq!(ada.groups.into_iter().collect::<Vec<_>>(), ["a", "b"]);
        assert!(!ada.second_factor);
        for (more, shows) in [
            (json!({"acr": "gold"}), true),
            (json!({"acr": "goldish"}), false),
            (json!({"amr": ["pwd", "otp"]}), true),
            (json!({"amr": ["pwd"]}), false),
            (json!({"amr": "otp"}), false),
        ] {
            let mut token = token.as_object().unwrap().clone();
            token.extend(more.as_object().unwrap().clone());
            assert_eq!(read(&settings, &token, None).unwrap().second_factor, shows, "{more}");
        }

        // Beside the token: names and groups, and nothing of how they signed in.
        let bare = json!({"sub": "7"});
        let more =
            json!({"preferred_username": "ada", "realm_access": {"roles": ["x"]}, "https://lab/g": "y", "acr": "gold"});
        assert!(!is_whole(&settings, bare.as_object().unwrap()));
        assert!(matches!(found(&settings, &bare, None), Err(OidcError::NoClaim { .. })));
        for (claim, group) in [("realm_access.roles", "x"), ("https://lab/g", "y")] {
            settings.groups_claim = Some(claim.into());
            let ada = found(&settings, &bare, Some(&more)).unwrap();
            assert_eq!(ada.groups.into_iter().collect::<Vec<_>>(), [group]);
            assert!(!ada.second_factor);
        }
    }

    #[test]
    fn what_is_missing_is_not_guessed() {
        let settings = ProviderSettings::default();
        let name = "preferred_username";
        for bad in [
            json!({name: "ada"}),
            json!({name: "ada", "sub": ""}),
            json!({name: "ada", "sub": 7}),
            json!({name: "ada", "sub": "x".repeat(256)}),
            json!({name: "ada", "sub": "a\nb"}),
            json!({name: 5, "sub": "7"}),
        ] {
            assert!(matches!(found(&settings, &bad, None), Err(OidcError::NoClaim { .. })), "{bad}");
        }
        let many: Vec<String> = (0..=GROUPS_MAX).map(|n| n.to_string()).collect();
        for bad in [
            json!({name: "ada", "sub": "7", "groups": many}),
            json!({name: "ada", "sub": "7", "_claim_names": {"groups": "src1"}}),
        ] {
            assert!(matches!(found(&settings, &bad, None), Err(OidcError::TooManyGroups)));
        }
    }
}
