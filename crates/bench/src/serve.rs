//! The gateway behind a WebSocket, as `oriel serve` has it, with one VNC server as every desktop.

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
use oriel_gateway::{DialError, Dialler, Gateway, Protocol, Target, ViewerRequest};
use oriel_model::{DesktopId, GuestPort, UserId};
use oriel_screen::ByeCode;
use std::net::SocketAddr;
use std::path::Path as Folder;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

struct OneServer(SocketAddr);

#[async_trait]
impl Dialler for OneServer {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let refused = |error: std::io::Error| DialError { code: ByeCode::Unreachable, text: error.to_string() };
        let stream = TcpStream::connect(self.0).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let protocol = Protocol::Vnc { password: None, nearby: true };
        Ok(Target { title: "bench".into(), stream: Box::new(stream), protocol })
    }
}

/// Prints its port and serves until it is killed. Each viewer is a person of their own.
#[expect(clippy::print_stdout, reason = "the parent reads the port")]
pub(crate) async fn run(vnc: SocketAddr, record: Option<&Folder>) -> Result<()> {
    let dialler = Arc::new(OneServer(vnc));
    let gateway = match record {
        Some(folder) => Gateway::recording(dialler, Arc::new(Shelf::new(folder)?)),
        None => Gateway::new(dialler),
    };
    let routes = Router::new().route("/{viewer}", any(upgrade)).with_state(gateway);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn upgrade(State(gateway): State<Gateway>, Path(_): Path<u32>, upgrade: WebSocketUpgrade) -> Response {
    let request =
        ViewerRequest { user: UserId::new(), desktop: DesktopId::new(), port: GuestPort::Console, resume: None };
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
