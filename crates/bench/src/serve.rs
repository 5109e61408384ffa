//! The gateway behind a WebSocket, as `oriel serve` has it, with one server as every desktop.

use crate::record::Shelf;
use anyhow::Result;
use async_trait::async_trait;
use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use futures::{SinkExt, StreamExt, future};
use oriel_gateway::{DialError, Dialler, Gateway, HostPin, Protocol, RdpTarget, Target, ViewerRequest};
use oriel_model::{DesktopId, GuestPort, UserId};
use oriel_screen::ByeCode;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::Path as Folder;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// The one server.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Server {
    #[arg(long)]
    address: SocketAddr,
    /// It speaks RDP, with a certificate of this SHA-256 in hexadecimal; otherwise VNC
    #[arg(long)]
    rdp_pin: Option<String>,
}

impl Server {
    pub const fn vnc(address: SocketAddr) -> Self {
        Self { address, rdp_pin: None }
    }

    pub fn rdp(address: SocketAddr, pin: [u8; 32]) -> Self {
        let hex = pin.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Self { address, rdp_pin: Some(hex) }
    }

    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--address".to_owned(), self.address.to_string()];
        if let Some(pin) = &self.rdp_pin {
            arguments.extend(["--rdp-pin".to_owned(), pin.clone()]);
        }
        arguments
    }

    fn protocol(&self) -> Protocol {
        let Some(hex) = &self.rdp_pin else { return Protocol::console() };
        let mut certificate_sha256 = [0; 32];
        for (at, byte) in certificate_sha256.iter_mut().enumerate() {
            let pair = hex.get(at * 2..at * 2 + 2).unwrap_or_default();
            *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
        }
        Protocol::Rdp(Box::new(RdpTarget::new("bench", SecretString::default(), HostPin::Sha256(certificate_sha256))))
    }
}

#[async_trait]
impl Dialler for Server {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let refused = |error: std::io::Error| DialError { code: ByeCode::Unreachable, text: error.to_string() };
        let stream = TcpStream::connect(self.address).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        Ok(Target { title: "bench".into(), stream: Box::new(stream), protocol: self.protocol() })
    }
}

/// Prints its port and serves until it is killed. Each path is a person of their own.
#[expect(clippy::print_stdout, reason = "the parent reads the port")]
pub(crate) async fn run(server: Server, record: Option<&Folder>) -> Result<()> {
    let gateway = Gateway::with_workers(Arc::new(server), oriel_worker::program("error", false)?);
    if let Some(folder) = record {
        gateway.set_recordings(Arc::new(Shelf::new(folder)?));
    }
    let routes = Router::new().route("/{viewer}", any(upgrade)).with_state(gateway);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn upgrade(State(gateway): State<Gateway>, Path(person): Path<u32>, upgrade: WebSocketUpgrade) -> Response {
    let id = Uuid::from_u128(u128::from(person));
    let request = ViewerRequest { user: UserId(id), desktop: DesktopId(id), port: GuestPort::Console, resume: None };
    upgrade.write_buffer_size(0).on_upgrade(move |socket| async move {
        let (outgoing, incoming) = socket.split();
        let incoming = incoming.filter_map(|message| {
            future::ready(match message {
                Ok(Message::Binary(bytes)) => Some(bytes),
                _ => None,
            })
        });
        let outgoing = outgoing.with(|bytes| future::ready(Ok::<_, axum::Error>(Message::Binary(bytes))));
        gateway.attach(request, Box::pin(incoming), Box::pin(outgoing)).await;
    })
}
