//! Answers: the envelope around them, refusals by name, and plain text where kvmd has no envelope.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize as _;
use serde_json::{Value, json};
use std::io;

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(crate) type Answer = Response<Body>;

/// Why not, as kvmd names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub name: &'static str,
    pub text: String,
}

pub(crate) type Answered = Result<Answer, Refusal>;

impl Refusal {
    pub fn new(status: StatusCode, name: &'static str, text: impl Into<String>) -> Self {
        Self { status, name, text: text.into() }
    }

    pub fn bad(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, name, text)
    }

    /// An argument that is none of `what`.
    pub fn invalid(value: &str, what: &str) -> Self {
        // What somebody sent is told back to them, and not all of it.
        let value: String = value.chars().filter(|one| !one.is_control()).take(100).collect();
        Self::bad("ValidatorError", format!("The argument '{value}' is not a valid {what}"))
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UnauthorizedError", "Unauthorized")
    }

    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "ForbiddenError", "Forbidden")
    }

    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UnavailableError", "Service Unavailable")
    }

    pub fn answer(&self) -> Answer {
        let body = json!({"ok": false, "result": {"error": self.name, "error_msg": self.text}});
        with_status(self.status, typed("application/json; charset=utf-8", indented(&body)))
    }
}

/// Sorted, and four spaces deep.
fn indented(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter)).ok();
    out
}

pub(crate) fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is made while it is read.
pub(crate) fn streamed<S>(pieces: S) -> Body
where
    S: futures::Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    BodyExt::boxed_unsync(StreamBody::new(futures::TryStreamExt::map_ok(pieces, Frame::data)))
}

pub(crate) fn typed(kind: &'static str, bytes: impl Into<Bytes>) -> Answer {
    typed_body(kind, body(bytes))
}

pub(crate) fn typed_body(kind: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

pub(crate) fn with_status(status: StatusCode, mut answer: Answer) -> Answer {
    *answer.status_mut() = status;
    answer
}

/// Leaves out what cannot be a header's value.
pub(crate) fn with_header(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        answer.headers_mut().append(name, value);
    }
    answer
}

/// The envelope.
pub(crate) fn result(result: Value) -> Answer {
    typed("application/json; charset=utf-8", indented(&json!({"ok": true, "result": result})))
}

/// What commands answer.
pub(crate) fn done() -> Answer {
    result(json!({}))
}

/// `404: Not Found` and its like.
pub(crate) fn plain(status: StatusCode) -> Answer {
    let text = format!("{}: {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    with_status(status, typed("text/plain; charset=utf-8", text))
}
