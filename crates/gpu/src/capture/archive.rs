//! A capture is opened: a folder or an archive that anybody may have made. Everything in it is bounded, and nothing leads out of it.

use super::{FORMAT, MANIFEST, Manifest};
use crate::{
    GpuError, Sysfs,
    sysfs::{FILE_MAX, Folder, Node, Tree},
};
use flate2::read::MultiGzDecoder;
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// Most bytes that an archive may unpack to.
pub const UNPACKED_MAX: u64 = 256 << 20;
/// Most entries of an archive.
pub const ENTRIES_MAX: usize = 400_000;
/// Longest path and longest link target, in bytes. The kernel's own are far shorter.
const PATH_MAX: usize = 1024;
/// Most folders on a path.
const DEPTH_MAX: usize = 32;

/// Opens a capture: an archive, or a folder with a host's files below it. `/` is this host.
pub fn open(path: &Path) -> Result<Box<dyn Sysfs>, GpuError> {
    let read = |source| GpuError::Read { path: path.display().to_string(), source };
    if std::fs::metadata(path).map_err(read)?.is_dir() {
        let folder = Folder::new(path);
        looks_like_a_host(&folder, path)?;
        return Ok(Box::new(folder));
    }
    let file = File::open(path).map_err(read)?;
    Ok(Box::new(from_reader(BufReader::new(file), path)?))
}

/// The same from memory.
pub fn open_bytes(bytes: &[u8]) -> Result<Tree, GpuError> {
    from_reader(bytes, Path::new("the capture"))
}

fn no_capture(path: &Path, reason: impl Into<String>) -> GpuError {
    GpuError::NoCapture { path: path.display().to_string(), reason: reason.into() }
}

fn from_reader(mut reader: impl Read, path: &Path) -> Result<Tree, GpuError> {
    let mut start = [0; 2];
    let got = read_up_to(&mut reader, &mut start)
        .map_err(|source| GpuError::Read { path: path.display().to_string(), source })?;
    let whole = start.get(..got).unwrap_or_default().chain(reader);
    let tree = if start == [0x1f, 0x8b] { unpack(MultiGzDecoder::new(whole)) } else { unpack(whole) };
    let tree = tree.map_err(|reason| no_capture(path, reason))?;
    looks_like_a_host(&tree, path)?;
    Ok(tree)
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest)? {
            0 => break,
            count => got += count,
        }
    }
    Ok(got)
}

/// A manifest of a format that this version knows, or at least the kernel's files.
fn looks_like_a_host(sysfs: &dyn Sysfs, path: &Path) -> Result<(), GpuError> {
    match sysfs.read(MANIFEST) {
        Ok(bytes) => {
            let manifest: Manifest = serde_json::from_slice(&bytes)
                .map_err(|error| no_capture(path, format!("its manifest is broken ({error})")))?;
            if manifest.format > FORMAT {
                let reason = format!(
                    "its format {} is newer than {FORMAT}, the newest that this version knows ({})",
                    manifest.format,
                    manifest.made_by.chars().take(64).collect::<String>()
                );
                return Err(no_capture(path, reason));
            }
            Ok(())
        }
        Err(_) if sysfs.exists("/sys") => Ok(()),
        Err(_) => Err(no_capture(path, "it has neither a manifest nor a folder sys")),
    }
}

fn unpack(reader: impl Read) -> Result<Tree, String> {
    let mut tree = Tree::new();
    let mut archive = tar::Archive::new(reader.take(UNPACKED_MAX));
    let mut room = UNPACKED_MAX;
    let entries = archive.entries().map_err(|_| "it is no archive".to_owned())?;
    for (index, entry) in entries.enumerate() {
        if index >= ENTRIES_MAX {
            return Err(format!("it has more than {ENTRIES_MAX} entries"));
        }
        // The library's words quote what it read: any file may be named by mistake, and none shall be printed.
        let mut entry =
            entry.map_err(|_| if index == 0 { "it is no archive" } else { "it ends too early" }.to_owned())?;
        let Some(path) = place(&entry.path_bytes()) else { continue };
        let kind = entry.header().entry_type();
        let node = if kind.is_dir() {
            Node::Folder
        } else if kind.is_symlink() {
            let Some(target) = entry.link_name_bytes().filter(|target| target.len() <= PATH_MAX) else { continue };
            Node::Link(String::from_utf8_lossy(&target).into_owned())
        } else if kind.is_file() {
            // Sparse files claim more than they bring: what is counted is what comes.
            let mut content = Vec::new();
            (&mut entry).take(FILE_MAX as u64).read_to_end(&mut content).map_err(|_| "it ends too early".to_owned())?;
            room = room
                .checked_sub(content.len() as u64)
                .ok_or_else(|| format!("it unpacks to more than {} MiB", UNPACKED_MAX >> 20))?;
            Node::File(content)
        } else {
            // Devices, pipes and hard links are no part of a capture.
            continue;
        };
        tree.put(&path, node);
    }
    Ok(tree)
}

/// An entry's path below the root; `None` for one that would lead out of it, or is absurd.
fn place(bytes: &[u8]) -> Option<String> {
    if bytes.len() > PATH_MAX {
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() || parts.len() > DEPTH_MAX || parts.contains(&"..") {
        return None;
    }
    Some(format!("/{}", parts.join("/")))
}
