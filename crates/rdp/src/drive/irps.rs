//! The machine's requests to the drive (MS-RDPEFS 2.2.3.3), answered from the folder.

use super::folder::{Folder, NodeId, ROOT};
use super::names::matches;
use super::status::{self, Status};
use super::wire::{IoRequest, Reader, Writer, text};
use super::{DRIVE_HANDLES_MAX, DRIVE_READ_BYTES_MAX, DRIVE_READS_MAX, DRIVE_WATCHES_MAX, Drive, info};
use std::collections::{HashMap, HashSet, VecDeque};

const MJ_CREATE: u32 = 0;
const MJ_CLOSE: u32 = 2;
const MJ_READ: u32 = 3;
const MJ_WRITE: u32 = 4;
const MJ_QUERY_INFORMATION: u32 = 5;
const MJ_SET_INFORMATION: u32 = 6;
const MJ_FLUSH_BUFFERS: u32 = 9;
const MJ_QUERY_VOLUME: u32 = 10;
const MJ_DIRECTORY_CONTROL: u32 = 12;
const MJ_DEVICE_CONTROL: u32 = 14;
const MJ_LOCK_CONTROL: u32 = 17;
const MN_QUERY_DIRECTORY: u32 = 1;
const MN_NOTIFY_CHANGE: u32 = 2;

/// CreateDisposition (MS-SMB2 2.2.13).
const SUPERSEDE: u32 = 0;
const OPEN: u32 = 1;
const CREATE: u32 = 2;
const OPEN_IF: u32 = 3;
const OVERWRITE: u32 = 4;
const OVERWRITE_IF: u32 = 5;
/// CreateOptions.
const DIRECTORY_FILE: u32 = 1;
const NON_DIRECTORY_FILE: u32 = 0x40;
const DELETE_ON_CLOSE: u32 = 0x1000;
/// Information of an answer to a create (MS-RDPEFS 2.2.1.5.1).
const DID_SUPERSEDE: u8 = 0;
const DID_OPEN: u8 = 1;
const DID_OVERWRITE: u8 = 3;

/// Set: FileBasicInformation and so on (MS-FSCC 2.4).
const BASIC: u32 = 4;
const RENAME: u32 = 10;
const DISPOSITION: u32 = 13;
const ALLOCATION: u32 = 19;
const END_OF_FILE: u32 = 20;

/// A file or folder that the machine has open.
#[derive(Debug)]
struct Handle {
    node: NodeId,
    /// Bytes were written through it.
    written: bool,
    /// When this is closed, it is to go with the last one that has it open.
    doomed: bool,
    /// What a search has still to tell: what it is, and as it is called there where that is not its own name. Names are not kept, or
    /// searches that nobody ends would hold more than the files.
    found: Vec<(Option<&'static str>, NodeId)>,
}

/// Bytes that the machine waits for. The file is known by what it is: its handle may be closed meanwhile.
#[derive(Debug)]
struct Read {
    request: IoRequest,
    node: NodeId,
    offset: u64,
    length: usize,
}

#[derive(Debug)]
pub(super) struct Irps {
    drive: Drive,
    /// The machine may change what is there.
    writable: bool,
    handles: HashMap<u32, Handle>,
    /// What goes when nobody has it open any more: nobody opens it anew.
    doomed: HashSet<NodeId>,
    /// Reads that are not answered yet, in their order.
    reads: VecDeque<Read>,
    /// Who wants to hear of a change.
    watches: Vec<IoRequest>,
    /// What was told last, or there when the first one asked: who comes later hears of what changed since.
    version: Option<u64>,
}

/// An answer's body, with what went wrong.
type Answer = Result<Vec<u8>, Status>;

/// Windows has backslashes between names, xrdp 0.9 either, whichever the request.
const SEPARATORS: [char; 2] = ['\\', '/'];

/// A path of the machine as names.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split(SEPARATORS).filter(|name| !name.is_empty())
}

/// The folder that a path is in, and its last name; `None` for the drive itself.
fn split<'p>(folder: &Folder, path: &'p str) -> Result<Option<(NodeId, &'p str)>, Status> {
    let path = path.trim_end_matches(SEPARATORS);
    let (above, name) = path.rsplit_once(SEPARATORS).unwrap_or(("", path));
    if name.is_empty() {
        return Ok(None);
    }
    let above = folder.find(names(above)).map_err(|_| status::OBJECT_PATH_NOT_FOUND)?;
    if !folder.node(above)?.is_folder() {
        return Err(status::OBJECT_PATH_NOT_FOUND);
    }
    Ok(Some((above, name)))
}

/// The fields of an answer are there in any case; the longest fixed ones have five bytes.
fn refusal(request: &IoRequest, status: Status) -> Vec<u8> {
    tracing::debug!(
        file = request.file,
        major = request.major,
        status = format!("{status:#010x}"),
        "Request of the machine to the drive fails"
    );
    request.answer(status, &[0; 5])
}

/// What was to go when it is closed goes with the sign-in, too.
impl Drop for Irps {
    fn drop(&mut self) {
        self.reset();
    }
}

impl Irps {
    pub fn new(drive: Drive, writable: bool) -> Self {
        Self {
            drive,
            writable,
            handles: HashMap::new(),
            doomed: HashSet::new(),
            reads: VecDeque::new(),
            watches: Vec::new(),
            version: None,
        }
    }

    /// The machine begins anew: what it had open is closed.
    pub fn reset(&mut self) {
        let doomed = self.handles.drain().filter(|(_, handle)| handle.doomed).map(|(_, handle)| handle.node);
        self.doomed.extend(doomed);
        let mut folder = self.drive.lock();
        for node in self.doomed.drain() {
            folder.drop_node(node).ok();
        }
        drop(folder);
        self.reads.clear();
        self.watches.clear();
        self.version = None;
    }

    /// One request: its answer, unless that comes later, and answers that waited for it.
    pub fn take(&mut self, request: IoRequest, body: &mut Reader<'_>) -> Vec<Vec<u8>> {
        if (request.major, request.minor) == (MJ_DIRECTORY_CONTROL, MN_NOTIFY_CHANGE) {
            return self.watch(request).into_iter().collect();
        }
        if request.major == MJ_READ {
            return match self.read(request, body) {
                Ok(()) => Vec::new(),
                Err(status) => vec![refusal(&request, status)],
            };
        }
        let mut answers = Vec::new();
        let answer = match request.major {
            MJ_CREATE => self.create(body),
            MJ_CLOSE => {
                answers = self.end_watches(request.file);
                self.close(request.file)
            }
            MJ_WRITE => self.write(request.file, body),
            MJ_QUERY_INFORMATION => self.query(request.file, body),
            MJ_SET_INFORMATION => self.set(request.file, body),
            MJ_QUERY_VOLUME => self.volume(body),
            MJ_DIRECTORY_CONTROL if request.minor == MN_QUERY_DIRECTORY => self.search(request.file, body),
            // Nothing is anywhere but in the folder, and nobody else has it.
            MJ_FLUSH_BUFFERS => Ok(vec![0; 4]),
            MJ_LOCK_CONTROL => Ok(vec![0; 5]),
            // There are no controls, and their output is empty.
            MJ_DEVICE_CONTROL => Ok(vec![0; 4]),
            _ => Err(status::NOT_SUPPORTED),
        };
        answers.push(match answer {
            Ok(body) => request.answer(status::SUCCESS, &body),
            Err(status) => refusal(&request, status),
        });
        answers
    }

    /// The answer to the read that has waited longest. What the machine asks for at once has no order that it could rely on: bytes
    /// that it writes meanwhile may be among them.
    pub fn next_read(&mut self) -> Option<Vec<u8>> {
        let Read { request, node, offset, length } = self.reads.pop_front()?;
        let read = self.drive.lock().read(node, offset, length);
        Some(match read {
            Ok(bytes) => request.answer(status::SUCCESS, &Writer::default().sized(&bytes).0),
            Err(error) => refusal(&request, error.into()),
        })
    }

    /// Answers to those who wait for a change, when there was one.
    pub fn changes(&mut self) -> Vec<Vec<u8>> {
        if self.watches.is_empty() {
            return Vec::new();
        }
        let version = self.drive.lock().version();
        if self.version.replace(version) == Some(version) {
            return Vec::new();
        }
        // Without names: the machine lists the folder anew.
        self.watches.drain(..).map(|request| request.answer(status::SUCCESS, &[0; 5])).collect()
    }

    fn watch(&mut self, request: IoRequest) -> Option<Vec<u8>> {
        if !self.handles.contains_key(&request.file) {
            return Some(refusal(&request, status::INVALID_HANDLE));
        }
        if self.watches.len() >= DRIVE_WATCHES_MAX {
            return Some(request.answer(status::NOT_SUPPORTED, &[0; 5]));
        }
        if self.version.is_none() {
            self.version = Some(self.drive.lock().version());
        }
        self.watches.push(request);
        None
    }

    /// Answers those who wait for changes of what is closed: its number, and theirs, may soon mean something else.
    fn end_watches(&mut self, file: u32) -> Vec<Vec<u8>> {
        let (over, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.watches).into_iter().partition(|watch| watch.file == file);
        self.watches = rest;
        over.iter().map(|watch| watch.answer(status::NOTIFY_CLEANUP, &[0; 5])).collect()
    }

    /// Whether the machine may change what is there, or its bytes; prints it may write where nothing else is.
    fn may_change(&self, folder: &Folder, node: NodeId) -> Result<(), Status> {
        if self.writable || folder.is_print(node) { Ok(()) } else { Err(status::MEDIA_WRITE_PROTECTED) }
    }

    /// Whether it may put a file into a folder.
    fn may_put(&self, folder: &Folder, above: NodeId, is_folder: bool) -> Result<(), Status> {
        let print = !is_folder && folder.prints.folder == Some(above);
        if self.writable || print { Ok(()) } else { Err(status::MEDIA_WRITE_PROTECTED) }
    }

    fn handle(&self, file: u32) -> Result<&Handle, Status> {
        self.handles.get(&file).ok_or(status::INVALID_HANDLE)
    }

    /// DR_CREATE_REQ (2.2.1.4.1).
    fn create(&mut self, body: &mut Reader<'_>) -> Answer {
        let read = |body: &mut Reader<'_>| {
            body.skip(4 + 8 + 4 + 4)?;
            let (disposition, options, length) = (body.u32()?, body.u32()?, body.u32()?);
            Some((disposition, options, text(body, length)?))
        };
        let (disposition, options, path) = read(body).ok_or(status::INVALID_PARAMETER)?;
        tracing::trace!(path, disposition, options, "Machine opens something on the drive");
        if disposition > OVERWRITE_IF {
            return Err(status::INVALID_PARAMETER);
        }
        if self.handles.len() >= DRIVE_HANDLES_MAX {
            return Err(status::TOO_MANY_OPENED_FILES);
        }
        let drive = self.drive.clone();
        let mut folder = drive.lock();
        let place = split(&folder, &path)?;
        let there = match place {
            None => Some(ROOT),
            Some((above, name)) => folder.child(above, name),
        };
        let doomed = options & DELETE_ON_CLOSE != 0;
        let (node, did) = match (there, place) {
            (Some(node), _) => {
                if self.doomed.contains(&node) {
                    return Err(status::DELETE_PENDING);
                }
                let is_folder = folder.node(node)?.is_folder();
                if is_folder && options & NON_DIRECTORY_FILE != 0 {
                    return Err(status::FILE_IS_A_DIRECTORY);
                }
                if !is_folder && options & DIRECTORY_FILE != 0 {
                    return Err(status::NOT_A_DIRECTORY);
                }
                if doomed {
                    self.may_change(&folder, node)?;
                    folder.may_go(node)?;
                }
                if doomed && (node == ROOT || !folder.is_empty(node)) {
                    return Err(status::DIRECTORY_NOT_EMPTY);
                }
                match disposition {
                    CREATE => return Err(status::OBJECT_NAME_COLLISION),
                    SUPERSEDE | OVERWRITE | OVERWRITE_IF if is_folder => return Err(status::OBJECT_NAME_COLLISION),
                    SUPERSEDE | OVERWRITE | OVERWRITE_IF => {
                        self.may_change(&folder, node)?;
                        folder.resize(node, 0)?;
                        (node, if disposition == OVERWRITE_IF { DID_OVERWRITE } else { DID_SUPERSEDE })
                    }
                    OPEN_IF => (node, DID_OPEN),
                    _ => (node, DID_SUPERSEDE),
                }
            }
            (None, Some((above, name))) => {
                if matches!(disposition, OPEN | OVERWRITE) {
                    return Err(status::NO_SUCH_FILE);
                }
                self.may_put(&folder, above, options & DIRECTORY_FILE != 0)?;
                (folder.make(above, name, options & DIRECTORY_FILE != 0)?, DID_SUPERSEDE)
            }
            (None, None) => return Err(status::NO_SUCH_FILE),
        };
        let file = loop {
            let file = folder.next_file();
            if !self.handles.contains_key(&file) {
                break file;
            }
        };
        drop(folder);
        self.handles.insert(file, Handle { node, written: false, doomed, found: Vec::new() });
        Ok(Writer::default().u32(file).u8(did).0)
    }

    fn close(&mut self, file: u32) -> Answer {
        let handle = self.handles.remove(&file).ok_or(status::INVALID_HANDLE)?;
        let node = handle.node;
        if handle.doomed {
            self.doomed.insert(node);
        }
        if self.doomed.contains(&node) {
            let mut folder = self.drive.lock();
            // A folder has no bytes that a program could still want, and xrdp removes the one above it while it has this one open.
            let goes_now = folder.node(node).is_ok_and(super::folder::Node::is_folder);
            if goes_now || !self.handles.values().any(|other| other.node == node) {
                self.doomed.remove(&node);
                // It may have been filled, or removed by the person, since.
                folder.drop_node(node).ok();
            }
        } else if handle.written {
            self.drive.lock().written(node);
        }
        Ok(vec![0; 5])
    }

    /// Remembers a read. It becomes bytes only when those can leave: a request of some dozen bytes asks for megabytes.
    fn read(&mut self, request: IoRequest, body: &mut Reader<'_>) -> Result<(), Status> {
        let node = self.handle(request.file)?.node;
        let (length, offset) = body.u32().zip(body.u64()).ok_or(status::INVALID_PARAMETER)?;
        if self.reads.len() >= DRIVE_READS_MAX {
            return Err(status::INSUFFICIENT_RESOURCES);
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(DRIVE_READ_BYTES_MAX);
        self.reads.push_back(Read { request, node, offset, length });
        Ok(())
    }

    fn write(&mut self, file: u32, body: &mut Reader<'_>) -> Answer {
        let node = self.handle(file)?.node;
        self.may_change(&self.drive.lock(), node)?;
        let (length, offset) = body.u32().zip(body.u64()).ok_or(status::INVALID_PARAMETER)?;
        let bytes = body.skip(20).and_then(|()| body.bytes(usize::try_from(length).ok()?));
        let bytes = bytes.ok_or(status::INVALID_PARAMETER)?;
        let mut folder = self.drive.lock();
        // All ones is where the file ends (MS-FSA 2.1.5.4).
        let offset = if offset == u64::MAX { folder.node(node)?.size() } else { offset };
        folder.write(node, offset, bytes)?;
        drop(folder);
        if let Some(handle) = self.handles.get_mut(&file) {
            handle.written = true;
        }
        Ok(Writer::default().u32(length).u8(0).0)
    }

    fn query(&self, file: u32, body: &mut Reader<'_>) -> Answer {
        let handle = self.handle(file)?;
        let class = body.u32().ok_or(status::INVALID_PARAMETER)?;
        let folder = self.drive.lock();
        let doomed = handle.doomed || self.doomed.contains(&handle.node);
        let told = info::file(class, folder.node(handle.node)?, doomed).ok_or(status::NOT_SUPPORTED)?;
        Ok(Writer::default().sized(&told).0)
    }

    /// DR_DRIVE_SET_INFORMATION_REQ (2.2.3.3.9).
    fn set(&mut self, file: u32, body: &mut Reader<'_>) -> Answer {
        let node = self.handle(file)?.node;
        self.may_change(&self.drive.lock(), node)?;
        let read = |body: &mut Reader<'_>| {
            let (class, length) = (body.u32()?, body.u32()?);
            body.skip(24)?;
            Some((class, length))
        };
        let wrong = status::INVALID_PARAMETER;
        let (class, length) = read(body).ok_or(wrong)?;
        let mut folder = self.drive.lock();
        match class {
            BASIC => {
                let written = body.skip(16).and_then(|()| body.u64()).ok_or(wrong)?;
                if let Some(seconds) = info::seconds(written) {
                    folder.set_modified(node, seconds);
                }
            }
            END_OF_FILE => folder.resize(node, body.u64().ok_or(wrong)?)?,
            // Room is made when it is needed.
            ALLOCATION => {}
            DISPOSITION => {
                // Without a value it is a wish, too.
                let doomed = body.u8().is_none_or(|wish| wish != 0);
                if doomed && (node == ROOT || !folder.is_empty(node)) {
                    return Err(status::DIRECTORY_NOT_EMPTY);
                }
                if doomed {
                    folder.may_go(node)?;
                    self.doomed.insert(node);
                } else {
                    self.doomed.remove(&node);
                }
            }
            RENAME => {
                let (replace, _, bytes) = (|| Some((body.u8()?, body.u8()?, body.u32()?)))().ok_or(wrong)?;
                let path = text(body, bytes).ok_or(wrong)?;
                let (above, name) = split(&folder, &path)?.ok_or(status::OBJECT_NAME_INVALID)?;
                self.may_put(&folder, above, folder.node(node)?.is_folder())?;
                folder.put(node, above, name, replace != 0)?;
            }
            _ => return Err(status::NOT_SUPPORTED),
        }
        Ok(Writer::default().u32(length).u8(0).0)
    }

    fn volume(&self, body: &mut Reader<'_>) -> Answer {
        let class = body.u32().ok_or(status::INVALID_PARAMETER)?;
        let folder = self.drive.lock();
        let room = if self.writable || folder.prints.folder.is_some() { folder.free() } else { 0 };
        drop(folder);
        let told = info::volume(class, room).ok_or(status::NOT_SUPPORTED)?;
        Ok(Writer::default().sized(&told).0)
    }

    /// DR_DRIVE_QUERY_DIRECTORY_REQ (2.2.3.3.10): one entry an answer.
    fn search(&mut self, file: u32, body: &mut Reader<'_>) -> Answer {
        let handle = self.handles.get_mut(&file).ok_or(status::INVALID_HANDLE)?;
        let read = |body: &mut Reader<'_>| {
            let (class, initial, length) = (body.u32()?, body.u8()?, body.u32()?);
            body.skip(23)?;
            Some((class, initial, if length == 0 { String::new() } else { text(body, length)? }))
        };
        let (class, initial, path) = read(body).ok_or(status::INVALID_PARAMETER)?;
        let folder = self.drive.lock();
        if initial != 0 {
            let (above, pattern) = match split(&folder, &path)? {
                Some(place) => place,
                None => (handle.node, "*"),
            };
            handle.found.clear();
            let found = folder.children(above).filter(|(_, node)| matches(pattern, &node.name));
            handle.found.extend(found.map(|(id, _)| (None, id)));
            if matches!(pattern, "*" | "*.*") {
                handle.found.push((Some(".."), folder.node(above)?.parent));
                handle.found.push((Some("."), above));
            }
            if handle.found.is_empty() {
                return Err(status::NO_SUCH_FILE);
            }
        }
        loop {
            let (name, id) = handle.found.pop().ok_or(status::NO_MORE_FILES)?;
            // What has gone since is not told of.
            if let Ok(node) = folder.node(id) {
                let told = info::entry(class, name.unwrap_or(&node.name), node).ok_or(status::NOT_SUPPORTED)?;
                return Ok(Writer::default().sized(&told).0);
            }
        }
    }
}
