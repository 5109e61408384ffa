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
    /// Neither key nor password was taken.
    #[error("the machine refused to let {user} in; it accepts: {offered}")]
    CredentialsRefused { user: String, offered: String },
    /// What we were given to sign in with cannot be used.
    #[error("the {what} that was set for this machine cannot be read: {why}; set it again")]
    BadCredentials { what: &'static str, why: String },
    /// The server let us in but gave no terminal.
    #[error("the machine let us in but refused {what}")]
    Refused { what: &'static str },
    #[error("the connection to the machine broke: {0}")]
    Broken(#[from] russh::Error),
    /// The session is over.
    #[error("the shell has ended")]
    Ended,
}
