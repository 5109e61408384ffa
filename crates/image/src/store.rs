//! The images folder: one file an image, named by the SHA-256 of its content, read-only once it is there.

use crate::file::{PART, in_use};
use crate::{FlatDisk, ImageError, Job, build, capture, import, recipe};
use oriel_model::ImageOs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Room that stays free on the disk, in bytes: desktops run from it.
const RESERVE_BYTES: u64 = 512 << 20;
/// A sweep leaves younger files alone: their image may not be written down yet.
const SWEEP_AGE: Duration = Duration::from_mins(15);
/// The most files that one sweep looks at.
const SWEEP_FILES_MAX: usize = 10_000;

/// What a build made.
#[derive(Clone, Debug)]
pub struct Built {
    pub sha256: String,
    pub path: PathBuf,
    pub virtual_bytes: u64,
    pub file_bytes: u64,
    pub os: ImageOs,
    pub recipe: String,
    /// Hash over the recipe and the build's options.
    pub inputs: String,
    /// `name version` of every package in it.
    pub packages: Vec<String>,
}

/// Golden disks below one folder, with a cache of built ones that outlives it.
pub struct ImageStore {
    images: PathBuf,
    cache: PathBuf,
    pub(crate) reserve_bytes: u64,
    pub(crate) import_bytes_max: u64,
    sweep_age: Duration,
}

impl ImageStore {
    /// `images_dir` belongs to one data folder, `cache_dir` to the user (`~/.cache/oriel/images`). Both are made when they
    /// are first needed.
    pub fn new(images_dir: impl Into<PathBuf>, cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            images: images_dir.into(),
            cache: cache_dir.into(),
            reserve_bytes: RESERVE_BYTES,
            import_bytes_max: import::IMPORT_BYTES_MAX,
            sweep_age: SWEEP_AGE,
        }
    }

    /// Other limits, for tests and small machines: bytes that stay free, bytes of one import, age of what a sweep removes.
    #[must_use]
    pub fn with_limits(mut self, reserve_bytes: u64, import_bytes_max: u64, sweep_age: Duration) -> Self {
        self.reserve_bytes = reserve_bytes;
        self.import_bytes_max = import_bytes_max;
        self.sweep_age = sweep_age;
        self
    }

    pub(crate) fn images(&self) -> &Path {
        &self.images
    }

    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Where the image of that hash is kept, whether it is there or not. Anything but 64 lowercase hexadecimal digits is
    /// refused, so no name leads out of the folder.
    pub fn path(&self, sha256: &str) -> Result<PathBuf, ImageError> {
        if sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(self.images.join(format!("{sha256}.qcow2")));
        }
        Err(ImageError::BadHash { given: sha256.chars().take(80).collect() })
    }

    /// Is the image's file there?
    pub fn has(&self, sha256: &str) -> bool {
        self.path(sha256).is_ok_and(|path| path.is_file())
    }

    /// Builds the recipe of that name, or takes it from the cache when the same inputs were built in the last month.
    ///
    /// Steps that are done stay in the cache folder: after a cancel, a crash or an error the next build goes on from there.
    pub async fn build(&self, name: &str, job: &dyn Job) -> Result<Built, ImageError> {
        let recipe = recipe::recipe(name)?;
        self.prepare()?;
        build::build(self, &recipe, job).await
    }

    /// Brings in an image from an absolute path on this host or from a URL (http only with a checksum).
    ///
    /// `sha256` is the checksum of what `from` gives, before any conversion.
    pub async fn import(
        &self,
        from: &str,
        sha256: Option<&str>,
        os: ImageOs,
        job: &dyn Job,
    ) -> Result<import::Imported, ImageError> {
        self.prepare()?;
        import::import(self, from, sha256, os, job).await
    }

    /// Makes an image of a machine's disk, which nobody writes to: all that is on it and on `base`, the image that it is a clone of, in one file.
    pub async fn flatten(&self, disk: &Path, base: &Path, job: &dyn Job) -> Result<FlatDisk, ImageError> {
        self.prepare()?;
        capture::flatten(self, disk, base, job).await
    }

    /// Removes an image's file. One that is not there is no error.
    pub fn remove(&self, sha256: &str) -> Result<(), ImageError> {
        let path = self.path(sha256)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ImageError::io("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// Removes what a crash left: files that were on their way, and images that nobody knows. Answers the removed names.
    /// Files of other names are left alone, and so is all that is in use or younger than a quarter of an hour.
    pub fn sweep(&self, known: &[String]) -> Result<Vec<String>, ImageError> {
        let entries = match std::fs::read_dir(&self.images) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ImageError::io("read", &self.images, error)),
        };
        let mut removed = Vec::new();
        for entry in entries.flatten().take(SWEEP_FILES_MAX) {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = entry.path();
            let left_over = name.starts_with("incoming-") && name.ends_with(PART) && !in_use(&path);
            let unknown = name
                .strip_suffix(".qcow2")
                .is_some_and(|hash| self.path(hash).is_ok() && !known.iter().any(|k| k == hash))
                && self.old(&path);
            if left_over || unknown {
                match std::fs::remove_file(&path) {
                    Ok(()) => removed.push(name),
                    Err(error) => return Err(ImageError::io("remove", &path, error)),
                }
            }
        }
        Ok(removed)
    }

    /// Judged by the time of the last change of the entry itself, since a link from the cache keeps the content's time.
    fn old(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Ok(meta) = std::fs::symlink_metadata(path) else { return false };
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(meta.ctime()).unwrap_or(0));
        changed.elapsed().is_ok_and(|age| age >= self.sweep_age)
    }

    fn prepare(&self) -> Result<(), ImageError> {
        std::fs::create_dir_all(&self.images).map_err(|error| ImageError::io("create", &self.images, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        let store = ImageStore::new("/images", "/cache");
        let good = "a".repeat(64);
        assert_eq!(store.path(&good).unwrap(), Path::new("/images").join(format!("{good}.qcow2")));
        let tricks = [
            "",
            "..",
            "../../etc/shadow",
            "/etc/shadow",
            &"A".repeat(64),
            &"a".repeat(63),
            &"a".repeat(65),
            &format!("{}/..", "a".repeat(61)),
            &format!("{}\0", "a".repeat(63)),
        ];
        for trick in tricks {
            assert!(store.path(trick).is_err(), "{trick:?}");
            assert!(store.remove(trick).is_err(), "{trick:?}");
            assert!(!store.has(trick));
        }
    }

    #[test]
    fn a_sweep_takes_leftovers_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::new(dir.path(), dir.path().join("cache")).with_limits(0, u64::MAX, Duration::ZERO);
        let (known, unknown) = ("a".repeat(64), "b".repeat(64));
        let busy = crate::file::Part::new(dir.path()).unwrap();
        for name in [
            &format!("{known}.qcow2"),
            &format!("{unknown}.qcow2"),
            "incoming-1.part",
            "notes.txt",
            "incoming-2.txt",
            "x.qcow2",
        ] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let mut removed = store.sweep(std::slice::from_ref(&known)).unwrap();
        removed.sort();
        assert_eq!(removed, [format!("{unknown}.qcow2"), "incoming-1.part".to_owned()]);
        assert!(busy.path().exists() && store.has(&known));
        // Young ones stay: their row may be written a moment later.
        std::fs::write(dir.path().join(format!("{unknown}.qcow2")), "x").unwrap();
        let patient = ImageStore::new(dir.path(), dir.path().join("cache"));
        assert!(patient.sweep(&[]).unwrap().is_empty());
    }
}
