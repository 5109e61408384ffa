use crate::{
    at_once, on_both,
    samples::{NOW, desktop, operation, stored_pool, stored_user},
};
use oriel_model::{
    DesktopFacts, DesktopIntent, DesktopState, DiskHolder, Operation, OperationId, OperationState, PersonalDisk,
    PersonalDiskId, Pool, Quota, QuotaKind, QuotaScope, Role, UserId,
};
use oriel_store::StoreError;

fn disk(user: UserId, name: &str) -> PersonalDisk {
    PersonalDisk {
        id: PersonalDiskId::new(),
        user,
        person: "ada".to_owned(),
        name: name.parse().unwrap(),
        host: "here".to_owned(),
        size_gib: 20,
        is_made: false,
        created: NOW,
    }
}

on_both! {
    async fn a_person_has_one_of_a_name(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let made = at_once(4, |_| {
            let (store, new) = (store.clone(), disk(ada, "home"));
            async move { store.make_personal_disk(&new).await.unwrap() }
        })
        .await;
        assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
        let other = store.make_personal_disk(&disk(ada, "films")).await.unwrap();
        store.personal_disk_is_made(other.id).await.unwrap();
        store.set_personal_disk_size(other.id, 40).await.unwrap();
        let films = PersonalDisk { size_gib: 40, is_made: true, ..other };
        assert_eq!(store.personal_disk_of(ada, &films.name).await.unwrap(), Some(films.clone()));
        assert_eq!(store.personal_disks().await.unwrap(), [(films, None), (made[0].clone(), None)]);
        let gone = store.personal_disk_is_made(PersonalDiskId::new()).await;
        assert!(matches!(gone, Err(StoreError::Missing { .. })), "{gone:?}");
    }

    async fn all_of_a_person_are_no_larger_than_their_quota(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let limits = "disk_gib=50".parse().unwrap();
        store.put_quota(&Quota { scope: QuotaScope::Everyone, limits }).await.unwrap();
        let made = at_once(4, |n| {
            let (store, new) = (store.clone(), disk(ada, &format!("disk{n}")));
            async move { store.make_personal_disk(&new).await }
        })
        .await;
        assert_eq!(made.iter().filter(|one| one.is_ok()).count(), 2, "{made:?}");
        let Some(Err(StoreError::OverQuota(over))) = made.iter().find(|one| one.is_err()) else { panic!("{made:?}") };
        assert_eq!((over.kind, over.most, over.held, over.asked), (QuotaKind::DiskGib, 50, 40, 20));
        let first = store.personal_disks_of(ada).await.unwrap().remove(0);
        assert_eq!(store.make_personal_disk(&first).await.unwrap(), first, "it is there already");
        let grown = store.grow_personal_disk(first.id, 31).await;
        assert!(matches!(grown, Err(StoreError::OverQuota(_))), "{grown:?}");
        store.grow_personal_disk(first.id, 30).await.unwrap();
        store.grow_personal_disk(first.id, 30).await.unwrap();
        store.check_more_disks(ada, 0).await.unwrap();
        assert!(store.check_more_disks(ada, 1).await.is_err());
        // Whoever has gone has no quota.
        store.delete_user(ada).await.unwrap();
        store.grow_personal_disk(first.id, 90).await.unwrap();
        assert_eq!(store.personal_disk(first.id).await.unwrap().unwrap().size_gib, 90);
        let nothing = store.grow_personal_disk(PersonalDiskId::new(), 1).await;
        assert!(matches!(nothing, Err(StoreError::Missing { .. })), "{nothing:?}");
    }

    async fn is_in_one_machine_at_a_time(store: Store) {
        let pool = stored_pool(&store).await;
        store.update_pool(&Pool { desktops_max: 10, ..pool.clone() }).await.unwrap();
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let home = store.make_personal_disk(&disk(ada, "home")).await.unwrap();
        let mut desktops = Vec::new();
        for n in 0..4 {
            let one = desktop(&format!("studio-{n}"), pool.id);
            store.create_desktop(&one).await.unwrap();
            desktops.push(one.id);
        }
        let took = at_once(4, |n| {
            let (store, by, id) = (store.clone(), DiskHolder::Desktop(desktops[n]), home.id);
            async move { store.hold_disk(id, by, NOW).await.unwrap() }
        })
        .await;
        assert_eq!(took.iter().filter(|other| other.is_none()).count(), 1, "{took:?}");
        let winner = store.disk_holder(home.id).await.unwrap().unwrap();
        assert!(took.iter().flatten().all(|other| *other == winner), "{took:?}");
        // Once more by the same is no error; a desktop has no second disk.
        assert_eq!(store.hold_disk(home.id, winner, NOW).await.unwrap(), None);
        let films = store.make_personal_disk(&disk(ada, "films")).await.unwrap();
        let second = store.hold_disk(films.id, winner, NOW).await;
        assert!(matches!(second, Err(StoreError::Taken { .. })), "{second:?}");
        // Nor does the desktop go with it, nor the disk, nor is anything done with it.
        let DiskHolder::Desktop(holder) = winner else { unreachable!("desktops held it") };
        assert_eq!(store.disk_in(holder).await.unwrap(), Some(home.clone()));
        assert!(matches!(store.delete_desktop(holder).await, Err(StoreError::InUse { .. })));
        let work = DiskHolder::Operation(OperationId::new());
        assert_eq!(store.hold_disk(home.id, work, NOW).await.unwrap(), Some(winner));
        assert!(matches!(store.delete_personal_disk(home.id, work).await, Err(StoreError::InUse { .. })));
        store.release_disk(winner).await.unwrap();
        store.release_disk(winner).await.unwrap();
        assert_eq!(store.hold_disk(home.id, work, NOW).await.unwrap(), None);
        assert_eq!(store.hold_disk(home.id, winner, NOW).await.unwrap(), Some(work));
        for _ in 0..2 {
            store.delete_personal_disk(home.id, work).await.unwrap();
        }
        assert_eq!(store.personal_disk(home.id).await.unwrap(), None);
        store.delete_desktop(holder).await.unwrap();
    }

    async fn is_given_back_by_what_says_that_it_has_ended(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let home = store.make_personal_disk(&disk(ada, "home")).await.unwrap();
        let work = Operation { state: OperationState::Running, ..operation() };
        let holder = DiskHolder::Operation(work.id);
        assert_eq!(store.hold_disk(home.id, holder, NOW).await.unwrap(), None);
        // What cannot be written down gives nothing back.
        let unknown = store.end_disk_work(work.id, |one| one.state = OperationState::Done).await;
        assert!(matches!(unknown, Err(StoreError::Missing { .. })), "{unknown:?}");
        assert_eq!(store.disk_holder(home.id).await.unwrap(), Some(holder));
        store.create_operation(&work).await.unwrap();
        store.end_disk_work(work.id, |one| one.state = OperationState::Done).await.unwrap();
        assert_eq!(store.disk_holder(home.id).await.unwrap(), None);
        assert_eq!(store.operation(work.id).await.unwrap().unwrap().state, OperationState::Done);
    }

    async fn stays_when_its_person_goes(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await.id;
        let home = store.make_personal_disk(&disk(ada, "home")).await.unwrap();
        store.delete_user(ada).await.unwrap();
        assert_eq!(store.personal_disk(home.id).await.unwrap(), Some(home));
    }

    async fn a_desktop_that_runs_without_it_starts_again_for_its_person(store: Store) {
        let pool = stored_pool(&store).await;
        let ada = stored_user(&store, "ada", Role::User).await.id;
        for (name, state, facts, stops) in [
            ("studio-1", DesktopState::Ready, DesktopFacts { personal_disk: Some("home".parse().unwrap()), ..DesktopFacts::default() }, true),
            // It is looked at when it is ready.
            ("studio-2", DesktopState::Starting, DesktopFacts { personal_disk: Some("home".parse().unwrap()), ..DesktopFacts::default() }, false),
            ("studio-3", DesktopState::Ready, DesktopFacts::default(), false),
        ] {
            let mut spare = desktop(name, pool.id);
            (spare.state, spare.facts) = (state, facts);
            store.create_desktop(&spare).await.unwrap();
            let given = store.give_seat(spare.id, ada, true, NOW).await.unwrap().unwrap();
            let wanted = if stops { (DesktopState::Stopping, DesktopIntent::Restart) } else { (state, DesktopIntent::Running) };
            assert_eq!((given.state, given.intent, given.facts.cut), (wanted.0, wanted.1, stops), "{name}");
            store.delete_desktop(spare.id).await.unwrap();
        }
    }
}
