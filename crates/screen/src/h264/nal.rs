//! NAL units: where they begin, in either packing, and the emulation prevention inside (ITU-T H.264, 7.3.1, Annex B).

use std::ops::Range;

/// Most NAL units of one access unit.
pub const NALS_MAX: usize = 1024;

const START: [u8; 3] = [0, 0, 1];

pub(super) fn is_annex_b(bytes: &[u8]) -> bool {
    bytes.starts_with(&START) || bytes.starts_with(&[0, 0, 0, 1])
}

/// The NAL units' places, without start codes or lengths; `None` when the bytes are neither packing.
pub(super) fn split(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    if is_annex_b(bytes) { annex_b(bytes) } else { length_prefixed(bytes) }
}

fn annex_b(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut begin = None;
    let mut at = 0;
    while let Some(window) = bytes.get(at..at + 3) {
        // Most bytes rule out three positions at once.
        match *window {
            [0, 0, 1] => {
                push(&mut found, bytes, begin, at)?;
                begin = Some(at + 3);
                at += 3;
            }
            [_, _, third] if third > 1 => at += 3,
            _ => at += 1,
        }
    }
    push(&mut found, bytes, begin, bytes.len())?;
    Some(found)
}

/// Takes the unit that ends here, without the zeros that belong to the next start code.
fn push(found: &mut Vec<Range<usize>>, bytes: &[u8], begin: Option<usize>, end: usize) -> Option<()> {
    let Some(begin) = begin else { return Some(()) };
    let body = bytes.get(begin..end)?;
    let length = body.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if length > 0 {
        found.push(begin..begin + length);
    }
    (found.len() <= NALS_MAX).then_some(())
}

/// Four bytes of length before each unit (ISO/IEC 14496-15, with the length that all RDP servers use).
fn length_prefixed(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::new();
    let mut at = 0usize;
    while at < bytes.len() {
        let prefix: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        let begin = at + 4;
        let end = begin.checked_add(u32::from_be_bytes(prefix) as usize)?;
        bytes.get(begin..end)?;
        if end > begin {
            found.push(begin..end);
        }
        if found.len() > NALS_MAX {
            return None;
        }
        at = end;
    }
    Some(found)
}

/// Takes the emulation prevention out: 00 00 03 becomes 00 00.
pub(super) fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for byte in nal {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        out.push(*byte);
    }
    out
}

/// Puts it in again.
pub(super) fn escape(rbsp: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rbsp.len() + 8);
    let mut zeros = 0;
    for byte in rbsp {
        if zeros >= 2 && *byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
        Some(split(bytes)?.into_iter().map(|range| bytes[range].to_vec()).collect())
    }

    #[test]
    fn both_packings() {
        let units = Some(vec![vec![0x67, 1, 2], vec![0x68, 3], vec![0x65, 0, 0, 3, 1]]);
        let annex = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 0, 1, 0x65, 0, 0, 3, 1];
        assert_eq!(parts(&annex), units);
        let prefixed = [0, 0, 0, 3, 0x67, 1, 2, 0, 0, 0, 2, 0x68, 3, 0, 0, 0, 5, 0x65, 0, 0, 3, 1];
        assert_eq!(parts(&prefixed), units);
        assert_eq!(parts(&[0, 0, 0, 9, 0x67]), None);
        assert_eq!(parts(&[]), Some(Vec::new()));
        assert_eq!(parts(&[0, 0, 1].repeat(NALS_MAX + 9)), Some(Vec::new()));
        assert_eq!(parts(&[0, 0, 1, 9].repeat(NALS_MAX + 9)), None);
    }

    proptest! {
        #[test]
        fn escaping_is_undone_and_hides_start_codes(bytes in prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 3, 4, 255]), 0..60)) {
            let escaped = escape(&bytes);
            prop_assert!(!escaped.windows(3).any(|window| window[0] == 0 && window[1] == 0 && window[2] < 3));
            prop_assert_eq!(unescape(&escaped), bytes);
        }

        #[test]
        fn any_bytes(bytes in prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 3, 0x65]), 0..80)) {
            for range in split(&bytes).unwrap_or_default() {
                prop_assert!(bytes.get(range).is_some_and(|unit| !unit.is_empty()));
            }
        }
    }
}
