//! Pools, and who may use them.

use crate::{
    Answer, App,
    api::{
        Named,
        desktop::Desktop,
        personal_disk::PoolDisk,
        pool::{
            DesktopTake, GpuRequest, OwnPool, OwnPoolList, Pool, PoolChange, PoolHours, PoolKind, PoolList, PoolNew,
        },
        problem::Problem,
    },
    caller::Caller,
    extract::Body,
    names::{self, Names},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::{NewExternalPool, NewPool, PoolChange as PoolEdit};
use oriel_model as model;

async fn answer(app: &App, pool: &model::Pool) -> Answer<Json<Pool>> {
    Ok(Json(Names::read(app).await?.pool(app, pool).await?))
}

fn gpu(wanted: GpuRequest) -> Answer<Option<model::GpuRequest>> {
    wanted.into_model().map_err(|error| Problem::bad_request(error, "name cards as the list of GPUs does"))
}

fn hours(wanted: PoolHours) -> Answer<model::PoolHours> {
    wanted.into_model().map_err(|error| Problem::bad_request(error, "mend that part of the pool's `hours`"))
}

/// What is said of a place on a cloud; the usual when nothing is.
fn said<T: std::str::FromStr<Err = String> + Default>(text: Option<&str>, next: &str) -> Answer<T> {
    text.map_or_else(
        || Ok(T::default()),
        |text| text.parse().map_err(|error: String| Problem::bad_request(error, next)),
    )
}

fn personal_disk(wanted: PoolDisk) -> Answer<Option<model::PoolDisk>> {
    wanted.into_model().map_err(|error| Problem::bad_request(error, "mend the name of the pool's `personal_disk`"))
}

/// What external machines have is left to them.
fn external(new: PoolNew, name: model::Name) -> Answer<NewExternalPool> {
    let is_shared = new.kind == Some(PoolKind::SessionHost);
    let asks = new.image.is_some()
        || new.vcpus.is_some()
        || new.memory_mib.is_some()
        || new.disk_gib.is_some()
        || new.network.is_some()
        || new.gpu.is_some()
        || new.size.is_some() && !is_shared
        || new.cloud.is_some()
        || new.hardware.is_some()
        || new.personal_disk.is_some();
    if asks {
        return Err(Problem::bad_request(
            "external machines have no image, size, network or GPU of Oriel's making",
            "leave image, vcpus, memory_mib, disk_gib, network, gpu and personal_disk out",
        ));
    }
    Ok(NewExternalPool {
        name,
        is_shared,
        size: new.size.map(Into::into).unwrap_or_default(),
        desktops_max: new.desktops_max.unwrap_or(1000),
        keyboard: new.keyboard.unwrap_or_else(|| "us".to_owned()),
        recording: new.recording.map(Into::into).unwrap_or_default(),
        policy: new.policy.map(Into::into).unwrap_or_default(),
        hours: new.hours.map(hours).transpose()?.unwrap_or_default(),
        leaving: new.leaving.map(Into::into).unwrap_or_default(),
    })
}

/// All pools, or those that one administers.
#[utoipa::path(get, path = "/pools", tag = "pools", operation_id = "list_pools", responses((status = 200, body = PoolList)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<PoolList>> {
    let names = Names::read(&app).await?;
    let mut pools = Vec::new();
    for pool in app.broker.pools().await? {
        if !caller.may_in(model::Permission::PoolsRead, pool.id) {
            continue;
        }
        pools.push(names.pool(&app, &pool).await?);
    }
    Ok(Json(PoolList { pools }))
}

/// A new pool.
#[utoipa::path(post, path = "/pools", tag = "pools", operation_id = "create_pool", request_body = PoolNew, responses((status = 201, body = Pool)))]
pub async fn create(State(app): State<App>, Body(new): Body<PoolNew>) -> Answer<(StatusCode, Json<Pool>)> {
    let name = super::image::name(&new.name)?;
    let is_others = new.kind == Some(PoolKind::SessionHost) && new.image.is_none();
    if is_others || new.kind == Some(PoolKind::External) {
        let pool = external(new, name)?;
        let pool = app.broker.create_external_pool(pool).await?;
        return Ok((StatusCode::CREATED, answer(&app, &pool).await?));
    }
    let image = new.image.as_deref().ok_or_else(|| {
        Problem::bad_request(
            "a pool of desktops needs an image to make them from",
            "name one with `image`, or make a pool of external machines with `kind`: `external`",
        )
    })?;
    let image = app.broker.find_image(image).await?;
    let cloud = match &new.cloud {
        None => None,
        Some(_)
            if new.vcpus.is_some()
                || new.memory_mib.is_some()
                || new.disk_gib.is_some()
                || new.network.is_some()
                || new.gpu.is_some()
                || new.hardware.is_some() =>
        {
            return Err(Problem::bad_request(
                "on a cloud the flavor says what a desktop is made of",
                "leave vcpus, memory_mib, disk_gib, network, gpu and hardware out",
            ));
        }
        Some(place) => Some(model::CloudPlace {
            cloud: app.broker.find_cloud(&place.cloud).await?.id,
            flavor: place.flavor.clone(),
            network: place.network.clone().unwrap_or_else(|| "auto".to_owned()),
            address: said(place.address.as_deref(), "use `fixed`, or `floating from NETWORK`")?,
            root: said(place.root.as_deref(), "use `image`, `volume`, or `volume,type=TYPE,size=GIB`")?,
        }),
    };
    let pool = NewPool {
        name,
        kind: new.kind.map_or(model::PoolKind::Dedicated, Into::into),
        size: new.size.map(Into::into).unwrap_or_default(),
        hours: new.hours.map(hours).transpose()?.unwrap_or_default(),
        leaving: new.leaving.map(Into::into).unwrap_or_default(),
        image: image.id,
        vcpus: new.vcpus.unwrap_or(2),
        memory_mib: new.memory_mib.unwrap_or(2048),
        disk_gib: new.disk_gib.unwrap_or(20),
        network: new.network.map_or(model::Network::User, Into::into),
        desktops_max: new.desktops_max.unwrap_or(10),
        keyboard: new.keyboard.unwrap_or_else(|| "us".to_owned()),
        gpu: new.gpu.map(gpu).transpose()?.flatten(),
        hardware: new.hardware.map(Into::into).unwrap_or_default(),
        recording: new.recording.map(Into::into).unwrap_or_default(),
        policy: new.policy.map(Into::into).unwrap_or_default(),
        cloud,
        personal_disk: new.personal_disk.map(personal_disk).transpose()?.flatten(),
    };
    let pool = app.broker.create_pool(pool).await?;
    Ok((StatusCode::CREATED, answer(&app, &pool).await?))
}

/// One pool.
#[utoipa::path(get, path = "/pools/{id}", tag = "pools", operation_id = "show_pool", params(("id" = String, Path)), responses((status = 200, body = Pool)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Pool>> {
    answer(&app, &app.broker.find_pool(&id).await?).await
}

/// Change a pool. Image and disk are those of desktops made from now on; the rest holds from each desktop's next start.
#[utoipa::path(patch, path = "/pools/{id}", tag = "pools", operation_id = "change_pool", params(("id" = String, Path)), request_body = PoolChange, responses((status = 200, body = Pool)))]
pub async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(change): Body<PoolChange>,
) -> Answer<Json<Pool>> {
    let pool = app.broker.find_pool(&id).await?;
    let image = match &change.image {
        Some(key) => Some(app.broker.find_image(key).await?.id),
        None => None,
    };
    let edit = PoolEdit {
        image,
        vcpus: change.vcpus,
        memory_mib: change.memory_mib,
        disk_gib: change.disk_gib,
        desktops_max: change.desktops_max,
        size: change.size.map(Into::into),
        hours: change.hours.map(hours).transpose()?,
        leaving: change.leaving.map(Into::into),
        keyboard: change.keyboard,
        gpu: change.gpu.map(gpu).transpose()?,
        hardware: change.hardware.map(Into::into),
        recording: change.recording.map(Into::into),
        policy: change.policy.map(Into::into),
        personal_disk: change.personal_disk.map(personal_disk).transpose()?,
        flavor: change.flavor,
    };
    answer(&app, &app.broker.change_pool(pool.id, edit).await?).await
}

/// Delete a pool that has no desktops.
#[utoipa::path(delete, path = "/pools/{id}", tag = "pools", operation_id = "delete_pool", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let pool = app.broker.find_pool(&id).await?;
    app.broker.delete_pool(pool.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pools of which the person may have a desktop, with the one that they have.
#[utoipa::path(get, path = "/me/pools", tag = "pools", operation_id = "list_own_pools", responses((status = 200, body = OwnPoolList)))]
pub async fn own(State(app): State<App>, caller: Caller) -> Answer<Json<OwnPoolList>> {
    let closed = app.broker.maintenances().await?;
    let pools = app.broker.pools_for(&caller.user).await?.into_iter().map(|(pool, desktop)| OwnPool {
        maintenance: names::why_closed(&closed, &pool),
        id: pool.id.to_string(),
        name: pool.name.to_string(),
        kind: pool.kind.into(),
        desktop: desktop.map(|desktop| Named::new(desktop.id, desktop.name.as_str())),
    });
    Ok(Json(OwnPoolList { pools: pools.collect() }))
}

/// Get a desktop of a pool: the one that one has, a free one, or a new one. It starts when it is off. Whoever may not use the pool does
/// not learn that it exists (404).
#[utoipa::path(post, path = "/pools/{id}/take", tag = "pools", operation_id = "take_desktop", params(("id" = String, Path)), request_body = DesktopTake, responses((status = 200, body = Desktop)))]
pub async fn take(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(take): Body<DesktopTake>,
) -> Answer<Json<Desktop>> {
    let pool = app.broker.find_pool(&id).await?;
    let user = match &take.user {
        None if caller.account().is_none() => {
            return Err(Problem::bad_request(
                "the local administrator has no desktops of their own",
                "say with `user` whose it shall be",
            ));
        }
        None => caller.user.clone(),
        Some(_) if !caller.may_in(model::Permission::DesktopsWrite, pool.id) => return Err(Problem::forbidden()),
        Some(key) => app.broker.find_user(key).await?,
    };
    let taken = match &take.app {
        None => app.broker.take_desktop(&user, &pool).await,
        Some(key) => {
            let run = app.broker.find_app_for(&user, key).await?;
            if run.pool != pool.id {
                return Err(Problem::not_found("app"));
            }
            app.broker.desktop_for_app(&user, &run).await
        }
    };
    let desktop = taken.map_err(|error| error.said_to(&caller.user))?;
    Ok(Json(names::desktop(&app, &desktop).await?))
}

/// Let a person use a pool.
#[utoipa::path(put, path = "/pools/{id}/users/{user_id}", tag = "pools", operation_id = "allow_pool_user", params(("id" = String, Path), ("user_id" = String, Path)), responses((status = 204)))]
pub async fn allow(State(app): State<App>, Path((id, user)): Path<(String, String)>) -> Answer<StatusCode> {
    let (pool, user) = (app.broker.find_pool(&id).await?, app.broker.find_user(&user).await?);
    app.broker.entitle(pool.id, user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a person no longer use a pool. Desktops they own stay theirs.
#[utoipa::path(delete, path = "/pools/{id}/users/{user_id}", tag = "pools", operation_id = "deny_pool_user", params(("id" = String, Path), ("user_id" = String, Path)), responses((status = 204)))]
pub async fn deny(State(app): State<App>, Path((id, user)): Path<(String, String)>) -> Answer<StatusCode> {
    let (pool, user) = (app.broker.find_pool(&id).await?, app.broker.find_user(&user).await?);
    app.broker.unentitle(pool.id, user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
