//! A desktop's machine on a cloud: another size, another host, snapshots. Each is an operation.

use crate::{
    Answer, App,
    api::{
        desktop_work::{DesktopMachine, DesktopMigrate, DesktopSnapshotNew},
        operation::Operation,
        problem::Problem,
    },
    caller::{Caller, TheDesktop},
    extract::{Body, name},
    names::Names,
};
use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{StatusCode, request::Parts},
};
use oriel_model::{self as model, DesktopWork};

/// Longest name of a cloud's host, in bytes: a host name has no more.
const HOST_BYTES_MAX: usize = 255;

type Begun = Answer<(StatusCode, Json<Operation>)>;

/// Somebody who wants something done with the machine of the desktop that the path names.
pub struct Order {
    app: App,
    caller: Caller,
    desktop: model::Desktop,
}

impl FromRequestParts<App> for Order {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let TheDesktop(desktop) = TheDesktop::from_request_parts(parts, app).await?;
        Ok(Self { app: app.clone(), caller, desktop })
    }
}

impl Order {
    async fn begin(self, work: DesktopWork) -> Begun {
        let Self { app, caller, desktop } = self;
        let operation = app.broker.work_on_desktop(&desktop, work, caller.account()).await?;
        Ok((StatusCode::ACCEPTED, Json(Names::read(&app).await?.operation(&operation))))
    }
}

/// How the desktop's machine stands: its flavor, its host, its snapshots. Its cloud is asked for that.
#[utoipa::path(get, path = "/desktops/{id}/machine", tag = "desktops", operation_id = "show_desktop_machine", params(("id" = String, Path)), responses((status = 200, body = DesktopMachine), (status = 409, description = "it stands on no cloud")))]
pub async fn show(State(app): State<App>, TheDesktop(desktop): TheDesktop) -> Answer<Json<DesktopMachine>> {
    let standing = app.broker.desktop_standing(&desktop).await?;
    let pool = app.broker.find_pool(&desktop.pool.to_string()).await?;
    Ok(Json(DesktopMachine::new(standing, pool.cloud.map(|place| place.flavor))))
}

/// Give it the flavor that its pool says now. It is switched off and on for that, and can go back until it is confirmed.
#[utoipa::path(post, path = "/desktops/{id}/resize", tag = "desktops", operation_id = "resize_desktop", params(("id" = String, Path)), responses((status = 202, body = Operation), (status = 409, description = "it stands on no cloud, or does something else")))]
pub async fn resize(order: Order) -> Begun {
    order.begin(DesktopWork::Resize).await
}

/// What it was brought to by a resize or a migration stays.
#[utoipa::path(post, path = "/desktops/{id}/resize/confirm", tag = "desktops", operation_id = "confirm_desktop_resize", params(("id" = String, Path)), responses((status = 202, body = Operation), (status = 409, description = "it stands on no cloud, or does something else")))]
pub async fn confirm(order: Order) -> Begun {
    order.begin(DesktopWork::Confirm).await
}

/// Bring it back to what it was before a resize or a migration that is not confirmed.
#[utoipa::path(post, path = "/desktops/{id}/resize/revert", tag = "desktops", operation_id = "revert_desktop_resize", params(("id" = String, Path)), responses((status = 202, body = Operation), (status = 409, description = "it stands on no cloud, or does something else")))]
pub async fn revert(order: Order) -> Begun {
    order.begin(DesktopWork::Revert).await
}

/// Bring it to another host of its cloud: while it runs, or, when it is off, as with a resize. The cloud lets its own admins do that.
#[utoipa::path(post, path = "/desktops/{id}/migrate", tag = "desktops", operation_id = "migrate_desktop", params(("id" = String, Path)), request_body = DesktopMigrate, responses((status = 202, body = Operation), (status = 409, description = "it stands on no cloud, or does something else")))]
pub async fn migrate(order: Order, Body(wish): Body<DesktopMigrate>) -> Begun {
    let bad = |host: &String| host.is_empty() || host.len() > HOST_BYTES_MAX || host.chars().any(char::is_control);
    if wish.to.as_ref().is_some_and(bad) {
        return Err(Problem::bad_request(
            "that cannot be the name of a host",
            "`openstack compute service list` shows hosts; leave `to` out and the cloud chooses one",
        ));
    }
    order.begin(DesktopWork::Migrate { to: wish.to, evacuate: wish.evacuate }).await
}

/// Keep what its disk holds now. Its system is not asked: what it has not written yet is not in it.
#[utoipa::path(post, path = "/desktops/{id}/snapshots", tag = "desktops", operation_id = "snapshot_desktop", params(("id" = String, Path)), request_body = DesktopSnapshotNew, responses((status = 202, body = Operation), (status = 409, description = "it stands on no cloud, or does something else")))]
pub async fn keep(order: Order, Body(new): Body<DesktopSnapshotNew>) -> Begun {
    let snapshot = name(&new.name)?;
    order.begin(DesktopWork::Snapshot { snapshot }).await
}

/// Make its disk what it was at a snapshot. What was written since is lost.
#[utoipa::path(post, path = "/desktops/{id}/snapshots/{snapshot}/restore", tag = "desktops", operation_id = "restore_desktop", params(("id" = String, Path), ("snapshot" = String, Path)), responses((status = 202, body = Operation), (status = 409, description = "it stands on no cloud, or does something else")))]
pub async fn restore(order: Order, Path((_, snapshot)): Path<(String, String)>) -> Begun {
    let snapshot = name(&snapshot)?;
    order.begin(DesktopWork::Restore { snapshot }).await
}

/// Delete a snapshot.
#[utoipa::path(delete, path = "/desktops/{id}/snapshots/{snapshot}", tag = "desktops", operation_id = "drop_desktop_snapshot", params(("id" = String, Path), ("snapshot" = String, Path)), responses((status = 202, body = Operation), (status = 409, description = "it stands on no cloud, or does something else")))]
pub async fn drop_snapshot(order: Order, Path((_, snapshot)): Path<(String, String)>) -> Begun {
    let snapshot = name(&snapshot)?;
    order.begin(DesktopWork::DropSnapshot { snapshot }).await
}
