//! The schema's history. Steps are only ever added; each is plain SQL that both databases read alike.

use crate::StoreError;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement, TransactionTrait,
};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait};

/// Taken in PostgreSQL while the schema is brought up to date, so that replicas started together do it once.
const ADVISORY_LOCK: i64 = 0x6f72_6965_6c21; // "oriel!"

#[derive(Clone, Copy)]
struct Step {
    name: &'static str,
    sql: &'static str,
}

/// Every step, oldest first.
const STEPS: &[Step] = &[
    Step { name: "m0001_ground", sql: include_str!("m0001_ground.sql") },
    Step { name: "m0002_gpu", sql: include_str!("m0002_gpu.sql") },
    Step { name: "m0003_hardware", sql: include_str!("m0003_hardware.sql") },
    Step { name: "m0004_recording", sql: include_str!("m0004_recording.sql") },
    Step { name: "m0005_external", sql: include_str!("m0005_external.sql") },
    Step { name: "m0006_policy", sql: include_str!("m0006_policy.sql") },
    Step { name: "m0007_export", sql: include_str!("m0007_export.sql") },
    Step { name: "m0010_group", sql: include_str!("m0010_group.sql") },
    Step { name: "m0011_role", sql: include_str!("m0011_role.sql") },
    Step { name: "m0012_audit", sql: include_str!("m0012_audit.sql") },
    Step { name: "m0015_lease", sql: include_str!("m0015_lease.sql") },
    Step { name: "m0022_recording_bucket", sql: include_str!("m0022_recording_bucket.sql") },
    Step { name: "m0025_second_factor", sql: include_str!("m0025_second_factor.sql") },
    Step { name: "m0026_directory", sql: include_str!("m0026_directory.sql") },
    Step { name: "m0030_seat", sql: include_str!("m0030_seat.sql") },
    Step { name: "m0031_provider", sql: include_str!("m0031_provider.sql") },
    Step { name: "m0032_cloud", sql: include_str!("m0032_cloud.sql") },
    Step { name: "m0033_leaving", sql: include_str!("m0033_leaving.sql") },
    Step { name: "m0034_passkey", sql: include_str!("m0034_passkey.sql") },
    Step { name: "m0035_quota", sql: include_str!("m0035_quota.sql") },
    Step { name: "m0037_rollout", sql: include_str!("m0037_rollout.sql") },
    Step { name: "m0038_webhook", sql: include_str!("m0038_webhook.sql") },
    Step { name: "m0039_booking", sql: include_str!("m0039_booking.sql") },
    Step { name: "m0041_personal_disk", sql: include_str!("m0041_personal_disk.sql") },
    Step { name: "m0042_syslog", sql: include_str!("m0042_syslog.sql") },
    Step { name: "m0044_history", sql: include_str!("m0044_history.sql") },
    Step { name: "m0045_session_host", sql: include_str!("m0045_session_host.sql") },
    Step { name: "m0052_seal_program", sql: include_str!("m0052_seal_program.sql") },
];

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.sql).await.map(drop)
    }
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        STEPS.iter().map(|step| Box::new(*step) as Box<dyn MigrationTrait>).collect()
    }
}

/// Brings the schema up to date in one transaction, or refuses a database that a newer program has changed.
pub(crate) async fn migrate(writer: &DatabaseConnection) -> Result<(), StoreError> {
    let txn = writer.begin_with_options(crate::WRITE).await?;
    if txn.get_database_backend() == DbBackend::Postgres {
        let lock = format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})");
        txn.execute_raw(Statement::from_string(DbBackend::Postgres, lock)).await?;
    }
    check_known(&applied(&txn).await?)?;
    Migrator::up(&txn, None).await?;
    txn.commit().await?;
    Ok(())
}

/// Errors: `NewerSchema`, for steps that this program does not know.
pub(crate) fn check_known(applied: &[String]) -> Result<(), StoreError> {
    let newer: Vec<&str> =
        applied.iter().map(String::as_str).filter(|name| STEPS.iter().all(|step| step.name != *name)).collect();
    if newer.is_empty() { Ok(()) } else { Err(StoreError::NewerSchema { steps: newer.join(", ") }) }
}

/// The steps that the database has, oldest first.
pub(crate) async fn applied(on: &impl ConnectionTrait) -> Result<Vec<String>, StoreError> {
    Ok(Migrator::get_migration_models(on).await?.into_iter().map(|applied| applied.version).collect())
}

/// An empty database as far as these steps: what was written with them fits into it.
/// Errors: `NewerSchema`, for steps that are not the first ones of this program's.
pub(crate) async fn migrate_to(txn: &DatabaseTransaction, steps: &[String]) -> Result<(), StoreError> {
    let known = STEPS.iter().map(|step| step.name);
    if !known.take(steps.len()).eq(steps.iter().map(String::as_str)) {
        return Err(StoreError::NewerSchema { steps: steps.join(", ") });
    }
    let count = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    Ok(Migrator::up(txn, Some(count)).await?)
}

/// The whole schema in an empty database, each step as `schema` makes it: for simulations, which need no history.
pub(crate) async fn migrate_with(
    database: &DatabaseConnection,
    schema: &(dyn Fn(&str) -> String + Send + Sync),
) -> Result<(), StoreError> {
    for step in STEPS {
        database.execute_unprepared(&schema(step.sql)).await?;
    }
    Ok(())
}
