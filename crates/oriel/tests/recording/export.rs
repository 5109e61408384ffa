//! Exports by the real program, as people ask for them: films and texts, cancelled, and killed in the middle.

use crate::world;
use oriel_broker::{Broker, NewRecording};
use oriel_model::{ConnectionId, Desktop, GuestPort, Recording, RecordingPolicy, User};
use oriel_screen::Rect;
use oriel_screen::recording::{Header, RecordingKind, Writer, cast::CastWriter};
use oriel_screen::wire::ServerRecord;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(3);

pub fn oriel(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
    command.args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORIEL_") || name.starts_with("XDG_")) {
        command.env_remove(name);
    }
    command
        .env("ORIEL_DATA", data)
        .env("ORIEL_CACHE", data.join("cache"))
        .env("ORIEL_LIBVIRT_URI", "none")
        .env("ORIEL_ACCELERATOR", "tcg")
        .env("ORIEL_LISTEN", "127.0.0.1:0")
        .env("ORIEL_LOG", "warn");
    command
}

fn tell(data: &Path, arguments: &[&str]) -> Output {
    oriel(data, arguments).output().unwrap()
}

pub fn told(data: &Path, arguments: &[&str]) -> String {
    let out = tell(data, arguments);
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn operation(data: &Path) -> Value {
    let list: Value = serde_json::from_str(&told(data, &["operation", "list", "--json"])).unwrap();
    list["operations"][0].clone()
}

#[track_caller]
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub struct Server(pub Child);

impl Server {
    fn start(data: &Path) -> Self {
        Self::with(data, None)
    }

    /// Dies at this point.
    fn with(data: &Path, fault: Option<&str>) -> Self {
        Self::run(oriel(data, &["serve"]), fault)
    }

    /// As it was told to.
    pub fn run(mut command: Command, fault: Option<&str>) -> Self {
        if let Some(point) = fault {
            command.env("ORIEL_FAULT", point);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // One that is to die may do so before it has said anything.
        assert!(line.starts_with("ready: ") || fault.is_some(), "{line:?}");
        Self(child)
    }
}

impl Drop for Server {
    /// As `kill -9`.
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

pub struct Tape<'a> {
    pub broker: &'a Broker,
    pub user: &'a User,
    pub desktop: &'a Desktop,
}

impl Tape<'_> {
    /// Keeps a recording that has these messages or lines, each with its time and whether it is a key.
    pub async fn keep(&self, port: GuestPort, said: &[(u32, bool, Vec<u8>)]) -> Recording {
        let connection = ConnectionId::new();
        let new = NewRecording { connection, user: self.user.id, desktop: self.desktop.id, port };
        let mut live = self.broker.begin_recording(new).await.unwrap();
        let recording = live.recording().clone();
        let kind = if port == GuestPort::Ssh { RecordingKind::Terminal } else { RecordingKind::Screen };
        let (mut writer, header) = Writer::new(&Header {
            kind,
            recording: recording.id.0.into_bytes(),
            connection: connection.0.into_bytes(),
            started: recording.started.0,
            title: "lab-1".into(),
        });
        live.put(&header).await.unwrap();
        for (ms, key, bytes) in said {
            if *key && let Some(chunk) = writer.cut() {
                live.put(&chunk).await.unwrap();
            }
            writer.push(*ms, *key, bytes);
        }
        let (last, index) = writer.finish();
        for chunk in last.into_iter().chain([index]) {
            live.put(&chunk).await.unwrap();
        }
        live.finish().await.unwrap();
        recording
    }
}

fn picture(width: u16, height: u16, rgb: [u8; 3]) -> Vec<u8> {
    let mut message = Vec::new();
    ServerRecord::Resize { width, height }.encode(&mut message);
    ServerRecord::Fill { rect: Rect::new(0, 0, width, height), rgb }.encode(&mut message);
    ServerRecord::FrameEnd { sequence: 1 }.encode(&mut message);
    message
}

fn typed(words: &str) -> Vec<u8> {
    let mut message = Vec::new();
    ServerRecord::Typed(words.into()).encode(&mut message);
    message
}

/// What is seen at a second, in the middle, and how long it is.
fn look(film: &Path, second: &str) -> ([u8; 3], f64) {
    let run = |program: &str, arguments: &[&str]| {
        let out = Command::new(program).args(arguments).output().expect("install the package ffmpeg");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    let name = film.to_str().unwrap();
    let seconds =
        run("ffprobe", &["-v", "error", "-show_entries", "format=duration", "-of", "default=nw=1:nk=1", name]);
    let pixel = ["-frames:v", "1", "-vf", "crop=2:2", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"];
    let rgb = run("ffmpeg", &[&["-v", "error", "-i", name, "-ss", second][..], &pixel].concat());
    (rgb[..3].try_into().unwrap(), String::from_utf8(seconds).unwrap().trim().parse().unwrap())
}

#[track_caller]
fn near(got: [u8; 3], want: [u8; 3]) {
    assert!(got.iter().zip(want).all(|(got, want)| got.abs_diff(want) <= 14), "{got:?} where {want:?} should be");
}

const RED: [u8; 3] = [220, 20, 20];
const BLUE: [u8; 3] = [30, 40, 210];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recordings_are_exported_cancelled_and_gone_on_with_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let (shell, screen, long) = {
        let (store, broker) = world::broker(data).await;
        let (user, desktop) = world::desktop(&store, &broker, RecordingPolicy::Always, "seven green lamps").await;
        let tape = Tape { broker: &broker, user: &user, desktop: &desktop };
        let mut cast = CastWriter::default();
        let shell = [
            (0, true, CastWriter::header(80, 24, 0, "t", None).into_bytes()),
            (4, false, CastWriter::input(4, b"hunter2\r").into_bytes()),
            (5, false, cast.output(5, b"$ \x1b[32mls\x1b[0m\r\nnotes.txt\r\n$ lsx\x08 ").into_bytes()),
        ];
        let shell = tape.keep(GuestPort::Ssh, &shell).await;
        let screen = [
            (0, true, picture(320, 200, RED)),
            (4000, true, picture(320, 200, BLUE)),
            (4500, false, typed("hunter2")),
            (8000, true, picture(64, 64, RED)),
        ];
        let screen = tape.keep(GuestPort::Console, &screen).await;
        let long: Vec<_> =
            (0..30).map(|at| (at * 10_000, true, picture(1280, 720, if at % 2 == 0 { RED } else { BLUE }))).collect();
        let long = tape.keep(GuestPort::Console, &long).await;
        store.close().await.unwrap();
        (shell.id.to_string(), screen.id.to_string(), long.id.to_string())
    };
    let server = Server::start(data);
    let out = |name: &str| data.join(name).display().to_string();

    // A shell.
    for (format, file) in [("cast", "shell.cast"), ("text", "shell.txt")] {
        told(data, &["recording", "export", &shell, "--format", format, "-o", &out(file)]);
    }
    let cast = std::fs::read_to_string(data.join("shell.cast")).unwrap();
    // What was typed is in no export.
    assert!(cast.starts_with(r#"{"version":2,"#) && cast.lines().count() == 2 && !cast.contains("hunter2"), "{cast}");
    assert_eq!(std::fs::read_to_string(data.join("shell.txt")).unwrap(), "$ ls\nnotes.txt\n$ ls ");
    let no = tell(data, &["recording", "export", &shell, "--format", "mp4", "-o", &out("no.mp4")]);
    assert!(String::from_utf8_lossy(&no.stderr).contains("cannot become a film"), "{no:?}");
    assert!(!data.join("no.mp4").exists());

    // A screen.
    told(data, &["recording", "export", &screen, "--format", "webm", "-o", &out("screen.webm")]);
    let (colour, seconds) = look(&data.join("screen.webm"), "2");
    near(colour, RED);
    assert!((seconds - 8.0).abs() < 0.2, "{seconds}");
    near(look(&data.join("screen.webm"), "6").0, BLUE);
    let done = operation(data);
    assert_eq!((&done["kind"], &done["state"]), (&"recording_export".into(), &"done".into()));
    assert!(done["step"].as_str().unwrap().starts_with("made webm, 320x200, 8 s"), "{done}");

    // Cancelled in the middle: nothing is left but its operation.
    let export = ["recording", "export", &long, "--format", "mp4", "-o"];
    let start = |file: &str| {
        let mut command = oriel(data, &[&export[..], &[&out(file)]].concat());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let is_half = || {
        let now = operation(data);
        now["title"].as_str().unwrap().ends_with("as mp4")
            && now["state"] == "running"
            && now["progress"].as_f64() > Some(0.02)
    };
    let mut asking = start("cancelled.mp4");
    until("it does not begin", is_half);
    let first = operation(data)["id"].as_str().unwrap().to_owned();
    told(data, &["operation", "cancel", &first]);
    until("it is not cancelled", || operation(data)["state"] == "cancelled");
    assert!(!asking.wait().unwrap().success());
    assert!(!data.join("cancelled.mp4").exists());
    let left = |folder: &str| std::fs::read_dir(data.join(folder)).into_iter().flatten().count();
    assert_eq!((left("films"), left("recordings/exports")), (0, 0));

    // Killed in the middle; who asked again gets what the next program makes.
    let mut asking = start("killed.mp4");
    until("it does not begin again", || is_half() && operation(data)["id"] != first.as_str());
    let second = operation(data)["id"].as_str().unwrap().to_owned();
    drop(server);
    assert!(!asking.wait().unwrap().success());
    assert!(left("films") > 0);
    let _server = Server::start(data);
    told(data, &[&export[..], &[&out("long.mp4")]].concat());
    let done = operation(data);
    assert_eq!((done["id"].as_str().unwrap(), &done["state"]), (second.as_str(), &"done".into()));
    let (colour, seconds) = look(&data.join("long.mp4"), "275");
    near(colour, BLUE);
    assert!((seconds - 290.0).abs() < 0.3, "{seconds}");
    near(look(&data.join("long.mp4"), "265").0, RED);
    assert_eq!(left("films"), 0);
    // It was fetched, and takes no room any more.
    assert_eq!(left("recordings/exports"), 0);
}

/// Whatever was made and whatever is known of it: the next program makes it whole, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_outlives_a_program_that_dies_at_each_of_its_points() {
    for point in ["export.film_made", "export.kept"] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let screen = {
            let (store, broker) = world::broker(data).await;
            let (user, desktop) = world::desktop(&store, &broker, RecordingPolicy::Always, "seven green lamps").await;
            let tape = Tape { broker: &broker, user: &user, desktop: &desktop };
            let said = [(0, true, picture(320, 200, RED)), (2000, true, picture(320, 200, BLUE))];
            let screen = tape.keep(GuestPort::Console, &said).await;
            store.close().await.unwrap();
            screen.id.to_string()
        };
        let out = data.join("screen.mp4").display().to_string();
        let export = ["recording", "export", &screen, "--format", "mp4", "-o", &out];
        let mut dying = Server::with(data, Some(point));
        assert!(!tell(data, &export).status.success(), "{point}");
        until("it does not die", || dying.0.try_wait().unwrap().is_some());
        let _server = Server::start(data);
        until("it is not made", || operation(data)["state"] == "done");
        told(data, &export);
        near(look(&data.join("screen.mp4"), "1").0, RED);
        let left = |folder: &str| std::fs::read_dir(data.join(folder)).into_iter().flatten().count();
        assert_eq!((left("films"), left("recordings/exports")), (0, 0), "{point}");
        let list: Value = serde_json::from_str(&told(data, &["operation", "list", "--json"])).unwrap();
        assert_eq!(list["operations"].as_array().unwrap().len(), 1, "{point}");
    }
}
