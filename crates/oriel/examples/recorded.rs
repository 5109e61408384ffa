//! Oriel's own pages, API, broker, gateway and recordings, whose one desktop is a VNC, an RDP and an SSH server of this
//! machine: for the tests of recordings in a real browser (`web/src/viewer/testing/recorded.browser.ts`).
//!
//! Prints a line of JSON, `{"url","person","admin","password","desktop"}`, and serves until it is killed.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool of tests")]

#[path = "../tests/recording/world.rs"]
mod world;

use async_trait::async_trait;
use clap::Parser;
use futures::FutureExt as _;
use oriel_broker::{NewUser, PoolChange};
use oriel_gateway::terminal::{Credentials, HostKeyPin, ShellOptions, SshOptions};
use oriel_gateway::{DialError, Dialler, Fingerprint, Gateway, HostPin, Protocol, RdpTarget, Target};
use oriel_model::{DesktopId, GuestPort, RecordingPolicy, Role, SessionPolicy};
use oriel_server::Door;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PASSWORD: &str = "seven green lamps in a row";

#[derive(Parser)]
struct Arguments {
    /// Folder for everything that is kept
    #[arg(long)]
    data: PathBuf,
    /// off, always or ask
    #[arg(long)]
    recording: RecordingPolicy,
    #[command(flatten)]
    machine: Machine,
}

#[derive(Clone, clap::Args)]
struct Machine {
    /// Port of the VNC server
    #[arg(long)]
    vnc: u16,
    /// Port of the RDP server
    #[arg(long)]
    rdp: Option<u16>,
    /// SHA-256 of its certificate, in hexadecimal
    #[arg(long, default_value = "")]
    rdp_pin: String,
    /// Whom to sign in there
    #[arg(long, default_value = "anna")]
    rdp_user: String,
    #[arg(long, default_value = "unused")]
    rdp_password: String,
    /// Port of the SSH server
    #[arg(long)]
    ssh: u16,
    /// Whom to sign in there
    #[arg(long)]
    ssh_user: String,
    /// File with the key to sign in with
    #[arg(long)]
    ssh_key: PathBuf,
    /// What to run there
    #[arg(long)]
    command: String,
    /// What people may do, as `oriel pool set --policy` has it
    #[arg(long, default_value = "default")]
    policy: SessionPolicy,
}

#[async_trait]
impl Dialler for Machine {
    async fn dial(&self, _: DesktopId, port: GuestPort) -> Result<Target, DialError> {
        let at = match port {
            GuestPort::Ssh => self.ssh,
            GuestPort::Rdp => self.rdp.unwrap(),
            GuestPort::Console => self.vnc,
        };
        let stream = TcpStream::connect(("127.0.0.1", at)).await.unwrap();
        let protocol = match port {
            GuestPort::Ssh => self.shell(),
            GuestPort::Rdp => {
                let password = self.rdp_password.clone().into();
                Protocol::Rdp(Box::new(RdpTarget::new(self.rdp_user.clone(), password, pin(&self.rdp_pin))))
            }
            GuestPort::Console => Protocol::console(),
        };
        Ok(Target { title: "lab-1".into(), stream: Box::new(stream), protocol, policy: self.policy.clone() })
    }
}

impl Machine {
    fn shell(&self) -> Protocol {
        let key = std::fs::read_to_string(&self.ssh_key).unwrap();
        Protocol::ssh(
            SshOptions::new(Credentials::key(self.ssh_user.clone(), key.into()), HostKeyPin::FirstUse),
            ShellOptions { command: Some(self.command.clone()), ..ShellOptions::default() },
        )
    }
}

fn pin(hex: &str) -> HostPin {
    HostPin::Sha256(hex.parse::<Fingerprint>().unwrap().0)
}

fn main() -> ExitCode {
    // A session's process is this program again.
    if std::env::args().nth(1).as_deref() == Some(oriel_worker::COMMAND) {
        return oriel_worker::run();
    }
    tokio::runtime::Runtime::new().unwrap().block_on(serve());
    ExitCode::SUCCESS
}

async fn serve() {
    // Fails only when a provider is installed already.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let Arguments { data, recording, machine } = Arguments::parse();
    let (store, broker) = world::broker(&data).await;
    let (anna, desktop) = world::desktop(&store, &broker, recording, PASSWORD).await;
    let root = NewUser { name: "root".into(), role: Role::Admin, password: Some(PASSWORD.into()) };
    let (root, _) = broker.create_user(root).await.unwrap();
    let vera = NewUser { name: "vera".into(), role: Role::Auditor, password: Some(PASSWORD.into()) };
    broker.create_user(vera).await.unwrap();
    let change = PoolChange { policy: Some(machine.policy.clone()), ..PoolChange::default() };
    broker.change_pool(desktop.pool, change).await.unwrap();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    broker.start_reconcilers(&stop, &tasks);
    let gateway = Gateway::with_workers(Arc::new(machine), oriel_worker::program("warn", false).unwrap());
    gateway.set_recordings(Arc::new(world::Shelf(broker.clone())));
    let router = oriel_server::router(broker, gateway, Arc::new(|| async { Vec::new() }.boxed()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let plan = serde_json::json!({
        "url": url, "person": anna.name, "admin": root.name, "password": PASSWORD, "desktop": desktop.id.to_string(),
    });
    println!("{plan}");
    oriel_server::serve_door(Door::Tcp { listener, tls: None }, router, stop, tasks).await;
}
