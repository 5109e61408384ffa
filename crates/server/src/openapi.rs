//! The API's description: made from the handlers, completed from the table of [`crate::access`].

use crate::{
    App,
    access::{self, Access},
    api::problem::ProblemDetails,
    routes,
};
use utoipa::{
    OpenApi as _,
    openapi::{
        ContentBuilder, OpenApi, Ref, ResponseBuilder,
        path::{HttpMethod, Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Oriel",
        description = "Desktops in a browser tab. Errors are `application/problem+json` with a stable `code`, a sentence and a next step. \
            Browsers sign in with a cookie and send `X-Oriel-Csrf` with every change; programs send `Authorization: Bearer TOKEN`; \
            over the unix socket of the same machine nobody signs in.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemDetails))
)]
struct Base;

/// Everything below `/api/v1`, with its description.
pub(crate) fn describe() -> (axum::Router<App>, OpenApi) {
    let (router, mut api) =
        OpenApiRouter::with_openapi(Base::openapi()).nest(access::BASE, routes::all()).split_for_parts();
    complete(&mut api);
    (router, api)
}

/// The description as the text that is committed as `docs/openapi.json`.
pub fn document() -> String {
    let (_, api) = describe();
    let mut text = api.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// The operations of a path, with their methods.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, item.get.as_mut()),
        (HttpMethod::Put, item.put.as_mut()),
        (HttpMethod::Post, item.post.as_mut()),
        (HttpMethod::Delete, item.delete.as_mut()),
        (HttpMethod::Patch, item.patch.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}

/// Adds to every operation who may call it, how they show who they are, and what an error looks like.
fn complete(api: &mut OpenApi) {
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::COOKIE))));
    components
        .add_security_scheme("token", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()));
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            let access = access::of(&method, path);
            let public = matches!(access, Some(Access::Public | Access::GuestTicket));
            let note = access.map_or_else(|| "Nobody may call it.".to_owned(), Access::sentence);
            let description = operation.description.take().map_or_else(|| note.clone(), |d| format!("{d}\n\n{note}"));
            operation.description = Some(description);
            operation.security = Some(if public {
                Vec::new()
            } else {
                vec![
                    SecurityRequirement::new::<_, [&str; 0], &str>("cookie", []),
                    SecurityRequirement::new::<_, [&str; 0], &str>("token", []),
                ]
            });
            let problem = ResponseBuilder::new()
                .description("a problem")
                .content(
                    "application/problem+json",
                    ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemDetails"))).build(),
                )
                .build();
            operation.responses.responses.insert("default".to_owned(), problem.into());
        }
    }
}
