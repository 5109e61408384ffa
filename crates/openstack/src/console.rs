//! The way to a server's screen, never older than a moment.
//!
//! Nova's console tokens are resolved to a host and a port by `os-console-auth-tokens` (2.31), for admins. Nova does not look then
//! whether the port is still that server's: a token made before the server stopped resolves to the old port, behind which may be
//! somebody else's screen by now (its own proxies ask the compute host; the API does not). So a way to a screen is made just before it is used, for a
//! server whose screen is there, and [`Client::open_console`] looks at the server again *after* it connected: where anything about it
//! has changed, the connection is closed unread. Whoever shows the screen ends it with the server: [`Console::still_of`].

use crate::client::{Ask, Client};
use crate::{OpenStackError, Server, ServerStatus, Service};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpStream;
use url::Url;

/// How long a compute host may take to accept a connection.
const CONNECT_SECONDS_MAX: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleKind {
    Vnc,
    Spice,
    Serial,
}

impl ConsoleKind {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Vnc => ("vnc", "novnc"),
            Self::Spice => ("spice", "spice-html5"),
            Self::Serial => ("serial", "serial"),
        }
    }
}

/// Where a token leads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ConsoleAddress {
    pub instance_uuid: String,
    pub host: String,
    /// -1 where the server is off.
    pub port: i32,
}

/// A way to a server's screen, for the server as it was when it was made.
#[derive(Clone, Debug)]
pub struct Console {
    pub server: String,
    pub address: ConsoleAddress,
    seen: Seen,
}

/// What must not change while a screen is shown. Nova touches `updated` with every change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    status: ServerStatus,
    task: Option<String>,
    host: Option<String>,
    updated: Option<Timestamp>,
    launched: Option<Timestamp>,
}

/// A connection to a server's screen, nothing of which was read yet.
#[derive(Debug)]
pub struct OpenConsole {
    pub stream: TcpStream,
    pub console: Console,
}

#[derive(Deserialize)]
struct Remote {
    remote_console: RemoteConsole,
}

#[derive(Deserialize)]
struct RemoteConsole {
    url: String,
}

#[derive(Deserialize)]
struct Resolved {
    console: ConsoleAddress,
}

impl Seen {
    fn of(server: &Server) -> Self {
        Self {
            status: server.status.clone(),
            task: server.task.clone(),
            host: server.host.clone(),
            updated: server.updated,
            launched: server.launched,
        }
    }
}

/// Why there is no screen, if there is none.
fn screen_of(server: &Server) -> Result<(), OpenStackError> {
    let there = matches!(
        server.status,
        ServerStatus::Active | ServerStatus::Paused | ServerStatus::Rescue | ServerStatus::VerifyResize
    );
    match &server.task {
        None if there => Ok(()),
        None => Err(OpenStackError::NoScreen { server: server.id.clone(), status: server.status.word().to_owned() }),
        Some(task) => Err(OpenStackError::NoScreen { server: server.id.clone(), status: format!("busy ({task})") }),
    }
}

impl Console {
    /// Whether the screen is still the one of this server, as it is now. False: end it.
    pub fn still_of(&self, now: &Server) -> bool {
        now.id == self.server && screen_of(now).is_ok() && Seen::of(now) == self.seen
    }
}

impl Client {
    /// Where the screen of a running server is, as Nova says at this moment.
    ///
    /// # Errors
    /// The server has no screen now, the cloud has no such console, or the credentials are no admin's.
    pub async fn console(&self, server: &str, kind: ConsoleKind) -> Result<Console, OpenStackError> {
        let before = self.server(server).await?;
        screen_of(&before)?;
        let token = self.console_token(server, kind).await?;
        let address = self.resolve_console(&token).await?;
        if address.instance_uuid != server {
            let what = format!("its token is server {}'s", address.instance_uuid);
            return Err(OpenStackError::StaleConsole { server: server.to_owned(), what });
        }
        if !(1..=65535).contains(&address.port) {
            return Err(OpenStackError::NoScreen { server: server.to_owned(), status: "without a port".into() });
        }
        Ok(Console { server: server.to_owned(), address, seen: Seen::of(&before) })
    }

    /// Connects to a screen, and then looks whether it is still that server's.
    ///
    /// # Errors
    /// The host does not accept, or something has happened to the server since the way was made: ask for a new one.
    pub async fn open_console(&self, console: Console) -> Result<OpenConsole, OpenStackError> {
        let ConsoleAddress { host, port, .. } = &console.address;
        let failed = |reason: String| OpenStackError::ScreenUnreachable {
            server: console.server.clone(),
            address: format!("{host}:{port}"),
            reason,
        };
        let port = u16::try_from(*port).map_err(|_| failed("that is no port".into()))?;
        let connect = TcpStream::connect((host.as_str(), port));
        let stream = tokio::time::timeout(Duration::from_secs(CONNECT_SECONDS_MAX), connect)
            .await
            .map_err(|_| failed(format!("no answer within {CONNECT_SECONDS_MAX} s")))?
            .map_err(|error| failed(error.to_string()))?;
        Ok(OpenConsole { stream, console: self.still_open(console).await? })
    }

    /// For whoever connected in another way ([`Self::open_console`] does both): looks whether the screen that is connected to is
    /// still that server's. Read nothing before.
    ///
    /// # Errors
    /// Something has happened to the server since the way was made: ask for a new one.
    pub async fn still_open(&self, console: Console) -> Result<Console, OpenStackError> {
        let now = match self.server(&console.server).await {
            Ok(now) => now,
            Err(error) if error.is_gone() => {
                let what = "the server is gone".to_owned();
                return Err(OpenStackError::StaleConsole { server: console.server, what });
            }
            Err(error) => return Err(error),
        };
        if !console.still_of(&now) {
            let what = format!("the server is {} and changed meanwhile", now.status.word());
            return Err(OpenStackError::StaleConsole { server: console.server, what });
        }
        Ok(console)
    }

    /// A token as Nova hands it to browsers. Good for minutes, whatever becomes of the server: never kept.
    pub(crate) async fn console_token(&self, server: &str, kind: ConsoleKind) -> Result<SecretString, OpenStackError> {
        let (protocol, word) = kind.words();
        let action = "make a way to a screen";
        let body = json!({"remote_console": {"protocol": protocol, "type": word}});
        let path = ["servers", server, "remote-consoles"];
        let made: Remote = self.ask(Ask::post(Service::Compute, action, &path, body)).await?;
        token_in(&made.remote_console.url).map(SecretString::from).ok_or_else(|| OpenStackError::NotUnderstood {
            service: Service::Compute,
            action: action.to_owned(),
            what: "an address without a token".to_owned(),
        })
    }

    /// Where a token leads, without a look at what is there now: [`Self::open_console`] is what to use.
    pub(crate) async fn resolve_console(&self, token: &SecretString) -> Result<ConsoleAddress, OpenStackError> {
        let path = ["os-console-auth-tokens", token.expose_secret()];
        let found: Resolved = self.ask(Ask::get(Service::Compute, "find a screen", &path)).await?;
        Ok(found.console)
    }
}

/// `…?token=T`, or, for noVNC, `…?path=%3Ftoken%3DT`.
fn token_in(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    url.query_pairs()
        .find_map(|(key, value)| match key.as_ref() {
            "token" => Some(value.into_owned()),
            "path" => {
                let inner = value.split_once('?')?.1;
                url::form_urlencoded::parse(inner.as_bytes())
                    .find(|(key, _)| key == "token")
                    .map(|(_, value)| value.into_owned())
            }
            _ => None,
        })
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_in_either_address() {
        for (url, want) in [
            ("http://127.0.0.1:6080/vnc_lite.html?path=%3Ftoken%3D0a1b", Some("0a1b")),
            ("ws://127.0.0.1:6083/?token=0a1b", Some("0a1b")),
            ("http://h/spice_auto.html?token=0a1b&title=x", Some("0a1b")),
            ("http://h/?token=", None),
            ("http://h/?path=token", None),
            ("nonsense", None),
        ] {
            assert_eq!(token_in(url).as_deref(), want, "{url}");
        }
    }
}
