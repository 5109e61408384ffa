//! RDP's channel of devices, with the session's folder behind it: messages of the machine in, answers out, and now and then something that
//! the person does with the same files.
//!
//! The input is a run of messages, each with a byte that says what it is (as it stands; a request to the drive, whose head is made of
//! the next two bytes; a deed of the person) and two bytes of length.
#![no_main]

// The module alone: the whole crate would bring TLS and authentication along.
#[allow(dead_code, unused_imports, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/drive/mod.rs"]
mod drive;
#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "../../crates/rdp/src/static_channel.rs"]
mod static_channel;

use drive::{DRIVE_BYTES_MAX, DRIVE_DEPTH_MAX, DRIVE_ENTRIES_MAX, Drive, DriveEntry, Rdpdr, is_name};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

/// Handshake, as xrdp sends it.
const BEGIN: [&[u8]; 4] = [b"rDnI\x01\0\x0c\0\x05\0\0\0", b"rDLU", b"rDPS\0\0\0\0", b"rDCC\x01\0\x0c\0\x05\0\0\0"];
const MAJORS: [u8; 14] = [0, 0, 2, 3, 4, 5, 6, 6, 9, 10, 12, 12, 14, 17];

/// What the machine asks for at once must stay small: a file may be large, and a fuzzer makes many.
const SIZE_MAX: u64 = 1 << 20;

fn person(drive: &Drive, deed: u8, words: &[u8]) {
    let text = String::from_utf8_lossy(words);
    let (one, other) = text.split_once('|').unwrap_or((&text, "a"));
    let mut folder = drive.lock();
    let _ = match deed % 6 {
        0 => folder.make_folder(one),
        1 => folder.remove(one),
        2 => folder.rename(one, other, deed & 8 != 0),
        3 => folder.begin_upload(one, "t", 0, deed & 8 != 0).and_then(|()| folder.upload(one, "t", 0, words)),
        4 => folder.complete_upload(one, "t", words.len() as u64, deed & 8 != 0),
        _ => folder.stat(one).and_then(|found| folder.bytes(&found, u64::from(deed), 100)).map(drop),
    };
}

/// Everything in the folder is named, bounded and counted.
fn sound(drive: &Drive, path: &str, depth: usize, seen: &mut (usize, u64)) {
    assert!(depth <= DRIVE_DEPTH_MAX);
    let entries = drive.lock().list(path).unwrap_or_default();
    for DriveEntry { name, is_folder, size, .. } in entries {
        assert!(is_name(&name), "{name:?}");
        *seen = (seen.0 + 1, seen.1 + size);
        if is_folder {
            sound(drive, &format!("{path}/{name}"), depth + 1, seen);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let drive = Drive::new(Arc::new(|| 1_700_000_000));
    let mut channel = Rdpdr::new("fuzz", drive.clone(), data.first().is_none_or(|byte| byte & 0x80 == 0));
    BEGIN.iter().for_each(|message| drop(channel.take(message)));
    let mut rest = data;
    while let [kind, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (body, next) = after.split_at(length);
        rest = next;
        match (kind & 3, body) {
            (0, _) => drop(channel.take(body)),
            (1 | 2, [which, file, fields @ ..]) => {
                let major = MAJORS[usize::from(*which) % MAJORS.len()];
                let mut message = b"rDRI\x01\0\0\0".to_vec();
                for field in [u32::from(*file), 7, u32::from(major), u32::from(which / 64)] {
                    message.extend(field.to_le_bytes());
                }
                message.extend(fields);
                let mut answers = channel.take(&message);
                // Reads pile up where one does not ask for their answers.
                answers.extend(if which & 32 == 0 { channel.next_read() } else { None });
                for answer in answers {
                    assert!(answer.starts_with(b"rD") && answer.len() <= drive::DRIVE_READ_BYTES_MAX + 64);
                }
            }
            (3, [deed, words @ ..]) => person(&drive, *deed, words),
            _ => {}
        }
        if DRIVE_BYTES_MAX - drive.lock().room() > SIZE_MAX {
            return;
        }
    }
    let mut seen = (0, 0);
    sound(&drive, "", 0, &mut seen);
    assert!(seen.0 <= DRIVE_ENTRIES_MAX && seen.1 <= DRIVE_BYTES_MAX - drive.lock().room());
});
