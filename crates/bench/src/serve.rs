//! The gateway behind a WebSocket, as `oriel serve` has it, with a few servers as its desktops.

use crate::record::Shelf;
use crate::target::Account;
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use futures::{SinkExt, StreamExt, future};
use oriel_gateway::terminal::{Credentials, HostKeyPin, ShellOptions, SshOptions};
use oriel_gateway::{
    DialError, Dialler, Gateway, Guest, GuestKind, HostPin, PhysicalOptions, Protocol, RdpTarget, Target, ViewerRequest,
};
use oriel_model::{DesktopId, GuestPort, SessionPolicy, UserId};
use oriel_screen::ByeCode;
use oriel_vnc::VncOptions;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path as Folder, PathBuf};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// One server. It travels to the gateway's process as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Server {
    /// `own`: it was started here; into others goes who is named in the environment.
    Vnc {
        address: SocketAddr,
        own: bool,
    },
    Rdp {
        address: SocketAddr,
        pin: [u8; 32],
        own: bool,
    },
    /// `folder` has a private key `user` that lets in, and the server's `host.pub`; without it, it is somebody else's.
    Ssh {
        address: SocketAddr,
        folder: Option<PathBuf>,
        command: String,
    },
    /// Whoever is not person 0 comes to that one's connection.
    Device {
        address: SocketAddr,
        pin: [u8; 32],
    },
}

impl Server {
    pub const fn address(&self) -> SocketAddr {
        match self {
            Self::Vnc { address, .. }
            | Self::Rdp { address, .. }
            | Self::Ssh { address, .. }
            | Self::Device { address, .. } => *address,
        }
    }

    const fn port(&self) -> GuestPort {
        match self {
            Self::Vnc { .. } | Self::Device { .. } => GuestPort::Console,
            Self::Rdp { .. } => GuestPort::Rdp,
            Self::Ssh { .. } => GuestPort::Ssh,
        }
    }

    fn protocol(&self) -> Result<Protocol> {
        Ok(match self {
            Self::Vnc { own, .. } => Protocol::Vnc(Box::new(vnc_options(*own)?)),
            Self::Rdp { pin, own, .. } => {
                let (user, password) = rdp_account(*own)?;
                Protocol::Rdp(Box::new(RdpTarget::new(user, password, HostPin::Sha256(*pin))))
            }
            Self::Ssh { folder, command, .. } => {
                let shell = ShellOptions { command: Some(command.clone()), ..ShellOptions::default() };
                Protocol::ssh(ssh_options(folder.as_deref())?, shell)
            }
            Self::Device { address, pin } => Protocol::Physical(Box::new(PhysicalOptions {
                host: address.to_string(),
                user: "admin".to_owned(),
                password: "admin".into(),
                pin: HostPin::Sha256(*pin),
                ..PhysicalOptions::default()
            })),
        })
    }
}

/// How one signs in to a VNC server.
pub(crate) fn vnc_options(own: bool) -> Result<VncOptions> {
    let account = if own { Account::default() } else { Account::of_environment()? };
    Ok(VncOptions { nearby: true, user: account.user, password: account.password, ..VncOptions::default() })
}

/// Name and password of an RDP server.
pub(crate) fn rdp_account(own: bool) -> Result<(String, SecretString)> {
    let account = if own { Account::default() } else { Account::of_environment()? };
    Ok((account.user.unwrap_or_else(|| "bench".to_owned()), account.password.unwrap_or_default()))
}

/// How one signs in with what a [`Server::Ssh`]'s folder has, or with what is in the environment.
pub(crate) fn ssh_options(folder: Option<&Folder>) -> Result<SshOptions> {
    let Some(folder) = folder else {
        let Account { user, password, key } = Account::of_a_shell()?;
        let key = key.and_then(|private| Credentials::key("", private).key);
        let credentials = Credentials { user: user.unwrap_or_default(), key, password };
        return Ok(SshOptions::new(credentials, HostKeyPin::FirstUse));
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).with_context(|| format!("no {name}"));
    let credentials = Credentials::key(crate::sshd::user()?, read("user")?.into());
    Ok(SshOptions::new(credentials, HostKeyPin::Known(read("host.pub")?)))
}

/// Desktop ids say which server it is.
struct Servers(Vec<Server>);

impl Servers {
    fn of(&self, desktop: DesktopId) -> Option<&Server> {
        self.0.get((desktop.0.as_u128() >> 64) as usize)
    }
}

#[async_trait]
impl Dialler for Servers {
    async fn dial(&self, desktop: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let unreachable = |text: String| DialError { code: ByeCode::Unreachable, text };
        let server = self.of(desktop).ok_or_else(|| unreachable("there is no such server".to_owned()))?;
        let protocol = server.protocol().map_err(|error| unreachable(error.to_string()))?;
        let connected = TcpStream::connect(server.address()).await;
        let stream = connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let stream = Box::new(stream.map_err(|error| unreachable(error.to_string()))?);
        Ok(Target { title: "bench".into(), stream, protocol, policy: SessionPolicy::default() })
    }
}

/// Prints its port and serves until it is killed. `/SERVER/PERSON`: everybody has a connection of their own.
#[expect(clippy::print_stdout, reason = "the parent reads the port")]
pub(crate) async fn run(servers: &[String], record: Option<&Folder>) -> Result<()> {
    let servers = servers.iter().map(|server| serde_json::from_str(server)).collect::<Result<_, _>>()?;
    let servers = Arc::new(Servers(servers));
    let gateway =
        Gateway::with_workers(Arc::clone(&servers) as Arc<dyn Dialler>, oriel_worker::program("error", false)?);
    if let Some(folder) = record {
        gateway.set_recordings(Arc::new(Shelf::new(folder)?));
    }
    let routes = Router::new().route("/{server}/{person}", any(upgrade)).with_state((gateway, servers));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn upgrade(
    State((gateway, servers)): State<(Gateway, Arc<Servers>)>,
    Path((server, person)): Path<(u32, u32)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let of = |person: u32| DesktopId(Uuid::from_u128((u128::from(server) << 64) | u128::from(person)));
    let user = UserId(of(person).0);
    let looks_on = person > 0 && matches!(servers.of(of(person)), Some(Server::Device { .. }));
    let desktop = if looks_on { of(0) } else { of(person) };
    let open = gateway.connections().into_iter().find(|info| looks_on && info.connection.desktop == desktop);
    let guest = open.map(|info| Guest {
        connection: info.connection.id,
        name: person.to_string(),
        kind: GuestKind::Helper { ask: false },
        control: false,
        may_control: false,
    });
    let request = ViewerRequest {
        user,
        desktop,
        port: servers.of(desktop).map_or(GuestPort::Console, Server::port),
        person: String::new(),
        resume: None,
        guest,
        seat: None,
        app: None,
    };
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
