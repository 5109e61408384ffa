//! Quotas: who may hold how much.

use crate::{
    Answer, App,
    api::{
        Named,
        problem::Problem,
        quota::{PoolQuotaUse, Quota, QuotaList, QuotaOf, QuotaSet, QuotaStanding, QuotaUse},
    },
    caller::Caller,
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_model::{self as model, QuotaScope};
use std::collections::HashMap;

const fn word(scope: QuotaScope) -> QuotaOf {
    match scope {
        QuotaScope::Everyone => QuotaOf::Everyone,
        QuotaScope::Group(_) => QuotaOf::Group,
        QuotaScope::User(_) => QuotaOf::User,
        QuotaScope::Pool(_) => QuotaOf::Pool,
    }
}

fn shown(quota: &model::Quota, named: Option<Named>) -> Quota {
    Quota { of: word(quota.scope), named, limits: QuotaSet::from(&quota.limits).limits }
}

async fn set(app: &App, scope: QuotaScope, named: Option<Named>, set: &QuotaSet) -> Answer<Json<Quota>> {
    let limits = set.limits().map_err(|text| Problem::bad_request(text, "name each limit once"))?;
    Ok(Json(shown(&app.broker.set_quota(scope, limits).await?, named)))
}

async fn standing(app: &App, user: &model::User) -> Answer<Json<QuotaStanding>> {
    let (of, groups) = tokio::try_join!(app.broker.quota_of(user), app.broker.groups_of(user.id))?;
    let group = |scope| match scope {
        QuotaScope::Group(id) => {
            groups.iter().find(|group| group.id == id).map(|group| Named::new(group.id, &group.name))
        }
        _ => None,
    };
    let uses = of.uses.into_iter().map(|used| QuotaUse {
        kind: used.kind.into(),
        held: used.held,
        most: used.limit.and_then(|(cap, _)| cap.into()),
        by: used.limit.map(|(_, scope)| word(scope)),
        group: used.limit.and_then(|(_, scope)| group(scope)),
    });
    let pools = of.pools.into_iter().map(|used| PoolQuotaUse {
        pool: Named::new(used.pool.id, used.pool.name.as_str()),
        held: used.held,
        most: used.cap.into(),
    });
    Ok(Json(QuotaStanding { person: Named::new(user.id, &user.name), uses: uses.collect(), pools: pools.collect() }))
}

/// All quotas.
#[utoipa::path(get, path = "/quotas", tag = "quotas", operation_id = "list_quotas", responses((status = 200, body = QuotaList)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<QuotaList>> {
    let (quotas, groups, users, pools) =
        tokio::try_join!(app.broker.quotas(), app.broker.groups(), app.broker.users(), app.broker.pools())?;
    let groups: HashMap<_, _> = groups.into_iter().map(|group| (group.id, group.name)).collect();
    let users: HashMap<_, _> = users.into_iter().map(|user| (user.id, user.name)).collect();
    let pools: HashMap<_, _> = pools.into_iter().map(|pool| (pool.id, pool.name.to_string())).collect();
    let mut list: Vec<Quota> = quotas
        .iter()
        // Those of pools that its reader may know of; and what went meanwhile is gone.
        .filter_map(|quota| {
            let named = match quota.scope {
                QuotaScope::Everyone => return Some(shown(quota, None)),
                QuotaScope::Group(id) => Named::new(id, groups.get(&id)?),
                QuotaScope::User(id) => Named::new(id, users.get(&id)?),
                QuotaScope::Pool(id) if !caller.may_in(model::Permission::PoolsRead, id) => return None,
                QuotaScope::Pool(id) => Named::new(id, pools.get(&id)?),
            };
            Some(shown(quota, Some(named)))
        })
        .collect();
    let name = |quota: &Quota| quota.named.as_ref().map(|named| named.name.to_lowercase());
    list.sort_by_key(|quota| (quota.of as u8, name(quota)));
    Ok(Json(QuotaList { quotas: list }))
}

/// Say what everyone may hold at most, for whom neither a group nor a rule of their own says otherwise. What people have stays theirs.
#[utoipa::path(put, path = "/quotas/everyone", tag = "quotas", operation_id = "set_quota", request_body = QuotaSet, responses((status = 200, body = Quota)))]
pub async fn set_everyone(State(app): State<App>, Body(limits): Body<QuotaSet>) -> Answer<Json<Quota>> {
    set(&app, QuotaScope::Everyone, None, &limits).await
}

/// Limit nothing for everyone.
#[utoipa::path(delete, path = "/quotas/everyone", tag = "quotas", operation_id = "clear_quota", responses((status = 204)))]
pub async fn clear_everyone(State(app): State<App>) -> Answer<StatusCode> {
    app.broker.clear_quota(QuotaScope::Everyone).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Say what each of a group's members may hold at most. Of several groups the most generous counts.
#[utoipa::path(put, path = "/groups/{id}/quota", tag = "quotas", operation_id = "set_group_quota", params(("id" = String, Path)), request_body = QuotaSet, responses((status = 200, body = Quota)))]
pub async fn set_group(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(limits): Body<QuotaSet>,
) -> Answer<Json<Quota>> {
    let group = app.broker.find_group(&id).await?;
    set(&app, QuotaScope::Group(group.id), Some(Named::new(group.id, &group.name)), &limits).await
}

/// Limit nothing for a group's members.
#[utoipa::path(delete, path = "/groups/{id}/quota", tag = "quotas", operation_id = "clear_group_quota", params(("id" = String, Path)), responses((status = 204)))]
pub async fn clear_group(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let group = app.broker.find_group(&id).await?;
    app.broker.clear_quota(QuotaScope::Group(group.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a person holds, and what limits it.
#[utoipa::path(get, path = "/users/{id}/quota", tag = "quotas", operation_id = "show_user_quota", params(("id" = String, Path)), responses((status = 200, body = QuotaStanding)))]
pub async fn show_user(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<QuotaStanding>> {
    standing(&app, &app.broker.find_user(&id).await?).await
}

/// Say what one person may hold at most, over everything else that is said.
#[utoipa::path(put, path = "/users/{id}/quota", tag = "quotas", operation_id = "set_user_quota", params(("id" = String, Path)), request_body = QuotaSet, responses((status = 200, body = Quota)))]
pub async fn set_user(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(limits): Body<QuotaSet>,
) -> Answer<Json<Quota>> {
    let user = app.broker.find_user(&id).await?;
    set(&app, QuotaScope::User(user.id), Some(Named::new(user.id, &user.name)), &limits).await
}

/// Leave what a person may hold to their groups and to everyone's quota.
#[utoipa::path(delete, path = "/users/{id}/quota", tag = "quotas", operation_id = "clear_user_quota", params(("id" = String, Path)), responses((status = 204)))]
pub async fn clear_user(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let user = app.broker.find_user(&id).await?;
    app.broker.clear_quota(QuotaScope::User(user.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Say how many of a pool's desktops one person may hold (`per_person`).
#[utoipa::path(put, path = "/pools/{id}/quota", tag = "quotas", operation_id = "set_pool_quota", params(("id" = String, Path)), request_body = QuotaSet, responses((status = 200, body = Quota)))]
pub async fn set_pool(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(limits): Body<QuotaSet>,
) -> Answer<Json<Quota>> {
    let pool = app.broker.find_pool(&id).await?;
    if matches!(pool.kind, model::PoolKind::External | model::PoolKind::SessionHost) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "external_pool",
            format!("machines of {} are not given away, and not counted", pool.name),
            "limit how many sessions a person has open: oriel quota set --user USER sessions=1",
        ));
    }
    set(&app, QuotaScope::Pool(pool.id), Some(Named::new(pool.id, pool.name.as_str())), &limits).await
}

/// Let one person hold as many of a pool's desktops as their own quotas allow.
#[utoipa::path(delete, path = "/pools/{id}/quota", tag = "quotas", operation_id = "clear_pool_quota", params(("id" = String, Path)), responses((status = 204)))]
pub async fn clear_pool(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let pool = app.broker.find_pool(&id).await?;
    app.broker.clear_quota(QuotaScope::Pool(pool.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What one holds, and what limits it.
#[utoipa::path(get, path = "/me/quota", tag = "quotas", operation_id = "show_own_quota", responses((status = 200, body = QuotaStanding)))]
pub async fn own(State(app): State<App>, caller: Caller) -> Answer<Json<QuotaStanding>> {
    standing(&app, caller.person()?).await
}
