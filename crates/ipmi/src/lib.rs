//! A client of IPMI v2.0 over LAN (RMCP+ on UDP port 623): a machine's power, what it starts from next, and its serial console.
//! Sections are those of the specification, version 2.0, revision 1.1.
//!
//! ```text
//!  Client ─▶ handshake (Open Session, RAKP 1–4) ─▶ Session: seals and opens ─▶ wire: datagrams     no I/O below Client
//!    │ └───▶ chassis, boot, message: requests and what was answered
//!    └─────▶ Console ─▶ sol: what was typed and heard, acknowledged ─▶ any stream of bytes
//! ```
//! A BMC is a machine of the network that may be anybody's: whatever it sends is read by total parsers with bounds, and is believed
//! after its authentication code was. Cipher suites 17 (HMAC-SHA256, AES-CBC-128) and 3 (HMAC-SHA1, AES-CBC-128) are spoken, and none
//! that leaves something out.
//!
//! IPMI has a weakness that no client mends (13.31, RAKP 2): whoever asks for an account is given a salted hash that was made with its
//! password, before they have shown that they know it, and can guess at home.

mod account;
mod boot;
mod chassis;
mod client;
mod console;
mod crypto;
mod error;
mod escape;
mod handshake;
mod message;
mod session;
mod sol;
mod wire;

pub use account::{Account, Role};
pub use boot::{Boot, BootDevice};
pub use chassis::{Chassis, Control, DeviceId};
pub use client::{Client, reaches};
pub use console::Console;
pub use crypto::Suite;
pub use error::IpmiError;

/// The port that IANA gave it.
pub const PORT: u16 = 623;
/// Largest datagram that is read, in bytes; those of BMCs have some hundred.
pub const DATAGRAM_BYTES_MAX: usize = 2048;
/// Longest name of an account, in bytes (22.28).
pub const USER_BYTES_MAX: usize = 16;
/// Longest password, in bytes (22.30).
pub const PASSWORD_BYTES_MAX: usize = 20;
