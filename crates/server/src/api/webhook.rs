//! Addresses that are told of what is done.

use super::subscription::Subscription;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    pub id: String,
    /// Without its query for who may not change webhooks: keys of receivers stand there.
    pub url: String,
    #[serde(flatten)]
    pub subscription: Subscription,
    pub created_at: String,
}

impl Webhook {
    /// `head`: the audit's newest row.
    pub fn new(webhook: model::Webhook, head: u64) -> Self {
        Self {
            id: webhook.id.to_string(),
            url: webhook.url,
            subscription: Subscription::new(webhook.subscription, head),
            created_at: webhook.created.rfc3339(),
        }
    }

    /// For who only reads.
    #[must_use]
    pub fn masked(mut self) -> Self {
        if let Some((place, _)) = self.url.split_once('?') {
            self.url = format!("{place}?…");
        }
        self
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookList {
    pub webhooks: Vec<Webhook>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookNew {
    /// An https address, which the configuration must let Oriel dial where it is not public; http for loopback addresses.
    pub url: String,
    /// Operations that it is told of (`change_pool`), or beginnings of them (`delete_*`); all when left out.
    #[serde(default)]
    pub events: Option<Vec<String>>,
}

/// A new webhook, with what its messages are signed with: shown here and never again.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct WebhookMade {
    pub webhook: Webhook,
    pub secret: String,
}
