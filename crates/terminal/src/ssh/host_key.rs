//! Which machine we accept: the keys that we know, or the first that is shown. Never because somebody signed it.

use super::agent::Agent;
use crate::TerminalError;
use russh::client::{ChannelOpenHandle, Handler, Msg, Session};
use russh::keys::ssh_key::PublicKey;
use russh::keys::{Algorithm, HashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure, Preferred};
use std::sync::{Arc, Mutex, PoisonError};

/// Most keys known of one machine (it has one a kind).
const KNOWN_KEYS_MAX: usize = 16;

/// Which machine we accept.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum HostKeyPin {
    /// Only these keys: OpenSSH public keys (`ssh-ed25519 AAAA…`), one a line. A certificate or `@cert-authority` is not a key.
    Known(String),
    /// Whatever it shows, which the [`oriel_pin::Keeper`] is told before anybody signs in.
    FirstUse,
}

/// The key that a machine showed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SeenKey {
    /// As `HostKeyPin::Known` takes it.
    pub openssh: String,
    /// `SHA256:…`
    pub fingerprint: String,
}

impl HostKeyPin {
    /// Whether what is known can be used.
    ///
    /// # Errors
    /// It is no key, or there are too many.
    pub fn check(&self) -> Result<(), TerminalError> {
        self.keys().map(drop)
    }

    pub(crate) fn keys(&self) -> Result<Vec<PublicKey>, TerminalError> {
        let Self::Known(text) = self else { return Ok(Vec::new()) };
        let bad = |why: String| TerminalError::BadCredentials { what: "host key", why };
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() || lines.len() > KNOWN_KEYS_MAX {
            return Err(bad(format!("it has {} keys, between 1 and {KNOWN_KEYS_MAX} are possible", lines.len())));
        }
        let read = |line: &str| {
            let key = PublicKey::from_openssh(line).map_err(|error| bad(error.to_string()))?;
            if matches!(key.algorithm(), Algorithm::Other(_)) {
                return Err(bad(format!("{} is not a kind of host key", key.algorithm())));
            }
            Ok(key)
        };
        lines.into_iter().map(read).collect()
    }

    /// What to ask the server for: a server with several keys shows the kind that we know. Never a certificate.
    pub(crate) fn preferred(known: &[PublicKey]) -> Preferred {
        let mut preferred = Preferred { host_key_certificates: [][..].into(), ..Preferred::DEFAULT };
        if !known.is_empty() {
            let same = |wanted: &Algorithm| match (wanted, known) {
                (Algorithm::Rsa { .. }, known) => {
                    known.iter().any(|key| matches!(key.algorithm(), Algorithm::Rsa { .. }))
                }
                (wanted, known) => known.iter().any(|key| key.algorithm() == *wanted),
            };
            let kinds: Vec<Algorithm> = preferred.key.iter().filter(|kind| same(kind)).cloned().collect();
            preferred.key = kinds.into();
        }
        preferred
    }
}

/// What the server showed.
#[derive(Clone, Default)]
pub(crate) struct Shown(Arc<Mutex<Option<SeenKey>>>);

impl Shown {
    pub fn take(&self) -> Option<SeenKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, seen: SeenKey) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }
}

/// Our side of a connection: checks the host key, lets the server open nothing but an agent's channel that was asked for.
pub(crate) struct Host {
    /// Empty: the first key is accepted.
    known: Vec<PublicKey>,
    shown: Shown,
    agent: Option<Agent>,
}

impl Host {
    pub fn new(known: Vec<PublicKey>, agent: Option<Agent>) -> (Self, Shown) {
        let shown = Shown::default();
        (Self { known, shown: shown.clone(), agent }, shown)
    }
}

impl Handler for Host {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        // A certificate is never accepted: that would move the trust to whoever signed it.
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else {
            self.shown.put(SeenKey { openssh: String::new(), fingerprint: "a certificate".into() });
            return Ok(false);
        };
        self.shown.put(SeenKey {
            openssh: key.to_openssh().unwrap_or_default().trim_end().to_owned(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        });
        Ok(self.known.is_empty() || self.known.iter().any(|known| known.key_data() == key.key_data()))
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        match &self.agent {
            Some(agent) if agent.has_room() => {
                reply.accept().await;
                agent.serve(channel.into_stream());
            }
            _ => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }

    // We asked for none of these: dropping the reply refuses.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }
}
