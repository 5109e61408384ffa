use crate::{
    on_both,
    samples::{operation, stored_desktop, stored_user},
};
use futures::TryStreamExt as _;
use oriel_model::{DiskWork, Operation, OperationKind, OperationState, PersonalDiskId, Role};
use oriel_store::{PASSING, Store, StoreError, TABLES};
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use std::collections::BTreeSet;

type Lines = Vec<(String, Vec<String>)>;

/// The schema and every table's lines, sorted: databases give rows in any order.
async fn dumped(store: &Store) -> (Vec<String>, Lines) {
    let dump = store.dump().await.unwrap();
    let mut all = Vec::new();
    for table in TABLES {
        let mut lines: Vec<String> = dump.lines(table).await.unwrap().try_collect().await.unwrap();
        lines.sort();
        all.push(((*table).to_owned(), lines));
    }
    (dump.schema().to_vec(), all)
}

fn given(lines: &Lines) -> Vec<(String, impl Iterator<Item = std::io::Result<String>> + use<>)> {
    lines.iter().map(|(table, lines)| (table.clone(), lines.clone().into_iter().map(Ok))).collect()
}

async fn emptied(url: &str) {
    let raw = Database::connect(url).await.unwrap();
    raw.execute_unprepared("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
    raw.close().await.unwrap();
}

on_both! {
    async fn come_back_whole_in_either_database(store: Store, url: String) {
        let desktop = stored_desktop(&store).await;
        let ada = stored_user(&store, "ada", Role::Admin).await;
        store.put_setting("a", "line\n\"with\" everything \u{1F600}").await.unwrap();
        let (schema, lines) = dumped(&store).await;
        let of = |table: &str| lines.iter().find(|(name, _)| name == table).unwrap().1.len();
        assert!((of("users"), of("desktop")) == (1, 1) && of("setting") > 0);
        let folder = tempfile::tempdir().unwrap();
        let mut targets = vec![folder.path().join("new.db").to_str().unwrap().to_owned()];
        if url.starts_with("postgres") {
            store.close().await.unwrap();
            emptied(&url).await;
            targets.push(url);
        }
        for target in targets {
            let restored = Store::restore(&target, &schema, given(&lines)).await.unwrap();
            assert_eq!(dumped(&restored).await, (schema.clone(), lines.clone()), "{target}");
            assert_eq!(restored.desktop(desktop.id).await.unwrap(), Some(desktop.clone()));
            assert_eq!(restored.user(ada.id).await.unwrap(), Some(ada.clone()));
            // It is not filled twice.
            let again = Store::restore(&target, &schema, given(&lines)).await.err();
            assert!(matches!(again, Some(StoreError::NotEmpty)), "{again:?}");
            restored.close().await.unwrap();
        }
    }

    async fn what_was_being_done_with_a_disk_is_not_done_again(store: Store) {
        let kind = |work| OperationKind::PersonalDisk { disk: PersonalDiskId::new(), title: "ada/home".to_owned(), work };
        let snapshot = "monday".parse().unwrap();
        let delete = Operation { kind: kind(DiskWork::Delete), ..operation() };
        let back = Operation { kind: kind(DiskWork::Restore { snapshot }), state: OperationState::Running, ..operation() };
        let build = operation();
        for one in [&delete, &back, &build] {
            store.create_operation(one).await.unwrap();
        }
        let (schema, lines) = dumped(&store).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new.db").to_str().unwrap().to_owned();
        let restored = Store::restore(&file, &schema, given(&lines)).await.unwrap();
        for one in [&delete, &back] {
            assert_eq!(restored.operation(one.id).await.unwrap().unwrap().state, OperationState::Cancelled);
        }
        assert_eq!(restored.operation(build.id).await.unwrap(), Some(build));
        restored.close().await.unwrap();
    }

    async fn nothing_of_a_damaged_one_stays(store: Store) {
        stored_desktop(&store).await;
        let (schema, lines) = dumped(&store).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new.db").to_str().unwrap().to_owned();
        let swapped = |from: &str, to: &str| -> Lines {
            lines.iter().map(|(name, rows)| (name.clone(), rows.iter().map(|row| row.replace(from, to)).collect())).collect()
        };
        let mut unknown = lines.clone();
        unknown.push(("passwords".to_owned(), Vec::new()));
        for bad in [
            swapped("\"pool_id\":\"", "\"pool_id\":\"0"),
            swapped("\"vcpus\":2", "\"vcpus\":\"2\""),
            swapped("\"vcpus\"", "\"cpus\""),
            unknown,
        ] {
            let refused = Store::restore(&file, &schema, given(&bad)).await.err();
            assert!(matches!(refused, Some(StoreError::BadDump { .. })), "{refused:?}");
        }
        let newer: Vec<String> = schema.iter().cloned().chain(["m9999_later".to_owned()]).collect();
        let refused = Store::restore(&file, &newer, given(&lines)).await.err();
        assert!(matches!(refused, Some(StoreError::NewerSchema { .. })), "{refused:?}");
        // An older one is brought up to date, once its rows fit.
        let none: Lines = Vec::new();
        Store::restore(&file, &schema[..3], given(&none)).await.unwrap().close().await.unwrap();
        assert_eq!(Store::open(&file).await.unwrap().desktops().await.unwrap(), []);
    }

    async fn leave_an_older_schema_as_it_is(store: Store, url: String) {
        let desktop = stored_desktop(&store).await;
        let (schema, _) = dumped(&store).await;
        store.close().await.unwrap();
        let raw_url = if url.starts_with("postgres") { url.clone() } else { format!("sqlite:{url}") };
        let raw = Database::connect(raw_url).await.unwrap();
        for undone in [
            "DROP TABLE seal_program",
            "DROP TABLE host_place",
            "ALTER TABLE ticket DROP COLUMN app_id",
            "DROP TABLE app",
            "DROP TABLE syslog",
            "DROP TABLE history",
            "DROP TABLE personal_disk_hold",
            "DROP TABLE personal_disk",
            "ALTER TABLE pool DROP COLUMN personal_disk",
            "DROP TABLE booking",
            "DROP TABLE attendance",
            "DROP TABLE quota",
            "DROP TABLE webhook",
            "DROP TABLE rollout",
            "DROP TABLE passkey",
            "DROP TABLE cloud_image",
            "DROP TABLE pool_cloud",
            "DROP TABLE cloud",
            "ALTER TABLE pool DROP COLUMN cloud",
            "DROP TABLE provider_sign_in",
            "DROP TABLE provider_person",
            "DROP TABLE provider",
            "ALTER TABLE pool DROP COLUMN hours",
            "ALTER TABLE pool DROP COLUMN leaving",
            "ALTER TABLE presence DROP COLUMN touched",
            "DELETE FROM seaql_migrations WHERE version >= 'm0031'",
        ] {
            raw.execute_unprepared(undone).await.unwrap();
        }
        raw.close().await.unwrap();
        for _ in 0..2 {
            let older = Store::open_unchanged(&url).await.unwrap();
            let dump = older.dump().await.unwrap();
            let newer = ["m0031_provider", "m0032_cloud", "m0033_leaving", "m0034_passkey", "m0035_quota", "m0037_rollout", "m0038_webhook", "m0039_booking", "m0041_personal_disk", "m0042_syslog", "m0044_history", "m0045_session_host", "m0052_seal_program"].map(str::to_owned);
            assert_eq!(dump.schema(), schema.strip_suffix(&newer).unwrap());
            assert!(!dump.tables().contains(&"provider") && dump.tables().contains(&"directory"));
            drop(dump);
            older.close().await.unwrap();
        }
        assert_eq!(Store::open(&url).await.unwrap().desktops().await.unwrap(), [desktop]);
    }

    async fn hold_every_table(store: Store, url: String) {
        let raw = Database::connect(if url.starts_with("postgres") { url } else { format!("sqlite:{url}") }).await.unwrap();
        let all = match raw.get_database_backend() {
            DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
            _ => "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'",
        };
        let rows = raw.query_all_raw(Statement::from_string(raw.get_database_backend(), all)).await.unwrap();
        let found: BTreeSet<String> = rows
            .iter()
            .map(|row| row.try_get("", "name").unwrap())
            .filter(|name: &String| !name.starts_with("sqlite_") && name != "seaql_migrations")
            .collect();
        let known = TABLES.iter().chain(PASSING).map(|name| (*name).to_owned()).collect();
        assert_eq!(found, known, "a new table is in TABLES (after what it refers to) or in PASSING");
        drop(store);
    }
}
