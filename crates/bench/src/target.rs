//! What is measured in the place of our own: a server of somebody else's, or another gateway.

use crate::serve::Server;
use anyhow::{Context as _, Result, bail};
use secrecy::SecretString;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::str::FromStr;

/// Who signs in to a server of somebody else's: its name, its password, a file with a private key. In the environment, since what is on a command
/// line can be read by everybody on the machine.
const USER: &str = "ORIEL_BENCH_USER";
const PASSWORD: &str = "ORIEL_BENCH_PASSWORD";
const KEY: &str = "ORIEL_BENCH_KEY";

/// Where keys are typed and pictures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Oriel's gateway in front of servers that are started here.
    Own,
    /// Oriel's gateway in front of that server, which shows what it shows.
    Vnc(SocketAddr),
    Rdp(SocketAddr),
    Ssh(SocketAddr),
    /// Guacamole's guacd, in front of servers that are started here.
    Guacd(SocketAddr),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const KINDS: &str = "KIND=HOST:PORT with vnc, rdp, ssh or guacd as KIND";
        let (kind, address) = text.split_once('=').ok_or_else(|| format!("{text:?} is not {KINDS}"))?;
        let target = match kind {
            "vnc" => Self::Vnc,
            "rdp" => Self::Rdp,
            "ssh" => Self::Ssh,
            "guacd" => Self::Guacd,
            _ => return Err(format!("{kind:?} in {text:?} is no kind of target; write {KINDS}")),
        };
        let found = address.to_socket_addrs().map_err(|error| format!("{address:?} in {text:?}: {error}"))?;
        found.into_iter().next().map(target).ok_or_else(|| format!("{address:?} in {text:?} has no address"))
    }
}

impl Target {
    /// That server, where a case of that protocol has it in the place of ours.
    pub async fn server(&self, ssh_command: &str) -> Result<Option<Server>> {
        Ok(match *self {
            Self::Own | Self::Guacd(_) => None,
            Self::Vnc(address) => Some(Server::Vnc { address, own: false }),
            Self::Rdp(address) => Some(Server::Rdp { address, pin: identity(address).await?, own: false }),
            Self::Ssh(address) => Some(Server::Ssh { address, folder: None, command: ssh_command.to_owned() }),
        })
    }
}

/// The certificate that an RDP server shows now; it is held to it from then on.
async fn identity(address: SocketAddr) -> Result<[u8; 32]> {
    let stream = tokio::net::TcpStream::connect(address).await.with_context(|| format!("{address} does not answer"))?;
    let session = oriel_rdp::SessionOptions::default();
    let seen = oriel_rdp::identity(stream, oriel_rdp::Security::Any, session, None, None).await?;
    Ok(seen.0)
}

/// Whom a server of somebody else's lets in.
#[derive(Default)]
pub(crate) struct Account {
    pub user: Option<String>,
    pub password: Option<SecretString>,
    pub key: Option<SecretString>,
}

impl Account {
    pub fn of_environment() -> Result<Self> {
        let word = |name: &str| std::env::var(name).ok().filter(|word| !word.is_empty());
        let key = word(KEY).map(PathBuf::from);
        let key = key.map(|path| std::fs::read_to_string(&path).with_context(|| format!("{KEY}: {}", path.display())));
        Ok(Self { user: word(USER), password: word(PASSWORD).map(Into::into), key: key.transpose()?.map(Into::into) })
    }

    /// A shell has a name, and a key or a password.
    pub fn of_a_shell() -> Result<Self> {
        let account = Self::of_environment()?;
        if account.user.is_none() || (account.key.is_none() && account.password.is_none()) {
            bail!("a shell wants to know who comes: set {USER}, and {KEY} (a file) or {PASSWORD}");
        }
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_a_kind_and_an_address() {
        let address = SocketAddr::from(([127, 0, 0, 1], 4822));
        assert_eq!("guacd=127.0.0.1:4822".parse(), Ok(Target::Guacd(address)));
        assert_eq!("vnc=127.0.0.1:4822".parse(), Ok(Target::Vnc(address)));
        for wrong in ["", "127.0.0.1:5900", "spice=127.0.0.1:1", "vnc=127.0.0.1", "vnc=127.0.0.1:70000"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
