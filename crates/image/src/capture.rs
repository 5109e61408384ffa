//! An image of a machine's disk: the clone and the image under it become one file, which then goes the way of imports.

use crate::file::{need_room, sha256};
use crate::format::Format;
use crate::inspect::{inspect, inspect_clone};
use crate::job::Span;
use crate::{ImageError, ImageStore, Job, import};
use std::path::Path;
use std::time::Duration;

/// Copying takes no longer than this.
const COPY_LIMIT: Duration = Duration::from_hours(12);

/// What a machine's disk came to.
#[derive(Clone, Debug)]
pub struct FlatDisk {
    /// SHA-256 of the qcow2 file that is kept.
    pub sha256: String,
    pub virtual_bytes: u64,
    pub file_bytes: u64,
}

pub(crate) async fn flatten(
    store: &ImageStore,
    disk: &Path,
    base: &Path,
    job: &dyn Job,
) -> Result<FlatDisk, ImageError> {
    job.progress(0.0, "looking at the disk");
    let base = std::path::absolute(base).map_err(|error| ImageError::io("find", base, error))?;
    let own = inspect_clone(disk, &base, job).await?;
    // What is under it may be there in full, too.
    let under = std::fs::metadata(&base).map_or(0, |file| file.len());
    need_room(store.images(), "the image", own.saturating_add(under), store.reserve_bytes)?;
    let span = Span { job, from: 0.02, to: 0.85, step: "copying the disk" };
    let copying = tokio::time::timeout(COPY_LIMIT, import::convert(disk, Format::Qcow2, store, span));
    let copy = copying.await.map_err(|_| ImageError::Command {
        what: "copying the disk".to_owned(),
        status: format!("not done within {} h", COPY_LIMIT.as_secs() / 3600),
        tail: "the host may be overloaded".to_owned(),
    })??;
    job.progress(0.85, "checking the image");
    let virtual_bytes = inspect(copy.path(), Format::Qcow2, "the copy of the disk", job).await?;
    let hash = sha256(copy.path(), Span { job, from: 0.9, to: 0.99, step: "hashing the image" }).await?;
    let path = store.path(&hash)?;
    let file_bytes =
        std::fs::metadata(copy.path()).map_err(|error| ImageError::io("look at", copy.path(), error))?.len();
    copy.keep_as(&path)?;
    job.progress(1.0, "done");
    Ok(FlatDisk { sha256: hash, virtual_bytes, file_bytes })
}
