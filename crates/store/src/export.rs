//! Recordings in other forms, and the sealed keys of them.

use crate::{Store, StoreError, codec};
use oriel_model::{Export, Micros, OperationId, RecordingId};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "recording_export")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub recording_id: String,
        pub format: String,
        pub skip_idle: bool,
        pub ready: bool,
        pub bytes: i64,
        pub since: i64,
        pub key_sealed: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Export {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("export", &row.id)?,
            recording: codec::parse("export", &row.recording_id)?,
            format: codec::from_word("export", row.format)?,
            skip_idle: row.skip_idle,
            ready: row.ready,
            bytes: codec::number("export", row.bytes)?,
            since: Micros(row.since),
        })
    }
}

impl Store {
    pub async fn create_export(&self, export: &Export) -> Result<(), StoreError> {
        let row = row::Model {
            id: export.id.to_string(),
            recording_id: export.recording.to_string(),
            format: codec::word(export.format)?,
            skip_idle: export.skip_idle,
            ready: export.ready,
            bytes: codec::big(export.bytes),
            since: export.since.0,
            key_sealed: None,
        };
        Ok(row::Entity::insert(row.into_active_model()).exec_without_returning(&self.writer).await.map(drop)?)
    }

    pub async fn export(&self, id: OperationId) -> Result<Option<Export>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Export::try_from).transpose()
    }

    /// The sealed key of what is kept of it, where something is.
    pub async fn export_key(&self, id: OperationId) -> Result<Option<String>, StoreError> {
        Ok(row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.and_then(|row| row.key_sealed))
    }

    /// Of one recording, newest first.
    pub async fn exports(&self, recording: RecordingId) -> Result<Vec<Export>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::RecordingId.eq(recording.to_string()))
            .order_by_desc(row::Column::Since)
            .order_by_desc(row::Column::Id);
        rows.all(&self.reader).await?.into_iter().map(Export::try_from).collect()
    }

    /// Those that are there since before, oldest first, at most `count`.
    pub async fn exports_before(&self, before: Micros, count: u64) -> Result<Vec<Export>, StoreError> {
        let rows =
            row::Entity::find().filter(row::Column::Since.lt(before.0)).order_by_asc(row::Column::Since).limit(count);
        rows.all(&self.reader).await?.into_iter().map(Export::try_from).collect()
    }

    /// Something of it will be kept, under this key; what was kept under another is nothing any more. One that was deleted: false.
    pub async fn begin_export(&self, id: OperationId, key_sealed: &str) -> Result<bool, StoreError> {
        let done = row::Entity::update_many()
            .col_expr(row::Column::KeySealed, Expr::value(key_sealed.to_owned()))
            .col_expr(row::Column::Ready, Expr::value(false))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// All of it is kept. One that was deleted: false.
    pub async fn finish_export(&self, id: OperationId, bytes: u64, since: Micros) -> Result<bool, StoreError> {
        let done = row::Entity::update_many()
            .col_expr(row::Column::Ready, Expr::value(true))
            .col_expr(row::Column::Bytes, Expr::value(codec::big(bytes)))
            .col_expr(row::Column::Since, Expr::value(since.0))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// One that is not there is no error: several may delete it.
    pub async fn delete_export(&self, id: OperationId) -> Result<(), StoreError> {
        row::Entity::delete_by_id(id.to_string()).exec(&self.writer).await?;
        Ok(())
    }
}
