//! Machines that Oriel does not run, end to end: the real program, real servers on loopback, people in browsers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect fails, loudly"
)]

mod connecting;
mod guacamole;
mod house;
mod ipmi;
mod kvm_vdi;
mod mariadb;
mod physical;
mod redfish;
mod served;
mod servers;

use house::House;
use oriel_screen::wire::ServerRecord;
use serde_json::json;
use servers::{Shadow, Sshd, Telnetd, Tiger, me};

/// A pool of machines that ada may use.
fn furnish(house: &House) {
    house.tell(&["pool", "create", "office", "--kind", "external"]);
    house.person("ada");
    house.person("bob");
    house.tell(&["pool", "allow", "office", "ada"]);
}

/// A frame with the machine's one colour in it. (Before its first picture a screen is black.)
fn has_picture(records: &[ServerRecord]) -> bool {
    let drawn = |record: &ServerRecord| match record {
        ServerRecord::Bye { code, text } => panic!("ended: {code:?}: {text}"),
        ServerRecord::Fill { rgb, .. } => rgb.iter().zip(servers::COLOUR).all(|(seen, its)| seen.abs_diff(its) < 8),
        _ => false,
    };
    let at = records.iter().position(drawn);
    at.is_some_and(|at| records.iter().skip(at).any(|record| matches!(record, ServerRecord::FrameEnd { .. })))
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[tokio::test(flavor = "multi_thread")]
async fn screens_by_vnc() {
    let (house, tiger) = (House::new("127.0.0.0/8"), Tiger::start());
    furnish(&house);
    let vnc = ["machine", "add", "office", "--name", "kiosk", "--protocol", "vnc", "--address", &at(tiger.port)];
    house.ask_with(&[&vnc[..], &["--password-file", "-"]].concat(), "s3cret!").unwrap();
    let ada = house.sign_in("ada").await;
    let mut viewer = ada.open("kiosk").await;
    viewer.until("picture", has_picture).await;
    // It proves nothing, so nothing is pinned.
    assert_eq!(house.json(&["machine", "identity", "kiosk"])["shown"], json!(null));
    assert_eq!(house.json(&["machine", "show", "kiosk"])["identity"], json!(null));

    // Another door of the same machine there is not, and bob may not know that it exists.
    let id = house.json(&["machine", "show", "kiosk"])["id"].as_str().unwrap().to_owned();
    let (status, problem) = ada.post(&format!("/desktops/{id}/connect"), json!({"kind": "ssh"})).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("no_such_door")), "{problem:#}");
    let bob = house.sign_in("bob").await;
    assert_eq!(bob.get("/desktops").await["desktops"], json!([]));
    let (status, _) = bob.post(&format!("/desktops/{id}/connect"), json!({"kind": "vnc"})).await;
    assert_eq!(status, 404);

    // What ends with the entitlement is what is open.
    house.tell(&["pool", "deny", "office", "ada"]);
    assert_eq!(viewer.ends().await, "EndedByAdmin: you may no longer use kiosk");
    assert_eq!(ada.get("/desktops").await["desktops"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vnc_server_with_a_certificate_that_changes() {
    let (house, (tiger, first)) = (House::new("127.0.0.0/8"), Tiger::with_certificate());
    furnish(&house);
    let vnc = ["machine", "add", "office", "--name", "kiosk", "--protocol", "vnc", "--address", &at(tiger.port)];
    house.ask_with(&[&vnc[..], &["--user", "root", "--password-file", "-"]].concat(), "any\n").unwrap();
    let found = house.json(&["machine", "identity", "kiosk"]);
    assert_eq!((&found["pinned"], &found["shown"]), (&json!(null), &json!(first)), "asking keeps nothing");
    let ada = house.sign_in("ada").await;
    ada.open("kiosk").await.until("picture", has_picture).await;
    assert_eq!(house.json(&["machine", "show", "kiosk"])["identity"], json!(first));

    let (_tiger, second) = tiger.reinstall();
    let end = ada.open("kiosk").await.ends().await;
    assert!(end.starts_with("IdentityChanged: ") && end.contains(&first) && end.contains(&second), "{end}");
    assert_eq!(house.json(&["machine", "show", "kiosk"])["identity"], json!(first), "nobody accepted it");
    house.tell(&["machine", "identity", "kiosk", "--accept"]);
    assert_eq!(house.json(&["machine", "show", "kiosk"])["identity"], json!(second));
    ada.open("kiosk").await.until("picture", has_picture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_by_rdp() {
    let (house, tiger) = (House::new("127.0.0.0/8"), Tiger::start());
    let shadow = Shadow::start(&tiger.display);
    furnish(&house);
    // Network level authentication with a password that was kept, and the certificate of the first connection.
    let rdp = ["machine", "add", "office", "--name", "desk", "--protocol", "rdp", "--address", &at(shadow.port)];
    let account = ["--user", "anna", "--domain", "CORP", "--security", "nla", "--password-file", "-"];
    house.ask_with(&[&rdp[..], &account].concat(), "geheim\n").unwrap();
    assert_eq!(house.json(&["machine", "show", "desk"])["identity"], json!(null));
    let ada = house.sign_in("ada").await;
    ada.open("desk").await.until("picture", has_picture).await;
    let desk = house.json(&["machine", "show", "desk"]);
    let first = desk["identity"].as_str().unwrap().to_owned();
    assert_eq!(first.len(), 64);
    assert_eq!(house.json(&["machine", "identity", "desk"])["same"], true);
    assert!(!desk.to_string().contains("geheim"));
    house.tell(&["machine", "set", "desk", "--graphics-pipeline", "false"]);
    ada.open("desk").await.until("picture without the graphics pipeline", has_picture).await;

    // In another domain anna is somebody else, and a server of this kind takes nobody without saying who they are.
    house.tell(&["machine", "set", "desk", "--domain", "ELSEWHERE"]);
    let end = ada.open("desk").await.ends().await;
    assert!(end.starts_with("CredentialsRefused: "), "{end}");
    house.tell(&["machine", "set", "desk", "--domain", "CORP", "--security", "tls"]);
    let end = ada.open("desk").await.ends().await;
    assert!(end.contains("no security level in common"), "{end}");
    house.tell(&["machine", "set", "desk", "--security", "nla"]);

    let shadow = shadow.reinstall(&tiger.display);
    let end = ada.open("desk").await.ends().await;
    let found = house.json(&["machine", "identity", "desk"]);
    assert!(end.starts_with("IdentityChanged: ") && end.contains(&first), "{end}");
    let seen = end.split("SHA-256 is ").nth(1).and_then(|rest| rest.get(..64)).unwrap().to_owned();
    assert_eq!((&found["pinned"], &found["shown"]), (&json!(first), &json!(seen)));
    // Accepted by the console's way: what was seen is entered.
    house.tell(&["machine", "set", "desk", "--identity", &seen]);
    ada.open("desk").await.until("picture", has_picture).await;

    // Off, and on again: it comes back by itself.
    drop(shadow);
    let end = ada.open("desk").await.ends().await;
    assert!(end.starts_with("Unreachable: ") && end.contains("does not answer"), "{end}");
    assert!(!house.log().contains("geheim"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_by_ssh_and_a_host_key_that_changes() {
    let (house, mut sshd) = (House::new("127.0.0.0/8,::1"), Sshd::start());
    furnish(&house);
    let address = format!("localhost:{}", sshd.port);
    let me = me();
    let mut add = vec!["machine", "add", "office", "--name", "build", "--protocol", "ssh", "--address", &address];
    add.extend(["--user", &me, "--private-key-file", &sshd.user_key, "--locale", "C.UTF-8"]);
    add.extend(["--terminal-type", "vt220", "--time-zone", "Asia/Tokyo"]);
    add.extend(["--command", "echo \"lang=$LANG term=$TERM zone=$TZ sum=$((40 + 2))\"; sleep 60"]);
    house.tell(&add);
    let ada = house.sign_in("ada").await;
    let shown = ada.open("build").await.shows("sum=42").await;
    assert!(shown.contains("lang=C.UTF-8 term=vt220 zone=Asia/Tokyo"), "{shown}");
    assert_eq!(house.json(&["machine", "show", "build"])["identity"], json!(sshd.host_key()));

    let before = sshd.fingerprint();
    sshd.reinstall();
    let end = ada.open("build").await.ends().await;
    assert!(end.starts_with("IdentityChanged: ") && end.contains("an administrator can accept"), "{end}");
    assert!(end.contains(&before) && end.contains(&sshd.fingerprint()), "{end}");
    let refused = house.ask(&["machine", "identity", "build"]).unwrap_err();
    assert!(refused.contains("shows another identity") && refused.contains("--accept"), "{refused}");
    house.tell(&["machine", "identity", "build", "--accept"]);
    assert_eq!(house.json(&["machine", "show", "build"])["identity"], json!(sshd.host_key()));
    ada.open("build").await.shows("sum=42").await;

    // Keys that cannot be read are refused where they are entered.
    let bad = house.data.path().join("bad");
    std::fs::write(&bad, "-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n-----END OPENSSH PRIVATE KEY-----\n").unwrap();
    let refused = house.ask(&["machine", "set", "build", "--private-key-file", bad.to_str().unwrap()]).unwrap_err();
    assert!(refused.contains("private key") && refused.contains("cannot be read"), "{refused}");
    house.tell(&["machine", "set", "build", "--user", ""]);
    let end = ada.open("build").await.ends().await;
    assert!(end.contains("no user is kept for build"), "{end}");
    house.tell(&["machine", "remove", "build"]);
    assert!(house.ask(&["machine", "show", "build"]).unwrap_err().contains("there is no machine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn shells_by_password_certificate_and_jump_host() {
    let (house, gate, inner) = (House::new("127.0.0.1"), Sshd::start(), Sshd::start());
    furnish(&house);
    let (me, gate_at, inner_at) = (me(), at(gate.port), at(inner.port));
    let add = |name, address, more: &[&str], input: &str| {
        let machine = ["machine", "add", "office", "--name", name, "--protocol", "ssh", "--address", address];
        house.ask_with(&[&machine[..], &["--user", &me], more].concat(), input).unwrap()
    };
    add("gate", &gate_at, &["--password-file", "-"], "any\n");
    let ada = house.sign_in("ada").await;
    if me == "root" {
        let mut viewer = ada.open("gate").await;
        viewer.types("echo by-$((40 + 2))\r").await;
        viewer.shows("by-42").await;
        // Without one, the machine's question is the person's.
        house.ask_with(&["machine", "set", "gate", "--password-file", "-"], "").unwrap();
        let mut viewer = ada.open("gate").await;
        viewer.shows("password").await;
        viewer.types("any\r").await;
        viewer.types("echo by-hand-$((40 + 2))\r").await;
        viewer.shows("by-hand-42").await;
    } else {
        println!("not root: no password is seen to be taken");
    }
    // A key under a passphrase, known by its certificate alone; an agent that has it; Control-H erases.
    let certificate = gate.folder.path().join("sealed-cert.pub");
    let passphrase = house.data.path().join("passphrase");
    std::fs::write(&passphrase, "open sesame\n").unwrap();
    let (certificate, passphrase) = (certificate.to_str().unwrap(), passphrase.to_str().unwrap());
    let key =
        ["--private-key-file", &gate.sealed_key, "--passphrase-file", passphrase, "--certificate-file", certificate];
    let says = ["--agent-forwarding", "true", "--backspace", "control-h"];
    let command = ["--command", "ssh-add -l; stty -a | grep -o 'erase = [^;]*'; sleep 60"];
    add("sealed", &gate_at, &[&key[..], &says, &command].concat(), "");
    let shown = ada.open("sealed").await.shows("erase = ").await;
    assert!(shown.contains("(ED25519)") && shown.contains("erase = ^H"), "{shown}");

    // Through the gate, by its name there; each is pinned where it is entered.
    house.tell(&["machine", "set", "gate", "--private-key-file", &gate.user_key]);
    add(
        "inner",
        &inner_at,
        &["--private-key-file", &inner.user_key, "--jump", "gate", "--command", "echo in-$((40 + 2)); sleep 60"],
        "",
    );
    assert_eq!(house.json(&["machine", "identity", "inner"])["shown"], json!(inner.host_key()));
    ada.open("inner").await.shows("in-42").await;
    for (name, sshd) in [("gate", &gate), ("inner", &inner)] {
        assert_eq!(house.json(&["machine", "show", name])["identity"], json!(sshd.host_key()));
    }
    // An impostor on the way is refused as one.
    house.tell(&["machine", "set", "gate", "--identity", &inner.host_key()]);
    let end = ada.open("inner").await.ends().await;
    assert!(end.starts_with("IdentityChanged: jump host 1: "), "{end}");
    assert!(house.ask(&["machine", "remove", "gate"]).unwrap_err().contains("jump host on the way to inner"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_by_telnet() {
    let (house, telnetd) = (House::new("127.0.0.1"), Telnetd::start());
    furnish(&house);
    let add = ["machine", "add", "office", "--name", "switch", "--protocol", "telnet", "--address", &at(telnetd.port)];
    let account = ["--user", "anna", "--password-file", "-", "--terminal-type", "vt100", "--backspace", "control-h"];
    let patterns = ["--user-prompt", "(?i)who goes there", "--password-prompt", "the word: $"];
    let outcome = ["--success-pattern", r"ready\$ $", "--failure-pattern", "Go away"];
    house.ask_with(&[&add[..], &account, &patterns, &outcome].concat(), "open sesame\n").unwrap();
    let ada = house.sign_in("ada").await;
    let mut viewer = ada.open("switch").await;
    let shown = viewer.shows("ready$ ").await.to_lowercase();
    assert!(shown.contains("enter, in a vt100"), "{shown}");
    // The machine erases with Control-H, and DEL is what the terminal sends.
    viewer.types("echo sum=$((40 + 3\u{7f}2))\r").await;
    viewer.shows("sum=42").await;
    house.ask_with(&["machine", "set", "switch", "--password-file", "-"], "wrong\n").unwrap();
    let end = ada.open("switch").await.ends().await;
    assert!(end.starts_with("CredentialsRefused: ") && end.contains("Go away"), "{end}");
    let refused = house.ask(&["machine", "set", "switch", "--success-pattern", "("]).unwrap_err();
    assert!(refused.contains("pattern for success"), "{refused}");
    let refused = house.ask(&["machine", "set", "switch", "--identity", &"0a".repeat(32)]).unwrap_err();
    assert!(refused.contains("shows no identity"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_off_comes_back() {
    let house = House::new("127.0.0.1");
    furnish(&house);
    let port = servers::free_port();
    house.tell(&["machine", "add", "office", "--name", "gate", "--protocol", "vnc", "--address", &at(port)]);
    let reaches = async |state: &str, why: &str| {
        let begin = std::time::Instant::now();
        loop {
            let gate = house.json(&["machine", "show", "gate"]);
            if gate["state"] == state && gate["failure"].as_str().unwrap_or_default().contains(why) {
                return;
            }
            // Each machine is looked at once a minute.
            assert!(begin.elapsed() < house::PATIENCE * 2, "{state}: {gate:#}");
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
    };
    reaches("unreachable", "does not answer").await;
    // What people are told when they try all the same.
    let ada = house.sign_in("ada").await;
    // Before it is tried: while somebody tries it, it is in use.
    let desktop = ada.get("/desktops").await["desktops"][0].clone();
    let end = ada.open("gate").await.ends().await;
    assert!(end.starts_with("Unreachable: ") && end.contains("gate does not answer: "), "{end}");
    assert_eq!(desktop["failure"], "it did not answer when it was last looked at");
    assert!(!format!("{end}{desktop}").contains("127.0.0.1"), "where it is is for admins: {end}, {desktop:#}");
    let _listener = tokio::net::TcpListener::bind(at(port)).await.unwrap();
    reaches("ready", "").await;
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
    assert!(end.starts_with("Unreachable: named is at an address that Oriel may not dial"), "{end}");
    assert!(!end.contains("127.0.0.1") && !end.contains("localhost"), "where it is is for admins: {end}");
    let begin = std::time::Instant::now();
    while house.json(&["machine", "show", "named"])["failure"].as_str().is_none_or(|why| !why.contains("loopback")) {
        assert!(begin.elapsed() < house::PATIENCE, "the list says why, too");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
