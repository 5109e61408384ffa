//! A provider, with what it said of itself lately.

use crate::{
    OidcError,
    begin::{Begun, Wish, address},
    claims::{self, Found},
    dial::{Ask, ask},
    discovery::{self, Metadata},
    keys::{self, Key},
    token::{Expected, Flaw, verify},
    words,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::StatusCode;
use oriel_model::ProviderSettings;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::Mutex;
use url::form_urlencoded;

/// How long what a provider said of itself is taken for true.
const KNOWN_TIME_MAX: Duration = Duration::from_mins(10);
/// One that could not be asked is not asked again for so long: those who wait behind it hear the same.
const FAILED_TIME: Duration = Duration::from_secs(2);
/// Keys that are not known are asked for again at most so often.
const KEYS_TIME_MIN: Duration = Duration::from_secs(10);

struct Known {
    metadata: Metadata,
    keys: Vec<Key>,
    since: Instant,
}

#[derive(Default)]
struct Slot {
    known: Option<Arc<Known>>,
    failed: Option<(OidcError, Instant)>,
}

/// One provider as it is asked. With other settings it is another one.
pub struct Provider {
    settings: ProviderSettings,
    slot: Mutex<Slot>,
}

/// What came back with the browser, and what was kept of its beginning.
pub struct Answered<'a> {
    pub code: &'a str,
    /// The parameter `iss`.
    pub issuer: Option<&'a str>,
    pub redirect_uri: &'a str,
    pub nonce: &'a str,
    pub verifier: &'a str,
}

/// What a provider says of itself, for admins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    pub authorization: String,
    pub token: String,
    pub userinfo: Option<String>,
    /// Keys that can verify its tokens.
    pub keys: usize,
    pub algorithms: Vec<String>,
    pub knows_pkce: bool,
    /// Whether it takes us for who we say we are; why not, if it does not.
    pub client: Result<(), String>,
}

impl Provider {
    pub fn new(settings: ProviderSettings) -> Self {
        Self { settings, slot: Mutex::default() }
    }

    pub const fn settings(&self) -> &ProviderSettings {
        &self.settings
    }

    /// Where a browser goes to sign in.
    pub async fn begin(&self, wish: &Wish<'_>) -> Result<Begun, OidcError> {
        let known = self.known(None).await?;
        Ok(Begun { url: address(&self.settings, &known.metadata, wish).to_string() })
    }

    /// Who it is that came back.
    pub async fn finish(&self, secret: Option<&SecretString>, answered: &Answered<'_>) -> Result<Found, OidcError> {
        let bad = |why: &str| OidcError::Token { why: why.to_owned() };
        let mut known = self.known(None).await?;
        match answered.issuer {
            Some(issuer) if issuer != self.settings.issuer => return Err(bad("another provider answers")),
            None if known.metadata.says_issuer => return Err(bad("the answer does not say who gave it")),
            _ => {}
        }
        let tokens = self.exchange(&known.metadata, secret, answered).await?;
        let text = |name: &str| tokens.get(name).and_then(Value::as_str);
        let token = text("id_token").ok_or_else(|| bad("there is none"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let check = |known: &Known| {
            let expected = Expected {
                issuer: &self.settings.issuer,
                client_id: &self.settings.client_id,
                nonce: answered.nonce,
                algorithms: &known.metadata.algorithms,
                now,
            };
            verify(token, &known.keys, &expected)
        };
        let mut verified = check(&known);
        if verified == Err(Flaw::UnknownKey) {
            // Keys change.
            known = self.known(Some(known.since)).await?;
            verified = check(&known);
        }
        let claims = verified.map_err(|flaw| match flaw {
            Flaw::UnknownKey => bad("it is signed by a key that the provider does not name"),
            Flaw::Bad(why) => bad(&why),
        })?;
        let more = match (&known.metadata.userinfo, text("access_token")) {
            (Some(url), Some(access)) if !claims::is_whole(&self.settings, &claims) => {
                let bearer = SecretString::from(format!("Bearer {access}"));
                let (status, more) = ask(&self.settings, Ask { url, authorization: Some(bearer), form: None }).await?;
                if status != StatusCode::OK {
                    return Err(OidcError::Refused { why: format!("{url} answers {}", status.as_u16()) });
                }
                // OpenID Connect Core, section 5.3.2.
                if claims::subject(&more)? != claims::subject(&claims)? {
                    return Err(bad("the provider speaks of somebody else beside it"));
                }
                Some(more)
            }
            _ => None,
        };
        claims::read(&self.settings, &claims, more.as_ref())
    }

    /// What it says of itself now, and whether it knows us: it is asked for a token with a code that nobody was given.
    pub async fn look(&self, secret: Option<&SecretString>, redirect_uri: &str) -> Result<Looked, OidcError> {
        *self.slot.lock().await = Slot::default();
        let known = self.known(None).await?;
        let nobody = Answered {
            code: "a-code-that-nobody-was-given",
            issuer: None,
            redirect_uri,
            nonce: "",
            verifier: "a-verifier-that-nobody-was-given-0123456789",
        };
        let client = match self.exchange(&known.metadata, secret, &nobody).await {
            Ok(_) => Err("it gives a token for a code that it has never given".to_owned()),
            // It looks at the client before it looks at the code.
            Err(OidcError::Code { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        let mut algorithms: Vec<String> =
            known.keys.iter().flat_map(|key| key.algorithms.iter().map(|one| keys::word(*one))).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        algorithms.retain(|one| known.metadata.algorithms.is_empty() || known.metadata.algorithms.contains(one));
        Ok(Looked {
            authorization: known.metadata.authorization.to_string(),
            token: known.metadata.token.to_string(),
            userinfo: known.metadata.userinfo.as_ref().map(ToString::to_string),
            keys: known.keys.len(),
            algorithms,
            knows_pkce: known.metadata.knows_pkce,
            client,
        })
    }

    /// `before`: what was known since then is not enough.
    async fn known(&self, before: Option<Instant>) -> Result<Arc<Known>, OidcError> {
        // Held while it is asked: a hundred at once ask once.
        let mut slot = self.slot.lock().await;
        if let Some(known) = &slot.known {
            let age = known.since.elapsed();
            let newer = before.is_none_or(|before| known.since > before);
            if age < KNOWN_TIME_MAX && (newer || age < KEYS_TIME_MIN) {
                return Ok(Arc::clone(known));
            }
        }
        if let Some((error, at)) = &slot.failed
            && at.elapsed() < FAILED_TIME
        {
            return Err(error.clone());
        }
        match self.ask().await {
            Ok(known) => {
                let known = Arc::new(known);
                *slot = Slot { known: Some(Arc::clone(&known)), failed: None };
                Ok(known)
            }
            Err(error) => {
                slot.failed = Some((error.clone(), Instant::now()));
                Err(error)
            }
        }
    }

    async fn ask(&self) -> Result<Known, OidcError> {
        let get = async |url: &url::Url| {
            let (status, answer) = ask(&self.settings, Ask { url, authorization: None, form: None }).await?;
            if status == StatusCode::OK {
                return Ok(answer);
            }
            Err(OidcError::Garbled { url: url.to_string(), why: format!("status {}", status.as_u16()) })
        };
        let metadata = discovery::read(&self.settings, get(&discovery::place(&self.settings)?).await?)?;
        let keys = keys::read(&get(&metadata.keys).await?);
        if keys.is_empty() {
            return Err(OidcError::Discovery { why: "it names no key that can be used".to_owned() });
        }
        Ok(Known { metadata, keys, since: Instant::now() })
    }

    /// A header and a form: OpenID Connect Core, section 3.1.3.1; RFC 6749, section 2.3.1.
    fn token_request(
        &self,
        metadata: &Metadata,
        secret: Option<&SecretString>,
        answered: &Answered<'_>,
    ) -> (Option<SecretString>, SecretString) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", answered.code)
            .append_pair("redirect_uri", answered.redirect_uri)
            .append_pair("code_verifier", answered.verifier);
        let mut authorization = None;
        match secret {
            Some(secret) if !metadata.secret_in_form => {
                let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&self.settings.client_id), encoded(secret.expose_secret()));
                authorization = Some(SecretString::from(format!("Basic {}", STANDARD.encode(pair))));
            }
            Some(secret) => {
                form.append_pair("client_id", &self.settings.client_id)
                    .append_pair("client_secret", secret.expose_secret());
            }
            None => {
                form.append_pair("client_id", &self.settings.client_id);
            }
        }
        (authorization, form.finish().into())
    }

    async fn exchange(
        &self,
        metadata: &Metadata,
        secret: Option<&SecretString>,
        answered: &Answered<'_>,
    ) -> Result<Map<String, Value>, OidcError> {
        let (authorization, form) = self.token_request(metadata, secret, answered);
        let request = Ask { url: &metadata.token, authorization, form: Some(form) };
        let (status, answer) = ask(&self.settings, request).await?;
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(words).unwrap_or_default();
        let why = match (text("error"), text("error_description")) {
            (error, description) if description.is_empty() => error,
            (error, description) => format!("{error}: {description}"),
        };
        Err(match text("error").as_str() {
            "invalid_client" | "unauthorized_client" => OidcError::Client { why },
            "invalid_grant" => OidcError::Code { why },
            _ => OidcError::Refused { why: format!("status {}, {why}", status.as_u16()) },
        })
    }
}
