//! Another program's database on PostgreSQL, MySQL or MariaDB: read once, at one moment, and never written.

use crate::{StoreError, connect};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    QueryResult, Statement, TransactionOptions, TransactionTrait,
};

#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    #[error("{scheme:?} is not a database that can be read: {whose} on {kinds} can, as {address}")]
    BadUrl { scheme: String, whose: &'static str, kinds: &'static str, address: &'static str },
    #[error("cannot reach {whose} database: check that it runs and that the address and login are right")]
    Unreachable { whose: &'static str, source: StoreError },
    #[error(
        "the database does not answer as {whose} since {since} does: check that it is the right one, and that the login may read it"
    )]
    Other { whose: &'static str, since: &'static str, source: DbErr },
    #[error("{whose} database holds more than {most} rows of one kind, more than Oriel brings in at once")]
    TooMany { whose: &'static str, most: usize },
}

/// Whose database it is.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// Its name in the genitive.
    pub whose: &'static str,
    /// The first version whose tables look so.
    pub since: &'static str,
    /// It may be on PostgreSQL, too.
    pub postgres: bool,
    /// What addresses look like.
    pub address: &'static str,
}

/// An open database.
pub(crate) struct Foreign {
    program: Program,
    dialect: Dialect,
    database: DatabaseConnection,
    look: DatabaseTransaction,
}

impl Foreign {
    /// Everything that is read from it is as it is now.
    pub(crate) async fn open(url: &str, program: Program) -> Result<Self, ForeignError> {
        let dialect = Dialect::of(url, program)?;
        let database = connect(ConnectOptions::new(url), 1)
            .await
            .map_err(|source| ForeignError::Unreachable { whose: program.whose, source })?;
        let look = TransactionOptions {
            isolation_level: Some(sea_orm::IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        };
        let look = database.begin_with_options(look).await.map_err(|source| program.other(source))?;
        Ok(Self { program, dialect, database, look })
    }

    /// Rows of a query, in which `{int}` and `{text}` stand for types that names and numbers are cast to. Errors: `TooMany` for more
    /// than `most`.
    pub(crate) async fn all<T>(
        &self,
        sql: &str,
        most: usize,
        read: impl Fn(&QueryResult) -> Result<T, DbErr>,
    ) -> Result<Vec<T>, ForeignError> {
        let limited = format!("{} LIMIT {}", self.dialect.of_query(sql), most + 1);
        let rows = self
            .look
            .query_all_raw(Statement::from_string(self.dialect.backend, limited))
            .await
            .map_err(|source| self.program.other(source))?;
        if rows.len() > most {
            return Err(ForeignError::TooMany { whose: self.program.whose, most });
        }
        rows.iter().map(|row| read(row).map_err(|source| self.program.other(source))).collect()
    }

    pub(crate) async fn close(self) -> Result<(), ForeignError> {
        let program = self.program;
        self.look.rollback().await.map_err(|source| program.other(source))?;
        self.database.close().await.map_err(|source| program.other(source))
    }
}

impl Program {
    const fn other(self, source: DbErr) -> ForeignError {
        ForeignError::Other { whose: self.whose, since: self.since, source }
    }
}

/// What differs between the databases. Names of people and things are compared and sent as text, whatever kind of column they are in.
#[derive(Clone, Copy)]
struct Dialect {
    backend: DbBackend,
    int: &'static str,
    text: &'static str,
}

impl Dialect {
    const POSTGRES: Self = Self { backend: DbBackend::Postgres, int: "bigint", text: "text" };
    const MYSQL: Self = Self { backend: DbBackend::MySql, int: "SIGNED", text: "CHAR" };

    fn of(url: &str, program: Program) -> Result<Self, ForeignError> {
        match url.split("://").next().unwrap_or_default() {
            "postgres" | "postgresql" if program.postgres => Ok(Self::POSTGRES),
            "mysql" => Ok(Self::MYSQL),
            scheme => Err(ForeignError::BadUrl {
                scheme: scheme.to_owned(),
                whose: program.whose,
                kinds: if program.postgres { "PostgreSQL, MySQL or MariaDB" } else { "MySQL or MariaDB" },
                address: program.address,
            }),
        }
    }

    fn of_query(self, sql: &str) -> String {
        sql.replace("{int}", self.int).replace("{text}", self.text)
    }
}
