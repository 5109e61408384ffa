//! Everything that the database holds as lines of JSON, and back: from one moment, and from either kind of database into either.
//!
//! A line is a row: `{"id": "…", "created": 1, "disabled": false}`, with the columns' names as they are in the schema. What is worth
//! nothing after a while is left out ([`PASSING`]): nobody is signed in, and no ticket is good, in what was restored.

use crate::{Store, StoreError, migration};
use futures::{Stream, StreamExt as _};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, QueryResult, Statement, TransactionOptions,
    TransactionTrait, Value,
};
use serde_json::{Map, Value as Json};

/// Longest line that is read back, in bytes: longer than any row that the store writes.
pub const DUMP_LINE_BYTES_MAX: usize = 16 << 20;

/// What a backup holds, each after what it refers to.
pub const TABLES: &[&str] = &[
    "users",
    "api_token",
    "image_line",
    "image",
    "cloud",
    "cloud_image",
    "pool",
    "pool_cloud",
    "pool_user",
    "rollout",
    "desktop",
    "desktop_secret",
    "operation",
    "setting",
    "gpu_card",
    "gpu_claim",
    "gpu_claim_slot",
    "recording",
    "recording_export",
    "user_group",
    "user_group_member",
    "pool_group",
    "pool_admin",
    "audit",
    "audit_head",
    "totp",
    "recovery_code",
    "directory",
    "directory_person",
    "provider",
    "provider_person",
    "passkey",
    "quota",
    "webhook",
    "booking",
    "syslog",
    "personal_disk",
    "personal_disk_hold",
    "app",
];

/// What a backup leaves out.
pub const PASSING: &[&str] = &[
    "web_session",
    "ticket",
    "lease",
    "remembered_device",
    "presence",
    "provider_sign_in",
    "attendance",
    "history",
    "host_place",
    "seal_program",
];

/// Disks of people are not in a backup: what was being done with them was done, or given up, long ago, and done once more it would throw
/// them back to a snapshot, or delete them.
const NO_DISK_WORK: &str = "UPDATE operation SET state = 'cancelled', step = 'not gone on with: the database was restored' \
    WHERE state IN ('queued', 'running') AND kind LIKE '%\"kind\":\"personal_disk\"%'";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Flag,
    Float,
}

/// A column as both databases describe it.
struct Column {
    name: String,
    kind: Kind,
}

/// The database at one moment. Others may go on changing it.
pub struct Dump {
    txn: DatabaseTransaction,
    schema: Vec<String>,
    tables: Vec<&'static str>,
}

impl Store {
    /// Holds on to this moment. Errors: `NewerSchema`.
    pub async fn dump(&self) -> Result<Dump, StoreError> {
        // SQLite looks at one moment from the first read on, whatever is said.
        let isolation_level = match self.reader.get_database_backend() {
            DbBackend::Sqlite => None,
            _ => Some(IsolationLevel::RepeatableRead),
        };
        let options = TransactionOptions { access_mode: None, isolation_level, sqlite_transaction_mode: None };
        let txn = self.reader.begin_with_options(options).await?;
        let schema = migration::applied(&txn).await?;
        migration::check_known(&schema)?;
        let there = table_names(&txn).await?;
        let tables = TABLES.iter().copied().filter(|table| there.iter().any(|one| one == table)).collect();
        Ok(Dump { txn, schema, tables })
    }

    /// Fills a database without any tables with what was dumped, all or nothing, and brings its schema up to date.
    ///
    /// `schema` is what [`Dump::schema`] said; `tables` are names and lines, in the dump's order.
    /// Errors: `NotEmpty`, `NewerSchema`, `BadDump`.
    pub async fn restore<I, L>(url: &str, schema: &[String], tables: I) -> Result<Self, StoreError>
    where
        I: IntoIterator<Item = (String, L)>,
        L: Iterator<Item = std::io::Result<String>>,
    {
        let store = Self::open_unchanged(url).await?;
        let txn = store.writer.begin_with_options(crate::WRITE).await?;
        if !table_names(&txn).await?.is_empty() {
            return Err(StoreError::NotEmpty);
        }
        migration::migrate_to(&txn, schema).await?;
        // Steps put rows in; those of the dump are all that there shall be.
        let there = table_names(&txn).await?;
        for table in TABLES.iter().rev().filter(|table| there.iter().any(|one| one == *table)) {
            txn.execute_unprepared(&format!("DELETE FROM {table}")).await?;
        }
        for (table, lines) in tables {
            let known = TABLES.iter().find(|known| **known == table);
            let Some(table) = known else { return Err(bad(&table, 0, "this program knows no such table")) };
            fill(&txn, table, lines).await?;
        }
        if there.iter().any(|one| one == "operation") {
            txn.execute_unprepared(NO_DISK_WORK).await?;
        }
        txn.commit().await?;
        migration::migrate(&store.writer).await?;
        Ok(store)
    }
}

impl Dump {
    /// The schema's steps, oldest first.
    pub fn schema(&self) -> &[String] {
        &self.schema
    }

    /// Those of [`TABLES`] that this schema has, each after what it refers to.
    pub fn tables(&self) -> &[&'static str] {
        &self.tables
    }

    /// A table's rows, one line each without its end.
    pub async fn lines(
        &self,
        table: &'static str,
    ) -> Result<impl Stream<Item = Result<String, StoreError>> + '_, StoreError> {
        let columns = columns(&self.txn, table).await?;
        let all = Statement::from_string(self.txn.get_database_backend(), format!("SELECT * FROM {table}"));
        let rows = sea_orm::StreamTrait::stream_raw(&self.txn, all).await?;
        Ok(rows.map(move |row| {
            let row = row.map_err(StoreError::from)?;
            let mut object = Map::new();
            for column in &columns {
                object.insert(column.name.clone(), read(&row, column)?);
            }
            serde_json::to_string(&object).map_err(|error| bad(table, 0, &error.to_string()))
        }))
    }
}

fn read(row: &QueryResult, column: &Column) -> Result<Json, DbErr> {
    let name = column.name.as_str();
    Ok(match column.kind {
        Kind::Text => row.try_get::<Option<String>>("", name)?.into(),
        Kind::Number => row.try_get::<Option<i64>>("", name)?.into(),
        Kind::Flag => row.try_get::<Option<bool>>("", name)?.into(),
        Kind::Float => row.try_get::<Option<f64>>("", name)?.into(),
    })
}

async fn fill(
    txn: &DatabaseTransaction,
    table: &'static str,
    lines: impl Iterator<Item = std::io::Result<String>>,
) -> Result<(), StoreError> {
    let columns = columns(txn, table).await?;
    let backend = txn.get_database_backend();
    let names = columns.iter().map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ");
    let places = (1..=columns.len())
        .map(|n| if backend == DbBackend::Postgres { format!("${n}") } else { "?".to_owned() })
        .collect::<Vec<_>>()
        .join(", ");
    let insert = format!("INSERT INTO {table} ({names}) VALUES ({places})");
    for (number, line) in lines.enumerate() {
        let number = number + 1;
        let line = line.map_err(|error| bad(table, number, &error.to_string()))?;
        let mut row: Map<String, Json> =
            serde_json::from_str(&line).map_err(|error| bad(table, number, &error.to_string()))?;
        let mut values = Vec::new();
        for column in &columns {
            let value = row.remove(&column.name).unwrap_or(Json::Null);
            let typed = write(column, value);
            values.push(typed.ok_or_else(|| bad(table, number, &format!("{} is something else", column.name)))?);
        }
        if let Some(name) = row.keys().next() {
            return Err(bad(table, number, &format!("there is no column {name:?}")));
        }
        txn.execute_raw(Statement::from_sql_and_values(backend, &insert, values))
            .await
            .map_err(|error| bad(table, number, &error.to_string()))?;
    }
    Ok(())
}

fn write(column: &Column, value: Json) -> Option<Value> {
    Some(match (column.kind, value) {
        (Kind::Text, Json::Null) => Value::String(None),
        (Kind::Number, Json::Null) => Value::BigInt(None),
        (Kind::Flag, Json::Null) => Value::Bool(None),
        (Kind::Float, Json::Null) => Value::Double(None),
        (Kind::Text, Json::String(text)) => text.into(),
        (Kind::Flag, Json::Bool(flag)) => flag.into(),
        (Kind::Number, Json::Number(number)) => number.as_i64()?.into(),
        (Kind::Float, Json::Number(number)) => number.as_f64()?.into(),
        _ => return None,
    })
}

fn bad(table: &str, line: usize, why: &str) -> StoreError {
    StoreError::BadDump { table: table.to_owned(), line, why: why.to_owned() }
}

/// All tables of the database, the schema's history among them.
pub(crate) async fn table_names(on: &impl ConnectionTrait) -> Result<Vec<String>, StoreError> {
    let names = match on.get_database_backend() {
        DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        _ => "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = current_schema()",
    };
    let rows = on.query_all_raw(Statement::from_string(on.get_database_backend(), names)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "name")?)).collect()
}

async fn columns(on: &impl ConnectionTrait, table: &'static str) -> Result<Vec<Column>, StoreError> {
    let backend = on.get_database_backend();
    let described = match backend {
        DbBackend::Sqlite => format!("SELECT name, type AS kind FROM pragma_table_info('{table}') ORDER BY cid"),
        _ => format!(
            "SELECT column_name::text AS name, data_type::text AS kind FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
        ),
    };
    let rows = on.query_all_raw(Statement::from_string(backend, described)).await?;
    let column = |row: &QueryResult| {
        let kind: String = row.try_get("", "kind")?;
        let kind = match kind.to_ascii_lowercase().as_str() {
            "text" => Kind::Text,
            "bigint" => Kind::Number,
            "boolean" => Kind::Flag,
            "double precision" => Kind::Float,
            other => return Err(bad(table, 0, &format!("it has a column of the type {other}"))),
        };
        Ok(Column { name: row.try_get("", "name")?, kind })
    };
    rows.iter().map(column).collect()
}
