//! The way to a machine through an RD Gateway (MS-TSGU, its HTTP transport over a WebSocket): from a stream to the gateway to one to the
//! machine behind it.
//!
//! ```text
//!  stream ─▶ TLS + pin ─▶ HTTP: NTLM or Basic, upgrade ─▶ Tunnel: handshake, tunnel, authorization, channel ─▶ Carried: RDP's bytes
//! ```
//!
//! IronRDP's client of it (`ironrdp-mstsgu` 0.1) dials by itself, by what the environment says of proxies, and trusts who signed a
//! certificate: here the stream is given, and a pin holds. The HTTP transport of two connections, for gateways without WebSockets, is
//! not spoken, nor is RPC over HTTP.

mod carried;
mod http;
mod ntlm;
mod packets;
mod tunnel;
mod websocket;

use crate::error::ConnectError;
use carried::Carried;
use oriel_pin::{HostPin, Keeper, tls};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::client::TlsStream;
use tunnel::Tunnel;

/// Of a tunnel's set-up, read at a time.
const CHUNK_BYTES: usize = 4096;

/// Where the gateway leads, and how one gets through it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GatewayOptions {
    /// What the gateway is called, for its HTTP server; its port where that is not 443.
    pub name: String,
    /// The machine behind it, as the gateway calls it.
    pub host: String,
    pub port: u16,
    /// The account on the gateway.
    pub user: String,
    #[serde(with = "oriel_model::carried")]
    pub password: SecretString,
    /// Windows domain of the account.
    pub domain: Option<String>,
    /// The certificate that the gateway must show.
    pub certificate: HostPin,
}

/// Opens the way. `client_name` is what the gateway's list of connections shows. The caller bounds the time.
///
/// # Errors
/// The gateway is another one, refuses, or does not speak its protocol; all are told apart from what the machine behind it does.
pub(crate) async fn open<S>(
    stream: S,
    options: &GatewayOptions,
    client_name: &str,
    keeper: Option<&dyn Keeper>,
) -> Result<Carried<TlsStream<S>>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut stream, seen) = tls::begin(stream, options.certificate).await.map_err(|error| match error {
        tls::TlsError::Changed { expected, seen } => ConnectError::GatewayChanged { expected, seen },
        tls::TlsError::Failed(what) => ConnectError::Gateway(format!("TLS failed ({what})")),
    })?;
    if let (HostPin::FirstUse, Some(keeper)) = (options.certificate, keeper) {
        // The first machine on the way.
        keeper.met(1, &seen.to_string()).await.map_err(ConnectError::IdentityNotKept)?;
    }
    http::upgrade(&mut stream, options).await?;
    let mut tunnel = Tunnel::new(&options.host, options.port, client_name);
    let mut chunk = vec![0; CHUNK_BYTES];
    let broken = |error: std::io::Error| ConnectError::Gateway(format!("the connection broke ({error})"));
    loop {
        stream.write_all(&tunnel.take_out()).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        if tunnel.is_open() {
            return Ok(Carried::new(stream, tunnel));
        }
        let count = stream.read(&mut chunk).await.map_err(broken)?;
        if count == 0 {
            return Err(ConnectError::Gateway("it closed the connection while the way was opened".to_owned()));
        }
        tunnel.receive(chunk.get(..count).unwrap_or_default())?;
    }
}

#[cfg(test)]
mod tests;
