//! The door to the street: a listener, TLS, connections of which there are not too many.

use crate::account::Accounts;
use crate::inner::Inner;
use crate::machine::Machine;
use crate::{CONNECTIONS_MAX, route};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use oriel_stream::BoxStream;
use rustls::ServerConfig;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long TLS and the head of a request may take; a connection without requests ends after the latter, too.
const TLS_TIME_MAX: Duration = Duration::from_secs(10);
const HEAD_TIME_MAX: Duration = Duration::from_mins(1);
/// Longest head of a request, in bytes, and most of its headers.
const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 64;

/// How a machine is shown.
#[derive(Clone)]
pub struct DeviceOptions {
    /// Who may; with none of them everybody may.
    pub accounts: Accounts,
    /// `None`: without TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// Where images of the drive lie; without one, or without a slot of the machine's, the device has no drive.
    pub storage: Option<PathBuf>,
    /// Most bytes of those images together.
    pub storage_bytes_max: u64,
    /// Pictures are taken always, and not only while somebody watches.
    pub keep_picture: bool,
    /// How long buttons rest after they were pressed.
    pub cool_down: Duration,
    /// Sessions last so long at most.
    pub session_max: Option<Duration>,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        Self {
            accounts: Accounts::default(),
            tls: None,
            storage: None,
            storage_bytes_max: u64::MAX,
            keep_picture: false,
            cool_down: Duration::from_secs(1),
            session_max: None,
        }
    }
}

/// A machine that is shown as a device, until this is dropped.
pub struct Device {
    address: SocketAddr,
    tasks: JoinSet<()>,
    inner: Arc<Inner>,
}

impl Device {
    /// Shows it on a listener.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn start(listener: TcpListener, machine: Arc<dyn Machine>, options: DeviceOptions) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let inner = Arc::new(Inner::new(options, machine));
        inner.log.add(&format!("{} is shown as a device on {address}", inner.machine.name()));
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&inner).tick());
        tasks.spawn(accept(Arc::clone(&inner), listener));
        Ok(Self { address, tasks, inner })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends in order: connections are closed, and every key is let go.
    pub async fn end(mut self) {
        self.tasks.abort_all();
        self.inner.ended.send_replace(true);
        self.inner.clear().await;
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.inner.ended.send_replace(true);
    }
}

async fn accept(inner: Arc<Inner>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let tls = inner.options.tls.clone().map(TlsAcceptor::from);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, say: others may end meanwhile.
                tracing::warn!(%error, "A connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let (inner, tls, mut ended) = (Arc::clone(&inner), tls.clone(), inner.ended.subscribe());
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                () = connection(inner, stream, from.ip(), tls) => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
        });
    }
}

async fn connection(inner: Arc<Inner>, stream: TcpStream, from: IpAddr, tls: Option<TlsAcceptor>) {
    stream.set_nodelay(true).ok();
    let stream: BoxStream = match tls {
        None => Box::new(stream),
        Some(tls) => match tokio::time::timeout(TLS_TIME_MAX, tls.accept(stream)).await {
            Ok(Ok(stream)) => Box::new(stream),
            _ => return,
        },
    };
    let service = service_fn(move |request| route::answer(Arc::clone(&inner), from, request));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = serving.await {
        tracing::debug!(%error, "A connection to a served device ended");
    }
}
