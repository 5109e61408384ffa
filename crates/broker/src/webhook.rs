//! Webhooks: rows of the audit, sent to addresses of an admin's choice.
//!
//! A message is sent again until it is taken: its rows come in order, and may come twice.

mod post;

use crate::clock::now;
use crate::subscription::Subscriber;
use crate::{Broker, BrokerError};
use async_trait::async_trait;
use oriel_identity::{hmac_sha256_hex, random_token};
use oriel_model::{AuditEntry, Micros, Subscription, WEBHOOK_URL_BYTES_MAX, WEBHOOKS_MAX, Webhook, WebhookId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

pub struct NewWebhook {
    pub url: String,
    /// Operations, or beginnings of them; all when empty.
    pub events: Vec<String>,
}

impl Broker {
    /// All webhooks, and the number of the audit's newest row.
    pub async fn webhooks(&self) -> Result<(Vec<Webhook>, u64), BrokerError> {
        let (all, head) = tokio::try_join!(self.inner.store.webhooks(), self.inner.store.audit_head())?;
        Ok((all, head.0))
    }

    /// By id or by address.
    pub async fn find_webhook(&self, key: &str) -> Result<Webhook, BrokerError> {
        let id = key.parse::<WebhookId>().ok();
        let all = self.inner.store.webhooks().await?;
        all.into_iter()
            .find(|one| Some(one.id) == id || one.url == key)
            .ok_or_else(|| BrokerError::missing("webhook", key))
    }

    /// The new webhook, and what its messages are signed with: told here and never again. It is told of what is done from now on.
    pub async fn create_webhook(&self, new: NewWebhook) -> Result<(Webhook, SecretString), BrokerError> {
        let url = self.checked(&new.url)?;
        Subscription::check_events(&new.events).map_err(|text| {
            BrokerError::invalid("bad_webhook", text, "the field `action` of the audit shows operations by their names")
        })?;
        if self.inner.store.webhooks().await?.len() >= WEBHOOKS_MAX {
            return Err(BrokerError::conflict(
                "too_many_webhooks",
                format!("there are {WEBHOOKS_MAX} webhooks already"),
                "remove one first",
            ));
        }
        let webhook = Webhook {
            id: WebhookId::new(),
            url: url.to_string(),
            subscription: Subscription::from_now(new.events, self.inner.store.audit_head().await?.0),
            created: now(),
        };
        let (secret, _) = random_token();
        let sealed = self
            .inner
            .vault
            .seal(secret.expose_secret(), &context_of(webhook.id))
            .map_err(|error| BrokerError::internal("sealing a webhook's secret", error))?;
        self.inner.store.create_webhook(&webhook, &sealed).await?;
        Ok((webhook, secret))
    }

    pub async fn delete_webhook(&self, id: WebhookId) -> Result<(), BrokerError> {
        Ok(self.inner.store.delete_webhook(id).await?)
    }

    /// Sends a message without rows, whatever the webhook waits for.
    pub async fn test_webhook(&self, webhook: &Webhook) -> Result<(), BrokerError> {
        self.post(webhook, &[]).await?.map_err(|why| {
            BrokerError::conflict(
                "webhook_failed",
                format!("the message to {} was not taken: {why}", webhook.url),
                "put right what it says, and test it again",
            )
        })
    }

    /// One message. The inner error says why it was not taken.
    async fn post(&self, webhook: &Webhook, rows: &[AuditEntry]) -> Result<Result<(), String>, BrokerError> {
        let Some(sealed) = self.inner.store.webhook_secret(webhook.id).await? else {
            return Ok(Err("it was removed meanwhile".to_owned()));
        };
        // As after a restore beside another key. That is this one's trouble, and none of the others'.
        let secret = match self.inner.vault.open(&sealed, &context_of(webhook.id)) {
            Ok(secret) => secret,
            Err(error) => return Ok(Err(format!("its secret cannot be opened: {error}"))),
        };
        let events: Vec<Value> = rows.iter().map(event).collect();
        let body = json!({"webhook": webhook.id.to_string(), "events": events}).to_string();
        let signature = signature(&secret, now(), &body);
        let Ok(url) = Url::parse(&webhook.url) else { return Ok(Err("its address cannot be read".to_owned())) };
        Ok(post::post(self.outside(), &url, &signature, body.into()).await)
    }

    /// An address that messages may be sent to. What a name means is looked at when it is dialled.
    fn checked(&self, text: &str) -> Result<Url, BrokerError> {
        let bad = |text: String, next: &str| BrokerError::invalid("bad_webhook", text, next);
        let url =
            Url::parse(text).ok().filter(|url| url.has_host() && text.len() <= WEBHOOK_URL_BYTES_MAX).ok_or_else(
                || bad("this is no address of a web server".to_owned(), "give one like https://log.example/oriel"),
            )?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(bad(
                "a webhook's address has no account and no fragment".to_owned(),
                "messages are signed: that is how their receiver knows them",
            ));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
            _ => None,
        };
        match url.scheme() {
            "https" => {}
            // To this machine alone: elsewhere everybody on the way reads along.
            "http" if literal.is_some_and(|address| address.is_loopback()) => {}
            _ => {
                return Err(bad(
                    "what was done is sent by https only".to_owned(),
                    "give an address that begins with https://; http:// is for loopback addresses",
                ));
            }
        }
        if let Some(address) = literal {
            let port = url.port_or_known_default().unwrap_or(443);
            self.outside().check(&address.to_string(), SocketAddr::new(address, port))?;
        }
        Ok(url)
    }
}

#[async_trait]
impl Subscriber for Webhook {
    const ALL: &'static str = "webhooks";
    type Id = WebhookId;

    fn id(&self) -> WebhookId {
        self.id
    }

    /// Keys of receivers stand in addresses.
    fn shown(&self) -> String {
        format!("webhook {}", self.id)
    }

    fn subscription(&mut self) -> &mut Subscription {
        &mut self.subscription
    }

    async fn all(broker: &Broker) -> Result<Vec<Self>, BrokerError> {
        Ok(broker.inner.store.webhooks().await?)
    }

    async fn send(&self, broker: &Broker, rows: &[AuditEntry]) -> Result<Result<(), String>, BrokerError> {
        broker.post(self, rows).await
    }

    async fn keep(&self, broker: &Broker) -> Result<(), BrokerError> {
        Ok(broker.inner.store.set_webhook_progress(self).await?)
    }
}

pub(crate) fn context_of(id: WebhookId) -> String {
    format!("webhook:{id}")
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 over the seconds, a dot and the body, so that an old message is known as old.
fn signature(secret: &SecretString, at: Micros, body: &str) -> String {
    let seconds = at.0 / 1_000_000;
    let signed = hmac_sha256_hex(secret.expose_secret().as_bytes(), format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={signed}")
}

/// A row as the API shows it.
fn event(row: &AuditEntry) -> Value {
    let what = &row.what;
    json!({
        "seq": row.seq, "at": row.at.rfc3339(), "actor": what.actor.map(|id| id.to_string()), "actor_name": what.actor_name,
        "via": what.via, "action": what.action, "target": what.target, "address": what.address, "outcome": what.outcome,
        "code": what.code, "previous": row.previous, "hash": row.hash,
    })
}
