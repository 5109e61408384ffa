//! The one range of bytes that a request may ask for.

use std::ops::Range;

/// What a request's `Range` comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// No range, or one that we do not take (several, another unit): RFC 9110 §14.2 lets a server ignore it.
    Everything,
    Part(Range<u64>),
    Nothing,
}

/// `bytes=FIRST-LAST`, `bytes=FIRST-` and `bytes=-COUNT` (RFC 9110 §14.1.2).
pub(crate) fn parse(text: &str, size: u64) -> Asked {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asked::Everything;
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Asked::Everything,
    };
    if range.start < range.end { Asked::Part(range) } else { Asked::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        for (text, asked) in [
            ("bytes=0-9", Asked::Part(0..10)),
            ("bytes=90-1000", Asked::Part(90..100)),
            ("bytes=95-", Asked::Part(95..100)),
            ("bytes=-10", Asked::Part(90..100)),
            ("bytes=-1000", Asked::Part(0..100)),
            ("bytes=100-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-4", Asked::Everything),
            ("bytes=0-1,4-5", Asked::Everything),
            ("lines=0-1", Asked::Everything),
            ("bytes=-", Asked::Everything),
        ] {
            assert_eq!(parse(text, 100), asked, "{text}");
        }
    }
}
