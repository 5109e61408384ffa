//! The audit's rows: added, read, and never changed.

use crate::{Store, StoreError, codec, user};
use oriel_model::{AuditDeed, AuditEntry, AuditQuery, Micros};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        pub at: i64,
        pub actor_id: Option<String>,
        pub actor_name: String,
        pub actor_folded: String,
        pub via: String,
        pub action: String,
        pub target: String,
        pub address: String,
        pub outcome: i64,
        pub code: String,
        pub previous: String,
        pub hash: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod head {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_head")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub seq: i64,
        pub hash: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for AuditEntry {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            seq: codec::number("audit", row.seq)?,
            at: Micros(row.at),
            what: AuditDeed {
                actor: row.actor_id.map(|id| codec::parse("audit", &id)).transpose()?,
                actor_name: row.actor_name,
                via: row.via,
                action: row.action,
                target: row.target,
                address: row.address,
                outcome: codec::number("audit", row.outcome)?,
                code: row.code,
            },
            previous: row.previous,
            hash: row.hash,
        })
    }
}

impl Store {
    /// Adds a row behind the newest one. `hash` is asked with the row's text ([`AuditEntry::text`]); the store does not know how.
    pub async fn append_audit(
        &self,
        at: Micros,
        what: AuditDeed,
        hash: impl FnOnce(&str) -> String + Send,
    ) -> Result<AuditEntry, StoreError> {
        let txn = self.begin().await?;
        let newest = head::Entity::find_by_id(1).lock_exclusive().one(&txn).await?;
        let newest = newest.ok_or_else(|| StoreError::missing("audit", "head"))?;
        let seq = newest.seq.saturating_add(1);
        let sealed = hash(&AuditEntry::text(codec::number("audit", seq)?, at, &what, &newest.hash));
        let row = row::Model {
            seq,
            at: at.0,
            actor_id: what.actor.map(|id| id.to_string()),
            actor_folded: user::fold(&what.actor_name),
            actor_name: what.actor_name,
            via: what.via,
            action: what.action,
            target: what.target,
            address: what.address,
            outcome: i64::from(what.outcome),
            code: what.code,
            previous: newest.hash.clone(),
            hash: sealed.clone(),
        };
        row::Entity::insert(row.clone().into_active_model()).exec_without_returning(&txn).await?;
        let mut newest = newest.into_active_model();
        (newest.seq, newest.hash) = (Set(seq), Set(sealed));
        newest.update(&txn).await?;
        txn.commit().await?;
        row.try_into()
    }

    /// The newest first, at most so many.
    pub async fn audit(&self, query: &AuditQuery, limit: u64) -> Result<Vec<AuditEntry>, StoreError> {
        let mut wanted = row::Entity::find();
        if let Some(actor) = &query.actor {
            wanted = wanted.filter(row::Column::ActorFolded.eq(user::fold(actor)));
        }
        if let Some(action) = &query.action {
            wanted = wanted.filter(row::Column::Action.eq(action.as_str()));
        }
        if let Some(target) = &query.target {
            wanted = wanted.filter(row::Column::Target.contains(target.as_str()));
        }
        match query.refused {
            Some(true) => wanted = wanted.filter(row::Column::Outcome.gte(400)),
            Some(false) => wanted = wanted.filter(row::Column::Outcome.lt(400)),
            None => {}
        }
        if let Some(from) = query.from {
            wanted = wanted.filter(row::Column::At.gte(from.0));
        }
        if let Some(until) = query.until {
            wanted = wanted.filter(row::Column::At.lt(until.0));
        }
        if let Some(before) = query.before {
            wanted = wanted.filter(row::Column::Seq.lt(codec::big(before)));
        }
        let rows = wanted.order_by_desc(row::Column::Seq).limit(limit).all(&self.reader).await?;
        rows.into_iter().map(AuditEntry::try_from).collect()
    }

    /// From this row on, the oldest first, at most so many: to be followed row by row.
    pub async fn audit_from(&self, seq: u64, limit: u64) -> Result<Vec<AuditEntry>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::Seq.gte(codec::big(seq)))
            .order_by_asc(row::Column::Seq)
            .limit(limit)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(AuditEntry::try_from).collect()
    }

    /// Number and hash of the newest row; 0 and nothing where there is none.
    pub async fn audit_head(&self) -> Result<(u64, String), StoreError> {
        let newest = head::Entity::find_by_id(1).one(&self.reader).await?;
        let newest = newest.ok_or_else(|| StoreError::missing("audit", "head"))?;
        Ok((codec::number("audit", newest.seq)?, newest.hash))
    }
}
