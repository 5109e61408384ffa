//! One connection to a device: TLS to the pinned certificate, requests, and the WebSocket that it may become.

use crate::options::{Clock, PhysicalOptions};
use crate::{DeviceError, EVENT_BYTES_MAX, PICTURE_BYTES_MAX, totp};
use bytes::Bytes;
use futures::TryStreamExt;
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, COOKIE, DATE, HOST, HeaderMap, LOCATION, SET_COOKIE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use oriel_pin::{Fingerprint, HostPin, Keeper, tls};
use oriel_stream::BoxStream;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::io;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// Longest answer that is no picture, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Redirects that are followed in a row.
const REDIRECTS_MAX: u32 = 3;
/// How long an answer to a plain request may take.
const ANSWER_SECONDS: u64 = 15;
/// Clocks that differ by less get along: kvmd takes the codes before and after, too.
const DRIFT_SECONDS: u64 = 25;
/// Longest cookie, in bytes.
const COOKIE_BYTES_MAX: usize = 256;

/// What is sent with a request.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;
/// A WebSocket to the device.
pub type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A session on the device, for all connections to it.
#[derive(Clone, Debug)]
pub struct Cookie(SecretString);

/// Nothing.
pub(crate) fn empty() -> Body {
    Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is made while it is sent.
pub(crate) fn streamed<S>(pieces: S) -> Body
where
    S: futures::Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    BodyExt::boxed_unsync(StreamBody::new(pieces.map_ok(Frame::data)))
}

/// One connection.
pub struct Client {
    host: String,
    sender: SendRequest<Body>,
    cookie: Option<Cookie>,
    seen: Fingerprint,
}

fn lost(error: impl std::fmt::Display) -> DeviceError {
    DeviceError::Lost(error.to_string())
}

/// The words of a device, for a person: bounded, and one line.
fn words(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(200).collect()
}

/// Begins TLS to the pinned device, or to one that is met for the first time and kept.
pub(crate) async fn meet(
    stream: BoxStream,
    pin: HostPin,
    keeper: Option<&dyn Keeper>,
) -> Result<(TlsStream<BoxStream>, Fingerprint), DeviceError> {
    let (stream, seen) = tls::begin(stream, pin).await.map_err(|error| match error {
        tls::TlsError::Changed { expected, seen } => DeviceError::IdentityChanged { expected, seen },
        tls::TlsError::Failed(what) => DeviceError::Tls { what },
    })?;
    if let (HostPin::FirstUse, Some(keeper)) = (pin, keeper) {
        keeper.met(0, &seen.to_string()).await.map_err(DeviceError::IdentityNotKept)?;
    }
    Ok((stream, seen))
}

impl Client {
    /// Begins TLS and says who the device is where nobody knows yet, before it is told who we are. The caller bounds the time.
    ///
    /// # Errors
    /// It is not the pinned device, or TLS fails.
    pub async fn open(stream: BoxStream, options: &PhysicalOptions) -> Result<Self, DeviceError> {
        let (stream, seen) = meet(stream, options.pin, options.keeper.as_deref()).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(lost)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "A connection to a device ended");
            }
        });
        Ok(Self { host: options.host.clone(), sender, cookie: None, seen })
    }

    /// Which certificate the device has.
    pub const fn seen(&self) -> Fingerprint {
        self.seen
    }

    /// Whether the device has not hung up.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Goes on with a session that another connection began.
    pub fn set_cookie(&mut self, cookie: Option<Cookie>) {
        self.cookie = cookie;
    }

    pub fn cookie(&self) -> Option<Cookie> {
        self.cookie.clone()
    }

    /// Signs in. Where the device's clock is another than ours, its own (in every answer's `Date`) says which code it wants.
    ///
    /// # Errors
    /// The device does not know the account.
    pub async fn login(&mut self, options: &PhysicalOptions, clock: Clock) -> Result<(), DeviceError> {
        let now = clock();
        let Some(its) = self.try_login(options, now).await? else { return Ok(()) };
        match its {
            Some(its) if options.totp.is_some() && its.abs_diff(now) > DRIFT_SECONDS => {
                tracing::info!(
                    ours = now,
                    its,
                    "The device's clock is not ours: its second factor is asked by its own"
                );
                match self.try_login(options, its).await? {
                    None => Ok(()),
                    Some(_) => Err(DeviceError::CredentialsRefused),
                }
            }
            _ => Err(DeviceError::CredentialsRefused),
        }
    }

    /// `None`: signed in. `Some`: refused, with the time on the device.
    async fn try_login(&mut self, options: &PhysicalOptions, unix: u64) -> Result<Option<Option<u64>>, DeviceError> {
        let mut password = options.password.expose_secret().to_owned();
        if let Some(secret) = &options.totp {
            password.push_str(&totp::code(secret, unix)?);
        }
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("user", &options.user)
            .append_pair("passwd", &password)
            // Signing out would end the account's other sessions as well: this one is forgotten there by itself.
            .append_pair("expire", &options.signed_in_seconds.to_string())
            .finish();
        self.cookie = None;
        let (status, headers, body) = self
            .exchange(
                Method::POST,
                "/api/auth/login",
                Some("application/x-www-form-urlencoded"),
                full(form.clone()),
                ANSWER_BYTES_MAX,
            )
            .await?;
        match status {
            StatusCode::OK => {}
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => {
                return Ok(Some(time(&headers)));
            }
            _ => return Err(refusal("/api/auth/login", status, &body)),
        }
        let cookie = headers.get_all(SET_COOKIE).iter().find_map(|cookie| {
            let (pair, _) = cookie.to_str().ok()?.split_once(';')?;
            let (name, value) = pair.split_once('=')?;
            let fits = name == "auth_token" && (1..=COOKIE_BYTES_MAX).contains(&value.len());
            (fits && value.bytes().all(|byte| byte.is_ascii_graphic())).then(|| SecretString::from(pair))
        });
        // A device without authentication has none.
        self.cookie = cookie.map(Cookie);
        Ok(None)
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        let mut builder = Request::builder().method(method).uri(path).header(HOST, &self.host);
        if let Some(traceparent) = oriel_trace::traceparent() {
            builder = builder.header(oriel_trace::TRACEPARENT, traceparent);
        }
        match &self.cookie {
            Some(Cookie(pair)) => builder.header(COOKIE, pair.expose_secret()),
            None => builder,
        }
    }

    async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, DeviceError> {
        self.sender.ready().await.map_err(lost)?;
        self.sender.send_request(request).await.map_err(lost)
    }

    /// One request and its whole answer, in time.
    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: Body,
        most: usize,
    ) -> Result<(StatusCode, HeaderMap, Bytes), DeviceError> {
        let late = Duration::from_secs(ANSWER_SECONDS);
        let exchanging = async {
            let mut request = self.request(method, path);
            if let Some(kind) = kind {
                request = request.header(CONTENT_TYPE, kind);
            }
            let request = request.body(body).map_err(|error| DeviceError::Protocol(error.to_string()))?;
            let response = self.send(request).await?;
            read(response, most).await
        };
        timeout(late, exchanging).await.map_err(|_| DeviceError::TimedOut(ANSWER_SECONDS))?
    }

    /// A request without a body. Redirects within the device are followed.
    async fn ask_bytes(&mut self, method: Method, path: &str, most: usize) -> Result<(HeaderMap, Bytes), DeviceError> {
        let mut path = path.to_owned();
        for _ in 0..=REDIRECTS_MAX {
            let (status, headers, body) = self.exchange(method.clone(), &path, None, empty(), most).await?;
            match status {
                StatusCode::OK | StatusCode::NO_CONTENT => return Ok((headers, body)),
                StatusCode::PERMANENT_REDIRECT | StatusCode::TEMPORARY_REDIRECT => path = self.target(&headers)?,
                _ => return Err(refusal(&path, status, &body)),
            }
        }
        Err(DeviceError::Protocol(format!("more than {REDIRECTS_MAX} redirects in a row")))
    }

    /// Where a redirect leads: to the same device, or nowhere. The session's cookie is for it alone.
    fn target(&self, headers: &HeaderMap) -> Result<String, DeviceError> {
        let place = headers.get(LOCATION).and_then(|place| place.to_str().ok()).unwrap_or_default();
        let path = match place.strip_prefix("https://") {
            Some(rest) => rest.strip_prefix(self.host.as_str()).unwrap_or_default(),
            None => place,
        };
        if path.starts_with('/') && !path.starts_with("//") {
            Ok(path.to_owned())
        } else {
            Err(DeviceError::Protocol(format!("it leads elsewhere, to {:?}", words(place))))
        }
    }

    /// A question or a command of the API: the `result` of its answer.
    ///
    /// # Errors
    /// The device refused.
    pub async fn ask(&mut self, method: Method, path: &str) -> Result<Value, DeviceError> {
        let (_, body) = self.ask_bytes(method, path, ANSWER_BYTES_MAX).await?;
        result(&body)
    }

    /// A picture, as bytes.
    ///
    /// # Errors
    /// There is none.
    pub async fn picture(&mut self, path: &str) -> Result<Bytes, DeviceError> {
        match self.ask_bytes(Method::GET, path, PICTURE_BYTES_MAX).await {
            Ok((_, body)) => Ok(body),
            Err(DeviceError::Refused { status: 503, .. }) => Err(DeviceError::NoPicture),
            Err(error) => Err(error),
        }
    }

    /// Sends a body and waits as long as it takes.
    ///
    /// # Errors
    /// The device refused.
    pub(crate) async fn upload(
        &mut self,
        path: &str,
        kind: &str,
        length: Option<u64>,
        body: Body,
    ) -> Result<Value, DeviceError> {
        let mut request = self.request(Method::POST, path).header(CONTENT_TYPE, kind);
        if let Some(length) = length {
            request = request.header(hyper::header::CONTENT_LENGTH, length);
        }
        let request = request.body(body).map_err(|error| DeviceError::Protocol(error.to_string()))?;
        let response = self.send(request).await?;
        let (status, _, body) = read(response, ANSWER_BYTES_MAX).await?;
        if status == StatusCode::OK { result(&body) } else { Err(refusal(path, status, &body)) }
    }

    /// A request whose answer is read while it comes.
    pub(crate) async fn stream(&mut self, method: Method, path: &str) -> Result<Incoming, DeviceError> {
        let request =
            self.request(method, path).body(empty()).map_err(|error| DeviceError::Protocol(error.to_string()))?;
        let response = self.send(request).await?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response.into_body());
        }
        let (status, _, body) = read(response, ANSWER_BYTES_MAX).await?;
        Err(refusal(path, status, &body))
    }

    /// Becomes a WebSocket (RFC 6455 §4.1).
    ///
    /// # Errors
    /// The device has none there.
    pub async fn websocket(mut self, path: &str) -> Result<Socket, DeviceError> {
        let late = Duration::from_secs(ANSWER_SECONDS);
        timeout(late, self.upgrade(path)).await.map_err(|_| DeviceError::TimedOut(ANSWER_SECONDS))?
    }

    async fn upgrade(&mut self, path: &str) -> Result<Socket, DeviceError> {
        let key = generate_key();
        let request = self
            .request(Method::GET, path)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", &key)
            .body(empty())
            .map_err(|error| DeviceError::Protocol(error.to_string()))?;
        let response = self.send(request).await?;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let (_, _, body) = read(response, ANSWER_BYTES_MAX).await?;
            return Err(refusal(path, status, &body));
        }
        let accept = response.headers().get("Sec-WebSocket-Accept").map(hyper::header::HeaderValue::as_bytes);
        if accept != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(DeviceError::Protocol("its WebSocket answers another one's key".to_owned()));
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(lost)?;
        let most = PICTURE_BYTES_MAX.max(EVENT_BYTES_MAX) + 2;
        let config = WebSocketConfig::default().max_message_size(Some(most)).max_frame_size(Some(most));
        Ok(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await)
    }
}

async fn read(response: Response<Incoming>, most: usize) -> Result<(StatusCode, HeaderMap, Bytes), DeviceError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, most).collect().await.map_err(lost)?.to_bytes();
    Ok((head.status, head.headers, body))
}

/// The device's clock, from the head of an answer.
fn time(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    u64::try_from(zoned.timestamp().as_second()).ok()
}

/// What is in the envelope.
pub(crate) fn result(body: &[u8]) -> Result<Value, DeviceError> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| DeviceError::Protocol(error.to_string()))?;
    match answer {
        Value::Object(mut answer) => Ok(answer.remove("result").unwrap_or(Value::Null)),
        _ => Err(DeviceError::Protocol("an answer has no envelope".to_owned())),
    }
}

/// A refusal in the device's words.
fn refusal(path: &str, status: StatusCode, body: &[u8]) -> DeviceError {
    let result = result(body).unwrap_or_default();
    let text = |name: &str| result.get(name).and_then(Value::as_str).map(words);
    let (name, text) = (text("error"), text("error_msg"));
    match (status, name) {
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => DeviceError::CredentialsRefused,
        (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, None) => {
            DeviceError::NotThere { path: path.split('?').next().unwrap_or_default().to_owned() }
        }
        (StatusCode::CONFLICT, _) => DeviceError::Busy(text.unwrap_or_else(|| "it does something else".to_owned())),
        (status, name) => DeviceError::Refused {
            status: status.as_u16(),
            name: name.unwrap_or_else(|| status.to_string()),
            text: text.unwrap_or_else(|| "without a reason".to_owned()),
        },
    }
}
