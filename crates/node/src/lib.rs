//! A KVM-over-IP device of our own: a small board between somebody's browser and a machine's sockets.
//!
//! ```text
//!  programs ──▶ oriel-device (PiKVM's API) ──▶ Node ──▶ Video   /dev/videoN      picture: Video4Linux → JPEG
//!                                                 ├───▶ H264    ffmpeg           video: what was captured → H.264
//!                                                 ├───▶ Gadget  configfs, hidgN  keys, mice, lights, drive
//!                                                 └───▶ Atx     /dev/gpiochipN   buttons and lights of the case
//! ```
//! Each part has a thread that outlives what happens to its cable, and tells what it sees by a channel that holds only the newest. One other
//! program is run, ffmpeg, which encodes; all state lies in one folder.

mod check;
mod config;
mod gadget;
mod gpio;
mod node;
mod sys;
mod video;

pub use check::check;
pub use config::{Access, Config, ConfigError};
pub use node::{Fetch, Node, NodeError};
