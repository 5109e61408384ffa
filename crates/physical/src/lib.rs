//! Machines behind a device: a client of kvmd's HTTP and WebSocket API (PiKVM, and the forks that speak it), and one of the BMCs that
//! speak Redfish ([`redfish`]).
//!
//! ```text
//!            ┌─ /api/ws        events ──▶ State, keys ◀── Input ─┐
//!  Carrier ──┤                                                   ├─▶ PhysicalSource (no I/O)
//!            └─ /api/media/ws  H.264, JPEG ──────────────────────┘
//!  Client ──── /api/atx, /api/msd, /api/gpio, … : one request, one answer
//! ```
//! What the device sends is parsed without I/O ([`State`], [`PhysicalSource`]): total, and bounded by names in `…_MAX`. Where the
//! device is, is the caller's affair: streams come from a [`Way`].

mod backoff;
mod carrier;
mod client;
mod command;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod frame;
pub mod gadget;
pub mod hid;
mod input;
pub mod jpeg;
pub mod key;
mod keymap;
mod multipart;
mod options;
pub mod redfish;
mod source;
mod state;
mod switch;
mod totp;
mod watcher;

pub use carrier::{Session, connect, identity};
pub use client::{Body, Client, Cookie, Socket};
pub use command::{Button, Click, PowerAction};
pub use error::DeviceError;
pub use frame::{FRAME_BYTES_MAX, FromDevice, ToDevice};
pub use keymap::of_layout as keymap_of_layout;
pub use multipart::Multipart;
pub use options::{Clock, PhysicalOptions};
pub use oriel_stream::Way;
pub use source::PhysicalSource;
pub use state::{
    Channel, DeviceKind, Image, Overview, Power, STATE_BYTES_MAX, State, StateError, Storage, Video, ViewItem,
};
pub use switch::{PortState, Switch};
pub use totp::{TotpError, check as check_totp};
pub use watcher::Watcher;

/// Longest message of `/api/ws` that is accepted, in bytes: the list of a few thousand images fits.
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// Largest picture or video frame that is accepted, in bytes; it must fit a record of the viewer protocol.
pub const PICTURE_BYTES_MAX: usize = 8 << 20;
/// Longest text that is typed at once, in bytes.
pub const PRINT_BYTES_MAX: usize = 64 << 10;
