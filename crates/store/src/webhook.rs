//! Webhooks, and how far each is in the audit.

use crate::{Store, StoreError, codec};
use oriel_model::{Micros, Subscription, Webhook, WebhookId};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "webhook")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub url: String,
        /// JSON.
        pub events: String,
        pub sealed: String,
        pub delivered: i64,
        pub failures: i64,
        pub next_try: i64,
        pub last_error: Option<String>,
        pub lost: i64,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Webhook {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("webhook", &row.id)?,
            url: row.url,
            subscription: Subscription {
                events: codec::from_json("webhook", &row.events)?,
                delivered: codec::number("webhook", row.delivered)?,
                failures: codec::number("webhook", row.failures)?,
                next_try: Micros(row.next_try),
                last_error: row.last_error,
                lost: codec::number("webhook", row.lost)?,
            },
            created: Micros(row.created),
        })
    }
}

impl Store {
    /// `sealed`: what its messages are signed with. Errors: `Taken`.
    pub async fn create_webhook(&self, webhook: &Webhook, sealed: &str) -> Result<(), StoreError> {
        let row = row::Model {
            id: webhook.id.to_string(),
            url: webhook.url.clone(),
            events: codec::json(&webhook.subscription.events)?,
            sealed: sealed.to_owned(),
            delivered: codec::big(webhook.subscription.delivered),
            failures: i64::from(webhook.subscription.failures),
            next_try: webhook.subscription.next_try.0,
            last_error: webhook.subscription.last_error.clone(),
            lost: codec::big(webhook.subscription.lost),
            created: webhook.created.0,
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::taken(error, "webhook", &webhook.url))
    }

    /// Oldest first.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::Id).all(&self.reader).await?;
        rows.into_iter().map(Webhook::try_from).collect()
    }

    /// What its messages are signed with, sealed; `None` where it has gone.
    pub async fn webhook_secret(&self, id: WebhookId) -> Result<Option<String>, StoreError> {
        Ok(row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(|row| row.sealed))
    }

    /// Writes how far it is and how the last try went. One that has gone, or that somebody else has brought further, is left alone.
    pub async fn set_webhook_progress(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let subscription = &webhook.subscription;
        row::Entity::update_many()
            .col_expr(row::Column::Delivered, Expr::value(codec::big(subscription.delivered)))
            .col_expr(row::Column::Failures, Expr::value(i64::from(subscription.failures)))
            .col_expr(row::Column::NextTry, Expr::value(subscription.next_try.0))
            .col_expr(row::Column::LastError, Expr::value(subscription.last_error.clone()))
            .col_expr(row::Column::Lost, Expr::value(codec::big(subscription.lost)))
            .filter(row::Column::Id.eq(webhook.id.to_string()))
            .filter(row::Column::Delivered.lte(codec::big(subscription.delivered)))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// Errors: `Missing`.
    pub async fn delete_webhook(&self, id: WebhookId) -> Result<(), StoreError> {
        match row::Entity::delete_by_id(id.to_string()).exec(&self.writer).await?.rows_affected {
            0 => Err(StoreError::missing("webhook", id)),
            _ => Ok(()),
        }
    }
}
