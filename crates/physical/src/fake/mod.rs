//! A device in memory that speaks kvmd's API over TLS on loopback, with faults: for tests of everything that talks to devices. Written
//! after measurements of the real daemon, and not after its code. Beside it a BMC that speaks Redfish ([`bmc`]).

pub mod bmc;
mod routes;
mod sockets;
mod switch;
mod world;

pub use crate::gadget::Gadget;
pub use switch::FakeSwitch;
pub use world::{FakeOptions, Faults, Stored, World, picture};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oriel_pin::Fingerprint;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Events that may wait for a client of the fake.
const EVENTS_MAX: usize = 64;

pub(crate) struct Inner {
    world: Mutex<World>,
    events: broadcast::Sender<Value>,
    /// Counts up when all connections are to break.
    broken: watch::Sender<u32>,
    acceptor: Mutex<(TlsAcceptor, Fingerprint)>,
}

/// A running device; it ends when this is dropped.
pub struct FakeDevice {
    inner: Arc<Inner>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for FakeDevice {
    fn drop(&mut self) {
        self.accepting.abort();
        self.break_connections();
    }
}

fn certificate() -> io::Result<(TlsAcceptor, Fingerprint)> {
    let made = rcgen::generate_simple_self_signed(["pikvm.example".to_owned()]).map_err(io::Error::other)?;
    let der = made.cert.der().clone();
    let fingerprint = Fingerprint::of(&der);
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![der], key)
        .map_err(io::Error::other)?;
    Ok((TlsAcceptor::from(Arc::new(config)), fingerprint))
}

impl Inner {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all clients that a part changed.
    pub(crate) fn changed(&self, part: &str) {
        let (value, fork) = {
            let world = self.world();
            (world.part(part), world.options.faults.fork)
        };
        let name = if fork { format!("{part}_state") } else { part.to_owned() };
        self.events.send(json!({"event_type": name, "event": value})).ok();
    }
}

impl FakeDevice {
    /// On a free port of the loopback.
    ///
    /// # Errors
    /// No port, or no certificate.
    pub async fn start(options: FakeOptions) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            world: Mutex::new(World::new(options)),
            events: broadcast::Sender::new(EVENTS_MAX),
            broken: watch::Sender::new(0),
            acceptor: Mutex::new(certificate()?),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(Arc::clone(&inner), listener));
        Ok(Self { inner, address, accepting })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.inner.acceptor.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// It has another certificate from now on.
    ///
    /// # Errors
    /// None can be made.
    pub fn change_certificate(&self) -> io::Result<()> {
        *self.inner.acceptor.lock().unwrap_or_else(PoisonError::into_inner) = certificate()?;
        Ok(())
    }

    /// What it knows: to be looked at, and changed.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.inner.world()
    }

    /// All connections end, as when its service restarts.
    pub fn break_connections(&self) {
        self.inner.broken.send_modify(|turn| *turn += 1);
    }

    /// Tells all clients that a part of [`Self::world`] changed.
    pub fn changed(&self, part: &str) {
        self.inner.changed(part);
    }

    /// Sends an event as it is.
    pub fn tell(&self, kind: &str, event: &Value) {
        self.inner.events.send(json!({"event_type": kind, "event": event})).ok();
    }
}

async fn accept(inner: Arc<Inner>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let inner = Arc::clone(&inner);
        let acceptor = inner.acceptor.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        let mut broken = inner.broken.subscribe();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| routes::answer(Arc::clone(&inner), request));
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
            tokio::select! {
                _ = serving => {}
                _ = broken.changed() => {}
            }
        });
    }
}
