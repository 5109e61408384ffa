//! What went wrong, for programs (a stable code) and for people (a sentence, and what to do next). RFC 9457.

use crate::audit::RefusalCode;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `application/problem+json`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetails {
    /// Always `about:blank`: the code says which problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, snake_case.
    pub code: String,
    /// What happened, to what, why.
    pub detail: String,
    /// What to do about it.
    pub next_step: String,
    /// The request's trace, 32 hexadecimal digits, where the server exports traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// An error answer on its way out of a handler.
#[derive(Clone, Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: String,
    pub next_step: String,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u64>,
    /// Bytes of what has no such range, for `Content-Range`.
    pub whole_bytes: Option<u64>,
}

impl Problem {
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self { status, code, detail: detail.into(), next_step: next_step.into(), retry_after: None, whole_bytes: None }
    }

    pub fn bad_request(detail: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail, next_step)
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {what}, or it is not yours to see"),
            "list what there is and use an id from the list",
        )
    }

    pub fn not_signed_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not_signed_in",
            "this needs somebody who is signed in, and the request names nobody",
            "sign in, or send `Authorization: Bearer TOKEN` with a token that has not expired",
        )
    }

    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "admin_only",
            "your role does not give you this",
            "ask an administrator to do it, or to give you a role that does",
        )
    }

    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server met an error that it did not expect, and has written it to its log",
            "try again; if it stays, look at the log of `oriel serve`",
        )
    }

    pub fn details(&self) -> ProblemDetails {
        ProblemDetails {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail.clone(),
            next_step: self.next_step.clone(),
            trace_id: oriel_trace::trace_id(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.details()).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let code = RefusalCode(self.code);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(range) = self.whole_bytes.and_then(|bytes| HeaderValue::from_str(&format!("bytes */{bytes}")).ok())
        {
            headers.insert(header::CONTENT_RANGE, range);
        }
        response.extensions_mut().insert(code);
        response
    }
}
