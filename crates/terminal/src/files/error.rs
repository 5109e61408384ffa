//! Why a file could not be had. Texts are for the person who asked.

use crate::TerminalError;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::StatusCode;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Longest text of a server that is shown.
const TEXT_CHARS_MAX: usize = 200;

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum FilesError {
    /// There is no connection. Between processes this is a [`Self::NotThere`].
    #[error(transparent)]
    #[serde(skip)]
    Connection(#[from] TerminalError),
    /// Nor can there be one now.
    #[error("{0}")]
    NotThere(String),
    #[error("the path \"{path}\" cannot be used: {why}; choose another")]
    BadPath { path: String, why: Cow<'static, str> },
    #[error("\"{path}\" leads out of the folder that may be seen here; open what it points to in a shell")]
    Outside { path: String },
    #[error("there is no such file or folder; reload the list")]
    Missing,
    #[error("the machine does not allow it; the account has no permission there")]
    Denied,
    #[error("\"{path}\" is there already; choose another name, or replace it where it is a file")]
    Exists { path: String },
    /// Where a file is to go: nobody is asked whether to replace that.
    #[error("\"{path}\" is a folder there, and a file does not take its place; choose another name")]
    Folder { path: String },
    #[error("\"{path}\" is not a file; only files can be read and written")]
    NotAFile { path: String },
    /// The part before it is missing.
    #[error("only {there} bytes of this upload have arrived; go on there")]
    Gap { there: u64 },
    #[error("{0} transfers are under way here already; wait until one of them is done")]
    Busy(usize),
    /// Of a session's drive.
    #[error("the session's drive is full: it holds {mib} MiB; delete some of its files")]
    Full { mib: u64 },
    #[error("the folder is not empty; delete what is in it first")]
    NotEmpty,
    #[error("the file became shorter while it was read; try again")]
    Shrunk,
    /// `SSH_FX_FAILURE` says no more than that.
    #[error("the machine could not do it ({0}); a folder must be empty to be deleted, and the disk may be full")]
    Failed(String),
    #[error("the machine's file service did something strange: {0}; look at it in a shell")]
    Strange(Cow<'static, str>),
    #[error("the connection to the machine's files broke ({0}); try again")]
    Broken(String),
}

impl FilesError {
    pub(crate) fn bad_path(path: impl Into<String>, why: &'static str) -> Self {
        Self::BadPath { path: path.into(), why: why.into() }
    }

    pub(crate) fn strange(what: &'static str) -> Self {
        Self::Strange(what.into())
    }

    /// As another process can be told it.
    #[must_use]
    pub fn portable(self) -> Self {
        match self {
            Self::Connection(error) => Self::NotThere(error.to_string()),
            other => other,
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect()
}

impl From<SftpError> for FilesError {
    fn from(error: SftpError) -> Self {
        match error {
            SftpError::Status(status) => match status.status_code {
                StatusCode::NoSuchFile => Self::Missing,
                StatusCode::PermissionDenied => Self::Denied,
                StatusCode::NoConnection | StatusCode::ConnectionLost => Self::Broken(shown(&status.error_message)),
                _ => Self::Failed(shown(&status.error_message)),
            },
            other => Self::Broken(shown(&other.to_string())),
        }
    }
}
