//! How far one is who is told of what is done.

use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What one is told of, and how far that has come.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Subscription {
    /// Operations that it is told of (`change_pool`), or beginnings of them (`delete_*`); all when empty.
    pub events: Vec<String>,
    /// The newest row of the audit that was taken, or that it is not told of.
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
}

impl Subscription {
    /// `head`: the audit's newest row.
    pub fn new(subscription: model::Subscription, head: u64) -> Self {
        Self {
            behind: head.saturating_sub(subscription.delivered),
            next_try_at: (subscription.failures > 0).then(|| subscription.next_try.rfc3339()),
            events: subscription.events,
            delivered: subscription.delivered,
            failures: subscription.failures,
            last_error: subscription.last_error,
            lost: subscription.lost,
        }
    }
}
