//! The channel as a machine uses it, message by message.

use super::wire::{Reader, Writer, utf16};
use super::*;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What Windows and xrdp send before the first request.
const ANNOUNCE: &[u8] = b"rDnI\x01\0\x0c\0\x05\0\0\0";
const LOGGED_ON: &[u8] = b"rDLU";
const CONFIRM: &[u8] = b"rDCC\x01\0\x0c\0\x05\0\0\0";

fn server_capabilities(extended: u32) -> Vec<u8> {
    let head = wire::message(wire::SERVER_CAPABILITY).u16(2).u16(0).u16(4).u16(8).u32(2).u16(1).u16(44).u32(2);
    head.u32(2).u32(0).u16(1).u16(12).u32(0xffff).u32(0).u32(extended).u32(0).u32(0).u32(0).0
}

fn drive() -> Drive {
    Drive::new(Arc::new(|| 1_700_000_000))
}

struct Machine {
    channel: Rdpdr,
    drive: Drive,
    completion: u32,
}

impl Machine {
    fn connected(writable: bool) -> Self {
        Self::on(drive(), writable)
    }

    fn on(drive: Drive, writable: bool) -> Self {
        let mut channel = Rdpdr::new("oriel", drive.clone(), writable);
        channel.take(ANNOUNCE);
        channel.take(LOGGED_ON);
        channel.take(&server_capabilities(7));
        channel.take(CONFIRM);
        channel.take(b"rDrd\x01\0\0\0\0\0\0\0");
        assert_eq!(drive.lock().machine, MachineSide::Connected);
        Self { channel, drive, completion: 0 }
    }

    fn send(&mut self, file: u32, major: u32, minor: u32, body: &[u8]) -> Vec<Vec<u8>> {
        self.completion += 1;
        let head = wire::message(wire::IO_REQUEST).u32(1).u32(file).u32(self.completion).u32(major).u32(minor);
        let mut answers = self.channel.take(&head.bytes(body).0);
        answers.extend(std::iter::from_fn(|| self.channel.next_read()));
        answers
    }

    /// The status and the body of the answer.
    fn ask(&mut self, file: u32, major: u32, minor: u32, body: &[u8]) -> (u32, Vec<u8>) {
        let answers = self.send(file, major, minor, body);
        assert_eq!(answers.len(), 1);
        let mut answer = Reader(&answers[0]);
        assert_eq!((answer.u16(), answer.u16()), (Some(wire::CORE), Some(wire::IO_COMPLETION)));
        assert_eq!((answer.u32(), answer.u32()), (Some(1), Some(self.completion)));
        (answer.u32().unwrap(), answer.0.to_vec())
    }

    fn create(&mut self, path: &str, disposition: u32, options: u32) -> Result<u32, u32> {
        let path = utf16(&format!("{path}\0"));
        let body = Writer::default().u32(0).u64(0).u32(0).u32(7).u32(disposition).u32(options).sized(&path).0;
        let (status, body) = self.ask(0, 0, 0, &body);
        if status == 0 { Ok(Reader(&body).u32().unwrap()) } else { Err(status) }
    }

    fn write(&mut self, file: u32, offset: u64, bytes: &[u8]) -> u32 {
        let body = Writer::default().u32(bytes.len() as u32).u64(offset).bytes(&[0; 20]).bytes(bytes).0;
        self.ask(file, 4, 0, &body).0
    }

    fn read(&mut self, file: u32, offset: u64, length: u32) -> Vec<u8> {
        let body = Writer::default().u32(length).u64(offset).bytes(&[0; 20]).0;
        let (status, body) = self.ask(file, 3, 0, &body);
        assert_eq!(status, 0);
        body[4..].to_vec()
    }

    fn close(&mut self, file: u32) -> u32 {
        self.ask(file, 2, 0, &[0; 32]).0
    }

    fn set(&mut self, file: u32, class: u32, buffer: &[u8]) -> u32 {
        let body = Writer::default().u32(class).u32(buffer.len() as u32).bytes(&[0; 24]).bytes(buffer).0;
        self.ask(file, 6, 0, &body).0
    }

    fn list(&mut self, folder: u32, path: &str) -> Vec<String> {
        let path = utf16(&format!("{path}\0"));
        let mut names = Vec::new();
        for initial in [1].into_iter().chain(std::iter::repeat(0)) {
            let body = Writer::default().u32(3).u8(initial).u32(path.len() as u32).bytes(&[0; 23]).bytes(&path).0;
            let (status, body) = self.ask(folder, 12, 1, &body);
            if status != 0 {
                assert!([status::NO_MORE_FILES, status::NO_SUCH_FILE].contains(&status));
                break;
            }
            let name = body[4 + 93..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            names.push(char::decode_utf16(name).map(Result::unwrap).collect());
        }
        names
    }
}

#[test]
fn the_drive_is_announced_when_somebody_is_there_and_once() {
    let mut channel = Rdpdr::new("oriel", drive(), true);
    let answers = channel.take(ANNOUNCE);
    assert_eq!(answers[0], CONFIRM);
    assert_eq!(answers[1], b"rDNC\x01\0\0\0\0\0\0\0\x0c\0\0\0o\0r\0i\0e\0l\0\0\0");
    // Windows: capabilities and confirmation, and later that somebody has logged on.
    let answers = channel.take(&server_capabilities(7));
    assert_eq!((answers.len(), answers[0].len()), (1, 4 + 4 + 44 + 8));
    assert!(channel.take(CONFIRM).is_empty());
    let announced = channel.take(LOGGED_ON);
    assert_eq!(announced[0], b"rDAD\x01\0\0\0\x08\0\0\0\x01\0\0\0Oriel\0\0\0\x0c\0\0\0O\0r\0i\0e\0l\0\0\0",);
    assert!(channel.take(LOGGED_ON).is_empty());
    // A server that never says so.
    let mut channel = Rdpdr::new("oriel", drive(), true);
    channel.take(ANNOUNCE);
    assert_eq!(channel.take(&server_capabilities(3)).len(), 1);
    assert_eq!(channel.take(CONFIRM).len(), 1);
    // The session is taken over: all of it again.
    assert_eq!(channel.take(ANNOUNCE).len(), 2);
    assert_eq!(channel.take(&server_capabilities(3)).len(), 1);
    assert_eq!(channel.take(CONFIRM).len(), 1);
}

#[test]
fn files_are_made_read_renamed_and_deleted() {
    let mut machine = Machine::connected(true);
    let file = machine.create("\\Größe 1.txt", 2, 0x40).unwrap();
    assert_eq!(machine.write(file, 0, b"hello"), 0);
    assert_eq!(machine.write(file, u64::MAX, b" world"), 0);
    assert_eq!(machine.read(file, 6, 100), b"world");
    assert_eq!(machine.read(file, 600, 100), b"");
    assert_eq!(machine.close(file), 0);
    assert_eq!(machine.close(file), status::INVALID_HANDLE);
    let entries = machine.drive.lock().list("").unwrap();
    assert_eq!((entries[0].name.as_str(), entries[0].size, entries[0].modified), ("Größe 1.txt", 11, 1_700_000_000));
    // Whatever its case, as Windows has it, and not twice.
    assert_eq!(machine.create("\\GRÖSSE 1.TXT", 1, 0), Err(status::NO_SUCH_FILE));
    let file = machine.create("\\GRÖßE 1.TXT", 1, 0).unwrap();
    assert_eq!(machine.create("\\größe 1.txt", 2, 0), Err(status::OBJECT_NAME_COLLISION));
    let folder = machine.create("\\sub", 2, 1).unwrap();
    let name = utf16("\\sub\\b.txt");
    let rename = Writer::default().u8(0).u8(0).sized(&name).0;
    assert_eq!(machine.set(file, 10, &rename), 0);
    assert_eq!(machine.set(file, 20, &3u64.to_le_bytes()), 0);
    assert_eq!(machine.read(file, 0, 100), b"hel");
    assert_eq!(machine.list(folder, "\\sub\\*"), [".", "..", "b.txt"]);
    assert_eq!(machine.list(folder, "\\sub\\B.*"), ["b.txt"]);
    assert!(machine.list(folder, "\\sub\\none").is_empty());
    assert_eq!(machine.set(folder, 13, &[1]), status::DIRECTORY_NOT_EMPTY);
    assert_eq!(machine.set(file, 13, &[]), 0);
    assert_eq!(machine.close(file), 0);
    assert_eq!(machine.set(folder, 13, &[1]), 0);
    assert_eq!(machine.close(folder), 0);
    assert!(machine.drive.lock().list("").unwrap().is_empty());
}

#[test]
fn there_is_no_way_out() {
    let mut machine = Machine::connected(true);
    for path in ["\\..", "\\..\\..\\etc\\passwd", "\\.", "\\a/../../b", "\\c:", "\\a\u{0}b/..", "\\a*", "\\\u{fffd}"] {
        for disposition in 0..6 {
            let made = machine.create(path, disposition, 0);
            if path != "\\a\u{0}b/.." {
                assert!(made.is_err(), "{path:?} {disposition}");
            }
        }
    }
    // Up to the NUL it is a name.
    let names: Vec<_> = machine.drive.lock().list("").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a"]);
    // Nor for the person.
    let mut folder = Folder::new(Arc::new(|| 0));
    for path in ["..", "../x", "a/../../x", "a/.", ""] {
        assert!(folder.begin_upload(path, "t", 0, false).is_err(), "{path:?}");
        assert!(folder.make_folder(path).is_err(), "{path:?}");
    }
}

#[test]
fn all_of_it_is_bounded() {
    let mut machine = Machine::connected(true);
    let file = machine.create("\\big", 2, 0).unwrap();
    assert_eq!(machine.write(file, DRIVE_BYTES_MAX, b"x"), status::DISK_FULL);
    assert_eq!(machine.write(file, u64::MAX - 1, b"xyz"), status::DISK_FULL);
    assert_eq!(machine.set(file, 20, &u64::MAX.to_le_bytes()), status::DISK_FULL);
    assert_eq!(machine.set(file, 20, &DRIVE_BYTES_MAX.to_le_bytes()), 0);
    assert_eq!(machine.drive.lock().room(), 0);
    let told = machine.drive.lock().begin_upload("more", "t", 0, false);
    assert_eq!(told.and_then(|()| machine.drive.lock().upload("more", "t", 0, b"x")), Err(DriveError::Full));
    assert_eq!(machine.set(file, 20, &0u64.to_le_bytes()), 0);
    assert_eq!(machine.drive.lock().room(), DRIVE_BYTES_MAX);
    for _ in 1..DRIVE_HANDLES_MAX {
        machine.create("\\", 1, 0).unwrap();
    }
    assert_eq!(machine.create("\\", 1, 0), Err(status::TOO_MANY_OPENED_FILES));
    for number in 0..DRIVE_WATCHES_MAX {
        assert!(machine.send(file, 12, 2, &[0; 32]).is_empty(), "{number}");
    }
    assert_eq!(machine.ask(file, 12, 2, &[0; 32]).0, status::NOT_SUPPORTED);
    let mut folder = Folder::new(Arc::new(|| 0));
    let deep: Vec<String> = (1..=DRIVE_DEPTH_MAX + 1).map(|depth| vec!["d"; depth].join("/")).collect();
    let made: Vec<_> = deep.iter().map(|path| folder.make_folder(path).is_ok()).collect();
    assert_eq!(made.iter().filter(|made| **made).count(), DRIVE_DEPTH_MAX);
    assert_eq!(folder.rename("d/d", "d/d/d/e", false), Err(DriveError::Name));
    let mut folder = Folder::new(Arc::new(|| 0));
    for number in 0..DRIVE_ENTRIES_MAX {
        folder.make_folder(&format!("f{number}")).unwrap();
    }
    assert_eq!(folder.make_folder("more"), Err(DriveError::Full));
    assert_eq!(folder.begin_upload("more", "t", 0, false), Ok(()));
    assert_eq!(folder.complete_upload("more", "t", 0, false), Err(DriveError::Full));
    for number in 0..2 * DRIVE_UPLOADS_MAX {
        folder.begin_upload(&format!("u{number}"), "t", 0, false).unwrap();
        folder.upload(&format!("u{number}"), "t", 0, b"four").unwrap();
    }
    assert_eq!(DRIVE_BYTES_MAX - folder.room(), 4 * DRIVE_UPLOADS_MAX as u64);
}

#[test]
fn uploads_that_nobody_goes_on_with_give_way() {
    let now = Arc::new(AtomicU64::new(1_700_000_000));
    let clock = Arc::clone(&now);
    let mut folder = Folder::new(Arc::new(move || clock.load(Ordering::Relaxed)));
    let half = vec![1; usize::try_from(DRIVE_BYTES_MAX / 2).unwrap()];
    for path in ["left", "live"] {
        folder.begin_upload(path, "t", 0, false).unwrap();
        folder.upload(path, "t", 0, &half).unwrap();
    }
    folder.begin_upload("new", "t", 0, false).unwrap();
    assert_eq!(folder.upload("new", "t", 0, b"x"), Err(DriveError::Full));
    assert_eq!((folder.room(), folder.free()), (0, 0));
    now.fetch_add(DRIVE_UPLOAD_IDLE_SECONDS + 1, Ordering::Relaxed);
    folder.begin_upload("live", "t", DRIVE_BYTES_MAX / 2, false).unwrap();
    assert_eq!((folder.room(), folder.free()), (0, DRIVE_BYTES_MAX / 2));
    // What would not fit in any case takes nothing away.
    let file = folder.make(folder::ROOT, "made", false).unwrap();
    assert_eq!(folder.resize(file, DRIVE_BYTES_MAX), Err(DriveError::Full));
    assert_eq!(folder.uploaded("left", "t"), DRIVE_BYTES_MAX / 2);
    folder.upload("new", "t", 0, b"x").unwrap();
    assert_eq!((folder.uploaded("left", "t"), folder.uploaded("live", "t")), (0, DRIVE_BYTES_MAX / 2));
    assert_eq!(folder.upload("left", "t", DRIVE_BYTES_MAX / 2, b"x"), Err(DriveError::Gap(0)));
    folder.complete_upload("new", "t", 1, false).unwrap();
}

#[test]
fn numbers_of_a_sign_in_mean_nothing_in_the_next() {
    let mut machine = Machine::connected(true);
    let old = machine.create("\\a", 2, 0).unwrap();
    machine.create("\\temporary", 2, 0x1000).unwrap();
    let drive = machine.drive.clone();
    drop(machine);
    // What was to go with its last handle is gone.
    let names: Vec<_> = drive.lock().list("").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a"]);
    // Nor does the new one have the drive before it says so.
    assert_eq!(drive.lock().machine, MachineSide::Connected);
    let mut channel = Rdpdr::new("oriel", drive.clone(), true);
    assert_eq!(drive.lock().machine, MachineSide::Unknown);
    drive.lock().machine = MachineSide::Connected;
    channel.take(ANNOUNCE);
    assert_eq!(drive.lock().machine, MachineSide::Unknown);
    let mut machine = Machine::on(drive, true);
    for name in ["b", "c", "d"] {
        assert_ne!(machine.create(name, 2, 0).unwrap(), old);
    }
    assert_eq!(machine.write(old, 0, b"x"), status::INVALID_HANDLE);
}

#[test]
fn a_search_tells_names_as_they_are_now() {
    let mut machine = Machine::connected(true);
    machine.create("\\a", 2, 0).unwrap();
    let folder = machine.create("\\", 1, 1).unwrap();
    let search = |machine: &mut Machine, initial: u8| {
        let path = utf16("\\*\0");
        let body = Writer::default().u32(12).u8(initial).u32(path.len() as u32).bytes(&[0; 23]).bytes(&path).0;
        let (status, body) = machine.ask(folder, 12, 1, &body);
        assert_eq!(status, 0);
        body[4 + 12..].to_vec()
    };
    assert_eq!(search(&mut machine, 1), utf16("."));
    assert_eq!(search(&mut machine, 0), utf16(".."));
    machine.drive.lock().rename("a", "b", false).unwrap();
    assert_eq!(search(&mut machine, 0), utf16("b"));
}

#[test]
fn a_deleted_file_goes_with_the_last_who_has_it_open() {
    let mut machine = Machine::connected(true);
    let one = machine.create("\\temporary", 2, 0x1000).unwrap();
    assert_eq!(machine.write(one, 0, b"bytes"), 0);
    let other = machine.create("\\temporary", 1, 0).unwrap();
    assert_eq!(machine.close(one), 0);
    assert_eq!(machine.read(other, 0, 9), b"bytes");
    assert_eq!(machine.create("\\temporary", 1, 0), Err(status::DELETE_PENDING));
    assert_eq!(machine.close(other), 0);
    assert_eq!(machine.create("\\temporary", 1, 0), Err(status::NO_SUCH_FILE));
    // A wish can be taken back, by whoever has it open.
    let one = machine.create("\\kept", 2, 0).unwrap();
    let other = machine.create("\\kept", 1, 0).unwrap();
    assert_eq!(machine.set(one, 13, &[1]), 0);
    assert_eq!(machine.set(other, 13, &[0]), 0);
    assert_eq!((machine.close(one), machine.close(other)), (0, 0));
    machine.create("\\kept", 1, 0).unwrap();
}

#[test]
fn a_download_does_not_go_on_with_what_replaced_its_file() {
    let mut folder = Folder::new(Arc::new(|| 0));
    let mut found = None;
    for bytes in [b"old!", b"new!"] {
        folder.begin_upload("a", "t", 0, true).unwrap();
        folder.upload("a", "t", 0, bytes).unwrap();
        folder.complete_upload("a", "t", 4, true).unwrap();
        found.get_or_insert_with(|| folder.stat("a").unwrap());
    }
    assert_eq!(folder.bytes(&found.unwrap(), 2, 2), Err(DriveError::Missing));
    let found = folder.stat("a").unwrap();
    assert_eq!(folder.bytes(&found, 0, 4).unwrap(), b"new!");
}

/// Sixteen requests in one read of the network used to become sixteen megabytes at once.
#[test]
fn reads_wait_as_requests_until_there_is_room_for_their_bytes() {
    let mut machine = Machine::connected(true);
    let file = machine.create("\\big", 2, 0).unwrap();
    assert_eq!(machine.set(file, 20, &(32u64 << 20).to_le_bytes()), 0);
    let read = |machine: &mut Machine, completion: u32| {
        let head = wire::message(wire::IO_REQUEST).u32(1).u32(file).u32(completion).u32(3).u32(0);
        machine.channel.take(&head.u32(1 << 20).u64(u64::from(completion) << 20).bytes(&[0; 20]).0)
    };
    for completion in 0..16 {
        assert!(read(&mut machine, completion).is_empty());
    }
    // It may close the file meanwhile.
    let head = wire::message(wire::IO_REQUEST).u32(1).u32(file).u32(99).u32(2).u32(0);
    assert_eq!(machine.channel.take(&head.bytes(&[0; 32]).0).len(), 1);
    for completion in 0..16u32 {
        let answer = machine.channel.next_read().unwrap();
        assert_eq!((&answer[8..12], answer.len()), (&completion.to_le_bytes()[..], 16 + 4 + (1 << 20)));
    }
    assert!(machine.channel.next_read().is_none());
    // So many and no more.
    let file = machine.create("\\big", 1, 0).unwrap();
    let read = |machine: &mut Machine| {
        let head = wire::message(wire::IO_REQUEST).u32(1).u32(file).u32(7).u32(3).u32(0);
        machine.channel.take(&head.u32(1).u64(0).bytes(&[0; 20]).0)
    };
    for _ in 0..DRIVE_READS_MAX {
        assert!(read(&mut machine).is_empty());
    }
    assert_eq!(read(&mut machine)[0][12..16], status::INSUFFICIENT_RESOURCES.to_le_bytes());
}

#[test]
fn a_machine_that_may_give_nothing_writes_nothing() {
    let mut machine = Machine::connected(false);
    let mut folder = machine.drive.lock();
    folder.begin_upload("a", "t", 0, false).unwrap();
    folder.upload("a", "t", 0, b"bytes").unwrap();
    folder.complete_upload("a", "t", 5, false).unwrap();
    drop(folder);
    let protected = Err(status::MEDIA_WRITE_PROTECTED);
    assert_eq!(machine.create("\\b", 2, 0), protected);
    assert_eq!(machine.create("\\a", 5, 0), protected);
    assert_eq!(machine.create("\\a", 1, 0x1000), protected);
    let file = machine.create("\\a", 3, 0).unwrap();
    assert_eq!(machine.write(file, 0, b"x"), status::MEDIA_WRITE_PROTECTED);
    assert_eq!(machine.set(file, 13, &[1]), status::MEDIA_WRITE_PROTECTED);
    assert_eq!(machine.read(file, 0, 9), b"bytes");
}

#[test]
fn who_waits_for_a_change_hears_of_it() {
    let mut machine = Machine::connected(true);
    let folder = machine.create("\\", 1, 1).unwrap();
    assert!(machine.send(folder, 12, 2, &[0; 32]).is_empty());
    let waiting = machine.completion;
    assert!(machine.channel.changes().is_empty());
    machine.drive.lock().make_folder("new").unwrap();
    let told = machine.channel.changes();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0][8..12], waiting.to_le_bytes());
    assert!(machine.channel.changes().is_empty());
    // What happens while the machine lists the folder is told to who asks next.
    machine.drive.lock().make_folder("newer").unwrap();
    assert!(machine.channel.changes().is_empty());
    assert_eq!(machine.send(folder, 12, 2, &[0; 32]).len(), 1);
    // A closed folder's wait ends with it, before the close itself.
    assert!(machine.send(folder, 12, 2, &[0; 32]).is_empty());
    let waiting = machine.completion;
    let answers = machine.send(folder, 2, 0, &[0; 32]);
    assert_eq!(answers.len(), 2);
    assert_eq!((&answers[0][8..12], &answers[0][12..16]), (&waiting.to_le_bytes()[..], &0x10b_u32.to_le_bytes()[..]));
    machine.drive.lock().make_folder("last").unwrap();
    assert!(machine.channel.changes().is_empty());
    assert_eq!(machine.ask(folder, 12, 2, &[0; 32]).0, status::INVALID_HANDLE);
}

proptest! {
    /// Nothing that a machine says makes this panic, nor grow.
    #[test]
    fn any_message_is_read(messages in prop::collection::vec((0u8..12, 0u32..4, prop::collection::vec(any::<u8>(), 0..80)), 0..40)) {
        let mut machine = Machine::connected(true);
        for (major, file, body) in messages {
            let major = [0, 2, 3, 4, 5, 6, 9, 10, 12, 12, 14, 17][usize::from(major)];
            let minor = if major == 12 { file } else { 0 };
            machine.send(file, major, minor, &body);
            machine.channel.take(&body);
        }
        prop_assert!(machine.drive.lock().room() <= DRIVE_BYTES_MAX);
    }
}

/// A print as a print system writes it: made, written in pieces, closed.
fn print(machine: &mut Machine, path: &str) -> u32 {
    let file = match machine.create(path, 2, 0x40) {
        Ok(file) => file,
        Err(status) => return status,
    };
    assert_eq!(machine.write(file, 0, b"%PDF-1.7"), 0);
    assert_eq!(machine.write(file, 8, b" and so on"), 0);
    machine.close(file)
}

fn told(machine: &Machine) -> Vec<(String, u32)> {
    machine.drive.lock().take_prints().into_iter().map(|print| (print.name, print.size)).collect()
}

#[test]
fn what_is_printed_is_told_once_it_is_complete() {
    let mut machine = Machine::connected(true);
    assert_eq!(print(&mut machine, "\\before.pdf"), 0);
    machine.drive.lock().offer_prints(true);
    assert_eq!(print(&mut machine, "\\Print\\Größe.PDF"), 0);
    assert_eq!(told(&machine), [("Größe.PDF".to_owned(), 18)]);
    assert_eq!(told(&machine), []);
    // Not a print: another kind of file, one that is only looked at, one elsewhere, one that is empty, one that goes when it is closed.
    assert_eq!(print(&mut machine, "\\Print\\note.txt"), 0);
    assert_eq!(print(&mut machine, "\\elsewhere.pdf"), 0);
    let opened = machine.create("\\Print\\Größe.PDF", 1, 0x40).unwrap();
    machine.close(opened);
    let empty = machine.create("\\Print\\empty.pdf", 2, 0x40).unwrap();
    machine.close(empty);
    let doomed = machine.create("\\Print\\gone.pdf", 2, 0x1040).unwrap();
    machine.write(doomed, 0, b"%PDF-1.7");
    machine.close(doomed);
    assert_eq!(told(&machine), []);
    // In two halves: told when the last byte is there; written anew: told anew.
    let file = machine.create("\\Print\\slow.pdf", 2, 0x40).unwrap();
    machine.write(file, 0, b"%PDF-1.7");
    assert_eq!(told(&machine), []);
    machine.close(file);
    assert_eq!(told(&machine), [("slow.pdf".to_owned(), 8)]);
    let file = machine.create("\\Print\\slow.pdf", 5, 0x40).unwrap();
    machine.write(file, 0, b"%PDF-2.0 longer");
    machine.close(file);
    assert_eq!(told(&machine), [("slow.pdf".to_owned(), 15)]);
}

#[test]
fn a_drive_that_may_only_be_printed_to_takes_prints_and_nothing_else() {
    let mut machine = Machine::connected(false);
    assert_eq!(print(&mut machine, "\\Print\\a.pdf"), status::OBJECT_PATH_NOT_FOUND, "not offered");
    machine.drive.lock().offer_prints(true);
    assert_eq!(print(&mut machine, "\\Print\\a.pdf"), 0);
    assert_eq!(told(&machine).len(), 1);
    let protected = Err(status::MEDIA_WRITE_PROTECTED);
    assert_eq!(machine.create("\\a.pdf", 2, 0x40), protected);
    assert_eq!(machine.create("\\Print\\in", 2, 1), protected);
    assert_eq!(machine.create("\\Print", 1, 0x1001), protected);
    // A print goes nowhere else.
    let file = machine.create("\\Print\\a.pdf", 1, 0x40).unwrap();
    let path = utf16("\\out.pdf");
    let body = Writer::default().u8(1).u8(0).u32(path.len() as u32).bytes(&path).0;
    assert_eq!(machine.set(file, 10, &body), status::MEDIA_WRITE_PROTECTED);
    machine.drive.lock().offer_prints(false);
    assert_eq!(machine.write(file, 0, b"x"), status::MEDIA_WRITE_PROTECTED);
}

#[test]
fn the_folder_of_prints_stays_and_of_too_many_the_oldest_go() {
    let mut machine = Machine::connected(true);
    machine.drive.lock().offer_prints(true);
    let folder = machine.create("\\Print", 1, 1).unwrap();
    assert_eq!(machine.set(folder, 13, &[1]), status::MEDIA_WRITE_PROTECTED);
    let path = utf16("\\Other");
    let body = Writer::default().u8(0).u8(0).u32(path.len() as u32).bytes(&path).0;
    assert_eq!(machine.set(folder, 10, &body), status::MEDIA_WRITE_PROTECTED);
    assert_eq!(machine.drive.lock().remove("Print"), Err(DriveError::PrintFolder));
    assert_eq!(machine.drive.lock().rename("Print", "Other", false), Err(DriveError::PrintFolder));
    for number in 0..PRINTS_MAX + 3 {
        assert_eq!(print(&mut machine, &format!("\\Print\\{number}.pdf")), 0);
    }
    let there = machine.drive.lock().list("Print").unwrap();
    assert_eq!(there.len(), PRINTS_MAX);
    assert!(there.iter().all(|entry| !["0.pdf", "1.pdf", "2.pdf"].contains(&entry.name.as_str())));
    // What has gone before anybody asked is not told of.
    assert_eq!(told(&machine).len(), PRINTS_MAX);
    // A file of that name: nothing can be printed, and nothing is lost.
    let other = Machine::connected(true);
    other.drive.lock().begin_upload("Print", "t", 0, false).unwrap();
    other.drive.lock().complete_upload("Print", "t", 0, false).unwrap();
    other.drive.lock().offer_prints(true);
    assert!(!other.drive.lock().stat("Print").unwrap().is_folder);
}
