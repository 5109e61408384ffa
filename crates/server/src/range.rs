//! The one range of bytes that a request may ask for, and the answer that has it.

use crate::{Answer, api::problem::Problem, attachment::attachment};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::ops::Range;

/// What a request's `Range` comes to.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// No range, or one that we do not take (several, another unit): RFC 9110 §14.2 lets a server ignore it.
    Everything,
    Part(Range<u64>),
    Nothing,
}

/// `bytes=FIRST-LAST`, `bytes=FIRST-` and `bytes=-COUNT` (RFC 9110 §14.1.2).
fn parse(text: &str, size: u64) -> Asked {
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

/// What is sent of something of a known size.
pub(crate) struct Chosen {
    status: StatusCode,
    range: Range<u64>,
    size: u64,
}

impl Chosen {
    /// As the request asks. `same`: what it has a part of is what there is; otherwise it gets everything. `what` is for people.
    /// Errors: a range that is not there.
    pub fn of(headers: &HeaderMap, size: u64, same: bool, what: &str) -> Answer<Self> {
        let asked = headers.get(header::RANGE).filter(|_| same).and_then(|value| value.to_str().ok());
        match asked.map(|asked| parse(asked, size)) {
            None | Some(Asked::Everything) => Ok(Self { status: StatusCode::OK, range: 0..size, size }),
            Some(Asked::Part(range)) => Ok(Self { status: StatusCode::PARTIAL_CONTENT, range, size }),
            Some(Asked::Nothing) => Err(Problem {
                whole_bytes: Some(size),
                ..Problem::new(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "no_such_range",
                    format!("the {what} has {size} bytes and no such range"),
                    "ask for the whole of it",
                )
            }),
        }
    }

    pub fn bytes(&self) -> Range<u64> {
        self.range.clone()
    }

    /// `body` has these bytes; browsers save it under `name` and never show it as a page of this server.
    pub fn answer(self, body: Body, media_type: &'static str, name: &str) -> Response {
        let Self { status, range, size } = self;
        let mut response = (status, body).into_response();
        let out = response.headers_mut();
        out.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        out.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
        // Bytes as they are: ranges are of these and not of compressed ones, and their number is the progress bar's.
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
        let disposition = HeaderValue::from_str(&attachment(name));
        out.insert(header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
        if status == StatusCode::PARTIAL_CONTENT
            && let Ok(value) =
                HeaderValue::from_str(&format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)))
        {
            out.insert(header::CONTENT_RANGE, value);
        }
        response
    }
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
