//! Desktops whose disk is a volume.

use crate::{stages::FakeCloud, suite::Stage};
use oriel_compute::{Compute, ComputeError, Renewed, openstack::OpenStackCompute};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_model::CloudRoot;
use oriel_openstack::Microversion;
use serde_json::json;

async fn spec(cloud: &FakeCloud, name: &str, root: &str) -> MachineSpec {
    let mut spec = cloud.spec(name).await;
    spec.cloud.as_mut().unwrap().root = root.parse::<CloudRoot>().unwrap();
    spec
}

async fn make(host: &OpenStackCompute, spec: &MachineSpec) -> Result<(), ComputeError> {
    host.write_seed(spec, &GuestIdentity::generate(&spec.name, None).unwrap()).await
}

async fn renewed(host: &OpenStackCompute, spec: &MachineSpec) -> Renewed {
    let identity = GuestIdentity::generate(&spec.name, None).unwrap();
    loop {
        match host.renew(spec, &identity).await.unwrap() {
            Renewed::Underway => {}
            done => return done,
        }
    }
}

#[tokio::test]
async fn a_volume_is_made_of_the_image_and_goes_with_the_server() {
    let cloud = FakeCloud::start().await;
    let host = &cloud.compute;
    make(host, &spec(&cloud, "usual", "volume").await).await.unwrap();
    make(host, &spec(&cloud, "said", "volume,type=ssd,size=20").await).await.unwrap();
    let asked: Vec<_> = cloud.nova.state().guests.iter().map(|guest| guest.asked.clone()).collect();
    let disk = json!({"boot_index": 0, "source_type": "image", "uuid": "image", "destination_type": "volume",
        "volume_size": 1, "delete_on_termination": true});
    assert_eq!(asked[0]["block_device_mapping_v2"], json!([disk]), "as large as the flavor's disk");
    assert!(asked[0].get("imageRef").is_none());
    assert_eq!(
        (
            &asked[1]["block_device_mapping_v2"][0]["volume_type"],
            &asked[1]["block_device_mapping_v2"][0]["volume_size"]
        ),
        (&json!("ssd"), &json!(20))
    );
    // What is not taken of the host's disk is not asked of Placement.
    let log = cloud.http.asked.lock().unwrap().clone();
    let fits: Vec<_> = log.iter().filter(|one| one.path == "/placement/allocation_candidates").collect();
    assert!(fits.len() == 2 && fits.iter().all(|one| !one.query.contains("DISK_GB")), "{fits:?}");

    let mut bare = spec(&cloud, "bare", "volume").await;
    bare.cloud.as_mut().unwrap().flavor = "bare".into();
    let error = make(host, &bare).await.unwrap_err();
    assert!(matches!(error, ComputeError::NoPlace { .. }), "{error}");
    assert!(error.to_string().contains("flavor bare has no disk"), "{error}");
    bare.cloud.as_mut().unwrap().root = "volume,size=8".parse().unwrap();
    make(host, &bare).await.unwrap();
    // A type of volume can be said since 2.67.
    let old = cloud.again(|config| config.options.compute_max = Microversion(2, 66));
    let error = make(&old, &spec(&cloud, "old", "volume,type=ssd").await).await.unwrap_err();
    assert!(error.to_string().contains("a type for a server's volume needs Nova 2.67 or newer"), "{error}");
    make(&old, &spec(&cloud, "old", "volume").await).await.unwrap();
}

#[tokio::test]
async fn what_stands_on_a_volume_is_rebuilt_where_nova_can() {
    let cloud = FakeCloud::start().await;
    let first = spec(&cloud, "first", "volume").await;
    make(&cloud.compute, &first).await.unwrap();
    while cloud.nova.state().guests[0].status != "ACTIVE" {
        cloud.compute.list().await.unwrap();
    }
    let id = cloud.nova.state().guests[0].id.clone();
    let second = MachineSpec { generation: 2, ..first.clone() };
    let old = cloud.again(|config| config.options.compute_max = Microversion(2, 92));
    assert_eq!(renewed(&old, &second).await, Renewed::No, "it is made anew");
    assert_eq!(cloud.count("POST", &format!("/compute/v2.1/servers/{id}/action")), 0);
    assert_eq!(renewed(&cloud.compute, &second).await, Renewed::Done);
    let seen = cloud.compute.list().await.unwrap();
    assert_eq!(seen.iter().map(|one| one.generation).collect::<Vec<_>>(), [2]);
    assert_eq!(cloud.nova.state().guests[0].id, id);
    // One that could not be written over is not taken for fresh.
    cloud.nova.state().bad_rebuilds = true;
    assert_eq!(renewed(&cloud.compute, &MachineSpec { generation: 3, ..first }).await, Renewed::No);
}
