//! `ipmi_sim` of OpenIPMI: power by a script of ours, and a serial line over TCP.

use crate::{ada, socket};
use oriel_ipmi::{BootDevice, Client, Console, Control, IpmiError, Role, Suite, reaches};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

const PASSWORD: &str = "hunter2hunter2";

/// Keeps what it was told, and what power and boot are.
const CHASSIS: &str = r#"#!/bin/sh
here=$(dirname "$0")
deed=$1
shift
case $deed in
get) for one in "$@"; do
    case $one in
    power) echo "power:$(cat "$here/power")" ;;
    boot) echo "boot:$(cat "$here/boot")" ;;
    esac
done ;;
set) while [ $# -gt 1 ]; do
    echo "$1 $2" >> "$here/told"
    case $1 in power | boot) echo "$2" > "$here/$1" ;; esac
    shift 2
done ;;
esac
"#;

struct Simulator {
    child: Child,
    folder: TempDir,
    at: SocketAddr,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Simulator {
    async fn start(serial: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Free now; whoever takes it meanwhile makes the test fail, and not pass.
        let at = socket("127.0.0.1:9".parse().unwrap()).await.local_addr().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("state")).unwrap();
        let script = path("chassis");
        for (name, text) in [("chassis", CHASSIS), ("power", "0"), ("boot", "none"), ("told", "")] {
            fs::write(path(name), text).unwrap();
        }
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let lan = format!(
            "name \"bmc\"\nset_working_mc 0x20\nstartlan 1\n addr 127.0.0.1 {port}\n priv_limit admin\n \
             allowed_auths_callback md5\n allowed_auths_user md5\n allowed_auths_operator md5\n allowed_auths_admin md5\n \
             guid a123456789abcdefa123456789abcdef\nendlan\nchassis_control \"{script}\"\nsol \"tcp:127.0.0.1:{serial}\" 115200\n\
             user 2 true \"ada\" \"{PASSWORD}\" admin 10 md5\n",
            port = at.port(),
            script = script.display(),
        );
        fs::write(path("lan.conf"), lan).unwrap();
        let machine =
            "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n";
        fs::write(path("machine.emu"), machine).unwrap();
        let child = Command::new("ipmi_sim")
            .arg("-n")
            .args(["-c".as_ref(), path("lan.conf").as_os_str()])
            .args(["-f".as_ref(), path("machine.emu").as_os_str()])
            .args(["-s".as_ref(), path("state").as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("ipmi_sim of Debian's openipmi");
        let simulator = Self { child, folder, at };
        let end = Instant::now() + Duration::from_secs(10);
        while reaches(&socket(at).await).await.is_err() {
            assert!(Instant::now() < end, "the simulator does not begin");
            sleep(Duration::from_millis(30)).await;
        }
        simulator
    }

    fn told(&self) -> String {
        fs::read_to_string(self.folder.path().join("told")).unwrap()
    }

    async fn open(&self, role: Role) -> Result<Client, IpmiError> {
        Client::open(socket(self.at).await, &ada(PASSWORD), role).await
    }
}

#[tokio::test]
async fn a_simulated_bmc() {
    let serial = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(serial.local_addr().unwrap().port()).await;
    power_and_boot(&simulator).await;
    accounts(&simulator).await;
    console(&simulator, serial).await;
}

async fn power_and_boot(simulator: &Simulator) {
    let mut bmc = simulator.open(Role::Operator).await.unwrap();
    // It knows no SHA-256, which was asked for first.
    assert_eq!(bmc.suite(), Suite::Sha1);
    let id = bmc.device_id().await.unwrap();
    assert_eq!((id.firmware_major, id.firmware_minor, id.version), (9, 8, (2, 0)));
    assert_eq!((id.manufacturer, id.product), (0x1291, 0xf02));
    assert!(!bmc.chassis().await.unwrap().on);
    bmc.control(Control::On).await.unwrap();
    assert!(bmc.chassis().await.unwrap().on);
    for control in [Control::Reset, Control::Soft, Control::Off] {
        bmc.control(control).await.unwrap();
    }
    assert!(!bmc.chassis().await.unwrap().on);
    assert_eq!(simulator.told(), "power 1\nreset 1\nshutdown 1\npower 0\n");

    bmc.boot_once(Some(BootDevice::Network)).await.unwrap();
    // The simulator keeps the device, and not that it holds.
    assert_eq!(bmc.boot().await.unwrap().device, None);
    bmc.boot_once(None).await.unwrap();
    bmc.identify(5).await.unwrap();
    let told = simulator.told();
    assert!(told.contains("boot pxe\n") && told.contains("identify 5"), "{told}");
    bmc.control(Control::Cycle).await.unwrap();
    bmc.close().await;
}

async fn accounts(simulator: &Simulator) {
    let open = async |user: &str, password: &str| {
        let account = oriel_ipmi::Account { user: user.to_owned(), password: password.to_owned().into() };
        Client::open(socket(simulator.at).await, &account, Role::Operator).await.expect_err(user)
    };
    assert!(matches!(open("ada", "wrong").await, IpmiError::CredentialsRefused));
    assert!(matches!(open("nobody", PASSWORD).await, IpmiError::CredentialsRefused));
    assert!(matches!(open("ada", "a password that is too long").await, IpmiError::BadAccount(_)));
    assert!(matches!(open("", PASSWORD).await, IpmiError::BadAccount(_)));
    assert!(simulator.open(Role::Operator).await.is_ok(), "others' mistakes lock nobody out");
}

async fn console(simulator: &Simulator, serial: TcpListener) {
    let (mut machine, _) = timeout(Duration::from_secs(10), serial.accept()).await.unwrap().unwrap();
    let console = Console::open(socket(simulator.at).await, &ada(PASSWORD)).await.unwrap();
    let (mut person, end) = tokio::io::duplex(4096);
    let carried = tokio::spawn(console.serve(end));

    person.write_all(b"root\r").await.unwrap();
    let mut typed = [0; 5];
    timeout(Duration::from_secs(10), machine.read_exact(&mut typed)).await.unwrap().unwrap();
    assert_eq!(&typed, b"root\r");
    // More than fits into a packet, or into what nobody takes.
    let log: Vec<u8> = (0..6000_u32).map(|number| b'a' + (number % 26) as u8).collect();
    machine.write_all(&log).await.unwrap();
    let mut seen = vec![0; log.len()];
    timeout(Duration::from_secs(20), person.read_exact(&mut seen)).await.unwrap().unwrap();
    assert!(seen == log, "as it was written");

    // It is one session's at a time.
    let second = Console::open(socket(simulator.at).await, &ada(PASSWORD)).await.err().unwrap();
    assert!(matches!(second, IpmiError::ConsoleTaken), "{second}");
    drop(person);
    carried.await.unwrap().unwrap();
    Console::open(socket(simulator.at).await, &ada(PASSWORD)).await.expect("it was given back");
}
