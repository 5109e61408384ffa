//! Films: a recording of a screen becomes a video file that any player plays.
//!
//! ```text
//! server ── blocks of the container ──▶ a process of its own ── pictures ──▶ ffmpeg ──▶ film.mp4
//!        ◀── how far it is ────────────   └── H.264 as it came ──▶ ffmpeg ──▶ pictures
//! ```
//! What a machine once sent is decoded here, so none of it is in the server's process: [`make()`] starts another and feeds it, [`child`] is
//! what runs in there (`oriel-session-worker film`, whose cage is `oriel_worker`'s). Pictures are drawn into one surface, the pointer and the
//! watermark over it, and go to `ffmpeg` at a constant rate; smaller screens lie in the middle of the largest.

mod canvas;
pub mod child;
mod ffmpeg;
mod frame;
mod make;
mod mark;
mod order;
mod pointer;
mod tile;
mod timeline;
mod video;

pub use ffmpeg::missing as ffmpeg_missing;
pub use make::{FilmProgram, make};
pub use order::{FilmFormat, Made, Order};
pub use tile::decode as decode_tile;

use std::time::Duration;

/// Pictures of a film in a second.
pub const FRAMES_A_SECOND: u32 = 15;
/// A film may take so long to make, and may be without progress for so long.
pub const FILM_TIME_MAX: Duration = Duration::from_hours(12);
pub const FILM_STALL_MAX: Duration = Duration::from_mins(10);
/// Largest film, in bytes, and most memory of each process that makes it, in MiB.
pub const FILM_BYTES_MAX: u64 = 16 << 30;
pub const FILM_MEMORY_MIB_MAX: u64 = 6 << 10;
/// Longest line of what is said between the two processes, in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Why there is no film.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    #[error("ffmpeg is not installed, and films are made with it: apt-get install ffmpeg, then begin again")]
    NoFfmpeg,
    #[error("{0}")]
    Failed(String),
    #[error("cannot start the process that makes a film: {0}; look whether the program's folder is whole")]
    Start(std::io::Error),
    #[error("the recording cannot be read: {0}")]
    Reading(String),
    #[error("the film made no progress for {} minutes, and was given up: try again when the machine has less to do", FILM_STALL_MAX.as_secs() / 60)]
    Stalled,
    #[error("the film took more than {} hours, and was given up: leave out pauses to make it shorter", FILM_TIME_MAX.as_secs() / 3600)]
    TooLong,
    #[error("cancelled")]
    Cancelled,
    #[error("cannot use the folder in which films are made: {0}; look for a full disk")]
    Folder(std::io::Error),
    /// What is not a recording, or is damaged.
    #[error(transparent)]
    Container(#[from] oriel_screen::recording::RecordingError),
}
