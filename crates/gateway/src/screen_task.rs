//! The task of a graphical connection: RDP or a machine's console.
//!
//! ```text
//! waiting for a viewer ─▶ dialling ─▶ authenticating ─▶ live ─▶ bye
//!                           ▲                            │
//!                           └── the video cannot go on ──┘
//! ```
//!
//! Video is decoded by the viewer alone. Where a viewer cannot go on with it, and the machine gives no frame that stands
//! alone, the machine is signed in to anew: the session there goes on, and the viewer keeps its seat.

use crate::command::{Bye, Command, ViewerId};
use crate::connect::{Door, ScreenSession, Task, WAKING, asleep};
use crate::crowd::{Crowd, Ear};
use crate::picture::Picture;
use crate::recording::{self, CONSENT_TIME_MAX};
use crate::screen_recorder::{Now, ScreenRecorder};
use crate::seat::Seat;
use crate::tape::Tape;
use crate::target::Stream;
use crate::video::Video;
use crate::{KEY_TIME_MAX, RESUME_SECONDS, UPSTREAM_PENDING_BYTES_MAX, VIDEO_TROUBLES_MAX, WAKE_PERIOD, rules};
use oriel_model::{RecordedInput, RecordingPolicy, RecordingRules, SessionPolicy};
use oriel_rdp::Continuation;
use oriel_screen::encode::thumbnail;
use oriel_screen::recording::RecordingKind;
use oriel_screen::wire::{ServerRecord, VideoTrouble, ViewerRecord};
use oriel_screen::{ByeCode, Framebuffer, InputEvent, ScreenEvent, Source, SourceError, StatusCode};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// One read from the machine: small, because a few bytes of a hostile server can paint the whole screen many times, and
/// commands are served between reads.
const READ_BYTES: usize = 16 << 10;

/// A connection that broke is taken up again so often.
const RESUMED_MAX: u32 = 3;
/// And not when it broke sooner than this: it would break again.
const RESUME_AFTER: Duration = Duration::from_secs(5);
/// After so many commands in a row a step of what waits comes first: whoever floods commands stops nobody's picture.
const COMMANDS_IN_A_ROW_MAX: u32 = 64;
/// A machine is asked for a key frame this often at most because guests lack one.
const GUEST_KEY_PERIOD: Duration = Duration::from_secs(5);

pub(crate) async fn run(mut task: Task) {
    let mut lobby = Lobby::new();
    let bye = drive(&mut task, &mut lobby).await;
    tracing::info!(connection = %task.id, desktop = %task.desktop, code = ?bye.code, reason = %bye.text, "Connection ended");
    if let Some(viewer) = lobby.viewer.take() {
        viewer.farewell(&bye);
    }
    lobby.crowd.dismiss(&bye);
    // A viewer that was about to join reads the same.
    task.commands.close();
    while let Ok(command) = task.commands.try_recv() {
        if let Command::Attach { viewer, hello, out, .. } = command {
            Picture::new(viewer, hello, out).farewell(&bye);
        }
    }
    if let Some(recorder) = lobby.recorder.take() {
        recorder.finish().await;
    }
    if let Some(tape) = lobby.tape.take() {
        tape.finish(&[]).await;
    }
}

/// The owner's seat: at most one sits in it; empty for too long ends the connection. And those of guests.
struct Lobby {
    viewer: Option<Picture>,
    crowd: Crowd<Picture>,
    gone_at: Instant,
    /// The window's width, height and scale, as last said.
    size: (u16, u16, u16),
    title: String,
    policy: SessionPolicy,
    /// The viewer decodes H.264.
    h264: bool,
    /// How often its decoder lost its place.
    troubles: u32,
    /// What every viewer is told about recording.
    sign: Option<ServerRecord>,
    /// What the person said when they were asked.
    consent: Option<bool>,
    /// For the first picture.
    tape: Option<Tape>,
    /// Goes on when the machine is signed in to anew.
    recorder: Option<ScreenRecorder>,
    /// What the machine left for that.
    continuation: Continuation,
    /// How often a broken connection was taken up again.
    resumed: u32,
}

fn resume_deadline() -> Instant {
    Instant::now() + Duration::from_secs(RESUME_SECONDS)
}

/// What a command means beyond the seat.
enum Asked {
    Nothing,
    Attached,
    Detached,
    Input(InputEvent),
    Acknowledged,
    Thumbnail(u16, tokio::sync::oneshot::Sender<Option<Vec<u8>>>),
}

impl Lobby {
    fn new() -> Self {
        Self {
            viewer: None,
            crowd: Crowd::new(),
            gone_at: resume_deadline(),
            size: (0, 0, 100),
            title: String::new(),
            policy: SessionPolicy::default(),
            h264: false,
            troubles: 0,
            sign: None,
            consent: None,
            tape: None,
            recorder: None,
            continuation: Continuation::default(),
            resumed: 0,
        }
    }

    fn take(&mut self, task: &Task, command: Command) -> Result<Asked, Bye> {
        match command {
            Command::Attach { viewer, hello, h264, seat: Seat::Guest(guest), number, out } => {
                let mut picture = Picture::new(viewer, hello, out);
                picture.without_video = !h264;
                self.greet(task, &mut picture);
                self.crowd.arrive(viewer, number, guest, picture);
                Ok(Asked::Nothing)
            }
            Command::Attach { viewer, hello, h264, seat: Seat::Owner { name }, out, .. } => {
                let taken = Bye::new(ByeCode::TakenOver, "this desktop was opened in another window");
                if let Some(old) = self.viewer.take() {
                    old.farewell(&taken);
                }
                self.size = (hello.width, hello.height, hello.scale);
                (self.h264, self.troubles) = (h264, 0);
                let mut picture = Picture::new(viewer, hello, out);
                self.greet(task, &mut picture);
                self.viewer = Some(picture);
                self.crowd.owner_came(name);
                Ok(Asked::Attached)
            }
            Command::Detach { viewer } if self.is_seated(viewer) => {
                self.viewer = None;
                self.gone_at = resume_deadline();
                self.crowd.owner_left();
                Ok(Asked::Detached)
            }
            Command::Record { viewer, record } if self.is_seated(viewer) => Ok(match record {
                ViewerRecord::Input(input) => {
                    if let InputEvent::Resize { width, height, scale } = input {
                        self.size = (width, height, scale);
                    }
                    self.note_pointer(0, &input);
                    Asked::Input(input)
                }
                ViewerRecord::Listen { on } => {
                    if let Some(picture) = &mut self.viewer {
                        picture.listen(on);
                    }
                    Asked::Nothing
                }
                ViewerRecord::Ack { sequence } => {
                    if let Some(picture) = &mut self.viewer {
                        picture.acknowledge(sequence);
                    }
                    Asked::Acknowledged
                }
                ViewerRecord::VideoTrouble(trouble) => {
                    self.troubles += 1;
                    tracing::info!(connection = %task.id, ?trouble, times = self.troubles, "Viewer cannot go on with the video");
                    if trouble == VideoTrouble::Undecodable || self.troubles >= VIDEO_TROUBLES_MAX {
                        self.h264 = false;
                    } else if let Some(picture) = &mut self.viewer {
                        picture.lose_video();
                    }
                    Asked::Nothing
                }
                ViewerRecord::Consent { yes } => {
                    self.consent = Some(yes);
                    Asked::Nothing
                }
                ViewerRecord::Answer { seat, yes } => {
                    self.crowd.answer(seat, yes);
                    Asked::Nothing
                }
                ViewerRecord::Control { seat, on } => {
                    self.crowd.control(seat, on, None);
                    Asked::Nothing
                }
                _ => Asked::Nothing,
            }),
            Command::Record { viewer, record } => Ok(self.guest_said(task, viewer, record)),
            // A viewer that lost its seat may still have records on the way.
            Command::Detach { viewer } => {
                self.crowd.leave(viewer, None);
                Ok(Asked::Nothing)
            }
            Command::End { code, text } => Err(Bye { code, text }),
            Command::Thumbnail { width_max, reply } => Ok(Asked::Thumbnail(width_max, reply)),
        }
    }

    /// What every viewer is told first.
    fn greet(&self, task: &Task, picture: &mut Picture) {
        picture.tell(&ServerRecord::Hello {
            terminal: false,
            connection: task.id.0.into_bytes(),
            received: 0,
            title: self.title.clone(),
        });
        if let Some(sign) = &self.sign {
            picture.tell(sign);
        }
    }

    /// A guest's records: what is about their own picture, and with control what is for the machine. Their window's size is theirs.
    fn guest_said(&mut self, task: &Task, viewer: ViewerId, record: ViewerRecord) -> Asked {
        let Some(seated) = self.crowd.find(viewer) else { return Asked::Nothing };
        match record {
            ViewerRecord::Input(input) => {
                let (number, control) = (seated.number, seated.control);
                self.note_pointer(number, &input);
                if control && !matches!(input, InputEvent::Resize { .. }) {
                    return Asked::Input(input);
                }
            }
            ViewerRecord::Listen { on } => seated.ear.listen(on),
            ViewerRecord::Ack { sequence } => {
                seated.ear.acknowledge(sequence);
                return Asked::Acknowledged;
            }
            ViewerRecord::VideoTrouble(trouble) => {
                // A guest may say it as often as they like: it is no news for the log, and shown anew they are once.
                tracing::debug!(connection = %task.id, ?trouble, "A guest cannot go on with the video");
                seated.troubles = seated.troubles.saturating_add(1);
                if seated.ear.without_video {
                    return Asked::Nothing;
                }
                if trouble == VideoTrouble::Undecodable || seated.troubles >= VIDEO_TROUBLES_MAX {
                    seated.ear.without_video = true;
                    // Shown anew, and told what is missing.
                    seated.fresh = true;
                } else {
                    seated.ear.lose_video();
                }
            }
            ViewerRecord::Control { seat, on } => self.crowd.control(seat, on, Some(viewer)),
            ViewerRecord::AskControl => self.crowd.wish(viewer, self.viewer.as_mut()),
            _ => {}
        }
        Asked::Nothing
    }

    fn note_pointer(&mut self, seat: u8, input: &InputEvent) {
        if let InputEvent::Pointer { x, y, .. } | InputEvent::Wheel { x, y, .. } | InputEvent::Touch { x, y, .. } =
            input
        {
            self.crowd.points(seat, *x, *y);
        }
    }

    /// Tells everybody what they do not know, and lets go of guests to whom nothing can be said any more.
    fn attend(&mut self, task: &Task) {
        self.crowd.attend(self.viewer.as_mut());
        if let Some(picture) = &mut self.viewer {
            // One that is stuck is let go of where the connection is carried.
            picture.flush_control(&task.counters).ok();
        }
        let stuck = |picture: &mut Picture| picture.flush_control(&task.counters).err();
        let gone: Vec<(ViewerId, Bye)> =
            self.crowd.seated.iter_mut().filter_map(|seated| Some((seated.viewer, stuck(&mut seated.ear)?))).collect();
        for (viewer, bye) in gone {
            self.crowd.leave(viewer, Some(&bye));
        }
        self.crowd.flush_asking(|picture| drop(picture.flush_control(&task.counters)));
        let watching = self.crowd.watching() + usize::from(self.viewer.is_some());
        task.counters.viewers.store(watching as u32, Ordering::Relaxed);
    }

    /// When [`Self::attend`] or [`Screen::attend`] has something to do for guests.
    fn guests_wake_at(&self) -> Option<Instant> {
        let repairs = self.crowd.seated.iter().filter_map(|seated| seated.ear.repair_at());
        repairs.chain(self.crowd.wake_at()).min()
    }

    /// What may follow a session: where the machine sent the connection on, that; and a connection that broke is taken up again
    /// where the machine gave a cookie for it.
    fn go_on(&mut self, over: Over, begun: Instant) -> Over {
        match over {
            Over::Bye(bye) if matches!(bye.code, ByeCode::RemoteEnded) && self.continuation.take_redirected() => {
                Over::Again("the machine redirected the connection")
            }
            Over::Lost(bye)
                if self.continuation.has_cookie() && self.resumed < RESUMED_MAX && begun.elapsed() >= RESUME_AFTER =>
            {
                self.resumed += 1;
                tracing::info!(reason = %bye.text, "Taking the machine's session up again");
                Over::Again("the connection to the machine broke")
            }
            over => over,
        }
    }

    fn is_seated(&self, viewer: u64) -> bool {
        self.viewer.as_ref().is_some_and(|picture| picture.id == viewer)
    }

    fn flush(&mut self, task: &Task) {
        if let Some(picture) = &mut self.viewer {
            picture.flush_control(&task.counters).ok();
        }
        self.attend(task);
    }

    fn show_sign(&mut self, task: &Task, sign: ServerRecord) {
        if let Some(picture) = &mut self.viewer {
            picture.tell(&sign);
            picture.flush_control(&task.counters).ok();
        }
        // A question is the owner's to answer; guests see that it was asked.
        self.crowd.tell_all(&sign);
        self.attend(task);
        self.sign = Some(sign);
    }

    fn status(&mut self, task: &Task, code: StatusCode, text: &str) {
        if let Some(picture) = &mut self.viewer {
            picture.tell(&ServerRecord::Status { code, text: text.to_owned() });
            picture.flush_control(&task.counters).ok();
        }
        let status = ServerRecord::Status { code, text: text.to_owned() };
        self.crowd.seated.iter_mut().for_each(|seated| seated.ear.tell(&status));
        self.attend(task);
    }
}

impl Ear for Picture {
    fn tell(&mut self, record: &ServerRecord) -> bool {
        Self::tell(self, record);
        true
    }

    fn tell_lightly(&mut self, record: &ServerRecord) {
        Self::tell_lightly(self, record);
    }

    fn part(self, bye: &Bye) {
        self.farewell(bye);
    }
}

async fn drive(task: &mut Task, lobby: &mut Lobby) -> Bye {
    // The first viewer brings the size that the machine is dialled with.
    while lobby.viewer.is_none() {
        match next_command(task, lobby).await {
            Some(command) => {
                if let Err(bye) = lobby.take(task, command) {
                    return bye;
                }
            }
            None => return Bye::new(ByeCode::ServerShutdown, "the server is shutting down"),
        }
    }
    let asking = recording::rules(task);
    let rules = match meanwhile(task, lobby, asking).await {
        Ok(rules) => rules,
        Err(bye) => return bye,
    };
    match permitted(task, lobby, rules).await {
        Ok(tape) => lobby.tape = tape,
        Err(bye) => return bye,
    }
    let required = rules.policy == RecordingPolicy::Always;
    loop {
        let (session, h264) = match connect(task, lobby).await {
            Ok(connected) => connected,
            Err(bye) => return bye,
        };
        match live(task, lobby, session, h264, required).await {
            Over::Bye(bye) | Over::Lost(bye) => return bye,
            Over::Again(why) => {
                tracing::info!(connection = %task.id, why, h264 = lobby.h264, "Signing in to the machine anew");
            }
        }
    }
}

/// The next command while the connection is not live. Meanwhile what the owner is asked about guests runs out.
async fn next_command(task: &mut Task, lobby: &mut Lobby) -> Option<Command> {
    loop {
        let wake_at = lobby.crowd.wake_at();
        tokio::select! {
            command = task.commands.recv() => return command,
            () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => lobby.attend(task),
        }
    }
}

/// Asks the person where the pool wants that, and begins to record where it should be.
async fn permitted(task: &mut Task, lobby: &mut Lobby, rules: RecordingRules) -> Result<Option<Tape>, Bye> {
    let recorded = match rules.policy {
        RecordingPolicy::Off => return Ok(None),
        RecordingPolicy::Always => true,
        RecordingPolicy::Ask => {
            lobby.show_sign(task, recording::question(rules.input));
            let deadline = Instant::now() + CONSENT_TIME_MAX;
            loop {
                if let Some(answer) = lobby.consent {
                    break answer;
                }
                let gone_at = lobby.viewer.is_none().then_some(lobby.gone_at);
                tokio::select! {
                    command = next_command(task, lobby) => match command {
                        Some(command) => match lobby.take(task, command)? {
                            // Hello and the question leave at once.
                            Asked::Thumbnail(_, reply) => drop(reply.send(None)),
                            _ => lobby.flush(task),
                        },
                        None => return Err(Bye::new(ByeCode::ServerShutdown, "the server is shutting down")),
                    },
                    () = sleep_until(deadline) => return Err(recording::not_answered()),
                    () = sleep_until(gone_at.unwrap_or(deadline)), if gone_at.is_some() => {
                        return Err(recording::not_answered());
                    }
                }
            }
        }
    };
    let beginning = recording::begin(task, RecordingKind::Screen, rules.input);
    let tape = if recorded { Some(meanwhile(task, lobby, beginning).await?) } else { None };
    lobby.show_sign(task, recording::sign(recorded, rules.input));
    Ok(tape)
}

/// How a session ended for the gateway.
enum Over {
    Bye(Bye),
    /// The connection to the machine broke, without a word from it.
    Lost(Bye),
    /// The machine is to be signed in to once more.
    Again(&'static str),
}

impl From<Bye> for Over {
    fn from(bye: Bye) -> Self {
        Self::Bye(bye)
    }
}

/// Waits for a machine that sleeps and is woken.
async fn wake(task: &mut Task, lobby: &mut Lobby) -> Result<(), Bye> {
    let begun = Instant::now();
    loop {
        let dialler = std::sync::Arc::clone(&task.dialler);
        let (desktop, port) = (task.desktop, task.port);
        let waking = async move { crate::connect::wake(&*dialler, desktop, port).await };
        let Some(time) = meanwhile(task, lobby, waking).await? else { return Ok(()) };
        if begun.elapsed() >= time {
            return Err(asleep(time));
        }
        lobby.status(task, StatusCode::WaitingForMachine, WAKING);
        let pause = async {
            sleep(WAKE_PERIOD).await;
            Ok(())
        };
        meanwhile(task, lobby, pause).await?;
    }
}

/// Dials and authenticates while commands are still answered; also says whether H.264 was offered.
async fn connect(task: &mut Task, lobby: &mut Lobby) -> Result<(ScreenSession, bool), Bye> {
    lobby.status(task, StatusCode::Dialling, "reaching the machine");
    wake(task, lobby).await?;
    let target = {
        let dialler = std::sync::Arc::clone(&task.dialler);
        let (desktop, port, rules) = (task.desktop, task.port, std::sync::Arc::clone(&task.rules));
        let way = lobby.continuation.clone();
        let dialling = async move { crate::connect::dial_on(&*dialler, desktop, port, &rules, &way).await };
        meanwhile(task, lobby, dialling).await?
    };
    lobby.title.clone_from(&target.title);
    lobby.policy.clone_from(&target.policy);
    lobby.status(task, StatusCode::Authenticating, "signing in to the machine");
    let layout = lobby.viewer.as_ref().map(|picture| picture.hello.layout.clone()).unwrap_or_default();
    let h264 = lobby.h264;
    let door = Door { dialler: std::sync::Arc::clone(&task.dialler), desktop: task.desktop, port: task.port };
    // The same one for as long as the connection lasts, however often the machine is signed in to.
    let offers = (task.drive.drive.clone(), lobby.continuation.clone());
    let connecting = crate::connect::screen(target, &door, lobby.size, layout, h264, offers);
    Ok((meanwhile(task, lobby, connecting).await?, h264))
}

/// Runs a future to its end while the seat may change.
async fn meanwhile<T>(
    task: &mut Task,
    lobby: &mut Lobby,
    work: impl Future<Output = Result<T, Bye>>,
) -> Result<T, Bye> {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            command = next_command(task, lobby) => match command {
                Some(command) => match lobby.take(task, command)? {
                    Asked::Attached => lobby.status(task, StatusCode::Dialling, "reaching the machine"),
                    Asked::Thumbnail(_, reply) => drop(reply.send(None)),
                    _ => lobby.attend(task),
                },
                None => return Err(Bye::new(ByeCode::ServerShutdown, "the server is shutting down")),
            },
        }
    }
}

/// `required`: a connection that can no longer be recorded ends.
async fn live(task: &mut Task, lobby: &mut Lobby, session: ScreenSession, h264: bool, required: bool) -> Over {
    let ScreenSession { stream, mut source } = session;
    let mut screen = Screen { h264, ..Screen::default() };
    if let Some(tape) = lobby.tape.take() {
        lobby.recorder = Some(ScreenRecorder::start(tape, &screen.now(source.framebuffer())));
    } else if let Some(recorder) = &mut lobby.recorder {
        recorder.begin_anew(&screen.now(source.framebuffer()));
    }
    let begun = Instant::now();
    let over = carry(task, lobby, stream, &mut *source, &mut screen, required).await;
    let over = lobby.go_on(over, begun);
    if let Some(recorder) = &mut lobby.recorder
        && source.settle().is_ok()
    {
        recorder.last_picture(&screen.now(source.framebuffer()));
    }
    over
}

async fn carry(
    task: &mut Task,
    lobby: &mut Lobby,
    stream: Box<dyn Stream>,
    source: &mut dyn Source,
    screen: &mut Screen,
    required: bool,
) -> Over {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut buffer = vec![0u8; READ_BYTES];
    let mut upstream: Vec<u8> = Vec::new();
    let mut unflushed = false;
    let mut events: Vec<ScreenEvent> = Vec::new();
    let mut guests_turn = true;
    let mut commands_in_a_row = 0;
    // A person's file is news for the machine, whose screen may stand still.
    let drive_changed = Arc::new(Notify::new());
    let wake = Arc::clone(&drive_changed);
    task.drive.drive.lock().on_change(Box::new(move || wake.notify_one()));

    // What came with the handshake is the source's already: let it speak before the first read.
    let mut outcome = source.receive(&[], &mut upstream, &mut events);
    if let Some(picture) = &mut lobby.viewer {
        picture.tell(&ServerRecord::Status { code: StatusCode::Connected, text: "connected".into() });
        picture.restart(source.framebuffer(), None, &screen.video, 0);
    }
    lobby.crowd.seated.iter_mut().for_each(|seated| seated.fresh = true);
    loop {
        if let Err(error) = outcome {
            return over(error).into();
        }
        screen.distribute(&mut events, lobby, source.framebuffer());
        if screen.h264 && screen.had_video && lobby.viewer.is_some() && !lobby.h264 {
            return Over::Again("the viewer has no H.264");
        }
        outcome = screen.answer(source, lobby, &mut upstream);
        if let Err(error) = outcome {
            return over(error).into();
        }
        outcome = screen.attend(source, lobby, &mut upstream);
        if let Err(error) = outcome {
            return over(error).into();
        }
        lobby.attend(task);
        if let Some(picture) = &mut lobby.viewer
            && let Err(bye) = picture.flush_control(&task.counters)
        {
            return bye.into();
        }
        if let Some(recorder) = &mut lobby.recorder
            && let Err(why) = recorder.tick()
        {
            if required {
                return recording::failed(&why).into();
            }
            lobby.recorder = None;
            lobby.show_sign(task, recording::sign(false, RecordedInput::default()));
        }
        if upstream.len() > UPSTREAM_PENDING_BYTES_MAX {
            return Bye::new(ByeCode::Unreachable, "the machine no longer takes input; connect again").into();
        }
        let has_work = lobby.viewer.as_ref().is_some_and(Picture::has_work);
        let guests_have_work = lobby.crowd.seated.iter().any(|seated| seated.ear.has_work());
        let guests_wake_at = lobby.guests_wake_at();
        let repair_at = lobby.viewer.as_ref().and_then(Picture::repair_at);
        let records = lobby.recorder.as_ref().is_some_and(ScreenRecorder::has_work);
        let records_now = records && lobby.recorder.as_ref().is_some_and(ScreenRecorder::is_starving);
        let record_at = lobby.recorder.as_ref().filter(|_| !records).and_then(ScreenRecorder::resume_at);
        let record_repair_at = lobby.recorder.as_ref().and_then(ScreenRecorder::repair_at);
        let tape_wake = lobby.recorder.as_ref().map(ScreenRecorder::wake);
        outcome = Ok(());
        // Whatever completes ends the row, but for commands and what can follow each of them.
        let row = std::mem::take(&mut commands_in_a_row);
        let steps_turn = row >= COMMANDS_IN_A_ROW_MAX;
        let steps = has_work || records || guests_have_work;
        tokio::select! {
            biased;
            command = task.commands.recv(), if !steps_turn => {
                commands_in_a_row = row + 1;
                let Some(command) = command else {
                    return Bye::new(ByeCode::ServerShutdown, "the server is shutting down").into();
                };
                match lobby.take(task, command) {
                    Ok(Asked::Attached) => {
                        if let Some(picture) = &mut lobby.viewer {
                            picture.tell(&ServerRecord::Status { code: StatusCode::Connected, text: "connected".into() });
                            picture.restart(source.framebuffer(), screen.cursor.as_ref(), &screen.video, screen.marks);
                        }
                        let (width, height, scale) = lobby.size;
                        outcome = source.input(&InputEvent::Resize { width, height, scale }, &mut upstream);
                    }
                    Ok(Asked::Detached) => outcome = source.input(&InputEvent::ReleaseAll, &mut upstream),
                    Ok(Asked::Input(input)) => {
                        if let Some(recorder) = &mut lobby.recorder {
                            recorder.input(&input);
                        }
                        outcome = source.input(&input, &mut upstream);
                    }
                    Ok(Asked::Thumbnail(width_max, reply)) => {
                        outcome = source.settle();
                        // Where video is, the framebuffer has what was there before: no picture is better than a wrong one.
                        let shows = !screen.video.hides(source.framebuffer());
                        drop(reply.send(shows.then(|| thumbnail(source.framebuffer(), width_max)).flatten()));
                    }
                    Ok(Asked::Acknowledged | Asked::Nothing) => {}
                    Err(bye) => return bye.into(),
                }
            }
            sent = send(&mut writer, &upstream), if !upstream.is_empty() || unflushed => match sent {
                Ok(Sent::Written(0)) | Err(_) => return Over::Lost(lost()),
                Ok(Sent::Written(count)) => {
                    upstream.drain(..count);
                    outcome = source.go_on(&mut upstream);
                    unflushed = true;
                    commands_in_a_row = row;
                }
                Ok(Sent::Flushed) => {
                    unflushed = false;
                    commands_in_a_row = row;
                }
            },
            // Yields between tiles, so that commands and other connections come first.
            () = tokio::task::yield_now(), if has_work && !records_now => {
                if let Some(picture) = &mut lobby.viewer {
                    if picture.reads_pixels() {
                        outcome = source.settle();
                    }
                    if let Err(bye) = picture.step(source.framebuffer(), screen.video.region(), &task.counters) {
                        return bye.into();
                    }
                }
            }
            // The person's picture first, then the recording's.
            () = tokio::task::yield_now(), if records && (records_now || !has_work) => {
                if let Some(recorder) = &mut lobby.recorder {
                    if recorder.prepare(&screen.now(source.framebuffer())) {
                        outcome = source.settle();
                    }
                    if let Err(why) = recorder.step(&screen.now(source.framebuffer())) {
                        tracing::warn!(connection = %task.id, why, "A recording fell too far behind");
                        if required {
                            return recording::failed(&why).into();
                        }
                        lobby.recorder = None;
                        lobby.show_sign(task, recording::sign(false, RecordedInput::default()));
                    }
                }
            }
            // Of guests' pictures one tile for each read of the machine while it has something to say, all of them when it has not.
            () = tokio::task::yield_now(), if guests_have_work && guests_turn && !has_work => {
                guests_turn = false;
                outcome = screen.show_guests(source, lobby, task);
            }
            // A machine that always has something to say does not take the steps' turn either.
            read = reader.read(&mut buffer), if !(steps_turn && steps) => match read {
                Ok(0) => return Over::Lost(Bye::new(ByeCode::RemoteEnded, "the machine closed the connection")),
                Ok(count) => {
                    guests_turn = true;
                    outcome = source.receive(buffer.get(..count).unwrap_or_default(), &mut upstream, &mut events);
                }
                Err(_) => return Over::Lost(lost()),
            },
            () = tokio::task::yield_now(), if guests_have_work && !has_work => {
                outcome = screen.show_guests(source, lobby, task);
            }
            () = drive_changed.notified() => outcome = source.go_on(&mut upstream),
            // Nothing had a step to take: commands go on.
            () = tokio::task::yield_now(), if steps_turn => {}
            () = sleep_until(guests_wake_at.unwrap_or_else(Instant::now)), if guests_wake_at.is_some() => {}
            () = sleep_until(screen.key_by.unwrap_or_else(Instant::now)), if screen.key_by.is_some() => {
                // Also a decoder that loses its place again and again comes here; then video is given up.
                lobby.troubles += 1;
                lobby.h264 &= lobby.troubles < VIDEO_TROUBLES_MAX;
                return Over::Again("the machine gave no key frame");
            }
            () = sleep_until(repair_at.unwrap_or_else(Instant::now)), if repair_at.is_some() => {
                if let Some(picture) = &mut lobby.viewer {
                    picture.repair(source.framebuffer());
                }
            }
            // Only wake the loop: what is due is done at its top.
            () = sleep_until(record_at.unwrap_or_else(Instant::now)), if record_at.is_some() => {}
            () = async { if let Some(wake) = tape_wake { wake.wait().await } else { std::future::pending().await } } => {}
            () = sleep_until(record_repair_at.unwrap_or_else(Instant::now)), if record_repair_at.is_some() => {
                if let Some(recorder) = &mut lobby.recorder {
                    recorder.repair(source.framebuffer());
                }
            }
            () = sleep_until(lobby.gone_at), if lobby.viewer.is_none() => {
                lobby.crowd.dismiss(&crate::crowd::owner_gone());
                return Bye::new(ByeCode::TooSlow, "nobody has been watching").into();
            }
        }
    }
}

enum Sent {
    Written(usize),
    Flushed,
}

/// Writes what waits, or flushes when nothing does. Safe to drop half-way: nothing is lost.
async fn send(writer: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8]) -> std::io::Result<Sent> {
    if bytes.is_empty() {
        writer.flush().await.map(|()| Sent::Flushed)
    } else {
        writer.write(bytes).await.map(Sent::Written)
    }
}

/// What the task knows of the screen beyond the source's framebuffer.
#[derive(Default)]
struct Screen {
    cursor: Option<ServerRecord>,
    video: Video,
    /// H.264 was offered to the machine.
    h264: bool,
    had_video: bool,
    /// Frame ends of the source so far, and those that it was told of.
    marks: u64,
    told: u64,
    /// Parts of a copy were passed on, and its text was not.
    copy_goes_on: bool,
    /// When a key frame that was asked for must have come.
    key_by: Option<Instant>,
    /// Before then none is asked for guests.
    guests_key_at: Option<Instant>,
}

impl Screen {
    /// What is on the screen, for a recording.
    fn now<'a>(&'a self, pixels: &'a dyn Framebuffer) -> Now<'a> {
        Now { pixels, cursor: self.cursor.as_ref(), video: &self.video }
    }

    fn distribute(&mut self, events: &mut Vec<ScreenEvent>, lobby: &mut Lobby, pixels: &dyn Framebuffer) {
        for event in events.drain(..) {
            let Some(event) = rules::copied(&lobby.policy, event, &mut self.copy_goes_on) else { continue };
            match &event {
                // Asked for none where it may not be heard; a machine may send some all the same.
                ScreenEvent::Audio { .. } if !lobby.policy.sound => continue,
                ScreenEvent::Cursor { hot_x, hot_y, width, height, rgba } => {
                    self.cursor = Some(ServerRecord::Cursor {
                        hot_x: *hot_x,
                        hot_y: *hot_y,
                        width: *width,
                        height: *height,
                        rgba: rgba.clone(),
                    });
                }
                ScreenEvent::CursorHidden => self.cursor = Some(ServerRecord::cursor_hidden()),
                ScreenEvent::CursorDefault => self.cursor = Some(ServerRecord::CursorDefault),
                ScreenEvent::FrameEnd => self.marks += 1,
                ScreenEvent::Video { .. } => self.had_video = true,
                _ => {}
            }
            self.video.follow(&event);
            if let Some(recorder) = &mut lobby.recorder {
                recorder.apply(&event, &self.now(pixels));
            }
            for seated in &mut lobby.crowd.seated {
                // The clipboard is for those who have the keyboard.
                if seated.control || !matches!(event, ScreenEvent::Clipboard(_) | ScreenEvent::Rich(_)) {
                    seated.ear.apply(event.clone(), pixels, &self.video);
                }
            }
            if let Some(picture) = &mut lobby.viewer {
                picture.apply(event, pixels, &self.video);
            }
        }
    }

    /// Shows the screen to guests who are new, asks for what they lack, and lifts the keys of those who lost control.
    fn attend(
        &mut self,
        source: &mut dyn Source,
        lobby: &mut Lobby,
        upstream: &mut Vec<u8>,
    ) -> Result<(), SourceError> {
        if lobby.crowd.take_release() {
            source.input(&InputEvent::ReleaseAll, upstream)?;
        }
        let now = Instant::now();
        for seated in &mut lobby.crowd.seated {
            if std::mem::take(&mut seated.fresh) {
                let connected = ServerRecord::Status { code: StatusCode::Connected, text: "connected".into() };
                seated.ear.tell(&connected);
                seated.ear.restart(source.framebuffer(), self.cursor.as_ref(), &self.video, self.marks);
            }
            if seated.ear.repair_at().is_some_and(|at| at <= now) {
                seated.ear.repair(source.framebuffer());
            }
            if seated.ear.without_video && self.had_video && !std::mem::replace(&mut seated.told_of_video, true) {
                let text = "Moving parts of this screen are video, which this browser cannot show: they stand still or are                             missing. Use a browser with H.264 over HTTPS.";
                seated.ear.tell(&ServerRecord::Words(text.into()));
            }
            if seated.ear.wants_key() {
                seated.ear.resume_video(&self.video);
                // A guest can wait: the machine is asked now and then, and never signed in to anew.
                if seated.ear.is_lost() && self.guests_key_at.is_none_or(|at| now >= at) {
                    self.guests_key_at = Some(now + GUEST_KEY_PERIOD);
                    source.want_key(upstream)?;
                }
            }
        }
        // While the owner is away, guests keep the picture going.
        if lobby.viewer.is_none() && lobby.crowd.seated.iter().any(|seated| seated.ear.is_hungry()) {
            source.want_frame(upstream)?;
        }
        Ok(())
    }

    /// One step of each guest's picture that has one to take.
    fn show_guests(&self, source: &mut dyn Source, lobby: &mut Lobby, task: &Task) -> Result<(), SourceError> {
        let mut gone = Vec::new();
        for seated in &mut lobby.crowd.seated {
            if !seated.ear.has_work() {
                continue;
            }
            if seated.ear.reads_pixels() {
                source.settle()?;
            }
            if let Err(bye) = seated.ear.step(source.framebuffer(), self.video.region(), &task.counters) {
                gone.push((seated.viewer, bye));
            }
        }
        for (viewer, bye) in gone {
            lobby.crowd.leave(viewer, Some(&bye));
        }
        Ok(())
    }

    /// Tells the source what the viewer has shown and what it wants.
    fn answer(
        &mut self,
        source: &mut dyn Source,
        lobby: &mut Lobby,
        upstream: &mut Vec<u8>,
    ) -> Result<(), SourceError> {
        // Without a viewer nothing holds the machine back: what it paints is in the framebuffer for the next one.
        let shown = lobby.viewer.as_ref().map_or(self.marks, Picture::shown);
        if shown > self.told {
            self.told = shown;
            source.shown(shown, upstream)?;
        }
        if let Some(recorder) = &mut lobby.recorder
            && recorder.wants_key(&self.video)
        {
            source.want_key(upstream)?;
        }
        let Some(picture) = &mut lobby.viewer else {
            self.key_by = None;
            return Ok(());
        };
        if picture.wants_key() && self.key_by.is_none() {
            picture.resume_video(&self.video);
            if picture.is_lost() {
                self.key_by = Some(Instant::now() + KEY_TIME_MAX);
                source.want_key(upstream)?;
            }
        }
        if !picture.is_lost() {
            self.key_by = None;
        }
        if picture.is_hungry() { source.want_frame(upstream) } else { Ok(()) }
    }
}

fn over(error: SourceError) -> Bye {
    let code = match &error {
        SourceError::Protocol { .. } => ByeCode::Protocol,
        SourceError::Ended(_) => ByeCode::RemoteEnded,
    };
    Bye::new(code, error.to_string())
}

fn lost() -> Bye {
    Bye::new(ByeCode::RemoteEnded, "the connection to the machine was lost; it may have stopped or restarted")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Counters;
    use crate::seat::{Guest, GuestKind};
    use crate::target::{DialError, Dialler, Target};
    use crate::{COMMANDS_MAX, VIEWER_QUEUE_MAX};
    use bytes::Bytes;
    use oriel_model::{ConnectionId, DesktopId, GuestPort, UserId};
    use oriel_screen::Surface;
    use oriel_screen::wire::ViewerHello;
    use std::sync::Arc;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    struct Nowhere;

    #[async_trait::async_trait]
    impl Dialler for Nowhere {
        async fn dial(&self, _: DesktopId, _: GuestPort) -> Result<Target, DialError> {
            Err(DialError { code: ByeCode::Unreachable, text: "nowhere".into() })
        }
    }

    /// A machine whose screen stands still.
    struct Still(Surface);

    impl Source for Still {
        fn receive(&mut self, _: &[u8], _: &mut Vec<u8>, _: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
            Ok(())
        }

        fn input(&mut self, _: &InputEvent, _: &mut Vec<u8>) -> Result<(), SourceError> {
            Ok(())
        }

        fn framebuffer(&self) -> &dyn Framebuffer {
            &self.0
        }
    }

    fn task() -> (Task, mpsc::Sender<Command>) {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let task = Task {
            id: ConnectionId::new(),
            user: UserId::new(),
            desktop: DesktopId::new(),
            port: GuestPort::Console,
            recordings: None,
            commands: inbox,
            dialler: Arc::new(Nowhere),
            counters: Arc::new(Counters::default()),
            rules: Arc::default(),
            drive: Arc::default(),
        };
        (task, commands)
    }

    fn attach(viewer: ViewerId, seat: Seat, number: u8) -> (Command, mpsc::Receiver<Bytes>) {
        let (out, messages) = mpsc::channel(VIEWER_QUEUE_MAX);
        (Command::Attach { viewer, hello: ViewerHello::default(), h264: true, seat, number, out }, messages)
    }

    fn helper() -> Seat {
        let (connection, kind) = (ConnectionId::new(), GuestKind::Helper { ask: false });
        Seat::Guest(Guest { connection, name: "ben".into(), kind, control: false, may_control: true })
    }

    #[tokio::test]
    async fn a_guest_that_decodes_no_video_is_shown_the_screen_anew_once() {
        let (task, _commands) = task();
        let mut lobby = Lobby::new();
        let (ben, _messages) = attach(2, helper(), 1);
        lobby.take(&task, ben).unwrap();
        let fresh = |lobby: &mut Lobby| std::mem::take(&mut lobby.crowd.find(2).unwrap().fresh);
        assert!(fresh(&mut lobby));
        for first in [true, false, false] {
            let record = ViewerRecord::VideoTrouble(VideoTrouble::Undecodable);
            lobby.take(&task, Command::Record { viewer: 2, record }).unwrap();
            assert_eq!(fresh(&mut lobby), first);
        }
    }

    #[tokio::test]
    async fn a_guest_that_floods_does_not_stop_the_owners_picture() {
        let (mut task, commands) = task();
        let mut lobby = Lobby::new();
        let (ada, mut messages) = attach(1, Seat::Owner { name: "ada".into() }, 0);
        let (ben, _bens) = attach(2, helper(), 1);
        lobby.take(&task, ada).unwrap();
        lobby.take(&task, ben).unwrap();
        let flood = || Command::Record { viewer: 2, record: ViewerRecord::Ack { sequence: 0 } };
        // There is always another.
        while commands.try_send(flood()).is_ok() {}
        tokio::spawn(async move { while commands.send(flood()).await.is_ok() {} });
        let picture = async {
            loop {
                let message = messages.recv().await.unwrap();
                let records = ServerRecord::decode_all(&message).unwrap();
                if records.iter().any(|record| matches!(record, ServerRecord::FrameEnd { .. })) {
                    return;
                }
            }
        };
        let (stream, _machine) = tokio::io::duplex(READ_BYTES);
        let (mut source, mut screen) = (Still(Surface::new(64, 64).unwrap()), Screen::default());
        let carried = carry(&mut task, &mut lobby, Box::new(stream), &mut source, &mut screen, false);
        tokio::select! {
            seen = timeout(Duration::from_secs(10), picture) => seen.unwrap(),
            _ = carried => panic!("the connection ended"),
        }
    }
}
