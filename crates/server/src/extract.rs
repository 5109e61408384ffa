//! Reading requests: bodies and queries, with errors that say what is wrong.

use crate::{Answer, api::problem::Problem};
use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{StatusCode, header, request::Parts},
};
use oriel_model::{Name, NameError};
use serde::de::DeserializeOwned;

/// A JSON body, at most [`crate::BODY_BYTES_MAX`] long.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

/// A JSON body that may hold a small picture, at most [`crate::PICTURE_BODY_BYTES_MAX`] long.
pub struct PictureBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for PictureBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(not_json());
        }
        let read = axum::body::to_bytes(request.into_body(), crate::PICTURE_BODY_BYTES_MAX).await;
        let bytes = read.map_err(|_| too_large(crate::PICTURE_BODY_BYTES_MAX))?;
        match Json::<T>::from_bytes(&bytes) {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

/// What stands behind the address's question mark.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::bad_request(
                format!("the address's query does not fit: {}", rejection.body_text()),
                "compare it with this endpoint's description in /api/v1/openapi.json",
            )),
        }
    }
}

/// A name that somebody gives.
pub fn name(text: &str) -> Answer<Name> {
    text.parse().map_err(|error: NameError| Problem::bad_request(error.to_string(), "give it another name"))
}

fn too_large(most: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("the request's body is larger than {most} bytes"),
        "send less; files are imported by path or URL, not through the body",
    )
}

fn not_json() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not_json",
        "the request's body is not marked as JSON",
        "send it with `Content-Type: application/json`",
    )
}

fn refused(rejection: &JsonRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large(crate::BODY_BYTES_MAX);
    }
    if rejection.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return not_json();
    }
    Problem::bad_request(
        format!("the request's body does not fit: {}", rejection.body_text()),
        "compare it with this endpoint's description in /api/v1/openapi.json",
    )
}
