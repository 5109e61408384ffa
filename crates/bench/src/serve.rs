//! The gateway behind a WebSocket, as `oriel serve` has it, with one server as every desktop.

use anyhow::{Context, Result};
use async_trait::async_trait;
use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use futures::{SinkExt, StreamExt, future};
use oriel_gateway::terminal::{Credentials, HostKeyPin, ShellOptions, SshOptions};
use oriel_gateway::{DialError, Dialler, Gateway, Protocol, ShellTarget, Target, ViewerRequest};
use oriel_model::{DesktopId, GuestPort, UserId};
use oriel_screen::ByeCode;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// What every desktop is.
#[derive(Clone)]
pub(crate) enum Machine {
    Vnc(SocketAddr),
    Ssh { address: SocketAddr, user: String, key: SecretString, host_key: String, command: String },
}

impl Machine {
    pub fn new(
        vnc: Option<SocketAddr>,
        ssh: Option<SocketAddr>,
        keys: Option<PathBuf>,
        command: Option<String>,
    ) -> Result<Self> {
        if let (Some(address), Some(keys), Some(command)) = (ssh, keys, command) {
            let read = |name| std::fs::read_to_string(keys.join(name));
            let (user, key, host_key) = (crate::sshd::user()?, read("user")?.into(), read("host.pub")?);
            return Ok(Self::Ssh { address, user, key, host_key, command });
        }
        Ok(Self::Vnc(vnc.context("name a server: --vnc or --ssh")?))
    }

    const fn port(&self) -> GuestPort {
        match self {
            Self::Vnc(_) => GuestPort::Console,
            Self::Ssh { .. } => GuestPort::Ssh,
        }
    }
}

struct OneServer(Machine);

#[async_trait]
impl Dialler for OneServer {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let refused = |error: std::io::Error| DialError { code: ByeCode::Unreachable, text: error.to_string() };
        let (address, protocol) = match self.0.clone() {
            Machine::Vnc(address) => (address, Protocol::Vnc { password: None, nearby: true }),
            Machine::Ssh { address, user, key, host_key, command } => {
                let ssh = SshOptions::new(Credentials::key(user, key), HostKeyPin::Known(host_key));
                let shell = ShellOptions { command: Some(command), ..ShellOptions::default() };
                (address, Protocol::Shell(Box::new(ShellTarget::Ssh { ssh, shell, files_root: None })))
            }
        };
        let stream = TcpStream::connect(address).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        Ok(Target { title: "bench".into(), stream: Box::new(stream), protocol })
    }
}

/// Prints its port and serves until it is killed. Each viewer is a person of their own.
#[expect(clippy::print_stdout, reason = "the parent reads the port")]
pub(crate) async fn run(machine: Machine) -> Result<()> {
    let port = machine.port();
    let gateway = Gateway::new(Arc::new(OneServer(machine)));
    let routes = Router::new().route("/{viewer}", any(upgrade)).with_state((gateway, port));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn upgrade(
    State((gateway, port)): State<(Gateway, GuestPort)>,
    Path(_): Path<u32>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let request = ViewerRequest { user: UserId::new(), desktop: DesktopId::new(), port, resume: None };
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
