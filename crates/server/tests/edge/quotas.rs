//! Quotas: set, shown, and said when something is refused.

use crate::house::{House, Reply};
use axum::http::{Method, StatusCode};
use oriel_model::Role;
use serde_json::{Value, json};

#[tokio::test]
async fn quotas_are_set_shown_and_cleared() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let hers = house.desktop(&ada).await;
    let (of_root, of_ada) = (house.sign_in(&root).await, house.sign_in(&ada).await);
    let ask = async |method: Method, path: &str, body: Option<Value>| -> Reply {
        house.browse(Some(&of_root), &method, &format!("/api/v1{path}"), body).await
    };
    let one = |kind: &str, most: Value| json!({"limits": [{"kind": kind, "most": most}]});

    assert_eq!(ask(Method::GET, "/quotas", None).await.json(), json!({"quotas": []}));
    let set = ask(Method::PUT, "/quotas/everyone", Some(one("desktops", json!(1)))).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.json());
    assert_eq!(set.json(), json!({"of": "everyone", "named": null, "limits": [{"kind": "desktops", "most": 1}]}));
    ask(Method::POST, "/groups", Some(json!({"name": "artists"}))).await;
    ask(Method::PUT, "/groups/artists/members/ada", None).await;
    assert_eq!(ask(Method::PUT, "/groups/artists/quota", Some(one("gpus", json!(0)))).await.status, StatusCode::OK);
    assert_eq!(ask(Method::PUT, "/users/ada/quota", Some(one("sessions", Value::Null))).await.status, StatusCode::OK);
    assert_eq!(ask(Method::PUT, "/pools/studio/quota", Some(one("per_person", json!(3)))).await.status, StatusCode::OK);
    let list = ask(Method::GET, "/quotas", None).await.json();
    let names: Vec<&str> =
        list["quotas"].as_array().unwrap().iter().map(|one| one["named"]["name"].as_str().unwrap_or("-")).collect();
    assert_eq!(names, ["-", "artists", "ada", "studio"]);

    // What somebody has, to an administrator and to them.
    let shown = ask(Method::GET, "/users/ada/quota", None).await.json();
    let of = |kind: &str| shown["uses"].as_array().unwrap().iter().find(|used| used["kind"] == kind).unwrap().clone();
    assert_eq!(of("desktops"), json!({"kind": "desktops", "held": 1, "most": 1, "by": "everyone", "group": null}));
    assert_eq!((&of("gpus")["by"], &of("gpus")["group"]["name"]), (&json!("group"), &json!("artists")));
    assert_eq!((&of("sessions")["by"], &of("sessions")["most"]), (&json!("user"), &Value::Null));
    assert_eq!(of("memory")["held"], 2_u64 << 30);
    assert_eq!((&shown["pools"][0]["pool"]["name"], &shown["pools"][0]["most"]), (&json!("studio"), &json!(3)));
    let own = house.browse(Some(&of_ada), &Method::GET, "/api/v1/me/quota", None).await;
    assert_eq!(own.json(), shown);

    // Wrong ones say what is wrong.
    let wrong = ask(Method::PUT, "/quotas/everyone", Some(one("per_person", json!(1)))).await;
    assert_eq!((wrong.status, wrong.code()), (StatusCode::BAD_REQUEST, "bad_quota".into()));
    assert_eq!(ask(Method::PUT, "/pools/studio/quota", Some(one("cpus", json!(1)))).await.code(), "bad_quota");
    assert_eq!(ask(Method::PUT, "/users/ada/quota", Some(json!({"limits": []}))).await.code(), "bad_quota");
    let untold = ask(Method::PUT, "/users/ada/quota", Some(json!({"limits": [{"kind": "cpus"}]}))).await;
    assert!(untold.status.is_client_error(), "{}", untold.json());
    let twice = json!({"limits": [{"kind": "cpus", "most": 1}, {"kind": "cpus", "most": 2}]});
    assert_eq!(ask(Method::PUT, "/users/ada/quota", Some(twice)).await.code(), "bad_request");
    assert_eq!(ask(Method::PUT, "/users/nobody/quota", Some(one("cpus", json!(1)))).await.code(), "not_found");

    // An administrator hears whose limit it is.
    let refused = ask(Method::POST, "/desktops", Some(json!({"pool": "studio", "owner": "ada"}))).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "over_quota".into()));
    assert_eq!(refused.json()["detail"], format!("ada has 1 desktop ({}) and everyone's limit is 1", hers.name));
    for path in ["/quotas/everyone", "/groups/artists/quota", "/users/ada/quota", "/pools/studio/quota"] {
        assert_eq!(ask(Method::DELETE, path, None).await.status, StatusCode::NO_CONTENT, "{path}");
    }
    assert_eq!(ask(Method::GET, "/quotas", None).await.json(), json!({"quotas": []}));
    let audit = ask(Method::GET, "/audit?action=set_group_quota", None).await.json();
    assert_eq!(audit["entries"].as_array().map(Vec::len), Some(1), "{audit}");
}

#[tokio::test]
async fn who_is_refused_reads_what_to_do() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let (one, two) = (house.desktop(&ada).await, house.desktop(&ada).await);
    let (of_root, of_ada) = (house.sign_in(&root).await, house.sign_in(&ada).await);
    let limit = json!({"limits": [{"kind": "running", "most": 1}, {"kind": "sessions", "most": 1}]});
    let path = format!("/api/v1/users/{}/quota", ada.id);
    assert_eq!(house.browse(Some(&of_root), &Method::PUT, &path, Some(limit)).await.status, StatusCode::OK);
    let ask = async |desktop: &oriel_model::Desktop, verb: &str, body: Option<Value>| -> Reply {
        house.browse(Some(&of_ada), &Method::POST, &format!("/api/v1/desktops/{}/{verb}", desktop.id), body).await
    };
    // Two run already, and nothing is taken away; but one that is off stays off.
    assert_eq!(ask(&two, "stop", None).await.status, StatusCode::ACCEPTED);
    let refused = ask(&two, "start", None).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "over_quota".into()));
    let said = refused.json();
    assert_eq!(said["detail"], format!("you have 1 running desktop ({}) and your own limit is 1", one.name));
    assert_eq!(said["next_step"], format!("shut down {} first, or ask an administrator for a higher limit", one.name));
    // A session is one from its ticket on.
    let rdp = || Some(json!({"kind": "rdp"}));
    assert_eq!(ask(&one, "connect", rdp()).await.status, StatusCode::OK);
    assert_eq!(ask(&one, "connect", rdp()).await.status, StatusCode::OK, "the same once more");
    assert_eq!(ask(&one, "stop", None).await.status, StatusCode::ACCEPTED);
    assert_eq!(ask(&two, "start", None).await.status, StatusCode::ACCEPTED);
    let refused = ask(&two, "connect", rdp()).await;
    assert_eq!(refused.code(), "over_quota", "{}", refused.json());
    assert!(refused.json()["next_step"].as_str().unwrap().starts_with(&format!("close {} first", one.name)));
}
