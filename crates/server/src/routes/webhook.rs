//! Addresses that are told of what is done.

use crate::{
    Answer, App,
    api::webhook::{Webhook, WebhookList, WebhookMade, WebhookNew},
    caller::Caller,
    extract::Body,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use oriel_broker::NewWebhook;
use oriel_model::Permission;
use secrecy::ExposeSecret;

/// All webhooks, and how far each is.
#[utoipa::path(get, path = "/webhooks", tag = "audit", operation_id = "list_webhooks", responses((status = 200, body = WebhookList)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<WebhookList>> {
    let (all, head) = app.broker.webhooks().await?;
    let shown = |webhook: Webhook| if caller.may(Permission::WebhooksWrite) { webhook } else { webhook.masked() };
    let webhooks = all.into_iter().map(|webhook| shown(Webhook::new(webhook, head)));
    Ok(Json(WebhookList { webhooks: webhooks.collect() }))
}

/// A new webhook: from now on it is told of what is done, in messages that are signed with the secret of the answer.
#[utoipa::path(post, path = "/webhooks", tag = "audit", operation_id = "create_webhook", request_body = WebhookNew, responses((status = 201, body = WebhookMade)))]
pub async fn create(State(app): State<App>, Body(new): Body<WebhookNew>) -> Answer<(StatusCode, Json<WebhookMade>)> {
    let new = NewWebhook { url: new.url, events: new.events.unwrap_or_default() };
    let (webhook, secret) = app.broker.create_webhook(new).await?;
    let head = webhook.subscription.delivered;
    let made = WebhookMade { webhook: Webhook::new(webhook, head), secret: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Remove a webhook: what it was not told yet it is told no more.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "audit", operation_id = "delete_webhook", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let webhook = app.broker.find_webhook(&id).await?;
    app.broker.delete_webhook(webhook.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a webhook a message without rows, and see whether it is taken.
#[utoipa::path(post, path = "/webhooks/{id}/test", tag = "audit", operation_id = "test_webhook", params(("id" = String, Path)), responses((status = 204)))]
pub async fn test(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    let webhook = app.broker.find_webhook(&id).await?;
    app.broker.test_webhook(&webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}
