//! Programs that pools publish.

use crate::{Store, StoreError, codec, pool};
use oriel_model::{App, AppId, Micros, PoolId, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "app")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub pool_id: String,
        pub name: String,
        /// JSON.
        pub run: String,
        pub created: i64,
        pub icon: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod icon {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "app_icon")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub app_id: String,
        pub png: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for App {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("app", &row.id)?,
            pool: codec::parse("app", &row.pool_id)?,
            name: row.name,
            run: codec::from_json("app", &row.run)?,
            icon: row.icon,
            created: Micros(row.created),
        })
    }
}

fn to_row(app: &App) -> Result<row::Model, StoreError> {
    Ok(row::Model {
        id: app.id.to_string(),
        pool_id: app.pool.to_string(),
        name: app.name.clone(),
        run: codec::json(&app.run)?,
        created: app.created.0,
        icon: app.icon.clone(),
    })
}

fn refused(error: DbErr, app: &App) -> StoreError {
    match error.sql_err() {
        Some(sea_orm::SqlErr::ForeignKeyConstraintViolation(_)) => StoreError::missing("pool", app.pool),
        _ => StoreError::taken(error, "app", &app.name),
    }
}

async fn put_icon(txn: &DatabaseTransaction, app: &App, png: &[u8]) -> Result<(), StoreError> {
    let row = icon::Model { app_id: app.id.to_string(), png: codec::hex(png) };
    icon::Entity::insert(row.into_active_model()).exec_without_returning(txn).await?;
    Ok(())
}

impl Store {
    /// With its picture, if it has one. Errors: `Taken` name in its pool, `Missing` pool.
    pub async fn create_app(&self, app: &App, png: Option<&[u8]>) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let insert = row::Entity::insert(to_row(app)?.into_active_model());
        insert.exec_without_returning(&txn).await.map_err(|error| refused(error, app))?;
        if let Some(png) = png {
            put_icon(&txn, app, png).await?;
        }
        txn.commit().await?;
        Ok(())
    }

    /// Writes name, what it runs, and its picture, where that is said: `Some(None)` takes it away. Errors: `Taken`, `Missing`.
    pub async fn update_app(&self, app: &App, png: Option<Option<&[u8]>>) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let mut row = to_row(app)?.into_active_model().reset_all();
        row.id = sea_orm::Unchanged(app.id.to_string());
        row.created = sea_orm::NotSet;
        if png.is_none() {
            // Somebody else may have changed it meanwhile.
            row.icon = sea_orm::NotSet;
        }
        match row.update(&txn).await {
            Ok(_) => {}
            Err(DbErr::RecordNotUpdated) => return Err(StoreError::missing("app", app.id)),
            Err(error) => return Err(refused(error, app)),
        }
        if let Some(png) = png {
            icon::Entity::delete_by_id(app.id.to_string()).exec(&txn).await?;
            if let Some(png) = png {
                put_icon(&txn, app, png).await?;
            }
        }
        txn.commit().await?;
        Ok(())
    }

    /// Its picture, if it has one.
    pub async fn app_icon(&self, id: AppId) -> Result<Option<Vec<u8>>, StoreError> {
        let row = icon::Entity::find_by_id(id.to_string()).one(&self.reader).await?;
        row.map(|row| codec::from_hex("icon", &row.png)).transpose()
    }

    /// Errors: `Missing`.
    pub async fn delete_app(&self, id: AppId) -> Result<(), StoreError> {
        let done = row::Entity::delete_by_id(id.to_string()).exec(&self.writer).await?;
        if done.rows_affected == 0 { Err(StoreError::missing("app", id)) } else { Ok(()) }
    }

    pub async fn app(&self, id: AppId) -> Result<Option<App>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(App::try_from).transpose()
    }

    /// All, by name.
    pub async fn apps(&self) -> Result<Vec<App>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::Name).order_by_asc(row::Column::Id);
        rows.all(&self.reader).await?.into_iter().map(App::try_from).collect()
    }

    /// Those of a pool, by name.
    pub async fn apps_in(&self, pool: PoolId) -> Result<Vec<App>, StoreError> {
        let rows = row::Entity::find().filter(row::Column::PoolId.eq(pool.to_string())).order_by_asc(row::Column::Name);
        rows.all(&self.reader).await?.into_iter().map(App::try_from).collect()
    }

    /// Those of pools that somebody may use, by name.
    pub async fn apps_for(&self, user: UserId) -> Result<Vec<App>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::PoolId.in_subquery(pool::allowed(user)))
            .order_by_asc(row::Column::Name)
            .order_by_asc(row::Column::Id);
        rows.all(&self.reader).await?.into_iter().map(App::try_from).collect()
    }
}
