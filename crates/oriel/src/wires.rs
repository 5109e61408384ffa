//! Wires between rooms that do not know each other: the gateway asks the broker for a way into a guest, the broker asks the
//! gateway who is connected.

use async_trait::async_trait;
use oriel_broker::{Broker, GuestCredentials, LiveRecording, NewRecording, Sessions};
use oriel_gateway::{DialError, Dialler, Gateway, Protocol, Recorded, RecordingSink, Recordings, Target};
use oriel_model::{DesktopId, GuestPort, RecordingId, RecordingPolicy, UserId};
use oriel_screen::{ByeCode, recording::Chunk};

/// The broker's doors into guests, for the gateway.
pub struct Doors(pub Broker);

#[async_trait]
impl Dialler for Doors {
    async fn dial(&self, desktop: DesktopId, port: GuestPort) -> Result<Target, DialError> {
        let access = self
            .0
            .guest_access(desktop, port)
            .await
            .map_err(|error| DialError { code: ByeCode::Unreachable, text: error.to_string() })?;
        let protocol = match access.credentials {
            GuestCredentials::Rdp { user, password, certificate_sha256, keyboard } => Protocol::Rdp {
                user,
                password,
                certificate_sha256: from_hex(&certificate_sha256).ok_or_else(|| DialError {
                    code: ByeCode::Internal,
                    text: format!("the certificate on record for {} is damaged: recycle the desktop", access.name),
                })?,
                keyboard,
            },
            GuestCredentials::Console => Protocol::Vnc { password: None, nearby: true },
            GuestCredentials::Ssh { user, key, host_key } => Protocol::Ssh { user, key, host_key },
        };
        self.0.connections_changed();
        Ok(Target { title: access.name, stream: Box::new(access.stream), protocol })
    }
}

/// The broker's recordings, for the gateway.
pub struct Shelf(pub Broker);

#[async_trait]
impl Recordings for Shelf {
    async fn policy(&self, desktop: DesktopId) -> Result<RecordingPolicy, DialError> {
        let refused = |error: oriel_broker::BrokerError| DialError { code: ByeCode::Internal, text: error.to_string() };
        self.0.recording_policy(desktop).await.map_err(refused)
    }

    async fn begin(&self, of: Recorded) -> Result<Box<dyn RecordingSink>, DialError> {
        let Recorded { connection, user, desktop, port } = of;
        let begun = self.0.begin_recording(NewRecording { connection, user, desktop, port }).await;
        match begun {
            Ok(live) => Ok(Box::new(Sink(live))),
            Err(error) => {
                tracing::error!(%error, %desktop, "A connection could not be recorded");
                Err(DialError { code: ByeCode::Internal, text: error.to_string() })
            }
        }
    }
}

struct Sink(LiveRecording);

#[async_trait]
impl RecordingSink for Sink {
    fn id(&self) -> RecordingId {
        self.0.recording().id
    }

    fn title(&self) -> String {
        self.0.recording().desktop_name.clone()
    }

    async fn put(&mut self, chunk: &Chunk) -> Result<(), String> {
        self.0.put(chunk).await.map_err(|error| error.to_string())
    }

    async fn finish(self: Box<Self>) -> Result<(), String> {
        self.0.finish().await.map_err(|error| error.to_string())
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
