//! SSH connections: the way to a machine, over jump hosts where they are needed, and signing in there.

mod agent;
mod authenticate;
mod command;
mod credentials;
mod host_key;
pub(crate) mod question;
mod shell;

pub use command::Ran;
pub use credentials::{Credentials, Key};
pub use host_key::{HostKeyPin, SeenKey};
pub use question::{Ask, Prompt, Question};
pub use shell::ShellOptions;

use crate::{Stream, TerminalError};
use agent::Agent;
use host_key::{Host, Shown};
use oriel_pin::Keeper;
use russh::Disconnect;
use russh::client::{self, Handle};
use russh::keys::HashAlg;
use std::sync::Arc;
use std::time::Duration;

/// Most machines on the way to a machine.
pub const JUMPS_MAX: usize = 8;
/// Between signs of life, when nothing else is said.
pub const KEEPALIVE: Duration = Duration::from_secs(30);
/// Signs of life without an answer until the connection counts as broken.
const KEEPALIVES_UNANSWERED_MAX: usize = 3;

/// How to get into a machine.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct SshOptions {
    pub credentials: Credentials,
    pub host_key: HostKeyPin,
    /// The machines on the way. The stream leads to the first, and each leads to the next; empty: the stream leads to the machine.
    pub jumps: Vec<Jump>,
    /// Between signs of life; `KEEPALIVE` suits most.
    pub keepalive: Duration,
    /// Who answers what the machine asks beyond a password.
    #[serde(skip)]
    pub ask: Option<Ask>,
    /// The machine may use the key for further machines, while we are connected.
    pub forward_agent: bool,
    /// Told the host keys that are met for the first time.
    #[serde(skip)]
    pub keeper: Option<Arc<dyn Keeper>>,
}

impl SshOptions {
    pub const fn new(credentials: Credentials, host_key: HostKeyPin) -> Self {
        Self {
            credentials,
            host_key,
            jumps: Vec::new(),
            keepalive: KEEPALIVE,
            ask: None,
            forward_agent: false,
            keeper: None,
        }
    }
}

/// A machine on the way.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Jump {
    pub credentials: Credentials,
    pub host_key: HostKeyPin,
    /// Where it leads: the next jump host or the machine, as the jump host calls it.
    pub to_host: String,
    pub to_port: u16,
}

/// Signed in to a machine.
pub struct Connection {
    pub(crate) handle: Handle<Host>,
    // The way to it.
    jumps: Vec<Handle<Host>>,
    seen: Vec<SeenKey>,
    pub(crate) forward_agent: bool,
}

impl Connection {
    /// Signs in over a stream. `window_bytes` is what the machine may send on one channel before we take it: small for
    /// terminals, whose floods wait in it; large for files. The caller bounds the time.
    pub async fn open<S>(stream: S, options: &SshOptions, window_bytes: u32) -> Result<Self, TerminalError>
    where
        S: Stream + 'static,
    {
        let (stream, jumps, mut seen) = travel(Box::new(stream), options).await?;
        let step = Step {
            hop: 0,
            credentials: &options.credentials,
            pin: &options.host_key,
            window_bytes,
            forward_agent: options.forward_agent,
        };
        let (handle, shown) = step.enter(stream, options).await?;
        seen.extend(shown);
        Ok(Self { handle, jumps, seen, forward_agent: options.forward_agent && options.credentials.key.is_some() })
    }

    /// The host key that the machine shows, asked for before anything is told to it: only the machines on the way are signed in to.
    /// The stream is used up. The caller bounds the time.
    pub async fn look<S>(stream: S, options: &SshOptions) -> Result<SeenKey, TerminalError>
    where
        S: Stream + 'static,
    {
        let (stream, _jumps, _) = travel(Box::new(stream), options).await?;
        let step = Step {
            hop: 0,
            credentials: &options.credentials,
            pin: &HostKeyPin::FirstUse,
            window_bytes: SHELL_WINDOW_BYTES,
            forward_agent: false,
        };
        let (handle, shown) = step.shake(stream, options, None).await?;
        handle.disconnect(Disconnect::ByApplication, "", "").await.ok();
        shown.take().ok_or(TerminalError::Refused { what: "to show a host key" })
    }

    /// The host keys that were shown: of each jump host, then of the machine. For keeping them after a first use.
    pub fn host_keys(&self) -> &[SeenKey] {
        &self.seen
    }

    /// A stream to a port that the machine reaches. It ends with the connection: keep that for as long.
    pub async fn forward(&self, host: &str, port: u16) -> Result<Box<dyn Stream>, TerminalError> {
        let opened = self.handle.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0).await;
        let channel =
            opened.map_err(|error| TerminalError::NoWayOn { host: host.to_owned(), port, why: error.to_string() })?;
        Ok(Box::new(channel.into_stream()))
    }

    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Ends it politely; dropping a [`Connection`] ends it too.
    pub async fn close(&self) {
        for handle in std::iter::once(&self.handle).chain(self.jumps.iter().rev()) {
            handle.disconnect(Disconnect::ByApplication, "", "").await.ok();
        }
    }
}

/// Bytes the server may send before we take them: the window of RFC 4254 section 5.2. Small, because a flood that nobody
/// reads waits in it.
pub const SHELL_WINDOW_BYTES: u32 = 256 << 10;
/// As much as reads in flight ask for.
pub const FILES_WINDOW_BYTES: u32 = 2 << 20;

/// What the way leads to, the machines on it, and their keys.
type Travelled = (Box<dyn Stream>, Vec<Handle<Host>>, Vec<SeenKey>);

/// Over the machines on the way.
async fn travel(mut stream: Box<dyn Stream>, options: &SshOptions) -> Result<Travelled, TerminalError> {
    if options.jumps.len() > JUMPS_MAX {
        return Err(TerminalError::TooMany { what: "the number of jump hosts", max: JUMPS_MAX });
    }
    let (mut jumps, mut seen) = (Vec::new(), Vec::new());
    for (index, jump) in options.jumps.iter().enumerate() {
        let number = index + 1;
        let on_the_way = |error| TerminalError::Jump { number, error: Box::new(error) };
        let step = Step {
            hop: number,
            credentials: &jump.credentials,
            pin: &jump.host_key,
            // What carries everything else must not be what slows it down.
            window_bytes: FILES_WINDOW_BYTES,
            forward_agent: false,
        };
        let (handle, shown) = step.enter(stream, options).await.map_err(on_the_way)?;
        seen.extend(shown);
        let channel = handle
            .channel_open_direct_tcpip(jump.to_host.as_str(), jump.to_port.into(), "127.0.0.1", 0)
            .await
            .map_err(|error| {
                let (host, port) = (jump.to_host.clone(), jump.to_port);
                on_the_way(TerminalError::NoWayOn { host, port, why: error.to_string() })
            })?;
        stream = Box::new(channel.into_stream());
        jumps.push(handle);
    }
    Ok((stream, jumps, seen))
}

/// One machine: on the way, or the one at its end.
struct Step<'a> {
    /// 0 at the end, and counted from 1 on the way.
    hop: usize,
    credentials: &'a Credentials,
    pin: &'a HostKeyPin,
    window_bytes: u32,
    forward_agent: bool,
}

impl Step<'_> {
    async fn enter(
        &self,
        stream: Box<dyn Stream>,
        options: &SshOptions,
    ) -> Result<(Handle<Host>, Option<SeenKey>), TerminalError> {
        let identity = self.credentials.key.as_ref().map(Key::read).transpose()?;
        let agent = match &identity {
            Some(identity) if self.forward_agent => Some(Agent::new(&identity.key).await?),
            _ => None,
        };
        let (mut handle, shown) = self.shake(stream, options, agent).await?;
        let shown = shown.take();
        if let (HostKeyPin::FirstUse, Some(keeper), Some(seen)) = (self.pin, &options.keeper, &shown) {
            keeper.met(self.hop, &seen.openssh).await.map_err(TerminalError::HostKeyNotKept)?;
        }
        authenticate::authenticate(&mut handle, self.credentials, identity.as_ref(), options.ask.as_ref()).await?;
        Ok((handle, shown))
    }

    /// Until the machine has proven who it is, and nothing beyond.
    async fn shake(
        &self,
        stream: Box<dyn Stream>,
        options: &SshOptions,
        agent: Option<Agent>,
    ) -> Result<(Handle<Host>, Shown), TerminalError> {
        let known = self.pin.keys()?;
        let config = client::Config {
            window_size: self.window_bytes,
            channel_buffer_size: 16,
            keepalive_interval: Some(options.keepalive),
            keepalive_max: KEEPALIVES_UNANSWERED_MAX,
            preferred: HostKeyPin::preferred(&known),
            ..client::Config::default()
        };
        let expected: Vec<String> = known.iter().map(|key| key.fingerprint(HashAlg::Sha256).to_string()).collect();
        let (host, shown) = Host::new(known, agent);
        let handle = match client::connect_stream(Arc::new(config), stream, host).await {
            Ok(handle) => handle,
            Err(error) => {
                return Err(match (shown.take(), error) {
                    (Some(seen), russh::Error::UnknownKey) => {
                        TerminalError::HostKeyChanged { expected: expected.join(" or "), seen: seen.fingerprint }
                    }
                    // The server has no key of the kind that we know.
                    (None, russh::Error::NoCommonAlgo { kind: russh::AlgorithmKind::Key, theirs, .. }) => {
                        let seen = format!("keys of other kinds ({})", theirs.join(", "));
                        TerminalError::HostKeyChanged { expected: expected.join(" or "), seen: question::shown(&seen) }
                    }
                    (_, error) => TerminalError::Unreachable(error),
                });
            }
        };
        Ok((handle, shown))
    }
}
