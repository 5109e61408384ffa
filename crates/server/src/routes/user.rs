//! People.

use crate::{
    Answer, App,
    api::user::{User, UserChange, UserList, UserMade, UserNew},
    caller::Caller,
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::{NewUser, UserChange as UserEdit};
use oriel_model as model;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;

async fn made(app: &App, user: &model::User, password: Option<&SecretString>) -> Answer<UserMade> {
    let (groups, pools, factors, directory, provider) = tokio::try_join!(
        app.broker.groups_of(user.id),
        app.broker.administered(user.id),
        app.broker.users_with_second_factor(),
        app.broker.directory_of(user.id),
        app.broker.provider_of(user.id)
    )?;
    let one_time_password = password.map(|password| password.expose_secret().to_owned());
    let passkeys = factors.get(&user.id).copied();
    let user = User::new(user, &groups, &pools, passkeys, directory.as_deref(), provider.as_deref());
    Ok(UserMade { user, one_time_password })
}

/// The pools that are named.
async fn administered(app: &App, keys: Option<Vec<String>>) -> Answer<Option<BTreeSet<model::PoolId>>> {
    let Some(keys) = keys else { return Ok(None) };
    let mut pools = BTreeSet::new();
    for key in keys {
        pools.insert(app.broker.find_pool(&key).await?.id);
    }
    Ok(Some(pools))
}

/// Everybody who may sign in.
#[utoipa::path(get, path = "/users", tag = "users", operation_id = "list_users", responses((status = 200, body = UserList)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<UserList>> {
    let (users, groups, mut pools, factors, directories, providers) = tokio::try_join!(
        app.broker.users(),
        app.broker.groups_by_user(),
        app.broker.administered_by_user(),
        app.broker.users_with_second_factor(),
        app.broker.directories_by_user(),
        app.broker.providers_by_user()
    )?;
    // Those that its reader may know of.
    for administered in pools.values_mut() {
        administered.retain(|pool| caller.may_in(model::Permission::PoolsRead, pool.id));
    }
    let in_groups = |user: &model::User| groups.get(&user.id).map(Vec::as_slice).unwrap_or_default();
    let of_pools = |user: &model::User| pools.get(&user.id).map(Vec::as_slice).unwrap_or_default();
    let from = |user: &model::User| {
        (directories.get(&user.id).map(String::as_str), providers.get(&user.id).map(String::as_str))
    };
    let users = users
        .iter()
        .map(|user| {
            let (directory, provider) = from(user);
            let passkeys = factors.get(&user.id).copied();
            User::new(user, in_groups(user), of_pools(user), passkeys, directory, provider)
        })
        .collect();
    Ok(Json(UserList { users }))
}

/// A new person.
#[utoipa::path(post, path = "/users", tag = "users", operation_id = "create_user", request_body = UserNew, responses((status = 201, body = UserMade)))]
pub async fn create(State(app): State<App>, Body(new): Body<UserNew>) -> Answer<(StatusCode, Json<UserMade>)> {
    let pools = administered(&app, new.pools).await?.unwrap_or_default();
    let new = NewUser { name: new.name, role: new.role.into(), password: new.password.map(Into::into) };
    let (user, password) = app.broker.create_user_with(new, &pools).await?;
    Ok((StatusCode::CREATED, Json(made(&app, &user, password.as_ref()).await?)))
}

/// Change a role, lock somebody out, or reset a password.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", operation_id = "change_user", params(("id" = String, Path)), request_body = UserChange, responses((status = 200, body = UserMade)))]
pub async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(change): Body<UserChange>,
) -> Answer<Json<UserMade>> {
    let user = app.broker.find_user(&id).await?;
    let change = UserEdit {
        role: change.role.map(Into::into),
        pools: administered(&app, change.pools).await?,
        disabled: change.disabled,
        reset_password: change.reset_password == Some(true),
    };
    let (user, password) = app.broker.change_user(user.id, change).await?;
    Ok(Json(made(&app, &user, password.as_ref()).await?))
}

/// Delete a person who has no desktops.
#[utoipa::path(delete, path = "/users/{id}", tag = "users", operation_id = "delete_user", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let user = app.broker.find_user(&id).await?;
    app.broker.delete_user(user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
