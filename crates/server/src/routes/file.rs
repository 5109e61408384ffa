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
use oriel_gateway::terminal::files::{FilesError, RemotePath};
use oriel_gateway::{Files, PRINT_FOLDER};
use oriel_model::{Desktop, SessionPolicy};
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
    /// Of what was printed.
    DownloadPrint,
}

impl Deed {
    /// What reading a file is.
    pub(super) fn reading(place: FilePlace, path: &RemotePath) -> Self {
        let print = place == FilePlace::Drive
            && path
                .as_str()
                .split_once('/')
                .is_some_and(|(folder, name)| folder == PRINT_FOLDER && !name.contains('/'));
        if print { Self::DownloadPrint } else { Self::Download }
    }
}

/// What people may do with files there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allowed {
    upload: bool,
    download: bool,
    print: bool,
}

impl Allowed {
    /// Whoever may only watch changes nothing through files either.
    const fn by(policy: &SessionPolicy) -> Self {
        Self {
            upload: policy.files.upload && !policy.view_only,
            download: policy.files.download,
            print: policy.printing,
        }
    }
}

async fn allowed(app: &App, caller: &Caller, desktop: &Desktop) -> Answer<Allowed> {
    Ok(Allowed::by(&app.broker.session_policy(caller.user.id, desktop.id).await?))
}

fn allow(policy: Allowed, deed: Deed) -> Answer<()> {
    let (allowed, what) = match deed {
        Deed::Look => (policy.upload || policy.download, "files are turned off for this desktop"),
        Deed::Upload => (policy.upload, "files on this desktop cannot be changed from here"),
        Deed::Download => (policy.download, "files of this desktop cannot be downloaded"),
        Deed::DownloadPrint => (policy.download || policy.print, "printing is turned off for this desktop"),
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

/// Takes the caller in, when the desktop's pool allows what is asked of its files.
pub(super) async fn enter(app: &App, caller: &Caller, desktop: &Desktop, deed: Deed) -> Answer<()> {
    allow(allowed(app, caller, desktop).await?, deed)?;
    // Whose files are open, there somebody is: it is not taken back meanwhile, and given to nobody else as it is.
    if desktop.owner.is_none() || desktop.facts.seat.is_some() {
        app.broker.enter(&caller.user, &caller.grants, desktop.id).await?;
    }
    Ok(())
}

/// The desktop's files, when its pool allows what is asked of them.
pub(super) async fn open(
    app: &App,
    caller: &Caller,
    desktop: &Desktop,
    place: FilePlace,
    deed: Deed,
) -> Answer<Arc<Files>> {
    enter(app, caller, desktop, deed).await?;
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
    let policy = allowed(&app, &caller, &desktop).await?;
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
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn pools_say_which_way_files_go() {
        for (policy, look, up, down, print) in [
            ("default", true, true, true, true),
            ("files=download", true, false, true, true),
            ("files=upload", true, true, false, true),
            ("files=off", false, false, false, true),
            ("printing=off", true, true, true, true),
            ("files=upload,printing=off", true, true, false, false),
            ("view_only", true, false, true, true),
        ] {
            let policy = Allowed::by(&policy.parse().unwrap());
            let deeds = [(Deed::Look, look), (Deed::Upload, up), (Deed::Download, down), (Deed::DownloadPrint, print)];
            for (deed, allowed) in deeds {
                let code = allow(policy, deed).err().map(|problem| problem.code);
                assert_eq!(code, (!allowed).then_some("files_not_allowed"), "{policy:?} {deed:?}");
            }
        }
        for (place, path, deed) in [
            (FilePlace::Drive, "Print/a.pdf", Deed::DownloadPrint),
            (FilePlace::Drive, "Print/in/a.pdf", Deed::Download),
            (FilePlace::Drive, "Print", Deed::Download),
            (FilePlace::Drive, "a.pdf", Deed::Download),
            (FilePlace::Machine, "Print/a.pdf", Deed::Download),
        ] {
            assert_eq!(Deed::reading(place, &RemotePath::parse(path).unwrap()), deed, "{path}");
        }
    }
}
