//! What keeps desktops of a cloud closed and apart.

use crate::{
    stages::{FakeCloud, INSTALLATION},
    suite::Stage,
};
use async_trait::async_trait;
use oriel_compute::{BoxStream, Compute, ComputeError, Jump, JumpDialler, JumpHost, openstack::OpenStackCompute};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::{GuestPort, PoolId};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::io::AsyncReadExt;

async fn spec(cloud: &FakeCloud, name: &str, pool: PoolId, network: &str) -> MachineSpec {
    let mut spec = cloud.spec(name).await;
    let parts = spec.cloud.as_mut().unwrap();
    (parts.pool, parts.network) = (pool, network.into());
    spec
}

async fn make(host: &OpenStackCompute, spec: &MachineSpec) -> Result<(), ComputeError> {
    host.write_seed(spec, &GuestIdentity::generate(&spec.name, None).unwrap()).await
}

fn ingress(group: &Value) -> Vec<(u64, String)> {
    let rules = group["security_group_rules"].as_array().unwrap().iter().filter(|rule| rule["direction"] == "ingress");
    rules
        .map(|rule| {
            let from = rule["remote_ip_prefix"].as_str().unwrap_or("anywhere").to_owned();
            (rule["port_range_min"].as_u64().unwrap(), from)
        })
        .collect()
}

#[tokio::test]
async fn only_what_oriel_dials_is_open_and_a_pool_stands_apart() {
    let cloud = FakeCloud::start().await;
    let host = cloud.again(|config| config.gateways = vec!["192.0.2.7/32".parse().unwrap()]);
    let (pool, other) = (PoolId::new(), PoolId::new());
    let first = spec(&cloud, "first", pool, "desktops").await;
    // Each answer about groups is lost once: what was made is found.
    cloud.nova.state().lose_of_groups = 4;
    let mut tries = 0;
    while let Err(error) = make(&host, &first).await {
        assert!(error.is_passing(), "{error}");
        tries += 1;
        assert!(tries < 10, "{error}");
    }
    let second = spec(&cloud, "second", pool, "desktops").await;
    let third = spec(&cloud, "third", other, "open").await;
    make(&host, &second).await.unwrap();
    make(&host, &third).await.unwrap();
    {
        let state = cloud.nova.state();
        assert_eq!((state.security.len(), state.apart.len(), state.guests.len()), (1, 2, 3));
        let near = || "192.0.2.7/32".to_owned();
        assert_eq!(ingress(&state.security[0]), [(3389, near()), (22, near())]);
        assert_eq!(state.security[0]["name"], format!("oriel-of-{INSTALLATION}"));
        assert_eq!(state.apart[0].1, format!("oriel-of-{INSTALLATION}-pool-{pool}"));
        let id = &state.security[0]["id"];
        assert_eq!(state.guests[0].asked["security_groups"][0]["name"], *id);
        assert_eq!(state.guests[1].asked["security_groups"][0]["name"], *id);
        assert!(state.guests[2].asked.get("security_groups").is_none(), "its network has no port security");
    }
    // Another gateway, and a rule of somebody else: undone when the cloud is met anew.
    let moved = cloud.again(|config| config.gateways = vec!["2001:db8::7/128".parse().unwrap()]);
    make(&moved, &spec(&cloud, "fourth", other, "desktops").await).await.unwrap();
    let from = || "2001:db8::7/128".to_owned();
    assert_eq!(ingress(&cloud.nova.state().security[0]), [(3389, from()), (22, from())]);
    assert_eq!(cloud.nova.state().security.len(), 1);
    // For those that stand, too, without another one being made.
    let back = cloud.again(|config| config.gateways = vec!["192.0.2.7/32".parse().unwrap()]);
    back.list().await.unwrap();
    back.prune().await.unwrap();
    let near = || "192.0.2.7/32".to_owned();
    assert_eq!(ingress(&cloud.nova.state().security[0]), [(3389, near()), (22, near())]);
}

#[tokio::test]
async fn groups_go_with_the_last_that_stands_in_them() {
    let cloud = FakeCloud::start().await;
    let host = cloud.again(|_| {});
    let (pool, other) = (PoolId::new(), PoolId::new());
    let (one, two) = (spec(&cloud, "one", pool, "desktops").await, spec(&cloud, "two", other, "desktops").await);
    for spec in [&one, &two] {
        make(&host, spec).await.unwrap();
    }
    cloud.nova.state().apart.push(("foreign".into(), "oriel-of-another-pool-x".into()));
    host.list().await.unwrap();
    host.prune().await.unwrap();
    assert_eq!(cloud.nova.state().apart.len(), 3, "both are in use, and one is not ours");
    let before = host.calls();
    host.list().await.unwrap();
    host.prune().await.unwrap();
    assert_eq!(host.calls() - before, 1, "nothing has gone: nothing is asked");
    cloud.nova.state().guests.retain(|guest| guest.name == "two");
    host.list().await.unwrap();
    host.prune().await.unwrap();
    // One lock at a time.
    let groups = || {
        let state = cloud.nova.state();
        (state.apart.len(), state.security.len())
    };
    assert_eq!(groups(), (2, 1));
    cloud.nova.state().guests.clear();
    host.list().await.unwrap();
    host.prune().await.unwrap();
    let left: Vec<String> = cloud.nova.state().apart.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(left, ["foreign"]);
    assert!(cloud.nova.state().security.is_empty());
    // And they come back with the next.
    make(&host, &spec(&cloud, "three", pool, "desktops").await).await.unwrap();
    assert_eq!(groups(), (2, 1));
}

#[tokio::test]
async fn a_full_group_and_missing_rights_keep_no_desktop_from_being_made() {
    let cloud = FakeCloud::start().await;
    let pool = PoolId::new();
    cloud.nova.state().members_max = Some(2);
    let host = cloud.again(|_| {});
    for n in 0..4 {
        make(&host, &spec(&cloud, &format!("full-{n}"), pool, "desktops").await).await.unwrap();
    }
    assert_eq!(cloud.nova.state().guests.len(), 4);
    assert_eq!(cloud.count("POST", "/compute/v2.1/servers"), 5, "the group is tried once more, and then known as full");
    cloud.nova.state().no_groups = true;
    let host = cloud.again(|_| {});
    make(&host, &spec(&cloud, "ruled", pool, "desktops").await).await.unwrap();
    let state = cloud.nova.state();
    assert!(state.guests[4].asked.get("security_groups").is_none(), "the project's default says");
}

#[tokio::test]
async fn what_is_off_for_long_is_put_away_where_that_is_wanted() {
    let cloud = FakeCloud::start().await;
    let host = cloud.again(|config| config.shelve = true);
    let one = spec(&cloud, "one", PoolId::new(), "none").await;
    make(&host, &one).await.unwrap();
    while cloud.nova.state().guests[0].task.is_some() {
        host.list().await.unwrap();
    }
    cloud.nova.state().guests[0].status = "SHUTOFF".into();
    host.list().await.unwrap();
    host.prune().await.unwrap();
    assert_eq!(cloud.nova.state().guests[0].task, None, "it was off only for a moment");
    cloud.nova.state().guests[0].created -= jiff::SignedDuration::from_hours(1);
    host.list().await.unwrap();
    cloud.nova.state().guests[0].status = "ACTIVE".into();
    host.prune().await.unwrap();
    assert_eq!(cloud.nova.state().guests[0].task, None, "somebody has started it since");
    cloud.nova.state().guests[0].status = "SHUTOFF".into();
    host.list().await.unwrap();
    host.prune().await.unwrap();
    for _ in 0..50 {
        host.list().await.unwrap();
        if cloud.nova.state().guests[0].status == "SHELVED_OFFLOADED" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(host.list().await.unwrap()[0].power, oriel_compute::Power::Off);
    host.start(&one).await.unwrap();
    while cloud.nova.state().guests[0].status != "ACTIVE" {
        host.list().await.unwrap();
    }
}

/// Remembers where it was asked to lead, and leads there.
#[derive(Default)]
pub struct Gate(Mutex<Vec<String>>);

impl Gate {
    pub fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl JumpDialler for Gate {
    fn check(&self, _: &JumpHost) -> Result<(), String> {
        Ok(())
    }

    async fn host_key(&self, _: &JumpHost) -> Result<String, String> {
        Err("it is known".into())
    }

    async fn open(&self, jump: &JumpHost, host: &str, port: u16) -> Result<BoxStream, String> {
        self.0.lock().unwrap().push(format!("{} {host}", jump.name()));
        let stream = tokio::net::TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
        Ok(Box::new(stream))
    }
}

#[tokio::test]
async fn screens_are_dialled_through_the_jump_host() {
    let cloud = FakeCloud::start().await;
    let gate = Arc::new(Gate::default());
    let (private_key, passphrase, host_key) = ("key".to_owned().into(), None, "ssh-ed25519 AAAA".to_owned());
    let (host, user) = ("gate.example".to_owned(), "oriel".to_owned());
    let jump = JumpHost { host, port: 22, user, private_key, passphrase, host_key };
    let dialler: Arc<dyn JumpDialler> = gate.clone();
    let host = cloud.again(|config| config.jump = Some(Jump { host: jump, dialler }));
    let one = spec(&cloud, "one", PoolId::new(), "none").await;
    make(&host, &one).await.unwrap();
    while cloud.nova.state().guests[0].status != "ACTIVE" {
        host.list().await.unwrap();
    }
    let mut screen = host.dial(&crate::suite::row(&one), GuestPort::Console).await.unwrap();
    let mut hello = [0; 12];
    screen.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"RFB 003.008\n");
    assert_eq!(gate.asked(), ["oriel@gate.example:22 127.0.0.1"]);
}
