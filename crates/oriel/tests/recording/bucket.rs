//! Recordings that move to a bucket of a real S3 server (`s3s-fs`, which checks signatures), as it goes well and as it does not.

use crate::export::{Server, Tape, oriel, told, until};
use crate::world;
use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use oriel_broker::Broker;
use oriel_model::{GuestPort, Recording, RecordingPolicy, User};
use oriel_recording::{Bucket, BucketOptions, RecordingStore};
use oriel_store::Store;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PATIENCE: Duration = Duration::from_mins(2);
const PLACE: &str = "s3://films/house/one";
const SECRET: &str = "a secret that a person would not choose";

/// All is well; `SlowDown` to everything; gone, also from within a request.
const FINE: u8 = 0;
const BUSY: u8 = 1;
const GONE: u8 = 2;

/// An S3 server on loopback over a folder.
struct S3 {
    folder: tempfile::TempDir,
    endpoint: String,
    mood: Arc<AtomicU8>,
    /// Objects that it takes before it is gone.
    puts: Arc<AtomicI64>,
}

type Answer = Result<Response<UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>>, std::io::Error>;

async fn answer(
    service: s3s::service::S3Service,
    mood: Arc<AtomicU8>,
    puts: Arc<AtomicI64>,
    mut request: Request<Incoming>,
) -> Answer {
    if request.method() == Method::PUT && puts.fetch_sub(1, Ordering::SeqCst) <= 0 {
        mood.store(GONE, Ordering::SeqCst);
    }
    match mood.load(Ordering::SeqCst) {
        BUSY => {
            let text = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
            let body = Full::from(text).map_err(|never| match never {}).boxed_unsync();
            return Ok(Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).body(body).unwrap());
        }
        GONE => {
            // In the middle of what it is sent.
            request.body_mut().frame().await;
            return Err(std::io::Error::other("gone"));
        }
        _ => {}
    }
    let answer = hyper::service::Service::call(&service, request).await;
    let answer = answer.map_err(|error| std::io::Error::other(format!("{error:?}")))?;
    Ok(answer.map(|body| http_body_util::BodyExt::map_err(body, Into::into).boxed_unsync()))
}

impl S3 {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("films")).unwrap();
        let mut builder = s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(s3s::auth::SimpleAuth::from_single("oriel", SECRET));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (mood, puts) = (Arc::new(AtomicU8::new(FINE)), Arc::new(AtomicI64::new(i64::MAX)));
        let (moods, left) = (Arc::clone(&mood), Arc::clone(&puts));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if moods.load(Ordering::SeqCst) == GONE {
                    continue;
                }
                let (service, mood, puts) = (service.clone(), Arc::clone(&moods), Arc::clone(&left));
                let served = hyper::server::conn::http1::Builder::new().serve_connection(
                    TokioIo::new(stream),
                    service_fn(move |request| answer(service.clone(), mood.clone(), puts.clone(), request)),
                );
                tokio::spawn(async move { served.await.ok() });
            }
        });
        Self { folder, endpoint, mood, puts }
    }

    fn be(&self, mood: u8) {
        self.mood.store(mood, Ordering::SeqCst);
    }

    fn options(&self, secret: &str) -> BucketOptions {
        BucketOptions {
            place: PLACE.into(),
            endpoint: Some(self.endpoint.clone()),
            region: "us-east-1".into(),
            access_key: "oriel".into(),
            secret_key: secret.to_owned().into(),
        }
    }

    /// The parts of a recording that it has.
    fn has(&self, recording: &Recording) -> usize {
        let folder = self.folder.path().join("films/house/one").join(recording.id.to_string());
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

/// A house whose recordings go to a bucket.
struct House {
    folder: tempfile::TempDir,
    store: Store,
    broker: Broker,
    anna: User,
    desktop: oriel_model::Desktop,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, broker) = world::broker(folder.path()).await;
        let (anna, desktop) = world::desktop(&store, &broker, RecordingPolicy::Always, "seven green lamps").await;
        Self { folder, store, broker, anna, desktop }
    }

    /// One more broker on the same database and folder, as after a restart; it moves recordings until it is dropped.
    async fn again(&self, bucket: &BucketOptions) -> Running {
        let recordings = RecordingStore::folder(self.recordings()).unwrap();
        let broker =
            world::broker_with(self.folder.path(), recordings.with_bucket(Bucket::new(bucket).unwrap())).await.1;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        broker.start_reconcilers(&stop, &tasks);
        Running { broker, stop, tasks }
    }

    fn recordings(&self) -> PathBuf {
        self.folder.path().join("recordings")
    }

    fn near(&self, recording: &Recording) -> usize {
        std::fs::read_dir(self.recordings().join(recording.id.to_string())).map_or(0, Iterator::count)
    }

    /// A recording in so many chunks of 300 kB, and what is in it.
    async fn keep(&self, chunks: u8) -> (Recording, Vec<u8>) {
        let tape = Tape { broker: &self.broker, user: &self.anna, desktop: &self.desktop };
        let noise = |seed: u8| (0..300_000u32).map(|at| (at * 31 / 7) as u8 ^ seed).collect::<Vec<u8>>();
        let said: Vec<(u32, bool, Vec<u8>)> = (0..chunks).map(|at| (u32::from(at) * 1000, true, noise(at))).collect();
        let recording = tape.keep(GuestPort::Console, &said).await;
        let content = content(&self.broker, &recording).await;
        (recording, content)
    }

    async fn row(&self, recording: &Recording) -> Recording {
        self.store.recording(recording.id).await.unwrap().unwrap()
    }

    async fn until_moved(&self, recording: &Recording) -> Recording {
        let began = Instant::now();
        while self.row(recording).await.bucket.is_none() || self.near(recording) > 0 {
            assert!(began.elapsed() < PATIENCE, "{:?}", self.row(recording).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.row(recording).await
    }
}

struct Running {
    broker: Broker,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// What the mover last said.
    fn said(&self) -> String {
        let all = self.broker.reconcilers();
        let moves = all.iter().find(|status| status.name == "moved recordings");
        moves.map_or_else(String::new, |moves| moves.last_error.clone().unwrap_or_else(|| moves.progress.clone()))
    }

    async fn until_says(&self, words: &str) {
        let began = Instant::now();
        while !self.said().contains(words) {
            assert!(began.elapsed() < PATIENCE, "{:?} without {words:?}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn content(broker: &Broker, recording: &Recording) -> Vec<u8> {
    let content = broker.recording_content(recording.clone()).await.unwrap();
    let size = content.size();
    let blocks: Vec<Bytes> = content.read(0..size, true).try_collect().await.unwrap();
    blocks.concat()
}

/// Why a program that starts anew, and has nothing of the bucket in memory, cannot play it to its end.
async fn why_not(house: &House, s3: &S3, recording: &Recording) -> String {
    let running = house.again(&s3.options(SECRET)).await;
    let content = running.broker.recording_content(recording.clone()).await.unwrap();
    let size = content.size();
    let error = content.read(0..size, true).try_collect::<Vec<Bytes>>().await.unwrap_err();
    running.end().await;
    error.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_recordings_move_play_and_go() {
    let (s3, house) = (S3::start().await, House::new().await);
    let (recording, whole) = house.keep(40).await;
    let running = house.again(&s3.options(SECRET)).await;
    let moved = house.until_moved(&recording).await;
    assert_eq!(moved.bucket.as_deref(), Some(PLACE));
    assert_eq!((moved.bytes, moved.moved_bytes), (moved.moved_bytes, moved.bytes));
    assert_eq!((s3.has(&recording), house.near(&recording)), (42, 0));
    assert_eq!(moved.duration_ms, 39_000);
    // From there, whole and in part, and without asking again what was asked.
    assert!(content(&running.broker, &moved).await == whole);
    s3.be(GONE);
    let again = running.broker.recording_content(moved.clone()).await.unwrap();
    let some: Vec<Bytes> = again.read(1_000_000..1_700_000, true).try_collect().await.unwrap();
    assert!(some.concat() == whole[1_000_000..1_700_000]);
    // What cannot be deleted there keeps its row.
    let error = running.broker.delete_recording(&moved).await.unwrap_err();
    assert!(error.to_string().contains("the bucket of recordings s3://films/house/one failed"), "{error}");
    // Who uses no bucket, or another, says where it is.
    let error = house.broker.recording_content(moved.clone()).await.err().unwrap();
    assert!(error.to_string().contains("lies in s3://films/house/one"), "{error}");
    s3.be(FINE);
    // Nothing of it is in clear, and a part that was changed there does not open.
    let parts = s3.folder.path().join("films/house/one").join(recording.id.to_string());
    let mut files: Vec<PathBuf> = std::fs::read_dir(&parts).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.iter().all(|file| !std::fs::read(file).unwrap().starts_with(b"ORec")));
    running.end().await;
    let (third, mut changed) = (&files[2], std::fs::read(&files[2]).unwrap());
    changed[3] ^= 1;
    std::fs::write(third, changed).unwrap();
    assert!(why_not(&house, &s3, &moved).await.contains("damaged"));
    // Nor is anything read that is larger than a part can be: whoever owns the bucket may put it there.
    std::fs::File::options().write(true).open(third).unwrap().set_len(65 << 20).unwrap();
    assert!(why_not(&house, &s3, &moved).await.contains("more than any part has"));
    let running = house.again(&s3.options(SECRET)).await;
    running.broker.delete_recording(&moved).await.unwrap();
    assert_eq!((s3.has(&recording), house.store.recording(recording.id).await.unwrap()), (0, None));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_fails_loses_nothing() {
    let (s3, house) = (S3::start().await, House::new().await);
    let (recording, whole) = house.keep(40).await;
    // Keys that are wrong.
    let wrong = s3.options("another secret");
    let running = house.again(&wrong).await;
    running.until_says("SignatureDoesNotMatch").await;
    let refused = Bucket::new(&wrong).unwrap().check().await.unwrap_err().to_string();
    assert!(
        refused.contains(PLACE) && refused.contains("oriel doctor") && !refused.contains("another secret"),
        "{refused}"
    );
    running.end().await;
    // Busy, then there for ten parts and gone in the middle of one.
    s3.be(BUSY);
    let running = house.again(&s3.options(SECRET)).await;
    running.until_says("SlowDown").await;
    assert_eq!((house.near(&recording), s3.has(&recording)), (42, 0));
    s3.puts.store(10, Ordering::SeqCst);
    s3.be(FINE);
    let began = Instant::now();
    while s3.mood.load(Ordering::SeqCst) != GONE {
        assert!(began.elapsed() < PATIENCE, "{}", running.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.until_says("the bucket of recordings").await;
    let row = house.row(&recording).await;
    assert!(row.bucket.is_none() && row.moved_bytes > 0, "{row:?}");
    assert_eq!(house.near(&recording), 42);
    assert!(s3.has(&recording) <= 10);
    assert!(content(&running.broker, &row).await == whole, "it plays as it did");
    running.end().await;
    // Back again, and so is the program; one that is deleted half moved leaves nothing.
    s3.puts.store(i64::MAX, Ordering::SeqCst);
    s3.be(FINE);
    let (other, _) = house.keep(2).await;
    house.store.recording_moving(other.id, 1).await.unwrap();
    let running = house.again(&s3.options(SECRET)).await;
    running.broker.delete_recording(&house.row(&other).await).await.unwrap();
    let moved = house.until_moved(&recording).await;
    assert!(content(&running.broker, &moved).await == whole);
    assert_eq!((s3.has(&recording), s3.has(&other), house.near(&other)), (42, 0, 0));
    running.end().await;
}

/// The program with the bucket, as an admin configures it.
fn program(s3: &S3, data: &Path) -> Command {
    std::fs::write(data.join("key"), SECRET).unwrap();
    let text = format!(
        "[recording]\nstore = \"{PLACE}\"\nendpoint = \"{}\"\naccess_key = \"oriel\"\nsecret_key_file = {:?}\n",
        s3.endpoint,
        data.join("key").display().to_string()
    );
    std::fs::write(data.join("oriel.toml"), text).unwrap();
    oriel(data, &["serve"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_program_goes_on_moving() {
    let (s3, house) = (S3::start().await, House::new().await);
    let (recording, whole) = house.keep(40).await;
    let data = house.folder.path().to_owned();
    // Each of these dies by itself: in the middle, and when all is there and the folder does not know.
    for point in ["recording.some_moved", "recording.some_moved", "recording.moved"] {
        let mut server = Server::run(program(&s3, &data), Some(point));
        let mut died = false;
        until("it does not die", || {
            died = server.0.try_wait().unwrap().is_some();
            died
        });
        assert_eq!(house.near(&recording), 42, "{point}");
    }
    assert_eq!(house.row(&recording).await.bucket.as_deref(), Some(PLACE));
    let server = Server::run(program(&s3, &data), None);
    until("the folder keeps what was moved", || house.near(&recording) == 0);
    let file = data.join("back.orec");
    let (id, to) = (recording.id.to_string(), file.display().to_string());
    tokio::task::spawn_blocking({
        let data = data.clone();
        move || told(&data, &["recording", "export", &id, "-o", &to])
    })
    .await
    .unwrap();
    assert!(std::fs::read(&file).unwrap() == whole, "another recording came back");
    let findings = async |words: &str| {
        let out = tokio::task::spawn_blocking({
            let data = data.clone();
            move || oriel(&data, &["doctor", "--json"]).output().unwrap()
        });
        let found: serde_json::Value = serde_json::from_slice(&out.await.unwrap().stdout).unwrap();
        let of = found["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "recordings").unwrap();
        assert!(of.to_string().contains(words), "{of}");
    };
    findings("takes recordings and gives them back").await;
    s3.be(BUSY);
    findings("SlowDown").await;
    drop(server);
}
