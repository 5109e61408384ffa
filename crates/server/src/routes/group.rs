//! Groups: people together.

use crate::{
    Answer, App,
    api::{
        Named,
        group::{Group, GroupChange, GroupList, GroupNew},
    },
    caller::Caller,
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::{GroupChange as GroupEdit, NewGroup, WholeGroup};
use oriel_model as model;

/// With the pools that its reader may know of.
fn shown(caller: &Caller, whole: WholeGroup, pools: &[model::Pool]) -> Group {
    let WholeGroup { group, members, opens } = whole;
    Group {
        id: group.id.to_string(),
        name: group.name,
        about: group.about,
        policy: group.policy.into(),
        second_factor: group.second_factor.into(),
        members: members.iter().map(|user| Named::new(user.id, &user.name)).collect(),
        pools: pools
            .iter()
            .filter(|pool| opens.contains(&pool.id) && caller.may_in(model::Permission::PoolsRead, pool.id))
            .map(|pool| Named::new(pool.id, &pool.name))
            .collect(),
        created_at: group.created.rfc3339(),
    }
}

async fn answer(app: &App, caller: &Caller, group: model::Group) -> Answer<Json<Group>> {
    let (pools, members, opens) =
        tokio::try_join!(app.broker.pools(), app.broker.members(group.id), app.broker.pools_of_group(group.id))?;
    Ok(Json(shown(caller, WholeGroup { group, members, opens }, &pools)))
}

/// All groups.
#[utoipa::path(get, path = "/groups", tag = "groups", operation_id = "list_groups", responses((status = 200, body = GroupList)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<GroupList>> {
    let (pools, groups) = tokio::try_join!(app.broker.pools(), app.broker.whole_groups())?;
    Ok(Json(GroupList { groups: groups.into_iter().map(|group| shown(&caller, group, &pools)).collect() }))
}

/// A new group, without members.
#[utoipa::path(post, path = "/groups", tag = "groups", operation_id = "create_group", request_body = GroupNew, responses((status = 201, body = Group)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<GroupNew>,
) -> Answer<(StatusCode, Json<Group>)> {
    let new = NewGroup {
        name: new.name,
        about: new.about.unwrap_or_default(),
        policy: new.policy.map(Into::into).unwrap_or_default(),
        second_factor: new.second_factor.map(Into::into).unwrap_or_default(),
    };
    let group = app.broker.create_group(new).await?;
    Ok((StatusCode::CREATED, answer(&app, &caller, group).await?))
}

/// One group.
#[utoipa::path(get, path = "/groups/{id}", tag = "groups", operation_id = "show_group", params(("id" = String, Path)), responses((status = 200, body = Group)))]
pub async fn show(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<Group>> {
    answer(&app, &caller, app.broker.find_group(&id).await?).await
}

/// Change a group's name, what it is for, or what it says of its members' connections.
#[utoipa::path(patch, path = "/groups/{id}", tag = "groups", operation_id = "change_group", params(("id" = String, Path)), request_body = GroupChange, responses((status = 200, body = Group)))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(change): Body<GroupChange>,
) -> Answer<Json<Group>> {
    let group = app.broker.find_group(&id).await?;
    let edit = GroupEdit {
        name: change.name,
        about: change.about,
        policy: change.policy.map(Into::into),
        second_factor: change.second_factor.map(Into::into),
    };
    answer(&app, &caller, app.broker.change_group(group.id, edit).await?).await
}

/// Delete a group. Its members stay; what they could use only through it they use no longer.
#[utoipa::path(delete, path = "/groups/{id}", tag = "groups", operation_id = "delete_group", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let group = app.broker.find_group(&id).await?;
    app.broker.delete_group(group.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Put a person into a group.
#[utoipa::path(put, path = "/groups/{id}/members/{user_id}", tag = "groups", operation_id = "add_group_member", params(("id" = String, Path), ("user_id" = String, Path)), responses((status = 204)))]
pub async fn join(State(app): State<App>, Path((id, user)): Path<(String, String)>) -> Answer<StatusCode> {
    let (group, user) = (app.broker.find_group(&id).await?, app.broker.find_user(&user).await?);
    app.broker.add_member(group.id, user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a person out of a group. Desktops they own stay theirs.
#[utoipa::path(delete, path = "/groups/{id}/members/{user_id}", tag = "groups", operation_id = "remove_group_member", params(("id" = String, Path), ("user_id" = String, Path)), responses((status = 204)))]
pub async fn leave(State(app): State<App>, Path((id, user)): Path<(String, String)>) -> Answer<StatusCode> {
    let (group, user) = (app.broker.find_group(&id).await?, app.broker.find_user(&user).await?);
    app.broker.remove_member(group.id, user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a group's members use a pool.
#[utoipa::path(put, path = "/pools/{id}/groups/{group_id}", tag = "pools", operation_id = "allow_pool_group", params(("id" = String, Path), ("group_id" = String, Path)), responses((status = 204)))]
pub async fn allow(State(app): State<App>, Path((id, group)): Path<(String, String)>) -> Answer<StatusCode> {
    let (pool, group) = (app.broker.find_pool(&id).await?, app.broker.find_group(&group).await?);
    app.broker.entitle_group(pool.id, group.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a group's members no longer use a pool, but for those whom it lets in otherwise. Desktops they own stay theirs.
#[utoipa::path(delete, path = "/pools/{id}/groups/{group_id}", tag = "pools", operation_id = "deny_pool_group", params(("id" = String, Path), ("group_id" = String, Path)), responses((status = 204)))]
pub async fn deny(State(app): State<App>, Path((id, group)): Path<(String, String)>) -> Answer<StatusCode> {
    let (pool, group) = (app.broker.find_pool(&id).await?, app.broker.find_group(&group).await?);
    app.broker.unentitle_group(pool.id, group.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
