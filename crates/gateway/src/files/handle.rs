//! One person's files on one machine, wherever their bytes are parsed: in this process (tests, benchmarks) or in a worker.

use super::drive::{DriveDownload, DriveFiles, DriveUpload};
use crate::worker::{FarDownload, FarFiles, FarUpload};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, future::Either};
use oriel_rdp::drive::Drive;
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
    /// The folder of an RDP session in this process.
    Drive(DriveFiles),
}

/// All places have the same deeds; on a drive none has to wait.
macro_rules! either {
    ($self:expr, $files:ident => $deed:ident($($with:expr),*)) => {
        match &$self.at {
            Place::Here($files) => $files.$deed($($with),*).await,
            Place::Worker($files) => $files.$deed($($with),*).await,
            Place::Drive($files) => $files.$deed($($with),*),
        }
    };
}

impl Files {
    pub(crate) fn here(files: Arc<files::Files>) -> Self {
        Self::of(Place::Here(files), TRANSFERS_MAX)
    }

    pub(crate) fn in_worker(files: Arc<FarFiles>) -> Self {
        Self::of(Place::Worker(files), TRANSFERS_MAX)
    }

    pub(crate) fn drive(drive: Drive) -> Self {
        Self::of(Place::Drive(DriveFiles::new(drive)), TRANSFERS_MAX)
    }

    /// Where another process counts the transfers: what ended there may not have ended here yet.
    pub(crate) fn counted_elsewhere(self) -> Self {
        Self::of(self.at, 2 * TRANSFERS_MAX)
    }

    fn of(at: Place, transfers: usize) -> Self {
        Self { at, transfers: Arc::new(Semaphore::new(transfers)) }
    }

    /// The folder that nobody leaves, as the machine knows it.
    pub fn root(&self) -> &str {
        match &self.at {
            Place::Here(files) => files.root(),
            Place::Worker(files) => files.root(),
            Place::Drive(files) => files.root(),
        }
    }

    pub fn is_closed(&self) -> bool {
        match &self.at {
            Place::Here(files) => files.is_closed(),
            Place::Worker(files) => files.is_closed(),
            // It is there as long as somebody holds it.
            Place::Drive(_) => false,
        }
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
            Place::Drive(_) => {}
        }
    }

    pub async fn list(&self, path: &RemotePath) -> Result<Listing, FilesError> {
        either!(self, files => list(path))
    }

    pub async fn stat(&self, path: &RemotePath) -> Result<Entry, FilesError> {
        either!(self, files => stat(path))
    }

    pub async fn rename(&self, from: &RemotePath, to: &RemotePath, replace: bool) -> Result<(), FilesError> {
        either!(self, files => rename(from, to, replace))
    }

    pub async fn make_folder(&self, path: &RemotePath) -> Result<(), FilesError> {
        either!(self, files => make_folder(path))
    }

    pub async fn remove(&self, path: &RemotePath) -> Result<(), FilesError> {
        either!(self, files => remove(path))
    }

    pub async fn uploaded(&self, path: &RemotePath, tag: &str) -> Result<u64, FilesError> {
        either!(self, files => uploaded(path, tag))
    }

    pub async fn abandon(&self, path: &RemotePath, tag: &str) -> Result<(), FilesError> {
        either!(self, files => abandon(path, tag))
    }

    fn room(&self) -> Result<OwnedSemaphorePermit, FilesError> {
        Arc::clone(&self.transfers).try_acquire_owned().map_err(|_| FilesError::Busy(TRANSFERS_MAX))
    }

    pub async fn download(&self, path: &RemotePath) -> Result<Download, FilesError> {
        let room = self.room()?;
        let from = match &self.at {
            Place::Here(files) => Reading::Here(files.download(path).await?),
            Place::Worker(files) => Reading::Worker(files.download(path).await?),
            Place::Drive(files) => Reading::Drive(files.download(path)?),
        };
        Ok(Download { from, room })
    }

    /// A file that is there is only replaced when asked to.
    pub async fn upload(&self, path: &RemotePath, tag: &str, offset: u64, replace: bool) -> Result<Upload, FilesError> {
        let room = self.room()?;
        let to = match &self.at {
            Place::Here(files) => Writing::Here(files.upload(path, tag, offset, replace).await?),
            Place::Worker(files) => Writing::Worker(files.upload(path, tag, offset, replace).await?),
            Place::Drive(files) => Writing::Drive(files.upload(path, tag, offset, replace)?),
        };
        Ok(Upload { to, _room: room })
    }
}

/// A file that is open for reading.
pub struct Download {
    from: Reading,
    room: OwnedSemaphorePermit,
}

enum Reading {
    Here(files::Download),
    Worker(FarDownload),
    Drive(DriveDownload),
}

impl Download {
    /// The whole file.
    pub const fn entry(&self) -> &Entry {
        match &self.from {
            Reading::Here(file) => file.entry(),
            Reading::Worker(file) => file.entry(),
            Reading::Drive(file) => file.entry(),
        }
    }

    /// Bytes that will come.
    pub const fn length(&self) -> u64 {
        match &self.from {
            Reading::Here(file) => file.length(),
            Reading::Worker(file) => file.length(),
            Reading::Drive(file) => file.length(),
        }
    }

    /// Of the file, only what there is of `length` bytes from `offset` on.
    #[must_use]
    pub fn part(self, offset: u64, length: u64) -> Self {
        let from = match self.from {
            Reading::Here(file) => Reading::Here(file.part(offset, length)),
            Reading::Worker(file) => Reading::Worker(file.part(offset, length)),
            Reading::Drive(file) => Reading::Drive(file.part(offset, length)),
        };
        Self { from, ..self }
    }

    pub fn bytes(self) -> impl Stream<Item = Result<Bytes, FilesError>> + Send + 'static {
        let Self { from, room } = self;
        let bytes = match from {
            Reading::Here(file) => Either::Left(file.bytes()),
            Reading::Worker(file) => Either::Right(Either::Left(file.bytes())),
            Reading::Drive(file) => Either::Right(Either::Right(file.bytes())),
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
    to: Writing,
    _room: OwnedSemaphorePermit,
}

enum Writing {
    Here(files::Upload),
    Worker(FarUpload),
    Drive(DriveUpload),
}

impl Upload {
    /// Where the next byte goes once this has settled.
    pub const fn at(&self) -> u64 {
        match &self.to {
            Writing::Here(file) => file.at(),
            Writing::Worker(file) => file.at(),
            Writing::Drive(file) => file.at(),
        }
    }

    /// Appends. Waits while too much is on the way.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), FilesError> {
        match &mut self.to {
            Writing::Here(file) => file.write(bytes).await,
            Writing::Worker(file) => file.write(bytes).await,
            Writing::Drive(file) => file.write(&bytes),
        }
    }

    /// Waits for all that is on the way. After a failure the part ends where its first hole is, so that it can be continued.
    pub async fn settle(&mut self) -> Result<(), FilesError> {
        match &mut self.to {
            Writing::Here(file) => file.settle().await,
            Writing::Worker(file) => file.settle().await,
            // Nothing is ever on the way.
            Writing::Drive(_) => Ok(()),
        }
    }

    /// Puts the file in its place: it is whole. What is there is replaced where that was asked for.
    pub async fn complete(self) -> Result<(), FilesError> {
        match self.to {
            Writing::Here(file) => file.complete().await,
            Writing::Worker(file) => file.complete().await,
            Writing::Drive(file) => file.complete(),
        }
    }
}
