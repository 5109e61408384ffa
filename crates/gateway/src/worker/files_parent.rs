//! The server's side of files in a worker: asks, hands bytes over, and says what became of it when the worker is gone.

use super::STUCK_TIME_MAX;
use super::files::{Answer, Answered, Ask, CHUNK_BYTES_MAX, OPENING, QUESTIONS_MAX, Request, Told, WINDOW_BYTES};
use super::parent::{Seats, Worker, begin};
use super::program::WorkerProgram;
use super::relay::TooMuch;
use super::wire::{Frame, FromWorker, What};
use crate::connect::{Task, files_error, too_late};
use crate::files::{Files, drive_root};
use bytes::Bytes;
use futures::Stream;
use futures::stream::try_unfold;
use oriel_terminal::FilesError;
use oriel_terminal::files::RemotePath;
use oriel_terminal::files::{Entry, Listing};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, interval, timeout};

/// Chunks of a download that may wait here: servers may hand out as little as 1 KiB at a time.
const CHUNKS_MAX: usize = WINDOW_BYTES / 1024 + 2;
/// How long the machine may take for the next bytes of a download, or until it takes the next of an upload; its worker gives up
/// earlier.
const SILENCE_TIME_MAX: Duration = Duration::from_mins(1);
/// How long a question may stay without an answer until its worker is found to be stuck: a large folder is many requests.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(5);
const LOOK_TIME: Duration = Duration::from_secs(15);

/// Files of a machine, in a process of their own.
pub(crate) struct FarFiles {
    root: String,
    link: Arc<Link>,
    /// The worker lives as long as somebody has this.
    _alive: mpsc::Sender<()>,
}

/// Starts a worker and waits until it is signed in.
pub(crate) async fn open(task: Task, program: &WorkerProgram) -> Result<Arc<FarFiles>, FilesError> {
    let failed = |what: &str| FilesError::NotThere(format!("the process for these files {what}; try again"));
    let mut worker = begin(&task, program, What::Files).map_err(|error| {
        FilesError::NotThere(format!("the process for these files cannot be started ({error}); tell an admin"))
    })?;
    let mut seats = Seats::default();
    let opening = async {
        loop {
            match worker.from.recv().await {
                Some(FromWorker::Files(Told::Answer { question: OPENING, answer })) => return answer,
                Some(heard) => {
                    let passed = worker.heard(&task, &mut seats, heard);
                    passed.map_err(|TooMuch| failed("sent more than it may"))?;
                }
                None => return Err(failed("ended unexpectedly")),
            }
        }
    };
    // The worker has its own, shorter patience.
    let opened = timeout(crate::CONNECT_TIME_MAX + STUCK_TIME_MAX, opening).await;
    let Answer::Opened { root } = opened.map_err(|_| files_error(too_late()))?? else {
        return Err(failed("answered something else"));
    };
    let (alive, rest) = mpsc::channel(1);
    let (end, ending) = watch::channel(false);
    let link =
        Arc::new(Link { to: worker.to.downgrade(), table: Mutex::default(), next: AtomicU64::new(OPENING + 1), end });
    tokio::spawn(drive(worker, task, Arc::clone(&link), rest, ending));
    Ok(Arc::new(FarFiles { root, link, _alive: alive }))
}

/// The drive of a connection whose worker has it, and where what that says of it goes.
pub(super) fn of_connection(to: &mpsc::Sender<Frame>) -> (Files, Arc<Link>) {
    // A drive ends with its connection, and never before.
    let ((alive, _), (end, _)) = (mpsc::channel(1), watch::channel(false));
    let link = Arc::new(Link { to: to.downgrade(), table: Mutex::default(), next: AtomicU64::new(OPENING + 1), end });
    let files = FarFiles { root: drive_root(), link: Arc::clone(&link), _alive: alive };
    (Files::in_worker(Arc::new(files)), link)
}

async fn drive(
    mut worker: Worker,
    task: Task,
    link: Arc<Link>,
    mut rest: mpsc::Receiver<()>,
    mut ending: watch::Receiver<bool>,
) {
    let mut seats = Seats::default();
    let mut look = interval(LOOK_TIME);
    let why = loop {
        tokio::select! {
            // Nobody has it any more.
            _ = rest.recv() => break None,
            _ = ending.changed() => break Some("they were ended"),
            heard = worker.from.recv() => {
                let passed = match heard {
                    Some(FromWorker::Files(told)) => link.heard(told),
                    Some(other) => worker.heard(&task, &mut seats, other),
                    None => break Some("their process ended"),
                };
                if passed.is_err() {
                    tracing::error!(desktop = %task.desktop, "A process of files sent more than it may: it is ended");
                    break Some("their process broke the rules");
                }
            }
            // Those that are done are let go of; reading and writing stay.
            _ = worker.errands.join_next(), if worker.errands.len() > 2 => {}
            _ = look.tick() => if link.is_stuck() {
                tracing::error!(desktop = %task.desktop, "A process of files does not answer: it is ended");
                break Some("their process no longer answered");
            },
        }
    };
    link.close(why.unwrap_or("they were closed"));
    let Worker { mut child, mut errands, to, from, .. } = worker;
    if why.is_some() {
        child.start_kill().ok();
    }
    errands.abort_all();
    drop((to, from));
    // It hangs up on its machine, and ends.
    if timeout(STUCK_TIME_MAX / 10, child.wait()).await.is_err() {
        child.kill().await.ok();
    }
}

struct Waiting {
    since: Instant,
    /// Whether an answer that nobody waits for any more leaves a transfer open.
    opens: bool,
    answer: oneshot::Sender<Answered>,
}

struct Reading {
    chunks: mpsc::Sender<Result<Bytes, FilesError>>,
    /// Bytes that may still come.
    room: usize,
}

struct Writing {
    room: Arc<Semaphore>,
    /// Bytes that are on their way.
    lent: usize,
}

#[derive(Default)]
struct Table {
    closed: Option<&'static str>,
    waiting: HashMap<u64, Waiting>,
    reading: HashMap<u64, Reading>,
    writing: HashMap<u64, Writing>,
}

/// What both a session and its transfers use of the worker.
pub(super) struct Link {
    /// Of the worker, whose frames end with it.
    to: mpsc::WeakSender<Frame>,
    table: Mutex<Table>,
    next: AtomicU64,
    end: watch::Sender<bool>,
}

/// A question that the worker has not been sent yet. Whoever asks may go away before; it will then never be answered, and must not be
/// taken for one that a stuck worker owes.
struct Unsent<'a> {
    link: &'a Link,
    question: u64,
    sent: bool,
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        if !self.sent {
            self.link.table().waiting.remove(&self.question);
        }
    }
}

fn broken(why: &str) -> FilesError {
    FilesError::Broken(why.to_owned())
}

impl Link {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn why(&self) -> FilesError {
        broken(self.table().closed.unwrap_or("their process is gone"))
    }

    async fn send(&self, ask: Ask) -> Result<(), FilesError> {
        let to = self.to.upgrade().ok_or_else(|| self.why())?;
        to.send(ask.into()).await.map_err(|_| self.why())
    }

    async fn ask(&self, request: Request) -> Result<(u64, Answer), FilesError> {
        let question = self.next.fetch_add(1, Ordering::Relaxed);
        let opens = matches!(request, Request::Download { .. } | Request::Upload { .. });
        let (answer, answered) = oneshot::channel();
        {
            let mut table = self.table();
            if let Some(why) = table.closed {
                return Err(broken(why));
            }
            if table.waiting.len() >= QUESTIONS_MAX {
                return Err(FilesError::Busy(QUESTIONS_MAX));
            }
            table.waiting.insert(question, Waiting { since: Instant::now(), opens, answer });
        }
        let mut unsent = Unsent { link: self, question, sent: false };
        self.send(Ask::Request { question, request }).await?;
        unsent.sent = true;
        drop(unsent);
        Ok((question, answered.await.map_err(|_| self.why())??))
    }

    pub(super) fn heard(&self, told: Told) -> Result<(), TooMuch> {
        let mut table = self.table();
        match told {
            Told::Answer { question, answer } => {
                let Some(waiting) = table.waiting.remove(&question) else { return Ok(()) };
                let unwanted = waiting.answer.send(answer).is_err_and(|answer| answer.is_ok());
                drop(table);
                if unwanted && waiting.opens {
                    self.let_go(question);
                }
            }
            Told::Bytes { transfer, bytes } => {
                let Some(reading) = table.reading.get_mut(&transfer) else { return Ok(()) };
                reading.room = reading.room.checked_sub(bytes.len()).ok_or(TooMuch)?;
                if let Err(mpsc::error::TrySendError::Full(_)) = reading.chunks.try_send(Ok(bytes)) {
                    return Err(TooMuch);
                }
            }
            Told::Room { transfer, bytes } => {
                let Some(writing) = table.writing.get_mut(&transfer) else { return Ok(()) };
                let bytes = usize::try_from(bytes).map_err(|_| TooMuch)?;
                writing.lent = writing.lent.checked_sub(bytes).ok_or(TooMuch)?;
                writing.room.add_permits(bytes);
            }
            Told::End { transfer, error } => {
                if let Some(reading) = table.reading.remove(&transfer)
                    && let Some(error) = error
                {
                    reading.chunks.try_send(Err(error)).ok();
                } else if let Some(writing) = table.writing.get(&transfer) {
                    // What it was is said when it is settled.
                    writing.room.close();
                }
            }
        }
        Ok(())
    }

    /// A transfer is nobody's any more.
    fn let_go(&self, transfer: u64) {
        {
            let mut table = self.table();
            table.reading.remove(&transfer);
            table.writing.remove(&transfer);
            if table.closed.is_some() {
                return;
            }
        }
        let Some(to) = self.to.upgrade() else { return };
        if let Err(mpsc::error::TrySendError::Full(frame)) = to.try_send(Ask::Drop { transfer }.into())
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { to.send(frame).await.ok() });
        }
    }

    fn is_stuck(&self) -> bool {
        self.table().waiting.values().any(|waiting| waiting.since.elapsed() > ANSWER_TIME_MAX)
    }

    /// Everything that waits hears that it is over.
    pub(super) fn close(&self, why: &'static str) {
        let mut table = self.table();
        table.closed.get_or_insert(why);
        table.waiting.clear();
        for (_, reading) in table.reading.drain() {
            reading.chunks.try_send(Err(broken(why))).ok();
        }
        for (_, writing) in table.writing.drain() {
            writing.room.close();
        }
    }
}

fn astray<T>() -> Result<T, FilesError> {
    Err(broken("their process answered something else"))
}

fn text(path: &RemotePath) -> String {
    path.as_str().to_owned()
}

impl FarFiles {
    pub fn root(&self) -> &str {
        &self.root
    }

    pub fn is_closed(&self) -> bool {
        self.link.table().closed.is_some()
    }

    /// Ends the process, and every transfer.
    pub fn close(&self) {
        self.link.close("they were ended");
        self.link.end.send_replace(true);
    }

    async fn done(&self, request: Request) -> Result<(), FilesError> {
        match self.link.ask(request).await? {
            (_, Answer::Done) => Ok(()),
            _ => astray(),
        }
    }

    pub async fn list(&self, path: &RemotePath) -> Result<Listing, FilesError> {
        match self.link.ask(Request::List { path: text(path) }).await? {
            (_, Answer::Listing(listing)) => Ok(listing),
            _ => astray(),
        }
    }

    pub async fn stat(&self, path: &RemotePath) -> Result<Entry, FilesError> {
        match self.link.ask(Request::Stat { path: text(path) }).await? {
            (_, Answer::Entry(entry)) => Ok(entry),
            _ => astray(),
        }
    }

    pub async fn rename(&self, from: &RemotePath, to: &RemotePath, replace: bool) -> Result<(), FilesError> {
        self.done(Request::Rename { from: text(from), to: text(to), replace }).await
    }

    pub async fn make_folder(&self, path: &RemotePath) -> Result<(), FilesError> {
        self.done(Request::MakeFolder { path: text(path) }).await
    }

    pub async fn remove(&self, path: &RemotePath) -> Result<(), FilesError> {
        self.done(Request::Remove { path: text(path) }).await
    }

    pub async fn uploaded(&self, path: &RemotePath, tag: &str) -> Result<u64, FilesError> {
        match self.link.ask(Request::Uploaded { path: text(path), tag: tag.to_owned() }).await? {
            (_, Answer::At(at)) => Ok(at),
            _ => astray(),
        }
    }

    pub async fn abandon(&self, path: &RemotePath, tag: &str) -> Result<(), FilesError> {
        self.done(Request::Abandon { path: text(path), tag: tag.to_owned() }).await
    }

    pub async fn download(self: &Arc<Self>, path: &RemotePath) -> Result<FarDownload, FilesError> {
        let (transfer, answer) = self.link.ask(Request::Download { path: text(path) }).await?;
        let transfer = Transfer { files: Arc::clone(self), number: transfer };
        let Answer::Entry(entry) = answer else { return astray() };
        let length = entry.size;
        Ok(FarDownload { transfer, entry, offset: 0, length })
    }

    pub async fn upload(
        self: &Arc<Self>,
        path: &RemotePath,
        tag: &str,
        offset: u64,
        replace: bool,
    ) -> Result<FarUpload, FilesError> {
        let request = Request::Upload { path: text(path), tag: tag.to_owned(), offset, replace };
        let (number, answer) = self.link.ask(request).await?;
        let transfer = Transfer { files: Arc::clone(self), number };
        let Answer::At(at) = answer else { return astray() };
        let room = Arc::new(Semaphore::new(WINDOW_BYTES));
        let mut table = self.link.table();
        if let Some(why) = table.closed {
            return Err(broken(why));
        }
        table.writing.insert(number, Writing { room: Arc::clone(&room), lent: 0 });
        drop(table);
        Ok(FarUpload { transfer, at, room, rest: Vec::new() })
    }
}

/// An open file on the machine; let go of when dropped.
struct Transfer {
    files: Arc<FarFiles>,
    number: u64,
}

impl Transfer {
    fn link(&self) -> &Link {
        &self.files.link
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.files.link.let_go(self.number);
    }
}

pub(crate) struct FarDownload {
    transfer: Transfer,
    entry: Entry,
    offset: u64,
    length: u64,
}

impl FarDownload {
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    pub const fn length(&self) -> u64 {
        self.length
    }

    pub fn part(self, offset: u64, length: u64) -> Self {
        let length = length.min(self.entry.size.saturating_sub(offset));
        Self { offset, length, ..self }
    }

    pub fn bytes(self) -> impl Stream<Item = Result<Bytes, FilesError>> + Send + 'static {
        let coming = Coming { left: self.length, offset: self.offset, transfer: self.transfer, chunks: None, taken: 0 };
        try_unfold(coming, |mut coming| async move {
            let next = coming.next().await?;
            Ok(next.map(|bytes| (bytes, coming)))
        })
    }
}

/// A download's bytes.
struct Coming {
    transfer: Transfer,
    chunks: Option<mpsc::Receiver<Result<Bytes, FilesError>>>,
    offset: u64,
    left: u64,
    /// Bytes that were taken since the worker was told of room.
    taken: usize,
}

impl Coming {
    async fn next(&mut self) -> Result<Option<Bytes>, FilesError> {
        if self.left == 0 {
            return Ok(None);
        }
        let number = self.transfer.number;
        let mut chunks = match self.chunks.take() {
            Some(chunks) => chunks,
            None => self.begin().await?,
        };
        let bytes = match timeout(SILENCE_TIME_MAX, chunks.recv()).await {
            Ok(Some(bytes)) => bytes?,
            Ok(None) => return Err(FilesError::Shrunk),
            Err(_) => return Err(broken("nothing came for a minute")),
        };
        self.chunks = Some(chunks);
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| broken("more came than there is"))?;
        self.taken += bytes.len();
        if self.taken >= WINDOW_BYTES / 4 {
            let taken = std::mem::take(&mut self.taken);
            let link = self.transfer.link();
            if let Some(reading) = link.table().reading.get_mut(&number) {
                reading.room += taken;
            }
            let room = Ask::Room { transfer: number, bytes: taken as u64 };
            // Who is gone needs no room; what is still here is handed out.
            link.send(room).await.ok();
        }
        Ok(Some(bytes))
    }

    async fn begin(&self) -> Result<mpsc::Receiver<Result<Bytes, FilesError>>, FilesError> {
        let number = self.transfer.number;
        let (sender, chunks) = mpsc::channel(CHUNKS_MAX);
        self.transfer.link().table().reading.insert(number, Reading { chunks: sender, room: WINDOW_BYTES });
        let request = Request::Read { transfer: number, offset: self.offset, length: self.left };
        self.transfer.files.done(request).await?;
        Ok(chunks)
    }
}

pub(crate) struct FarUpload {
    transfer: Transfer,
    at: u64,
    room: Arc<Semaphore>,
    /// What is less than a chunk so far.
    rest: Vec<u8>,
}

impl FarUpload {
    pub const fn at(&self) -> u64 {
        self.at
    }

    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), FilesError> {
        while !bytes.is_empty() {
            if self.rest.capacity() == 0 {
                self.rest.reserve_exact(CHUNK_BYTES_MAX);
            }
            let room = CHUNK_BYTES_MAX.saturating_sub(self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes.split_to(room));
            if self.rest.len() >= CHUNK_BYTES_MAX {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), FilesError> {
        let bytes = Bytes::from(std::mem::take(&mut self.rest));
        let (link, number) = (self.transfer.link(), self.transfer.number);
        let room = timeout(SILENCE_TIME_MAX, self.room.acquire_many(bytes.len() as u32)).await;
        let room = room.map_err(|_| broken("nothing was taken for a minute"))?.map_err(|_| link.why())?;
        room.forget();
        if let Some(writing) = link.table().writing.get_mut(&number) {
            writing.lent += bytes.len();
        }
        self.at += bytes.len() as u64;
        link.send(Ask::Bytes { transfer: number, bytes }).await
    }

    pub async fn settle(&mut self) -> Result<(), FilesError> {
        if !self.rest.is_empty() {
            // A machine that takes no more says why below.
            self.send().await.ok();
        }
        match self.transfer.link().ask(Request::Settle { transfer: self.transfer.number }).await? {
            (_, Answer::Settled { at, error }) => {
                self.at = at;
                error.map_or(Ok(()), Err)
            }
            _ => astray(),
        }
    }

    pub async fn complete(mut self) -> Result<(), FilesError> {
        self.settle().await?;
        self.transfer.files.done(Request::Complete { transfer: self.transfer.number }).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_that_was_not_sent_is_not_waited_for() {
        let (to, mut asked) = mpsc::channel(1);
        let (end, _) = watch::channel(false);
        let link = Link { to: to.downgrade(), table: Mutex::default(), next: AtomicU64::new(OPENING + 1), end };
        let brief = Duration::from_millis(20);
        // The first fills the queue and is answered some day; the second is given up before there is room for it.
        assert!(timeout(brief, link.ask(Request::List { path: String::new() })).await.is_err());
        assert!(timeout(brief, link.ask(Request::List { path: String::new() })).await.is_err());
        assert_eq!(link.table().waiting.len(), 1);
        asked.recv().await.unwrap();
        assert!(asked.try_recv().is_err());
        // Nobody is there to ask.
        drop(asked);
        assert!(link.ask(Request::List { path: String::new() }).await.is_err());
        assert_eq!(link.table().waiting.len(), 1);
    }
}
