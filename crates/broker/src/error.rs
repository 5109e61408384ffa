//! Why the broker would not or could not. Every error has a stable code and a next step for the person who reads it.

use oriel_compute::ComputeError;
use oriel_compute::external::ExternalError;
use oriel_directory::DirectoryError;
use oriel_film::FilmError;
use oriel_image::ImageError;
use oriel_oidc::OidcError;
use oriel_recording::RecordingError;
use oriel_store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It is not there, or the person may not know that it is.
    #[error("there is no {what} {key:?}")]
    Missing { what: &'static str, key: String },
    /// The request itself is wrong.
    #[error("{text}")]
    Invalid { code: &'static str, text: String, next_step: String },
    /// The request is right, but not now.
    #[error("{text}")]
    Conflict { code: &'static str, text: String, next_step: String },
    /// Not with these credentials.
    #[error("{text}")]
    Credentials { code: &'static str, text: String },
    /// Not by this person.
    #[error("{text}")]
    Forbidden { code: &'static str, text: String },
    /// Too often; try again after so many seconds.
    #[error("too many attempts; try again in {retry_seconds} seconds")]
    TooMany { retry_seconds: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// A machine that Oriel does not run could not be dialled.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// A directory of people could not be asked.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A provider of identities could not be asked, or did not say who somebody is.
    #[error(transparent)]
    Provider(#[from] OidcError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// There is no film of a recording.
    #[error(transparent)]
    Film(#[from] FilmError),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl BrokerError {
    pub(crate) fn missing(what: &'static str, key: impl ToString) -> Self {
        Self::Missing { what, key: key.to_string().chars().take(80).collect() }
    }

    pub(crate) fn invalid(code: &'static str, text: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self::Invalid { code, text: text.into(), next_step: next_step.into() }
    }

    pub(crate) fn conflict(code: &'static str, text: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self::Conflict { code, text: text.into(), next_step: next_step.into() }
    }

    pub(crate) fn internal(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Internal(format!("{what}: {error}"))
    }
}
