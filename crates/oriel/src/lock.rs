//! One server per data folder: a lock that ends with its holder, however that ends.

use crate::failure::Failure;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{File, OpenOptions, Permissions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Held while the server runs.
pub struct DataFolder {
    pub path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder when it is not there, and takes its lock.
    pub fn take(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: &std::io::Error| {
            Failure::because(format!("cannot use the data folder {}", path.display()), error)
                .next("check that it may be written, or name another one with --data DIR")
        };
        if !path.exists() {
            std::fs::create_dir_all(path).map_err(|error| cannot(&error))?;
            // Others may pass through (QEMU runs as an account of its own) but not look around.
            std::fs::set_permissions(path, Permissions::from_mode(0o711)).map_err(|error| cannot(&error))?;
        }
        let path = path.canonicalize().map_err(|error| cannot(&error))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("oriel.pid"))
            .map_err(|error| cannot(&error))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            (&mut file).take(20).read_to_string(&mut pid).ok();
            let pid = pid.trim();
            return Err(Failure::new(format!("another oriel (pid {pid}) serves the data folder {}", path.display()))
                .next(format!("use that one, stop it (kill {pid}), or name another folder with --data DIR")));
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|error| cannot(&error))?;
        Ok(Self { path, _lock: file })
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Writes a file that only its owner may read, at once or not at all.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_told_about_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::take(folder.path()).unwrap();
        let refused = DataFolder::take(folder.path()).err().unwrap();
        assert!(refused.what.contains(&format!("pid {}", std::process::id())), "{}", refused.what);
        drop(first);
        DataFolder::take(folder.path()).unwrap();
    }
}
