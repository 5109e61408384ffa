//! Talks to the server: over the unix socket of this machine without login, or to a URL with a token.

use crate::failure::{Failure, NO_SERVER};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use oriel_server::api::problem::ProblemDetails;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::UnixStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Longest message of a WebSocket, in bytes: what a viewer gets at once.
const SOCKET_MESSAGE_BYTES_MAX: usize = 64 << 20;
/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(1);

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// A viewer's connection.
pub type Socket = WebSocketStream<reqwest::Upgraded>;

/// A server, and how to reach it.
pub enum Client {
    Socket { path: PathBuf, url: Option<String> },
    Url { base: url::Url, token: SecretString, http: reqwest::Client },
}

impl Client {
    /// The server of this machine that keeps `data`.
    pub fn local(data: &Path) -> Self {
        let url = std::fs::read_to_string(data.join("oriel.url")).ok().map(|url| url.trim().to_owned());
        Self::Socket { path: data.join("oriel.sock"), url }
    }

    /// A server anywhere; `certificate`: a PEM file to trust beside the system's.
    pub fn remote(url: &str, token: SecretString, certificate: Option<&Path>) -> Result<Self, Failure> {
        let base = url::Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
            Failure::usage(format!("{url:?} is not a server's address"))
                .next("give one like https://oriel.example:8470")
        })?;
        let loopback = match base.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if base.scheme() == "http" && !loopback {
            return Err(Failure::usage(format!("{url} would send the token over the network for everybody to read"))
                .next("use https://"));
        }
        let mut builder =
            reqwest::Client::builder().timeout(ANSWER_TIME_MAX).redirect(reqwest::redirect::Policy::none());
        // A WebSocket needs a connection of its own.
        builder = builder.http1_only();
        if let Some(path) = certificate {
            let what = format!("cannot use the certificate {}", path.display());
            let pem = std::fs::read(path).map_err(|error| Failure::because(&what, &error))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| Failure::because(&what, &error))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|error| Failure::because("cannot prepare the connection", &error))?;
        Ok(Self::Url { base, token, http })
    }

    /// The address that people open in a browser.
    pub fn browser_url(&self) -> Option<String> {
        match self {
            Self::Socket { url, .. } => url.clone(),
            Self::Url { base, .. } => Some(base.as_str().trim_end_matches('/').to_owned()),
        }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_value(body).map_err(|error| Failure::because("cannot write the request", &error))?;
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_value(body).map_err(|error| Failure::because("cannot write the request", &error))?;
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// Posts; the answer, if any, is left alone.
    pub async fn tell(&self, path: &str, body: &impl Serialize) -> Result<(), Failure> {
        let body = serde_json::to_value(body).map_err(|error| Failure::because("cannot write the request", &error))?;
        self.send(Method::POST, path, Some(body)).await.map(drop)
    }

    /// Posts nothing; the answer, if any, is left alone.
    pub async fn press(&self, path: &str) -> Result<(), Failure> {
        self.send(Method::POST, path, None).await.map(drop)
    }

    /// Puts something in its place, and answers with what it is then.
    pub async fn put_json<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_value(body).map_err(|error| Failure::because("cannot write the request", &error))?;
        self.call(Method::PUT, path, Some(body)).await
    }

    /// As [`Self::put_json`]; the answer, if any, is left alone.
    pub async fn put_body(&self, path: &str, body: &impl Serialize) -> Result<(), Failure> {
        let body = serde_json::to_value(body).map_err(|error| Failure::because("cannot write the request", &error))?;
        self.send(Method::PUT, path, Some(body)).await.map(drop)
    }

    /// Puts bytes somewhere, and answers with what came of them.
    pub async fn put_bytes<T: DeserializeOwned>(&self, path: &str, bytes: Bytes) -> Result<T, Failure> {
        let (base, token, http) = match self {
            Self::Url { base, token, http } => (base, token, http),
            Self::Socket { path: socket, .. } => {
                let path = format!("{}{path}", oriel_server::access::BASE);
                let sent = over_socket(socket, Method::PUT, &path, Some((BYTES, bytes)), None);
                let (status, answer) = tokio::time::timeout(ANSWER_TIME_MAX, sent).await.map_err(|_| silent())??;
                return answered(status, &answer);
            }
        };
        let failed =
            |error: reqwest::Error| Failure::because("cannot send to the server", &error.without_url()).code(NO_SERVER);
        let answer = http
            .put(format!("{}{}{path}", base.as_str().trim_end_matches('/'), oriel_server::access::BASE))
            .bearer_auth(token.expose_secret())
            .header(header::CONTENT_TYPE, BYTES)
            .body(bytes)
            .send()
            .await
            .map_err(failed)?;
        let status = answer.status();
        answered(status, &answer.bytes().await.map_err(failed)?)
    }

    pub async fn put(&self, path: &str) -> Result<(), Failure> {
        self.send(Method::PUT, path, None).await.map(drop)
    }

    /// Deletes; the answer, if any, is left alone.
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(Method::DELETE, path, None).await.map(drop)
    }

    /// Deletes by something that takes its time, and answers with that.
    pub async fn delete_for<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::DELETE, path, None).await
    }

    /// Something small that is no JSON.
    pub async fn get_bytes(&self, path: &str) -> Result<Bytes, Failure> {
        self.send(Method::GET, path, None).await
    }

    /// A part of something large.
    pub async fn get_range(&self, path: &str, range: std::ops::Range<u64>) -> Result<Bytes, Failure> {
        let range = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        self.send_with(Method::GET, path, None, Some(range)).await
    }

    /// Opens a WebSocket at a path that the server gave (RFC 6455 §4.1).
    pub async fn websocket(&self, path: &str) -> Result<Socket, Failure> {
        let Self::Url { base, token, http } = self else {
            return Err(Failure::usage("the local administrator has no viewers").next("give --server URL and a token"));
        };
        let key = generate_key();
        let failed = |error: reqwest::Error| {
            Failure::because("cannot open the viewer's connection", &error.without_url()).code(NO_SERVER)
        };
        let answer = http
            .get(format!("{}{path}", base.as_str().trim_end_matches('/')))
            .bearer_auth(token.expose_secret())
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", &key)
            .send()
            .await
            .map_err(failed)?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let status = answer.status();
            return Err(refused(status, &answer.bytes().await.map_err(failed)?));
        }
        let accept = answer.headers().get("Sec-WebSocket-Accept").map(header::HeaderValue::as_bytes);
        if accept != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(Failure::new("the server answered another one's WebSocket").next("look for a proxy in between"));
        }
        let upgraded = answer.upgrade().await.map_err(failed)?;
        let most = Some(SOCKET_MESSAGE_BYTES_MAX);
        let config = WebSocketConfig::default().max_message_size(most).max_frame_size(most);
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Value>) -> Result<T, Failure> {
        let answer = self.send(method, path, body).await?;
        serde_json::from_slice(&answer).map_err(|error| {
            Failure::because("the server's answer is not what this program expects", &error)
                .next("use the same version of oriel on both ends: compare `oriel version`")
        })
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Bytes, Failure> {
        self.send_with(method, path, body, None).await
    }

    async fn send_with(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        range: Option<String>,
    ) -> Result<Bytes, Failure> {
        // A URL with such a part means another one: `pool deny .. ada` would delete the person.
        if path.split('?').next().unwrap_or_default().split('/').skip(1).any(|part| matches!(part, "" | "." | "..")) {
            return Err(
                Failure::usage("a name or id is missing or consists of dots").next("give one that the list shows")
            );
        }
        let path = format!("{}{path}", oriel_server::access::BASE);
        let body = body.map(|body| body.to_string());
        let (status, answer) = match self {
            Self::Socket { path: socket, .. } => {
                let body = body.map(|body| (JSON, Bytes::from(body)));
                let sent = over_socket(socket, method, &path, body, range);
                tokio::time::timeout(ANSWER_TIME_MAX, sent).await.map_err(|_| silent())??
            }
            Self::Url { base, token, http } => {
                let mut request = http
                    .request(method, format!("{}{path}", base.as_str().trim_end_matches('/')))
                    .bearer_auth(token.expose_secret());
                if let Some(body) = body {
                    request = request.header(header::CONTENT_TYPE, JSON).body(body);
                }
                if let Some(range) = range {
                    request = request.header(header::RANGE, range);
                }
                let unreachable = |error: reqwest::Error| {
                    let mut failure =
                        Failure::because(format!("cannot reach the server at {base}"), &error.without_url());
                    // The layers in between say nothing to people; the innermost knows.
                    failure.why = failure.why.pop().into_iter().collect();
                    failure
                        .next("check the address; for a certificate of Oriel's own give --certificate FILE")
                        .code(NO_SERVER)
                };
                let answer = request.send().await.map_err(unreachable)?;
                let status = answer.status();
                (status, answer.bytes().await.map_err(unreachable)?)
            }
        };
        if status.is_success() { Ok(answer) } else { Err(refused(status, &answer)) }
    }
}

async fn over_socket(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<(&'static str, Bytes)>,
    range: Option<String>,
) -> Result<(StatusCode, Bytes), Failure> {
    let stream = UnixStream::connect(socket).await.map_err(|error| no_server(socket, &error))?;
    let broken = |error: hyper::Error| {
        Failure::because("the server broke off the conversation", &error)
            .next("look at the log of `oriel serve`")
            .code(NO_SERVER)
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    if let Some((kind, _)) = &body {
        request = request.header(header::CONTENT_TYPE, *kind);
    }
    if let Some(range) = range {
        request = request.header(header::RANGE, range);
    }
    let request = request
        .body(Full::new(body.map(|(_, body)| body).unwrap_or_default()))
        .map_err(|error| Failure::because("cannot write the request", &error))?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    let status = answer.status();
    let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| Failure::because("cannot read the server's answer", error.as_ref()))?
        .to_bytes();
    Ok((status, bytes))
}

/// What came of bytes that were put somewhere.
fn answered<T: DeserializeOwned>(status: StatusCode, answer: &[u8]) -> Result<T, Failure> {
    if !status.is_success() {
        return Err(refused(status, answer));
    }
    serde_json::from_slice(answer).map_err(|error| {
        Failure::because("the server's answer is not what this program expects", &error)
            .next("use the same version of oriel on both ends: compare `oriel version`")
    })
}

fn silent() -> Failure {
    Failure::new(format!("the server did not answer within {} seconds", ANSWER_TIME_MAX.as_secs()))
        .next("look at the log of `oriel serve`")
        .code(NO_SERVER)
}

fn no_server(socket: &Path, error: &io::Error) -> Failure {
    let place = socket.parent().unwrap_or(socket).display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Failure::new(format!(
            "no server runs on the data folder {place}"
        ))
        .next(
            "start one with `oriel serve`, name its folder with --data DIR, or reach another machine with --server URL",
        ),
        io::ErrorKind::PermissionDenied => Failure::because(format!("may not talk to the server of {place}"), error)
            .next("use the account that runs it (or sudo), or sign in with --server URL and a token"),
        _ => Failure::because(format!("cannot reach the server of {place}"), error)
            .next("look whether `oriel serve` runs"),
    }
    .code(NO_SERVER)
}

fn refused(status: StatusCode, answer: &[u8]) -> Failure {
    match serde_json::from_slice::<ProblemDetails>(answer) {
        Ok(problem) => Failure { problem: Some(problem.code), ..Failure::new(problem.detail) }.next(problem.next_step),
        Err(_) => Failure::new(format!("the server answered {status} and no more"))
            .next("check that this is the address of an Oriel server"),
    }
}

/// A name or id as part of a path.
pub fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
