//! Where a browser is sent to sign in (OpenID Connect Core, section 3.1.2.1), and what only the one that comes back may know.

use crate::discovery::Metadata;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oriel_model::ProviderSettings;
use sha2::{Digest as _, Sha256};
use url::Url;

/// What is wanted of a provider.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// Where browsers come back to.
    pub redirect_uri: &'a str,
    /// Random, and known to this browser and us only.
    pub state: &'a str,
    /// Random, and comes back inside the token.
    pub nonce: &'a str,
    /// 43 to 128 characters of RFC 7636, section 4.1; only its hash is told.
    pub verifier: &'a str,
    /// The person is asked who they are, also by a provider that knows it still.
    pub again: bool,
}

/// Where the browser goes.
#[derive(Clone, Debug)]
pub struct Begun {
    pub url: String,
}

pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

pub(crate) fn address(settings: &ProviderSettings, metadata: &Metadata, wish: &Wish<'_>) -> Url {
    let mut url = metadata.authorization.clone();
    let mut scope = String::from("openid");
    for one in settings.scopes.iter().filter(|one| *one != "openid") {
        scope.push(' ');
        scope.push_str(one);
    }
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", wish.redirect_uri)
            .append_pair("scope", &scope)
            .append_pair("state", wish.state)
            .append_pair("nonce", wish.nonce)
            .append_pair("code_challenge", &challenge(wish.verifier))
            .append_pair("code_challenge_method", "S256");
        if wish.again {
            query.append_pair("prompt", "login").append_pair("max_age", "0");
        }
        if !settings.factor_acr.is_empty() {
            query.append_pair("acr_values", &settings.factor_acr.join(" "));
        }
    }
    url
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_specification() {
        // RFC 7636, appendix B.
        let challenge = challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
