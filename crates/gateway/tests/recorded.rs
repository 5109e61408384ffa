//! Connections that are recorded: whether they may be opened, what the person is told, and that what is kept shows what
//! was seen.

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
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use oriel_gateway::{
    DialError, Dialler, Gateway, Protocol, Recorded, RecordingSink, Recordings, Target, ViewerRequest,
};
use oriel_model::{DesktopId, GuestPort, RecordedInput, RecordingId, RecordingPolicy, RecordingRules, UserId};
use oriel_screen::recording::{BlockKind, Chunk, Container, chunk_entries};
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use oriel_screen::{ByeCode, InputEvent, RecordingSign};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

/// Generous: what does not happen at all fails as surely after this.
const PATIENCE: Duration = Duration::from_mins(1);
/// Few enough pixels that pictures are sent as they are.
const SIDE: u16 = 16;

/// A VNC server (RFC 6143) of one grey, which every key press makes lighter by one.
async fn machine(mut stream: DuplexStream) -> std::io::Result<()> {
    stream.write_all(b"RFB 003.008\n").await?;
    skip(&mut stream, 12).await?;
    stream.write_all(&[1, 1]).await?;
    skip(&mut stream, 1).await?;
    stream.write_all(&[0, 0, 0, 0]).await?;
    skip(&mut stream, 1).await?;
    stream.write_u16(SIDE).await?;
    stream.write_u16(SIDE).await?;
    stream.write_all(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0]).await?;
    stream.write_u32(4).await?;
    stream.write_all(b"test").await?;
    let mut grey = 40u8;
    let (mut wanted, mut changed) = (false, true);
    loop {
        match stream.read_u8().await? {
            0 => skip(&mut stream, 19).await?,
            2 => {
                stream.read_u8().await?;
                let count = stream.read_u16().await?;
                skip(&mut stream, usize::from(count) * 4).await?;
            }
            3 => {
                skip(&mut stream, 9).await?;
                wanted = true;
            }
            4 => {
                let down = stream.read_u8().await?;
                skip(&mut stream, 6).await?;
                if down == 1 {
                    grey = grey.wrapping_add(1);
                    changed = true;
                }
            }
            5 => skip(&mut stream, 5).await?,
            // What is pasted comes back (RFC 6143 §7.6.4), with a word before it.
            6 => {
                skip(&mut stream, 3).await?;
                let length = stream.read_u32().await?;
                let mut text = vec![0; length as usize];
                stream.read_exact(&mut text).await?;
                let text = [b"got ", &text[..]].concat();
                stream.write_all(&[3, 0, 0, 0]).await?;
                stream.write_u32(text.len() as u32).await?;
                stream.write_all(&text).await?;
            }
            other => panic!("message {other}"),
        }
        if wanted && changed {
            (wanted, changed) = (false, false);
            let mut update = vec![0, 0, 0, 1, 0, 0, 0, 0];
            update.extend_from_slice(&SIDE.to_be_bytes());
            update.extend_from_slice(&SIDE.to_be_bytes());
            update.extend_from_slice(&[0; 4]);
            update.extend([grey, grey, grey, 0].repeat(usize::from(SIDE) * usize::from(SIDE)));
            stream.write_all(&update).await?;
        }
    }
}

async fn skip(stream: &mut DuplexStream, count: usize) -> std::io::Result<()> {
    stream.read_exact(&mut vec![0; count]).await.map(drop)
}

#[derive(Default)]
struct Machines {
    dialled: AtomicUsize,
}

#[async_trait]
impl Dialler for Machines {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        self.dialled.fetch_add(1, Ordering::Relaxed);
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(machine(far));
        let protocol = Protocol::console();
        Ok(Target {
            title: "test-1".into(),
            stream: Box::new(near),
            protocol,
            policy: oriel_model::SessionPolicy::default(),
        })
    }
}

/// Keeps recordings in memory, when it works.
struct Shelf {
    policy: RecordingPolicy,
    input: RecordedInput,
    broken: bool,
    /// Nothing can be kept while this is set.
    stuck: Arc<AtomicBool>,
    chunks: Arc<Mutex<Vec<Chunk>>>,
    finished: Arc<AtomicBool>,
}

impl Shelf {
    fn new(policy: RecordingPolicy) -> Self {
        Self {
            policy,
            input: RecordedInput::default(),
            broken: false,
            stuck: Arc::default(),
            chunks: Arc::default(),
            finished: Arc::default(),
        }
    }
}

struct Sink {
    id: RecordingId,
    stuck: Arc<AtomicBool>,
    chunks: Arc<Mutex<Vec<Chunk>>>,
    finished: Arc<AtomicBool>,
}

#[async_trait]
impl Recordings for Shelf {
    async fn rules(&self, _: UserId, _: DesktopId) -> Result<RecordingRules, DialError> {
        Ok(RecordingRules { policy: self.policy, input: self.input })
    }

    async fn begin(&self, _: Recorded) -> Result<Box<dyn RecordingSink>, DialError> {
        if self.broken {
            return Err(DialError { code: ByeCode::Internal, text: "the disk is full".into() });
        }
        Ok(Box::new(Sink {
            id: RecordingId::new(),
            stuck: Arc::clone(&self.stuck),
            chunks: Arc::clone(&self.chunks),
            finished: Arc::clone(&self.finished),
        }))
    }
}

#[async_trait]
impl RecordingSink for Sink {
    fn id(&self) -> RecordingId {
        self.id
    }
    fn title(&self) -> String {
        "test-1".into()
    }
    async fn put(&mut self, chunk: &Chunk) -> Result<(), String> {
        while self.stuck.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.chunks.lock().unwrap().push(chunk.clone());
        Ok(())
    }
    async fn finish(self: Box<Self>) -> Result<(), String> {
        self.finished.store(true, Ordering::Relaxed);
        Ok(())
    }
}

struct House {
    gateway: Gateway,
    machines: Arc<Machines>,
    shelf: Arc<Shelf>,
    request: ViewerRequest,
}

impl House {
    fn new(shelf: Shelf) -> Self {
        let (machines, shelf) = (Arc::new(Machines::default()), Arc::new(shelf));
        let gateway = program::gateway(machines.clone());
        gateway.set_recordings(shelf.clone());
        let request = ViewerRequest {
            user: UserId::new(),
            desktop: DesktopId::new(),
            port: GuestPort::Console,
            person: "ada".into(),
            resume: None,
            guest: None,
            seat: None,
            app: None,
        };
        Self { gateway, machines, shelf, request }
    }

    fn open(&self) -> Viewer {
        let (send, incoming) = unbounded();
        let (outgoing, receive) = unbounded();
        let (gateway, request) = (self.gateway.clone(), self.request.clone());
        tokio::spawn(async move { gateway.attach(request, incoming, outgoing).await });
        let mut viewer = Viewer { send, receive, records: VecDeque::new() };
        let hello =
            ViewerHello { version: PROTOCOL_VERSION, width: 800, height: 600, scale: 100, ..Default::default() };
        viewer.say(&ViewerRecord::Hello(hello));
        viewer
    }

    /// Ends all connections and answers what was kept.
    async fn end(&self) -> Vec<u8> {
        self.gateway.end_where(|_, _| true, ByeCode::EndedByAdmin, "the test is over").await;
        timeout(PATIENCE, async {
            while !self.gateway.connections().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
        self.shelf.chunks.lock().unwrap().iter().flat_map(|chunk| chunk.bytes.clone()).collect()
    }
}

struct Viewer {
    send: UnboundedSender<Bytes>,
    receive: UnboundedReceiver<Bytes>,
    records: VecDeque<ServerRecord>,
}

impl Viewer {
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
            assert!(!matches!(record, ServerRecord::Bye { .. }), "{record:?}");
        }
    }

    /// Waits for a picture of one grey and acknowledges it.
    async fn picture(&mut self) -> u8 {
        let mut grey = 0;
        loop {
            match self.next().await {
                ServerRecord::Fill { rgb, .. } => grey = rgb[0],
                ServerRecord::FrameEnd { sequence } => {
                    self.say(&ViewerRecord::Ack { sequence });
                    if grey != 0 {
                        return grey;
                    }
                }
                ServerRecord::Bye { text, .. } => panic!("{text}"),
                _ => {}
            }
        }
    }

    fn press(&mut self) {
        for down in [true, false] {
            self.say(&ViewerRecord::Input(InputEvent::Key { down, code: 0x1E, keysym: 0x61 }));
        }
    }

    async fn sign(&mut self) -> RecordingSign {
        match self.until(|record| matches!(record, ServerRecord::Recording { .. })).await {
            ServerRecord::Recording { sign, .. } => sign,
            other => panic!("{other:?}"),
        }
    }
}

/// The greys that a recording shows, in order, with the numbers of chunks and keys.
fn greys(bytes: &[u8]) -> (Vec<u8>, Container) {
    let container = Container::read(bytes).unwrap();
    let mut greys = Vec::new();
    for chunk in &container.chunks {
        let block = Bytes::copy_from_slice(&bytes[chunk.offset..chunk.offset + chunk.length]);
        for entry in chunk_entries(&block).unwrap() {
            for record in ServerRecord::decode_all(&entry.message).unwrap() {
                if let ServerRecord::Fill { rgb, .. } = record {
                    greys.push(rgb[0]);
                }
            }
        }
    }
    (greys, container)
}

#[tokio::test]
async fn what_was_seen_is_kept_and_the_person_is_told() {
    let house = House::new(Shelf::new(RecordingPolicy::Always));
    let mut viewer = house.open();
    assert_eq!(viewer.sign().await, RecordingSign::On);
    let first = viewer.picture().await;
    viewer.say(&ViewerRecord::Input(InputEvent::Pointer { x: 3, y: 4, buttons: 0 }));
    viewer.press();
    let second = viewer.picture().await;
    assert_eq!(second, first + 1);
    // Whoever comes back is told as well.
    let mut again = house.open();
    assert_eq!(again.sign().await, RecordingSign::On);
    assert_eq!(again.picture().await, second);
    let bytes = house.end().await;
    let (greys, container) = greys(&bytes);
    assert!(container.complete);
    assert!(house.shelf.finished.load(Ordering::Relaxed));
    assert!(container.chunks[0].key);
    assert_eq!(container.header.title, "test-1");
    assert!(greys.contains(&first), "{greys:?}");
    assert_eq!(greys.last(), Some(&second));
}

/// What a recording says was typed and copied.
fn typed(bytes: &[u8]) -> Vec<ServerRecord> {
    let container = Container::read(bytes).unwrap();
    let entries = container.chunks.iter().flat_map(|chunk| {
        let block = Bytes::copy_from_slice(&bytes[chunk.offset..chunk.offset + chunk.length]);
        chunk_entries(&block).unwrap()
    });
    let records = entries.flat_map(|entry| ServerRecord::decode_all(&entry.message).unwrap());
    let is_typed = |record: &ServerRecord| {
        matches!(record, ServerRecord::Typed(_) | ServerRecord::Pasted(_) | ServerRecord::Copied(_))
    };
    records.filter(is_typed).collect()
}

#[tokio::test]
async fn keys_and_clipboard_are_kept_where_the_rules_say_so_and_the_person_is_told() {
    for (keys, clipboard) in [(false, false), (true, false), (false, true), (true, true)] {
        let input = RecordedInput { keys, clipboard };
        let house = House::new(Shelf { input, ..Shelf::new(RecordingPolicy::Ask) });
        let mut viewer = house.open();
        for wanted in [RecordingSign::Asked, RecordingSign::On] {
            let ServerRecord::Recording { sign, text } =
                viewer.until(|record| matches!(record, ServerRecord::Recording { .. })).await
            else {
                unreachable!()
            };
            assert_eq!(sign, wanted);
            assert_eq!(text.contains("keys that are pressed, passwords too"), keys, "{text}");
            assert_eq!(text.contains("goes through the clipboard"), clipboard, "{text}");
            if sign == RecordingSign::Asked {
                viewer.say(&ViewerRecord::Consent { yes: true });
            }
        }
        viewer.picture().await;
        viewer.press();
        viewer.say(&ViewerRecord::Input(InputEvent::Clipboard("from here".into())));
        // It reaches the person in any case, and nobody is sent what is for recordings alone.
        loop {
            match viewer.next().await {
                ServerRecord::Clipboard(text) => break assert_eq!(text, "got from here"),
                ServerRecord::FrameEnd { sequence } => viewer.say(&ViewerRecord::Ack { sequence }),
                record @ (ServerRecord::Typed(_) | ServerRecord::Pasted(_) | ServerRecord::Copied(_)) => {
                    panic!("{record:?}")
                }
                _ => {}
            }
        }
        let mut wanted = Vec::new();
        if keys {
            wanted.push(ServerRecord::Typed("a".into()));
        }
        if clipboard {
            wanted.push(ServerRecord::Pasted("from here".into()));
            wanted.push(ServerRecord::Copied("got from here".into()));
        }
        assert_eq!(typed(&house.end().await), wanted, "{input:?}");
    }
}

#[tokio::test]
async fn a_connection_that_must_be_recorded_and_cannot_be_is_refused() {
    let house = House::new(Shelf { broken: true, ..Shelf::new(RecordingPolicy::Always) });
    let mut viewer = house.open();
    let bye = viewer.until_bye().await;
    assert!(bye.contains("the disk is full"), "{bye}");
    assert_eq!(house.machines.dialled.load(Ordering::Relaxed), 0);
}

impl Viewer {
    async fn until_bye(&mut self) -> String {
        loop {
            if let ServerRecord::Bye { text, .. } = self.next().await {
                return text;
            }
        }
    }
}

#[tokio::test]
async fn the_person_is_asked_before_anything_is_opened() {
    for (yes, sign) in [(true, RecordingSign::On), (false, RecordingSign::Off)] {
        let house = House::new(Shelf::new(RecordingPolicy::Ask));
        let mut viewer = house.open();
        assert_eq!(viewer.sign().await, RecordingSign::Asked);
        // A page that is loaded again is asked again.
        let mut viewer = house.open();
        assert_eq!(viewer.sign().await, RecordingSign::Asked);
        assert_eq!(house.machines.dialled.load(Ordering::Relaxed), 0);
        viewer.say(&ViewerRecord::Consent { yes });
        assert_eq!(viewer.sign().await, sign);
        viewer.picture().await;
        let bytes = house.end().await;
        assert_eq!(bytes.is_empty(), !yes);
    }
}

#[tokio::test]
async fn nothing_is_recorded_ahead_of_its_person() {
    let house = House::new(Shelf::new(RecordingPolicy::Always));
    timeout(PATIENCE, house.gateway.prelaunch(house.request.user, house.request.desktop)).await.unwrap();
    assert_eq!(house.machines.dialled.load(Ordering::Relaxed), 0);
    assert!(house.end().await.is_empty());
}

#[tokio::test]
async fn a_storage_that_stands_still_slows_nobody_and_its_backlog_is_one_picture() {
    let house = House::new(Shelf::new(RecordingPolicy::Always));
    house.shelf.stuck.store(true, Ordering::Relaxed);
    let mut viewer = house.open();
    let mut grey = viewer.picture().await;
    // More than the chunks that may wait, each old enough to be kept, would take too long here: what is certain is that
    // the person's pictures come all the same.
    for _ in 0..100 {
        viewer.press();
        let next = viewer.picture().await;
        assert_eq!(next, grey.wrapping_add(1));
        grey = next;
    }
    house.shelf.stuck.store(false, Ordering::Relaxed);
    let bytes = house.end().await;
    let (greys, container) = greys(&bytes);
    assert!(container.complete);
    assert_eq!(greys.last(), Some(&grey));
    assert!(house.shelf.chunks.lock().unwrap().iter().any(|chunk| chunk.kind == BlockKind::Index));
}
