use crate::{on_both, samples::NOW};
use oriel_model::{
    ConnectionId, DesktopId, GuestPort, Micros, PoolId, Recording, RecordingCursor, RecordingFilter, RecordingId,
    RecordingState, UserId,
};
use oriel_store::StoreError;

fn recording(started: i64) -> Recording {
    Recording {
        id: RecordingId::new(),
        connection: ConnectionId::new(),
        desktop: DesktopId::new(),
        desktop_name: "studio-1".into(),
        user: UserId::new(),
        user_name: "ada".into(),
        pool: PoolId::new(),
        pool_name: "studio".into(),
        port: GuestPort::Ssh,
        state: RecordingState::Recording,
        started: Micros(NOW.0 + started),
        ended: None,
        bytes: 0,
        duration_ms: 0,
        bucket: None,
        moved_bytes: 0,
    }
}

on_both! {
    async fn recordings_grow_end_once_and_go(store: Store) {
        let (old, new) = (recording(0), recording(1));
        store.create_recording(&old, "sealed").await.unwrap();
        store.create_recording(&new, "sealed too").await.unwrap();
        assert_eq!(store.recordings(&RecordingFilter::default(), None, 9).await.unwrap(), [new.clone(), old.clone()]);
        assert_eq!(store.recordings(&RecordingFilter::default(), None, 1).await.unwrap(), std::slice::from_ref(&new));
        assert_eq!(store.recording_key(old.id).await.unwrap().as_deref(), Some("sealed"));
        assert!(store.recording_grew(old.id, 10, 2_000).await.unwrap());
        assert!(store.end_recording(old.id, RecordingState::Ended, NOW, 12, 2_500).await.unwrap());
        // What has ended stays as it ended.
        assert!(!store.recording_grew(old.id, 99, 99).await.unwrap());
        assert!(!store.end_recording(old.id, RecordingState::Cut, NOW, 0, 0).await.unwrap());
        let ended = Recording {
            state: RecordingState::Ended, ended: Some(NOW), bytes: 12, duration_ms: 2_500, ..old.clone()
        };
        assert_eq!(store.recording(old.id).await.unwrap(), Some(ended));
        // Whoever writes one says so again and again; what has ended needs nobody.
        assert_eq!(store.running_recordings().await.unwrap(), [(new.clone(), 0)]);
        store.beat_recordings(&[new.id, old.id]).await.unwrap();
        store.beat_recordings(&[new.id]).await.unwrap();
        store.beat_recordings(&[]).await.unwrap();
        assert_eq!(store.running_recordings().await.unwrap(), [(new.clone(), 2)]);
        // What has been kept for long enough is found; what is being written never is.
        assert_eq!(store.recordings_ended_before(NOW, 9).await.unwrap(), []);
        let found = store.recordings_ended_before(Micros(NOW.0 + 1), 9).await.unwrap();
        assert_eq!(found.iter().map(|found| found.id).collect::<Vec<_>>(), [old.id]);
        assert_eq!(store.recordings_ended_before(Micros(NOW.0 + 1), 0).await.unwrap(), []);
        // It goes to a bucket, once.
        assert!(store.recording_moving(old.id, 5).await.unwrap());
        assert_eq!(store.recording(old.id).await.unwrap().unwrap().moved_bytes, 5);
        assert!(store.recording_moved(old.id, "s3://one", 13, 2_600).await.unwrap());
        assert!(!store.recording_moved(old.id, "s3://two", 1, 1).await.unwrap());
        let moved = store.recording(old.id).await.unwrap().unwrap();
        assert_eq!((moved.bucket.as_deref(), moved.bytes, moved.moved_bytes), (Some("s3://one"), 13, 13));
        store.delete_recording(old.id).await.unwrap();
        assert!(!store.recording_moving(old.id, 5).await.unwrap());
        assert!(matches!(store.delete_recording(old.id).await, Err(StoreError::Missing { what: "recording", .. })));
        assert_eq!(store.recording(old.id).await.unwrap(), None);
    }

    async fn recordings_are_paged_and_looked_for(store: Store) {
        let mut all = Vec::new();
        for at in 0..25 {
            // Several begin in the same moment.
            let mut one = recording(at / 3 * 1_000_000);
            if at % 5 == 0 {
                one.user_name = "Bob_the 100%".into();
            }
            if at % 7 == 0 {
                one.pool_name = "Zürich".into();
            }
            store.create_recording(&one, "sealed").await.unwrap();
            all.push(one);
        }
        all.sort_by_key(|of| std::cmp::Reverse((of.started, of.id.to_string())));
        let mut found = Vec::new();
        let (none, mut after) = (RecordingFilter::default(), None);
        loop {
            let page = store.recordings(&none, after, 4).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(RecordingCursor { started: last.started, id: last.id });
            assert_eq!(after.unwrap().to_string().parse::<RecordingCursor>().unwrap(), after.unwrap());
            found.extend(page);
        }
        assert_eq!(found, all);
        let count = async |filter: RecordingFilter| store.recordings(&filter, None, 99).await.unwrap().len();
        let text = |text: &str| RecordingFilter { text: Some(text.into()), ..RecordingFilter::default() };
        for (part, want) in [("bob", 5), ("100%", 5), ("b_t", 5), ("1_0", 0), ("%", 5), ("Zürich", 4), ("STUDIO", 25), ("\\", 0)] {
            assert_eq!(count(text(part)).await, want, "{part}");
        }
        let user = |user: &str| RecordingFilter { user: Some(user.into()), ..RecordingFilter::default() };
        assert_eq!((count(user("ada")).await, count(user("ad")).await), (20, 0));
        assert_eq!(count(user(&all[0].user.to_string())).await, 1);
        let desktop = |desktop: &str| RecordingFilter { desktop: Some(desktop.into()), ..RecordingFilter::default() };
        assert_eq!((count(desktop("studio-1")).await, count(desktop(&all[3].desktop.to_string())).await), (25, 1));
        let (since, until) = (Some(Micros(NOW.0 + 1_000_000)), Some(Micros(NOW.0 + 3_000_000)));
        assert_eq!(count(RecordingFilter { since, until, ..RecordingFilter::default() }).await, 6);
    }
}
