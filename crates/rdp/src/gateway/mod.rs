//! The way to a machine through an RD Gateway (MS-TSGU, its HTTP transport): from a stream to the gateway to one to the machine behind it.
//!
//! ```text
//!  stream ─▶ TLS + pin ─▶ HTTP: NTLM or Basic, upgrade ─▶ Tunnel: handshake, tunnel, authorization, channel ─▶ Carried: RDP's bytes
//!                             │ no WebSockets: OUT
//!            way ─▶ TLS + the same pin ─▶ HTTP: IN ─▶ Both: one stream of the two
//! ```
//!
//! Where the gateway, or what is in front of it, has no WebSockets, the packets go over two connections: down in the answer to one request,
//! and up in another request.
//!
//! IronRDP's client of it (`ironrdp-mstsgu` 0.1) dials by itself, by what the environment says of proxies, and trusts who signed a
//! certificate: here the streams are given, and a pin holds. RPC over HTTP is not spoken.

mod both;
mod carried;
mod channels;
mod http;
mod ntlm;
mod packets;
mod tunnel;
mod websocket;

use crate::connect::Stream;
use crate::error::ConnectError;
use both::Both;
use carried::Carried;
use channels::Channels;
use http::Upgraded;
use oriel_pin::{Fingerprint, HostPin, Keeper, tls};
use oriel_stream::Way;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::client::TlsStream;
use tunnel::{Transport, Tunnel};
use websocket::WebSocket;

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
    /// To the gateway again: without WebSockets it takes two connections. Where there is none, only WebSockets are spoken.
    #[serde(skip)]
    pub way: Option<Arc<dyn Way>>,
}

/// A connection to the gateway that nobody can listen to.
type Secured = TlsStream<Box<dyn Stream>>;

/// Opens the way. `client_name` is what the gateway's list of connections shows. The caller bounds the time.
///
/// # Errors
/// The gateway is another one, refuses, or does not speak its protocol; all are told apart from what the machine behind it does.
pub(crate) async fn open(
    stream: Box<dyn Stream>,
    options: &GatewayOptions,
    client_name: &str,
    keeper: Option<&dyn Keeper>,
) -> Result<Carried<Box<dyn Stream>>, ConnectError> {
    let (mut stream, seen) = secure(stream, options.certificate).await?;
    if let (HostPin::FirstUse, Some(keeper)) = (options.certificate, keeper) {
        // The first machine on the way.
        keeper.met(1, &seen.to_string()).await.map_err(ConnectError::IdentityNotKept)?;
    }
    let tunnel = |transport| Tunnel::new(transport, &options.host, options.port, client_name);
    let mut connection = http::connection_id();
    let upgraded = http::upgrade(&mut stream, options, &connection).await?;
    let (down, body) = match upgraded {
        Upgraded::WebSocket => {
            return lead(Box::new(stream), tunnel(Transport::WebSocket(WebSocket::default()))).await;
        }
        Upgraded::Out(body) => (stream, body),
        Upgraded::Not(status) => {
            tracing::info!(status, "The RD Gateway has no WebSockets: its two channels are asked for");
            // Whoever refused may have made anything of the connection, and of its number.
            drop(stream);
            connection = http::connection_id();
            let mut stream = again(options, seen).await?;
            let body = http::out_channel(&mut stream, options, &connection).await?;
            (stream, body)
        }
    };
    let mut up = again(options, seen).await?;
    http::in_channel(&mut up, options, &connection).await?;
    let both = Both::new(Box::new(down), Box::new(up));
    lead(Box::new(both), tunnel(Transport::Channels(Channels::new(body)))).await
}

async fn secure(stream: Box<dyn Stream>, pin: HostPin) -> Result<(Secured, Fingerprint), ConnectError> {
    tls::begin(stream, pin).await.map_err(|error| match error {
        tls::TlsError::Changed { expected, seen } => ConnectError::GatewayChanged { expected, seen },
        tls::TlsError::Failed(what) => ConnectError::Gateway(format!("TLS failed ({what})")),
    })
}

/// One more connection to the same gateway, as the first has shown itself.
async fn again(options: &GatewayOptions, seen: Fingerprint) -> Result<Secured, ConnectError> {
    let Some(way) = &options.way else {
        return Err(ConnectError::Gateway("it takes two connections, and there is one".to_owned()));
    };
    let dialled = way.open().await;
    let stream = dialled.map_err(|why| ConnectError::Gateway(format!("it was not reached a second time: {why}")))?;
    let (stream, _) = secure(Box::new(stream), HostPin::Sha256(seen.0)).await?;
    Ok(stream)
}

/// Opens the way over what carries the packets.
async fn lead(mut stream: Box<dyn Stream>, mut tunnel: Tunnel) -> Result<Carried<Box<dyn Stream>>, ConnectError> {
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
