//! A viewer's terminal and files on a real OpenSSH, through the gateway.

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
use oriel_gateway::terminal::FilesError;
use oriel_gateway::terminal::files::{EntryKind, RemotePath};
use oriel_gateway::terminal::{Credentials, HostKeyPin, ShellOptions, SshOptions};
use oriel_gateway::{DialError, Dialler, Files, Gateway, Protocol, ShellTarget, TRANSFERS_MAX, Target, ViewerRequest};
use oriel_model::{ConnectionId, DesktopId, GuestPort, UserId};
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use program::gateway;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_mins(1);

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("cannot start {program}: {error}; apt-get install openssh-server"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A folder of the test's own, gone with it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("oriel-gateway-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Sshd {
    folder: Folder,
    program: Child,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Sshd {
    fn start() -> Self {
        Self::start_with(|_| "internal-sftp".into())
    }

    /// `service` makes the file service in the server's folder.
    fn start_with(service: impl FnOnce(&Path) -> String) -> Self {
        let folder = Folder::new();
        let service = service(folder.path());
        let path = folder.path().display().to_string();
        for name in ["host", "user"] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &format!("{path}/{name}")]);
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let _ = std::fs::create_dir_all("/run/sshd");
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {path}/host\nAuthorizedKeysFile {path}/user.pub\nPidFile none\n\
             UsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp {service}\n"
        );
        std::fs::write(format!("{path}/config"), config).unwrap();
        let program = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &format!("{path}/config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("cannot start /usr/sbin/sshd; apt-get install openssh-server");
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < PATIENCE, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { folder, program, port }
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

struct Machines {
    port: u16,
    key: String,
    command: String,
    root: String,
    met: Mutex<Vec<String>>,
    dialled: Mutex<u32>,
}

/// The command of a machine that is not to be kept.
const IMPOSTOR: &str = "echo who lets me in";

#[async_trait]
impl Dialler for Machines {
    async fn dial(&self, _: DesktopId, port: GuestPort) -> Result<Target, DialError> {
        assert_eq!(port, GuestPort::Ssh);
        *self.dialled.lock().unwrap() += 1;
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let credentials = Credentials::key(run("id", &["-un"]), self.key.clone().into());
        let target = ShellTarget::Ssh {
            ssh: SshOptions::new(credentials, HostKeyPin::FirstUse),
            shell: ShellOptions { command: Some(self.command.clone()), ..ShellOptions::default() },
            files_root: Some(self.root.clone()),
        };
        Ok(Target {
            title: "machine".into(),
            stream: Box::new(stream),
            protocol: Protocol::Shell(Box::new(target)),
            policy: oriel_model::SessionPolicy::default(),
        })
    }

    async fn met(&self, _: DesktopId, _: GuestPort, hop: usize, identity: &str) -> Result<(), DialError> {
        assert_eq!(hop, 0);
        self.met.lock().unwrap().push(identity.to_owned());
        if self.command == IMPOSTOR {
            let text = "another one was kept a moment ago".to_owned();
            return Err(DialError { code: oriel_screen::ByeCode::IdentityChanged, text });
        }
        Ok(())
    }
}

fn house(server: &Sshd, command: &str) -> (Gateway, Arc<Machines>) {
    let root = server.folder.path().join("root");
    std::fs::create_dir_all(&root).unwrap();
    let machines = Arc::new(Machines {
        port: server.port,
        key: server.file("user"),
        command: command.into(),
        root: root.to_str().unwrap().to_owned(),
        met: Mutex::default(),
        dialled: Mutex::default(),
    });
    (gateway(Arc::clone(&machines) as Arc<dyn Dialler>), machines)
}

struct Viewer {
    typed: UnboundedSender<Bytes>,
    said: UnboundedReceiver<Bytes>,
    records: Vec<ServerRecord>,
}

impl Viewer {
    fn open(gateway: &Gateway, request: &ViewerRequest) -> Self {
        let (typed, incoming) = unbounded();
        let (outgoing, said) = unbounded();
        let (gateway, request) = (gateway.clone(), request.clone());
        tokio::spawn(async move {
            gateway.attach(request, incoming, outgoing.sink_map_err(|_| ())).await;
        });
        let mut viewer = Self { typed, said, records: Vec::new() };
        let hello = ViewerHello { version: PROTOCOL_VERSION, width: 80, height: 24, ..ViewerHello::default() };
        viewer.say(&ViewerRecord::Hello(hello));
        viewer
    }

    fn say(&mut self, record: &ViewerRecord) {
        let mut message = Vec::new();
        record.encode(&mut message);
        self.typed.unbounded_send(message.into()).unwrap();
    }

    async fn next(&mut self) -> ServerRecord {
        while self.records.is_empty() {
            let message = timeout(PATIENCE, self.said.next()).await.unwrap().expect("the gateway hung up");
            self.records = ServerRecord::decode_all(&message).unwrap();
        }
        self.records.remove(0)
    }

    /// Acknowledges all it is given until the text is there; answers the stream's number then and what was repainted.
    async fn until(&mut self, text: &str) -> (u64, usize) {
        let (mut number, mut repainted, mut tail) = (0, 0, String::new());
        loop {
            match self.next().await {
                ServerRecord::TerminalStart { offset } => number = offset,
                ServerRecord::TerminalRepaint(bytes) => repainted = bytes.len(),
                ServerRecord::TerminalData(bytes) => {
                    number += bytes.len() as u64;
                    self.say(&ViewerRecord::TerminalAck { offset: number });
                    tail.push_str(&String::from_utf8_lossy(&bytes));
                    if tail.contains(text) {
                        return (number, repainted);
                    }
                    let cut = tail.len().saturating_sub(200);
                    let cut = (cut..tail.len()).find(|at| tail.is_char_boundary(*at)).unwrap_or(0);
                    tail = tail.split_off(cut);
                }
                ServerRecord::Bye { text, .. } => panic!("{text}"),
                _ => {}
            }
        }
    }
}

fn request(resume: Option<ConnectionId>) -> ViewerRequest {
    ViewerRequest {
        user: UserId::new(),
        desktop: DesktopId::new(),
        port: GuestPort::Ssh,
        person: "ada".into(),
        resume,
        guest: None,
        seat: None,
        app: None,
    }
}

#[tokio::test]
async fn whoever_comes_late_gets_a_repaint() {
    let server = Sshd::start();
    let script = "i=0; while [ $i -lt 40000 ]; do echo \"line $i of a long listing of lines\"; i=$((i+1)); done; echo all-of-it; read x; echo got $x; sleep 9";
    let (gateway, machines) = house(&server, script);
    let mut request = request(None);
    let mut first = Viewer::open(&gateway, &request);
    let (end, repainted) = first.until("all-of-it").await;
    assert!(end > 1_200_000 && repainted == 0, "{end} {repainted}");
    assert_eq!(machines.met.lock().unwrap().len(), 1);
    let host = server.file("host.pub");
    let key: Vec<&str> = host.split(' ').take(2).collect();
    assert!(machines.met.lock().unwrap()[0].starts_with(&key.join(" ")));

    request.resume = Some(gateway.connections()[0].connection.id);
    let mut second = Viewer::open(&gateway, &request);
    let (again, repainted) = second.until("all-of-it").await;
    assert_eq!(again, end, "the numbers are the stream's");
    assert!(repainted > 1000, "the bytes at the start are gone: {repainted}");
    second.say(&ViewerRecord::TerminalInput(Bytes::from_static(b"here\r")));
    second.until("got here").await;

    // The one console of a machine is continued, and not opened beside itself.
    let console = ViewerRequest { resume: None, seat: Some(request.desktop), ..request.clone() };
    Viewer::open(&gateway, &console).until("got here").await;
    assert_eq!((gateway.connections().len(), *machines.dialled.lock().unwrap()), (1, 1));
}

#[tokio::test]
async fn nobody_signs_in_to_a_machine_that_is_not_kept() {
    let server = Sshd::start();
    let (gateway, machines) = house(&server, IMPOSTOR);
    let mut viewer = Viewer::open(&gateway, &request(None));
    let end = loop {
        let message = timeout(PATIENCE, viewer.said.next()).await.unwrap().expect("a farewell");
        let records = ServerRecord::decode_all(&message).unwrap();
        if let Some(bye) = records.into_iter().find(|record| matches!(record, ServerRecord::Bye { .. })) {
            break bye;
        }
    };
    let text = "another one was kept a moment ago".to_owned();
    assert_eq!(end, ServerRecord::Bye { code: oriel_screen::ByeCode::IdentityChanged, text });
    assert_eq!(machines.met.lock().unwrap().len(), 1);
    // And asking who it is tells it nothing, and keeps nothing.
    let seen = gateway.identify(DesktopId::new(), GuestPort::Ssh).await.unwrap().unwrap();
    assert!(server.file("host.pub").starts_with(&seen));
    assert_eq!(machines.met.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn files_share_one_session_that_ends_with_its_person() {
    let server = Sshd::start();
    let (gateway, machines) = house(&server, "true");
    let (user, desktop) = (UserId::new(), DesktopId::new());
    std::fs::write(Path::new(&machines.root).join("a"), "one").unwrap();
    let (one, two) = tokio::join!(gateway.files(user, desktop), gateway.files(user, desktop));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(Arc::ptr_eq(&one, &two));
    assert_eq!(one.list(&RemotePath::default()).await.unwrap().entries[0].name, "a");
    assert_eq!(*machines.dialled.lock().unwrap(), 1);
    assert_eq!(machines.met.lock().unwrap().len(), 1);
    let other = gateway.files(UserId::new(), desktop).await.unwrap();
    assert!(!Arc::ptr_eq(&one, &other), "nobody shares another person's way in");
    gateway.end_where(|of, _| of == user, oriel_screen::ByeCode::EndedByAdmin, "ended").await;
    assert!(one.list(&RemotePath::default()).await.is_err());
    assert!(other.list(&RemotePath::default()).await.is_ok());
    assert!(gateway.files(user, desktop).await.unwrap().list(&RemotePath::default()).await.is_ok());
}

fn at(path: &str) -> RemotePath {
    RemotePath::parse(path).unwrap()
}

/// Bytes of which no part is like another.
fn noise(count: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(&mut next).take(count).collect()
}

async fn read(files: &Files, path: &str, offset: u64, length: u64) -> Result<Vec<u8>, FilesError> {
    let mut bytes = Box::pin(files.download(&at(path)).await?.part(offset, length).bytes());
    let mut all = Vec::new();
    while let Some(piece) = bytes.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

#[tokio::test]
async fn files_go_both_ways_and_go_on_where_they_were_cut() {
    let server = Sshd::start();
    let (gateway, machines) = house(&server, "true");
    let files = gateway.files(UserId::new(), DesktopId::new()).await.unwrap();
    assert_eq!(files.root(), machines.root);
    let root = Path::new(&machines.root);
    let bytes = noise(9_000_001);

    // Twice: what was cut off goes on. Pieces are of every size.
    let mut upload = files.upload(&at("a <b>\n"), "t1", 0, false).await.unwrap();
    for piece in bytes.slice(..4_000_000).chunks(70_001) {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    upload.settle().await.unwrap();
    assert_eq!(upload.at(), 4_000_000);
    drop(upload);
    assert_eq!(files.uploaded(&at("a <b>\n"), "t1").await.unwrap(), 4_000_000);
    let gap = files.upload(&at("a <b>\n"), "t1", 4_000_001, false).await;
    assert!(matches!(gap.err(), Some(FilesError::Gap { there: 4_000_000 })));
    let mut upload = files.upload(&at("a <b>\n"), "t1", 4_000_000, false).await.unwrap();
    upload.write(bytes.slice(4_000_000..)).await.unwrap();
    upload.settle().await.unwrap();
    assert_eq!(upload.at(), 9_000_001);
    upload.complete().await.unwrap();
    assert!(std::fs::read(root.join("a <b>\n")).unwrap() == bytes);
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 1);

    // One that nobody waits for leaves nothing in between, and can be continued or given up.
    let mut upload = files.upload(&at("left"), "t2", 0, false).await.unwrap();
    upload.write(bytes.slice(..3_000_000)).await.unwrap();
    drop(upload);
    let begin = Instant::now();
    while files.uploaded(&at("left"), "t2").await.unwrap() == 0 {
        assert!(begin.elapsed() < PATIENCE, "nothing arrived");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    files.abandon(&at("left"), "t2").await.unwrap();

    assert!(read(&files, "a <b>\n", 0, u64::MAX).await.unwrap() == bytes);
    assert!(read(&files, "a <b>\n", 5_000_000, 3_000_000).await.unwrap() == bytes[5_000_000..8_000_000]);
    assert_eq!(read(&files, "a <b>\n", 9_000_001, 5).await.unwrap(), b"");
    // A reader that stops in the middle, and several at a time.
    let mut some = Box::pin(files.download(&at("a <b>\n")).await.unwrap().bytes());
    assert!(!some.next().await.unwrap().unwrap().is_empty());
    drop(some);
    let (one, two) = tokio::join!(read(&files, "a <b>\n", 1, 2_000_000), read(&files, "a <b>\n", 2_000_001, 2_000_000));
    assert!(one.unwrap() == bytes[1..2_000_001] && two.unwrap() == bytes[2_000_001..4_000_001]);

    files.make_folder(&at("room")).await.unwrap();
    assert!(matches!(files.make_folder(&at("room")).await, Err(FilesError::Exists { .. })));
    files.rename(&at("a <b>\n"), &at("room/b"), false).await.unwrap();
    let listing = files.list(&at("room")).await.unwrap();
    assert_eq!((listing.entries[0].name.as_str(), listing.entries[0].size), ("b", 9_000_001));
    assert_eq!(files.stat(&at("room")).await.unwrap().kind, EntryKind::Folder);
    assert!(matches!(files.remove(&at("room")).await, Err(FilesError::Failed(_))));
    assert!(matches!(read(&files, "nowhere", 0, 1).await, Err(FilesError::Missing)));
    assert!(matches!(read(&files, "room", 0, 1).await, Err(FilesError::NotAFile { .. })));
    std::os::unix::fs::symlink("/etc", root.join("out")).unwrap();
    assert!(matches!(read(&files, "out/passwd", 0, 1).await, Err(FilesError::Outside { .. })));
    files.remove(&at("room/b")).await.unwrap();
    files.remove(&at("room")).await.unwrap();
}

#[tokio::test]
async fn transfers_are_counted_and_break_with_their_session() {
    let server = Sshd::start();
    let (gateway, machines) = house(&server, "true");
    let (user, desktop) = (UserId::new(), DesktopId::new());
    let bytes = noise(20_000_000);
    std::fs::write(Path::new(&machines.root).join("a"), &bytes).unwrap();
    let files = gateway.files(user, desktop).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..TRANSFERS_MAX {
        open.push(files.download(&at("a")).await.unwrap());
    }
    assert!(matches!(files.download(&at("a")).await.err(), Some(FilesError::Busy(TRANSFERS_MAX))));
    let mut coming = Box::pin(open.pop().unwrap().bytes());
    open.clear();
    assert!(coming.next().await.unwrap().is_ok());
    let mut upload = files.upload(&at("b"), "t", 0, false).await.unwrap();
    upload.write(bytes.slice(..500_000)).await.unwrap();

    gateway.end_where(|of, _| of == user, oriel_screen::ByeCode::EndedByAdmin, "ended").await;
    let broken = loop {
        match timeout(PATIENCE, coming.next()).await.expect("it stays open").expect("it ends as if it were whole") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(broken, FilesError::Broken(_)), "{broken}");
    let written = upload.write(bytes.slice(..5_000_000)).await;
    assert!(written.is_err() || upload.settle().await.is_err());
    assert!(files.list(&at("")).await.is_err() && files.is_closed());
    // The next one is another session.
    assert!(read(&gateway.files(user, desktop).await.unwrap(), "a", 0, u64::MAX).await.unwrap() == bytes);
}

/// The processes of sessions that this test started; none where it runs without.
fn workers() -> Vec<String> {
    let parent = format!("PPid:\t{}\n", std::process::id());
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|id| {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            status.starts_with("Name:\toriel-session-") && status.contains(&parent) && !status.contains("State:\tZ")
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_whose_process_is_killed_say_so_and_come_back() {
    let server = Sshd::start();
    let (gateway, machines) = house(&server, "true");
    let (user, desktop) = (UserId::new(), DesktopId::new());
    let bytes = noise(20_000_000);
    std::fs::write(Path::new(&machines.root).join("a"), &bytes).unwrap();
    let files = gateway.files(user, desktop).await.unwrap();
    let mut coming = Box::pin(files.download(&at("a")).await.unwrap().bytes());
    assert!(coming.next().await.unwrap().is_ok());
    let mut upload = files.upload(&at("b"), "t", 0, false).await.unwrap();
    let workers = workers();
    let Some(id) = workers.first() else { return };
    assert_eq!(workers.len(), 1, "one session is one process");
    run("kill", &["-9", id]);
    let broken = loop {
        match timeout(PATIENCE, coming.next()).await.expect("it stays open").expect("it ends as if it were whole") {
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    assert_eq!(broken, "the connection to the machine's files broke (their process ended); try again");
    upload.write(bytes.slice(..5_000_000)).await.ok();
    assert_eq!(upload.settle().await.unwrap_err().to_string(), broken);
    assert_eq!(files.list(&at("")).await.unwrap_err().to_string(), broken);
    drop((coming, upload, files));
    let again = gateway.files(user, desktop).await.unwrap();
    assert!(read(&again, "a", 0, u64::MAX).await.unwrap() == bytes);
}

/// A machine's file service may end while its SSH does not: whoever goes on asking, as pages do, has another one soon.
#[tokio::test(flavor = "multi_thread")]
async fn files_whose_service_has_died_come_back() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Sshd::start_with(|folder| {
        let script = folder.join("service");
        let text = format!("#!/bin/sh\necho $$ > {}\nexec /usr/lib/openssh/sftp-server\n", folder.join("id").display());
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        script.display().to_string()
    });
    let (gateway, machines) = house(&server, "true");
    let (user, desktop) = (UserId::new(), DesktopId::new());
    let files = gateway.files(user, desktop).await.unwrap();
    files.list(&RemotePath::default()).await.unwrap();
    run("kill", &["-9", server.file("id").trim()]);
    let begin = Instant::now();
    while gateway.files(user, desktop).await.unwrap().list(&RemotePath::default()).await.is_err() {
        assert!(begin.elapsed() < PATIENCE, "it stays broken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(files.is_closed());
    assert_eq!(*machines.dialled.lock().unwrap(), 2);
}

/// How fast files go over loopback: `ORIEL_FILE_MIB=1024 cargo nextest run ... --run-ignored only --no-capture -E 'test(how_fast)'`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn how_fast_files_go() {
    let mib = std::env::var("ORIEL_FILE_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(1024_i32);
    let server = Sshd::start();
    let (gateway, _) = house(&server, "true");
    let files = gateway.files(UserId::new(), DesktopId::new()).await.unwrap();
    let piece = noise(1 << 20);
    let rate = |begin: Instant| f64::from(mib) * 1.048_576 / begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let mut upload = files.upload(&at("a"), "t", 0, false).await.unwrap();
    for _ in 0..mib {
        // As hyper hands a request's body out.
        for part in 0..32 {
            upload.write(piece.slice(part << 15..(part + 1) << 15)).await.unwrap();
        }
    }
    upload.complete().await.unwrap();
    let up = rate(begin);
    let begin = Instant::now();
    let mut bytes = Box::pin(files.download(&at("a")).await.unwrap().bytes());
    let mut count = 0;
    while let Some(piece) = bytes.next().await {
        count += piece.unwrap().len() as u64;
    }
    assert_eq!(count, (mib as u64) << 20);
    println!("{mib} MiB: up {up:.0} MB/s, down {:.0} MB/s", rate(begin));
}
