//! One recording being made: what comes in is cut into chunks, a task of its own keeps them. When the storage is slow the
//! tape says so ([`Tape::is_ready`]) and takes no more than is on its way: whoever records coalesces pictures or stops
//! reading the shell, and the connection never waits for a disk.

use crate::recording::RecordingSink;
use oriel_model::{ConnectionId, RecordedInput};
use oriel_screen::recording::{BlockKind, Chunk, Header, RecordingKind, Writer};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// How long things may take; tests are in a hurry.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// A chunk is kept when it is so old: what a kill can cost.
    pub chunk: Duration,
    /// A whole picture is due so long after the last.
    pub key: Duration,
    /// How long the storage may refuse a chunk before the recording is given up.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { chunk: CHUNK_TIME_MAX, key: KEY_TIME, patience: STORE_TIME_MAX }
    }
}

const CHUNK_TIME_MAX: Duration = Duration::from_secs(5);
const KEY_TIME: Duration = Duration::from_secs(10);
/// And when it is so large.
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// Chunks on their way to the storage. With the open one they bound the memory of a recording.
const CHUNKS_WAITING_MAX: usize = 4;
/// What is typed and copied waits for a slow storage up to so many bytes; a recording that would lack more ends.
pub(crate) const NOTES_BYTES_MAX: usize = 4 << 20;
const STORE_TIME_MAX: Duration = Duration::from_mins(1);
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How long the end of a connection waits for its last chunks.
const FINISH_TIME_MAX: Duration = Duration::from_secs(8);

pub(crate) struct Tape {
    writer: Writer,
    began: Instant,
    /// The start of the recording.
    pub started: i64,
    pub title: String,
    pub watermark: Option<String>,
    /// What is kept beside what is seen.
    pub input: RecordedInput,
    chunks: mpsc::Sender<Chunk>,
    /// Found no room yet.
    waiting: VecDeque<Chunk>,
    keeper: JoinHandle<()>,
    failure: Arc<Mutex<Option<String>>>,
    pub pace: Pace,
}

impl Tape {
    pub fn start(sink: Box<dyn RecordingSink>, kind: RecordingKind, connection: ConnectionId, pace: Pace) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as i64);
        let (title, watermark) = (sink.title(), sink.watermark());
        let (writer, header) = Writer::new(&Header {
            kind,
            recording: sink.id().0.into_bytes(),
            connection: connection.0.into_bytes(),
            started,
            title: title.clone(),
        });
        let (chunks, inbox) = mpsc::channel(CHUNKS_WAITING_MAX);
        let failure = Arc::new(Mutex::new(None));
        let keeper = tokio::spawn(keep(sink, inbox, Arc::clone(&failure), pace.patience));
        let waiting = VecDeque::from([header]);
        let (began, input) = (Instant::now(), RecordedInput::default());
        let mut tape = Self { writer, began, started, title, watermark, input, chunks, waiting, keeper, failure, pace };
        tape.send();
        tape
    }

    /// Milliseconds since the start.
    pub fn ms(&self) -> u32 {
        self.began.elapsed().as_millis().min(u128::from(u32::MAX)) as u32
    }

    /// Adds a message or lines. A key begins a chunk.
    pub fn push(&mut self, key: bool, bytes: &[u8]) {
        if key {
            self.cut();
        }
        let ms = self.ms();
        self.writer.push(ms, key, bytes);
        if self.writer.open_bytes() >= CHUNK_BYTES_MAX {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.waiting.extend(self.writer.cut());
        self.send();
    }

    fn send(&mut self) {
        while let Some(chunk) = self.waiting.pop_front() {
            match self.chunks.try_send(chunk) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(chunk)) => {
                    self.waiting.push_front(chunk);
                    return;
                }
                // The keeper gave up; `failure` says why.
                Err(mpsc::error::TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }

    /// Keeps what is old enough. Errors: why nothing more is kept.
    pub fn tick(&mut self) -> Result<(), String> {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.cut();
        }
        self.send();
        if self.chunks.is_closed() {
            let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(failure.unwrap_or_else(|| "the recorder stopped".into()));
        }
        if !self.writer.has_room() {
            return Err("it has become too long".into());
        }
        Ok(())
    }

    /// False while the storage is behind: nothing should be added that can be left for later.
    pub fn is_ready(&self) -> bool {
        self.waiting.is_empty()
    }

    fn due(&self) -> Option<Instant> {
        let since = self.writer.open_since()?;
        Some(self.began + Duration::from_millis(u64::from(since)) + self.pace.chunk)
    }

    /// When [`Self::tick`] has something to do: at a time, or when the channel has room.
    pub fn wake(&self) -> Wake {
        Wake { due: self.due(), room: (!self.waiting.is_empty()).then(|| self.chunks.clone()) }
    }

    /// Keeps what is left and ends the recording, within bounds.
    pub async fn finish(mut self, last: &[u8]) {
        if !last.is_empty() {
            self.push(false, last);
        }
        let Self { writer, mut waiting, chunks, mut keeper, .. } = self;
        let (rest, index) = writer.finish();
        waiting.extend(rest);
        waiting.push_back(index);
        let hand_over = async {
            for chunk in waiting {
                if chunks.send(chunk).await.is_err() {
                    break;
                }
            }
            drop(chunks);
            (&mut keeper).await.ok();
        };
        if timeout(FINISH_TIME_MAX, hand_over).await.is_err() {
            tracing::warn!("The storage of recordings is too slow: the end of a recording was not kept");
            keeper.abort();
        }
    }
}

/// See [`Tape::wake`].
pub(crate) struct Wake {
    due: Option<Instant>,
    room: Option<mpsc::Sender<Chunk>>,
}

impl Wake {
    pub async fn wait(self) {
        let due = async {
            match self.due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let room = async {
            match self.room {
                // A closed channel is news as well.
                Some(chunks) => drop(chunks.reserve().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = room => {}
        }
    }
}

/// Keeps chunk after chunk. A storage that fails is tried again, but not for ever.
async fn keep(
    mut sink: Box<dyn RecordingSink>,
    mut inbox: mpsc::Receiver<Chunk>,
    failure: Arc<Mutex<Option<String>>>,
    patience: Duration,
) {
    let mut complete = false;
    while let Some(chunk) = inbox.recv().await {
        let began = Instant::now();
        let mut wait = RETRY_FIRST;
        while let Err(error) = sink.put(&chunk).await {
            if began.elapsed() > patience {
                tracing::error!(recording = %sink.id(), error, "The recording is given up");
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
            tracing::warn!(recording = %sink.id(), error, "A part of a recording could not be kept; trying again");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
        complete = chunk.kind == BlockKind::Index;
    }
    let id = sink.id();
    if !complete {
        // Let go half-way: whoever looks after recordings finds it cut.
        return;
    }
    if let Err(error) = sink.finish().await {
        tracing::error!(recording = %id, error, "The end of a recording could not be noted");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::terminal_recorder::TerminalRecorder;
    use async_trait::async_trait;
    use bytes::Bytes;
    use oriel_model::RecordingId;
    use oriel_screen::recording::{Container, chunk_lines};

    /// What a sink has kept.
    pub(crate) type Kept = Arc<Mutex<Vec<Chunk>>>;

    /// Takes as many chunks as there are permits, and fails where there never are any.
    pub(crate) struct Sink {
        pub kept: Kept,
        pub permits: Option<Arc<tokio::sync::Semaphore>>,
    }

    #[async_trait]
    impl RecordingSink for Sink {
        fn id(&self) -> RecordingId {
            RecordingId::new()
        }
        fn title(&self) -> String {
            "shell".into()
        }
        async fn put(&mut self, chunk: &Chunk) -> Result<(), String> {
            let Some(permits) = &self.permits else { return Err("no room on the disk".into()) };
            permits.acquire().await.map_err(|error| error.to_string())?.forget();
            self.kept.lock().unwrap().push(chunk.clone());
            Ok(())
        }
        async fn finish(self: Box<Self>) -> Result<(), String> {
            Ok(())
        }
    }

    pub(crate) fn container(kept: &Kept) -> (Bytes, Container) {
        let bytes: Vec<u8> = kept.lock().unwrap().iter().flat_map(|chunk| chunk.bytes.clone()).collect();
        let container = Container::read(&bytes).unwrap();
        (bytes.into(), container)
    }

    /// Everything a hundred times as fast.
    pub(crate) const HURRY: Pace = Pace {
        chunk: Duration::from_millis(50),
        key: Duration::from_millis(100),
        patience: Duration::from_millis(400),
    };

    #[tokio::test]
    async fn a_terminal_is_held_up_rather_than_cut_short() {
        let (kept, permits) = (Kept::default(), Arc::new(tokio::sync::Semaphore::new(0)));
        let sink = Sink { kept: kept.clone(), permits: Some(permits.clone()) };
        let tape = Tape::start(Box::new(sink), RecordingKind::Terminal, ConnectionId::new(), Pace::default());
        let mut recorder = TerminalRecorder::start(tape, 80, 24);
        let piece = "x".repeat(100_000);
        let mut said = 0;
        while recorder.is_ready() {
            recorder.output(piece.as_bytes());
            recorder.tick().unwrap();
            said += piece.len();
            assert!(said < 20 << 20, "it must say when it is behind");
            tokio::task::yield_now().await;
        }
        permits.add_permits(1000);
        recorder.wake().wait().await;
        recorder.tick().unwrap();
        assert!(recorder.is_ready());
        recorder.finish().await;
        let (bytes, container) = container(&kept);
        assert!(container.complete);
        let lines: String = container
            .chunks
            .iter()
            .map(|chunk| chunk_lines(&bytes.slice(chunk.offset..chunk.offset + chunk.length)).unwrap())
            .collect();
        assert_eq!(lines.matches("xx").count(), said / 2);
    }

    /// Also where nothing shows it: a shell does not say that it hides what is typed.
    #[tokio::test]
    async fn what_is_typed_in_a_shell_is_kept_only_where_the_rules_say_so() {
        for keys in [false, true] {
            let (kept, permits) = (Kept::default(), Arc::new(tokio::sync::Semaphore::new(1000)));
            let sink = Sink { kept: kept.clone(), permits: Some(permits) };
            let mut tape = Tape::start(Box::new(sink), RecordingKind::Terminal, ConnectionId::new(), Pace::default());
            tape.input = RecordedInput { keys, clipboard: true };
            let mut recorder = TerminalRecorder::start(tape, 80, 24);
            recorder.output(b"Password: ");
            recorder.typed("hunter2\r".as_bytes());
            recorder.output(b"\r\n");
            recorder.finish().await;
            let (bytes, container) = container(&kept);
            let chunk = &container.chunks[0];
            let lines = chunk_lines(&bytes.slice(chunk.offset..chunk.offset + chunk.length)).unwrap();
            assert_eq!(lines.contains("\"i\",\"hunter2\\r\"]"), keys, "{lines}");
            assert_eq!(lines.matches("\"o\"").count(), 2);
        }
        // A storage that takes nothing is not typed into without end.
        let (kept, permits) = (Kept::default(), Arc::new(tokio::sync::Semaphore::new(0)));
        let sink = Sink { kept, permits: Some(permits) };
        let mut tape = Tape::start(Box::new(sink), RecordingKind::Terminal, ConnectionId::new(), Pace::default());
        tape.input.keys = true;
        let mut recorder = TerminalRecorder::start(tape, 80, 24);
        let typed = (0..100).take_while(|_| {
            recorder.typed(&vec![b'x'; 1 << 20]);
            recorder.tick().is_ok()
        });
        assert!(typed.count() < 20);
        assert!(recorder.tick().unwrap_err().contains("too slow"));
    }

    #[tokio::test]
    async fn a_storage_that_never_comes_back_ends_the_recording_in_words() {
        let sink = Sink { kept: Kept::default(), permits: None };
        let mut tape = Tape::start(Box::new(sink), RecordingKind::Terminal, ConnectionId::new(), HURRY);
        tape.push(true, b"line\n");
        let began = Instant::now();
        let why = loop {
            if let Err(why) = tape.tick() {
                break why;
            }
            assert!(began.elapsed() < Duration::from_mins(1));
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(began.elapsed() >= HURRY.patience);
        assert_eq!(why, "no room on the disk");
    }

    #[tokio::test]
    async fn what_is_old_enough_is_kept_without_anything_new() {
        let (kept, permits) = (Kept::default(), Arc::new(tokio::sync::Semaphore::new(99)));
        let sink = Sink { kept: kept.clone(), permits: Some(permits) };
        let mut tape = Tape::start(Box::new(sink), RecordingKind::Terminal, ConnectionId::new(), HURRY);
        tape.push(true, b"line\n");
        tape.wake().wait().await;
        tape.tick().unwrap();
        while kept.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let kinds: Vec<BlockKind> = kept.lock().unwrap().iter().map(|chunk| chunk.kind).collect();
        assert_eq!(kinds, [BlockKind::Header, BlockKind::Chunk]);
    }
}
