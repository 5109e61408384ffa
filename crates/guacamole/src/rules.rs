//! What people may do on a connection, which Guacamole says of each connection and Oriel of a pool.

use crate::site::Connection;
use oriel_model::{ClipboardPolicy, FilesPolicy, SessionPolicy};

/// Parameters that become rules of the pool.
pub(crate) const NAMES: [&str; 8] = [
    "read-only",
    "disable-copy",
    "disable-paste",
    "enable-sftp",
    "sftp-disable-download",
    "sftp-disable-upload",
    "disable-download",
    "disable-upload",
];

/// What nobody turned on stays off, so that people can do no more than before.
pub(crate) fn rules(connection: &Connection) -> SessionPolicy {
    let on = |name: &str| connection.parameters.get(name).is_some_and(|value| value == "true");
    // Below a folder of their own is less than everywhere, which is what Oriel has.
    let root = connection.parameters.get("sftp-root-directory").map_or("", String::as_str);
    let files = on("enable-sftp") && matches!(root, "" | "/") || connection.protocol == "rdp" && on("enable-drive");
    let kept = |direction: &str| on(&format!("sftp-disable-{direction}")) || on(&format!("disable-{direction}"));
    SessionPolicy {
        view_only: on("read-only"),
        clipboard: ClipboardPolicy {
            to_machine: !on("disable-paste"),
            to_person: !on("disable-copy"),
            ..ClipboardPolicy::default()
        },
        files: FilesPolicy { upload: files && !kept("upload"), download: files && !kept("download") },
        ..SessionPolicy::default()
    }
}
