//! The bytes of a file, whole or from where an earlier download stopped. Whatever it is, it is saved and never shown as a page of
//! this server.

use super::file::{Deed, FileQuery, named, open};
use crate::{
    Answer, App,
    api::problem::Problem,
    caller::{Caller, TheDesktop},
    extract::Query,
    range::{self, Asked},
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use oriel_gateway::terminal::files::Entry;
use std::fmt::Write as _;

/// Download a file, or a part of it (`Range: bytes=FIRST-LAST`, one range; `If-Range` with its `ETag` where a download continues).
#[utoipa::path(get, path = "/desktops/{id}/files/content", tag = "files", operation_id = "download_file", params(("id" = String, Path), FileQuery, ("range" = Option<String>, Header, description = "`bytes=FIRST-LAST`"), ("if-range" = Option<String>, Header, description = "the `ETag` of what is there already")), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 206, content_type = "application/octet-stream", body = Vec<u8>, description = "the range that was asked for"), (status = 416, description = "there is no such range")))]
pub async fn download(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<FileQuery>,
) -> Answer<Response> {
    let path = named(&query.path)?;
    let file = open(&app, &caller, &desktop, query.place, Deed::Download).await?.download(&path).await?;
    let (size, tag, modified) = (file.entry().size, tag(file.entry()), modified(file.entry()));
    // A file that has changed begins anew.
    let same = headers.get(header::IF_RANGE).is_none_or(|known| {
        known.as_bytes() == tag.as_bytes() || modified.as_ref().is_some_and(|date| known.as_bytes() == date.as_bytes())
    });
    let asked = headers.get(header::RANGE).filter(|_| same).and_then(|value| value.to_str().ok());
    let (status, range) = match asked.map(|asked| range::parse(asked, size)) {
        None | Some(Asked::Everything) => (StatusCode::OK, 0..size),
        Some(Asked::Part(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(Asked::Nothing) => {
            let problem = Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "no_such_range",
                format!("the file has {size} bytes and no such range"),
                "ask for the whole of it",
            );
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{size}"))], problem).into_response());
        }
    };
    tracing::info!(user = %caller.user.name, desktop = %desktop.name, path = ?path.as_str(), from = range.start, to = range.end, "File read");
    let content_range = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
    let part = file.part(range.start, range.end - range.start);
    let length = part.length();
    let bytes = part.bytes().map(|piece| piece.map_err(|error| std::io::Error::other(error.to_string())));
    let mut response = (status, Body::from_stream(bytes)).into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    // Bytes as they are: ranges are of these, and their number is the progress bar's.
    out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    insert(out, header::ETAG, &tag);
    insert(out, header::CONTENT_DISPOSITION, &attachment(path.name()));
    if let Some(modified) = modified {
        insert(out, header::LAST_MODIFIED, &modified);
    }
    if status == StatusCode::PARTIAL_CONTENT {
        insert(out, header::CONTENT_RANGE, &content_range);
    }
    Ok(response)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// As machines tell one state of a file from another: all that SFTP says.
fn tag(entry: &Entry) -> String {
    format!("\"{:x}-{:x}\"", entry.size, entry.modified.unwrap_or_default())
}

fn modified(entry: &Entry) -> Option<String> {
    let time = Timestamp::from_second(entry.modified?.into()).ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

/// What must not be in a name that is saved: letters that steer terminals, that turn the reading direction, that lead elsewhere.
fn harmless(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `Content-Disposition` (RFC 6266), with the name in ASCII for old programs and as it is (RFC 8187).
fn attachment(name: &str) -> String {
    let name: String = name.chars().map(|letter| if harmless(letter) { letter } else { '_' }).collect();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || " ._-()+,=@".contains(letter);
    let ascii: String = name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    let mut text = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").ok();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::attachment;

    #[test]
    fn names_are_saved_as_they_are_unless_they_could_do_harm() {
        for (name, header) in [
            ("a b.txt", "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"),
            ("ü\"%;.txt", "attachment; filename=\"____.txt\"; filename*=UTF-8''%C3%BC%22%25%3B.txt"),
            ("a\r\nb\u{202e}txt.exe", "attachment; filename=\"a__b_txt.exe\"; filename*=UTF-8''a__b_txt.exe"),
            ("..\\up", "attachment; filename=\".._up\"; filename*=UTF-8''.._up"),
        ] {
            assert_eq!(attachment(name), header);
        }
    }
}
