//! A machine with a BMC that speaks IPMI: OpenIPMI's simulator, used through the program's own API, command line and a terminal.

use super::{furnish, house::House, servers::free_port};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// Its power is a file beside it.
const CHASSIS: &str = r#"#!/bin/sh
here=$(dirname "$0")
case $1 in
get) [ "$2" = power ] && echo "power:$(cat "$here/power")" || echo "boot:none" ;;
set) echo "$3" > "$here/$2" ;;
esac
"#;

struct Simulator(Child);

impl Drop for Simulator {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(folder: &std::path::Path, port: u16, serial: u16) -> Simulator {
    let path = |name: &str| folder.join(name);
    fs::create_dir(path("state")).unwrap();
    fs::write(path("chassis"), CHASSIS).unwrap();
    fs::set_permissions(path("chassis"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(path("power"), "0").unwrap();
    let lan = format!(
        "name \"bmc\"\nset_working_mc 0x20\nstartlan 1\n addr 127.0.0.1 {port}\n priv_limit admin\n allowed_auths_admin md5\n \
         guid a123456789abcdefa123456789abcdef\nendlan\nchassis_control \"{}\"\nsol \"tcp:127.0.0.1:{serial}\" 115200\n\
         user 2 true \"root\" \"calvin\" admin 10 md5\n",
        path("chassis").display()
    );
    fs::write(path("lan.conf"), lan).unwrap();
    let machine = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x0002a2 0xf02\nmc_enable 0x20\n";
    fs::write(path("machine.emu"), machine).unwrap();
    let mut simulator = Command::new("ipmi_sim");
    for (option, name) in [("-c", "lan.conf"), ("-f", "machine.emu"), ("-s", "state")] {
        simulator.arg(option).arg(path(name));
    }
    let child = simulator.arg("-n").stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    Simulator(child.expect("install the package openipmi"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_with_a_bmc_that_speaks_ipmi() {
    let serial = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let _simulator = start(folder.path(), port, serial.local_addr().unwrap().port());
    // Its line is open: it hears on its port, too.
    let (mut machine, _) = timeout(PATIENCE, serial.accept()).await.expect("the simulator has its line").unwrap();
    let house = House::new("127.0.0.0/8");
    furnish(&house);
    let url = format!("ipmi://127.0.0.1:{port}");
    let add = ["device", "add", &url, "--pool", "office", "--name", "server", "--user", "root", "--password-file", "-"];
    house.ask_with(&add, "calvin\n").unwrap();
    assert_eq!(house.json(&["device", "list"])["devices"][0]["protocol"], "ipmi");
    let shown = house.json(&["device", "show", "server"]);
    assert_eq!((&shown["kind"], &shown["power"]["on"]), (&json!("ipmi"), &json!(false)), "{shown:#}");
    assert_eq!(house.json(&["device", "power", "server", "on"])["power"]["on"], true);
    house.tell(&["device", "boot", "server", "pxe"]);
    assert_eq!(fs::read_to_string(folder.path().join("boot")).unwrap().trim(), "pxe");
    let refused = house.ask(&["device", "media", "eject", "server"]).unwrap_err();
    assert!(refused.contains("no drive over IPMI"), "{refused}");
    assert!(house.tell(&["audit", "list", "--json"]).contains("/machines/server/device/power/on\""));

    let ada = house.sign_in("ada").await;
    let mut viewer = ada.open("server").await;
    viewer.types("root\r").await;
    let mut typed = [0; 5];
    timeout(PATIENCE, machine.read_exact(&mut typed)).await.unwrap().unwrap();
    assert_eq!(&typed, b"root\r");
    machine.write_all(b"Password: ").await.unwrap();
    viewer.shows("Password: ").await;
    let set = ["machine", "set", "server", "--password-file", "-"];
    let refused = house.ask_with(&set, "a password of 23 bytes.\n").unwrap_err();
    assert!(refused.contains("20 bytes"), "{refused}");
    house.ask_with(&set, "wrong\n").unwrap();
    assert!(house.ask(&["device", "show", "server"]).unwrap_err().contains("different passwords"));
    assert!(!house.log().contains("calvin"));
}
