//! Bookings: desktops of pools that are kept for people for a span of time.
//!
//! Whoever books holds the pool, counts what is booked in that span at its peak, marks whose place they take, and writes in the same
//! transaction: what is displaced keeps nothing, and counts nowhere, from then on. Whoever is given a
//! desktop while something is booked holds the pool, too, and counts what is left. People are held before pools, and pools before
//! desktops.

use crate::{
    Store, StoreError, codec,
    desktop::{self, ROWS_MAX},
    gpu_turn, pool, quota, seam,
};
use oriel_model::{
    BOOKING_PRIORITY_MAX, BOOKINGS_OF_POOL_MAX, Booked, Booking, BookingBy, BookingCursor, BookingFilter, BookingId,
    BookingRefusal, BookingRules, BookingWeight, DesktopIntent, Micros, Pool, PoolId, PoolKind,
    START_AHEAD_MINUTES_MAX, Span, UserId, check_turns, displaced_by,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select, Set, sea_query::Expr,
};
use std::collections::BTreeSet;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "booking")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub pool_id: String,
        pub user_id: String,
        pub begins: i64,
        pub ends: i64,
        pub created: i64,
        pub priority: i64,
        pub firm_from: i64,
        pub displaced: Option<i64>,
        pub is_told: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Booking {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("booking", &row.id)?,
            pool: codec::parse("booking", &row.pool_id)?,
            user: codec::parse("booking", &row.user_id)?,
            span: Span { from: Micros(row.begins), to: Micros(row.ends) },
            priority: codec::number("booking", row.priority)?,
            firm_from: Micros(row.firm_from),
            displaced: row.displaced.map(Micros),
            created: Micros(row.created),
        })
    }
}

fn refused(code: &'static str, text: impl Into<String>, next_step: impl Into<String>) -> StoreError {
    StoreError::Booking(Box::new(BookingRefusal::new(code, text, next_step)))
}

fn against_rules(refusal: BookingRefusal) -> StoreError {
    StoreError::Booking(Box::new(refusal))
}

/// Those that are not over, displaced ones with them.
fn current(now: Micros) -> Select<row::Entity> {
    row::Entity::find().filter(row::Column::Ends.gt(now.0))
}

/// Those that keep something, now or later.
fn standing(now: Micros) -> Select<row::Entity> {
    current(now).filter(row::Column::Displaced.is_null())
}

impl Store {
    /// Books a desktop of a pool: of any number of requests at once for the last one, in any number of programs, one gets it. Where
    /// none is left, it takes the place of bookings of a lower priority that give way. Its own priority, and from when on it gives way
    /// to none, are what `by` and rules say, whatever it says itself.
    ///
    /// Errors: `Missing` person or pool; `Booking`.
    pub async fn create_booking(&self, booking: &Booking, by: BookingBy, now: Micros) -> Result<Booked, StoreError> {
        let span = booking.span;
        span.check(now).map_err(against_rules)?;
        if let BookingBy::Administrator { priority: Some(priority) } = by
            && priority > BOOKING_PRIORITY_MAX
        {
            return Err(refused(
                "bad_priority",
                format!("{priority} is no priority"),
                format!("choose 0 to {BOOKING_PRIORITY_MAX}"),
            ));
        }
        let txn = self.begin().await?;
        let person = quota::hold(&txn, booking.user).await?;
        let pool = pool::locked(&txn, booking.pool).await?;
        check_shared(&pool)?;
        check_turns(pool.name.as_str(), &gpu_turn::of_pool(&txn, pool.id).await?, span).map_err(against_rules)?;
        let of_person = standing(now).filter(row::Column::UserId.eq(booking.user.to_string()));
        let rules = quota::rules(&txn, booking.user, Some(pool.id)).await?;
        let mut weight = BookingWeight::of(&rules);
        if let BookingBy::Administrator { priority: Some(priority) } = by {
            weight.priority = priority;
        }
        if by == BookingBy::Rules {
            let Some(rules) = BookingRules::of(&rules) else {
                return Err(refused(
                    "may_not_book",
                    format!("{person} may not book desktops of {}", pool.name),
                    "ask an administrator for it: a quota that says bookings=1 allows it",
                ));
            };
            rules.check(span, of_person.clone().count(&txn).await?, now).map_err(against_rules)?;
        }
        let own = reaching(of_person.filter(row::Column::PoolId.eq(pool.id.to_string())), span);
        if let Some(other) = own.one(&txn).await? {
            let other = Booking::try_from(other)?;
            return Err(refused(
                "booked_already",
                format!("{person} has booked a desktop of {} from {} already", pool.name, other.span),
                "choose another time, or cancel that one first",
            ));
        }
        let of_pool = row::Entity::find().filter(row::Column::PoolId.eq(pool.id.to_string()));
        if of_pool.clone().filter(row::Column::Ends.gt(now.0)).count(&txn).await? >= BOOKINGS_OF_POOL_MAX {
            return Err(refused(
                "too_many_bookings",
                format!("{} has {BOOKINGS_OF_POOL_MAX} bookings, the most that a pool may have", pool.name),
                "cancel some first",
            ));
        }
        let there = list(&txn, reaching(of_pool.filter(row::Column::Displaced.is_null()), span)).await?;
        let Some(mut displaced) = displaced_by(span, weight.priority, there, pool.desktops_max.into(), now) else {
            return Err(refused(
                "booked_out",
                format!("all {} desktops of {} are booked at some time from {span}", pool.desktops_max, pool.name),
                "choose another time, or a shorter one",
            ));
        };
        displace(&txn, &mut displaced, now).await?;
        if span.has_begun(now) {
            check_room(&txn, &pool, booking.user, now).await?;
        }
        let booking = Booking {
            priority: weight.priority,
            firm_from: weight.firm_from(span, now),
            displaced: None,
            ..booking.clone()
        };
        let row = row::ActiveModel {
            id: Set(booking.id.to_string()),
            pool_id: Set(booking.pool.to_string()),
            user_id: Set(booking.user.to_string()),
            begins: Set(span.from.0),
            ends: Set(span.to.0),
            created: Set(booking.created.0),
            priority: Set(booking.priority.into()),
            firm_from: Set(booking.firm_from.0),
            displaced: Set(None),
            is_told: Set(false),
        };
        row::Entity::insert(row).exec_without_returning(&txn).await?;
        txn.commit().await?;
        Ok(Booked { booking, displaced })
    }

    /// Those that are not over, of a pool, of a person, or of all, by when they begin; displaced ones with them.
    pub async fn bookings(
        &self,
        pool: Option<PoolId>,
        user: Option<UserId>,
        now: Micros,
    ) -> Result<Vec<Booking>, StoreError> {
        let mut wanted = current(now);
        if let Some(pool) = pool {
            wanted = wanted.filter(row::Column::PoolId.eq(pool.to_string()));
        }
        if let Some(user) = user {
            wanted = wanted.filter(row::Column::UserId.eq(user.to_string()));
        }
        list(&self.reader, wanted).await
    }

    /// Those that are not over, by when they begin, displaced ones with them: at most `count`, behind `after`.
    pub async fn list_bookings(
        &self,
        filter: &BookingFilter,
        after: Option<BookingCursor>,
        count: u64,
        now: Micros,
    ) -> Result<Vec<Booking>, StoreError> {
        use row::Column as Of;
        let mut wanted = Condition::all();
        if let Some(pool) = filter.pool {
            wanted = wanted.add(Of::PoolId.eq(pool.to_string()));
        }
        if let Some(user) = filter.user {
            wanted = wanted.add(Of::UserId.eq(user.to_string()));
        }
        if let Some((user, pools)) = &filter.seen_by {
            let of_pools = Of::PoolId.is_in(pools.iter().map(ToString::to_string));
            wanted = wanted.add(Condition::any().add(Of::UserId.eq(user.to_string())).add(of_pools));
        }
        if let Some(BookingCursor { begins, id }) = after {
            let same = Condition::all().add(Of::Begins.eq(begins.0)).add(Of::Id.gt(id.to_string()));
            wanted = wanted.add(Condition::any().add(Of::Begins.gt(begins.0)).add(same));
        }
        list(&self.reader, current(now).filter(wanted).limit(count)).await
    }

    pub async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Booking::try_from).transpose()
    }

    /// The spans of a pool's bookings that stand and reach into this one.
    pub async fn booked(&self, pool: PoolId, span: Span) -> Result<Vec<Span>, StoreError> {
        let of_pool = row::Entity::find()
            .filter(row::Column::PoolId.eq(pool.to_string()))
            .filter(row::Column::Displaced.is_null());
        spans(&self.reader, reaching(of_pool, span)).await
    }

    /// The bookings of a pool that stand and have begun, or do so within so many minutes, by when they begin.
    pub async fn coming_bookings(
        &self,
        pool: PoolId,
        now: Micros,
        ahead_minutes: u32,
    ) -> Result<Vec<Booking>, StoreError> {
        list(&self.reader, due(pool, now, ahead_minutes)).await
    }

    /// The pools of which there are such bookings.
    pub async fn pools_with_bookings(&self, now: Micros, ahead_minutes: u32) -> Result<Vec<PoolId>, StoreError> {
        let ids: Vec<String> = coming(now, ahead_minutes)
            .select_only()
            .column(row::Column::PoolId)
            .distinct()
            .into_tuple()
            .all(&self.reader)
            .await?;
        ids.iter().map(|id| codec::parse("booking", id)).collect()
    }

    /// Some of those that were displaced and of which nobody has been told yet.
    pub async fn untold_bookings(&self) -> Result<Vec<Booking>, StoreError> {
        let untold = row::Entity::find()
            .filter(row::Column::Displaced.is_not_null())
            .filter(row::Column::IsTold.eq(false))
            .limit(ROWS_MAX as u64);
        list(&self.reader, untold).await
    }

    /// It has been told that this one was displaced. Twice is no error.
    pub async fn set_booking_told(&self, id: BookingId) -> Result<(), StoreError> {
        row::Entity::update_many()
            .col_expr(row::Column::IsTold, Expr::value(true))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// Cancels it. Twice is no error.
    pub async fn delete_booking(&self, id: BookingId) -> Result<(), StoreError> {
        seam::pass().await;
        row::Entity::delete_by_id(id.to_string()).exec(&self.writer).await?;
        Ok(())
    }

    /// Forgets those that were over before then.
    pub async fn delete_old_bookings(&self, before: Micros) -> Result<(), StoreError> {
        row::Entity::delete_many().filter(row::Column::Ends.lt(before.0)).exec(&self.writer).await?;
        Ok(())
    }
}

/// Refuses pools of which nothing can be booked.
fn check_shared(pool: &Pool) -> Result<(), StoreError> {
    let (what, instead) = match pool.kind {
        kind if kind.is_shared() => return Ok(()),
        PoolKind::External => (format!("{} holds external machines", pool.name), "open one as it is"),
        PoolKind::SessionHost => {
            (format!("hosts of {} are shared by many people", pool.name), "get a place when you need one")
        }
        _ => (
            format!("desktops of {} stay with the people who have them", pool.name),
            "get one, and it is kept for you without a booking",
        ),
    };
    Err(refused("not_bookable", what, instead))
}

/// Another one takes their place from now on.
async fn displace(txn: &DatabaseTransaction, bookings: &mut [Booking], now: Micros) -> Result<(), StoreError> {
    let ids: Vec<String> = bookings.iter().map(|one| one.id.to_string()).collect();
    for some in ids.chunks(ROWS_MAX) {
        row::Entity::update_many()
            .col_expr(row::Column::Displaced, Expr::value(now.0))
            .filter(row::Column::Id.is_in(some))
            .exec(txn)
            .await?;
    }
    for one in bookings {
        one.displaced = Some(now);
    }
    Ok(())
}

fn reaching(wanted: Select<row::Entity>, span: Span) -> Select<row::Entity> {
    wanted.filter(row::Column::Begins.lt(span.to.0)).filter(row::Column::Ends.gt(span.from.0))
}

/// Those that have begun, or will within so many minutes.
fn coming(now: Micros, ahead_minutes: u32) -> Select<row::Entity> {
    standing(now).filter(row::Column::Begins.lte(now.plus_seconds(i64::from(ahead_minutes) * 60).0))
}

/// Those of a pool.
fn due(pool: PoolId, now: Micros, ahead_minutes: u32) -> Select<row::Entity> {
    coming(now, ahead_minutes).filter(row::Column::PoolId.eq(pool.to_string()))
}

async fn list(on: &impl ConnectionTrait, wanted: Select<row::Entity>) -> Result<Vec<Booking>, StoreError> {
    let rows = wanted.order_by_asc(row::Column::Begins).order_by_asc(row::Column::Id).all(on).await?;
    rows.into_iter().map(Booking::try_from).collect()
}

async fn spans(on: &impl ConnectionTrait, wanted: Select<row::Entity>) -> Result<Vec<Span>, StoreError> {
    let rows: Vec<(i64, i64)> =
        wanted.select_only().column(row::Column::Begins).column(row::Column::Ends).into_tuple().all(on).await?;
    Ok(rows.into_iter().map(|(from, to)| Span { from: Micros(from), to: Micros(to) }).collect())
}

/// Refuses a desktop of a pool to somebody, who is held, when all that are left are kept for others. Pools of which nothing is booked
/// about now are not held. Errors: `Booking`, `Missing` pool.
pub(crate) async fn check(
    txn: &DatabaseTransaction,
    pool: PoolId,
    user: UserId,
    now: Micros,
) -> Result<(), StoreError> {
    if due(pool, now, START_AHEAD_MINUTES_MAX).one(txn).await?.is_none() {
        return Ok(());
    }
    let pool = pool::locked(txn, pool).await?;
    check_held(txn, &pool, user, now).await
}

/// As [`check`], for a pool that is held.
pub(crate) async fn check_held(
    txn: &DatabaseTransaction,
    pool: &Pool,
    user: UserId,
    now: Micros,
) -> Result<(), StoreError> {
    let due = list(txn, due(pool.id, now, pool.hours.start_ahead_minutes)).await?;
    // Whoever has booked it gets it.
    if due.is_empty() || due.iter().any(|booking| booking.user == user) {
        return Ok(());
    }
    let owners = owners(txn, pool.id).await?;
    let used = owners.len() as u64;
    let here: BTreeSet<String> = owners.into_iter().collect();
    let waiting: Vec<&Booking> = due.iter().filter(|booking| !here.contains(&booking.user.to_string())).collect();
    let kept: BTreeSet<UserId> = waiting.iter().map(|booking| booking.user).collect();
    match waiting.first() {
        Some(first) if used + kept.len() as u64 >= u64::from(pool.desktops_max) => Err(refused(
            "booked",
            format!("the last desktops of {} are booked from {}", pool.name, first.span),
            "try again when that is over, or book one yourself for another time",
        )),
        _ => Ok(()),
    }
}

/// Refuses a booking that begins now of a pool, which is held, to somebody who has no desktop there and could be given none.
async fn check_room(txn: &DatabaseTransaction, pool: &Pool, user: UserId, now: Micros) -> Result<(), StoreError> {
    let owners = owners(txn, pool.id).await?;
    if owners.contains(&user.to_string()) {
        return Ok(());
    }
    if owners.len() as u64 >= u64::from(pool.desktops_max) {
        return Err(against_rules(BookingRefusal::pool_full(pool.name.as_str(), pool.desktops_max)));
    }
    check_held(txn, pool, user, now).await
}

/// Whose the desktops of a pool are, one for each that is somebody's.
async fn owners(txn: &DatabaseTransaction, pool: PoolId) -> Result<Vec<String>, StoreError> {
    Ok(desktop::of_pool(pool)
        .select_only()
        .column(desktop::row::Column::OwnerId)
        .filter(desktop::row::Column::OwnerId.is_not_null())
        .filter(desktop::row::Column::Intent.ne(codec::word(DesktopIntent::Deleted)?))
        .into_tuple()
        .all(txn)
        .await?)
}
