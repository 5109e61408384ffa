//! Receivers of syslog, and how far each is in the audit.

use crate::{Store, StoreError, codec};
use oriel_model::{Micros, Subscription, Syslog, SyslogId};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "syslog")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub target: String,
        pub facility: String,
        pub app_name: String,
        pub enterprise: i64,
        pub ca: Option<String>,
        /// JSON.
        pub events: String,
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

impl TryFrom<row::Model> for Syslog {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("syslog", &row.id)?,
            target: codec::parse("syslog", &row.target)?,
            facility: codec::parse("syslog", &row.facility)?,
            app_name: row.app_name,
            enterprise: codec::number("syslog", row.enterprise)?,
            ca: row.ca,
            subscription: Subscription {
                events: codec::from_json("syslog", &row.events)?,
                delivered: codec::number("syslog", row.delivered)?,
                failures: codec::number("syslog", row.failures)?,
                next_try: Micros(row.next_try),
                last_error: row.last_error,
                lost: codec::number("syslog", row.lost)?,
            },
            created: Micros(row.created),
        })
    }
}

impl Store {
    /// Errors: `Taken`.
    pub async fn create_syslog(&self, syslog: &Syslog) -> Result<(), StoreError> {
        let target = syslog.target.to_string();
        let row = row::Model {
            id: syslog.id.to_string(),
            target: target.clone(),
            facility: syslog.facility.to_string(),
            app_name: syslog.app_name.clone(),
            enterprise: i64::from(syslog.enterprise),
            ca: syslog.ca.clone(),
            events: codec::json(&syslog.subscription.events)?,
            delivered: codec::big(syslog.subscription.delivered),
            failures: i64::from(syslog.subscription.failures),
            next_try: syslog.subscription.next_try.0,
            last_error: syslog.subscription.last_error.clone(),
            lost: codec::big(syslog.subscription.lost),
            created: syslog.created.0,
        };
        row::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::taken(error, "receiver of syslog", &target))
    }

    /// Oldest first.
    pub async fn syslogs(&self) -> Result<Vec<Syslog>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::Id).all(&self.reader).await?;
        rows.into_iter().map(Syslog::try_from).collect()
    }

    /// Writes how far it is and how the last try went. One that has gone, or that somebody else has brought further, is left alone.
    pub async fn set_syslog_progress(&self, syslog: &Syslog) -> Result<(), StoreError> {
        let subscription = &syslog.subscription;
        row::Entity::update_many()
            .col_expr(row::Column::Delivered, Expr::value(codec::big(subscription.delivered)))
            .col_expr(row::Column::Failures, Expr::value(i64::from(subscription.failures)))
            .col_expr(row::Column::NextTry, Expr::value(subscription.next_try.0))
            .col_expr(row::Column::LastError, Expr::value(subscription.last_error.clone()))
            .col_expr(row::Column::Lost, Expr::value(codec::big(subscription.lost)))
            .filter(row::Column::Id.eq(syslog.id.to_string()))
            .filter(row::Column::Delivered.lte(codec::big(subscription.delivered)))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// Errors: `Missing`.
    pub async fn delete_syslog(&self, id: SyslogId) -> Result<(), StoreError> {
        match row::Entity::delete_by_id(id.to_string()).exec(&self.writer).await?.rows_affected {
            0 => Err(StoreError::missing("receiver of syslog", id)),
            _ => Ok(()),
        }
    }
}
