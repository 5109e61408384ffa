//! Wires between rooms that do not know each other: the gateway asks the broker for a way into a guest, the broker asks the
//! gateway who is connected.

use async_trait::async_trait;
use oriel_broker::{Broker, BrokerError, GuestAuth, GuestCredentials, Sessions};
use oriel_gateway::{DialError, Dialler, Gateway, Protocol, SshAuth, Target};
use oriel_model::{DesktopId, GuestPort, MachineProtocol, UserId};
use oriel_screen::ByeCode;

/// The broker's doors into guests, for the gateway.
pub struct Doors(pub Broker);

#[async_trait]
impl Dialler for Doors {
    async fn dial(&self, desktop: DesktopId, port: GuestPort) -> Result<Target, DialError> {
        let cannot = |error: BrokerError| DialError { code: ByeCode::Unreachable, text: error.to_string() };
        let mut access = self.0.guest_access(desktop, port).await.map_err(cannot)?;
        if let Some(protocol) = stranger(&access.credentials) {
            // Met for the first time: who it is is kept before anything is told to it.
            let shown = oriel_gateway::identify(protocol, Box::new(access.stream)).await?;
            self.0.pin_identity(desktop, &shown.unwrap_or_default()).await.map_err(cannot)?;
            access = self.0.guest_access(desktop, port).await.map_err(cannot)?;
        }
        let no_identity = || DialError {
            code: ByeCode::Internal,
            text: format!(
                "the identity on record for {} is damaged: recycle the desktop, or accept its identity anew",
                access.name
            ),
        };
        let protocol = match access.credentials {
            GuestCredentials::Rdp { user, password, domain, certificate_sha256, keyboard, client_name } => {
                Protocol::Rdp {
                    user,
                    password,
                    domain,
                    certificate_sha256: certificate_sha256.as_deref().and_then(from_hex).ok_or_else(no_identity)?,
                    keyboard,
                    client_name,
                }
            }
            GuestCredentials::Console => Protocol::Vnc { password: None, nearby: true },
            GuestCredentials::Vnc { password } => Protocol::Vnc { password, nearby: false },
            GuestCredentials::Ssh { user, auth, host_key, terminal_type, locale, command } => Protocol::Ssh {
                user,
                auth: match auth {
                    GuestAuth::Password(password) => SshAuth::Password(password),
                    GuestAuth::Key { private_key, passphrase } => {
                        SshAuth::Key { private_openssh: private_key, passphrase }
                    }
                },
                host_key: host_key.ok_or_else(no_identity)?,
                terminal_type,
                locale,
                command,
            },
        };
        self.0.connections_changed();
        Ok(Target { title: access.name, stream: Box::new(access.stream), protocol })
    }
}

/// What speaks on the other end, when it was never met before.
const fn stranger(credentials: &GuestCredentials) -> Option<MachineProtocol> {
    match credentials {
        GuestCredentials::Rdp { certificate_sha256: None, .. } => Some(MachineProtocol::Rdp),
        GuestCredentials::Ssh { host_key: None, .. } => Some(MachineProtocol::Ssh),
        _ => None,
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The gateway's live connections, for the broker.
pub struct Live(pub Gateway);

#[async_trait]
impl Sessions for Live {
    fn connections_to(&self, desktop: DesktopId) -> usize {
        self.0.connections_to(desktop)
    }

    async fn thumbnail(&self, desktop: DesktopId, width_max: u16) -> Option<Vec<u8>> {
        self.0.thumbnail(desktop, width_max).await
    }

    fn prelaunch(&self, user: UserId, desktop: DesktopId) {
        let gateway = self.0.clone();
        tokio::spawn(async move { gateway.prelaunch(user, desktop).await });
    }

    async fn end_desktop(&self, desktop: DesktopId, reason: &str) {
        self.0.end_where(|_, of| of == desktop, ByeCode::RemoteEnded, reason).await;
    }

    async fn end_of(&self, user: UserId, desktop: DesktopId, reason: &str) {
        self.0.end_where(|by, of| by == user && of == desktop, ByeCode::EndedByAdmin, reason).await;
    }

    async fn end_user(&self, user: UserId, reason: &str) {
        self.0.end_where(|of, _| of == user, ByeCode::EndedByAdmin, reason).await;
    }
}

#[cfg(test)]
mod tests {
    use super::from_hex;

    #[test]
    fn reads_fingerprints() {
        assert_eq!(from_hex(&"0a".repeat(32)), Some([10; 32]));
        for bad in ["", "0a", &"zz".repeat(32), &"ä".repeat(32), &"0a".repeat(33)] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }
}
