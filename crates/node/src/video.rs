//! The picture: a device of Video4Linux, read by a thread of its own, as JPEGs; and as H.264, which ffmpeg makes of what the device gives.

mod capture;
mod colour;
mod device;
mod edid;
mod encode;
mod feed;
mod ffmpeg;
mod h264;
mod raw;
mod stream;

pub use capture::{Seen, Video, VideoOptions};
pub use device::{Device, Signal};
pub use edid::parse as parse_edid;
pub use encode::Pixels;
pub use ffmpeg::find;
pub use h264::{H264, H264Mode, H264Options};

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    #[error("{} cannot be opened: {source}", .device.display())]
    Open { device: PathBuf, source: io::Error },
    #[error("{} cannot be used: {why}", .device.display())]
    Kind { device: PathBuf, why: &'static str },
    #[error("the video device refuses {what}: {source}")]
    Refused { what: &'static str, source: io::Error },
    #[error("the EDID is none: {0}")]
    Edid(&'static str),
    #[error(
        "the video device gives pictures as {0} only, which Oriel does not read; it reads MJPG, YUYV, UYVY, BGR3 and RGB3"
    )]
    Format(String),
}

/// A format's four letters.
pub fn name_of(format: u32) -> String {
    format.to_le_bytes().map(|byte| if byte.is_ascii_graphic() { char::from(byte) } else { ' ' }).iter().collect()
}
