//! A connection in a process of its own: what a machine sends is parsed where nothing else can be reached.
//!
//! ```text
//!  server's process                                        worker (`oriel session-worker`), one a connection
//!  viewer::serve ⇄ Command ⇄ parent ═ frames (stdin) ═ child ⇄ Command ⇄ connection task ⇄ Source / Shell
//!                            parent ═ doors (stdout) ═▶ an open stream to the machine, as a file descriptor
//! ```
//! A worker is for one connection, for a machine's files (`files`: no viewers, but questions and transfers), or to ask a machine who it is.
//!
//! The worker has no network, no files and no database: streams are dialled here and handed over open, and of credentials it learns
//! those of its own machine. Recordings are encrypted and kept in the server's process: the worker hands over parts, and knows no key. It
//! asks for nothing by name: which desktop and port are its own the parent knows.

mod child;
mod doors;
mod files;
mod files_child;
mod files_parent;
mod log;
mod parent;
mod program;
mod recordings;
mod relay;
mod wire;

pub use child::serve;
pub(crate) use files_parent::{FarDownload, FarFiles, FarUpload, open as open_files};
pub(crate) use parent::{identify, run};
pub use program::WorkerProgram;

/// Streams to its machine that are carried for one connection at once: the five channels of SPICE, or one stream (two, by an old
/// RD Gateway), its successor, and a second try of the latter; and some of an earlier session that are not at their end yet. Sockets
/// that are handed over whole are the worker's own: how often it may dial bounds them, and how many descriptors it may have.
const STREAMS_MAX: usize = 8;
/// How long one end of a stream may go on when the other has ended.
const HALF_OPEN_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(5);
/// What one connection's viewers may have on its way to them in the server's process, in KiB; one message is at most 64 MiB.
const HELD_KIB_MAX: usize = 160 << 10;
/// What of it may be for guests: beyond it the slowest of them is let go, so that the owner's pictures have room.
const GUESTS_HELD_BYTES_MAX: usize = 64 << 20;
/// What of it may be beyond recall for one guest, in KiB, in the queue of its WebSocket; or one larger message.
const GUEST_LEAVING_KIB_MAX: u32 = 4 << 10;
/// Frames waiting for the other process.
const FRAMES_MAX: usize = 32;
/// How often one connection may have its machine dialled: a machine is signed in to anew where video cannot go on.
const DIALS_MAX: u32 = 200;
/// How often it may have its machine woken: every few seconds for as long as the slowest may take, a few times.
const WAKES_MAX: u32 = 1000;
/// Questions to KDCs that one connection may ask: a few for each time that it signs in.
const KDC_QUESTIONS_MAX: u32 = 1000;
const KDC_QUESTIONS_AT_ONCE: usize = 3;
/// How often it may say that a machine was met for the first time.
const MEETINGS_MAX: u32 = 100;
/// Pictures for lists that a worker was asked for and has not given.
const THUMBNAILS_MAX: usize = 8;
/// How long a worker may leave what it is told lying, and take to end. One that is stuck is killed.
const STUCK_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(30);
