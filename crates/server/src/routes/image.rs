//! Images and recipes.

use crate::{
    Answer, App,
    api::{
        Named,
        image::{DesktopCapture, Image, ImageBuild, ImageImport, ImageList, Recipe, RecipeList},
        operation::Operation,
        problem::Problem,
    },
    caller::{Caller, TheDesktop},
    extract::Body,
    names::Names,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::{BuildRequest, NewCapture};
use oriel_model::{Name, Permission};

/// A name that somebody gave, or what is wrong with it.
pub(super) fn name(text: &str) -> Answer<Name> {
    text.parse().map_err(|error: oriel_model::NameError| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_name", error.to_string(), "choose a name like studio-1")
    })
}

async fn begin(app: &App, caller: &Caller, request: BuildRequest) -> Answer<(StatusCode, Json<Operation>)> {
    let operation = app.broker.start_operation(request, caller.account()).await?;
    Ok((StatusCode::ACCEPTED, Json(Names::read(app).await?.operation(&operation))))
}

/// All images, newest first.
#[utoipa::path(get, path = "/images", tag = "images", operation_id = "list_images", responses((status = 200, body = ImageList)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<ImageList>> {
    let images = app.broker.images().await?;
    let uses = app.broker.image_uses(&images).await?;
    let named = |pools: &[oriel_model::Pool]| {
        pools
            .iter()
            .filter(|pool| caller.may_in(Permission::PoolsRead, pool.id))
            .map(|pool| Named::new(pool.id, pool.name.as_str()))
            .collect()
    };
    let images = images
        .iter()
        .zip(uses)
        .map(|(image, uses)| Image::new(image, uses.desktops.len() as u64, named(&uses.pools), named(&uses.rollouts)))
        .collect();
    Ok(Json(ImageList { images }))
}

/// The recipes that images are built by.
#[utoipa::path(get, path = "/recipes", tag = "images", operation_id = "list_recipes", responses((status = 200, body = RecipeList)))]
pub async fn recipes() -> Answer<Json<RecipeList>> {
    let recipes = oriel_image::recipes()
        .into_iter()
        .map(|recipe| Recipe { name: recipe.name, title: recipe.title, description: recipe.description })
        .collect();
    Ok(Json(RecipeList { recipes }))
}

/// Build an image by a recipe.
#[utoipa::path(post, path = "/images/build", tag = "images", operation_id = "build_image", request_body = ImageBuild, responses((status = 202, body = Operation)))]
pub async fn build(
    State(app): State<App>,
    caller: Caller,
    Body(build): Body<ImageBuild>,
) -> Answer<(StatusCode, Json<Operation>)> {
    let name = name(build.name.as_deref().unwrap_or(&build.recipe))?;
    begin(&app, &caller, BuildRequest::Build { recipe: build.recipe, name }).await
}

/// Import an image from a file of the server or a URL.
#[utoipa::path(post, path = "/images/import", tag = "images", operation_id = "import_image", request_body = ImageImport, responses((status = 202, body = Operation)))]
pub async fn import(
    State(app): State<App>,
    caller: Caller,
    Body(import): Body<ImageImport>,
) -> Answer<(StatusCode, Json<Operation>)> {
    // What comes over plain http can be changed on its way, unless its checksum is known.
    let plain = import.from.starts_with("http://") && import.sha256.is_some();
    if !(import.from.starts_with('/') || import.from.starts_with("https://") || plain) {
        return Err(Problem::bad_request(
            "an image comes from an absolute path of the server, an https URL, or an http URL with its SHA-256",
            "write the whole path, beginning with a slash, or a URL that begins with https://",
        ));
    }
    let request = BuildRequest::Import {
        name: name(&import.name)?,
        from: import.from,
        sha256: import.sha256.map(|sum| sum.to_lowercase()),
        os: import.os.into(),
    };
    begin(&app, &caller, request).await
}

/// Make a version of an image from a desktop. Its guest forgets who it is, it is shut down and copied; who may make images may do it.
#[utoipa::path(post, path = "/desktops/{id}/capture", tag = "images", operation_id = "capture_desktop", params(("id" = String, Path)), request_body = DesktopCapture, responses((status = 202, body = Operation), (status = 409, description = "somebody is in it, its guest cannot be sealed, or it does something else")))]
pub async fn capture(
    State(app): State<App>,
    caller: Caller,
    TheDesktop(desktop): TheDesktop,
    Body(wish): Body<DesktopCapture>,
) -> Answer<(StatusCode, Json<Operation>)> {
    if !caller.may(Permission::ImagesWrite) {
        return Err(Problem::forbidden());
    }
    let new = NewCapture { name: name(&wish.image)?, unsealed: wish.unsealed, forced: wish.force };
    let operation = app.broker.capture_desktop(&desktop, new, caller.account()).await?;
    Ok((StatusCode::ACCEPTED, Json(Names::read(&app).await?.operation(&operation))))
}

/// Delete an image that no pool and no desktop uses.
#[utoipa::path(delete, path = "/images/{id}", tag = "images", operation_id = "delete_image", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let image = app.broker.find_image(&id).await?;
    app.broker.delete_image(image.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
