//! A floating address for each desktop that shall have one: one, found again, given back.

use crate::{stages::FakeCloud, suite::Stage};
use oriel_compute::{Compute, ComputeError, Renewed, openstack::OpenStackCompute};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::{GuestPort, Severity};
use serde_json::json;

async fn spec(cloud: &FakeCloud, name: &str) -> MachineSpec {
    let mut spec = cloud.spec(name).await;
    let parts = spec.cloud.as_mut().unwrap();
    (parts.network, parts.floating) = ("desktops".into(), Some("outside".into()));
    spec
}

async fn make(host: &OpenStackCompute, spec: &MachineSpec) -> Result<(), ComputeError> {
    host.write_seed(spec, &GuestIdentity::generate(&spec.name, None).unwrap()).await
}

async fn up(cloud: &FakeCloud) {
    while cloud.nova.state().guests.iter().any(|guest| guest.task.is_some()) {
        cloud.compute.list().await.unwrap();
    }
}

/// Where each address leads.
fn ports(cloud: &FakeCloud) -> Vec<Option<String>> {
    cloud.nova.state().floating.iter().map(|one| one["port_id"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_desktop_has_one_address_and_keeps_it_until_it_goes() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    let first = spec(&cloud, "first").await;
    let row = crate::suite::row(&first);
    // Every answer about it is lost once: what was taken is found.
    cloud.nova.state().lose_of_groups = 7;
    let mut tries = 0;
    while let Err(error) = make(host, &first).await {
        assert!(error.is_passing(), "{error}");
        tries += 1;
        assert!(tries < 20, "{error}");
    }
    let id = cloud.nova.state().guests[0].id.clone();
    assert_eq!(ports(&cloud), [None], "taken before there is a server, and once");
    assert_eq!(cloud.nova.state().guests[0].metadata["oriel-floating-from"], "n-3");
    assert!(!host.has_come_up(&row).await, "it is being built");
    up(&cloud).await;
    cloud.nova.state().lose_of_groups = 1;
    while !host.has_come_up(&row).await {}
    assert_eq!(ports(&cloud), [Some(format!("port-of-{id}"))]);
    // Known: nothing is asked of Neutron.
    let before = cloud.count("GET", "/network/v2.0/floatingips");
    assert!(host.has_come_up(&row).await);
    assert_eq!(cloud.count("GET", "/network/v2.0/floatingips"), before);
    // A twin, which only a lost answer leaves: the one that leads there stays.
    let mut twin = cloud.nova.state().floating[0].clone();
    (twin["id"], twin["port_id"]) = ("floating-000".into(), serde_json::Value::Null);
    cloud.nova.state().floating.push(twin);
    let met = cloud.again(|_| {});
    assert!(met.has_come_up(&row).await);
    assert_eq!(ports(&cloud), [Some(format!("port-of-{id}"))]);

    // A fresh disk: the server stays, and what leads there.
    let second = MachineSpec { generation: 2, ..first.clone() };
    let identity = GuestIdentity::generate(&second.name, None).unwrap();
    while met.renew(&second, &identity).await.unwrap() == Renewed::Underway {}
    assert_eq!(cloud.nova.state().guests[0].metadata["oriel-floating-from"], "n-3");
    // Made anew: another server, the same address.
    let third = MachineSpec { generation: 3, ..first.clone() };
    let address = cloud.nova.state().floating[0]["id"].clone();
    met.remove(third.desktop, Some(3)).await.unwrap();
    make(&met, &third).await.unwrap();
    up(&cloud).await;
    let anew = cloud.nova.state().guests[0].id.clone();
    assert_ne!(anew, id);
    assert!(met.has_come_up(&row).await);
    assert_eq!(
        (ports(&cloud), &cloud.nova.state().floating[0]["id"]),
        (vec![Some(format!("port-of-{anew}"))], &address)
    );
    met.remove(third.desktop, None).await.unwrap();
    assert!(cloud.nova.state().floating.is_empty(), "it goes with the desktop");
}

#[tokio::test]
async fn addresses_of_nobody_are_reported_and_given_back() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    let stays = spec(&cloud, "stays").await;
    make(host, &stays).await.unwrap();
    let of = |installation: &str, desktop: &str| {
        json!({"id": format!("floating-of-{installation}"), "floating_ip_address": "203.0.113.9", "floating_network_id": "n-3",
            "port_id": null, "description": format!("oriel-of-{installation} oriel-desktop-{desktop}")})
    };
    let gone = "0190d1e2-0000-7000-8000-000000000009";
    let others = [
        of("another", gone),
        json!({"id": "floating-theirs", "floating_ip_address": "203.0.113.8", "port_id": null, "description": null}),
        json!({"id": "floating-named", "floating_ip_address": "203.0.113.7", "port_id": null, "description": "oriel"}),
    ];
    cloud.nova.state().floating.extend(others);
    cloud.nova.state().floating.push(of(crate::stages::INSTALLATION, gone));
    let found = host.doctor().await;
    let finding = found.iter().find(|one| one.id == "floating-addresses").unwrap();
    assert_eq!(finding.severity, Severity::Note);
    assert!(
        finding.reason.starts_with("1 of 2 floating addresses are of desktops without a server"),
        "{}",
        finding.reason
    );
    host.list().await.unwrap();
    host.prune().await.unwrap();
    let ids = || -> Vec<String> {
        cloud.nova.state().floating.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let left = ids();
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(!left.contains(&format!("floating-of-{}", crate::stages::INSTALLATION)), "{left:?}");
    // What was taken for a server that could not be made is given back, too.
    cloud.nova.state().over_quota = true;
    let error = make(host, &spec(&cloud, "fails").await).await.unwrap_err();
    assert!(matches!(error, ComputeError::NoPlace { .. }), "{error}");
    assert_eq!(ids().len(), 5);
    host.list().await.unwrap();
    host.prune().await.unwrap();
    assert_eq!(ids().len(), 4);
}

#[tokio::test]
async fn what_cannot_be_had_is_said() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    cloud.nova.state().floating_max = Some(1);
    let (one, two) = (spec(&cloud, "one").await, spec(&cloud, "two").await);
    make(host, &one).await.unwrap();
    let error = make(host, &two).await.unwrap_err();
    assert!(matches!(error, ComputeError::NoPlace { .. }), "{error}");
    assert!(error.to_string().contains("give back floating addresses of the project"), "{error}");
    assert_eq!(cloud.nova.state().guests.len(), 1, "no server is made that nobody could reach");
    let mut inner = spec(&cloud, "inner").await;
    inner.cloud.as_mut().unwrap().floating = Some("desktops".into());
    let error = make(host, &inner).await.unwrap_err().to_string();
    assert!(error.starts_with("cloud oak has no external network \"desktops\""), "{error}");
    // Without a router the address leads nowhere: it is not taken for one that does.
    up(&cloud).await;
    cloud.nova.state().no_router = true;
    assert!(!host.has_come_up(&crate::suite::row(&one)).await);
    let error = host.dial(&crate::suite::row(&one), GuestPort::Ssh).await.err().unwrap().to_string();
    assert!(error.contains("is not reachable from subnet"), "{error}");
    cloud.nova.state().no_router = false;
    assert!(host.has_come_up(&crate::suite::row(&one)).await);
}
