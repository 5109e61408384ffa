//! VNC: our own client for RFB 3.8 (RFC 6143 and the community's extensions), as an [`oriel_screen::Source`].
//!
//! Everything but [`connect`] is a machine without I/O: bytes in; bytes, events and pixels out. The remote side is not
//! trusted: every list and size is checked against a named limit, pixels are painted as they arrive (a rectangle is never
//! held in memory), and compressed data is inflated in small pieces that must fit their rectangle. Pictures that a browser
//! can decode (JPEG, PNG, H.264) are handed on as they came; JPEG and PNG are painted here when somebody wants the pixels.
//!
//! ```text
//!             ┌────────────┐  Established   ┌─────────────────────────────────────────────────────────┐
//! bytes ────▶ │ Handshake  │ ─────────────▶ │ VncSource                                               │
//!             │  └ Talk    │                │  Message ─▶ Update ─▶ Rect(Decoder) ─▶ Update ─▶ Message│
//!             └────────────┘                │     └─────────▶ Collect / Skip ─────────────▲           │
//!                                           └─────────────────────────────────────────────────────────┘
//! ```
//!
//! Not here: SASL (security type 20 and VeNCrypt's 263, 264), the anonymous TLS of VeNCrypt's 257–259 and of type 18
//! (rustls has no anonymous suites), RealVNC's two-step types, UltraVNC's older logons, Apple's Kerberos and SRP.

mod auth;
mod clipboard;
mod connect;
mod cursor;
mod decode;
pub mod encodings;
mod error;
mod h264;
mod handshake;
mod hextile;
mod inflate;
mod input;
mod jpeg;
mod keysym;
mod options;
mod paint;
mod pending;
mod picture;
mod reader;
mod rre;
mod screens;
mod seal;
mod security;
mod sound;
mod source;
mod tight;
mod tiles;
mod update;
mod write;

pub use connect::{Session, VncStream, connect, connect_with_encodings, identity};
pub use error::ConnectError;
pub use handshake::{Established, Handshake, Progress, SealKeys};
pub use options::{SecurityPolicy, VncOptions};
pub use security::Security;
pub use source::VncSource;

/// Longest screen name that is accepted, in bytes.
pub const NAME_BYTES_MAX: u32 = 4096;
/// Longest reason for a refusal that is read, in bytes.
pub const REASON_BYTES_MAX: u32 = 4096;
/// What a repeater is told: a name or an ID, filled up with zeros.
pub const REPEATER_BYTES: usize = 250;
