//! Groups, who is in them, and which pools they open.

use crate::{Store, StoreError, codec, user};
use oriel_model::{Group, GroupId, Micros, PoolId, SecondFactorRule, User, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, Set,
    sea_query::{OnConflict, Query, SelectStatement},
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "user_group")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub name_folded: String,
        pub about: String,
        /// JSON.
        pub policy: Option<String>,
        pub second_factor: Option<String>,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod member {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "user_group_member")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub group_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod entitlement {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "pool_group")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub pool_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub group_id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Group {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("group", &row.id)?,
            name: row.name,
            about: row.about,
            policy: row.policy.map(|policy| codec::from_json("group", &policy)).transpose()?.unwrap_or_default(),
            second_factor: row
                .second_factor
                .map(|rule| codec::from_word("group", rule))
                .transpose()?
                .unwrap_or_default(),
            created: Micros(row.created),
        })
    }
}

fn to_row(group: &Group) -> Result<row::Model, StoreError> {
    Ok(row::Model {
        id: group.id.to_string(),
        name: group.name.clone(),
        name_folded: user::fold(&group.name),
        about: group.about.clone(),
        policy: (!group.policy.is_empty()).then(|| codec::json(&group.policy)).transpose()?,
        second_factor: (group.second_factor != SecondFactorRule::default())
            .then(|| codec::word(group.second_factor))
            .transpose()?,
        created: group.created.0,
    })
}

impl Store {
    /// Errors: `Taken` when a group has the name, compared without case.
    pub async fn create_group(&self, group: &Group) -> Result<(), StoreError> {
        row::Entity::insert(to_row(group)?.into_active_model())
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::taken(error, "group", &group.name))
    }

    pub async fn group(&self, id: GroupId) -> Result<Option<Group>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Group::try_from).transpose()
    }

    /// Compared without case.
    pub async fn group_by_name(&self, name: &str) -> Result<Option<Group>, StoreError> {
        let row = row::Entity::find().filter(row::Column::NameFolded.eq(user::fold(name))).one(&self.reader).await?;
        row.map(Group::try_from).transpose()
    }

    /// By name.
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::NameFolded).all(&self.reader).await?;
        rows.into_iter().map(Group::try_from).collect()
    }

    /// Writes everything but `created`. Errors: `Missing`, `Taken`.
    pub async fn update_group(&self, group: &Group) -> Result<(), StoreError> {
        let mut row = to_row(group)?.into_active_model().reset_all();
        row.created = sea_orm::NotSet;
        row.id = sea_orm::Unchanged(group.id.to_string());
        match row.update(&self.writer).await {
            Ok(_) => Ok(()),
            Err(DbErr::RecordNotUpdated) => Err(StoreError::missing("group", group.id)),
            Err(error) => Err(StoreError::taken(error, "group", &group.name)),
        }
    }

    /// Takes memberships and entitlements along. Errors: `Missing`.
    pub async fn delete_group(&self, id: GroupId) -> Result<(), StoreError> {
        match row::Entity::delete_by_id(id.to_string()).exec(&self.writer).await?.rows_affected {
            0 => Err(StoreError::missing("group", id)),
            _ => Ok(()),
        }
    }

    /// Once more is no error. Errors: `Missing` when either has gone.
    pub async fn add_member(&self, group: GroupId, user: UserId) -> Result<(), StoreError> {
        let row = member::ActiveModel { group_id: Set(group.to_string()), user_id: Set(user.to_string()) };
        let once = OnConflict::columns([member::Column::GroupId, member::Column::UserId]).do_nothing().to_owned();
        member::Entity::insert(row)
            .on_conflict(once)
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::dangling(error, "group or user", format!("{group}, {user}")))
    }

    /// Who was no member is no error.
    pub async fn remove_member(&self, group: GroupId, user: UserId) -> Result<(), StoreError> {
        member::Entity::delete_by_id((group.to_string(), user.to_string())).exec(&self.writer).await?;
        Ok(())
    }

    /// Members, by name.
    pub async fn members(&self, group: GroupId) -> Result<Vec<User>, StoreError> {
        let members = Query::select()
            .column(member::Column::UserId)
            .from(member::Entity)
            .and_where(member::Column::GroupId.eq(group.to_string()))
            .to_owned();
        let rows = user::row::Entity::find()
            .filter(user::row::Column::Id.in_subquery(members))
            .order_by_asc(user::row::Column::NameFolded)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(User::try_from).collect()
    }

    /// The groups that somebody is in, by name.
    pub async fn groups_of(&self, user: UserId) -> Result<Vec<Group>, StoreError> {
        let rows = row::Entity::find()
            .filter(row::Column::Id.in_subquery(of_user(user)))
            .order_by_asc(row::Column::NameFolded)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(Group::try_from).collect()
    }

    /// Who is in which group, for lists.
    pub async fn memberships(&self) -> Result<Vec<(GroupId, UserId)>, StoreError> {
        let rows = member::Entity::find().all(&self.reader).await?;
        rows.into_iter()
            .map(|row| Ok((codec::parse("group", &row.group_id)?, codec::parse("group", &row.user_id)?)))
            .collect()
    }

    /// Which group opens which pool, for lists.
    pub async fn groups_pools(&self) -> Result<Vec<(GroupId, PoolId)>, StoreError> {
        let rows = entitlement::Entity::find().all(&self.reader).await?;
        rows.into_iter()
            .map(|row| Ok((codec::parse("group", &row.group_id)?, codec::parse("group", &row.pool_id)?)))
            .collect()
    }

    /// Lets the group's members use the pool; once more is no error. Errors: `Missing` when either has gone.
    pub async fn entitle_group(&self, pool: PoolId, group: GroupId) -> Result<(), StoreError> {
        let row = entitlement::ActiveModel { pool_id: Set(pool.to_string()), group_id: Set(group.to_string()) };
        let once =
            OnConflict::columns([entitlement::Column::PoolId, entitlement::Column::GroupId]).do_nothing().to_owned();
        entitlement::Entity::insert(row)
            .on_conflict(once)
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::dangling(error, "pool or group", format!("{pool}, {group}")))
    }

    /// Which the pool did not know is no error.
    pub async fn unentitle_group(&self, pool: PoolId, group: GroupId) -> Result<(), StoreError> {
        entitlement::Entity::delete_by_id((pool.to_string(), group.to_string())).exec(&self.writer).await?;
        Ok(())
    }

    /// Which groups' members may use the pool, by name.
    pub async fn pool_groups(&self, pool: PoolId) -> Result<Vec<Group>, StoreError> {
        let entitled = Query::select()
            .column(entitlement::Column::GroupId)
            .from(entitlement::Entity)
            .and_where(entitlement::Column::PoolId.eq(pool.to_string()))
            .to_owned();
        let rows = row::Entity::find()
            .filter(row::Column::Id.in_subquery(entitled))
            .order_by_asc(row::Column::NameFolded)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(Group::try_from).collect()
    }

    /// Which pools a group opens.
    pub async fn pools_of_group(&self, group: GroupId) -> Result<Vec<PoolId>, StoreError> {
        let rows = entitlement::Entity::find()
            .filter(entitlement::Column::GroupId.eq(group.to_string()))
            .all(&self.reader)
            .await?;
        rows.into_iter().map(|row| codec::parse("group", &row.pool_id)).collect()
    }
}

/// Its name, while it is there.
pub(crate) async fn name_of(on: &impl ConnectionTrait, group: GroupId) -> Result<Option<String>, StoreError> {
    Ok(row::Entity::find_by_id(group.to_string()).one(on).await?.map(|row| row.name))
}

/// The groups that somebody is in, for a query.
pub(crate) fn of_user(user: UserId) -> SelectStatement {
    Query::select()
        .column(member::Column::GroupId)
        .from(member::Entity)
        .and_where(member::Column::UserId.eq(user.to_string()))
        .to_owned()
}

/// Which pools the user's groups open, for a query.
pub(crate) fn pools_by_groups(user: UserId) -> SelectStatement {
    Query::select()
        .column(entitlement::Column::PoolId)
        .from(entitlement::Entity)
        .and_where(entitlement::Column::GroupId.in_subquery(of_user(user)))
        .to_owned()
}
