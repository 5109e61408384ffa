//! What a directory sends, before the library reads it: whole messages of BER (X.690 as RFC 4511, section 5.1 narrows it: definite
//! lengths only), bounded in length, depth and number. The library would buffer whatever length is announced, and go as deep as it is nested.

/// Largest message of a directory, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// All that a directory sends in one question, in bytes.
pub const SESSION_BYTES_MAX: usize = 16 << 20;
/// Sequences within sequences. Search results have four, controls some more.
const DEPTH_MAX: usize = 12;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Nonsense;

/// Where the first message ends, once all of it is there.
pub(crate) fn first_message(bytes: &[u8]) -> Result<Option<usize>, Nonsense> {
    let Some(&tag) = bytes.first() else { return Ok(None) };
    if tag != 0x30 {
        return Err(Nonsense);
    }
    let Some((header, length)) = header(bytes)? else { return Ok(None) };
    let end = header.checked_add(length).filter(|end| *end <= MESSAGE_BYTES_MAX).ok_or(Nonsense)?;
    let Some(inside) = bytes.get(header..end) else { return Ok(None) };
    walk(inside, 1)?;
    Ok(Some(end))
}

/// Bytes of tag and length, and the length. `None`: not all of it is there yet.
fn header(bytes: &[u8]) -> Result<Option<(usize, usize)>, Nonsense> {
    // Tags above 30 have no use in LDAP.
    if bytes.first().is_some_and(|tag| tag & 0x1f == 0x1f) {
        return Err(Nonsense);
    }
    let Some(&first) = bytes.get(1) else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some((2, usize::from(first))));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return Err(Nonsense);
    }
    let Some(digits) = bytes.get(2..2 + count) else { return Ok(None) };
    let length = digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
    Ok(Some((2 + count, length)))
}

fn walk(mut bytes: &[u8], depth: usize) -> Result<(), Nonsense> {
    if depth > DEPTH_MAX {
        return Err(Nonsense);
    }
    while let Some(&tag) = bytes.first() {
        let (header, length) = header(bytes)?.ok_or(Nonsense)?;
        let end = header.checked_add(length).ok_or(Nonsense)?;
        let inside = bytes.get(header..end).ok_or(Nonsense)?;
        if tag & 0x20 != 0 {
            walk(inside, depth + 1)?;
        }
        bytes = bytes.get(end..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A bind's answer: success, RFC 4511 section 4.2.2.
    const BOUND: &[u8] = &[0x30, 0x0c, 0x02, 0x01, 0x01, 0x61, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00];

    #[test]
    fn whole_messages_pass_one_by_one() {
        let two = [BOUND, BOUND].concat();
        assert_eq!(first_message(&two), Ok(Some(BOUND.len())));
        for cut in 0..BOUND.len() {
            assert_eq!(first_message(&BOUND[..cut]), Ok(None), "{cut}");
        }
        // The same with its length in two bytes.
        let long = [&[0x30, 0x82, 0x00, 0x0c], &BOUND[2..]].concat();
        assert_eq!(first_message(&long), Ok(Some(16)));
    }

    #[test]
    fn what_would_hurt_does_not() {
        assert_eq!(first_message(b"HTTP/1.1 400 Bad Request"), Err(Nonsense));
        assert_eq!(first_message(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]), Err(Nonsense), "2 GiB are announced");
        assert_eq!(first_message(&[0x30, 0x80, 0, 0]), Err(Nonsense), "no end is announced");
        assert_eq!(
            first_message(&[0x30, 0x03, 0x30, 0x09, 0x00]),
            Err(Nonsense),
            "the inside is larger than the outside"
        );
        let mut deep = Vec::new();
        for _ in 0..100 {
            let length = u16::try_from(deep.len()).unwrap().to_be_bytes();
            deep = [&[0x30, 0x82], length.as_slice(), &deep].concat();
        }
        assert_eq!(first_message(&deep), Err(Nonsense), "it is nested a hundred deep");
    }

    proptest! {
        #[test]
        fn any_bytes_are_total(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Some(end)) = first_message(&bytes) {
                prop_assert!(end <= bytes.len());
            }
        }
    }
}
