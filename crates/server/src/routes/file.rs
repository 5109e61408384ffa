//! A desktop's files: what is there, and what can be done with it. Their bytes go through `download` and `upload`.

use crate::{
    Answer, App,
    api::{
        file::{FileEntry, FileList, FileMove, FilePlace, FolderNew},
        problem::Problem,
    },
    caller::{Caller, TheDesktop},
    extract::{Body, Query},
};
use axum::{Json, extract::State, http::StatusCode};
use oriel_gateway::Files;
use oriel_gateway::terminal::files::{FilesError, RemotePath};
use oriel_model::{Desktop, FilesPolicy, SessionPolicy};
use serde::Deserialize;
use std::sync::Arc;

/// Which file or folder.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FileQuery {
    /// Below the folder that may be seen, names separated by slashes; empty for that folder.
    #[serde(default)]
    #[param(required = false)]
    pub path: String,
    #[serde(default)]
    #[param(required = false)]
    pub place: FilePlace,
}

/// What somebody is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Needs one of the other two.
    Look,
    Upload,
    Download,
}

/// What people may do with files there.
async fn policy(app: &App, caller: &Caller, desktop: &Desktop) -> Answer<FilesPolicy> {
    Ok(files_policy(&app.broker.session_policy(caller.user.id, desktop.id).await?))
}

/// Whoever may only watch changes nothing through files either.
const fn files_policy(policy: &SessionPolicy) -> FilesPolicy {
    FilesPolicy { upload: policy.files.upload && !policy.view_only, download: policy.files.download }
}

fn allow(policy: FilesPolicy, deed: Deed) -> Answer<()> {
    let (allowed, what) = match deed {
        Deed::Look => (policy.upload || policy.download, "files are turned off for this desktop"),
        Deed::Upload => (policy.upload, "files on this desktop cannot be changed from here"),
        Deed::Download => (policy.download, "files of this desktop cannot be downloaded"),
    };
    if allowed {
        return Ok(());
    }
    let next_step = "ask an administrator to allow it in the settings of its pool, or of a group of yours";
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "files_not_allowed",
        format!("{what}: its pool, or a group of yours, says so"),
        next_step,
    ))
}

/// The desktop's files, when its pool allows what is asked of them.
pub(super) async fn open(
    app: &App,
    caller: &Caller,
    desktop: &Desktop,
    place: FilePlace,
    deed: Deed,
) -> Answer<Arc<Files>> {
    allow(policy(app, caller, desktop).await?, deed)?;
    // Whose files are open, there somebody is: it is not taken back meanwhile, and given to nobody else as it is.
    if desktop.owner.is_none() || desktop.facts.seat.is_some() {
        app.broker.enter(&caller.user, &caller.grants, desktop.id).await?;
    }
    Ok(match place {
        FilePlace::Machine => app.gateway.files(caller.user.id, desktop.id).await?,
        FilePlace::Drive => app.gateway.drive(caller.user.id, desktop.id)?,
    })
}

/// A path that names something below the root.
pub(super) fn named(text: &str) -> Answer<RemotePath> {
    let path = RemotePath::parse(text)?;
    if path.is_root() {
        return Err(Problem::bad_request("the request names no file", "add `path` to it"));
    }
    Ok(path)
}

/// The entries of a folder.
#[utoipa::path(get, path = "/desktops/{id}/files", tag = "files", operation_id = "list_files", params(("id" = String, Path), FileQuery), responses((status = 200, body = FileList)))]
pub async fn list(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<FileQuery>,
) -> Answer<Json<FileList>> {
    let path = RemotePath::parse(&query.path)?;
    let files = open(&app, &caller, &desktop, query.place, Deed::Look).await?;
    let policy = policy(&app, &caller, &desktop).await?;
    let listing = files.list(&path).await?;
    Ok(Json(FileList {
        path: path.as_str().to_owned(),
        root: files.root().to_owned(),
        files: listing.entries.into_iter().map(Into::into).collect(),
        cut: listing.cut,
        may_upload: policy.upload,
        may_download: policy.download,
    }))
}

/// What a path stands for; of a link, what it leads to.
#[utoipa::path(get, path = "/desktops/{id}/files/entry", tag = "files", operation_id = "show_file", params(("id" = String, Path), FileQuery), responses((status = 200, body = FileEntry)))]
pub async fn entry(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<FileQuery>,
) -> Answer<Json<FileEntry>> {
    let path = RemotePath::parse(&query.path)?;
    let files = open(&app, &caller, &desktop, query.place, Deed::Look).await?;
    Ok(Json(files.stat(&path).await?.into()))
}

/// Delete a file, a link or an empty folder.
#[utoipa::path(delete, path = "/desktops/{id}/files", tag = "files", operation_id = "delete_file", params(("id" = String, Path), FileQuery), responses((status = 204)))]
pub async fn delete(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Query(query): Query<FileQuery>,
) -> Answer<StatusCode> {
    let path = named(&query.path)?;
    open(&app, &caller, &desktop, query.place, Deed::Upload).await?.remove(&path).await?;
    tracing::info!(user = %caller.user.name, desktop = %desktop.name, path = ?path.as_str(), "File deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Rename or move a file or a folder.
#[utoipa::path(post, path = "/desktops/{id}/files/move", tag = "files", operation_id = "move_file", params(("id" = String, Path)), request_body = FileMove, responses((status = 204)))]
pub async fn rename(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Body(body): Body<FileMove>,
) -> Answer<StatusCode> {
    let (from, to) = (named(&body.from)?, named(&body.to)?);
    open(&app, &caller, &desktop, body.place, Deed::Upload).await?.rename(&from, &to, body.replace).await?;
    tracing::info!(user = %caller.user.name, desktop = %desktop.name, from = ?from.as_str(), to = ?to.as_str(), "File moved");
    Ok(StatusCode::NO_CONTENT)
}

/// Make a folder.
#[utoipa::path(post, path = "/desktops/{id}/files/folder", tag = "files", operation_id = "make_folder", params(("id" = String, Path)), request_body = FolderNew, responses((status = 201)))]
pub async fn folder(
    State(app): State<App>,
    TheDesktop(desktop): TheDesktop,
    caller: Caller,
    Body(body): Body<FolderNew>,
) -> Answer<StatusCode> {
    let path = named(&body.path)?;
    open(&app, &caller, &desktop, body.place, Deed::Upload).await?.make_folder(&path).await?;
    Ok(StatusCode::CREATED)
}

impl From<FilesError> for Problem {
    fn from(error: FilesError) -> Self {
        let (status, code) = match &error {
            FilesError::BadPath { .. } => (StatusCode::BAD_REQUEST, "bad_path"),
            FilesError::NotAFile { .. } => (StatusCode::BAD_REQUEST, "not_a_file"),
            FilesError::Missing => (StatusCode::NOT_FOUND, "no_such_file"),
            FilesError::Outside { .. } => (StatusCode::CONFLICT, "outside"),
            FilesError::Denied => (StatusCode::CONFLICT, "file_denied"),
            FilesError::Exists { .. } => (StatusCode::CONFLICT, "file_exists"),
            FilesError::Folder { .. } => (StatusCode::CONFLICT, "folder_exists"),
            FilesError::Gap { .. } => (StatusCode::CONFLICT, "upload_gap"),
            FilesError::Failed(_) => (StatusCode::CONFLICT, "file_failed"),
            FilesError::NotEmpty => (StatusCode::CONFLICT, "folder_not_empty"),
            FilesError::Full { .. } => (StatusCode::CONFLICT, "drive_full"),
            FilesError::Busy(_) => (StatusCode::TOO_MANY_REQUESTS, "files_busy"),
            FilesError::Connection(_) | FilesError::NotThere(_) => (StatusCode::BAD_GATEWAY, "files_unreachable"),
            FilesError::Shrunk | FilesError::Strange(_) | FilesError::Broken(_) => {
                (StatusCode::BAD_GATEWAY, "files_broken")
            }
        };
        let text = error.to_string();
        let (detail, next_step) = text.rsplit_once("; ").unwrap_or((&text, "try again in a moment"));
        Self::new(status, code, detail, next_step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_say_which_way_files_go() {
        let both = FilesPolicy::default();
        for (policy, look, up, down) in [
            (both, true, true, true),
            (FilesPolicy { upload: false, ..both }, true, false, true),
            (FilesPolicy { download: false, ..both }, true, true, false),
            (FilesPolicy { upload: false, download: false }, false, false, false),
        ] {
            for (deed, allowed) in [(Deed::Look, look), (Deed::Upload, up), (Deed::Download, down)] {
                let code = allow(policy, deed).err().map(|problem| problem.code);
                assert_eq!(code, (!allowed).then_some("files_not_allowed"), "{policy:?} {deed:?}");
            }
        }
        let watching = files_policy(&SessionPolicy { view_only: true, ..SessionPolicy::default() });
        assert_eq!(watching, FilesPolicy { upload: false, download: true });
    }
}
