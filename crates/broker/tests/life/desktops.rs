//! Desktops through their whole life.

use crate::house::House;
use oriel_broker::{BrokerError, NewDesktop, NewUser, PoolChange};
use oriel_compute::fake::{FakeCompute, FakeMode, FakeStep};
use oriel_compute::{Compute, Observed, Power};
use oriel_machine::Arch;
use oriel_model::{DesktopId, DesktopIntent, DesktopState, GuestPort, Role, StartStep};
use oriel_store::TicketRefusal;
use secrecy::ExposeSecret;
use std::time::Duration;

#[tokio::test]
async fn from_request_to_ready_to_gone() {
    let house = House::new(FakeMode::Auto).await;
    let desktop = house.desktop().await;
    assert_eq!(desktop.name.as_str(), "lab-1");
    let desktop = house.reaches(desktop.id, DesktopState::Ready).await;
    assert_eq!(desktop.generation, 1);
    assert_eq!(desktop.host.as_deref(), Some("here"));
    assert!(desktop.port_base.is_some() && desktop.facts.ssh_host_key.is_some());
    assert_eq!(desktop.facts.image, house.pool.image);
    assert!(desktop.facts.start_seconds.is_some());
    let other = house.desktop().await;
    let other = house.reaches(other.id, DesktopState::Ready).await;
    assert_ne!(other.port_base, desktop.port_base);

    house.broker.set_intent(desktop.id, DesktopIntent::Stopped).await.unwrap();
    house.reaches(desktop.id, DesktopState::Stopped).await;
    house.broker.set_intent(desktop.id, DesktopIntent::Running).await.unwrap();
    house.reaches(desktop.id, DesktopState::Ready).await;
    house.broker.set_intent(desktop.id, DesktopIntent::Recycle).await.unwrap();
    for _ in 0..600 {
        if house.store.desktop(desktop.id).await.unwrap().unwrap().generation == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let fresh = house.reaches(desktop.id, DesktopState::Ready).await;
    assert_eq!(fresh.generation, 2);
    assert_ne!(fresh.facts.ssh_host_key, desktop.facts.ssh_host_key, "a new generation has new keys");

    for id in [desktop.id, other.id] {
        house.broker.set_intent(id, DesktopIntent::Deleted).await.unwrap();
        house.is_gone(id).await;
    }
    assert_eq!(house.host.list().await.unwrap(), vec![], "nothing is left on the host");
}

/// So much of an ISO 9660 as is looked at, with a volume of that name.
fn cd(volume: &str) -> Vec<u8> {
    let mut image = vec![0; 40_000];
    image[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    image[0x8028..0x8028 + volume.len()].copy_from_slice(volume.as_bytes());
    image
}

#[tokio::test]
async fn images_are_put_into_drives_and_go_with_the_generation() {
    let media = tempfile::tempdir().unwrap();
    let house = House::on(FakeCompute::new("here", FakeMode::Auto).with_media(media.path())).await;
    let (broker, desktop) = (&house.broker, house.desktop().await);
    let desktop = house.reaches(desktop.id, DesktopState::Ready).await;
    let send = async |name: &str, bytes: &[u8]| {
        let mut upload = broker.drive_upload(&desktop, name, 0, bytes.len() as u64).await?;
        upload.write(bytes).await?;
        upload.settle().await
    };
    let code = |error: BrokerError| match error {
        BrokerError::Invalid { code, .. } | BrokerError::Conflict { code, .. } => code,
        BrokerError::Missing { .. } => "missing",
        other => panic!("{other:?}"),
    };
    assert!(broker.drive(&desktop).await.unwrap().images.is_empty());
    for name in ["", ".hidden", "a/b", "..", "a\0", &"a".repeat(201)] {
        assert_eq!(code(send(name, b"x").await.unwrap_err()), "image_name", "{name:?}");
        assert_eq!(code(broker.drive_insert(&desktop, Some(name)).await.unwrap_err()), "image_name", "{name:?}");
    }

    // In two pieces, the second of which cannot leave a hole.
    let image = cd("DEBIAN");
    let size = image.len() as u64;
    let mut first = broker.drive_upload(&desktop, "debian.iso", 0, size).await.unwrap();
    first.write(&image[..10_000]).await.unwrap();
    let twice = broker.drive_upload(&desktop, "debian.iso", 0, size).await;
    assert_eq!(twice.map(drop).map_err(code), Err("image_on_its_way"));
    assert_eq!(code(broker.drive_remove(&desktop, "debian.iso").await.unwrap_err()), "image_on_its_way");
    assert!(!first.settle().await.unwrap());
    let told = broker.drive(&desktop).await.unwrap().images;
    assert_eq!((told[0].name.as_str(), told[0].bytes, told[0].complete), ("debian.iso", 10_000, false));
    assert_eq!(code(broker.drive_insert(&desktop, Some("debian.iso")).await.unwrap_err()), "missing");
    let astray = broker.drive_upload(&desktop, "debian.iso", 20_000, size).await;
    assert_eq!(astray.map(drop).map_err(code), Err("bytes_missing"));
    let mut second = broker.drive_upload(&desktop, "debian.iso", 10_000, size).await.unwrap();
    second.write(&image[10_000..]).await.unwrap();
    assert!(second.settle().await.unwrap());
    let file = media.path().join(desktop.id.to_string()).join("debian.iso");
    assert_eq!(std::fs::read(&file).unwrap(), image);
    assert_eq!(code(send("debian.iso", &image).await.unwrap_err()), "image_exists");
    let huge = broker.drive_upload(&desktop, "huge.iso", 0, oriel_broker::DRIVE_BYTES_MAX).await;
    assert_eq!(huge.map(drop).map_err(code), Err("drive_full"));

    // Only what is a CD, and none from which the desktop would set itself up.
    for (name, content, why) in [
        ("disk.img", vec![0; 40_000], "not_a_cd"),
        ("seed.iso", cd("cidata"), "seed_image"),
        ("joliet.iso", cd("C\0I\0D\0A\0T\0A"), "seed_image"),
    ] {
        assert!(send(name, &content).await.unwrap());
        assert_eq!(code(broker.drive_insert(&desktop, Some(name)).await.unwrap_err()), why, "{name}");
        broker.drive_remove(&desktop, name).await.unwrap();
        assert_eq!(code(broker.drive_remove(&desktop, name).await.unwrap_err()), "missing", "{name}");
    }
    for _ in 0..2 {
        broker.drive_insert(&desktop, Some("debian.iso")).await.unwrap();
    }
    assert_eq!(broker.drive(&desktop).await.unwrap().inside.as_deref(), Some("debian.iso"));
    assert_eq!(house.host.media(desktop.id).await.unwrap(), Some(file.clone()));
    assert_eq!(code(broker.drive_remove(&desktop, "debian.iso").await.unwrap_err()), "image_in_drive");
    broker.drive_insert(&desktop, None).await.unwrap();
    assert_eq!(house.host.media(desktop.id).await.unwrap(), None);

    // From the CD once, and then from the disk again; not from one that was taken out meanwhile.
    assert_eq!(code(broker.drive_start(&desktop, true).await.unwrap_err()), "drive_empty");
    broker.drive_insert(&desktop, Some("debian.iso")).await.unwrap();
    assert!(broker.drive_start(&desktop, true).await.unwrap().starts);
    assert!(!broker.drive_start(&desktop, false).await.unwrap().starts);
    for (told, inside, on_drive) in [(true, true, true), (false, true, false), (true, false, false)] {
        assert_eq!(broker.drive_start(&desktop, told).await.unwrap().starts, told);
        if !inside {
            broker.drive_insert(&desktop, None).await.unwrap();
        }
        broker.set_intent(desktop.id, DesktopIntent::Stopped).await.unwrap();
        house.reaches(desktop.id, DesktopState::Stopped).await;
        broker.set_intent(desktop.id, DesktopIntent::Running).await.unwrap();
        let started = house.reaches(desktop.id, DesktopState::Ready).await;
        assert_eq!((started.facts.from_drive, started.facts.on_drive), (false, on_drive));
    }

    // Whoever gets it next finds nothing.
    broker.set_intent(desktop.id, DesktopIntent::Recycle).await.unwrap();
    for _ in 0..600 {
        if house.store.desktop(desktop.id).await.unwrap().unwrap().generation == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    house.reaches(desktop.id, DesktopState::Ready).await;
    let drive = broker.drive(&desktop).await.unwrap();
    assert!(drive.inside.is_none() && drive.images.is_empty() && !file.exists(), "{drive:?}");
}

#[tokio::test]
async fn hosts_without_drives_say_so() {
    let house = House::new(FakeMode::Auto).await;
    let desktop = house.desktop().await;
    let desktop = house.reaches(desktop.id, DesktopState::Ready).await;
    let refused = house.broker.drive_insert(&desktop, None).await.unwrap_err();
    assert!(matches!(refused, BrokerError::Conflict { code: "no_drive", .. }), "{refused:?}");
}

#[tokio::test]
async fn power_that_is_cut_is_off_without_asking() {
    let house = House::new(FakeMode::Auto).await;
    let desktop = house.desktop().await;
    house.reaches(desktop.id, DesktopState::Ready).await;
    let before = house.host.calls().len();
    house.broker.cut_power(desktop.id).await.unwrap();
    let off = house.reaches(desktop.id, DesktopState::Stopped).await;
    assert!(off.intent == DesktopIntent::Stopped && !off.facts.cut);
    let asked = |step: FakeStep| house.host.calls().iter().skip(before).any(|(done, _)| *done == step);
    assert!(asked(FakeStep::PowerOff) && !asked(FakeStep::ShutDown), "{:?}", house.host.calls());
    // What is off has no power to cut, and starts as ever.
    assert!(!house.broker.cut_power(desktop.id).await.unwrap().facts.cut);
    house.broker.set_intent(desktop.id, DesktopIntent::Running).await.unwrap();
    house.reaches(desktop.id, DesktopState::Ready).await;
    house.broker.set_intent(desktop.id, DesktopIntent::Stopped).await.unwrap();
    house.reaches(desktop.id, DesktopState::Stopped).await;
    assert!(asked(FakeStep::ShutDown), "asked as usual");
}

#[tokio::test]
async fn a_new_program_finds_the_desktops_of_the_old_one() {
    let mut house = House::new(FakeMode::Auto).await;
    let desktop = house.desktop().await;
    let before = house.reaches(desktop.id, DesktopState::Ready).await;
    house.restart().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let after = house.store.desktop(desktop.id).await.unwrap().unwrap();
    assert_eq!(before, after, "a restart changes nothing");
    house.broker.guest_access(None, desktop.id, GuestPort::Rdp, None).await.expect("the credentials can still be read");
}

#[tokio::test]
async fn a_promised_wipe_is_kept_and_a_delete_outlives_it() {
    let mut house = House::new(FakeMode::Auto).await;
    let (one, two) = (house.desktop().await.id, house.desktop().await.id);
    for id in [one, two] {
        house.reaches(id, DesktopState::Ready).await;
    }
    // Nobody reconciles while all of this is asked.
    house.stop.cancel();
    house.tasks.close();
    house.tasks.wait().await;
    house.broker.set_intent(one, DesktopIntent::Recycle).await.unwrap();
    for start in [DesktopIntent::Running, DesktopIntent::Restart] {
        assert_eq!(house.broker.set_intent(one, start).await.unwrap().intent, DesktopIntent::Recycle);
    }
    house.broker.set_intent(one, DesktopIntent::Stopped).await.unwrap();
    house.broker.set_intent(two, DesktopIntent::Recycle).await.unwrap();
    house.broker.set_intent(two, DesktopIntent::Deleted).await.unwrap();
    house.restart().await;
    let stopped = house.reaches(one, DesktopState::Stopped).await;
    assert_eq!((stopped.intent, stopped.generation), (DesktopIntent::Stopped, 2));
    house.is_gone(two).await;
}

#[tokio::test]
async fn what_nobody_wants_is_removed_and_what_went_off_is_noticed() {
    let house = House::new(FakeMode::Auto).await;
    let stray = DesktopId::new();
    house.host.leave_behind(Observed {
        desktop: stray,
        generation: 3,
        power: Power::Running,
        domain: true,
        disk: true,
        seed: true,
    });
    let desktop = house.desktop().await;
    house.reaches(desktop.id, DesktopState::Ready).await;
    let left = house.host.list().await.unwrap();
    assert!(left.iter().all(|found| found.desktop == desktop.id), "{left:?}");

    house.host.set_power(desktop.id, Power::Off);
    house.broker.connections_changed();
    let off = house.reaches(desktop.id, DesktopState::Stopped).await;
    assert_eq!(off.intent, DesktopIntent::Stopped, "what its user shut down stays off");
    house.broker.set_intent(desktop.id, DesktopIntent::Running).await.unwrap();
    house.reaches(desktop.id, DesktopState::Ready).await;
    house.host.set_power(desktop.id, Power::Crashed);
    house.broker.connections_changed();
    tokio::time::sleep(Duration::from_millis(50)).await;
    house.reaches(desktop.id, DesktopState::Ready).await;
}

#[tokio::test]
async fn faults_are_retried_then_told_and_can_be_tried_again() {
    let house = House::new(FakeMode::Auto).await;
    house.host.fail_next(FakeStep::CloneDisk, "the disk is full");
    let desktop = house.desktop().await;
    house.reaches(desktop.id, DesktopState::Ready).await;

    house.host.fail_always(FakeStep::Start, Some("no such machine type"));
    let second = house.desktop().await;
    let failed = house.reaches(second.id, DesktopState::Failed).await;
    assert!(failed.failure.unwrap().contains("no such machine type"));
    house.host.fail_always(FakeStep::Start, None);
    house.broker.set_intent(second.id, DesktopIntent::Running).await.unwrap();
    house.reaches(second.id, DesktopState::Ready).await;
}

/// Its machine answers as another one.
async fn waits_for_itself(house: &House, id: DesktopId) {
    for _ in 0..600 {
        let row = house.store.desktop(id).await.unwrap().unwrap();
        if let Some(why) = row.failure {
            assert_eq!((row.state, row.step), (DesktopState::Starting, Some(StartStep::WaitingForRdp)), "{why}");
            assert!(why.contains("not yet with the certificate that Oriel gave it"), "{why}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody says that it is waited for");
}

#[tokio::test]
async fn a_machine_that_is_not_itself_is_waited_for_then_told_and_made_anew() {
    let house = House::new(FakeMode::Auto).await;
    house.host.make_strangers(true);
    let slow = house.desktop().await;
    waits_for_itself(&house, slow.id).await;
    // Its first boot was late, and is done.
    house.host.make_strangers(false);
    let ready = house.reaches(slow.id, DesktopState::Ready).await;
    assert_eq!((ready.failure, ready.generation), (None, 1));

    house.host.make_strangers(true);
    let other = house.desktop().await;
    waits_for_itself(&house, other.id).await;
    let long_ago = oriel_store::clock::now().plus_seconds(-901);
    house.store.modify_desktop(other.id, |row| row.facts.started = Some(long_ago)).await.unwrap();
    let failed = house.reaches(other.id, DesktopState::Failed).await;
    let why = failed.failure.unwrap();
    assert!(why.contains("did not take its settings") && why.contains("oriel desktop recycle lab-2"), "{why}");
    assert_eq!(failed.facts.boots, 1, "it was not switched off in its first boot");

    house.host.make_strangers(false);
    house.broker.set_intent(other.id, DesktopIntent::Recycle).await.unwrap();
    let anew = house.reaches(other.id, DesktopState::Ready).await;
    assert_eq!((anew.failure, anew.generation), (None, 2));
}

#[tokio::test]
async fn limits_and_entitlements_hold() {
    let house = House::new(FakeMode::Auto).await;
    for _ in 0..3 {
        house.desktop().await;
    }
    let new = NewDesktop { pool: house.pool.clone(), owner: Some(house.anna.clone()), name: None };
    assert!(house.broker.create_desktop(new).await.is_err(), "the pool is full");
    let (bob, _) =
        house.broker.create_user(NewUser { name: "bob".into(), role: Role::User, password: None }).await.unwrap();
    let new = NewDesktop { pool: house.pool.clone(), owner: Some(bob.clone()), name: None };
    assert!(matches!(house.broker.create_desktop(new).await, Err(BrokerError::Conflict { code: "not_entitled", .. })));
    assert!(house.broker.find_desktop(&bob, "lab-1").await.is_err(), "somebody else's desktop does not exist");
    assert!(house.broker.find_desktop(&house.anna, "lab-1").await.is_ok());
}

#[tokio::test]
async fn tickets_open_one_door_once_for_one_session() {
    let house = House::new(FakeMode::Auto).await;
    let desktop = house.desktop().await;
    let refused = house.broker.connect(&house.anna, &desktop, GuestPort::Rdp, None, "s").await;
    assert!(matches!(refused, Err(BrokerError::Conflict { code: "desktop_not_ready", .. })));
    let desktop = house.reaches(desktop.id, DesktopState::Ready).await;
    let ticket = house.broker.connect(&house.anna, &desktop, GuestPort::Rdp, None, "session-a").await.unwrap();
    let hash = oriel_identity::sha256_hex(ticket.secret.expose_secret());
    assert!(house.broker.redeem(&hash, "session-a").await.is_ok());
    assert!(matches!(house.broker.redeem(&hash, "session-a").await, Err(TicketRefusal::Used)));
    let stolen = house.broker.connect(&house.anna, &desktop, GuestPort::Ssh, None, "session-a").await.unwrap();
    let hash = oriel_identity::sha256_hex(stolen.secret.expose_secret());
    assert!(matches!(house.broker.redeem(&hash, "session-b").await, Err(TicketRefusal::NotYours)));
    assert!(house.broker.redeem(&hash, "session-a").await.is_err(), "a stolen ticket is burnt");
}

/// What a pool wishes of its machines reaches them, whatever the host's kind; what contradicts itself is refused.
#[tokio::test]
async fn machines_are_made_as_the_pool_wishes() {
    let house = House::new(FakeMode::Auto).await;
    let wish = |hardware: &str| PoolChange { hardware: Some(hardware.parse().unwrap()), ..PoolChange::default() };
    house.broker.change_pool(house.pool.id, wish("windows_11,hide_hypervisor,hugepages_mib=2")).await.unwrap();
    let id = house.desktop().await.id;
    house.reaches(id, DesktopState::Ready).await;
    let described = house.host.described(id).unwrap();
    assert_eq!(described.arch, Arch::X86_64);
    assert_eq!(described.hardware, "windows_11,hide_hypervisor,hugepages_mib=2".parse().unwrap());
    for wrong in ["firmware=bios,tpm", "vulkan", "hugepages_mib=3"] {
        let refused = house.broker.change_pool(house.pool.id, wish(wrong)).await;
        assert!(matches!(refused, Err(BrokerError::Invalid { code: "bad_pool", .. })), "{wrong}: {refused:?}");
    }
}

#[tokio::test]
async fn an_arm64_host_makes_arm64_machines_of_arm64_images() {
    let house = House::on(FakeCompute::new("here", FakeMode::Auto).with_arch(Arch::Aarch64)).await;
    let id = house.desktop().await.id;
    house.reaches(id, DesktopState::Ready).await;
    assert_eq!(house.host.described(id).unwrap().arch, Arch::Aarch64);
    let mut image = house.broker.find_image("debian").await.unwrap();
    image.id = oriel_model::ImageId::new();
    image.name = "amd64".parse().unwrap();
    image.source =
        oriel_model::ImageSource::Built { recipe: "debian-desktop".into(), inputs: "y".into(), packages: vec![] };
    let image = house.store.put_image(&image).await.unwrap();
    let change = PoolChange { image: Some(image.id), ..PoolChange::default() };
    let refused = house.broker.change_pool(house.pool.id, change).await.unwrap_err();
    assert_eq!(refused.to_string(), "image amd64 is made for x86_64, and host here runs aarch64 machines");
}
