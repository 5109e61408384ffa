//! kill -9 in the middle of writing: what was answered is there, what was not is there whole or not at all.

use crate::{
    on_both,
    samples::{desktop, stored_pool},
};
use oriel_model::{Pool, PoolId};
use oriel_store::Store;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

const URL: &str = "ORIEL_TEST_KILLED_URL";
const POOL: &str = "ORIEL_TEST_KILLED_POOL";
const ROUND: &str = "ORIEL_TEST_KILLED_ROUND";

/// Not a test: the program that is killed. Writes for ever, and says what the store has answered.
#[tokio::test]
#[ignore = "started, and killed, by the tests below"]
async fn writer() {
    let (Ok(url), Ok(pool), Ok(round)) = (std::env::var(URL), std::env::var(POOL), std::env::var(ROUND)) else {
        return;
    };
    let store = Store::open(&url).await.unwrap();
    let pool: PoolId = pool.parse().unwrap();
    for n in 0.. {
        let desktop = desktop(&format!("killed-{round}-{n}"), pool);
        store.create_desktop(&desktop).await.unwrap();
        let base = store.claim_port_base(desktop.id, "here", 1024..=65535, 2).await.unwrap();
        store.put_secret(desktop.id, "sealed").await.unwrap();
        store.modify_desktop(desktop.id, |desktop| desktop.generation += 1).await.unwrap();
        eprintln!("\nanswered {} {base}", desktop.name);
    }
}

on_both! {
    async fn nothing_answered_is_lost(store: Store, url: String) {
        let pool = stored_pool(&store).await;
        store.update_pool(&Pool { desktops_max: u32::MAX, ..pool.clone() }).await.unwrap();
        for round in 0..4_u64 {
            let (url, id) = (url.clone(), pool.id.to_string());
            let answered = tokio::task::spawn_blocking(move || write_until_killed(&url, &id, round)).await.unwrap();
            assert!(!answered.is_empty());
            let here = store.desktops_in_pool(pool.id).await.unwrap();
            for (name, base) in &answered {
                let one = here.iter().find(|one| one.name.as_str() == name).unwrap_or_else(|| panic!("{name} is lost"));
                assert_eq!((one.port_base, one.generation), (Some(*base), 2), "{name}");
                assert_eq!(store.secret(one.id).await.unwrap().as_deref(), Some("sealed"));
            }
            // At most the one that was being written is unfinished.
            let unfinished = here.iter().filter(|one| one.generation != 2).count();
            assert!(unfinished <= usize::try_from(round).unwrap() + 1);
        }
        if !url.starts_with("postgres") {
            let raw = Database::connect(format!("sqlite:{url}")).await.unwrap();
            for pragma in ["integrity_check", "foreign_key_check"] {
                let said = raw.query_all_raw(Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {pragma}"))).await;
                let said: Vec<String> = said.unwrap().iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
                assert!(said.is_empty() || said == ["ok"], "{said:?}");
            }
        }
    }
}

/// What the writer says was answered, until it is killed in the middle of its work.
fn write_until_killed(url: &str, pool: &str, round: u64) -> Vec<(String, u16)> {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::writer", "--ignored", "--nocapture"])
        .env(URL, url)
        .env(POOL, pool)
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(writer.stderr.take().unwrap()).lines();
    let answers = std::thread::spawn(move || {
        let parse = |line: String| {
            let mut words = line.strip_prefix("answered ")?.split(' ');
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
        };
        lines.map_while(Result::ok).filter_map(parse).collect::<Vec<_>>()
    });
    // Long enough for some answers on a busy machine, and a different moment in each round.
    std::thread::sleep(Duration::from_millis(600 + 37 * round));
    writer.kill().unwrap();
    writer.wait().unwrap();
    answers.join().unwrap()
}
