//! Passkeys, by the authenticator's name for them and by their people.

use crate::{
    Store, StoreError, codec,
    second_factor::{forget_rest, has_totp, replace_codes},
    user,
};
use oriel_model::{Micros, Passkey, PasskeyId, UserId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use std::collections::BTreeMap;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "passkey")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub user_id: String,
        pub label: String,
        pub credential_id: String,
        pub public_key: String,
        pub rp_id: String,
        pub user_handle: String,
        /// JSON.
        pub transports: String,
        pub sign_count: i64,
        pub synced: bool,
        pub alone: bool,
        pub created: i64,
        pub last_used: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Passkey {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("passkey", &row.id)?,
            user: codec::parse("passkey", &row.user_id)?,
            label: row.label,
            credential_id: row.credential_id,
            public_key: row.public_key,
            rp_id: row.rp_id,
            user_handle: row.user_handle,
            transports: codec::from_json("passkey", &row.transports)?,
            sign_count: codec::number("passkey", row.sign_count)?,
            synced: row.synced,
            alone: row.alone,
            created: Micros(row.created),
            last_used: row.last_used.map(Micros),
        })
    }
}

/// What became of a passkey that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyAdded {
    /// With the recovery codes that came along, because its person had none.
    WithCodes,
    Added,
    /// Its person has as many as anybody may.
    TooMany,
}

impl Store {
    /// `codes_sha256` are put with it where its person has no recovery codes yet. Errors: `Taken` for an authenticator's name that is
    /// here already, `Missing` when the user has gone.
    pub async fn add_passkey(&self, new: &Passkey, codes_sha256: &[String]) -> Result<PasskeyAdded, StoreError> {
        let txn = self.begin().await?;
        let of = new.user.to_string();
        // Two at once of one person are counted one after the other.
        user::hold(&txn, new.user).await?;
        if count_of(&txn, &of).await? >= Passkey::PER_USER_MAX {
            return Ok(PasskeyAdded::TooMany);
        }
        let row = row::Model {
            id: new.id.to_string(),
            user_id: of.clone(),
            label: new.label.clone(),
            credential_id: new.credential_id.clone(),
            public_key: new.public_key.clone(),
            rp_id: new.rp_id.clone(),
            user_handle: new.user_handle.clone(),
            transports: codec::json(&new.transports)?,
            sign_count: i64::from(new.sign_count),
            synced: new.synced,
            alone: new.alone,
            created: new.created.0,
            last_used: new.last_used.map(|at| at.0),
        };
        let added = row::Entity::insert(row.into_active_model()).exec_without_returning(&txn).await;
        added.map_err(|error| StoreError::taken(error, "passkey", &new.label))?;
        let has_codes = has_totp(&txn, &of).await? || count_of(&txn, &of).await? > 1;
        if !has_codes {
            replace_codes(&txn, new.user, codes_sha256).await?;
        }
        txn.commit().await?;
        Ok(if has_codes { PasskeyAdded::Added } else { PasskeyAdded::WithCodes })
    }

    /// By the authenticator's name for it: base64url.
    pub async fn passkey_by_credential(&self, credential_id: &str) -> Result<Option<Passkey>, StoreError> {
        let found = row::Entity::find().filter(row::Column::CredentialId.eq(credential_id)).one(&self.reader).await?;
        found.map(Passkey::try_from).transpose()
    }

    /// Oldest first.
    pub async fn passkeys_of(&self, user: UserId) -> Result<Vec<Passkey>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::UserId.eq(user.to_string()))
            .order_by_asc(row::Column::Id)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(Passkey::try_from).collect()
    }

    /// How many everybody has who has any, for lists.
    pub async fn passkeys_by_user(&self) -> Result<BTreeMap<UserId, u64>, StoreError> {
        let ids: Vec<String> =
            row::Entity::find().select_only().column(row::Column::UserId).into_tuple().all(&self.reader).await?;
        let mut counts = BTreeMap::new();
        for id in ids {
            *counts.entry(codec::parse("passkey", &id)?).or_default() += 1;
        }
        Ok(counts)
    }

    /// It was used, and its counter is this: false when it does not go on from the one before (of two that say the same one is told
    /// true), or when the passkey has gone. One that never counts stays at 0.
    pub async fn use_passkey(&self, id: PasskeyId, sign_count: u32, at: Micros) -> Result<bool, StoreError> {
        let goes_on = match i64::from(sign_count) {
            0 => row::Column::SignCount.eq(0),
            count => row::Column::SignCount.lt(count),
        };
        let done = row::Entity::update_many()
            .col_expr(row::Column::SignCount, Expr::value(i64::from(sign_count)))
            .col_expr(row::Column::LastUsed, Expr::value(at.0))
            .filter(row::Column::Id.eq(id.to_string()))
            .filter(goes_on)
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// And, with the last of somebody's factors, their recovery codes and remembered browsers. Errors: `Missing`, also when it is another
    /// user's.
    pub async fn delete_passkey(&self, id: PasskeyId, user: UserId) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let of = user.to_string();
        let mine = row::Entity::delete_by_id(id.to_string()).filter(row::Column::UserId.eq(&of));
        if mine.exec(&txn).await?.rows_affected == 0 {
            return Err(StoreError::missing("passkey", id));
        }
        if !has_totp(&txn, &of).await? && count_of(&txn, &of).await? == 0 {
            forget_rest(&txn, &of).await?;
        }
        txn.commit().await?;
        Ok(())
    }
}

pub(crate) async fn count_of(on: &impl ConnectionTrait, user: &str) -> Result<u64, StoreError> {
    Ok(row::Entity::find().filter(row::Column::UserId.eq(user)).count(on).await?)
}

pub(crate) async fn delete_all_of(on: &impl ConnectionTrait, user: &str) -> Result<u64, StoreError> {
    Ok(row::Entity::delete_many().filter(row::Column::UserId.eq(user)).exec(on).await?.rows_affected)
}
