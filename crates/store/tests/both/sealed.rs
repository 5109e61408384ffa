use crate::on_both;
use oriel_model::{Micros, SealProgram, Subscription, Webhook, WebhookId};
use oriel_store::{Resealed, SealedColumn};
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use std::collections::BTreeSet;

fn webhook(url: &str) -> Webhook {
    Webhook { id: WebhookId::new(), url: url.to_owned(), subscription: Subscription::default(), created: Micros(1) }
}

on_both! {
    async fn every_sealed_column_is_known(store: Store, url: String) {
        let raw = Database::connect(if url.starts_with("postgres") { url } else { format!("sqlite:{url}") }).await.unwrap();
        let all = match raw.get_database_backend() {
            DbBackend::Sqlite => "SELECT m.name AS \"table\", p.name AS \"column\" FROM sqlite_master m \
                JOIN pragma_table_info(m.name) p WHERE m.type = 'table'",
            _ => "SELECT table_name::text AS \"table\", column_name::text AS \"column\" \
                FROM information_schema.columns WHERE table_schema = 'public'",
        };
        let rows = raw.query_all_raw(Statement::from_string(raw.get_database_backend(), all)).await.unwrap();
        let found: BTreeSet<(String, String)> = rows
            .iter()
            .map(|row| (row.try_get("", "table").unwrap(), row.try_get("", "column").unwrap()))
            .filter(|(_, column): &(String, String)| column.contains("seal") && column != "seals")
            .collect();
        let known =
            SealedColumn::ALL.iter().map(|one| (one.table().to_owned(), one.column().to_owned())).collect();
        assert_eq!(found, known, "a new sealed column is in SealedColumn::ALL, and its context in broker::secrets");
        drop(store);
    }

    async fn a_text_is_replaced_only_while_it_stands(store: Store) {
        let old = |n: u32| format!("oriel:v1:00000000000000aa:{n}");
        let mut ids = Vec::new();
        for n in 0..5 {
            let one = webhook(&format!("https://{n}.example/"));
            store.create_webhook(&one, &old(n)).await.unwrap();
            ids.push(one.id);
        }
        let counts = async || -> Vec<(String, u64)> {
            let all = store.sealed_counts(25).await.unwrap();
            assert!(all.iter().all(|one| one.column == SealedColumn::Webhook));
            all.into_iter().map(|one| (one.head, one.count)).collect()
        };
        let (was, is) = ("oriel:v1:00000000000000aa", "oriel:v1:00000000000000bb");
        assert_eq!(counts().await, [(was.to_owned(), 5)]);
        assert_eq!(store.sealed_otherwise(SealedColumn::Webhook, was, "", 10).await.unwrap(), []);
        // A batch, and what comes behind it.
        let first = store.sealed_otherwise(SealedColumn::Webhook, is, "", 3).await.unwrap();
        let rest = store.sealed_otherwise(SealedColumn::Webhook, is, &first[2].id, 3).await.unwrap();
        assert_eq!((first.len(), rest.len()), (3, 2));
        let mut sorted: Vec<String> = ids.iter().map(ToString::to_string).collect();
        sorted.sort();
        assert_eq!(first.iter().chain(&rest).map(|one| one.id.clone()).collect::<Vec<_>>(), sorted);
        let mut anew: Vec<Resealed> = first
            .iter()
            .map(|one| Resealed { id: one.id.clone(), from: one.sealed.clone(), to: format!("{is}:x") })
            .collect();
        "what stood there before somebody changed it".clone_into(&mut anew[1].from);
        assert_eq!(store.replace_sealed(SealedColumn::Webhook, &anew).await.unwrap(), 2);
        assert_eq!(counts().await, [(was.to_owned(), 3), (is.to_owned(), 2)]);
        let kept = store.webhook_secret(anew[1].id.parse().unwrap()).await.unwrap().unwrap();
        assert!(kept.starts_with(was), "{kept}");
    }

    async fn programs_say_which_keys_they_have(store: Store) {
        let said = |program: &str, seals: &str, seen| SealProgram {
            program: program.to_owned(),
            seals: seals.to_owned(),
            keys: vec![seals.to_owned(), "old".to_owned()],
            seen: Micros(seen),
        };
        for one in [said("b", "k1", 5), said("a", "k1", 7), said("b", "k2", 9)] {
            store.put_seal_program(&one).await.unwrap();
        }
        assert_eq!(store.seal_programs(Micros(0)).await.unwrap(), [said("a", "k1", 7), said("b", "k2", 9)]);
        assert_eq!(store.seal_programs(Micros(8)).await.unwrap(), [said("b", "k2", 9)]);
        store.forget_seal_programs(Micros(8)).await.unwrap();
        assert_eq!(store.seal_programs(Micros(0)).await.unwrap(), [said("b", "k2", 9)]);
    }
}
