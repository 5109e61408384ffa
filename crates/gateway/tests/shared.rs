//! Several people in front of one machine: a real Xtigervnc and a real OpenSSH, through the gateway.

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
use oriel_gateway::terminal::{Credentials, HostKeyPin, ShellOptions, SshOptions};
use oriel_gateway::{
    DialError, Dialler, Gateway, Guest, GuestKind, Invite, KnockRefusal, Protocol, ShellTarget, Target, ViewerRequest,
};
use oriel_model::{ConnectionId, DesktopId, GuestPort, InviteId, Micros, SessionPolicy, UserId};
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use oriel_screen::{ByeCode, InputEvent, Person, PersonKind, QuestionKind};
use program::gateway;
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_mins(1);
const APT: &str = "apt-get install tigervnc-standalone-server x11-xserver-utils xterm openssh-server";

/// Ends its program when it goes.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> Running {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    Running(child.unwrap_or_else(|error| panic!("cannot start {program}: {error}; {APT}")))
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {program}: {error}; {APT}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A folder of the test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("oriel-shared-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn until_it_listens(port: u16) {
    let begin = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < PATIENCE, "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An X server whose left half is a terminal that writes down what is typed, and whose right half has a colour.
struct Screen {
    port: u16,
    display: String,
    typed: PathBuf,
    _programs: Vec<Running>,
    _folder: Folder,
}

impl Screen {
    fn start() -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let mut server = start(
            Command::new("Xtigervnc")
                .args([
                    "-displayfd",
                    "1",
                    "-localhost",
                    "-SecurityTypes",
                    "None",
                    "-geometry",
                    "640x400",
                    "-AlwaysShared",
                ])
                .args(["-rfbport", &port.to_string()])
                .stdout(Stdio::piped()),
        );
        let mut number = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        let typed = folder.0.join("typed");
        let script = format!("stty -icanon -echo; exec dd bs=1 of={}", typed.display());
        let terminal = start(
            Command::new("xterm")
                .args(["-display", &display, "-geometry", "40x40+0+0", "-e", "sh", "-c", &script])
                .stdout(Stdio::null()),
        );
        until_it_listens(port);
        let screen = Self { port, display, typed, _programs: vec![server, terminal], _folder: folder };
        let begin = Instant::now();
        while !screen.typed.exists() {
            assert!(begin.elapsed() < PATIENCE, "xterm did not start; {APT}");
            std::thread::sleep(Duration::from_millis(20));
        }
        screen
    }

    fn colour(&self, red: u8) {
        run("xsetroot", &["-display", &self.display, "-solid", &format!("#{red:02x}0000")]);
    }

    fn typed(&self) -> String {
        std::fs::read_to_string(&self.typed).unwrap()
    }
}

#[async_trait]
impl Dialler for Screen {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (stream, protocol) = (Box::new(stream), Protocol::console());
        Ok(Target { title: "screen".into(), stream, protocol, policy: SessionPolicy::default() })
    }
}

struct Viewer {
    send: UnboundedSender<Bytes>,
    receive: UnboundedReceiver<Bytes>,
    records: VecDeque<ServerRecord>,
    /// Acknowledges pictures as they come.
    acknowledges: bool,
    frames: usize,
}

impl Viewer {
    fn open(gateway: &Gateway, request: &ViewerRequest) -> Self {
        let (send, incoming) = unbounded();
        let (outgoing, receive) = unbounded();
        let (gateway, request) = (gateway.clone(), request.clone());
        tokio::spawn(async move { gateway.attach(request, incoming, outgoing.sink_map_err(|_| ())).await });
        let mut viewer = Self { send, receive, records: VecDeque::new(), acknowledges: true, frames: 0 };
        let hello = ViewerHello { version: PROTOCOL_VERSION, width: 80, height: 24, scale: 100, ..Default::default() };
        viewer.say(&ViewerRecord::Hello(hello));
        viewer
    }

    fn say(&mut self, record: &ViewerRecord) {
        let mut message = Vec::new();
        record.encode(&mut message);
        let _ = self.send.unbounded_send(message.into());
    }

    fn key(&mut self, letter: char) {
        let keysym = letter as u32;
        for down in [true, false] {
            self.say(&ViewerRecord::Input(InputEvent::Key { down, code: 0, keysym }));
        }
    }

    fn point(&mut self, x: u16, y: u16) {
        self.say(&ViewerRecord::Input(InputEvent::Pointer { x, y, buttons: 0 }));
    }

    /// `None` when the gateway has hung up.
    async fn next(&mut self) -> Option<ServerRecord> {
        while self.records.is_empty() {
            let message = timeout(PATIENCE, self.receive.next()).await.expect("in time")?;
            self.records.extend(ServerRecord::decode_all(&message).unwrap());
        }
        let record = self.records.pop_front();
        if let Some(ServerRecord::FrameEnd { sequence }) = record {
            self.frames += 1;
            if self.acknowledges {
                self.say(&ViewerRecord::Ack { sequence });
            }
        }
        record
    }

    async fn until<T>(&mut self, wanted: impl Fn(&ServerRecord) -> Option<T>) -> T {
        loop {
            let record = self.next().await.expect("the gateway hung up");
            if let Some(found) = wanted(&record) {
                return found;
            }
        }
    }

    /// Until a picture has this red.
    async fn sees(&mut self, red: u8) {
        self.until(|record| matches!(record, ServerRecord::Fill { rgb, .. } if *rgb == [red, 0, 0]).then_some(()))
            .await;
        self.until(|record| matches!(record, ServerRecord::FrameEnd { .. }).then_some(())).await;
    }

    /// Until the people are as wanted.
    async fn people(&mut self, wanted: impl Fn(&[Person]) -> bool) -> (u8, Vec<Person>) {
        self.until(|record| match record {
            ServerRecord::People { own, people } if wanted(people) => Some((*own, people.clone())),
            _ => None,
        })
        .await
    }

    async fn connection(&mut self) -> ConnectionId {
        let connection = self.until(|record| match record {
            ServerRecord::Hello { connection, .. } => Some(*connection),
            _ => None,
        });
        ConnectionId(uuid::Uuid::from_bytes(connection.await))
    }

    async fn bye(&mut self) -> (ByeCode, String) {
        self.until(|record| match record {
            ServerRecord::Bye { code, text } => Some((*code, text.clone())),
            _ => None,
        })
        .await
    }

    /// Until the terminal shows this text; acknowledges what it is given. Answers what was repainted.
    async fn reads(&mut self, text: &str) -> usize {
        let (mut number, mut repainted, mut seen) = (0, 0, Vec::new());
        loop {
            match self.next().await.expect("the gateway hung up") {
                ServerRecord::TerminalStart { offset } => number = offset,
                ServerRecord::TerminalRepaint(bytes) => {
                    repainted = bytes.len();
                    seen = bytes.to_vec();
                }
                ServerRecord::TerminalData(bytes) => {
                    number += bytes.len() as u64;
                    if self.acknowledges {
                        self.say(&ViewerRecord::TerminalAck { offset: number });
                    }
                    seen.extend_from_slice(&bytes);
                }
                ServerRecord::Bye { text, .. } => panic!("{text}"),
                _ => {}
            }
            if String::from_utf8_lossy(&seen).contains(text) {
                return repainted;
            }
            let keep = seen.len().saturating_sub(4096);
            seen.drain(..keep);
        }
    }
}

fn owner(port: GuestPort) -> ViewerRequest {
    let (user, desktop, person) = (UserId::new(), DesktopId::new(), "ada".to_owned());
    ViewerRequest { user, desktop, port, person, resume: None, guest: None, seat: None, app: None }
}

fn guest(connection: ConnectionId, name: &str, kind: GuestKind, control: bool) -> ViewerRequest {
    let guest = Guest { connection, name: name.into(), kind, control, may_control: true };
    ViewerRequest { person: name.into(), guest: Some(guest), ..owner(GuestPort::Console) }
}

const HELPER: GuestKind = GuestKind::Helper { ask: false };

fn invite(gateway: &Gateway, connection: ConnectionId) -> InviteId {
    let id = InviteId::new();
    let (created, expires) = (Micros(0), Micros(i64::MAX));
    let (token_sha256, visitors) = (id.to_string(), false);
    let invite = Invite { id, token_sha256, control: false, may_control: true, visitors, created, expires };
    gateway.invite(connection, invite).unwrap().unwrap();
    id
}

/// As [`invite`], for people without an account.
fn link(gateway: &Gateway, connection: ConnectionId, token: &str) -> InviteId {
    let (id, token_sha256) = (InviteId::new(), token.to_owned());
    let (created, expires) = (Micros(0), Micros(i64::MAX));
    let invite = Invite { id, token_sha256, control: false, may_control: false, visitors: true, created, expires };
    gateway.invite(connection, invite).unwrap().unwrap();
    id
}

/// Bob, who has no account, with a ticket.
fn visitor(gateway: &Gateway, connection: ConnectionId, invite: InviteId) -> ViewerRequest {
    let kind = GuestKind::Visitor { invite };
    let guest = Guest { connection, name: "bob".into(), kind, control: false, may_control: false };
    assert!(gateway.put_visitor_ticket("ticket".into(), invite, guest));
    gateway.take_visitor_ticket("ticket").unwrap().unwrap()
}

async fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !look() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn two_see_the_same_and_who_has_control_types() {
    let screen = Arc::new(Screen::start());
    screen.colour(100);
    let gateway = gateway(Arc::clone(&screen) as Arc<dyn Dialler>);
    let mut ada = Viewer::open(&gateway, &owner(GuestPort::Console));
    let connection = ada.connection().await;
    ada.sees(100).await;

    let ben_asks = guest(connection, "ben", HELPER, false);
    let mut ben = Viewer::open(&gateway, &ben_asks);
    ben.sees(100).await;
    let (own, people) = ada.people(|people| people.len() == 2).await;
    assert_eq!((own, people[0].name.as_str(), people[0].kind), (0, "ada", PersonKind::Owner));
    assert_eq!((people[1].seat, people[1].name.as_str(), people[1].kind), (1, "ben", PersonKind::Helper));
    assert!(!people[1].control && people[1].may_control);
    assert_eq!(gateway.connections()[0].connection.viewers, 2);
    assert_eq!(gateway.connections()[0].guests[0].name, "ben");
    screen.colour(150);
    tokio::join!(ada.sees(150), ben.sees(150));

    // Both pointers are seen by the other; only the owner's reaches the machine.
    ada.point(100, 100);
    assert_eq!(pointing(&mut ben).await, (0, 100, 100));
    ben.point(30, 40);
    assert_eq!(pointing(&mut ada).await, (1, 30, 40));
    ben.key('a');
    ada.key('b');
    eventually("the owner's key arrives", || screen.typed() == "b").await;

    // A guest's window is their own: the machine keeps its size.
    ben.say(&ViewerRecord::Input(InputEvent::Resize { width: 1024, height: 768, scale: 100 }));
    // A guest asks for control, and the owner gives it, and takes it.
    ben.say(&ViewerRecord::AskControl);
    let asked = ada.until(question).await;
    assert_eq!(asked, (1, QuestionKind::Control, 60, "ben".into()));
    ada.say(&ViewerRecord::Answer { seat: 1, yes: true });
    ben.people(|people| people[1].control).await;
    ben.key('c');
    eventually("with control, the guest's key arrives", || screen.typed() == "bc").await;
    ada.say(&ViewerRecord::Control { seat: 1, on: false });
    ben.people(|people| !people[1].control).await;
    ben.key('d');
    ben.say(&ViewerRecord::Control { seat: 1, on: true });
    screen.colour(200);
    ben.sees(200).await;
    ada.key('e');
    eventually("and without it no more", || screen.typed() == "bce").await;

    // Who is sent away is gone and stays away.
    ada.say(&ViewerRecord::Remove { seat: 1 });
    assert_eq!(ben.bye().await.0, ByeCode::Dismissed);
    ada.people(|people| people.len() == 1).await;
    let mut again = Viewer::open(&gateway, &ben_asks);
    assert_eq!(again.bye().await.0, ByeCode::Dismissed);
    screen.colour(220);
    ada.sees(220).await;
    assert_eq!(gateway.connections()[0].connection.viewers, 1);
}

async fn pointing(viewer: &mut Viewer) -> (u8, u16, u16) {
    viewer
        .until(|record| match record {
            ServerRecord::Pointing { seat, x, y } => Some((*seat, *x, *y)),
            _ => None,
        })
        .await
}

fn question(record: &ServerRecord) -> Option<(u8, QuestionKind, u16, String)> {
    match record {
        ServerRecord::Question { seat, kind, seconds, name } => Some((*seat, *kind, *seconds, name.clone())),
        _ => None,
    }
}

#[tokio::test]
async fn a_slow_guest_costs_the_owner_nothing_and_catches_up() {
    let screen = Arc::new(Screen::start());
    screen.colour(10);
    let gateway = gateway(Arc::clone(&screen) as Arc<dyn Dialler>);
    let mut ada = Viewer::open(&gateway, &owner(GuestPort::Console));
    let connection = ada.connection().await;
    ada.sees(10).await;
    let mut slow = Viewer::open(&gateway, &guest(connection, "ben", HELPER, false));
    slow.acknowledges = false;
    slow.sees(10).await;
    for red in 11..60 {
        screen.colour(red);
        ada.sees(red).await;
    }
    // It has what it may have unacknowledged, and of the rest only the last.
    slow.acknowledges = true;
    let sequence = slow.frames as u32;
    slow.say(&ViewerRecord::Ack { sequence });
    slow.sees(59).await;
    assert!(slow.frames <= 8, "{} frames", slow.frames);
}

#[tokio::test]
async fn guests_are_told_when_it_is_over_for_them() {
    let screen = Arc::new(Screen::start());
    screen.colour(50);
    let gateway = gateway(Arc::clone(&screen) as Arc<dyn Dialler>);
    let request = owner(GuestPort::Console);
    let mut ada = Viewer::open(&gateway, &request);
    let connection = ada.connection().await;
    ada.sees(50).await;
    let (first, second) = (invite(&gateway, connection), invite(&gateway, connection));
    let mut ben = Viewer::open(&gateway, &guest(connection, "ben", GuestKind::Invited { invite: first }, false));
    let mut cleo = Viewer::open(&gateway, &guest(connection, "cleo", GuestKind::Invited { invite: second }, true));
    ben.sees(50).await;
    cleo.sees(50).await;
    assert!(gateway.revoke_invite(connection, first));
    assert_eq!(ben.bye().await, (ByeCode::Dismissed, "this invitation was withdrawn".into()));
    let mut late = Viewer::open(&gateway, &guest(connection, "ben", GuestKind::Invited { invite: first }, false));
    assert_eq!(late.bye().await.0, ByeCode::Dismissed);

    // The owner goes and comes back: guests see it, and stay.
    drop(ada);
    cleo.people(|people| !people[0].here).await;
    screen.colour(60);
    cleo.sees(60).await;
    let mut ada = Viewer::open(&gateway, &request);
    ada.sees(60).await;
    let (own, people) = cleo.people(|people| people[0].here).await;
    assert_eq!(people.iter().find(|person| person.seat == own).unwrap().name, "cleo");
    // A guest that breaks the protocol ends for itself alone.
    let mut rude = Viewer::open(&gateway, &guest(connection, "dan", HELPER, false));
    rude.sees(60).await;
    rude.send.unbounded_send(Bytes::from_static(b"GET / HTTP/1.1")).unwrap();
    assert_eq!(rude.bye().await.0, ByeCode::Protocol);
    // The same person twice has one seat.
    let twice = guest(connection, "eve", HELPER, false);
    let mut once = Viewer::open(&gateway, &twice);
    once.sees(60).await;
    let mut again = Viewer::open(&gateway, &twice);
    assert_eq!(once.bye().await.0, ByeCode::TakenOver);
    again.sees(60).await;

    assert!(gateway.end(connection, ByeCode::EndedByAdmin, "that is all").await);
    for viewer in [&mut ada, &mut cleo, &mut again] {
        assert_eq!(viewer.bye().await, (ByeCode::EndedByAdmin, "that is all".into()));
    }
    let mut late = Viewer::open(&gateway, &guest(connection, "fay", HELPER, false));
    assert_eq!(late.bye().await.0, ByeCode::RemoteEnded);
}

#[tokio::test]
async fn a_helper_comes_when_the_owner_says_yes() {
    let screen = Arc::new(Screen::start());
    screen.colour(50);
    let gateway = gateway(Arc::clone(&screen) as Arc<dyn Dialler>);
    let mut ada = Viewer::open(&gateway, &owner(GuestPort::Console));
    let connection = ada.connection().await;
    ada.sees(50).await;
    let ask = GuestKind::Helper { ask: true };
    let mut root = Viewer::open(&gateway, &guest(connection, "root", ask, false));
    assert_eq!(ada.until(question).await, (1, QuestionKind::Watch, 59, "root".into()));
    // Nothing is shown before the answer.
    screen.colour(51);
    ada.sees(51).await;
    ada.say(&ViewerRecord::Answer { seat: 1, yes: false });
    loop {
        match root.next().await.unwrap() {
            ServerRecord::Hello { .. } | ServerRecord::Status { .. } | ServerRecord::Rules { .. } => {}
            ServerRecord::Bye { code, text } => {
                assert_eq!((code, text.as_str()), (ByeCode::Dismissed, "you were not let in: the answer was no"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let mut root = Viewer::open(&gateway, &guest(connection, "root", ask, true));
    let (seat, kind, _, _) = ada.until(question).await;
    assert_eq!(kind, QuestionKind::Help);
    ada.say(&ViewerRecord::Answer { seat, yes: true });
    root.sees(51).await;
    assert!(ada.people(|people| people.len() == 2).await.1[1].control);
    root.point(100, 100);
    root.key('h');
    eventually("the helper's key arrives", || screen.typed() == "h").await;
    // One who does not wait: the owner need not answer any more.
    let third = Viewer::open(&gateway, &guest(connection, "third", ask, false));
    let (seat, ..) = ada.until(question).await;
    drop(third);
    let (withdrawn, _, seconds, _) = ada.until(question).await;
    assert_eq!((withdrawn, seconds), (seat, 0));
}

#[tokio::test]
async fn one_without_an_account_waits_at_the_door() {
    let screen = Arc::new(Screen::start());
    screen.colour(50);
    let gateway = gateway(Arc::clone(&screen) as Arc<dyn Dialler>);
    let mut ada = Viewer::open(&gateway, &owner(GuestPort::Console));
    let connection = ada.connection().await;
    ada.sees(50).await;
    // Without a window manager, keys go where the pointer is.
    ada.point(100, 100);
    let first = link(&gateway, connection, "first");
    assert!(gateway.invited("first").is_none(), "it is for nobody who has an account");
    assert!(matches!(gateway.knock("first"), Some(Ok(_))) && gateway.knock("other").is_none());
    let mut bob = Viewer::open(&gateway, &visitor(&gateway, connection, first));
    let (seat, kind, _, name) = ada.until(question).await;
    assert_eq!((kind, name.as_str()), (QuestionKind::Knock, "bob"));
    assert!(matches!(gateway.knock("first"), Some(Err(KnockRefusal::Taken))), "one at a time");
    assert!(gateway.connections()[0].guests.is_empty(), "nobody is in");
    screen.colour(51);
    ada.sees(51).await;
    bob.key('a');
    bob.say(&ViewerRecord::Answer { seat, yes: true });
    bob.say(&ViewerRecord::Ping { token: 7 });
    bob.until(|record| matches!(record, ServerRecord::Pong { token: 7 }).then_some(())).await;
    ada.say(&ViewerRecord::Answer { seat, yes: false });
    match bob.next().await.unwrap() {
        ServerRecord::Bye { code, text } => {
            assert_eq!((code, text.as_str()), (ByeCode::Dismissed, "you were not let in: the answer was no"));
        }
        other => panic!("{other:?}"),
    }
    eventually("the link is free again", || matches!(gateway.knock("first"), Some(Ok(_)))).await;
    let mut bob = Viewer::open(&gateway, &visitor(&gateway, connection, first));
    let (seat, ..) = ada.until(question).await;
    ada.say(&ViewerRecord::Answer { seat, yes: true });
    bob.sees(51).await;
    let (_, people) = ada.people(|people| people.len() == 2).await;
    let bobs = (people[1].kind, people[1].control, people[1].may_control);
    assert_eq!(bobs, (PersonKind::Visitor, false, false));
    assert!(gateway.connections()[0].guests[0].is_visitor);
    bob.key('b');
    bob.say(&ViewerRecord::Ping { token: 8 });
    bob.until(|record| matches!(record, ServerRecord::Pong { token: 8 }).then_some(())).await;
    ada.key('c');
    eventually("only the owner's key arrives", || screen.typed() == "c").await;
    // Sent away: the link is shut as well.
    ada.say(&ViewerRecord::Remove { seat });
    assert_eq!(bob.bye().await.0, ByeCode::Dismissed);
    assert!(gateway.knock("first").is_none());

    // Who still waits when the connection ends is told.
    let second = link(&gateway, connection, "second");
    let mut bob = Viewer::open(&gateway, &visitor(&gateway, connection, second));
    ada.until(question).await;
    assert!(gateway.end(connection, ByeCode::EndedByAdmin, "that is all").await);
    assert_eq!(bob.bye().await.0, ByeCode::RemoteEnded);
}

/// A real OpenSSH whose session is a script.
struct Ssh {
    port: u16,
    folder: Folder,
    script: String,
    _server: Running,
}

impl Ssh {
    fn start(script: &str) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let path = folder.0.display().to_string();
        for name in ["host", "user"] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &format!("{path}/{name}")]);
        }
        let _ = std::fs::create_dir_all("/run/sshd");
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {path}/host\nAuthorizedKeysFile {path}/user.pub\nPidFile none\n\
             UsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        );
        std::fs::write(format!("{path}/config"), config).unwrap();
        let config = format!("{path}/config");
        let server = start(Command::new("/usr/sbin/sshd").args(["-D", "-e", "-f", &config]).stdout(Stdio::null()));
        until_it_listens(port);
        Self { port, folder, script: script.into(), _server: server }
    }

    fn path(&self) -> &Path {
        &self.folder.0
    }
}

#[async_trait]
impl Dialler for Ssh {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let key = std::fs::read_to_string(self.path().join("user")).unwrap();
        let credentials = Credentials::key(run("id", &["-un"]), key.into());
        let target = ShellTarget::Ssh {
            ssh: SshOptions::new(credentials, HostKeyPin::FirstUse),
            shell: ShellOptions { command: Some(self.script.clone()), ..ShellOptions::default() },
            files_root: None,
        };
        let (stream, protocol) = (Box::new(stream), Protocol::Shell(Box::new(target)));
        Ok(Target { title: "shell".into(), stream, protocol, policy: SessionPolicy::default() })
    }
}

#[tokio::test]
async fn a_shell_is_shared_and_a_guest_that_falls_behind_is_shown_it_anew() {
    let ssh = Arc::new(Ssh::start(
        "echo begun; read x; echo got $x; read y; i=0; while [ $i -lt 60000 ]; do echo \"line $i of a long listing of lines\"; \
         i=$((i+1)); done; echo all-of-it; read z; echo at last $z; sleep 60",
    ));
    let gateway = gateway(Arc::clone(&ssh) as Arc<dyn Dialler>);
    let mut ada = Viewer::open(&gateway, &owner(GuestPort::Ssh));
    let connection = ada.connection().await;
    ada.reads("begun").await;
    let mut ben = Viewer::open(&gateway, &guest(connection, "ben", HELPER, false));
    let size = ben.until(|record| match record {
        ServerRecord::Resize { width, height } => Some((*width, *height)),
        _ => None,
    });
    assert_eq!(size.await, (80, 24), "the owner's");
    ben.reads("begun").await;
    ben.say(&ViewerRecord::TerminalInput(Bytes::from_static(b"from-ben\r")));
    ben.say(&ViewerRecord::Control { seat: 1, on: true });
    ada.people(|people| people.len() == 2).await;
    ada.say(&ViewerRecord::TerminalInput(Bytes::from_static(b"from-ada\r")));
    ada.reads("got from-ada").await;
    ben.reads("got from-ada").await;

    // More than a guest may have unacknowledged, and more than is kept.
    ben.acknowledges = false;
    ada.say(&ViewerRecord::TerminalInput(Bytes::from_static(b"\r")));
    ada.reads("all-of-it").await;
    ada.say(&ViewerRecord::Control { seat: 1, on: true });
    ben.acknowledges = true;
    let repainted = ben.reads("all-of-it").await;
    assert!(repainted > 1000, "{repainted}");
    ben.say(&ViewerRecord::TerminalInput(Bytes::from_static(b"ben\r")));
    ada.reads("at last ben").await;
    ada.say(&ViewerRecord::TerminalResize { columns: 100, rows: 30 });
    ben.until(|record| (*record == ServerRecord::Resize { width: 100, height: 30 }).then_some(())).await;
}
