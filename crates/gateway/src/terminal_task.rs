//! The task of a terminal connection: a shell on one side, a terminal in the browser on the other, bytes untouched.

use crate::command::{Bye, Command, ViewerId};
use crate::connect::{Door, Task, WAKING, asleep, dial_by, too_late};
use crate::crowd::{Crowd, Ear};
use crate::interview::Interview;
use crate::recording::{self, CONSENT_TIME_MAX};
use crate::seat;
use crate::tape::Tape;
use crate::terminal_recorder::TerminalRecorder;
use crate::transcript::Transcript;
use crate::{CONNECT_TIME_MAX, RESUME_SECONDS, WAKE_PERIOD};
use bytes::Bytes;
use futures::FutureExt as _;
use oriel_model::{RecordedInput, RecordingPolicy, RecordingRules};
use oriel_screen::recording::RecordingKind;
use oriel_screen::wire::{ServerRecord, TERMINAL_WINDOW_BYTES, ViewerHello, ViewerRecord};
use oriel_screen::{ByeCode, StatusCode};
use oriel_terminal::{Question, Shell, TerminalEvent};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Most terminal bytes in one message.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// How long a machine may leave typed bytes lying.
const TAKE_TIME_MAX: Duration = Duration::from_secs(15);
/// How long a person may take to answer what a machine asks. (OpenSSH waits two minutes for a login.)
const ANSWER_TIME_MAX: Duration = Duration::from_mins(2);
/// How soon a guest whose queue is full is looked at again.
const GUEST_ROOM_PERIOD: Duration = Duration::from_millis(20);
/// After so many commands in a row the shell comes first: whoever floods commands does not silence it.
const COMMANDS_IN_A_ROW_MAX: u32 = 64;
/// Typed bytes kept while the shell is not there yet.
const EARLY_BYTES_MAX: usize = 4096;

pub(crate) async fn run(mut task: Task) {
    let mut seat = Seat::new();
    let bye = drive(&mut task, &mut seat).await;
    tracing::info!(connection = %task.id, desktop = %task.desktop, code = ?bye.code, reason = %bye.text, "Terminal ended");
    if let Some(viewer) = seat.viewer.take() {
        viewer.say(&ServerRecord::Bye { code: bye.code, text: bye.text.clone() });
    }
    seat.crowd.dismiss(&bye);
    task.commands.close();
    while let Ok(command) = task.commands.try_recv() {
        if let Command::Attach { out, .. } = command {
            let mut message = Vec::new();
            ServerRecord::Bye { code: bye.code, text: bye.text.clone() }.encode(&mut message);
            out.try_send(message.into()).ok();
        }
    }
    if let Some(recorder) = seat.recorder.take() {
        recorder.finish().await;
    }
}

struct Viewer {
    id: ViewerId,
    out: mpsc::Sender<Bytes>,
    /// Number of the next byte to send.
    sent: u64,
    acked: u64,
    /// A guest does not know the terminal's size.
    unsized_yet: bool,
}

impl Viewer {
    fn say(&self, record: &ServerRecord) -> bool {
        let mut message = Vec::new();
        record.encode(&mut message);
        self.out.try_send(message.into()).is_ok()
    }

    fn acknowledge(&mut self, offset: u64) {
        if offset > self.acked && offset <= self.sent {
            self.acked = offset;
        }
    }

    /// Something waits that it may have, as soon as its queue has room.
    const fn waits(&self, end: u64) -> bool {
        self.sent < end && self.sent - self.acked < TERMINAL_WINDOW_BYTES
    }

    /// Sends what it may have now.
    fn pump(&mut self, task: &Task, transcript: &Transcript) {
        while self.waits(transcript.end()) {
            let Ok(permit) = self.out.try_reserve() else { return };
            let bytes = transcript.slice(self.sent, MESSAGE_BYTES_MAX);
            self.sent += bytes.len() as u64;
            let mut message = Vec::with_capacity(bytes.len() + 8);
            ServerRecord::TerminalData(bytes).encode(&mut message);
            task.counters.sent(message.len(), 1);
            permit.send(message.into());
        }
    }

    /// The whole terminal, from what is kept on: for a guest that is new or too far behind. False when there is no room for it now.
    fn repaint(&mut self, task: &Task, transcript: &mut Transcript) -> bool {
        let Ok(permit) = self.out.try_reserve() else { return false };
        let offset = transcript.start();
        let mut message = Vec::new();
        ServerRecord::TerminalStart { offset }.encode(&mut message);
        ServerRecord::TerminalRepaint(transcript.repaint()).encode(&mut message);
        (self.sent, self.acked) = (offset, offset);
        task.counters.sent(message.len(), 1);
        permit.send(message.into());
        true
    }
}

impl Ear for Viewer {
    fn tell(&mut self, record: &ServerRecord) -> bool {
        self.say(record)
    }

    fn tell_lightly(&mut self, record: &ServerRecord) {
        self.say(record);
    }

    fn part(self, bye: &Bye) {
        self.say(&ServerRecord::Bye { code: bye.code, text: bye.text.clone() });
    }
}

/// The owner's seat, what is seen and typed there, and those of guests.
struct Seat {
    viewer: Option<Viewer>,
    crowd: Crowd<Viewer>,
    transcript: Transcript,
    size: (u16, u16),
    /// Typed bytes on their way to the shell.
    typed: VecDeque<Bytes>,
    typed_bytes: u64,
    resized: bool,
    gone_at: Instant,
    /// What the owner's viewer had acknowledged when it left.
    left_at: u64,
    title: String,
    /// What is typed does not reach the shell.
    view_only: bool,
    /// What every viewer is told about recording.
    sign: Option<ServerRecord>,
    /// What the person said when they were asked.
    consent: Option<bool>,
    recorder: Option<TerminalRecorder>,
}

impl Seat {
    fn new() -> Self {
        Self {
            viewer: None,
            crowd: Crowd::new(),
            transcript: Transcript::default(),
            size: (80, 24),
            typed: VecDeque::new(),
            typed_bytes: 0,
            resized: false,
            gone_at: deadline(),
            left_at: 0,
            title: String::new(),
            view_only: false,
            sign: None,
            consent: None,
            recorder: None,
        }
    }

    fn take(&mut self, task: &Task, command: Command) -> Result<(), Bye> {
        match command {
            Command::Attach { viewer, seat: seat::Seat::Guest(guest), number, out, .. } => {
                let viewer = Viewer { id: viewer, out, sent: 0, acked: 0, unsized_yet: true };
                self.greet(task, &viewer);
                self.crowd.arrive(viewer.id, number, guest, viewer);
            }
            Command::Attach { viewer, hello, seat: seat::Seat::Owner { name }, out, .. } => {
                self.seat(task, viewer, &hello, out);
                self.crowd.owner_came(name);
            }
            Command::Detach { viewer } if self.is_seated(viewer) => {
                self.left_at = self.viewer.take().map_or(0, |viewer| viewer.acked);
                self.gone_at = deadline();
                self.crowd.owner_left();
            }
            Command::Record { viewer, record } if self.is_seated(viewer) => match record {
                ViewerRecord::TerminalInput(_) if self.view_only => {}
                ViewerRecord::TerminalInput(bytes) => {
                    self.typed_bytes += bytes.len() as u64;
                    self.typed.push_back(bytes);
                }
                ViewerRecord::TerminalResize { columns, rows } => self.resize(columns, rows),
                ViewerRecord::TerminalAck { offset } => {
                    self.viewer.iter_mut().for_each(|viewer| viewer.acknowledge(offset));
                }
                ViewerRecord::Consent { yes } => self.consent = Some(yes),
                ViewerRecord::Answer { seat, yes } => self.crowd.answer(seat, yes),
                ViewerRecord::Control { seat, on } => self.crowd.control(seat, on, None),
                _ => {}
            },
            Command::Record { viewer, record } => self.guest_said(viewer, record),
            Command::Detach { viewer } => self.crowd.leave(viewer, None),
            Command::End { code, text } => return Err(Bye { code, text }),
            Command::Thumbnail { reply, .. } => drop(reply.send(None)),
        }
        // A shell's keys are not held down.
        self.crowd.take_release();
        self.attend(task);
        Ok(())
    }

    /// A guest's records: what is about what it has seen, and with control what it types. The terminal's size is the owner's.
    fn guest_said(&mut self, viewer: ViewerId, record: ViewerRecord) {
        let Some(seated) = self.crowd.find(viewer) else { return };
        match record {
            // Not counted: the number is for the owner's viewer, which sends again what was lost with its WebSocket.
            ViewerRecord::TerminalInput(bytes) if seated.control && !self.view_only => self.typed.push_back(bytes),
            ViewerRecord::TerminalAck { offset } => seated.ear.acknowledge(offset),
            ViewerRecord::Control { seat, on } => self.crowd.control(seat, on, Some(viewer)),
            ViewerRecord::AskControl => self.crowd.wish(viewer, self.viewer.as_mut()),
            _ => {}
        }
    }

    /// Tells everybody what they do not know, and shows guests what they lack.
    fn attend(&mut self, task: &Task) {
        self.crowd.attend(self.viewer.as_mut());
        for seated in &mut self.crowd.seated {
            let (width, height) = self.size;
            if seated.ear.unsized_yet {
                seated.ear.unsized_yet = !seated.ear.say(&ServerRecord::Resize { width, height });
            }
            // A guest never holds the shell up: one that is too far behind is shown the whole terminal.
            if seated.fresh || seated.ear.sent < self.transcript.start() {
                seated.fresh = !seated.ear.repaint(task, &mut self.transcript);
            }
            if !seated.fresh && !seated.ear.unsized_yet {
                seated.ear.pump(task, &self.transcript);
            }
        }
        let watching = self.crowd.watching() + usize::from(self.viewer.is_some());
        task.counters.viewers.store(watching as u32, Ordering::Relaxed);
    }

    /// When [`Self::attend`] has something to do for guests.
    fn guests_wake_at(&self) -> Option<Instant> {
        let end = self.transcript.end();
        let waits =
            self.crowd.seated.iter().any(|seated| seated.fresh || seated.ear.unsized_yet || seated.ear.waits(end));
        self.crowd.wake_at().into_iter().chain(waits.then(|| Instant::now() + GUEST_ROOM_PERIOD)).min()
    }

    /// What every viewer is told first.
    fn greet(&self, task: &Task, viewer: &Viewer) {
        viewer.say(&ServerRecord::Hello {
            terminal: true,
            connection: task.id.0.into_bytes(),
            received: self.typed_bytes,
            title: self.title.clone(),
        });
        if let Some(sign) = &self.sign {
            viewer.say(sign);
        }
    }

    fn seat(&mut self, task: &Task, id: ViewerId, hello: &ViewerHello, out: mpsc::Sender<Bytes>) {
        if let Some(old) = self.viewer.take() {
            let text = "this shell was opened in another window".to_owned();
            old.say(&ServerRecord::Bye { code: ByeCode::TakenOver, text });
        }
        let start = hello.received.clamp(self.transcript.start(), self.transcript.end());
        let viewer = Viewer { id, out, sent: start, acked: start, unsized_yet: false };
        self.greet(task, &viewer);
        viewer.say(&ServerRecord::TerminalStart { offset: start });
        if hello.received < start {
            viewer.say(&ServerRecord::TerminalRepaint(self.transcript.repaint()));
        }
        self.viewer = Some(viewer);
        self.resize(hello.width, hello.height);
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        let size = (columns.clamp(2, 1000), rows.clamp(1, 500));
        if size != self.size {
            self.resized = true;
            self.transcript.resize(size.0, size.1);
            self.crowd.seated.iter_mut().for_each(|seated| seated.ear.unsized_yet = true);
        }
        self.size = size;
    }

    fn is_seated(&self, viewer: ViewerId) -> bool {
        self.viewer.as_ref().is_some_and(|seated| seated.id == viewer)
    }

    fn show_sign(&mut self, sign: ServerRecord) {
        if let Some(viewer) = &self.viewer {
            viewer.say(&sign);
        }
        self.crowd.tell_all(&sign);
        self.sign = Some(sign);
    }

    fn status(&self, code: StatusCode, text: &str) {
        if let Some(viewer) = &self.viewer {
            viewer.say(&ServerRecord::Status { code, text: text.to_owned() });
        }
        let status = ServerRecord::Status { code, text: text.to_owned() };
        for seated in &self.crowd.seated {
            seated.ear.say(&status);
        }
    }

    /// While there is no shell yet.
    fn forget_old_input(&mut self) {
        while self.typed.iter().map(Bytes::len).sum::<usize>() > EARLY_BYTES_MAX {
            self.typed.pop_front();
        }
    }

    /// Sends what the viewers may have now.
    fn pump(&mut self, task: &Task) {
        if let Some(viewer) = &mut self.viewer {
            viewer.pump(task, &self.transcript);
        }
        self.attend(task);
    }

    /// False while the viewer is a window behind: the shell is not read, and its flood stops at its source.
    fn wants_more(&self) -> bool {
        // Without a viewer the window of the one that left is kept open for it; the transcript keeps more than that.
        let acked = self.viewer.as_ref().map_or(self.left_at, |viewer| viewer.acked);
        self.transcript.end() - acked.max(self.transcript.start()) < TERMINAL_WINDOW_BYTES
    }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(RESUME_SECONDS)
}

fn shutting_down() -> Bye {
    Bye::new(ByeCode::ServerShutdown, "the server is shutting down")
}

async fn drive(task: &mut Task, seat: &mut Seat) -> Bye {
    while seat.viewer.is_none() {
        match next_command(task, seat).await {
            Some(command) => {
                if let Err(bye) = seat.take(task, command) {
                    return bye;
                }
            }
            None => return shutting_down(),
        }
    }
    let asking = recording::rules(task);
    let rules = match meanwhile(task, seat, asking).await {
        Ok(rules) => rules,
        Err(bye) => return bye,
    };
    let tape = match permitted(task, seat, rules).await {
        Ok(tape) => tape,
        Err(bye) => return bye,
    };
    match connect(task, seat).await {
        Ok(shell) => {
            let (columns, rows) = seat.size;
            seat.recorder = tape.map(|tape| {
                let mut recorder = TerminalRecorder::start(tape, columns, rows);
                // What was asked and answered on the way in.
                recorder.output(&seat.transcript.repaint());
                recorder.output(&seat.transcript.slice(0, usize::MAX));
                recorder
            });
            live(task, seat, shell, rules.policy == RecordingPolicy::Always).await
        }
        Err(bye) => {
            if let Some(tape) = tape {
                tape.finish(&[]).await;
            }
            bye
        }
    }
}

/// The next command while the connection is not live. Meanwhile what the owner is asked about guests runs out.
async fn next_command(task: &mut Task, seat: &mut Seat) -> Option<Command> {
    loop {
        let wake_at = seat.crowd.wake_at();
        tokio::select! {
            command = task.commands.recv() => return command,
            () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => seat.attend(task),
        }
    }
}

/// Asks the person where the pool wants that, and begins to record where it should be.
async fn permitted(task: &mut Task, seat: &mut Seat, rules: RecordingRules) -> Result<Option<Tape>, Bye> {
    let recorded = match rules.policy {
        RecordingPolicy::Off => return Ok(None),
        RecordingPolicy::Always => true,
        RecordingPolicy::Ask => {
            seat.show_sign(recording::question(rules.input));
            let deadline = Instant::now() + CONSENT_TIME_MAX;
            loop {
                if let Some(answer) = seat.consent {
                    break answer;
                }
                let gone_at = seat.viewer.is_none().then_some(seat.gone_at);
                tokio::select! {
                    command = next_command(task, seat) => {
                        seat.take(task, command.ok_or_else(shutting_down)?)?;
                        seat.forget_old_input();
                    }
                    () = sleep_until(deadline) => return Err(recording::not_answered()),
                    () = sleep_until(gone_at.unwrap_or(deadline)), if gone_at.is_some() => {
                        return Err(recording::not_answered());
                    }
                }
            }
        }
    };
    let beginning = recording::begin(task, RecordingKind::Terminal, rules.input);
    let tape = if recorded { Some(meanwhile(task, seat, beginning).await?) } else { None };
    seat.show_sign(recording::sign(recorded, rules.input));
    Ok(tape)
}
/// Waits for a machine that sleeps and is woken.
async fn wake(task: &mut Task, seat: &mut Seat) -> Result<(), Bye> {
    let begun = Instant::now();
    loop {
        let dialler = std::sync::Arc::clone(&task.dialler);
        let (desktop, port) = (task.desktop, task.port);
        let waking = async move { crate::connect::wake(&*dialler, desktop, port).await };
        let Some(time) = meanwhile(task, seat, waking).await? else { return Ok(()) };
        if begun.elapsed() >= time {
            return Err(asleep(time));
        }
        seat.status(StatusCode::WaitingForMachine, WAKING);
        let pause = async {
            sleep(WAKE_PERIOD).await;
            Ok(())
        };
        meanwhile(task, seat, pause).await?;
    }
}

async fn connect(task: &mut Task, seat: &mut Seat) -> Result<Shell, Bye> {
    seat.status(StatusCode::Dialling, "reaching the machine");
    wake(task, seat).await?;
    let dialler = std::sync::Arc::clone(&task.dialler);
    let (desktop, port, rules) = (task.desktop, task.port, std::sync::Arc::clone(&task.rules));
    let target = meanwhile(task, seat, async move { dial_by(&*dialler, desktop, port, &rules).await }).await?;
    seat.title.clone_from(&target.title);
    seat.view_only = target.policy.view_only;
    if seat.view_only {
        seat.typed.clear();
    }
    seat.status(StatusCode::Authenticating, "signing in to the machine");
    let (columns, rows) = seat.size;
    seat.resized = false;
    let (ask, questions) = mpsc::channel(1);
    let door = Door { dialler: std::sync::Arc::clone(&task.dialler), desktop, port };
    let shell = sign_in(task, seat, questions, crate::connect::shell(target, &door, columns, rows, ask)).await?;
    seat.status(StatusCode::Connected, "connected");
    Ok(shell)
}

async fn meanwhile<T>(task: &mut Task, seat: &mut Seat, work: impl Future<Output = Result<T, Bye>>) -> Result<T, Bye> {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            command = next_command(task, seat) => {
                seat.take(task, command.ok_or_else(shutting_down)?)?;
                // Nobody types a novel at a machine that does not answer yet.
                seat.forget_old_input();
            }
        }
    }
}

/// As [`meanwhile`], within bounds, and takes what the machine asks to the person: in the terminal, as `ssh` does.
async fn sign_in<T>(
    task: &mut Task,
    seat: &mut Seat,
    mut questions: mpsc::Receiver<Question>,
    work: impl Future<Output = Result<T, Bye>>,
) -> Result<T, Bye> {
    tokio::pin!(work);
    let mut interview: Option<Interview> = None;
    let mut end = Instant::now() + CONNECT_TIME_MAX;
    loop {
        seat.pump(task);
        let gone_at = seat.viewer.is_none().then_some(seat.gone_at);
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(question) = questions.recv(), if interview.is_none() => {
                // What was typed before was not meant as an answer.
                seat.typed.clear();
                let (asked, text) = Interview::begin(question);
                seat.transcript.push(text.as_bytes());
                interview = Some(asked);
                end = Instant::now() + ANSWER_TIME_MAX;
            }
            command = next_command(task, seat) => {
                seat.take(task, command.ok_or_else(shutting_down)?)?;
                if let Some(mut asked) = interview.take() {
                    let typed: Vec<u8> = seat.typed.drain(..).flatten().collect();
                    let text = asked.typed(&typed);
                    seat.transcript.push(text.as_bytes());
                    if asked.is_over() {
                        end = Instant::now() + CONNECT_TIME_MAX;
                    } else {
                        interview = Some(asked);
                    }
                }
                seat.forget_old_input();
            }
            () = sleep_until(end) => return Err(too_late()),
            () = sleep_until(gone_at.unwrap_or(end)), if gone_at.is_some() => {
                return Err(Bye::new(ByeCode::TooSlow, "nobody has been watching"));
            }
        }
    }
}

/// `required`: a connection that can no longer be recorded ends.
async fn live(task: &mut Task, seat: &mut Seat, mut shell: Shell, required: bool) -> Bye {
    let mut commands_in_a_row = 0;
    loop {
        if let Some(recorder) = &mut seat.recorder
            && let Err(why) = recorder.tick()
        {
            if required {
                return recording::failed(&why);
            }
            seat.recorder = None;
            seat.show_sign(recording::sign(false, RecordedInput::default()));
        }
        while let Some(bytes) = seat.typed.pop_front() {
            if let Some(recorder) = &mut seat.recorder {
                recorder.typed(&bytes);
            }
            match timeout(TAKE_TIME_MAX, shell.write(&bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Bye::new(ByeCode::RemoteEnded, error.to_string()),
                Err(_) => return Bye::new(ByeCode::Unreachable, "the machine no longer takes input; connect again"),
            }
        }
        if std::mem::take(&mut seat.resized) {
            let (columns, rows) = seat.size;
            if let Some(recorder) = &mut seat.recorder {
                recorder.resize(columns, rows);
            }
            match timeout(TAKE_TIME_MAX, shell.resize(columns, rows)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Bye::new(ByeCode::RemoteEnded, error.to_string()),
                Err(_) => return Bye::new(ByeCode::Unreachable, "the machine no longer takes input; connect again"),
            }
        }
        seat.pump(task);
        // What is recorded is recorded whole: a storage that is behind holds the shell up.
        let wants_more = seat.wants_more() && seat.recorder.as_ref().is_none_or(TerminalRecorder::is_ready);
        let tape_wake = seat.recorder.as_ref().map(TerminalRecorder::wake);
        // A viewer whose queue is full is pumped again when there is room.
        let room =
            seat.viewer.as_ref().filter(|viewer| viewer.waits(seat.transcript.end())).map(|viewer| viewer.out.clone());
        let guests_wake_at = seat.guests_wake_at();
        // Whatever else completes ends the row.
        let row = std::mem::take(&mut commands_in_a_row);
        tokio::select! {
            biased;
            command = task.commands.recv(), if row < COMMANDS_IN_A_ROW_MAX => {
                commands_in_a_row = row + 1;
                let Some(command) = command else { return shutting_down() };
                if let Err(bye) = seat.take(task, command) {
                    return bye;
                }
            }
            () = async { if let Some(out) = &room { drop(out.reserve().await); } }, if room.is_some() => {}
            // Only wakes the loop: what is due is done at its top.
            () = async { if let Some(wake) = tape_wake { wake.wait().await } else { std::future::pending().await } } => {}
            event = shell.next(), if wants_more => {
                // What has come meanwhile goes along: a flood in small pieces costs as few messages as one in large ones.
                let (mut next, mut heard) = (Some(event), 0);
                while let Some(event) = next.take() {
                    match event {
                        Some(TerminalEvent::Data(bytes)) => {
                            if let Some(recorder) = &mut seat.recorder {
                                recorder.output(&bytes);
                            }
                            seat.transcript.push(&bytes);
                            heard += bytes.len();
                            if heard < MESSAGE_BYTES_MAX {
                                next = shell.next().now_or_never();
                            }
                        }
                        Some(TerminalEvent::Exit { code, signal }) => {
                            seat.pump(task);
                            let text = match (code, signal) {
                                (Some(0), _) | (None, None) => "the shell has ended".to_owned(),
                                (Some(code), _) => format!("the shell ended with status {code}"),
                                (None, Some(signal)) => format!("the shell was ended by signal {signal}"),
                            };
                            return Bye::new(ByeCode::RemoteEnded, text);
                        }
                        None => {
                            seat.pump(task);
                            return Bye::new(ByeCode::RemoteEnded, "the machine closed the connection");
                        }
                    }
                }
            }
            // The shell had nothing to say: commands go on.
            () = tokio::task::yield_now(), if row >= COMMANDS_IN_A_ROW_MAX => {}
            // Only wakes the loop, too.
            () = sleep_until(guests_wake_at.unwrap_or_else(Instant::now)), if guests_wake_at.is_some() => {}
            () = sleep_until(seat.gone_at), if seat.viewer.is_none() => {
                seat.crowd.dismiss(&crate::crowd::owner_gone());
                return Bye::new(ByeCode::TooSlow, "nobody has been watching");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_who_is_away_leaves_a_window_from_where_they_were() {
        const WINDOW: usize = TERMINAL_WINDOW_BYTES as usize;
        let mut seat = Seat::new();
        seat.transcript.push(&vec![b'x'; 3 * WINDOW]);
        // They had seen all: guests see the shell go on, until so much is kept as the owner may have unacknowledged.
        seat.left_at = seat.transcript.end();
        assert!(seat.wants_more());
        seat.transcript.push(&vec![b'x'; WINDOW - 1]);
        assert!(seat.wants_more());
        seat.transcript.push(b"x");
        assert!(!seat.wants_more());
        // More than is kept is nobody's to wait for.
        seat.left_at = 0;
        assert!(!seat.wants_more());
    }
}
