//! A machine with a BMC: one in memory that speaks Redfish over TLS, used through the program's own API and command line.

use super::{furnish, house::House};
use oriel_physical::fake::bmc::{BmcFaults, FakeBmc, Maker};
use serde_json::json;
use std::time::Duration;

const ISO: &str = "https://mirror.example/debian.iso";

async fn bmc() -> FakeBmc {
    FakeBmc::start(Maker::Idrac, BmcFaults::default()).await.unwrap()
}

fn enter(house: &House, bmc: &FakeBmc, more: &[&str]) {
    let url = format!("https://127.0.0.1:{}", bmc.address().port());
    let add = ["device", "add", &url, "--kind", "redfish", "--pool", "office", "--name", "server", "--user", "root"];
    house.ask_with(&[&add[..], &["--password-file", "-"], more].concat(), "calvin\n").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_with_a_bmc() {
    let (house, bmc) = (House::new("127.0.0.0/8"), bmc().await);
    furnish(&house);
    let url = format!("https://127.0.0.1:{}", bmc.address().port());
    let nameless = ["device", "add", &url, "--kind", "redfish", "--pool", "office", "--password-file", "-"];
    assert!(house.ask(&nameless).unwrap_err().contains("--user"), "a BMC's account has no usual name");
    enter(&house, &bmc, &[]);
    assert_eq!(house.json(&["device", "list"])["devices"][0]["protocol"], "redfish");
    assert!(house.tell(&["device", "list"]).contains("redfish"));

    // The first to ask meets it: pinned.
    assert_eq!(house.json(&["machine", "identity", "server"])["shown"], json!(bmc.fingerprint().to_string()));
    let shown = house.json(&["device", "show", "server"]);
    assert_eq!(
        (&shown["kind"], &shown["platform"], &shown["power"]["on"], &shown["board"]["health"]),
        (&json!("redfish"), &json!("Example R640"), &json!(false), &json!("OK"))
    );
    assert_eq!(shown["actions"], json!(["on", "off", "off_hard", "reset_hard", "press", "press_long", "press_reset"]));
    assert_eq!(shown["board"]["boot"]["sources"], json!(["cd", "pxe", "disk", "setup", "normal"]));
    assert_eq!(house.json(&["machine", "show", "server"])["identity"], json!(bmc.fingerprint().to_string()));
    assert!(house.tell(&["device", "show", "server"]).contains("BMC 4.22.00.00 of Example R640"));

    // Power, waited for by what the BMC says.
    assert_eq!(house.json(&["device", "power", "server", "on"])["power"]["on"], true);
    assert_eq!(house.json(&["device", "power", "server", "off"])["power"]["on"], false);
    assert_eq!(bmc.world().resets, ["On", "GracefulShutdown"]);

    // A CD that the BMC fetches, and a start from it.
    let media = house.json(&["device", "media", "insert", "server", ISO])["media"].clone();
    assert_eq!((&media[0]["image"], &media[0]["inserted"]), (&json!(ISO), &json!(true)));
    house.tell(&["device", "boot", "server", "cd"]);
    assert_eq!(bmc.world().boot, ("Cd".to_owned(), "Once".to_owned()));
    let media = house.json(&["device", "media", "eject", "server"])["media"].clone();
    assert_eq!((&media[0]["image"], &media[0]["inserted"]), (&json!(null), &json!(false)));
    let refused = house.ask(&["device", "media", "insert", "server", "debian.iso"]).unwrap_err();
    assert!(refused.contains("no address that a device can fetch from"), "{refused}");

    // What it has not is said.
    for command in [["device", "log", "server"].as_slice(), &["device", "switch", "server", "relay"]] {
        let refused = house.ask(command).unwrap_err();
        assert!(refused.contains("server is a BMC"), "{refused}");
    }
    // One session for all of it, and a new one when it has run out.
    assert_eq!(bmc.world().logins, 1);
    bmc.end_sessions();
    house.tell(&["device", "show", "server"]);
    assert_eq!(bmc.world().logins, 2);

    let told = house.tell(&["audit", "list", "--json"]);
    for deed in ["device/power/on", "device/drive", "device/boot/cd"] {
        assert!(told.contains(&format!("/machines/server/{deed}\"")), "{deed}: {told}");
    }
    // Another BMC in its place is refused, and told nothing.
    bmc.change_certificate().unwrap();
    let refused = house.ask(&["device", "show", "server"]).unwrap_err();
    assert!(refused.contains("certificate changed"), "{refused}");
    assert!(!house.log().contains("calvin") && !told.contains("calvin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bmc_shows_no_screen_and_leads_to_the_machine_inside() {
    let (house, bmc) = (House::new("127.0.0.0/8"), bmc().await);
    furnish(&house);
    house.tell(&["machine", "add", "office", "--name", "desk", "--protocol", "vnc", "--address", "127.0.0.1"]);
    enter(&house, &bmc, &["--inside", "desk"]);
    house.tell(&["user", "set", "ada", "--role", "admin"]);
    let ada = house.sign_in("ada").await;
    let id = house.json(&["machine", "show", "server"])["id"].as_str().unwrap().to_owned();
    let at = format!("/machines/{id}/device");

    let desktop = ada.get(&format!("/desktops/{id}")).await;
    assert_eq!((&desktop["kinds"], &desktop["inside"]), (&json!([]), &json!("desk")), "{desktop:#}");
    let (status, problem) = ada.post(&format!("/desktops/{id}/connect"), json!({"kind": "vnc"})).await;
    assert!((400..500).contains(&status), "{problem:#}");
    assert!(
        problem["title"].to_string().contains("shows no screen") || problem.to_string().contains("no screen"),
        "{problem:#}"
    );

    // Whoever looks shares one connection; what was pressed is seen soon.
    assert_eq!(ada.get(&format!("{at}/live")).await["device"]["power"]["on"], false);
    let tile = ada.get("/devices").await["devices"][0].clone();
    assert_eq!(
        (&tile["kind"], &tile["inside"]["name"], &tile["inside"]["kind"]),
        (&json!("redfish"), &json!("desk"), &json!("vnc"))
    );
    assert_eq!(ada.post(&format!("{at}/power/on"), json!({})).await.0, 204);
    for _ in 0..200 {
        if ada.get(&format!("{at}/live")).await["device"]["power"]["on"] == true {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ada.get("/devices").await["devices"][0]["power"]["on"], true);
    assert_eq!(bmc.world().logins, 1);
    let (status, problem) = ada.post(&format!("{at}/boot/moon"), json!({})).await;
    assert_eq!(status, 400, "{problem:#}");
}
