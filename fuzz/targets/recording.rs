//! Recordings: any bytes give what is whole in them or an error, and everything that is said to be there can be read.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use oriel_screen::recording::{
    Container, RecordingKind,
    cast::{CastEvent, Plain, parse},
    chunk_entries, chunk_lines, without_typed,
};
use oriel_screen::wire::ServerRecord;

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    // A chunk alone, and a line alone.
    chunk_entries(&bytes).ok();
    for kind in [RecordingKind::Screen, RecordingKind::Terminal] {
        let clean = without_typed(kind, bytes.clone());
        assert_eq!(clean.len(), bytes.len());
        assert_eq!(without_typed(kind, clean.clone()), clean);
        assert!(!says_typed(kind, &clean));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let mut out = String::new();
        Plain::default().push(text, &mut out);
        assert!(out.len() <= text.len());
        text.lines().for_each(|line| drop(parse(line)));
    }
    let Ok(container) = Container::read(&bytes) else { return };
    let mut end = 0;
    for chunk in &container.chunks {
        assert!(chunk.offset >= end && chunk.offset + chunk.length <= bytes.len());
        end = chunk.offset + chunk.length;
        let block = bytes.slice(chunk.offset..end);
        match container.header.kind {
            RecordingKind::Screen => {
                for entry in chunk_entries(&block).unwrap_or_default() {
                    ServerRecord::decode_all(&entry.message).ok();
                }
            }
            RecordingKind::Terminal => {
                if let Ok(lines) = chunk_lines(&block) {
                    lines.lines().for_each(|line| drop(parse(line)));
                }
            }
        }
    }
    // Without its index the same chunks are found.
    if container.complete {
        let walked = Container::read(&bytes.slice(..end.max(container_header(&bytes)))).map(|read| read.chunks);
        if let Ok(walked) = walked {
            assert!(walked.len() <= container.chunks.len());
        }
    }
});

/// Whether somebody would see something that was typed.
fn says_typed(kind: RecordingKind, block: &Bytes) -> bool {
    match kind {
        RecordingKind::Screen => chunk_entries(block).unwrap_or_default().iter().any(|entry| {
            let records = ServerRecord::decode_all(&entry.message).unwrap_or_default();
            records
                .iter()
                .any(|one| matches!(one, ServerRecord::Typed(_) | ServerRecord::Pasted(_) | ServerRecord::Copied(_)))
        }),
        RecordingKind::Terminal => chunk_lines(block)
            .is_ok_and(|lines| lines.lines().any(|line| matches!(parse(line), Some(CastEvent::Input { .. })))),
    }
}

/// Where the header's block ends.
fn container_header(bytes: &Bytes) -> usize {
    oriel_screen::recording::BlockHead::decode(bytes)
        .map_or(0, |head| oriel_screen::recording::BLOCK_HEAD_BYTES + head.length)
        .min(bytes.len())
}
