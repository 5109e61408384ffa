//! A host's GPU state in one file: what the engine reads, without secrets or serial numbers. A bug report is a capture.
//!
//! ```text
//!   host ──▶ Recorder ──▶ inventory, doctor       everything that they read, with the links on the way …
//!               │   └───▶ extra                   … and what a later version may want to read
//!               ▼
//!             clean                               without names, serials, addresses, secrets
//!               ▼
//!        archive (tar, gzip) ──▶ open ──▶ Tree    the same engine again, anywhere
//! ```
//!
//! The archive has the host's paths below its root and two more: `/.oriel/manifest.json` says what it is, `/.oriel/commands/…`
//! what commands printed.

mod archive;
mod clean;
mod extra;
mod recorder;
#[cfg(test)]
mod tests;

pub use archive::{ENTRIES_MAX, UNPACKED_MAX, open, open_bytes};
pub use recorder::Recorder;

use crate::{
    GpuError, Sysfs, doctor,
    inventory::{self, inventory},
    mode::{self, Wish},
    sysfs::{COMMANDS, Node, Tree},
};
use flate2::{Compression, write::GzEncoder};
use oriel_model::GpuMode;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// The archive's own file: what it is.
pub const MANIFEST: &str = "/.oriel/manifest.json";
/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// `oriel 0.1.0`.
    pub made_by: String,
    pub kernel: String,
    /// GPUs that were found, by address.
    #[serde(default)]
    pub gpus: Vec<String>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Files, links and folders.
    pub entries: usize,
    pub gpus: usize,
    pub commands: usize,
}

/// Writes a host as one archive. `progress` is told what is being read, in a few words each.
pub fn write(
    sysfs: &dyn Sysfs,
    options: &inventory::Options,
    out: impl Write,
    progress: &mut dyn FnMut(&str),
) -> Result<Written, GpuError> {
    let (tree, written) = read(sysfs, options, progress)?;
    progress("writing the archive");
    pack(&tree, out).map_err(|source| GpuError::Write { path: "the capture".to_owned(), source })?;
    Ok(written)
}

/// The host as a tree, cleaned, as [`write`] packs it.
pub fn read(
    sysfs: &dyn Sysfs,
    options: &inventory::Options,
    progress: &mut dyn FnMut(&str),
) -> Result<(Tree, Written), GpuError> {
    let recorder = Recorder::new(sysfs);
    progress("reading the GPUs");
    let host = inventory(&recorder, options)?;
    progress("asking the doctor");
    for guest in [None, Some(doctor::Guest::Windows), Some(doctor::Guest::Linux)] {
        doctor::doctor(&recorder, &host, &doctor::Options { guest, ..doctor::Options::default() });
    }
    progress("planning modes");
    for gpu in &host.gpus {
        for mode in GpuMode::ALL {
            let profile = gpu.modes.vgpu.profiles.first().filter(|_| mode == GpuMode::Vgpu);
            let wish = Wish::new(gpu.address.clone(), mode);
            let wish = profile.map_or(wish.clone(), |profile| wish.profile(&profile.key));
            mode::plan(&recorder, &host, &wish).ok();
        }
    }
    progress("reading the PCI bus, modules and firmware");
    extra::read(&recorder, &host);
    for argv in COMMANDS {
        progress(&argv.join(" "));
        recorder.command(argv).ok();
    }
    let name = host.host.name.clone();
    let (mut tree, commands) = recorder.finish();
    clean::tree(&mut tree, &name);
    let manifest = Manifest {
        format: FORMAT,
        made_by: concat!("oriel ", env!("CARGO_PKG_VERSION")).to_owned(),
        kernel: host.host.kernel.clone(),
        gpus: host.gpus.iter().map(|gpu| gpu.address.to_string()).collect(),
    };
    let manifest = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| GpuError::Write { path: MANIFEST.to_owned(), source: error.into() })?;
    tree.file(MANIFEST, manifest);
    let written = Written { entries: tree.nodes().count(), gpus: host.gpus.len(), commands };
    Ok((tree, written))
}

/// A tree as an archive, the same bytes for the same tree: no times, no owners.
pub fn pack(tree: &Tree, out: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(out, Compression::new(6)));
    for (path, node) in tree.nodes() {
        let name = path.trim_start_matches('/');
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        match node {
            Node::File(content) => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(0o644);
                header.set_size(content.len() as u64);
                archive.append_data(&mut header, name, content.as_slice())?;
            }
            Node::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                archive.append_link(&mut header, name, target)?;
            }
            Node::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                archive.append_data(&mut header, name, io::empty())?;
            }
        }
    }
    archive.into_inner()?.finish()?.flush()
}
