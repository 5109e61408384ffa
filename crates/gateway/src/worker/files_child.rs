//! The worker's side of files: one SFTP session or one session's drive, its deeds and its transfers.

use super::files::{Answer, Answered, Ask, OPENING, Request, Told, WINDOW_BYTES, path};
use super::wire::Frame;
use crate::connect::Door;
use crate::files::{Download, Files, Upload, reach};
use bytes::Bytes;
use futures::StreamExt as _;
use oriel_terminal::FilesError;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::interval;

/// What an upload's task may have before it: the window's chunks, and what is asked of it.
const WORKS_MAX: usize = 32;
/// How often it is looked whether the machine is still there.
const LOOK_TIME: Duration = Duration::from_secs(2);

/// Signs in, and serves.
pub(super) async fn open(door: Door, to: mpsc::Sender<Frame>, asks: mpsc::Receiver<Ask>) {
    let tell = |told: Told| to.send(told.into());
    let files = match reach(door.dialler, door.desktop).await {
        Ok(files) => Arc::new(Files::here(files).counted_elsewhere()),
        Err(error) => return drop(tell(Told::Answer { question: OPENING, answer: Err(error) }).await),
    };
    let opened = Answer::Opened { root: files.root().to_owned() };
    tell(Told::Answer { question: OPENING, answer: Ok(opened) }).await.ok();
    serve(files, to, asks).await;
}

/// Serves until the server's process hangs up or the machine does.
pub(super) async fn serve(files: Arc<Files>, to: mpsc::Sender<Frame>, mut asks: mpsc::Receiver<Ask>) {
    let desk = Arc::new(Desk { files, to: to.clone(), transfers: Mutex::default() });
    let mut errands = JoinSet::new();
    let mut look = interval(LOOK_TIME);
    loop {
        tokio::select! {
            ask = asks.recv() => match ask {
                Some(ask) => desk.take(ask, &mut errands),
                None => break,
            },
            // One of them may have found that the file service is gone. At once: until this ends, the server's process asks it again.
            _ = errands.join_next(), if !errands.is_empty() => if desk.files.is_closed() {
                break;
            },
            _ = look.tick() => if desk.files.is_closed() {
                break;
            },
        }
    }
    desk.files.close().await;
}

enum Transfer {
    Open(Download),
    /// Room for a download's bytes in the server's process.
    Reading(Arc<Semaphore>, AbortHandle),
    /// Ends when nothing more can be asked of it.
    Writing(mpsc::Sender<Work>),
}

impl Transfer {
    fn stop(self) {
        match self {
            Self::Open(_) | Self::Writing(_) => {}
            Self::Reading(_, task) => task.abort(),
        }
    }
}

/// What an upload is to do next.
enum Work {
    Bytes(Bytes),
    Settle { question: u64 },
    Complete { question: u64 },
}

struct Desk {
    files: Arc<Files>,
    to: mpsc::Sender<Frame>,
    transfers: Mutex<HashMap<u64, Transfer>>,
}

impl Desk {
    fn transfers(&self) -> MutexGuard<'_, HashMap<u64, Transfer>> {
        self.transfers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tell(&self, told: Told) {
        self.to.send(told.into()).await.ok();
    }

    /// Never waits: what takes time is an errand.
    fn take(self: &Arc<Self>, ask: Ask, errands: &mut JoinSet<()>) {
        match ask {
            Ask::Request { question, request } => match request {
                Request::Read { transfer, offset, length } => self.read(question, transfer, offset, length, errands),
                Request::Settle { transfer } => self.work(transfer, Work::Settle { question }, errands),
                Request::Complete { transfer } => self.work(transfer, Work::Complete { question }, errands),
                Request::Upload { path: to, tag, offset, replace } => {
                    let desk = Arc::clone(self);
                    let opening = async move { desk.files.upload(&path(&to)?, &tag, offset, replace).await };
                    self.upload(question, opening, errands);
                }
                other => {
                    let desk = Arc::clone(self);
                    errands.spawn(async move {
                        let answer = desk.answer(question, other).await;
                        desk.tell(Told::Answer { question, answer }).await;
                    });
                }
            },
            Ask::Bytes { transfer, bytes } => self.work(transfer, Work::Bytes(bytes), errands),
            Ask::Room { transfer, bytes } => {
                if let Some(Transfer::Reading(room, _)) = self.transfers().get(&transfer) {
                    room.add_permits(usize::try_from(bytes).unwrap_or(0).min(WINDOW_BYTES));
                }
            }
            Ask::Drop { transfer } => {
                let dropped = self.transfers().remove(&transfer);
                if let Some(dropped) = dropped {
                    dropped.stop();
                }
            }
        }
    }

    async fn answer(&self, question: u64, request: Request) -> Answered {
        let files = &self.files;
        Ok(match request {
            Request::List { path: of } => Answer::Listing(files.list(&path(&of)?).await?),
            Request::Stat { path: of } => Answer::Entry(files.stat(&path(&of)?).await?),
            Request::Rename { from, to, replace } => {
                files.rename(&path(&from)?, &path(&to)?, replace).await?;
                Answer::Done
            }
            Request::MakeFolder { path: at } => {
                files.make_folder(&path(&at)?).await?;
                Answer::Done
            }
            Request::Remove { path: of } => {
                files.remove(&path(&of)?).await?;
                Answer::Done
            }
            Request::Uploaded { path: of, tag } => Answer::At(files.uploaded(&path(&of)?, &tag).await?),
            Request::Abandon { path: of, tag } => {
                files.abandon(&path(&of)?, &tag).await?;
                Answer::Done
            }
            Request::Download { path: of } => {
                let download = files.download(&path(&of)?).await?;
                let entry = download.entry().clone();
                self.transfers().insert(question, Transfer::Open(download));
                Answer::Entry(entry)
            }
            Request::Read { .. } | Request::Upload { .. } | Request::Settle { .. } | Request::Complete { .. } => {
                return Err(gone());
            }
        })
    }

    fn read(self: &Arc<Self>, question: u64, transfer: u64, offset: u64, length: u64, errands: &mut JoinSet<()>) {
        let mut transfers = self.transfers();
        let Some(Transfer::Open(download)) = transfers.remove(&transfer) else {
            drop(transfers);
            return self.refuse(question, errands);
        };
        let (desk, room) = (Arc::clone(self), Arc::new(Semaphore::new(WINDOW_BYTES)));
        let space = Arc::clone(&room);
        let task = errands.spawn(async move {
            desk.tell(Told::Answer { question, answer: Ok(Answer::Done) }).await;
            let error = desk.send(transfer, download.part(offset, length), &space).await.err();
            desk.transfers().remove(&transfer);
            desk.tell(Told::End { transfer, error }).await;
        });
        transfers.insert(transfer, Transfer::Reading(room, task));
    }

    async fn send(&self, transfer: u64, download: Download, room: &Semaphore) -> Result<(), FilesError> {
        let mut pieces = pin!(download.bytes());
        while let Some(bytes) = pieces.next().await {
            let bytes = bytes?;
            let Ok(permit) = room.acquire_many(bytes.len() as u32).await else { return Ok(()) };
            permit.forget();
            self.tell(Told::Bytes { transfer, bytes }).await;
        }
        Ok(())
    }

    fn upload(
        self: &Arc<Self>,
        question: u64,
        opening: impl Future<Output = Result<Upload, FilesError>> + Send + 'static,
        errands: &mut JoinSet<()>,
    ) {
        let (works, inbox) = mpsc::channel(WORKS_MAX);
        let desk = Arc::clone(self);
        self.transfers().insert(question, Transfer::Writing(works));
        errands.spawn(async move {
            match opening.await {
                Ok(upload) => {
                    let answer = Ok(Answer::At(upload.at()));
                    desk.tell(Told::Answer { question, answer }).await;
                    desk.receive(question, upload, inbox).await;
                }
                Err(error) => desk.tell(Told::Answer { question, answer: Err(error) }).await,
            }
            desk.transfers().remove(&question);
        });
    }

    async fn receive(&self, transfer: u64, mut upload: Upload, mut inbox: mpsc::Receiver<Work>) {
        let mut failed: Option<FilesError> = None;
        while let Some(work) = inbox.recv().await {
            match work {
                Work::Bytes(bytes) => {
                    let count = bytes.len() as u64;
                    if failed.is_none()
                        && let Err(error) = upload.write(bytes).await
                    {
                        failed = Some(error);
                        self.tell(Told::End { transfer, error: None }).await;
                    }
                    self.tell(Told::Room { transfer, bytes: count }).await;
                }
                Work::Settle { question } => {
                    let settled = upload.settle().await;
                    let error = failed.take().or(settled.err()).map(FilesError::portable);
                    let answer = Ok(Answer::Settled { at: upload.at(), error });
                    self.tell(Told::Answer { question, answer }).await;
                }
                Work::Complete { question } => {
                    let answer = match failed {
                        Some(error) => Err(error),
                        None => upload.complete().await.map(|()| Answer::Done),
                    };
                    return self.tell(Told::Answer { question, answer }).await;
                }
            }
        }
        // Nobody wants it any more: what has arrived is settled all the same, so that it can be continued.
        upload.settle().await.ok();
    }

    fn work(self: &Arc<Self>, transfer: u64, work: Work, errands: &mut JoinSet<()>) {
        let question = match &work {
            Work::Bytes(_) => None,
            Work::Settle { question } | Work::Complete { question } => Some(*question),
        };
        let sent = match self.transfers().get(&transfer) {
            Some(Transfer::Writing(works)) => works.try_send(work).is_ok(),
            _ => false,
        };
        if let Some(question) = question.filter(|_| !sent) {
            self.refuse(question, errands);
        }
    }

    fn refuse(self: &Arc<Self>, question: u64, errands: &mut JoinSet<()>) {
        let desk = Arc::clone(self);
        errands.spawn(async move { desk.tell(Told::Answer { question, answer: Err(gone()) }).await });
    }
}

fn gone() -> FilesError {
    FilesError::Broken("there is no such transfer any more".into())
}
