//! One region of one cloud, signed in: tokens, addresses and versions for whoever asks something of it.

use crate::http::{Answer, Call, Http};
use crate::microversion::{PLACEMENT_KNOWN_MAX, PLACEMENT_MIN, WireVersions, negotiate};
use crate::{
    COMPUTE_MIN, Cloud, Features, OpenStackError, Options, Service, Token, Versions,
    answer::{read, words},
    token,
};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{Mutex, OnceCell};
use url::Url;

/// Longest id, in bytes: a UUID has 36, a flavor's may have 255.
const ID_BYTES_MAX: usize = 255;
/// Entries of one page, and pages of one list.
pub(crate) const PAGE: usize = 500;
pub(crate) const PAGES_MAX: usize = 200;

pub struct Client {
    pub(crate) cloud: Cloud,
    region: OnceCell<String>,
    pub(crate) http: Http,
    token: Mutex<Option<Arc<Token>>>,
    compute: OnceCell<Versions>,
    placement: OnceCell<Versions>,
}

/// What is asked.
pub(crate) struct Ask<'a> {
    pub service: Service,
    /// For errors: "list servers".
    pub action: &'a str,
    pub method: Method,
    /// Parts of the path below the service's address; each is escaped.
    pub path: &'a [&'a str],
    pub query: &'a [(&'a str, String)],
    pub body: Option<Value>,
}

impl<'a> Ask<'a> {
    pub(crate) const fn get(service: Service, action: &'a str, path: &'a [&'a str]) -> Self {
        Self { service, action, method: Method::GET, path, query: &[], body: None }
    }

    pub(crate) fn post(service: Service, action: &'a str, path: &'a [&'a str], body: Value) -> Self {
        Self { service, action, method: Method::POST, path, query: &[], body: Some(body) }
    }

    pub(crate) const fn delete(service: Service, action: &'a str, path: &'a [&'a str]) -> Self {
        Self { service, action, method: Method::DELETE, path, query: &[], body: None }
    }
}

impl Client {
    /// Nothing is asked yet. `region`: one of several that the cloud has.
    ///
    /// # Errors
    /// The cloud's certificate cannot be used.
    pub fn new(cloud: &Cloud, region: Option<&str>, options: Options) -> Result<Self, OpenStackError> {
        let only = match cloud.regions.as_slice() {
            [one] => Some(one.as_str()),
            _ => None,
        };
        Ok(Self {
            region: OnceCell::new_with(region.or(only).map(str::to_owned)),
            http: Http::new(cloud, options)?,
            cloud: cloud.clone(),
            token: Mutex::new(None),
            compute: OnceCell::new(),
            placement: OnceCell::new(),
        })
    }

    /// Requests so far, repetitions included.
    pub fn calls(&self) -> u64 {
        self.http.calls()
    }

    /// As [`Self::calls`], by what they were for ("list servers").
    pub fn calls_by_kind(&self) -> BTreeMap<String, u64> {
        self.http.kinds()
    }

    /// A token that is good for a while: the last one, or a new one. Who asks at the same time waits for the same.
    ///
    /// # Errors
    /// The cloud does not know the credentials, or does not answer.
    pub async fn token(&self) -> Result<Arc<Token>, OpenStackError> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.is_fresh()) {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(self.sign_in().await?);
        *kept = Some(Arc::clone(&token));
        Ok(token)
    }

    async fn sign_in(&self) -> Result<Token, OpenStackError> {
        let url = below(&self.cloud.auth_url, &["auth", "tokens"], &[])?;
        let body = token::wish(&self.cloud.sign_in);
        let call = Call {
            service: Service::Identity,
            action: "sign in",
            method: Method::POST,
            url,
            token: None,
            version: None,
            body: Some(&body),
        };
        let answer = self.http.call(&call).await?;
        match answer.status {
            StatusCode::CREATED => Token::read(&answer),
            StatusCode::UNAUTHORIZED => Err(OpenStackError::NotSignedIn { words: words(&answer.body) }),
            _ => Err(refused(Service::Identity, "sign in", &answer)),
        }
    }

    /// This token is not good any more, whatever it says of its end.
    async fn forget(&self, token: &Arc<Token>) {
        let mut kept = self.token.lock().await;
        if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, token)) {
            *kept = None;
        }
    }

    /// The region that is meant.
    ///
    /// # Errors
    /// The cloud has several and nobody said which.
    pub async fn region(&self) -> Result<&str, OpenStackError> {
        let find = || async {
            let token = self.token().await?;
            match token.catalog.regions().as_slice() {
                [one] => Ok((*one).to_owned()),
                several => Err(OpenStackError::WhichRegion { there: several.join(", ") }),
            }
        };
        self.region.get_or_try_init(find).await.map(String::as_str)
    }

    /// Where a service is.
    ///
    /// # Errors
    /// The catalog does not have it.
    pub async fn url(&self, service: Service) -> Result<Url, OpenStackError> {
        let region = self.region().await?;
        self.token().await?.catalog.url(service, self.cloud.interface, region)
    }

    /// Which Nova this is, and which version is spoken with it.
    ///
    /// # Errors
    /// It is too old, or does not answer.
    pub async fn compute_versions(&self) -> Result<Versions, OpenStackError> {
        let ours = (COMPUTE_MIN, self.http.options.compute_max.min(crate::COMPUTE_KNOWN_MAX));
        self.compute.get_or_try_init(|| self.negotiate(Service::Compute, "v2.1", ours)).await.copied()
    }

    /// What can be done with the version that is spoken.
    ///
    /// # Errors
    /// As [`Self::compute_versions`].
    pub async fn features(&self) -> Result<Features, OpenStackError> {
        Ok(Features::of(self.compute_versions().await?.spoken))
    }

    pub(crate) async fn placement_versions(&self) -> Result<Versions, OpenStackError> {
        let ours = (PLACEMENT_MIN, PLACEMENT_KNOWN_MAX);
        self.placement.get_or_try_init(|| self.negotiate(Service::Placement, "v1.0", ours)).await.copied()
    }

    async fn negotiate(
        &self,
        service: Service,
        wanted: &str,
        ours: (crate::Microversion, crate::Microversion),
    ) -> Result<Versions, OpenStackError> {
        let action = "say its versions";
        let answer = self.root(service).await?;
        if !answer.status.is_success() && answer.status != StatusCode::MULTIPLE_CHOICES {
            return Err(refused(service, action, &answer));
        }
        let said: WireVersions = read(service, action, &answer)?;
        let span = said.span(wanted).ok_or_else(|| OpenStackError::NotUnderstood {
            service,
            action: action.to_owned(),
            what: format!("no version {wanted} with its span"),
        })?;
        negotiate(service, span, ours)
    }

    /// What a service says at its door, to everybody.
    pub(crate) async fn root(&self, service: Service) -> Result<Answer, OpenStackError> {
        let mut url =
            if service == Service::Identity { self.cloud.auth_url.clone() } else { self.url(service).await? };
        // With the slash at its end: without, Nova sends one on.
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let call = Call {
            service,
            action: "say its versions",
            method: Method::GET,
            url,
            token: None,
            version: None,
            body: None,
        };
        self.http.call(&call).await
    }

    async fn version(&self, service: Service) -> Result<Option<String>, OpenStackError> {
        Ok(match service {
            Service::Compute => Some(format!("compute {}", self.compute_versions().await?.spoken)),
            Service::Placement => Some(format!("placement {}", self.placement_versions().await?.spoken)),
            _ => None,
        })
    }

    /// The answer, whatever its status but 401.
    pub(crate) async fn ask_raw(&self, ask: &Ask<'_>) -> Result<Answer, OpenStackError> {
        let url = below(&self.url(ask.service).await?, ask.path, ask.query)?;
        let version = self.version(ask.service).await?;
        let mut first = true;
        loop {
            let token = self.token().await?;
            let call = Call {
                service: ask.service,
                action: ask.action,
                method: ask.method.clone(),
                url: url.clone(),
                token: Some(&token.value),
                version: version.clone(),
                body: ask.body.as_ref(),
            };
            let answer = self.http.call(&call).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            // Revoked, or expired by the cloud's clock: a new one may do. Application credentials that were withdrawn say so at
            // the sign-in; access rules that do not open a path say 401 for ever.
            self.forget(&token).await;
            if !std::mem::take(&mut first) {
                let ruled = token.application_credential.as_ref().is_some_and(|one| one.access_rules.is_some());
                return Err(match refused(ask.service, ask.action, &answer) {
                    OpenStackError::Refused { service, action, status, words } if ruled => OpenStackError::Refused {
                        service,
                        action,
                        status,
                        words: format!(
                            "{words} (or no access rule opens {} {}: `oriel cloud access-rules` prints those that Oriel needs)",
                            ask.method,
                            url.path()
                        ),
                    },
                    other => other,
                });
            }
        }
    }

    /// The answer of a success.
    pub(crate) async fn ask_for(&self, ask: Ask<'_>) -> Result<Answer, OpenStackError> {
        let answer = self.ask_raw(&ask).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(refused(ask.service, ask.action, &answer)) }
    }

    /// What the answer of a success says.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, OpenStackError> {
        let (service, action) = (ask.service, ask.action);
        read(service, action, &self.ask_for(ask).await?)
    }
}

pub(crate) fn refused(service: Service, action: &str, answer: &Answer) -> OpenStackError {
    let mut words = words(&answer.body);
    if answer.status.is_redirection() {
        let to = answer.headers.get("Location").and_then(|value| value.to_str().ok()).unwrap_or("nowhere");
        words = format!(
            "it points to {}, which is not followed; correct the address",
            to.chars().take(200).collect::<String>()
        );
    }
    OpenStackError::Refused { service, action: action.to_owned(), status: answer.status.as_u16(), words }
}

/// The address of something below another.
pub(crate) fn below(base: &Url, path: &[&str], query: &[(&str, String)]) -> Result<Url, OpenStackError> {
    let mut url = base.clone();
    for part in path {
        // `..` would be another path.
        if part.is_empty() || part.len() > ID_BYTES_MAX || matches!(*part, "." | "..") {
            return Err(OpenStackError::NotAnId(part.chars().take(64).collect()));
        }
    }
    url.path_segments_mut()
        .map_err(|()| OpenStackError::NotAnId(base.as_str().chars().take(64).collect()))?
        .pop_if_empty()
        .extend(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_within_their_part_of_the_path() {
        let base = Url::parse("http://c/compute/v2.1").unwrap();
        let url = |id: &str| below(&base, &["servers", id], &[("a", "b&c".into())]).map(String::from);
        assert_eq!(url("x").unwrap(), "http://c/compute/v2.1/servers/x?a=b%26c");
        assert_eq!(url("a/b?c#d").unwrap(), "http://c/compute/v2.1/servers/a%2Fb%3Fc%23d?a=b%26c");
        for id in ["", ".", "..", &"x".repeat(256)] {
            url(id).unwrap_err();
        }
    }
}
