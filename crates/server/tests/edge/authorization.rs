//! Walks the API's description: every endpoint is called by nobody, by a person, by an owner and by an admin, and answers as
//! the access table says. An endpoint that is in the description but not in the table fails.

use crate::house::{Browser, House};
use axum::http::{Method, StatusCode};
use oriel_model::Role;
use oriel_server::access::{Access, of_request};
use serde_json::Value;

fn endpoints() -> Vec<(Method, String, Access)> {
    let document: Value = serde_json::from_str(&oriel_server::openapi_document()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let access = of_request(&method, path)
                .unwrap_or_else(|| panic!("{method} {path} is in the description but not in the access table"));
            found.push((method, path.clone(), access));
        }
    }
    found
}

/// The path with a desktop that exists, and its pool where whoever may use it is asked for; other ids name nothing.
fn concrete(path: &str, desktop: &str, machine: &str) -> String {
    let path = if ["/pools/{id}/take", "/pools/{id}/bookings"].iter().any(|of| path.ends_with(of)) {
        path.replace("{id}", "studio")
    } else if path.contains("/desktops/{id}") {
        path.replace("{id}", desktop)
    } else if path.contains("/machines/{id}") {
        path.replace("{id}", machine)
    } else {
        path.to_owned()
    };
    path.replace("{id}", "018f0000-0000-7000-8000-000000000000")
        .replace("{user_id}", "018f0000-0000-7000-8000-000000000001")
        .replace("{group_id}", "018f0000-0000-7000-8000-000000000003")
        .replace("{ticket}", "nothing")
        .replace("{token}", "nothing")
        .replace("{browser}", "018f0000-0000-7000-8000-000000000004")
        .replace("{passkey}", "018f0000-0000-7000-8000-000000000005")
        .replace("{invite}", "018f0000-0000-7000-8000-000000000002")
        .replace("{export}", "018f0000-0000-7000-8000-000000000003")
        .replace("{address}", "0000:41:00.0")
        .replace("{action}", "off")
        .replace("{image}", "018f0000-0000-7000-8000-000000000005")
        .replace("{channel}", "relay")
        .replace("{source}", "cd")
        .replace("{snapshot}", "monday")
        .replace("{host}", "compute-1")
        .replace("{app}", "018f0000-0000-7000-8000-000000000006")
}

#[tokio::test]
async fn every_endpoint_asks_who_is_there() {
    let house = House::new().await;
    let (ada, bob, root) = (
        house.user("ada", Role::User).await,
        house.user("bob", Role::User).await,
        house.user("root", Role::Admin).await,
    );
    let desktop = house.desktop(&ada).await.id.to_string();
    // Ada may open it, and that is all.
    let machine = house.machine(&ada).await.id.to_string();
    let fresh = house.user("fresh", Role::Admin).await;
    let fresh_browser = house.sign_in(&fresh).await;
    house
        .store
        .set_password(fresh.id, &house.store.password_hash(fresh.id).await.unwrap().unwrap(), true)
        .await
        .unwrap();

    let mut checked = 0;
    for (method, path, access) in endpoints() {
        if ["/logout", "/me/password", "/me/unlock"].iter().any(|own| path.ends_with(own)) {
            continue; // They end or open sessions: below, and in `rules`.
        }
        let at = concrete(&path, &desktop, &machine);
        let name = format!("{method} {path}");
        let (of_ada, of_bob, of_root) =
            (house.sign_in(&ada).await, house.sign_in(&bob).await, house.sign_in(&root).await);
        let call = async |who: Option<&Browser>| house.browse(who, &method, &at, None).await;

        let anonymous = call(None).await;
        // Who has a guest's ticket is nobody's account: what counts is the ticket, and the page.
        if matches!(access, Access::Public | Access::GuestTicket) {
            assert_ne!(anonymous.code(), "not_signed_in", "{name}");
            checked += 1;
            continue;
        }
        assert_eq!((anonymous.status, anonymous.code()), (StatusCode::UNAUTHORIZED, "not_signed_in".into()), "{name}");
        let stale = Browser { cookie: "__Host-oriel=made-up".into(), ..of_ada.clone() };
        assert_eq!(call(Some(&stale)).await.status, StatusCode::UNAUTHORIZED, "{name}");

        let first = call(Some(&fresh_browser)).await;
        if matches!(access, Access::Arriving | Access::Entering) {
            // Those that change something say what is missing in what they were sent.
            assert!(first.status.is_success() || !method.is_safe(), "{name}");
            assert_ne!(first.code(), "password_change_required", "{name}");
        } else {
            assert_eq!(first.code(), "password_change_required", "{name}");
        }

        let (owner, other) = (call(Some(&of_ada)).await, call(Some(&of_bob)).await);
        match access {
            Access::May(_)
            | Access::Somewhere(_)
            | Access::Pool(_)
            | Access::Machine(_)
            | Access::DesktopAs(_)
            | Access::Session(_) => {
                assert_eq!((owner.status, owner.code()), (StatusCode::FORBIDDEN, "admin_only".into()), "{name}");
                assert_eq!(other.code(), "admin_only", "{name}");
            }
            Access::Desktop(_) | Access::Entitled(_) => {
                assert_eq!((other.status, other.code()), (StatusCode::NOT_FOUND, "not_found".into()), "{name}");
                assert!(![401, 403].contains(&owner.status.as_u16()), "{name}: {}", owner.code());
                assert_ne!(owner.code(), "not_found", "{name}");
            }
            _ => assert!(![401, 403].contains(&owner.status.as_u16()), "{name}: {}", owner.code()),
        }
        let admin = call(Some(&of_root)).await;
        assert!(![401, 403].contains(&admin.status.as_u16()), "{name}: {}", admin.code());
        assert_ne!(admin.status, StatusCode::INTERNAL_SERVER_ERROR, "{name}: {}", admin.json());

        if !method.is_safe() {
            let without = Browser { csrf: String::new(), ..of_root.clone() };
            assert_eq!(call(Some(&without)).await.code(), "bad_csrf_token", "{name}");
            let foreign = Browser { csrf: of_ada.csrf.clone(), ..of_root.clone() };
            assert_eq!(call(Some(&foreign)).await.code(), "bad_csrf_token", "{name}");
        }
        checked += 1;
    }
    assert_eq!(checked, endpoints().len() - 3);
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let house = House::new().await;
    let ada = house.user("ada", Role::User).await;
    let browser = house.sign_in(&ada).await;
    for path in ["/api/v1/logout", "/api/v1/me/password", "/api/v1/me/unlock"] {
        assert_eq!(house.browse(None, &Method::POST, path, None).await.code(), "not_signed_in");
        let without = Browser { csrf: String::new(), ..browser.clone() };
        assert_eq!(house.browse(Some(&without), &Method::POST, path, None).await.code(), "bad_csrf_token");
    }
    let out = house.browse(Some(&browser), &Method::POST, "/api/v1/logout", None).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(house.browse(Some(&browser), &Method::GET, "/api/v1/me", None).await.code(), "not_signed_in");
}

#[tokio::test]
async fn a_first_password_opens_only_its_own_change() {
    let house = House::new().await;
    let (user, password) = house
        .broker
        .create_user(oriel_broker::NewUser { name: "new".into(), role: Role::User, password: None })
        .await
        .unwrap();
    let password = secrecy::ExposeSecret::expose_secret(&password.unwrap()).to_owned();
    let browser = house.sign_in_with(&user, &password).await;
    let get = async |browser: &Browser, path| house.browse(Some(browser), &Method::GET, path, None).await;
    assert_eq!(get(&browser, "/api/v1/desktops").await.code(), "password_change_required");
    assert_eq!(get(&browser, "/api/v1/me").await.json()["must_change_password"], true);
    let change = async |current: &str, new: &str| {
        let body = serde_json::json!({"current": current, "new": new});
        house.browse(Some(&browser), &Method::POST, "/api/v1/me/password", Some(body)).await
    };
    assert_eq!(change(&password, "short").await.code(), "weak_password");
    assert_eq!(change("wrong", crate::house::PASSWORD).await.code(), "bad_credentials");
    let changed = change(&password, crate::house::PASSWORD).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.json());
    let cookie = changed.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let after = Browser { cookie, ..browser };
    assert_eq!(get(&after, "/api/v1/desktops").await.status, StatusCode::OK);
}
