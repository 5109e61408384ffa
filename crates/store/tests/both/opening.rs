use crate::{
    at_once, on_both, on_postgres,
    samples::{stored_desktop, stored_pool},
};
use oriel_model::{DesktopState, Hardware, Pool};
use oriel_store::{Store, StoreError};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use std::os::unix::fs::PermissionsExt;

on_both! {
    async fn settings_are_remembered(store: Store) {
        assert_eq!(store.setting("demo").await.unwrap(), None);
        store.put_setting("demo", "made").await.unwrap();
        store.put_setting("demo", "made again").await.unwrap();
        assert_eq!(store.setting("demo").await.unwrap().as_deref(), Some("made again"));
    }
}

/// Past the store's door, as another program would.
async fn raw(url: &str) -> DatabaseConnection {
    let url = if url.starts_with("postgres") { url.to_owned() } else { format!("sqlite:{url}") };
    Database::connect(url).await.unwrap()
}

on_both! {
    async fn opening_again_finds_everything(store: Store, url: String) {
        store.put_setting("key", "value").await.unwrap();
        for again in open_eight(&url).await {
            assert_eq!(again.setting("key").await.unwrap().as_deref(), Some("value"));
            again.close().await.unwrap();
        }
    }

    async fn a_database_from_before_hardware_is_brought_up_to_date(store: Store, url: String) {
        let studio = stored_pool(&store).await;
        let raw = raw(&url).await;
        raw.execute_unprepared("ALTER TABLE pool DROP COLUMN hardware").await.unwrap();
        raw.execute_unprepared("DELETE FROM seaql_migrations WHERE version = 'm0003_hardware'").await.unwrap();
        let store = Store::open(&url).await.unwrap();
        let found = store.pool(studio.id).await.unwrap().unwrap();
        assert_eq!(found, Pool { hardware: Hardware::default(), ..studio });
    }

    async fn a_newer_schema_is_refused(_store: Store, url: String) {
        let future = "INSERT INTO seaql_migrations VALUES ('m9999_from_the_future', 0)";
        raw(&url).await.execute_unprepared(future).await.unwrap();
        let refused = Store::open(&url).await.unwrap_err();
        assert!(matches!(refused, StoreError::NewerSchema { .. }), "{refused:?}");
        assert!(refused.to_string().contains("m9999_from_the_future"), "{refused}");
    }

    async fn a_damaged_row_is_said_to_be(store: Store, url: String) {
        let studio = stored_desktop(&store).await;
        let raw = raw(&url).await;
        for damage in ["state = 'asleep'", "facts = '{'", "port_base = 99999999", "name = '../etc'"] {
            raw.execute_unprepared(&format!("UPDATE desktop SET {damage}")).await.unwrap();
            assert!(matches!(store.desktop(studio.id).await, Err(StoreError::Corrupt { .. })), "{damage}");
            assert!(matches!(store.desktops().await, Err(StoreError::Corrupt { .. })), "{damage}");
            let repair = "UPDATE desktop SET state = 'ready', facts = '{}', port_base = NULL, name = 'studio-1'";
            raw.execute_unprepared(repair).await.unwrap();
        }
        assert_eq!(store.desktop(studio.id).await.unwrap().unwrap().state, DesktopState::Ready);
    }
}

/// Eight programs at once.
async fn open_eight(url: &str) -> Vec<Store> {
    let opened = at_once(8, |_| {
        let url = url.to_owned();
        async move { Store::open(&url).await }
    })
    .await;
    opened.into_iter().map(Result::unwrap).collect()
}

/// They meet an empty database: one makes the schema, the others wait for it.
mod replicas_start_together {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite() {
        let folder = tempfile::tempdir().unwrap();
        open_eight(folder.path().join("new.db").to_str().unwrap()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        on_postgres(|_, url| async move {
            let emptied = raw(&url).await.execute_unprepared("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
            emptied.unwrap();
            open_eight(&url).await;
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (url, says) in [
        ("", "not a database"),
        ("mysql://me:hunter2@host/db", "not a database"),
        (folder.path().join("missing/oriel.db").to_str().unwrap(), "cannot prepare"),
        (folder.path().to_str().unwrap(), "cannot prepare"),
        ("postgres://me:hunter2@127.0.0.1:1/db", "cannot reach the database"),
    ] {
        let refused = Store::open(url).await.unwrap_err();
        let (shown, debug) = (refused.to_string(), format!("{refused:?}"));
        assert!(shown.contains(says), "{url}: {shown}");
        assert!(!shown.contains("hunter2") && !debug.contains("hunter2"), "{shown}\n{debug}");
    }
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "this is not a database, but somebody's notes\n".repeat(100)).unwrap();
    assert!(Store::open(text.to_str().unwrap()).await.is_err());
    assert!(std::fs::read_to_string(&text).unwrap().starts_with("this is not"));
}

#[tokio::test]
async fn the_file_is_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("with space ä%20?.db");
    let store = Store::open(path.to_str().unwrap()).await.unwrap();
    store.put_setting("key", "value").await.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
    assert!(path.exists());
    store.close().await.unwrap();
}
