//! A machine as a PiKVM device: kvmd's HTTP and WebSocket API, so that programs made for PiKVMs drive whatever is a [`Machine`].
//!
//! ```text
//!  programs ──▶ /api/…, /streamer/…, /api/ws, /api/media/ws
//!                 │ who they are (Door)
//!                 ▼
//!               Inner ── messages ──▶ Gadget ── reports ──▶ ┐
//!                 │  ── buttons ─────────────────────────▶ Machine
//!                 └─ parts of its state ◀── status, pictures ┘
//! ```
//! Written after measurements of kvmd 4.197, and not after its code. What is encoded on the wire is in `oriel_physical`, whose client reads
//! what this writes.

mod account;
mod answer;
mod drive;
mod hid;
mod inner;
mod keymap;
mod log;
mod machine;
mod mouse;
mod part;
mod picture;
mod query;
mod route;
mod server;
mod socket;
mod video;

pub use account::{ACCOUNTS_BYTES_MAX, ACCOUNTS_MAX, AccountError, Accounts};
pub use machine::{
    Button, Encoder, Fetched, Machine, Medium, Picture, Remote, Report, Slot, Status, VideoWanted, Wanted,
};
pub use mouse::Inputs;
pub use server::{Device, DeviceOptions};

/// Connections at a time; more wait to be accepted.
pub const CONNECTIONS_MAX: usize = 64;
/// WebSockets of events at a time.
pub const CLIENTS_MAX: usize = 32;
/// Longest body of a command, in bytes.
pub const BODY_BYTES_MAX: usize = 4 << 10;
/// Longest text that is typed at once, in bytes.
pub const PRINT_BYTES_MAX: usize = 64 << 10;
/// Most pictures a second.
pub const FRAMES_A_SECOND_MAX: u8 = 30;
/// What H.264 may have: thousands of bits a second, and pictures from one key frame to the next. kvmd's limits.
pub const KILOBITS: (u16, u16) = (25, 20_000);
pub const GOP_MAX: u8 = 60;
/// Units of H.264 that wait for whoever takes them slowly; then they begin anew at a key frame. kvmd's limit.
pub const UNITS_MAX: usize = 32;
/// The version of kvmd whose API this is.
const KVMD_VERSION: &str = "4.197";
