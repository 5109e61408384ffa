//! Built images in the user's cache folder, found by the hash of what went into them.
//!
//! ```text
//! {cache}/{inputs}.qcow2   {cache}/{inputs}.json     a built image and what it is
//! {cache}/work/{inputs}/                             steps of a build that is not done
//! {cache}/work/{inputs}.lock                         held while somebody builds these inputs
//! ```

use crate::file::{seal, sha256, share};
use crate::job::Span;
use crate::{Built, ImageError, ImageStore, Job, Recipe};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// After this a cached image is built anew, for the mirrors have newer packages by then.
const AGE_MAX: Duration = Duration::from_hours(30 * 24);
/// How often a build that waits for another one looks again.
const LOCK_POLL: Duration = Duration::from_millis(250);
const MANIFEST_BYTES_MAX: u64 = 4 << 20;

/// What is recorded about a built image: enough to make it again.
#[derive(Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub recipe: String,
    pub inputs: String,
    pub sha256: String,
    pub virtual_bytes: u64,
    pub suite: String,
    pub source_date_epoch: u64,
    /// The lines of apt's sources that were used; empty for the build tool's own.
    pub sources: Vec<String>,
    /// `name version`.
    pub packages: Vec<String>,
}

pub(crate) struct Cache<'a> {
    folder: &'a Path,
    inputs: &'a str,
}

impl<'a> Cache<'a> {
    pub fn new(folder: &'a Path, inputs: &'a str) -> Self {
        Self { folder, inputs }
    }

    fn image(&self) -> PathBuf {
        self.folder.join(format!("{}.qcow2", self.inputs))
    }

    fn manifest(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.inputs))
    }

    /// The folder of this build's steps.
    pub fn work(&self) -> PathBuf {
        self.folder.join("work").join(self.inputs)
    }

    /// Waits until nobody else builds the same.
    pub async fn lock(&self, job: &dyn Job) -> Result<File, ImageError> {
        let folder = self.folder.join("work");
        std::fs::create_dir_all(&folder).map_err(|error| ImageError::io("create", &folder, error))?;
        let path = folder.join(format!("{}.lock", self.inputs));
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| ImageError::io("open", &path, error))?;
        let mut said = false;
        while let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(ImageError::io("lock", &path, error.into()));
            }
            if !said {
                job.progress(0.0, "waiting for another build of the same image");
                said = true;
            }
            tokio::select! {
                biased;
                () = job.cancelled() => return Err(ImageError::Cancelled),
                () = tokio::time::sleep(LOCK_POLL) => {}
            }
        }
        Ok(file)
    }

    /// Takes the image from the cache into the store if it is there, whole and not too old.
    pub async fn take(&self, store: &ImageStore, recipe: &Recipe, job: &dyn Job) -> Result<Option<Built>, ImageError> {
        let (image, path) = (self.image(), self.manifest());
        let fresh = std::fs::metadata(&path)
            .ok()
            .filter(|meta| meta.len() <= MANIFEST_BYTES_MAX)
            .and_then(|meta| meta.modified().ok())
            .is_some_and(|built| built.elapsed().is_ok_and(|age| age < AGE_MAX));
        let manifest = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
        let Some(manifest) = manifest.filter(|manifest| fresh && manifest.inputs == self.inputs && image.is_file())
        else {
            return Ok(None);
        };
        let hash = sha256(&image, Span { job, from: 0.05, to: 0.9, step: "checking the cached image" }).await?;
        if hash != manifest.sha256 {
            job.log("the cached image is damaged: building it anew");
            let _ = std::fs::remove_file(&image);
            return Ok(None);
        }
        job.log(&format!("taken from the cache: {}", image.display()));
        let target = store.path(&hash)?;
        share(&image, &target, store.reserve_bytes).await?;
        let file_bytes = std::fs::metadata(&target).map_err(|error| ImageError::io("look at", &target, error))?.len();
        job.progress(1.0, "done");
        Ok(Some(Built {
            sha256: hash,
            path: target,
            virtual_bytes: manifest.virtual_bytes,
            file_bytes,
            os: recipe.os,
            recipe: manifest.recipe,
            inputs: manifest.inputs,
            packages: manifest.packages,
        }))
    }

    /// Keeps a finished image. The manifest comes last: with it, the image counts.
    pub fn keep(&self, finished: &Path, manifest: &Manifest) -> Result<(), ImageError> {
        let (image, path) = (self.image(), self.manifest());
        let _ = std::fs::remove_file(&path);
        seal(finished)?;
        std::fs::rename(finished, &image).map_err(|error| ImageError::io("move an image to", &image, error))?;
        let text = serde_json::to_vec_pretty(manifest).unwrap_or_default();
        let part = path.with_extension("json.part");
        std::fs::write(&part, text).map_err(|error| ImageError::io("write", &part, error))?;
        std::fs::rename(&part, &path).map_err(|error| ImageError::io("write", &path, error))?;
        crate::file::sync_folder(&path)
    }

    /// The image of this recipe with other inputs is not wanted any more.
    pub fn drop_older(&self, recipe: &str, job: &dyn Job) {
        let Ok(entries) = std::fs::read_dir(self.folder) else { return };
        for path in
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "json"))
        {
            let Some(manifest) =
                std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok())
            else {
                continue;
            };
            if manifest.recipe == recipe && manifest.inputs != self.inputs {
                let _ = std::fs::remove_file(path.with_extension("qcow2"));
                let _ = std::fs::remove_file(&path);
                job.log(&format!(
                    "dropped the older build {} from the cache",
                    manifest.inputs.get(..12).unwrap_or_default()
                ));
            }
        }
    }
}
