//! What somebody leaves behind in a desktop, on real disks: nothing of it may reach the next person.

use crate::{
    edge::Browser,
    house::{House, Serve, names, virsh, wait},
    world::{check_all, check_empty},
};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

/// What the person's guest writes to its disk: 64 KiB of this byte, a MiB from its beginning.
const MARK: u8 = 0x5a;
const MARK_BYTES: usize = 64 << 10;

/// One of two people, signed in.
async fn person(house: &House, server: &Serve, name: &str) -> Browser {
    let password = format!("seven green lamps of {name}");
    let made = house.tell(&["user", "create", name]);
    let first = made.split_whitespace().last().unwrap();
    let browser = Browser::sign_in(&server.url, name, first).await;
    let new = json!({"current": first, "new": password}).to_string();
    assert_eq!(browser.post("/me/password", new).await.0, 204);
    Browser::sign_in(&server.url, name, &password).await
}

/// As the guest would, through its own QEMU: into what lies over the image.
fn guest_writes(id: &str) {
    let monitor = |line: &str| {
        let said = virsh().args(["qemu-monitor-command", "--hmp", id, line]).output().unwrap();
        String::from_utf8(said.stdout).unwrap()
    };
    let blocks = monitor("info block");
    // The device's own way to the disk: nobody else may write there.
    let mut disk = blocks.lines().skip_while(|line| !line.contains("/disk-"));
    let device = disk.find_map(|line| line.trim().strip_prefix("Attached to:"));
    let device = device.unwrap_or_else(|| panic!("no disk in {blocks}")).trim();
    for deed in [format!("write -P {MARK:#x} 1M 64k"), "flush".to_owned()] {
        let said = monitor(&format!("qemu-io -d {device} \"{deed}\""));
        assert!(said.trim().is_empty() || said.contains("65536/65536"), "{said}");
    }
}

/// The files below the folder that hold what was written.
fn marked(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            found.extend(marked(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            let mut run = 0;
            let holds = bytes.iter().any(|byte| {
                run = if *byte == MARK { run + 1 } else { 0 };
                run == MARK_BYTES
            });
            found.extend(holds.then(|| path.display().to_string()));
        }
    }
    found
}

/// Gets a desktop, is in it, and writes; then their connection ends.
async fn visit(house: &House, browser: &Browser, pool: &str) -> String {
    let (status, desktop) = browser.post(&format!("/pools/{pool}/take"), "{}".into()).await;
    assert_eq!(status, 200, "{desktop:#}");
    let (id, name) = (desktop["id"].as_str().unwrap().to_owned(), desktop["name"].as_str().unwrap().to_owned());
    house.until(&name, "ready");
    let (status, ticket) = browser.post(&format!("/desktops/{id}/connect"), r#"{"kind":"vnc"}"#.into()).await;
    assert_eq!(status, 200, "{ticket:#}");
    browser.open(ticket["path"].as_str().unwrap()).await.unwrap();
    house.until(&name, "in_use");
    guest_writes(&id);
    let disk = house.data.join("desktops").join(&id);
    assert_eq!(marked(&disk).len(), 1, "what the guest writes lies over the image");
    // What they have is theirs for as long as they are connected, however short the pool waits.
    std::thread::sleep(crate::A_ROUND);
    assert_eq!(house.json(&["desktop", "show", &name])["state"], "in_use");
    let session = house.json(&["session", "list"])["sessions"][0]["id"].as_str().unwrap().to_owned();
    house.tell(&["session", "end", &session]);
    id
}

pub fn nothing(house: &House) {
    let server = house.serve(None);
    house.tell(&["image", "import", house.disk().to_str().unwrap(), "--name", "tiny", "--os", "other"]);
    let make = |name: &str, kind: &str, spares: &str| {
        let small = ["--memory", "256", "--vcpus", "1", "--disk", "1", "--desktops-max", "1"];
        let rest = ["--kind", kind, "--image", "tiny", "--spares", spares];
        house.tell(&[&["pool", "create", name][..], &rest, &small].concat());
    };
    make("floor", "floating", "running=1,return=0");
    make("visit", "ephemeral", "return=0");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (anna, ben) = (person(house, &server, "anna").await, person(house, &server, "ben").await);
        for pool in ["floor", "visit"] {
            house.tell(&["pool", "allow", pool, "anna"]);
            house.tell(&["pool", "allow", pool, "ben"]);
        }
        house.until("floor-1", "ready");
        let before = house.json(&["desktop", "show", "floor-1"]);
        let id = visit(house, &anna, "floor").await;
        assert!(wait(|| {
            let now = house.json(&["desktop", "show", "floor-1"]);
            now["owner"].is_null()
                && now["state"] == "ready"
                && now["facts"]["ssh_host_key"] != before["facts"]["ssh_host_key"]
        }));
        // Not a byte in any file, neither of this desktop nor of the image that it is made of; and keys that nobody has seen.
        tokio::task::block_in_place(|| check_all(house, Some(2)));
        assert_eq!(marked(&house.data), Vec::<String>::new());
        let disk = house.data.join("desktops").join(&id).join("disk-2.qcow2");
        let reads = format!("read -P 0 1M {MARK_BYTES}");
        let read = Command::new("qemu-io").args(["-r", "-U", "-f", "qcow2", "-c", &reads]).arg(&disk).output().unwrap();
        let said = String::from_utf8_lossy(&[read.stdout, read.stderr].concat()).into_owned();
        assert!(said.contains("read 65536") && !said.contains("verification failed"), "{said}");
        let (status, refused) = anna.post(&format!("/desktops/{id}/connect"), r#"{"kind":"vnc"}"#.into()).await;
        assert_eq!(status, 404, "who left is out: {refused:#}");
        let (status, given): (u16, Value) = ben.post("/pools/floor/take", "{}".into()).await;
        assert_eq!((status, given["id"].as_str()), (200, Some(&*id)), "{given:#}");
        house.tell(&["desktop", "delete", "floor-1"]);

        visit(house, &anna, "visit").await;
        house.until_gone("visit-1");
        assert_eq!(marked(&house.data), Vec::<String>::new());
    });
    // The pool makes itself a new spare until it shall have none.
    house.tell(&["pool", "set", "floor", "--spares", "default"]);
    for desktop in house.desktops() {
        house.ask(&["desktop", "delete", desktop["name"].as_str().unwrap()]).ok();
    }
    assert!(wait(|| house.desktops().is_empty()));
    check_empty(house);
    drop(server);
}
