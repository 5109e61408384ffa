//! A worker's recording, on both sides: the worker asks and hands over parts, the server's process decides, encrypts and keeps.
//! One question at a time, and one recording a connection.

use super::child::Far;
use super::relay::TooMuch;
use super::wire::{Begun, Frame, FromWorker, ToWorker};
use crate::command::Bye;
use crate::connect::Task;
use crate::recording::{self, Recorded, RecordingSink, Recordings};
use crate::registry::Counters;
use crate::target::DialError;
use async_trait::async_trait;
use oriel_model::{DesktopId, RecordingId, RecordingPolicy, RecordingRules, UserId};
use oriel_screen::ByeCode;
use oriel_screen::recording::Chunk;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Questions that wait: a worker asks one at a time.
const QUESTIONS_MAX: usize = 4;

pub(super) enum Ask {
    Policy,
    Begin,
    Keep(Chunk),
    End,
}

/// The server's side.
pub(super) struct Keeper(mpsc::Sender<(u64, Ask)>);

impl Keeper {
    /// A task that lives as long as this and a part that is on its way; what it has not ended by then is cut off.
    pub fn start(task: &Task, to: mpsc::WeakSender<Frame>) -> Self {
        let (asks, inbox) = mpsc::channel(QUESTIONS_MAX);
        let of = Recorded { connection: task.id, user: task.user, desktop: task.desktop, port: task.port };
        tokio::spawn(keep(task.recordings.clone(), of, Arc::clone(&task.counters), inbox, to));
        Self(asks)
    }

    pub fn ask(&self, question: u64, ask: Ask) -> Result<(), TooMuch> {
        self.0.try_send((question, ask)).map_err(|_| TooMuch)
    }
}

async fn keep(
    recordings: Option<Arc<dyn Recordings>>,
    of: Recorded,
    counters: Arc<Counters>,
    mut inbox: mpsc::Receiver<(u64, Ask)>,
    to: mpsc::WeakSender<Frame>,
) {
    let mut sink: Option<Box<dyn RecordingSink>> = None;
    let mut begun = false;
    // As it was told: what is not to be recorded is not, whatever the worker says.
    let mut allowed = false;
    while let Some((question, ask)) = inbox.recv().await {
        let failed = |text: String| Bye::new(ByeCode::Internal, text);
        let nothing = || failed("nothing is being recorded".into());
        let answer = match ask {
            Ask::Policy => {
                recording::rules_of(recordings.as_ref(), of.user, of.desktop, &counters).await.map(|rules| {
                    allowed = rules.policy != RecordingPolicy::Off;
                    ToWorker::Policy { question, rules }
                })
            }
            Ask::Begin => match &recordings {
                Some(recordings) if allowed && !begun => {
                    begun = true;
                    recordings.begin(of).await.map_err(Bye::from).map(|made| {
                        let begun = Begun { id: made.id(), title: made.title(), watermark: made.watermark() };
                        sink = Some(made);
                        ToWorker::Begun { question, begun }
                    })
                }
                _ => Err(failed("it is not recorded here, or was already".into())),
            },
            Ask::Keep(chunk) => match &mut sink {
                Some(sink) => sink.put(&chunk).await.map_err(failed).map(|()| ToWorker::Kept { question }),
                None => Err(nothing()),
            },
            Ask::End => match sink.take() {
                Some(sink) => sink.finish().await.map_err(failed).map(|()| ToWorker::Kept { question }),
                None => Err(nothing()),
            },
        };
        let Some(to) = to.upgrade() else { return };
        to.send(answer.unwrap_or_else(|why| ToWorker::Refused { question, why }).into()).await.ok();
    }
}

/// What the server's process answered.
pub(super) enum Answer {
    Policy(RecordingRules),
    Begun(Begun),
    Kept,
}

/// The worker's side.
pub(super) struct FarRecordings(pub Arc<Far>);

fn astray() -> DialError {
    DialError { code: ByeCode::Internal, text: "the server's process answered something else".into() }
}

#[async_trait]
impl Recordings for FarRecordings {
    async fn rules(&self, _: UserId, _: DesktopId) -> Result<RecordingRules, DialError> {
        match self.0.ask(|question| FromWorker::AskPolicy { question }).await? {
            Answer::Policy(rules) => Ok(rules),
            _ => Err(astray()),
        }
    }

    async fn begin(&self, _: Recorded) -> Result<Box<dyn RecordingSink>, DialError> {
        match self.0.ask(|question| FromWorker::BeginRecording { question }).await? {
            Answer::Begun(begun) => Ok(Box::new(FarSink { far: Arc::clone(&self.0), begun })),
            _ => Err(astray()),
        }
    }
}

struct FarSink {
    far: Arc<Far>,
    begun: Begun,
}

#[async_trait]
impl RecordingSink for FarSink {
    fn id(&self) -> RecordingId {
        self.begun.id
    }

    fn title(&self) -> String {
        self.begun.title.clone()
    }

    fn watermark(&self) -> Option<String> {
        self.begun.watermark.clone()
    }

    async fn put(&mut self, chunk: &Chunk) -> Result<(), String> {
        let chunk = chunk.clone();
        self.far.ask(|question| FromWorker::KeepPart { question, chunk }).await.map(drop).map_err(|error| error.text)
    }

    async fn finish(self: Box<Self>) -> Result<(), String> {
        self.far.ask(|question| FromWorker::EndRecording { question }).await.map(drop).map_err(|error| error.text)
    }
}
