//! RDP's channels of the person's microphone and of fingers and pens: messages of the machine in, answers out, and sound and contacts
//! between them.
//!
//! The input is a run of messages, each with a byte that says what it is (even: as it stands; odd: sound of the person, in the format that
//! the machine wants; with the highest bit: the same of fingers and pens, as a viewer's records) and two bytes of length.
#![no_main]

// The module alone: the whole crate would bring TLS and authentication along.
#[allow(dead_code, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/dynamic.rs"]
mod dynamic;
#[allow(dead_code, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/microphone.rs"]
mod microphone;
#[allow(dead_code, reason = "the session's half of it is not here")]
#[path = "../../crates/rdp/src/touch/mod.rs"]
mod touch;

use libfuzzer_sys::fuzz_target;
use microphone::Microphone;
use oriel_screen::InputEvent;
use oriel_screen::wire::ViewerRecord;
use touch::Touch;

/// A block of the largest and what a viewer may send at once.
const ANSWERS_BYTES_MAX: usize = 48_000 * 4 + oriel_screen::MICROPHONE_BYTES_MAX;

fuzz_target!(|data: &[u8]| {
    let mut channel = Microphone::default();
    let mut touch = Touch::default();
    let mut rest = data;
    while let [kind, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (body, next) = after.split_at(length);
        rest = next;
        if kind & 0x80 != 0 {
            fingers(&mut touch, kind & 1 == 1, body);
            continue;
        }
        let answers = match channel.wanted() {
            Some(format) if kind & 1 == 1 => {
                let said = body.get(..oriel_screen::MICROPHONE_BYTES_MAX).unwrap_or(body);
                channel.samples(format, said)
            }
            _ => channel.message(body),
        };
        // Each block is announced; one of one sample has two bytes of sound.
        let sound: usize = answers.iter().map(|answer| answer.len().saturating_sub(1)).sum();
        assert!(sound <= ANSWERS_BYTES_MAX && answers.iter().all(|answer| !answer.is_empty()));
    }
});

/// What ten contacts and a header have at most.
const TOUCH_BYTES_MAX: usize = 64 + 10 * 32;

fn fingers(touch: &mut Touch, of_viewer: bool, body: &[u8]) {
    let mut messages = Vec::new();
    if of_viewer {
        for record in ViewerRecord::decode_all(&body.to_vec().into()).unwrap_or_default() {
            match record {
                ViewerRecord::Input(InputEvent::Contacts(contacts)) => {
                    messages.extend(touch.contacts(&contacts, (1920, 1080)));
                }
                ViewerRecord::Input(InputEvent::ReleaseAll) => messages.extend(touch.cancel()),
                _ => {}
            }
        }
    } else {
        messages = touch.message(body);
    }
    for message in messages {
        let length = message.get(2..6).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes);
        assert!(length == Some(message.len() as u32) && message.len() <= TOUCH_BYTES_MAX);
    }
}
