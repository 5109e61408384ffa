//! Answers that never come, in IronRDP's channel as a session has it: xrdp leaves questions without one where a program that copied is gone.

use super::*;
use ironrdp_cliprdr::pdu::FileContentsFlags;
use std::sync::Arc;

/// A message of the machine (MS-RDPECLIP 2.2.1).
fn message(kind: u16, flags: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), flags.to_le_bytes()].concat();
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// A format list with long names (2.2.3.1.2).
fn copy(formats: &[(u32, &str)]) -> Vec<u8> {
    let formats =
        formats.iter().flat_map(|(id, name)| [id.to_le_bytes().to_vec(), utf16(name)].concat()).collect::<Vec<_>>();
    message(2, 0, &formats)
}

fn answer(data: &[u8]) -> Vec<u8> {
    message(FORMAT_DATA_RESPONSE, 1, data)
}

/// A list of one file (2.2.5.2.3): its size and name.
fn list(name: &str, size: u32) -> Vec<u8> {
    let mut bytes = 1u32.to_le_bytes().to_vec();
    bytes.extend(0x44u32.to_le_bytes());
    bytes.extend([0; 32]);
    bytes.extend(0x80u32.to_le_bytes());
    bytes.extend([0; 28]);
    bytes.extend(size.to_le_bytes());
    let name = utf16(name);
    bytes.extend_from_slice(&name);
    bytes.resize(4 + 592, 0);
    bytes
}

struct Machine(CliprdrClient);

impl Machine {
    /// The channel after its handshake, with a machine like xrdp 0.9.
    fn new() -> Self {
        let drive = Drive::new(Arc::new(|| 1_700_000_000));
        let ways = ClipboardFiles { to_machine: true, to_person: true };
        let mut clipboard = Clipboard::with_files(drive, ways);
        clipboard.use_lf(true);
        let mut machine = Self(CliprdrClient::new(Box::new(clipboard)));
        // Version 2, long names, streams of files, no paths in them.
        machine.says(&message(7, 0, &[1, 0, 0, 0, 1, 0, 12, 0, 2, 0, 0, 0, 0x0e, 0, 0, 0]));
        machine.says(&message(1, 0, &[]));
        while let Some(task) = machine.clipboard().take() {
            assert_eq!(task, Task::Announce);
            let formats = machine.clipboard().formats();
            drop(machine.0.initiate_copy(&formats).unwrap());
        }
        machine.says(&message(3, 1, &[]));
        assert!(machine.0.is_ready());
        machine
    }

    fn clipboard(&mut self) -> &mut Clipboard {
        self.0.downcast_backend_mut().unwrap()
    }

    /// As the source hears it: the beginning first.
    fn says(&mut self, message: &[u8]) {
        fail_lost(&mut self.0, &message[..message.len().min(1600)]).unwrap();
        self.0.process(message).unwrap();
    }

    /// Asks what is to be asked of a copy; how much that is.
    fn asks(&mut self) -> usize {
        let mut count = 0;
        while let Some(task) = self.clipboard().take() {
            let Task::Fetch(ask) = task else { panic!("{task:?}") };
            make_room(&mut self.0).unwrap();
            assert!(self.clipboard().asks(ask));
            drop(self.0.initiate_paste(ask.format).unwrap());
            count += 1;
        }
        count
    }

    /// The first question about a file is taken by the channel.
    fn fetches(&mut self) -> bool {
        let Some(Task::Read(request)) = self.clipboard().take() else { return false };
        assert_eq!((request.index, request.flags), (0, FileContentsFlags::RANGE));
        self.0.request_file_contents(request).is_ok()
    }
}

const TEXT: &[(u32, &str)] = &[(13, "")];
const FILES: &[(u32, &str)] = &[(0xc0bc, "FileGroupDescriptorW")];

#[test]
fn files_are_fetched_after_a_text_that_never_came() {
    let mut machine = Machine::new();
    machine.says(&copy(TEXT));
    assert_eq!(machine.asks(), 1);
    machine.says(&copy(FILES));
    assert_eq!(machine.asks(), 1);
    machine.says(&answer(&list("a.txt", 5)));
    assert!(machine.fetches(), "the channel knows the list");
    // And whatever comes then is in step again.
    machine.says(&copy(TEXT));
    assert_eq!(machine.asks(), 1);
    machine.says(&answer(&utf16("again")));
    let Some(Task::Arrived(copied)) = machine.clipboard().take() else { panic!("no text") };
    assert_eq!(copied.text.as_deref(), Some("again"));
    assert!(machine.clipboard().asked.is_empty());
}

#[test]
fn files_are_fetched_after_files_that_never_came() {
    let mut machine = Machine::new();
    for _ in 0..3 {
        machine.says(&copy(FILES));
        assert_eq!(machine.asks(), 1);
    }
    machine.says(&answer(&list("a.txt", 5)));
    assert!(machine.fetches());
    // A text comes through, too, and settles what was left.
    machine.says(&copy(TEXT));
    assert_eq!(machine.asks(), 1);
    machine.says(&answer(&utf16("text")));
    assert!(matches!(machine.clipboard().take(), Some(Task::Arrived(_))));
    assert!(machine.clipboard().asked.is_empty());
}

#[test]
fn a_machine_that_answers_nothing_is_asked_again_and_again() {
    let mut machine = Machine::new();
    for _ in 0..5 * ASKED_MAX {
        machine.says(&copy(TEXT));
        assert_eq!(machine.asks(), 1);
        assert!(machine.clipboard().asked.len() <= ASKED_MAX);
    }
    machine.says(&answer(&utf16("at last")));
    let Some(Task::Arrived(copied)) = machine.clipboard().take() else { panic!("no text") };
    assert_eq!(copied.text.as_deref(), Some("at last"));
}

#[test]
fn nothing_is_taken_for_lost_where_machines_answer_everything() {
    let mut machine = Machine::new();
    machine.clipboard().use_lf(false);
    machine.says(&copy(TEXT));
    machine.says(&copy(FILES));
    machine.asks();
    for begin in [&[][..], &[5, 0, 1, 0], &answer(&list("a", 1)), &message(2, 0, &[])] {
        assert_eq!(machine.clipboard().lost_before(begin), 0);
    }
    machine.clipboard().use_lf(true);
    assert_eq!(machine.clipboard().lost_before(&answer(&list("a", 1))[..64]), 1, "the beginning is enough");
    assert_eq!(machine.clipboard().lost_before(&message(FORMAT_DATA_RESPONSE, 2, &[])), 0, "a failure is an answer");
}
