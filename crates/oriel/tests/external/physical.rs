//! A machine behind a PiKVM: a device in memory that speaks its API over TLS, opened through the program's own API, its gateway and a
//! session's process.

use super::{at, furnish, house::House, house::Viewer};
use oriel_physical::fake::{FakeDevice, FakeOptions, World};
use oriel_screen::InputEvent;
use oriel_screen::wire::ServerRecord;
use serde_json::json;
use std::time::Duration;

const SECRET: &str = "JBSWY3DPEHPK3PXP";

async fn device() -> FakeDevice {
    FakeDevice::start(FakeOptions { totp: Some(SECRET.to_owned()), ..FakeOptions::default() }).await.unwrap()
}

fn has_picture(records: &[ServerRecord]) -> bool {
    records.iter().any(|record| match record {
        ServerRecord::Bye { code, text } => panic!("ended: {code:?}: {text}"),
        ServerRecord::Tile { rect, .. } => rect.w > 0,
        ServerRecord::Fill { .. } => true,
        _ => false,
    })
}

async fn seen<T>(device: &FakeDevice, what: &str, look: impl Fn(&World) -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = look(&device.world()) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the device did not see {what}")
}

async fn types(viewer: &mut Viewer, code: u16) {
    for down in [true, false] {
        viewer.input(InputEvent::Key { down, code, keysym: 0 }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_behind_a_pikvm() {
    let (house, device) = (House::new("127.0.0.0/8"), device().await);
    furnish(&house);
    let address = at(device.address().port());
    let add = ["machine", "add", "office", "--name", "server", "--protocol", "pikvm", "--address", &address];
    let secret = house.file("totp", SECRET);
    let account = ["--user", "admin", "--password-file", "-", "--totp-file", &secret, "--keyboard", "de"];
    house.ask_with(&[&add[..], &account].concat(), "admin\n").unwrap();
    let shown = house.json(&["machine", "show", "server"]);
    assert_eq!(
        (&shown["has_totp"], &shown["has_password"], &shown["identity"]),
        (&json!(true), &json!(true), &json!(null))
    );
    assert!(!shown.to_string().contains(SECRET));
    let first = device.fingerprint().to_string();
    assert_eq!(house.json(&["machine", "identity", "server"])["shown"], json!(first));

    let ada = house.sign_in("ada").await;
    let mut viewer = ada.open("server").await;
    viewer.until("picture", has_picture).await;
    assert_eq!(
        house.json(&["machine", "show", "server"])["identity"],
        json!(first),
        "pinned from the first connection on"
    );
    types(&mut viewer, 0x1e).await;
    let reports = seen(&device, "a key", |world| {
        let at = world.gadget.keyboard.iter().position(|report| report[2] == 4)?;
        world.gadget.keyboard.get(at..at + 2).map(<[_]>::to_vec)
    })
    .await;
    assert_eq!(reports, [[0, 0, 4, 0, 0, 0, 0, 0], [0; 8]]);
    viewer.input(InputEvent::Text("zß".to_owned())).await;
    let printed = seen(&device, "a text", |world| world.printed.first().cloned()).await;
    assert_eq!(printed, ("zß".to_owned(), Some("de".to_owned())));
    // One connection for events, and it comes back after a restart of the device's service.
    assert_eq!(device.world().events_clients, 1);
    device.break_connections();
    seen(&device, "nobody", |world| (world.events_clients == 0).then_some(())).await;
    seen(&device, "the session again", |world| (world.events_clients == 1).then_some(())).await;
    drop(viewer);

    // Another device in its place is refused, and named.
    device.change_certificate().unwrap();
    house.tell(&["machine", "set", "server", "--timeout", "9"]);
    let end = ada.open("server").await.ends().await;
    assert!(end.starts_with("IdentityChanged: ") && end.contains(&first), "{end}");
    house.tell(&["machine", "identity", "server", "--accept"]);
    ada.open("server").await.until("picture", has_picture).await;
    house.ask_with(&["machine", "set", "server", "--password-file", "-"], "wrong\n").unwrap();
    let end = ada.open("server").await.ends().await;
    assert!(end.starts_with("CredentialsRefused: "), "{end}");
    assert!(!house.log().contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_s_power_drive_and_switches() {
    let (house, device) = (House::new("127.0.0.0/8"), device().await);
    furnish(&house);
    let url = format!("https://127.0.0.1:{}", device.address().port());
    let secret = house.file("totp", SECRET);
    let add =
        ["device", "add", &url, "--pool", "office", "--name", "server", "--password-file", "-", "--totp-file", &secret];
    house.ask_with(&add, "admin\n").unwrap();
    let wrong = house
        .ask_with(&["device", "add", "http://127.0.0.1", "--pool", "office", "--password-file", "-"], "x")
        .unwrap_err();
    assert!(wrong.contains("is no device's address"), "{wrong}");
    assert_eq!(house.json(&["device", "list"])["devices"][0]["name"], "server");

    // The first to ask meets it: pinned.
    let shown = house.json(&["device", "show", "server"]);
    assert_eq!(
        (&shown["name"], &shown["version"], &shown["power"]["on"]),
        (&json!("fake.example"), &json!("4.197"), &json!(false))
    );
    assert_eq!(house.json(&["machine", "show", "server"])["identity"], json!(device.fingerprint().to_string()));
    assert_eq!(
        shown["gpio"][0][1],
        json!({"kind": "input", "color": "green", "channel":
        {"name": "door", "on": false, "online": true, "busy": false, "switches": false, "pulses": false}})
    );

    // On, and waited for its light.
    assert_eq!(house.json(&["device", "power", "server", "on"])["power"]["on"], true);
    assert!(device.world().power);
    house.tell(&["device", "switch", "server", "relay", "on"]);
    assert!(device.world().relay);
    let refused = house.ask(&["device", "switch", "server", "nothing"]).unwrap_err();
    assert!(refused.contains("GPIO channel is not found"), "{refused}");

    let storage = house.json(&["device", "media", "insert", "server", "debian.iso"])["storage"].clone();
    assert_eq!(
        (&storage["image"], &storage["connected"], &storage["cdrom"]),
        (&json!("debian.iso"), &json!(true), &json!(true))
    );
    // Another way of the same image: the drive goes and comes.
    let storage =
        house.json(&["device", "media", "insert", "server", "debian.iso", "--stick", "--writable"])["storage"].clone();
    assert_eq!(
        (&storage["connected"], &storage["cdrom"], &storage["writable"]),
        (&json!(true), &json!(false), &json!(true))
    );
    let storage = house.json(&["device", "media", "eject", "server"])["storage"].clone();
    assert_eq!((&storage["image"], &storage["connected"]), (&json!(null), &json!(false)));
    house.tell(&["device", "media", "remove", "server", "debian.iso"]);
    assert_eq!(house.json(&["device", "media", "list", "server"])["storage"]["images"], json!([]));

    // Nobody but administrators may, and another kind of machine is no device.
    let ada = house.sign_in("ada").await;
    let id = house.json(&["machine", "show", "server"])["id"].as_str().unwrap().to_owned();
    let (status, problem) = ada.post(&format!("/machines/{id}/device/power/off_hard"), json!({})).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("admin_only")));
    house.tell(&["machine", "add", "office", "--name", "kiosk", "--protocol", "vnc", "--address", "127.0.0.1"]);
    let refused = house.ask(&["device", "show", "kiosk"]).unwrap_err();
    assert!(refused.contains("does not speak pikvm"), "{refused}");

    // What was done is told, with what was pressed.
    let told = house.tell(&["audit", "list", "--json"]);
    for deed in ["device/power/on", "device/switches/relay", "device/drive", "device/images"] {
        assert!(
            told.contains(&format!("/machines/{id}/{deed}\"")) || told.contains(&format!("/machines/server/{deed}\"")),
            "{deed}: {told}"
        );
    }

    // A light that does not follow is said.
    device.world().options.faults.unwired = true;
    assert_eq!(house.json(&["device", "power", "server", "off", "--no-wait"])["power"]["on"], true);
    house.ask_with(&["machine", "set", "server", "--password-file", "-"], "wrong\n").unwrap();
    let refused = house.ask(&["device", "show", "server"]).unwrap_err();
    assert!(refused.contains("refused the user name, the password or the code"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_at_a_time_is_at_a_machine() {
    let (house, device) = (House::new("127.0.0.0/8"), device().await);
    furnish(&house);
    house.tell(&["pool", "allow", "office", "bob"]);
    house.tell(&["pool", "set", "office", "--recording", "always"]);
    let url = format!("https://127.0.0.1:{}", device.address().port());
    let secret = house.file("totp", SECRET);
    let add =
        ["device", "add", &url, "--pool", "office", "--name", "server", "--password-file", "-", "--totp-file", &secret];
    house.ask_with(&add, "admin\n").unwrap();

    let (ada, bob) = (house.sign_in("ada").await, house.sign_in("bob").await);
    let mut of_ada = ada.open("server").await;
    of_ada.until("picture", has_picture).await;
    let id = house.json(&["machine", "show", "server"])["id"].as_str().unwrap().to_owned();
    let ask = async || bob.post(&format!("/desktops/{id}/connect"), json!({"kind": "vnc"})).await;
    let (status, problem) = ask().await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("in_use")), "{problem:#}");
    assert_eq!(device.world().events_clients, 1);
    // A key that is down when she leaves comes up.
    of_ada.input(InputEvent::Key { down: true, code: 0x30, keysym: 0 }).await;
    seen(&device, "a key that stays", |world| world.gadget.keyboard.last().filter(|last| last[2] == 5).copied()).await;
    drop(of_ada);
    seen(&device, "no key", |world| world.gadget.keyboard.last().filter(|last| **last == [0; 8]).copied()).await;

    // Who has left is not waited for: the next one takes the seat, and the device has one connection at the end.
    for _ in 0..100 {
        if ask().await.0 == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut of_bob = bob.open("server").await;
    of_bob.until("picture", has_picture).await;
    seen(&device, "one connection", |world| (world.events_clients == 1).then_some(())).await;
    let (status, problem) = ada.post(&format!("/desktops/{id}/connect"), json!({"kind": "vnc"})).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("in_use")), "{problem:#}");
    let list = house.json(&["recording", "list"]);
    assert_eq!(list["recordings"].as_array().unwrap().len(), 2, "{list:#}");
}
