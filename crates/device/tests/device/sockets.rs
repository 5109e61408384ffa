//! The WebSockets of events and of pictures, and the stream over HTTP.

use crate::house::{Fake, House, SIGNED_IN, options, picture};
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use oriel_device::{CLIENTS_MAX, DeviceOptions};
use oriel_physical::{Multipart, State};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest};

struct Client(WebSocketStream<TcpStream>);

type Open = Result<Client, Box<tungstenite::Error>>;

async fn open(house: &House, path: &str, headers: &[(&'static str, &str)]) -> Open {
    let mut request = format!("ws://{}{path}", house.address).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(house.address).await.unwrap();
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await.map_err(Box::new)?;
    Ok(Client(socket))
}

const USER: &[(&str, &str)] = &[("x-kvmd-user", "admin"), ("x-kvmd-passwd", "secret")];

impl Client {
    async fn events(house: &House, path: &str) -> Self {
        open(house, path, USER).await.unwrap()
    }

    async fn next(&mut self) -> Message {
        loop {
            let message = timeout(Duration::from_secs(5), self.0.next()).await.expect("nothing came").unwrap().unwrap();
            if !matches!(message, Message::Ping(_)) {
                return message;
            }
        }
    }

    async fn event(&mut self) -> (String, Value) {
        let Message::Text(text) = self.next().await else { panic!("no text") };
        let event: Value = serde_json::from_str(&text).unwrap();
        (event["event_type"].as_str().unwrap().to_owned(), event["event"].clone())
    }

    /// The next event of a kind, others left out.
    async fn of(&mut self, kind: &str) -> Value {
        loop {
            let (name, event) = self.event().await;
            if name == kind {
                return event;
            }
        }
    }

    async fn send(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).await.unwrap();
    }

    async fn bytes(&mut self, bytes: &[u8]) {
        self.send(Message::Binary(bytes.to_vec().into())).await;
    }

    /// When this is answered, what came before is done.
    async fn done(&mut self) {
        self.bytes(&[0]).await;
        while self.next().await != Message::Binary(vec![0xff].into()) {}
    }

    async fn first(&mut self) {
        self.of("hid").await;
    }
}

fn key(flags: u8, name: &str) -> Vec<u8> {
    [&[1, flags][..], name.as_bytes()].concat()
}

#[tokio::test]
async fn everything_is_told_first_and_then_what_changed() {
    let house = House::new().await;
    let mut client = Client::events(&house, "/api/ws?stream=0").await;
    let mut names = Vec::new();
    let mut state = State::default();
    loop {
        let (name, event) = client.event().await;
        if names.is_empty() {
            assert_eq!(event, json!({"version": {"major": 4, "minor": 197}}));
        }
        state.apply(json!({"event_type": name, "event": event}).to_string().as_bytes()).unwrap();
        let last = name == "hid";
        names.push(name);
        if last {
            break;
        }
    }
    names.dedup();
    assert_eq!(
        names,
        ["loop", "clients", "gpio", "atx", "msd", "ocr", "info", "hid_keymaps", "streamer", "switch", "hid"]
    );
    let overview = state.overview();
    assert_eq!((overview.name.as_deref(), overview.version.as_deref()), (Some("fake.example"), Some("4.197")));
    assert!(overview.power.unwrap().enabled && !overview.power.unwrap().on && !overview.video.unwrap().running);

    // Partial, and atx whole.
    house.machine.status.send_modify(|status| status.leds = 4);
    assert_eq!(client.of("hid").await, json!({"keyboard": {"leds": {"caps": true, "scroll": false, "num": false}}}));
    house.machine.status.send_modify(|status| status.power = Some(true));
    let atx = client.of("atx").await;
    assert_eq!((&atx["leds"]["power"], &atx["busy"], &atx["enabled"]), (&json!(true), &json!(false), &json!(true)));
    house.post("/api/hid/set_params?mouse_output=usb_rel").await.result();
    let hid = client.of("hid").await;
    assert_eq!((&hid["mouse"]["absolute"], hid.get("keyboard")), (&json!(false), None));
    house.post("/api/streamer/set_params?quality=33").await.result();
    let streamer = client.of("streamer").await;
    assert_eq!((&streamer["params"]["quality"], streamer.get("features")), (&json!(33), None));

    // Another one comes, and watches.
    let mut other = Client::events(&house, "/api/ws?stream=1").await;
    other.first().await;
    assert_eq!(client.of("clients").await, json!({"count": 2}));
    let streamer = client.of("streamer").await;
    assert_eq!(streamer["streamer"]["source"]["resolution"]["width"], 640);
    assert!(house.machine.wanted.lock().unwrap().last().unwrap().watching);
    drop(other);
    while client.of("clients").await != json!({"count": 1}) {}
}

#[tokio::test]
async fn messages_become_the_reports_of_kvmd() {
    let house = House::new().await;
    let mut client = Client::events(&house, "/api/ws?stream=0").await;
    client.first().await;
    let keyboard: [(&[Vec<u8>], &[&str]); 6] = [
        (&[key(1, "KeyA"), key(0, "KeyA")], &["0000040000000000", "0000000000000000"]),
        (&[key(3, "KeyA")], &["0000040000000000", "0000000000000000"]),
        (&[key(1, "ShiftLeft"), key(0, "ShiftLeft")], &["0200000000000000", "0000000000000000"]),
        (&[vec![1, 0x81, 0, 0x1e], vec![1, 0x80, 0, 0x1e]], &["0000040000000000", "0000000000000000"]),
        (
            &[key(1, "KeyA"), key(1, "KeyA"), key(0, "KeyA")],
            &["0000040000000000", "0000000000000000", "0000040000000000", "0000000000000000"],
        ),
        // What is no message is left out, and the connection stays.
        (&[vec![], vec![1], vec![9, 9], key(1, "Nonsense"), vec![3, 0]], &[]),
    ];
    for (messages, reports) in keyboard {
        house.machine.forget();
        for message in messages {
            client.bytes(message).await;
        }
        client.done().await;
        assert_eq!(house.machine.keyboard(), reports, "{messages:?}");
    }
    // A seventh key lets all others go.
    house.machine.forget();
    for name in ["KeyA", "KeyB", "KeyC", "KeyD", "KeyE", "KeyF", "KeyG"] {
        client.bytes(&key(1, name)).await;
    }
    client.done().await;
    assert_eq!(house.machine.keyboard()[6..], ["0000000000000000", "00000a0000000000"]);

    let absolute: [(&[&[u8]], &[&str]); 7] = [
        (&[&[3, 0, 0, 0, 0]], &["00ff3fff3f0000"]),
        (&[&[3, 0x80, 0, 0x80, 0]], &["00000000000000"]),
        (&[&[2, 1, b'l', b'e', b'f', b't'], &[2, 0, b'l', b'e', b'f', b't']], &["01000000000000", "00000000000000"]),
        (&[&[2, 0x81, 1, 0x11], &[2, 0x80, 1, 0x11]], &["02000000000000", "00000000000000"]),
        (&[&[3, 0x7f, 0xff, 0x7f, 0xff]], &["00ff7fff7f0000"]),
        (&[&[5, 0, 0, 0xfb], &[5, 0, 3, 0]], &["00ff7fff7ffb00", "00ff7fff7f0003"]),
        (&[&[4, 0, 5, 0xfa]], &[]),
    ];
    for (messages, reports) in absolute {
        house.machine.forget();
        for message in messages {
            client.bytes(message).await;
        }
        client.done().await;
        assert_eq!(house.machine.absolute(), reports, "{messages:?}");
    }
    house.post("/api/hid/set_params?mouse_output=usb_rel").await.result();
    let relative: [(&[u8], &[&str]); 4] = [
        (&[4, 0, 5, 0xfa], &["0005fa0000"]),
        (&[4, 1, 0x64, 0, 0x64, 0], &["0064000000", "0064000000"]),
        (&[4, 1, 0x0a, 0x0a, 0x14, 0x14], &["001e1e0000"]),
        (&[3, 0, 0, 0, 0], &[]),
    ];
    for (message, reports) in relative {
        house.machine.forget();
        client.bytes(message).await;
        client.done().await;
        assert_eq!(
            (house.machine.relative(), house.machine.absolute().len()),
            (reports.iter().map(|one| (*one).to_owned()).collect(), 0)
        );
    }
}

#[tokio::test]
async fn json_does_the_same_and_nonsense_nothing() {
    let house = House::new().await;
    let mut client = Client::events(&house, "/api/ws?stream=0").await;
    client.first().await;
    house.machine.forget();
    let say = |kind: &str, event: Value| Message::Text(json!({"event_type": kind, "event": event}).to_string().into());
    client.send(say("ping", json!({}))).await;
    assert_eq!(client.of("pong").await, json!({}));
    client.send(say("key", json!({"key": "KeyA", "state": true}))).await;
    client.send(say("key", json!({"key": "KeyA", "state": false}))).await;
    client.send(say("mouse_move", json!({"to": {"x": 32767, "y": 32767}}))).await;
    client.send(say("mouse_button", json!({"button": "right", "state": true}))).await;
    client.send(say("mouse_wheel", json!({"delta": {"x": 0, "y": -5}}))).await;
    for nonsense in ["", "{", "[]", "{\"event_type\":1}", "{\"event_type\":\"key\",\"event\":{}}"] {
        client.send(Message::Text(nonsense.into())).await;
    }
    client.done().await;
    assert_eq!(house.machine.keyboard(), ["0000040000000000", "0000000000000000"]);
    assert_eq!(house.machine.absolute(), ["00ff7fff7f0000", "02ff7fff7f0000", "02ff7fff7ffb00"]);

    // Whoever comes or goes clears what was held.
    client.bytes(&key(1, "KeyB")).await;
    client.done().await;
    house.machine.forget();
    let mut other = Client::events(&house, "/api/ws?stream=0").await;
    other.first().await;
    assert_eq!(house.machine.keyboard(), ["0000000000000000"]);
    assert_eq!(house.machine.absolute(), ["00ff7fff7f0000"]);
    assert_eq!(house.machine.relative(), ["0000000000"]);
    other.bytes(&key(1, "KeyC")).await;
    other.done().await;
    drop(other);
    house.until("keys up", |fake| fake.keyboard().last().cloned().filter(|last| last == "0000000000000000")).await;
}

#[tokio::test]
async fn pictures_come_at_the_pace_of_who_takes_them() {
    let house = House::new().await;
    assert!(open(&house, "/api/media/ws", &[]).await.is_err(), "nobody in particular");
    let mut client = Client::events(&house, "/api/media/ws").await;
    assert_eq!(client.event().await, ("media".to_owned(), json!({"video": {"jpeg": {}}})));
    client.done().await;
    client.send(Message::Text(r#"{"event_type":"start","event":{"type":"video","format":"jpeg"}}"#.into())).await;
    let Message::Binary(bytes) = client.next().await else { panic!("no picture") };
    assert_eq!((&bytes[..4], &bytes[2..]), (&[1, 1, 0xff, 0xd8][..], &picture(640, 480).jpeg[..]));
    // Many at once, of which the last one is to be seen.
    for width in 1..100 {
        house.machine.pictures.send_replace(Some(picture(width * 8, 48)));
    }
    loop {
        let Message::Binary(bytes) = client.next().await else { panic!("no picture") };
        if oriel_physical::jpeg::size(&bytes[2..]) == Some((792, 48)) {
            break;
        }
    }
    let mut pure = Client::events(&house, "/api/media/ws?video=jpeg").await;
    let Message::Binary(bytes) = pure.next().await else { panic!("no picture") };
    assert_eq!(oriel_physical::jpeg::size(&bytes), Some((792, 48)));
    assert!(open(&house, "/api/media/ws?video=h264", USER).await.is_err());
}

#[tokio::test]
async fn video_begins_at_a_key_frame_and_again_after_a_gap() {
    let house = House::with_video().await;
    let mut client = Client::events(&house, "/api/media/ws").await;
    let offer = json!({"video": {"h264": {"profile_level_id": "42E01F"}, "jpeg": {}}});
    assert_eq!(client.event().await, ("media".to_owned(), offer.clone()));
    assert_eq!(house.get("/api/media").await.result(), offer);
    client.send(Message::Text(r#"{"event_type":"start","event":{"type":"video","format":"h265"}}"#.into())).await;
    client.send(Message::Text(r#"{"event_type":"start","event":{"type":"video","format":"h264"}}"#.into())).await;
    client.done().await;
    let video = house.video();
    let wanted = *video.wanted.lock().unwrap().last().unwrap();
    assert_eq!((wanted.watching, wanted.frames_per_second, wanted.kilobits, wanted.gop), (true, 30, 5000, 30));
    // Nobody watches JPEGs: one a second does.
    let wanted = *house.machine.wanted.lock().unwrap().last().unwrap();
    assert_eq!((wanted.watching, wanted.frames_per_second), (true, 1));
    assert_eq!(video.keys(), 1);
    video.show(false, b"late");
    video.show(true, b"first");
    video.show(false, b"next");
    assert_eq!(client.next().await, Message::Binary(bytes::Bytes::from_static(b"\x01\x01first")));
    assert_eq!(client.next().await, Message::Binary(bytes::Bytes::from_static(b"\x01\x00next")));
    client.bytes(&[1]).await;
    client.done().await;
    assert_eq!(video.keys(), 2);
    // More at once than there is room for, of which the first is a key frame.
    for count in 0..40 {
        video.show(count == 0, b"much");
    }
    house
        .until("a wish for a key frame", |fake| fake.video.as_ref().filter(|video| video.keys() == 3).map(|_| ()))
        .await;
    video.show(false, b"late");
    video.show(true, b"again");
    assert_eq!(client.next().await, Message::Binary(bytes::Bytes::from_static(b"\x01\x01again")));

    let mut pure = Client::events(&house, "/api/media/ws?video=h264").await;
    house.until("one who watches", |fake| fake.video.as_ref().filter(|video| video.keys() == 4).map(|_| ())).await;
    video.show(true, b"bare");
    assert_eq!(pure.next().await, Message::Binary(bytes::Bytes::from_static(b"bare")));
    drop((client, pure));
    let idle =
        |fake: &Fake| fake.video.as_ref()?.wanted.lock().unwrap().last().filter(|wanted| !wanted.watching).copied();
    house.until("rest", idle).await;
}

#[tokio::test]
async fn pictures_come_over_http_too() {
    let house = House::new().await;
    let stream = TcpStream::connect(house.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::get("/streamer/stream?extra_headers=1&key=abc").header("Host", "fake.example");
    for (name, value) in SIGNED_IN {
        request = request.header(*name, *value);
    }
    let answer = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "multipart/x-mixed-replace;boundary=boundarydonotcross");
    assert!(answer.headers()["set-cookie"].to_str().unwrap().starts_with("stream_client=abc/"));
    let (mut body, mut parts, mut seen) = (answer.into_body(), Multipart::default(), 0);
    let mut text = Vec::new();
    // The same one again each second, where nothing changes.
    while seen < 2 {
        let frame = timeout(Duration::from_secs(5), body.frame()).await.unwrap().unwrap().unwrap();
        let data = frame.into_data().unwrap();
        text.extend_from_slice(&data[..data.len().min(300)]);
        parts.feed(&data);
        while let Some(jpeg) = parts.next_picture().unwrap() {
            assert_eq!(jpeg, picture(640, 480).jpeg);
            seen += 1;
        }
    }
    let text = String::from_utf8_lossy(&text);
    assert!(text.starts_with("--boundarydonotcross\r\nContent-Type: image/jpeg\r\nContent-Length: "), "{text}");
    assert!(text.contains("X-UStreamer-Online: true\r\n") && text.contains("X-UStreamer-Width: 640\r\n"));
}

#[tokio::test]
async fn clients_are_counted_and_end_with_the_device() {
    let house = House::start(Fake::default(), DeviceOptions { keep_picture: true, ..options() }).await;
    let mut all = Vec::new();
    for _ in 0..CLIENTS_MAX {
        all.push(Client::events(&house, "/api/ws?stream=0").await);
    }
    let refused = *open(&house, "/api/ws", USER).await.err().unwrap();
    assert!(matches!(&refused, tungstenite::Error::Http(answer) if answer.status() == 503), "{refused}");
    // With a picture all the time, nobody has to watch for one.
    assert_eq!(house.get("/api/streamer/snapshot").await.status, 200);
    let mut last = all.pop().unwrap();
    house.device.end().await;
    timeout(Duration::from_secs(5), async { while let Some(Ok(_)) = last.0.next().await {} })
        .await
        .expect("it did not end");
}
