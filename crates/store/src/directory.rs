//! Directories that people come from, and who of ours is who of theirs.

use crate::{Store, StoreError, codec, user};
use oriel_model::{Directory, DirectoryId, DirectoryPerson, Micros, User, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, OnConflict},
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "directory")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub name_folded: String,
        pub enabled: bool,
        /// JSON.
        pub settings: String,
        pub sealed: Option<String>,
        pub created: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod person {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "directory_person")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: String,
        pub directory_id: String,
        pub external_id: String,
        pub dn: String,
        pub active: bool,
        pub seen: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Directory {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("directory", &row.id)?,
            name: row.name,
            enabled: row.enabled,
            settings: codec::from_json("directory", &row.settings)?,
            created: Micros(row.created),
        })
    }
}

impl TryFrom<person::Model> for DirectoryPerson {
    type Error = StoreError;
    fn try_from(row: person::Model) -> Result<Self, StoreError> {
        Ok(Self {
            user: codec::parse("person of a directory", &row.user_id)?,
            directory: codec::parse("person of a directory", &row.directory_id)?,
            external_id: row.external_id,
            dn: row.dn,
            active: row.active,
            seen: Micros(row.seen),
        })
    }
}

fn to_row(directory: &Directory, sealed: Option<&str>) -> Result<row::Model, StoreError> {
    Ok(row::Model {
        id: directory.id.to_string(),
        name: directory.name.clone(),
        name_folded: user::fold(&directory.name),
        enabled: directory.enabled,
        settings: codec::json(&directory.settings)?,
        sealed: sealed.map(str::to_owned),
        created: directory.created.0,
    })
}

impl Store {
    /// Errors: `Taken`.
    pub async fn create_directory(&self, directory: &Directory, sealed: Option<&str>) -> Result<(), StoreError> {
        row::Entity::insert(to_row(directory, sealed)?.into_active_model())
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::taken(error, "directory", &directory.name))
    }

    /// Writes everything, the sealed password too. Errors: `Missing`, `Taken`.
    pub async fn update_directory(&self, directory: &Directory, sealed: Option<&str>) -> Result<(), StoreError> {
        let mut row = to_row(directory, sealed)?.into_active_model().reset_all();
        row.id = sea_orm::Unchanged(directory.id.to_string());
        match row.update(&self.writer).await {
            Ok(_) => Ok(()),
            Err(DbErr::RecordNotUpdated) => Err(StoreError::missing("directory", directory.id)),
            Err(error) => Err(StoreError::taken(error, "directory", &directory.name)),
        }
    }

    /// Oldest first, which is the order in which they are asked.
    pub async fn directories(&self) -> Result<Vec<Directory>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::Id).all(&self.reader).await?;
        rows.into_iter().map(Directory::try_from).collect()
    }

    pub async fn directory(&self, id: DirectoryId) -> Result<Option<Directory>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Directory::try_from).transpose()
    }

    /// The service account's password, sealed.
    pub async fn directory_secret(&self, id: DirectoryId) -> Result<Option<String>, StoreError> {
        Ok(row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.and_then(|row| row.sealed))
    }

    /// Errors: `Missing`, `InUse` while people come from it.
    pub async fn delete_directory(&self, id: DirectoryId) -> Result<(), StoreError> {
        let done = row::Entity::delete_by_id(id.to_string()).exec(&self.writer).await;
        match done.map_err(|error| StoreError::in_use(error, "directory", "people"))?.rows_affected {
            0 => Err(StoreError::missing("directory", id)),
            _ => Ok(()),
        }
    }

    /// Who somebody is there; `None` for people who were made here.
    pub async fn directory_person(&self, user: UserId) -> Result<Option<DirectoryPerson>, StoreError> {
        person::Entity::find_by_id(user.to_string()).one(&self.reader).await?.map(DirectoryPerson::try_from).transpose()
    }

    /// Who of ours that is.
    pub async fn directory_person_by_external(
        &self,
        directory: DirectoryId,
        external_id: &str,
    ) -> Result<Option<DirectoryPerson>, StoreError> {
        person::Entity::find()
            .filter(person::Column::DirectoryId.eq(directory.to_string()))
            .filter(person::Column::ExternalId.eq(external_id))
            .one(&self.reader)
            .await?
            .map(DirectoryPerson::try_from)
            .transpose()
    }

    /// Everybody who comes from there.
    pub async fn directory_people(&self, directory: DirectoryId) -> Result<Vec<DirectoryPerson>, StoreError> {
        let rows = person::Entity::find()
            .filter(person::Column::DirectoryId.eq(directory.to_string()))
            .order_by_asc(person::Column::UserId)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(DirectoryPerson::try_from).collect()
    }

    /// Who comes from where, for lists.
    pub async fn users_of_directories(&self) -> Result<Vec<(UserId, DirectoryId)>, StoreError> {
        let rows: Vec<(String, String)> = person::Entity::find()
            .select_only()
            .column(person::Column::UserId)
            .column(person::Column::DirectoryId)
            .into_tuple()
            .all(&self.reader)
            .await?;
        rows.iter()
            .map(|(user, directory)| {
                Ok((codec::parse("person of a directory", user)?, codec::parse("person of a directory", directory)?))
            })
            .collect()
    }

    /// A new user together with who they are there: neither is without the other.
    /// Errors: `Taken` when somebody here has the name or is that person, `Missing` when the directory has gone.
    pub async fn create_directory_user(
        &self,
        user: &User,
        password_hash: &str,
        of: &DirectoryPerson,
    ) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        user::insert(&txn, user, password_hash).await?;
        put_person(&txn, of).await?;
        txn.commit().await?;
        Ok(())
    }

    /// In place of what was known. Errors: `Missing` when the user or the directory has gone, `Taken` when somebody else of ours is
    /// that person already.
    pub async fn put_directory_person(&self, of: &DirectoryPerson) -> Result<(), StoreError> {
        put_person(&self.writer, of).await
    }

    /// Whether they may still sign in there. Whoever was made here is not touched.
    pub async fn set_directory_active(&self, user: UserId, active: bool) -> Result<(), StoreError> {
        person::Entity::update_many()
            .col_expr(person::Column::Active, Expr::value(active))
            .filter(person::Column::UserId.eq(user.to_string()))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// Whether a directory says that this person is not to be let in.
    pub(crate) async fn is_out_of_directory(&self, user: UserId) -> Result<bool, StoreError> {
        Ok(self.directory_person(user).await?.is_some_and(|of| !of.active))
    }
}

async fn put_person(to: &impl ConnectionTrait, of: &DirectoryPerson) -> Result<(), StoreError> {
    let row = person::Model {
        user_id: of.user.to_string(),
        directory_id: of.directory.to_string(),
        external_id: of.external_id.clone(),
        dn: of.dn.clone(),
        active: of.active,
        seen: of.seen.0,
    };
    let again = OnConflict::column(person::Column::UserId)
        .update_columns([
            person::Column::DirectoryId,
            person::Column::ExternalId,
            person::Column::Dn,
            person::Column::Active,
            person::Column::Seen,
        ])
        .to_owned();
    let done = person::Entity::insert(row.into_active_model()).on_conflict(again).exec_without_returning(to).await;
    match done.map_err(|error| StoreError::taken(error, "person of the directory", &of.dn)) {
        Ok(_) => Ok(()),
        Err(StoreError::Database { source }) => Err(StoreError::dangling(source, "user or directory", of.user)),
        Err(other) => Err(other),
    }
}
