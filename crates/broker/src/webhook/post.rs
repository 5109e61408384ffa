//! One message to a webhook: a connection of its own to an address that may be dialled, TLS, HTTP/1.1. No redirect is followed.

use crate::Outside;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request,
    client::conn::http1::handshake,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use oriel_pin::tls;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use url::{Host, Url};

/// How long a receiver may take for a message, its connection included.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(15);
const DIAL_SECONDS: u16 = 10;
/// What is read of an answer, in bytes: nobody looks at it.
const ANSWER_BYTES_MAX: usize = 64 << 10;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

/// The error is the end of a sentence: why it was not taken.
pub(super) async fn post(outside: &Outside, url: &Url, signature: &str, body: Bytes) -> Result<(), String> {
    match tokio::time::timeout(MESSAGE_TIME_MAX, exchange(outside, url, signature, body)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("there was no answer within {} seconds", MESSAGE_TIME_MAX.as_secs())),
    }
}

async fn exchange(outside: &Outside, url: &Url, signature: &str, body: Bytes) -> Result<(), String> {
    let wire = dial(outside, url).await?;
    let lost = |error: &dyn std::fmt::Display| format!("the connection was lost: {error}");
    let (mut sender, connection) = handshake(TokioIo::new(wire)).await.map_err(|error| lost(&error))?;
    // Ends with the sender.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "A connection to a webhook ended");
        }
    });
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let request = Request::builder()
        .method(Method::POST)
        .uri(target)
        .header(HOST, host)
        .header(USER_AGENT, "oriel")
        .header(CONTENT_TYPE, "application/json")
        .header("Oriel-Signature", signature);
    let request = match oriel_trace::traceparent() {
        Some(traceparent) => request.header(oriel_trace::TRACEPARENT, traceparent),
        None => request,
    };
    let request = request.body(Full::new(body)).map_err(|error| format!("the message cannot be written: {error}"))?;
    let answer = sender.send_request(request).await.map_err(|error| lost(&error))?;
    let status = answer.status();
    // Some receivers count a message only when its answer was taken.
    Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.ok();
    if status.is_success() { Ok(()) } else { Err(format!("it was answered with status {}", status.as_u16())) }
}

async fn dial(outside: &Outside, url: &Url) -> Result<Box<dyn Wire>, String> {
    let port = url.port_or_known_default().ok_or("the address names no port")?;
    // IPv6 has brackets in a URL and none elsewhere.
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err("the address names no host".to_owned()),
    };
    let tcp = outside.dial(&host, port, DIAL_SECONDS).await.map_err(|error| error.to_string())?;
    // Whether it may go without was asked when the address was taken.
    if url.scheme() == "http" {
        return Ok(Box::new(tcp));
    }
    let stream = tls::begin_signed(tcp, &host, None).await.map_err(|error| error.to_string())?;
    Ok(Box::new(stream))
}
