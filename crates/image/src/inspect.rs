//! What QEMU says about an image, asked for with a named format and under limits of memory and time, since the image is
//! somebody else's.

use crate::command::Command;
use crate::format::Format;
use crate::{ImageError, Job};
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

/// The smallest disk that is taken, in bytes.
pub const VIRTUAL_BYTES_MIN: u64 = 1 << 20;
/// The largest disk that is taken, in bytes.
pub const VIRTUAL_BYTES_MAX: u64 = 8 << 40;
/// Address space of one `qemu-img` that looks at an image, in bytes.
const MEMORY_MAX: u64 = 2 << 30;
const INFO_LIMIT: Duration = Duration::from_mins(1);
const CHECK_LIMIT: Duration = Duration::from_mins(30);

pub(crate) const QEMU_PACKAGE: &str = "qemu-utils";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Info {
    virtual_size: u64,
    actual_size: Option<u64>,
    format: String,
    #[serde(default)]
    encrypted: bool,
    backing_filename: Option<serde_json::Value>,
    full_backing_filename: Option<serde_json::Value>,
    format_specific: Option<FormatSpecific>,
}

#[derive(Deserialize)]
struct FormatSpecific {
    #[serde(default)]
    data: serde_json::Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Check {
    #[serde(rename = "check-errors")]
    errors: u64,
    corruptions: u64,
    leaks: u64,
}

/// Checks an image whose first bytes were found good and answers its virtual size in bytes. `from` names it in errors.
pub(crate) async fn inspect(path: &Path, format: Format, from: &str, job: &dyn Job) -> Result<u64, ImageError> {
    let refused = |reason: String| ImageError::Refused { from: from.to_owned(), reason };
    let (answer, status, words) = qemu_img(&["info", "--output=json"], format, path).answer(job, INFO_LIMIT).await?;
    if !status.success() {
        return Err(refused(format!("qemu-img cannot read it as {format}: {}", plain(&words, path))));
    }
    let info: Info = serde_json::from_slice(&answer)
        .map_err(|error| refused(format!("qemu-img's answer about it is not understood: {error}")))?;
    if info.format != format.qemu() {
        return Err(refused(format!("it looked like {format}, but qemu-img calls it {}", info.format)));
    }
    if info.backing_filename.is_some() || info.full_backing_filename.is_some() {
        return Err(refused("it has a backing file".to_owned()));
    }
    if info.encrypted {
        return Err(refused("it is encrypted".to_owned()));
    }
    let data = info.format_specific.map(|specific| specific.data).unwrap_or_default();
    let extents = data.get("extents").and_then(|extents| extents.as_array()).map_or(0, Vec::len);
    if data.get("data-file").is_some() || extents > 1 {
        return Err(refused("its data lies in other files".to_owned()));
    }
    if !(VIRTUAL_BYTES_MIN..=VIRTUAL_BYTES_MAX).contains(&info.virtual_size) {
        return Err(refused(format!(
            "its disk has {} bytes; from 1 MiB to {} TiB are taken",
            info.virtual_size,
            VIRTUAL_BYTES_MAX >> 40
        )));
    }
    if matches!(format, Format::Qcow2 | Format::Vmdk | Format::Vdi | Format::Vhdx) {
        check(path, format, from, job).await?;
    }
    Ok(info.virtual_size)
}

/// As [`inspect`], of a machine's disk, which stands on `base` or on nothing. Answers the bytes that it takes.
pub(crate) async fn inspect_clone(path: &Path, base: &Path, job: &dyn Job) -> Result<u64, ImageError> {
    let from = "the machine's disk";
    let refused = |reason: String| ImageError::Refused { from: from.to_owned(), reason };
    let (answer, status, words) =
        qemu_img(&["info", "--output=json"], Format::Qcow2, path).answer(job, INFO_LIMIT).await?;
    if !status.success() {
        return Err(refused(format!("qemu-img cannot read it: {}", plain(&words, path))));
    }
    let info: Info = serde_json::from_slice(&answer)
        .map_err(|error| refused(format!("qemu-img's answer about it is not understood: {error}")))?;
    let under = info.full_backing_filename.or(info.backing_filename);
    let is_other = |under: serde_json::Value| under.as_str().is_none_or(|under| Path::new(under) != base);
    if under.is_some_and(is_other) {
        return Err(refused("it stands on another file than its image".to_owned()));
    }
    if info.encrypted {
        return Err(refused("it is encrypted".to_owned()));
    }
    if info.format_specific.is_some_and(|specific| specific.data.get("data-file").is_some()) {
        return Err(refused("its data lies in other files".to_owned()));
    }
    if !(VIRTUAL_BYTES_MIN..=VIRTUAL_BYTES_MAX).contains(&info.virtual_size) {
        return Err(refused(format!(
            "it has {} bytes, and at most {} TiB are taken",
            info.virtual_size,
            VIRTUAL_BYTES_MAX >> 40
        )));
    }
    Ok(info.actual_size.unwrap_or(0))
}

async fn check(path: &Path, format: Format, from: &str, job: &dyn Job) -> Result<(), ImageError> {
    let refused = |reason: String| ImageError::Refused { from: from.to_owned(), reason };
    let (answer, status, words) = qemu_img(&["check", "--output=json"], format, path).answer(job, CHECK_LIMIT).await?;
    // 63: this format has no check. 3: leaked clusters, which waste room and harm nothing.
    match status.code() {
        Some(0 | 3 | 63) => {}
        _ if answer.is_empty() => return Err(refused(format!("qemu-img check failed: {}", plain(&words, path)))),
        _ => {}
    }
    let check: Check = serde_json::from_slice(&answer).unwrap_or_default();
    if check.corruptions > 0 || check.errors > 0 {
        return Err(refused(format!(
            "it is damaged ({} corruptions, {} errors); get it again, or repair it with `qemu-img check -r all`",
            check.corruptions, check.errors
        )));
    }
    if check.leaks > 0 {
        job.log(&format!("{} leaked clusters: wasted room, no damage", check.leaks));
    }
    Ok(())
}

fn qemu_img(args: &[&str], format: Format, path: &Path) -> Command {
    Command::new("looking at the image", "qemu-img", QEMU_PACKAGE)
        .args(args)
        .args(["-f", format.qemu()])
        .arg(path)
        .under("prlimit", [format!("--as={MEMORY_MAX}"), "--core=0".to_owned()])
}

/// QEMU's words without our temporary file's name.
fn plain(words: &str, path: &Path) -> String {
    words.replace(&*path.to_string_lossy(), "it").chars().take(400).collect()
}
