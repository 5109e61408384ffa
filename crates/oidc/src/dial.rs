//! One question to a provider: a connection of its own, TLS, HTTP/1.1, and a bounded answer. No redirect is followed.

use crate::{ANSWER_BYTES_MAX, OidcError, QUESTION_TIME_MAX, words};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::handshake,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use oriel_model::ProviderSettings;
use oriel_pin::{HostPin, tls};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use url::{Host, Url};

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

pub(crate) struct Ask<'a> {
    pub url: &'a Url,
    /// The header `Authorization`.
    pub authorization: Option<SecretString>,
    /// A form to be sent; none for a plain GET.
    pub form: Option<SecretString>,
}

/// The status and the JSON object that came with it.
pub(crate) async fn ask(
    settings: &ProviderSettings,
    ask: Ask<'_>,
) -> Result<(StatusCode, Map<String, Value>), OidcError> {
    let url = ask.url.to_string();
    let late = OidcError::Late { url: url.clone() };
    let (status, body) = tokio::time::timeout(QUESTION_TIME_MAX, exchange(settings, ask)).await.map_err(|_| late)??;
    if status.is_redirection() {
        return Err(OidcError::Garbled { url, why: "it leads elsewhere, which is not followed".to_owned() });
    }
    match serde_json::from_slice(&body) {
        Ok(Value::Object(answer)) => Ok((status, answer)),
        _ => Err(OidcError::Garbled { url, why: format!("status {}, and no JSON object", status.as_u16()) }),
    }
}

async fn exchange(settings: &ProviderSettings, ask: Ask<'_>) -> Result<(StatusCode, Bytes), OidcError> {
    let url = ask.url;
    let lost =
        |error: &dyn std::fmt::Display| OidcError::Unreachable { url: url.to_string(), why: words(&error.to_string()) };
    let wire = dial(settings, url).await?;
    let (mut sender, connection) = handshake(TokioIo::new(wire)).await.map_err(|error| lost(&error))?;
    // Ends with the sender.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "A connection to a provider ended");
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
    let mut request = Request::builder()
        .method(if ask.form.is_some() { Method::POST } else { Method::GET })
        .uri(target)
        .header(HOST, host)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "oriel");
    if let Some(value) = &ask.authorization {
        request = request.header(AUTHORIZATION, value.expose_secret());
    }
    if ask.form.is_some() {
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    let body = ask.form.map(|form| Bytes::copy_from_slice(form.expose_secret().as_bytes())).unwrap_or_default();
    let request = request.body(Full::new(body)).map_err(|error| lost(&error))?;
    let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| OidcError::Garbled { url: url.to_string(), why: words(&error.to_string()) })?;
    Ok((status, body.to_bytes()))
}

async fn dial(settings: &ProviderSettings, url: &Url) -> Result<Box<dyn Wire>, OidcError> {
    let unreachable = |why: String| OidcError::Unreachable { url: url.to_string(), why };
    let port = url.port_or_known_default().ok_or_else(|| unreachable("it names no port".to_owned()))?;
    // IPv6 has brackets in a URL and none elsewhere.
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err(unreachable("it names no host".to_owned())),
    };
    let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(|error| unreachable(error.to_string()))?;
    tcp.set_nodelay(true).ok();
    // Whether it may go without was asked when the address was taken.
    if url.scheme() == "http" {
        return Ok(Box::new(tcp));
    }
    let refused = |why: String| OidcError::Tls { url: url.to_string(), why: words(&why) };
    if let Some(pin) = &settings.pin {
        let pin: oriel_pin::Fingerprint = pin.parse().map_err(|_| refused("the pin is no SHA-256".into()))?;
        let (stream, _) = tls::begin(tcp, HostPin::Sha256(pin.0)).await.map_err(|error| refused(error.to_string()))?;
        return Ok(Box::new(stream));
    }
    let stream = tls::begin_signed(tcp, &host, settings.ca.as_deref()).await;
    Ok(Box::new(stream.map_err(|error| refused(error.to_string()))?))
}
