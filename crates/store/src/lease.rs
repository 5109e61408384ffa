//! Leases: of several programs on one database, one does a thing at a time.

use crate::{Store, StoreError};
use oriel_model::Micros;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Set, sea_query::OnConflict,
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "lease")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub holder: String,
        pub until: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl Store {
    /// Takes the lease, or keeps it, until then or longer. Answers whether it is `holder`'s now: of any number of programs that ask at
    /// once, one gets it. A holder that comes back under its name has it at once.
    pub async fn take_lease(&self, name: &str, holder: &str, now: Micros, until: Micros) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let nobody = row::ActiveModel { name: Set(name.to_owned()), holder: Set(String::new()), until: Set(0) };
        row::Entity::insert(nobody)
            .on_conflict(OnConflict::column(row::Column::Name).do_nothing().to_owned())
            .exec_without_returning(&txn)
            .await?;
        let held = row::Entity::find_by_id(name).lock_exclusive().one(&txn).await?;
        let held = held.ok_or_else(|| StoreError::missing("lease", name))?;
        if held.holder != holder && held.until > now.0 {
            return Ok(false);
        }
        // A holder asks from several tasks: one that was long on its way takes nothing back of what another was given since.
        let until = if held.holder == holder { until.0.max(held.until) } else { until.0 };
        let mut held = held.into_active_model();
        held.holder = Set(holder.to_owned());
        held.until = Set(until);
        held.update(&txn).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Lets go of it; whoever does not hold it changes nothing.
    pub async fn drop_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        row::Entity::delete_many()
            .filter(row::Column::Name.eq(name))
            .filter(row::Column::Holder.eq(holder))
            .exec(&self.writer)
            .await?;
        Ok(())
    }
}
