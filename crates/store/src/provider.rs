//! Directories that people come from, and who of ours is who of theirs.

use crate::{Store, StoreError, codec, user};
use oriel_model::{Micros, Provider, ProviderId, ProviderPerson, User, UserId};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, OnConflict},
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "provider")]
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
    #[sea_orm(table_name = "provider_person")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: String,
        pub provider_id: String,
        pub subject: String,
        pub active: bool,
        pub seen: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod used {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "provider_sign_in")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub state_sha256: String,
        pub expires: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<row::Model> for Provider {
    type Error = StoreError;
    fn try_from(row: row::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: codec::parse("provider", &row.id)?,
            name: row.name,
            enabled: row.enabled,
            settings: codec::from_json("provider", &row.settings)?,
            created: Micros(row.created),
        })
    }
}

impl TryFrom<person::Model> for ProviderPerson {
    type Error = StoreError;
    fn try_from(row: person::Model) -> Result<Self, StoreError> {
        Ok(Self {
            user: codec::parse("person of a provider", &row.user_id)?,
            provider: codec::parse("person of a provider", &row.provider_id)?,
            subject: row.subject,
            active: row.active,
            seen: Micros(row.seen),
        })
    }
}

fn to_row(provider: &Provider, sealed: Option<&str>) -> Result<row::Model, StoreError> {
    Ok(row::Model {
        id: provider.id.to_string(),
        name: provider.name.clone(),
        name_folded: user::fold(&provider.name),
        enabled: provider.enabled,
        settings: codec::json(&provider.settings)?,
        sealed: sealed.map(str::to_owned),
        created: provider.created.0,
    })
}

impl Store {
    /// Errors: `Taken`.
    pub async fn create_provider(&self, provider: &Provider, sealed: Option<&str>) -> Result<(), StoreError> {
        row::Entity::insert(to_row(provider, sealed)?.into_active_model())
            .exec_without_returning(&self.writer)
            .await
            .map(drop)
            .map_err(|error| StoreError::taken(error, "provider", &provider.name))
    }

    /// Writes everything, the sealed secret too. Errors: `Missing`, `Taken`.
    pub async fn update_provider(&self, provider: &Provider, sealed: Option<&str>) -> Result<(), StoreError> {
        let mut row = to_row(provider, sealed)?.into_active_model().reset_all();
        row.id = sea_orm::Unchanged(provider.id.to_string());
        match row.update(&self.writer).await {
            Ok(_) => Ok(()),
            Err(DbErr::RecordNotUpdated) => Err(StoreError::missing("provider", provider.id)),
            Err(error) => Err(StoreError::taken(error, "provider", &provider.name)),
        }
    }

    /// Oldest first, which is the order of their buttons.
    pub async fn providers(&self) -> Result<Vec<Provider>, StoreError> {
        let rows = row::Entity::find().order_by_asc(row::Column::Id).all(&self.reader).await?;
        rows.into_iter().map(Provider::try_from).collect()
    }

    pub async fn provider(&self, id: ProviderId) -> Result<Option<Provider>, StoreError> {
        row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.map(Provider::try_from).transpose()
    }

    /// The client's secret, sealed.
    pub async fn provider_secret(&self, id: ProviderId) -> Result<Option<String>, StoreError> {
        Ok(row::Entity::find_by_id(id.to_string()).one(&self.reader).await?.and_then(|row| row.sealed))
    }

    /// Errors: `Missing`, `InUse` while people come from it.
    pub async fn delete_provider(&self, id: ProviderId) -> Result<(), StoreError> {
        let done = row::Entity::delete_by_id(id.to_string()).exec(&self.writer).await;
        match done.map_err(|error| StoreError::in_use(error, "provider", "people"))?.rows_affected {
            0 => Err(StoreError::missing("provider", id)),
            _ => Ok(()),
        }
    }

    /// Who somebody is there; `None` for people who were made here.
    pub async fn provider_person(&self, user: UserId) -> Result<Option<ProviderPerson>, StoreError> {
        person::Entity::find_by_id(user.to_string()).one(&self.reader).await?.map(ProviderPerson::try_from).transpose()
    }

    /// Who of ours that is.
    pub async fn provider_person_by_subject(
        &self,
        provider: ProviderId,
        subject: &str,
    ) -> Result<Option<ProviderPerson>, StoreError> {
        person::Entity::find()
            .filter(person::Column::ProviderId.eq(provider.to_string()))
            .filter(person::Column::Subject.eq(subject))
            .one(&self.reader)
            .await?
            .map(ProviderPerson::try_from)
            .transpose()
    }

    /// Everybody who comes from there.
    pub async fn provider_people(&self, provider: ProviderId) -> Result<Vec<ProviderPerson>, StoreError> {
        let rows = person::Entity::find()
            .filter(person::Column::ProviderId.eq(provider.to_string()))
            .order_by_asc(person::Column::UserId)
            .all(&self.reader)
            .await?;
        rows.into_iter().map(ProviderPerson::try_from).collect()
    }

    /// Who comes from where, for lists.
    pub async fn users_of_providers(&self) -> Result<Vec<(UserId, ProviderId)>, StoreError> {
        let rows: Vec<(String, String)> = person::Entity::find()
            .select_only()
            .column(person::Column::UserId)
            .column(person::Column::ProviderId)
            .into_tuple()
            .all(&self.reader)
            .await?;
        rows.iter()
            .map(|(user, provider)| {
                Ok((codec::parse("person of a provider", user)?, codec::parse("person of a provider", provider)?))
            })
            .collect()
    }

    /// A new user together with who they are there: neither is without the other.
    /// Errors: `Taken` when somebody here has the name or is that person, `Missing` when the provider has gone.
    pub async fn create_provider_user(
        &self,
        user: &User,
        password_hash: &str,
        of: &ProviderPerson,
    ) -> Result<(), StoreError> {
        let txn = self.begin().await?;
        user::insert(&txn, user, password_hash).await?;
        put_person(&txn, of).await?;
        txn.commit().await?;
        Ok(())
    }

    /// In place of what was known. Errors: `Missing` when the user or the provider has gone, `Taken` when somebody else of ours is
    /// that person already.
    pub async fn put_provider_person(&self, of: &ProviderPerson) -> Result<(), StoreError> {
        put_person(&self.writer, of).await
    }

    /// Whether they may still sign in there. Whoever was made here is not touched.
    pub async fn set_provider_active(&self, user: UserId, active: bool) -> Result<(), StoreError> {
        person::Entity::update_many()
            .col_expr(person::Column::Active, Expr::value(active))
            .filter(person::Column::UserId.eq(user.to_string()))
            .exec(&self.writer)
            .await?;
        Ok(())
    }

    /// A sign-in comes back once. Of any number of callers at once, in any number of programs, one is told true.
    pub async fn use_sign_in(&self, state_sha256: &str, expires: Micros) -> Result<bool, StoreError> {
        let row = used::Model { state_sha256: state_sha256.to_owned(), expires: expires.0 };
        let done = used::Entity::insert(row.into_active_model()).exec_without_returning(&self.writer).await;
        match done.map_err(|error| StoreError::taken(error, "sign-in", "of this browser")) {
            Ok(_) => Ok(true),
            Err(StoreError::Taken { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Those that could not come back any more.
    pub(crate) async fn delete_expired_sign_ins(&self, now: Micros) -> Result<(), StoreError> {
        used::Entity::delete_many().filter(used::Column::Expires.lte(now.0)).exec(&self.writer).await?;
        Ok(())
    }

    /// Whether somebody was not let in when they last came from their provider.
    pub(crate) async fn is_refused_by_provider(&self, user: UserId) -> Result<bool, StoreError> {
        Ok(self.provider_person(user).await?.is_some_and(|of| !of.active))
    }
}

async fn put_person(to: &impl ConnectionTrait, of: &ProviderPerson) -> Result<(), StoreError> {
    let row = person::Model {
        user_id: of.user.to_string(),
        provider_id: of.provider.to_string(),
        subject: of.subject.clone(),
        active: of.active,
        seen: of.seen.0,
    };
    let again = OnConflict::column(person::Column::UserId)
        .update_columns([
            person::Column::ProviderId,
            person::Column::Subject,
            person::Column::Active,
            person::Column::Seen,
        ])
        .to_owned();
    let done = person::Entity::insert(row.into_active_model()).on_conflict(again).exec_without_returning(to).await;
    match done.map_err(|error| StoreError::taken(error, "person of the provider", &of.subject)) {
        Ok(_) => Ok(()),
        Err(StoreError::Database { source }) => Err(StoreError::dangling(source, "user or provider", of.user)),
        Err(other) => Err(other),
    }
}
