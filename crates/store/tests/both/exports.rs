use crate::{on_both, samples::NOW};
use oriel_model::{Export, ExportFormat, Micros, OperationId, RecordingId};

on_both! {
    async fn exports_are_kept_with_their_key_and_go(store: Store) {
        let recording = RecordingId::new();
        let one = |since: i64| Export {
            id: OperationId::new(),
            recording,
            format: ExportFormat::Webm,
            skip_idle: true,
            ready: false,
            bytes: 0,
            since: Micros(NOW.0 + since),
        };
        let (old, new) = (one(0), one(1));
        store.create_export(&old).await.unwrap();
        store.create_export(&new).await.unwrap();
        assert_eq!(store.exports(recording).await.unwrap(), [new.clone(), old.clone()]);
        assert_eq!(store.exports(RecordingId::new()).await.unwrap(), []);
        assert_eq!(store.export_key(old.id).await.unwrap(), None);
        assert!(store.begin_export(old.id, "sealed").await.unwrap());
        assert!(store.finish_export(old.id, 77, Micros(NOW.0 + 2)).await.unwrap());
        let done = Export { ready: true, bytes: 77, since: Micros(NOW.0 + 2), ..old.clone() };
        assert_eq!(store.export(old.id).await.unwrap(), Some(done));
        // Begun anew, what was there is nothing any more.
        assert!(store.begin_export(old.id, "sealed anew").await.unwrap());
        assert!(!store.export(old.id).await.unwrap().unwrap().ready);
        assert_eq!(store.export_key(old.id).await.unwrap().as_deref(), Some("sealed anew"));
        let before = store.exports_before(Micros(NOW.0 + 2), 9).await.unwrap();
        assert_eq!(before.iter().map(|export| export.id).collect::<Vec<_>>(), [new.id]);
        store.delete_export(old.id).await.unwrap();
        store.delete_export(old.id).await.unwrap();
        // Whoever still makes it hears that nobody wants it.
        assert!(!store.begin_export(old.id, "sealed").await.unwrap());
        assert!(!store.finish_export(old.id, 1, NOW).await.unwrap());
    }
}
