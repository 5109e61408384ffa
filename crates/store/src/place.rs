//! Places of people on session hosts.
//!
//! A place is given by [`Store::take_place`] and taken back by [`Store::take_back_place`], each in one transaction that holds the host's row,
//! as whoever drains a host, switches it off or deletes it does ([`Store::change_host`]). That a host's place is one person's, and that a
//! person has one place of a pool, are unique keys besides.

use crate::{
    Store, StoreError, codec,
    desktop::{ROWS_MAX, locked, refused, row as desktop_row, write},
    pool, quota, seam,
    seam::{Plant, planted},
    seat::entered_until,
};
use oriel_model::{Desktop, DesktopId, DesktopIntent, DesktopState, HostPlace, Micros, PoolId, PoolKind, Seat, UserId};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, SqlErr,
    sea_query::{Expr, Query, SelectStatement},
};
use std::collections::{BTreeMap, BTreeSet};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "host_place")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub pool_id: String,
        pub user_id: String,
        pub desktop_id: String,
        pub number: i64,
        pub since: i64,
        pub seen: i64,
        pub until: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for HostPlace {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            pool: codec::parse("place", &row.pool_id)?,
            desktop: codec::parse("place", &row.desktop_id)?,
            user: codec::parse("place", &row.user_id)?,
            number: codec::number("place", row.number)?,
            seat: Seat { since: Micros(row.since), seen: Micros(row.seen) },
            until: row.until.map(Micros),
        })
    }
}

/// Whoever has just come to a host that is lost may not know it yet.
const LOST_SECONDS: i64 = 60;

/// What is one of a place.
fn key(pool: PoolId, user: UserId) -> String {
    format!("{pool}/{user}")
}

/// The hosts on which somebody has a place, for a query.
pub(crate) fn hosts_of(user: UserId) -> SelectStatement {
    Query::select()
        .column(row::Column::DesktopId)
        .from(row::Entity)
        .and_where(row::Column::UserId.eq(user.to_string()))
        .to_owned()
}

/// Whether people's sessions on it can be gone on with, or will be able to: it is not lost, and not about to be made anew.
const fn lives(host: &Desktop) -> bool {
    matches!(host.intent, DesktopIntent::Running | DesktopIntent::Stopped | DesktopIntent::Restart)
        && !matches!(
            host.state,
            DesktopState::Failed | DesktopState::Unreachable | DesktopState::Deleting | DesktopState::Recycling
        )
}

impl Store {
    /// The place that somebody has in a pool.
    pub async fn place_of(&self, pool: PoolId, user: UserId) -> Result<Option<HostPlace>, StoreError> {
        row::Entity::find_by_id(key(pool, user)).one(&self.reader).await?.map(HostPlace::try_from).transpose()
    }

    /// All places that somebody has, of any pool.
    pub async fn places_of(&self, user: UserId) -> Result<Vec<HostPlace>, StoreError> {
        let rows = row::Entity::find().filter(row::Column::UserId.eq(user.to_string())).order_by_asc(row::Column::Id);
        rows.all(&self.reader).await?.into_iter().map(HostPlace::try_from).collect()
    }

    /// Whether somebody has a place on a host.
    pub async fn has_place(&self, host: DesktopId, user: UserId) -> Result<bool, StoreError> {
        is_on(&self.reader, host, user).await
    }

    /// All places that people have in a pool.
    pub async fn places_in(&self, pool: PoolId) -> Result<Vec<HostPlace>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::PoolId.eq(pool.to_string()))
            .order_by_asc(row::Column::DesktopId)
            .order_by_asc(row::Column::Number);
        rows.all(&self.reader).await?.into_iter().map(HostPlace::try_from).collect()
    }

    /// Gives somebody a place on a host, which shall run from then on. `None` when it has none left, takes nobody new, or is lost.
    ///
    /// Errors: `Missing`; `Taken` when the person has a place in that pool.
    pub async fn take_place(
        &self,
        host: DesktopId,
        user: UserId,
        now: Micros,
    ) -> Result<Option<HostPlace>, StoreError> {
        let txn = self.begin().await?;
        // People are held before desktops: those who ask twice at once take turns.
        quota::hold(&txn, user).await?;
        let mut desktop = locked(&txn, host).await?;
        let pool = pool::row::Entity::find_by_id(desktop.pool.to_string()).one(&txn).await?;
        let pool = pool.ok_or_else(|| StoreError::missing("pool", desktop.pool))?;
        let pool = oriel_model::Pool::try_from(pool)?;
        let is_open = pool.kind == PoolKind::SessionHost && lives(&desktop) && !desktop.facts.draining;
        if !is_open && !planted(Plant::NoPlaceFence) {
            return Ok(None);
        }
        let taken = row::Entity::find().filter(row::Column::DesktopId.eq(host.to_string()));
        let taken: BTreeSet<i64> =
            taken.select_only().column(row::Column::Number).into_tuple::<i64>().all(&txn).await?.into_iter().collect();
        let most = i64::from(pool.size.sessions);
        let count = i64::try_from(taken.len()).unwrap_or(i64::MAX);
        // With the count alone one that was made smaller would fill up again below those who are still there.
        let free = (1..=count.saturating_add(1)).find(|number| !taken.contains(number));
        let number = free.filter(|_| count < most || planted(Plant::NoPlaceFence));
        let Some(number) = number else { return Ok(None) };
        let place = row::Model {
            id: key(pool.id, user),
            pool_id: pool.id.to_string(),
            user_id: user.to_string(),
            desktop_id: host.to_string(),
            number,
            since: now.0,
            seen: now.0,
            until: None,
        };
        let given = HostPlace::try_from(place.clone())?;
        row::Entity::insert(place.into_active_model()).exec_without_returning(&txn).await.map_err(
            |error| match error.sql_err() {
                Some(SqlErr::UniqueConstraintViolation(_)) => {
                    StoreError::Taken { what: "place", name: desktop.name.to_string() }
                }
                _ => error.into(),
            },
        )?;
        if desktop.intent == DesktopIntent::Stopped {
            desktop.intent = DesktopIntent::Running;
            desktop.changed = now.max(desktop.changed);
            write(&txn, &desktop).await.map_err(|error| refused(error, &desktop))?;
        }
        txn.commit().await?;
        Ok(Some(given))
    }

    /// Somebody comes back to the place that they have in a pool: it waits for them anew, and its host shall run. `None` when they have
    /// none; one on a host that is lost they have no longer.
    pub async fn keep_place(&self, pool: PoolId, user: UserId, now: Micros) -> Result<Option<Desktop>, StoreError> {
        let Some(seen) = self.place_of(pool, user).await? else { return Ok(None) };
        let txn = self.begin().await?;
        let mut desktop = match locked(&txn, seen.desktop).await {
            Ok(desktop) => desktop,
            // And its places with it.
            Err(StoreError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let own = row::Entity::find_by_id(key(pool, user)).lock_exclusive().one(&txn).await?;
        let own = own.map(HostPlace::try_from).transpose()?;
        // It may have been taken back, and another one given, since.
        let Some(own) = own.filter(|own| own.desktop == seen.desktop) else { return Ok(None) };
        if !lives(&desktop) {
            // As long as they may still be connected they are led to no other one.
            if own.until.max(Some(own.seat.seen.plus_seconds(LOST_SECONDS))) > Some(now) {
                return Ok(Some(desktop));
            }
            row::Entity::delete_by_id(key(pool, user)).exec(&txn).await?;
            txn.commit().await?;
            return Ok(None);
        }
        row::Entity::update_many()
            .col_expr(row::Column::Seen, Expr::value(now.0))
            .filter(row::Column::Id.eq(key(pool, user)))
            .exec(&txn)
            .await?;
        if desktop.intent == DesktopIntent::Stopped {
            desktop.intent = DesktopIntent::Running;
            desktop.changed = now.max(desktop.changed);
            write(&txn, &desktop).await.map_err(|error| refused(error, &desktop))?;
        }
        txn.commit().await?;
        Ok(Some(desktop))
    }

    /// Somebody opens a connection to a host on which they have a place, and is there until then, or is about to open one: it waits for them
    /// from now on; where they are only about to, a host that is lost waits for nobody: who asks for it again and again would have their place
    /// there for ever. Answers whether they have one.
    pub async fn see_place(
        &self,
        host: DesktopId,
        user: UserId,
        now: Micros,
        until: Option<Micros>,
    ) -> Result<bool, StoreError> {
        seam::pass().await;
        if until.is_none() {
            let there = desktop_row::Entity::find_by_id(host.to_string()).one(&self.reader).await?;
            if there.map(Desktop::try_from).transpose()?.is_some_and(|there| !lives(&there)) {
                return self.has_place(host, user).await;
            }
        }
        let mut seen = row::Entity::update_many().col_expr(row::Column::Seen, Expr::value(now.0));
        if let Some(until) = until {
            seen = seen.col_expr(row::Column::Until, Expr::value(until.0));
        }
        let own =
            seen.filter(row::Column::DesktopId.eq(host.to_string())).filter(row::Column::UserId.eq(user.to_string()));
        Ok(own.exec(&self.writer).await?.rows_affected > 0)
    }

    /// Says who is connected to which host until then. Answers those who are connected to a session host and have no place there, or no
    /// longer.
    pub async fn set_places(
        &self,
        there: &BTreeSet<(UserId, DesktopId)>,
        until: Micros,
    ) -> Result<BTreeSet<(UserId, DesktopId)>, StoreError> {
        let mut on: BTreeMap<String, Vec<UserId>> = BTreeMap::new();
        for (user, host) in there {
            on.entry(host.to_string()).or_default().push(*user);
        }
        let hosts: Vec<String> = on.keys().cloned().collect();
        let mut without = BTreeSet::new();
        for some in hosts.chunks(ROWS_MAX) {
            let shared = desktop_row::Entity::find()
                .select_only()
                .column(desktop_row::Column::Id)
                .filter(desktop_row::Column::Id.is_in(some))
                .filter(desktop_row::Column::PoolId.in_subquery(pool::of_session_hosts()));
            for host in shared.into_tuple::<String>().all(&self.reader).await? {
                let people = on.get(&host).map(Vec::as_slice).unwrap_or_default();
                self.tell_places(&host, people, until, &mut without).await?;
            }
        }
        Ok(without)
    }

    async fn tell_places(
        &self,
        host: &str,
        people: &[UserId],
        until: Micros,
        without: &mut BTreeSet<(UserId, DesktopId)>,
    ) -> Result<(), StoreError> {
        seam::pass().await;
        for some in people.chunks(ROWS_MAX) {
            let names = some.iter().map(ToString::to_string);
            let own = Condition::all().add(row::Column::DesktopId.eq(host)).add(row::Column::UserId.is_in(names));
            // A word that comes late takes nothing back.
            let earlier = Condition::any().add(row::Column::Until.is_null()).add(row::Column::Until.lt(until.0));
            let told = row::Entity::update_many()
                .col_expr(row::Column::Until, Expr::value(until.0))
                .filter(own.clone())
                .filter(earlier);
            if told.exec(&self.writer).await?.rows_affected == some.len() as u64 {
                continue;
            }
            let known = row::Entity::find().select_only().column(row::Column::UserId).filter(own);
            let known: BTreeSet<String> = known.into_tuple::<String>().all(&self.writer).await?.into_iter().collect();
            for user in some.iter().filter(|user| !known.contains(&user.to_string())) {
                without.insert((*user, codec::parse("place", host)?));
            }
        }
        Ok(())
    }

    /// Takes a place back when `gone` says so of it and of until when its person is, or was, connected. Answers whether it was taken
    /// back. Errors: `Missing` host.
    pub async fn take_back_place(
        &self,
        place: HostPlace,
        gone: impl FnOnce(Seat, Option<Micros>) -> bool + Send,
    ) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        locked(&txn, place.desktop).await?;
        let own = row::Entity::find_by_id(key(place.pool, place.user))
            .filter(row::Column::DesktopId.eq(place.desktop.to_string()))
            // Whoever comes back writes it without holding the host.
            .lock_exclusive();
        let Some(now) = own.one(&txn).await?.map(HostPlace::try_from).transpose()? else { return Ok(false) };
        if !gone(now.seat, now.until) {
            return Ok(false);
        }
        row::Entity::delete_by_id(key(place.pool, place.user)).exec(&txn).await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Changes what a session host that is nobody's shall be, when nobody has a place on it, nobody else is in it (an administrator, at its
    /// console) and `may` says so of it as it is now. Answers whether it was changed. Errors: `Missing`.
    pub async fn change_host(
        &self,
        id: DesktopId,
        intent: DesktopIntent,
        now: Micros,
        may: impl FnOnce(&Desktop) -> bool + Send,
    ) -> Result<bool, StoreError> {
        let txn = self.begin().await?;
        let mut desktop = locked(&txn, id).await?;
        let is_free = desktop.owner.is_none()
            && matches!(desktop.intent, DesktopIntent::Running | DesktopIntent::Stopped)
            && desktop.intent != intent
            && may(&desktop)
            && (planted(Plant::NoHostDrain)
                || count(&txn, id).await? == 0 && entered_until(&txn, id).await?.is_none_or(|until| until <= now));
        if !is_free {
            return Ok(false);
        }
        desktop.intent = intent;
        desktop.changed = now.max(desktop.changed);
        write(&txn, &desktop).await.map_err(|error| refused(error, &desktop))?;
        txn.commit().await?;
        Ok(true)
    }
}

/// Whether somebody has a place on a host, in the midst of a change.
pub(crate) async fn is_on(on: &impl ConnectionTrait, host: DesktopId, user: UserId) -> Result<bool, StoreError> {
    let found = row::Entity::find()
        .filter(row::Column::DesktopId.eq(host.to_string()))
        .filter(row::Column::UserId.eq(user.to_string()));
    Ok(found.one(on).await?.is_some())
}

pub(crate) async fn count(on: &impl ConnectionTrait, host: DesktopId) -> Result<u64, StoreError> {
    Ok(row::Entity::find().filter(row::Column::DesktopId.eq(host.to_string())).count(on).await?)
}
