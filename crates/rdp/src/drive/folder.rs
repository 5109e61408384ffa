//! The folder itself: a tree of files in memory, with two sides. The machine names things by paths and keeps them open by number; the
//! person's side names paths only.

use super::content::Content;
use super::names::{is_name, same};
use super::prints::Prints;
use super::{
    DRIVE_ARRIVED_MAX, DRIVE_BYTES_MAX, DRIVE_DEPTH_MAX, DRIVE_ENTRIES_MAX, DRIVE_UPLOAD_IDLE_SECONDS,
    DRIVE_UPLOADS_MAX,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Numbers are never used twice: what was removed is not mistaken for what came later.
pub(super) type NodeId = u64;
pub(super) const ROOT: NodeId = 0;

/// Seconds since 1970: nothing here reads a clock.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Tells that something has changed.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    #[error("the session's folder is full; delete some of its files")]
    Full,
    #[error("no file can be called that on the session's drive; choose another name")]
    Name,
    #[error("there is no such file on the session's drive; reload the list")]
    Missing,
    #[error("something of this name is on the session's drive already; choose another name")]
    Exists,
    #[error("a folder is not a file; choose a file")]
    Folder,
    #[error("a file is not a folder; choose a folder")]
    File,
    #[error("the folder is not empty; delete what is in it first")]
    NotEmpty,
    #[error("what is printed arrives in this folder, so it stays; delete what is in it")]
    PrintFolder,
    /// Of an upload, only so many bytes have arrived.
    #[error("only {0} bytes of this upload have arrived; go on there")]
    Gap(u64),
}

/// Whether the machine knows of the folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MachineSide {
    /// It has not asked for drives yet; machines without them never do.
    #[default]
    Unknown,
    Connected,
    /// It said no.
    Refused,
}

#[derive(Debug)]
pub(super) struct Node {
    pub parent: NodeId,
    pub name: String,
    /// `None` is a folder.
    pub content: Option<Content>,
    /// Seconds since 1970.
    pub modified: u64,
    /// How often an upload has put all of it anew.
    pub replaced: u64,
}

impl Node {
    pub fn size(&self) -> u64 {
        self.content.as_ref().map_or(0, Content::size)
    }

    pub fn is_folder(&self) -> bool {
        self.content.is_none()
    }
}

/// A file or folder as the person's side sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveEntry {
    pub name: String,
    pub is_folder: bool,
    pub size: u64,
    /// Seconds since 1970.
    pub modified: u64,
    pub(super) node: NodeId,
    pub(super) replaced: u64,
}

#[derive(Debug)]
struct Upload {
    path: String,
    tag: String,
    content: Content,
    /// Seconds since 1970: when it last got bytes.
    touched: u64,
}

pub struct Folder {
    nodes: BTreeMap<NodeId, Node>,
    next: NodeId,
    /// The machine's numbers of what it opens. They go on over sign-ins: its programs may still hold those of the one before.
    next_file: u32,
    /// Of files and uploads.
    bytes: u64,
    version: u64,
    uploads: Vec<Upload>,
    /// Files that the person has put here, until the clipboard takes them.
    arrived: Vec<NodeId>,
    pub(super) prints: Prints,
    pub machine: MachineSide,
    clock: Clock,
    /// Called with every change, while the folder is held: must not take it itself.
    wake: Option<Wake>,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("entries", &self.nodes.len()).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// The folder as all who use it hold it.
#[derive(Clone, Debug)]
pub struct Drive(Arc<Mutex<Folder>>);

impl Drive {
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Mutex::new(Folder::new(clock))))
    }

    /// Never held across anything that waits.
    pub fn lock(&self) -> MutexGuard<'_, Folder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands between slashes.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

impl Folder {
    pub fn new(clock: Clock) -> Self {
        let root = Node { parent: ROOT, name: String::new(), content: None, modified: clock(), replaced: 0 };
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            next_file: 0,
            bytes: 0,
            version: 0,
            uploads: Vec::new(),
            arrived: Vec::new(),
            prints: Prints::default(),
            machine: MachineSide::default(),
            clock,
            wake: None,
        }
    }

    /// Changes with everything that a list shows.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Bytes that fit in still, with every upload that has begun.
    pub const fn room(&self) -> u64 {
        DRIVE_BYTES_MAX.saturating_sub(self.bytes)
    }

    /// Bytes that fit in where uploads that rest give way.
    pub(super) fn free(&self) -> u64 {
        let resting = self.uploads.iter().filter(|upload| self.rests(upload));
        self.room().saturating_add(resting.map(|upload| upload.content.size()).sum())
    }

    fn rests(&self, upload: &Upload) -> bool {
        (self.clock)().saturating_sub(upload.touched) > DRIVE_UPLOAD_IDLE_SECONDS
    }

    /// Gives up uploads that rest where that makes enough room. Pages that are closed or die leave them behind, and nobody can see
    /// or delete them.
    fn make_room(&mut self, wanted: u64) {
        if self.free() < wanted {
            return;
        }
        while self.room() < wanted {
            let Some(at) = self.uploads.iter().position(|upload| self.rests(upload)) else { return };
            self.give_up(at);
        }
    }

    fn give_up(&mut self, at: usize) {
        let upload = self.uploads.remove(at);
        self.bytes = self.bytes.saturating_sub(upload.content.size());
    }

    /// A number for something that the machine opens; never 0.
    pub(super) fn next_file(&mut self) -> u32 {
        self.next_file = self.next_file.wrapping_add(1).max(1);
        self.next_file
    }

    pub(super) fn node(&self, id: NodeId) -> Result<&Node, DriveError> {
        self.nodes.get(&id).ok_or(DriveError::Missing)
    }

    pub(super) fn children(&self, folder: NodeId) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().filter(move |(id, node)| node.parent == folder && **id != ROOT).map(|(id, node)| (*id, node))
    }

    /// As it is written, or else whatever its case.
    pub(super) fn child(&self, folder: NodeId, name: &str) -> Option<NodeId> {
        let exact = self.children(folder).find(|(_, node)| node.name == name);
        exact.or_else(|| self.children(folder).find(|(_, node)| same(&node.name, name))).map(|(id, _)| id)
    }

    /// What a path of names stands for. There is no way up: `..` is no name of anything.
    pub(super) fn find<'n>(&self, path: impl IntoIterator<Item = &'n str>) -> Result<NodeId, DriveError> {
        let mut at = ROOT;
        for name in path {
            at = self.child(at, name).ok_or(DriveError::Missing)?;
        }
        Ok(at)
    }

    fn depth(&self, mut id: NodeId) -> usize {
        let mut depth = 0;
        while id != ROOT && depth <= DRIVE_ENTRIES_MAX {
            depth += 1;
            id = self.nodes.get(&id).map_or(ROOT, |node| node.parent);
        }
        depth
    }

    /// Tells `wake` of every change from now on: the machine waits to hear of the person's. It must not take the folder.
    pub fn on_change(&mut self, wake: Wake) {
        self.wake = Some(wake);
    }

    pub(super) fn changed(&mut self) {
        self.version += 1;
        if let Some(wake) = &self.wake {
            wake();
        }
    }

    fn touched(&mut self, id: NodeId) {
        self.changed();
        let now = (self.clock)();
        if let Some(node) = self.nodes.get_mut(&id) {
            node.modified = now;
        }
    }

    pub(super) fn make(&mut self, folder: NodeId, name: &str, is_folder: bool) -> Result<NodeId, DriveError> {
        if !is_name(name) {
            return Err(DriveError::Name);
        }
        if !self.node(folder)?.is_folder() {
            return Err(DriveError::File);
        }
        if self.child(folder, name).is_some() {
            return Err(DriveError::Exists);
        }
        if self.nodes.len() > DRIVE_ENTRIES_MAX || self.depth(folder) >= DRIVE_DEPTH_MAX {
            return Err(DriveError::Full);
        }
        let id = self.next;
        self.next += 1;
        let content = (!is_folder).then(Content::default);
        self.nodes.insert(id, Node { parent: folder, name: name.to_owned(), content, modified: 0, replaced: 0 });
        self.touched(id);
        self.touched(folder);
        Ok(id)
    }

    pub(super) fn read(&self, id: NodeId, offset: u64, length: usize) -> Result<Vec<u8>, DriveError> {
        let content = self.node(id)?.content.as_ref().ok_or(DriveError::Folder)?;
        Ok(content.read(offset, length))
    }

    pub(super) fn write(&mut self, id: NodeId, offset: u64, piece: &[u8]) -> Result<(), DriveError> {
        let end = offset.checked_add(piece.len() as u64).ok_or(DriveError::Full)?;
        let size = self.node(id)?.size();
        self.make_room(end.saturating_sub(size));
        if end.saturating_sub(size) > self.room() {
            return Err(DriveError::Full);
        }
        let content = self.nodes.get_mut(&id).and_then(|node| node.content.as_mut()).ok_or(DriveError::Folder)?;
        content.write(offset, piece);
        self.bytes += end.saturating_sub(size);
        self.touched(id);
        Ok(())
    }

    pub(super) fn resize(&mut self, id: NodeId, size: u64) -> Result<(), DriveError> {
        let before = self.node(id)?.size();
        self.make_room(size.saturating_sub(before));
        if size.saturating_sub(before) > self.room() {
            return Err(DriveError::Full);
        }
        let content = self.nodes.get_mut(&id).and_then(|node| node.content.as_mut()).ok_or(DriveError::Folder)?;
        content.resize(size);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(size);
        self.touched(id);
        Ok(())
    }

    pub(super) fn set_modified(&mut self, id: NodeId, seconds: u64) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.modified = seconds;
            self.changed();
        }
    }

    pub(super) fn is_empty(&self, folder: NodeId) -> bool {
        self.children(folder).next().is_none()
    }

    pub(super) fn drop_node(&mut self, id: NodeId) -> Result<(), DriveError> {
        if id == ROOT {
            return Err(DriveError::Folder);
        }
        self.may_go(id)?;
        let node = self.node(id)?;
        let (parent, size) = (node.parent, node.size());
        if !self.is_empty(id) {
            return Err(DriveError::NotEmpty);
        }
        self.nodes.remove(&id);
        self.bytes = self.bytes.saturating_sub(size);
        self.touched(parent);
        Ok(())
    }

    /// Moves into a folder under a name; a file that is there gives way where `replace` says so.
    pub(super) fn put(&mut self, id: NodeId, folder: NodeId, name: &str, replace: bool) -> Result<(), DriveError> {
        if !is_name(name) {
            return Err(DriveError::Name);
        }
        if id == ROOT || !self.node(folder)?.is_folder() {
            return Err(DriveError::File);
        }
        self.may_go(id)?;
        let is_folder = self.node(id)?.is_folder();
        // A folder does not go into itself, nor so deep that nobody gets there.
        let mut above = folder;
        while above != ROOT {
            if above == id {
                return Err(DriveError::Name);
            }
            above = self.nodes.get(&above).map_or(ROOT, |node| node.parent);
        }
        if is_folder && self.depth(folder) + self.height(id) > DRIVE_DEPTH_MAX {
            return Err(DriveError::Full);
        }
        if let Some(there) = self.child(folder, name).filter(|there| *there != id) {
            if is_folder || self.node(there)?.is_folder() || !replace {
                return Err(DriveError::Exists);
            }
            self.drop_node(there)?;
        }
        let parent = self.node(id)?.parent;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.parent = folder;
            name.clone_into(&mut node.name);
        }
        self.touched(parent);
        self.touched(folder);
        Ok(())
    }

    /// Levels of folders from this one down, itself included.
    fn height(&self, id: NodeId) -> usize {
        let base = self.depth(id);
        let inside = self.nodes.keys().filter(|other| {
            let mut at = **other;
            while at != ROOT && at != id {
                at = self.nodes.get(&at).map_or(ROOT, |node| node.parent);
            }
            at == id
        });
        inside.map(|other| self.depth(*other).saturating_sub(base) + 1).max().unwrap_or(1)
    }

    fn entry(&self, id: NodeId) -> Result<DriveEntry, DriveError> {
        let node = self.node(id)?;
        Ok(DriveEntry {
            name: node.name.clone(),
            is_folder: node.is_folder(),
            size: node.size(),
            modified: node.modified,
            node: id,
            replaced: node.replaced,
        })
    }

    /// What is in a folder, by name. Paths of this side have slashes; the empty one is the whole.
    pub fn list(&self, path: &str) -> Result<Vec<DriveEntry>, DriveError> {
        let folder = self.find(names(path))?;
        if !self.node(folder)?.is_folder() {
            return Err(DriveError::File);
        }
        let mut entries = self.children(folder).map(|(id, _)| self.entry(id)).collect::<Result<Vec<_>, _>>()?;
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    pub fn stat(&self, path: &str) -> Result<DriveEntry, DriveError> {
        self.entry(self.find(names(path))?)
    }

    /// The folder that a path is in, and its last name.
    fn split<'p>(&self, path: &'p str) -> Result<(NodeId, &'p str), DriveError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.find(names(folder))?, name))
    }

    pub fn make_folder(&mut self, path: &str) -> Result<(), DriveError> {
        let (folder, name) = self.split(path)?;
        self.make(folder, name, true).map(drop)
    }

    pub fn remove(&mut self, path: &str) -> Result<(), DriveError> {
        self.drop_node(self.find(names(path))?)
    }

    pub fn rename(&mut self, from: &str, to: &str, replace: bool) -> Result<(), DriveError> {
        let id = self.find(names(from))?;
        let (folder, name) = self.split(to)?;
        self.put(id, folder, name, replace)
    }

    /// Bytes of a file that was found before; it may be gone, shorter, or replaced, which is as good as gone.
    pub fn bytes(&self, entry: &DriveEntry, offset: u64, length: usize) -> Result<Vec<u8>, DriveError> {
        if self.node(entry.node)?.replaced != entry.replaced {
            return Err(DriveError::Missing);
        }
        self.read(entry.node, offset, length)
    }

    /// How much of an upload has arrived.
    pub fn uploaded(&self, path: &str, tag: &str) -> u64 {
        self.upload_at(path, tag).and_then(|at| self.uploads.get(at)).map_or(0, |upload| upload.content.size())
    }

    fn upload_at(&self, path: &str, tag: &str) -> Option<usize> {
        self.uploads.iter().position(|upload| upload.path == path && upload.tag == tag)
    }

    /// Whether a file may come to be there.
    fn may_take(&self, path: &str, replace: bool) -> Result<(NodeId, Option<NodeId>), DriveError> {
        let (folder, name) = self.split(path)?;
        if !is_name(name) {
            return Err(DriveError::Name);
        }
        if !self.node(folder)?.is_folder() {
            return Err(DriveError::File);
        }
        let there = self.child(folder, name);
        if let Some(there) = there {
            if self.node(there)?.is_folder() {
                return Err(DriveError::Folder);
            }
            if !replace {
                return Err(DriveError::Exists);
            }
        }
        Ok((folder, there))
    }

    /// Begins an upload, or goes on with it at `offset`, which is what has arrived or less: the rest is then written again. The machine
    /// sees it when it is complete.
    pub fn begin_upload(&mut self, path: &str, tag: &str, offset: u64, replace: bool) -> Result<(), DriveError> {
        self.may_take(path, replace)?;
        let there = self.uploaded(path, tag);
        if offset > there {
            return Err(DriveError::Gap(there));
        }
        let now = (self.clock)();
        match self.upload_at(path, tag).and_then(|at| self.uploads.get_mut(at)) {
            Some(upload) => {
                upload.touched = now;
                upload.content.resize(offset);
                self.bytes = self.bytes.saturating_sub(there - offset);
            }
            None => {
                if self.uploads.len() >= DRIVE_UPLOADS_MAX {
                    // The first one of those that rested as long.
                    let oldest = self.uploads.iter().enumerate().min_by_key(|(_, upload)| upload.touched);
                    if let Some((at, _)) = oldest {
                        self.give_up(at);
                    }
                }
                let (path, tag) = (path.to_owned(), tag.to_owned());
                self.uploads.push(Upload { path, tag, content: Content::default(), touched: now });
            }
        }
        Ok(())
    }

    /// The next piece of an upload, which goes to `offset`.
    pub fn upload(&mut self, path: &str, tag: &str, offset: u64, piece: &[u8]) -> Result<(), DriveError> {
        let now = (self.clock)();
        // First, so that it does not give way to itself.
        if let Some(upload) = self.upload_at(path, tag).and_then(|at| self.uploads.get_mut(at)) {
            upload.touched = now;
        }
        self.make_room(piece.len() as u64);
        if piece.len() as u64 > self.room() {
            return Err(DriveError::Full);
        }
        let at = self.upload_at(path, tag).ok_or(DriveError::Gap(0))?;
        let upload = self.uploads.get_mut(at).ok_or(DriveError::Gap(0))?;
        if upload.content.size() != offset {
            return Err(DriveError::Gap(upload.content.size()));
        }
        upload.content.write(offset, piece);
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Puts an upload of so many bytes in its place.
    pub fn complete_upload(&mut self, path: &str, tag: &str, size: u64, replace: bool) -> Result<(), DriveError> {
        let id = self.put_upload(path, tag, size, replace)?;
        if self.arrived.len() < DRIVE_ARRIVED_MAX {
            self.arrived.push(id);
        }
        Ok(())
    }

    /// What the person has put here since this was asked.
    pub(crate) fn take_arrived(&mut self) -> Vec<DriveEntry> {
        std::mem::take(&mut self.arrived).into_iter().filter_map(|id| self.entry(id).ok()).collect()
    }

    /// Puts an upload in its place that is nobody's news.
    pub(crate) fn put_upload(&mut self, path: &str, tag: &str, size: u64, replace: bool) -> Result<NodeId, DriveError> {
        let (folder, there) = self.may_take(path, replace)?;
        let at = self.upload_at(path, tag).ok_or(DriveError::Gap(0))?;
        let arrived = self.uploaded(path, tag);
        if arrived != size {
            return Err(DriveError::Gap(arrived));
        }
        let id = match there {
            Some(id) => id,
            None => self.make(folder, path.rsplit('/').next().unwrap_or_default(), false)?,
        };
        let content = self.uploads.remove(at).content;
        if let Some(node) = self.nodes.get_mut(&id) {
            self.bytes = self.bytes.saturating_sub(node.size());
            node.content = Some(content);
            node.replaced += 1;
        }
        self.touched(id);
        Ok(id)
    }

    pub fn abandon_upload(&mut self, path: &str, tag: &str) {
        if let Some(at) = self.upload_at(path, tag) {
            self.give_up(at);
        }
    }
}
