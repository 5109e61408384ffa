//! A viewer and a machine on both sides of the gateway, everything real but the machine's pixels.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod program;

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{SinkExt, StreamExt};
use oriel_gateway::{DialError, Dialler, Gateway, Protocol, SpiceOptions, Target, ViewerRequest, VncOptions};
use oriel_model::{ConnectionId, DesktopId, GuestPort, UserId};
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use oriel_screen::{ByeCode, InputEvent, TileCodec};
use program::gateway;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

/// Generous: what does not happen at all fails as surely after this.
const PATIENCE: Duration = Duration::from_mins(1);
const WIDTH: u16 = 64;
const HEIGHT: u16 = 48;

/// A VNC server (RFC 6143) with one colour, which every key press changes.
async fn machine(mut stream: DuplexStream) -> std::io::Result<()> {
    stream.write_all(b"RFB 003.008\n").await?;
    let mut version = [0; 12];
    stream.read_exact(&mut version).await?;
    stream.write_all(&[1, 1]).await?;
    stream.read_u8().await?;
    stream.write_all(&[0, 0, 0, 0]).await?;
    stream.read_u8().await?;
    stream.write_u16(WIDTH).await?;
    stream.write_u16(HEIGHT).await?;
    stream.write_all(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0]).await?;
    stream.write_u32(4).await?;
    stream.write_all(b"test").await?;
    let mut colour = 40u8;
    let (mut wanted, mut changed) = (false, true);
    loop {
        match stream.read_u8().await? {
            0 => drop(read(&mut stream, 19).await?),
            2 => {
                stream.read_u8().await?;
                let count = stream.read_u16().await?;
                read(&mut stream, usize::from(count) * 4).await?;
            }
            3 => {
                read(&mut stream, 9).await?;
                wanted = true;
            }
            4 => {
                let key = read(&mut stream, 7).await?;
                if key[0] == 1 {
                    colour = colour.wrapping_add(50);
                    changed = true;
                }
            }
            5 => drop(read(&mut stream, 5).await?),
            other => panic!("message {other}"),
        }
        if wanted && changed {
            (wanted, changed) = (false, false);
            let mut update = vec![0, 0, 0, 1, 0, 0, 0, 0];
            update.extend_from_slice(&WIDTH.to_be_bytes());
            update.extend_from_slice(&HEIGHT.to_be_bytes());
            update.extend_from_slice(&[0; 4]);
            update.extend([colour, 0, 0, 0].repeat(usize::from(WIDTH) * usize::from(HEIGHT)));
            stream.write_all(&update).await?;
        }
    }
}

async fn read(stream: &mut DuplexStream, count: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[derive(Default)]
struct Machines {
    dialled: AtomicUsize,
    off: bool,
}

#[async_trait]
impl Dialler for Machines {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        if self.off {
            return Err(DialError { code: ByeCode::Unreachable, text: "the machine is off".into() });
        }
        self.dialled.fetch_add(1, Ordering::Relaxed);
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(machine(far));
        Ok(Target {
            title: "test-1".into(),
            stream: Box::new(near),
            protocol: Protocol::console(),
            policy: oriel_model::SessionPolicy::default(),
        })
    }
}

struct Viewer {
    send: UnboundedSender<Bytes>,
    receive: UnboundedReceiver<Bytes>,
    records: std::collections::VecDeque<ServerRecord>,
}

impl Viewer {
    fn open(gateway: &Gateway, request: &ViewerRequest) -> Self {
        let (send, incoming) = unbounded();
        let (outgoing, receive) = unbounded();
        let (gateway, request) = (gateway.clone(), request.clone());
        tokio::spawn(async move { gateway.attach(request, incoming, outgoing).await });
        let mut viewer = Self { send, receive, records: std::collections::VecDeque::new() };
        let hello =
            ViewerHello { version: PROTOCOL_VERSION, width: 800, height: 600, scale: 100, ..Default::default() };
        viewer.say(&ViewerRecord::Hello(hello));
        viewer
    }

    fn say(&mut self, record: &ViewerRecord) {
        let mut message = Vec::new();
        record.encode(&mut message);
        self.send.unbounded_send(message.into()).unwrap();
    }

    async fn next(&mut self) -> ServerRecord {
        while self.records.is_empty() {
            let message = timeout(PATIENCE, self.receive.next()).await.expect("in time").expect("open");
            self.records.extend(ServerRecord::decode_all(&message).unwrap());
        }
        self.records.pop_front().unwrap()
    }

    async fn until(&mut self, wanted: impl Fn(&ServerRecord) -> bool) -> ServerRecord {
        loop {
            let record = self.next().await;
            if wanted(&record) {
                return record;
            }
        }
    }

    async fn connection(&mut self) -> ConnectionId {
        match self.until(|r| matches!(r, ServerRecord::Hello { .. })).await {
            ServerRecord::Hello { connection, terminal: false, .. } => ConnectionId(uuid::Uuid::from_bytes(connection)),
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a frame of one colour, acknowledges it and returns the colour's red, the last one where it was painted over.
    async fn red(&mut self) -> u8 {
        let mut painted = None;
        loop {
            match self.next().await {
                ServerRecord::Fill { rgb: [red, ..], .. } => painted = Some(red),
                ServerRecord::FrameEnd { sequence } => {
                    if let Some(red) = painted {
                        self.say(&ViewerRecord::Ack { sequence });
                        return red;
                    }
                }
                _ => {}
            }
        }
    }

    /// As [`Self::red`], once the machine has painted: before that the surface is black.
    async fn painted(&mut self) -> u8 {
        loop {
            let red = self.red().await;
            if red != 0 {
                return red;
            }
        }
    }
}

fn request() -> ViewerRequest {
    ViewerRequest {
        user: UserId::new(),
        desktop: DesktopId::new(),
        port: GuestPort::Console,
        person: "ada".into(),
        resume: None,
        guest: None,
        seat: None,
        app: None,
    }
}

const PRESS: ViewerRecord = ViewerRecord::Input(InputEvent::Key { down: true, code: 0x1E, keysym: 0x61 });

#[tokio::test]
async fn a_key_changes_the_picture() {
    let gateway = gateway(Arc::new(Machines::default()));
    let mut viewer = Viewer::open(&gateway, &request());
    let size = viewer.until(|r| matches!(r, ServerRecord::Resize { .. })).await;
    assert_eq!(size, ServerRecord::Resize { width: WIDTH, height: HEIGHT });
    assert_eq!(viewer.painted().await, 40);
    for expected in [90, 140, 190] {
        viewer.say(&PRESS);
        assert_eq!(viewer.red().await, expected);
    }
    assert_eq!(gateway.connections().len(), 1);
    assert_eq!(gateway.connections()[0].connection.viewers, 1);
}

#[tokio::test]
async fn a_viewer_that_comes_back_continues_the_same_connection() {
    let machines = Arc::new(Machines::default());
    let gateway = gateway(machines.clone());
    let mut asked = request();
    let mut viewer = Viewer::open(&gateway, &asked);
    let connection = viewer.connection().await;
    viewer.painted().await;
    viewer.say(&PRESS);
    viewer.red().await;
    drop(viewer);
    asked.resume = Some(connection);
    let mut viewer = Viewer::open(&gateway, &asked);
    assert_eq!(viewer.connection().await, connection);
    let touch = viewer.until(|r| matches!(r, ServerRecord::Touch(_) | ServerRecord::Fill { .. })).await;
    assert!(matches!(touch, ServerRecord::Touch(_)), "what the machine takes is told anew: {touch:?}");
    assert_eq!(viewer.painted().await, 90, "the surface survived the viewer");
    assert_eq!(machines.dialled.load(Ordering::Relaxed), 1);
    // Somebody else who learnt the connection's id gets a connection of their own.
    let mut stranger = Viewer::open(&gateway, &ViewerRequest { user: UserId::new(), ..asked });
    assert_ne!(stranger.connection().await, connection);
}

#[tokio::test]
async fn the_later_window_wins_and_the_earlier_is_told() {
    let gateway = gateway(Arc::new(Machines::default()));
    let asked = request();
    let mut first = Viewer::open(&gateway, &asked);
    first.painted().await;
    let mut second = Viewer::open(&gateway, &asked);
    second.painted().await;
    let bye = first.until(|r| matches!(r, ServerRecord::Bye { .. })).await;
    assert!(matches!(bye, ServerRecord::Bye { code: ByeCode::TakenOver, .. }));
    assert_eq!(gateway.connections().len(), 1);
}

#[tokio::test]
async fn ending_and_failing_are_said_in_words() {
    let gateway = gateway(Arc::new(Machines::default()));
    let mut viewer = Viewer::open(&gateway, &request());
    let id = viewer.connection().await;
    viewer.painted().await;
    assert!(gateway.end(id, ByeCode::EndedByAdmin, "ended by an administrator").await);
    let bye = viewer.until(|r| matches!(r, ServerRecord::Bye { .. })).await;
    assert_eq!(bye, ServerRecord::Bye { code: ByeCode::EndedByAdmin, text: "ended by an administrator".into() });

    let gateway = program::gateway(Arc::new(Machines { off: true, ..Machines::default() }));
    let mut viewer = Viewer::open(&gateway, &request());
    let bye = viewer.until(|r| matches!(r, ServerRecord::Bye { .. })).await;
    assert_eq!(bye, ServerRecord::Bye { code: ByeCode::Unreachable, text: "the machine is off".into() });
    timeout(PATIENCE, async {
        while !gateway.connections().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the failed connection is forgotten");
}

#[tokio::test]
async fn a_page_that_breaks_the_protocol_is_told_and_let_go() {
    let gateway = gateway(Arc::new(Machines::default()));
    let (mut send, incoming) = unbounded::<Bytes>();
    let (outgoing, mut receive) = unbounded::<Bytes>();
    let served = {
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.attach(request(), incoming, outgoing).await })
    };
    send.send(Bytes::from_static(b"GET / HTTP/1.1")).await.unwrap();
    let message = timeout(PATIENCE, receive.next()).await.unwrap().unwrap();
    let records = ServerRecord::decode_all(&message).unwrap();
    assert!(matches!(&records[..], [ServerRecord::Bye { code: ByeCode::Protocol, .. }]));
    timeout(PATIENCE, served).await.unwrap().unwrap();
    assert!(gateway.connections().is_empty());
}

#[tokio::test]
async fn a_session_opened_ahead_is_taken_over_and_never_takes_over() {
    let machines = Arc::new(Machines::default());
    let gateway = gateway(machines.clone());
    let asked = ViewerRequest { port: GuestPort::Rdp, ..request() };
    let ahead = tokio::spawn({
        let (gateway, asked) = (gateway.clone(), asked.clone());
        async move { gateway.prelaunch(asked.user, asked.desktop).await }
    });
    timeout(PATIENCE, async {
        while machines.dialled.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(gateway.connections_to(asked.desktop), 0, "nobody uses the desktop");
    let mut viewer = Viewer::open(&gateway, &asked);
    assert_eq!(viewer.painted().await, 40);
    timeout(PATIENCE, ahead).await.expect("it lets go").unwrap();
    assert_eq!(machines.dialled.load(Ordering::Relaxed), 1);
    assert_eq!(gateway.connections_to(asked.desktop), 1);
    gateway.prelaunch(asked.user, asked.desktop).await;
    viewer.say(&PRESS);
    assert_eq!(viewer.red().await, 90, "the person still sits there");
}

/// The picture that [`fussy`] sends.
fn jpeg() -> Vec<u8> {
    let mut bytes = Vec::new();
    let rgb = [220, 20, 20].repeat(usize::from(WIDTH) * usize::from(HEIGHT));
    jpeg_encoder::Encoder::new(&mut bytes, 90).encode(&rgb, WIDTH, HEIGHT, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

/// A VNC server as TigerVNC comes: VeNCrypt with anonymous keys, or a password. A key makes it send a JPEG picture.
async fn fussy(mut stream: DuplexStream) -> std::io::Result<()> {
    stream.write_all(b"RFB 003.008\n").await?;
    read(&mut stream, 12).await?;
    stream.write_all(&[2, 19, 2]).await?;
    if stream.read_u8().await? == 19 {
        stream.write_all(&[0, 2]).await?;
        read(&mut stream, 2).await?;
        stream.write_all(&[0, 1, 0, 0, 1, 2]).await?;
        read(&mut stream, 4).await?;
        return Ok(());
    }
    stream.write_all(&[7; 16]).await?;
    read(&mut stream, 16).await?;
    stream.write_all(&[0; 4]).await?;
    stream.read_u8().await?;
    stream.write_u16(WIDTH).await?;
    stream.write_u16(HEIGHT).await?;
    stream.write_all(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0]).await?;
    stream.write_u32(0).await?;
    loop {
        match stream.read_u8().await? {
            0 => drop(read(&mut stream, 19).await?),
            2 => {
                stream.read_u8().await?;
                let count = stream.read_u16().await?;
                read(&mut stream, usize::from(count) * 4).await?;
            }
            3 => drop(read(&mut stream, 9).await?),
            4 => {
                read(&mut stream, 7).await?;
                let jpeg = jpeg();
                let mut update = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, WIDTH as u8, 0, HEIGHT as u8, 0, 0, 0, 7, 0x90];
                update.extend([jpeg.len() as u8 & 0x7f | 0x80, (jpeg.len() >> 7) as u8]);
                stream.write_all(&[update, jpeg].concat()).await?;
            }
            5 => drop(read(&mut stream, 5).await?),
            other => panic!("message {other}"),
        }
    }
}

#[derive(Default)]
struct Fussy(AtomicUsize);

#[async_trait]
impl Dialler for Fussy {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(fussy(far));
        let options =
            VncOptions { password: Some("secret".into()), quality: Some(8), audio: true, ..VncOptions::default() };
        Ok(Target {
            title: "fussy".into(),
            stream: Box::new(near),
            protocol: Protocol::Vnc(Box::new(options)),
            policy: oriel_model::SessionPolicy::default(),
        })
    }
}

#[tokio::test]
async fn a_jpeg_is_handed_on_and_painted_for_who_comes_later() {
    let machines = Arc::new(Fussy::default());
    let gateway = gateway(Arc::clone(&machines) as Arc<dyn Dialler>);
    let request = request();
    let mut viewer = Viewer::open(&gateway, &request);
    assert_eq!(viewer.red().await, 0);
    assert_eq!(machines.0.load(Ordering::Relaxed), 2, "dialled again without VeNCrypt");
    viewer.say(&PRESS);
    let tile = viewer.until(|r| matches!(r, ServerRecord::Tile { .. })).await;
    let ServerRecord::Tile { codec, bytes, .. } = &tile else { unreachable!() };
    assert_eq!((*codec, bytes), (TileCodec::Jpeg, &Bytes::from(jpeg())));
    viewer.until(|r| matches!(r, ServerRecord::FrameEnd { .. })).await;
    // The next viewer of the same connection has none of it and gets pixels.
    let mut later = Viewer::open(&gateway, &request);
    let red = later.painted().await;
    assert!((200..240).contains(&red), "{red}");
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A message of a SPICE channel.
fn spice_message(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &words(&[body.len() as u32]), body].concat()
}

/// Whichever channel of a SPICE server is asked for. It looks at no ticket, and its screen has one colour.
async fn spice(mut stream: DuplexStream) -> std::io::Result<()> {
    let header = read(&mut stream, 16).await?;
    let length = u32::from_le_bytes(header[12..].try_into().unwrap()) as usize;
    let channel = read(&mut stream, length).await?[4];
    // An RSA key of 1024 bits (RFC 3279).
    let key = [
        &b"\x30\x81\x9f\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x81\x8d\x00"[..],
        b"\x30\x81\x89\x02\x81\x81\x00",
        &[0xff; 128],
        b"\x02\x03\x01\x00\x01",
    ]
    .concat();
    let reply = [vec![0; 4], key, words(&[1, 1, 178, 0b1011, 0])].concat();
    stream.write_all(&[&b"REDQ"[..], &words(&[2, 2, reply.len() as u32]), &reply].concat()).await?;
    read(&mut stream, 4 + 128).await?;
    let mut said = vec![0; 4];
    match channel {
        1 => {
            said.extend(spice_message(103, &words(&[7, 1, 3, 2, 0, 0, 0, 0])));
            said.extend(spice_message(104, &[&words(&[5])[..], &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0]].concat()));
        }
        2 => {
            let (width, height) = (u32::from(WIDTH), u32::from(HEIGHT));
            said.extend(spice_message(314, &words(&[0, width, height, 32, 1])));
            let area = words(&[0, 0, 0, height, width]);
            // Not clipped, a solid brush, put, no mask.
            let fill = [area, vec![0, 1], words(&[0x0028_0000]), vec![8, 0, 0], words(&[0; 3])].concat();
            said.extend(spice_message(302, &fill));
        }
        _ => {}
    }
    stream.write_all(&said).await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
}

#[derive(Default)]
struct Channels(AtomicUsize);

#[async_trait]
impl Dialler for Channels {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(spice(far));
        let options = SpiceOptions { password: Some("secret".into()), ..SpiceOptions::default() };
        Ok(Target {
            title: "spice".into(),
            stream: Box::new(near),
            protocol: Protocol::Spice(Box::new(options)),
            policy: oriel_model::SessionPolicy::default(),
        })
    }
}

#[tokio::test]
async fn a_session_of_five_connections_is_one() {
    let machines = Arc::new(Channels::default());
    let gateway = gateway(machines.clone());
    let request = request();
    let mut viewer = Viewer::open(&gateway, &request);
    assert_eq!(viewer.painted().await, 40);
    assert_eq!(machines.0.load(Ordering::Relaxed), 5, "SPICE has a connection for each channel");
    // Who comes back finds the same session.
    drop(viewer);
    assert_eq!(Viewer::open(&gateway, &request).painted().await, 40);
    assert_eq!(machines.0.load(Ordering::Relaxed), 5);
}
