//! One request after the other: bounded, patient where the cloud asks for it, counted.

use crate::{Cloud, Microversion, OpenStackError, Service, answer::words};
use oriel_trace::Instrument as _;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// Longest answer, in bytes: a page of servers with all their metadata.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Longest file of certificates, in bytes.
const CERTIFICATE_BYTES_MAX: u64 = 1 << 20;
/// Longest token and the like in a header, in bytes.
pub(crate) const HEADER_BYTES_MAX: usize = 16 << 10;

/// How patient a client is.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long one answer may take.
    pub answer_time: Duration,
    /// Tries of one request.
    pub attempts: u32,
    /// Pause before the second try; doubled for each one more, and spread so that many clients do not come back at once.
    pub pause: Duration,
    /// Longest pause, the cloud's own wishes (`Retry-After`) included.
    pub pause_max: Duration,
    /// Never speak a newer Nova than this.
    pub compute_max: Microversion,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            answer_time: Duration::from_mins(1),
            attempts: 5,
            pause: Duration::from_millis(500),
            pause_max: Duration::from_secs(30),
            compute_max: crate::COMPUTE_KNOWN_MAX,
        }
    }
}

pub(crate) struct Http {
    client: reqwest::Client,
    pub(crate) options: Options,
    calls: AtomicU64,
    /// As [`Self::calls`], by what they are for.
    kinds: Mutex<BTreeMap<String, u64>>,
}

/// A file may take so long; its size over a slow line.
const UPLOAD_TIME_MAX: Duration = Duration::from_hours(12);

/// One request. `action` says in errors what it was for: "list servers".
pub(crate) struct Call<'a> {
    pub service: Service,
    pub action: &'a str,
    pub method: Method,
    pub url: Url,
    pub token: Option<&'a SecretString>,
    /// For example `compute 2.93`.
    pub version: Option<String>,
    pub body: Option<&'a serde_json::Value>,
}

pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Whether and when the same is tried again.
enum Again {
    No,
    /// After the pause that is due, or the one that the cloud asked for.
    After(Option<Duration>),
}

impl Http {
    pub(crate) fn new(cloud: &Cloud, options: Options) -> Result<Self, OpenStackError> {
        // The provider is named, since several are in the program.
        let _ = rustls::crypto::CryptoProvider::install_default(rustls::crypto::aws_lc_rs::default_provider());
        let mut builder = reqwest::Client::builder()
            .timeout(options.answer_time)
            .connect_timeout(options.answer_time.min(Duration::from_secs(10)))
            // A token is for whom the catalog names, and for nobody to whom that one points.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("oriel/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &cloud.ca {
            let failed = |reason: String| OpenStackError::Certificate { path: "that was given".to_owned(), reason };
            if pem.len() as u64 > CERTIFICATE_BYTES_MAX {
                return Err(failed(format!("it has {} bytes", pem.len())));
            }
            builder = builder.tls_certs_merge(certificates(pem.as_bytes()).map_err(failed)?);
        } else if let Some(path) = &cloud.cacert {
            let failed = |reason: String| OpenStackError::Certificate { path: path.display().to_string(), reason };
            let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
            if size > CERTIFICATE_BYTES_MAX {
                return Err(failed(format!("it has {size} bytes")));
            }
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            builder = builder.tls_certs_merge(certificates(&pem).map_err(failed)?);
        }
        let client = builder.build().map_err(|error| OpenStackError::Setup(chain(&error)))?;
        Ok(Self { client, options, calls: AtomicU64::new(0), kinds: Mutex::default() })
    }

    /// Requests so far, repetitions included.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Requests so far by what they were for ("list servers"), repetitions included.
    pub(crate) fn kinds(&self) -> BTreeMap<String, u64> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The answer, whatever its status; repeated while the cloud fails or asks for patience.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Answer, OpenStackError> {
        let mut attempt = 1;
        loop {
            let outcome = self.once(call).await;
            let again = match &outcome {
                Ok(answer) => again_after(&call.method, answer),
                // It would be as long again.
                Err((OpenStackError::TooLarge { .. }, _)) => Again::No,
                // What was never sent may be sent again, and so may what does no more when it is done twice.
                Err((_, sent)) if !sent || is_idempotent(&call.method) => Again::After(None),
                Err(_) => Again::No,
            };
            let Again::After(wish) = again else { return outcome.map_err(|(error, _)| error) };
            if attempt >= self.options.attempts {
                let answer = outcome.map_err(|(error, _)| error)?;
                return Err(OpenStackError::Failing {
                    service: call.service,
                    action: call.action.to_owned(),
                    status: answer.status.as_u16(),
                    attempts: attempt,
                    words: words(&answer.body),
                });
            }
            let pause = match wish {
                Some(wait) if wait > self.options.pause_max => {
                    return Err(OpenStackError::Busy { service: call.service, wait });
                }
                Some(wait) => wait,
                None => self.pause(attempt),
            };
            tracing::debug!(service = %call.service, action = call.action, attempt, ?pause, "Trying again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Sends a file, once: half of one is of no use, and takes as long again. `call` has no body.
    pub(crate) async fn upload(
        &self,
        call: &Call<'_>,
        file: tokio::fs::File,
        bytes: u64,
    ) -> Result<Answer, OpenStackError> {
        let body = Some((reqwest::Body::from(file), bytes));
        self.send(call, body).await.map_err(|(error, _)| error)
    }

    /// Between half of what is due and all of it.
    fn pause(&self, attempt: u32) -> Duration {
        let due = self.options.pause.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(self.options.pause_max);
        due.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// An error comes with whether the request may have reached the service.
    async fn once(&self, call: &Call<'_>) -> Result<Answer, (OpenStackError, bool)> {
        // A try each: what is waited for between them shows.
        let name = format!("openstack: {}", call.action);
        let span = oriel_trace::span!(
            "openstack",
            otel.name = name.as_str(),
            otel.kind = "client",
            http.request.method = call.method.as_str(),
        );
        self.send(call, None).instrument(span).await
    }

    async fn send(
        &self,
        call: &Call<'_>,
        file: Option<(reqwest::Body, u64)>,
    ) -> Result<Answer, (OpenStackError, bool)> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        // What there is to do is said in the code: there are not many.
        *self.kinds.lock().unwrap_or_else(PoisonError::into_inner).entry(call.action.to_owned()).or_default() += 1;
        let mut request =
            self.client.request(call.method.clone(), call.url.clone()).header("Accept", "application/json");
        if let Some(traceparent) = oriel_trace::traceparent() {
            request = request.header(oriel_trace::TRACEPARENT, traceparent);
        }
        if let Some(token) = call.token {
            let mut value = HeaderValue::from_str(token.expose_secret())
                .map_err(|_| (OpenStackError::Setup("the token is no header's value".into()), false))?;
            value.set_sensitive(true);
            request = request.header("X-Auth-Token", value);
        }
        if let Some(version) = &call.version {
            request = request.header("OpenStack-API-Version", version);
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        if let Some((body, bytes)) = file {
            // Not in chunks: services behind uWSGI take none.
            request = request
                .header(reqwest::header::CONTENT_TYPE, "application/octet-stream")
                .header(reqwest::header::CONTENT_LENGTH, bytes)
                .timeout(UPLOAD_TIME_MAX)
                .body(body);
        }
        let failed = |error: reqwest::Error| {
            let sent = !error.is_connect();
            let url = place(&call.url);
            let error = if error.is_timeout() {
                OpenStackError::Slow { service: call.service, url, time: self.options.answer_time }
            } else {
                OpenStackError::Unreachable { service: call.service, url, reason: chain(&error) }
            };
            (error, sent)
        };
        let mut answer = request.send().await.map_err(failed)?;
        let too_large = || {
            let action = call.action.to_owned();
            (OpenStackError::TooLarge { service: call.service, action, max: ANSWER_BYTES_MAX }, true)
        };
        if answer.content_length().is_some_and(|length| length > ANSWER_BYTES_MAX as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status: answer.status(), headers: answer.headers().clone(), body })
    }
}

fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE)
}

fn again_after(method: &Method, answer: &Answer) -> Again {
    match answer.status.as_u16() {
        // Nothing was done, says the cloud.
        429 | 503 => Again::After(retry_after(&answer.headers)),
        // A proxy lost the answer, or the service broke in the middle: only what may be done twice is.
        500 | 502 | 504 if is_idempotent(method) => Again::After(retry_after(&answer.headers)),
        _ => Again::No,
    }
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let then = http_date(text)?;
    Some(Duration::try_from(then.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn http_date(text: &str) -> Option<jiff::Timestamp> {
    let text = text.get(..29)?.strip_suffix(" GMT")?;
    jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S", text)
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|at| at.timestamp())
}

/// An address without what may be secret, or long.
fn place(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.as_str().chars().take(200).collect()
}

/// An error's causes, without the address.
fn chain(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if words.last() != Some(&text) {
            words.push(text);
        }
        cause = error.source();
    }
    if words.is_empty() { "the connection failed".to_owned() } else { words.join(": ") }
}

/// The certificates of a PEM bundle, of which there must be one. The error is a reason.
fn certificates(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, String> {
    let found = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| chain(&error))?;
    if found.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_for_patience_are_read() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers)
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        for text in [
            "",
            "soon",
            "-1",
            "1e9",
            "99999999999999999999",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 99 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap().to_string(), "1994-11-06T08:49:37Z");
    }
}
