//! What people may do on a connection, which Guacamole says of each connection and Oriel of a pool.

use crate::site::Connection;
use oriel_model::{ClipboardPolicy, FilesPolicy, SessionPolicy};

/// Parameters that become rules of the pool.
pub(crate) const NAMES: [&str; 6] =
    ["read-only", "disable-copy", "disable-paste", "enable-sftp", "sftp-disable-download", "sftp-disable-upload"];

/// What nobody turned on stays off, so that people can do no more than before.
pub(crate) fn rules(connection: &Connection) -> SessionPolicy {
    let on = |name: &str| connection.parameters.get(name).is_some_and(|value| value == "true");
    // Below a folder of their own is less than everywhere, which is what Oriel has.
    let root = connection.parameters.get("sftp-root-directory").map_or("", String::as_str);
    let files = on("enable-sftp") && matches!(root, "" | "/");
    SessionPolicy {
        view_only: on("read-only"),
        clipboard: ClipboardPolicy {
            to_machine: !on("disable-paste"),
            to_person: !on("disable-copy"),
            ..ClipboardPolicy::default()
        },
        files: FilesPolicy {
            upload: files && !on("sftp-disable-upload"),
            download: files && !on("sftp-disable-download"),
        },
        ..SessionPolicy::default()
    }
}
