//! A desktop's files.

use oriel_gateway::terminal::files::{self, EntryKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    File,
    Folder,
    Link,
    /// Devices, pipes, sockets.
    Other,
}

/// One entry of a folder. The name comes from the machine: show it as text, never as markup.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FileEntry {
    pub name: String,
    pub kind: FileKind,
    /// In bytes.
    pub size: u64,
    #[schema(required)]
    pub modified_at: Option<String>,
}

/// A folder.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FileList {
    /// Below the folder that may be seen; empty for that folder itself.
    pub path: String,
    /// What the machine calls the folder that may be seen.
    pub root: String,
    /// By name.
    pub files: Vec<FileEntry>,
    /// There are more than are listed.
    pub cut: bool,
    /// The pool lets people change files here: upload, make folders, rename and delete.
    pub may_upload: bool,
    /// The pool lets people read files here.
    pub may_download: bool,
}

/// Whose files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FilePlace {
    /// Those of a machine with SSH, as its account sees them.
    #[default]
    Machine,
    /// What lies on the drive of one's own open RDP session with the desktop. It is gone when the session ends.
    Drive,
}

/// How far an upload is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FileUpload {
    /// Bytes that have arrived: where it goes on.
    pub offset: u64,
    /// The file is whole and in its place.
    pub complete: bool,
}

/// A new folder.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderNew {
    pub path: String,
    #[serde(default)]
    pub place: FilePlace,
}

/// A new name or place.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileMove {
    pub from: String,
    pub to: String,
    /// Put it in the place of a file that is there.
    #[serde(default)]
    pub replace: bool,
    #[serde(default)]
    pub place: FilePlace,
}

impl From<files::Entry> for FileEntry {
    fn from(entry: files::Entry) -> Self {
        let kind = match entry.kind {
            EntryKind::File => FileKind::File,
            EntryKind::Folder => FileKind::Folder,
            EntryKind::Link => FileKind::Link,
            EntryKind::Other => FileKind::Other,
        };
        let modified_at = entry.modified.and_then(|seconds| jiff::Timestamp::from_second(seconds.into()).ok());
        Self { name: entry.name, kind, size: entry.size, modified_at: modified_at.map(|time| time.to_string()) }
    }
}
