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

use crate::command::{Bye, Command};
use crate::connect::{Door, ScreenSession, Task, WAKING, asleep};
use crate::lobby::{Asked, Lobby};
use crate::picture::Picture;
use crate::program::Program;
use crate::recording::{self, CONSENT_TIME_MAX};
use crate::screen_recorder::{Now, ScreenRecorder};
use crate::tape::Tape;
use crate::target::Stream;
use crate::video::Video;
use crate::{KEY_TIME_MAX, UPSTREAM_PENDING_BYTES_MAX, VIDEO_TROUBLES_MAX, WAKE_PERIOD, rules};
use oriel_model::{RecordedInput, RecordingPolicy, RecordingRules};
use oriel_screen::encode::thumbnail;
use oriel_screen::recording::RecordingKind;
use oriel_screen::wire::{ServerRecord, VideoAbility};
use oriel_screen::{
    ByeCode, Framebuffer, InputEvent, MicrophoneFormat, ScreenEvent, Source, SourceError, StatusCode, TouchAbility,
};
use std::sync::Arc;
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
        let (session, video) = match connect(task, lobby).await {
            Ok(connected) => connected,
            Err(bye) => return bye,
        };
        match live(task, lobby, session, video, required).await {
            Over::Bye(bye) | Over::Lost(bye) => return bye,
            Over::Again(why) => {
                tracing::info!(connection = %task.id, why, video = ?lobby.video, "Signing in to the machine anew");
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

impl Over {
    /// What may follow a session: where the machine sent the connection on, that; and a connection that broke is taken up again
    /// where the machine gave a cookie for it.
    fn go_on(self, lobby: &mut Lobby, begun: Instant) -> Self {
        match self {
            Self::Bye(bye) if matches!(bye.code, ByeCode::RemoteEnded) && lobby.continuation.take_redirected() => {
                Self::Again("the machine redirected the connection")
            }
            Self::Lost(bye)
                if lobby.continuation.has_cookie()
                    && lobby.resumed < RESUMED_MAX
                    && begun.elapsed() >= RESUME_AFTER =>
            {
                lobby.resumed += 1;
                tracing::info!(reason = %bye.text, "Taking the machine's session up again");
                Self::Again("the connection to the machine broke")
            }
            over => over,
        }
    }
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

/// Dials and authenticates while commands are still answered; also says what of H.264 was offered.
async fn connect(task: &mut Task, lobby: &mut Lobby) -> Result<(ScreenSession, VideoAbility), Bye> {
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
    let video = lobby.video;
    let door = Door { dialler: std::sync::Arc::clone(&task.dialler), desktop: task.desktop, port: task.port };
    // The same one for as long as the connection lasts, however often the machine is signed in to.
    let offers = (task.drive.drive.clone(), lobby.continuation.clone());
    let connecting = crate::connect::screen(target, &door, (lobby.size, lobby.monitors.clone()), layout, video, offers);
    Ok((meanwhile(task, lobby, connecting).await?, video))
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
async fn live(task: &mut Task, lobby: &mut Lobby, session: ScreenSession, video: VideoAbility, required: bool) -> Over {
    let ScreenSession { stream, mut source } = session;
    let mut screen = Screen { h264: video.has_video(), ..Screen::default() };
    if let Some(tape) = lobby.tape.take() {
        lobby.recorder = Some(ScreenRecorder::start(tape, &screen.now(source.framebuffer())));
    } else if let Some(recorder) = &mut lobby.recorder {
        recorder.begin_anew(&screen.now(source.framebuffer()));
    }
    let begun = Instant::now();
    let over = carry(task, lobby, stream, &mut *source, &mut screen, required).await;
    let over = over.go_on(lobby, begun);
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

    let mut printed = true;
    // What came with the handshake is the source's already: let it speak before the first read.
    let mut outcome = source.receive(&[], &mut upstream, &mut events);
    if let Some(picture) = &mut lobby.viewer {
        picture.tell(&ServerRecord::Status { code: StatusCode::Connected, text: "connected".into() });
        picture.restart(source.framebuffer(), None, &screen.video, 0);
        // As with the microphone: it says anew what it takes.
        picture.tell(&ServerRecord::Touch(TouchAbility::default()));
        if rules::may_be_heard(&lobby.policy) {
            // What the machine wanted before it was signed in to anew is over.
            picture.tell(&ServerRecord::Microphone(None));
        }
    }
    lobby.crowd.seated.iter_mut().for_each(|seated| seated.fresh = true);
    loop {
        if let Err(error) = outcome {
            return over(error).into();
        }
        screen.distribute(&mut events, lobby, source.framebuffer());
        if screen.h264 && screen.had_video && lobby.viewer.is_some() && !lobby.video.has_video() {
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
        if let Some(title) = screen.program.follow(source) {
            lobby.tell(&title);
        }
        lobby.attend(task);
        // Kept until somebody looks.
        if printed && let Some(picture) = &mut lobby.viewer {
            printed = false;
            task.drive.prints().iter().for_each(|print| picture.tell(print));
        }
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
        let closed_at = screen.program.closed_at();
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
                            // A page that was loaded anew knows nothing of it, and another may know what held before.
                            picture.tell(&ServerRecord::Touch(screen.touch));
                            // Also that none wants to hear any more: the page may not have been told.
                            if rules::may_be_heard(&lobby.policy) {
                                picture.tell(&ServerRecord::Microphone(screen.microphone));
                            }
                            if let Some(title) = screen.program.title() {
                                picture.tell(&title);
                            }
                        }
                        outcome = source.input(&lobby.window(), &mut upstream);
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
            () = drive_changed.notified() => {
                printed = true;
                outcome = source.go_on(&mut upstream);
            }
            // Nothing had a step to take: commands go on.
            () = tokio::task::yield_now(), if steps_turn => {}
            () = sleep_until(guests_wake_at.unwrap_or_else(Instant::now)), if guests_wake_at.is_some() => {}
            () = sleep_until(screen.key_by.unwrap_or_else(Instant::now)), if screen.key_by.is_some() => {
                // Also a decoder that loses its place again and again comes here; then video is given up.
                lobby.troubles += 1;
                if lobby.troubles >= VIDEO_TROUBLES_MAX {
                    lobby.video = VideoAbility::None;
                }
                return Over::Again("the machine gave no key frame");
            }
            () = sleep_until(closed_at.unwrap_or_else(Instant::now)), if closed_at.is_some() => {
                return over(Program::ending(source)).into();
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
    /// How a program on the machine wants to hear the person.
    microphone: Option<MicrophoneFormat>,
    /// What the machine takes of fingers and pens themselves.
    touch: TouchAbility,
    /// Parts of a copy were passed on, and its text was not.
    copy_goes_on: bool,
    /// When a key frame that was asked for must have come.
    key_by: Option<Instant>,
    /// Before then none is asked for guests.
    guests_key_at: Option<Instant>,
    program: Program,
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
                // The owner is asked alone, and it is nothing that a recording shows.
                ScreenEvent::Microphone(wanted) => {
                    self.microphone = wanted.filter(|_| rules::may_be_heard(&lobby.policy));
                    if let Some(picture) = &mut lobby.viewer {
                        picture.tell(&ServerRecord::Microphone(self.microphone));
                    }
                    continue;
                }
                ScreenEvent::Touch(ability) => {
                    self.touch = *ability;
                    let told = ServerRecord::Touch(self.touch);
                    if let Some(picture) = &mut lobby.viewer {
                        picture.tell(&told);
                    }
                    lobby
                        .crowd
                        .seated
                        .iter_mut()
                        .filter(|seated| !seated.fresh)
                        .for_each(|seated| seated.ear.tell(&told));
                    continue;
                }
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
                if seated.has_clipboard() || !matches!(event, ScreenEvent::Clipboard(_) | ScreenEvent::Rich(_)) {
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
                if let Some(title) = self.program.title() {
                    seated.ear.tell(&title);
                }
                seated.ear.restart(source.framebuffer(), self.cursor.as_ref(), &self.video, self.marks);
                seated.ear.tell(&ServerRecord::Touch(self.touch));
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
        SourceError::Ended(_) | SourceError::Refused(_) => ByeCode::RemoteEnded,
    };
    Bye::new(code, error.to_string())
}

fn lost() -> Bye {
    Bye::new(ByeCode::RemoteEnded, "the connection to the machine was lost; it may have stopped or restarted")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lobby::tests::{attach, helper, task};
    use crate::seat::Seat;
    use oriel_screen::Surface;
    use oriel_screen::wire::ViewerRecord;
    use tokio::time::timeout;

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
