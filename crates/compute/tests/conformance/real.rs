//! What only a real cloud can say: that it takes what is asked of it for groups, fresh disks, config drives and shelving.
//!
//! The lab's has no guest networks: a port is never bound there. A desktop on a network gets all that is asked for, and then comes to
//! nothing, which is a test of its own.

use crate::{
    groups::Gate,
    stages::{INSTALLATION, RealCloud},
    suite::{self, Stage},
};
use oriel_compute::{Compute, ComputeError, Jump, JumpDialler, JumpHost, MachineWork, Power, Renewed};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::{GuestPort, MoveState};
use oriel_openstack::{Opening, SecurityGroup, Server, ServerFilter, ServerStatus};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::io::AsyncReadExt;

const LOOK: Duration = Duration::from_millis(200);

fn group_name() -> String {
    format!("oriel-of-{INSTALLATION}")
}

fn identity(spec: &MachineSpec) -> GuestIdentity {
    GuestIdentity::generate(&spec.name, None).unwrap()
}

fn ingress(group: &SecurityGroup) -> Vec<(i64, String)> {
    let mut all: Vec<(i64, String)> = group
        .rules
        .iter()
        .filter(|rule| rule.direction == "ingress")
        .map(|rule| (rule.port_range_min.unwrap(), rule.remote_ip_prefix.clone().unwrap_or_default()))
        .collect();
    all.sort();
    all
}

async fn closed(cloud: &RealCloud) -> Option<SecurityGroup> {
    let mut all = cloud.client.security_groups_named(&group_name()).await.unwrap();
    assert!(all.len() < 2, "{all:?}");
    all.pop()
}

/// The desktop's only server, as Nova has it.
async fn server_of(cloud: &RealCloud, spec: &MachineSpec) -> Server {
    let tags = vec![group_name(), format!("oriel-desktop-{}", spec.desktop)];
    let mut all = cloud.client.servers(&ServerFilter { tags, ..ServerFilter::default() }).await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.pop().unwrap()
}

async fn until(cloud: &RealCloud, spec: &MachineSpec, want: &ServerStatus) -> Server {
    let began = Instant::now();
    loop {
        let server = server_of(cloud, spec).await;
        if server.status == *want && server.task.is_none() {
            return server;
        }
        assert!(began.elapsed() < cloud.patience(), "wanted {want:?}: {server:?}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Neutron and Nova take the groups, keep what is said, and let them go.
pub async fn groups_are_made_kept_and_removed(cloud: &RealCloud) {
    let near = cloud.again(|config| config.gateways = vec!["192.0.2.7/32".parse().unwrap()]);
    let mut spec = cloud.spec("closed").await;
    let parts = spec.cloud.as_mut().unwrap();
    parts.network = "desktops".into();
    let apart = format!("{}-pool-{}", group_name(), parts.pool);
    near.write_seed(&spec, &identity(&spec)).await.unwrap();
    let group = closed(cloud).await.unwrap();
    let from = || "192.0.2.7/32".to_owned();
    assert_eq!(ingress(&group), [(22, from()), (3389, from())]);
    assert!(group.rules.iter().any(|rule| rule.direction == "egress"), "what goes out is not touched");
    let server = server_of(cloud, &spec).await;
    let pools = cloud.client.server_groups().await.unwrap();
    let its = pools.iter().find(|one| one.name == apart).unwrap();
    assert_eq!(its.members, std::slice::from_ref(&server.id));

    // Another gateway, and a rule that somebody else has added, for what stands already.
    let stray = Opening { port: 80, from: None, v6: false };
    cloud.client.open_in_security_group(&group.id, &stray).await.unwrap();
    cloud.client.open_in_security_group(&group.id, &stray).await.unwrap();
    let far = cloud.again(|config| config.gateways = vec!["2001:db8::/64".parse().unwrap()]);
    far.list().await.unwrap();
    far.prune().await.unwrap();
    let now = closed(cloud).await.unwrap();
    let from = || "2001:db8::/64".to_owned();
    assert_eq!((now.id.as_str(), ingress(&now)), (group.id.as_str(), vec![(22, from()), (3389, from())]));

    // Here no port is bound, and the sentence does not claim that there was no room.
    until(cloud, &spec, &ServerStatus::Error).await;
    let found = cloud.host().observe(&[spec.desktop]).await.unwrap();
    assert_eq!(found.iter().map(|one| (one.power, one.disk)).collect::<Vec<_>>(), [(Power::Crashed, false)]);
    let error = cloud.host().start(&spec).await.unwrap_err();
    assert!(matches!(error, ComputeError::NoPlace { .. }), "{error}");
    assert!(error.to_string().contains("though there is room"), "{error}");
    suite::gone(cloud, &spec).await;
    nothing_is_left(cloud).await;
}

/// Neutron gives one address, keeps our word about it, and takes it back; one that nobody stands behind goes at the next look.
pub async fn a_floating_address_is_taken_once_and_given_back(cloud: &RealCloud) {
    let host = cloud.host();
    let mut spec = cloud.spec("floating").await;
    let parts = spec.cloud.as_mut().unwrap();
    (parts.network, parts.floating) = ("desktops".into(), Some("outside".into()));
    for _ in 0..2 {
        host.write_seed(&spec, &identity(&spec)).await.unwrap();
    }
    let about = |desktop: &str| format!("{} oriel-desktop-{desktop}", group_name());
    let its = about(&spec.desktop.to_string());
    let taken = cloud.client.floating_addresses(Some(&its)).await.unwrap();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert!(taken[0].address.starts_with("203.0.113.") && taken[0].port.is_none(), "{taken:?}");
    assert!(server_of(cloud, &spec).await.metadata.contains_key("oriel-floating-from"));
    // Another desktop's, of which nothing is left.
    let networks = cloud.client.networks().await.unwrap();
    let outside = networks.iter().find(|one| one.name == "outside").unwrap();
    let nobodys = about("0190d1e2-0000-7000-8000-000000000009");
    cloud.client.create_floating_address(&outside.id, &nobodys).await.unwrap();
    let findings = host.doctor().await;
    let finding = findings.iter().find(|one| one.id == "floating-addresses").unwrap();
    assert!(finding.reason.starts_with("1 of 2 floating addresses"), "{}", finding.reason);
    host.list().await.unwrap();
    host.prune().await.unwrap();
    assert_eq!(cloud.client.floating_addresses(Some(&nobodys)).await.unwrap(), []);
    assert_eq!(cloud.client.floating_addresses(Some(&its)).await.unwrap(), taken);
    // Without a bound port it comes to nothing here, and is given back with its desktop.
    until(cloud, &spec, &ServerStatus::Error).await;
    suite::gone(cloud, &spec).await;
    assert_eq!(cloud.client.floating_addresses(Some(&its)).await.unwrap(), []);
}

/// After the last server its groups and addresses go.
pub async fn nothing_is_left(cloud: &RealCloud) {
    let host = cloud.again(|_| {});
    let began = Instant::now();
    loop {
        host.list().await.unwrap();
        host.prune().await.unwrap();
        let apart = cloud.client.server_groups().await.unwrap();
        let ours = apart.iter().any(|one| one.name.starts_with(&group_name()));
        let floating = cloud.client.floating_addresses(None).await.unwrap();
        let ours = ours
            || floating.iter().any(|one| one.description.as_deref().is_some_and(|it| it.starts_with(&group_name())));
        if !ours && closed(cloud).await.is_none() {
            return;
        }
        assert!(began.elapsed() < cloud.patience(), "{apart:?}");
        tokio::time::sleep(LOOK).await;
    }
}

/// `rebuild`: the server stays the same one, comes up with new user data, and is of the new generation only then.
pub async fn a_server_gets_a_fresh_disk_where_it_stands(cloud: &RealCloud) {
    let host = cloud.host();
    let first = cloud.spec("fresh").await;
    suite::make(host, &first, Path::new("")).await.unwrap();
    let before = until(cloud, &first, &ServerStatus::Active).await;
    drive_holds(&before.id, "fresh").await;
    let second = MachineSpec { generation: 2, ..first.clone() };
    let keys = identity(&second);
    let began = Instant::now();
    loop {
        match host.renew(&second, &keys).await.unwrap() {
            Renewed::Done => break,
            Renewed::No => panic!("it is made anew: {:?}", server_of(cloud, &first).await),
            Renewed::Underway => {
                let seen = host.observe(&[first.desktop]).await.unwrap();
                assert_eq!(seen[0].generation, 1, "until the disk is fresh it is what it was");
            }
        }
        assert!(began.elapsed() < cloud.patience(), "it is not rebuilt");
        tokio::time::sleep(LOOK).await;
    }
    let after = server_of(cloud, &first).await;
    assert_eq!((&after.id, &after.status), (&before.id, &ServerStatus::Active));
    assert!(after.launched > before.launched, "{after:?}");
    assert!(after.tags.contains(&"oriel-generation-2".to_owned()), "{after:?}");
    drive_holds(&after.id, "fresh").await;
    // One that is off stays off.
    host.power_off(first.desktop).await.unwrap();
    until(cloud, &first, &ServerStatus::Shutoff).await;
    let third = MachineSpec { generation: 3, ..first.clone() };
    while host.renew(&third, &keys).await.unwrap() != Renewed::Done {
        assert!(began.elapsed() < cloud.patience() * 2, "{:?}", server_of(cloud, &first).await);
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(server_of(cloud, &first).await.status, ServerStatus::Shutoff);
    suite::gone(cloud, &third).await;
}

/// What the guest reads lies on its config drive. The lab's Nova is on this machine: the drive is looked at from outside.
async fn drive_holds(server: &str, name: &str) {
    let Some(folder) = std::env::var_os("ORIEL_LAB_CLOUD") else {
        eprintln!("skipped: this cloud's disks are not on this machine");
        return;
    };
    let drive = PathBuf::from(folder).join("nova/instances").join(server).join("disk.config");
    let content = tokio::fs::read(&drive).await.unwrap();
    let has = |text: &str| content.windows(text.len()).any(|piece| piece == text.as_bytes());
    // The label by which cloud-init finds it, the seed, and Nova's own file (its names may have a domain behind them).
    let hostname = format!("\"hostname\": \"{name}");
    for text in ["config-2", "#cloud-config\n{", hostname.as_str()] {
        assert!(has(text), "{} has no {text:?}", drive.display());
    }
}

/// Off, put away, and back as it was.
pub async fn a_server_is_shelved_and_comes_back(cloud: &RealCloud) {
    let host = cloud.host();
    let spec = cloud.spec("shelved").await;
    suite::make(host, &spec, Path::new("")).await.unwrap();
    let before = until(cloud, &spec, &ServerStatus::Active).await;
    host.power_off(spec.desktop).await.unwrap();
    until(cloud, &spec, &ServerStatus::Shutoff).await;
    cloud.client.shelve_server(&before.id).await.unwrap();
    let began = Instant::now();
    // Kept first, and then off its host: Nova has a state for each, which are one here.
    let away = loop {
        let away = until(cloud, &spec, &ServerStatus::Shelved).await;
        if away.host.is_none() {
            break away;
        }
        assert!(began.elapsed() < cloud.patience(), "its place is not free: {away:?}");
        tokio::time::sleep(LOOK).await;
    };
    assert_eq!(away.image, before.image);
    assert_eq!(host.observe(&[spec.desktop]).await.unwrap()[0].power, Power::Off);
    // Nothing to do, and no error.
    host.power_off(spec.desktop).await.unwrap();
    let anew = MachineSpec { generation: 2, ..spec.clone() };
    assert_eq!(host.renew(&anew, &identity(&anew)).await.unwrap(), Renewed::No, "one that is shelved is made anew");
    host.start(&spec).await.unwrap();
    let back = until(cloud, &spec, &ServerStatus::Active).await;
    assert_eq!(back.id, before.id);
    suite::gone(cloud, &spec).await;
    let began = Instant::now();
    while cloud.client.images().await.unwrap().iter().any(|image| image.name.ends_with("-shelved")) {
        assert!(began.elapsed() < cloud.patience(), "what it was kept in stays in Glance");
        tokio::time::sleep(LOOK).await;
    }
}

/// `createImage` and `rebuild`: Nova keeps what the disk holds, and writes it back.
pub async fn a_snapshot_is_kept_and_restored(cloud: &RealCloud) {
    let host = cloud.host();
    let spec = cloud.spec("kept").await;
    suite::make(host, &spec, Path::new("")).await.unwrap();
    let before = until(cloud, &spec, &ServerStatus::Active).await;
    let monday = "monday".parse().unwrap();
    host.take_snapshot(spec.desktop, &monday).await.unwrap();
    let began = Instant::now();
    loop {
        let now = host.standing(spec.desktop).await.unwrap();
        if now.state == MoveState::Settled && now.snapshots.iter().any(|one| one.is_whole) {
            assert!(now.host.is_some() && !now.is_host_lost, "{now:?}");
            break;
        }
        assert!(began.elapsed() < cloud.patience(), "{now:?}");
        tokio::time::sleep(LOOK).await;
    }
    host.restore_snapshot(spec.desktop, &monday).await.unwrap();
    let after = until(cloud, &spec, &ServerStatus::Active).await;
    assert_eq!(after.id, before.id);
    assert_ne!(after.image, before.image, "it is the snapshot's");
    // There is one real host: the cloud says that it has no other, or does nothing.
    match host.migrate(spec.desktop, None, false).await {
        Err(error) => assert!(matches!(error, ComputeError::NotDone { .. }), "{error}"),
        Ok(asked) => assert!(asked),
    }
    until(cloud, &spec, &ServerStatus::Active).await;
    suite::gone(cloud, &spec).await;
    assert!(!cloud.client.images().await.unwrap().iter().any(|image| image.is_snapshot), "it goes with its desktop");
}

/// Cinder fills one golden volume, though its answer is lost; several desktops are cloned from its snapshot at once and come up, one gets
/// a fresh disk, all go, and nothing stays.
pub async fn desktops_are_cloned_from_one_snapshot_and_nothing_stays(cloud: &RealCloud) {
    let host = cloud.host();
    let mut specs = Vec::new();
    for name in ["clone-a", "clone-b", "clone-c"] {
        let mut spec = cloud.spec(name).await;
        spec.cloud.as_mut().unwrap().root = "volume".parse().unwrap();
        specs.push(spec);
    }
    let image = specs[0].cloud.as_ref().unwrap().image.clone();
    let golden = || async { cloud.client.volumes_with("oriel-of", INSTALLATION).await.unwrap() };
    // As soon as Cinder has it, whoever asked for it is gone.
    let keys = identity(&specs[0]);
    let asked = host.write_seed(&specs[0], &keys);
    let heard = async {
        while golden().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        done = asked => assert!(done.unwrap_err().is_passing()),
        () = heard => {}
    }
    let began = Instant::now();
    let made = specs.iter().map(|spec| async move {
        while let Err(error) = suite::make(host, spec, Path::new("")).await {
            assert!(error.is_passing() && began.elapsed() < cloud.patience() * 2, "{error}");
            tokio::time::sleep(LOOK).await;
        }
    });
    futures::future::join_all(made).await;
    let volumes = golden().await;
    assert_eq!((volumes.len(), &volumes[0].metadata["oriel-image"]), (1, &image), "{volumes:?}");
    let snapshots = cloud.client.volume_snapshots(Some(&volumes[0].id)).await.unwrap();
    assert_eq!((snapshots.len(), &snapshots[0].metadata["oriel-of"]), (1, &INSTALLATION.to_owned()), "{snapshots:?}");
    for spec in &specs {
        let server = until(cloud, spec, &ServerStatus::Active).await;
        assert_eq!(server.image, None, "its disk is a volume");
        let began = Instant::now();
        while !cloud.client.console_output(&server.id, 10).await.unwrap().contains("ORIEL LAB GUEST UP") {
            assert!(began.elapsed() < cloud.patience(), "a clone does not start from its disk");
            tokio::time::sleep(LOOK).await;
        }
    }
    let quotas = cloud.client.volume_quotas().await.unwrap();
    assert_eq!((quotas.volumes.used, quotas.snapshots.used), (4, 1));
    let findings = host.doctor().await;
    let finding = findings.iter().find(|one| one.id == "golden-volumes").unwrap();
    assert!(finding.reason.starts_with("1 golden volumes (1 GiB) and 1 snapshots of them"), "{}", finding.reason);
    assert!(findings.iter().all(|one| one.id != "volumes-left"), "{findings:?}");

    // The image is written over a clone where it stands.
    let before = server_of(cloud, &specs[0]).await;
    let second = MachineSpec { generation: 2, ..specs[0].clone() };
    let (keys, began) = (identity(&second), Instant::now());
    while host.renew(&second, &keys).await.unwrap() != Renewed::Done {
        assert!(began.elapsed() < cloud.patience(), "{:?}", server_of(cloud, &second).await);
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(server_of(cloud, &second).await.id, before.id);
    for spec in &specs {
        suite::gone(cloud, spec).await;
    }
    // While a pool has the image it stays, and no longer.
    let keep = BTreeSet::from([image]);
    assert!(host.keep_golden(&keep).await.unwrap());
    assert_eq!(golden().await.len(), 1);
    let began = Instant::now();
    while !host.keep_golden(&BTreeSet::new()).await.unwrap() {
        assert!(began.elapsed() < cloud.patience(), "{:?}", golden().await);
        tokio::time::sleep(LOOK).await;
    }
    loop {
        let left = cloud.client.volume_quotas().await.unwrap();
        if (left.volumes.used, left.snapshots.used) == (0, 0) {
            return;
        }
        assert!(began.elapsed() < cloud.patience(), "something stays in Cinder: {left:?}");
        tokio::time::sleep(LOOK).await;
    }
}

/// The address that Nova tells is what the jump host is asked for.
pub async fn a_screen_is_dialled_through_a_jump_host(cloud: &RealCloud) {
    let gate = Arc::new(Gate::default());
    let dialler: Arc<dyn JumpDialler> = gate.clone();
    let jump = JumpHost {
        host: "gate.example".into(),
        port: 22,
        user: "oriel".into(),
        private_key: "key".to_owned().into(),
        passphrase: None,
        host_key: "ssh-ed25519 AAAA".into(),
    };
    let host = cloud.again(|config| config.jump = Some(Jump { host: jump, dialler }));
    let spec = cloud.spec("jumped").await;
    suite::make(&host, &spec, Path::new("")).await.unwrap();
    until(cloud, &spec, &ServerStatus::Active).await;
    let began = Instant::now();
    let mut screen = loop {
        match host.dial(&suite::row(&spec), GuestPort::Console).await {
            Ok(screen) => break screen,
            Err(error) => assert!(began.elapsed() < cloud.patience(), "{error}"),
        }
        tokio::time::sleep(LOOK).await;
    };
    let mut hello = [0; 12];
    screen.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"RFB 003.008\n");
    drop(screen);
    assert!(gate.asked().iter().all(|one| one == "oriel@gate.example:22 127.0.0.1"), "{:?}", gate.asked());
    suite::gone(cloud, &spec).await;
}
