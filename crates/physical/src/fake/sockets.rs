//! Its WebSockets.

use super::Inner;
use super::routes::{Answer, refused};
use super::world::FakeOptions;
use crate::hid::{Hid, PONG};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::time::interval;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Says yes, and lets `then` have the socket; it ends when all connections are to break.
fn upgrade<F>(
    inner: &Arc<Inner>,
    mut request: Request<Incoming>,
    then: impl FnOnce(Arc<Inner>, Socket) -> F + Send + 'static,
) -> Answer
where
    F: Future<Output = ()> + Send,
{
    let Some(key) = request.headers().get("Sec-WebSocket-Key").cloned() else {
        return refused(400, "BadRequest", "no WebSocket");
    };
    let inner = Arc::clone(inner);
    let mut broken = inner.broken.subscribe();
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        tokio::select! {
            () = then(inner, socket) => {}
            _ = broken.changed() => {}
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("Connection", "upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Accept", derive_accept_key(key.as_bytes()))
        .body(Full::new(Bytes::new()).boxed_unsync())
        .unwrap_or_else(|_| refused(500, "Error", "no answer"))
}

/// A client that is counted while it is there.
struct Present {
    inner: Arc<Inner>,
    watches: bool,
}

impl Present {
    fn new(inner: &Arc<Inner>, watches: bool) -> Self {
        let mut world = inner.world();
        world.events_clients += 1;
        world.watchers += u32::from(watches);
        world.gadget.clear();
        drop(world);
        Self { inner: Arc::clone(inner), watches }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut world = self.inner.world();
        world.events_clients -= 1;
        world.watchers -= u32::from(self.watches);
        world.gadget.clear();
    }
}

pub(super) fn events(inner: &Arc<Inner>, request: Request<Incoming>, watches: bool) -> Answer {
    upgrade(inner, request, move |inner, socket| async move {
        let present = Present::new(&inner, watches);
        talk(&inner, socket).await;
        drop(present);
    })
}

fn text(kind: &str, event: &Value) -> Message {
    Message::Text(json!({"event_type": kind, "event": event}).to_string().into())
}

async fn talk(inner: &Arc<Inner>, mut socket: Socket) {
    let mut news = inner.events.subscribe();
    let fork = inner.world().options.faults.fork;
    let version = if fork { json!({}) } else { json!({"version": {"major": 4, "minor": 197}}) };
    let mut first = vec![text("loop", &version)];
    {
        let world = inner.world();
        if fork {
            let gpio = world.part("gpio");
            first.push(text("gpio_model_state", gpio.get("model").unwrap_or(&Value::Null)));
            first.push(text("gpio_state", gpio.get("state").unwrap_or(&Value::Null)));
            let info = world.part("info");
            for (name, value) in info.as_object().into_iter().flatten() {
                first.push(text(&format!("info_{name}_state"), value));
            }
            first.extend(
                ["hid", "atx", "msd", "streamer"].map(|part| text(&format!("{part}_state"), &world.part(part))),
            );
        } else {
            first.extend(["clients", "gpio", "atx", "msd", "ocr"].map(|part| text(part, &world.part(part))));
            let info = world.part("info");
            for (name, value) in info.as_object().into_iter().flatten() {
                first.push(text("info", &json!({ name: value })));
            }
            first.extend(["hid_keymaps", "streamer", "switch", "hid"].map(|part| text(part, &world.part(part))));
        }
    }
    for message in first {
        if socket.send(message).await.is_err() {
            return;
        }
    }
    loop {
        let silent = inner.world().options.faults.silent;
        if silent {
            // The connection stays, and nobody is there.
            std::future::pending::<()>().await;
        }
        let answer = tokio::select! {
            event = news.recv() => match event {
                Ok(event) => Some(Message::Text(event.to_string().into())),
                Err(_) => None,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => match Hid::decode(&bytes) {
                    Some(Hid::Ping) => Some(Message::Binary(Bytes::from_static(&[PONG]))),
                    Some(message) => {
                        inner.world().gadget.take(&message);
                        None
                    }
                    None => None,
                },
                Some(Ok(_)) => None,
                Some(Err(_)) | None => return,
            },
        };
        if inner.world().options.faults.silent {
            continue;
        }
        if let Some(answer) = answer
            && socket.send(answer).await.is_err()
        {
            return;
        }
    }
}

pub(super) fn media(inner: &Arc<Inner>, request: Request<Incoming>) -> Answer {
    upgrade(inner, request, |inner, socket| async move { show(&inner, socket).await })
}

async fn show(inner: &Arc<Inner>, mut socket: Socket) {
    let FakeOptions { video, moving, period, .. } = inner.world().options.clone();
    let mut offer = json!({"jpeg": {}});
    if !video.is_empty() {
        offer = json!({"jpeg": {}, "h264": {"profile_level_id": "42E01F"}});
    }
    if socket.send(text("media", &json!({"video": offer}))).await.is_err() {
        return;
    }
    let (mut format, mut at, mut sent) = (None, 0, 0u32);
    let mut beat = interval(period);
    loop {
        if inner.world().options.faults.silent {
            std::future::pending::<()>().await;
        }
        tokio::select! {
            _ = beat.tick() => {
                let (picture, key) = match format {
                    None => continue,
                    Some(true) => match video.get(at) {
                        Some(unit) => (unit.clone(), at == 0),
                        None => continue,
                    },
                    Some(false) => match moving.get(at % moving.len().max(1)) {
                        Some(picture) => (picture.clone(), true),
                        None => (inner.world().options.picture.clone(), true),
                    },
                };
                at += 1;
                sent += 1;
                let mut frame = vec![1, u8::from(key)];
                frame.extend_from_slice(&picture);
                let reset = {
                    let mut world = inner.world();
                    world.pictures_sent += 1;
                    let after = world.options.faults.reset_after;
                    let reset = after.is_some_and(|after| sent > after);
                    if reset {
                        // Once.
                        world.options.faults.reset_after = None;
                    }
                    reset
                };
                if reset {
                    // A frame's header (RFC 6455 §5.2), half of what it promises, and no more.
                    let raw = socket.get_mut();
                    let mut half = vec![0x82, 127];
                    half.extend_from_slice(&(frame.len() as u64).to_be_bytes());
                    half.extend_from_slice(frame.get(..frame.len() / 2).unwrap_or_default());
                    raw.write_all(&half).await.ok();
                    raw.flush().await.ok();
                    return;
                }
                if socket.send(Message::Binary(frame.into())).await.is_err() {
                    return;
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let start: Value = serde_json::from_str(&text).unwrap_or_default();
                    format = start.pointer("/event/format").and_then(Value::as_str).map(|format| format == "h264");
                }
                Some(Ok(Message::Binary(bytes))) => match bytes.as_ref() {
                    [0] => drop(socket.send(Message::Binary(Bytes::from_static(&[PONG]))).await),
                    [1] => {
                        at = 0;
                        inner.world().keys_wanted += 1;
                    }
                    _ => {}
                },
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}
