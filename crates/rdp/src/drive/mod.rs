//! The session's folder as a drive of the machine (MS-RDPEFS, client side).
//!
//! ```text
//!  browser ── HTTP ──▶ files' routes ──▶ Drive ◀── Irps ◀── Rdpdr ◀── static channel "rdpdr" ── machine
//!                                      (memory)
//! ```
//!
//! [`Folder`] is a tree in memory, in the session's own process: there is no file of this host that a request of the machine could name,
//! nothing to clean up, and it is gone when the session is. Everything that comes from the machine is bounded and read without panics;
//! a request that makes no sense is answered as a file system would, one that is too long is refused by its head alone (`guard`), and none
//! ends the session. What it reads is handed out as fast as it can be sent ([`DRIVE_OUT_BYTES_MAX`]).

mod channel;
mod content;
mod folder;
mod info;
mod irps;
mod names;
mod prints;
mod status;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod tests;
mod wire;

pub(crate) use channel::{Rdpdr, messages};
pub use folder::{Clock, Drive, DriveEntry, DriveError, Folder, MachineSide, Wake};
pub use names::is_name;
pub use prints::Print;

/// Bytes of all files together, those that are still being uploaded included.
pub const DRIVE_BYTES_MAX: u64 = 256 << 20;
/// Files and folders together.
pub const DRIVE_ENTRIES_MAX: usize = 2048;
/// Folders in folders.
pub const DRIVE_DEPTH_MAX: usize = 16;
/// Longest name, in bytes of UTF-8.
pub const DRIVE_NAME_BYTES_MAX: usize = 255;
/// Uploads of the person that are not complete; of more, the one that rested longest is given up.
pub const DRIVE_UPLOADS_MAX: usize = 32;
/// An upload that got no bytes for so long gives way where its room is needed: whoever goes on with it begins anew.
pub const DRIVE_UPLOAD_IDLE_SECONDS: u64 = 60;
/// Files that the person has put here and that the clipboard has not taken; of more, the first.
pub const DRIVE_ARRIVED_MAX: usize = 256;
/// Files and folders that the machine has open.
pub const DRIVE_HANDLES_MAX: usize = 512;
/// Longest path in a request of the machine, in bytes of UTF-16.
pub const DRIVE_PATH_BYTES_MAX: usize = 8192;
/// Bytes that one request reads; of more, so many are answered.
pub const DRIVE_READ_BYTES_MAX: usize = 4 << 20;
/// Reads of the machine that wait for their bytes; more are refused.
pub const DRIVE_READS_MAX: usize = 1024;
/// While so many bytes wait to be sent, reads are not answered: keys and pointer would queue behind them.
pub const DRIVE_OUT_BYTES_MAX: usize = 256 << 10;
/// Requests of the machine to hear of changes; more are refused.
pub const DRIVE_WATCHES_MAX: usize = 64;
/// What the machine calls the drive: at most seven letters are shown (MS-RDPEFS 2.2.3.1).
pub const DRIVE_LABEL: &str = "Oriel";
/// The folder on the drive whose PDF files are prints: whatever the machine writes there is told to the person.
pub const PRINT_FOLDER: &str = "Print";
/// Prints that are kept; the oldest give way.
pub const PRINTS_MAX: usize = 16;
