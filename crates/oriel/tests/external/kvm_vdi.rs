//! `oriel import kvm-vdi`, from a dump and from a real MariaDB.

use crate::house::House;
use crate::mariadb::MariaDb;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kvm-vdi/tests/site.sql");
    path.to_str().unwrap().to_owned()
}

fn column<'a>(report: &'a Value, of: &str, name: &str) -> Vec<&'a str> {
    report[of].as_array().unwrap().iter().map(|line| line[name].as_str().unwrap()).collect()
}

/// An image of a small empty disk.
fn image(house: &House, name: &str) {
    let disk = house.file(&format!("{name}.qcow2"), "");
    let create = ["create", "-q", "-f", "qcow2", &disk, "64M"];
    assert!(Command::new("qemu-img").args(create).status().unwrap().success());
    house.tell(&["image", "import", &disk, "--name", name, "--os", "other"]);
}

#[test]
fn a_dump_is_brought_in_as_its_images_come() {
    let house = House::new("");
    let dump = sample();
    let dry = house.json(&["import", "kvm-vdi", &dump, "--dry-run"]);
    assert!(column(&dry, "people", "state").iter().all(|state| *state == "planned"), "{dry:#}");
    assert_eq!(house.json(&["group", "list"])["groups"], json!([]));

    // Without a disk there are no pools: what is missing is said, and how to bring it.
    let first = house.json(&["import", "kvm-vdi", &dump]);
    assert_eq!(column(&first, "people", "state"), ["made", "made"]);
    assert_eq!(column(&first, "groups", "state"), ["made", "made"]);
    assert_eq!(first["pools"], json!([]));
    let left = first["left"].to_string();
    for said in [
        "oriel image import FILE --name win10-initial --os windows",
        "virsh domblklist 'Linux initial'",
        "cannot be a user name",
        "hypervisor \\\"kvm1\\\"",
        "oriel directory set DIRECTORY --group 'Staff=DN'",
        "oriel machine add",
    ] {
        assert!(left.contains(said), "{said}: {left}");
    }
    assert!(!first.to_string().contains("geheim"));

    image(&house, "win10-initial");
    image(&house, "debian");
    let second = house.json(&["import", "kvm-vdi", &dump, "--image", "Linux initial=debian", "--memory", "512"]);
    assert_eq!(column(&second, "people", "state"), ["there", "there"]);
    assert_eq!(column(&second, "pools", "name"), ["lab-linux-initial", "lab-win10-initial", "office"]);
    assert_eq!(column(&second, "pools", "state"), ["made", "made", "made"]);
    assert_eq!(column(&second, "pools", "image"), ["debian", "win10-initial", "win10-initial"]);
    let office = house.json(&["pool", "show", "office"]);
    assert_eq!(
        (&office["kind"], &office["memory_mib"], &office["desktops_max"]),
        (&json!("floating"), &json!(512), &json!(2))
    );
    let names = |of: &str| -> Vec<String> {
        office[of].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names("users"), names("groups")), (vec!["ada".to_owned(), "bob".to_owned()], vec!["Staff".to_owned()]));
    let left = second["left"].to_string();
    assert!(left.contains("carol@school.example") && left.contains("once they have signed in"), "{left}");

    // Whom somebody put out stays out, unless that is asked for.
    house.tell(&["pool", "deny", "office", "bob"]);
    let third = house.json(&["import", "kvm-vdi", &dump, "--image", "Linux initial=debian"]);
    assert_eq!(column(&third, "pools", "state"), ["there", "there", "there"]);
    assert!(third["left"].to_string().contains("bob in pool \\\"office\\\""), "{third:#}");
    assert_eq!(house.json(&["pool", "show", "office"])["users"].as_array().unwrap().len(), 1);
    house.json(&["import", "kvm-vdi", &dump, "--image", "Linux initial=debian", "--let-in"]);
    assert_eq!(house.json(&["pool", "show", "office"])["users"].as_array().unwrap().len(), 2);

    // A machine whose address somebody knows, in a pool of others' machines.
    let at = ["--address", "files=ssh://192.0.2.7", "--image", "Linux initial=debian"];
    let fourth = house.json(&[&["import", "kvm-vdi", &dump][..], &at].concat());
    assert_eq!(
        (column(&fourth, "machines", "name"), column(&fourth, "machines", "state")),
        (vec!["files"], vec!["made"])
    );
    let files = house.json(&["machine", "show", "files"]);
    assert_eq!((&files["host"], &files["port"]), (&json!("192.0.2.7"), &json!(22)));
    let fifth = house.json(&[&["import", "kvm-vdi", &dump][..], &at].concat());
    assert_eq!(column(&fifth, "machines", "state"), ["there"]);

    let cut = house.file("cut.sql", "CREATE TABLE `pool` (`id` int");
    for (source, said) in [
        ("/nowhere.sql", "mysqldump"),
        (cut.as_str(), "line 1: a closing bracket should stand here"),
        ("postgres://nobody@127.0.0.1:9/x", "kvm-vdi's on MySQL or MariaDB can"),
        ("mysql://nobody@127.0.0.1:9/x", "cannot reach kvm-vdi's database"),
        ("/etc/passwd", "no dump of kvm-vdi's database"),
    ] {
        let refused = house.ask(&["import", "kvm-vdi", source]).unwrap_err();
        assert!(refused.contains(said), "{source}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_mariadb_says_the_same_as_its_dump() {
    let server = MariaDb::start();
    let admin = Database::connect(server.url("")).await.unwrap();
    admin.execute_unprepared("CREATE DATABASE vdi CHARACTER SET utf8mb4").await.unwrap();
    let dsn = server.url("vdi");
    let house = House::new("");
    let refused = house.ask(&["import", "kvm-vdi", &dsn]).unwrap_err();
    assert!(refused.contains("does not answer as kvm-vdi's since 2016 does"), "{refused}");
    let dump = std::fs::read_to_string(sample()).unwrap();
    let database = Database::connect(&dsn).await.unwrap();
    // The rest is for MySQL's own command line.
    database.execute_unprepared(dump.split("DELIMITER").next().unwrap()).await.unwrap();
    let of_file = house.json(&["import", "kvm-vdi", &sample(), "--dry-run"]);
    let of_rows = house.json(&["import", "kvm-vdi", &dsn, "--dry-run"]);
    assert_eq!(of_file, of_rows);
    database.close().await.unwrap();
    admin.close().await.unwrap();
}
