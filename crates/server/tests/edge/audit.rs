//! The audit: who did what is told, once, and whoever changes it is found out.

use crate::house::{House, PASSWORD, Reply, Slow};
use axum::http::{Method, Request, StatusCode};
use oriel_model::Role;
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

async fn list(house: &House, of: &crate::house::Browser, query: &str) -> Vec<Value> {
    let reply = house.browse(Some(of), &Method::GET, &format!("/api/v1/audit{query}"), None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
    reply.json()["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn tells_who_did_what_from_where_and_how_it_ended() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    house.desktop(&ada).await;
    let of_auditor = house.sign_in(&house.user("eve", Role::Auditor).await).await;
    let (of_root, of_ada) = (house.sign_in(&root).await, house.sign_in(&ada).await);
    let ask = async |who: &crate::house::Browser, method: Method, path: &str, body: Option<Value>| -> Reply {
        house.browse(Some(who), &method, &format!("/api/v1{path}"), body).await
    };
    ask(&of_root, Method::PATCH, "/pools/studio", Some(json!({"vcpus": 4}))).await;
    ask(&of_ada, Method::DELETE, "/users/root", None).await;
    // Looking around is nothing to tell, but for what is refused, once.
    ask(&of_root, Method::GET, "/pools", None).await;
    for _ in 0..3 {
        ask(&of_ada, Method::GET, "/recordings", None).await;
    }
    let tried = json!({"name": "ada", "password": "a guess that is wrong"}).to_string();
    let login = Request::post("/api/v1/login").header("content-type", "application/json").body(tried.into()).unwrap();
    house.send(login).await;
    let token = ask(&of_root, Method::POST, "/tokens", Some(json!({"label": "monitor"}))).await.json();
    let by_token = Request::post("/api/v1/desktops/studio-1/stop")
        .header("authorization", format!("Bearer {}", token["token"].as_str().unwrap()));
    house.send(by_token.body(axum::body::Body::empty()).unwrap()).await;
    // A secret in the path stays out.
    ask(&of_ada, Method::POST, "/invites/geheim/connect", None).await;

    let rows = list(&house, &of_auditor, "").await;
    let told: Vec<String> = rows
        .iter()
        .rev()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} by {} ({}) from {}: {} {}",
                text("action"),
                text("target"),
                text("actor_name"),
                text("via"),
                text("address"),
                row["outcome"],
                text("code")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "login /login by eve (nobody) from 127.0.0.1: 200 ",
            "login /login by root (nobody) from 127.0.0.1: 200 ",
            "login /login by ada (nobody) from 127.0.0.1: 200 ",
            "change_pool /pools/studio by root (browser) from 127.0.0.1: 200 ",
            "delete_user /users/root by ada (browser) from 127.0.0.1: 403 admin_only",
            "list_recordings /recordings by ada (browser) from 127.0.0.1: 403 admin_only",
            "login /login by ada (nobody) from 127.0.0.1: 401 bad_credentials",
            "create_token /tokens by root (browser) from 127.0.0.1: 201 ",
            "stop_desktop /desktops/studio-1/stop by root (token monitor) from 127.0.0.1: 202 ",
            "accept_invite /invites/…/connect by ada (browser) from 127.0.0.1: 404 invite_unknown",
        ]
    );
    assert!(!rows.iter().any(|row| row.to_string().contains(PASSWORD)));
    assert_eq!(list(&house, &of_auditor, "?actor=ADA&refused=true").await.len(), 4);
    assert_eq!(list(&house, &of_auditor, "?action=change_pool&target=studio").await.len(), 1);
    assert_eq!(list(&house, &of_auditor, "?limit=3&before=5").await[0]["seq"], 4);
    assert_eq!(list(&house, &of_auditor, "?from=2100-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(ask(&of_auditor, Method::GET, "/audit?from=soon", None).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn whoever_changes_it_is_found_out() {
    let house = House::new().await;
    let of_root = house.sign_in(&house.user("root", Role::Admin).await).await;
    for name in ["a", "b", "c"] {
        let group = json!({"name": name});
        house.browse(Some(&of_root), &Method::POST, "/api/v1/groups", Some(group)).await;
    }
    let check = async |query: &str| -> Value {
        house.browse(Some(&of_root), &Method::GET, &format!("/api/v1/audit/check{query}"), None).await.json()
    };
    let sound = check("").await;
    assert_eq!((&sound["sound"], &sound["rows"]), (&json!(true), &json!(4)));
    let head = sound["head"].as_str().unwrap().to_owned();
    assert_eq!(check(&format!("?head={head}")).await["sound"], true);
    let raw = Database::connect(format!("sqlite:{}", house.database().display())).await.unwrap();
    let change = async |sql: &str| raw.execute_unprepared(sql).await.unwrap();

    change("UPDATE audit SET actor_name = 'nobody' WHERE seq = 3").await;
    let found = check("").await;
    assert_eq!(
        (&found["sound"], &found["broken_at"], &found["why"]),
        (&json!(false), &json!(3), &json!("it was changed"))
    );
    change("UPDATE audit SET actor_name = 'root' WHERE seq = 3").await;
    assert_eq!(check("").await["sound"], true);

    change("CREATE TABLE kept AS SELECT * FROM audit; DELETE FROM audit WHERE seq = 2").await;
    assert_eq!(check("").await["broken_at"], 2);
    change("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DELETE FROM audit WHERE seq = 4").await;
    assert_eq!(check("").await["broken_at"], 4, "the head knows of it");
    // Whoever takes the end away and mends the head is found out by whoever kept the head.
    change("UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit WHERE seq = 3)").await;
    assert_eq!(check("").await["sound"], true);
    let found = check(&format!("?head={head}")).await;
    assert_eq!((&found["sound"], &found["broken_at"]), (&json!(false), &json!(4)));
    let forged = check(&format!("?head=3:{}", "0".repeat(64))).await;
    assert_eq!((&forged["sound"], &forged["broken_at"]), (&json!(false), &json!(3)));
    assert_eq!(
        house.browse(Some(&of_root), &Method::GET, "/api/v1/audit/check?head=x", None).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn whoever_hangs_up_is_told_of_all_the_same() {
    let house = House::with(Arc::new(Slow)).await;
    let root = house.user("root", Role::Admin).await;
    house.machine(&root).await;
    let of_root = house.sign_in(&root).await;
    // It is dialled, which lasts.
    let asking = house.browse(Some(&of_root), &Method::GET, "/api/v1/machines/gate/identity", None);
    assert!(tokio::time::timeout(Duration::from_millis(300), asking).await.is_err());
    let told = async || list(&house, &of_root, "?action=machine_identity").await;
    for _ in 0..100 {
        if !told().await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let rows = told().await;
    assert_eq!((rows.len(), &rows[0]["outcome"], &rows[0]["code"]), (1, &json!(499), &json!("cut_off")));
    assert_eq!(rows[0]["actor_name"], "root");
}

#[tokio::test]
async fn who_only_reads_sees_no_keys_of_webhooks() {
    let house = House::new().await;
    let of_root = house.sign_in(&house.user("root", Role::Admin).await).await;
    let of_auditor = house.sign_in(&house.user("eve", Role::Auditor).await).await;
    let new = json!({"url": "https://log.example/hook?key=s3cret"});
    let made = house.browse(Some(&of_root), &Method::POST, "/api/v1/webhooks", Some(new)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    for (who, url) in [(&of_root, "https://log.example/hook?key=s3cret"), (&of_auditor, "https://log.example/hook?…")]
    {
        let list = house.browse(Some(who), &Method::GET, "/api/v1/webhooks", None).await.json();
        assert_eq!(list["webhooks"][0]["url"], url);
    }
}
