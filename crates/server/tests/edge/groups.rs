//! Groups: who is in them, what they open, and what they say of connections.

use crate::house::{House, Reply};
use axum::http::{Method, StatusCode};
use oriel_broker::{Open, OpenAs, Sessions};
use oriel_model::{DesktopId, Role, UserId};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Hears whose connections are ended, of those that it says are open.
#[derive(Default)]
struct Ended(Mutex<Vec<(UserId, DesktopId)>>, Mutex<Vec<Open>>);

impl Ended {
    fn opens(&self, user: UserId, desktop: DesktopId, what: OpenAs) {
        self.1.lock().unwrap().push(Open { user, desktop, what });
    }
    fn take(&self) -> Vec<(UserId, DesktopId)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[async_trait::async_trait]
impl Sessions for Ended {
    fn connections_to(&self, _: DesktopId) -> usize {
        0
    }
    fn connected(&self) -> Vec<DesktopId> {
        Vec::new()
    }
    async fn thumbnail(&self, _: DesktopId, _: u16) -> Option<Vec<u8>> {
        None
    }
    fn prelaunch(&self, _: UserId, _: DesktopId) {}
    async fn end_desktop(&self, _: DesktopId, _: &str) {}
    async fn end_user(&self, _: UserId, _: &str) {}
    fn open(&self) -> Vec<Open> {
        self.1.lock().unwrap().clone()
    }
    async fn end_of(&self, user: UserId, desktop: DesktopId, _: &str) {
        self.0.lock().unwrap().push((user, desktop));
    }
}

#[tokio::test]
async fn a_group_opens_pools_to_its_members() {
    let house = House::new().await;
    let ended = Arc::new(Ended::default());
    house.broker.set_sessions(ended.clone());
    let (root, ada, bob) = (
        house.user("root", Role::Admin).await,
        house.user("ada", Role::User).await,
        house.user("bob", Role::User).await,
    );
    let machine = house.machine(&ada).await;
    for user in [&root, &ada, &bob] {
        ended.opens(user.id, machine.id, OpenAs::Connection(None));
        ended.opens(user.id, machine.id, OpenAs::Files);
    }
    let (of_root, of_bob) = (house.sign_in(&root).await, house.sign_in(&bob).await);
    let ask = async |method: Method, path: &str, body: Option<Value>| -> Reply {
        house.browse(Some(&of_root), &method, &format!("/api/v1{path}"), body).await
    };
    let sees = async || house.browse(Some(&of_bob), &Method::GET, "/api/v1/desktops/gate", None).await.status;

    let made = ask(Method::POST, "/groups", Some(json!({"name": "Help Desk", "about": "who helps"}))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    assert_eq!(ask(Method::POST, "/groups", Some(json!({"name": "HELP DESK"}))).await.code(), "name_taken");
    assert_eq!(ask(Method::POST, "/groups", Some(json!({"name": "a/b"}))).await.code(), "bad_group");
    // A directory may call a group by an id of its own.
    for name in ["5f2c1c52-7a0f-4a8e-9a53-0d7cf1e8b7aa", "5f2c1c527a0f4a8e9a530d7cf1e8b7ab"] {
        assert_eq!(ask(Method::POST, "/groups", Some(json!({"name": name}))).await.status, StatusCode::CREATED);
        let path = format!("/groups/{name}");
        assert_eq!(ask(Method::GET, &path, None).await.json()["name"], name);
        assert_eq!(ask(Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(sees().await, StatusCode::NOT_FOUND);
    for path in ["/groups/help%20desk/members/bob", "/pools/office/groups/Help%20Desk"] {
        assert_eq!(ask(Method::PUT, path, None).await.status, StatusCode::NO_CONTENT, "{path}");
    }
    assert_eq!(sees().await, StatusCode::OK);
    let shown = ask(Method::GET, "/groups/help%20desk", None).await.json();
    assert_eq!((&shown["members"][0]["name"], &shown["pools"][0]["name"]), (&json!("bob"), &json!("office")));
    assert_eq!(ask(Method::GET, "/groups", None).await.json()["groups"], json!([shown]));
    let pool = ask(Method::GET, "/pools/office", None).await.json();
    assert_eq!((&pool["users"][0]["name"], &pool["groups"][0]["name"]), (&json!("ada"), &json!("Help Desk")));
    let users = ask(Method::GET, "/users", None).await.json();
    let bobs = users["users"].as_array().unwrap().iter().find(|user| user["name"] == "bob").unwrap().clone();
    assert_eq!(bobs["groups"][0]["name"], "Help Desk");

    // Whoever leaves loses what only the group gave, at once.
    assert!(ended.0.lock().unwrap().is_empty());
    assert_eq!(ask(Method::DELETE, "/groups/help%20desk/members/bob", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(sees().await, StatusCode::NOT_FOUND);
    assert_eq!(ended.take(), [(bob.id, machine.id)]);
    // Ada has it from the pool itself: the group's end is not hers.
    ask(Method::PUT, "/groups/help%20desk/members/ada", None).await;
    ask(Method::PUT, "/groups/help%20desk/members/bob", None).await;
    assert_eq!(ask(Method::DELETE, "/pools/office/groups/help%20desk", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ended.take(), [(bob.id, machine.id)]);
    ask(Method::PUT, "/pools/office/groups/help%20desk", None).await;
    assert_eq!(ask(Method::DELETE, "/groups/help%20desk", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ended.take(), [(bob.id, machine.id)]);
    assert_eq!(ask(Method::GET, "/groups/help%20desk", None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_role_that_is_taken_away_takes_others_desktops_along() {
    let house = House::new().await;
    let ended = Arc::new(Ended::default());
    house.broker.set_sessions(ended.clone());
    let (root, eve, ada) = (
        house.user("root", Role::Admin).await,
        house.user("eve", Role::Admin).await,
        house.user("ada", Role::User).await,
    );
    let (hers, eves, machine) = (house.desktop(&ada).await, house.desktop(&eve).await, house.machine(&ada).await);
    for desktop in [&hers, &eves, &machine] {
        ended.opens(eve.id, desktop.id, OpenAs::Connection(None));
        // Guests come by invitation, whatever their role.
        ended.opens(ada.id, desktop.id, OpenAs::Guest);
    }
    let of_root = house.sign_in(&root).await;
    let change = async |body: Value| {
        let reply = house.browse(Some(&of_root), &Method::PATCH, "/api/v1/users/eve", Some(body)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.json());
    };
    change(json!({"role": "pool_admin", "pools": ["studio"]})).await;
    assert_eq!(ended.take(), [(eve.id, machine.id)]);
    change(json!({"role": "user"})).await;
    let over = ended.take();
    assert!(over.contains(&(eve.id, hers.id)) && !over.contains(&(eve.id, eves.id)), "what she owns stays hers");
}

#[tokio::test]
async fn a_group_says_what_its_members_may_do() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let desktop = house.desktop(&ada).await;
    let of_root = house.sign_in(&root).await;
    let ask = async |method: Method, path: &str, body: Value| -> Reply {
        house.browse(Some(&of_root), &method, &format!("/api/v1{path}"), Some(body)).await
    };
    let holds = async |user: UserId| house.broker.session_policy(user, desktop.id).await.unwrap().to_string();
    let pool = json!({"policy": {"clipboard": {"to_person": false}, "idle_lock_minutes": 10}});
    assert_eq!(ask(Method::PATCH, "/pools/studio", pool).await.status, StatusCode::OK);
    for (name, policy) in [
        ("loose", json!({"clipboard_to_person": true, "idle_lock_minutes": 0, "sharing": "control"})),
        ("strict", json!({"sharing": "view", "watermark": true, "session_minutes_max": 60})),
    ] {
        let made = ask(Method::POST, "/groups", json!({"name": name, "policy": policy})).await;
        assert_eq!((made.status, &made.json()["policy"]), (StatusCode::CREATED, &policy), "{}", made.json());
        house.broker.add_member(house.broker.find_group(name).await.unwrap().id, ada.id).await.unwrap();
    }
    assert_eq!(holds(ada.id).await, "sharing=view,watermark,session=60");
    // Others of the same pool are under its own rules.
    assert_eq!(holds(root.id).await, "clipboard=to_machine,idle_lock=10");
    let changed = ask(Method::PATCH, "/groups/strict", json!({"policy": {"files": "off"}})).await;
    assert_eq!(changed.status, StatusCode::BAD_REQUEST);
    let changed = ask(Method::PATCH, "/groups/strict", json!({"policy": {"clipboard_kib_max": 0}})).await;
    assert_eq!((changed.status, changed.code()), (StatusCode::BAD_REQUEST, "bad_group".into()));
    let changed = ask(Method::PATCH, "/groups/strict", json!({"policy": {}, "about": "as pools say"})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.json());
    assert_eq!(holds(ada.id).await, "sharing=control");
}

#[tokio::test]
async fn stricter_rules_end_what_is_under_looser_ones() {
    let house = House::new().await;
    let (root, ada, bob) = (
        house.user("root", Role::Admin).await,
        house.user("ada", Role::User).await,
        house.user("bob", Role::User).await,
    );
    let (adas, bobs) = (house.desktop(&ada).await, house.desktop(&bob).await);
    let ended = Arc::new(Ended::default());
    house.broker.set_sessions(ended.clone());
    let usual = house.broker.session_policy(ada.id, adas.id).await.unwrap();
    for (user, desktop) in [(&ada, &adas), (&bob, &bobs)] {
        ended.opens(user.id, desktop.id, OpenAs::Connection(Some(usual.clone())));
        ended.opens(user.id, desktop.id, OpenAs::Files);
        ended.opens(user.id, desktop.id, OpenAs::Guest);
    }
    let of_root = house.sign_in(&root).await;
    let ask = async |method: Method, path: &str, body: Option<Value>| -> Vec<(UserId, DesktopId)> {
        let reply = house.browse(Some(&of_root), &method, &format!("/api/v1{path}"), body).await;
        assert!(reply.status.is_success(), "{}", reply.json());
        ended.take()
    };
    for (name, policy) in [
        ("plain", json!({})),
        ("loose", json!({"sharing": "control", "shadowing": "off"})),
        ("strict", json!({"clipboard_to_person": false})),
    ] {
        ask(Method::POST, "/groups", Some(json!({"name": name, "policy": policy}))).await;
    }
    for name in ["plain", "loose"] {
        assert_eq!(ask(Method::PUT, &format!("/groups/{name}/members/ada"), None).await, [], "{name}");
    }
    assert_eq!(ask(Method::PUT, "/groups/strict/members/ada", None).await, [(ada.id, adas.id)]);
    let about = Some(json!({"about": "other words"}));
    assert_eq!(ask(Method::PATCH, "/groups/strict", about).await, []);
    let policy = Some(json!({"policy": {"watermark": true}}));
    assert_eq!(ask(Method::PATCH, "/groups/strict", policy).await, [(ada.id, adas.id)]);
    // She is not under its rules any more, and her connection is under none that are looser.
    assert_eq!(ask(Method::DELETE, "/groups/strict/members/ada", None).await, []);
    // What only a loose group allowed goes with it.
    ended.1.lock().unwrap().clear();
    let shares = house.broker.session_policy(ada.id, adas.id).await.unwrap();
    ended.opens(ada.id, adas.id, OpenAs::Connection(Some(shares)));
    assert_eq!(ask(Method::DELETE, "/groups/loose", None).await, [(ada.id, adas.id)]);
}
