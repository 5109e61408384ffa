//! Terminals of remote machines as bytes: SSH now; telnet and serial consoles have their place here later.
//!
//! Bytes go through untouched in both directions. When [`Shell::next`] is not called, SSH's channel window closes and a
//! flood stops at its source.

mod error;
mod host_key;
mod known_host;
mod shell;

pub use error::TerminalError;
pub use host_key::host_key;
pub use shell::{Shell, TerminalEvent, connect};

use secrecy::SecretString;

/// How the machine lets us in.
#[derive(Clone, Debug)]
pub enum Auth {
    Password(SecretString),
    /// An OpenSSH private key (PEM text), with its passphrase when it has one.
    Key {
        private_openssh: SecretString,
        passphrase: Option<SecretString>,
    },
}

/// Which machine we accept.
#[derive(Clone, Debug)]
pub enum HostKeyPin {
    /// Only this key: an OpenSSH public key, `ssh-ed25519 AAAA…`.
    Known(String),
}

/// How to open a shell.
#[derive(Clone, Debug)]
pub struct SshOptions {
    pub user: String,
    pub auth: Auth,
    pub host_key: HostKeyPin,
    /// `TERM` in the shell.
    pub term: String,
    pub columns: u16,
    pub rows: u16,
    /// `LANG` in the shell, where the server takes it.
    pub locale: Option<String>,
    /// Run instead of the account's shell.
    pub command: Option<String>,
}
