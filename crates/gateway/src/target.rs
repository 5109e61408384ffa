//! Where a connection leads, and how one gets in.

use crate::idle::IdleEnd;
use async_trait::async_trait;
use oriel_model::{AppId, DesktopId, GuestPort, SessionPolicy, UserId};
pub use oriel_physical::PhysicalOptions;
pub use oriel_pin::{Fingerprint, HostPin};
pub use oriel_rdp::{
    Devices, GatewayOptions as RdpGateway, KerberosAccount as RdpKerberos, Looks, Preconnection, Program, RemoteApp,
    Security as RdpSecurity, SessionOptions as RdpSession, TimeZone,
};
use oriel_screen::ByeCode;
pub use oriel_spice::SpiceOptions;
pub use oriel_stream::Stream;
use oriel_terminal::{Backspace, KubernetesOptions, ShellOptions, SshOptions, TelnetOptions};
pub use oriel_vnc::{Security as VncSecurity, SecurityPolicy as VncSecurityPolicy, VncOptions};
use secrecy::SecretString;
use std::fmt;
use std::sync::Arc;

/// Opens streams to desktops through their hosts; knows the credentials.
#[async_trait]
pub trait Dialler: Send + Sync {
    async fn dial(&self, desktop: DesktopId, port: GuestPort) -> Result<Target, DialError>;

    /// As [`Self::dial`], for one person: what they may do on the connection ([`Target::policy`]) may depend on who they are.
    async fn dial_for(&self, _: UserId, desktop: DesktopId, port: GuestPort) -> Result<Target, DialError> {
        self.dial(desktop, port).await
    }

    /// As [`Self::dial_for`], for a session that is one program of the desktop's pool.
    async fn dial_app(&self, _: UserId, _: AppId, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        Err(no_apps())
    }

    /// As [`Self::dial_app`], to where the machine redirects its connections.
    async fn dial_other_app(
        &self,
        _: (UserId, AppId),
        _: DesktopId,
        _: GuestPort,
        _host: &str,
    ) -> Result<Target, DialError> {
        Err(no_apps())
    }

    /// When a connection to the desktop that nobody touches is ended; `None`: never. Asked for each viewer of its owner.
    async fn idle_end(&self, _: DesktopId) -> Option<IdleEnd> {
        None
    }

    /// A machine that was dialled with nothing pinned showed who it is, and has proven it: the place to pin it from now on. Asked
    /// before the machine is told who we are. `identity` is a [`Fingerprint`] as text (RDP, VNC, SPICE) or an OpenSSH public key (SSH);
    /// `hop` is 0 for the machine itself and counts jump hosts from 1.
    ///
    /// # Errors
    /// The machine is not to be used.
    async fn met(&self, _: DesktopId, _: GuestPort, _hop: usize, _identity: &str) -> Result<(), DialError> {
        Ok(())
    }

    /// Asks a KDC for whoever signs in to the desktop. `question` is an envelope of `oriel_kerberos` as it is written, and so is the answer.
    /// The asked bounds the time.
    ///
    /// # Errors
    /// The realm in it is not to be asked, or does not answer.
    async fn ask_kdc(&self, _: DesktopId, _question: &[u8]) -> Result<Vec<u8>, DialError> {
        Err(DialError { code: ByeCode::Unreachable, text: "no KDC is configured here".into() })
    }

    /// Wakes a machine that sleeps, where it can be woken and does not answer: once, and returns at once. Answers for how many seconds
    /// it may be waited for; `None` when there is nothing to wait for.
    ///
    /// # Errors
    /// It cannot be woken.
    async fn wake(&self, _: DesktopId, _: GuestPort) -> Result<Option<u16>, DialError> {
        Ok(None)
    }

    /// As [`Self::dial`], to where the machine redirects its connections: a name or an address that the machine said, so checked
    /// like one that somebody entered. The target's protocol is the machine's own.
    ///
    /// # Errors
    /// It may not be dialled, or does not answer.
    async fn dial_other(&self, _: DesktopId, _: GuestPort, _host: &str) -> Result<Target, DialError> {
        Err(DialError {
            code: ByeCode::Protocol,
            text: "the machine redirected the connection to another one, which is not followed here".into(),
        })
    }

    /// As [`Self::dial_other`], for one person.
    async fn dial_other_for(
        &self,
        _: UserId,
        desktop: DesktopId,
        port: GuestPort,
        host: &str,
    ) -> Result<Target, DialError> {
        self.dial_other(desktop, port, host).await
    }
}

fn no_apps() -> DialError {
    DialError { code: ByeCode::Protocol, text: "no programs are published here".into() }
}

/// Dials for one person, whoever asks it to dial.
pub(crate) struct Personal {
    pub dialler: Arc<dyn Dialler>,
    pub user: UserId,
    /// What their session is instead of the whole desktop.
    pub app: Option<AppId>,
}

#[async_trait]
impl Dialler for Personal {
    async fn dial(&self, desktop: DesktopId, port: GuestPort) -> Result<Target, DialError> {
        match self.app {
            Some(app) => self.dialler.dial_app(self.user, app, desktop, port).await,
            None => self.dialler.dial_for(self.user, desktop, port).await,
        }
    }

    async fn dial_other(&self, desktop: DesktopId, port: GuestPort, host: &str) -> Result<Target, DialError> {
        match self.app {
            Some(app) => self.dialler.dial_other_app((self.user, app), desktop, port, host).await,
            None => self.dialler.dial_other_for(self.user, desktop, port, host).await,
        }
    }

    async fn wake(&self, desktop: DesktopId, port: GuestPort) -> Result<Option<u16>, DialError> {
        self.dialler.wake(desktop, port).await
    }

    async fn met(&self, desktop: DesktopId, port: GuestPort, hop: usize, identity: &str) -> Result<(), DialError> {
        self.dialler.met(desktop, port, hop, identity).await
    }

    async fn ask_kdc(&self, desktop: DesktopId, question: &[u8]) -> Result<Vec<u8>, DialError> {
        self.dialler.ask_kdc(desktop, question).await
    }
}

/// An open stream and what to say on it.
pub struct Target {
    /// The desktop's name, for the viewer's title.
    pub title: String,
    pub stream: Box<dyn Stream>,
    pub protocol: Protocol,
    /// What the person may do.
    pub policy: SessionPolicy,
}

/// What speaks on the other end, with the credentials that the gateway answers for the person.
#[derive(serde::Serialize, serde::Deserialize)]
pub enum Protocol {
    Rdp(Box<RdpTarget>),
    /// A machine's console, or any other VNC server.
    Vnc(Box<VncOptions>),
    /// The screen of a virtual machine elsewhere.
    Spice(Box<SpiceOptions>),
    /// A machine behind a PiKVM.
    Physical(Box<PhysicalOptions>),
    Shell(Box<ShellTarget>),
}

/// How to get an RDP session. Its size is the viewer's.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct RdpTarget {
    pub user: String,
    #[serde(with = "oriel_model::carried")]
    pub password: SecretString,
    /// Windows domain of the account.
    pub domain: Option<String>,
    pub certificate: HostPin,
    pub security: RdpSecurity,
    /// With Kerberos; with NTLM where there is none.
    #[serde(default)]
    pub kerberos: Option<RdpKerberos>,
    /// XKB name; the viewer's own layout wins when it names one.
    pub keyboard: String,
    /// What the machine's session list shows for us.
    pub client_name: String,
    /// Offer the graphics pipeline (MS-RDPEGFX).
    pub graphics: bool,
    /// What of the browser's side the machine may use.
    #[serde(default)]
    pub devices: Devices,
    #[serde(default)]
    pub session: RdpSession,
    /// Where the stream leads to an RD Gateway: how it goes on from there.
    #[serde(default)]
    pub gateway: Option<RdpGateway>,
}

impl RdpTarget {
    pub fn new(user: impl Into<String>, password: SecretString, certificate: HostPin) -> Self {
        Self {
            user: user.into(),
            password,
            domain: None,
            certificate,
            security: RdpSecurity::Any,
            kerberos: None,
            keyboard: "us".to_owned(),
            client_name: "oriel".to_owned(),
            graphics: true,
            devices: Devices::default(),
            session: RdpSession::default(),
            gateway: None,
        }
    }
}

/// How to get a terminal. Its size is the viewer's; what the machine asks beyond a password is asked in the terminal.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum ShellTarget {
    Ssh {
        ssh: SshOptions,
        shell: ShellOptions,
        /// The folder that files are seen below; `None` is the account's home.
        files_root: Option<String>,
    },
    Telnet(TelnetOptions),
    Kubernetes(Box<KubernetesOptions>),
    /// A serial line: a machine's console by its BMC.
    Serial {
        backspace: Backspace,
    },
}

impl Protocol {
    /// A console: nothing is asked there, and its host is trusted.
    pub fn console() -> Self {
        Self::Vnc(Box::new(VncOptions { nearby: true, ..VncOptions::default() }))
    }

    pub fn ssh(ssh: SshOptions, shell: ShellOptions) -> Self {
        Self::Shell(Box::new(ShellTarget::Ssh { ssh, shell, files_root: None }))
    }

    /// The terminal behind it, when there is one.
    pub(crate) fn into_shell(self) -> Option<ShellTarget> {
        match self {
            Self::Shell(target) => Some(*target),
            Self::Rdp(_) | Self::Vnc(_) | Self::Spice(_) | Self::Physical(_) => None,
        }
    }
}

/// Takes machines that are met for the first time to whom they belong.
pub(crate) struct Introduction {
    pub dialler: Arc<dyn Dialler>,
    pub desktop: DesktopId,
    pub port: GuestPort,
}

impl fmt::Debug for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introduction").field("desktop", &self.desktop).field("port", &self.port).finish_non_exhaustive()
    }
}

#[async_trait]
impl oriel_pin::Keeper for Introduction {
    async fn met(&self, hop: usize, identity: &str) -> Result<(), String> {
        self.dialler.met(self.desktop, self.port, hop, identity).await.map_err(|error| error.text)
    }
}

/// Asks KDCs for who signs in to one desktop.
pub(crate) struct Questions {
    pub dialler: Arc<dyn Dialler>,
    pub desktop: DesktopId,
}

impl fmt::Debug for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Questions").field("desktop", &self.desktop).finish_non_exhaustive()
    }
}

#[async_trait]
impl oriel_rdp::Kdc for Questions {
    async fn ask(&self, question: Vec<u8>) -> Result<Vec<u8>, String> {
        self.dialler.ask_kdc(self.desktop, &question).await.map_err(|error| error.text)
    }
}

/// Why a stream could not be opened; the text is for the person in front of the viewer.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct DialError {
    pub code: ByeCode,
    pub text: String,
}
