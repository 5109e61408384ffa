use crate::{
    at_once, on_both,
    samples::{NOW, operation, stored_user},
};
use oriel_model::{Operation, OperationId, OperationState, Role};
use oriel_store::StoreError;

on_both! {
    async fn come_back_as_they_went(store: Store) {
        let ada = stored_user(&store, "ada", Role::User).await;
        let build = Operation {
            progress: 0.25,
            step: "installing packages".to_owned(),
            log: vec!["one".to_owned(), "zwei ✓".to_owned()],
            error: Some("no space".to_owned()),
            result: Some("an id".to_owned()),
            cancel_requested: true,
            by: Some(ada.id),
            ..operation()
        };
        store.create_operation(&build).await.unwrap();
        assert_eq!(store.operation(build.id).await.unwrap(), Some(build.clone()));
        assert_eq!(store.operation(OperationId::new()).await.unwrap(), None);
        // What a person did stays when the person goes.
        store.delete_user(ada.id).await.unwrap();
        assert_eq!(store.operation(build.id).await.unwrap(), Some(Operation { by: None, ..build }));
    }

    async fn are_listed_newest_first(store: Store) {
        let mut ids = Vec::new();
        for n in 0..5 {
            let one = Operation { created: NOW.plus_seconds(n), ..operation() };
            store.create_operation(&one).await.unwrap();
            ids.insert(0, one.id);
        }
        let listed: Vec<_> = store.operations(3).await.unwrap().into_iter().map(|one| one.id).collect();
        assert_eq!(listed, ids[..3]);
    }

    async fn many_writers_lose_no_line(store: Store) {
        let build = operation();
        store.create_operation(&build).await.unwrap();
        at_once(50, |n| {
            let (store, id) = (store.clone(), build.id);
            async move { store.modify_operation(id, |one| one.log.push(format!("line {n}"))).await.unwrap() }
        })
        .await;
        let mut log = store.operation(build.id).await.unwrap().unwrap().log;
        log.sort();
        log.dedup();
        assert_eq!(log.len(), 50);
        assert!(matches!(store.modify_operation(OperationId::new(), |_| ()).await, Err(StoreError::Missing { .. })));
    }

    async fn logs_are_bounded(store: Store) {
        let build = operation();
        store.create_operation(&build).await.unwrap();
        let after = store
            .modify_operation(build.id, |one| {
                one.log = (0..1000).map(|n| format!("{n} {}", "ä".repeat(1000))).collect();
            })
            .await
            .unwrap();
        assert_eq!(after.log.len(), Operation::LOG_LINES_MAX);
        assert!(after.log[0].starts_with("800 "));
        assert!(after.log.iter().all(|line| line.chars().count() == Operation::LOG_CHARS_MAX));
        assert_eq!(store.operation(build.id).await.unwrap(), Some(after));
    }

    async fn running_ones_are_queued_again(store: Store) {
        let states = [OperationState::Running, OperationState::Done, OperationState::Running, OperationState::Cancelled];
        let mut ids = Vec::new();
        for state in states {
            let one = Operation { state, ..operation() };
            store.create_operation(&one).await.unwrap();
            ids.push(one.id);
        }
        assert_eq!(store.requeue_running().await.unwrap(), 2);
        assert_eq!(store.requeue_running().await.unwrap(), 0);
        let mut after = Vec::new();
        for id in ids {
            after.push(store.operation(id).await.unwrap().unwrap().state);
        }
        use OperationState::{Cancelled, Done, Queued};
        assert_eq!(after, [Queued, Done, Queued, Cancelled]);
    }
}
