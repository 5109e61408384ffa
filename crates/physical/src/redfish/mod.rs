//! Machines with a BMC: a client of Redfish (DMTF DSP0266), as much of it as power, virtual media and the next boot need.
//!
//! ```text
//!  Redfish ──▶ wire     one connection, a session or Basic, bounds, ETags, patience
//!     │ └────▶ told     what a BMC says of a failure, in our words
//!     └──────▶ board    what is known of the machine: no I/O, total
//! ```
//! A BMC gives no picture over Redfish: what its machine shows is seen by what runs inside it.

mod board;
mod command;
mod told;
mod wire;

pub use board::{Board, Boot, BootOnce, Console, Medium};
pub use command::resets;
pub use wire::{Login, Redfish, RedfishOptions};

/// Longest answer, in bytes: those that are asked have a few KiB.
pub const ANSWER_BYTES_MAX: usize = 512 << 10;
/// All answers to what one command asks, in bytes.
pub const TOTAL_BYTES_MAX: usize = 4 << 20;
/// Questions that one command may ask.
pub const QUESTIONS_MAX: u32 = 64;
/// Members of a collection that are looked at.
pub const MEMBERS_MAX: usize = 16;
