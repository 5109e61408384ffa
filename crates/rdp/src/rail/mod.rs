//! One program instead of the whole desktop (RemoteApp: MS-RDPERP, client side).
//!
//! ```text
//!  machine ── static channel "rail" ──▶ Rail     meets the machine, asks it to run the program, hears why it does not
//!          ── drawing orders ─────────▶ Orders ──▶ Windows: the title of the one in front, and whether the last is closed
//! ```
//!
//! The picture is the machine's whole screen: its windows lie where it puts them, and nothing of them is drawn here. So what the protocol has
//! for windows of our own (moving them here, their icons, taskbar, language bar, cloaking, z-order) is not announced, or passed over.
//! Everything that comes from the machine is bounded and read without panics; what makes no sense is passed over too.

mod channel;
mod orders;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod tests;
mod windows;
mod wire;

pub(crate) use channel::{Rail, messages};
pub(crate) use orders::Orders;

/// Longest program and longest folder, in bytes of UTF-16 (2.2.2.3.1).
pub(crate) const PROGRAM_BYTES_MAX: usize = 520;
/// Longest arguments, in bytes of UTF-16 (2.2.2.3.1, note 13).
pub(crate) const ARGUMENTS_BYTES_MAX: usize = 16_000;
/// Times that the machine is asked to run the program: it refuses while nobody has logged on.
pub(crate) const TRIES_MAX: u32 = 4;
/// Longest title of a window, in bytes of UTF-16 (2.2.1.2.1, and 2.2.1.3.1.2.1).
pub(crate) const TITLE_BYTES_MAX: usize = 520;
/// Windows that are known at the same time; more are passed over.
pub(crate) const WINDOWS_MAX: usize = 1024;
/// Icons in the notification area that are known at the same time; more are passed over.
pub(crate) const ICONS_MAX: usize = 256;
/// Owners of owners that are followed for a title.
pub(crate) const OWNERS_MAX: usize = 8;
/// Bytes of one update with orders that comes in pieces; a longer one is passed over. Icons are not asked for, which are what is large.
pub(crate) const ORDERS_BYTES_MAX: usize = 256 << 10;
