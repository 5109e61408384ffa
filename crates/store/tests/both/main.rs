//! Everything that the store promises, on SQLite and on PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "these are tests")]

mod audit;
mod bookings;
mod clouds;
mod desktops;
mod directories;
mod dumps;
mod exports;
mod externals;
mod gpus;
mod groups;
mod history;
mod images;
mod killed;
mod leases;
mod opening;
mod operations;
mod passkeys;
mod personal_disks;
mod places;
mod pools;
mod postgres;
mod providers;
mod quotas;
mod recordings;
mod rollouts;
mod samples;
mod sealed;
mod seats;
mod second_factors;
mod sessions;
mod syslogs;
mod tickets;
mod users;
mod webhooks;

use oriel_store::Store;
use postgres::Postgres;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use std::future::Future;

/// Makes of each test two: `name::sqlite` and `name::postgres`, each with a fresh database. A test that opens it once more
/// also takes its URL.
macro_rules! on_both {
    (@url) => { _ };
    (@url $url:ident) => { $url };
    ($($(#[$meta:meta])* async fn $name:ident($store:ident: Store $(, $url:ident: String)?) $body:block)+) => {$(
        $(#[$meta])*
        async fn $name($store: oriel_store::Store, crate::on_both!(@url $($url)?): String) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                crate::on_sqlite(super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                crate::on_postgres(super::$name).await;
            }
        }
    )+};
}
pub(crate) use on_both;

/// Runs the test with a database in a new file; the test also gets the URL.
pub async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Store, String) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("oriel.db").to_str().unwrap().to_owned();
    let store = Store::open(&url).await.unwrap();
    test(store.clone(), url).await;
    store.close().await.unwrap();
}

/// Runs the test with a new database of a PostgreSQL server, and drops it, also when the test fails.
pub async fn on_postgres<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Store, String) -> F) {
    let server = tokio::task::spawn_blocking(Postgres::get).await.unwrap();
    // One connection: a lock is its session's.
    let mut options = ConnectOptions::new(server.admin_url());
    options.max_connections(1);
    let admin = Database::connect(options).await.unwrap();
    let name = format!("oriel_test_{}", uuid::Uuid::new_v4().simple());
    let template = template(&server, &admin).await;
    admin.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
    let store = Store::open(&server.url(&name)).await.unwrap();
    let outcome = tokio::spawn(test(store.clone(), server.url(&name))).await;
    store.close().await.unwrap();
    admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    admin.close().await.unwrap();
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// A database with all tables, of which the others are copies: made once on a server that many processes share, each of them one test.
async fn template(server: &Postgres, admin: &DatabaseConnection) -> String {
    if !server.is_shared() {
        return "template1".to_owned();
    }
    // Of these tests as they were compiled: another version of them may have other tables.
    let program = std::env::current_exe().unwrap().metadata().unwrap();
    let made = program.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    let name = format!("oriel_template_{}_{}", program.len(), made.as_nanos());
    admin.execute_unprepared("SELECT pg_advisory_lock(611)").await.unwrap();
    let known = format!("SELECT 1 FROM pg_database WHERE datname = '{name}'");
    let known = admin.query_one_raw(Statement::from_string(DbBackend::Postgres, known)).await.unwrap();
    if known.is_none() {
        // What was killed half-way is begun anew.
        admin.execute_unprepared("DROP DATABASE IF EXISTS oriel_template_new WITH (FORCE)").await.unwrap();
        admin.execute_unprepared("CREATE DATABASE oriel_template_new").await.unwrap();
        Store::open(&server.url("oriel_template_new")).await.unwrap().close().await.unwrap();
        admin.execute_unprepared(&format!("ALTER DATABASE oriel_template_new RENAME TO {name}")).await.unwrap();
    }
    admin.execute_unprepared("SELECT pg_advisory_unlock(611)").await.unwrap();
    name
}

/// Runs `count` futures at once and collects what they say.
pub async fn at_once<T, F>(count: usize, each: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(each(n))).collect();
    let mut said = Vec::with_capacity(count);
    for task in tasks {
        said.push(task.await.unwrap());
    }
    said
}
