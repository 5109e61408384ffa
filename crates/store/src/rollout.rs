//! How pools go from one version of their image to another.
//!
//! Whoever changes a roll-out holds its pool's row: of which version the pool's new desktops are changes with it, in one step.

use crate::{
    Store, StoreError, codec,
    desktop::{locked, refused, write},
    now, place,
    pool::{self, row as pool_row},
    seat::entered_until,
};
use oriel_model::{Desktop, DesktopId, DesktopIntent, ImageId, Micros, PoolId, Rollout, RolloutState};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, sea_query::Expr,
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "rollout")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub pool_id: String,
        pub from_image: String,
        pub to_image: String,
        /// JSON.
        pub plan: String,
        pub state: String,
        pub is_paused: bool,
        pub is_rollback: bool,
        pub watched_since: Option<i64>,
        /// JSON.
        pub failures: String,
        pub reason: Option<String>,
        pub created: i64,
        pub changed: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Rollout {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            pool: codec::parse("roll-out", &row.pool_id)?,
            from: codec::parse("roll-out", &row.from_image)?,
            to: codec::parse("roll-out", &row.to_image)?,
            plan: codec::from_json("roll-out", &row.plan)?,
            state: codec::from_word("roll-out", row.state)?,
            is_paused: row.is_paused,
            is_rollback: row.is_rollback,
            watched_since: row.watched_since.map(Micros),
            failures: codec::from_json("roll-out", &row.failures)?,
            reason: row.reason,
            created: Micros(row.created),
            changed: Micros(row.changed),
        })
    }
}

fn to_row(rollout: &Rollout) -> Result<row::Model, StoreError> {
    Ok(row::Model {
        pool_id: rollout.pool.to_string(),
        from_image: rollout.from.to_string(),
        to_image: rollout.to.to_string(),
        plan: codec::json(&rollout.plan)?,
        state: codec::word(rollout.state)?,
        is_paused: rollout.is_paused,
        is_rollback: rollout.is_rollback,
        watched_since: rollout.watched_since.map(|at| at.0),
        failures: codec::json(&rollout.failures)?,
        reason: rollout.reason.clone(),
        created: rollout.created.0,
        changed: rollout.changed.0,
    })
}

impl Store {
    /// Begins one, in place of the pool's last one. Answers `false` where that one is still open; with `over_open` it is replaced, too.
    ///
    /// Errors: `Missing` pool or image.
    pub async fn begin_rollout(&self, rollout: &Rollout, over_open: bool) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        pool::locked(&txn, rollout.pool).await?;
        let before = row::Entity::find_by_id(rollout.pool.to_string()).one(&txn).await?;
        if let Some(before) = before.map(Rollout::try_from).transpose()?
            && before.state.is_open()
            && !over_open
        {
            return Ok(false);
        }
        row::Entity::delete_by_id(rollout.pool.to_string()).exec(&txn).await?;
        row::Entity::insert(to_row(rollout)?.into_active_model())
            .exec_without_returning(&txn)
            .await
            .map_err(|error| StoreError::dangling(error, "image", rollout.to))?;
        set_image(&txn, rollout).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// The pool's last one.
    pub async fn rollout(&self, pool: PoolId) -> Result<Option<Rollout>, StoreError> {
        row::Entity::find_by_id(pool.to_string()).one(&self.reader).await?.map(Rollout::try_from).transpose()
    }

    /// The last one of each pool that had any.
    pub async fn rollouts(&self) -> Result<Vec<Rollout>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::PoolId).all(&self.reader).await?;
        rows.into_iter().map(Rollout::try_from).collect()
    }

    /// Those that go on.
    pub async fn open_rollouts(&self) -> Result<Vec<Rollout>, StoreError> {
        let open = Condition::any()
            .add(row::Column::State.eq(codec::word(RolloutState::Canary)?))
            .add(row::Column::State.eq(codec::word(RolloutState::Rest)?));
        let rows = row::Entity::find().filter(open).order_by_asc(row::Column::PoolId).all(&self.reader).await?;
        rows.into_iter().map(Rollout::try_from).collect()
    }

    /// Lets `change` change it while nobody else can; where that changes of which version the pool's new desktops are, the pool follows in the
    /// same step. `change` looks at what it gets: another writer may have been first. Pool, versions and time of birth stay.
    ///
    /// Returns it as it is afterwards. Errors: `Missing`.
    pub async fn modify_rollout(
        &self,
        pool: PoolId,
        change: impl FnOnce(&mut Rollout) + Send,
    ) -> Result<Rollout, StoreError> {
        let txn = self.begin().await?;
        pool::locked(&txn, pool).await?;
        let row = row::Entity::find_by_id(pool.to_string()).one(&txn).await?;
        let before = Rollout::try_from(row.ok_or_else(|| StoreError::missing("roll-out", pool))?)?;
        let mut after = before.clone();
        change(&mut after);
        (after.pool, after.from, after.to, after.created) = (before.pool, before.from, before.to, before.created);
        if after == before {
            return Ok(before);
        }
        after.changed = now().max(before.changed);
        to_row(&after)?.into_active_model().reset_all().update(&txn).await?;
        if after.pool_image() != before.pool_image() {
            set_image(&txn, &after).await?;
        }
        txn.commit().await?;
        Ok(after)
    }

    /// Forgets one that has ended: its versions may be deleted. Answers whether there was one that had.
    pub async fn delete_rollout(&self, pool: PoolId) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        pool::locked(&txn, pool).await?;
        let Some(row) = row::Entity::find_by_id(pool.to_string()).one(&txn).await? else { return Ok(false) };
        if Rollout::try_from(row)?.state.is_open() {
            return Ok(false);
        }
        row::Entity::delete_by_id(pool.to_string()).exec(&txn).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Has a desktop made anew of that version when `may` says so of it as it is now, and of until when somebody is, or was, there; who has a
    /// place on a session host counts as there for ever. Answers
    /// whether it will be. Errors: `Missing`.
    pub async fn remake(
        &self,
        id: DesktopId,
        image: ImageId,
        now: Micros,
        may: impl FnOnce(&Desktop, Option<Micros>) -> bool + Send,
    ) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let mut desktop = locked(&txn, id).await?;
        // Whoever has a place on a session host comes back to it.
        let is_kept = place::count(&txn, id).await? > 0;
        let last = if is_kept { Some(Micros(i64::MAX)) } else { entered_until(&txn, id).await? };
        if !matches!(desktop.intent, DesktopIntent::Running | DesktopIntent::Stopped) || !may(&desktop, last) {
            return Ok(false);
        }
        desktop.intent = DesktopIntent::Recycle;
        desktop.facts.next = Some(image);
        desktop.changed = now.max(desktop.changed);
        write(&txn, &desktop).await.map_err(|error| refused(error, &desktop))?;
        txn.commit().await?;
        Ok(true)
    }
}

async fn set_image(txn: &DatabaseTransaction, rollout: &Rollout) -> Result<(), StoreError> {
    pool_row::Entity::update_many()
        .col_expr(pool_row::Column::ImageId, Expr::value(rollout.pool_image().to_string()))
        .filter(pool_row::Column::Id.eq(rollout.pool.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}
