//! Quotas, and what people hold against them.
//!
//! Whoever gives somebody something holds their row first ([`hold`]), then looks at what they have ([`check`], [`attend`]), and writes
//! in the same transaction: of any number of requests at once, in any number of programs, none gets past a limit. People are held
//! before pools and desktops, everywhere.

use crate::{
    Store, StoreError, codec,
    desktop::{self, ROWS_MAX},
    group, now, pool,
    seam::{self, Plant, planted},
    user,
};
use oriel_model::{
    Cap, Desktop, DesktopId, Micros, OverQuota, Pool, PoolId, Quota, QuotaKind, QuotaLimits, QuotaOf, QuotaScope,
    UserId,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select, Set,
    sea_query::{Expr, LockType, OnConflict},
};
use std::collections::{BTreeMap, BTreeSet};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "quota")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub group_id: Option<String>,
        pub user_id: Option<String>,
        pub pool_id: Option<String>,
        /// JSON.
        pub limits: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod attendance {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "attendance")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub user_id: String,
        pub desktop_id: String,
        pub until: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// The id of everyone's rule.
const EVERYONE: &str = "everyone";

impl TryFrom<row::Model> for Quota {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        let scope = match (row.group_id, row.user_id, row.pool_id) {
            (Some(id), ..) => QuotaScope::Group(codec::parse("quota", &id)?),
            (_, Some(id), _) => QuotaScope::User(codec::parse("quota", &id)?),
            (.., Some(id)) => QuotaScope::Pool(codec::parse("quota", &id)?),
            (None, None, None) => QuotaScope::Everyone,
        };
        Ok(Self { scope, limits: codec::from_json::<QuotaLimits>("quota", &row.limits)? })
    }
}

fn key(scope: QuotaScope) -> String {
    match scope {
        QuotaScope::Everyone => EVERYONE.to_owned(),
        QuotaScope::Group(id) => id.to_string(),
        QuotaScope::User(id) => id.to_string(),
        QuotaScope::Pool(id) => id.to_string(),
    }
}

/// What is one of an attendance.
fn place(user: UserId, desktop: DesktopId, program: &str) -> String {
    format!("{user}/{desktop}/{program}")
}

impl Store {
    /// All rules: everyone's first, others by what they are of.
    pub async fn quotas(&self) -> Result<Vec<Quota>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::Id).all(&self.reader).await?;
        let mut rules: Vec<Quota> = rows.into_iter().map(Quota::try_from).collect::<Result<_, _>>()?;
        rules.sort_by_key(|rule| rule.scope);
        Ok(rules)
    }

    /// The rules that concern one person: everyone's, their groups', their own, and those of all pools.
    pub async fn quotas_for(&self, user: UserId) -> Result<Vec<Quota>, StoreError> {
        let mut rules = rules(&self.reader, user, None).await?;
        let of_pools = row::Entity::find().filter(row::Column::PoolId.is_not_null()).order_by_asc(row::Column::Id);
        for row in of_pools.all(&self.reader).await? {
            rules.push(row.try_into()?);
        }
        Ok(rules)
    }

    /// Makes the rule, or replaces the one there was. What people have stays theirs. Errors: `Missing` when what it is of has gone.
    pub async fn put_quota(&self, quota: &Quota) -> Result<(), StoreError> {
        seam::pass().await;
        let (mut group_id, mut user_id, mut pool_id) = (None, None, None);
        let what = match quota.scope {
            QuotaScope::Everyone => EVERYONE,
            QuotaScope::Group(id) => {
                group_id = Some(id.to_string());
                "group"
            }
            QuotaScope::User(id) => {
                user_id = Some(id.to_string());
                "user"
            }
            QuotaScope::Pool(id) => {
                pool_id = Some(id.to_string());
                "pool"
            }
        };
        let id = key(quota.scope);
        let row = row::ActiveModel {
            id: Set(id.clone()),
            group_id: Set(group_id),
            user_id: Set(user_id),
            pool_id: Set(pool_id),
            limits: Set(codec::json(&quota.limits)?),
        };
        row::Entity::insert(row)
            .on_conflict(OnConflict::column(row::Column::Id).update_column(row::Column::Limits).to_owned())
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::dangling(error, what, id))
    }

    /// Where there is none is no error.
    pub async fn delete_quota(&self, scope: QuotaScope) -> Result<(), StoreError> {
        seam::pass().await;
        row::Entity::delete_by_id(key(scope)).exec(&self.writer).await?;
        Ok(())
    }

    /// To which desktops and machines somebody is connected, or about to be, through any program.
    pub async fn attended_by(&self, user: UserId, now: Micros) -> Result<BTreeSet<DesktopId>, StoreError> {
        attended(&self.reader, user, now).await
    }

    /// Says that somebody is in a desktop through this program from now on, and for so many seconds.
    ///
    /// Errors: `Missing`, `OverQuota` when that would be one session more than they may have.
    pub async fn attend(
        &self,
        user: UserId,
        desktop: DesktopId,
        program: &str,
        seconds: i64,
    ) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let person = hold(&txn, user).await?;
        attend(&txn, (user, &person), desktop, program, now().plus_seconds(seconds)).await?;
        txn.commit().await?;
        Ok(())
    }

    /// They have left, unless it was said meanwhile that they are there for longer than until `said`: in another tab. Twice is no error.
    pub async fn leave(&self, user: UserId, desktop: DesktopId, program: &str, said: Micros) -> Result<(), StoreError> {
        attendance::Entity::delete_many()
            .filter(attendance::Column::Id.eq(place(user, desktop, program)))
            .filter(attendance::Column::Until.lte(said.0))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// The desktops that others than this person are in through other programs than this one.
    pub async fn attended_elsewhere(
        &self,
        without: UserId,
        program: &str,
        now: Micros,
    ) -> Result<BTreeSet<DesktopId>, StoreError> {
        elsewhere(&self.reader, without, program, now).await
    }

    /// Those who are in desktops through this program still are, until then.
    pub async fn prolong_attendance(
        &self,
        program: &str,
        there: &BTreeSet<(UserId, DesktopId)>,
        until: Micros,
    ) -> Result<(), StoreError> {
        let places: Vec<String> = there.iter().map(|(user, desktop)| place(*user, *desktop, program)).collect();
        for some in places.chunks(ROWS_MAX) {
            attendance::Entity::update_many()
                .col_expr(attendance::Column::Until, Expr::value(until.0))
                .filter(attendance::Column::Id.is_in(some))
                .exec(&self.writer)
                .await?;
        }
        Ok(())
    }

    /// Forgets who was in what so long ago that nothing depends on it.
    pub async fn delete_old_attendance(&self, before: Micros) -> Result<(), StoreError> {
        attendance::Entity::delete_many().filter(attendance::Column::Until.lt(before.0)).exec(&self.writer).await?;
        Ok(())
    }
}

/// Holds a person until the transaction ends, so that those who give them something take turns; answers their name. Others may go on
/// referring to them. Errors: `Missing`.
pub(crate) async fn hold(txn: &DatabaseTransaction, user: UserId) -> Result<String, StoreError> {
    let held = user::row::Entity::find_by_id(user.to_string()).lock(LockType::NoKeyUpdate).one(txn).await?;
    held.map(|row| row.name).ok_or_else(|| StoreError::missing("user", user))
}

/// Refuses what would be more than the desktop's owner, who is held, may have. `before` is what it was as theirs; of what it took then
/// nothing is asked again. Errors: `OverQuota`, `Missing` pool.
pub(crate) async fn check(
    txn: &DatabaseTransaction,
    owner: (UserId, &str),
    before: Option<&Desktop>,
    after: &Desktop,
) -> Result<(), StoreError> {
    if after.external.is_some() || planted(Plant::NoQuotaFence) {
        return Ok(());
    }
    let rules = rules(txn, owner.0, Some(after.pool)).await?;
    if rules.is_empty() {
        return Ok(());
    }
    let others: Vec<Desktop> = of_owner(owner.0)
        .filter(desktop::row::Column::Id.ne(after.id.to_string()))
        .order_by_asc(desktop::row::Column::Name)
        .all(txn)
        .await?
        .into_iter()
        .map(Desktop::try_from)
        .collect::<Result<_, _>>()?;
    let pools = pools_of(txn, others.iter().map(|one| one.pool).chain([after.pool])).await?;
    for kind in QuotaKind::ALL {
        let Some((Cap::Most(most), scope)) = Quota::that_counts(&rules, kind) else { continue };
        let taken = |one: &Desktop| pools.get(&one.pool).map_or(0, |pool| kind.taken_by(one, pool));
        let asked = taken(after);
        if asked <= before.map_or(0, taken) {
            continue;
        }
        let counted = |one: &&Desktop| taken(one) > 0 && (!kind.is_of_pools() || one.pool == after.pool);
        let held = others.iter().filter(counted).map(taken).fold(0, u64::saturating_add);
        if held.saturating_add(asked) > most {
            let holding = others.iter().filter(counted).map(|one| one.name.to_string()).collect();
            let of = name(txn, scope, &pools).await?;
            let person = owner.1.to_owned();
            return Err(StoreError::OverQuota(Box::new(OverQuota { kind, most, held, asked, of, person, holding })));
        }
    }
    Ok(())
}

/// Refuses what would be more GiB of personal disks than a person may have: so many of them are `held` by these disks, and so many more
/// `asked` for. Errors: `OverQuota`.
pub(crate) async fn check_disks(
    on: &impl ConnectionTrait,
    owner: (UserId, &str),
    held: u64,
    asked: u64,
    holding: Vec<String>,
) -> Result<(), StoreError> {
    let kind = QuotaKind::DiskGib;
    if asked == 0 || planted(Plant::NoQuotaFence) {
        return Ok(());
    }
    if let Some((Cap::Most(most), scope)) = Quota::that_counts(&rules(on, owner.0, None).await?, kind)
        && held.saturating_add(asked) > most
    {
        let of = name(on, scope, &BTreeMap::new()).await?;
        let person = owner.1.to_owned();
        return Err(StoreError::OverQuota(Box::new(OverQuota { kind, most, held, asked, of, person, holding })));
    }
    Ok(())
}

/// Says that a person, who is held, is in a desktop until then. Errors: `OverQuota`, `Missing` desktop.
pub(crate) async fn attend(
    txn: &DatabaseTransaction,
    person: (UserId, &str),
    desktop: DesktopId,
    program: &str,
    until: Micros,
) -> Result<(), StoreError> {
    let (kind, asked) = (QuotaKind::Sessions, 1);
    if let Some((Cap::Most(most), scope)) = Quota::that_counts(&rules(txn, person.0, None).await?, kind) {
        let mut others = attended(txn, person.0, now()).await?;
        others.remove(&desktop);
        let held = others.len() as u64;
        if held.saturating_add(asked) > most {
            let named = desktop::row::Entity::find()
                .filter(desktop::row::Column::Id.is_in(others.iter().take(ROWS_MAX).map(ToString::to_string)))
                .order_by_asc(desktop::row::Column::Name);
            let holding = named.all(txn).await?.into_iter().map(|row| row.name).collect();
            let of = name(txn, scope, &BTreeMap::new()).await?;
            let person = person.1.to_owned();
            return Err(StoreError::OverQuota(Box::new(OverQuota { kind, most, held, asked, of, person, holding })));
        }
    }
    let row = attendance::ActiveModel {
        id: Set(place(person.0, desktop, program)),
        user_id: Set(person.0.to_string()),
        desktop_id: Set(desktop.to_string()),
        until: Set(until.0),
    };
    attendance::Entity::insert(row)
        .on_conflict(
            OnConflict::column(attendance::Column::Id)
                // A ticket that is asked for while they are there takes nothing back.
                .value(attendance::Column::Until, longest(txn))
                .to_owned(),
        )
        .exec_without_returning(txn)
        .await
        .map(drop)
        .map_err(|error| StoreError::dangling(error, "desktop", desktop))
}

/// As [`Store::attended_elsewhere`], in the midst of a change.
pub(crate) async fn elsewhere(
    on: &impl ConnectionTrait,
    without: UserId,
    program: &str,
    now: Micros,
) -> Result<BTreeSet<DesktopId>, StoreError> {
    let rows = attendance::Entity::find()
        .filter(attendance::Column::Until.gt(now.0))
        .filter(attendance::Column::UserId.ne(without.to_string()))
        .all(on)
        .await?;
    let own = format!("/{program}");
    let elsewhere = rows.iter().filter(|row| !row.id.ends_with(&own));
    elsewhere.map(|row| codec::parse("attendance", &row.desktop_id)).collect()
}

/// The later of two times, where a row is there already.
fn longest(on: &impl ConnectionTrait) -> Expr {
    match on.get_database_backend() {
        sea_orm::DbBackend::Sqlite => Expr::cust("MAX(attendance.until, excluded.until)"),
        _ => Expr::cust("GREATEST(attendance.until, excluded.until)"),
    }
}

/// The rules that concern one person, and one pool when it is named.
pub(crate) async fn rules(
    on: &impl ConnectionTrait,
    user: UserId,
    pool: Option<PoolId>,
) -> Result<Vec<Quota>, StoreError> {
    let mut concern = Condition::any()
        .add(row::Column::Id.eq(EVERYONE))
        .add(row::Column::UserId.eq(user.to_string()))
        .add(row::Column::GroupId.in_subquery(group::of_user(user)));
    if let Some(pool) = pool {
        concern = concern.add(row::Column::PoolId.eq(pool.to_string()));
    }
    let rows = row::Entity::find().filter(concern).order_by_asc(row::Column::Id).all(on).await?;
    rows.into_iter().map(Quota::try_from).collect()
}

fn of_owner(user: UserId) -> Select<desktop::row::Entity> {
    desktop::row::Entity::find().filter(desktop::row::Column::OwnerId.eq(user.to_string()))
}

async fn pools_of(
    on: &impl ConnectionTrait,
    ids: impl Iterator<Item = PoolId>,
) -> Result<BTreeMap<PoolId, Pool>, StoreError> {
    let ids: Vec<String> = ids.collect::<BTreeSet<PoolId>>().iter().map(ToString::to_string).collect();
    let mut found = BTreeMap::new();
    for some in ids.chunks(ROWS_MAX) {
        for row in pool::row::Entity::find().filter(pool::row::Column::Id.is_in(some)).all(on).await? {
            let pool = Pool::try_from(row)?;
            found.insert(pool.id, pool);
        }
    }
    Ok(found)
}

async fn attended(on: &impl ConnectionTrait, user: UserId, now: Micros) -> Result<BTreeSet<DesktopId>, StoreError> {
    let rows: Vec<String> = attendance::Entity::find()
        .select_only()
        .column(attendance::Column::DesktopId)
        .filter(attendance::Column::UserId.eq(user.to_string()))
        .filter(attendance::Column::Until.gt(now.0))
        .into_tuple()
        .all(on)
        .await?;
    rows.iter().map(|id| codec::parse("attendance", id)).collect()
}

/// Whose rule that is, for people.
async fn name(
    on: &impl ConnectionTrait,
    scope: QuotaScope,
    pools: &BTreeMap<PoolId, Pool>,
) -> Result<QuotaOf, StoreError> {
    Ok(match scope {
        QuotaScope::Everyone => QuotaOf::Everyone,
        QuotaScope::User(_) => QuotaOf::Own,
        QuotaScope::Group(id) => QuotaOf::Group(group::name_of(on, id).await?.unwrap_or_default()),
        QuotaScope::Pool(id) => QuotaOf::Pool(pools.get(&id).map(|pool| pool.name.to_string()).unwrap_or_default()),
    })
}
