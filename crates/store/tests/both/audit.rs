use crate::{at_once, on_both, samples::NOW};
use oriel_model::{AuditDeed, AuditEntry, AuditQuery, UserId};

fn deed(name: &str, action: &str, target: &str, outcome: u16) -> AuditDeed {
    AuditDeed {
        actor: Some(UserId::new()),
        actor_name: name.into(),
        via: "browser".into(),
        action: action.into(),
        target: target.into(),
        address: "192.0.2.7".into(),
        outcome,
        code: String::new(),
    }
}

fn hash(text: &str) -> String {
    format!("hash of {} bytes", text.len())
}

on_both! {
    async fn rows_follow_one_another(store: Store) {
        assert_eq!(store.audit_head().await.unwrap(), (0, String::new()));
        let first = store.append_audit(NOW, deed("Ada", "change_pool", "/pools/studio", 200), hash).await.unwrap();
        assert_eq!((first.seq, first.previous.as_str()), (1, ""));
        assert_eq!(first.hash, hash(&AuditEntry::text(1, NOW, &first.what, "")));
        let second = store.append_audit(NOW.plus_seconds(1), deed("bob", "delete_user", "/users/ada", 403), hash).await.unwrap();
        assert_eq!((second.seq, &second.previous), (2, &first.hash));
        assert_eq!(store.audit_head().await.unwrap(), (2, second.hash.clone()));
        assert_eq!(store.audit(&AuditQuery::default(), 10).await.unwrap(), [second.clone(), first.clone()]);
        assert_eq!(store.audit_from(1, 10).await.unwrap(), [first.clone(), second.clone()]);
        assert_eq!(store.audit_from(2, 10).await.unwrap(), std::slice::from_ref(&second));
        let found = async |query: AuditQuery| store.audit(&query, 10).await.unwrap();
        assert_eq!(found(AuditQuery { actor: Some("ADA".into()), ..Default::default() }).await, std::slice::from_ref(&first));
        assert_eq!(found(AuditQuery { action: Some("delete_user".into()), ..Default::default() }).await, std::slice::from_ref(&second));
        assert_eq!(found(AuditQuery { target: Some("studio".into()), ..Default::default() }).await, std::slice::from_ref(&first));
        assert_eq!(found(AuditQuery { refused: Some(true), ..Default::default() }).await, std::slice::from_ref(&second));
        assert_eq!(found(AuditQuery { refused: Some(false), ..Default::default() }).await, std::slice::from_ref(&first));
        assert_eq!(found(AuditQuery { from: Some(second.at), ..Default::default() }).await, std::slice::from_ref(&second));
        assert_eq!(found(AuditQuery { until: Some(second.at), ..Default::default() }).await, std::slice::from_ref(&first));
        assert_eq!(found(AuditQuery { before: Some(2), ..Default::default() }).await, [first]);
        assert_eq!(store.audit(&AuditQuery::default(), 1).await.unwrap(), [second]);
    }

    async fn those_who_write_at_once_take_turns(store: Store) {
        let said = at_once(20, |n| {
            let store = store.clone();
            async move { store.append_audit(NOW, deed("ada", "change_pool", &n.to_string(), 200), hash).await }
        })
        .await;
        assert!(said.iter().all(Result::is_ok), "{said:?}");
        let rows = store.audit_from(1, 100).await.unwrap();
        let mut previous = String::new();
        for (row, seq) in rows.iter().zip(1..) {
            assert_eq!((row.seq, &row.previous), (seq, &previous));
            previous.clone_from(&row.hash);
        }
        assert_eq!((rows.len(), store.audit_head().await.unwrap()), (20, (20, previous)));
    }
}
