//! The client against a real OpenStack: `./test openstack` brings it up and names its clouds.yaml in `ORIEL_TEST_CLOUDS`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use jiff::Timestamp;
use oriel_model::Severity;
use oriel_openstack::{
    Attach, Client, Cloud, Clouds, ConsoleKind, Flavor, Microversion, NewServer, OpenStackError, Options, Reboot,
    Server, ServerFilter, ServerStatus, doctor,
};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

/// Everything takes as long as an emulated machine on a busy one.
const PATIENCE: Duration = Duration::from_secs(90);

fn cloud(name: &str) -> Cloud {
    let Some(path) = std::env::var_os("ORIEL_TEST_CLOUDS") else {
        panic!("no cloud is named in ORIEL_TEST_CLOUDS; ./test openstack brings one up")
    };
    Clouds::file(Path::new(&path)).unwrap().pick(Some(name)).unwrap()
}

fn client(name: &str) -> Client {
    Client::new(&cloud(name), None, Options::default()).unwrap()
}

/// How many slices of a GPU Placement counts from now on.
fn gpus(count: u32) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/openstack/cloud");
    assert!(Command::new(program).args(["gpus", &count.to_string()]).status().unwrap().success());
}

async fn until(client: &Client, id: &str, want: &ServerStatus) -> Server {
    let began = Instant::now();
    loop {
        let server = client.server(id).await.unwrap();
        if server.status == *want && server.task.is_none() {
            return server;
        }
        let failed = server.status == ServerStatus::Error && *want != ServerStatus::Error;
        assert!(!failed && began.elapsed() < PATIENCE, "wanted {want:?}: {server:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn gone(client: &Client, id: &str) {
    client.delete_server(id).await.unwrap();
    let began = Instant::now();
    loop {
        match client.server(id).await {
            Err(error) if error.is_gone() => return,
            other => assert!(began.elapsed() < PATIENCE, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn flavor(client: &Client, name: &str) -> Flavor {
    client.flavors().await.unwrap().into_iter().find(|flavor| flavor.name == name).unwrap()
}

async fn new_server(client: &Client, name: &str, flavor_name: &str) -> NewServer {
    let image = client.images().await.unwrap().into_iter().find(|image| image.name == "oriel-lab-guest").unwrap();
    let mut new = NewServer::new(name, &image.id, &flavor(client, flavor_name).await.id);
    new.attach = vec![Attach::Nothing];
    new.tags = vec!["oriel-lab".into(), name.to_owned()];
    new.metadata.insert("oriel-desktop".into(), name.to_owned());
    new
}

/// With no more rights than the access rules that Oriel asks for.
#[tokio::test]
#[ignore = "it needs a real cloud: ./test openstack brings one up"]
async fn a_server_lives_its_life_by_the_access_rules() {
    let client = client("ruled");
    let began = Timestamp::now();
    let new = new_server(&client, "life", "oriel-lab-tiny").await;
    let id = client.create_server(&new).await.unwrap();
    let server = until(&client, &id, &ServerStatus::Active).await;
    assert_eq!(server.metadata["oriel-desktop"], "life");
    assert!(server.host.is_none(), "that is for admins");
    let patience = Instant::now();
    while !client.console_output(&id, 10).await.unwrap().contains("ORIEL LAB GUEST UP") {
        assert!(patience.elapsed() < PATIENCE, "the guest does not come up");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let error = client.start_server(&id).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    client.stop_server(&id).await.unwrap();
    until(&client, &id, &ServerStatus::Shutoff).await;
    client.start_server(&id).await.unwrap();
    until(&client, &id, &ServerStatus::Active).await;
    client.reboot_server(&id, Reboot::Hard).await.unwrap();
    until(&client, &id, &ServerStatus::Active).await;
    client.rebuild_server(&server, &new.image).await.unwrap();
    until(&client, &id, &ServerStatus::Active).await;
    // Put away and taken back: Nova asks Glance for us, with a token of its own beside ours.
    client.stop_server(&id).await.unwrap();
    until(&client, &id, &ServerStatus::Shutoff).await;
    client.shelve_server(&id).await.unwrap();
    let away = until(&client, &id, &ServerStatus::Shelved).await;
    client.resume_server(&away).await.unwrap();
    until(&client, &id, &ServerStatus::Active).await;
    let tagged = ServerFilter { tags: vec!["oriel-lab".into(), "life".into()], ..ServerFilter::default() };
    let found = client.servers(&tagged).await.unwrap();
    assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    gone(&client, &id).await;
    client.delete_server(&id).await.unwrap();
    assert_eq!(client.servers(&tagged).await.unwrap(), []);
    // Who asks for changes learns that it went.
    let changes = ServerFilter { changed_since: Some(began), ..ServerFilter::default() };
    let changed = client.servers(&changes).await.unwrap();
    assert_eq!(changed.iter().find(|one| one.id == id).unwrap().status, ServerStatus::Deleted);
    let network = client.networks().await.unwrap().into_iter().find(|one| one.name == "desktops").unwrap();
    let port = client.create_port(&network.id, "oriel-lab").await.unwrap();
    assert_eq!(port.fixed_ips.len(), 1);
    client.delete_port(&port.id).await.unwrap();
    client.delete_port(&port.id).await.unwrap();
    assert!(client.quotas().await.unwrap().servers.max.is_some());
}

/// No desktop has a bound port here, but Neutron does all else: it writes down where an address leads, and forgets it with the port.
#[tokio::test]
#[ignore = "it needs a real cloud: ./test openstack brings one up"]
async fn a_floating_address_leads_to_a_port_and_is_given_back() {
    let client = client("ruled");
    let networks = client.networks().await.unwrap();
    let id = |name: &str| networks.iter().find(|one| one.name == name).unwrap().id.clone();
    let (inner, outside) = (id("desktops"), id("outside"));
    let about = "oriel-of-lab oriel-desktop-floating";
    let port = client.create_port(&inner, "oriel-lab").await.unwrap();
    let made = client.create_floating_address(&outside, about).await.unwrap();
    assert!(made.address.starts_with("203.0.113.") && made.port.is_none(), "{made:?}");
    assert_eq!(client.floating_addresses(Some(about)).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(client.floating_addresses(Some("another")).await.unwrap(), []);
    for _ in 0..2 {
        let led = client.lead_floating_address(&made.id, &port.id).await.unwrap();
        assert_eq!((led.address, led.port.as_deref()), (made.address.clone(), Some(port.id.as_str())));
    }
    let error = client.create_floating_address(&inner, about).await.unwrap_err();
    assert!(error.to_string().contains("is not a valid external network"), "{error}");
    client.delete_port(&port.id).await.unwrap();
    assert_eq!(client.floating_addresses(None).await.unwrap(), std::slice::from_ref(&made), "it leads nowhere again");
    client.delete_floating_address(&made.id).await.unwrap();
    client.delete_floating_address(&made.id).await.unwrap();
    assert_eq!(client.floating_addresses(Some(about)).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "it needs a real cloud: ./test openstack brings one up"]
async fn old_and_new_versions_say_the_same() {
    let cloud = cloud("member");
    let mut all = Vec::new();
    for minor in [60, 79, 90, 93, 96] {
        let options = Options { compute_max: Microversion(2, minor), ..Options::default() };
        let client = Client::new(&cloud, None, options).unwrap();
        let versions = client.compute_versions().await.unwrap();
        assert_eq!(versions.spoken, Microversion(2, minor).min(versions.max));
        let filter = ServerFilter { tags: vec!["nobody".into()], ..ServerFilter::default() };
        all.push((
            client.servers(&filter).await.unwrap(),
            client.flavors().await.unwrap(),
            client.quotas().await.unwrap(),
        ));
    }
    assert!(all.windows(2).all(|two| two[0] == two[1]), "{all:#?}");
}

/// Facts of a real Nova: a token that was made before a stop resolves to a port that is another's by now.
#[tokio::test]
#[ignore = "it needs a real cloud: ./test openstack brings one up"]
async fn a_screen_is_its_servers_or_nobodys() {
    let client = client("admin");
    let first = client.create_server(&new_server(&client, "first", "oriel-lab-tiny").await).await.unwrap();
    until(&client, &first, &ServerStatus::Active).await;
    let console = client.console(&first, ConsoleKind::Vnc).await.unwrap();
    let mut open = client.open_console(console.clone()).await.unwrap();
    let mut banner = [0; 12];
    open.stream.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"RFB 003.008\n");
    drop(open);
    let before = client.server(&first).await.unwrap();
    assert!(console.still_of(&before));

    client.stop_server(&first).await.unwrap();
    let off = until(&client, &first, &ServerStatus::Shutoff).await;
    assert!(!console.still_of(&off));
    let error = client.console(&first, ConsoleKind::Vnc).await.unwrap_err();
    assert_eq!(error.to_string(), format!("server {first} has no screen to connect to: it is off; start it first"));

    // Others come up until one has the port.
    let mut others = Vec::new();
    let reused = loop {
        let name = format!("other-{}", others.len());
        let id = client.create_server(&new_server(&client, &name, "oriel-lab-tiny").await).await.unwrap();
        others.push(id.clone());
        until(&client, &id, &ServerStatus::Active).await;
        let its = client.console(&id, ConsoleKind::Vnc).await.unwrap();
        if its.address.port == console.address.port {
            break its;
        }
        assert!(others.len() < 5, "nobody got port {}", console.address.port);
    };
    assert_eq!(reused.address.host, console.address.host);
    let mut there =
        tokio::net::TcpStream::connect((console.address.host.as_str(), console.address.port as u16)).await.unwrap();
    there.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"RFB 003.008\n", "somebody else's screen is behind the old way");
    drop(there);
    // The old way is not taken, though somebody answers there.
    let error = client.open_console(console.clone()).await.unwrap_err();
    assert!(matches!(error, OpenStackError::StaleConsole { .. }), "{error}");
    // Nor when its server runs again, elsewhere.
    client.start_server(&first).await.unwrap();
    until(&client, &first, &ServerStatus::Active).await;
    let error = client.open_console(console).await.unwrap_err();
    assert!(matches!(error, OpenStackError::StaleConsole { .. }), "{error}");
    let fresh = client.console(&first, ConsoleKind::Vnc).await.unwrap();
    assert_ne!(fresh.address.port, reused.address.port);
    let kept = client.open_console(fresh).await.unwrap();
    gone(&client, &first).await;
    let error = client.open_console(kept.console).await.unwrap_err();
    // Its host does not listen there any more, or Nova says that it is gone.
    assert!(matches!(error, OpenStackError::StaleConsole { .. } | OpenStackError::ScreenUnreachable { .. }), "{error}");
    for id in others {
        gone(&client, &id).await;
    }
}

#[tokio::test]
#[ignore = "it needs a real cloud: ./test openstack brings one up"]
async fn members_are_shown_no_way_to_hosts() {
    let client = client("member");
    let id = client.create_server(&new_server(&client, "member", "oriel-lab-tiny").await).await.unwrap();
    until(&client, &id, &ServerStatus::Active).await;
    let error = client.console(&id, ConsoleKind::Vnc).await.unwrap_err();
    assert!(error.is_forbidden(), "{error}");
    let error = client.console(&id, ConsoleKind::Spice).await.unwrap_err();
    assert!(error.to_string().contains("Unavailable console type spice-html5"), "{error}");
    gone(&client, &id).await;
}

#[tokio::test]
#[ignore = "it needs a real cloud: ./test openstack brings one up"]
async fn slices_of_gpus_are_counted_and_the_last_one_is_said_to_be_gone() {
    let client = client("admin");
    gpus(0);
    let flavor = flavor(&client, "oriel-lab-gpu").await;
    let why = client.fits(&flavor).await.unwrap().unwrap_err();
    assert!(why.starts_with("flavor oriel-lab-gpu asks for VGPU, of which the cloud has none"), "{why}");
    gpus(2);
    let mut servers = Vec::new();
    for free in [2, 1] {
        let candidates = client.candidates(&flavor).await.unwrap();
        assert!(candidates.count > 0);
        assert_eq!(candidates.free["VGPU"], free);
        let name = format!("slice-{free}");
        let id = client.create_server(&new_server(&client, &name, "oriel-lab-gpu").await).await.unwrap();
        until(&client, &id, &ServerStatus::Active).await;
        servers.push(id);
    }
    let sentence = "no GPU is free: flavor oriel-lab-gpu asks for VGPU, and all 2 that the cloud has are in use; wait for one, or stop a desktop that has one";
    assert_eq!(client.fits(&flavor).await.unwrap().unwrap_err(), sentence, "before anything is asked for");
    let id = client.create_server(&new_server(&client, "slice-0", "oriel-lab-gpu").await).await.unwrap();
    let failed = until(&client, &id, &ServerStatus::Error).await;
    assert!(failed.fault.as_ref().unwrap().message.contains("No valid host was found"), "{failed:?}");
    assert_eq!(client.why_not_made(&failed, &flavor).await.to_string(), sentence);
    servers.push(id);
    for id in servers {
        gone(&client, &id).await;
    }
    let began = Instant::now();
    while client.fits(&flavor).await.unwrap().is_err() {
        assert!(began.elapsed() < PATIENCE, "the slices are not given back");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    gpus(0);
}

#[tokio::test]
#[ignore = "it needs a real cloud: ./test openstack brings one up"]
async fn the_doctor_knows_each_account() {
    let admin = cloud("admin");
    let options = Options::default();
    let findings = doctor::doctor(&admin, None, &options).await;
    let severity =
        |findings: &[oriel_model::Finding], id: &str| findings.iter().find(|one| one.id == id).map(|one| one.severity);
    for id in [
        "sign-in",
        "clock",
        "endpoint-compute",
        "endpoint-placement",
        "microversion",
        "quota",
        "flavors",
        "images",
        "networks",
        "console",
        "server-groups",
        "security-groups",
    ] {
        assert_eq!(severity(&findings, id), Some(Severity::Ok), "{id}: {findings:#?}");
    }
    assert_eq!(severity(&findings, "rights"), Some(Severity::Warning), "a password");
    assert_eq!(severity(&findings, "gpu-flavors"), Some(Severity::Warning), "no GPU is counted");
    assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "{findings:#?}");
    for (name, rights) in [("ruled", Severity::Ok), ("member", Severity::Note), ("password", Severity::Warning)] {
        let findings = doctor::doctor(&cloud(name), None, &options).await;
        assert_eq!(severity(&findings, "rights"), Some(rights), "{name}");
        assert_eq!(severity(&findings, "console"), Some(Severity::Note), "{name}");
        assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "{name}: {findings:#?}");
    }
}
