//! Seats: whose a desktop is for now, and who is there.
//!
//! A desktop is given by [`Store::give_seat`] and taken back by [`Store::take_back`], each in one transaction that holds its row; who
//! opens a connection says so first ([`Store::enter`]), holding the same row. So nobody is given what somebody is in, and
//! nobody gets into what was taken back. That one person has one seat of a pool is a unique index.

use crate::{
    Store, StoreError, booking, codec,
    desktop::{self, ROWS_MAX, locked, refused, row, write},
    now, quota,
    seam::{self, Plant, planted},
};
use oriel_model::{Desktop, DesktopId, DesktopIntent, DesktopState, Micros, PoolId, Seat, UserId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait as _, QueryFilter, QuerySelect, Set,
    sea_query::{Expr, OnConflict, Query},
};
use std::collections::{BTreeMap, BTreeSet};

mod presence {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "presence")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub desktop_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub program: String,
        pub until: i64,
        pub touched: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// What is unique of a seat.
pub(crate) fn key(pool: PoolId, user: UserId) -> String {
    format!("{pool}/{user}")
}

impl Store {
    /// The desktop that the person was given of that pool.
    pub async fn seat_of(&self, pool: PoolId, user: UserId) -> Result<Option<Desktop>, StoreError> {
        let row = row::Entity::find().filter(row::Column::Seat.eq(key(pool, user))).one(&self.reader).await?;
        row.map(Desktop::try_from).transpose()
    }

    /// Desktops of the pool that are nobody's, by name.
    pub async fn free_in_pool(&self, pool: PoolId) -> Result<Vec<Desktop>, StoreError> {
        self.list(desktop::of_pool(pool).filter(row::Column::OwnerId.is_null())).await
    }

    /// Gives a desktop that is nobody's to somebody, and lets it run. `None` when it is no longer free: somebody was quicker, it is
    /// being wiped or deleted, or somebody is connected to it; with `untouched`, also when somebody was.
    ///
    /// Errors: `Missing`; `Taken` when the person has a seat of that pool; `OverQuota` when it is more than they may have; `Booking` when
    /// the last ones are booked by others.
    pub async fn give_seat(
        &self,
        id: DesktopId,
        user: UserId,
        untouched: bool,
        now: Micros,
    ) -> Result<Option<Desktop>, StoreError> {
        let txn = self.begin().await?;
        let person = quota::hold(&txn, user).await?;
        // Pools are held before desktops. A desktop does not move to another.
        let there = row::Entity::find_by_id(id.to_string()).one(&txn).await?;
        let there = there.ok_or_else(|| StoreError::missing("desktop", id))?;
        booking::check(&txn, codec::parse("desktop", &there.pool_id)?, user, now).await?;
        let mut desktop = locked(&txn, id).await?;
        let free = desktop.owner.is_none()
            && desktop.facts.seat.is_none()
            && matches!(desktop.intent, DesktopIntent::Running | DesktopIntent::Stopped)
            && entered_until(&txn, id).await?.is_none_or(|until| !untouched && until <= now);
        if !free && !planted(Plant::NoSeatFence) {
            return Ok(None);
        }
        desktop.owner = Some(user);
        desktop.intent = DesktopIntent::Running;
        desktop.facts.seat = Some(Seat { since: now, seen: now });
        if matches!(desktop.state, DesktopState::Ready | DesktopState::InUse) && desktop.lacks_disk() {
            desktop.start_with_disk();
        }
        desktop.changed = now.max(desktop.changed);
        quota::check(&txn, (user, &person), None, &desktop).await?;
        write(&txn, &desktop).await.map_err(|error| refused(error, &desktop))?;
        txn.commit().await?;
        Ok(Some(desktop))
    }

    /// Takes a seat back when `gone` says so of it and of until when somebody is, or was, there; with what is to become of the desktop.
    /// Answers whether it was taken back. Errors: `Missing`.
    pub async fn take_back(
        &self,
        id: DesktopId,
        now: Micros,
        intent: DesktopIntent,
        gone: impl FnOnce(Seat, Option<Micros>) -> bool + Send,
    ) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let mut desktop = locked(&txn, id).await?;
        let last = entered_until(&txn, id).await?;
        let leaves =
            !matches!(desktop.intent, DesktopIntent::Deleted | DesktopIntent::Recycle | DesktopIntent::Capture)
                && desktop.facts.seat.is_some_and(|seat| gone(seat, last));
        if !leaves {
            return Ok(false);
        }
        (desktop.owner, desktop.facts.seat) = (None, None);
        if !planted(Plant::NoWipe) {
            desktop.intent = intent;
        }
        desktop.changed = now.max(desktop.changed);
        write(&txn, &desktop).await.map_err(|error| refused(error, &desktop))?;
        presence::Entity::delete_many().filter(presence::Column::DesktopId.eq(id.to_string())).exec(&txn).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Has somebody's desktop shut down when `unused` says so of it and of until when somebody is, or was, there. It stays theirs, with its
    /// seat. Answers whether it will be. Errors: `Missing`.
    pub async fn shut_down_unused(
        &self,
        id: DesktopId,
        now: Micros,
        unused: impl FnOnce(&Desktop, Option<Micros>) -> bool + Send,
    ) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let mut desktop = locked(&txn, id).await?;
        let last = entered_until(&txn, id).await?;
        if desktop.owner.is_none() || desktop.intent != DesktopIntent::Running || !unused(&desktop, last) {
            return Ok(false);
        }
        desktop.intent = DesktopIntent::Stopped;
        desktop.changed = now.max(desktop.changed);
        write(&txn, &desktop).await.map_err(|error| refused(error, &desktop))?;
        txn.commit().await?;
        Ok(true)
    }

    /// Has a desktop made anew that is nobody's and that somebody was in, an administrator perhaps, when they have left. Answers whether
    /// it will be. Errors: `Missing`.
    pub async fn wipe_touched(&self, id: DesktopId, now: Micros) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let mut desktop = locked(&txn, id).await?;
        let is_free = desktop.owner.is_none()
            && matches!(desktop.intent, DesktopIntent::Running | DesktopIntent::Stopped)
            && entered_until(&txn, id).await?.is_some_and(|until| until <= now);
        if !is_free {
            return Ok(false);
        }
        desktop.intent = DesktopIntent::Recycle;
        desktop.changed = now.max(desktop.changed);
        write(&txn, &desktop).await.map_err(|error| refused(error, &desktop))?;
        presence::Entity::delete_many().filter(presence::Column::DesktopId.eq(id.to_string())).exec(&txn).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Says that this program opens a connection to the desktop, when `may` says of the desktop as it is now that it may. Nobody else is given
    /// it for so many seconds.
    ///
    /// Answers the desktop, or `None` when it may not. Errors: `Missing`.
    pub async fn enter(
        &self,
        id: DesktopId,
        program: &str,
        seconds: i64,
        may: impl FnOnce(&Desktop) -> bool + Send,
    ) -> Result<Option<Desktop>, StoreError> {
        let txn = self.begin().await?;
        let desktop = locked(&txn, id).await?;
        if !may(&desktop) {
            return Ok(None);
        }
        // From now, not from when the database was asked: that may have taken long.
        put(&txn, program, [(id, None)], now().plus_seconds(seconds)).await?;
        txn.commit().await?;
        Ok(Some(desktop))
    }

    /// Says who is connected through this program: to `here` until then, with when somebody last touched it; to `gone` no longer,
    /// unless somebody has begun to come back since `gone` was said to be there until `said`.
    pub async fn set_presence(
        &self,
        program: &str,
        here: &BTreeMap<DesktopId, Option<Micros>>,
        until: Micros,
        gone: &BTreeSet<DesktopId>,
        said: Micros,
        now: Micros,
    ) -> Result<(), StoreError> {
        seam::pass().await;
        let known: Vec<(DesktopId, Option<Micros>)> = here.iter().map(|(id, touched)| (*id, *touched)).collect();
        for some in known.chunks(ROWS_MAX) {
            let there: BTreeSet<String> = row::Entity::find()
                .select_only()
                .column(row::Column::Id)
                .filter(row::Column::Id.is_in(some.iter().map(|(id, _)| id.to_string())))
                .into_tuple::<String>()
                .all(&self.reader)
                .await?
                .into_iter()
                .collect();
            // One that was deleted meanwhile has no row to point to.
            let some = some.iter().copied().filter(|(id, _)| there.contains(&id.to_string()));
            put(&self.writer, program, some, until).await?;
        }
        let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
        for some in gone.chunks(ROWS_MAX) {
            presence::Entity::update_many()
                .col_expr(presence::Column::Until, Expr::value(now.0))
                .filter(presence::Column::Program.eq(program))
                .filter(presence::Column::Until.lte(said.0))
                .filter(presence::Column::DesktopId.is_in(some))
                .exec(&self.writer)
                .await?;
        }
        Ok(())
    }

    /// Until when somebody is, or was last known to be, connected to each desktop of the pool.
    pub async fn presence_in(&self, pool: PoolId) -> Result<BTreeMap<DesktopId, Micros>, StoreError> {
        let own = Query::select()
            .column(row::Column::Id)
            .from(row::Entity)
            .and_where(row::Column::PoolId.eq(pool.to_string()))
            .to_owned();
        let all = presence::Entity::find().filter(presence::Column::DesktopId.in_subquery(own));
        let mut latest: BTreeMap<DesktopId, Micros> = BTreeMap::new();
        for row in all.all(&self.reader).await? {
            let until = latest.entry(codec::parse("presence", &row.desktop_id)?).or_default();
            *until = (*until).max(Micros(row.until));
        }
        Ok(latest)
    }

    /// When somebody last touched a connection to the desktop, through any program and as far as it was said.
    pub async fn touched(&self, id: DesktopId) -> Result<Option<Micros>, StoreError> {
        let rows = presence::Entity::find().filter(presence::Column::DesktopId.eq(id.to_string()));
        Ok(rows.all(&self.reader).await?.into_iter().filter_map(|row| row.touched).max().map(Micros))
    }

    /// The desktops that somebody is connected to now through other programs than this one.
    pub async fn present(&self, without: &str, now: Micros) -> Result<BTreeSet<DesktopId>, StoreError> {
        let rows = presence::Entity::find()
            .filter(presence::Column::Until.gt(now.0))
            .filter(presence::Column::Program.ne(without))
            .all(&self.reader)
            .await?;
        rows.iter().map(|row| codec::parse("presence", &row.desktop_id)).collect()
    }

    /// Forgets who was connected to the desktop until then: what was to follow from it is done.
    pub async fn end_presence(&self, id: DesktopId, until: Micros) -> Result<(), StoreError> {
        presence::Entity::delete_many()
            .filter(presence::Column::DesktopId.eq(id.to_string()))
            .filter(presence::Column::Until.lte(until.0))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// Forgets who was connected to what so long ago that nothing depends on it.
    pub async fn delete_old_presence(&self, before: Micros) -> Result<(), StoreError> {
        presence::Entity::delete_many().filter(presence::Column::Until.lt(before.0)).exec(&self.writer).await?;
        Ok(())
    }
}

/// Until when somebody is, or was last known to be, in the desktop.
pub(crate) async fn entered_until(on: &impl ConnectionTrait, id: DesktopId) -> Result<Option<Micros>, StoreError> {
    let rows = presence::Entity::find().filter(presence::Column::DesktopId.eq(id.to_string())).all(on).await?;
    Ok(rows.into_iter().map(|row| Micros(row.until)).max())
}

async fn put(
    on: &impl ConnectionTrait,
    program: &str,
    desktops: impl IntoIterator<Item = (DesktopId, Option<Micros>)>,
    until: Micros,
) -> Result<(), StoreError> {
    let rows: Vec<presence::ActiveModel> = desktops
        .into_iter()
        .map(|(id, touched)| presence::ActiveModel {
            desktop_id: Set(id.to_string()),
            program: Set(program.to_owned()),
            until: Set(until.0),
            touched: Set(touched.map(|at| at.0)),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    presence::Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([presence::Column::DesktopId, presence::Column::Program])
                .update_column(presence::Column::Until)
                // Who only opens a connection knows nothing of it.
                .value(presence::Column::Touched, Expr::cust("COALESCE(excluded.touched, presence.touched)"))
                // A word that comes late takes nothing back.
                .action_and_where(
                    Expr::col((presence::Entity, presence::Column::Until)).lt(Expr::cust("excluded.until")),
                )
                .to_owned(),
        )
        .exec_without_returning(on)
        .await?;
    Ok(())
}
