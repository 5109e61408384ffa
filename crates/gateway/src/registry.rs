//! The live connections.

use crate::command::{Bye, Command, ViewerId};
use crate::files::DrivePlace;
use crate::log_on::{LogOn, Seen};
use crate::person::{Anybody, Browser, Browsers, Person};
use crate::recording::Recordings;
use crate::roster::{Present, Roster, Taken};
use crate::rules::Rules;
use crate::seat::Guest;
use crate::sharing::GuestTickets;
use crate::target::{Dialler, Personal};
use crate::worker::{self, WorkerProgram};
use crate::{COMMANDS_MAX, CONNECTIONS_MAX, CONNECTIONS_PER_USER_MAX, files, viewer};
use bytes::Bytes;
use futures::{Sink, Stream, StreamExt, future, stream};
use oriel_model::{AppId, Connection, ConnectionId, DesktopId, GuestPort, Micros, SessionPolicy, UserId};
use oriel_screen::ByeCode;
use oriel_screen::wire::{ABILITY_H264, ABILITY_H264_FULL, PROTOCOL_VERSION, ViewerHello, ViewerRecord};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot};

/// How long a session that was opened ahead is held: a desktop environment is drawn by then, also in software emulation.
const PRELAUNCH_TIME: Duration = Duration::from_mins(2);

/// How long a connection that is to end may leave that lying: then its process is found to be stuck.
const END_TIME_MAX: Duration = Duration::from_secs(5);

/// Who wants to see what. The server has checked that the person may.
#[derive(Clone, Debug)]
pub struct ViewerRequest {
    pub user: UserId,
    pub desktop: DesktopId,
    pub port: GuestPort,
    /// The person's name, for the watermark.
    pub person: String,
    /// Continue this connection if it still lives and is this person's.
    pub resume: Option<ConnectionId>,
    /// They come to somebody else's connection; `None`: it is their own.
    pub guest: Option<Guest>,
    /// What has the one keyboard and screen of the machine, whoever looks at it, and of all that share it: two people have no
    /// connections to them at once. `None`: everybody has their own.
    pub seat: Option<DesktopId>,
    /// This program instead of the whole desktop: a connection of its own.
    pub app: Option<AppId>,
}

/// A live connection and its traffic over the last seconds.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    pub connection: Connection,
    /// Guests who are with it.
    pub guests: Vec<Present>,
    pub mbit_s: f64,
    pub fps: f64,
}

/// All live connections of this program. Cloning shares them.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    dialler: Arc<dyn Dialler>,
    recordings: OnceLock<Arc<dyn Recordings>>,
    workers: Option<WorkerProgram>,
    live: Mutex<HashMap<ConnectionId, Entry>>,
    viewers: AtomicU64,
    changed: Notify,
    files: files::Sessions,
    guest_tickets: GuestTickets,
    browsers: Browsers,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub user: UserId,
    pub desktop: DesktopId,
    pub seat: Option<DesktopId>,
    pub port: GuestPort,
    pub app: Option<AppId>,
    pub started: Micros,
    /// For what lasts a while: it does not jump.
    pub began: tokio::time::Instant,
    pub commands: mpsc::Sender<Command>,
    pub counters: Arc<Counters>,
    pub rules: Arc<Rules>,
    pub roster: Arc<Roster>,
    pub drive: Arc<DrivePlace>,
    pub log_on: Arc<LogOn>,
}

/// What a connection's task counts, read by others.
#[derive(Default)]
pub(crate) struct Counters {
    /// Nobody watches: the gateway itself opened it so that the desktop is drawn when somebody does.
    pub background: AtomicBool,
    pub viewers: AtomicU32,
    pub bytes: AtomicU64,
    pub frames: AtomicU64,
    last: Mutex<Option<Sample>>,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    bytes: u64,
    frames: u64,
    mbit_s: f64,
    fps: f64,
}

impl Counters {
    pub fn sent(&self, bytes: usize, frames: u64) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.frames.fetch_add(frames, Ordering::Relaxed);
    }

    /// Megabits and frames a second since the last look, which must be at least a second ago to count.
    fn rates(&self) -> (f64, f64) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let frames = self.frames.load(Ordering::Relaxed);
        let at = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (mbit_s, fps) = match *last {
            Some(sample) if at.duration_since(sample.at) < Duration::from_secs(1) => {
                return (sample.mbit_s, sample.fps);
            }
            Some(sample) => {
                let seconds = at.duration_since(sample.at).as_secs_f64();
                let (bytes, frames) = (bytes.saturating_sub(sample.bytes), frames.saturating_sub(sample.frames));
                (bytes as f64 * 8e-6 / seconds, frames as f64 / seconds)
            }
            None => (0.0, 0.0),
        };
        *last = Some(Sample { at, bytes, frames, mbit_s, fps });
        (mbit_s, fps)
    }
}

impl Gateway {
    /// Every connection in this process: for tests and benchmarks of what a connection does. Nothing is recorded until
    /// [`Self::set_recordings`].
    pub fn new(dialler: Arc<dyn Dialler>) -> Self {
        Self::of(dialler, None)
    }

    /// Each connection in a process of its own.
    pub fn with_workers(dialler: Arc<dyn Dialler>, program: WorkerProgram) -> Self {
        Self::of(dialler, Some(program))
    }

    fn of(dialler: Arc<dyn Dialler>, workers: Option<WorkerProgram>) -> Self {
        Self {
            inner: Arc::new(Inner {
                dialler,
                recordings: OnceLock::new(),
                workers,
                live: Mutex::new(HashMap::new()),
                viewers: AtomicU64::new(1),
                changed: Notify::new(),
                files: files::Sessions::default(),
                guest_tickets: GuestTickets::default(),
                browsers: Browsers::default(),
            }),
        }
    }

    /// Says what is recorded and where it is kept, once, before the first connection.
    pub fn set_recordings(&self, recordings: Arc<dyn Recordings>) {
        self.inner.recordings.set(recordings).ok();
    }

    /// Serves one viewer until it leaves or its connection ends. `incoming` are the payloads of binary messages;
    /// `outgoing` takes payloads of binary messages.
    pub async fn attach<R, W>(&self, request: ViewerRequest, incoming: R, outgoing: W)
    where
        R: Stream<Item = Bytes> + Unpin + Send,
        W: Sink<Bytes> + Unpin + Send + 'static,
    {
        self.attach_as(request, &Anybody, incoming, outgoing).await;
    }

    /// As [`Self::attach`], for somebody who may be asked whether they may stay, and whose browser is locked when nobody touches it for
    /// as long as a connection's rules allow: before its viewers are told.
    pub async fn attach_as<R, W>(&self, request: ViewerRequest, person: &dyn Person, incoming: R, outgoing: W)
    where
        R: Stream<Item = Bytes> + Unpin + Send,
        W: Sink<Bytes> + Unpin + Send + 'static,
    {
        viewer::serve(self, request, false, person, incoming, outgoing).await;
    }

    /// Opens a desktop's RDP session before its person does, so that its desktop environment is drawn by then. Whoever opens
    /// it takes the connection over; nobody within `PRELAUNCH_TIME` lets it go. The session in the guest stays.
    pub async fn prelaunch(&self, user: UserId, desktop: DesktopId) {
        let (port, person) = (GuestPort::Rdp, String::new());
        let request = ViewerRequest { user, desktop, port, person, resume: None, guest: None, seat: None, app: None };
        let message = |records: &[ViewerRecord]| {
            let mut message = Vec::new();
            records.iter().for_each(|record| record.encode(&mut message));
            Bytes::from(message)
        };
        let hello =
            ViewerHello { version: PROTOCOL_VERSION, width: 1280, height: 800, scale: 100, ..ViewerHello::default() };
        // As most browsers say; one that has no H.264 makes the gateway sign in anew.
        let bits = ABILITY_H264 | ABILITY_H264_FULL;
        let hello = message(&[ViewerRecord::Hello(hello), ViewerRecord::Abilities { bits }]);
        let end = tokio::time::Instant::now() + PRELAUNCH_TIME;
        // Shows nothing and acknowledges nothing: three pictures are sent and then none.
        let incoming = stream::once(future::ready(hello)).chain(stream::unfold((), move |()| async move {
            tokio::time::sleep(crate::VIEWER_SILENCE_MAX / 2).await;
            (tokio::time::Instant::now() < end).then(|| (message(&[ViewerRecord::Ping { token: 0 }]), ()))
        }));
        viewer::serve(self, request, true, &Anybody, Box::pin(incoming), futures::sink::drain()).await;
    }

    /// Waits until a connection came or went since the last call.
    pub async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    pub fn connections(&self) -> Vec<ConnectionInfo> {
        let mut list: Vec<ConnectionInfo> = self
            .live()
            .iter()
            .filter(|(_, entry)| !entry.counters.background.load(Ordering::Relaxed))
            .map(|(id, entry)| {
                let (mbit_s, fps) = entry.counters.rates();
                ConnectionInfo {
                    connection: Connection {
                        id: *id,
                        user: entry.user,
                        desktop: entry.desktop,
                        port: entry.port,
                        viewers: entry.counters.viewers.load(Ordering::Relaxed),
                        started: entry.started,
                    },
                    guests: entry.roster.present(),
                    mbit_s,
                    fps,
                }
            })
            .collect();
        list.sort_by_key(|info| info.connection.id);
        list
    }

    /// How many connections that people opened lead to a desktop.
    pub fn connections_to(&self, desktop: DesktopId) -> usize {
        let of_people = |entry: &&Entry| entry.desktop == desktop && !entry.counters.background.load(Ordering::Relaxed);
        self.live().values().filter(of_people).count()
    }

    /// Who has a connection to what, opened ahead of them too, and the rules that were laid down for it: none before its machine
    /// was dialled.
    pub fn rules_of_connections(&self) -> Vec<(UserId, DesktopId, Option<SessionPolicy>)> {
        self.live().values().map(|entry| (entry.user, entry.desktop, entry.rules.policy())).collect()
    }

    /// When somebody last touched a connection to what: one for each connection that somebody did.
    pub fn touched(&self) -> Vec<(DesktopId, Micros)> {
        let now = now();
        let ago = |entry: &Entry| {
            let micros = i64::try_from(entry.rules.touched()?.elapsed().as_micros()).ok()?;
            Some((entry.desktop, Micros(now.0.saturating_sub(micros))))
        };
        self.live().values().filter_map(ago).collect()
    }

    /// Who sits at others' connections to what.
    pub fn guests(&self) -> Vec<(UserId, DesktopId)> {
        let live = self.live();
        let at = |entry: &Entry| {
            let desktop = entry.desktop;
            entry.roster.present().into_iter().map(move |guest| (guest.user, desktop))
        };
        live.values().flat_map(at).collect()
    }

    /// Who has files of what open.
    pub fn file_users(&self) -> Vec<(UserId, DesktopId)> {
        self.inner.files.keys()
    }

    /// Whether somebody else than this person is connected to a desktop.
    pub fn is_used_by_others(&self, desktop: DesktopId, user: UserId) -> bool {
        !self.others_on(desktop, user).is_empty()
    }

    /// Whether somebody else than this person has this seat ([`ViewerRequest::seat`]), and looks at what is there.
    pub fn is_seated_by_others(&self, seat: DesktopId, user: UserId) -> bool {
        let watched = |entry: &Entry| {
            entry.seat == Some(seat) && entry.user != user && entry.counters.viewers.load(Ordering::Relaxed) > 0
        };
        self.live().values().any(watched)
    }

    /// Who else than this person is connected to a desktop or to what shares its one screen, and to which.
    pub fn others_at(&self, seat: DesktopId, user: UserId) -> HashSet<(UserId, DesktopId)> {
        let others = |entry: &&Entry| {
            let is_background = entry.counters.background.load(Ordering::Relaxed);
            (entry.desktop == seat || entry.seat == Some(seat)) && entry.user != user && !is_background
        };
        self.live().values().filter(others).map(|entry| (entry.user, entry.desktop)).collect()
    }

    /// Who else than this person is connected to a desktop.
    pub fn others_on(&self, desktop: DesktopId, user: UserId) -> HashSet<UserId> {
        let others = |entry: &&Entry| {
            let is_background = entry.counters.background.load(Ordering::Relaxed);
            entry.desktop == desktop && entry.user != user && !is_background
        };
        self.live().values().filter(others).map(|entry| entry.user).collect()
    }

    /// What is known of a connection's person; `None` when it is not live.
    pub fn seen(&self, id: ConnectionId) -> Option<Seen> {
        Some(self.live().get(&id)?.log_on.seen())
    }

    /// Says something to whoever uses a connection, in the viewers that show it as theirs. Answers in how many; `None` when it is not
    /// live.
    pub fn say(&self, id: ConnectionId, text: &str) -> Option<usize> {
        Some(self.live().get(&id)?.log_on.say(text))
    }

    /// Tells whoever uses a connection to the desktop that it ends in so many seconds.
    pub fn warn(&self, desktop: DesktopId, seconds: u32) {
        for entry in self.live().values().filter(|entry| entry.desktop == desktop) {
            entry.log_on.warn(seconds);
        }
    }

    /// Ends one connection; false when there is none.
    pub async fn end(&self, id: ConnectionId, code: ByeCode, text: &str) -> bool {
        let Some(entry) = self.live().get(&id).cloned() else { return false };
        entry.commands.send(Command::End { code, text: text.to_owned() }).await.is_ok()
    }

    /// Ends every connection of a person, to a desktop, or all of them; and lets go of those people where they are guests.
    pub async fn end_where(&self, matches: impl Fn(UserId, DesktopId) -> bool, code: ByeCode, text: &str) {
        let entries: Vec<Entry> =
            self.live().values().filter(|entry| matches(entry.user, entry.desktop)).cloned().collect();
        // All at once: one that takes no commands keeps none of the others from it.
        let told = entries.iter().map(|entry| {
            let end = Command::End { code, text: text.to_owned() };
            tokio::time::timeout(END_TIME_MAX, entry.commands.send(end))
        });
        future::join_all(told).await;
        for entry in self.live().values() {
            entry.roster.dismiss(|guest| matches(guest.user, entry.desktop), text);
        }
        self.inner.files.end_where(matches).await;
    }

    pub(crate) fn file_sessions(&self) -> &files::Sessions {
        &self.inner.files
    }

    pub(crate) fn workers(&self) -> Option<&WorkerProgram> {
        self.inner.workers.as_ref()
    }

    pub(crate) fn dialler(&self) -> Arc<dyn Dialler> {
        Arc::clone(&self.inner.dialler)
    }

    pub(crate) fn dialler_for(&self, user: UserId, app: Option<AppId>) -> Arc<dyn Dialler> {
        Arc::new(Personal { dialler: self.dialler(), user, app })
    }

    /// A JPEG of what a live graphical connection to the desktop shows (RDP before the console); `None` without one.
    pub async fn thumbnail(&self, desktop: DesktopId, width_max: u16) -> Option<Vec<u8>> {
        let mut entries: Vec<Entry> = self
            .live()
            .values()
            .filter(|entry| entry.desktop == desktop && entry.port != GuestPort::Ssh)
            .cloned()
            .collect();
        entries.sort_by_key(|entry| entry.port != GuestPort::Rdp);
        for entry in entries {
            let (reply, answer) = oneshot::channel();
            if entry.commands.try_send(Command::Thumbnail { width_max, reply }).is_ok()
                && let Ok(Ok(Some(jpeg))) = tokio::time::timeout(Duration::from_millis(500), answer).await
            {
                return Some(jpeg);
            }
        }
        None
    }

    /// The connection to continue: the one named, or for screens the person's own to the same desktop; else a new one.
    pub(crate) fn find_or_start(&self, request: &ViewerRequest, background: bool) -> Result<Entry, Bye> {
        let entry = self.find_or_start_any(request, background)?;
        if !background && entry.counters.background.swap(false, Ordering::Relaxed) {
            self.inner.changed.notify_one();
        }
        Ok(entry)
    }

    fn find_or_start_any(&self, request: &ViewerRequest, background: bool) -> Result<Entry, Bye> {
        let mut live = self.live();
        let own = |entry: &Entry| {
            entry.user == request.user
                && entry.desktop == request.desktop
                && entry.port == request.port
                && entry.app == request.app
                && !entry.commands.is_closed()
        };
        if let Some(entry) = request.resume.and_then(|id| live.get(&id)).filter(|entry| own(entry)) {
            return Ok(entry.clone());
        }
        // A screen is one place: opening it again continues it here. Every shell is a shell of its own, but a machine's serial console.
        if (request.port != GuestPort::Ssh || request.seat.is_some())
            && let Some(entry) = live.values().find(|entry| own(entry))
        {
            if background {
                return Err(Bye::new(ByeCode::TakenOver, "somebody has opened this desktop already"));
            }
            return Ok(entry.clone());
        }
        if request.seat.is_some() {
            // Whoever closed their window has left; for a moment nobody has come yet.
            let has_left = |entry: &Entry| {
                entry.counters.viewers.load(Ordering::Relaxed) == 0 && entry.began.elapsed() > END_TIME_MAX
            };
            let others = live.values().filter(|entry| entry.seat == request.seat && !entry.commands.is_closed());
            for other in others {
                // At another port of the same switch: they go from one to the other.
                let goes = other.user == request.user;
                let text = if goes {
                    "you went to another machine of the same switch"
                } else {
                    "somebody else is at this machine now"
                };
                let end = Command::End { code: ByeCode::TakenOver, text: text.to_owned() };
                if !(goes || has_left(other)) || other.commands.try_send(end).is_err() {
                    return Err(Bye::new(
                        ByeCode::Unreachable,
                        "somebody else is at this machine; ask them to invite you, or try again when they have left",
                    ));
                }
            }
        }
        if live.len() >= CONNECTIONS_MAX {
            return Err(Bye::new(
                ByeCode::Internal,
                format!("this server already carries {CONNECTIONS_MAX} connections; try again later"),
            ));
        }
        if live.values().filter(|entry| entry.user == request.user).count() >= CONNECTIONS_PER_USER_MAX {
            return Err(Bye::new(
                ByeCode::Internal,
                format!("you already have {CONNECTIONS_PER_USER_MAX} connections open; close one first"),
            ));
        }
        let id = ConnectionId::new();
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let entry = Entry {
            user: request.user,
            desktop: request.desktop,
            seat: request.seat,
            port: request.port,
            app: request.app,
            started: now(),
            began: tokio::time::Instant::now(),
            commands,
            roster: Arc::default(),
            counters: Arc::new(Counters { background: AtomicBool::new(background), ..Counters::default() }),
            rules: Arc::default(),
            drive: Arc::default(),
            log_on: Arc::default(),
        };
        live.insert(id, entry.clone());
        self.inner.changed.notify_one();
        let gateway = self.clone();
        let task = crate::connect::Task {
            id,
            user: request.user,
            desktop: request.desktop,
            port: request.port,
            recordings: self.inner.recordings.get().cloned(),
            commands: inbox,
            dialler: self.dialler_for(request.user, request.app),
            counters: Arc::clone(&entry.counters),
            rules: Arc::clone(&entry.rules),
            drive: Arc::clone(&entry.drive),
        };
        tokio::spawn(async move {
            // Removed also when the task panics: a dead entry would lock its person out of the desktop.
            let _remove = Removal { gateway: gateway.clone(), id };
            match &gateway.inner.workers {
                Some(program) => worker::run(task, program).await,
                None => task.run().await,
            }
        });
        Ok(entry)
    }

    /// A seat at somebody else's connection, which must be live.
    pub(crate) fn join(&self, viewer: ViewerId, user: UserId, guest: &Guest) -> Result<(Entry, Taken), Bye> {
        let open = |entry: &&Entry| !entry.commands.is_closed();
        let entry = self.live().get(&guest.connection).filter(open).cloned();
        let entry = entry.ok_or_else(|| Bye::new(ByeCode::RemoteEnded, "the connection that you came to has ended"))?;
        if entry.user == user {
            return Err(Bye::new(ByeCode::Dismissed, "this is your own connection; open the desktop itself"));
        }
        let taken = entry.roster.sit(viewer, user, guest)?;
        Ok((entry, taken))
    }

    pub(crate) fn browser(&self, session: &str) -> Arc<Browser> {
        self.inner.browsers.of(session)
    }

    pub(crate) fn guest_tickets(&self) -> &GuestTickets {
        &self.inner.guest_tickets
    }

    pub(crate) fn next_viewer(&self) -> ViewerId {
        self.inner.viewers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn live(&self) -> MutexGuard<'_, HashMap<ConnectionId, Entry>> {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Removal {
    gateway: Gateway,
    id: ConnectionId,
}

impl Drop for Removal {
    fn drop(&mut self) {
        self.gateway.live().remove(&self.id);
        self.gateway.inner.changed.notify_one();
    }
}

pub(crate) fn now() -> Micros {
    Micros(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64))
}
