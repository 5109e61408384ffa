//! A program that records a real screen is killed with SIGKILL: what it kept plays up to the last chunk, and its row says
//! `cut` after the next start.
//!
//! The program is this test again, with its work folder in the environment: the real database, vault, broker, storage and
//! gateway, with a real Xtigervnc as the desktop.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod bucket;
mod export;
mod world;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, channel::mpsc::unbounded};
use oriel_broker::NewRecording;
use oriel_gateway::{DialError, Dialler, Gateway, Protocol, Target, ViewerRequest};
use oriel_model::{
    ConnectionId, DesktopId, GuestPort, Micros, Recording, RecordingFilter, RecordingId, RecordingPolicy,
    RecordingState,
};
use oriel_screen::Rect;
use oriel_screen::recording::{Container, Header, RecordingKind, Writer, chunk_entries};
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use world::{Shelf, broker};

const WORK: &str = "ORIEL_TEST_RECORDING";
const PATIENCE: Duration = Duration::from_secs(90);

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Asked to end, Xtigervnc takes its lock file along.
        Command::new("kill").arg(self.0.id().to_string()).status().ok();
        self.0.wait().ok();
    }
}

/// A real VNC server with a program in it that always draws.
fn screen() -> (u16, Vec<Ended>) {
    for display in 140..170u16 {
        let port = 5900 + display;
        let locked = Path::new(&format!("/tmp/.X{display}-lock")).exists();
        if locked || std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
            continue;
        }
        let name = format!(":{display}");
        let quiet =
            |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = quiet(
            Command::new("Xtigervnc")
                .args([&name, "-geometry", "640x480", "-depth", "24", "-SecurityTypes", "None", "-localhost"])
                .args(["-rfbport", &port.to_string()]),
        )
        .expect("install the package tigervnc-standalone-server");
        let server = Ended(server);
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "Xtigervnc does not listen");
            std::thread::sleep(Duration::from_millis(100));
        }
        let program = "while :; do echo \"$RANDOM the quick brown fox $RANDOM\"; sleep 0.1; done";
        let terminal = quiet(Command::new("xterm").args(["-display", &name, "-e", "bash", "-c", program]));
        let terminal = Ended(terminal.expect("install the package xterm"));
        return (port, vec![terminal, server]);
    }
    panic!("no free display between :140 and :169");
}

struct OneScreen(u16);

#[async_trait]
impl Dialler for OneScreen {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let stream = TcpStream::connect(("127.0.0.1", self.0)).await.unwrap();
        let protocol = Protocol::console();
        Ok(Target {
            title: "lab-1".into(),
            stream: Box::new(stream),
            protocol,
            policy: oriel_model::SessionPolicy::default(),
        })
    }
}

/// The program that is killed: records until then.
async fn record(folder: &Path, port: u16) {
    let (store, broker) = broker(folder).await;
    let (anna, desktop) = world::desktop(&store, &broker, RecordingPolicy::Always, "seven green lamps").await;
    let gateway = Gateway::new(Arc::new(OneScreen(port)));
    gateway.set_recordings(Arc::new(Shelf(broker)));
    let (send, incoming) = unbounded::<Bytes>();
    let (outgoing, mut receive) = unbounded::<Bytes>();
    let request = ViewerRequest {
        user: anna.id,
        desktop: desktop.id,
        port: GuestPort::Console,
        person: "ada".into(),
        resume: None,
        guest: None,
        seat: None,
        app: None,
    };
    tokio::spawn(async move { gateway.attach(request, incoming, outgoing).await });
    let say = |record: &ViewerRecord| {
        let mut message = Vec::new();
        record.encode(&mut message);
        send.unbounded_send(message.into()).unwrap();
    };
    let hello = ViewerHello { version: PROTOCOL_VERSION, width: 640, height: 480, scale: 100, ..Default::default() };
    say(&ViewerRecord::Hello(hello));
    while let Some(message) = receive.next().await {
        for record in ServerRecord::decode_all(&message).unwrap() {
            match record {
                ServerRecord::FrameEnd { sequence } => say(&ViewerRecord::Ack { sequence }),
                ServerRecord::Bye { text, .. } => panic!("{text}"),
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_program_leaves_a_recording_that_plays_to_its_last_chunk() {
    if let (Ok(folder), Ok(port)) = (std::env::var(WORK), std::env::var("ORIEL_TEST_RECORDING_PORT")) {
        eprintln!("recording");
        return record(Path::new(&folder), port.parse().unwrap()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let (port, _screen) = screen();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_program_leaves_a_recording_that_plays_to_its_last_chunk", "--nocapture"])
        .env(WORK, folder.path())
        .env("ORIEL_TEST_RECORDING_PORT", port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A header and four chunks: past the second key.
    let kept = || -> usize {
        let recordings = std::fs::read_dir(folder.path().join("recordings")).into_iter().flatten().flatten();
        recordings.map(|entry| std::fs::read_dir(entry.path()).unwrap().count()).sum()
    };
    let began = Instant::now();
    while kept() < 5 {
        if let Some(status) = child.try_wait().unwrap() {
            let said: Vec<_> = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok).collect();
            panic!("it ended with {status}: {said:#?}");
        }
        assert!(began.elapsed() < PATIENCE, "only {} parts were kept", kept());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let (store, broker) = broker(folder.path()).await;
    let [row] =
        <[_; 1]>::try_from(broker.recordings(&RecordingFilter::default(), None, None).await.unwrap().0).unwrap();
    assert_eq!(row.state, RecordingState::Recording, "nobody has looked yet");
    let (stop, tasks) = (tokio_util::sync::CancellationToken::new(), tokio_util::task::TaskTracker::new());
    broker.start_reconcilers(&stop, &tasks);
    let began = Instant::now();
    let row = loop {
        let row = store.recording(row.id).await.unwrap().unwrap();
        if row.state == RecordingState::Cut {
            break row;
        }
        assert!(began.elapsed() < PATIENCE, "{row:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    assert!(row.duration_ms >= 4_000 && row.ended.is_some(), "{row:?}");
    assert_eq!((row.user_name.as_str(), row.pool_name.as_str()), ("anna", "lab"));

    // What is there is a container without an index; all of its chunks read, and the first paints the whole screen.
    let content = broker.recording_content(row.clone()).await.unwrap();
    let (size, duration) = (content.size(), content.duration_ms());
    assert_eq!(duration, row.duration_ms);
    let blocks: Vec<Bytes> = content.read(0..size, true).try_collect().await.unwrap();
    let bytes = Bytes::from(blocks.concat());
    let container = Container::read(&bytes).unwrap();
    assert!(!container.complete);
    assert!(container.chunks.len() >= 4, "{:?}", container.chunks);
    assert!(container.chunks[0].key);
    assert!(container.chunks[1..].iter().any(|chunk| chunk.key), "after ten seconds: {:?}", container.chunks);
    let mut painted = 0u64;
    let mut frames = 0;
    for (at, chunk) in container.chunks.iter().enumerate() {
        let block = bytes.slice(chunk.offset..chunk.offset + chunk.length);
        for entry in chunk_entries(&block).unwrap() {
            for record in ServerRecord::decode_all(&entry.message).unwrap() {
                match record {
                    ServerRecord::Tile { rect: Rect { w, h, .. }, .. }
                    | ServerRecord::Fill { rect: Rect { w, h, .. }, .. }
                        if at == 0 =>
                    {
                        painted += u64::from(w) * u64::from(h);
                    }
                    ServerRecord::FrameEnd { .. } => frames += 1,
                    _ => {}
                }
            }
        }
    }
    assert!(painted >= 640 * 480, "{painted}");
    assert!(frames > 20, "{frames}");
    broker.delete_recording(&row).await.unwrap();
    assert_eq!(kept(), 0);
}

#[tokio::test]
async fn what_is_old_goes_and_what_another_server_writes_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (store, broker) = broker(folder.path()).await;
    let (anna, desktop) = world::desktop(&store, &broker, RecordingPolicy::Always, "seven green lamps").await;
    let begin = async || {
        let new = NewRecording {
            connection: ConnectionId::new(),
            user: anna.id,
            desktop: desktop.id,
            port: GuestPort::Console,
        };
        let mut live = broker.begin_recording(new).await.unwrap();
        let (_, header) = Writer::new(&Header {
            kind: RecordingKind::Screen,
            recording: [0; 16],
            connection: [0; 16],
            started: 0,
            title: "lab-1".into(),
        });
        live.put(&header).await.unwrap();
        live
    };
    let day = 24 * 60 * 60 * 1_000_000;
    let (old, young, dropped) = (begin().await, begin().await, begin().await);
    let now = old.recording().started;
    let ids = [&old, &young, &dropped].map(|live| live.recording().id);
    for (id, days) in [(ids[0], 31), (ids[1], 29)] {
        let ended = Micros(now.0 - days * day);
        assert!(store.end_recording(id, RecordingState::Ended, ended, 1, 1).await.unwrap());
    }
    // Another server's: this one has no part in it, and hears of it for the first time.
    let other = Recording { id: RecordingId::new(), ..dropped.recording().clone() };
    store.create_recording(&other, "sealed").await.unwrap();
    // Ours, let go of before its end, is cut at once.
    drop((old, young, dropped));
    broker.set_recording_days(30);
    let (stop, tasks) = (tokio_util::sync::CancellationToken::new(), tokio_util::task::TaskTracker::new());
    broker.start_reconcilers(&stop, &tasks);
    let state = async |id| store.recording(id).await.unwrap().map(|recording| recording.state);
    let began = Instant::now();
    while state(ids[0]).await.is_some() || state(ids[2]).await != Some(RecordingState::Cut) {
        assert!(began.elapsed() < PATIENCE, "nobody cut it or deleted it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let parts = std::fs::read_dir(folder.path().join("recordings").join(ids[0].to_string()));
    assert_eq!(parts.map_or(0, Iterator::count), 0);
    assert_eq!(state(ids[1]).await, Some(RecordingState::Ended));
    assert_eq!(state(other.id).await, Some(RecordingState::Recording));
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

/// What is kept cannot be read by a server with another seal key, whoever gave it the database and the parts.
#[tokio::test]
async fn without_the_seal_key_nothing_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ours) = broker(folder.path()).await;
    let (anna, desktop) = world::desktop(&store, &ours, RecordingPolicy::Always, "seven green lamps").await;
    let new =
        NewRecording { connection: ConnectionId::new(), user: anna.id, desktop: desktop.id, port: GuestPort::Ssh };
    let live = ours.begin_recording(new).await.unwrap();
    let recording = live.recording().clone();
    assert!(ours.recording_content(recording.clone()).await.is_ok());
    let thief = tempfile::tempdir().unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
    for file in files.filter(|file| file.file_name().to_string_lossy().starts_with("oriel.db")) {
        std::fs::copy(file.path(), thief.path().join(file.file_name())).unwrap();
    }
    let (_, theirs) = broker(thief.path()).await;
    let found = theirs.find_recording(&recording.id.to_string()).await.unwrap();
    let error = theirs.recording_content(found).await.err().unwrap();
    assert!(error.to_string().contains("unsealing a recording's key"), "{error}");
}
