//! Golden disks: built from a recipe, imported from a file or URL, checked, and kept by the hash of their content.
//!
//! ```text
//! recipe ─ build ─▶ root.tar ─▶ disk.raw ─▶ image.qcow2 ─┐            {cache}/work/{inputs}/…, each step kept until the last one is done
//!                                                        ├─▶ {images}/{sha256}.qcow2
//! file, URL ─ import ─▶ *.part ─ check ─ convert ────────┤
//! disk of a machine, over its image ─ flatten ───────────┘
//! ```
//!
//! A build's inputs (the recipe's files, its suite and options) have a hash, and the user's cache folder keeps the built image under
//! it: a second data folder or a fresh clone on the same machine does not build again.
//!
//! What an image says about itself is never believed: see [`format`] for what is refused before QEMU opens a file.

pub mod apt;
mod build;
mod cache;
mod capture;
mod command;
mod disk;
mod error;
mod file;
pub mod format;
mod import;
mod inspect;
mod job;
mod progress;
mod recipe;
mod store;

pub use capture::FlatDisk;
pub use error::ImageError;
pub use import::{IMPORT_BYTES_MAX, Imported};
pub use inspect::{VIRTUAL_BYTES_MAX, VIRTUAL_BYTES_MIN};
pub use job::{Job, Quiet};
pub use recipe::{Recipe, recipe, recipes};
pub use store::{Built, ImageStore};
