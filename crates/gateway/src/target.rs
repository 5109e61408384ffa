//! Where a connection leads, and how one gets in.

use async_trait::async_trait;
use oriel_model::{DesktopId, GuestPort};
use oriel_screen::ByeCode;
use oriel_terminal::{Credentials, HostKeyPin, SeenKey, ShellOptions, SshOptions, TelnetOptions};
pub use oriel_vnc::{Fingerprint, HostPin, Security as VncSecurity, SecurityPolicy as VncSecurityPolicy, VncOptions};
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream to a machine.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Opens streams to desktops through their hosts; knows the credentials.
#[async_trait]
pub trait Dialler: Send + Sync {
    async fn dial(&self, desktop: DesktopId, port: GuestPort) -> Result<Target, DialError>;

    /// A machine that was dialled with nothing pinned ([`HostPin::FirstUse`]) proved itself with this: the place to
    /// pin it from now on.
    fn met(&self, desktop: DesktopId, port: GuestPort, identity: Fingerprint) {
        let _ = (desktop, port, identity);
    }

    /// The host keys that were shown where the pin was [`HostKeyPin::FirstUse`]: of each jump host, then of the machine. Whoever
    /// keeps them makes the next connection a pinned one.
    async fn met_keys(&self, _desktop: DesktopId, _keys: &[SeenKey]) {}
}

/// An open stream and what to say on it.
pub struct Target {
    /// The desktop's name, for the viewer's title.
    pub title: String,
    pub stream: Box<dyn Stream>,
    pub protocol: Protocol,
}

/// What speaks on the other end, with the credentials that the gateway answers for the person.
#[derive(serde::Serialize, serde::Deserialize)]
pub enum Protocol {
    Rdp {
        user: String,
        #[serde(with = "oriel_model::carried")]
        password: SecretString,
        /// SHA-256 of the only certificate we accept.
        certificate_sha256: [u8; 32],
        /// XKB name; the viewer's own layout wins when it names one.
        keyboard: String,
    },
    Vnc {
        #[serde(with = "oriel_model::carried::option")]
        password: Option<SecretString>,
        /// The stream stays on one machine: cheap encodings are better than small ones.
        nearby: bool,
    },
    /// Any VNC server: with a user, ways to sign in, an identity, a repeater, JPEG.
    VncServer(VncOptions),
    Ssh {
        user: String,
        /// OpenSSH private key.
        #[serde(with = "oriel_model::carried")]
        key: SecretString,
        /// The only host key we accept, as an OpenSSH public key.
        host_key: String,
    },
    /// A terminal of any other machine, with all that can be set.
    Shell(Box<ShellTarget>),
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
}

impl Protocol {
    /// The terminal behind it, when there is one.
    pub(crate) fn into_shell(self) -> Option<ShellTarget> {
        match self {
            Self::Ssh { user, key, host_key } => Some(ShellTarget::Ssh {
                ssh: SshOptions::new(Credentials::key(user, key), HostKeyPin::Known(host_key)),
                shell: ShellOptions::default(),
                files_root: None,
            }),
            Self::Shell(target) => Some(*target),
            Self::Rdp { .. } | Self::Vnc { .. } | Self::VncServer(_) => None,
        }
    }
}

/// Whether a pin on the way accepts what it sees.
pub(crate) fn is_first_use(ssh: &SshOptions) -> bool {
    let mut pins = ssh.jumps.iter().map(|jump| &jump.host_key).chain([&ssh.host_key]);
    pins.any(|pin| matches!(pin, HostKeyPin::FirstUse))
}

/// Why a stream could not be opened; the text is for the person in front of the viewer.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct DialError {
    pub code: ByeCode,
    pub text: String,
}
