//! Files on the clipboard (MS-RDPECLIP 1.3.2.2.3, 2.2.5.2 to 2.2.5.4). On our side they lie in the session's folder ([`crate::drive`]): what the
//! person has put there is offered to the machine, and read by it in ranges; what the machine copies is read in ranges, and lies in
//! [`COPIED`] when it is whole.

use crate::drive::{Drive, DriveEntry, DriveError, Folder, is_name};
use ironrdp_cliprdr::pdu::{
    ClipboardFileAttributes, FileContentsFlags, FileContentsRequest, FileContentsResponse, FileDescriptor,
};
use std::collections::{BTreeSet, VecDeque};

/// Files of one copy; of more, the first.
const FILES_MAX: usize = 256;
/// Bytes of one copy that are fetched from the machine, which nobody may ever look at; a file that does not fit in is left out.
const COPIED_BYTES_MAX: u64 = 64 << 20;
/// Bytes asked for at once. An answer must fit into `CHANNEL_MESSAGE_BYTES_MAX`.
const ASKED_BYTES: u32 = 256 << 10;
/// Bytes that one request of the machine gets; where it wants more, it asks again.
const READ_BYTES_MAX: usize = 1 << 20;
/// Requests of the machine that wait for their bytes; more get no answer.
const READS_MAX: usize = 1024;
/// Files that arrive so shortly one after the other are one copy.
const TOGETHER_SECONDS: u64 = 10;
/// Folders in folders of a copy; what lies deeper lies there.
const DEPTH_MAX: usize = 8;
/// Where the machine's files lie.
pub const COPIED: &str = "Copied";
/// Of uploads that are not the person's.
const TAG: &str = "clipboard";
/// Bytes of a descriptor, and of the count before them (2.2.5.2.3).
const DESCRIPTOR_BYTES: usize = 592;
const COUNT_BYTES: usize = 4;
/// Seconds from 1601, where Windows' clock begins, to 1970, and its ticks in one.
const SECONDS_1601: u64 = 11_644_473_600;
const TICKS: u64 = 10_000_000;

/// Which way files may go over the clipboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClipboardFiles {
    /// What the person puts into the session's folder is on the machine's clipboard.
    pub to_machine: bool,
    /// What the machine copies comes into the session's folder.
    pub to_person: bool,
}

/// A file of the machine's copy.
#[derive(Debug)]
struct Wanted {
    index: i32,
    path: String,
    size: Option<u64>,
}

/// The file that is being fetched.
#[derive(Debug)]
struct Taking {
    wanted: Wanted,
    at: u64,
    stream: u32,
    asked: u32,
}

/// Both sides' files.
#[derive(Debug)]
pub(super) struct Files {
    drive: Drive,
    ways: ClipboardFiles,
    /// The machine knows of files on clipboards.
    agreed: bool,
    /// What the machine was offered, in its order.
    ours: Vec<DriveEntry>,
    /// It has replaced another list, whose files the machine may still be reading by their numbers.
    replaced: bool,
    /// Which of them were read from their beginning.
    begun: BTreeSet<i32>,
    reads: VecDeque<FileContentsRequest>,
    wanted: VecDeque<Wanted>,
    taking: Option<Taking>,
    ask: Option<FileContentsRequest>,
    stream: u32,
    /// Bytes that may be fetched still.
    left: u64,
    /// What was fetched, with its path.
    taken: Vec<(String, DriveEntry)>,
}

impl Files {
    pub fn new(drive: Drive, ways: ClipboardFiles) -> Self {
        Self {
            drive,
            ways,
            agreed: false,
            ours: Vec::new(),
            replaced: false,
            begun: BTreeSet::new(),
            reads: VecDeque::new(),
            wanted: VecDeque::new(),
            taking: None,
            ask: None,
            stream: 0,
            left: 0,
            taken: Vec::new(),
        }
    }

    pub const fn agree(&mut self, agreed: bool) {
        self.agreed = agreed;
    }

    /// Whether files of the machine are wanted.
    pub const fn takes(&self) -> bool {
        self.agreed && self.ways.to_person
    }

    /// What the machine is to be offered, where the person has put files into the folder since.
    pub fn offer(&mut self) -> Option<Vec<FileDescriptor>> {
        if !self.agreed || !self.ways.to_machine {
            return None;
        }
        let arrived = self.drive.lock().take_arrived();
        if arrived.is_empty() {
            return None;
        }
        for entry in arrived {
            let last = self.ours.last();
            if last.is_none_or(|last| entry.modified.saturating_sub(last.modified) > TOGETHER_SECONDS) {
                self.replaced |= !self.ours.is_empty();
                self.begun.clear();
                self.ours.clear();
            }
            // In its place: the machine knows the others by their numbers.
            if let Some(other) = self.ours.iter_mut().find(|other| other.name == entry.name) {
                *other = entry;
            } else if self.ours.len() < FILES_MAX {
                self.ours.push(entry);
            } else {
                tracing::debug!(most = FILES_MAX, "More files than one copy may have, one is left out");
            }
        }
        let describe = |entry: &DriveEntry| {
            let time = entry.modified.saturating_add(SECONDS_1601).saturating_mul(TICKS);
            let attributes = ClipboardFileAttributes::NORMAL;
            FileDescriptor::new(entry.name.as_str())
                .with_attributes(attributes)
                .with_last_write_time(time)
                .with_file_size(entry.size)
        };
        Some(self.ours.iter().map(describe).collect())
    }

    /// Something else is on our clipboard.
    pub fn withdraw(&mut self) {
        self.replaced |= !self.ours.is_empty();
        self.begun.clear();
        self.ours.clear();
    }

    /// The machine reads one of our files.
    pub fn read(&mut self, request: FileContentsRequest) {
        if self.reads.len() < READS_MAX {
            self.reads.push_back(request);
        } else {
            tracing::debug!(
                "Machine asks for more of its clipboard's files than can be answered, one request is dropped"
            );
        }
    }

    /// The answer to the oldest question.
    pub fn next_read(&mut self) -> Option<FileContentsResponse<'static>> {
        let request = self.reads.pop_front()?;
        Some(self.answer(&request).unwrap_or_else(|| FileContentsResponse::new_error(request.stream_id)))
    }

    fn answer(&mut self, request: &FileContentsRequest) -> Option<FileContentsResponse<'static>> {
        let entry = self.ours.get(usize::try_from(request.index).ok()?).filter(|_| self.ways.to_machine)?;
        if request.flags.contains(FileContentsFlags::SIZE) {
            return Some(FileContentsResponse::new_size_response(request.stream_id, entry.size));
        }
        // Whoever is in the middle of a file of another list must not get the rest of this one.
        if request.position > 0 && self.replaced && !self.begun.contains(&request.index) {
            return None;
        }
        let length = READ_BYTES_MAX.min(request.requested_size as usize);
        let bytes = self.drive.lock().bytes(entry, request.position, length).ok()?;
        if request.position == 0 {
            self.begun.insert(request.index);
        }
        Some(FileContentsResponse::new_data_response(request.stream_id, bytes))
    }

    /// The machine has copied something else, and no longer has the files of before.
    pub fn stop(&mut self) {
        self.wanted.clear();
        self.ask = None;
        if let Some(taking) = self.taking.take() {
            self.drive.lock().abandon_upload(&taking.wanted.path, TAG);
        }
    }

    /// The machine's list, whose files are fetched one after the other.
    pub fn listed(&mut self, files: &[FileDescriptor]) {
        if !self.takes() {
            return;
        }
        self.stop();
        self.forget();
        self.left = COPIED_BYTES_MAX;
        for (index, file) in files.iter().enumerate().take(FILES_MAX) {
            let is_folder = file.attributes.is_some_and(|bits| bits.contains(ClipboardFileAttributes::DIRECTORY));
            let path = format!("{COPIED}/{}", path(file));
            let known = self.wanted.iter().any(|other| other.path == path);
            if is_folder || known {
                continue;
            }
            if let Ok(index) = i32::try_from(index) {
                self.wanted.push_back(Wanted { index, path, size: file.file_size });
            }
        }
        tracing::debug!(files = self.wanted.len(), "Machine has copied files");
        self.go_on();
    }

    /// Removes what was fetched of an earlier copy and nobody has changed since: a folder must not fill up with every copy.
    fn forget(&mut self) {
        let mut folder = self.drive.lock();
        for (path, entry) in self.taken.drain(..) {
            if folder.stat(&path).as_ref() != Ok(&entry) {
                continue;
            }
            let mut path = path.as_str();
            // And the folders that are empty then.
            while folder.remove(path).is_ok() {
                match path.rsplit_once('/') {
                    Some((above, _)) => path = above,
                    None => break,
                }
            }
        }
    }

    /// Begins the next file, unless one is being fetched.
    fn go_on(&mut self) {
        while self.taking.is_none() {
            let Some(wanted) = self.wanted.pop_front() else { return };
            if let Err(why) = self.begin(wanted) {
                tracing::info!(%why, "A file that the machine copied is left out");
            }
        }
    }

    fn begin(&mut self, wanted: Wanted) -> Result<(), DriveError> {
        if wanted.size.is_some_and(|size| size > self.left) {
            return Err(DriveError::Full);
        }
        {
            let mut folder = self.drive.lock();
            make_folders(&mut folder, &wanted.path)?;
            folder.begin_upload(&wanted.path, TAG, 0, true)?;
        }
        let taking = Taking { wanted, at: 0, stream: 0, asked: 0 };
        if taking.wanted.size == Some(0) {
            return self.complete(taking);
        }
        self.ask_for(taking);
        Ok(())
    }

    fn ask_for(&mut self, mut taking: Taking) {
        self.stream = self.stream.wrapping_add(1);
        let rest = taking.wanted.size.map_or(u64::MAX, |size| size.saturating_sub(taking.at));
        taking.asked = u32::try_from(rest).unwrap_or(u32::MAX).min(ASKED_BYTES);
        taking.stream = self.stream;
        self.ask = Some(FileContentsRequest {
            stream_id: taking.stream,
            index: taking.wanted.index,
            flags: FileContentsFlags::RANGE,
            position: taking.at,
            requested_size: taking.asked,
            data_id: None,
        });
        self.taking = Some(taking);
    }

    /// What the machine is to be asked.
    pub const fn ask(&mut self) -> Option<FileContentsRequest> {
        self.ask.take()
    }

    /// An answer of the machine.
    pub fn answered(&mut self, answer: &FileContentsResponse<'_>) {
        let Some(taking) = self.taking.take_if(|taking| taking.stream == answer.stream_id()) else { return };
        let path = taking.wanted.path.clone();
        let taken = if answer.is_error() { Err(DriveError::Missing) } else { self.piece(taking, answer.data()) };
        if let Err(why) = taken {
            tracing::info!(%why, "A file that the machine copied is left out");
            self.drive.lock().abandon_upload(&path, TAG);
        }
        self.go_on();
    }

    fn piece(&mut self, mut taking: Taking, piece: &[u8]) -> Result<(), DriveError> {
        let length = piece.len() as u64;
        if length > u64::from(taking.asked) || length > self.left {
            return Err(DriveError::Full);
        }
        self.drive.lock().upload(&taking.wanted.path, TAG, taking.at, piece)?;
        taking.at += length;
        self.left -= length;
        let short = length < u64::from(taking.asked);
        let whole = match taking.wanted.size {
            Some(size) => taking.at >= size,
            // It ends where there is no more.
            None => short,
        };
        match (whole, piece.is_empty()) {
            (true, _) => self.complete(taking),
            (false, true) => Err(DriveError::Missing),
            (false, false) => {
                self.ask_for(taking);
                Ok(())
            }
        }
    }

    fn complete(&mut self, taking: Taking) -> Result<(), DriveError> {
        let path = taking.wanted.path;
        let mut folder = self.drive.lock();
        folder.put_upload(&path, TAG, taking.at, true)?;
        let entry = folder.stat(&path)?;
        drop(folder);
        self.taken.push((path, entry));
        Ok(())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether data of so many bytes, of which these are the first, may be a list of files.
pub(super) fn begins(data: &[u8], length: usize) -> bool {
    let Some(count) = data.first_chunk().map(|count| u32::from_le_bytes(*count) as usize) else { return false };
    count > 0 && count.checked_mul(DESCRIPTOR_BYTES).and_then(|size| size.checked_add(COUNT_BYTES)) == Some(length)
}

fn make_folders(folder: &mut Folder, path: &str) -> Result<(), DriveError> {
    for (at, _) in path.match_indices('/') {
        match folder.make_folder(path.get(..at).unwrap_or_default()) {
            Ok(()) | Err(DriveError::Exists) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

/// Where a file of the machine may lie: there is no way up, and no name that the other side would stumble over.
fn path(file: &FileDescriptor) -> String {
    let whole = format!("{}\\{}", file.relative_path.as_deref().unwrap_or_default(), file.name);
    let names: Vec<String> = whole.split(['/', '\\']).filter_map(name).collect();
    let deep = names.len().saturating_sub(DEPTH_MAX);
    let names = names.get(deep..).unwrap_or_default();
    if names.is_empty() { "file".to_owned() } else { names.join("/") }
}

fn name(said: &str) -> Option<String> {
    let mut name: String =
        said.chars().map(|letter| if is_name(&format!("{letter}x")) { letter } else { '_' }).collect();
    while !is_name(&name) {
        // Too long, or ends with a dot or a space.
        name.pop()?;
    }
    Some(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    const BOTH: ClipboardFiles = ClipboardFiles { to_machine: true, to_person: true };

    fn files(ways: ClipboardFiles) -> (Files, Drive, Arc<AtomicU64>) {
        let time = Arc::new(AtomicU64::new(1_700_000_000));
        let clock = Arc::clone(&time);
        let drive = Drive::new(Arc::new(move || clock.load(Ordering::Relaxed)));
        let mut files = Files::new(drive.clone(), ways);
        files.agree(true);
        (files, drive, time)
    }

    fn put(drive: &Drive, path: &str, bytes: &[u8]) {
        let mut folder = drive.lock();
        folder.begin_upload(path, "t", 0, true).unwrap();
        folder.upload(path, "t", 0, bytes).unwrap();
        folder.complete_upload(path, "t", bytes.len() as u64, true).unwrap();
    }

    fn got(drive: &Drive, path: &str) -> Option<Vec<u8>> {
        let folder = drive.lock();
        let found = folder.stat(path).ok()?;
        folder.bytes(&found, 0, usize::MAX).ok()
    }

    fn range(index: i32, position: u64, requested_size: u32) -> FileContentsRequest {
        FileContentsRequest {
            stream_id: 9,
            index,
            flags: FileContentsFlags::RANGE,
            position,
            requested_size,
            data_id: None,
        }
    }

    fn reads(files: &mut Files, request: FileContentsRequest) -> Option<Vec<u8>> {
        files.read(request);
        let answer = files.next_read().unwrap();
        assert_eq!(answer.stream_id(), 9);
        (!answer.is_error()).then(|| answer.data().to_vec())
    }

    fn names(offered: Option<Vec<FileDescriptor>>) -> Vec<String> {
        offered.unwrap_or_default().into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn what_the_person_puts_here_is_offered_and_read() {
        let (mut files, drive, time) = files(BOTH);
        assert!(files.offer().is_none());
        put(&drive, "ä.txt", b"0123456789");
        let offered = files.offer().unwrap();
        assert_eq!((offered[0].name.as_str(), offered[0].file_size), ("ä.txt", Some(10)));
        assert!(files.offer().is_none(), "once");
        assert_eq!(reads(&mut files, range(0, 3, 4)).unwrap(), b"3456");
        assert_eq!(reads(&mut files, range(0, 8, 100)).unwrap(), b"89");
        assert_eq!(reads(&mut files, range(0, 10, 100)).unwrap(), b"");
        let size = FileContentsRequest { flags: FileContentsFlags::SIZE, ..range(0, 0, 8) };
        assert_eq!(reads(&mut files, size).unwrap(), 10u64.to_le_bytes());
        assert_eq!(reads(&mut files, range(1, 0, 1)), None);
        assert_eq!(reads(&mut files, range(-1, 0, 1)), None);
        // What comes shortly after belongs to it, in its place where it has the same name.
        put(&drive, "b", b"b");
        put(&drive, "ä.txt", b"new");
        assert_eq!(names(files.offer()), ["ä.txt", "b"]);
        assert_eq!(reads(&mut files, range(0, 0, 9)).unwrap(), b"new");
        // A later one is another copy: whoever is in the middle of the old one gets nothing of it.
        time.fetch_add(TOGETHER_SECONDS + 1, Ordering::Relaxed);
        put(&drive, "c", b"cccc");
        assert_eq!(names(files.offer()), ["c"]);
        assert_eq!(reads(&mut files, range(0, 2, 9)), None);
        assert_eq!(reads(&mut files, range(0, 0, 2)).unwrap(), b"cc");
        assert_eq!(reads(&mut files, range(0, 2, 9)).unwrap(), b"cc");
        // Nor of what is gone.
        drive.lock().remove("c").unwrap();
        assert_eq!(reads(&mut files, range(0, 0, 2)), None);
        put(&drive, "d", b"d");
        files.offer().unwrap();
        files.withdraw();
        assert_eq!(reads(&mut files, range(0, 0, 2)), None);
        for _ in 0..2 * READS_MAX {
            files.read(range(0, 0, 1));
        }
        assert_eq!(files.reads.len(), READS_MAX);
    }

    #[test]
    fn nothing_goes_where_a_rule_or_the_machine_forbids_it() {
        let (mut files, drive, _) = files(ClipboardFiles { to_machine: false, to_person: true });
        put(&drive, "a", b"a");
        assert!(files.offer().is_none());
        assert_eq!(reads(&mut files, range(0, 0, 1)), None);
        files.ways = ClipboardFiles { to_machine: true, to_person: false };
        files.agree(false);
        assert!(files.offer().is_none());
        files.agree(true);
        assert_eq!(names(files.offer()), ["a"], "it is still there");
        assert!(!files.takes());
        files.listed(&[FileDescriptor::new("x").with_file_size(1)]);
        assert!(files.ask().is_none());
    }

    /// Answers every question out of a file's bytes.
    fn serve(files: &mut Files, contents: &[&[u8]]) {
        while let Some(request) = files.ask() {
            let all = contents[usize::try_from(request.index).unwrap()];
            let from = all.len().min(request.position as usize);
            let to = all.len().min(from + request.requested_size as usize);
            files.answered(&FileContentsResponse::new_data_response(request.stream_id, &all[from..to]));
        }
    }

    #[test]
    fn what_the_machine_copies_comes_whole() {
        let (mut files, drive, _) = files(BOTH);
        let large = vec![7; 3 * ASKED_BYTES as usize + 5];
        let sized = |name: &str, size: usize| FileDescriptor::new(name).with_file_size(size as u64);
        let list = [
            sized("large ü.bin", large.len()),
            FileDescriptor::new("folder").with_attributes(ClipboardFileAttributes::DIRECTORY),
            sized("in.txt", 2).with_relative_path("folder"),
            sized("empty", 0),
            FileDescriptor::new("unsized"),
            sized("shrunk", 10),
        ];
        files.listed(&list);
        assert!(drive.lock().stat("Copied/large ü.bin").is_err(), "not before it is whole");
        serve(&mut files, &[&large, b"", b"in", b"", &large[..ASKED_BYTES as usize], b"short"]);
        assert_eq!(got(&drive, "Copied/large ü.bin").unwrap(), large);
        assert_eq!(got(&drive, "Copied/folder/in.txt").unwrap(), b"in");
        assert_eq!(got(&drive, "Copied/empty").unwrap(), b"");
        assert_eq!(got(&drive, "Copied/unsized").unwrap().len(), ASKED_BYTES as usize);
        assert_eq!(got(&drive, "Copied/shrunk"), None);
        assert!(files.offer().is_none(), "it is no news for the machine");
        // The next copy takes its place, but for what somebody has changed.
        put(&drive, "Copied/empty", b"edited");
        files.listed(&[sized("next", 1)]);
        serve(&mut files, &[b"n"]);
        let there: Vec<_> = drive.lock().list("Copied").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(there, ["empty", "next"]);
    }

    #[test]
    fn a_machine_that_lies_gets_no_further() {
        let (mut files, drive, _) = files(BOTH);
        let sized = |name: &str, size: u64| FileDescriptor::new(name).with_file_size(size);
        files.listed(&[
            sized("too large", COPIED_BYTES_MAX + 1),
            sized("failed", 9),
            sized("flood", 3),
            sized("ok", 1),
        ]);
        let failed = files.ask().unwrap();
        assert_eq!(failed.index, 1);
        files.answered(&FileContentsResponse::new_error(failed.stream_id + 1));
        assert!(files.ask().is_none(), "that was about nothing");
        files.answered(&FileContentsResponse::new_error(failed.stream_id));
        let flood = files.ask().unwrap();
        files.answered(&FileContentsResponse::new_data_response(flood.stream_id, vec![0; 4]));
        serve(&mut files, &[b"", b"", b"", b"k"]);
        let there: Vec<_> = drive.lock().list("Copied").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(there, ["ok"]);
        // Without an end: as much as one copy may have.
        files.listed(&[FileDescriptor::new("endless")]);
        let mut pieces = 0;
        while let Some(request) = files.ask() {
            pieces += 1;
            files.answered(&FileContentsResponse::new_data_response(request.stream_id, vec![0; ASKED_BYTES as usize]));
        }
        assert_eq!(pieces, COPIED_BYTES_MAX / u64::from(ASKED_BYTES) + 1);
        assert_eq!(got(&drive, "Copied/endless"), None);
        assert_eq!(drive.lock().room(), crate::drive::DRIVE_BYTES_MAX, "nothing is left of it");
        // And one that copies something else meanwhile.
        files.listed(&[sized("a", 5), sized("b", 5)]);
        let asked = files.ask().unwrap();
        files.stop();
        files.answered(&FileContentsResponse::new_data_response(asked.stream_id, b"12345".as_slice()));
        assert!(files.ask().is_none() && got(&drive, "Copied/a").is_none());
    }

    #[test]
    fn names_of_the_machine_are_no_ways() {
        for (said, is) in [
            ("a.txt", "a.txt"),
            ("..\\..\\etc\\passwd", "etc/passwd"),
            ("C:\\x\\y", "C_/x/y"),
            ("/etc/shadow", "etc/shadow"),
            ("", "file"),
            ("..", "file"),
            ("a\u{0}b<c>. ", "a_b_c_"),
            ("1/2/3/4/5/6/7/8/9", "2/3/4/5/6/7/8/9"),
        ] {
            assert_eq!(path(&FileDescriptor::new(said)), is, "{said:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_one(name in ".{0,300}", above in proptest::option::of(".{0,40}")) {
            let mut file = FileDescriptor::new(name);
            file.relative_path = above;
            let path = path(&file);
            prop_assert!(path.split('/').all(is_name), "{path:?}");
        }
    }
}
