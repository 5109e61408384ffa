//! Webhooks: addresses that are told of what was done.

use crate::{Micros, Subscription, WebhookId};

pub const WEBHOOKS_MAX: usize = 20;
pub const WEBHOOK_URL_BYTES_MAX: usize = 2048;

/// One address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub id: WebhookId,
    pub url: String,
    pub subscription: Subscription,
    pub created: Micros,
}
