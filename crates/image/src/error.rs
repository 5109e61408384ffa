//! What can go wrong with a golden disk, said for the person who asked for it.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("there is no recipe `{name}`; these exist: {known}")]
    UnknownRecipe { name: String, known: String },
    #[error("recipe `{name}` is broken: {reason}")]
    BadRecipe { name: String, reason: String },
    #[error("building needs `{program}`, which is not installed; install the package `{package}`")]
    MissingTool { program: String, package: &'static str },
    #[error("building as an ordinary user needs {needs}; install that, or build as root")]
    NotRoot { needs: String },
    #[error("{what} failed ({status}): {tail}")]
    Command { what: String, status: String, tail: String },
    #[error("cancelled")]
    Cancelled,
    #[error(
        "not enough room in {path}: {what} needs {need_mib} MiB and {free_mib} MiB are free; make room and try again"
    )]
    NoSpace { path: PathBuf, what: String, need_mib: u64, free_mib: u64 },
    #[error("{what} filled the disk that holds {path}; make room and try again")]
    DiskFull { path: PathBuf, what: String },
    #[error("{from} has more than {max_gib} GiB, the most that is imported; shrink or compress the image first")]
    TooLarge { from: String, max_gib: u64 },
    #[error(
        "checksum of {from} is {got}, not {expected} as asked for: the file is damaged or another one; get it again, or correct the checksum"
    )]
    Checksum { from: String, expected: String, got: String },
    #[error("`{given}` is not a SHA-256 checksum; give 64 hexadecimal digits")]
    BadHash { given: String },
    #[error("{from} cannot be used: {reason}")]
    Refused { from: String, reason: String },
    #[error("cannot fetch {url}: {reason}")]
    Download { url: String, reason: String },
    #[error("cannot import from `{from}`: {reason}")]
    BadSource { from: String, reason: String },
    #[error("cannot {doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("there is no image {sha256} in {folder}")]
    NoImage { sha256: String, folder: PathBuf },
}

impl ImageError {
    /// A short, stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownRecipe { .. } => "unknown_recipe",
            Self::BadRecipe { .. } => "bad_recipe",
            Self::MissingTool { .. } => "missing_tool",
            Self::NotRoot { .. } => "not_root",
            Self::Command { .. } => "command_failed",
            Self::Cancelled => "cancelled",
            Self::NoSpace { .. } | Self::DiskFull { .. } => "disk_full",
            Self::TooLarge { .. } => "image_too_large",
            Self::Checksum { .. } => "wrong_checksum",
            Self::BadHash { .. } => "bad_checksum",
            Self::Refused { .. } => "bad_image",
            Self::Download { .. } => "download_failed",
            Self::BadSource { .. } => "bad_source",
            Self::Io { .. } => "io_error",
            Self::NoImage { .. } => "no_image",
        }
    }

    /// Says "disk full" where that is the reason, for it has another way out than any other I/O error.
    pub(crate) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        let full = matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        if full {
            Self::DiskFull { path: path.to_path_buf(), what: format!("trying to {doing} it") }
        } else {
            Self::Io { doing, path: path.to_path_buf(), source }
        }
    }
}
