use crate::{on_both, samples::NOW};
use oriel_model::HistoryPoint;

on_both! {
    async fn a_minute_is_kept_for_a_day_and_every_tenth_for_a_week(store: Store) {
        let now = NOW.0 / 60_000_000 / 10 * 10;
        let day = 24 * 60;
        let point = |minute: i64, in_use: u64| HistoryPoint { minute, in_use, spares_wanted: 2, ..HistoryPoint::default() };
        for minute in [now - 9 * day, now - 3 * day, now - 3 * day + 1, now - day, now - day + 1, now] {
            store.note_history(&point(minute, 3)).await.unwrap();
        }
        // Of two programs that say the same minute the first is right.
        store.note_history(&point(now, 9)).await.unwrap();
        let minutes: Vec<i64> = store.history(0).await.unwrap().iter().map(|point| point.minute).collect();
        assert_eq!(minutes, [now - 3 * day, now - day, now - day + 1, now]);
        assert_eq!(store.history(now).await.unwrap(), [point(now, 3)]);
    }
}
