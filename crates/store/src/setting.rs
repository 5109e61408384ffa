//! Small things to remember by name, for example which demo was set up.

use crate::{Store, StoreError};
use sea_orm::{EntityTrait, Set, sea_query::OnConflict};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "setting")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub value: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl Store {
    pub async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(row::Entity::find_by_id(key).one(&self.reader).await?.map(|row| row.value))
    }

    pub async fn put_setting(&self, key: &str, value: &str) -> Result<(), StoreError> {
        row::Entity::insert(row::ActiveModel { key: Set(key.to_owned()), value: Set(value.to_owned()) })
            .on_conflict(OnConflict::column(row::Column::Key).update_column(row::Column::Value).to_owned())
            .exec_without_returning(&self.writer)
            .await?;
        Ok(())
    }
}
