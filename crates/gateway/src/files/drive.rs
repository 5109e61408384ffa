//! The folder of an RDP session, which its machine sees as a drive: the same deeds as on the files of a machine with SSH. It is memory of
//! whichever process has the session, and gone with it.

use super::handle::Files;
use bytes::Bytes;
use futures::Stream;
use futures::stream::unfold;
use oriel_rdp::drive::{DRIVE_BYTES_MAX, DRIVE_LABEL, Drive, DriveEntry, DriveError, Folder, MachineSide, Print};
use oriel_screen::wire::ServerRecord;
use oriel_terminal::FilesError;
use oriel_terminal::files::{Entry, EntryKind, Listing, RemotePath};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of one piece of a download.
const PIECE_BYTES: usize = 64 << 10;
/// Longest tag of an upload.
const TAG_CHARS_MAX: usize = 32;

/// A session's folder, and how it is reached from the server's process.
pub(crate) struct DrivePlace {
    /// That of this process.
    pub drive: Drive,
    files: OnceLock<Arc<Files>>,
}

impl Default for DrivePlace {
    fn default() -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { drive: Drive::new(Arc::new(now)), files: OnceLock::new() }
    }
}

impl DrivePlace {
    /// The folder in this process.
    pub fn here(&self) -> Arc<Files> {
        Arc::clone(self.files.get_or_init(|| Arc::new(Files::drive(self.drive.clone()))))
    }

    /// That of the session's own process.
    pub fn elsewhere(&self, files: Files) {
        self.files.set(Arc::new(files)).ok();
    }

    /// What the machine has printed since this was asked, as the person's viewer is told.
    pub fn prints(&self) -> Vec<ServerRecord> {
        let prints = self.drive.lock().take_prints();
        prints.into_iter().map(|Print { name, size }| ServerRecord::Printed { name, size }).collect()
    }

    /// `None` until it is known where it is.
    pub fn anywhere(&self) -> Option<Arc<Files>> {
        self.files.get().cloned()
    }
}

/// What the panel calls the folder.
pub(crate) fn root() -> String {
    format!("/{DRIVE_LABEL}")
}

/// A name of the person's, where it means anything.
fn error(error: DriveError, path: &RemotePath) -> FilesError {
    let path = || path.as_str().to_owned();
    match error {
        DriveError::Full => FilesError::Full { mib: DRIVE_BYTES_MAX >> 20 },
        DriveError::Name => FilesError::BadPath {
            path: path(),
            why: "a drive takes no names that end with a dot or a space, nor with any of : * ? \" < > | \\".into(),
        },
        DriveError::Missing => FilesError::Missing,
        DriveError::Exists => FilesError::Exists { path: path() },
        DriveError::Folder => FilesError::Folder { path: path() },
        DriveError::File => FilesError::NotAFile { path: path() },
        DriveError::NotEmpty => FilesError::NotEmpty,
        DriveError::PrintFolder => FilesError::Failed(error.to_string()),
        DriveError::Gap(there) => FilesError::Gap { there },
    }
}

fn entry(found: DriveEntry) -> Entry {
    let kind = if found.is_folder { EntryKind::Folder } else { EntryKind::File };
    let modified = u32::try_from(found.modified).ok();
    Entry { name: found.name, kind, size: found.size, modified, mode: None }
}

/// The folder's deeds.
pub(crate) struct DriveFiles {
    drive: Drive,
    root: String,
}

impl DriveFiles {
    pub fn new(drive: Drive) -> Self {
        Self { drive, root: root() }
    }

    pub fn root(&self) -> &str {
        &self.root
    }

    /// Does something, where the machine knows of the folder: files that go nowhere would be lost.
    fn with<T>(
        &self,
        path: &RemotePath,
        deed: impl FnOnce(&mut Folder) -> Result<T, DriveError>,
    ) -> Result<T, FilesError> {
        let mut folder = self.drive.lock();
        match folder.machine {
            MachineSide::Connected => deed(&mut folder).map_err(|why| error(why, path)),
            MachineSide::Unknown => Err(FilesError::NotThere(
                "the machine has not connected the session's drive, which takes a moment after signing in; if it stays so, \
                 drives are turned off there"
                    .into(),
            )),
            MachineSide::Refused => Err(FilesError::NotThere(
                "the machine refuses drives; ask its administrator to allow drive redirection".into(),
            )),
        }
    }

    pub fn list(&self, path: &RemotePath) -> Result<Listing, FilesError> {
        let entries = self.with(path, |folder| folder.list(path.as_str()))?;
        Ok(Listing { entries: entries.into_iter().map(entry).collect(), cut: false })
    }

    pub fn stat(&self, path: &RemotePath) -> Result<Entry, FilesError> {
        self.with(path, |folder| folder.stat(path.as_str())).map(entry)
    }

    pub fn rename(&self, from: &RemotePath, to: &RemotePath, replace: bool) -> Result<(), FilesError> {
        self.with(to, |folder| folder.rename(from.as_str(), to.as_str(), replace))
    }

    pub fn make_folder(&self, path: &RemotePath) -> Result<(), FilesError> {
        self.with(path, |folder| folder.make_folder(path.as_str()))
    }

    pub fn remove(&self, path: &RemotePath) -> Result<(), FilesError> {
        self.with(path, |folder| folder.remove(path.as_str()))
    }

    pub fn uploaded(&self, path: &RemotePath, tag: &str) -> Result<u64, FilesError> {
        check(tag)?;
        self.with(path, |folder| Ok(folder.uploaded(path.as_str(), tag)))
    }

    pub fn abandon(&self, path: &RemotePath, tag: &str) -> Result<(), FilesError> {
        check(tag)?;
        self.drive.lock().abandon_upload(path.as_str(), tag);
        Ok(())
    }

    pub fn download(&self, path: &RemotePath) -> Result<DriveDownload, FilesError> {
        let found = self.with(path, |folder| folder.stat(path.as_str()))?;
        if found.is_folder {
            return Err(FilesError::NotAFile { path: path.as_str().to_owned() });
        }
        let length = found.size;
        Ok(DriveDownload { drive: self.drive.clone(), entry: entry(found.clone()), found, offset: 0, length })
    }

    pub fn upload(&self, path: &RemotePath, tag: &str, offset: u64, replace: bool) -> Result<DriveUpload, FilesError> {
        check(tag)?;
        self.with(path, |folder| folder.begin_upload(path.as_str(), tag, offset, replace))?;
        Ok(DriveUpload { drive: self.drive.clone(), path: path.clone(), tag: tag.to_owned(), at: offset, replace })
    }
}

fn check(tag: &str) -> Result<(), FilesError> {
    let fits = !tag.is_empty() && tag.len() <= TAG_CHARS_MAX && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let why = "an upload's tag has 1 to 32 letters and digits";
    if fits { Ok(()) } else { Err(FilesError::BadPath { path: String::new(), why: why.into() }) }
}

/// A file that is being read. The machine may change it meanwhile; one that shrinks is an error.
pub(crate) struct DriveDownload {
    drive: Drive,
    entry: Entry,
    found: DriveEntry,
    offset: u64,
    length: u64,
}

impl DriveDownload {
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
        unfold(Some(self), |reading| async move {
            let mut file = reading.filter(|file| file.length > 0)?;
            let wanted = PIECE_BYTES.min(usize::try_from(file.length).unwrap_or(usize::MAX));
            let read = file.drive.lock().bytes(&file.found, file.offset, wanted);
            match read {
                Ok(piece) if piece.len() == wanted => {
                    file.offset += wanted as u64;
                    file.length -= wanted as u64;
                    Some((Ok(Bytes::from(piece)), Some(file)))
                }
                _ => Some((Err(FilesError::Shrunk), None)),
            }
        })
    }
}

/// A file that is being written.
pub(crate) struct DriveUpload {
    drive: Drive,
    path: RemotePath,
    tag: String,
    at: u64,
    replace: bool,
}

impl DriveUpload {
    pub const fn at(&self) -> u64 {
        self.at
    }

    pub fn write(&mut self, bytes: &Bytes) -> Result<(), FilesError> {
        let written = self.drive.lock().upload(self.path.as_str(), &self.tag, self.at, bytes);
        written.map_err(|why| error(why, &self.path))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub fn complete(self) -> Result<(), FilesError> {
        let put = self.drive.lock().complete_upload(self.path.as_str(), &self.tag, self.at, self.replace);
        put.map_err(|why| error(why, &self.path))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use futures::StreamExt as _;

    fn at(path: &str) -> RemotePath {
        RemotePath::parse(path).unwrap()
    }

    #[tokio::test]
    async fn files_go_in_and_out_once_the_machine_has_connected() {
        let place = DrivePlace::default();
        let files = place.here();
        let refused = files.list(&at("")).await.unwrap_err();
        assert!(matches!(refused, FilesError::NotThere(_)), "{refused}");
        place.drive.lock().machine = MachineSide::Connected;
        let bytes: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        files.make_folder(&at("a b")).await.unwrap();
        let path = at("a b/größe.bin");
        let mut upload = files.upload(&path, "t1", 0, false).await.unwrap();
        upload.write(Bytes::copy_from_slice(&bytes[..300_001])).await.unwrap();
        upload.settle().await.unwrap();
        drop(upload);
        // Cut off, and gone on with.
        assert_eq!(files.uploaded(&path, "t1").await.unwrap(), 300_001);
        assert!(files.list(&at("a b")).await.unwrap().entries.is_empty());
        assert!(matches!(files.upload(&path, "t1", 300_002, false).await, Err(FilesError::Gap { there: 300_001 })));
        let mut upload = files.upload(&path, "t1", 300_000, false).await.unwrap();
        upload.write(Bytes::copy_from_slice(&bytes[300_000..])).await.unwrap();
        upload.settle().await.unwrap();
        upload.complete().await.unwrap();
        assert!(matches!(files.upload(&path, "t2", 0, false).await, Err(FilesError::Exists { .. })));
        let whole = files.download(&path).await.unwrap();
        assert_eq!(whole.length(), bytes.len() as u64);
        let pieces: Vec<_> = whole.part(5, 700_000).bytes().collect().await;
        let read: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap()).collect();
        assert_eq!(read, bytes[5..700_005]);
        assert!(matches!(files.remove(&at("a b")).await, Err(FilesError::NotEmpty)));
        files.rename(&path, &at("b"), false).await.unwrap();
        files.remove(&at("a b")).await.unwrap();
        assert_eq!(files.list(&at("")).await.unwrap().entries.len(), 1);
        assert!(files.upload(&at("c:x"), "t3", 0, false).await.is_err());
    }
}
