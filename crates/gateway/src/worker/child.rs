//! The worker's side: one connection's task, whose commands come from the server's process and whose machine is dialled there.

use super::recordings::{Answer as Recorded, FarRecordings};
use super::wire::{self, Dialled, Frame, FromWorker, ToWorker, What};
use super::{FRAMES_MAX, doors, files, files_child};
use crate::command::{Command, ViewerId};
use crate::connect::{Door, Task};
use crate::files::Files;
use crate::registry::Counters;
use crate::target::{DialError, Dialler, Stream, Target};
use crate::{COMMANDS_MAX, VIEWER_QUEUE_MAX};
use async_trait::async_trait;
use bytes::Bytes;
use oriel_model::{DesktopId, GuestPort};
use oriel_screen::ByeCode;
use oriel_screen::wire::ServerRecord;
use rustix::net::AddressFamily;
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

/// Runs the connection that the other end of `frames` tells of, to its end. `doors` is where open streams come through.
pub async fn serve(frames: Socket, doors: Socket) -> io::Result<()> {
    frames.set_nonblocking(true)?;
    // What is handed over lies there before it is told of.
    doors.set_nonblocking(true)?;
    let (reader, writer) = UnixStream::from_std(frames)?.into_split();
    let mut reader = BufReader::with_capacity(4 << 10, reader);
    let start = match wire::read(&mut reader).await?.map(ToWorker::try_from).transpose()? {
        Some(ToWorker::Start(start)) => start,
        Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the first frame was not the start")),
        None => return Ok(()),
    };
    let (to, queue) = mpsc::channel(FRAMES_MAX);
    let (tell, mut heard) = mpsc::channel(FRAMES_MAX);
    let writing = tokio::spawn(write(writer, queue));
    tokio::spawn(read(reader, tell));
    let dialler = Arc::new(Far {
        to: to.clone(),
        doors,
        next: AtomicU64::new(0),
        waiting: Mutex::default(),
        recording: Mutex::default(),
        meetings: Mutex::default(),
        wakings: Mutex::default(),
        kdc: Mutex::default(),
    });
    let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
    let counters = Arc::new(Counters::default());
    let mut desk =
        Desk { commands: None, files: None, to, dialler, counters, rooms: HashMap::new(), errands: JoinSet::new() };
    let dialler = Arc::clone(&desk.dialler) as Arc<dyn Dialler>;
    let mut running = match start.what {
        What::Connection => {
            let task = Task {
                id: start.id,
                user: start.user,
                desktop: start.desktop,
                port: start.port,
                recordings: Some(Arc::new(FarRecordings(Arc::clone(&desk.dialler)))),
                commands: inbox,
                dialler,
                counters: Arc::clone(&desk.counters),
                rules: Arc::default(),
                drive: Arc::default(),
            };
            if start.port == GuestPort::Rdp {
                let (asks, inbox) = mpsc::channel(FRAMES_MAX);
                desk.files = Some(asks);
                let drive = Files::drive(task.drive.drive.clone()).counted_elsewhere();
                tokio::spawn(files_child::serve(Arc::new(drive), desk.to.clone(), inbox));
            }
            desk.commands = Some(commands);
            tokio::spawn(task.run())
        }
        What::Identity => {
            let (to, door) = (desk.to.clone(), Door { dialler, desktop: start.desktop, port: start.port });
            tokio::spawn(async move {
                let shown = crate::identify::ask(&door).await;
                to.send(FromWorker::Shown(shown).into()).await.ok();
            })
        }
        What::Files => {
            let (asks, inbox) = mpsc::channel(FRAMES_MAX);
            desk.files = Some(asks);
            let door = Door { dialler, desktop: start.desktop, port: start.port };
            tokio::spawn(files_child::open(door, desk.to.clone(), inbox))
        }
    };
    let (mut deaf, mut over) = (false, false);
    loop {
        tokio::select! {
            message = heard.recv(), if !deaf => match message {
                Some(message) => desk.take(message).await,
                None => {
                    deaf = true;
                    desk.hang_up();
                }
            },
            ended = &mut running, if !over => {
                ended.map_err(io::Error::other)?;
                over = true;
                desk.commands = None;
                desk.files = None;
            }
            // What the task told its viewers still leaves.
            errand = desk.errands.join_next(), if over || !desk.errands.is_empty() => if over && errand.is_none() {
                break;
            },
        }
    }
    drop(desk);
    writing.await.map_err(io::Error::other)?
}

/// Passes on what comes from the server's process.
struct Desk {
    /// `None` when the task is over, or the server gone.
    commands: Option<mpsc::Sender<Command>>,
    /// What is asked of the machine's files, where that is what this is for.
    files: Option<mpsc::Sender<files::Ask>>,
    to: mpsc::Sender<Frame>,
    dialler: Arc<Far>,
    counters: Arc<Counters>,
    /// Messages that each viewer's queue there has room for.
    rooms: HashMap<ViewerId, Arc<Semaphore>>,
    errands: JoinSet<()>,
}

impl Desk {
    /// The server is gone: the task hears of it, and nothing waits for room any more.
    fn hang_up(&mut self) {
        self.commands = None;
        self.files = None;
        self.dialler.stop_recording();
        self.rooms.drain().for_each(|(_, room)| room.close());
    }

    async fn take(&mut self, message: ToWorker) {
        match message {
            ToWorker::Start(_) => {}
            ToWorker::Attach { viewer, hello, video, seat, number } => {
                // Once the task is over, the server tells those who come late.
                if self.commands.is_some() {
                    let out = self.seat(viewer);
                    let attach = Command::Attach { viewer, hello, video, seat, number, out: out.clone() };
                    if let Some(commands) = &self.commands
                        && commands.send(attach).await.is_err()
                    {
                        let (code, text) = (ByeCode::RemoteEnded, "the connection has just ended; connect again");
                        let mut bye = Vec::new();
                        ServerRecord::Bye { code, text: text.into() }.encode(&mut bye);
                        out.try_send(bye.into()).ok();
                    }
                }
            }
            ToWorker::Detach { viewer } => {
                // Nobody makes room there any more: what is queued goes nowhere.
                if let Some(room) = self.rooms.remove(&viewer) {
                    room.close();
                }
                self.command(Command::Detach { viewer }).await;
            }
            ToWorker::Record { viewer, record } => self.command(Command::Record { viewer, record }).await,
            ToWorker::End(bye) => self.command(Command::End { code: bye.code, text: bye.text }).await,
            ToWorker::Thumbnail { question, width_max } => {
                let command = self.thumbnail(question, width_max);
                self.command(command).await;
            }
            ToWorker::Dialled { question, dialled } => {
                let target = self.dialler.take(question, *dialled);
                self.dialler.answer(question, target);
            }
            ToWorker::Refused { question, why } => {
                let why = DialError { code: why.code, text: why.text };
                if let Some(waking) = self.dialler.waking(question) {
                    waking.send(Err(why)).ok();
                } else if let Some(meeting) = self.dialler.meeting(question) {
                    meeting.send(Err(why)).ok();
                } else if let Some(kdc) = self.dialler.asked_kdc(question) {
                    kdc.send(Err(why)).ok();
                } else if let Some(why) = self.dialler.recorded(question, Err(why)) {
                    self.dialler.answer(question, Err(why));
                }
            }
            ToWorker::Policy { question, rules } => {
                self.dialler.recorded(question, Ok(Recorded::Policy(rules)));
            }
            ToWorker::Begun { question, begun } => {
                self.dialler.recorded(question, Ok(Recorded::Begun(begun)));
            }
            ToWorker::Kept { question } => {
                if let Some(meeting) = self.dialler.meeting(question) {
                    meeting.send(Ok(())).ok();
                } else {
                    self.dialler.recorded(question, Ok(Recorded::Kept));
                }
            }
            ToWorker::Waking { question, seconds } => {
                if let Some(waking) = self.dialler.waking(question) {
                    waking.send(Ok((seconds > 0).then_some(seconds))).ok();
                }
            }
            ToWorker::KdcSaid { question, answer } => {
                if let Some(kdc) = self.dialler.asked_kdc(question) {
                    kdc.send(Ok(answer.to_vec())).ok();
                }
            }
            ToWorker::Files(ask) => {
                if let Some(files) = &self.files {
                    files.send(ask).await.ok();
                }
            }
            ToWorker::Room { viewer } => {
                if let Some(room) = self.rooms.get(&viewer) {
                    room.add_permits(1);
                }
            }
        }
    }

    async fn command(&self, command: Command) {
        if let Some(commands) = &self.commands {
            commands.send(command).await.ok();
        }
    }

    /// A queue for a viewer's messages, passed on as there is room.
    fn seat(&mut self, viewer: ViewerId) -> mpsc::Sender<Bytes> {
        let (out, mut messages) = mpsc::channel::<Bytes>(VIEWER_QUEUE_MAX);
        let room = Arc::new(Semaphore::new(VIEWER_QUEUE_MAX));
        self.rooms.insert(viewer, Arc::clone(&room));
        let (to, counters) = (self.to.clone(), Arc::clone(&self.counters));
        self.errands.spawn(async move {
            while let Some(message) = messages.recv().await {
                match room.acquire().await {
                    Ok(permit) => permit.forget(),
                    Err(_) => break,
                }
                let pictures = counters.frames.load(Ordering::Relaxed);
                to.send(FromWorker::Said { viewer, pictures, message }.into()).await.ok();
            }
            to.send(FromWorker::Left { viewer }.into()).await.ok();
        });
        out
    }

    fn thumbnail(&mut self, question: u64, width_max: u16) -> Command {
        let (reply, answer) = oneshot::channel::<Option<Vec<u8>>>();
        let to = self.to.clone();
        self.errands.spawn(async move {
            let jpeg = answer.await.ok().flatten().unwrap_or_default().into();
            to.send(FromWorker::Thumbnail { question, jpeg }.into()).await.ok();
        });
        Command::Thumbnail { width_max, reply }
    }
}

type Answer = Result<Target, DialError>;

type Kept = Result<Recorded, DialError>;

/// The dialler and the recordings of the server's process.
pub(super) struct Far {
    to: mpsc::Sender<Frame>,
    doors: Socket,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    /// Questions about the recording.
    recording: Mutex<HashMap<u64, oneshot::Sender<Kept>>>,
    /// Machines that were met, until it is known whether they are kept.
    meetings: Mutex<HashMap<u64, Meeting>>,
    /// Machines that are to be woken.
    wakings: Mutex<HashMap<u64, Waking>>,
    /// Questions to KDCs.
    kdc: Mutex<HashMap<u64, KdcAnswer>>,
}

/// The other process may have had a socket of its own, or one to the machine itself.
fn awaken(stream: OwnedFd) -> io::Result<Box<dyn Stream>> {
    if rustix::net::sockopt::socket_domain(&stream)? == AddressFamily::UNIX {
        let stream = Socket::from(stream);
        stream.set_nonblocking(true)?;
        return Ok(Box::new(UnixStream::from_std(stream)?));
    }
    let stream = std::net::TcpStream::from(stream);
    stream.set_nonblocking(true)?;
    Ok(Box::new(TcpStream::from_std(stream)?))
}

type Waking = oneshot::Sender<Result<Option<u16>, DialError>>;

type KdcAnswer = oneshot::Sender<Result<Vec<u8>, DialError>>;

type Meeting = oneshot::Sender<Result<(), DialError>>;

fn broken(text: impl std::fmt::Display) -> DialError {
    DialError { code: ByeCode::Internal, text: format!("the way to the machine was not handed over: {text}") }
}

impl Far {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, question: u64, answer: Answer) {
        let asked = self.waiting().remove(&question);
        if let Some(asked) = asked {
            asked.send(answer).ok();
        }
    }

    /// Asks about the recording, and waits for the answer.
    pub async fn ask(&self, ask: impl FnOnce(u64) -> FromWorker) -> Kept {
        let question = self.next.fetch_add(1, Ordering::Relaxed);
        let (asked, answer) = oneshot::channel();
        self.recording.lock().unwrap_or_else(PoisonError::into_inner).insert(question, asked);
        let gone = || DialError { code: ByeCode::Internal, text: "the server's process is gone".into() };
        self.to.send(ask(question).into()).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Nobody answers any more.
    fn stop_recording(&self) {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Answers a question about the recording; gives a refusal back that is of something else.
    fn recorded(&self, question: u64, answer: Kept) -> Option<DialError> {
        let asked = self.recording.lock().unwrap_or_else(PoisonError::into_inner).remove(&question);
        match asked {
            Some(asked) => {
                asked.send(answer).ok();
                None
            }
            None => answer.err(),
        }
    }

    /// The stream that came before its answer. One that nobody waits for any more is passed over.
    fn take(&self, question: u64, dialled: Dialled) -> Answer {
        loop {
            let (number, stream): (u64, OwnedFd) = doors::receive(&self.doors).map_err(broken)?;
            if number != question {
                continue;
            }
            let stream = awaken(stream).map_err(broken)?;
            return Ok(Target { title: dialled.title, stream, protocol: dialled.protocol, policy: dialled.policy });
        }
    }

    fn waking(&self, question: u64) -> Option<Waking> {
        self.wakings.lock().unwrap_or_else(PoisonError::into_inner).remove(&question)
    }

    fn asked_kdc(&self, question: u64) -> Option<KdcAnswer> {
        self.kdc.lock().unwrap_or_else(PoisonError::into_inner).remove(&question)
    }

    fn meetings(&self) -> MutexGuard<'_, HashMap<u64, Meeting>> {
        self.meetings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meeting(&self, question: u64) -> Option<Meeting> {
        self.meetings().remove(&question)
    }
}

#[async_trait]
impl Dialler for Far {
    async fn dial(&self, _: DesktopId, _: GuestPort) -> Answer {
        let question = self.next.fetch_add(1, Ordering::Relaxed);
        let (asked, answer) = oneshot::channel();
        self.waiting().insert(question, asked);
        self.to.send(FromWorker::Dial { question }.into()).await.map_err(broken)?;
        answer.await.map_err(broken)?
    }

    async fn wake(&self, _: DesktopId, _: GuestPort) -> Result<Option<u16>, DialError> {
        let question = self.next.fetch_add(1, Ordering::Relaxed);
        let (asked, answer) = oneshot::channel();
        self.wakings.lock().unwrap_or_else(PoisonError::into_inner).insert(question, asked);
        self.to.send(FromWorker::Wake { question }.into()).await.map_err(broken)?;
        answer.await.map_err(broken)?
    }

    async fn ask_kdc(&self, _: DesktopId, envelope: &[u8]) -> Result<Vec<u8>, DialError> {
        let gone = || DialError { code: ByeCode::Internal, text: "the server's process is gone".into() };
        let question = self.next.fetch_add(1, Ordering::Relaxed);
        let (asked, answer) = oneshot::channel();
        self.kdc.lock().unwrap_or_else(PoisonError::into_inner).insert(question, asked);
        let envelope = Bytes::copy_from_slice(envelope);
        self.to.send(FromWorker::AskKdc { question, envelope }.into()).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn dial_other(&self, _: DesktopId, _: GuestPort, host: &str) -> Answer {
        let question = self.next.fetch_add(1, Ordering::Relaxed);
        let (asked, answer) = oneshot::channel();
        self.waiting().insert(question, asked);
        self.to.send(FromWorker::DialOther { question, host: host.to_owned() }.into()).await.map_err(broken)?;
        answer.await.map_err(broken)?
    }

    async fn met(&self, _: DesktopId, _: GuestPort, hop: usize, identity: &str) -> Result<(), DialError> {
        let question = self.next.fetch_add(1, Ordering::Relaxed);
        let (asked, answer) = oneshot::channel();
        self.meetings().insert(question, asked);
        let met = FromWorker::Met { question, hop, identity: identity.to_owned() };
        self.to.send(met.into()).await.map_err(broken)?;
        answer.await.map_err(broken)?
    }
}

async fn read(mut reader: BufReader<OwnedReadHalf>, tell: mpsc::Sender<ToWorker>) {
    loop {
        let message = match wire::read(&mut reader).await {
            Ok(Some(frame)) => ToWorker::try_from(frame),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        match message {
            Ok(message) => {
                if tell.send(message).await.is_err() {
                    return;
                }
            }
            Err(error) => return tracing::error!(%error, "The server's process broke the rules"),
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Frame>) -> io::Result<()> {
    while let Some(frame) = queue.recv().await {
        wire::write(&mut writer, &frame).await?;
    }
    Ok(())
}
