//! The memory of the house, and the only room that speaks SQL: SQLite in the data folder, or PostgreSQL for several
//! programs at once. One schema and one code path serve both; entities stay in here, callers see the nouns of
//! `oriel-model`.
//!
//! Two kinds of promise are kept by the database itself, so that they hold between programs and across kill -9:
//! uniqueness (names, versions, ports) and references (an image in use cannot go) are constraints; everything that
//! reads and then writes happens in one transaction that holds the rows it read (`BEGIN IMMEDIATE` on SQLite,
//! `SELECT … FOR UPDATE` on PostgreSQL).
//!
//! SQLite has one writing connection and a few reading ones: writers queue in the program rather than fail with
//! "database is locked".

mod app;
mod audit;
mod booking;
mod capture;
mod change;
pub mod clock;
mod cloud;
mod codec;
mod desktop;
mod directory;
mod dump;
mod error;
mod export;
mod foreign;
mod gpu;
mod group;
mod guacamole;
mod history;
mod image;
mod kvm_vdi;
mod lease;
mod migration;
mod operation;
mod passkey;
mod personal_disk;
mod place;
mod pool;
mod provider;
mod quota;
mod recording;
mod role;
mod rollout;
mod sealed;
pub mod seam;
mod seat;
mod second_factor;
mod session;
mod setting;
mod syslog;
mod ticket;
mod user;
mod webhook;

pub use desktop::DesktopCount;
pub use dump::{DUMP_LINE_BYTES_MAX, Dump, PASSING, TABLES};
pub use error::StoreError;
pub use foreign::ForeignError;
pub use gpu::GpuCard;
pub use guacamole::read_guacamole;
pub use kvm_vdi::read_kvm_vdi;
pub use passkey::PasskeyAdded;
pub use sealed::{Resealed, SealedColumn, SealedCount, SealedText};
pub use second_factor::{DEVICES_PER_USER_MAX, RECOVERY_CODES_MAX};
pub use session::{Expired, WEB_SESSIONS_PER_USER_MAX};
pub use ticket::{TICKETS_PER_SESSION_MAX, TicketRefusal};

use clock::now;
use oriel_trace::Instrument as _;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use std::{fmt, path::Path, time::Duration};

/// Connections to PostgreSQL that one program holds at most.
pub const POSTGRES_CONNECTIONS_MAX: u32 = 16;
/// Reading connections to SQLite that one program holds at most; there is one writing connection beside them.
pub const SQLITE_READERS_MAX: u32 = 4;
/// How long a request waits for a connection, or for another program that writes to the same SQLite file.
pub const WAIT_MAX: Duration = Duration::from_secs(10);
/// Between two tries to be the first at a new database.
const FIRST_RETRY: Duration = Duration::from_millis(50);

/// A transaction that will write. SQLite takes its write lock at once, so it cannot find half-way that it may not write.
const WRITE: TransactionOptions = TransactionOptions {
    isolation_level: None,
    access_mode: None,
    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
};

/// An open database. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("backend", &self.reader.get_database_backend()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database and brings its schema up to date.
    ///
    /// `url` is `postgres://…`, or the path of an SQLite file (with or without `sqlite:` before it), which is made,
    /// readable by its owner only, when it is not there; its folder must be.
    ///
    /// Errors: `BadUrl`, `File`, `Unreachable`, and `NewerSchema` for a database that a newer program has changed.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self::open_unchanged(url).await?;
        migration::migrate(&store.writer).await?;
        Ok(store)
    }

    /// Opens the database as it is, for who only reads: an older server may be running on it. Errors: as [`Self::open`], but for
    /// `NewerSchema`.
    pub async fn open_unchanged(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let pool = connect(ConnectOptions::new(url), POSTGRES_CONNECTIONS_MAX).await?;
            return Ok(Self { reader: pool.clone(), writer: pool });
        }
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
        if path.is_empty() || path.contains("://") {
            // Only the scheme is repeated: the rest may hold a password.
            let scheme = path.split("://").next().unwrap_or_default();
            return Err(StoreError::BadUrl { url: scheme.to_owned() });
        }
        let path = Path::new(path);
        make_private(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
        // The writer comes first: it puts the file into WAL mode.
        let writer = first(path).await?;
        Ok(Self { reader: connect(sqlite(path), SQLITE_READERS_MAX).await?, writer })
    }

    /// A database in memory, for simulations: it has one connection, and goes when the last clone does.
    ///
    /// `schema` may change each step of the schema before it is taken, to see what a constraint is worth.
    pub async fn in_memory(schema: impl Fn(&str) -> String + Send + Sync + 'static) -> Result<Self, StoreError> {
        let mut options = ConnectOptions::new("sqlite::memory:");
        options
            .max_connections(1)
            .min_connections(1)
            .acquire_timeout(WAIT_MAX)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(|sqlite| sqlite.foreign_keys(true).synchronous(SqliteSynchronous::Off));
        let only = Box::pin(Database::connect(options)).await.map_err(|source| StoreError::Unreachable { source })?;
        migration::migrate_with(&only, &schema).await?;
        Ok(Self { reader: only.clone(), writer: only })
    }

    /// Forgets everything, for the next run of a simulation.
    pub async fn clear(&self) -> Result<(), StoreError> {
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let tables = self.writer.query_all_raw(Statement::from_string(DbBackend::Sqlite, tables)).await?;
        let mut sweep = String::from("PRAGMA foreign_keys = OFF;");
        for table in tables {
            let table: String = table.try_get("", "name")?;
            sweep += &["DELETE FROM ", &table, ";"].concat();
        }
        // What the schema itself puts in: the audit begins anew.
        sweep.push_str("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, ''); PRAGMA foreign_keys = ON;");
        self.writer.execute_unprepared(&sweep).await?;
        Ok(())
    }

    /// Waits for what is being written and closes the connections; other clones can do nothing afterwards.
    pub async fn close(self) -> Result<(), StoreError> {
        self.reader.close_by_ref().await?;
        self.writer.close_by_ref().await?;
        Ok(())
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.reader.ping().await?)
    }

    async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        seam::pass().await;
        // For one of the pool's connections, and on SQLite for whoever else writes.
        let span = oriel_trace::span!("database", otel.name = "database: wait for a connection");
        Ok(self.writer.begin_with_options(WRITE).instrument(span).await?)
    }
}

/// Password hashes and sealed secrets live in the file: nobody but its owner may read it. SQLite gives its side files
/// (`-wal`, `-shm`) the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

fn sqlite(path: &Path) -> ConnectOptions {
    let path = path.to_owned();
    let mut options = ConnectOptions::new("sqlite:");
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT_MAX)
    });
    options
}

/// The connection that puts the file into WAL mode. SQLite does not wait for another program that does the same just then, so this
/// does.
async fn first(path: &Path) -> Result<DatabaseConnection, StoreError> {
    let began = std::time::Instant::now();
    loop {
        match connect(sqlite(path), 1).await {
            Err(StoreError::Unreachable { source })
                if source.to_string().contains("database is locked") && began.elapsed() < WAIT_MAX =>
            {
                tokio::time::sleep(FIRST_RETRY).await;
            }
            opened => return opened,
        }
    }
}

async fn connect(mut options: ConnectOptions, connections_max: u32) -> Result<DatabaseConnection, StoreError> {
    options
        .max_connections(connections_max)
        .min_connections(0)
        .acquire_timeout(WAIT_MAX)
        .connect_timeout(WAIT_MAX)
        .sqlx_logging(false);
    Box::pin(Database::connect(options)).await.map_err(|source| StoreError::Unreachable { source })
}
