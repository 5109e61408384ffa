//! Long jobs and where they stand.

use crate::{Store, StoreError, change::changed, codec, now, personal_disk};
use oriel_model::{DiskHolder, Micros, Operation, OperationId, OperationState};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "operation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        /// JSON.
        pub kind: String,
        pub state: String,
        pub progress: f64,
        pub step: String,
        /// JSON.
        pub log: String,
        pub error: Option<String>,
        pub result: Option<String>,
        pub cancel_requested: bool,
        pub by_id: Option<String>,
        pub created: i64,
        pub changed: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Operation {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("operation", &row.id)?,
            kind: codec::from_json("operation", &row.kind)?,
            state: codec::from_word("operation", row.state)?,
            progress: row.progress,
            step: row.step,
            log: codec::from_json("operation", &row.log)?,
            error: row.error,
            result: row.result,
            cancel_requested: row.cancel_requested,
            by: row.by_id.map(|id| codec::parse("operation", &id)).transpose()?,
            created: Micros(row.created),
            changed: Micros(row.changed),
        })
    }
}

fn to_row(operation: &Operation) -> Result<row::Model, StoreError> {
    Ok(row::Model {
        id: operation.id.to_string(),
        kind: codec::json(&operation.kind)?,
        state: codec::word(operation.state)?,
        progress: operation.progress,
        step: operation.step.clone(),
        log: codec::json(&last_lines(&operation.log))?,
        error: operation.error.clone(),
        result: operation.result.clone(),
        cancel_requested: operation.cancel_requested,
        by_id: operation.by.map(|id| id.to_string()),
        created: operation.created.0,
        changed: operation.changed.0,
    })
}

/// A log is bounded in lines and in their length, whatever is poured into it.
fn last_lines(log: &[String]) -> Vec<String> {
    log.iter()
        .skip(log.len().saturating_sub(Operation::LOG_LINES_MAX))
        .map(|line| line.chars().take(Operation::LOG_CHARS_MAX).collect())
        .collect()
}

impl Store {
    pub async fn create_operation(&self, operation: &Operation) -> Result<(), StoreError> {
        row::Entity::insert(to_row(operation)?.into_active_model()).exec_without_returning(&self.writer).await?;
        Ok(())
    }

    pub async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Operation::try_from).transpose()
    }

    /// The newest `limit`, newest first.
    pub async fn operations(&self, limit: u64) -> Result<Vec<Operation>, StoreError> {
        let rows = row::Entity::find()
            .order_by_desc(row::Column::Created)
            .order_by_desc(row::Column::Id)
            .limit(limit)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(Operation::try_from).collect()
    }

    /// As [`Store::modify_desktop`]: holds the row while `change` changes it. The log is cut to its last
    /// `LOG_LINES_MAX` lines. Errors: `Missing`.
    pub async fn modify_operation(
        &self,
        id: OperationId,
        change: impl FnOnce(&mut Operation) + Send,
    ) -> Result<Operation, StoreError> {
        let txn = self.begin().await?;
        let row = row::Entity::find_by_id(id.to_string()).lock_exclusive().one(&txn).await?;
        let mut before = Operation::try_from(row.ok_or_else(|| StoreError::missing("operation", id))?)?;
        let Some(mut after) = changed(&mut before, now(), change) else { return Ok(before) };
        after.log = last_lines(&after.log);
        to_row(&after)?.into_active_model().reset_all().update(&txn).await?;
        txn.commit().await?;
        Ok(after)
    }

    /// As [`Store::modify_operation`], for one that has ended and that gives back the disk of somebody that it holds, both or neither: one
    /// that did not say that it had ended is done once more, which must not be after others had the disk. Errors: `Missing`.
    pub async fn end_disk_work(
        &self,
        id: OperationId,
        change: impl FnOnce(&mut Operation) + Send,
    ) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let row = row::Entity::find_by_id(id.to_string()).lock_exclusive().one(&txn).await?;
        let mut before = Operation::try_from(row.ok_or_else(|| StoreError::missing("operation", id))?)?;
        if let Some(mut after) = changed(&mut before, now(), change) {
            after.log = last_lines(&after.log);
            to_row(&after)?.into_active_model().reset_all().update(&txn).await?;
        }
        personal_disk::give_back(&txn, DiskHolder::Operation(id)).await?;
        txn.commit().await?;
        Ok(())
    }

    /// At start-up: what was running when the program ended is put back into the queue. Returns how many.
    ///
    /// Only for the one program that runs operations on this database.
    pub async fn requeue_running(&self) -> Result<u64, StoreError> {
        let done = row::Entity::update_many()
            .col_expr(row::Column::State, Expr::value(codec::word(OperationState::Queued)?))
            .col_expr(row::Column::Changed, Expr::value(now().0))
            .filter(row::Column::State.eq(codec::word(OperationState::Running)?))
            .exec(&self.writer)
            .await?;
        Ok(done.rows_affected)
    }
}
