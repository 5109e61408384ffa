//! What takes nothing new for a while: hosts, clouds, pools.
//!
//! Whoever lets a desktop start holds its row and looks here ([`Store::start_desktop`]); whoever says that a host takes nothing new
//! writes that and then holds every row once (shared: nobody who only points to one waits). So of the two one comes first: what has not begun to start when [`Store::put_maintenance`]
//! answers does not start any more.

use crate::{
    Store, StoreError,
    change::changed,
    codec,
    desktop::{locked, refused, row as desktop_row, write},
    now,
    seam::{self, Plant, planted},
};
use oriel_model::{Desktop, DesktopId, Maintenance, MaintenanceOf, Micros};
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel, QueryOrder, QuerySelect, sea_query::OnConflict};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "maintenance")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub reason: String,
        pub since: i64,
        pub deadline: Option<i64>,
        pub is_forced: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Maintenance {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            of: codec::parse("maintenance", &row.id)?,
            reason: row.reason,
            since: Micros(row.since),
            deadline: row.deadline.map(Micros),
            force: row.is_forced,
        })
    }
}

fn to_row(one: &Maintenance) -> row::Model {
    row::Model {
        id: one.of.to_string(),
        reason: one.reason.clone(),
        since: one.since.0,
        deadline: one.deadline.map(|at| at.0),
        is_forced: one.force,
    }
}

impl Store {
    /// From now on it takes nothing new. Said again, everything but `since` is as it is said now; `since` becomes the moment from which it
    /// holds. Answers it as it is then.
    pub async fn put_maintenance(&self, wanted: &Maintenance) -> Result<Maintenance, StoreError> {
        let txn = self.begin().await?;
        let id = wanted.of.to_string();
        let fresh = Maintenance { since: now(), ..wanted.clone() };
        row::Entity::insert(to_row(&fresh).into_active_model())
            .on_conflict(
                OnConflict::column(row::Column::Id)
                    .update_columns([row::Column::Reason, row::Column::Deadline, row::Column::IsForced])
                    .to_owned(),
            )
            .exec_without_returning(&txn)
            .await?;
        let kept = row::Entity::find_by_id(id).one(&txn).await?.map(Maintenance::try_from).transpose()?;
        // Whoever was letting a desktop start has done so when this goes on, and whoever comes later sees what was written.
        let rows = desktop_row::Entity::find().select_only().column(desktop_row::Column::Id);
        rows.order_by_asc(desktop_row::Column::Id).lock_shared().into_tuple::<String>().all(&txn).await?;
        txn.commit().await?;
        Ok(kept.unwrap_or(fresh))
    }

    /// It takes new ones again. Answers whether it did not.
    pub async fn end_maintenance(&self, of: MaintenanceOf) -> Result<bool, StoreError> {
        seam::pass().await;
        let gone = row::Entity::delete_by_id(of.to_string()).exec(&self.writer).await?;
        Ok(gone.rows_affected > 0)
    }

    pub async fn maintenance(&self, of: MaintenanceOf) -> Result<Option<Maintenance>, StoreError> {
        row::Entity::find_by_id(of.to_string()).one(&self.reader).await?.map(Maintenance::try_from).transpose()
    }

    /// All, by what they are of.
    pub async fn maintenances(&self) -> Result<Vec<Maintenance>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::Id).all(&self.reader).await?;
        rows.into_iter().map(Maintenance::try_from).collect()
    }

    /// As [`Store::modify_desktop`], for a desktop that is to start at that place: `change` is told whether the place takes it.
    /// Errors: `Missing`, `Taken`.
    pub async fn start_desktop(
        &self,
        id: DesktopId,
        place: MaintenanceOf,
        change: impl FnOnce(&mut Desktop, bool) + Send,
    ) -> Result<Desktop, StoreError> {
        let txn = self.begin().await?;
        let mut before = locked(&txn, id).await?;
        let open = is_open(&txn, place).await?;
        let Some(after) = changed(&mut before, now(), |desktop| change(desktop, open)) else { return Ok(before) };
        write(&txn, &after).await.map_err(|error| refused(error, &after))?;
        txn.commit().await?;
        Ok(after)
    }
}

/// Whether what stands there may start. Whoever asks holds the desktop's row.
pub(crate) async fn is_open(on: &impl ConnectionTrait, place: MaintenanceOf) -> Result<bool, StoreError> {
    let closed = row::Entity::find_by_id(place.to_string()).one(on).await?.is_some();
    Ok(!closed || planted(Plant::NoMaintenanceFence))
}
