//! VNC: our own client for RFB 3.8 (RFC 6143 and the community's extensions), as an [`oriel_screen::Source`].
//!
//! Everything but [`connect`] is a machine without I/O: bytes in; bytes, events and pixels out. The remote side is not
//! trusted: every list and size is checked against a named limit, pixels are painted as they arrive (a rectangle is never
//! held in memory), and compressed data is inflated in small pieces that must fit their rectangle.
//!
//! ```text
//!             ┌────────────┐  Established   ┌─────────────────────────────────────────────────────────┐
//! bytes ────▶ │ Handshake  │ ─────────────▶ │ VncSource                                               │
//!             └────────────┘                │  Message ─▶ Update ─▶ Rect(Decoder) ─▶ Update ─▶ Message│
//!                                           │     └─────────▶ Collect / Skip ─────────────▲           │
//!                                           └─────────────────────────────────────────────────────────┘
//! ```

mod auth;
mod clipboard;
mod cursor;
mod decode;
pub mod encodings;
mod error;
mod handshake;
mod hextile;
mod inflate;
mod input;
mod keysym;
mod reader;
mod rre;
mod source;
mod tight;
mod tiles;
mod update;
mod write;

pub use error::ConnectError;
pub use handshake::{Established, Handshake};
pub use source::VncSource;

use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest screen name that is accepted, in bytes.
pub const NAME_BYTES_MAX: u32 = 4096;
/// Longest reason for a refusal that is read, in bytes.
pub const REASON_BYTES_MAX: u32 = 4096;

/// How to talk to the server.
#[derive(Clone, Debug, Default)]
pub struct VncOptions {
    /// For VNC authentication; only its first eight bytes count, by the protocol's design.
    pub password: Option<SecretString>,
    /// The server is on this machine (loopback or unix socket): cheap encodings are better than small ones.
    pub nearby: bool,
}

/// Opens an RFB session: version, security, initialisation, then the session's first requests. Reads exactly the bytes
/// that belong to the handshake. The caller bounds the time.
///
/// # Errors
/// [`ConnectError`] tells an unreachable server from refused credentials and from a broken protocol.
pub async fn connect<S>(stream: &mut S, options: &VncOptions) -> Result<VncSource, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    connect_with_encodings(stream, options, encodings::wanted(options.nearby)).await
}

/// As [`connect`], with the encodings to announce in order of preference (see [`encodings`]): tests make a server use
/// one encoding this way.
pub async fn connect_with_encodings<S>(
    stream: &mut S,
    options: &VncOptions,
    wanted: &[i32],
) -> Result<VncSource, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut handshake = Handshake::new(options.password.clone());
    let mut out = Vec::new();
    let mut buffer = Vec::new();
    let established = loop {
        buffer.resize(handshake.need(), 0);
        stream.read_exact(&mut buffer).await.map_err(ConnectError::Lost)?;
        let established = handshake.feed(&buffer, &mut out)?;
        stream.write_all(&out).await.map_err(ConnectError::Lost)?;
        stream.flush().await.map_err(ConnectError::Lost)?;
        out.clear();
        if let Some(established) = established {
            break established;
        }
    };
    let source = VncSource::new(established, wanted, &mut out)?;
    stream.write_all(&out).await.map_err(ConnectError::Lost)?;
    stream.flush().await.map_err(ConnectError::Lost)?;
    Ok(source)
}
