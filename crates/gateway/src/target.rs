//! Where a connection leads, and how one gets in.

use async_trait::async_trait;
use oriel_model::{DesktopId, GuestPort};
use oriel_screen::ByeCode;
pub use oriel_terminal::Auth as SshAuth;
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream to a machine.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Opens streams to desktops through their hosts; knows the credentials.
#[async_trait]
pub trait Dialler: Send + Sync {
    async fn dial(&self, desktop: DesktopId, port: GuestPort) -> Result<Target, DialError>;
}

/// An open stream and what to say on it.
pub struct Target {
    /// The desktop's name, for the viewer's title.
    pub title: String,
    pub stream: Box<dyn Stream>,
    pub protocol: Protocol,
}

/// What speaks on the other end, with the credentials that the gateway answers for the person.
pub enum Protocol {
    Rdp {
        user: String,
        password: SecretString,
        /// Windows domain.
        domain: Option<String>,
        /// SHA-256 of the only certificate we accept.
        certificate_sha256: [u8; 32],
        /// XKB name; the viewer's own layout wins when it names one.
        keyboard: String,
        /// What the machine's session list shows for us; `oriel` when unset.
        client_name: Option<String>,
    },
    Vnc {
        password: Option<SecretString>,
        /// The stream stays on one machine: cheap encodings are better than small ones.
        nearby: bool,
    },
    Ssh {
        user: String,
        auth: SshAuth,
        /// The only host key we accept, as an OpenSSH public key.
        host_key: String,
        /// `TERM`; `xterm-256color` when unset.
        terminal_type: Option<String>,
        /// `LANG`, where the server takes it.
        locale: Option<String>,
        /// Run instead of the account's shell.
        command: Option<String>,
    },
}

/// Why a stream could not be opened; the text is for the person in front of the viewer.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct DialError {
    pub code: ByeCode,
    pub text: String,
}
