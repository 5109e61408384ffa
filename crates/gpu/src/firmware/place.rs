//! Where the kernel looks for firmware (`Documentation/driver-api/firmware/fw_search_path.rst`).

use crate::Sysfs;

/// Endings that the kernel tries, in its order (`drivers/base/firmware_loader/main.c`: plain, then zstd, then xz).
const ENDINGS: [&str; 3] = ["", ".zst", ".xz"];

/// The folders, first wins: `firmware_class.path`, then updates before what came with the kernel before the common one.
pub fn folders(sysfs: &dyn Sysfs, kernel: &str) -> Vec<String> {
    let own = sysfs
        .text("/sys/module/firmware_class/parameters/path")
        .filter(|path| path.starts_with('/'))
        .map(|path| path.trim_end_matches('/').to_owned());
    own.into_iter()
        .chain([
            format!("/lib/firmware/updates/{kernel}"),
            "/lib/firmware/updates".to_owned(),
            format!("/lib/firmware/{kernel}"),
            "/lib/firmware".to_owned(),
        ])
        .collect()
}

/// The file's path as the kernel would open it, with `.zst` or `.xz` where it is compressed.
pub fn find(sysfs: &dyn Sysfs, folders: &[String], name: &str) -> Option<String> {
    // A name comes from a module or a capture: it stays below the folder.
    if name.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return None;
    }
    ENDINGS
        .iter()
        .flat_map(|ending| folders.iter().map(move |folder| format!("{folder}/{name}{ending}")))
        .find(|path| sysfs.exists(path))
}
