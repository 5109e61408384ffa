//! Files over a worker: what the two processes say about them. Deeds are a question and an answer; the bytes of a transfer, which has the
//! number of the question that opened it, come in chunks, in each direction as many as the other side has room for.

use super::wire::{self, Frame};
use bytes::Bytes;
use oriel_terminal::FilesError;
use oriel_terminal::files::RemotePath;
use oriel_terminal::files::{Entry, Listing, PATH_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::io;

/// Longest chunk of a transfer.
pub(super) const CHUNK_BYTES_MAX: usize = 256 << 10;
/// Bytes of one transfer that may be between the two processes.
pub(super) const WINDOW_BYTES: usize = 1 << 20;
/// Questions that may wait for an answer.
pub(super) const QUESTIONS_MAX: usize = 128;
/// Longest answer: a folder's names, where JSON writes each byte as six letters.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Longest reason why something failed.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// The question that nobody asks: whether files can be had at all.
pub(super) const OPENING: u64 = 0;

/// What is asked of the worker. Paths are those of [`RemotePath`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    List {
        path: String,
    },
    Stat {
        path: String,
    },
    Rename {
        from: String,
        to: String,
        replace: bool,
    },
    MakeFolder {
        path: String,
    },
    Remove {
        path: String,
    },
    Uploaded {
        path: String,
        tag: String,
    },
    Abandon {
        path: String,
        tag: String,
    },
    /// Opens a transfer.
    Download {
        path: String,
    },
    /// The bytes of one follow, to its end.
    Read {
        transfer: u64,
        offset: u64,
        length: u64,
    },
    /// Opens a transfer.
    Upload {
        path: String,
        tag: String,
        offset: u64,
        replace: bool,
    },
    Settle {
        transfer: u64,
    },
    Complete {
        transfer: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Opened {
        root: String,
    },
    Listing(Listing),
    Entry(Entry),
    /// Where an upload goes on.
    At(u64),
    Settled {
        at: u64,
        error: Option<FilesError>,
    },
    Done,
}

pub(super) type Answered = Result<Answer, FilesError>;

/// To the worker.
pub(super) enum Ask {
    Request {
        question: u64,
        request: Request,
    },
    /// Of an upload.
    Bytes {
        transfer: u64,
        bytes: Bytes,
    },
    /// So many more bytes of a download may come.
    Room {
        transfer: u64,
        bytes: u64,
    },
    /// Nobody wants this transfer any more.
    Drop {
        transfer: u64,
    },
}

/// From the worker.
pub(super) enum Told {
    Answer {
        question: u64,
        answer: Answered,
    },
    /// Of a download.
    Bytes {
        transfer: u64,
        bytes: Bytes,
    },
    /// So many more bytes of an upload may come.
    Room {
        transfer: u64,
        bytes: u64,
    },
    /// Nothing more comes of a download, or nothing more is taken of an upload.
    End {
        transfer: u64,
        error: Option<FilesError>,
    },
}

/// Frames of these kinds are files'.
pub(super) const ASKS: std::ops::RangeInclusive<u8> = 32..=35;
pub(super) const TOLDS: std::ops::RangeInclusive<u8> = 96..=99;

impl From<Ask> for Frame {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Request { question, request } => Self::new(32, question).json(&request),
            Ask::Bytes { transfer, bytes } => Self::new(33, transfer).with(bytes),
            Ask::Room { transfer, bytes } => Self::new(34, transfer).counting(bytes),
            Ask::Drop { transfer } => Self::new(35, transfer),
        }
    }
}

impl Ask {
    pub fn read(kind: u8, number: u64, count: u64, body: Bytes) -> io::Result<Self> {
        Ok(match kind {
            32 => Self::Request { question: number, request: wire::json(&body)? },
            33 => Self::Bytes { transfer: number, bytes: chunk(body)? },
            34 => Self::Room { transfer: number, bytes: count },
            35 => Self::Drop { transfer: number },
            other => return Err(wire::wrong(&format!("a frame of kind {other}"))),
        })
    }
}

impl From<Told> for Frame {
    fn from(told: Told) -> Self {
        match told {
            Told::Answer { question, answer } => Self::new(96, question).json(&answer.map_err(FilesError::portable)),
            Told::Bytes { transfer, bytes } => Self::new(97, transfer).with(bytes),
            Told::Room { transfer, bytes } => Self::new(98, transfer).counting(bytes),
            Told::End { transfer, error } => Self::new(99, transfer).json(&error.map(FilesError::portable)),
        }
    }
}

impl Told {
    pub fn read(kind: u8, number: u64, count: u64, body: Bytes) -> io::Result<Self> {
        Ok(match kind {
            96 => Self::Answer { question: number, answer: answer(&body)? },
            97 => Self::Bytes { transfer: number, bytes: chunk(body)? },
            98 => Self::Room { transfer: number, bytes: count },
            99 if body.len() <= ERROR_BYTES_MAX => Self::End { transfer: number, error: wire::json(&body)? },
            other => return Err(wire::wrong(&format!("a frame of kind {other}"))),
        })
    }
}

fn chunk(body: Bytes) -> io::Result<Bytes> {
    if body.is_empty() || body.len() > CHUNK_BYTES_MAX {
        return Err(wire::wrong(&format!("a chunk of {} bytes", body.len())));
    }
    Ok(body)
}

/// An answer as an honest worker gives it: what SFTP says was checked there, and is checked here because who parses it may be in hostile
/// hands.
fn answer(body: &Bytes) -> io::Result<Answered> {
    if body.len() > ANSWER_BYTES_MAX {
        return Err(wire::wrong("an answer that is too long"));
    }
    let answer: Answered = wire::json(body)?;
    let fits = match &answer {
        Ok(Answer::Listing(listing)) => {
            listing.entries.len() <= oriel_terminal::files::ENTRIES_MAX && listing.entries.iter().all(is_entry)
        }
        Ok(Answer::Entry(entry)) => entry.name.is_empty() || is_entry(entry),
        Ok(Answer::Opened { root }) => root.starts_with('/') && root.len() <= PATH_BYTES_MAX,
        Ok(Answer::At(_) | Answer::Done | Answer::Settled { .. }) => true,
        Err(_) => body.len() <= ERROR_BYTES_MAX,
    };
    if fits { Ok(answer) } else { Err(wire::wrong("an answer that no file service gives")) }
}

fn is_entry(entry: &Entry) -> bool {
    !entry.name.is_empty() && entry.name.len() <= PATH_BYTES_MAX && !entry.name.contains('/')
}

pub(super) fn path(text: &str) -> Result<RemotePath, FilesError> {
    RemotePath::parse(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use oriel_terminal::files::EntryKind;

    fn heard(told: Told) -> io::Result<Told> {
        let (kind, number, count, body) = Frame::from(told).parts();
        assert!(TOLDS.contains(&kind));
        Told::read(kind, number, count, body)
    }

    fn listing(name: &str) -> Told {
        let entry = Entry { name: name.into(), kind: EntryKind::File, size: 1, modified: None, mode: None };
        Told::Answer { question: 7, answer: Ok(Answer::Listing(Listing { entries: vec![entry], cut: false })) }
    }

    #[test]
    fn answers_come_as_they_were_given() {
        let Told::Answer { question: 7, answer: Ok(Answer::Listing(found)) } = heard(listing("a\n\u{0}")).unwrap()
        else {
            panic!("something else came");
        };
        assert_eq!(found.entries[0].name, "a\n\u{0}");
        let gap = Told::Answer { question: 8, answer: Err(FilesError::Gap { there: 5 }) };
        assert!(matches!(heard(gap).unwrap(), Told::Answer { answer: Err(FilesError::Gap { there: 5 }), .. }));
        let strange = Told::End { transfer: 9, error: Some(FilesError::Strange("it did".into())) };
        assert!(matches!(heard(strange).unwrap(), Told::End { transfer: 9, error: Some(FilesError::Strange(_)) }));
    }

    #[test]
    fn what_no_file_service_says_is_refused() {
        for name in ["", "a/b", &"x".repeat(PATH_BYTES_MAX + 1)] {
            assert!(heard(listing(name)).is_err(), "{name:?}");
        }
        for bytes in [0, CHUNK_BYTES_MAX + 1] {
            assert!(heard(Told::Bytes { transfer: 1, bytes: vec![0; bytes].into() }).is_err());
        }
        let long = FilesError::Failed("x".repeat(ERROR_BYTES_MAX));
        assert!(heard(Told::Answer { question: 1, answer: Err(long) }).is_err());
        assert!(heard(Told::Answer { question: 0, answer: Ok(Answer::Opened { root: "home".into() }) }).is_err());
    }
}
