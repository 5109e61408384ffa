//! The library's session, and whether anybody still answers. The file service may end while SSH lives, and the library tells no one
//! who does not ask.

use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{Attrs, Data, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) struct Session {
    raw: RawSftpSession,
    ended: AtomicBool,
}

/// The library's requests, each of which may find that the session is over.
macro_rules! requests {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        impl Session {
            $(pub async fn $name(&self, $($argument: $kind),*) -> Result<$answer, Error> {
                self.noted(self.raw.$name($($argument),*).await)
            })*
        }
    };
}

requests! {
    realpath(path: impl Into<String>) -> Name;
    stat(path: impl Into<String>) -> Attrs;
    lstat(path: impl Into<String>) -> Attrs;
    opendir(path: impl Into<String>) -> Handle;
    readdir(handle: impl Into<String>) -> Name;
    mkdir(path: impl Into<String>, attributes: FileAttributes) -> Status;
    rmdir(path: impl Into<String>) -> Status;
    remove(path: impl Into<String>) -> Status;
    rename(old: impl Into<String>, new: impl Into<String>) -> Status;
    extended(request: impl Into<String>, words: Vec<u8>) -> Packet;
    open(path: impl Into<String>, flags: OpenFlags, attributes: FileAttributes) -> Handle;
    fstat(handle: impl Into<String>) -> Attrs;
    fsetstat(handle: impl Into<String>, attributes: FileAttributes) -> Status;
    read(handle: impl Into<String>, offset: u64, length: u32) -> Data;
    write(handle: impl Into<String>, offset: u64, data: Vec<u8>) -> Status;
    close(handle: impl Into<String>) -> Status;
}

impl Session {
    pub fn new(raw: RawSftpSession) -> Self {
        Self { raw, ended: AtomicBool::new(false) }
    }

    /// A request has found that nobody answers any more.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Ends it; what is on the way fails.
    pub fn end(&self) {
        self.raw.close_session().ok();
    }

    fn noted<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result.as_ref().is_err_and(is_end) {
            self.ended.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// Whether no further request can be answered. A slow one and one that was refused say nothing of the next.
fn is_end(error: &Error) -> bool {
    match error {
        Error::Status(status) => {
            matches!(status.status_code, StatusCode::NoConnection | StatusCode::ConnectionLost)
        }
        // How the library says that its reader or its writer is gone.
        Error::IO(_) | Error::UnexpectedBehavior(_) => true,
        Error::Timeout | Error::Limited(_) | Error::UnexpectedPacket => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_over_is_over() {
        let status = |status_code| {
            let (error_message, language_tag) = (String::new(), String::new());
            Error::Status(Status { id: 1, status_code, error_message, language_tag })
        };
        for (error, over) in [
            (Error::UnexpectedBehavior("session closed".into()), true),
            (Error::UnexpectedBehavior("sender dropped".into()), true),
            (Error::IO("broken pipe".into()), true),
            (status(StatusCode::ConnectionLost), true),
            (status(StatusCode::Failure), false),
            (status(StatusCode::NoSuchFile), false),
            (Error::Timeout, false),
            (Error::UnexpectedPacket, false),
        ] {
            assert_eq!(is_end(&error), over, "{error}");
        }
    }
}
