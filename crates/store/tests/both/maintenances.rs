use crate::{
    at_once, on_both,
    samples::{NOW, stored_desktop},
};
use oriel_model::{CloudId, DesktopState, Maintenance, MaintenanceOf};

fn of(place: MaintenanceOf) -> Maintenance {
    Maintenance { of: place, reason: "new memory".to_owned(), since: NOW, deadline: None, force: false }
}

on_both! {
    async fn are_said_and_said_again(store: Store) {
        let first = store.put_maintenance(&of(MaintenanceOf::Host)).await.unwrap();
        let wanted = Maintenance { reason: String::new(), deadline: Some(NOW), force: true, ..of(MaintenanceOf::Host) };
        let again = store.put_maintenance(&wanted).await.unwrap();
        assert_eq!(again, Maintenance { since: first.since, ..wanted }, "it holds since the first time");
        let cloud = store.put_maintenance(&of(MaintenanceOf::Cloud(CloudId::new()))).await.unwrap();
        assert_eq!(store.maintenances().await.unwrap(), [cloud, again.clone()]);
        assert_eq!(store.maintenance(MaintenanceOf::Host).await.unwrap(), Some(again));
        assert!(store.end_maintenance(MaintenanceOf::Host).await.unwrap());
        assert!(!store.end_maintenance(MaintenanceOf::Host).await.unwrap(), "twice is no harm");
        assert_eq!(store.maintenance(MaintenanceOf::Host).await.unwrap(), None);
    }

    async fn nothing_starts_after_it_was_said(store: Store) {
        let desktop = stored_desktop(&store).await;
        let start = |place| {
            let (store, id) = (store.clone(), desktop.id);
            async move {
                let starts = |row: &mut oriel_model::Desktop, open| {
                    if open {
                        row.state = DesktopState::Starting;
                        row.facts.prepared = Some(row.changed);
                    }
                };
                store.start_desktop(id, place, starts).await.unwrap()
            }
        };
        let elsewhere = MaintenanceOf::Cloud(CloudId::new());
        // Both at once: it starts before that is said, or not at all.
        let asked = at_once(2, |n| {
            let (store, start) = (store.clone(), start(MaintenanceOf::Host));
            async move {
                if n == 0 {
                    start.await;
                } else {
                    store.put_maintenance(&of(MaintenanceOf::Host)).await.unwrap();
                }
            }
        });
        asked.await;
        let was = store.desktop(desktop.id).await.unwrap().unwrap();
        assert_eq!(start(MaintenanceOf::Host).await, was, "from then on nothing changes");
        assert_eq!(start(elsewhere).await.state, DesktopState::Starting, "another place takes it");
        store.modify_desktop(desktop.id, |row| row.state = DesktopState::Stopped).await.unwrap();
        let within = |row: &mut oriel_model::Desktop, open| {
            if open {
                row.state = DesktopState::Starting;
            }
        };
        let kept = store.start_desktop_within_quota(desktop.id, MaintenanceOf::Host, within).await.unwrap();
        assert_eq!(kept.state, DesktopState::Stopped);
        store.end_maintenance(MaintenanceOf::Host).await.unwrap();
        let open = store.start_desktop_within_quota(desktop.id, MaintenanceOf::Host, within).await.unwrap();
        assert_eq!(open.state, DesktopState::Starting);
    }
}
