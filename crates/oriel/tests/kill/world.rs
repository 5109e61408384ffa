//! What is really there: machines, files, processes, rows; and whether it is what it should be.

use crate::house::{House, names, virsh, wait};
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::Value;
use std::path::Path;

pub struct Domain {
    pub uuid: String,
    pub generation: u32,
}

/// The machines that carry the mark of this data folder.
pub fn domains(data: &Path) -> Vec<Domain> {
    let list = virsh().args(["list", "--all", "--uuid"]).output().unwrap();
    let home = data.display().to_string();
    String::from_utf8(list.stdout)
        .unwrap()
        .split_whitespace()
        .filter_map(|uuid| {
            // One that another program removes meanwhile is no concern of ours.
            let xml = String::from_utf8(virsh().args(["dumpxml", uuid]).output().unwrap().stdout).unwrap();
            let mark = xml.lines().find(|line| line.contains("<oriel:desktop "))?.replace('"', "'");
            let generation = mark.split("generation='").nth(1)?.split('\'').next()?.parse().unwrap();
            mark.contains(&format!("home='{home}'")).then(|| Domain { uuid: uuid.to_owned(), generation })
        })
        .collect()
}

/// Processes whose command line names the folder: QEMU and the helpers of its network.
pub fn processes(data: &Path) -> Vec<(u32, String)> {
    let home = format!("{}/", data.display());
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(&home).then_some((pid, line))
        })
        .collect()
}

/// Rows of a table, read as SQLite's own programs would.
fn rows(data: &Path, table: &str) -> i64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}?mode=ro", data.join("oriel.db").display());
        let database = Database::connect(url).await.unwrap();
        let count = Statement::from_string(DbBackend::Sqlite, format!("SELECT COUNT(*) AS count FROM {table}"));
        database.query_one_raw(count).await.unwrap().unwrap().try_get("", "count").unwrap()
    })
}

/// Everything of one desktop is there once and of one generation, and it runs or it does not.
pub fn check_whole(house: &House, desktop: &Value, generation: Option<u32>) {
    let (id, state) = (desktop["id"].as_str().unwrap(), desktop["state"].as_str().unwrap());
    let found: Vec<_> = domains(&house.data).into_iter().filter(|domain| domain.uuid == id).collect();
    assert_eq!(found.len(), 1, "machines of {desktop:#}");
    let current = found[0].generation;
    assert!(generation.is_none_or(|wanted| wanted == current), "generation {current}, not {generation:?}");
    let files = names(&house.data.join("desktops").join(id));
    let wanted = [format!("disk-{current}.qcow2"), format!("seed-{current}.iso"), format!("serial-{current}.log")];
    assert_eq!(files.iter().filter(|name| !name.starts_with("serial")).collect::<Vec<_>>(), [&wanted[0], &wanted[1]]);
    // A machine that never ran has said nothing; one that ran long has older logs beside it.
    assert!(files.iter().all(|name| wanted.contains(name) || name.starts_with(&wanted[2])), "{files:?}");
    let running = state == "ready";
    let own = || -> Vec<String> {
        processes(&house.data).into_iter().map(|(_, line)| line).filter(|line| line.contains(id)).collect()
    };
    let settled = wait(|| {
        let lines = own();
        let machines = lines.iter().filter(|line| line.contains("qemu-system")).count();
        let helpers = lines.len() - machines;
        // Where no namespaces can be made there are no helpers.
        machines == usize::from(running) && if running { [0, 2].contains(&helpers) } else { helpers == 0 }
    });
    assert!(settled, "{state}, but there is {:#?}", own());
}

/// These desktops and nothing else.
pub fn check_all(house: &House, generation: Option<u32>) {
    let desktops = house.desktops();
    let mut ids: Vec<_> = desktops.iter().map(|desktop| desktop["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    let mut uuids: Vec<_> = domains(&house.data).into_iter().map(|domain| domain.uuid).collect();
    uuids.sort();
    assert_eq!(uuids, ids, "machines and rows");
    assert_eq!(names(&house.data.join("desktops")), ids, "folders and rows");
    for desktop in &desktops {
        check_whole(house, desktop, generation);
    }
    assert_eq!(rows(&house.data, "desktop_secret"), ids.len() as i64, "secrets and rows");
}

/// Nothing is left of any desktop, and of images exactly what rows name.
pub fn check_empty(house: &House) {
    let left = || (domains(&house.data).len(), names(&house.data.join("desktops")), names(&house.data.join("run")));
    assert!(wait(|| left() == (0, Vec::new(), Vec::new())), "left: {:?}", left());
    assert!(wait(|| processes(&house.data).is_empty()), "left: {:#?}", processes(&house.data));
    for table in ["desktop", "desktop_secret", "ticket"] {
        assert_eq!(rows(&house.data, table), 0, "rows of {table}");
    }
    check_images(house);
}

pub fn check_images(house: &House) {
    let images = house.json(&["image", "list"])["images"].as_array().unwrap().clone();
    let mut files: Vec<_> = images.iter().map(|image| format!("{}.qcow2", image["sha256"].as_str().unwrap())).collect();
    files.sort();
    files.dedup();
    assert_eq!(names(&house.data.join("images")), files, "files of images");
}
