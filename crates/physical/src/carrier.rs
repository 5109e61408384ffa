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
use crate::hid::PING;
use crate::multipart::Multipart;
use crate::options::{Clock, PhysicalOptions};
use crate::state::State;
use crate::{DeviceError, EVENT_BYTES_MAX, PRINT_BYTES_MAX, PhysicalSource};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use oriel_model::SwitchPort;
use oriel_pin::{Fingerprint, HostPin};
use oriel_stream::{BoxStream, Way};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

/// What lies between the tasks and the session, in bytes each way.
const STREAM_BYTES: usize = 256 << 10;
/// Frames that wait for the stream, and messages that wait for the device.
const FRAMES_MAX: usize = 16;
const MESSAGES_MAX: usize = 256;
/// Our own heartbeat; kvmd's is one in 15 seconds.
const PING_PERIOD: Duration = Duration::from_secs(5);
/// A device that says nothing for so many beats is gone, whatever its TCP connection looks like.
const SILENT_BEATS_MAX: u32 = 4;
/// How long it may take to come back.
const OPEN_TIME_MAX: Duration = Duration::from_secs(20);
/// Pictures over plain HTTP have no heartbeat, and a picture that does not change is sent seldom.
const STILL_MAX: Duration = Duration::from_mins(1);
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);
/// A connection that held for so many beats was a good one: the next loss begins from the start.
const GOOD_BEATS: u32 = 6;
/// So do so many pictures.
const GOOD_PICTURES: u64 = 100;
/// Texts that wait to be typed; those that wait are typed as one.
const TEXTS_MAX: usize = 16;
/// How long typing one text may take: kvmd answers when the last key is up.
const TYPING_TIME_MAX: Duration = Duration::from_mins(3);

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
    if let Some(port) = options.switch_port {
        client.activate(port).await?;
    }
    let home =
        Arc::new(Home { options, way, clock, cookie: Mutex::new(client.cookie()), deaf: AtomicBool::new(false) });
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
    /// No events come. Of a port of a Switch nothing is shown meanwhile: nobody says which port is active.
    deaf: AtomicBool,
}

enum Pictures {
    Socket(Box<Socket>),
    /// Firmware without pictures over WebSocket.
    Stream(Incoming),
}

impl Home {
    fn hides_pictures(&self) -> bool {
        self.options.switch_port.is_some() && self.deaf.load(Ordering::Relaxed)
    }

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
        if let Some(port) = self.options.switch_port {
            client.stays_at(port).await?;
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
    let lost_keys = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    tasks.spawn(hold_events(Arc::clone(&home), events, keys, Arc::clone(&lost_keys), to.clone()));
    tasks.spawn(hold_pictures(Arc::clone(&home), pictures, wanted, to));
    tasks.spawn(type_texts(home, texts));
    tasks.spawn(write(writer, queue));
    // Who reads the stream is who watches: with its end everything ends, and the device lets all keys go.
    read(reader, hid, &lost_keys, want, print).await;
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
    lost_keys: &Notify,
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
                // A device that takes nothing loses what is typed meanwhile: late keys are wrong keys. One of them may have been a
                // key's release, so that the connection begins anew: then the device lets all keys go.
                Ok(Some(ToDevice::Hid(message))) => {
                    if hid.try_send(message).is_err() {
                        lost_keys.notify_one();
                    }
                }
                Ok(Some(ToDevice::WantKey)) => drop(want.try_send(())),
                Ok(Some(ToDevice::Print(text))) => drop(print.try_send(text)),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// Types what comes, in its order. One connection does for as long as the device keeps it.
async fn type_texts(home: Arc<Home>, mut texts: mpsc::Receiver<String>) {
    let mut kept: Option<Client> = None;
    while let Some(mut text) = texts.recv().await {
        // Touch keyboards send characters one by one, faster than a device answers.
        while text.len() < PRINT_BYTES_MAX / 2 {
            match texts.try_recv() {
                Ok(next) if text.len() + next.len() <= PRINT_BYTES_MAX => text.push_str(&next),
                Ok(next) => {
                    type_text(&home, &mut kept, &std::mem::replace(&mut text, next)).await;
                }
                Err(_) => break,
            }
        }
        type_text(&home, &mut kept, &text).await;
    }
}

async fn type_text(home: &Home, kept: &mut Option<Client>, text: &str) {
    let keymap = home.options.keymap.as_deref();
    let typing = async {
        let mut client = match kept.take().filter(Client::is_open) {
            Some(mut client) => {
                // It was signed in before somebody may have chosen another port, and what is typed may be a password.
                if let Some(port) = home.options.switch_port {
                    client.stays_at(port).await?;
                }
                client
            }
            None => home.client().await?,
        };
        client.print(text, keymap).await?;
        Ok::<_, DeviceError>(client)
    };
    match timeout(TYPING_TIME_MAX, typing).await {
        Ok(Ok(client)) => *kept = Some(client),
        Ok(Err(error)) => tracing::warn!(%error, "A text could not be typed on the device"),
        Err(_) => tracing::warn!("A text was typed on the device for too long"),
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
        match timeout(OPEN_TIME_MAX, open()).await {
            Ok(Ok(opened)) => return Some(opened),
            Ok(Err(error)) => {
                last = error.to_string();
                if !error.may_pass() {
                    break;
                }
            }
            Err(_) => last = DeviceError::TimedOut(OPEN_TIME_MAX.as_secs()).to_string(),
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

async fn next(socket: &mut Socket) -> Result<Message, DeviceError> {
    match socket.next().await {
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(DeviceError::Lost("the device hung up".to_owned())),
        Some(Ok(message)) => Ok(message),
    }
}

/// Our heartbeat, and whether the device's is there.
struct Beat {
    period: Interval,
    /// Beats since the device said something.
    silent: u32,
    /// Beats since the connection was opened.
    all: u32,
}

impl Beat {
    fn new() -> Self {
        let mut period = interval(PING_PERIOD);
        // Where the session was not read for long, what the device said meanwhile is looked at first.
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { period, silent: 0, all: 0 }
    }

    fn was_good(&self) -> bool {
        self.all > GOOD_BEATS
    }

    async fn send(&mut self, socket: &mut Socket) -> Result<(), DeviceError> {
        if self.silent >= SILENT_BEATS_MAX {
            return Err(DeviceError::Lost("nothing came for too long".to_owned()));
        }
        (self.silent, self.all) = (self.silent + 1, self.all.saturating_add(1));
        send(socket, Message::Binary(Bytes::from_static(&PING))).await
    }
}

async fn hold_events(
    home: Arc<Home>,
    mut socket: Socket,
    mut keys: mpsc::Receiver<Vec<u8>>,
    lost_keys: Arc<Notify>,
    to: mpsc::Sender<FromDevice>,
) {
    let mut backoff = Backoff::default();
    loop {
        let mut beat = Beat::new();
        let why = events(&mut socket, &mut keys, &lost_keys, &to, (&mut beat, home.options.switch_port)).await;
        home.deaf.store(true, Ordering::Relaxed);
        if matches!(why, DeviceError::PortLeft(_)) {
            to.send(FromDevice::Gone(why.to_string())).await.ok();
            return;
        }
        if beat.was_good() {
            backoff.reset();
        }
        // Closed before the next one is opened: a device that sees it leave later lets keys go that were pressed by then.
        timeout(WRITE_TIME_MAX / 10, socket.close(None)).await.ok();
        if to.send(FromDevice::Lost).await.is_err() {
            return;
        }
        let Some(opened) = again(&mut backoff, &to, &why, || home.events()).await else { return };
        socket = opened;
        home.deaf.store(false, Ordering::Relaxed);
        // What was typed while nobody took it.
        while keys.try_recv().is_ok() {}
    }
}

async fn events(
    socket: &mut Socket,
    keys: &mut mpsc::Receiver<Vec<u8>>,
    lost_keys: &Notify,
    to: &mpsc::Sender<FromDevice>,
    (beat, port): (&mut Beat, Option<SwitchPort>),
) -> DeviceError {
    let mut told = State::default();
    loop {
        let step = tokio::select! {
            message = next(socket) => match message.inspect(|_| beat.silent = 0) {
                Ok(Message::Text(text)) if text.len() <= EVENT_BYTES_MAX => {
                    match port.filter(|port| told.apply(text.as_bytes()).is_ok() && told.has_left(*port)) {
                        Some(port) => Err(DeviceError::PortLeft(port)),
                        None => {
                            let event = FromDevice::Event(Bytes::from(text));
                            to.send(event).await.map_err(|_| DeviceError::Lost("the session is over".to_owned()))
                        }
                    }
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            },
            message = keys.recv() => match message {
                Some(message) => send(socket, Message::Binary(message.into())).await,
                None => Err(DeviceError::Lost("the session is over".to_owned())),
            },
            () = lost_keys.notified() => Err(DeviceError::Lost("it takes keys too slowly".to_owned())),
            _ = beat.period.tick() => beat.send(socket).await,
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
            Pictures::Socket(socket) => socket_pictures(socket, &home, &mut wanted, &to, &mut got).await,
            Pictures::Stream(body) => stream_pictures(body, &home, &to, &mut got).await,
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

/// Which format to ask for, of what the device offers; `None` where there is none that the viewer can show.
fn format(offer: &str, h264: bool) -> Option<&'static str> {
    let offer: Value = serde_json::from_str(offer).unwrap_or_default();
    let has = |name: &str| offer.pointer("/event/video").and_then(|video| video.get(name)).is_some();
    match (h264 && has("h264"), has("h264") && !has("jpeg")) {
        (true, _) => Some("h264"),
        (false, false) => Some("jpeg"),
        (false, true) => None,
    }
}

async fn socket_pictures(
    socket: &mut Socket,
    home: &Home,
    wanted: &mut mpsc::Receiver<()>,
    to: &mpsc::Sender<FromDevice>,
    got: &mut u64,
) -> DeviceError {
    let (mut beat, mut asked, mut hidden) = (Beat::new(), None, false);
    loop {
        let step = tokio::select! {
            message = next(socket) => match message.inspect(|_| beat.silent = 0) {
                Ok(Message::Text(text)) if asked.is_none() && text.contains("\"media\"") => {
                    let Some(format) = format(&text, home.options.h264) else { return DeviceError::OnlyVideo };
                    asked = Some(format);
                    let start = format!(r#"{{"event_type":"start","event":{{"type":"video","format":"{format}"}}}}"#);
                    send(socket, Message::Text(start.into())).await
                }
                Ok(Message::Binary(bytes)) => match bytes.first() {
                    Some(&1) if home.hides_pictures() => {
                        hidden = true;
                        Ok(())
                    }
                    // Video goes on from a whole picture alone.
                    Some(&1) if asked == Some("h264") && std::mem::take(&mut hidden) => {
                        send(socket, Message::Binary(Bytes::from_static(&[1]))).await
                    }
                    Some(&1) if bytes.len() > 2 => {
                        *got += 1;
                        let picture = bytes.slice(2..);
                        let frame = if asked == Some("h264") { FromDevice::Video(picture) } else { FromDevice::Jpeg(picture) };
                        to.send(frame).await.map_err(|_| DeviceError::Lost("the session is over".to_owned()))
                    }
                    // The answer to a ping, or nothing that is known.
                    Some(_) | None => Ok(()),
                },
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            },
            Some(()) = wanted.recv() => send(socket, Message::Binary(Bytes::from_static(&[1]))).await,
            _ = beat.period.tick() => beat.send(socket).await,
        };
        if let Err(error) = step {
            return error;
        }
    }
}

async fn stream_pictures(
    body: &mut Incoming,
    home: &Home,
    to: &mpsc::Sender<FromDevice>,
    got: &mut u64,
) -> DeviceError {
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
                Ok(Some(_)) if home.hides_pictures() => {}
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
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_one_that_both_have() {
        let both = r#"{"event_type":"media","event":{"video":{"h264":{"profile_level_id":"42E01F"},"jpeg":{}}}}"#;
        let jpeg = r#"{"event_type":"media","event":{"video":{"jpeg":{}}}}"#;
        let video = r#"{"event_type":"media","event":{"video":{"h264":{}}}}"#;
        assert_eq!((format(both, true), format(both, false)), (Some("h264"), Some("jpeg")));
        assert_eq!((format(jpeg, true), format(jpeg, false)), (Some("jpeg"), Some("jpeg")));
        assert_eq!((format(video, true), format(video, false)), (Some("h264"), None));
    }
    #[tokio::test]
    async fn keys_that_find_no_room_begin_the_connection_anew() {
        let (mut near, far) = duplex(1 << 10);
        let (hid, mut keys) = mpsc::channel(1);
        let (want, _wanted) = mpsc::channel(1);
        let (print, _texts) = mpsc::channel(1);
        let lost = Arc::new(Notify::new());
        let told = Arc::clone(&lost);
        let reading = tokio::spawn(async move { read(split(far).0, hid, &told, want, print).await });
        let mut out = Vec::new();
        for message in [b"first", b"other"] {
            ToDevice::Hid(message.to_vec()).encode(&mut out);
        }
        near.write_all(&out).await.unwrap();
        lost.notified().await;
        assert_eq!(keys.recv().await.as_deref(), Some(&b"first"[..]));
        drop(near);
        reading.await.unwrap();
        assert_eq!(keys.recv().await, None);
    }
}
