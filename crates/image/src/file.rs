//! Files on the way: hashed while nobody waits idly, put in place at once or not at all.

use crate::ImageError;
use crate::job::{Span, unless_cancelled};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt;

pub(crate) const CHUNK: usize = 1 << 20;
const MIB: u64 = 1 << 20;

/// SHA-256 of a file, lowercase hex.
pub(crate) async fn sha256(path: &Path, span: Span<'_>) -> Result<String, ImageError> {
    let io = |error| ImageError::io("read", path, error);
    let work = async {
        let mut file = tokio::fs::File::open(path).await.map_err(io)?;
        file.set_max_buf_size(CHUNK);
        let size = file.metadata().await.map_err(io)?.len().max(1);
        let mut hash = Sha256::new();
        let mut buffer = vec![0; CHUNK];
        let mut done = 0;
        loop {
            let read = file.read(&mut buffer).await.map_err(io)?;
            if read == 0 {
                return Ok(format!("{:x}", hash.finalize()));
            }
            hash.update(buffer.get(..read).unwrap_or_default());
            done += read as u64;
            span.at(done as f64 / size as f64);
        }
    };
    unless_cancelled(span.job, work).await
}

/// Bytes that an ordinary writer may still take on the file system of `path`.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, ImageError> {
    let stat = rustix::fs::statvfs(path).map_err(|error| ImageError::io("look at", path, error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Fails when fewer than `need` bytes are free beyond `reserve`.
pub(crate) fn need_room(path: &Path, what: &str, need: u64, reserve: u64) -> Result<(), ImageError> {
    let free = free_bytes(path)?;
    let need = need.saturating_add(reserve);
    if free >= need {
        return Ok(());
    }
    Err(ImageError::NoSpace {
        path: path.to_path_buf(),
        what: what.to_owned(),
        need_mib: need.div_ceil(MIB),
        free_mib: free / MIB,
    })
}

/// Puts `from` at `to` as well, without a second copy of the bytes where the file system can do that.
/// `to` appears whole or not at all.
pub(crate) async fn share(from: &Path, to: &Path, reserve: u64) -> Result<(), ImageError> {
    match std::fs::hard_link(from, to) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(_) => {}
    }
    let folder = to.parent().unwrap_or(to);
    let size = std::fs::metadata(from).map_err(|error| ImageError::io("look at", from, error))?.len();
    let part = Part::new(folder)?;
    let source = File::open(from).map_err(|error| ImageError::io("open", from, error))?;
    if rustix::fs::ioctl_ficlone(&part.file, &source).is_err() {
        need_room(folder, "copying the image", size, reserve)?;
        let mut target = tokio::fs::File::from_std(
            part.file.try_clone().map_err(|error| ImageError::io("open", part.path(), error))?,
        );
        let mut source = tokio::fs::File::from_std(source);
        source.set_max_buf_size(CHUNK);
        tokio::io::copy(&mut source, &mut target).await.map_err(|error| ImageError::io("write", part.path(), error))?;
        tokio::io::AsyncWriteExt::flush(&mut target)
            .await
            .map_err(|error| ImageError::io("write", part.path(), error))?;
    }
    part.keep_as(to)
}

/// A file on its way, which goes when it is not kept. It holds a lock, so that a sweep tells it from one that a crash left.
pub(crate) struct Part {
    path: PathBuf,
    pub file: File,
    kept: bool,
}

/// How the name of a file on its way ends.
pub(crate) const PART: &str = ".part";

impl Part {
    pub fn new(folder: &Path) -> Result<Self, ImageError> {
        let path = folder.join(format!("incoming-{}{PART}", uuid::Uuid::new_v4().simple()));
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| ImageError::io("create", &path, error))?;
        let part = Self { path, file, kept: false };
        // A file system without locks has no protection from a sweep that runs at this very time; no reason to refuse it.
        let _ = rustix::fs::flock(&part.file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        Ok(part)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it durable and read-only and gives it its name.
    pub fn keep_as(mut self, to: &Path) -> Result<(), ImageError> {
        seal(&self.path)?;
        std::fs::rename(&self.path, to).map_err(|error| ImageError::io("move an image to", to, error))?;
        self.kept = true;
        sync_folder(to)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Written to the disk, readable for the hypervisor, writable for nobody.
pub(crate) fn seal(path: &Path) -> Result<(), ImageError> {
    use std::os::unix::fs::PermissionsExt;
    let work = || -> std::io::Result<()> {
        File::open(path)?.sync_all()?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o444))
    };
    work().map_err(|error| ImageError::io("seal", path, error))
}

pub(crate) fn sync_folder(path: &Path) -> Result<(), ImageError> {
    let folder = path.parent().unwrap_or(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| ImageError::io("sync", folder, error))
}

/// Is somebody holding the lock of this file?
pub(crate) fn in_use(path: &Path) -> bool {
    File::open(path)
        .is_ok_and(|file| rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err())
}
