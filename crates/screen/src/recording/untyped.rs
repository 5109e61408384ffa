//! Blocks for whoever may see a recording and not what was typed in it. Other bytes are in its place, as many, so that the index and
//! ranges of bytes hold: how much was typed can be seen, what cannot.

use super::block::{BLOCK_HEAD_BYTES, BlockHead, BlockKind};
use super::cast::{CastEvent, parse};
use super::{RecordingKind, TIMES_BYTES};
use crate::wire::{LEFT_OUT, TYPED};
use bytes::Bytes;
use std::ops::Range;

/// Bytes before a message: its time and its length. Bytes before a record's payload: its type and its length.
const ENTRY_HEAD_BYTES: usize = 8;
const RECORD_HEAD_BYTES: usize = 5;

/// The block (head and payload) without what was typed, pasted and copied. Header and index are as they were. Total: what of a chunk
/// cannot be read is left out as well.
pub fn without_typed(kind: RecordingKind, block: Bytes) -> Bytes {
    if BlockHead::decode(&block).is_ok_and(|head| head.kind != BlockKind::Chunk) {
        return block;
    }
    let from = (BLOCK_HEAD_BYTES + TIMES_BYTES).min(block.len());
    let mut out = Vec::new();
    match kind {
        RecordingKind::Screen => in_messages(block.get(from..).unwrap_or_default(), |at, blank| {
            blot(&block, &mut out, from + at.start..from + at.end, blank);
        }),
        RecordingKind::Terminal => in_lines(block.get(from..).unwrap_or_default(), |at| {
            blot(&block, &mut out, from + at.start..from + at.end, Blank::Spaces);
        }),
    }
    if out.is_empty() { block } else { out.into() }
}

#[derive(Clone, Copy)]
enum Blank {
    /// A record: its type is another one, its payload zeros.
    Record,
    Zeros,
    Spaces,
}

/// Copies the block when there is the first thing to leave out.
fn blot(block: &Bytes, out: &mut Vec<u8>, at: Range<usize>, blank: Blank) {
    if out.is_empty() {
        out.extend_from_slice(block);
    }
    let Some(bytes) = out.get_mut(at) else { return };
    match (blank, bytes) {
        (Blank::Record, [kind, _, _, _, _, payload @ ..]) => {
            *kind = LEFT_OUT;
            payload.fill(0);
        }
        (Blank::Record | Blank::Zeros, bytes) => bytes.fill(0),
        (Blank::Spaces, bytes) => bytes.fill(b' '),
    }
}

fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let field: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_le_bytes(field) as usize)
}

/// Where a piece ends whose payload begins at `from` and that ends at `end` at the latest.
fn end_of(from: usize, length: Option<usize>, end: usize) -> Option<usize> {
    from.checked_add(length?).filter(|piece| *piece <= end)
}

fn in_messages(payload: &[u8], mut leave_out: impl FnMut(Range<usize>, Blank)) {
    let mut at = 0;
    while at < payload.len() {
        let begin = at + ENTRY_HEAD_BYTES;
        let Some(end) = end_of(begin, length_at(payload, at + 4), payload.len()) else {
            return leave_out(at..payload.len(), Blank::Zeros);
        };
        at = begin;
        while at < end {
            let from = at + RECORD_HEAD_BYTES;
            let Some(next) = end_of(from, length_at(payload, at + 1), end) else {
                leave_out(at..end, Blank::Zeros);
                break;
            };
            if payload.get(at).is_some_and(|kind| TYPED.contains(kind)) {
                leave_out(at..next, Blank::Record);
            }
            at = next;
        }
        at = end;
    }
}

/// What is known to be no typing stays: the description, what was shown, and sizes.
fn in_lines(payload: &[u8], mut leave_out: impl FnMut(Range<usize>)) {
    let mut at = 0;
    for line in payload.split(|byte| *byte == b'\n') {
        let shown = std::str::from_utf8(line).is_ok_and(|line| {
            line.starts_with('{')
                || matches!(parse(line), Some(CastEvent::Output { .. } | CastEvent::Resize { .. }))
                || line.is_empty()
        });
        if !shown {
            leave_out(at..at + line.len());
        }
        at += line.len() + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::cast::CastWriter;
    use super::super::{Header, Writer, chunk_entries, chunk_lines};
    use super::*;
    use crate::wire::ServerRecord;
    use proptest::prelude::*;

    fn chunk(kind: RecordingKind, pieces: &[(u32, Vec<u8>)]) -> Bytes {
        let header = Header { kind, recording: [1; 16], connection: [2; 16], started: 0, title: "studio-1".into() };
        let (mut writer, _) = Writer::new(&header);
        pieces.iter().for_each(|(ms, bytes)| writer.push(*ms, false, bytes));
        writer.cut().unwrap().bytes.into()
    }

    fn message(records: &[ServerRecord]) -> Vec<u8> {
        let mut out = Vec::new();
        records.iter().for_each(|record| record.encode(&mut out));
        out
    }

    fn has(block: &[u8], secret: &str) -> bool {
        block.windows(secret.len()).any(|part| part == secret.as_bytes())
    }

    #[test]
    fn of_screens_all_else_stays_where_it_is() {
        let typed = [
            ServerRecord::Typed("hunter2".into()),
            ServerRecord::Words("hello".into()),
            ServerRecord::Pasted("hunter3".into()),
            ServerRecord::Copied("hunter4".into()),
        ];
        let block = chunk(RecordingKind::Screen, &[(1, message(&[ServerRecord::CursorDefault])), (2, message(&typed))]);
        let clean = without_typed(RecordingKind::Screen, block.clone());
        assert!(has(&block, "hunter2") && !has(&clean, "hunter"));
        assert_eq!(block.len(), clean.len());
        let said: Vec<ServerRecord> = chunk_entries(&clean)
            .unwrap()
            .iter()
            .flat_map(|entry| ServerRecord::decode_all(&entry.message).unwrap())
            .collect();
        assert_eq!(said, [ServerRecord::CursorDefault, ServerRecord::Words("hello".into())]);
        // Where nothing was typed nothing is copied either.
        let plain = chunk(RecordingKind::Screen, &[(1, message(&typed[1..2]))]);
        assert_eq!(without_typed(RecordingKind::Screen, plain.clone()).as_ptr(), plain.as_ptr());
    }

    #[test]
    fn of_terminals_only_what_is_known_to_be_shown_stays() {
        let mut cast = CastWriter::default();
        let lines = [
            CastWriter::header(80, 24, 0, "t", None),
            cast.output(1, b"Password: "),
            CastWriter::input(2, b"hunter2\r"),
            CastWriter::resize(3, 100, 30),
            "[0.5,\"\\u0069\",\"hunter3\"]\n[0.6,\"i\",\"hunter4\",1]\nhunter5".to_owned(),
        ];
        let pieces: Vec<_> = lines.iter().map(|line| (0, line.clone().into_bytes())).collect();
        let block = chunk(RecordingKind::Terminal, &pieces);
        let clean = without_typed(RecordingKind::Terminal, block.clone());
        assert!(has(&block, "hunter2") && !has(&clean, "hunter") && !has(&clean, "\"i\""));
        assert_eq!(block.len(), clean.len());
        let left: Vec<String> =
            chunk_lines(&clean).unwrap().lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
        assert_eq!(left, [&lines[0], &lines[1], &lines[3]].map(|line| line.trim_end()));
    }

    /// A screen's chunk that says of its pieces that they are longer than they are, or ends in the middle.
    #[test]
    fn of_what_is_damaged_nothing_is_shown() {
        let whole = chunk(RecordingKind::Screen, &[(1, message(&[ServerRecord::Typed("hunter2".into())]))]);
        let record = BLOCK_HEAD_BYTES + TIMES_BYTES + ENTRY_HEAD_BYTES;
        for at in [record - 4, record + 1] {
            let mut longer = whole.to_vec();
            longer[at] += 1;
            assert!(!has(&without_typed(RecordingKind::Screen, longer.into()), "hunter"), "{at}");
        }
        for end in 0..whole.len() {
            let cut = without_typed(RecordingKind::Screen, whole.slice(..end));
            assert!(!has(&cut, "hu") && cut.len() == end, "{end}");
        }
    }

    proptest! {
        #[test]
        fn whatever_it_is_it_stays_as_long(payload: Vec<u8>, terminal: bool) {
            let kind = if terminal { RecordingKind::Terminal } else { RecordingKind::Screen };
            let block: Bytes = [&b"ORec\x02\0\0\0\x01\0\0\0"[..], &(payload.len() as u32).to_le_bytes(), &payload].concat().into();
            let clean = without_typed(kind, block.clone());
            prop_assert_eq!(clean.len(), block.len());
            // Once more changes nothing.
            prop_assert_eq!(without_typed(kind, clean.clone()), clean);
        }
    }
}
