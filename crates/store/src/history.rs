//! How things stood, minute by minute.

use crate::{Store, StoreError, codec};
use oriel_model::{HISTORY_COARSE_MINUTES, HISTORY_FINE_MINUTES, HISTORY_MINUTES_MAX, HistoryPoint};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "history")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub at_minute: i64,
        pub in_use: i64,
        pub running: i64,
        pub desktops: i64,
        pub failed: i64,
        pub spares: i64,
        pub spares_wanted: i64,
        pub gpu_units: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for HistoryPoint {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let number = |number| codec::number("history", number);
        Ok(Self {
            minute: row.at_minute,
            in_use: number(row.in_use)?,
            running: number(row.running)?,
            desktops: number(row.desktops)?,
            failed: number(row.failed)?,
            spares: number(row.spares)?,
            spares_wanted: number(row.spares_wanted)?,
            gpu_units: number(row.gpu_units)?,
        })
    }
}

impl Store {
    /// Keeps a point, unless its minute has one, and lets go of what is too old or too close together for its age.
    pub async fn note_history(&self, point: &HistoryPoint) -> Result<(), StoreError> {
        let row = row::Model {
            at_minute: point.minute,
            in_use: codec::big(point.in_use),
            running: codec::big(point.running),
            desktops: codec::big(point.desktops),
            failed: codec::big(point.failed),
            spares: codec::big(point.spares),
            spares_wanted: codec::big(point.spares_wanted),
            gpu_units: codec::big(point.gpu_units),
        };
        row::Entity::insert(row.into_active_model())
            .on_conflict(OnConflict::column(row::Column::AtMinute).do_nothing().to_owned())
            .exec_without_returning(&self.writer)
            .await?;
        let between = Condition::all()
            .add(row::Column::AtMinute.lt(point.minute - HISTORY_FINE_MINUTES))
            .add(Expr::cust(format!("at_minute % {HISTORY_COARSE_MINUTES} <> 0")));
        let over = Condition::any().add(row::Column::AtMinute.lt(point.minute - HISTORY_MINUTES_MAX)).add(between);
        row::Entity::delete_many().filter(over).exec(&self.writer).await?;
        Ok(())
    }

    /// From a minute on, oldest first: a few thousand at most.
    pub async fn history(&self, from: i64) -> Result<Vec<HistoryPoint>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::AtMinute.gte(from))
            .order_by_asc(row::Column::AtMinute)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(HistoryPoint::try_from).collect()
    }
}
