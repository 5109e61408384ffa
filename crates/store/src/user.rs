//! People and their password hashes. There is always an enabled admin, once there was one.

use crate::{Store, StoreError, codec};
use oriel_model::{Micros, Role, User, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select, Set, sea_query::Expr,
};

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub name_folded: String,
        pub role: String,
        pub password_hash: String,
        pub must_change_password: bool,
        pub disabled: bool,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for User {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("user", &row.id)?,
            name: row.name,
            role: codec::from_word("user", row.role)?,
            must_change_password: row.must_change_password,
            disabled: row.disabled,
            created: Micros(row.created),
        })
    }
}

/// How names are compared: without case, by the same rule on both databases.
pub(crate) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Enabled admins: those who can let others in.
fn admins() -> Result<Select<row::Entity>, StoreError> {
    Ok(row::Entity::find()
        .filter(row::Column::Role.eq(codec::word(Role::Admin)?))
        .filter(row::Column::Disabled.eq(false)))
}

impl Store {
    /// Errors: `Taken` when somebody has the name, compared without case.
    pub async fn create_user(&self, user: &User, password_hash: &str) -> Result<(), StoreError> {
        insert(&self.writer, user, password_hash).await
    }

    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(User::try_from).transpose()
    }

    /// The user of that name, compared without case, with the password's hash.
    pub async fn user_by_name(&self, name: &str) -> Result<Option<(User, String)>, StoreError> {
        let row = row::Entity::find().filter(row::Column::NameFolded.eq(fold(name))).one(&self.reader).await?;
        row.map(|row| {
            let hash = row.password_hash.clone();
            User::try_from(row).map(|user| (user, hash))
        })
        .transpose()
    }

    /// The password's hash of a user known by id (to check the current password before a change).
    pub async fn password_hash(&self, id: UserId) -> Result<Option<String>, StoreError> {
        Ok(row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(|row| row.password_hash))
    }

    /// Everybody, by name.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::NameFolded).all(&self.reader).await?;
        rows.into_iter().map(User::try_from).collect()
    }

    /// Writes name, role, `disabled` and `must_change_password`.
    /// Errors: `Missing`, `Taken`, `LastAdmin`.
    pub async fn update_user(&self, user: &User) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let row = locked(&txn, user.id).await?;
        let stays_admin = user.role == Role::Admin && !user.disabled;
        if !stays_admin {
            keep_an_admin_beside(&txn, &row).await?;
        }
        let mut row = row.into_active_model();
        row.name = Set(user.name.clone());
        row.name_folded = Set(fold(&user.name));
        row.role = Set(codec::word(user.role)?);
        row.disabled = Set(user.disabled);
        row.must_change_password = Set(user.must_change_password);
        row.update(&txn).await.map_err(|error| StoreError::taken(error, "user", &user.name))?;
        txn.commit().await?;
        Ok(())
    }

    /// Errors: `Missing`.
    pub async fn set_password(&self, id: UserId, hash: &str, must_change: bool) -> Result<(), StoreError> {
        let done = row::Entity::update_many()
            .col_expr(row::Column::PasswordHash, Expr::value(hash))
            .col_expr(row::Column::MustChangePassword, Expr::value(must_change))
            .filter(row::Column::Id.eq(id.to_string()))
            .exec(&self.writer)
            .await?;
        if done.rows_affected == 0 { Err(StoreError::missing("user", id)) } else { Ok(()) }
    }

    /// Takes the user's web sessions, tokens, tickets and entitlements along.
    /// Errors: `Missing`, `LastAdmin`, `InUse` while desktops belong to the user.
    pub async fn delete_user(&self, id: UserId) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        let row = locked(&txn, id).await?;
        keep_an_admin_beside(&txn, &row).await?;
        row::Entity::delete_by_id(id.to_string())
            .exec(&txn)
            .await
            .map_err(|error| StoreError::in_use(error, "user", "desktops"))?;
        txn.commit().await?;
        Ok(())
    }

    /// Enabled admins.
    pub async fn count_admins(&self) -> Result<u64, StoreError> {
        Ok(admins()?.count(&self.reader).await?)
    }
}

pub(crate) async fn insert(to: &impl ConnectionTrait, user: &User, password_hash: &str) -> Result<(), StoreError> {
    let row = row::Model {
        id: user.id.to_string(),
        name: user.name.clone(),
        name_folded: fold(&user.name),
        role: codec::word(user.role)?,
        password_hash: password_hash.to_owned(),
        must_change_password: user.must_change_password,
        disabled: user.disabled,
        created: user.created.0,
    };
    row::Entity::insert(row.into_active_model())
        .exec_without_returning(to)
        .await
        .map(drop)
        .map_err(|error| StoreError::taken(error, "user", &user.name))
}

/// The user's row, held until the transaction ends. All admins are held first, always in the same order, so that two
/// admins who demote each other at once cannot both succeed, nor wait for each other for ever.
async fn locked(txn: &DatabaseTransaction, id: UserId) -> Result<row::Model, StoreError> {
    let id = id.to_string();
    admins()?.order_by_asc(row::Column::Id).lock_exclusive().all(txn).await?;
    let row = row::Entity::find_by_id(&id).lock_exclusive().one(txn).await?;
    row.ok_or_else(|| StoreError::missing("user", id))
}

/// The user's row, held until the transaction ends, for what is counted per person. Errors: `Missing`.
pub(crate) async fn hold(txn: &DatabaseTransaction, id: UserId) -> Result<(), StoreError> {
    let row = row::Entity::find_by_id(id.to_string()).lock_exclusive().one(txn).await?;
    row.map(drop).ok_or_else(|| StoreError::missing("user", id))
}

async fn keep_an_admin_beside(txn: &impl ConnectionTrait, leaving: &row::Model) -> Result<(), StoreError> {
    let is_admin = leaving.role == codec::word(Role::Admin)? && !leaving.disabled;
    if is_admin && admins()?.filter(row::Column::Id.ne(&leaving.id)).count(txn).await? == 0 {
        return Err(StoreError::LastAdmin);
    }
    Ok(())
}
