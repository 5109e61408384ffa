//! People's homes, which follow them from desktop to desktop.

use crate::house::House;
use oriel_broker::{BrokerError, NewDesktop, PoolChange, ShownDisk};
use oriel_compute::fake::{FakeMode, FakeStep};
use oriel_model::{
    Desktop, DesktopId, DesktopIntent, DesktopState, DiskHolder, DiskWork, Operation, OperationState, Pool, PoolId,
    PoolKind, QuotaScope,
};
use oriel_store::StoreError;
use std::time::Duration;

async fn with_disks(house: &House, pool: &Pool, disk: &str) -> Pool {
    let change = PoolChange { personal_disk: Some(Some(disk.parse().unwrap())), ..PoolChange::default() };
    house.broker.change_pool(pool.id, change).await.unwrap()
}

async fn one_more(house: &House, name: &str, kind: PoolKind, size: &str) -> Pool {
    let mut pool = house.pool.clone();
    (pool.id, pool.name, pool.kind) = (PoolId::new(), name.parse().unwrap(), kind);
    pool.size = size.parse().unwrap();
    house.store.create_pool(&pool).await.unwrap();
    house.broker.entitle(pool.id, house.anna.id).await.unwrap();
    pool
}

async fn only(house: &House) -> ShownDisk {
    let mut all = house.broker.personal_disks().await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn ended(house: &House, operation: &Operation) -> Operation {
    for _ in 0..600 {
        let now = house.broker.find_operation(&operation.id.to_string()).await.unwrap();
        if !matches!(now.state, OperationState::Queued | OperationState::Running) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not end: {operation:?}");
}

async fn until(house: &House, id: DesktopId, what: &str, holds: impl Fn(&Desktop) -> bool) -> Desktop {
    let mut last = None;
    for _ in 0..600 {
        last = house.store.desktop(id).await.unwrap();
        if let Some(desktop) = last.as_ref().filter(|desktop| holds(desktop)) {
            return desktop.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not in time: {what}: {last:#?}");
}

fn code(error: &BrokerError) -> &'static str {
    match error {
        BrokerError::Conflict { code, .. } | BrokerError::Invalid { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_disk_follows_its_person_from_desktop_to_desktop() {
    let house = House::new(FakeMode::Auto).await;
    let pool = with_disks(&house, &house.pool, "size=5").await;
    let first = house.desktop().await.id;
    let ready = house.reaches(first, DesktopState::Ready).await;
    assert_eq!(ready.facts.disk_of, Some(house.anna.id));
    let home = only(&house).await;
    assert_eq!((home.disk.title().as_str(), home.disk.size_gib, home.is_orphaned), ("anna/home", 5, false));
    assert_eq!(home.holder, Some(DiskHolder::Desktop(first)));
    assert_eq!(house.host.personal_disk(first), Some(home.disk.id));
    // It is not taken out of a machine that runs.
    let taken = oriel_compute::Compute::detach_personal_disk(&*house.host, first).await;
    assert!(taken.is_err(), "{taken:?}");
    // Off, it is free.
    house.broker.set_intent(first, DesktopIntent::Stopped).await.unwrap();
    house.reaches(first, DesktopState::Stopped).await;
    assert_eq!((only(&house).await.holder, house.host.personal_disk(first)), (None, None));
    // What is made anew has it again, and so has a desktop of another pool that names it.
    house.broker.set_intent(first, DesktopIntent::Recycle).await.unwrap();
    until(&house, first, "made anew", |one| one.generation == 2 && one.state == DesktopState::Ready).await;
    assert_eq!(house.host.personal_disk(first), Some(home.disk.id));
    house.broker.set_intent(first, DesktopIntent::Deleted).await.unwrap();
    house.is_gone(first).await;
    let other = one_more(&house, "visitors", PoolKind::Ephemeral, "default").await;
    let other = with_disks(&house, &other, "size=9").await;
    let second = house.broker.take_desktop(&house.anna, &other).await.unwrap().id;
    house.reaches(second, DesktopState::Ready).await;
    let found = only(&house).await;
    assert_eq!((found.disk.id, found.disk.size_gib), (home.disk.id, 5));
    assert_eq!(house.host.personal_disk(second), Some(home.disk.id));
    assert_eq!(house.host.personal_disks().len(), 1);
    // While it is there, no other desktop is given to them.
    let refused = house.broker.take_desktop(&house.anna, &pool).await.unwrap_err();
    assert_eq!(code(&refused), "personal_disk_in_use");
    // One that an administrator makes does not start; it does when the other is off.
    let third = house.desktop().await.id;
    let failed = house.reaches(third, DesktopState::Failed).await.failure.unwrap();
    assert!(failed.contains("anna/home is in visitors-1"), "{failed}");
    house.broker.set_intent(second, DesktopIntent::Stopped).await.unwrap();
    house.reaches(second, DesktopState::Stopped).await;
    house.broker.set_intent(third, DesktopIntent::Running).await.unwrap();
    house.reaches(third, DesktopState::Ready).await;
    assert_eq!(house.host.personal_disk(third), Some(home.disk.id));
}

#[tokio::test]
async fn a_spare_that_runs_starts_again_with_its_persons_disk() {
    let house = House::new(FakeMode::Auto).await;
    let pool = one_more(&house, "floor", PoolKind::Floating, "running=1").await;
    let pool = with_disks(&house, &pool, "size=5,name=work").await;
    let spare = loop {
        let all = house.store.desktops_in_pool(pool.id).await.unwrap();
        if let Some(ready) = all.into_iter().find(|one| one.state == DesktopState::Ready) {
            break ready;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((spare.facts.disk_of, house.host.personal_disk(spare.id)), (None, None));
    let given = house.broker.take_desktop(&house.anna, &pool).await.unwrap();
    assert_eq!((given.id, given.state), (spare.id, DesktopState::Stopping));
    // Nobody gets in meanwhile.
    let early =
        house.broker.connect(&house.anna, &given, oriel_model::GuestPort::Rdp, None, "session").await.err().unwrap();
    assert_eq!(code(&early), "desktop_not_ready");
    let ready = house.reaches(spare.id, DesktopState::Ready).await;
    assert_eq!((ready.owner, ready.facts.disk_of), (Some(house.anna.id), Some(house.anna.id)));
    assert_eq!((ready.generation, ready.intent), (spare.generation, DesktopIntent::Running));
    assert_eq!(house.host.personal_disk(spare.id), Some(only(&house).await.disk.id));
}

#[tokio::test]
async fn what_a_killed_program_left_is_found() {
    let mut house = House::new(FakeMode::Auto).await;
    with_disks(&house, &house.pool, "size=5").await;
    house.host.fail_always(FakeStep::PersonalDisk, Some("the disk is full"));
    let id = house.desktop().await.id;
    let failed = house.reaches(id, DesktopState::Failed).await.failure.unwrap();
    assert!(failed.contains("the disk is full"), "{failed}");
    house.host.fail_always(FakeStep::PersonalDisk, None);
    house.restart().await;
    let disk = only(&house).await.disk;
    assert!(!disk.is_made, "{disk:?}");
    house.broker.set_intent(id, DesktopIntent::Running).await.unwrap();
    house.reaches(id, DesktopState::Ready).await;
    let found = only(&house).await;
    assert_eq!((found.disk.id, found.disk.is_made), (disk.id, true));
    assert_eq!(house.host.personal_disk(id), Some(disk.id));
}

#[tokio::test]
async fn a_disk_that_is_larger_than_a_quota_is_not_made() {
    let house = House::new(FakeMode::Auto).await;
    with_disks(&house, &house.pool, "size=5").await;
    let floor = one_more(&house, "floor", PoolKind::Floating, "running=0").await;
    let floor = with_disks(&house, &floor, "size=5").await;
    let limit = async |text: &str| house.broker.set_quota(QuotaScope::Everyone, text.parse().unwrap()).await.unwrap();
    limit("disk_gib=4").await;
    let refused = house.broker.take_desktop(&house.anna, &floor).await;
    assert!(matches!(refused, Err(BrokerError::Store(StoreError::OverQuota(_)))), "{refused:?}");
    let id = house.desktop().await.id;
    let failed = house.reaches(id, DesktopState::Failed).await.failure.unwrap();
    assert!(failed.contains("this would be 5 GiB of personal disks more, and everyone's limit is 4 GiB"), "{failed}");
    limit("disk_gib=5").await;
    house.broker.set_intent(id, DesktopIntent::Running).await.unwrap();
    house.reaches(id, DesktopState::Ready).await;
    assert_eq!(only(&house).await.disk.size_gib, 5);
}

#[tokio::test]
async fn what_did_not_answer_and_shall_be_off_gives_its_disk_back() {
    let house = House::new(FakeMode::Auto).await;
    with_disks(&house, &house.pool, "size=5").await;
    let id = house.desktop().await.id;
    house.reaches(id, DesktopState::Ready).await;
    // Its machine runs on.
    house.store.modify_desktop(id, |row| row.state = DesktopState::Failed).await.unwrap();
    assert_eq!(only(&house).await.holder, Some(DiskHolder::Desktop(id)));
    house.broker.set_intent(id, DesktopIntent::Stopped).await.unwrap();
    for _ in 0..600 {
        if only(&house).await.holder.is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((only(&house).await.holder, house.host.personal_disk(id)), (None, None));
}

#[tokio::test]
async fn administrators_work_on_disks_that_are_in_no_desktop() {
    let house = House::new(FakeMode::Auto).await;
    with_disks(&house, &house.pool, "size=5").await;
    let id = house.desktop().await.id;
    house.reaches(id, DesktopState::Ready).await;
    let held = house.broker.find_personal_disk("Anna/home").await.unwrap();
    let work = async |shown: &ShownDisk, work: DiskWork| house.broker.work_on_disk(shown, work, None).await;
    let refused = work(&held, DiskWork::Grow { size_gib: 9 }).await.unwrap_err();
    assert_eq!(code(&refused), "personal_disk_in_use");
    house.broker.set_intent(id, DesktopIntent::Stopped).await.unwrap();
    house.reaches(id, DesktopState::Stopped).await;
    let free = only(&house).await;
    let refused = work(&free, DiskWork::Grow { size_gib: 4 }).await.unwrap_err();
    assert_eq!(code(&refused), "bad_size");
    let snapshot: oriel_model::Name = "monday".parse().unwrap();
    for wanted in [
        DiskWork::Grow { size_gib: 9 },
        DiskWork::Snapshot { snapshot: snapshot.clone() },
        DiskWork::Restore { snapshot: snapshot.clone() },
    ] {
        let done = ended(&house, &work(&free, wanted).await.unwrap()).await;
        assert_eq!(done.state, OperationState::Done, "{done:?}");
    }
    let found = only(&house).await;
    assert_eq!((found.disk.size_gib, found.holder), (9, None));
    assert_eq!(house.host.personal_disks()[&found.disk.id], 9);
    let facts = house.broker.personal_disk_facts(&found.disk).await.unwrap();
    assert_eq!(facts.snapshots.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["monday"]);
    let done = ended(&house, &work(&free, DiskWork::DropSnapshot { snapshot: snapshot.clone() }).await.unwrap()).await;
    assert_eq!(done.state, OperationState::Done, "{done:?}");
    house.broker.set_quota(QuotaScope::Everyone, "disk_gib=9".parse().unwrap()).await.unwrap();
    let refused = work(&found, DiskWork::Grow { size_gib: 10 }).await.unwrap_err();
    assert!(refused.to_string().starts_with("anna has 9 GiB of personal disks (anna/home), "), "{refused}");
    house.broker.clear_quota(QuotaScope::Everyone).await.unwrap();
    // What cannot be done leaves the disk to others.
    let lost = ended(&house, &work(&free, DiskWork::Restore { snapshot }).await.unwrap()).await;
    assert_eq!(lost.state, OperationState::Failed, "{lost:?}");
    assert_eq!(only(&house).await.holder, None);
    // A disk outlives its pool's wish and its person, until somebody deletes it.
    let none = PoolChange { personal_disk: Some(None), ..PoolChange::default() };
    house.broker.change_pool(house.pool.id, none).await.unwrap();
    // What was made before takes it as long as it is there.
    assert!(!only(&house).await.is_orphaned);
    house.broker.set_intent(id, DesktopIntent::Deleted).await.unwrap();
    house.is_gone(id).await;
    assert!(only(&house).await.is_orphaned);
    let gone = ended(&house, &work(&free, DiskWork::Delete).await.unwrap()).await;
    assert_eq!(gone.state, OperationState::Done, "{gone:?}");
    assert!(house.broker.personal_disks().await.unwrap().is_empty());
    assert!(house.host.personal_disks().is_empty());
    // What was made before goes on without.
    let again = NewDesktop { pool: house.pool.clone(), owner: Some(house.anna.clone()), name: None };
    let again = house.broker.create_desktop(again).await.unwrap().id;
    assert_eq!(house.reaches(again, DesktopState::Ready).await.facts.personal_disk, None);
}

#[tokio::test]
async fn only_what_can_have_a_disk_is_asked_for_one() {
    let house = House::new(FakeMode::Auto).await;
    let change = |disk: &str| PoolChange { personal_disk: Some(Some(disk.parse().unwrap())), ..PoolChange::default() };
    house.broker.change_pool(house.pool.id, change("size=1")).await.unwrap();
    let mut huge = change("size=1");
    if let Some(Some(disk)) = huge.personal_disk.as_mut() {
        disk.size_gib = 1 << 40;
    }
    let refused = house.broker.change_pool(house.pool.id, huge).await.unwrap_err();
    assert_eq!(code(&refused), "bad_pool");
}
