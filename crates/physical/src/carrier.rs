//! The tasks that hold a session's connections to a device: one for events and keys, one for pictures. They come back by themselves
//! after a loss, and end when the session's stream is dropped.
//!
//! ```text
//!  /api/ws       ──▶ events ──┐                    ┌──▶ keys ──▶ /api/ws
//!                             ├─▶ frames │ stream │ frames ──▶ key frames ──▶ /api/media/ws
//!  /api/media/ws ──▶ pictures ┘                    └──▶ text ──▶ /api/hid/print
//! ```

use crate::backoff::Backoff;
use crate::client::{Client, Cookie, Socket};
use crate::frame::{Frames, FromDevice, ToDevice};
use crate::hid::{PING, PONG};
use crate::multipart::Multipart;
use crate::options::{Clock, PhysicalOptions, Way};
use crate::{DeviceError, EVENT_BYTES_MAX, PhysicalSource};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use oriel_pin::{Fingerprint, HostPin};
use oriel_stream::BoxStream;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

/// What lies between the tasks and the session, in bytes each way.
const STREAM_BYTES: usize = 256 << 10;
/// Frames that wait for the stream, and messages that wait for the device.
const FRAMES_MAX: usize = 16;
const MESSAGES_MAX: usize = 256;
/// Our own heartbeat; kvmd's is one in 15 seconds.
const PING_PERIOD: Duration = Duration::from_secs(5);
/// A device that says nothing for so long is gone, whatever its TCP connection looks like.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Pictures over plain HTTP have no heartbeat, and a picture that does not change is sent seldom.
const STILL_MAX: Duration = Duration::from_mins(1);
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);
/// A connection that held for so long was a good one: the next loss begins from the start.
const GOOD_AFTER: Duration = Duration::from_secs(30);
/// So do so many pictures.
const GOOD_PICTURES: u64 = 100;
/// Texts that wait to be typed.
const TEXTS_MAX: usize = 16;

/// An open session.
pub struct Session {
    pub stream: DuplexStream,
    pub source: PhysicalSource,
    pub identity: Fingerprint,
}

/// Signs in and opens events and pictures. The caller bounds the time.
///
/// # Errors
/// [`DeviceError`] tells a device that does not answer from refused credentials and from another device than the pinned one.
pub async fn connect(
    stream: BoxStream,
    options: PhysicalOptions,
    way: Arc<dyn Way>,
    clock: Clock,
) -> Result<Session, DeviceError> {
    let mut client = Client::open(stream, &options).await?;
    let identity = client.seen();
    // Who was met is who must answer from now on.
    let options = PhysicalOptions { pin: HostPin::Sha256(identity.0), keeper: None, ..options };
    client.login(&options, clock).await?;
    let home = Arc::new(Home { options, way, clock, cookie: Mutex::new(client.cookie()) });
    let events = client.websocket(EVENTS).await?;
    let pictures = home.pictures().await?;
    let (stream, far) = duplex(STREAM_BYTES);
    tokio::spawn(carry(home, events, pictures, far));
    Ok(Session { stream, source: PhysicalSource::default(), identity })
}

/// Which certificate the device has, asked before anything is told to it. The stream is used up.
///
/// # Errors
/// TLS fails.
pub async fn identity(stream: BoxStream) -> Result<Fingerprint, DeviceError> {
    let options = PhysicalOptions::default();
    Ok(Client::open(stream, &options).await?.seen())
}

const EVENTS: &str = "/api/ws?stream=1";

/// What new connections are made with.
struct Home {
    options: PhysicalOptions,
    way: Arc<dyn Way>,
    clock: Clock,
    cookie: Mutex<Option<Cookie>>,
}

enum Pictures {
    Socket(Box<Socket>),
    /// Firmware without pictures over WebSocket.
    Stream(Incoming),
}

impl Home {
    /// Signed in, with the session that there is where the device still knows it.
    async fn client(&self) -> Result<Client, DeviceError> {
        let stream = self.way.open().await.map_err(DeviceError::Unreachable)?;
        let mut client = Client::open(stream, &self.options).await?;
        let known = self.cookie.lock().unwrap_or_else(PoisonError::into_inner).clone();
        client.set_cookie(known);
        match client.ask(Method::GET, "/api/auth/check").await {
            Err(DeviceError::CredentialsRefused) => {
                client.login(&self.options, self.clock).await?;
                *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = client.cookie();
            }
            // Firmware that has nothing to check there will say no later.
            Ok(_) | Err(DeviceError::NotThere { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(client)
    }

    async fn events(&self) -> Result<Socket, DeviceError> {
        self.client().await?.websocket(EVENTS).await
    }

    async fn pictures(&self) -> Result<Pictures, DeviceError> {
        match self.client().await?.websocket("/api/media/ws").await {
            Ok(socket) => Ok(Pictures::Socket(Box::new(socket))),
            Err(DeviceError::NotThere { .. }) => {
                tracing::info!("The device has no pictures over WebSocket: they are taken as a stream of JPEGs");
                self.client().await?.stream(Method::GET, "/streamer/stream").await.map(Pictures::Stream)
            }
            Err(error) => Err(error),
        }
    }
}

/// To the session's end.
async fn carry(home: Arc<Home>, events: Socket, pictures: Pictures, stream: DuplexStream) {
    let (reader, writer) = split(stream);
    let (to, queue) = mpsc::channel(FRAMES_MAX);
    let (hid, keys) = mpsc::channel(MESSAGES_MAX);
    let (want, wanted) = mpsc::channel(1);
    let (print, texts) = mpsc::channel(TEXTS_MAX);
    let mut tasks = JoinSet::new();
    tasks.spawn(hold_events(Arc::clone(&home), events, keys, to.clone()));
    tasks.spawn(hold_pictures(Arc::clone(&home), pictures, wanted, to));
    tasks.spawn(type_texts(home, texts));
    tasks.spawn(write(writer, queue));
    // Who reads the stream is who watches: with its end everything ends, and the device lets all keys go.
    read(reader, hid, want, print).await;
    tasks.shutdown().await;
}

async fn write(mut writer: WriteHalf<DuplexStream>, mut queue: mpsc::Receiver<FromDevice>) {
    let mut out = Vec::new();
    while let Some(frame) = queue.recv().await {
        out.clear();
        frame.encode(&mut out);
        if writer.write_all(&out).await.is_err() {
            return;
        }
    }
}

async fn read(
    mut reader: ReadHalf<DuplexStream>,
    hid: mpsc::Sender<Vec<u8>>,
    want: mpsc::Sender<()>,
    print: mpsc::Sender<String>,
) {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 16 << 10];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => frames.feed(buffer.get(..length).unwrap_or_default()),
        }
        loop {
            match frames.next_for_device() {
                // A device that takes nothing loses what is typed meanwhile: late keys are wrong keys.
                Ok(Some(ToDevice::Hid(message))) => drop(hid.try_send(message)),
                Ok(Some(ToDevice::WantKey)) => drop(want.try_send(())),
                Ok(Some(ToDevice::Print(text))) => drop(print.try_send(text)),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

async fn type_texts(home: Arc<Home>, mut texts: mpsc::Receiver<String>) {
    while let Some(text) = texts.recv().await {
        let typing = async { home.client().await?.print(&text, home.options.keymap.as_deref()).await };
        if let Err(error) = typing.await {
            tracing::warn!(%error, "A text could not be typed on the device");
        }
    }
}

/// Waits and opens again; `None`: the session is over, and has been told.
async fn again<T, F>(
    backoff: &mut Backoff,
    to: &mpsc::Sender<FromDevice>,
    why: &DeviceError,
    open: impl Fn() -> F,
) -> Option<T>
where
    F: Future<Output = Result<T, DeviceError>>,
{
    let mut last = why.to_string();
    tracing::info!(why = last, "A connection to a device was lost, and is opened again");
    while let Some(wait) = backoff.next() {
        sleep(wait).await;
        match timeout(SILENCE_MAX, open()).await {
            Ok(Ok(opened)) => return Some(opened),
            Ok(Err(error)) => {
                last = error.to_string();
                if !error.may_pass() {
                    break;
                }
            }
            Err(_) => last = DeviceError::TimedOut(SILENCE_MAX.as_secs()).to_string(),
        }
    }
    to.send(FromDevice::Gone(last)).await.ok();
    None
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), DeviceError> {
    match timeout(WRITE_TIME_MAX, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(DeviceError::Lost(error.to_string())),
        Err(_) => Err(DeviceError::Lost("it takes nothing more".to_owned())),
    }
}

/// The next message that says something, within the time that a device may be silent.
async fn next(socket: &mut Socket) -> Result<Message, DeviceError> {
    loop {
        match timeout(SILENCE_MAX, socket.next()).await {
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => {}
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => {
                return Err(DeviceError::Lost("the device hung up".to_owned()));
            }
            Ok(Some(Ok(message))) => return Ok(message),
            Err(_) => return Err(DeviceError::Lost("nothing came for too long".to_owned())),
        }
    }
}

async fn hold_events(
    home: Arc<Home>,
    mut socket: Socket,
    mut keys: mpsc::Receiver<Vec<u8>>,
    to: mpsc::Sender<FromDevice>,
) {
    let mut backoff = Backoff::default();
    loop {
        let held = timeout(GOOD_AFTER, events(&mut socket, &mut keys, &to)).await;
        let why = match held {
            Ok(why) => why,
            Err(_) => {
                backoff.reset();
                events(&mut socket, &mut keys, &to).await
            }
        };
        if to.send(FromDevice::Lost).await.is_err() {
            return;
        }
        let Some(opened) = again(&mut backoff, &to, &why, || home.events()).await else { return };
        socket = opened;
        // What was typed while nobody took it.
        while keys.try_recv().is_ok() {}
    }
}

async fn events(socket: &mut Socket, keys: &mut mpsc::Receiver<Vec<u8>>, to: &mpsc::Sender<FromDevice>) -> DeviceError {
    let mut beat = interval(PING_PERIOD);
    loop {
        let step = tokio::select! {
            message = next(socket) => match message {
                Ok(Message::Text(text)) if text.len() <= EVENT_BYTES_MAX => {
                    let event = FromDevice::Event(Bytes::from(text));
                    to.send(event).await.map_err(|_| DeviceError::Lost("the session is over".to_owned()))
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            },
            message = keys.recv() => match message {
                Some(message) => send(socket, Message::Binary(message.into())).await,
                None => Err(DeviceError::Lost("the session is over".to_owned())),
            },
            _ = beat.tick() => send(socket, Message::Binary(Bytes::from_static(&PING))).await,
        };
        if let Err(error) = step {
            return error;
        }
    }
}

async fn hold_pictures(
    home: Arc<Home>,
    mut pictures: Pictures,
    mut wanted: mpsc::Receiver<()>,
    to: mpsc::Sender<FromDevice>,
) {
    let mut backoff = Backoff::default();
    loop {
        let mut got = 0u64;
        let why = match &mut pictures {
            Pictures::Socket(socket) => socket_pictures(socket, home.options.h264, &mut wanted, &to, &mut got).await,
            Pictures::Stream(body) => stream_pictures(body, &to, &mut got).await,
        };
        if got >= GOOD_PICTURES {
            backoff.reset();
        }
        if to.is_closed() {
            return;
        }
        let Some(opened) = again(&mut backoff, &to, &why, || home.pictures()).await else { return };
        pictures = opened;
    }
}

/// Which format to ask for, of what the device offers.
fn format(offer: &str, h264: bool) -> &'static str {
    let offer: Value = serde_json::from_str(offer).unwrap_or_default();
    let has = |name: &str| offer.pointer("/event/video").and_then(|video| video.get(name)).is_some();
    if (h264 && has("h264")) || !has("jpeg") { "h264" } else { "jpeg" }
}

async fn socket_pictures(
    socket: &mut Socket,
    h264: bool,
    wanted: &mut mpsc::Receiver<()>,
    to: &mpsc::Sender<FromDevice>,
    got: &mut u64,
) -> DeviceError {
    let mut beat = interval(PING_PERIOD);
    let mut asked = None;
    loop {
        let step = tokio::select! {
            message = next(socket) => match message {
                Ok(Message::Text(text)) if asked.is_none() && text.contains("\"media\"") => {
                    let format = format(&text, h264);
                    asked = Some(format);
                    let start = format!(r#"{{"event_type":"start","event":{{"type":"video","format":"{format}"}}}}"#);
                    send(socket, Message::Text(start.into())).await
                }
                Ok(Message::Binary(bytes)) => match bytes.first() {
                    Some(&1) if bytes.len() > 2 => {
                        *got += 1;
                        let picture = bytes.slice(2..);
                        let frame = if asked == Some("h264") { FromDevice::Video(picture) } else { FromDevice::Jpeg(picture) };
                        to.send(frame).await.map_err(|_| DeviceError::Lost("the session is over".to_owned()))
                    }
                    Some(&PONG) | None => Ok(()),
                    Some(_) => Ok(()),
                },
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            },
            Some(()) = wanted.recv() => send(socket, Message::Binary(Bytes::from_static(&[1]))).await,
            _ = beat.tick() => send(socket, Message::Binary(Bytes::from_static(&PING))).await,
        };
        if let Err(error) = step {
            return error;
        }
    }
}

async fn stream_pictures(body: &mut Incoming, to: &mpsc::Sender<FromDevice>, got: &mut u64) -> DeviceError {
    let mut parts = Multipart::default();
    loop {
        let frame = match timeout(STILL_MAX, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return DeviceError::Lost(error.to_string()),
            Ok(None) => return DeviceError::Lost("the device ended its pictures".to_owned()),
            Err(_) => return DeviceError::Lost("no picture came for too long".to_owned()),
        };
        parts.feed(frame.data_ref().unwrap_or(&Bytes::new()));
        loop {
            match parts.next_picture() {
                Ok(Some(picture)) => {
                    *got += 1;
                    if to.send(FromDevice::Jpeg(picture)).await.is_err() {
                        return DeviceError::Lost("the session is over".to_owned());
                    }
                }
                Ok(None) => break,
                Err(what) => return DeviceError::Protocol(what),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_one_that_both_have() {
        let both = r#"{"event_type":"media","event":{"video":{"h264":{"profile_level_id":"42E01F"},"jpeg":{}}}}"#;
        let jpeg = r#"{"event_type":"media","event":{"video":{"jpeg":{}}}}"#;
        let video = r#"{"event_type":"media","event":{"video":{"h264":{}}}}"#;
        assert_eq!((format(both, true), format(both, false)), ("h264", "jpeg"));
        assert_eq!((format(jpeg, true), format(video, false)), ("jpeg", "h264"));
    }
}
