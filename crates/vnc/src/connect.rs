//! The only part that does network: the handshake over a stream, which TLS or sealing may wrap on the way.

use crate::{ConnectError, Handshake, Progress, Security, VncOptions, VncSource, encodings, seal::Sealed};
use oriel_pin::{Fingerprint, HostPin, tls};
use secrecy::SecretString;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::client::TlsStream;

/// The stream of an open session: as it was given, inside TLS (VeNCrypt) or sealed (RSA-AES).
pub struct VncStream<S>(Layer<S>);

enum Layer<S> {
    Bare(S),
    Tls(Box<TlsStream<S>>),
    Sealed(Box<Sealed<S>>),
}

/// An open session.
pub struct Session<S> {
    pub stream: VncStream<S>,
    pub source: VncSource,
    /// How we signed in.
    pub security: Security,
    /// What the server proved itself with; none with ways to sign in that prove nothing.
    pub identity: Option<Fingerprint>,
}

/// Opens an RFB session: version, security, initialisation, then the session's first requests. Takes no byte that comes
/// after the handshake. The caller bounds the time.
///
/// The stream may be one that we dialled, one that a server opened towards us (a reverse connection: the protocol is the
/// same from the first byte), or one to a repeater ([`VncOptions::repeater`]).
///
/// # Errors
/// [`ConnectError`] tells an unreachable server from refused credentials, from another server than the pinned one and
/// from a broken protocol.
pub async fn connect<S>(stream: S, options: &VncOptions) -> Result<Session<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    connect_with_encodings(stream, options, &encodings::announced(options)).await
}

/// As [`connect`], with the encodings to announce in order of preference (see [`encodings`]): tests make a server use
/// one encoding this way.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with_encodings<S>(
    stream: S,
    options: &VncOptions,
    wanted: &[i32],
) -> Result<Session<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut stream = VncStream(Layer::Bare(stream));
    let mut handshake = Handshake::new(options.clone());
    let (mut out, mut buffer) = (Vec::new(), Vec::new());
    let established = loop {
        buffer.resize(handshake.need(), 0);
        stream.read_exact(&mut buffer).await.map_err(ConnectError::Lost)?;
        let met = handshake.identity().is_some();
        let progress = handshake.feed(&buffer, &mut out)?;
        if !met && let Some(identity) = handshake.identity().filter(|_| handshake.security().proves_identity()) {
            introduce(options, identity).await?;
        }
        stream.send(&mut out).await?;
        stream = match (progress, stream.0) {
            (Progress::More, layer) => VncStream(layer),
            (Progress::Established(established), layer) => {
                stream = VncStream(layer);
                break established;
            }
            (Progress::StartTls, Layer::Bare(bare)) => {
                let (tls, identity) = tls::begin(bare, options.pin).await.map_err(|error| match error {
                    tls::TlsError::Changed { expected, seen } => ConnectError::IdentityChanged { expected, seen },
                    tls::TlsError::Failed(what) => ConnectError::Tls { what },
                })?;
                introduce(options, identity).await?;
                handshake.secured(identity, &mut out)?;
                let mut stream = VncStream(Layer::Tls(Box::new(tls)));
                stream.send(&mut out).await?;
                stream
            }
            (Progress::Seal(keys), Layer::Bare(bare)) => VncStream(Layer::Sealed(Box::new(Sealed::new(bare, *keys.0)))),
            // The handshake chooses one way to sign in and so never asks for a second layer.
            (Progress::StartTls | Progress::Seal(_), _) => {
                return Err(ConnectError::Protocol { what: String::from("encryption inside encryption") });
            }
        };
    };
    let source = VncSource::new(established, wanted, &mut out)?;
    stream.send(&mut out).await?;
    let (security, identity) = (handshake.security(), handshake.identity());
    tracing::debug!(?security, identity = ?identity, "Signed in to a VNC server");
    Ok(Session { stream, source, security, identity })
}

/// Says who the server is where nobody knows yet, before it is told who we are.
async fn introduce(options: &VncOptions, identity: Fingerprint) -> Result<(), ConnectError> {
    match (options.pin, &options.keeper) {
        (HostPin::FirstUse, Some(keeper)) => {
            keeper.met(0, &identity.to_string()).await.map_err(ConnectError::IdentityNotKept)
        }
        _ => Ok(()),
    }
}

/// What a server proves itself with, asked before anything is told to it: no user and no password is sent. None for
/// servers that prove nothing. The stream is used up.
///
/// # Errors
/// As [`connect`].
pub async fn identity<S>(stream: S, options: &VncOptions) -> Result<Option<Fingerprint>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    // Nobody has the SHA-256 of zeros: the handshake ends where an identity would be accepted, before any credential.
    let options = VncOptions {
        user: Some(String::new()),
        password: Some(SecretString::default()),
        pin: HostPin::Sha256([0; 32]),
        keeper: None,
        ..options.clone()
    };
    match connect(stream, &options).await {
        Err(ConnectError::IdentityChanged { seen, .. }) => Ok(Some(seen)),
        Err(ConnectError::IdentityMissing { .. } | ConnectError::VeNCryptUnusable { .. }) => Ok(None),
        Err(error) => Err(error),
        Ok(session) => Ok(session.identity),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> VncStream<S> {
    async fn send(&mut self, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        self.write_all(out).await.map_err(ConnectError::Lost)?;
        self.flush().await.map_err(ConnectError::Lost)?;
        out.clear();
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for VncStream<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Layer::Bare(stream) => Pin::new(stream).poll_read(context, buffer),
            Layer::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Layer::Sealed(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for VncStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Layer::Bare(stream) => Pin::new(stream).poll_write(context, bytes),
            Layer::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Layer::Sealed(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Layer::Bare(stream) => Pin::new(stream).poll_flush(context),
            Layer::Tls(stream) => Pin::new(stream).poll_flush(context),
            Layer::Sealed(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Layer::Bare(stream) => Pin::new(stream).poll_shutdown(context),
            Layer::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Layer::Sealed(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
