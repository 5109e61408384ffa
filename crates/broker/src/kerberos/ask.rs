//! One question, at one KDC of a realm after the other until one answers.

use super::Place;
use crate::Outside;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request,
    client::conn::http1::handshake,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use oriel_kerberos::{Envelope, MESSAGE_BYTES_MAX};
use oriel_pin::tls;
use std::fmt;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use url::{Host, Url};

/// For one KDC: dialling, then all of it. MIT's clients wait a second for the first, Windows' five.
const DIAL_SECONDS: u16 = 3;
const KDC_TIME_MAX: Duration = Duration::from_secs(5);
/// What an envelope adds to an answer, at most.
const ENVELOPE_BYTES: usize = 32;
/// For all of them: who signs in has a few such questions, and half a minute.
const TIME_MAX: Duration = Duration::from_secs(12);

/// Why nobody answered.
pub(super) struct Unanswered {
    /// Where KDCs are is for admins.
    pub for_people: String,
    /// With addresses, for the log.
    all: String,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.all)
    }
}

pub(super) async fn ask(outside: &Outside, places: &[Place], envelope: &Envelope) -> Result<Vec<u8>, Unanswered> {
    let mut all = Vec::new();
    let asking = async {
        for place in places {
            let answer = async {
                match place {
                    Place::Kdc { host, port } => by_tcp(outside, host, *port, &envelope.message).await,
                    Place::Proxy(url) => by_proxy(outside, url, envelope.write().into()).await,
                }
            };
            match timeout(KDC_TIME_MAX, answer).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(why)) => all.push(why),
                Err(_) => all.push(format!("{} did not answer in time", name(place))),
            }
        }
        None
    };
    let asked = timeout(TIME_MAX, asking).await;
    if let Ok(Some(answer)) = asked {
        return Ok(answer);
    }
    let count = places.len();
    let for_people =
        if count == 1 { "it was asked at its one address".to_owned() } else { format!("{count} were asked") };
    Err(Unanswered { for_people, all: all.join("; ") })
}

fn name(place: &Place) -> String {
    match place {
        Place::Kdc { host, port } => format!("{host}:{port}"),
        Place::Proxy(url) => url.to_string(),
    }
}

/// RFC 4120 §7.2.2: each message with its length before it.
async fn by_tcp(outside: &Outside, host: &str, port: u16, message: &[u8]) -> Result<Vec<u8>, String> {
    let mut stream = outside.dial(host, port, DIAL_SECONDS).await.map_err(|error| error.to_string())?;
    let lost = |error: std::io::Error| format!("{host}:{port} broke the connection ({error})");
    let mut framed = (message.len() as u32).to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    stream.write_all(&framed).await.map_err(lost)?;
    let length = stream.read_u32().await.map_err(lost)? as usize;
    if !(1..MESSAGE_BYTES_MAX - ENVELOPE_BYTES).contains(&length) {
        return Err(format!("{host}:{port} announces an answer of {length} bytes, which no KDC gives"));
    }
    let mut answer = Vec::new();
    stream.take(length as u64).read_to_end(&mut answer).await.map_err(lost)?;
    if answer.len() < length {
        return Err(format!("{host}:{port} broke its answer off"));
    }
    Ok(Envelope { realm: None, message: answer }.write())
}

/// MS-KKDCP 2.1: the envelope is the body of a request, and of its answer. It is written anew: the proxy reads nothing in it that was not
/// read here. The proxy is known by who signed its certificate.
async fn by_proxy(outside: &Outside, url: &Url, envelope: Bytes) -> Result<Vec<u8>, String> {
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err("the proxy has no address".to_owned()),
    };
    let port = url.port_or_known_default().unwrap_or(443);
    let lost = |error: &dyn fmt::Display| format!("the proxy {url} broke the connection ({error})");
    let tcp = outside.dial(&host, port, DIAL_SECONDS).await.map_err(|error| error.to_string())?;
    let stream = tls::begin_signed(tcp, &host, None).await.map_err(|error| format!("the proxy {url}: {error}"))?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    // Ends with the sender.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "A connection to a KDC's proxy ended");
        }
    });
    let authority = match (url.host_str(), url.port()) {
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
        .header(HOST, authority)
        .header(USER_AGENT, "oriel")
        .header(CONTENT_TYPE, "application/kerberos")
        .body(Full::new(envelope))
        .map_err(|error| format!("the proxy {url} cannot be asked: {error}"))?;
    let answer = sender.send_request(request).await.map_err(|error| lost(&error))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("the proxy {url} answered with status {}", status.as_u16()));
    }
    let body = Limited::new(answer.into_body(), MESSAGE_BYTES_MAX).collect().await.map_err(|error| lost(&error))?;
    let bytes = body.to_bytes();
    Envelope::read(&bytes).map_err(|error| format!("the proxy {url}: {error}"))?;
    Ok(bytes.to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A KDC that answers each question with `bytes`.
    async fn kdc(bytes: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let length = stream.read_u32().await.unwrap_or(0) as usize;
                let mut question = vec![0; length];
                stream.read_exact(&mut question).await.ok();
                stream.write_all(bytes).await.ok();
            }
        });
        port
    }

    #[tokio::test]
    async fn the_next_kdc_is_asked_where_one_says_nothing_of_use() {
        let question = Envelope { realm: Some("ORIEL.TEST".to_owned()), message: vec![0x6a, 0] };
        let loopback = Outside::parse("127.0.0.0/8").unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let ports = [closed, kdc(b"").await, kdc(&[0xff; 4]).await, kdc(b"\0\0\0\x05half").await];
        let mut places: Vec<Place> =
            ports.into_iter().map(|port| Place::Kdc { host: "127.0.0.1".to_owned(), port }).collect();
        let none = ask(&loopback, &places, &question).await.err().unwrap();
        let told = none.to_string();
        assert!(told.contains("which no KDC gives") && told.contains("broke its answer off"), "{told}");
        assert!(!none.for_people.contains("127.0.0.1"), "{}", none.for_people);
        places.push(Place::Kdc { host: "127.0.0.1".to_owned(), port: kdc(b"\0\0\0\x02\x6b\0").await });
        let answer = ask(&loopback, &places, &question).await.ok().unwrap();
        assert_eq!(Envelope::read(&answer).unwrap(), Envelope { realm: None, message: vec![0x6b, 0] });
        // As other machines, where the configuration lets them be dialled.
        let refused = ask(&Outside::default(), &places, &question).await.err().unwrap();
        assert!(refused.to_string().contains("external.allow"), "{refused}");
    }
}
