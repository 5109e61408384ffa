//! The client against answers that a real OpenStack gave (`lab/openstack/record`), in several microversions.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod fake;

use fake::{Reply, Server};
use oriel_openstack::{
    Attach, Client, ConsoleKind, ImageVolume, Microversion, NewServer, OpenStackError, Options, ServerFilter,
    ServerStatus, Service,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const VERSIONS: [u16; 4] = [60, 79, 90, 93];
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

fn recording(name: &str) -> Value {
    let path = format!("{}/tests/recorded/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A cloud that says what the real one said.
async fn replayed(minor: u16) -> (Server, Client, Value) {
    replay(&format!("2.{minor}"), minor).await
}

async fn replay(name: &str, minor: u16) -> (Server, Client, Value) {
    let said = recording(name);
    let replies = said.clone();
    let server = Server::start(move |asked, _| {
        let Some(answer) = replies.get(format!("{} {}", asked.method, asked.path)) else {
            return Reply::new(404, format!("nothing was recorded of {} {}", asked.method, asked.path));
        };
        let status = answer["status"].as_u64().unwrap() as u16;
        let body = match &answer["body"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let host = asked.headers.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        Reply::new(status, body.replace("http://cloud.test", &format!("http://{host}")))
            .with("X-Subject-Token", "TOKEN")
    })
    .await;
    let options = Options { compute_max: Microversion(2, minor), attempts: 1, ..Options::default() };
    let client = Client::new(&fake::cloud(&server.url), None, options).unwrap();
    (server, client, said)
}

/// The id of the server that was recorded.
fn server_id(said: &Value) -> String {
    said["POST /compute/v2.1/servers"]["body"]["server"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_read_with_its_catalog() {
    let (_server, client, _) = replayed(93).await;
    let token = client.token().await.unwrap();
    assert_eq!((token.user.as_str(), token.project.as_deref()), ("admin", Some("desktops")));
    assert!(token.roles.iter().any(|role| role == "admin"), "{:?}", token.roles);
    assert_eq!(token.life.as_secs(), 14_400);
    assert_eq!(token.catalog.regions(), ["RegionOne"]);
    assert!(client.url(Service::Compute).await.unwrap().path().ends_with("/compute/v2.1"));
    assert!(!format!("{token:?}").contains("TOKEN"), "tokens are in no log");
}

#[tokio::test]
async fn servers_are_read_in_each_version() {
    for minor in VERSIONS {
        let (server, client, said) = replayed(minor).await;
        assert_eq!(client.compute_versions().await.unwrap().spoken, Microversion(2, minor));
        let id = server_id(&said);
        let all =
            client.servers(&ServerFilter { tags: vec!["oriel".into()], ..ServerFilter::default() }).await.unwrap();
        let one = client.server(&id).await.unwrap();
        assert_eq!(all, std::slice::from_ref(&one), "2.{minor}");
        assert_eq!((one.name.as_str(), &one.status, &one.task), ("recorded", &ServerStatus::Active, &None));
        assert_eq!(one.metadata["oriel-desktop"], "one");
        assert_eq!(one.tags, ["oriel"]);
        assert_eq!(one.host.as_deref(), Some("oriel-lab"));
        assert_eq!(one.flavor, "oriel-lab-tiny");
        assert!(one.updated.is_some() && one.created.is_some() && one.launched.is_some(), "{one:?}");
        assert!(one.image.is_some());
        let asked = server.asked.lock().unwrap().clone();
        let list = asked.iter().find(|one| one.path.ends_with("/servers/detail")).unwrap();
        assert!(list.query.contains("tags=oriel"), "{}", list.query);
        assert!(list.headers.contains(&format!("openstack-api-version: compute 2.{minor}")), "{}", list.headers);
        assert!(list.headers.contains("x-auth-token: TOKEN"), "{}", list.headers);
    }
}

#[tokio::test]
async fn flavors_come_with_their_specs_in_each_version() {
    for minor in VERSIONS {
        let (server, client, _) = replayed(minor).await;
        let flavors = client.flavors().await.unwrap();
        let gpu = flavors.iter().find(|flavor| flavor.name == "oriel-lab-gpu").unwrap();
        assert_eq!(gpu.gpu().unwrap().resources["VGPU"], 1, "2.{minor}");
        assert_eq!((gpu.cpus, gpu.memory_mib, gpu.disk_gib), (1, 64, 1));
        // Before 2.61 each flavor's specs are a call of their own.
        let more = usize::from(minor < 61);
        assert_eq!(server.count("GET", "/compute/v2.1/flavors/gpu/os-extra_specs"), more, "2.{minor}");
    }
}

#[tokio::test]
async fn what_else_a_cloud_has_is_read() {
    let (_server, client, _) = replayed(93).await;
    let images = client.images().await.unwrap();
    assert_eq!(
        (images[0].name.as_str(), images[0].status.as_str(), images[0].size_bytes),
        ("oriel-lab-guest", "active", 1 << 20)
    );
    let networks = client.networks().await.unwrap();
    assert_eq!((networks[0].name.as_str(), networks[0].external, networks[0].subnets.len()), ("desktops", false, 1));
    assert_eq!(client.ports_of(NOBODY).await.unwrap(), []);
    let quotas = client.quotas().await.unwrap();
    assert_eq!((quotas.servers.max, quotas.cpus.max, quotas.memory_mib.max), (Some(10), Some(20), Some(51_200)));
    let tiny = client.flavors().await.unwrap().into_iter().find(|flavor| flavor.id == "tiny").unwrap();
    let found = client.candidates(&tiny).await.unwrap();
    assert_eq!(found.count, 1);
    assert!(found.free["VCPU"] > 0);
    let inventory = client.inventory(&BTreeSet::from(["VCPU".to_owned(), "VGPU".to_owned()])).await.unwrap();
    assert!(inventory["VCPU"].capacity > 0 && inventory["VCPU"].used == 1, "{inventory:?}");
    assert_eq!(inventory["VGPU"].capacity, 0);
}

#[tokio::test]
async fn servers_are_asked_for_in_novas_words() {
    let (server, client, said) = replayed(93).await;
    let mut new = NewServer::new("oak", "image", "flavor");
    new.attach = vec![Attach::Network("n".into()), Attach::Port("p".into())];
    new.tags = vec!["oriel".into()];
    new.group = Some("apart".into());
    new.security_groups = vec!["desktops".into()];
    assert_eq!(client.create_server(&new).await.unwrap(), server_id(&said));
    let asked = server.asked.lock().unwrap().last().unwrap().clone();
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(
        body,
        json!({
            "server": {
                "name": "oak", "imageRef": "image", "flavorRef": "flavor", "networks": [{"uuid": "n"}, {"port": "p"}], "metadata": {},
                "tags": ["oriel"], "config_drive": false, "security_groups": [{"name": "desktops"}],
            },
            "os:scheduler_hints": {"group": "apart"},
        })
    );
    let asked = server.asked.lock().unwrap().iter().find(|one| one.path.ends_with("/auth/tokens")).unwrap().clone();
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(
        body,
        json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"name": "ada", "domain": {"id": "default"}, "password": "s3cret"}}},
            "scope": {"project": {"name": "desktops", "domain": {"id": "default"}}},
        }})
    );
}

#[tokio::test]
async fn a_console_leads_to_the_server_that_was_meant() {
    let (_server, client, said) = replayed(93).await;
    let id = server_id(&said);
    let console = client.console(&id, ConsoleKind::Vnc).await.unwrap();
    assert_eq!((console.address.host.as_str(), console.address.port), ("127.0.0.1", 5900));
    let mut server = client.server(&id).await.unwrap();
    assert!(console.still_of(&server));
    server.status = ServerStatus::Shutoff;
    assert!(!console.still_of(&server));
}

#[tokio::test]
async fn refusals_are_in_the_clouds_own_words() {
    let (_server, client, said) = replayed(93).await;
    let id = server_id(&said);
    let error = client.server(NOBODY).await.unwrap_err();
    assert!(error.is_gone());
    assert_eq!(
        error.to_string(),
        format!("Nova refused to show a server (404): Instance {NOBODY} could not be found.")
    );
    let error = client.start_server(&id).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert!(
        error.to_string().ends_with(&format!("Cannot 'start' instance {id} while it is in vm_state active")),
        "{error}"
    );
    client.delete_server(NOBODY).await.unwrap();
    assert!(matches!(client.server("../limits/x").await, Err(OpenStackError::Refused { status: 404, .. })));
}

#[tokio::test]
async fn volumes_and_their_snapshots_are_read_and_asked_for() {
    let (server, client, _) = replay("volumes", 93).await;
    assert_eq!(client.volume_version().await.unwrap(), Microversion(3, 70));
    let quotas = client.volume_quotas().await.unwrap();
    assert_eq!((quotas.volumes.max, quotas.snapshots.max, quotas.gib.max), (Some(10), Some(10), Some(1000)));
    assert_eq!(client.volume_types().await.unwrap(), ["__DEFAULT__"]);

    let all = client.volumes_with("oriel-of", "recorded").await.unwrap();
    let volume = &all[0];
    assert_eq!(
        (all.len(), volume.status.as_str(), volume.gib, volume.name.as_deref()),
        (1, "available", 1, Some("golden"))
    );
    assert!(volume.created.is_some() && volume.snapshot.is_none(), "{volume:?}");
    let list = server.asked.lock().unwrap().last().unwrap().clone();
    assert!(list.query.contains("metadata=%7B%22oriel-of%22%3A%22recorded%22%7D"), "{}", list.query);
    assert_eq!(client.volumes_with("oriel-of", "another").await.unwrap(), [], "whatever the cloud filters");
    let image = volume.metadata["oriel-image"].clone();
    assert_eq!(client.image(&image).await.unwrap().disk_bytes, Some(1 << 20));

    let new = ImageVolume {
        name: "golden".into(),
        about: "recorded".into(),
        image: image.clone(),
        gib: 1,
        kind: Some("ssd".into()),
        metadata: volume.metadata.clone(),
    };
    let made = client.create_volume(&new).await.unwrap();
    assert_eq!((&made.id, made.status.as_str(), made.created.is_some()), (&volume.id, "creating", true));
    let asked = server.asked.lock().unwrap().last().unwrap().clone();
    assert_eq!(
        serde_json::from_str::<Value>(&asked.body).unwrap(),
        json!({"volume": {"name": "golden", "description": "recorded", "imageRef": image, "size": 1, "volume_type": "ssd",
            "metadata": volume.metadata}})
    );
    let made = client.create_volume_snapshot("golden", &volume.id, &volume.metadata).await.unwrap();
    let snapshots = client.volume_snapshots(Some(&volume.id)).await.unwrap();
    let snapshot = &snapshots[0];
    assert_eq!((snapshots.len(), &snapshot.id, snapshot.status.as_str()), (1, &made.id, "available"));
    assert_eq!((snapshot.gib, &snapshot.metadata, &snapshot.volume), (1, &volume.metadata, &volume.id));
    assert_eq!(client.volume_snapshots(Some(NOBODY)).await.unwrap(), []);

    let error = client.delete_volume(&volume.id).await.unwrap_err();
    assert_eq!(error.status(), Some(400));
    assert!(error.to_string().contains("have snapshots"), "{error}");
    client.delete_volume_snapshot(&snapshot.id).await.unwrap();
    client.delete_volume_snapshot(NOBODY).await.unwrap();
}
