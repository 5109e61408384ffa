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

    // A file from here, in two pieces; sent once more it is there already.
    let file = house.file("tools.iso", &"x".repeat(5 << 20));
    for _ in 0..2 {
        let sent = house.json(&["device", "media", "upload", "server", &file]);
        assert_eq!(sent["storage"]["images"], json!([{"name": "tools.iso", "size": 5 << 20, "complete": true}]));
    }
    let refused = house.ask(&["device", "media", "upload", "server", &house.file("empty.iso", "")]).unwrap_err();
    assert!(refused.contains("is empty"), "{refused}");
    // Interrupted, it is stopped on the device as well.
    device.world().options.faults.slow = Some(Duration::from_secs(2));
    let mut child = house.begin(&["device", "media", "upload", "server", &file, "--name", "half.iso"]);
    let begun = |world: &World| world.requests.iter().any(|it| it.starts_with("POST /api/msd/write?image=half"));
    seen(&device, "an upload", |world| begun(world).then_some(())).await;
    let kill = format!("kill -INT {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    device.world().options.faults.slow = None;
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!device.world().images.contains_key("half.iso"));
    house.tell(&["device", "media", "delete", "server", "tools.iso"]);

    // What the device fetches itself is waited for, and its own words are told.
    let fetched = house.json(&["device", "media", "fetch", "server", "https://mirror.example/net.iso"]);
    assert_eq!(fetched["storage"]["images"][0]["name"], "net.iso");
    let refused = house.ask(&["device", "media", "fetch", "server", "https://mirror.example/missing.iso"]).unwrap_err();
    assert!(refused.contains("Not Found"), "{refused}");
    assert!(house.tell(&["device", "log", "server"]).contains("--- Ready"));

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
            [id.as_str(), "server"].iter().any(|name| told.contains(&format!("/machines/{name}/{deed}"))),
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

#[tokio::test(flavor = "multi_thread")]
async fn many_look_by_one_connection_and_images_come_in_pieces() {
    let (house, device) = (House::new("127.0.0.0/8"), device().await);
    furnish(&house);
    let url = format!("https://127.0.0.1:{}", device.address().port());
    let secret = house.file("totp", SECRET);
    let add =
        ["device", "add", &url, "--pool", "office", "--name", "server", "--password-file", "-", "--totp-file", &secret];
    house.ask_with(&add, "admin\n").unwrap();
    house.tell(&["user", "set", "ada", "--role", "admin"]);
    let ada = house.sign_in("ada").await;
    let id = house.json(&["machine", "show", "server"])["id"].as_str().unwrap().to_owned();
    let at = format!("/machines/{id}/device");

    // Nobody watches, so that the streamer begins with the first who looks; whoever else looks costs the device nothing.
    let (status, tag) = ada.picture(&format!("{at}/picture"), None).await;
    assert_eq!((status, tag.len()), (200, 34), "{tag}");
    for _ in 0..20 {
        assert_eq!(ada.picture(&format!("{at}/picture"), Some(&tag)).await, (304, tag.clone()));
    }
    assert_eq!(ada.get(&format!("{at}/live")).await["device"]["power"]["on"], false);
    let wall = ada.get("/devices").await;
    assert_eq!(
        (&wall["devices"][0]["name"], &wall["devices"][0]["power"]["on"], &wall["devices"][0]["failure"]),
        (&json!("server"), &json!(false), &json!(null))
    );
    {
        let world = device.world();
        assert_eq!((world.logins, world.events_clients), (2, 1));
        let snapshots = world.requests.iter().filter(|request| request.contains("/snapshot")).count();
        assert!(snapshots < 10, "{:?}", world.requests);
    }
    // What is pressed is seen by everybody, without a question: the events tell it.
    assert_eq!(ada.post(&format!("{at}/power/on"), json!({})).await.0, 204);
    for _ in 0..100 {
        if ada.get(&format!("{at}/live")).await["device"]["power"]["on"] == true {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ada.get("/devices").await["devices"][0]["power"]["on"], true);

    // An image in two pieces; what is missing is said, and one image at a time is on its way.
    let piece =
        |name: &str, offset: usize, size: usize| format!("{at}/upload?name={name}&tag=t1&offset={offset}&size={size}");
    let (status, taken) = ada.put(&piece("small.iso", 0, 3000), vec![7; 1000]).await;
    assert_eq!((status, &taken), (200, &json!({"offset": 1000, "complete": false})));
    assert_eq!(ada.get(&format!("{at}/upload?name=small.iso&tag=t1")).await["offset"], 1000);
    let (status, problem) = ada.put(&piece("small.iso", 500, 3000), vec![7; 10]).await;
    assert_eq!((status, &problem["code"]), (409, &json!("upload_gap")), "{problem:#}");
    let (status, problem) = ada.put(&piece("other.iso", 0, 10), vec![7; 10]).await;
    assert_eq!((status, &problem["code"]), (409, &json!("device_busy")), "{problem:#}");
    let (status, taken) = ada.put(&piece("small.iso", 1000, 3000), vec![7; 2000]).await;
    assert_eq!((status, &taken), (200, &json!({"offset": 3000, "complete": true})), "{taken:#}");
    assert_eq!(device.world().images["small.iso"].bytes, 3000);
    // The device's own words.
    let (status, problem) = ada.put(&piece("debian.iso", 0, 4), vec![7; 4]).await;
    assert_eq!((status, &problem["code"]), (409, &json!("device_refused")), "{problem:#}");

    // Stopped in the middle, nothing of it stays; an address is fetched by the device, or refused by it.
    assert_eq!(ada.put(&piece("half.iso", 0, 4000), vec![7; 100]).await.0, 200);
    assert_eq!(ada.delete(&format!("{at}/upload")).await, 204);
    assert_eq!(ada.get(&format!("{at}/upload?name=half.iso&tag=t1")).await["offset"], 0);
    assert!(!device.world().images.contains_key("half.iso"));
    for (url, failed) in [("https://mirror.example/net.iso", false), ("https://mirror.example/missing.iso", true)] {
        let (status, begun) = ada.post(&format!("{at}/fetch"), json!({"url": url})).await;
        assert_eq!((status, &begun["kind"]), (202, &json!("fetch")), "{begun:#}");
        let mut transfer = begun;
        for _ in 0..200 {
            transfer = ada.get(&format!("{at}/live")).await["transfer"].clone();
            if transfer["over"] == true {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!((&transfer["over"], transfer["failed"].is_string()), (&json!(true), failed), "{transfer:#}");
    }
    assert!(device.world().images.contains_key("net.iso"));
    let (status, problem) = ada.post(&format!("{at}/fetch"), json!({"url": "file:///etc/passwd"})).await;
    assert_eq!((status, &problem["code"]), (400, &json!("bad_url")), "{problem:#}");
    assert_eq!(ada.get(&format!("{at}/log")).await["lines"][0], "[2026-11-28 00:00:00 kvmd] --- Ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_port_of_a_switch_is_a_desktop() {
    let house = House::new("127.0.0.0/8");
    let device = FakeDevice::start(FakeOptions { switch_units: 1, ..FakeOptions::default() }).await.unwrap();
    furnish(&house);
    house.tell(&["pool", "create", "rack", "--kind", "external"]);
    house.tell(&["pool", "allow", "office", "bob"]);
    let url = format!("https://127.0.0.1:{}", device.address().port());
    house
        .ask_with(&["device", "add", &url, "--pool", "rack", "--name", "kvm", "--password-file", "-"], "admin\n")
        .unwrap();
    let add =
        |port: &str, name: &str| house.ask(&["device", "port", "add", "kvm", port, "--pool", "office", "--name", name]);
    add("1.1", "mail").unwrap();
    add("2", "build").unwrap();
    for (port, name, why) in [("1.2", "again", "is build already"), ("9", "nine", "is no port of a Switch")] {
        let refused = add(port, name).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    let wrong = house.ask(&["device", "port", "add", "mail", "1.3", "--pool", "office", "--name", "deep"]).unwrap_err();
    assert!(wrong.contains("is no PiKVM that was entered"), "{wrong}");
    assert!(house.ask(&["machine", "remove", "kvm"]).unwrap_err().contains("with the Switch that"));
    let itself = house.ask(&["machine", "set", "kvm", "--behind", "kvm", "--switch-port", "1.3"]).unwrap_err();
    assert!(itself.contains("a port of its own Switch"), "{itself}");

    let listed = house.json(&["device", "port", "list", "kvm"]);
    assert_eq!(
        (&listed["switch"]["active"], &listed["switch"]["ports"][0]["name"], &listed["machines"]["1.2"]["name"]),
        (&json!("1.1"), &json!("first"), &json!("build"))
    );
    assert_eq!(listed["switch"]["ports"].as_array().unwrap().len(), 4);
    // Its own button; drive and table are the device's, which is pinned for all.
    assert_eq!(house.json(&["device", "power", "build", "on"])["power"]["on"], true);
    assert_eq!(device.world().switch.pressed, [(1, "on".to_owned())]);
    assert!(!device.world().power);
    let shown = house.json(&["device", "show", "build"]);
    assert_eq!(
        (&shown["switch"]["ports"][0]["port"], &shown["storage"], &shown["video"]),
        (&json!("1.2"), &json!(null), &json!(null))
    );
    let refused = house.ask(&["device", "media", "insert", "build", "debian.iso"]).unwrap_err();
    assert!(refused.contains("whose drive is that of kvm"), "{refused}");
    assert_eq!(house.json(&["machine", "show", "kvm"])["identity"], json!(device.fingerprint().to_string()));
    assert_eq!(house.json(&["machine", "show", "build"])["identity"], json!(null));

    // Opened, it is made active; whoever else wants another port is told so.
    let (ada, bob) = (house.sign_in("ada").await, house.sign_in("bob").await);
    let mut build = ada.open("build").await;
    build.until("picture", has_picture).await;
    assert_eq!(device.world().switch.chosen, [1]);
    let mail = house.json(&["machine", "show", "mail"])["id"].as_str().unwrap().to_owned();
    let (status, problem) = bob.post(&format!("/desktops/{mail}/connect"), json!({"kind": "vnc"})).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("in_use")), "{problem:#}");
    assert!(problem.to_string().contains("one machine at a time"), "{problem:#}");

    // She goes to the other one herself; somebody who chooses at the device itself sends her away.
    let mut of_mail = ada.open("mail").await;
    of_mail.until("picture", has_picture).await;
    let end = build.ends().await;
    assert!(end.starts_with("TakenOver: "), "{end}");
    assert_eq!(device.world().switch.chosen, [1, 0]);
    device.world().switch.choose("1.4");
    device.changed("switch");
    let end = of_mail.ends().await;
    assert!(end.contains("port 1.1 of the Switch is no longer the active one"), "{end}");
}
