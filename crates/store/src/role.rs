//! Which pools their admins administer.

use crate::{Store, StoreError, codec};
use oriel_model::{PoolId, UserId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use std::collections::BTreeSet;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "pool_admin")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub pool_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl Store {
    /// The pools that somebody administers from now on, and no others. Errors: `Missing` when one has gone, or the person.
    pub async fn set_administered(&self, user: UserId, pools: &BTreeSet<PoolId>) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        row::Entity::delete_many().filter(row::Column::UserId.eq(user.to_string())).exec(&txn).await?;
        if !pools.is_empty() {
            let rows = pools
                .iter()
                .map(|pool| row::ActiveModel { pool_id: Set(pool.to_string()), user_id: Set(user.to_string()) });
            row::Entity::insert_many(rows)
                .exec_without_returning(&txn)
                .await
                .map_err(|error| StoreError::dangling(error, "pool or user", user))?;
        }
        txn.commit().await?;
        Ok(())
    }

    pub async fn administered(&self, user: UserId) -> Result<BTreeSet<PoolId>, StoreError> {
        let rows = row::Entity::find().filter(row::Column::UserId.eq(user.to_string())).all(&self.reader).await?;
        rows.into_iter().map(|row| codec::parse("pool admin", &row.pool_id)).collect()
    }

    /// Who administers which pool, for lists.
    pub async fn pool_admins(&self) -> Result<Vec<(UserId, PoolId)>, StoreError> {
        let rows = row::Entity::find().all(&self.reader).await?;
        rows.into_iter()
            .map(|row| Ok((codec::parse("pool admin", &row.user_id)?, codec::parse("pool admin", &row.pool_id)?)))
            .collect()
    }
}
