//! WebSockets: events with keys, and pictures.

use crate::answer::{Answer, Answered, Refusal, with_header, with_status};
use crate::inner::{Inner, Present, Watches};
use crate::part::{PARTS, difference};
use crate::picture::{Gone, Pace};
use crate::query::Query;
use crate::video::{PROFILE, Units};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use oriel_physical::hid::{Hid, NAME_BYTES_MAX, Name, PONG, STEPS_MAX};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// Longest message of a client, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Our heartbeat, and how many of them a client may leave unanswered.
const BEAT: Duration = Duration::from_secs(15);
const SILENT_BEATS_MAX: u32 = 3;
/// Whoever does not take a message by then is dropped.
const WRITE_TIME_MAX: Duration = Duration::from_secs(15);
/// Changes that come faster than this are told together.
const TOGETHER: Duration = Duration::from_millis(20);
/// What a client of pictures says that needs a key frame.
const WANT_KEY: u8 = 1;

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Says yes, and lets `then` have the socket.
fn upgrade<F>(
    inner: &Arc<Inner>,
    mut request: Request<Incoming>,
    then: impl FnOnce(Socket) -> F + Send + 'static,
) -> Answered
where
    F: Future<Output = ()> + Send,
{
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wants = header("upgrade").eq_ignore_ascii_case("websocket") && header("sec-websocket-version") == "13";
    let key = header("sec-websocket-key").to_owned();
    if !wants || key.is_empty() {
        let text = "This is for WebSockets of version 13 only";
        return Err(Refusal::bad("BadRequestError", text));
    }
    let Ok(place) = Arc::clone(&inner.sockets).try_acquire_owned() else {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "UnavailableError", "Too many clients"));
    };
    let mut ended = inner.ended.subscribe();
    tokio::spawn(async move {
        let _place = place;
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX))
            .write_buffer_size(0);
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        tokio::select! {
            () = then(socket) => {}
            _ = ended.wait_for(|ended| *ended) => {}
        }
    });
    let mut answer: Answer = with_status(StatusCode::SWITCHING_PROTOCOLS, Response::new(crate::answer::body("")));
    for (name, value) in [
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Accept", derive_accept_key(key.as_bytes()).as_str()),
    ] {
        answer = with_header(answer, name, value);
    }
    Ok(answer)
}

fn text(kind: &str, event: &Value) -> Message {
    Message::Text(json!({"event_type": kind, "event": event}).to_string().into())
}

/// Whether it went.
async fn send(socket: &mut Socket, message: Message) -> bool {
    matches!(timeout(WRITE_TIME_MAX, socket.send(message)).await, Ok(Ok(())))
}

/// `/api/ws`.
pub(crate) fn events(inner: &Arc<Inner>, request: Request<Incoming>, query: &Query) -> Answered {
    let watches = query.flag("stream")?.unwrap_or(true);
    let Some(present) = Present::new(inner) else {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "UnavailableError", "Too many clients"));
    };
    let own = Arc::clone(inner);
    upgrade(inner, request, move |mut socket| async move {
        let inner = own;
        let watching = watches.then(|| inner.watch(Watches::State));
        // Whoever comes or goes clears what was held.
        inner.clear().await;
        talk(&inner, &mut socket).await;
        timeout(Duration::from_secs(1), socket.close(None)).await.ok();
        drop((watching, present));
        inner.clear().await;
    })
}

/// What a client was told of, by its parts.
type Told = BTreeMap<&'static str, Value>;

/// A part as messages: `info` is told piece by piece.
fn messages(name: &str, value: &Value) -> Vec<Message> {
    match (name, value) {
        ("info", Value::Object(parts)) => {
            parts.iter().map(|(name, value)| text("info", &json!({ name: value }))).collect()
        }
        _ => vec![text(name, value)],
    }
}

async fn talk(inner: &Arc<Inner>, socket: &mut Socket) {
    let mut changes = inner.changes();
    let mut told = Told::new();
    if !send(socket, text("loop", &json!({"version": {"major": 4, "minor": 197}}))).await {
        return;
    }
    for (name, _) in PARTS {
        let value = inner.part(name);
        for message in messages(name, &value) {
            if !send(socket, message).await {
                return;
            }
        }
        told.insert(name, value);
    }
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    let mut silent = 0;
    loop {
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                tokio::time::sleep(TOGETHER).await;
                changes.mark_unchanged();
                // A client that is slow gets what is true by then, and no backlog.
                for (name, depth) in PARTS {
                    let new = inner.part(name);
                    let Some(changed) = difference(told.get(name).unwrap_or(&Value::Null), &new, depth) else { continue };
                    for message in messages(name, &changed) {
                        if !send(socket, message).await {
                            return;
                        }
                    }
                    told.insert(name, new);
                }
            }
            message = socket.next() => {
                silent = 0;
                let answer = match message {
                    Some(Ok(Message::Binary(bytes))) => match Hid::decode(&bytes) {
                        Some(Hid::Ping) => Some(Message::Binary(Bytes::from_static(&[PONG]))),
                        Some(message) => {
                            inner.take(&message).await;
                            None
                        }
                        None => None,
                    },
                    Some(Ok(Message::Text(text))) => said(inner, &text).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => None,
                };
                if let Some(answer) = answer && !send(socket, answer).await {
                    return;
                }
            }
            _ = beat.tick() => {
                silent += 1;
                if silent > SILENT_BEATS_MAX || !send(socket, Message::Ping(Bytes::new())).await {
                    return;
                }
            }
        }
    }
}

/// A message in JSON; what is none is left out, without an answer.
async fn said(inner: &Inner, message: &str) -> Option<Message> {
    let message: Value = serde_json::from_str(message).ok()?;
    let event = message.get("event")?;
    let kind = message.get("event_type")?.as_str()?;
    if kind == "ping" {
        return Some(text("pong", &json!({})));
    }
    inner.take(&spoken(kind, event)?).await;
    None
}

/// As the binary message that it stands for.
fn spoken(kind: &str, event: &Value) -> Option<Hid> {
    let flag = |name: &str| event.get(name).and_then(Value::as_bool);
    let named = |name: &str| {
        let name = event.get(name)?.as_str().filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len()))?;
        Some(Name::Named(name.to_owned()))
    };
    let number = |of: &Value, name: &str| of.get(name)?.as_i64();
    let step = |of: &Value| {
        let axis = |name| number(of, name).map(|by| by.clamp(-127, 127) as i8);
        Some((axis("x")?, axis("y")?))
    };
    let steps = || match event.get("delta")? {
        Value::Array(steps) if (1..=STEPS_MAX).contains(&steps.len()) => steps.iter().map(step).collect(),
        Value::Array(_) => None,
        one => Some(vec![step(one)?]),
    };
    Some(match kind {
        "key" => Hid::Key { name: named("key")?, down: flag("state")?, finish: flag("finish").unwrap_or(false) },
        "mouse_button" => Hid::Button { name: named("button")?, down: flag("state")? },
        "mouse_move" => {
            let axis =
                |name| number(event.get("to")?, name).map(|at| at.clamp(i16::MIN.into(), i16::MAX.into()) as i16);
            Hid::Absolute { x: axis("x")?, y: axis("y")? }
        }
        "mouse_relative" => Hid::Relative { steps: steps()?, squash: flag("squash").unwrap_or(false) },
        "mouse_wheel" => Hid::Wheel { steps: steps()?, squash: flag("squash").unwrap_or(false) },
        _ => return None,
    })
}

/// `/api/media/ws`: JPEGs or H.264. `?video=` names one, which begins at once, and nothing but pictures is sent.
pub(crate) fn media(inner: &Arc<Inner>, request: Request<Incoming>, query: &Query) -> Answered {
    let formats: &[&'static str] = if inner.encoder().is_some() { &["jpeg", "h264"] } else { &["jpeg"] };
    let pure = match query.get("video") {
        None => None,
        Some(_) => Some(query.word("video", formats, "video format")?),
    };
    let own = Arc::clone(inner);
    upgrade(inner, request, move |mut socket| async move {
        show(&own, &mut socket, pure).await;
        timeout(Duration::from_secs(1), socket.close(None)).await.ok();
    })
}

/// What there is to watch.
pub(crate) fn offer(inner: &Inner) -> Value {
    if inner.encoder().is_some() {
        json!({"video": {"h264": {"profile_level_id": PROFILE}, "jpeg": {}}})
    } else {
        json!({"video": {"jpeg": {}}})
    }
}

/// What somebody watches.
enum Shown {
    Jpeg(Pace),
    Video(Units),
}

impl Shown {
    /// `None`: there is no such format here.
    fn new(inner: &Arc<Inner>, format: &str) -> Option<Self> {
        match format {
            "jpeg" => Some(Self::Jpeg(Pace::new(inner))),
            "h264" => Units::new(inner).map(Self::Video),
            _ => None,
        }
    }

    /// The next picture, and whether it stands alone; `None`: there is none now.
    async fn next(&mut self) -> Result<Option<(bool, Bytes)>, Gone> {
        Ok(match self {
            Self::Jpeg(pace) => pace.next().await?.map(|picture| (true, picture.jpeg)),
            Self::Video(units) => units.next().await.map(|unit| Some((unit.key, unit.bytes)))?,
        })
    }
}

async fn show(inner: &Arc<Inner>, socket: &mut Socket, pure: Option<&'static str>) {
    if pure.is_none() && !send(socket, text("media", &offer(inner))).await {
        return;
    }
    let mut shown = pure.and_then(|format| Shown::new(inner, format));
    let pure = pure.is_some();
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    let mut silent = 0;
    loop {
        let next = async {
            match &mut shown {
                Some(shown) => shown.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            picture = next => match picture {
                Ok(Some((key, picture))) => {
                    let bytes = if pure { picture } else { Bytes::from([&[1, u8::from(key)][..], picture.as_ref()].concat()) };
                    if !send(socket, Message::Binary(bytes)).await {
                        return;
                    }
                }
                // No signal: the last JPEG stays. Whoever encodes H.264 shows a blank one.
                Ok(None) => {}
                Err(Gone) => return,
            },
            message = socket.next() => {
                silent = 0;
                match message {
                    Some(Ok(Message::Text(text))) if !pure => {
                        let start: Value = serde_json::from_str(&text).unwrap_or_default();
                        let of = |pointer: &str| start.pointer(pointer).and_then(Value::as_str);
                        if (of("/event_type"), of("/event/type")) == (Some("start"), Some("video"))
                            && let Some(began) = Shown::new(inner, of("/event/format").unwrap_or_default())
                        {
                            shown = Some(began);
                        }
                    }
                    Some(Ok(Message::Binary(bytes))) if !pure && bytes.as_ref() == [0] => {
                        if !send(socket, Message::Binary(Bytes::from_static(&[PONG]))).await {
                            return;
                        }
                    }
                    Some(Ok(Message::Binary(bytes))) if !pure && bytes.as_ref() == [WANT_KEY] => {
                        if let Some(Shown::Video(units)) = &shown {
                            units.want_key();
                        }
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => {}
                }
            }
            _ = beat.tick() => {
                silent += 1;
                if silent > SILENT_BEATS_MAX || !send(socket, Message::Ping(Bytes::new())).await {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_what_bytes_say() {
        let said = |kind: &str, event: Value| spoken(kind, &event).map(|message| message.encode());
        assert_eq!(said("key", json!({"key": "KeyA", "state": true})), Some(b"\x01\x01KeyA".to_vec()));
        assert_eq!(said("key", json!({"key": "KeyA", "state": true, "finish": true})), Some(b"\x01\x03KeyA".to_vec()));
        assert_eq!(said("mouse_button", json!({"button": "left", "state": true})), Some(b"\x02\x01left".to_vec()));
        assert_eq!(said("mouse_move", json!({"to": {"x": -32768, "y": 99999}})), Some(vec![3, 0x80, 0, 0x7f, 0xff]));
        assert_eq!(said("mouse_wheel", json!({"delta": {"x": 0, "y": -5}})), Some(vec![5, 0, 0, 0xfb]));
        let steps = json!({"delta": [{"x": 10, "y": 10}, {"x": 20, "y": 20}], "squash": true});
        assert_eq!(said("mouse_relative", steps), Some(vec![4, 1, 10, 10, 20, 20]));
        for (kind, event) in [
            ("key", json!({"key": "", "state": true})),
            ("key", json!({"key": "KeyA"})),
            ("key", json!({"key": 1, "state": true})),
            ("mouse_move", json!({"to": 1})),
            ("mouse_wheel", json!({"delta": []})),
            ("mouse_relative", json!({"delta": [{"x": 1}]})),
            ("nonsense", json!({})),
        ] {
            assert_eq!(said(kind, event.clone()), None, "{kind} {event}");
        }
    }
}
