//! Doors: TCP (with TLS where others can reach it) and the unix socket of this machine's administrator.
//!
//! HTTP/1.1 only: a viewer's WebSocket needs it, and everything else is small. Every wait has a limit.

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

/// How long a client may take for a TLS handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's head, and may keep an idle connection.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// Most sockets served at once, viewers not counted; more wait at the door.
pub const SOCKETS_MAX: usize = 4096;
/// Largest request head, in bytes.
const HEAD_BYTES_MAX: usize = 32 << 10;

/// Which door a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Tcp {
        address: SocketAddr,
        tls: bool,
    },
    /// The unix socket: this machine's administrator.
    Local,
}

/// Something to accept from.
pub enum Door {
    Tcp { listener: TcpListener, tls: Option<TlsAcceptor> },
    Unix(LocalDoor),
}

/// The unix socket, removed when it is dropped.
pub struct LocalDoor {
    listener: UnixListener,
    path: PathBuf,
    uid: u32,
}

impl LocalDoor {
    /// Makes the socket, for its owner only. A file left by a program that was killed is replaced: whoever calls this holds
    /// the data folder's lock.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned(), uid: rustix::process::geteuid().as_raw() })
    }

    /// The socket's file mode is checked by the kernel on connecting; the caller's identity is checked here as well.
    fn admits(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|peer| peer.uid() == self.uid || peer.uid() == 0)
    }
}

impl Drop for LocalDoor {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}

/// Serves a door until `stop`; connections that are busy then get to finish their request and are tracked by `tasks`.
pub async fn serve(door: Door, router: Router, stop: CancellationToken, tasks: TaskTracker) {
    let places = Arc::new(Semaphore::new(SOCKETS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = accept(&door) => accepted,
        };
        let (router, stop) = (router.clone(), stop.clone());
        match accepted {
            Ok(Accepted::Tcp(stream, address, tls)) => {
                tasks.spawn(async move {
                    let _place = place;
                    stream.set_nodelay(true).ok();
                    match tls {
                        None => connection(stream, Peer::Tcp { address, tls: false }, router, stop).await,
                        Some(tls) => {
                            if let Ok(Ok(stream)) = timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
                                connection(stream, Peer::Tcp { address, tls: true }, router, stop).await;
                            }
                        }
                    }
                });
            }
            Ok(Accepted::Local(stream)) => {
                tasks.spawn(async move {
                    let _place = place;
                    connection(stream, Peer::Local, router, stop).await;
                });
            }
            Ok(Accepted::Refused) => {}
            Err(error) => {
                // Out of file descriptors, most likely: waiting lets others finish.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

enum Accepted {
    Tcp(TcpStream, SocketAddr, Option<TlsAcceptor>),
    Local(UnixStream),
    Refused,
}

async fn accept(door: &Door) -> io::Result<Accepted> {
    match door {
        Door::Tcp { listener, tls } => {
            let (stream, address) = listener.accept().await?;
            Ok(Accepted::Tcp(stream, address, tls.clone()))
        }
        Door::Unix(local) => {
            let (stream, _) = local.listener.accept().await?;
            Ok(if local.admits(&stream) { Accepted::Local(stream) } else { Accepted::Refused })
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    stop: CancellationToken,
) {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request.map(Body::new))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut served = pin!(served);
    let done = tokio::select! {
        done = served.as_mut() => done,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = done {
        tracing::debug!(%error, ?peer, "a connection ended early");
    }
}
