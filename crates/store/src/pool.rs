//! Pools, and who may use them.

use crate::{Store, StoreError, codec, desktop, group, user};
use oriel_model::{Micros, Name, Pool, PoolId, User, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Set, SqlErr,
    sea_query::{OnConflict, Query, SelectStatement},
};

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "pool")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub image_id: Option<String>,
        pub vcpus: i64,
        pub memory_mib: i64,
        pub disk_gib: i64,
        /// JSON.
        pub network: String,
        pub desktops_max: i64,
        pub keyboard: String,
        pub created: i64,
        /// JSON.
        pub gpu: Option<String>,
        /// JSON.
        pub hardware: Option<String>,
        pub recording: String,
        pub kind: String,
        /// JSON.
        pub policy: Option<String>,
        /// JSON.
        pub size: Option<String>,
        /// JSON.
        pub hours: Option<String>,
        /// JSON.
        pub leaving: Option<String>,
        /// JSON.
        pub cloud: Option<String>,
        /// JSON.
        pub personal_disk: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod entitlement {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "pool_user")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub pool_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod stands {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "pool_cloud")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub pool_id: String,
        pub cloud_id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Pool {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("pool", &row.id)?,
            name: codec::parse("pool", &row.name)?,
            kind: codec::from_word("pool", row.kind)?,
            image: row.image_id.map(|id| codec::parse("pool", &id)).transpose()?,
            vcpus: codec::number("pool", row.vcpus)?,
            memory_mib: codec::number("pool", row.memory_mib)?,
            disk_gib: codec::number("pool", row.disk_gib)?,
            network: codec::from_json("pool", &row.network)?,
            desktops_max: codec::number("pool", row.desktops_max)?,
            keyboard: row.keyboard,
            gpu: row.gpu.map(|gpu| codec::from_json("pool", &gpu)).transpose()?,
            hardware: row.hardware.map(|hardware| codec::from_json("pool", &hardware)).transpose()?.unwrap_or_default(),
            recording: codec::from_word("pool", row.recording)?,
            size: row.size.map(|size| codec::from_json("pool", &size)).transpose()?.unwrap_or_default(),
            hours: row.hours.map(|hours| codec::from_json("pool", &hours)).transpose()?.unwrap_or_default(),
            leaving: row.leaving.map(|leaving| codec::from_json("pool", &leaving)).transpose()?.unwrap_or_default(),
            cloud: row.cloud.map(|cloud| codec::from_json("pool", &cloud)).transpose()?,
            personal_disk: row.personal_disk.map(|disk| codec::from_json("pool", &disk)).transpose()?,
            policy: row.policy.map(|policy| codec::from_json("pool", &policy)).transpose()?.unwrap_or_default(),
            created: Micros(row.created),
        })
    }
}

fn to_row(pool: &Pool) -> Result<row::Model, StoreError> {
    Ok(row::Model {
        id: pool.id.to_string(),
        name: pool.name.to_string(),
        image_id: pool.image.map(|id| id.to_string()),
        vcpus: i64::from(pool.vcpus),
        memory_mib: codec::big(pool.memory_mib),
        disk_gib: codec::big(pool.disk_gib),
        network: codec::json(&pool.network)?,
        desktops_max: i64::from(pool.desktops_max),
        keyboard: pool.keyboard.clone(),
        created: pool.created.0,
        gpu: pool.gpu.as_ref().map(codec::json).transpose()?,
        hardware: (!pool.hardware.is_default()).then(|| codec::json(&pool.hardware)).transpose()?,
        recording: codec::word(pool.recording)?,
        kind: codec::word(pool.kind)?,
        size: (!pool.size.is_default()).then(|| codec::json(&pool.size)).transpose()?,
        hours: (!pool.hours.is_default()).then(|| codec::json(&pool.hours)).transpose()?,
        leaving: (!pool.leaving.is_default()).then(|| codec::json(&pool.leaving)).transpose()?,
        policy: (!pool.policy.is_default()).then(|| codec::json(&pool.policy)).transpose()?,
        cloud: pool.cloud.as_ref().map(codec::json).transpose()?,
        personal_disk: pool.personal_disk.as_ref().map(codec::json).transpose()?,
    })
}

/// A new name may be taken, a new image may be gone.
fn refused(error: DbErr, pool: &Pool) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            StoreError::missing("image", pool.image.map(|id| id.to_string()).unwrap_or_default())
        }
        _ => StoreError::taken(error, "pool", pool.name.as_str()),
    }
}

impl Store {
    /// Errors: `Taken`, `Missing` image or cloud.
    pub async fn create_pool(&self, pool: &Pool) -> Result<(), StoreError> {
        let insert = row::Entity::insert(to_row(pool)?.into_active_model());
        let Some(place) = &pool.cloud else {
            let done = insert.exec_without_returning(&self.writer).await;
            return done.map(drop).map_err(|error| refused(error, pool));
        };
        let txn = self.begin().await?;
        insert.exec_without_returning(&txn).await.map_err(|error| refused(error, pool))?;
        stands::Entity::insert(stands::ActiveModel {
            pool_id: Set(pool.id.to_string()),
            cloud_id: Set(place.cloud.to_string()),
        })
        .exec_without_returning(&txn)
        .await
        .map_err(|error| StoreError::dangling(error, "cloud", place.cloud))?;
        txn.commit().await?;
        Ok(())
    }

    pub async fn pool(&self, id: PoolId) -> Result<Option<Pool>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Pool::try_from).transpose()
    }

    pub async fn pool_by_name(&self, name: &Name) -> Result<Option<Pool>, StoreError> {
        let row = row::Entity::find().filter(row::Column::Name.eq(name.as_str())).one(&self.reader).await?;
        row.map(Pool::try_from).transpose()
    }

    /// By name.
    pub async fn pools(&self) -> Result<Vec<Pool>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::Name).all(&self.reader).await?;
        rows.into_iter().map(Pool::try_from).collect()
    }

    /// Those of these that there are, by name.
    pub async fn pools_named(&self, ids: &[PoolId]) -> Result<Vec<Pool>, StoreError> {
        let mut found = Vec::new();
        for some in ids.chunks(desktop::ROWS_MAX) {
            let named = row::Entity::find().filter(row::Column::Id.is_in(some.iter().map(ToString::to_string)));
            for row in named.order_by_asc(row::Column::Name).all(&self.reader).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    /// Those that the user may use, by name.
    pub async fn pools_for(&self, user: UserId) -> Result<Vec<Pool>, StoreError> {
        let rows = row::Entity::find().filter(may_use(user)).order_by_asc(row::Column::Name).all(&self.reader).await?;
        rows.into_iter().map(Pool::try_from).collect()
    }

    /// Writes everything but `created`; where it stands stays. Errors: `Missing` pool or image, `Taken`.
    pub async fn update_pool(&self, pool: &Pool) -> Result<(), StoreError> {
        self.write_pool(pool, true).await
    }

    /// As [`Self::update_pool`], and leaves the image as it is: a roll-out may have changed it since the pool was read.
    pub async fn update_pool_but_image(&self, pool: &Pool) -> Result<(), StoreError> {
        self.write_pool(pool, false).await
    }

    async fn write_pool(&self, pool: &Pool, with_image: bool) -> Result<(), StoreError> {
        let mut row = to_row(pool)?.into_active_model().reset_all();
        if !with_image {
            row.image_id = sea_orm::NotSet;
        }
        row.created = sea_orm::NotSet;
        row.id = sea_orm::Unchanged(pool.id.to_string());
        match row.update(&self.writer).await {
            Ok(_) => Ok(()),
            Err(DbErr::RecordNotUpdated) => Err(StoreError::missing("pool", pool.id)),
            Err(error) => Err(refused(error, pool)),
        }
    }

    /// Takes its entitlements along. Errors: `Missing`; `InUse` while it has desktops.
    pub async fn delete_pool(&self, id: PoolId) -> Result<(), StoreError> {
        let done = row::Entity::delete_by_id(id.to_string())
            .exec(&self.writer)
            .await
            .map_err(|error| StoreError::in_use(error, "pool", "desktops"))?;
        if done.rows_affected == 0 { Err(StoreError::missing("pool", id)) } else { Ok(()) }
    }

    /// Lets the user use the pool; once more is no error. Errors: `Missing` when either has gone.
    pub async fn entitle(&self, pool: PoolId, user: UserId) -> Result<(), StoreError> {
        let row = entitlement::ActiveModel { pool_id: Set(pool.to_string()), user_id: Set(user.to_string()) };
        entitlement::Entity::insert(row)
            .on_conflict(
                OnConflict::columns([entitlement::Column::PoolId, entitlement::Column::UserId]).do_nothing().to_owned(),
            )
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::dangling(error, "pool or user", format!("{pool}, {user}")))
    }

    /// Whom the pool did not know is no error.
    pub async fn unentitle(&self, pool: PoolId, user: UserId) -> Result<(), StoreError> {
        entitlement::Entity::delete_by_id((pool.to_string(), user.to_string())).exec(&self.writer).await?;
        Ok(())
    }

    /// Whom the pool itself lets use it, by name; its groups let in more.
    pub async fn pool_users(&self, pool: PoolId) -> Result<Vec<User>, StoreError> {
        let entitled = Query::select()
            .column(entitlement::Column::UserId)
            .from(entitlement::Entity)
            .and_where(entitlement::Column::PoolId.eq(pool.to_string()))
            .to_owned();
        let rows = user::row::Entity::find()
            .filter(user::row::Column::Id.in_subquery(entitled))
            .order_by_asc(user::row::Column::NameFolded)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(User::try_from).collect()
    }

    /// Whether the pool lets the person in, or a group of theirs.
    pub async fn entitled(&self, pool: PoolId, user: UserId) -> Result<bool, StoreError> {
        let found = row::Entity::find_by_id(pool.to_string()).filter(may_use(user)).one(&self.reader).await?;
        Ok(found.is_some())
    }
}

/// Which pools the user may use, for a query: those that let them in, or one of their groups.
pub(crate) fn allowed(user: UserId) -> SelectStatement {
    Query::select().column(row::Column::Id).from(row::Entity).cond_where(may_use(user)).to_owned()
}

/// The pools of session hosts, for a query.
pub(crate) fn of_session_hosts() -> SelectStatement {
    Query::select().column(row::Column::Id).from(row::Entity).and_where(row::Column::Kind.eq("session_host")).to_owned()
}

fn may_use(user: UserId) -> Condition {
    let themselves = Query::select()
        .column(entitlement::Column::PoolId)
        .from(entitlement::Entity)
        .and_where(entitlement::Column::UserId.eq(user.to_string()))
        .to_owned();
    Condition::any()
        .add(row::Column::Id.in_subquery(themselves))
        .add(row::Column::Id.in_subquery(group::pools_by_groups(user)))
}

/// The pool, held until the transaction ends.
pub(crate) async fn locked(txn: &sea_orm::DatabaseTransaction, id: PoolId) -> Result<Pool, StoreError> {
    let row = row::Entity::find_by_id(id.to_string()).lock_exclusive().one(txn).await?;
    row.map(Pool::try_from).transpose()?.ok_or_else(|| StoreError::missing("pool", id))
}
