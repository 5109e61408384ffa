//! Files of a remote machine over SFTP, below one folder.
//!
//! The folder keeps people where the program means them to be, links that lead out included. The boundary proper is the
//! account on the machine: whoever may open a shell there can do all that the account can.

mod download;
mod error;
mod path;
mod session;
mod upload;

pub use download::Download;
pub use error::FilesError;
pub use path::{NAME_BYTES_MAX, PATH_BYTES_MAX, RemotePath};
pub use upload::Upload;

use crate::ssh::FILES_WINDOW_BYTES;
use crate::{Connection, SeenKey, SshOptions, Stream, TerminalError};
use path::is_below;
use russh::ChannelMsg;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::rawsession::Limits;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::extensions;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use serde::{Deserialize, Serialize};
use session::Session;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Most entries of a folder that are listed.
pub const ENTRIES_MAX: usize = 10_000;
/// Longest names of a folder's entries, together.
pub const NAMES_BYTES_MAX: usize = 4 << 20;
/// Most entries of a folder that are no names: an honest server has two, and one that sends nothing else would never end.
const SKIPPED_MAX: usize = 1000;
/// Bytes of one read or write, and how many are on the way at a time: together the memory of one transfer.
const PIECE_BYTES_MAX: u32 = 64 << 10;
const PIECES_IN_FLIGHT_MAX: usize = 16;
/// How long the machine may take for one request.
const REQUEST_SECONDS_MAX: u64 = 30;
/// Permission bits of a file whose bytes are still coming: it may become one that only its account reads.
const PART_MODE: u32 = 0o600;
/// Of a new file, as most machines make them.
const NEW_MODE: u32 = 0o644;
/// Replaces what is there in one step, where the server can.
const POSIX_RENAME: &str = "posix-rename@openssh.com";

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    File,
    Folder,
    Link,
    /// Devices, pipes, sockets.
    Other,
}

/// One entry of a folder. The name is the machine's: whoever shows it escapes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub kind: EntryKind,
    pub size: u64,
    /// Seconds since 1970.
    pub modified: Option<u32>,
    /// Permission bits, as in `0o644`.
    pub mode: Option<u32>,
}

/// A folder's entries, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub entries: Vec<Entry>,
    /// There are more than `ENTRIES_MAX`, or their names are longer than `NAMES_BYTES_MAX` together.
    pub cut: bool,
}

/// An open SFTP session.
pub struct Files {
    session: Session,
    // Held so that the SSH connection lives as long as its files.
    connection: Connection,
    /// Absolute, without a slash at its end; empty for `/`.
    root: String,
    posix_rename: bool,
    piece_bytes: u32,
}

impl Files {
    /// Signs in over a stream and opens SFTP. `root` is an absolute path, or one in the account's home; `None` is the home.
    /// The caller bounds the time.
    pub async fn open<S>(stream: S, options: &SshOptions, root: Option<&str>) -> Result<Arc<Self>, FilesError>
    where
        S: Stream + 'static,
    {
        let connection = Connection::open(stream, options, FILES_WINDOW_BYTES).await?;
        let mut channel = connection.handle.channel_open_session().await.map_err(TerminalError::from)?;
        channel.request_subsystem(true, "sftp").await.map_err(TerminalError::from)?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure) => {
                    return Err(TerminalError::Refused { what: "file transfer (SFTP)" }.into());
                }
                Some(_) => {}
                None => return Err(TerminalError::Ended.into()),
            }
        }
        let config = Config {
            max_concurrent_reads: PIECES_IN_FLIGHT_MAX,
            max_concurrent_writes: PIECES_IN_FLIGHT_MAX,
            request_timeout_secs: REQUEST_SECONDS_MAX,
            ..Config::default()
        };
        let mut session = RawSftpSession::new_with_config(channel.into_stream(), config);
        let version = session.init().await?;
        let has = |name: &str, version_of: &str| version.extensions.get(name).is_some_and(|v| v == version_of);
        let mut piece_bytes = 32 << 10;
        if has(extensions::LIMITS, "1") {
            let limits = Limits::from(session.limits().await?);
            let least = [limits.read_len, limits.write_len].into_iter().flatten().min().unwrap_or(32 << 10);
            piece_bytes = least.clamp(1024, u64::from(PIECE_BYTES_MAX)) as u32;
            session.set_limits(limits);
        }
        let posix_rename = has(POSIX_RENAME, "1");
        let session = Session::new(session);
        let mut files = Self { session, connection, root: String::new(), posix_rename, piece_bytes };
        let root = files.real(root.unwrap_or(".")).await?;
        root.trim_end_matches('/').clone_into(&mut files.root);
        Ok(Arc::new(files))
    }

    /// As [`Connection::host_keys`].
    pub fn host_keys(&self) -> &[SeenKey] {
        self.connection.host_keys()
    }

    /// The file service may have ended while SSH lives: that is found by the first request after it.
    pub fn is_closed(&self) -> bool {
        self.session.has_ended() || self.connection.is_closed()
    }

    /// Ends the connection, and every transfer over it.
    pub async fn close(&self) {
        self.session.end();
        self.connection.close().await;
    }

    /// The folder that nobody leaves, as the machine knows it.
    pub fn root(&self) -> &str {
        if self.root.is_empty() { "/" } else { &self.root }
    }

    async fn real(&self, path: &str) -> Result<String, FilesError> {
        let name = self.session.realpath(path).await?;
        let resolved = name.files.into_iter().next().map(|file| file.filename);
        let resolved = resolved.filter(|path| path.starts_with('/'));
        let resolved = resolved.ok_or(FilesError::strange("it resolved a path to nothing"))?;
        // A link, or the root, may lead where a path cannot.
        if resolved.contains(char::REPLACEMENT_CHARACTER) {
            return Err(FilesError::bad_path(path.chars().take(200).collect::<String>(), path::NOT_UTF8));
        }
        Ok(resolved)
    }

    /// Where a path that exists leads, links followed; inside the root.
    async fn existing(&self, path: &RemotePath) -> Result<String, FilesError> {
        let resolved = self.real(&path.below(&self.root)).await?;
        if !is_below(&resolved, &self.root) {
            return Err(FilesError::Outside { path: path.as_str().to_owned() });
        }
        Ok(resolved)
    }

    /// The path of a name whose folder exists inside the root; the name itself is not followed.
    async fn placed(&self, path: &RemotePath) -> Result<String, FilesError> {
        let Some((folder, name)) = path.split() else {
            return Err(FilesError::bad_path("", "it is the root"));
        };
        let folder = self.existing(&folder).await?;
        Ok(format!("{}/{name}", folder.trim_end_matches('/')))
    }

    /// What is at a place, links not followed; `None` where nothing is.
    async fn found(&self, place: &str) -> Result<Option<FileAttributes>, FilesError> {
        match self.session.lstat(place).await {
            Ok(found) => Ok(Some(found.attrs)),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What an upload to a place takes the place of; an error where it must not.
    async fn replaced(&self, goal: &upload::Goal) -> Result<Option<FileAttributes>, FilesError> {
        let found = self.found(&goal.place).await?;
        match &found {
            Some(found) if kind(found) == EntryKind::Folder => Err(FilesError::Folder { path: goal.path.clone() }),
            Some(_) if !goal.replace => Err(FilesError::Exists { path: goal.path.clone() }),
            _ => Ok(found),
        }
    }

    /// Permission bits that an upload gets in its place: those of the file it replaces, and of a link those of its target.
    async fn mode(&self, goal: &upload::Goal, replaced: Option<FileAttributes>) -> u32 {
        let attributes = match replaced {
            Some(link) if kind(&link) == EntryKind::Link => {
                self.session.stat(goal.place.as_str()).await.ok().map(|target| target.attrs)
            }
            other => other,
        };
        let mode = attributes.filter(|found| kind(found) == EntryKind::File).and_then(|found| found.permissions);
        mode.map_or(NEW_MODE, |mode| mode & 0o777)
    }

    /// A folder's entries. Links are not followed.
    pub async fn list(&self, path: &RemotePath) -> Result<Listing, FilesError> {
        let folder = self.existing(path).await?;
        let handle = self.session.opendir(folder).await?.handle;
        let listing = self.entries(&handle).await;
        self.session.close(handle).await.ok();
        listing
    }

    async fn entries(&self, handle: &str) -> Result<Listing, FilesError> {
        let (mut entries, mut names, mut skipped, mut cut) = (Vec::new(), 0, 0, false);
        while !cut {
            let files = match self.session.readdir(handle).await {
                Ok(page) if page.files.is_empty() => break,
                Ok(page) => page.files,
                Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(error) => return Err(error.into()),
            };
            for file in files {
                if is_name(&file.filename) {
                    names += file.filename.len();
                    cut = entries.len() >= ENTRIES_MAX || names > NAMES_BYTES_MAX;
                    if !cut {
                        entries.push(entry(file.filename, &file.attrs));
                    }
                } else {
                    skipped += 1;
                    cut = skipped > SKIPPED_MAX;
                }
                if cut {
                    break;
                }
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Listing { entries, cut })
    }

    /// What a path stands for; a link's target where it leads inside.
    pub async fn stat(&self, path: &RemotePath) -> Result<Entry, FilesError> {
        let resolved = self.existing(path).await?;
        let attributes = self.session.stat(resolved).await?.attrs;
        Ok(entry(path.name().to_owned(), &attributes))
    }

    /// Moves or renames. Replaces a file that is there only when asked to.
    pub async fn rename(&self, from: &RemotePath, to: &RemotePath, replace: bool) -> Result<(), FilesError> {
        let (old, new) = (self.placed(from).await?, self.placed(to).await?);
        if old == new {
            return Err(FilesError::bad_path(to.as_str(), "it is the name that it has already"));
        }
        if replace {
            return self.replace(&old, &new).await;
        }
        if self.session.lstat(new.as_str()).await.is_ok() {
            return Err(FilesError::Exists { path: to.as_str().to_owned() });
        }
        self.session.rename(old, new).await?;
        Ok(())
    }

    /// Puts `old` in the place of `new`; in one step where the server can.
    async fn replace(&self, old: &str, new: &str) -> Result<(), FilesError> {
        if self.posix_rename {
            let mut words = Vec::with_capacity(old.len() + new.len() + 8);
            for path in [old, new] {
                words.extend((path.len() as u32).to_be_bytes());
                words.extend(path.as_bytes());
            }
            use russh_sftp::protocol::Packet;
            return match self.session.extended(POSIX_RENAME, words).await? {
                Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
                Packet::Status(status) => Err(SftpError::Status(status).into()),
                _ => Err(FilesError::strange("it answered a rename with something else")),
            };
        }
        // Nothing gives way to what is not there.
        self.session.lstat(old).await?;
        let Some(found) = self.found(new).await? else {
            self.session.rename(old, new).await?;
            return Ok(());
        };
        if kind(&found) == EntryKind::Folder {
            let path = new.strip_prefix(self.root.as_str()).unwrap_or(new).trim_start_matches('/');
            return Err(FilesError::Folder { path: path.to_owned() });
        }
        // It is only deleted when the other has its name.
        let aside = aside(new);
        self.session.rename(new, aside.as_str()).await?;
        if let Err(error) = self.session.rename(old, new).await {
            if self.session.rename(aside.as_str(), new).await.is_err() {
                let what = format!("it moved the file that was there to {aside} and did not move it back");
                return Err(FilesError::Strange(what.into()));
            }
            return Err(error.into());
        }
        self.session.remove(aside).await.ok();
        Ok(())
    }

    /// Puts an upload's part in its place.
    async fn put(&self, goal: &upload::Goal) -> Result<(), FilesError> {
        if goal.replace {
            return self.replace(&goal.part, &goal.place).await;
        }
        // A rename as SFTP has it fails where something is: what came meanwhile stays.
        let renamed = self.session.rename(goal.part.as_str(), goal.place.as_str()).await.map_err(FilesError::from);
        let failed = matches!(renamed, Err(FilesError::Failed(_)));
        if failed && self.found(&goal.place).await.is_ok_and(|found| found.is_some()) {
            return Err(FilesError::Exists { path: goal.path.clone() });
        }
        renamed.map(|_| ())
    }

    pub async fn make_folder(&self, path: &RemotePath) -> Result<(), FilesError> {
        let place = self.placed(path).await?;
        if self.session.lstat(place.as_str()).await.is_ok() {
            return Err(FilesError::Exists { path: path.as_str().to_owned() });
        }
        self.session.mkdir(place, FileAttributes::empty()).await?;
        Ok(())
    }

    /// Removes a file, a link (not its target) or an empty folder.
    pub async fn remove(&self, path: &RemotePath) -> Result<(), FilesError> {
        let place = self.placed(path).await?;
        let found = self.session.lstat(place.as_str()).await?.attrs;
        if kind(&found) == EntryKind::Folder {
            self.session.rmdir(place).await?;
        } else {
            self.session.remove(place).await?;
        }
        Ok(())
    }

    /// Opens a file for reading.
    pub async fn download(self: &Arc<Self>, path: &RemotePath) -> Result<Download, FilesError> {
        let place = self.existing(path).await?;
        let attributes = self.session.stat(place.as_str()).await?.attrs;
        // A pipe would wait for ever, a folder has no bytes.
        if kind(&attributes) != EntryKind::File {
            return Err(FilesError::NotAFile { path: path.as_str().to_owned() });
        }
        let handle = self.session.open(place, OpenFlags::READ, FileAttributes::empty()).await?.handle;
        let handle = Handle::new(Arc::clone(self), handle);
        let found = entry(path.name().to_owned(), &self.session.fstat(handle.name()).await?.attrs);
        Ok(Download::new(handle, found))
    }

    /// How much of an upload is there already: where it goes on.
    pub async fn uploaded(&self, path: &RemotePath, tag: &str) -> Result<u64, FilesError> {
        let part = self.placed(&upload::part(path, tag)?).await?;
        match self.session.lstat(part).await {
            Ok(found) if kind(&found.attrs) == EntryKind::File => Ok(found.attrs.size.unwrap_or(0)),
            _ => Ok(0),
        }
    }

    /// Continues an upload at `offset`, which must be what is there already (or less: the rest is then written again). The
    /// bytes go into a hidden file beside it, named after `tag`, until [`Upload::complete`]. A file that is there is only replaced
    /// when asked to.
    pub async fn upload(
        self: &Arc<Self>,
        path: &RemotePath,
        tag: &str,
        offset: u64,
        replace: bool,
    ) -> Result<Upload, FilesError> {
        let place = self.placed(path).await?;
        let part = self.placed(&upload::part(path, tag)?).await?;
        let goal = upload::Goal { part, place, path: path.as_str().to_owned(), replace };
        // Before any byte travels.
        self.replaced(&goal).await?;
        let part = &goal.part;
        // A link planted in its place would lead elsewhere.
        if self.session.lstat(part.as_str()).await.is_ok_and(|found| kind(&found.attrs) != EntryKind::File) {
            return Err(FilesError::NotAFile { path: path.as_str().to_owned() });
        }
        let flags = OpenFlags::WRITE | OpenFlags::CREATE;
        let mode = FileAttributes { permissions: Some(PART_MODE), ..FileAttributes::empty() };
        let handle = self.session.open(part.as_str(), flags, mode).await?.handle;
        let handle = Handle::new(Arc::clone(self), handle);
        let there = self.session.fstat(handle.name()).await?.attrs.size.unwrap_or(0);
        if offset > there {
            return Err(FilesError::Gap { there });
        }
        Ok(Upload::new(handle, goal, offset, there))
    }

    /// Gives an upload up.
    pub async fn abandon(&self, path: &RemotePath, tag: &str) -> Result<(), FilesError> {
        let part = self.placed(&upload::part(path, tag)?).await?;
        self.session.remove(part).await.ok();
        Ok(())
    }
}

/// Where a file waits while another one takes its name: hidden, beside it, and each time another place, because one that could not
/// be deleted is still there.
fn aside(place: &str) -> String {
    let (folder, name) = place.rsplit_once('/').unwrap_or(("", place));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{folder}/{}", upload::hidden(name, &format!("{:x}", now.as_nanos()), "old"))
}

/// The kind of file (stat(2), `S_IFMT`). Ours, because the library's tests of single bits take a link for a file.
fn kind(attributes: &FileAttributes) -> EntryKind {
    match attributes.permissions.unwrap_or_default() & 0o170_000 {
        0o040_000 => EntryKind::Folder,
        0o100_000 => EntryKind::File,
        0o120_000 => EntryKind::Link,
        _ => EntryKind::Other,
    }
}

/// Whether an entry of a folder can be one. A name with a slash is none, whatever a server says.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains('/') && name.len() <= PATH_BYTES_MAX
}

fn entry(name: String, attributes: &FileAttributes) -> Entry {
    let kind = kind(attributes);
    let mode = attributes.permissions.map(|mode| mode & 0o7777);
    Entry { name, kind, size: attributes.size.unwrap_or(0), modified: attributes.mtime, mode }
}

/// An open file on the machine, closed when dropped.
struct Handle {
    files: Arc<Files>,
    name: Option<String>,
}

impl Handle {
    const fn new(files: Arc<Files>, name: String) -> Self {
        Self { files, name: Some(name) }
    }

    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    async fn close(mut self) -> Result<(), FilesError> {
        let Some(name) = self.name.take() else { return Ok(()) };
        self.files.session.close(name).await?;
        Ok(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let (Some(name), Ok(runtime)) = (self.name.take(), tokio::runtime::Handle::try_current()) {
            let files = Arc::clone(&self.files);
            runtime.spawn(async move { files.session.close(name).await.ok() });
        }
    }
}
