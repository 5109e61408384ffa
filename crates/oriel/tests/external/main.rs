//! Machines that Oriel does not run, end to end: the real program, real servers on loopback, people in browsers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect fails, loudly"
)]

mod guacamole;
mod house;
mod servers;

use house::House;
use oriel_screen::wire::ServerRecord;
use serde_json::json;
use servers::{Shadow, Sshd, Tiger, me};

/// A pool of machines that ada may use.
fn furnish(house: &House) {
    house.tell(&["pool", "create", "office", "--kind", "external"]);
    house.person("ada");
    house.person("bob");
    house.tell(&["pool", "allow", "office", "ada"]);
}

fn has_picture(records: &[ServerRecord]) -> bool {
    let drawn = |record: &ServerRecord| matches!(record, ServerRecord::Tile { .. } | ServerRecord::Fill { .. });
    let ended = |record: &ServerRecord| match record {
        ServerRecord::Bye { code, text } => panic!("ended: {code:?}: {text}"),
        record => matches!(record, ServerRecord::FrameEnd { .. }),
    };
    records.iter().any(drawn) && records.iter().any(ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_by_vnc_and_one_by_rdp() {
    let (house, tiger) = (House::new("127.0.0.0/8"), Tiger::start());
    let shadow = Shadow::start(&tiger.display);
    furnish(&house);
    let address = format!("127.0.0.1:{}", tiger.port);
    let vnc = ["machine", "add", "office", "--name", "kiosk", "--protocol", "vnc", "--address", &address];
    house.ask_with(&[&vnc[..], &["--password-file", "-"]].concat(), "s3cret!").unwrap();
    let ada = house.sign_in("ada").await;
    let mut viewer = ada.open("kiosk").await;
    let records = viewer.until("picture", has_picture).await;
    let title = records.iter().find_map(|record| match record {
        ServerRecord::Hello { title, terminal: false, .. } => Some(title.clone()),
        _ => None,
    });
    assert_eq!(title.as_deref(), Some("kiosk"));
    // The whole screen is one colour: what is filled is that.
    for record in &records {
        if let ServerRecord::Fill { rgb, .. } = record {
            assert_eq!(*rgb, [0xc8, 0x1e, 0x32]);
        }
    }

    // Another door of the same machine there is not, and bob may not know that it exists.
    let id = house.json(&["machine", "show", "kiosk"])["id"].as_str().unwrap().to_owned();
    let (status, problem) = ada.post(&format!("/desktops/{id}/connect"), json!({"kind": "ssh"})).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("no_such_door")), "{problem:#}");
    let bob = house.sign_in("bob").await;
    assert_eq!(bob.get("/desktops").await["desktops"], json!([]));
    let (status, _) = bob.post(&format!("/desktops/{id}/connect"), json!({"kind": "vnc"})).await;
    assert_eq!(status, 404);

    // Network level authentication with a password that was kept, and the certificate of the first connection.
    let address = format!("127.0.0.1:{}", shadow.port);
    let rdp = ["machine", "add", "office", "--name", "desk", "--protocol", "rdp", "--address", &address];
    house.ask_with(&[&rdp[..], &["--user", "anna", "--password-file", "-"]].concat(), "geheim\n").unwrap();
    assert_eq!(house.json(&["machine", "show", "desk"])["identity"], json!(null));
    let mut viewer_of_desk = ada.open("desk").await;
    viewer_of_desk.until("picture", has_picture).await;
    let desk = house.json(&["machine", "show", "desk"]);
    assert_eq!(desk["identity"].as_str().unwrap().len(), 64);
    assert_eq!(house.json(&["machine", "identity", "desk"])["same"], true);
    assert!(!desk.to_string().contains("geheim"));
    assert!(!house.log().contains("geheim"));

    // What ends with the entitlement is what is open.
    house.tell(&["pool", "deny", "office", "ada"]);
    assert_eq!(viewer.ends().await, "EndedByAdmin: you may no longer use kiosk");
    assert_eq!(viewer_of_desk.ends().await, "EndedByAdmin: you may no longer use desk");
    assert_eq!(ada.get("/desktops").await["desktops"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_by_ssh_and_a_host_key_that_changes() {
    let (house, mut sshd) = (House::new("127.0.0.0/8,::1"), Sshd::start());
    furnish(&house);
    let address = format!("localhost:{}", sshd.port);
    let me = me();
    let mut add = vec!["machine", "add", "office", "--name", "build", "--protocol", "ssh", "--address", &address];
    add.extend([
        "--user",
        &me,
        "--private-key-file",
        &sshd.user_key,
        "--locale",
        "C.UTF-8",
        "--terminal-type",
        "vt220",
    ]);
    add.extend(["--command", "echo \"lang=$LANG term=$TERM sum=$((40 + 2))\"; sleep 60"]);
    house.tell(&add);
    let ada = house.sign_in("ada").await;
    let shown = ada.open("build").await.shows("sum=42").await;
    assert!(shown.contains("lang=C.UTF-8 term=vt220"), "{shown}");
    assert_eq!(house.json(&["machine", "show", "build"])["identity"], json!(sshd.host_key()));

    sshd.reinstall();
    let end = ada.open("build").await.ends().await;
    assert!(end.starts_with("IdentityChanged: ") && end.contains("an administrator can accept"), "{end}");
    let refused = house.ask(&["machine", "identity", "build"]).unwrap_err();
    assert!(refused.contains("shows another identity") && refused.contains("--accept"), "{refused}");
    house.tell(&["machine", "identity", "build", "--accept"]);
    assert_eq!(house.json(&["machine", "show", "build"])["identity"], json!(sshd.host_key()));
    ada.open("build").await.shows("sum=42").await;

    // Without what signs in, nobody is signed in.
    let empty = house.data.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    house.tell(&["machine", "set", "build", "--private-key-file", empty.to_str().unwrap()]);
    let end = ada.open("build").await.ends().await;
    assert!(end.contains("neither a password nor a private key is kept for build"), "{end}");

    house.tell(&["machine", "add", "office", "--name", "old", "--protocol", "telnet", "--address", &address]);
    let id = house.json(&["machine", "show", "old"])["id"].as_str().unwrap().to_owned();
    let (status, problem) = ada.post(&format!("/desktops/{id}/connect"), json!({"kind": "ssh"})).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("telnet_later")), "{problem:#}");
    house.tell(&["machine", "remove", "build"]);
    assert!(house.ask(&["machine", "show", "build"]).unwrap_err().contains("there is no machine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_not_dialled() {
    let (house, tiger) = (House::new(""), Tiger::start());
    furnish(&house);
    let add = |name: &str, address: &str| {
        house.ask(&["machine", "add", "office", "--name", name, "--protocol", "vnc", "--address", address])
    };
    for (address, said) in [
        (format!("127.0.0.1:{}", tiger.port), "loopback"),
        ("10.1.2.3".to_owned(), "private"),
        ("169.254.169.254:80".to_owned(), "metadata"),
        ("[fe80::1]:5900".to_owned(), "link-local"),
        (house.address().to_owned(), "Oriel itself"),
    ] {
        let refused = add("closed", &address).unwrap_err();
        assert!(refused.contains(said), "{address}: {refused}");
    }
    // A name is checked when it is dialled, by what it means then.
    add("named", &format!("localhost:{}", tiger.port)).unwrap();
    let ada = house.sign_in("ada").await;
    let end = ada.open("named").await.ends().await;
    assert!(end.starts_with("Unreachable: localhost (") && end.contains("external.allow"), "{end}");
    let begin = std::time::Instant::now();
    while house.json(&["machine", "show", "named"])["failure"].as_str().is_none_or(|why| !why.contains("loopback")) {
        assert!(begin.elapsed() < house::PATIENCE, "the list says why, too");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
