//! What is said between the server and the process that makes a film.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilmFormat {
    /// H.264.
    Mp4,
    /// VP9.
    Webm,
}

impl FilmFormat {
    /// The film's name in its folder.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Mp4 => "film.mp4",
            Self::Webm => "film.webm",
        }
    }
}

/// The first line on the process' standard input. Blocks of the container follow: the header and the chunks that begin with a whole
/// picture, which have every size of the screen; an end; then all of it, and an end. An end is the head of an empty index block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub format: FilmFormat,
    /// Pauses become short.
    pub skip_idle: bool,
    /// A folder that is this film's alone: whatever is made is made in there.
    pub folder: PathBuf,
    /// How long the recording is.
    pub duration_ms: u32,
}

/// What a film came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    pub width: u16,
    pub height: u16,
    /// Of the film, which may be shorter than the recording.
    pub duration_ms: u64,
    /// Pictures that could not be decoded: their places show what was there before.
    pub broken: u64,
    /// The recording has sound, which is left out.
    pub sound_left_out: bool,
}

/// A line on the process' standard output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// So much of the recording is in the film.
    At(u32),
    Done(Made),
    Failed(String),
    NoFfmpeg,
}
