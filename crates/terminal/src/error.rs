//! Why there is no shell, or no longer one. Texts are for the person in front of the viewer.

#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// The stream broke before the server spoke SSH.
    #[error("the machine does not answer as an SSH server; it may still be starting, try again in a moment")]
    Unreachable(#[source] russh::Error),
    /// The server is not the one we know.
    #[error(
        "the machine's host key changed: it shows {seen}, expected {expected}; if the machine was reinstalled, an administrator can accept the new key"
    )]
    HostKeyChanged { expected: String, seen: String },
    /// It was met for the first time, and could not be pinned.
    #[error("{0}")]
    HostKeyNotKept(String),
    /// Neither key nor password was taken.
    #[error("the machine refused to let {user} in; it accepts: {offered}")]
    CredentialsRefused { user: String, offered: String },
    /// What we were given to sign in with cannot be used.
    #[error("the {what} that was set for this machine cannot be read: {why}; set it again")]
    BadCredentials { what: &'static str, why: String },
    /// The machine asks something that nobody answers.
    #[error("the machine asks \"{prompt}\" before it lets {user} in, and nobody answered; open it again and answer")]
    Unanswered { user: String, prompt: String },
    /// The server let us in but gave no terminal.
    #[error("the machine let us in but refused {what}")]
    Refused { what: &'static str },
    /// Something went wrong at a machine on the way.
    #[error("jump host {number}: {error}")]
    Jump { number: usize, error: Box<TerminalError> },
    /// A jump host reached no further.
    #[error(
        "the jump host cannot reach the machine behind it: {why}; check its address and what the jump host may forward"
    )]
    NoWayOn { host: String, port: u16, why: String },
    /// More than we carry.
    #[error("{what} is limited to {max}; leave some out")]
    TooMany { what: &'static str, max: usize },
    /// Telnet's stream broke.
    #[error("the machine closed the telnet connection: {0}")]
    TelnetBroken(#[source] std::io::Error),
    /// The login patterns said no.
    #[error("the machine refused to let {user} in: it says \"{said}\"; check the name and the password")]
    LoginRefused { user: String, said: String },
    /// A login pattern is no regular expression, or too large a one.
    #[error("the pattern for {what} cannot be used: {why}; set it again")]
    BadPattern { what: &'static str, why: String },
    /// A cluster's API server does not speak as one.
    #[error("the cluster does not answer as a Kubernetes API server: {0}; check its address, or try again in a moment")]
    ClusterUnreachable(String),
    /// Its certificate is not the known one.
    #[error(
        "the cluster's certificate changed: its SHA-256 is {seen}, expected {expected}; if it was renewed, an administrator can accept the new one"
    )]
    CertificateChanged { expected: String, seen: String },
    #[error("the cluster does not know us: {0}; an administrator can enter another token or client certificate")]
    ClusterUnknown(String),
    #[error(
        "the cluster forbids it: {0}; its role must allow `create` on pods/exec and pods/attach (and `get` for older clusters)"
    )]
    ClusterForbids(String),
    #[error("the cluster refused: {0}")]
    ClusterRefused(String),
    /// What should run in a container.
    #[error("the command that was set for this machine cannot be run: {0}; set it again")]
    BadCommand(String),
    /// In the words of whoever has the line.
    #[error("{0}")]
    SerialRefused(String),
    #[error("the connection to the machine broke: {0}")]
    Broken(#[from] russh::Error),
    /// The session is over.
    #[error("the shell has ended")]
    Ended,
}
