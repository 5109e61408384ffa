//! Whether a connection is recorded: what its pool says, what its person says, and a place to keep it.

use crate::command::Bye;
use crate::connect::Task;
use crate::registry::Counters;
use crate::tape::{Pace, Tape};
use crate::target::DialError;
use async_trait::async_trait;
use oriel_model::{
    ConnectionId, DesktopId, GuestPort, RecordedInput, RecordingId, RecordingPolicy, RecordingRules, UserId,
};
use oriel_screen::recording::{Chunk, RecordingKind};
use oriel_screen::wire::ServerRecord;
use oriel_screen::{ByeCode, RecordingSign};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a person may take to say whether they may be recorded.
pub(crate) const CONSENT_TIME_MAX: Duration = Duration::from_mins(5);
/// How long the storage may take to make a recording.
const BEGIN_TIME_MAX: Duration = Duration::from_secs(20);

/// What is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    pub connection: ConnectionId,
    pub user: UserId,
    pub desktop: DesktopId,
    pub port: GuestPort,
}

/// Knows what is recorded and keeps it.
#[async_trait]
pub trait Recordings: Send + Sync {
    async fn rules(&self, user: UserId, desktop: DesktopId) -> Result<RecordingRules, DialError>;
    async fn begin(&self, of: Recorded) -> Result<Box<dyn RecordingSink>, DialError>;
}

/// Keeps one recording. Dropped before [`RecordingSink::finish`], it was cut off.
#[async_trait]
pub trait RecordingSink: Send {
    fn id(&self) -> RecordingId;
    /// What the recording is called: the desktop's name.
    fn title(&self) -> String;
    /// What lies over the picture when it is played: the person's name.
    fn watermark(&self) -> Option<String> {
        None
    }
    /// Keeps one block; tried again with the same one after an error.
    async fn put(&mut self, chunk: &Chunk) -> Result<(), String>;
    /// Everything was kept.
    async fn finish(self: Box<Self>) -> Result<(), String>;
}

/// What holds for this connection. It holds on to nothing of the task: commands are served while it is asked.
pub(crate) fn rules(task: &Task) -> impl Future<Output = Result<RecordingRules, Bye>> + use<> {
    let (recordings, counters) = (task.recordings.clone(), Arc::clone(&task.counters));
    let (user, desktop) = (task.user, task.desktop);
    async move { rules_of(recordings.as_ref(), user, desktop, &counters).await }
}

pub(crate) async fn rules_of(
    recordings: Option<&Arc<dyn Recordings>>,
    user: UserId,
    desktop: DesktopId,
    counters: &Counters,
) -> Result<RecordingRules, Bye> {
    let Some(recordings) = recordings else { return Ok(RecordingRules::default()) };
    let rules = recordings.rules(user, desktop).await.map_err(Bye::from)?;
    if rules.policy != RecordingPolicy::Off && counters.background.load(Ordering::Relaxed) {
        // Nobody is there who could be told. Whoever is just arriving connects anew.
        let text = "connections to this desktop are recorded, so it is opened with its person";
        return Err(Bye::new(ByeCode::ServerShutdown, text));
    }
    Ok(rules)
}

/// Begins to record; a connection that should be recorded and cannot be is refused.
pub(crate) fn begin(
    task: &Task,
    kind: RecordingKind,
    input: RecordedInput,
) -> impl Future<Output = Result<Tape, Bye>> + use<> {
    let of = Recorded { connection: task.id, user: task.user, desktop: task.desktop, port: task.port };
    begin_with(task.recordings.clone(), of, kind, input)
}

async fn begin_with(
    recordings: Option<Arc<dyn Recordings>>,
    of: Recorded,
    kind: RecordingKind,
    input: RecordedInput,
) -> Result<Tape, Bye> {
    let refused = |text: String| {
        let text = format!("this connection must be recorded and cannot be: {text}; an administrator can mend that");
        Bye::new(ByeCode::Internal, text)
    };
    let Some(recordings) = &recordings else { return Err(refused("nothing records here".into())) };
    let sink = match tokio::time::timeout(BEGIN_TIME_MAX, recordings.begin(of)).await {
        Ok(Ok(sink)) => sink,
        Ok(Err(error)) => return Err(refused(error.text)),
        Err(_) => {
            return Err(refused(format!("the storage did not answer within {} seconds", BEGIN_TIME_MAX.as_secs())));
        }
    };
    tracing::info!(connection = %of.connection, recording = %sink.id(), desktop = %of.desktop, "Recording");
    let mut tape = Tape::start(sink, kind, of.connection, Pace::default());
    tape.input = input;
    Ok(tape)
}

/// What is kept beside what is seen, as the person is told.
const fn beside(input: RecordedInput) -> &'static str {
    match (input.keys, input.clipboard) {
        (false, false) => "",
        (true, false) => ", with the keys that are pressed, passwords too",
        (false, true) => ", with what goes through the clipboard",
        (true, true) => ", with the keys that are pressed, passwords too, and what goes through the clipboard",
    }
}

pub(crate) fn question(input: RecordedInput) -> ServerRecord {
    let beside = beside(input);
    let text = format!(
        "may what is seen on this connection be recorded{beside}? it is kept for the administrators of this server"
    );
    ServerRecord::Recording { sign: RecordingSign::Asked, text }
}

pub(crate) fn sign(recorded: bool, input: RecordedInput) -> ServerRecord {
    let (sign, text) = if recorded {
        (RecordingSign::On, format!("this connection is recorded{}", beside(input)))
    } else {
        (RecordingSign::Off, String::new())
    };
    ServerRecord::Recording { sign, text }
}

pub(crate) fn not_answered() -> Bye {
    Bye::new(ByeCode::TooSlow, "nobody said whether this connection may be recorded; connect again to be asked again")
}

/// Recording came to an end that nobody wanted.
pub(crate) fn failed(why: &str) -> Bye {
    let text = format!("this connection must be recorded and no longer could be: {why}; connect again");
    Bye::new(ByeCode::Internal, text)
}
