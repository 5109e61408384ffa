//! Clouds on which pools stand.

use crate::{
    Answer, App,
    api::{
        Named,
        cloud::{
            Cloud, CloudChange, CloudImage, CloudImageSet, CloudJump, CloudList, CloudLook, CloudNew, CloudOffer,
            CloudReach,
        },
        host::FindingList,
        image::ImageRef,
        operation::Operation,
        problem::Problem,
    },
    caller::Caller,
    extract::Body,
    names::Names,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::{CloudJump as NewJump, CloudReachChange, CloudSignIn, NewCloud};
use oriel_model as model;

/// A cloud whose secrets cannot be opened is shown all the same: somebody may want to remove it.
async fn reach_of(app: &App, cloud: &model::Cloud) -> CloudReach {
    match app.broker.cloud_reach(cloud).await {
        Ok(reach) => CloudReach {
            gateways: reach.gateways,
            shelve: reach.shelve,
            jump: reach.jump.map(|it| CloudJump { host: it.host, port: it.port, user: it.user, host_key: it.host_key }),
        },
        Err(error) => {
            tracing::warn!(cloud = %cloud.name, %error, "How a cloud's desktops are reached cannot be read");
            CloudReach::default()
        }
    }
}

async fn answer(app: &App, cloud: model::Cloud) -> Answer<Cloud> {
    let pools = app.broker.pools().await?;
    let is_of_it = |pool: &&model::Pool| pool.cloud.as_ref().is_some_and(|place| place.cloud == cloud.id);
    let of_it: Vec<&model::Pool> = pools.iter().filter(is_of_it).collect();
    let counts = app.broker.desktop_counts().await?;
    let desktops: u64 =
        counts.iter().filter(|count| of_it.iter().any(|pool| pool.id == count.pool)).map(|it| it.all).sum();
    let of_it: Vec<Named> = of_it.into_iter().map(|pool| Named::new(pool.id, &pool.name)).collect();
    let reach = reach_of(app, &cloud).await;
    let looked = app.broker.last_look_at_cloud(cloud.id);
    let mut images = Vec::new();
    for of in app.broker.cloud_images(cloud.id).await? {
        let image = app.broker.find_image(&of.image.to_string()).await?;
        images.push(CloudImage { image: ImageRef::from(&image), remote: of.remote, created_at: of.created.rfc3339() });
    }
    Ok(Cloud {
        id: cloud.id.to_string(),
        name: cloud.name.to_string(),
        address: cloud.address,
        region: cloud.region,
        pools: of_it,
        desktops,
        images,
        reach,
        looked: looked.map(|look| CloudLook { at: look.at.rfc3339(), problem: look.problem }),
        created_at: cloud.created.rfc3339(),
        changed_at: cloud.changed.rfc3339(),
    })
}

/// All clouds, by name.
#[utoipa::path(get, path = "/clouds", tag = "clouds", operation_id = "list_clouds", responses((status = 200, body = CloudList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<CloudList>> {
    let mut clouds = Vec::new();
    for cloud in app.broker.clouds().await? {
        clouds.push(answer(&app, cloud).await?);
    }
    Ok(Json(CloudList { clouds }))
}

/// Add a cloud. It is not asked before a pool stands on it, or somebody tests it.
#[utoipa::path(post, path = "/clouds", tag = "clouds", operation_id = "create_cloud", request_body = CloudNew, responses((status = 201, body = Cloud)))]
pub async fn create(State(app): State<App>, Body(new): Body<CloudNew>) -> Answer<(StatusCode, Json<Cloud>)> {
    let name = super::image::name(&new.name)?;
    let sign_in = CloudSignIn { clouds_yaml: new.clouds_yaml.into(), cloud: new.cloud, ca: new.ca, region: new.region };
    let cloud = app.broker.create_cloud(NewCloud { name, sign_in }).await?;
    Ok((StatusCode::CREATED, Json(answer(&app, cloud).await?)))
}

/// One cloud, by id or by name.
#[utoipa::path(get, path = "/clouds/{id}", tag = "clouds", operation_id = "show_cloud", params(("id" = String, Path)), responses((status = 200, body = Cloud)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Cloud>> {
    Ok(Json(answer(&app, app.broker.find_cloud(&id).await?).await?))
}

/// Say anew how to sign in to the same project, how its desktops are reached, or both. All of it holds at once, or none.
#[utoipa::path(put, path = "/clouds/{id}", tag = "clouds", operation_id = "change_cloud", params(("id" = String, Path)), request_body = CloudChange, responses((status = 200, body = Cloud)))]
pub async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(change): Body<CloudChange>,
) -> Answer<Json<Cloud>> {
    let mut cloud = app.broker.find_cloud(&id).await?;
    let reach = reach_change(&change)?;
    let sign_in = match change.clouds_yaml {
        Some(text) => {
            let (of, ca, region) = (change.cloud, change.ca, change.region);
            Some(CloudSignIn { clouds_yaml: text.into(), cloud: of, ca, region })
        }
        None if change.cloud.is_some() || change.ca.is_some() || change.region.is_some() => {
            return Err(Problem::bad_request(
                "a cloud of a file, a CA and a region mean nothing without the file",
                "send clouds_yaml, too",
            ));
        }
        None => None,
    };
    if sign_in.is_some() || reach.is_some() {
        cloud = app.broker.change_cloud(cloud.id, sign_in, reach.unwrap_or_default()).await?;
    }
    Ok(Json(answer(&app, cloud).await?))
}

/// None: nothing of it is to change.
fn reach_change(change: &CloudChange) -> Answer<Option<CloudReachChange>> {
    if change.without_jump && change.jump.is_some() {
        return Err(Problem::bad_request("a jump host is named and taken away at once", "send one of the two"));
    }
    let jump = match &change.jump {
        Some(new) => Some(Some(NewJump {
            host: new.host.clone(),
            port: new.port.unwrap_or(22),
            user: new.user.clone(),
            private_key: new.private_key.clone().into(),
            passphrase: new.passphrase.clone().map(Into::into),
            host_key: new.host_key.clone(),
        })),
        None => change.without_jump.then_some(None),
    };
    let wished = CloudReachChange { gateways: change.gateways.clone(), shelve: change.shelve, jump };
    let is_something = wished.gateways.is_some() || wished.shelve.is_some() || wished.jump.is_some();
    Ok(is_something.then_some(wished))
}

/// Forget a cloud on which no pool stands.
#[utoipa::path(delete, path = "/clouds/{id}", tag = "clouds", operation_id = "delete_cloud", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let cloud = app.broker.find_cloud(&id).await?;
    app.broker.delete_cloud(cloud.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Find out what works on a cloud and what does not. Changes nothing there.
#[utoipa::path(post, path = "/clouds/{id}/test", tag = "clouds", operation_id = "test_cloud", params(("id" = String, Path)), responses((status = 200, body = FindingList)))]
pub async fn test(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<FindingList>> {
    let cloud = app.broker.find_cloud(&id).await?;
    let findings = app.broker.test_cloud(cloud.id).await?.into_iter().map(Into::into).collect();
    Ok(Json(FindingList { findings }))
}

/// What pools may choose of a cloud: its flavors, with the GPUs that are free, and its networks. It is asked for that.
#[utoipa::path(get, path = "/clouds/{id}/offer", tag = "clouds", operation_id = "show_cloud_offer", params(("id" = String, Path)), responses((status = 200, body = CloudOffer)))]
pub async fn offer(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<CloudOffer>> {
    let cloud = app.broker.find_cloud(&id).await?;
    Ok(Json(app.broker.cloud_offer(cloud.id).await?.into()))
}

/// Say which of a cloud's images holds a version of an image.
#[utoipa::path(put, path = "/clouds/{id}/images/{image}", tag = "clouds", operation_id = "set_cloud_image", params(("id" = String, Path), ("image" = String, Path)), request_body = CloudImageSet, responses((status = 204)))]
pub async fn set_image(
    State(app): State<App>,
    Path((id, image)): Path<(String, String)>,
    Body(set): Body<CloudImageSet>,
) -> Answer<StatusCode> {
    let cloud = app.broker.find_cloud(&id).await?;
    let image = app.broker.find_image(&image).await?;
    app.broker.set_cloud_image(cloud.id, image.id, set.remote).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bring a version of an image to a cloud. What is there already is not sent again.
#[utoipa::path(post, path = "/clouds/{id}/images/{image}", tag = "clouds", operation_id = "upload_cloud_image", params(("id" = String, Path), ("image" = String, Path)), responses((status = 202, body = Operation)))]
pub async fn upload_image(
    State(app): State<App>,
    caller: Caller,
    Path((id, image)): Path<(String, String)>,
) -> Answer<(StatusCode, Json<Operation>)> {
    let cloud = app.broker.find_cloud(&id).await?;
    let image = app.broker.find_image(&image).await?;
    let operation = app.broker.upload_to_cloud(cloud.id, image.id, caller.account()).await?;
    Ok((StatusCode::ACCEPTED, Json(Names::read(&app).await?.operation(&operation))))
}

/// Forget which of a cloud's images holds a version. The image stays there.
#[utoipa::path(delete, path = "/clouds/{id}/images/{image}", tag = "clouds", operation_id = "forget_cloud_image", params(("id" = String, Path), ("image" = String, Path)), responses((status = 204)))]
pub async fn forget_image(State(app): State<App>, Path((id, image)): Path<(String, String)>) -> Answer<StatusCode> {
    let cloud = app.broker.find_cloud(&id).await?;
    let image = app.broker.find_image(&image).await?;
    app.broker.forget_cloud_image(cloud.id, image.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
