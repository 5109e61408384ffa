//! What roles give and what tokens are kept to, for every endpoint of the API's description.

use crate::house::{Browser, House, PASSWORD, Reply};
use axum::http::{Method, Request, StatusCode};
use oriel_broker::NewUser;
use oriel_model::{Permission, PoolId, Role, TokenScope, User};
use oriel_server::access::{Access, of_request};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NOTHING: &str = "018f0000-0000-7000-8000-000000000000";

fn endpoints() -> Vec<(Method, String, Access)> {
    let document: Value = serde_json::from_str(&oriel_server::openapi_document()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let access = of_request(&method, path).unwrap();
            found.push((method, path.clone(), access));
        }
    }
    found
}

/// Ids of a pool, a desktop and a machine that are there; other ids name nothing.
fn concrete(path: &str, pool: &str, desktop: &str, machine: &str) -> String {
    let id = match path {
        path if path.contains("/pools/{id}") => pool,
        path if path.contains("/desktops/{id}") => desktop,
        path if path.contains("/machines/{id}") => machine,
        _ => NOTHING,
    };
    let path = path.replace("{id}", id).replace("{address}", "0000:41:00.0");
    ["{user_id}", "{group_id}", "{ticket}", "{token}", "{invite}"]
        .iter()
        .fold(path, |path, name| path.replace(name, NOTHING))
}

async fn person(house: &House, name: &str, role: Role, pools: &[PoolId]) -> (User, Browser) {
    let new = NewUser { name: name.into(), role, password: Some(PASSWORD.into()) };
    let pools: BTreeSet<PoolId> = pools.iter().copied().collect();
    let user = house.broker.create_user_with(new, &pools).await.unwrap().0;
    let browser = house.sign_in(&user).await;
    (user, browser)
}

/// Everything with ids in it that ends what the next one asks for.
fn ends_sessions(path: &str) -> bool {
    ["/logout", "/me/password", "/me/unlock"].iter().any(|own| path.ends_with(own))
}

#[tokio::test]
async fn every_role_may_what_the_table_gives_it_and_no_more() {
    let house = House::new().await;
    let ada = house.user("ada", Role::User).await;
    let (desktop, machine) = (house.desktop(&ada).await, house.machine(&ada).await);
    let elsewhere = person(&house, "elsewhere", Role::PoolAdmin, &[machine.pool]).await.1;
    let here = person(&house, "here", Role::PoolAdmin, &[desktop.pool, machine.pool]).await.1;
    let helpdesk = person(&house, "helpdesk", Role::Helpdesk, &[]).await.1;
    let auditor = person(&house, "auditor", Role::Auditor, &[]).await.1;
    let ids = (desktop.pool.to_string(), desktop.id.to_string(), machine.id.to_string());
    let mut checked = 0;
    for (method, path, access) in endpoints() {
        let Some(permission) = access.permission().filter(|_| access != Access::Ticket && !ends_sessions(&path)) else {
            continue;
        };
        let at = concrete(&path, &ids.0, &ids.1, &ids.2);
        for (who, role) in [(&here, Role::PoolAdmin), (&helpdesk, Role::Helpdesk), (&auditor, Role::Auditor)] {
            let name = format!("{method} {path} by {role:?}");
            let reply = house.browse(Some(who), &method, &at, None).await;
            let everywhere = role != Role::PoolAdmin || !permission.is_of_pools();
            let gives = role.gives(permission)
                && match access {
                    Access::May(_) => everywhere,
                    _ => true,
                };
            if gives {
                assert!(![401, 403].contains(&reply.status.as_u16()), "{name}: {}", reply.json());
                assert_ne!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{name}: {}", reply.json());
            } else {
                // All three may see it, so that it is no secret.
                assert_eq!((reply.status, reply.code()), (StatusCode::FORBIDDEN, "admin_only".into()), "{name}");
            }
        }
        // Of a pool that somebody else administers there is nothing.
        if matches!(access, Access::Pool(_) | Access::Entitled(_) | Access::Desktop(_) | Access::DesktopAs(_))
            && Role::PoolAdmin.gives(permission)
        {
            let reply = house.browse(Some(&elsewhere), &method, &at, None).await;
            assert_eq!((reply.status, reply.code()), (StatusCode::NOT_FOUND, "not_found".into()), "{method} {path}");
        }
        checked += 1;
    }
    assert!(checked > 50, "{checked}");
}

#[tokio::test]
async fn lists_show_a_pool_admin_their_pools() {
    let house = House::new().await;
    let ada = house.user("ada", Role::User).await;
    let (desktop, machine) = (house.desktop(&ada).await, house.machine(&ada).await);
    let browser = person(&house, "here", Role::PoolAdmin, &[desktop.pool]).await.1;
    let ask = async |method: Method, path: &str, body: Option<Value>| -> Reply {
        house.browse(Some(&browser), &method, &format!("/api/v1{path}"), body).await
    };
    let names = |reply: &Reply, of: &str| -> Vec<String> {
        let json = reply.json();
        json[of].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&ask(Method::GET, "/pools", None).await, "pools"), ["studio"]);
    assert_eq!(names(&ask(Method::GET, "/desktops?all=true", None).await, "desktops"), ["studio-1"]);
    assert_eq!(names(&ask(Method::GET, "/desktops", None).await, "desktops"), [""; 0]);
    let me = ask(Method::GET, "/me", None).await.json();
    assert_eq!((&me["role"], &me["pools"]), (&json!("pool_admin"), &json!([desktop.pool.to_string()])));
    assert!(me["permissions"].as_array().unwrap().contains(&json!("pools_write")));
    // Images are everybody's: they make none of their desktops.
    let capture = format!("/desktops/{}/capture", desktop.id);
    let reply = ask(Method::POST, &capture, Some(json!({"image": "debian"}))).await;
    assert_eq!((reply.status, reply.code()), (StatusCode::FORBIDDEN, "admin_only".into()));
    // What they make is made in their pools, and their desktops are switched by them.
    let make =
        async |pool: &str| ask(Method::POST, "/desktops", Some(json!({"pool": pool, "owner": "ada"}))).await.status;
    assert_eq!((make("studio").await, make("office").await), (StatusCode::CREATED, StatusCode::NOT_FOUND));
    assert_eq!(ask(Method::POST, "/desktops/studio-1/stop", None).await.status, StatusCode::ACCEPTED);
    assert_eq!(ask(Method::PUT, "/pools/studio/users/ada", None).await.status, StatusCode::NO_CONTENT);
    // Nobody gets to a machine through one that is another's.
    let root = house.user("root", Role::Admin).await;
    let of_root = house.sign_in(&root).await;
    let pool = json!({"name": "lab", "kind": "external"});
    assert_eq!(
        house.browse(Some(&of_root), &Method::POST, "/api/v1/pools", Some(pool)).await.status,
        StatusCode::CREATED
    );
    let lab = house.broker.find_pool("lab").await.unwrap();
    let (_, of_lab) = person(&house, "lab-admin", Role::PoolAdmin, &[lab.id]).await;
    let through = json!({"name": "inside", "protocol": "ssh", "host": "192.0.2.7", "user": "root", "parameters": {"jump": "gate"}});
    let made = house.browse(Some(&of_lab), &Method::POST, "/api/v1/pools/lab/machines", Some(through.clone())).await;
    assert_eq!((made.status, made.code()), (StatusCode::NOT_FOUND, "not_found".into()), "{}", made.json());
    assert!(house.broker.find_machine("gate").await.unwrap().id == machine.id);
    // Nor to a port of a Switch whose device is another's.
    let port = json!({"name": "port", "protocol": "pikvm", "host": "", "parameters": {"behind": "gate", "switch_port": "1.1"}});
    let made = house.browse(Some(&of_lab), &Method::POST, "/api/v1/pools/lab/machines", Some(port)).await;
    assert_eq!((made.status, made.code()), (StatusCode::NOT_FOUND, "not_found".into()), "{}", made.json());
    // Nor by a name that looks like an id, which is looked up as another machine than the one the way goes through.
    let like_an_id = json!({"name": "inside", "protocol": "ssh", "host": "192.0.2.7", "parameters": {"jump": NOTHING}});
    let made = house.browse(Some(&of_lab), &Method::POST, "/api/v1/pools/lab/machines", Some(like_an_id)).await;
    assert_eq!((made.status, made.code()), (StatusCode::NOT_FOUND, "not_found".into()), "{}", made.json());
    // Lists of people and groups name no pools that are not theirs.
    let group = json!({"name": "both"});
    house.browse(Some(&of_root), &Method::POST, "/api/v1/groups", Some(group)).await;
    for pool in ["studio", "office"] {
        let path = format!("/api/v1/pools/{pool}/groups/both");
        assert_eq!(house.browse(Some(&of_root), &Method::PUT, &path, None).await.status, StatusCode::NO_CONTENT);
    }
    let both = ask(Method::GET, "/groups/both", None).await.json();
    assert_eq!(ask(Method::GET, "/groups", None).await.json()["groups"], json!([both]));
    let opens: Vec<&str> =
        both["pools"].as_array().unwrap().iter().map(|pool| pool["name"].as_str().unwrap()).collect();
    assert_eq!(opens, ["studio"]);
    let users = ask(Method::GET, "/users", None).await.json();
    let of = |name: &str| {
        users["users"].as_array().unwrap().iter().find(|user| user["name"] == name).unwrap()["pools"].clone()
    };
    assert_eq!((of("here")[0]["name"].clone(), of("lab-admin")), (json!("studio"), json!([])));
    let made = house.browse(Some(&of_root), &Method::POST, "/api/v1/pools/lab/machines", Some(through)).await;
    assert_ne!(made.code(), "not_found", "{}", made.json());
}

#[tokio::test]
async fn a_role_is_given_with_its_pools_and_ends_with_them() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    house.desktop(&ada).await;
    let of_root = house.sign_in(&root).await;
    let ask = async |method: Method, path: &str, body: Value| -> Reply {
        house.browse(Some(&of_root), &method, &format!("/api/v1{path}"), Some(body)).await
    };
    let change = async |body: Value| ask(Method::PATCH, "/users/ada", body).await;
    assert_eq!(change(json!({"role": "pool_admin"})).await.code(), "no_pools");
    assert_eq!(change(json!({"role": "helpdesk", "pools": ["studio"]})).await.code(), "pools_without_role");
    assert_eq!(change(json!({"role": "pool_admin", "pools": ["nowhere"]})).await.status, StatusCode::NOT_FOUND);
    let made = change(json!({"role": "pool_admin", "pools": ["studio"]})).await.json();
    assert_eq!((&made["user"]["role"], &made["user"]["pools"][0]["name"]), (&json!("pool_admin"), &json!("studio")));
    let listed = house.browse(Some(&of_root), &Method::GET, "/api/v1/users", None).await.json();
    assert_eq!(listed["users"][0]["pools"][0]["name"], "studio");
    assert_eq!(change(json!({"disabled": false})).await.json()["user"]["pools"][0]["name"], "studio");
    let made = change(json!({"role": "auditor"})).await.json();
    assert_eq!((&made["user"]["role"], &made["user"]["pools"]), (&json!("auditor"), &json!([])));
    assert!(house.store.administered(ada.id).await.unwrap().is_empty());
    let new = json!({"name": "eve", "role": "pool_admin", "pools": ["studio"]});
    assert_eq!(ask(Method::POST, "/users", new).await.json()["user"]["pools"][0]["name"], "studio");
    // There is always an admin, whatever else there is.
    assert_eq!(ask(Method::PATCH, "/users/root", json!({"role": "auditor"})).await.code(), "last_admin");
}

#[tokio::test]
async fn tokens_reach_as_far_as_their_scope() {
    let house = House::new().await;
    let root = house.user("root", Role::Admin).await;
    let (desktop, machine) = (house.desktop(&root).await, house.machine(&root).await);
    let ids = (desktop.pool.to_string(), desktop.id.to_string(), machine.id.to_string());
    let of_root = house.sign_in(&root).await;
    let make = async |body: Value| house.browse(Some(&of_root), &Method::POST, "/api/v1/tokens", Some(body)).await;
    for (wrong, says) in [
        (json!({"label": "x", "permissions": ["everything"]}), "no permission"),
        (json!({"label": "x", "permissions": []}), "does nothing"),
        (json!({"label": "x", "permissions": ["pools_read"], "read_only": true}), "one of the two"),
    ] {
        let refused = make(wrong).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.json()["detail"].as_str().unwrap().contains(says), "{}", refused.json());
    }
    let only = BTreeSet::from([Permission::DesktopsRead, Permission::DesktopsOperate]);
    let mut secrets = Vec::new();
    for (body, scope) in [
        (json!({"label": "all"}), TokenScope::All),
        (json!({"label": "read", "read_only": true, "expires_in_days": 7}), TokenScope::ReadOnly),
        (json!({"label": "some", "permissions": ["desktops_operate", "desktops_read"]}), TokenScope::Only(only)),
    ] {
        secrets.push((make(body).await.json()["token"].as_str().unwrap().to_owned(), scope));
    }
    let listed = house.browse(Some(&of_root), &Method::GET, "/api/v1/tokens", None).await.json();
    assert_eq!(listed["tokens"][1]["read_only"], true);
    assert_eq!(listed["tokens"][2]["permissions"], json!(["desktops_read", "desktops_operate"]));
    for (method, path, access) in endpoints() {
        if access == Access::Public || path.ends_with("/logout") {
            continue;
        }
        for (secret, scope) in &secrets {
            let at = concrete(&path, &ids.0, &ids.1, &ids.2);
            let request =
                Request::builder().method(&method).uri(at).header("authorization", format!("Bearer {secret}"));
            let reply = house.send(request.body(axum::body::Body::empty()).unwrap()).await;
            let included = match access.permission() {
                Some(permission) => scope.includes(permission),
                None => *scope == TokenScope::All || method.is_safe(),
            };
            assert_eq!(reply.code() != "token_scope", included, "{method} {path} with {scope:?}: {}", reply.json());
            if !included {
                assert_eq!(reply.status, StatusCode::FORBIDDEN);
            }
        }
    }
}
