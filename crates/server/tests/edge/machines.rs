//! Machines that Oriel does not run, through the API.

use crate::house::{Browser, House};
use axum::http::{Method, StatusCode};
use oriel_model::Role;
use serde_json::{Value, json};

async fn ask(house: &House, who: &Browser, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let reply = house.browse(Some(who), &method, &format!("/api/v1{path}"), body).await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn admins_enter_change_and_remove_them() {
    let house = House::new().await;
    let root = house.sign_in(&house.user("root", Role::Admin).await).await;
    let call = async |method, path: &str, body| ask(&house, &root, method, path, body).await;
    let (status, pool) =
        call(Method::POST, "/pools", Some(json!({"name": "office", "kind": "external", "keyboard": "de"}))).await;
    assert_eq!(
        (status, &pool["kind"], &pool["image"]),
        (StatusCode::CREATED, &json!("external"), &json!(null)),
        "{pool:#}"
    );
    let (status, problem) =
        call(Method::POST, "/pools", Some(json!({"name": "x", "kind": "external", "vcpus": 2}))).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_REQUEST, Some("bad_request")));
    let (status, _) = call(Method::POST, "/pools", Some(json!({"name": "x"}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    let new = json!({
        "name": "desk", "protocol": "rdp", "host": "desk.invalid", "user": "anna", "password": "geheim",
        "parameters": {"domain": "CORP", "keyboard": "ch(fr)", "timeout_seconds": 5},
    });
    let (status, made) = call(Method::POST, "/pools/office/machines", Some(new.clone())).await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    assert_eq!((&made["port"], &made["has_password"], &made["identity"]), (&json!(3389), &json!(true), &json!(null)));
    assert_eq!((&made["state"], &made["parameters"]["domain"]), (&json!("unreachable"), &json!("CORP")));
    assert!(!made.to_string().contains("geheim"));
    let (status, again) = call(Method::POST, "/pools/office/machines", Some(new)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{again:#}");
    let (_, list) = call(Method::GET, "/pools/office/machines", None).await;
    assert_eq!(list["machines"].as_array().unwrap().len(), 1);

    for (body, code) in [
        (json!({"name": "a", "protocol": "vnc", "host": "10.0.0.1"}), "address_not_allowed"),
        (json!({"name": "a", "protocol": "vnc", "host": "http://a"}), "bad_machine"),
        (json!({"name": "a", "protocol": "vnc", "host": "a", "parameters": {"command": "x"}}), "bad_machine"),
        (json!({"name": "a", "protocol": "vnc", "host": "a", "parameters": {"enable_audio": true}}), "bad_request"),
        (json!({"name": "a", "protocol": "x2go", "host": "a"}), "bad_request"),
        (json!({"name": "A", "protocol": "vnc", "host": "a"}), "bad_name"),
    ] {
        let (_, problem) = call(Method::POST, "/pools/office/machines", Some(body)).await;
        assert_eq!(problem["code"], code, "{problem:#}");
    }

    let path = format!("/machines/{}", made["id"].as_str().unwrap());
    let (_, refused) = call(Method::PATCH, &path, Some(json!({"identity": "nonsense"}))).await;
    assert_eq!(refused["code"], "bad_machine");
    let (_, changed) =
        call(Method::PATCH, &path, Some(json!({"identity": "0a".repeat(32), "user": "", "password": ""}))).await;
    assert_eq!(changed["identity"], json!("0a".repeat(32)), "{changed:#}");
    assert_eq!((&changed["user"], &changed["has_password"]), (&json!(null), &json!(false)));
    assert_eq!(changed["parameters"]["domain"], "CORP");
    let (_, moved) =
        call(Method::PATCH, "/machines/desk", Some(json!({"host": "other.invalid", "parameters": {}}))).await;
    assert_eq!((&moved["identity"], &moved["parameters"]["domain"]), (&json!(null), &json!(null)));
    let (status, _) = call(Method::DELETE, "/machines/desk", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = call(Method::GET, &path, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn people_open_what_their_pools_allow_and_nothing_else() {
    let house = House::new().await;
    let (ada, bob) = (house.user("ada", Role::User).await, house.user("bob", Role::User).await);
    let machine = house.machine(&ada).await;
    let (of_ada, of_bob) = (house.sign_in(&ada).await, house.sign_in(&bob).await);
    let (_, list) = ask(&house, &of_ada, Method::GET, "/desktops", None).await;
    let desktop = &list["desktops"][0];
    assert_eq!((&desktop["external"], &desktop["kinds"]), (&json!("ssh"), &json!(["ssh"])), "{desktop:#}");
    // Opening it takes no address; where it is, and what signs in there, is for admins.
    for secret in ["gate.invalid", "root", "sesame"] {
        assert!(!desktop.to_string().contains(secret), "{secret}: {desktop:#}");
    }
    let (_, list) = ask(&house, &of_bob, Method::GET, "/desktops", None).await;
    assert_eq!(list["desktops"], json!([]));

    let path = format!("/desktops/{}", machine.id);
    let connect = Some(json!({"kind": "ssh"}));
    let (status, _) = ask(&house, &of_ada, Method::POST, &format!("{path}/connect"), connect.clone()).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = ask(&house, &of_bob, Method::POST, &format!("{path}/connect"), connect.clone()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let rdp = Some(json!({"kind": "rdp"}));
    let (_, problem) = ask(&house, &of_ada, Method::POST, &format!("{path}/connect"), rdp).await;
    assert_eq!(problem["code"], "no_such_door");
    for verb in ["start", "stop", "restart"] {
        let (_, problem) = ask(&house, &of_ada, Method::POST, &format!("{path}/{verb}"), None).await;
        assert_eq!(problem["code"], "external_machine", "{verb}");
    }
    let (status, _) = ask(&house, &of_ada, Method::GET, &format!("{path}/thumbnail"), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    house.broker.unentitle(machine.pool, ada.id).await.unwrap();
    let (status, _) = ask(&house, &of_ada, Method::POST, &format!("{path}/connect"), connect).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
