//! Dumps of MS-RDPEAI §4, PDUs made by hand from §2.2 in a row as a machine sends them, and bent ones.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use proptest::prelude::*;

/// The first five formats of the dump in §4.1.3, with their number in place of 21.
const OFFER: &[u8] = &[
    0x02, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x01, 0x00, 0x02, 0x00, 0x44, 0xac, 0x00, 0x00, 0x10, 0xb1,
    0x02, 0x00, 0x04, 0x00, 0x10, 0x00, 0x00, 0x00, 0x02, 0x00, 0x02, 0x00, 0x44, 0xac, 0x00, 0x00, 0x47, 0xad, 0x00,
    0x00, 0x00, 0x08, 0x04, 0x00, 0x20, 0x00, 0xf4, 0x07, 0x07, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0xff,
    0x00, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x40, 0x00, 0xf0, 0x00, 0x00, 0x00, 0xcc, 0x01, 0x30, 0xff, 0x88, 0x01, 0x18,
    0xff, 0x11, 0x00, 0x02, 0x00, 0x44, 0xac, 0x00, 0x00, 0xdb, 0xac, 0x00, 0x00, 0x00, 0x08, 0x04, 0x00, 0x02, 0x00,
    0xf9, 0x07, 0x02, 0x00, 0x02, 0x00, 0x22, 0x56, 0x00, 0x00, 0x27, 0x57, 0x00, 0x00, 0x00, 0x04, 0x04, 0x00, 0x20,
    0x00, 0xf4, 0x03, 0x07, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0xff, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x00,
    0x40, 0x00, 0xf0, 0x00, 0x00, 0x00, 0xcc, 0x01, 0x30, 0xff, 0x88, 0x01, 0x18, 0xff, 0x11, 0x00, 0x02, 0x00, 0x22,
    0x56, 0x00, 0x00, 0xb9, 0x56, 0x00, 0x00, 0x00, 0x04, 0x04, 0x00, 0x02, 0x00, 0xf9, 0x03,
];
/// §4.3.1.
const CHANGE_TO_11: &[u8] = &[0x07, 0x0b, 0x00, 0x00, 0x00];
const VERSION_1: &[u8] = &[1, 1, 0, 0, 0];

fn format(tag: u16, channels: u16, rate: u32, bits: u16, extra: &[u8]) -> Vec<u8> {
    let align = channels.wrapping_mul(bits / 8);
    let mut bytes = Vec::new();
    for value in [tag, channels] {
        bytes.extend(value.to_le_bytes());
    }
    for value in [rate, rate.wrapping_mul(u32::from(align))] {
        bytes.extend(value.to_le_bytes());
    }
    for value in [align, bits, extra.len() as u16] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend_from_slice(extra);
    bytes
}

fn offer(formats: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = number(MSG_FORMATS, formats.len() as u32);
    bytes.extend([0xff; 4]);
    bytes.extend(formats.concat());
    bytes
}

/// As Windows opens: what the device should do is said in the extensible form.
fn open(frames: u32, index: u32) -> Vec<u8> {
    let mut bytes = number(MSG_OPEN, frames);
    bytes.extend(index.to_le_bytes());
    bytes.extend(format(0xfffe, 2, 44_100, 16, &[0; 22]));
    bytes
}

fn of(channels: u8, rate: u32) -> MicrophoneFormat {
    MicrophoneFormat { channels, rate }
}

/// A channel that records in `channels` at 48 kHz, in blocks of so many samples.
fn recording(channels: u16, frames: u32) -> Microphone {
    let mut microphone = Microphone::default();
    assert_eq!(microphone.message(VERSION_1), [VERSION_1]);
    microphone.message(&offer(&[format(PCM, channels, 48_000, 16, &[])]));
    assert_eq!(microphone.message(&open(frames, 0)), [number(MSG_FORMAT_CHANGE, 0), number(MSG_OPEN_REPLY, S_OK)]);
    microphone
}

#[test]
fn windows_offer_is_answered_with_what_a_browser_makes() {
    let mut microphone = Microphone::default();
    // Version 2 and later are answered with ours.
    assert_eq!(microphone.message(&[1, 2, 0, 0, 0]), [VERSION_1]);
    let answers = microphone.message(OFFER);
    assert_eq!(answers[0], [MSG_INCOMING]);
    let mut wanted = vec![2, 1, 0, 0, 0, 27, 0, 0, 0];
    wanted.extend_from_slice(&OFFER[9..27]);
    assert_eq!(answers[1], wanted);
    assert_eq!(microphone.wanted(), None);
    microphone.message(&open(441, 0));
    assert_eq!(microphone.wanted(), Some(of(2, 44_100)));
}

#[test]
fn the_fullest_sound_comes_first_and_with_less_to_send() {
    let mut microphone = Microphone::default();
    let offers = [
        format(PCM, 2, 44_100, 16, &[]),
        format(PCM, 2, 48_000, 16, &[]),
        format(PCM, 1, 48_000, 16, &[1, 2]),
        format(PCM, 1, 48_000, 16, &[]),
        format(PCM, 1, 48_000, 8, &[]),
        format(PCM, 6, 48_000, 16, &[]),
        format(PCM, 1, 192_000, 16, &[]),
        format(PCM, 1, 8_000, 16, &[]),
        format(0xa106, 2, 44_100, 16, &[]),
    ];
    let answers = microphone.message(&offer(&offers));
    assert_eq!(microphone.formats, [of(1, 48_000), of(2, 48_000), of(2, 44_100)]);
    assert_eq!(answers[1].len(), 9 + 3 * FORMAT_BYTES);
    // Nothing that fits is an answer, too.
    assert_eq!(microphone.message(&offer(&[])), [vec![MSG_INCOMING], vec![2, 0, 0, 0, 0, 9, 0, 0, 0]]);
}

#[test]
fn an_impossible_opening_is_refused_and_goes_no_further() {
    let mut microphone = recording(1, 480);
    for (frames, index) in [(480, 1), (480, u32::MAX), (0, 0), (48_001, 0), (u32::MAX, 0)] {
        assert_eq!(
            microphone.message(&open(frames, index)),
            [number(MSG_OPEN_REPLY, E_INVALIDARG)],
            "{frames} {index}"
        );
        assert_eq!(microphone.wanted(), None);
    }
    assert_eq!(microphone.message(&open(48_000, 0)).len(), 2);
    assert!(microphone.wanted().is_some());
}

#[test]
fn samples_go_in_blocks_as_the_machine_wants_them() {
    let mut microphone = recording(2, 2);
    let heard = of(2, 48_000);
    assert!(microphone.samples(heard, &[1, 0, 2, 0]).is_empty(), "half a block waits");
    // The rest of a block, a second one, half of a third, and half a sample that is left out.
    let messages = microphone.samples(heard, &[3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10, 0, 99]);
    let block = |bytes: &[u8]| [&[MSG_DATA], bytes].concat();
    assert_eq!(
        messages,
        [vec![MSG_INCOMING], block(&[1, 0, 2, 0, 3, 0, 4, 0]), vec![MSG_INCOMING], block(&[5, 0, 6, 0, 7, 0, 8, 0])]
    );
    assert_eq!(microphone.open.as_ref().unwrap().pending, [9, 0, 10, 0]);
    // Another format than asked for, which a viewer may still send just after a change.
    assert!(microphone.samples(of(1, 48_000), &[0; 64]).is_empty());
    microphone.close(7);
    assert_eq!(microphone.wanted(), None);
    assert!(microphone.samples(heard, &[0; 64]).is_empty());
}

#[test]
fn the_format_changes_to_one_that_was_agreed_on() {
    let mut microphone = Microphone::default();
    let offers: Vec<_> = [48_000, 44_100].map(|rate| format(PCM, 1, rate, 16, &[])).into();
    microphone.message(&offer(&offers));
    microphone.message(&open(480, 0));
    microphone.samples(of(1, 48_000), &[1, 0]);
    assert_eq!(microphone.message(&[7, 1, 0, 0, 0]), [[7, 1, 0, 0, 0]]);
    assert_eq!(microphone.wanted(), Some(of(1, 44_100)));
    assert!(microphone.open.as_ref().unwrap().pending.is_empty(), "sound of the old format is void");
    // The dump's change names a format that only its own session had.
    assert!(microphone.message(CHANGE_TO_11).is_empty());
    assert_eq!(microphone.wanted(), None);
    assert!(microphone.message(&offer(&offers)).is_empty(), "deaf for good");
}

#[test]
fn what_breaks_the_protocol_makes_it_deaf() {
    let too_many = number(MSG_FORMATS, OFFERS_MAX + 1);
    let cut = &OFFER[..OFFER.len() - 1];
    for broken in [&[][..], &[1, 1], &too_many, cut, &number(MSG_FORMATS, 1), &open(480, 0)[..20]] {
        let mut microphone = recording(1, 480);
        assert!(microphone.message(broken).is_empty(), "{broken:?}");
        assert_eq!(microphone.wanted(), None);
        assert!(microphone.message(&open(480, 0)).is_empty());
    }
    // What only clients say, and what nobody says yet, is nothing.
    let mut microphone = recording(1, 480);
    for other in [&[4, 0, 0, 0, 0][..], &[5], &[6, 1, 2], &[200]] {
        assert!(microphone.message(other).is_empty());
    }
    assert!(microphone.wanted().is_some());
}

proptest! {
    #[test]
    fn total(messages in prop::collection::vec((0u8..9, prop::collection::vec(any::<u8>(), 0..80)), 0..12), samples in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut microphone = Microphone::default();
        for (at, (kind, body)) in messages.iter().enumerate() {
            microphone.message(&[&[*kind], body.as_slice()].concat());
            if at == 5 {
                microphone.message(&offer(&[format(PCM, 1, 48_000, 16, &[])]));
            }
            if let Some(format) = microphone.wanted() {
                microphone.samples(format, &samples);
                let open = microphone.open.as_ref().unwrap();
                prop_assert!(open.pending.len() < open.block_bytes());
            }
            prop_assert!(microphone.formats.len() <= FORMATS_MAX);
        }
    }

    #[test]
    fn nothing_is_lost_and_blocks_are_as_long_as_wanted(frames in 1u32..700, pieces in prop::collection::vec(prop::collection::vec(any::<[u8; 4]>(), 0..300), 0..12)) {
        let mut microphone = recording(2, frames);
        let mut sent = Vec::new();
        for piece in &pieces {
            for message in microphone.samples(of(2, 48_000), &piece.concat()) {
                if message[0] == MSG_DATA {
                    prop_assert_eq!(message.len(), 1 + 4 * frames as usize);
                    sent.extend_from_slice(&message[1..]);
                }
            }
        }
        sent.extend_from_slice(&microphone.open.as_ref().unwrap().pending);
        let said: Vec<u8> = pieces.iter().flatten().flatten().copied().collect();
        prop_assert_eq!(sent, said);
    }
}
