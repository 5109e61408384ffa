//! Where people sign in who do not do it here: providers that speak OpenID Connect.

use crate::{
    Answer, App, Peer,
    api::provider::{Provider, ProviderAnswer, ProviderChange, ProviderList, ProviderNew, ProviderSettings},
    extract::Body,
    routes::sign_in::own_origin,
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use oriel_broker::{NewProvider, ProviderChange as ProviderEdit};
use oriel_model as model;

fn callback_path(id: model::ProviderId) -> String {
    format!("{}/sign-in/oidc/{id}/callback", crate::access::BASE)
}

async fn answer(app: &App, provider: model::Provider) -> Answer<Provider> {
    let has_secret = app.broker.has_provider_secret(provider.id).await?;
    let people = app.broker.people_of_provider(provider.id).await?;
    Ok(Provider {
        id: provider.id.to_string(),
        name: provider.name,
        enabled: provider.enabled,
        settings: provider.settings.into(),
        has_secret,
        people,
        callback_path: callback_path(provider.id),
        created_at: provider.created.rfc3339(),
    })
}

/// With the groups that are mapped, found by id or by name.
async fn settings(app: &App, settings: ProviderSettings) -> Answer<model::ProviderSettings> {
    let mut groups = Vec::new();
    for one in &settings.groups {
        let group = app.broker.find_group(&one.group).await?.id;
        groups.push(model::ClaimedGroup { value: one.value.clone(), group });
    }
    Ok(settings.into_model(groups))
}

/// All providers, in the order of their buttons.
#[utoipa::path(get, path = "/providers", tag = "providers", operation_id = "list_providers", responses((status = 200, body = ProviderList)))]
pub async fn list(State(app): State<App>) -> Answer<Json<ProviderList>> {
    let mut providers = Vec::new();
    for provider in app.broker.providers().await? {
        providers.push(answer(&app, provider).await?);
    }
    Ok(Json(ProviderList { providers }))
}

/// Let people of a provider in. It is not asked before somebody signs in, or tests it.
#[utoipa::path(post, path = "/providers", tag = "providers", operation_id = "create_provider", request_body = ProviderNew, responses((status = 201, body = Provider)))]
pub async fn create(State(app): State<App>, Body(new): Body<ProviderNew>) -> Answer<(StatusCode, Json<Provider>)> {
    let new = NewProvider {
        name: new.name,
        settings: settings(&app, new.settings).await?,
        secret: new.secret.map(Into::into),
    };
    let provider = app.broker.create_provider(new).await?;
    Ok((StatusCode::CREATED, Json(answer(&app, provider).await?)))
}

/// One provider, by id or by name.
#[utoipa::path(get, path = "/providers/{id}", tag = "providers", operation_id = "show_provider", params(("id" = String, Path)), responses((status = 200, body = Provider)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<Json<Provider>> {
    Ok(Json(answer(&app, app.broker.find_provider(&id).await?).await?))
}

/// Change how a provider is asked, or take its button away.
#[utoipa::path(patch, path = "/providers/{id}", tag = "providers", operation_id = "change_provider", params(("id" = String, Path)), request_body = ProviderChange, responses((status = 200, body = Provider)))]
pub async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(change): Body<ProviderChange>,
) -> Answer<Json<Provider>> {
    let provider = app.broker.find_provider(&id).await?;
    let edit = ProviderEdit {
        name: change.name,
        enabled: change.enabled,
        settings: match change.settings {
            Some(new) => Some(settings(&app, new).await?),
            None => None,
        },
        secret: change.secret.map(Into::into),
    };
    Ok(Json(answer(&app, app.broker.change_provider(provider.id, edit).await?).await?))
}

/// Forget a provider that nobody here comes from.
#[utoipa::path(delete, path = "/providers/{id}", tag = "providers", operation_id = "delete_provider", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let provider = app.broker.find_provider(&id).await?;
    app.broker.delete_provider(provider.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask a provider what it is, and whether it knows us. Changes nothing.
#[utoipa::path(post, path = "/providers/{id}/test", tag = "providers", operation_id = "test_provider", params(("id" = String, Path)), responses((status = 200, body = ProviderAnswer)))]
pub async fn test(
    State(app): State<App>,
    Path(id): Path<String>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Answer<Json<ProviderAnswer>> {
    let provider = app.broker.find_provider(&id).await?;
    // Over the unix socket it is not that of our pages, and providers look at the code first.
    let origin = own_origin(&headers, peer)?;
    let said = app.broker.test_provider(provider.id, &origin).await?;
    Ok(Json(ProviderAnswer {
        authorization_endpoint: said.authorization,
        token_endpoint: said.token,
        userinfo_endpoint: said.userinfo,
        keys: said.keys as u64,
        algorithms: said.algorithms,
        knows_pkce: said.knows_pkce,
        client_refused: said.client.err(),
    }))
}
