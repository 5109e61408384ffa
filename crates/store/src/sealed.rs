//! Where sealed texts are, how many are sealed with which key, and others in their place. What a text says only `identity` knows.
//!
//! A column of sealed texts has `sealed` in its name, and is in [`SealedColumn::ALL`]: a test compares the schema with it.

use crate::{Store, StoreError, codec};
use oriel_model::{Micros, SealProgram};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Set, Statement, sea_query::OnConflict,
};

/// Different beginnings of one column that are counted, the most frequent first: of whole envelopes there are as many as there are keys,
/// and damaged ones must not hide them.
const HEADS_MAX: usize = 100;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "seal_program")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub program: String,
        pub seals: String,
        /// JSON.
        pub fingerprints: String,
        pub seen: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

/// A column of sealed texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedColumn {
    /// What guests were given, and the credentials of machines of others.
    Desktop,
    Cloud,
    Directory,
    Export,
    /// Of people on session hosts.
    HostAccount,
    Provider,
    Recording,
    Totp,
    Webhook,
}

impl SealedColumn {
    pub const ALL: [Self; 9] = [
        Self::Desktop,
        Self::Cloud,
        Self::Directory,
        Self::Export,
        Self::HostAccount,
        Self::Provider,
        Self::Recording,
        Self::Totp,
        Self::Webhook,
    ];

    pub const fn table(self) -> &'static str {
        match self {
            Self::Desktop => "desktop_secret",
            Self::Cloud => "cloud",
            Self::Directory => "directory",
            Self::Export => "recording_export",
            Self::HostAccount => "host_account",
            Self::Provider => "provider",
            Self::Recording => "recording",
            Self::Totp => "totp",
            Self::Webhook => "webhook",
        }
    }

    pub const fn column(self) -> &'static str {
        match self {
            Self::Export | Self::Recording => "key_sealed",
            _ => "sealed",
        }
    }

    /// The table's key.
    const fn id(self) -> &'static str {
        match self {
            Self::Desktop => "desktop_id",
            Self::Totp => "user_id",
            _ => "id",
        }
    }
}

/// How many texts of a column begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedCount {
    pub column: SealedColumn,
    pub head: String,
    pub count: u64,
}

/// One sealed text. `id`: its row's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedText {
    pub id: String,
    pub sealed: String,
}

/// A text to be put in another's place.
#[derive(Clone, Debug)]
pub struct Resealed {
    pub id: String,
    /// What is replaced; where something else stands by now, that stays.
    pub from: String,
    pub to: String,
}

impl Store {
    /// How many texts there are by their first `chars` characters.
    pub async fn sealed_counts(&self, chars: usize) -> Result<Vec<SealedCount>, StoreError> {
        let mut all = Vec::new();
        for column in SealedColumn::ALL {
            let (table, text) = (column.table(), column.column());
            let counting = format!(
                "SELECT substr({text}, 1, {chars}) AS head, count(*) AS many FROM {table} WHERE {text} IS NOT NULL \
                 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {HEADS_MAX}"
            );
            let backend = self.reader.get_database_backend();
            for row in self.reader.query_all_raw(Statement::from_string(backend, counting)).await? {
                let count = codec::number(table, row.try_get::<i64>("", "many")?)?;
                all.push(SealedCount { column, head: row.try_get("", "head")?, count });
            }
        }
        Ok(all)
    }

    /// At most `limit` texts of a column that do not begin with `head`, of rows behind `after`, by their keys.
    pub async fn sealed_otherwise(
        &self,
        column: SealedColumn,
        head: &str,
        after: &str,
        limit: u64,
    ) -> Result<Vec<SealedText>, StoreError> {
        let (table, id, text) = (column.table(), column.id(), column.column());
        let backend = self.reader.get_database_backend();
        let [first, second, _] = places(backend);
        let chars = head.chars().count();
        let asking = format!(
            "SELECT {id} AS id, {text} AS sealed FROM {table} WHERE {text} IS NOT NULL \
             AND substr({text}, 1, {chars}) <> {first} AND {id} > {second} ORDER BY {id} LIMIT {limit}"
        );
        let asking = Statement::from_sql_and_values(backend, asking, [head.into(), after.into()]);
        let rows = self.reader.query_all_raw(asking).await?;
        rows.iter()
            .map(|row| Ok(SealedText { id: row.try_get("", "id")?, sealed: row.try_get("", "sealed")? }))
            .collect()
    }

    /// Puts each text in its predecessor's place, all in one transaction; what was changed meanwhile stays. Answers how many it put.
    pub async fn replace_sealed(&self, column: SealedColumn, texts: &[Resealed]) -> Result<u64, StoreError> {
        let (table, id, text) = (column.table(), column.id(), column.column());
        let txn = self.begin().await?;
        let backend = txn.get_database_backend();
        let [first, second, third] = places(backend);
        let update = format!("UPDATE {table} SET {text} = {first} WHERE {id} = {second} AND {text} = {third}");
        let mut put = 0;
        for one in texts {
            let values = [one.to.as_str().into(), one.id.as_str().into(), one.from.as_str().into()];
            let update = Statement::from_sql_and_values(backend, update.as_str(), values);
            put += txn.execute_raw(update).await?.rows_affected();
        }
        txn.commit().await?;
        Ok(put)
    }

    /// Says which keys a program has.
    pub async fn put_seal_program(&self, program: &SealProgram) -> Result<(), StoreError> {
        let row = row::ActiveModel {
            program: Set(program.program.clone()),
            seals: Set(program.seals.clone()),
            fingerprints: Set(codec::json(&program.keys)?),
            seen: Set(program.seen.0),
        };
        let columns = [row::Column::Seals, row::Column::Fingerprints, row::Column::Seen];
        row::Entity::insert(row)
            .on_conflict(OnConflict::column(row::Column::Program).update_columns(columns).to_owned())
            .exec_without_returning(&self.writer)
            .await?;
        Ok(())
    }

    /// Programs that have said since then which keys they have.
    pub async fn seal_programs(&self, since: Micros) -> Result<Vec<SealProgram>, StoreError> {
        let rows = row::Entity::find().filter(row::Column::Seen.gte(since.0)).all(&self.reader).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            all.push(SealProgram {
                keys: codec::from_json("seal_program", &row.fingerprints)?,
                program: row.program,
                seals: row.seals,
                seen: Micros(row.seen),
            });
        }
        all.sort_by(|one, other| one.program.cmp(&other.program));
        Ok(all)
    }

    /// Forgets programs that have not said anything since then.
    pub async fn forget_seal_programs(&self, before: Micros) -> Result<(), StoreError> {
        row::Entity::delete_many().filter(row::Column::Seen.lt(before.0)).exec(&self.writer).await?;
        Ok(())
    }
}

const fn places(backend: DbBackend) -> [&'static str; 3] {
    match backend {
        DbBackend::Postgres => ["$1", "$2", "$3"],
        _ => ["?", "?", "?"],
    }
}
