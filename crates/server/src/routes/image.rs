//! Images and recipes.

use crate::{
    Answer, App,
    api::{
        image::{ImageBuild, ImageImport, ImageList, RecipeList},
        operation::Operation,
    },
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

/// All images, newest first.
#[utoipa::path(get, path = "/images", tag = "images", operation_id = "list_images", responses((status = 200, body = ImageList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<ImageList>> {
    Err(crate::soon())
}

/// The recipes that images are built by.
#[utoipa::path(get, path = "/recipes", tag = "images", operation_id = "list_recipes", responses((status = 200, body = RecipeList)))]
pub async fn recipes(State(app): State<App>) -> Answer<Json<RecipeList>> {
    Err(crate::soon())
}

/// Build an image by a recipe.
#[utoipa::path(post, path = "/images/build", tag = "images", operation_id = "build_image", request_body = ImageBuild, responses((status = 202, body = Operation)))]
pub async fn build(State(app): State<App>, Body(build): Body<ImageBuild>) -> Answer<(StatusCode, Json<Operation>)> {
    Err(crate::soon())
}

/// Import an image from a file of the server or a URL.
#[utoipa::path(post, path = "/images/import", tag = "images", operation_id = "import_image", request_body = ImageImport, responses((status = 202, body = Operation)))]
pub async fn import(State(app): State<App>, Body(import): Body<ImageImport>) -> Answer<(StatusCode, Json<Operation>)> {
    Err(crate::soon())
}

/// Delete an image that no pool and no desktop uses.
#[utoipa::path(delete, path = "/images/{id}", tag = "images", operation_id = "delete_image", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    Err(crate::soon())
}
