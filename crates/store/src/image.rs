//! Golden disks and their versions.

use crate::{Store, StoreError, codec};
use oriel_model::{Image, ImageId, ImageState, Micros, Name};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, Set,
    sea_query::{Expr, ExprTrait, OnConflict},
};

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "image")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub version: i64,
        pub state: String,
        pub os: String,
        /// JSON.
        pub source: String,
        pub sha256: String,
        pub virtual_bytes: i64,
        pub file_bytes: i64,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// The last version given out for each name.
mod line {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "image_line")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub last_version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Image {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("image", &row.id)?,
            name: codec::parse("image", &row.name)?,
            version: codec::number("image", row.version)?,
            state: codec::from_word("image", row.state)?,
            os: codec::from_word("image", row.os)?,
            source: codec::from_json("image", &row.source)?,
            sha256: row.sha256,
            virtual_bytes: codec::number("image", row.virtual_bytes)?,
            file_bytes: codec::number("image", row.file_bytes)?,
            created: Micros(row.created),
        })
    }
}

impl Store {
    /// Adds an image as the next version of its name: 1, 2, 3… in the order they come, whatever `image.version` says;
    /// the number of a deleted version is not given out again. Returns the image with its version.
    pub async fn put_image(&self, image: &Image) -> Result<Image, StoreError> {
        let txn = self.begin().await?;
        let next = line::ActiveModel { name: Set(image.name.to_string()), last_version: Set(1) };
        let counter = line::Column::LastVersion;
        // One statement counts and holds the name's line, so that builds that end together get different versions.
        let line = line::Entity::insert(next)
            .on_conflict(
                OnConflict::column(line::Column::Name)
                    .value(counter, Expr::col((line::Entity, counter)).add(1_i64))
                    .to_owned(),
            )
            .exec_with_returning(&txn)
            .await?;
        let row = row::Model {
            id: image.id.to_string(),
            name: image.name.to_string(),
            version: line.last_version,
            state: codec::word(image.state)?,
            os: codec::word(image.os)?,
            source: codec::json(&image.source)?,
            sha256: image.sha256.clone(),
            virtual_bytes: codec::big(image.virtual_bytes),
            file_bytes: codec::big(image.file_bytes),
            created: image.created.0,
        };
        row::Entity::insert(row.clone().into_active_model()).exec_without_returning(&txn).await?;
        txn.commit().await?;
        Image::try_from(row)
    }

    pub async fn image(&self, id: ImageId) -> Result<Option<Image>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Image::try_from).transpose()
    }

    /// That version, or without one the newest that is ready.
    pub async fn image_by_name(&self, name: &Name, version: Option<u32>) -> Result<Option<Image>, StoreError> {
        let line = row::Entity::find().filter(row::Column::Name.eq(name.as_str()));
        let wanted = match version {
            Some(version) => line.filter(row::Column::Version.eq(i64::from(version))),
            None => {
                line.filter(row::Column::State.eq(codec::word(ImageState::Ready)?)).order_by_desc(row::Column::Version)
            }
        };
        wanted.one(&self.reader).await?.map(Image::try_from).transpose()
    }

    /// By name, newest version first.
    pub async fn images(&self) -> Result<Vec<Image>, StoreError> {
        let rows = row::Entity::find()
            .order_by_asc(row::Column::Name)
            .order_by_desc(row::Column::Version)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(Image::try_from).collect()
    }

    /// Errors: `Missing`.
    pub async fn set_image_state(&self, id: ImageId, state: ImageState) -> Result<(), StoreError> {
        let done = row::Entity::update_many()
            .col_expr(row::Column::State, Expr::value(codec::word(state)?))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.writer)
            .await?;
        if done.rows_affected == 0 { Err(StoreError::missing("image", id)) } else { Ok(()) }
    }

    /// Errors: `Missing`; `InUse` while a pool names it, a pool's last roll-out leads to it or away from it, or a desktop's disk is a clone of it.
    pub async fn delete_image(&self, id: ImageId) -> Result<(), StoreError> {
        let done = row::Entity::delete_by_id(id.to_string())
            .exec(&self.writer)
            .await
            .map_err(|error| StoreError::in_use(error, "image", "pools, their roll-outs or desktops"))?;
        if done.rows_affected == 0 { Err(StoreError::missing("image", id)) } else { Ok(()) }
    }
}
