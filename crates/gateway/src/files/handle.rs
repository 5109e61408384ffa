//! One person's files on one machine, wherever their bytes are parsed: in this process (tests, benchmarks) or in a worker.

use crate::worker::{FarDownload, FarFiles, FarUpload};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, future::Either};
use oriel_terminal::FilesError;
use oriel_terminal::files::RemotePath;
use oriel_terminal::files::{self, Entry, Listing};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most transfers of one person with one machine at a time.
pub const TRANSFERS_MAX: usize = 16;

/// Files of a machine. What is done with them is `oriel_terminal::Files`'s.
pub struct Files {
    at: Place,
    transfers: Arc<Semaphore>,
}

enum Place {
    Here(Arc<files::Files>),
    Worker(Arc<FarFiles>),
}

/// Both places have the same deeds.
macro_rules! either {
    ($self:expr, $files:ident => $deed:expr) => {
        match &$self.at {
            Place::Here($files) => $deed,
            Place::Worker($files) => $deed,
        }
    };
}

impl Files {
    pub(crate) fn here(files: Arc<files::Files>) -> Self {
        Self { at: Place::Here(files), transfers: Arc::new(Semaphore::new(TRANSFERS_MAX)) }
    }

    pub(crate) fn in_worker(files: Arc<FarFiles>) -> Self {
        Self { at: Place::Worker(files), transfers: Arc::new(Semaphore::new(TRANSFERS_MAX)) }
    }

    /// The folder that nobody leaves, as the machine knows it.
    pub fn root(&self) -> &str {
        either!(self, files => files.root())
    }

    pub fn is_closed(&self) -> bool {
        either!(self, files => files.is_closed())
    }

    /// Nothing is being transferred.
    pub(crate) fn is_idle(&self) -> bool {
        self.transfers.available_permits() == TRANSFERS_MAX
    }

    /// Ends every transfer, too.
    pub async fn close(&self) {
        match &self.at {
            Place::Here(files) => files.close().await,
            Place::Worker(files) => files.close(),
        }
    }

    pub async fn list(&self, path: &RemotePath) -> Result<Listing, FilesError> {
        either!(self, files => files.list(path).await)
    }

    pub async fn stat(&self, path: &RemotePath) -> Result<Entry, FilesError> {
        either!(self, files => files.stat(path).await)
    }

    pub async fn rename(&self, from: &RemotePath, to: &RemotePath, replace: bool) -> Result<(), FilesError> {
        either!(self, files => files.rename(from, to, replace).await)
    }

    pub async fn make_folder(&self, path: &RemotePath) -> Result<(), FilesError> {
        either!(self, files => files.make_folder(path).await)
    }

    pub async fn remove(&self, path: &RemotePath) -> Result<(), FilesError> {
        either!(self, files => files.remove(path).await)
    }

    pub async fn uploaded(&self, path: &RemotePath, tag: &str) -> Result<u64, FilesError> {
        either!(self, files => files.uploaded(path, tag).await)
    }

    pub async fn abandon(&self, path: &RemotePath, tag: &str) -> Result<(), FilesError> {
        either!(self, files => files.abandon(path, tag).await)
    }

    fn room(&self) -> Result<OwnedSemaphorePermit, FilesError> {
        Arc::clone(&self.transfers).try_acquire_owned().map_err(|_| FilesError::Busy(TRANSFERS_MAX))
    }

    pub async fn download(&self, path: &RemotePath) -> Result<Download, FilesError> {
        let room = self.room()?;
        let from = match &self.at {
            Place::Here(files) => Either::Left(files.download(path).await?),
            Place::Worker(files) => Either::Right(files.download(path).await?),
        };
        Ok(Download { from, room })
    }

    /// A file that is there is only replaced when asked to.
    pub async fn upload(&self, path: &RemotePath, tag: &str, offset: u64, replace: bool) -> Result<Upload, FilesError> {
        let room = self.room()?;
        let to = match &self.at {
            Place::Here(files) => Either::Left(files.upload(path, tag, offset, replace).await?),
            Place::Worker(files) => Either::Right(files.upload(path, tag, offset, replace).await?),
        };
        Ok(Upload { to, _room: room })
    }
}

/// A file that is open for reading.
pub struct Download {
    from: Either<files::Download, FarDownload>,
    room: OwnedSemaphorePermit,
}

impl Download {
    /// The whole file.
    pub const fn entry(&self) -> &Entry {
        match &self.from {
            Either::Left(file) => file.entry(),
            Either::Right(file) => file.entry(),
        }
    }

    /// Bytes that will come.
    pub const fn length(&self) -> u64 {
        match &self.from {
            Either::Left(file) => file.length(),
            Either::Right(file) => file.length(),
        }
    }

    /// Of the file, only what there is of `length` bytes from `offset` on.
    #[must_use]
    pub fn part(self, offset: u64, length: u64) -> Self {
        let from = match self.from {
            Either::Left(file) => Either::Left(file.part(offset, length)),
            Either::Right(file) => Either::Right(file.part(offset, length)),
        };
        Self { from, ..self }
    }

    pub fn bytes(self) -> impl Stream<Item = Result<Bytes, FilesError>> + Send + 'static {
        let Self { from, room } = self;
        let bytes = match from {
            Either::Left(file) => Either::Left(file.bytes()),
            Either::Right(file) => Either::Right(file.bytes()),
        };
        bytes.map(move |piece| {
            // Its place is taken until the last byte is out.
            let _ = &room;
            piece
        })
    }
}

/// A file that is being written.
pub struct Upload {
    to: Either<files::Upload, FarUpload>,
    _room: OwnedSemaphorePermit,
}

impl Upload {
    /// Where the next byte goes once this has settled.
    pub const fn at(&self) -> u64 {
        match &self.to {
            Either::Left(file) => file.at(),
            Either::Right(file) => file.at(),
        }
    }

    /// Appends. Waits while too much is on the way.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), FilesError> {
        match &mut self.to {
            Either::Left(file) => file.write(bytes).await,
            Either::Right(file) => file.write(bytes).await,
        }
    }

    /// Waits for all that is on the way. After a failure the part ends where its first hole is, so that it can be continued.
    pub async fn settle(&mut self) -> Result<(), FilesError> {
        match &mut self.to {
            Either::Left(file) => file.settle().await,
            Either::Right(file) => file.settle().await,
        }
    }

    /// Puts the file in its place: it is whole. What is there is replaced where that was asked for.
    pub async fn complete(self) -> Result<(), FilesError> {
        match self.to {
            Either::Left(file) => file.complete().await,
            Either::Right(file) => file.complete().await,
        }
    }
}
