//! GPUs: what each one can do, why it can't, and how it is switched and handed out.
//!
//! Everything is read through [`Sysfs`]: the running host, a folder, or a capture of somebody else's host ([`capture`]). On
//! it stand, each in a folder of its own:
//!
//! ```text
//!   Sysfs ──▶ inventory ──▶ doctor      findings: what is wrong, why, and the exact fix
//!                  │
//!                  └──────▶ mode        a plan as data: shown first, then applied, verified, and undone on failure
//! ```
//!
//! Nothing here speaks to a network or reads a clock.

pub mod assign;
pub mod capture;
pub mod doctor;
mod error;
pub mod firmware;
pub mod inventory;
pub mod kernel;
pub mod mode;
pub mod sysfs;

pub use error::GpuError;
pub use inventory::{Inventory, inventory};
pub use sysfs::Sysfs;
