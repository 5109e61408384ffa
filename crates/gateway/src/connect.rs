//! Opening sessions: dialling through the host, then each protocol's own handshake, all within bounds.

use crate::CONNECT_TIME_MAX;
use crate::command::{Bye, Command};
use crate::recording::Recordings;
use crate::registry::Counters;
use crate::target::{Dialler, Protocol, Stream, Target};
use oriel_model::{ConnectionId, DesktopId, GuestPort, UserId};
use oriel_rdp::{CertificatePin, RdpOptions};
use oriel_screen::{ByeCode, Source};
use oriel_terminal::{Auth, HostKeyPin, Shell, SshOptions, TerminalError};
use oriel_vnc::VncOptions;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What a connection's task starts with.
pub(crate) struct Task {
    pub id: ConnectionId,
    pub user: UserId,
    pub desktop: DesktopId,
    pub port: GuestPort,
    pub recordings: Option<Arc<dyn Recordings>>,
    pub commands: mpsc::Receiver<Command>,
    pub dialler: Arc<dyn Dialler>,
    pub counters: Arc<Counters>,
}

/// A graphical session that is past its handshake.
pub(crate) struct ScreenSession {
    pub stream: Box<dyn Stream>,
    pub source: Box<dyn Source>,
}

/// The size asked of a remote desktop for a window: even, and within what servers take.
pub(crate) fn desktop_size(width: u16, height: u16) -> (u16, u16) {
    (width.clamp(640, 7680) & !3, height.clamp(400, 4320) & !1)
}

fn too_late() -> Bye {
    Bye::new(
        ByeCode::Unreachable,
        format!(
            "the machine did not answer within {} seconds; it may be overloaded or still starting",
            CONNECT_TIME_MAX.as_secs()
        ),
    )
}

pub(crate) async fn dial(dialler: &dyn Dialler, desktop: DesktopId, port: GuestPort) -> Result<Target, Bye> {
    match timeout(CONNECT_TIME_MAX, dialler.dial(desktop, port)).await {
        Ok(Ok(target)) => Ok(target),
        Ok(Err(error)) => Err(Bye::new(error.code, error.text)),
        Err(_) => Err(too_late()),
    }
}

pub(crate) async fn screen(
    target: Target,
    width: u16,
    height: u16,
    scale: u16,
    layout: String,
) -> Result<ScreenSession, Bye> {
    let Target { mut stream, protocol, .. } = target;
    let connecting = async {
        match protocol {
            Protocol::Rdp { user, password, certificate_sha256, keyboard } => {
                let (width, height) = desktop_size(width, height);
                let options = RdpOptions {
                    user,
                    password,
                    domain: None,
                    width,
                    height,
                    scale,
                    keyboard: if layout.is_empty() { keyboard } else { layout },
                    certificate: CertificatePin::Sha256(certificate_sha256),
                    client_name: "oriel".into(),
                };
                let (stream, source) = oriel_rdp::connect(stream, options).await.map_err(rdp_bye)?;
                Ok(ScreenSession { stream: Box::new(stream), source: Box::new(source) })
            }
            Protocol::Vnc { password, nearby } => {
                let options = VncOptions { password, nearby };
                let source = oriel_vnc::connect(&mut stream, &options)
                    .await
                    .map_err(|error| Bye::new(error.bye_code(), error.to_string()))?;
                Ok(ScreenSession { stream, source: Box::new(source) })
            }
            Protocol::Ssh { .. } => Err(Bye::new(ByeCode::Internal, "a shell is not a screen")),
        }
    };
    timeout(CONNECT_TIME_MAX, connecting).await.map_err(|_| too_late())?
}

pub(crate) async fn shell(target: Target, columns: u16, rows: u16) -> Result<Shell, Bye> {
    let Protocol::Ssh { user, key, host_key } = target.protocol else {
        return Err(Bye::new(ByeCode::Internal, "a screen is not a shell"));
    };
    let options = SshOptions {
        user,
        auth: Auth::Key { private_openssh: key, passphrase: None },
        host_key: HostKeyPin::Known(host_key),
        term: "xterm-256color".into(),
        columns,
        rows,
        locale: None,
        command: None,
    };
    match timeout(CONNECT_TIME_MAX, oriel_terminal::connect(target.stream, options)).await {
        Ok(Ok(shell)) => Ok(shell),
        Ok(Err(error)) => Err(ssh_bye(&error)),
        Err(_) => Err(too_late()),
    }
}

fn rdp_bye(error: oriel_rdp::ConnectError) -> Bye {
    use oriel_rdp::ConnectError as E;
    let code = match &error {
        E::Unreachable(_) | E::TimedOut { .. } => ByeCode::Unreachable,
        E::CertificateChanged { .. } => ByeCode::IdentityChanged,
        E::CredentialsRefused(_) => ByeCode::CredentialsRefused,
        E::SecurityRefused(_) | E::Redirected | E::Protocol { .. } => ByeCode::Protocol,
    };
    Bye::new(code, error.to_string())
}

fn ssh_bye(error: &TerminalError) -> Bye {
    let code = match error {
        TerminalError::Unreachable { .. } => ByeCode::Unreachable,
        TerminalError::HostKeyChanged { .. } => ByeCode::IdentityChanged,
        TerminalError::CredentialsRefused { .. } => ByeCode::CredentialsRefused,
        _ => ByeCode::Protocol,
    };
    Bye::new(code, error.to_string())
}
