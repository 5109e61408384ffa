//! Disks of people. What is done with one that is in no desktop is an operation.

use crate::{
    Answer, App,
    api::{
        Named,
        operation::Operation,
        personal_disk::{
            DiskSnapshot, DiskSnapshotNew, PersonalDisk, PersonalDiskChange, PersonalDiskFacts, PersonalDiskList,
        },
        problem::Problem,
    },
    caller::Caller,
    extract::{Body as Asked, name},
    names::Names,
    range::Chosen,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use oriel_broker::ShownDisk;
use oriel_model::{DiskHolder, DiskWork};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

fn shown(one: &ShownDisk) -> PersonalDisk {
    let disk = &one.disk;
    PersonalDisk {
        id: disk.id.to_string(),
        person: Named::new(disk.user, one.person.as_ref().unwrap_or(&disk.person)),
        name: disk.name.to_string(),
        size_gib: disk.size_gib,
        host: disk.host.clone(),
        desktop: one.desktop.as_ref().map(|desktop| Named::new(desktop.id, desktop.name.as_str())),
        operation: match one.holder {
            Some(DiskHolder::Operation(id)) => Some(id.to_string()),
            _ => None,
        },
        orphaned: one.is_orphaned,
        created_at: disk.created.rfc3339(),
    }
}

async fn begin(app: &App, caller: &Caller, key: &str, work: DiskWork) -> Answer<(StatusCode, Json<Operation>)> {
    let disk = app.broker.find_personal_disk(key).await?;
    let operation = app.broker.work_on_disk(&disk, work, caller.account()).await?;
    Ok((StatusCode::ACCEPTED, Json(Names::read(app).await?.operation(&operation))))
}

/// All disks of people, those of people and pools that have gone among them.
#[utoipa::path(get, path = "/personal-disks", tag = "disks", operation_id = "list_personal_disks", responses((status = 200, body = PersonalDiskList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<PersonalDiskList>> {
    let disks = app.broker.personal_disks().await?;
    Ok(Json(PersonalDiskList { personal_disks: disks.iter().map(shown).collect() }))
}

/// One disk, by its id or as `PERSON/NAME`, with what its host knows of it.
#[utoipa::path(get, path = "/personal-disks/{id}", tag = "disks", operation_id = "show_personal_disk", params(("id" = String, Path)), responses((status = 200, body = PersonalDiskFacts)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<PersonalDiskFacts>> {
    let disk = app.broker.find_personal_disk(&id).await?;
    let facts = app.broker.personal_disk_facts(&disk.disk).await?;
    let snapshots = facts.snapshots.into_iter();
    Ok(Json(PersonalDiskFacts {
        disk: shown(&disk),
        used_bytes: facts.used_bytes,
        snapshots: snapshots.map(|one| DiskSnapshot { name: one.name, created_at: one.created.rfc3339() }).collect(),
        export_bytes: facts.export_bytes,
    }))
}

/// Grow a disk that is in no desktop.
#[utoipa::path(patch, path = "/personal-disks/{id}", tag = "disks", operation_id = "grow_personal_disk", params(("id" = String, Path)), request_body = PersonalDiskChange, responses((status = 202, body = Operation)))]
pub async fn grow(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Asked(change): Asked<PersonalDiskChange>,
) -> Answer<(StatusCode, Json<Operation>)> {
    begin(&app, &caller, &id, DiskWork::Grow { size_gib: change.size_gib }).await
}

/// Delete a disk that is in no desktop, with its snapshots, for good.
#[utoipa::path(delete, path = "/personal-disks/{id}", tag = "disks", operation_id = "delete_personal_disk", params(("id" = String, Path)), responses((status = 202, body = Operation)))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<(StatusCode, Json<Operation>)> {
    begin(&app, &caller, &id, DiskWork::Delete).await
}

/// Keep what a disk, which is in no desktop, holds now.
#[utoipa::path(post, path = "/personal-disks/{id}/snapshots", tag = "disks", operation_id = "snapshot_personal_disk", params(("id" = String, Path)), request_body = DiskSnapshotNew, responses((status = 202, body = Operation)))]
pub async fn keep(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Asked(new): Asked<DiskSnapshotNew>,
) -> Answer<(StatusCode, Json<Operation>)> {
    let snapshot = name(&new.name)?;
    begin(&app, &caller, &id, DiskWork::Snapshot { snapshot }).await
}

/// Make a disk, which is in no desktop, what it was at a snapshot. What was written since is lost.
#[utoipa::path(post, path = "/personal-disks/{id}/snapshots/{snapshot}/restore", tag = "disks", operation_id = "restore_personal_disk", params(("id" = String, Path), ("snapshot" = String, Path)), responses((status = 202, body = Operation)))]
pub async fn restore(
    State(app): State<App>,
    caller: Caller,
    Path((id, snapshot)): Path<(String, String)>,
) -> Answer<(StatusCode, Json<Operation>)> {
    let snapshot = name(&snapshot)?;
    begin(&app, &caller, &id, DiskWork::Restore { snapshot }).await
}

/// Delete a snapshot of a disk that is in no desktop.
#[utoipa::path(delete, path = "/personal-disks/{id}/snapshots/{snapshot}", tag = "disks", operation_id = "drop_personal_disk_snapshot", params(("id" = String, Path), ("snapshot" = String, Path)), responses((status = 202, body = Operation)))]
pub async fn drop_snapshot(
    State(app): State<App>,
    caller: Caller,
    Path((id, snapshot)): Path<(String, String)>,
) -> Answer<(StatusCode, Json<Operation>)> {
    let snapshot = name(&snapshot)?;
    begin(&app, &caller, &id, DiskWork::DropSnapshot { snapshot }).await
}

/// Copy a disk that is in no desktop, in place of an older copy of it.
#[utoipa::path(post, path = "/personal-disks/{id}/export", tag = "disks", operation_id = "export_personal_disk", params(("id" = String, Path)), responses((status = 202, body = Operation)))]
pub async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<(StatusCode, Json<Operation>)> {
    begin(&app, &caller, &id, DiskWork::Export).await
}

/// The copy of a disk as a qcow2, whole or one range of bytes.
#[utoipa::path(get, path = "/personal-disks/{id}/export", tag = "disks", operation_id = "personal_disk_content", params(("id" = String, Path), ("range" = Option<String>, Header, description = "`bytes=FIRST-LAST`")), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 206, content_type = "application/octet-stream", body = Vec<u8>, description = "the range that was asked for"), (status = 416, description = "there is no such range")))]
pub async fn content(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Answer<Response> {
    let disk = app.broker.find_personal_disk(&id).await?;
    let (path, bytes) = app.broker.personal_disk_export(&disk.disk).await?;
    let chosen = Chosen::of(&headers, bytes, true, "copy")?;
    let range = chosen.bytes();
    let gone = |error: std::io::Error| {
        tracing::warn!(path = %path.display(), %error, "A copy of a personal disk cannot be read");
        Problem::not_found("copy of the personal disk")
    };
    let mut file = tokio::fs::File::open(&path).await.map_err(gone)?;
    file.seek(std::io::SeekFrom::Start(range.start)).await.map_err(gone)?;
    let part = file.take(range.end.saturating_sub(range.start));
    let name = format!("{}-{}.qcow2", disk.disk.person, disk.disk.name);
    Ok(chosen.answer(Body::from_stream(ReaderStream::new(part)), "application/octet-stream", &name))
}

/// Delete the copy of a disk; the disk stays.
#[utoipa::path(delete, path = "/personal-disks/{id}/export", tag = "disks", operation_id = "delete_personal_disk_export", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete_export(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let disk = app.broker.find_personal_disk(&id).await?;
    app.broker.delete_personal_disk_export(&disk.disk).await?;
    Ok(StatusCode::NO_CONTENT)
}
