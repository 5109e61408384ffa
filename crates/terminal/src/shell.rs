//! A shell on a remote machine.

use crate::known_host::KnownHost;
use crate::{Auth, HostKeyPin, SshOptions, TerminalError};
use bytes::Bytes;
use russh::client::{self, AuthResult, Handle};
use russh::keys::ssh_key::PublicKey;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, decode_secret_key};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Disconnect};
use secrecy::ExposeSecret;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// What a shell does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminalEvent {
    Data(Bytes),
    /// The shell ended; nothing follows.
    Exit {
        code: Option<u32>,
        signal: Option<String>,
    },
}

/// Bytes the server may send before we take them: the window of RFC 4254 section 5.2. Small, because a flood that nobody
/// reads waits in it.
const WINDOW_BYTES: u32 = 256 << 10;
/// Writes waiting for a machine that does not read.
const WRITES_MAX: usize = 64;

/// An open shell. Reading and writing may take turns in one task: neither waits for the other.
pub struct Shell {
    // Held so that the SSH connection lives as long as its shell.
    connection: Handle<KnownHost>,
    reader: ChannelReadHalf,
    writes: mpsc::Sender<Write>,
    exit: Option<(Option<u32>, Option<String>)>,
    over: bool,
}

enum Write {
    Data(Bytes),
    Resize { columns: u16, rows: u16 },
}

/// Signs in over a stream and opens a shell in a terminal. The caller bounds the time.
pub async fn connect<S>(stream: S, options: SshOptions) -> Result<Shell, TerminalError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let HostKeyPin::Known(known) = &options.host_key;
    let expected = PublicKey::from_openssh(known)
        .map_err(|error| TerminalError::BadCredentials { what: "host key", why: error.to_string() })?;
    let config = client::Config {
        window_size: WINDOW_BYTES,
        channel_buffer_size: 16,
        keepalive_interval: Some(Duration::from_secs(30)),
        keepalive_max: 3,
        ..client::Config::default()
    };
    let (handler, stranger) = KnownHost::new(expected.clone());
    let mut connection = match client::connect_stream(Arc::new(config), stream, handler).await {
        Ok(connection) => connection,
        Err(error) => {
            let seen = stranger.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(match seen {
                Some(seen) => {
                    TerminalError::HostKeyChanged { expected: expected.fingerprint(HashAlg::Sha256).to_string(), seen }
                }
                None => TerminalError::Unreachable(error),
            });
        }
    };
    authenticate(&mut connection, &options).await?;
    let channel = connection.channel_open_session().await?;
    let (mut reader, writer) = channel.split();
    if let Some(locale) = &options.locale {
        // Servers take it or leave it.
        writer.set_env(false, "LANG", locale.as_str()).await?;
    }
    let (columns, rows) = (u32::from(options.columns), u32::from(options.rows));
    writer.request_pty(true, &options.term, columns, rows, 0, 0, &[]).await?;
    granted(&mut reader, "a terminal").await?;
    match &options.command {
        Some(command) => writer.exec(true, command.as_str()).await?,
        None => writer.request_shell(true).await?,
    }
    granted(&mut reader, "a shell").await?;
    let (writes, queue) = mpsc::channel(WRITES_MAX);
    tokio::spawn(write(queue, writer));
    Ok(Shell { connection, reader, writes, exit: None, over: false })
}

async fn authenticate(connection: &mut Handle<KnownHost>, options: &SshOptions) -> Result<(), TerminalError> {
    let result = match &options.auth {
        Auth::Password(password) => {
            connection.authenticate_password(options.user.as_str(), password.expose_secret()).await?
        }
        Auth::Key { private_openssh, passphrase } => {
            let passphrase = passphrase.as_ref().map(ExposeSecret::expose_secret);
            let key = decode_secret_key(private_openssh.expose_secret(), passphrase)
                .map_err(|error| TerminalError::BadCredentials { what: "private key", why: error.to_string() })?;
            let hash = connection.best_supported_rsa_hash().await?.flatten();
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            connection.authenticate_publickey(options.user.as_str(), key).await?
        }
    };
    match result {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { remaining_methods, .. } => {
            let offered: Vec<&str> = remaining_methods.iter().map(Into::into).collect();
            let offered = if offered.is_empty() { "nothing further".to_owned() } else { offered.join(", ") };
            Err(TerminalError::CredentialsRefused { user: options.user.clone(), offered })
        }
    }
}

/// Waits for the answer to a channel request.
async fn granted(reader: &mut ChannelReadHalf, what: &'static str) -> Result<(), TerminalError> {
    while let Some(message) = reader.wait().await {
        match message {
            ChannelMsg::Success => return Ok(()),
            ChannelMsg::Failure => return Err(TerminalError::Refused { what }),
            _ => {}
        }
    }
    Err(TerminalError::Ended)
}

/// Writes in order, apart from reading: a machine that takes no input must not stop its own output.
async fn write(mut queue: mpsc::Receiver<Write>, writer: ChannelWriteHalf<client::Msg>) {
    while let Some(write) = queue.recv().await {
        let written = match write {
            Write::Data(bytes) => writer.data_bytes(bytes).await,
            Write::Resize { columns, rows } => writer.window_change(u32::from(columns), u32::from(rows), 0, 0).await,
        };
        if written.is_err() {
            return;
        }
    }
    writer.close().await.ok();
}

impl Shell {
    /// What the shell does next; `None` after the end. May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<TerminalEvent> {
        if self.over {
            return None;
        }
        loop {
            match self.reader.wait().await {
                Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) if !data.is_empty() => {
                    return Some(TerminalEvent::Data(data));
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => self.exit = Some((Some(exit_status), None)),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    self.exit = Some((None, Some(format!("{signal_name:?}"))));
                }
                Some(ChannelMsg::Close) | None => {
                    self.over = true;
                    let (code, signal) = self.exit.take()?;
                    return Some(TerminalEvent::Exit { code, signal });
                }
                Some(_) => {}
            }
        }
    }

    /// Types. Waits while `WRITES_MAX` earlier writes have not been taken by the machine.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), TerminalError> {
        self.writes.send(Write::Data(Bytes::copy_from_slice(bytes))).await.map_err(|_| TerminalError::Ended)
    }

    pub async fn resize(&mut self, columns: u16, rows: u16) -> Result<(), TerminalError> {
        self.writes.send(Write::Resize { columns, rows }).await.map_err(|_| TerminalError::Ended)
    }

    /// Ends the shell and its connection, politely; dropping a [`Shell`] ends it too.
    pub async fn close(self) {
        let Self { connection, writes, .. } = self;
        drop(writes);
        connection.disconnect(Disconnect::ByApplication, "", "").await.ok();
    }
}
