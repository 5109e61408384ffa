//! A machine through which others are dialled, by SSH. How that is done is another room's: the gateway's.

use crate::BoxStream;
use async_trait::async_trait;
use secrecy::SecretString;
use std::{fmt, sync::Arc};

/// An SSH server that leads to networks where guests are.
#[derive(Clone, Debug)]
pub struct JumpHost {
    pub host: String,
    pub port: u16,
    pub user: String,
    /// OpenSSH's text of a private key.
    pub private_key: SecretString,
    pub passphrase: Option<SecretString>,
    /// The key that it must show, as `ssh-ed25519 AAAA…`; several lines for several. Empty only before it was met.
    pub host_key: String,
}

impl JumpHost {
    /// For people.
    pub fn name(&self) -> String {
        format!("{}@{}:{}", self.user, self.host, self.port)
    }
}

/// Dials through jump hosts.
#[async_trait]
pub trait JumpDialler: Send + Sync {
    /// Whether what is said of it can be used, as far as that is known without asking it. The error is a reason.
    fn check(&self, jump: &JumpHost) -> Result<(), String>;

    /// The key that it shows now, as `ssh-ed25519 AAAA…`. Nothing is told to it. The error is a reason.
    async fn host_key(&self, jump: &JumpHost) -> Result<String, String>;

    /// A stream to a port that the jump host reaches. One that shows another key than is known is told nothing. The error is a reason.
    async fn open(&self, jump: &JumpHost, host: &str, port: u16) -> Result<BoxStream, String>;
}

/// A jump host with who dials through it.
#[derive(Clone)]
pub struct Jump {
    pub host: JumpHost,
    pub dialler: Arc<dyn JumpDialler>,
}

impl fmt::Debug for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jump").field("host", &self.host).finish_non_exhaustive()
    }
}
