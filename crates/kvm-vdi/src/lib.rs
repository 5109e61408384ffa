//! What kvm-vdi keeps, as pools, groups and people of Oriel. Pure: a dump or rows in, a plan out.
//!
//! ```text
//!  dump of its MySQL database ──▶ parse_dump ─┐
//!                                             ├─▶ Rows ──▶ plan ──▶ Plan (what to make, and what is left out with its reason)
//!  rows of the database itself ───────────────┘
//! ```
//! Nobody may open more afterwards than before: a pool of kvm-vdi becomes a pool here, for the same people and groups.

mod address;
mod dump;
mod lexer;
mod plan;
mod rows;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use dump::{DumpError, parse as parse_dump};
pub use plan::{Mapped, Plan, PlannedImage, PlannedMachine, PlannedMachines, PlannedPool, plan};
pub use rows::{AdGroupRow, ClientRow, HypervisorRow, LinkRow, MachineRow, PoolRow, RowError, Rows, TABLES, is_on};

/// Largest dump that is read, in bytes: the log of some years is in it.
pub const FILE_BYTES_MAX: usize = 256 << 20;
/// Most rows of one table.
pub const ROWS_MAX: usize = 100_000;
/// Most columns of one table.
pub const COLUMNS_MAX: usize = 256;
/// Longest value that is kept, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
