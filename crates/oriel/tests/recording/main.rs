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

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, channel::mpsc::unbounded};
use oriel_broker::{Broker, LiveRecording, NewDesktop, NewPool, NewRecording, NewUser};
use oriel_compute::fake::{FakeCompute, FakeMode};
use oriel_gateway::{
    DialError, Dialler, Gateway, Protocol, Recorded, RecordingSink, Recordings, Target, ViewerRequest,
};
use oriel_identity::Vault;
use oriel_image::ImageStore;
use oriel_model::{
    Accelerator, AcceleratorKind, DesktopId, GuestPort, Image, ImageId, ImageOs, ImageSource, ImageState, Micros,
    Network, RecordingId, RecordingPolicy, RecordingState, Role,
};
use oriel_recording::RecordingStore;
use oriel_screen::recording::{Chunk, Container, chunk_entries};
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use oriel_screen::{ByeCode, Rect};
use oriel_store::Store;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

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

async fn broker(folder: &Path) -> (Store, Broker) {
    let store = Store::open(folder.join("oriel.db").to_str().unwrap()).await.unwrap();
    let broker = Broker::new(
        store.clone(),
        Vault::load(folder).unwrap(),
        Arc::new(FakeCompute::new("here", FakeMode::Auto)),
        ImageStore::new(folder.join("images"), folder.join("cache")),
        Accelerator { kind: AcceleratorKind::Tcg, reason: "a test".into() },
    );
    broker.set_recordings(RecordingStore::folder(folder.join("recordings")).unwrap());
    (store, broker)
}

struct OneScreen(u16);

#[async_trait]
impl Dialler for OneScreen {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let stream = TcpStream::connect(("127.0.0.1", self.0)).await.unwrap();
        let protocol = Protocol::Vnc { password: None, nearby: true };
        Ok(Target { title: "lab-1".into(), stream: Box::new(stream), protocol })
    }
}

/// As `oriel serve` joins broker and gateway.
struct Shelf(Broker);
struct Sink(LiveRecording);

#[async_trait]
impl Recordings for Shelf {
    async fn policy(&self, desktop: DesktopId) -> Result<RecordingPolicy, DialError> {
        Ok(self.0.recording_policy(desktop).await.unwrap())
    }
    async fn begin(&self, of: Recorded) -> Result<Box<dyn RecordingSink>, DialError> {
        let Recorded { connection, user, desktop, port } = of;
        let new = NewRecording { connection, user, desktop, port };
        match self.0.begin_recording(new).await {
            Ok(live) => Ok(Box::new(Sink(live))),
            Err(error) => Err(DialError { code: ByeCode::Internal, text: error.to_string() }),
        }
    }
}

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

/// The program that is killed: records until then.
async fn record(folder: &Path, port: u16) {
    let (store, broker) = broker(folder).await;
    let image = Image {
        id: ImageId::new(),
        name: "debian".parse().unwrap(),
        version: 1,
        state: ImageState::Ready,
        os: ImageOs::Linux,
        source: ImageSource::Imported { from: "/tmp/x".into() },
        sha256: "0".repeat(64),
        virtual_bytes: 1 << 30,
        file_bytes: 1,
        created: Micros(1),
    };
    let image = store.put_image(&image).await.unwrap();
    let pool = broker
        .create_pool(NewPool {
            name: "lab".parse().unwrap(),
            image: image.id,
            vcpus: 1,
            memory_mib: 512,
            disk_gib: 1,
            network: Network::User,
            desktops_max: 1,
            keyboard: "us".into(),
            gpu: None,
            hardware: oriel_model::Hardware::default(),
            recording: RecordingPolicy::Always,
        })
        .await
        .unwrap();
    let (anna, _) =
        broker.create_user(NewUser { name: "anna".into(), role: Role::User, password: None }).await.unwrap();
    broker.entitle(pool.id, anna.id).await.unwrap();
    let new = NewDesktop { pool, owner: Some(anna.clone()), name: None };
    let desktop = broker.create_desktop(new).await.unwrap();
    let gateway = Gateway::recording(Arc::new(OneScreen(port)), Arc::new(Shelf(broker)));
    let (send, incoming) = unbounded::<Bytes>();
    let (outgoing, mut receive) = unbounded::<Bytes>();
    let request = ViewerRequest { user: anna.id, desktop: desktop.id, port: GuestPort::Console, resume: None };
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
    let [row] = <[_; 1]>::try_from(broker.recordings().await.unwrap()).unwrap();
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
    let blocks: Vec<Bytes> = content.read(0..size).try_collect().await.unwrap();
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
