//! What a provider says of itself (OpenID Connect Discovery 1.0, section 4).

use crate::{OidcError, words};
use oriel_model::ProviderSettings;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::{Host, Url};

/// The document as it comes; what is not looked at is left out.
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    response_types_supported: Vec<String>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// The document, looked at.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub authorization: Url,
    pub token: Url,
    pub keys: Url,
    pub userinfo: Option<Url>,
    /// How its tokens are signed, as far as it says.
    pub algorithms: Vec<String>,
    /// The client's secret goes into the form rather than into a header.
    pub secret_in_form: bool,
    pub knows_pkce: bool,
    /// It says who it is when browsers come back (RFC 9207).
    pub says_issuer: bool,
}

/// Where the document is.
pub(crate) fn place(settings: &ProviderSettings) -> Result<Url, OidcError> {
    let text = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
    Url::parse(&text).map_err(|error| OidcError::Discovery { why: format!("the issuer is no address: {error}") })
}

pub(crate) fn read(settings: &ProviderSettings, answer: Map<String, Value>) -> Result<Metadata, OidcError> {
    let no = |why: String| OidcError::Discovery { why };
    let document: Document =
        serde_json::from_value(Value::Object(answer)).map_err(|error| no(words(&error.to_string())))?;
    if document.issuer != settings.issuer {
        return Err(no(format!(
            "it calls itself {:?} and not {:?}, which must be the same to the last sign",
            words(&document.issuer),
            settings.issuer
        )));
    }
    let types = &document.response_types_supported;
    if !types.is_empty() && !types.iter().any(|one| one == "code") {
        return Err(no("it does not know the code flow".to_owned()));
    }
    let issuer = Url::parse(&settings.issuer).map_err(|error| no(error.to_string()))?;
    let asked = |text: &str| {
        let url = address(text, &issuer).map_err(no)?;
        // A pin is of one server: it says nothing of another one.
        if settings.pin.is_some() && url.origin() != issuer.origin() {
            return Err(no(format!("{url} is another server than the one that is pinned: give a CA instead")));
        }
        Ok(url)
    };
    let (token, keys) = (asked(&document.token_endpoint)?, asked(&document.jwks_uri)?);
    let userinfo = document.userinfo_endpoint.as_deref().map(asked).transpose()?;
    let authorization = address(&document.authorization_endpoint, &issuer).map_err(no)?;
    let methods = document.token_endpoint_auth_methods_supported.unwrap_or_default();
    let knows = |method: &str| methods.iter().any(|one| one == method);
    if !methods.is_empty() && !["client_secret_basic", "client_secret_post", "none"].into_iter().any(knows) {
        return Err(no("it takes no client secret (client_secret_basic, client_secret_post)".to_owned()));
    }
    Ok(Metadata {
        authorization,
        token,
        keys,
        userinfo,
        algorithms: document.id_token_signing_alg_values_supported,
        secret_in_form: knows("client_secret_post") && !knows("client_secret_basic"),
        knows_pkce: document.code_challenge_methods_supported.iter().any(|one| one == "S256"),
        says_issuer: document.authorization_response_iss_parameter_supported,
    })
}

/// TLS for all of it, but for a provider on this machine that has none itself.
fn address(text: &str, issuer: &Url) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{:?} is no address: {error}", words(text)))?;
    let secure = url.scheme() == "https";
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let allowed = secure || url.scheme() == "http" && issuer.scheme() == "http" && here;
    if !allowed {
        return Err(format!("{} has no TLS", words(url.as_str())));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(format!("{} is more than an address", words(url.as_str())));
    }
    Ok(url)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(issuer: &str) -> ProviderSettings {
        ProviderSettings { issuer: issuer.into(), client_id: "oriel".into(), ..ProviderSettings::default() }
    }

    fn with(more: &Value) -> Map<String, Value> {
        let document = json!({
            "issuer": "https://id.lab",
            "authorization_endpoint": "https://id.lab/auth",
            "token_endpoint": "https://tokens.lab/token",
            "jwks_uri": "https://id.lab/keys",
        });
        let mut document = document.as_object().unwrap().clone();
        document.extend(more.as_object().unwrap().clone());
        document
    }

    #[test]
    fn a_provider_is_who_it_says() {
        let lab = settings("https://id.lab");
        let good = read(&lab, with(&json!({}))).unwrap();
        assert!(!good.secret_in_form && !good.knows_pkce);
        let post = json!({"token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"]});
        assert!(read(&lab, with(&post)).unwrap().secret_in_form);
        for (bad, why) in [
            (json!({"issuer": "https://id.lab/"}), "to the last sign"),
            (json!({"issuer": "https://evil.lab"}), "to the last sign"),
            (json!({"token_endpoint": "http://id.lab/token"}), "no TLS"),
            (json!({"jwks_uri": "http://127.0.0.1/keys"}), "no TLS"),
            (json!({"authorization_endpoint": "javascript:alert(1)"}), "no TLS"),
            (json!({"authorization_endpoint": "https://a:b@id.lab/"}), "more than an address"),
            (json!({"userinfo_endpoint": "file:///etc/passwd"}), "no TLS"),
            (json!({"jwks_uri": 5}), "invalid type"),
            (json!({"response_types_supported": ["id_token"]}), "code flow"),
            (json!({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}), "no client secret"),
        ] {
            let error = read(&lab, with(&bad)).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
        let pinned = ProviderSettings { pin: Some("ab".repeat(32)), ..lab };
        assert!(read(&pinned, with(&json!({}))).unwrap_err().to_string().contains("pinned"));
        assert!(read(&pinned, with(&json!({"token_endpoint": "https://id.lab/token"}))).is_ok());
    }

    #[test]
    fn its_document_is_below_it() {
        for issuer in ["https://id.lab/realms/lab", "https://id.lab/realms/lab/"] {
            let at = place(&settings(issuer)).unwrap();
            assert_eq!(at.as_str(), "https://id.lab/realms/lab/.well-known/openid-configuration");
        }
    }
}
