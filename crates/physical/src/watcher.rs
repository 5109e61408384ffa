//! A device's events for somebody who only looks: as long as it is there, the device's streamer runs.

use crate::client::{Client, Socket};
use crate::hid::PING;
use crate::{DeviceError, EVENT_BYTES_MAX};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// kvmd's own heartbeat is one in 15 seconds, and it answers ours.
const SILENCE_MAX: Duration = Duration::from_secs(40);
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);

/// One who looks. That it comes and that it goes lets all keys go that others hold at that moment, so that it is only there where
/// nobody is at the machine, or stays.
pub struct Watcher {
    socket: Socket,
    /// Something came since the last beat.
    heard: bool,
    /// When a beat last found that something had come.
    since: Option<Instant>,
}

impl Watcher {
    /// Uses the connection up.
    ///
    /// # Errors
    /// The device has no events, or does not answer.
    pub async fn open(client: Client) -> Result<Self, DeviceError> {
        let socket = client.websocket("/api/ws?stream=1").await?;
        Ok(Self { socket, heard: true, since: None })
    }

    /// The next event, for [`State::apply`](crate::State::apply). Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn event(&mut self) -> Result<Bytes, DeviceError> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) if text.len() <= EVENT_BYTES_MAX => {
                    self.heard = true;
                    return Ok(Bytes::from(text));
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => {
                    return Err(DeviceError::Lost("the device hung up".to_owned()));
                }
                Some(Ok(_)) => self.heard = true,
            }
        }
    }

    /// Shows that we are there, and finds a connection that is open and dead. To be called every few seconds; it is `now`.
    ///
    /// # Errors
    /// Nothing came for too long, or nothing can be sent.
    pub async fn beat(&mut self, now: Instant) -> Result<(), DeviceError> {
        if std::mem::take(&mut self.heard) {
            self.since = Some(now);
        }
        if now.duration_since(*self.since.get_or_insert(now)) > SILENCE_MAX {
            return Err(DeviceError::Lost("nothing came for too long".to_owned()));
        }
        let ping = Message::Binary(Bytes::from_static(&PING));
        match timeout(WRITE_TIME_MAX, self.socket.send(ping)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(DeviceError::Lost(error.to_string())),
            Err(_) => Err(DeviceError::Lost("it takes nothing more".to_owned())),
        }
    }
}
