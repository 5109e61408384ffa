//! Opening sessions: dialling through the host, then each protocol's own handshake, all within bounds.

use crate::CONNECT_TIME_MAX;
use crate::command::{Bye, Command};
use crate::files::DrivePlace;
use crate::recording::Recordings;
use crate::registry::Counters;
use crate::rules::Rules;
use crate::target::{Dialler, Introduction, Protocol, Questions, RdpGateway, RdpKerberos, ShellTarget, Stream, Target};
use async_trait::async_trait;
use oriel_model::{ConnectionId, DesktopId, GuestPort, UserId};
use oriel_physical::PhysicalOptions;
use oriel_pin::Keeper;
use oriel_rdp::drive::Drive;
use oriel_rdp::{ClipboardFiles, Continuation, Devices, KerberosOptions, OfferedDrive, Pipeline, RdpOptions};
use oriel_screen::wire::VideoAbility;
use oriel_screen::{ByeCode, Monitors, Source};
use oriel_spice::SpiceOptions;
use oriel_stream::Way;
use oriel_terminal::ssh::{Ask, SHELL_WINDOW_BYTES};
use oriel_terminal::{Connection, FilesError, KubernetesOptions, Shell, TerminalError, kubernetes, serial, telnet};
use oriel_vnc::VncOptions;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
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
    /// Laid down when the machine was dialled.
    pub rules: Arc<Rules>,
    /// The folder of an RDP session.
    pub drive: Arc<DrivePlace>,
}

impl Task {
    /// The connection, to its end.
    pub async fn run(self) {
        match self.port {
            GuestPort::Ssh => crate::terminal_task::run(self).await,
            GuestPort::Rdp | GuestPort::Console => crate::screen_task::run(self).await,
        }
    }
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

pub(crate) fn too_late() -> Bye {
    Bye::new(
        ByeCode::Unreachable,
        format!(
            "the machine did not answer within {} seconds; it may be overloaded or still starting",
            CONNECT_TIME_MAX.as_secs()
        ),
    )
}

/// Dials, and lays the machine's rules down.
pub(crate) async fn dial_by(
    dialler: &dyn Dialler,
    desktop: DesktopId,
    port: GuestPort,
    rules: &Rules,
) -> Result<Target, Bye> {
    let target = dial(dialler, desktop, port).await?;
    rules.lay_down(target.policy.clone());
    Ok(target)
}

pub(crate) async fn dial(dialler: &dyn Dialler, desktop: DesktopId, port: GuestPort) -> Result<Target, Bye> {
    match timeout(CONNECT_TIME_MAX, dialler.dial(desktop, port)).await {
        Ok(Ok(target)) => Ok(target),
        Ok(Err(error)) => Err(Bye::new(error.code, error.text)),
        Err(_) => Err(too_late()),
    }
}

/// Dials where the machine redirects its connections.
pub(crate) async fn dial_at(
    dialler: &dyn Dialler,
    desktop: DesktopId,
    port: GuestPort,
    rules: &Rules,
    host: &str,
) -> Result<Target, Bye> {
    match timeout(CONNECT_TIME_MAX, dialler.dial_other(desktop, port, host)).await {
        Ok(Ok(target)) => {
            rules.lay_down(target.policy.clone());
            Ok(target)
        }
        Ok(Err(error)) => Err(Bye::new(error.code, error.text)),
        Err(_) => Err(too_late()),
    }
}

/// Dials where the machine sent an earlier connection on to, or the machine itself.
pub(crate) async fn dial_on(
    dialler: &dyn Dialler,
    desktop: DesktopId,
    port: GuestPort,
    rules: &Rules,
    continuation: &Continuation,
) -> Result<Target, Bye> {
    let mut last = None;
    for host in continuation.hosts() {
        match dial_at(dialler, desktop, port, rules, &host).await {
            Ok(target) => return Ok(target),
            Err(bye) => last = Some(bye),
        }
    }
    match last {
        Some(bye) => Err(bye),
        None => dial_by(dialler, desktop, port, rules).await,
    }
}

/// Wakes a machine that sleeps: once. `None` when there is nothing to wait for.
pub(crate) async fn wake(dialler: &dyn Dialler, desktop: DesktopId, port: GuestPort) -> Result<Option<Duration>, Bye> {
    match timeout(CONNECT_TIME_MAX, dialler.wake(desktop, port)).await {
        Ok(Ok(seconds)) => Ok(seconds.map(|seconds| Duration::from_secs(seconds.into()))),
        Ok(Err(error)) => Err(Bye::new(error.code, error.text)),
        Err(_) => Err(too_late()),
    }
}

pub(crate) const WAKING: &str = "waking the machine…";

pub(crate) fn asleep(after: Duration) -> Bye {
    let text = format!(
        "the machine did not wake up within {} seconds; try again in a moment, or have an administrator check it",
        after.as_secs()
    );
    Bye::new(ByeCode::Unreachable, text)
}

/// The way to a machine, to go there again, and to those who keep who it is.
pub(crate) struct Door {
    pub dialler: Arc<dyn Dialler>,
    pub desktop: DesktopId,
    pub port: GuestPort,
}

impl Door {
    pub fn keeper(&self) -> Arc<dyn Keeper> {
        Arc::new(Introduction { dialler: Arc::clone(&self.dialler), desktop: self.desktop, port: self.port })
    }

    fn kerberos(&self, account: RdpKerberos) -> KerberosOptions {
        let kdc = Questions { dialler: Arc::clone(&self.dialler), desktop: self.desktop };
        KerberosOptions { account, kdc: Arc::new(kdc) }
    }

    /// One without WebSockets takes two connections.
    pub fn through(&self, gateway: RdpGateway) -> RdpGateway {
        RdpGateway { way: Some(Arc::new(self.again())), ..gateway }
    }

    fn again(&self) -> Again {
        Again(Self { dialler: Arc::clone(&self.dialler), desktop: self.desktop, port: self.port })
    }
}

/// Goes to the same machine again, for protocols with several connections.
struct Again(Door);

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Again").field("desktop", &self.0.desktop).finish_non_exhaustive()
    }
}

#[async_trait]
impl Way for Again {
    async fn open(&self) -> Result<Box<dyn Stream>, String> {
        let target = dial(&*self.0.dialler, self.0.desktop, self.0.port).await.map_err(|bye| bye.text)?;
        Ok(target.stream)
    }
}

/// For a window of this width, height and scale, or for several.
pub(crate) async fn screen(
    target: Target,
    door: &Door,
    ((width, height, scale), monitors): ((u16, u16, u16), Option<Monitors>),
    layout: String,
    video: VideoAbility,
    (drive, continuation): (Drive, Continuation),
) -> Result<ScreenSession, Bye> {
    let Target { stream, protocol, policy, .. } = target;
    let connecting = async {
        match protocol {
            Protocol::Rdp(target) => {
                // Monitors have their sizes already, and the desktop is the box around them.
                let (width, height) = if monitors.is_some() { (width, height) } else { desktop_size(width, height) };
                drive.lock().offer_prints(policy.printing);
                let options = RdpOptions {
                    user: target.user,
                    password: target.password,
                    domain: target.domain,
                    width,
                    height,
                    scale,
                    monitors,
                    keyboard: if layout.is_empty() { target.keyboard } else { layout },
                    certificate: target.certificate,
                    keeper: Some(door.keeper()),
                    security: target.security,
                    kerberos: target.kerberos.map(|account| door.kerberos(account)),
                    client_name: target.client_name,
                    pipeline: match (target.graphics, video) {
                        (false, _) => Pipeline::Off,
                        (true, VideoAbility::None) => Pipeline::Pixels,
                        (true, VideoAbility::H264) => Pipeline::Video,
                        (true, VideoAbility::H264Full) => Pipeline::FullVideo,
                    },
                    devices: Devices {
                        sound: target.devices.sound && policy.sound,
                        clipboard: target.devices.clipboard
                            && (policy.clipboard.to_machine || policy.clipboard.to_person),
                        drive: target.devices.drive
                            && (policy.files.upload || policy.files.download || policy.printing),
                        microphone: target.devices.microphone && crate::rules::may_be_heard(&policy),
                    },
                    // What the machine writes there the person may have.
                    drive: Some(OfferedDrive {
                        drive,
                        writable: policy.files.download,
                        clipboard: ClipboardFiles {
                            to_machine: policy.clipboard.to_machine && policy.files.upload && !policy.view_only,
                            to_person: policy.clipboard.to_person && policy.files.download,
                        },
                    }),
                    session: target.session,
                    gateway: target.gateway.map(|gateway| door.through(gateway)),
                    continuation,
                };
                rdp(stream, options, door).await
            }
            Protocol::Vnc(options) => {
                let options = VncOptions { audio: policy.sound, keeper: Some(door.keeper()), ..*options };
                vnc(stream, options, door).await
            }
            Protocol::Spice(options) => {
                let (keeper, size) = (Some(door.keeper()), (width, height));
                let options = SpiceOptions { audio: policy.sound, keeper, size, ..*options };
                let opened = oriel_spice::connect(stream, options, Arc::new(door.again())).await;
                let session = opened.map_err(|error| spice_bye(&error))?;
                Ok(ScreenSession { stream: Box::new(session.stream), source: Box::new(session.source) })
            }
            Protocol::Physical(options) => {
                let options = PhysicalOptions { keeper: Some(door.keeper()), h264: video.has_video(), ..*options };
                let opened = oriel_physical::connect(stream, options, Arc::new(door.again()), unix_seconds).await;
                let session = opened.map_err(|error| physical_bye(&error))?;
                Ok(ScreenSession { stream: Box::new(session.stream), source: Box::new(session.source) })
            }
            Protocol::Shell(_) => Err(Bye::new(ByeCode::Internal, "a shell is not a screen")),
        }
    };
    timeout(CONNECT_TIME_MAX, connecting).await.map_err(|_| too_late())?
}

/// A machine may send the connection on, a few times, and may not take Kerberos where NTLM will do.
async fn rdp(mut stream: Box<dyn Stream>, mut options: RdpOptions, door: &Door) -> Result<ScreenSession, Bye> {
    loop {
        match oriel_rdp::connect(stream, options.clone()).await {
            Err(oriel_rdp::ConnectError::SentOn) => {
                options.continuation.take_redirected();
                let (dialler, rules) = (&*door.dialler, Rules::default());
                let target = dial_on(dialler, door.desktop, door.port, &rules, &options.continuation).await?;
                stream = target.stream;
                if let Protocol::Rdp(rdp) = target.protocol {
                    // A gateway leads to the other machine now, which is a service of its own.
                    options.gateway = rdp.gateway.map(|gateway| door.through(gateway));
                    options.kerberos = rdp.kerberos.map(|account| door.kerberos(account));
                }
            }
            Err(oriel_rdp::ConnectError::Kerberos(error))
                if error.is_about_the_way() && options.kerberos.as_ref().is_some_and(|used| used.account.or_ntlm) =>
            {
                tracing::warn!(desktop = %door.desktop, %error, "Nobody can be signed in with Kerberos: NTLM is used");
                options.kerberos = None;
                let (dialler, rules) = (&*door.dialler, Rules::default());
                stream = dial_on(dialler, door.desktop, door.port, &rules, &options.continuation).await?.stream;
            }
            Err(error) => return Err(rdp_bye(error)),
            Ok((stream, source)) => {
                return Ok(ScreenSession { stream: Box::new(stream), source: Box::new(source) });
            }
        }
    }
}

/// A VNC server may lead us into a list of ways to sign in that holds none for us, and the protocol has no way back: then
/// it is dialled once more, and that list left out.
async fn vnc(stream: Box<dyn Stream>, mut options: VncOptions, door: &Door) -> Result<ScreenSession, Bye> {
    use oriel_vnc::ConnectError as E;
    let mut opened = oriel_vnc::connect(stream, &options).await;
    if let Err(E::VeNCryptUnusable { others: true, .. }) = opened {
        let target = dial(&*door.dialler, door.desktop, door.port).await?;
        options.without_vencrypt = true;
        opened = oriel_vnc::connect(target.stream, &options).await;
    }
    let session = opened.map_err(vnc_bye)?;
    Ok(ScreenSession { stream: Box::new(session.stream), source: Box::new(session.source) })
}

/// Signs in and opens the terminal. The caller bounds the time: a person may have to answer first.
pub(crate) async fn shell(target: Target, door: &Door, columns: u16, rows: u16, ask: Ask) -> Result<Shell, Bye> {
    let Some(way) = target.protocol.into_shell() else {
        return Err(Bye::new(ByeCode::Internal, "a screen is not a shell"));
    };
    let opened = match way {
        ShellTarget::Ssh { mut ssh, mut shell, .. } => {
            (ssh.ask, ssh.keeper) = (Some(ask), Some(door.keeper()));
            (shell.columns, shell.rows) = (columns, rows);
            async { Connection::open(target.stream, &ssh, SHELL_WINDOW_BYTES).await?.shell(&shell).await }.await
        }
        ShellTarget::Telnet(options) => {
            let options = oriel_terminal::TelnetOptions { columns, rows, ..options };
            telnet::connect(target.stream, options).await
        }
        ShellTarget::Kubernetes(options) => {
            let keeper = Some(door.keeper());
            kubernetes::connect(target.stream, KubernetesOptions { columns, rows, keeper, ..*options }).await
        }
        ShellTarget::Serial { backspace } => serial::connect(target.stream, backspace).await,
    };
    opened.map_err(|error| terminal_bye(&error))
}

pub(crate) fn physical_bye(error: &oriel_physical::DeviceError) -> Bye {
    Bye::new(error.bye_code(), error.to_string())
}

/// For codes that change with time.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

pub(crate) fn vnc_bye(error: oriel_vnc::ConnectError) -> Bye {
    Bye::new(error.bye_code(), error.to_string())
}

pub(crate) fn spice_bye(error: &oriel_spice::ConnectError) -> Bye {
    Bye::new(error.bye_code(), error.to_string())
}

pub(crate) fn rdp_bye(error: oriel_rdp::ConnectError) -> Bye {
    use oriel_rdp::ConnectError as E;
    let code = match &error {
        E::Unreachable(_) | E::TimedOut { .. } | E::Gateway(_) => ByeCode::Unreachable,
        E::CertificateChanged { .. } | E::GatewayChanged { .. } | E::IdentityNotKept(_) => ByeCode::IdentityChanged,
        E::CredentialsRefused(_) | E::GatewayRefused(_) => ByeCode::CredentialsRefused,
        E::Kerberos(error) if error.is_unreachable() => ByeCode::Unreachable,
        E::Kerberos(error) if error.is_about_the_account() => ByeCode::CredentialsRefused,
        E::SecurityRefused(_) | E::Kerberos(_) | E::NoRemoteApps | E::Redirected | E::SentOn | E::Protocol { .. } => {
            ByeCode::Protocol
        }
    };
    Bye::new(code, error.to_string())
}

pub(crate) fn terminal_bye(error: &TerminalError) -> Bye {
    let code = match error {
        TerminalError::Jump { error, .. } => terminal_bye(error).code,
        TerminalError::Unreachable { .. } | TerminalError::NoWayOn { .. } | TerminalError::TelnetBroken(_) => {
            ByeCode::Unreachable
        }
        TerminalError::ClusterUnreachable(_) | TerminalError::SerialRefused(_) => ByeCode::Unreachable,
        TerminalError::HostKeyChanged { .. }
        | TerminalError::CertificateChanged { .. }
        | TerminalError::HostKeyNotKept(_) => ByeCode::IdentityChanged,
        TerminalError::CredentialsRefused { .. }
        | TerminalError::LoginRefused { .. }
        | TerminalError::ClusterUnknown(_)
        | TerminalError::ClusterForbids(_)
        | TerminalError::Unanswered { .. } => ByeCode::CredentialsRefused,
        _ => ByeCode::Protocol,
    };
    Bye::new(code, error.to_string())
}

/// As a [`DialError`](crate::DialError) for who asks for files.
pub(crate) fn files_error(bye: Bye) -> FilesError {
    FilesError::NotThere(bye.text)
}
