//! What people may do on a connection, which Guacamole says of each connection and Oriel of a pool.

use crate::site::Connection;
use oriel_model::{ClipboardPolicy, FilesPolicy, SessionPolicy};

/// Parameters that become rules of the pool.
pub(crate) const NAMES: [&str; 11] = [
    "read-only",
    "disable-copy",
    "disable-paste",
    "enable-audio-input",
    "enable-drive",
    "enable-printing",
    "disable-download",
    "disable-upload",
    "enable-sftp",
    "sftp-disable-download",
    "sftp-disable-upload",
];

/// What nobody turned on stays off, so that people can do no more than before.
pub(crate) fn rules(connection: &Connection) -> SessionPolicy {
    let on = |name: &str| connection.parameters.get(name).is_some_and(|value| value == "true");
    // (files are there, none from the person, none from the machine)
    let (files, no_upload, no_download) = match connection.protocol.as_str() {
        // Files beside the session by SFTP are not its drive's: they may be of another machine, as somebody else.
        "rdp" => (on("enable-drive"), "disable-upload", "disable-download"),
        // A folder that cannot be kept to would be everywhere.
        "ssh" => {
            let root = connection.parameters.get("sftp-root-directory").map_or("", String::as_str);
            (on("enable-sftp") && !root.contains("${"), "sftp-disable-upload", "sftp-disable-download")
        }
        // The others have none here. Should they once: that people had those of some machine by SFTP says nothing of them.
        _ => (false, "", ""),
    };
    SessionPolicy {
        view_only: on("read-only"),
        microphone: connection.protocol == "rdp" && on("enable-audio-input"),
        clipboard: ClipboardPolicy {
            to_machine: !on("disable-paste"),
            to_person: !on("disable-copy"),
            ..ClipboardPolicy::default()
        },
        files: FilesPolicy { upload: files && !on(no_upload), download: files && !on(no_download) },
        printing: on("enable-printing"),
        ..SessionPolicy::default()
    }
}
