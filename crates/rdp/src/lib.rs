//! RDP desktops as a [`Source`](oriel_screen::Source) of screen events, on the `ironrdp-*` crates.
//!
//! [`connect`] does everything that needs waiting: X.224 negotiation, TLS with a pinned certificate, CredSSP when the
//! server asks for it, licensing and capabilities. From then on [`RdpSource`] is a machine without I/O.
//!
//! ```text
//!              ┌──────────── connect (bounded by CONNECT_TIMEOUT) ────────────┐
//!  byte stream │ X.224 ──▶ TLS + pin ──▶ [CredSSP] ──▶ MCS, licence, capabilities │──▶ (Stream, RdpSource)
//!              └──────────────────────────────────────────────────────────────┘
//!
//!  RdpSource:   bytes ──▶ frame ──▶ guard (limits) ──▶ ActiveStage ──▶ picture, ScreenEvents, answers
//!
//!                        Deactivate All
//!               Active ───────────────────▶ Reactivating ──(Font Map)──▶ Active with the new size
//! ```
//!
//! What the server may make us hold is bounded in `guard`, because the protocol lets it announce messages of any
//! length; a panic in a decoder (hostile RemoteFX coordinates overflow) ends that one session and nothing else.
//!
//! A session may be one program instead of a desktop (`rail`): the picture is still the machine's whole screen, and what it tells of the program's
//! windows gives the title, and says when the last is closed.
//!
//! The graphics pipeline (MS-RDPEGFX) is a dynamic channel of our own, `graphics`: what browsers cannot decode is painted
//! into the picture, H.264 becomes `ScreenEvent::Video` untouched, and the server is told of a frame when the viewer shows it.

mod clipboard;
mod confirm;
mod connect;
mod continuation;
mod cursor;
pub mod drive;
mod dynamic;
mod error;
mod frame;
mod gateway;
mod graphics;
mod guard;
mod handshake;
mod held;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod hostile;
mod input;
mod kerberos;
mod keyboard;
mod layout;
mod microphone;
mod monitors;
mod options;
mod picture;
mod rail;
mod session;
mod sound;
mod source;
mod static_channel;
mod tls;
mod touch;
mod zone;

use drive::DRIVE_OUT_BYTES_MAX;

pub use clipboard::ClipboardFiles;
pub use connect::{CONNECT_TIMEOUT, Stream, connect, identity};
pub use continuation::Continuation;
pub use error::ConnectError;
pub use gateway::GatewayOptions;
#[doc(hidden)]
pub use kerberos::AsExchange;
pub use kerberos::{KDC_PLACE, KDC_VARIABLE, Kdc, KerberosAccount, KerberosError, KerberosOptions};
pub use layout::windows_layout;
pub use options::{Devices, OfferedDrive, Pipeline, RdpOptions, Security};
pub use session::{Looks, Preconnection, Program, RemoteApp, SessionOptions};
pub use source::RdpSource;
pub use zone::TimeZone;

/// Largest message of the handshake in bytes; real ones stay below 20 KiB.
pub const HANDSHAKE_PDU_BYTES_MAX: usize = 64 * 1024;
/// Messages skipped while the handshake waits for another one.
pub const HANDSHAKE_SKIPPED_MAX: usize = 64;
/// Largest fragmented update in bytes: what we announce to the server (MS-RDPBCGR 2.2.7.2.6), which is also what
/// `ironrdp-connector` announces for us.
pub const UPDATE_BYTES_MAX: usize = 8 << 20;
/// Largest message of a static channel in bytes: the clipboard's text as UTF-16 and its header.
pub const CHANNEL_MESSAGE_BYTES_MAX: usize = 2 * oriel_screen::CLIPBOARD_BYTES_MAX + 4096;
/// Largest answer about the clipboard in bytes: a bitmap of 32 bits and its header.
pub const CLIPBOARD_ANSWER_BYTES_MAX: usize = 4 * oriel_screen::CLIPBOARD_PIXELS_MAX as usize + 4096;
/// Bytes of the clipboard that wait to be sent to the machine, beyond which it is refused what it asks for: beside one picture, a few texts.
pub const CLIPBOARD_WAITING_BYTES_MAX: usize = 8 << 20;
/// Largest message of a dynamic channel in bytes; the display control's capabilities have 12.
pub const DYNAMIC_MESSAGE_BYTES_MAX: u32 = 64 * 1024;
/// Largest message of the graphics pipeline in bytes, as it travels: key frames and first pictures of large screens.
pub const GRAPHICS_MESSAGE_BYTES_MAX: u32 = 12 << 20;
/// Times that one connection is sent on from machine to machine.
pub const REDIRECTIONS_MAX: usize = 5;
/// Names and addresses of one redirection that are tried.
pub const REDIRECTION_HOSTS_MAX: usize = 4;
/// Longest of them, in bytes (RFC 1035 §2.3.4).
pub const REDIRECTION_HOST_BYTES_MAX: usize = 253;
/// Bytes that wait to be sent to the machine, beyond which the person's voice is left out: it would come too late. A fifth of a second of it
/// beside what files and the clipboard may have on the way.
pub const MICROPHONE_WAITING_BYTES_MAX: usize = oriel_screen::MICROPHONE_BYTES_MAX + DRIVE_OUT_BYTES_MAX;
/// Frames that wait for the viewer to show them; of more, the oldest are not told to the server.
pub const FRAMES_PENDING_MAX: usize = 256;
