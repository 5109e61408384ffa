//! Addresses that are told of what is done.

use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    pub id: String,
    /// Without its query for who may not change webhooks: keys of receivers stand there.
    pub url: String,
    /// Operations that it is told of (`change_pool`), or beginnings of them (`delete_*`); all when empty.
    pub events: Vec<String>,
    /// The newest row of the audit that it took, or that it is not told of.
    pub delivered: u64,
    /// Newer rows of the audit.
    pub behind: u64,
    /// How often the next message was sent in vain.
    pub failures: u32,
    /// When it is sent again, RFC 3339; null where none waits.
    #[schema(required)]
    pub next_try_at: Option<String>,
    /// Why the last one was not taken.
    #[schema(required)]
    pub last_error: Option<String>,
    /// Rows that it was never told of, as it was too far behind.
    pub lost: u64,
    pub created_at: String,
}

impl Webhook {
    /// `head`: the audit's newest row.
    pub fn new(webhook: model::Webhook, head: u64) -> Self {
        Self {
            id: webhook.id.to_string(),
            url: webhook.url,
            events: webhook.subscription.events,
            delivered: webhook.subscription.delivered,
            behind: head.saturating_sub(webhook.subscription.delivered),
            failures: webhook.subscription.failures,
            next_try_at: (webhook.subscription.failures > 0).then(|| webhook.subscription.next_try.rfc3339()),
            last_error: webhook.subscription.last_error,
            lost: webhook.subscription.lost,
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
