use crate::{at_once, on_both, samples::NOW};
use oriel_model::Micros;

/// So long after the moment at which the tests play.
fn at(seconds: i64) -> Micros {
    NOW.plus_seconds(seconds)
}

on_both! {
    async fn leases_have_one_holder(store: Store) {
        let asked = at_once(4, |n| {
            let store = store.clone();
            async move { store.take_lease("world", &format!("program-{n}"), NOW, at(60)).await.unwrap() }
        })
        .await;
        assert_eq!(asked.iter().filter(|leads| **leads).count(), 1, "{asked:?}");
        let leader = asked.iter().position(|leads| *leads).unwrap();
        let (leader, other) = (format!("program-{leader}"), format!("program-{}", (leader + 1) % 4));
        let take = async |who: &str, now| store.take_lease("world", who, at(now), at(now + 60)).await.unwrap();
        assert!(take(&leader, 30).await, "a leader renews");
        assert!(take(&leader, 10).await, "what was long on its way takes nothing back");
        assert!(!take(&other, 89).await);
        assert!(take(&other, 90).await, "it has run out");
        assert!(!take(&leader, 91).await);
        store.drop_lease("world", &leader).await.unwrap();
        assert!(!take(&leader, 92).await, "only its holder lets go of it");
        store.drop_lease("world", &other).await.unwrap();
        assert!(take(&leader, 93).await);
    }
}
