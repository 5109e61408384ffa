//! SPICE: our own client of version 2 of the protocol (the "Spice protocol" document and the headers of `spice-protocol`), as an
//! [`oriel_screen::Source`].
//!
//! A session is several connections, a channel each. Everything but [`connect`] is a machine without I/O: the channels' bytes come in
//! one stream of frames, and bytes, events and pixels go out.
//!
//! ```text
//!  main     ──▶ Link ──▶ ┐                ┌─▶ Incoming ─▶ Agent (clipboard, size)        ─▶ events
//!  display  ──▶ Link ──▶ ┤   one stream   ├─▶ Incoming ─▶ Display ─▶ Image ─▶ draw       ─▶ pixels
//!  inputs   ──▶ Link ──▶ ┼─▶  of frames ──┼─▶ Incoming ─▶ Input                          ─▶ keys, pointer
//!  cursor   ──▶ Link ──▶ ┤                ├─▶ Incoming ─▶ Cursor
//!  playback ──▶ Link ──▶ ┘                └─▶ Incoming ─▶ Sound
//! ```
//! The remote side is not trusted: messages, surfaces, pictures and what is kept for the server have named limits, and so has the
//! painting between two reads. The server is asked for LZ and offered no cache, no dictionary and only MJPEG, so that what comes is
//! simple; what comes all the same and cannot be decoded ends the session with its name.
//!
//! Not here: SASL, migration, further displays, lines and text of QXL drivers from Windows XP's days, microphones, USB, smart cards.

mod agent;
mod channel;
mod connect;
mod cursor;
mod display;
mod draw;
mod error;
mod image;
mod input;
mod keys;
mod link;
mod lz;
mod mux;
mod options;
mod reader;
mod sound;
mod source;
mod ticket;

pub use connect::{Session, connect, identity};
pub use error::ConnectError;
pub use link::{Capabilities, Link};
pub use mux::Channel;
pub use options::SpiceOptions;
pub use source::SpiceSource;

/// Longest message that is accepted, in bytes: the largest screen, not compressed. Channels without pictures have less.
pub const MESSAGE_BYTES_MAX: usize = oriel_screen::SURFACE_PIXELS_MAX as usize * 4 + (1 << 20);
/// Surfaces beside the screen that are kept for a server; together they have as many pixels as a screen may have.
pub const SURFACES_MAX: usize = 1024;
/// Videos at once.
pub const STREAMS_MAX: usize = 64;
/// Pointers that are kept for a server.
pub const CURSORS_MAX: usize = 256;
