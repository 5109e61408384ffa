//! What can go wrong, in sentences for the person who reads them.

use sea_orm::{DbErr, SqlErr};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique name is in use.
    #[error("there is a {what} named {name:?} already: choose another name")]
    Taken { what: &'static str, name: String },
    /// It cannot go while others depend on it.
    #[error("this {what} is still used by {by}: delete or change those first")]
    InUse { what: &'static str, by: &'static str },
    #[error("pool {pool:?} holds {max} desktops, the most it may: delete one or raise the pool's desktops_max")]
    PoolFull { pool: String, max: u32 },
    /// Somebody would hold more than they may.
    #[error("{0}")]
    OverQuota(Box<oriel_model::OverQuota>),
    /// Rules, or the bookings of others, stand in the way.
    #[error("{0}")]
    Booking(Box<oriel_model::BookingRefusal>),
    #[error("there is no {what} {key}: it may have been deleted")]
    Missing { what: &'static str, key: String },
    /// Somebody else changed the card, or holds the slot, since it was looked at.
    #[error("GPU {gpu} of host {host} was given to somebody else at the same moment: look again")]
    GpuTaken { host: String, gpu: String },
    #[error("GPU {gpu} of host {host} is being switched to another mode: wait until that is done")]
    GpuSwitching { host: String, gpu: String },
    #[error("GPU {gpu} of host {host} is held by {desktops}: stop those desktops first")]
    GpuHeld { host: String, gpu: String, desktops: String },
    /// The change would leave nobody who can administer.
    #[error("this is the last enabled admin: make another user an admin first")]
    LastAdmin,
    #[error("host {host:?} has no free ports between {first} and {last}: delete desktops there or widen the range")]
    NoFreePort { host: String, first: u16, last: u16 },
    /// The database has steps that this program does not know.
    #[error(
        "the database was changed by a newer oriel (its steps: {steps}): run that version or restore a backup from before it"
    )]
    NewerSchema { steps: String },
    #[error("{url:?} is not a database: give a file's path for SQLite, or postgres://user:password@host/name")]
    BadUrl { url: String },
    #[error("cannot prepare the database file {path:?}: check that its folder exists and may be written")]
    File { path: std::path::PathBuf, source: std::io::Error },
    /// No connection, at start-up or later.
    #[error("cannot reach the database: check that it runs and that the address and login are right")]
    Unreachable { source: DbErr },
    /// A row that this program cannot have written.
    #[error(
        "the database holds a {what} that makes no sense ({why}): it was edited by hand or damaged; restore a backup"
    )]
    Corrupt { what: &'static str, why: String },
    /// Only an empty database is filled from a backup.
    #[error("this database has tables already: restore into an empty one")]
    NotEmpty,
    #[error("the backup's table {table} does not fit at line {line} ({why}): it was edited by hand or damaged")]
    BadDump { table: String, line: usize, why: String },
    #[error("the database refused a request: the log has its answer; look for a full disk or a locked file")]
    Database { source: DbErr },
}

impl From<DbErr> for StoreError {
    fn from(source: DbErr) -> Self {
        match source {
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => Self::Unreachable { source },
            _ => Self::Database { source },
        }
    }
}

impl StoreError {
    /// A violated UNIQUE constraint becomes `Taken`.
    pub(crate) fn taken(error: DbErr, what: &'static str, name: &str) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Taken { what, name: name.to_owned() },
            _ => error.into(),
        }
    }

    /// A violated FOREIGN KEY constraint on deletion becomes `InUse`.
    pub(crate) fn in_use(error: DbErr, what: &'static str, by: &'static str) -> Self {
        match error.sql_err() {
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Self::InUse { what, by },
            _ => error.into(),
        }
    }

    /// A violated FOREIGN KEY constraint on insertion becomes `Missing`: what it points to has gone.
    pub(crate) fn dangling(error: DbErr, what: &'static str, key: impl ToString) -> Self {
        match error.sql_err() {
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Self::missing(what, key),
            _ => error.into(),
        }
    }

    pub(crate) fn missing(what: &'static str, key: impl ToString) -> Self {
        Self::Missing { what, key: key.to_string() }
    }
}
