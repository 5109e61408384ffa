//! The server's side of a worker: passes on what viewers say and what they are to be told, dials for it, and tells viewers when it
//! is gone.

use super::doors::Doors;
use super::files_parent::{self, Link};
use super::program::{Started, WorkerProgram};
use super::recordings::{Ask, Keeper};
use super::relay::{self, Held, Relay, TooMuch};
use super::wire::{self, Dialled, Frame, FromWorker, Start, ToWorker, What};
use super::{
    DIALS_MAX, FRAMES_MAX, GUESTS_HELD_BYTES_MAX, HALF_OPEN_TIME_MAX, HELD_KIB_MAX, KDC_QUESTIONS_AT_ONCE,
    KDC_QUESTIONS_MAX, MEETINGS_MAX, STREAMS_MAX, STUCK_TIME_MAX, THUMBNAILS_MAX, WAKES_MAX,
};
use crate::RESUME_SECONDS;
use crate::command::{Bye, Command, ViewerId};
use crate::connect::{Task, dial_at, dial_by, wake};
use crate::target::{Stream, Target};
use bytes::Bytes;
use oriel_model::GuestPort;
use oriel_screen::ByeCode;
use oriel_screen::wire::ServerRecord;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as Socket;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncWriteExt as _, BufReader, copy_buf};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// Of a stream, what is carried at a time: many sessions rest, and files are many bytes.
const CARRIED_BYTES: usize = 8 << 10;
const FILES_CARRIED_BYTES: usize = 64 << 10;

pub(crate) async fn run(mut task: Task, program: &WorkerProgram) {
    // A process for nobody would be a waste.
    let Some(first) = task.commands.recv().await else { return };
    let mut seats = Seats::default();
    let bye = match begin(&task, program, What::Connection) {
        Ok(mut worker) => {
            if task.port == GuestPort::Rdp {
                let (files, link) = files_parent::of_connection(&worker.to);
                task.drive.elsewhere(files);
                worker.drive_link = Some(link);
            }
            let link = worker.drive_link.clone();
            let bye = worker.drive(&mut task, &mut seats, first).await;
            if let Some(link) = link {
                link.close("the session has ended, and its drive with it");
            }
            bye
        }
        Err(error) => {
            tracing::error!(connection = %task.id, %error, program = %program.program.display(), "A session's process cannot be started");
            seats.keep(first);
            Bye::new(
                ByeCode::Internal,
                format!("the process for this session cannot be started ({error}); tell an admin"),
            )
        }
    };
    task.commands.close();
    while let Ok(command) = task.commands.try_recv() {
        seats.keep(command);
    }
    seats.dismiss(&bye);
    task.counters.viewers.store(0, Ordering::Relaxed);
}

/// Asks the machine who it is, from a worker.
pub(crate) async fn identify(task: Task, program: &WorkerProgram) -> Result<Option<String>, Bye> {
    let internal = |what: String| Bye::new(ByeCode::Internal, what);
    let mut worker = begin(&task, program, What::Identity)
        .map_err(|error| internal(format!("the process that asks the machine cannot be started ({error})")))?;
    let mut seats = Seats::default();
    let asking = async {
        loop {
            match worker.from.recv().await {
                Some(FromWorker::Shown(shown)) => return shown,
                Some(heard) => worker.heard(&task, &mut seats, heard).map_err(|TooMuch| {
                    internal("the process that asks the machine sent more than it may".to_owned())
                })?,
                None => return Err(internal("the process that asks the machine ended unexpectedly".to_owned())),
            }
        }
    };
    // The worker has its own, shorter patience.
    timeout(crate::CONNECT_TIME_MAX + STUCK_TIME_MAX, asking).await.unwrap_or_else(|_| Err(crate::connect::too_late()))
}

/// The viewers that the worker knows of.
#[derive(Default)]
pub(super) struct Seats {
    relays: HashMap<ViewerId, Relay>,
    /// Those that nobody has told anything.
    waiting: Vec<mpsc::Sender<Bytes>>,
}

impl Seats {
    /// An owner who takes the seat over is there twice for a moment.
    fn count(&self) -> u32 {
        let owners = self.relays.values().filter(|relay| !relay.is_guest).count();
        (self.relays.len() - owners + owners.min(1)) as u32
    }

    fn is_ownerless(&self) -> bool {
        self.relays.values().all(|relay| relay.is_guest)
    }

    /// The guest for whom most is held, where guests together hold up what the owner needs as well.
    fn too_slow(&self) -> Option<ViewerId> {
        let guests = || self.relays.iter().filter(|(_, relay)| relay.is_guest);
        if guests().map(|(_, relay)| relay.held()).sum::<usize>() <= GUESTS_HELD_BYTES_MAX {
            return None;
        }
        guests().max_by_key(|(_, relay)| relay.held()).map(|(viewer, _)| *viewer)
    }

    fn keep(&mut self, command: Command) {
        if let Command::Attach { out, .. } = command {
            self.waiting.push(out);
        }
    }

    /// Lets go of one viewer at once, and tells it why. Its WebSocket ends with that, and with it its seat is free.
    fn let_go(&mut self, viewer: ViewerId, bye: &Bye) {
        if let Some(relay) = self.relays.remove(&viewer) {
            relay.let_go(farewell(bye));
        }
    }

    /// Tells all that are still there why it is over.
    fn dismiss(&mut self, bye: &Bye) {
        let message = farewell(bye);
        for (_, relay) in self.relays.drain() {
            relay.say(message.clone()).ok();
        }
        for out in self.waiting.drain(..) {
            out.try_send(message.clone()).ok();
        }
    }
}

fn farewell(bye: &Bye) -> Bytes {
    let mut message = Vec::new();
    ServerRecord::Bye { code: bye.code, text: bye.text.clone() }.encode(&mut message);
    message.into()
}

pub(super) struct Worker {
    pub child: Child,
    doors: Arc<Doors>,
    pub to: mpsc::Sender<Frame>,
    pub from: mpsc::Receiver<FromWorker>,
    /// Reading, writing and dialling; they end with this.
    pub errands: JoinSet<()>,
    /// Of what is carried between it and its machine at a time.
    carried_bytes: usize,
    dials: u32,
    wakes: u32,
    /// Streams to the machine that may be open at once.
    streams: Arc<Semaphore>,
    recordings: Keeper,
    meetings: u32,
    kdc_questions: u32,
    /// For those that are on their way.
    asking_kdc: Arc<Semaphore>,
    thumbnails: VecDeque<(u64, oneshot::Sender<Option<Vec<u8>>>)>,
    questions: u64,
    /// Of an RDP session: what is said of its drive.
    drive_link: Option<Arc<Link>>,
}

pub(super) fn begin(task: &Task, program: &WorkerProgram, what: What) -> io::Result<Worker> {
    let Started { mut child, frames, doors } = program.start()?;
    frames.set_nonblocking(true)?;
    doors.set_nonblocking(true)?;
    let (reader, writer) = UnixStream::from_std(frames)?.into_split();
    let (to, queue) = mpsc::channel(FRAMES_MAX);
    let (heard, from) = mpsc::channel(FRAMES_MAX);
    let mut errands = JoinSet::new();
    errands.spawn(read(reader, heard));
    errands.spawn(write(writer, queue));
    if let Some(log) = child.stderr.take() {
        // Not an errand: its last words come when it is gone.
        tokio::spawn(super::log::pass_on(log));
    }
    let start = Start { id: task.id, user: task.user, desktop: task.desktop, port: task.port, what };
    to.try_send(ToWorker::Start(start).into()).ok();
    let doors = Arc::new(Doors(doors));
    let recordings = Keeper::start(task, to.downgrade());
    Ok(Worker {
        child,
        doors,
        to,
        from,
        errands,
        carried_bytes: if what == What::Files { FILES_CARRIED_BYTES } else { CARRIED_BYTES },
        dials: 0,
        wakes: 0,
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        recordings,
        meetings: 0,
        kdc_questions: 0,
        asking_kdc: Arc::new(Semaphore::new(KDC_QUESTIONS_AT_ONCE)),
        thumbnails: VecDeque::new(),
        questions: 0,
        drive_link: None,
    })
}

impl Worker {
    async fn drive(mut self, task: &mut Task, seats: &mut Seats, first: Command) -> Bye {
        let mut next = Some(first);
        let mut shutting = false;
        // What it was told to end with, and when it must have: a worker that goes on, or stays without a viewer, is ended.
        let (mut end, mut end_by): (Option<Bye>, Option<Instant>) = (None, None);
        let mut alone_by: Option<Instant> = None;
        loop {
            if let Some(command) = next.take() {
                if let Command::End { code, text } = &command {
                    end.get_or_insert_with(|| Bye::new(*code, text.clone()));
                    end_by.get_or_insert_with(|| Instant::now() + STUCK_TIME_MAX);
                }
                let frame = self.told(task, seats, command);
                match timeout(STUCK_TIME_MAX, self.to.send(frame)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return self.gone(task, seats, end, false).await,
                }
            }
            if seats.is_ownerless() {
                alone_by.get_or_insert_with(|| Instant::now() + Duration::from_secs(RESUME_SECONDS) + STUCK_TIME_MAX);
            } else {
                alone_by = None;
            }
            let deadline = end_by.into_iter().chain(alone_by).min();
            tokio::select! {
                command = task.commands.recv(), if !shutting => match command {
                    Some(command) => next = Some(command),
                    None => {
                        shutting = true;
                        let bye = Bye::new(ByeCode::ServerShutdown, "the server is shutting down");
                        self.to.try_send(ToWorker::End(bye).into()).ok();
                        end_by.get_or_insert_with(|| Instant::now() + STUCK_TIME_MAX);
                    }
                },
                heard = self.from.recv() => {
                    let Some(heard) = heard else { return self.gone(task, seats, end, false).await };
                    if self.heard(task, seats, heard).is_err() {
                        tracing::error!(connection = %task.id, "A session's process sent more than it may: it is ended");
                        return self.gone(task, seats, end, true).await;
                    }
                }
                // Those that are done are let go of; reading and writing stay.
                _ = self.errands.join_next(), if self.errands.len() > 2 => {}
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    tracing::error!(connection = %task.id, "A session's process does not end when it should: it is ended");
                    return self.gone(task, seats, end, true).await;
                }
            }
        }
    }

    /// A command as the worker is told it.
    fn told(&mut self, task: &Task, seats: &mut Seats, command: Command) -> Frame {
        let message = match command {
            Command::Attach { viewer, hello, video, seat, number, out } => {
                let relay = Relay::start(viewer, number != 0, out, self.to.downgrade());
                seats.relays.insert(viewer, relay);
                ToWorker::Attach { viewer, hello, video, seat, number }
            }
            Command::Detach { viewer } => {
                seats.relays.remove(&viewer);
                ToWorker::Detach { viewer }
            }
            Command::Record { viewer, record } => ToWorker::Record { viewer, record },
            Command::End { code, text } => ToWorker::End(Bye { code, text }),
            Command::Thumbnail { width_max, reply } => {
                self.questions += 1;
                self.thumbnails.push_back((self.questions, reply));
                if self.thumbnails.len() > THUMBNAILS_MAX {
                    self.thumbnails.pop_front();
                }
                ToWorker::Thumbnail { question: self.questions, width_max }
            }
        };
        task.counters.viewers.store(seats.count(), Ordering::Relaxed);
        message.into()
    }

    pub fn heard(&mut self, task: &Task, seats: &mut Seats, heard: FromWorker) -> Result<(), TooMuch> {
        match heard {
            FromWorker::Said { viewer, pictures, message } => {
                task.counters.bytes.fetch_add(message.len() as u64, Ordering::Relaxed);
                task.counters.frames.fetch_max(pictures, Ordering::Relaxed);
                if let Some(relay) = seats.relays.get(&viewer) {
                    relay.say(message)?;
                }
                if let Some(slowest) = seats.too_slow() {
                    tracing::info!(connection = %task.id, "A guest's network is too slow for the screen: it is let go");
                    let text = "the network to this browser is too slow for the screen; join again";
                    seats.let_go(slowest, &Bye::new(ByeCode::TooSlow, text));
                    task.counters.viewers.store(seats.count(), Ordering::Relaxed);
                    // When this cannot be said now, the worker goes on with a viewer that nobody hears.
                    self.to.try_send(ToWorker::Detach { viewer: slowest }.into()).ok();
                }
            }
            FromWorker::Left { viewer } => {
                seats.relays.remove(&viewer);
                task.counters.viewers.store(seats.count(), Ordering::Relaxed);
            }
            FromWorker::Thumbnail { question, jpeg } => {
                if let Some(at) = self.thumbnails.iter().position(|(asked, _)| *asked == question)
                    && let Some((_, reply)) = self.thumbnails.remove(at)
                {
                    reply.send((!jpeg.is_empty()).then(|| jpeg.to_vec())).ok();
                }
            }
            FromWorker::Dial { question } => self.dial(task, question, None)?,
            FromWorker::Wake { question } => self.wake(task, question)?,
            FromWorker::DialOther { question, host } => self.dial(task, question, Some(host))?,
            FromWorker::AskKdc { question, envelope } => self.ask_kdc(task, question, envelope)?,
            FromWorker::Met { question, hop, identity } => self.met(task, question, hop, identity)?,
            // Nobody asked.
            FromWorker::Shown(_) => {}
            FromWorker::Files(told) => {
                if let Some(link) = &self.drive_link {
                    link.heard(told)?;
                }
            }
            FromWorker::AskPolicy { question } => self.recordings.ask(question, Ask::Policy)?,
            FromWorker::BeginRecording { question } => self.recordings.ask(question, Ask::Begin)?,
            FromWorker::KeepPart { question, chunk } => self.recordings.ask(question, Ask::Keep(chunk))?,
            FromWorker::EndRecording { question } => self.recordings.ask(question, Ask::End)?,
        }
        Ok(())
    }

    fn met(&mut self, task: &Task, question: u64, hop: usize, identity: String) -> Result<(), TooMuch> {
        self.meetings += 1;
        // One refusal is an answer; more would be a flood.
        if self.meetings > MEETINGS_MAX + 1 {
            return Err(TooMuch);
        }
        let (dialler, desktop, port) = (Arc::clone(&task.dialler), task.desktop, task.port);
        let (to, allowed) = (self.to.downgrade(), self.meetings <= MEETINGS_MAX);
        self.errands.spawn(async move {
            let kept = if allowed {
                dialler.met(desktop, port, hop, &identity).await.map_err(|error| Bye::new(error.code, error.text))
            } else {
                Err(Bye::new(ByeCode::IdentityChanged, "the machine was somebody else too often; connect again"))
            };
            let answer = match kept {
                Ok(()) => ToWorker::Kept { question },
                Err(why) => ToWorker::Refused { question, why },
            };
            if let Some(to) = to.upgrade() {
                to.send(answer.into()).await.ok();
            }
        });
        Ok(())
    }

    fn ask_kdc(&mut self, task: &Task, question: u64, envelope: Bytes) -> Result<(), TooMuch> {
        self.kdc_questions += 1;
        if self.kdc_questions > KDC_QUESTIONS_MAX {
            return Err(TooMuch);
        }
        // Who signs in asks one thing after the other; who was cut off in the middle may have left one behind.
        let asked = Arc::clone(&self.asking_kdc).try_acquire_owned().ok().map(|room| (room, envelope));
        let (dialler, desktop, to) = (Arc::clone(&task.dialler), task.desktop, self.to.downgrade());
        self.errands.spawn(async move {
            let refused = |code: ByeCode, text: String| ToWorker::Refused { question, why: Bye::new(code, text) };
            let answer = match &asked {
                Some((_, envelope)) => match dialler.ask_kdc(desktop, envelope).await {
                    Ok(answer) => ToWorker::KdcSaid { question, answer: answer.into() },
                    Err(error) => refused(error.code, error.text),
                },
                None => refused(ByeCode::Unreachable, "it was asked too much at once".to_owned()),
            };
            if let Some(to) = to.upgrade() {
                to.send(answer.into()).await.ok();
            }
            // Not before: who takes no answers would have them pile up here.
            drop(asked);
        });
        Ok(())
    }

    fn wake(&mut self, task: &Task, question: u64) -> Result<(), TooMuch> {
        self.wakes += 1;
        if self.wakes > WAKES_MAX {
            return Err(TooMuch);
        }
        let (dialler, desktop, port, to) = (Arc::clone(&task.dialler), task.desktop, task.port, self.to.downgrade());
        self.errands.spawn(async move {
            let answer = match wake(&*dialler, desktop, port).await {
                Ok(time) => {
                    let seconds = time.map_or(0, |time| u16::try_from(time.as_secs()).unwrap_or(u16::MAX));
                    ToWorker::Waking { question, seconds }
                }
                Err(why) => ToWorker::Refused { question, why },
            };
            if let Some(to) = to.upgrade() {
                to.send(answer.into()).await.ok();
            }
        });
        Ok(())
    }

    /// `host`: where the machine redirects its connections, instead of the machine.
    fn dial(&mut self, task: &Task, question: u64, host: Option<String>) -> Result<(), TooMuch> {
        self.dials += 1;
        if self.dials > DIALS_MAX + 1 {
            return Err(TooMuch);
        }
        let (dialler, desktop, port) = (Arc::clone(&task.dialler), task.desktop, task.port);
        let (to, doors, rules) = (self.to.downgrade(), Arc::clone(&self.doors), Arc::clone(&task.rules));
        let carried = self.carried_bytes;
        let room = Arc::clone(&self.streams).try_acquire_owned().ok().filter(|_| self.dials <= DIALS_MAX);
        self.errands.spawn(async move {
            let often = || Bye::new(ByeCode::Unreachable, "the machine was reached too often; connect again");
            let dialled = match host {
                _ if room.is_none() => Err(often()),
                Some(host) => dial_at(&*dialler, desktop, port, &rules, &host).await,
                None => dial_by(&*dialler, desktop, port, &rules).await,
            };
            let handed = dialled.and_then(|target| {
                let internal = |error: io::Error| {
                    Bye::new(ByeCode::Internal, format!("cannot hand the machine's stream over: {error}"))
                };
                let Target { title, stream, protocol, policy } = target;
                let dialled = Box::new(Dialled { title, protocol, policy });
                // Nothing to do in between: the worker goes on with the socket itself.
                if let Some(socket) = stream.as_ref().socket() {
                    doors.hand_over(question, socket).map_err(internal)?;
                    return Ok((dialled, None));
                }
                let (ours, theirs) = Socket::pair().map_err(internal)?;
                ours.set_nonblocking(true).map_err(internal)?;
                doors.hand_over(question, theirs.as_fd()).map_err(internal)?;
                Ok((dialled, Some((UnixStream::from_std(ours).map_err(internal)?, stream))))
            });
            let (answer, streams) = match handed {
                Ok((dialled, streams)) => (ToWorker::Dialled { question, dialled }, streams),
                Err(why) => (ToWorker::Refused { question, why }, None),
            };
            if let Some(to) = to.upgrade() {
                to.send(answer.into()).await.ok();
            }
            if let Some((ours, machine)) = streams {
                pump(ours, machine, carried).await;
            }
            drop(room);
        });
        Ok(())
    }

    /// The worker says no more, or is not listened to any more: waits for its end, and finds out what it was. `end`: what it was
    /// told to end with.
    async fn gone(mut self, task: &Task, seats: &mut Seats, end: Option<Bye>, at_once: bool) -> Bye {
        drop(self.to);
        if at_once {
            self.child.start_kill().ok();
            self.from.close();
        }
        // It may have ended well and left something that was heard and not passed on.
        let rest = async {
            while let Some(heard) = self.from.recv().await {
                match heard {
                    FromWorker::Said { viewer, message, .. } => {
                        if let Some(relay) = seats.relays.get(&viewer) {
                            relay.say(message).ok();
                        }
                    }
                    FromWorker::Left { viewer } => drop(seats.relays.remove(&viewer)),
                    _ => {}
                }
            }
        };
        timeout(STUCK_TIME_MAX / 10, rest).await.ok();
        self.errands.abort_all();
        let ended = match timeout(STUCK_TIME_MAX / 10, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => {
                return Bye::new(ByeCode::RemoteEnded, "the connection has just ended; connect again");
            }
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                self.child.kill().await.ok();
                "it no longer answered".to_owned()
            }
        };
        if let Some(end) = end {
            return end;
        }
        tracing::error!(connection = %task.id, desktop = %task.desktop, ended, "A session's process ended unexpectedly");
        Bye::new(ByeCode::Internal, format!("the process of this session ended unexpectedly ({ended}); connect again"))
    }
}

/// Carries bytes between a worker and its machine until either has ended; what the other still says it must say soon.
async fn pump(ours: UnixStream, machine: Box<dyn Stream>, carried_bytes: usize) {
    let (from_worker, mut to_worker) = ours.into_split();
    let (from_machine, mut to_machine) = tokio::io::split(machine);
    let mut from_worker = BufReader::with_capacity(carried_bytes, from_worker);
    let mut from_machine = BufReader::with_capacity(carried_bytes, from_machine);
    let up = async {
        copy_buf(&mut from_worker, &mut to_machine).await.ok();
        to_machine.shutdown().await.ok();
    };
    let down = async {
        copy_buf(&mut from_machine, &mut to_worker).await.ok();
        to_worker.shutdown().await.ok();
    };
    tokio::pin!(up, down);
    tokio::select! {
        () = &mut up => drop(timeout(HALF_OPEN_TIME_MAX, down).await),
        () = &mut down => drop(timeout(HALF_OPEN_TIME_MAX, up).await),
    }
}

async fn read(reader: OwnedReadHalf, heard: mpsc::Sender<FromWorker>) {
    let mut reader = BufReader::with_capacity(4 << 10, reader);
    let budget = Arc::new(Semaphore::new(HELD_KIB_MAX));
    loop {
        let message = match wire::read(&mut reader).await {
            Ok(Some(frame)) => match FromWorker::try_from(frame) {
                Ok(FromWorker::Said { viewer, pictures, message }) => {
                    // Not read on until there is room: queues are bounded by their length, and these by their weight.
                    let Ok(room) = Arc::clone(&budget).acquire_many_owned(relay::kib(&message)).await else { return };
                    let message = Held::keep(message, room);
                    Ok(FromWorker::Said { viewer, pictures, message })
                }
                other => other,
            },
            Ok(None) => return,
            // It ended with something unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return,
            Err(error) => Err(error),
        };
        match message {
            Ok(message) => {
                if heard.send(message).await.is_err() {
                    return;
                }
            }
            Err(error) => return tracing::error!(%error, "A session's process broke the rules"),
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Frame>) {
    while let Some(frame) = queue.recv().await {
        match timeout(STUCK_TIME_MAX, wire::write(&mut writer, &frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
