use super::cast::{CastEvent, CastWriter, Plain, parse};
use super::*;
use bytes::Bytes;
use proptest::prelude::*;

fn header(kind: RecordingKind) -> Header {
    Header { kind, recording: [1; 16], connection: [2; 16], started: 1_700_000_000_000_000, title: "studio-1".into() }
}

/// A container of three chunks, and where each block ends.
fn sample() -> (Vec<u8>, Vec<usize>) {
    let (mut writer, head) = Writer::new(&header(RecordingKind::Screen));
    let mut blocks = vec![head];
    writer.push(0, true, b"whole picture");
    writer.push(40, false, b"a change");
    blocks.extend(writer.cut());
    assert_eq!(writer.cut(), None);
    writer.push(5_000, false, b"another");
    // A clock that goes back does not take the recording along.
    writer.push(4_000, false, b"");
    blocks.extend(writer.cut());
    writer.push(10_000, true, b"whole again");
    let (last, index) = writer.finish();
    blocks.extend(last);
    blocks.push(index);
    assert_eq!(blocks.iter().map(|block| block.number).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    for block in blocks {
        bytes.extend(block.bytes);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

#[test]
fn what_was_written_is_read() {
    let (bytes, _) = sample();
    let container = Container::read(&bytes).unwrap();
    assert_eq!(container.header, header(RecordingKind::Screen));
    assert!(container.complete);
    let times: Vec<_> = container.chunks.iter().map(|c| (c.first_ms, c.last_ms, c.key)).collect();
    assert_eq!(times, [(0, 40, true), (5_000, 5_000, false), (10_000, 10_000, true)]);
    let of = |at: usize| {
        let chunk = container.chunks[at];
        chunk_entries(&Bytes::copy_from_slice(&bytes[chunk.offset..chunk.offset + chunk.length])).unwrap()
    };
    assert_eq!(of(0)[1], Entry { ms: 40, message: Bytes::from_static(b"a change") });
    assert_eq!(of(1)[1], Entry { ms: 5_000, message: Bytes::new() });
    assert_eq!(of(2)[0].message, "whole again");
}

#[test]
fn a_container_cut_anywhere_is_read_up_to_its_last_whole_chunk() {
    let (bytes, ends) = sample();
    for length in 0..bytes.len() {
        let read = Container::read(&bytes[..length]);
        let Ok(container) = read else {
            assert!(length < ends[0], "{length}");
            continue;
        };
        assert!(!container.complete);
        assert_eq!(container.chunks.len(), ends[1..4].iter().filter(|end| **end <= length).count(), "{length}");
    }
}

#[test]
fn an_index_that_lies_is_rebuilt() {
    let (mut bytes, ends) = sample();
    let sound = Container::read(&bytes).unwrap();
    // The first entry's offset.
    bytes[ends[3] + BLOCK_HEAD_BYTES + 4] ^= 1;
    let rebuilt = Container::read(&bytes).unwrap();
    assert!(!rebuilt.complete);
    assert_eq!(rebuilt.chunks, sound.chunks);
    assert_eq!(Container::read(b"GIF89a").unwrap_err(), RecordingError::NotARecording);
    bytes[BLOCK_HEAD_BYTES] = 9;
    assert_eq!(Container::read(&bytes).unwrap_err(), RecordingError::Version(9));
}

#[test]
fn terminals_are_lines_of_asciicast() {
    let (mut writer, head) = Writer::new(&header(RecordingKind::Terminal));
    let mut cast = CastWriter::default();
    writer.push(0, true, CastWriter::header(80, 24, 1_700_000_000, "a \"b\"", None).as_bytes());
    writer.push(1_250, false, cast.output(1_250, "gr\u{fc}n\x1b[0m\r\n".as_bytes()).as_bytes());
    writer.push(1_300, false, CastWriter::resize(1_300, 100, 30).as_bytes());
    let (last, index) = writer.finish();
    let last = last.unwrap();
    let lines = chunk_lines(&Bytes::from(last.bytes.clone())).unwrap();
    let mut lines = lines.lines();
    assert_eq!(lines.next(), Some(r#"{"version":2,"width":80,"height":24,"timestamp":1700000000,"title":"a \"b\""}"#));
    assert_eq!(
        lines.next().and_then(parse),
        Some(CastEvent::Output { ms: 1_250, text: "gr\u{fc}n\x1b[0m\r\n".into() })
    );
    assert_eq!(lines.next().and_then(parse), Some(CastEvent::Resize { ms: 1_300, columns: 100, rows: 30 }));
    let bytes = [head.bytes, last.bytes, index.bytes].concat();
    assert_eq!(Container::read(&bytes).unwrap().header.kind, RecordingKind::Terminal);
}

#[test]
fn plain_text_has_no_control_sequences() {
    let mut out = String::new();
    let mut plain = Plain::default();
    for piece in ["\x1b]0;title\x07$ ls", "\x1b[1;3", "4mblue\x1b[0m\r\n", "ax\x08b\x1b(B\x1bP1$q\x1b\\!\n"] {
        plain.push(piece, &mut out);
    }
    assert_eq!(out, "$ lsblue\nab!\n");
}

proptest! {
    #[test]
    fn text_survives_being_cut_anywhere(text in "\\PC{0,40}", cut in 0usize..200) {
        let bytes = text.as_bytes();
        let cut = cut.min(bytes.len());
        let mut cast = CastWriter::default();
        let lines = [cast.output(0, &bytes[..cut]), cast.output(1, &bytes[cut..]), cast.finish(2)].concat();
        let back: String = lines.lines().map(|line| match parse(line) {
            Some(CastEvent::Output { text, .. }) => text,
            other => panic!("{other:?}"),
        }).collect();
        prop_assert_eq!(back, text);
    }

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..200) {
        let (mut sound, _) = sample();
        let at = at.min(sound.len());
        sound.splice(at..(at + bytes.len()).min(sound.len()), bytes.iter().copied());
        for candidate in [sound, bytes] {
            if let Ok(container) = Container::read(&candidate) {
                for chunk in container.chunks {
                    let block = Bytes::copy_from_slice(&candidate[chunk.offset..chunk.offset + chunk.length]);
                    chunk_entries(&block).ok();
                    chunk_lines(&block).ok();
                }
            }
        }
    }
}
