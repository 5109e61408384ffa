//! TLS on loopback before what a fake answers: a certificate of its own, which may change, and connections that break when they are told to.

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use oriel_pin::Fingerprint;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

struct Shared {
    acceptor: Mutex<(TlsAcceptor, Fingerprint)>,
    broken: watch::Sender<u32>,
}

impl Shared {
    fn acceptor(&self) -> MutexGuard<'_, (TlsAcceptor, Fingerprint)> {
        self.acceptor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It listens until this is dropped.
pub(super) struct Tls {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.accepting.abort();
        self.break_connections();
    }
}

impl Tls {
    /// On a free port of the loopback. `broken` counts up when all connections are to break.
    pub(super) async fn open<F, B>(
        broken: watch::Sender<u32>,
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
    {
        let shared = Arc::new(Shared { acceptor: Mutex::new(certificate()?), broken });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(Arc::clone(&shared), listener, answer));
        Ok(Self { shared, address, accepting })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.shared.acceptor().1
    }

    pub(super) fn change_certificate(&self) -> io::Result<()> {
        *self.shared.acceptor() = certificate()?;
        Ok(())
    }

    pub(super) fn break_connections(&self) {
        self.shared.broken.send_modify(|turn| *turn += 1);
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

async fn accept<F, B>(
    shared: Arc<Shared>,
    listener: TcpListener,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) where
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let answer = answer.clone();
        let acceptor = shared.acceptor().0.clone();
        let mut broken = shared.broken.subscribe();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let serving =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).with_upgrades();
            tokio::select! {
                _ = serving => {}
                _ = broken.changed() => {}
            }
        });
    }
}
