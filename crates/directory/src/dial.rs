//! The way to a directory: TCP, and TLS from the beginning or by StartTLS (RFC 4511, section 4.14). The library gets a socket pair whose
//! other end is served here, so that it reads only what [`crate::guard`] has walked.

use crate::{
    DirectoryError,
    guard::{MESSAGE_BYTES_MAX, SESSION_BYTES_MAX, first_message},
};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, StdStream};
use oriel_model::DirectorySettings;
use oriel_pin::{HostPin, tls};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::{TcpStream, UnixStream},
};

/// How long a connection, and TLS in it, may take to begin.
const DIAL_TIME_MAX: Duration = Duration::from_secs(6);
/// Read at once.
const CHUNK_BYTES: usize = 16 << 10;
/// The answer to StartTLS is a few dozen bytes and perhaps a sentence.
const START_TLS_BYTES_MAX: usize = 4 << 10;

/// An extended request of message 1 with the name 1.3.6.1.4.1.1466.20037.
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

/// A connection to ask on. What serves it ends when the handle is dropped.
pub(crate) async fn dial(settings: &DirectorySettings) -> Result<Ldap, DirectoryError> {
    let url = settings.url.clone();
    let late = DirectoryError::Late { url: url.clone() };
    let wire = tokio::time::timeout(DIAL_TIME_MAX, wire(settings)).await.map_err(|_| late)??;
    let unreachable = |error: std::io::Error| DirectoryError::Unreachable { url: url.clone(), why: error.to_string() };
    let (ours, theirs) = UnixStream::pair().map_err(unreachable)?;
    tokio::spawn(serve(wire, ours));
    let theirs = theirs.into_std().map_err(unreachable)?;
    let with = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
    let (connection, ldap) = LdapConnAsync::with_settings(with, "ldapi:///")
        .await
        .map_err(|error| DirectoryError::Unreachable { url: url.clone(), why: error.to_string() })?;
    tokio::spawn(async move {
        if let Err(error) = connection.drive().await {
            tracing::debug!(%error, "A connection to a directory ended");
        }
    });
    Ok(ldap)
}

async fn wire(settings: &DirectorySettings) -> Result<Box<dyn Wire>, DirectoryError> {
    let unreachable = |why: String| DirectoryError::Unreachable { url: settings.url.clone(), why };
    let url = url::Url::parse(&settings.url).map_err(|error| unreachable(error.to_string()))?;
    let secure = url.scheme() == "ldaps";
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| unreachable("it names no host".into()))?;
    // IPv6 has brackets in a URL and none elsewhere.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port().unwrap_or(if secure { 636 } else { 389 });
    let mut tcp = TcpStream::connect((host, port)).await.map_err(|error| unreachable(error.to_string()))?;
    tcp.set_nodelay(true).ok();
    if settings.plain {
        return Ok(Box::new(tcp));
    }
    if !secure {
        start_tls(&mut tcp, &settings.url).await?;
    }
    let refused = |why: String| DirectoryError::Tls { url: settings.url.clone(), why };
    if let Some(pin) = &settings.pin {
        let pin: oriel_pin::Fingerprint = pin.parse().map_err(|_| refused("the pin is no SHA-256".into()))?;
        let (stream, _) = tls::begin(tcp, HostPin::Sha256(pin.0)).await.map_err(|error| refused(error.to_string()))?;
        return Ok(Box::new(stream));
    }
    let stream = tls::begin_signed(tcp, host, settings.ca.as_deref()).await;
    Ok(Box::new(stream.map_err(|error| refused(error.to_string()))?))
}

async fn start_tls(tcp: &mut TcpStream, url: &str) -> Result<(), DirectoryError> {
    let broken = |error: std::io::Error| DirectoryError::Unreachable { url: url.to_owned(), why: error.to_string() };
    let garbled = || DirectoryError::Garbled { url: url.to_owned() };
    tcp.write_all(START_TLS).await.map_err(broken)?;
    let mut answer = Vec::new();
    let end = loop {
        if let Some(end) = first_message(&answer).map_err(|_| garbled())? {
            break end;
        }
        let mut chunk = [0; 512];
        let read = tcp.read(&mut chunk).await.map_err(broken)?;
        if read == 0 || answer.len() > START_TLS_BYTES_MAX {
            return Err(garbled());
        }
        answer.extend_from_slice(chunk.get(..read).unwrap_or_default());
    };
    // Whoever put something behind the answer, which nobody has vouched for, put it there for the time after.
    if end != answer.len() {
        return Err(garbled());
    }
    match result_code(&answer) {
        Some(0) => Ok(()),
        Some(code) => {
            Err(DirectoryError::Tls { url: url.to_owned(), why: format!("StartTLS was refused with code {code}") })
        }
        None => Err(garbled()),
    }
}

/// Of an extended response: the ENUMERATED that it begins with.
fn result_code(message: &[u8]) -> Option<u8> {
    // Sequence, message id of one byte, tag of the response, its length, the code.
    let inside =
        message.get(if message.get(1)? & 0x80 == 0 { 2 } else { 2 + usize::from(message.get(1)? & 0x7f) }..)?;
    let [0x02, 0x01, 0x01, 0x78, length, rest @ ..] = inside else { return None };
    let rest = rest.get(if length & 0x80 == 0 { 0 } else { usize::from(length & 0x7f) }..)?;
    match rest {
        [0x0a, 0x01, code, ..] => Some(*code),
        _ => None,
    }
}

/// Carries both ways until either end is done, or the directory sends what is no LDAP or too much of it.
async fn serve(wire: Box<dyn Wire>, ours: UnixStream) {
    let (mut from_wire, mut to_wire) = split(wire);
    let (mut from_us, mut to_us) = ours.into_split();
    let up = async {
        tokio::io::copy(&mut from_us, &mut to_wire).await.ok();
        to_wire.shutdown().await.ok();
    };
    let down = async {
        let (mut waiting, mut carried) = (Vec::new(), 0_usize);
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(read @ 1..) = from_wire.read(&mut chunk).await {
            carried = carried.saturating_add(read);
            waiting.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if carried > SESSION_BYTES_MAX || waiting.len() > MESSAGE_BYTES_MAX + CHUNK_BYTES {
                break;
            }
            while let Ok(Some(end)) = first_message(&waiting) {
                let rest = waiting.split_off(end);
                if to_us.write_all(&waiting).await.is_err() {
                    return;
                }
                waiting = rest;
            }
            if first_message(&waiting).is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn start_tls_is_asked_and_its_answer_read() {
        assert_eq!(first_message(START_TLS), Ok(Some(START_TLS.len())));
        let answer = |code: u8| {
            [&[0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01], [code].as_slice(), &[4, 0, 4, 0]].concat()
        };
        assert_eq!(result_code(&answer(0)), Some(0));
        assert_eq!(result_code(&answer(52)), Some(52));
        let wide =
            [&[0x30, 0x84, 0, 0, 0, 0x10, 2, 1, 1, 0x78, 0x84, 0, 0, 0, 7, 0x0a, 1], [2].as_slice(), &[4, 0, 4, 0]]
                .concat();
        assert_eq!(result_code(&wide), Some(2), "as Active Directory writes it");
        for cut in 0..10 {
            assert_eq!(result_code(answer(0).get(..cut).unwrap()), None);
        }
    }
}
