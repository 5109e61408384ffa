//! Where people come from who are not made here.

use crate::{
    Answer, App,
    api::{
        Named,
        directory::{
            Directory, DirectoryAnswer, DirectoryChange, DirectoryList, DirectoryNew, DirectoryPerson,
            DirectoryQuestion, DirectorySettings,
        },
    },
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::{DirectoryChange as DirectoryEdit, NewDirectory};
use oriel_model as model;
use secrecy::SecretString;

async fn answer(app: &App, directory: model::Directory) -> Answer<Directory> {
    let has_password = app.broker.has_directory_secret(directory.id).await?;
    let people = app.broker.people_of_directory(directory.id).await?;
    Ok(Directory {
        id: directory.id.to_string(),
        name: directory.name,
        enabled: directory.enabled,
        settings: directory.settings.into(),
        has_password,
        people,
        created_at: directory.created.rfc3339(),
    })
}

/// With the groups that are mapped, found by id or by name.
async fn settings(app: &App, settings: DirectorySettings) -> Answer<model::DirectorySettings> {
    let mut groups = Vec::new();
    for one in &settings.groups {
        groups.push(model::GroupMapping { dn: one.dn.clone(), group: app.broker.find_group(&one.group).await?.id });
    }
    Ok(settings.into_model(groups))
}

/// All directories, in the order in which they are asked.
#[utoipa::path(get, path = "/directories", tag = "directories", operation_id = "list_directories", responses((status = 200, body = DirectoryList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<DirectoryList>> {
    let mut directories = Vec::new();
    for directory in app.broker.directories().await? {
        directories.push(answer(&app, directory).await?);
    }
    Ok(Json(DirectoryList { directories }))
}

/// Let people of a directory in. It is not asked before somebody signs in, or tests it.
#[utoipa::path(post, path = "/directories", tag = "directories", operation_id = "create_directory", request_body = DirectoryNew, responses((status = 201, body = Directory)))]
pub async fn create(State(app): State<App>, Body(new): Body<DirectoryNew>) -> Answer<(StatusCode, Json<Directory>)> {
    let new = NewDirectory {
        name: new.name,
        settings: settings(&app, new.settings).await?,
        password: new.password.map(Into::into),
    };
    let directory = app.broker.create_directory(new).await?;
    Ok((StatusCode::CREATED, Json(answer(&app, directory).await?)))
}

/// One directory, by id or by name.
#[utoipa::path(get, path = "/directories/{id}", tag = "directories", operation_id = "show_directory", params(("id" = String, Path)), responses((status = 200, body = Directory)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Directory>> {
    Ok(Json(answer(&app, app.broker.find_directory(&id).await?).await?))
}

/// Change how a directory is asked, or stop asking it.
#[utoipa::path(patch, path = "/directories/{id}", tag = "directories", operation_id = "change_directory", params(("id" = String, Path)), request_body = DirectoryChange, responses((status = 200, body = Directory)))]
pub async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(change): Body<DirectoryChange>,
) -> Answer<Json<Directory>> {
    let directory = app.broker.find_directory(&id).await?;
    let edit = DirectoryEdit {
        name: change.name,
        enabled: change.enabled,
        settings: match change.settings {
            Some(new) => Some(settings(&app, new).await?),
            None => None,
        },
        password: change.password.map(Into::into),
    };
    Ok(Json(answer(&app, app.broker.change_directory(directory.id, edit).await?).await?))
}

/// Forget a directory that nobody here comes from.
#[utoipa::path(delete, path = "/directories/{id}", tag = "directories", operation_id = "delete_directory", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let directory = app.broker.find_directory(&id).await?;
    app.broker.delete_directory(directory.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask a directory about somebody, and whether that is their password. Changes nothing.
#[utoipa::path(post, path = "/directories/{id}/test", tag = "directories", operation_id = "test_directory", params(("id" = String, Path)), request_body = DirectoryQuestion, responses((status = 200, body = DirectoryAnswer)))]
pub async fn test(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(question): Body<DirectoryQuestion>,
) -> Answer<Json<DirectoryAnswer>> {
    let directory = app.broker.find_directory(&id).await?;
    let password: Option<SecretString> = question.password.map(Into::into);
    let said = app.broker.test_directory(directory.id, &question.name, password.as_ref()).await?;
    Ok(Json(DirectoryAnswer {
        person: said.found.map(|found| DirectoryPerson {
            dn: found.dn,
            external_id: found.external_id,
            name: found.name,
            disabled: found.disabled,
            groups: found.groups.into_iter().map(|group| group.dn).collect(),
        }),
        password_right: said.password_right,
        groups: said.groups.iter().map(|group| Named::new(group.id, &group.name)).collect(),
        role: said.role.map(Into::into),
        refused: said.refused,
    }))
}
