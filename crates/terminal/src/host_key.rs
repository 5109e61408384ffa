//! The host key that a server shows, asked for before anybody signs in.

use crate::TerminalError;
use russh::client::{self, Handler};
use russh::keys::PublicKeyOrCertificate;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};

/// Looks at the key and goes no further.
struct Look(Arc<Mutex<Option<String>>>);

impl Handler for Look {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = shown {
            let mut key = key.clone();
            key.set_comment("");
            let text = key.to_openssh().ok().map(|text| text.trim_end().to_owned());
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
        }
        Ok(false)
    }
}

/// The server's host key as an OpenSSH public key without a comment. The server has proven that it has the private key, and
/// nothing was told to it. The caller bounds the time.
pub async fn host_key<S>(stream: S) -> Result<String, TerminalError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let seen = Arc::new(Mutex::new(None));
    let asked = client::connect_stream(Arc::new(client::Config::default()), stream, Look(Arc::clone(&seen))).await;
    let key = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (key, asked) {
        (Some(key), _) => Ok(key),
        (None, Err(error)) => Err(TerminalError::Unreachable(error)),
        (None, Ok(_)) => Err(TerminalError::Refused { what: "to show a host key" }),
    }
}
