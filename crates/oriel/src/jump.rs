//! Dials through jump hosts, for clouds whose networks this machine does not reach.
//!
//! Each stream has an SSH connection of its own as far as that goes: one that nobody reads, such as that of a viewer which sleeps,
//! would hold up all others of its connection. One or two without a stream are kept for the next.

use async_trait::async_trait;
use oriel_compute::{BoxStream, JumpDialler, JumpHost};
use oriel_gateway::terminal::{
    self, Connection, Credentials, HostKeyPin, Key, SshOptions, TerminalError, ssh::FILES_WINDOW_BYTES,
};
use secrecy::ExposeSecret;
use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How long a jump host may take to accept, prove who it is, and let us in.
const SIGN_IN_SECONDS_MAX: u64 = 20;
/// Between signs of life: a connection that died unheard is found soon, with all that it carries.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Most jump hosts that are kept: more than there may be clouds.
const PLACES_MAX: usize = 64;
/// Connections to one jump host from which on streams share them.
const CONNECTIONS_MAX: usize = 48;
/// So many without a stream are kept.
const SPARE_MAX: usize = 2;

#[derive(Default)]
pub struct Jumps {
    places: Mutex<HashMap<String, Arc<Place>>>,
}

/// The connections to a jump host.
#[derive(Default)]
struct Place {
    /// One at a time signs in: servers let few wait at their door.
    door: tokio::sync::Mutex<()>,
    met: Mutex<Vec<Met>>,
}

/// A jump host that let us in, as it was described then.
struct Met {
    as_host: JumpHost,
    connection: Arc<Connection>,
}

impl Met {
    fn is_spare(&self) -> bool {
        Arc::strong_count(&self.connection) == 1
    }
}

impl Place {
    fn met(&self) -> MutexGuard<'_, Vec<Met>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One without a stream, taken out: it ends when whoever has it gives up, and with it a channel that would come too late.
    fn take_spare(&self, jump: &JumpHost) -> Option<Arc<Connection>> {
        let mut all = self.met();
        // Streams keep their own connection.
        all.retain(|met| !met.connection.is_closed() && is_same(&met.as_host, jump));
        let at = all.iter().position(Met::is_spare)?;
        Some(all.swap_remove(at).connection)
    }

    /// The one with the fewest streams, where there are as many as there may be.
    fn shared(&self) -> Option<Arc<Connection>> {
        let all = self.met();
        let fewest = all.iter().min_by_key(|met| Arc::strong_count(&met.connection));
        fewest.filter(|_| all.len() >= CONNECTIONS_MAX).map(|met| Arc::clone(&met.connection))
    }

    /// Puts a connection back that has answered.
    fn settle(
        &self,
        jump: &JumpHost,
        connection: Arc<Connection>,
        opened: Result<Box<dyn terminal::Stream>, TerminalError>,
    ) -> Result<BoxStream, String> {
        let mut all = self.met();
        if !connection.is_closed() && !all.iter().any(|met| Arc::ptr_eq(&met.connection, &connection)) {
            all.push(Met { as_host: jump.clone(), connection: Arc::clone(&connection) });
        }
        let mut spare = 0;
        all.retain(|met| {
            spare += usize::from(met.is_spare());
            !met.is_spare() || spare <= SPARE_MAX
        });
        drop(all);
        let stream = opened.map_err(|error| error.to_string())?;
        Ok(Box::new(Through { stream, _connection: connection }))
    }
}

/// A stream with the connection that carries it.
struct Through {
    stream: Box<dyn terminal::Stream>,
    _connection: Arc<Connection>,
}

fn is_same(one: &JumpHost, other: &JumpHost) -> bool {
    let passphrase = |of: &JumpHost| of.passphrase.as_ref().map(|it| it.expose_secret().to_owned());
    one.name() == other.name()
        && one.host_key == other.host_key
        && one.private_key.expose_secret() == other.private_key.expose_secret()
        && passphrase(one) == passphrase(other)
}

fn options(jump: &JumpHost, pin: HostKeyPin) -> SshOptions {
    let key = Key { private: jump.private_key.clone(), passphrase: jump.passphrase.clone(), certificate: None };
    let credentials = Credentials { user: jump.user.clone(), key: Some(key), password: None };
    SshOptions::new(credentials, pin)
}

async fn connected(jump: &JumpHost) -> Result<TcpStream, String> {
    let stream = TcpStream::connect((jump.host.as_str(), jump.port)).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

async fn in_time<T>(what: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(Duration::from_secs(SIGN_IN_SECONDS_MAX), what)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {SIGN_IN_SECONDS_MAX} s")))
}

async fn enter(jump: &JumpHost) -> Result<Arc<Connection>, String> {
    // Never whoever is met first: without a key nothing is told.
    let options = SshOptions { keepalive: KEEPALIVE, ..options(jump, HostKeyPin::Known(jump.host_key.clone())) };
    in_time(async {
        let stream = connected(jump).await?;
        let connection = Connection::open(stream, &options, FILES_WINDOW_BYTES).await;
        connection.map(Arc::new).map_err(|error| error.to_string())
    })
    .await
}

impl Jumps {
    fn place(&self, jump: &JumpHost) -> Arc<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= PLACES_MAX {
            // Of clouds that are dialled in another way by now; streams keep their own connection.
            places.clear();
        }
        Arc::clone(places.entry(jump.name()).or_default())
    }
}

#[async_trait]
impl JumpDialler for Jumps {
    fn check(&self, jump: &JumpHost) -> Result<(), String> {
        if let Some(key) = options(jump, HostKeyPin::FirstUse).credentials.key {
            key.check().map_err(|error| error.to_string())?;
        }
        if jump.host_key.is_empty() {
            return Ok(());
        }
        HostKeyPin::Known(jump.host_key.clone()).check().map_err(|error| error.to_string())
    }

    async fn host_key(&self, jump: &JumpHost) -> Result<String, String> {
        let options = options(jump, HostKeyPin::FirstUse);
        let seen = in_time(async {
            let stream = connected(jump).await?;
            Connection::look(stream, &options).await.map_err(|error| error.to_string())
        })
        .await?;
        if seen.openssh.is_empty() { Err(format!("it shows {}", seen.fingerprint)) } else { Ok(seen.openssh) }
    }

    async fn open(&self, jump: &JumpHost, host: &str, port: u16) -> Result<BoxStream, String> {
        let place = self.place(jump);
        if let Some(connection) = place.take_spare(jump) {
            let opened = connection.forward(host, port).await;
            // It may have ended since it was used last. One that lives says itself why it leads nowhere.
            if opened.is_ok() || !connection.is_closed() {
                return place.settle(jump, connection, opened);
            }
        }
        let connection = match place.shared() {
            Some(connection) => connection,
            None => {
                let _turn = place.door.lock().await;
                match place.take_spare(jump) {
                    Some(connection) => connection,
                    None => enter(jump).await?,
                }
            }
        };
        let opened = connection.forward(host, port).await;
        place.settle(jump, connection, opened)
    }
}

impl AsyncRead for Through {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Through {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
