//! Desktops, their ports and their secrets.
//!
//! Several writers move one desktop: the reconciler its state, people its intent, the gateway its use. Each goes through
//! [`Store::modify_desktop`], which holds the row while the change is made, so that no writer overwrites another's change
//! with what it read before.

use crate::{
    Store, StoreError, booking,
    change::changed,
    codec, maintenance, now, place, pool, quota,
    seam::{self, Plant},
};
use oriel_model::{Desktop, DesktopId, DesktopState, MaintenanceOf, Micros, Name, PoolId, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait,
    IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set, SqlErr, sea_query::OnConflict,
};
use std::{collections::BTreeSet, ops::RangeInclusive};

/// Rows of one statement.
pub(crate) const ROWS_MAX: usize = 500;

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "desktop")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub pool_id: String,
        pub owner_id: Option<String>,
        /// A copy of `facts.image`, so that the database keeps the image alive.
        pub image_id: Option<String>,
        pub intent: String,
        pub state: String,
        pub failure: Option<String>,
        pub step: Option<String>,
        pub generation: i64,
        pub host: Option<String>,
        pub port_base: Option<i64>,
        /// JSON.
        pub facts: String,
        pub created: i64,
        pub changed: i64,
        /// JSON.
        pub external: Option<String>,
        /// What is unique of `facts.seat`: pool and owner.
        pub seat: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod secret {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "desktop_secret")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub desktop_id: String,
        pub sealed: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// How many desktops of a pool are in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DesktopCount {
    pub pool: PoolId,
    pub state: DesktopState,
    pub all: u64,
    /// Somebody's, of all.
    pub assigned: u64,
}

impl TryFrom<row::Model> for Desktop {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("desktop", &row.id)?,
            name: codec::parse("desktop", &row.name)?,
            pool: codec::parse("desktop", &row.pool_id)?,
            owner: row.owner_id.map(|id| codec::parse("desktop", &id)).transpose()?,
            intent: codec::from_word("desktop", row.intent)?,
            state: codec::from_word("desktop", row.state)?,
            failure: row.failure,
            step: row.step.map(|step| codec::from_word("desktop", step)).transpose()?,
            generation: codec::number("desktop", row.generation)?,
            host: row.host,
            port_base: row.port_base.map(|port| codec::number("desktop", port)).transpose()?,
            facts: codec::from_json("desktop", &row.facts)?,
            external: row.external.map(|text| codec::from_json("desktop", &text)).transpose()?,
            created: Micros(row.created),
            changed: Micros(row.changed),
        })
    }
}

fn to_row(desktop: &Desktop) -> Result<row::Model, StoreError> {
    Ok(row::Model {
        id: desktop.id.to_string(),
        name: desktop.name.to_string(),
        pool_id: desktop.pool.to_string(),
        owner_id: desktop.owner.map(|id| id.to_string()),
        image_id: desktop.facts.image.map(|id| id.to_string()),
        intent: codec::word(desktop.intent)?,
        state: codec::word(desktop.state)?,
        failure: desktop.failure.clone(),
        step: desktop.step.map(codec::word).transpose()?,
        generation: i64::from(desktop.generation),
        host: desktop.host.clone(),
        port_base: desktop.port_base.map(i64::from),
        facts: codec::json(&desktop.facts)?,
        created: desktop.created.0,
        changed: desktop.changed.0,
        external: desktop.external.as_ref().map(codec::json).transpose()?,
        seat: desktop.facts.seat.and(desktop.owner).map(|owner| crate::seat::key(desktop.pool, owner)),
    })
}

/// A name may be taken, an owner or an image may be gone.
pub(crate) fn refused(error: DbErr, desktop: &Desktop) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            StoreError::missing("owner or image of desktop", &desktop.name)
        }
        Some(SqlErr::UniqueConstraintViolation(on)) if on.contains("port_base") => {
            StoreError::Taken { what: "port range", name: desktop.port_base.unwrap_or_default().to_string() }
        }
        Some(SqlErr::UniqueConstraintViolation(on)) if on.contains("seat") => {
            StoreError::Taken { what: "seat", name: desktop.name.to_string() }
        }
        _ => StoreError::taken(error, "desktop", desktop.name.as_str()),
    }
}

pub(crate) fn of_pool(pool: PoolId) -> Select<row::Entity> {
    row::Entity::find().filter(row::Column::PoolId.eq(pool.to_string()))
}

impl Store {
    /// Errors: `Taken` name, `Missing` pool, owner or image, `PoolFull` when the pool holds `desktops_max` already, `OverQuota` when
    /// it is more than its owner may have, `Booking` when the last ones are booked by others.
    pub async fn create_desktop(&self, desktop: &Desktop) -> Result<(), StoreError> {
        self.create_desktop_with(desktop, None).await
    }

    /// As [`Self::create_desktop`], with its sealed secret in the same transaction: there is never one without the other.
    pub async fn create_desktop_with(&self, desktop: &Desktop, sealed: Option<&str>) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        // A desktop is seldom made for who has gone: that is what is missing of it.
        let person = match desktop.owner {
            Some(owner) => Some((owner, held_owner(&txn, owner, desktop).await?)),
            None => None,
        };
        // Holding the pool makes those who come together count one after the other.
        let pool = pool::locked(&txn, desktop.pool).await?;
        if of_pool(pool.id).count(&txn).await? >= u64::from(pool.desktops_max) {
            return Err(StoreError::PoolFull { pool: pool.name.to_string(), max: pool.desktops_max });
        }
        if let Some((owner, name)) = &person {
            booking::check_held(&txn, &pool, *owner, now()).await?;
            quota::check(&txn, (*owner, name), None, desktop).await?;
        }
        row::Entity::insert(to_row(desktop)?.into_active_model())
            .exec_without_returning(&txn)
            .await
            .map_err(|error| refused(error, desktop))?;
        if let Some(sealed) = sealed {
            put_secret(&txn, desktop.id, sealed).await?;
        }
        txn.commit().await?;
        Ok(())
    }

    pub async fn desktop(&self, id: DesktopId) -> Result<Option<Desktop>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Desktop::try_from).transpose()
    }

    pub async fn desktop_by_name(&self, name: &Name) -> Result<Option<Desktop>, StoreError> {
        let row = row::Entity::find().filter(row::Column::Name.eq(name.as_str())).one(&self.reader).await?;
        row.map(Desktop::try_from).transpose()
    }

    /// All, by name.
    pub async fn desktops(&self) -> Result<Vec<Desktop>, StoreError> {
        self.list(row::Entity::find()).await
    }

    /// Whose owner is that user, by name.
    pub async fn desktops_of(&self, user: UserId) -> Result<Vec<Desktop>, StoreError> {
        self.list(row::Entity::find().filter(row::Column::OwnerId.eq(user.to_string()))).await
    }

    /// What the user may open, by name: their own, the external machines without an owner of pools that they may use, and the session
    /// hosts on which they have a place.
    pub async fn desktops_for(&self, user: UserId) -> Result<Vec<Desktop>, StoreError> {
        let shared = Condition::all()
            .add(row::Column::External.is_not_null())
            .add(row::Column::OwnerId.is_null())
            .add(row::Column::PoolId.in_subquery(pool::allowed(user)))
            .add(row::Column::PoolId.not_in_subquery(pool::of_session_hosts()));
        let own = row::Column::OwnerId.eq(user.to_string());
        let host = row::Column::Id.in_subquery(place::hosts_of(user));
        self.list(row::Entity::find().filter(Condition::any().add(own).add(shared).add(host))).await
    }

    /// Those of these that there are, by name.
    pub async fn desktops_named(&self, ids: &[DesktopId]) -> Result<Vec<Desktop>, StoreError> {
        let mut found = Vec::new();
        for some in ids.chunks(ROWS_MAX) {
            let names = some.iter().map(ToString::to_string);
            found.extend(self.list(row::Entity::find().filter(row::Column::Id.is_in(names))).await?);
        }
        Ok(found)
    }

    /// Which were changed then or later.
    pub async fn desktops_changed_since(&self, since: Micros) -> Result<Vec<DesktopId>, StoreError> {
        let ids = row::Entity::find()
            .select_only()
            .column(row::Column::Id)
            .filter(row::Column::Changed.gte(since.0))
            .into_tuple::<String>()
            .all(&self.reader)
            .await?;
        ids.iter().map(|id| codec::parse("desktop", id)).collect()
    }

    /// The numbers of the pool's desktops that are called `{of}-{number}`, sorted.
    pub async fn numbers_in_pool(&self, pool: PoolId, of: &Name) -> Result<Vec<u32>, StoreError> {
        let names =
            of_pool(pool).select_only().column(row::Column::Name).into_tuple::<String>().all(&self.reader).await?;
        let number = |name: &String| name.strip_prefix(of.as_str())?.strip_prefix('-')?.parse().ok();
        let mut numbers: Vec<u32> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// How many desktops each pool has in each state; those without any are left out.
    pub async fn desktop_counts(&self) -> Result<Vec<DesktopCount>, StoreError> {
        let rows = row::Entity::find()
            .select_only()
            .column(row::Column::PoolId)
            .column(row::Column::State)
            .column_as(row::Column::Id.count(), "all")
            .column_as(row::Column::OwnerId.count(), "assigned")
            .group_by(row::Column::PoolId)
            .group_by(row::Column::State)
            .order_by_asc(row::Column::PoolId)
            .order_by_asc(row::Column::State)
            .into_tuple::<(String, String, i64, i64)>()
            .all(&self.reader)
            .await?;
        let count = |(pool, state, all, assigned): (String, String, i64, i64)| {
            Ok(DesktopCount {
                pool: codec::parse("desktop", &pool)?,
                state: codec::from_word("desktop", state)?,
                all: all.unsigned_abs(),
                assigned: assigned.unsigned_abs(),
            })
        };
        rows.into_iter().map(count).collect()
    }

    /// By name.
    pub async fn desktops_in_pool(&self, pool: PoolId) -> Result<Vec<Desktop>, StoreError> {
        self.list(of_pool(pool)).await
    }

    /// Those that failed or did not answer, the latest first, at most so many.
    pub async fn desktops_in_trouble(&self, limit: u64) -> Result<Vec<Desktop>, StoreError> {
        let trouble = [codec::word(DesktopState::Failed)?, codec::word(DesktopState::Unreachable)?];
        let rows = row::Entity::find()
            .filter(row::Column::State.is_in(trouble))
            .order_by_desc(row::Column::Changed)
            .limit(limit)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(Desktop::try_from).collect()
    }

    pub(crate) async fn list(&self, wanted: Select<row::Entity>) -> Result<Vec<Desktop>, StoreError> {
        let rows = wanted.order_by_asc(row::Column::Name).all(&self.reader).await?;
        rows.into_iter().map(Desktop::try_from).collect()
    }

    /// Reads the desktop, lets `change` change it, and writes it, while nobody else can: no change is lost. `change`
    /// should look at what it gets (another writer may have been first) and leave it alone when its own step no longer
    /// fits. `changed` becomes now, unless `change` set it or changed nothing; `id` and `created` stay as they are.
    ///
    /// Returns the desktop as it is afterwards. Errors: `Missing`, `Taken`.
    pub async fn modify_desktop(
        &self,
        id: DesktopId,
        change: impl FnOnce(&mut Desktop) + Send,
    ) -> Result<Desktop, StoreError> {
        let txn = self.begin().await?;
        let mut before = locked(&txn, id).await?;
        let Some(after) = changed(&mut before, now(), change) else { return Ok(before) };
        write(&txn, &after).await.map_err(|error| refused(error, &after))?;
        txn.commit().await?;
        Ok(after)
    }

    /// As [`Self::modify_desktop`], for what may be more than its owner may have afterwards. Errors: also `OverQuota`.
    pub async fn modify_desktop_within_quota(
        &self,
        id: DesktopId,
        change: impl FnOnce(&mut Desktop) + Send,
    ) -> Result<Desktop, StoreError> {
        self.within_quota(id, None, |desktop, _| change(desktop)).await
    }

    /// As [`Self::modify_desktop_within_quota`], for a desktop that is to start at that place: `change` is told whether the place takes it.
    pub async fn start_desktop_within_quota(
        &self,
        id: DesktopId,
        place: MaintenanceOf,
        change: impl FnOnce(&mut Desktop, bool) + Send,
    ) -> Result<Desktop, StoreError> {
        self.within_quota(id, Some(place), change).await
    }

    async fn within_quota(
        &self,
        id: DesktopId,
        place: Option<MaintenanceOf>,
        change: impl FnOnce(&mut Desktop, bool) + Send,
    ) -> Result<Desktop, StoreError> {
        let (txn, mut before, person) = loop {
            let txn = self.begin().await?;
            // People are held before desktops: whose it is is seen first, and once more when both are held.
            let seen = row::Entity::find_by_id(id.to_string()).one(&txn).await?;
            let seen = seen.ok_or_else(|| StoreError::missing("desktop", id))?;
            let owner: Option<UserId> = seen.owner_id.map(|id| codec::parse("desktop", &id)).transpose()?;
            let person = match owner {
                Some(owner) => Some((owner, quota::hold(&txn, owner).await?)),
                None => None,
            };
            let before = locked(&txn, id).await?;
            if before.owner == owner {
                break (txn, before, person);
            }
            // It was given or taken back between the two looks (PostgreSQL only), which does not happen again and again.
            txn.rollback().await?;
        };
        let open = match place {
            Some(place) => maintenance::is_open(&txn, place).await?,
            None => true,
        };
        let Some(after) = changed(&mut before, now(), |desktop| change(desktop, open)) else { return Ok(before) };
        if let Some((owner, name)) = &person {
            quota::check(&txn, (*owner, name), Some(&before), &after).await?;
        }
        write(&txn, &after).await.map_err(|error| refused(error, &after))?;
        txn.commit().await?;
        Ok(after)
    }

    /// As [`Self::modify_desktop`], and keeps the sealed secret in the same transaction. Errors: `Missing`, `Taken`.
    pub async fn modify_desktop_with(
        &self,
        id: DesktopId,
        sealed: &str,
        change: impl FnOnce(&mut Desktop) + Send,
    ) -> Result<Desktop, StoreError> {
        let txn = self.begin().await?;
        let mut before = locked(&txn, id).await?;
        let after = changed(&mut before, now(), change).unwrap_or(before);
        write(&txn, &after).await.map_err(|error| refused(error, &after))?;
        put_secret(&txn, id, sealed).await?;
        txn.commit().await?;
        Ok(after)
    }

    /// Takes its secret and its tickets along. Deleting what is gone is no error: a reconciler that was killed after this
    /// step takes it once more. Errors: `InUse` while it holds something of a GPU.
    pub async fn delete_desktop(&self, id: DesktopId) -> Result<(), StoreError> {
        seam::pass().await;
        row::Entity::delete_by_id(id.to_string())
            .exec(&self.writer)
            .await
            .map_err(|error| StoreError::in_use(error, "desktop", "its claim of a GPU"))?;
        Ok(())
    }

    /// Gives the desktop the lowest free span of `step` ports on that host, within `ports`, and returns its first port.
    /// A desktop that has a span on that host keeps it; it is free again when `port_base` is cleared or the desktop deleted.
    ///
    /// Errors: `Missing`, `NoFreePort`.
    pub async fn claim_port_base(
        &self,
        desktop: DesktopId,
        host: &str,
        ports: RangeInclusive<u16>,
        step: u16,
    ) -> Result<u16, StoreError> {
        let step = step.max(1);
        loop {
            let txn = self.begin().await?;
            let mut claimed = locked(&txn, desktop).await?;
            if let (Some(held), Some(base)) = (&claimed.host, claimed.port_base)
                && held == host
            {
                return Ok(base);
            }
            let taken: BTreeSet<u16> = row::Entity::find()
                .filter(row::Column::Host.eq(host))
                .filter(row::Column::PortBase.is_not_null())
                .all(&txn)
                .await?
                .into_iter()
                .filter(|_| !seam::planted(Plant::NoPortFence))
                .filter_map(|row| row.port_base.and_then(|base| u16::try_from(base).ok()))
                .collect();
            let base = lowest_free(&taken, &ports, step).ok_or_else(|| StoreError::NoFreePort {
                host: host.to_owned(),
                first: *ports.start(),
                last: *ports.end(),
            })?;
            claimed.host = Some(host.to_owned());
            claimed.port_base = Some(base);
            claimed.changed = now().max(claimed.changed);
            match write(&txn, &claimed).await {
                Ok(()) => {
                    txn.commit().await?;
                    return Ok(base);
                }
                // Another program took the same span between our look and our write (PostgreSQL only). It holds it now,
                // so each round somebody gets a span: this ends.
                Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {}
                Err(error) => return Err(refused(error, &claimed)),
            }
        }
    }

    /// Keeps what the guest was given (passwords, keys), sealed by `identity`; replaces what was kept before.
    /// Errors: `Missing` desktop.
    pub async fn put_secret(&self, desktop: DesktopId, sealed: &str) -> Result<(), StoreError> {
        put_secret(&self.writer, desktop, sealed).await
    }

    /// The sealed text.
    pub async fn secret(&self, desktop: DesktopId) -> Result<Option<String>, StoreError> {
        Ok(secret::Entity::find_by_id(desktop.to_string()).one(&self.reader).await?.map(|row| row.sealed))
    }
}

async fn put_secret(on: &impl ConnectionTrait, desktop: DesktopId, sealed: &str) -> Result<(), StoreError> {
    let row = secret::ActiveModel { desktop_id: Set(desktop.to_string()), sealed: Set(sealed.to_owned()) };
    secret::Entity::insert(row)
        .on_conflict(OnConflict::column(secret::Column::DesktopId).update_column(secret::Column::Sealed).to_owned())
        .exec_without_returning(on)
        .await
        .map(drop)
        .map_err(|error| StoreError::dangling(error, "desktop", desktop))
}

/// Names of the desktops that hold something of a card, by name.
pub(crate) async fn names_of_claims(
    txn: &DatabaseTransaction,
    host: &str,
    gpu: &str,
) -> Result<Vec<String>, StoreError> {
    let holders = crate::gpu::holders(txn, host, gpu).await?;
    let rows =
        row::Entity::find().filter(row::Column::Id.is_in(holders)).order_by_asc(row::Column::Name).all(txn).await?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

/// The owner's name, held until the transaction ends.
async fn held_owner(txn: &DatabaseTransaction, owner: UserId, desktop: &Desktop) -> Result<String, StoreError> {
    quota::hold(txn, owner).await.map_err(|error| match error {
        StoreError::Missing { .. } => StoreError::missing("owner or image of desktop", &desktop.name),
        other => other,
    })
}

/// The desktop, held until the transaction ends.
pub(crate) async fn locked(txn: &DatabaseTransaction, id: DesktopId) -> Result<Desktop, StoreError> {
    let row = row::Entity::find_by_id(id.to_string()).lock_exclusive().one(txn).await?;
    row.map(Desktop::try_from).transpose()?.ok_or_else(|| StoreError::missing("desktop", id))
}

pub(crate) async fn write(txn: &DatabaseTransaction, desktop: &Desktop) -> Result<(), DbErr> {
    let row = to_row(desktop).map_err(|error| DbErr::Custom(error.to_string()))?;
    row.into_active_model().reset_all().update(txn).await.map(drop)
}

/// The first base, counted from the range's start in steps, whose whole span is free and inside the range.
fn lowest_free(taken: &BTreeSet<u16>, ports: &RangeInclusive<u16>, step: u16) -> Option<u16> {
    let span_end = |base: u16| base.checked_add(step - 1);
    ports
        .clone()
        .step_by(usize::from(step))
        .take_while(|base| span_end(*base).is_some_and(|end| end <= *ports.end()))
        .find(|base| {
            let from = base.saturating_sub(step - 1);
            span_end(*base).is_some_and(|end| taken.range(from..=end).next().is_none())
        })
}
