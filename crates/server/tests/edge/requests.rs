//! What requests may look like, and what answers carry.

use crate::house::{Browser, HOST, House, ORIGIN, PASSWORD};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use oriel_model::Role;
use oriel_server::{BODY_BYTES_MAX, Peer};
use serde_json::json;

#[tokio::test]
async fn answers_carry_security_headers() {
    let house = House::new().await;
    for path in ["/", "/viewer/", "/viewer/monitor.html", "/api/v1/health", "/api/v1/me", "/nothing.js"] {
        let reply = house.browse(None, &Method::GET, path, None).await;
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("script-src 'self' 'unsafe"), "{path}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(reply.headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(reply.headers["cross-origin-opener-policy"], "same-origin", "{path}");
    }
    assert_eq!(house.browse(None, &Method::GET, "/api/v1/me", None).await.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn wrong_requests_say_what_is_wrong() {
    let house = House::new().await;
    let root = house.user("root", Role::Admin).await;
    let browser = house.sign_in(&root).await;
    let post = async |path: &str, kind: &str, body: Vec<u8>| {
        let request = Request::post(path)
            .header("cookie", &browser.cookie)
            .header("x-oriel-csrf", &browser.csrf)
            .header("content-type", kind)
            .body(Body::from(body))
            .unwrap();
        house.send(request).await
    };
    let long = post("/api/v1/users", "application/json", vec![b' '; BODY_BYTES_MAX + 1]).await;
    assert_eq!((long.status, long.code()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large".into()));
    assert_eq!(post("/api/v1/users", "text/plain", b"{}".to_vec()).await.code(), "not_json");
    let unknown =
        post("/api/v1/users", "application/json", br#"{"name":"x","role":"user","sudo":true}"#.to_vec()).await;
    assert_eq!(unknown.code(), "bad_request");
    assert_eq!(unknown.headers["content-type"], "application/problem+json");
    for field in ["type", "title", "status", "detail", "next_step"] {
        assert!(!unknown.json()[field].is_null(), "{field}");
    }
    let nowhere = house.browse(Some(&browser), &Method::GET, "/api/v1/nothing", None).await;
    assert_eq!(nowhere.code(), "no_such_endpoint");
    assert_eq!(house.browse(Some(&browser), &Method::PUT, "/api/v1/users", None).await.code(), "method_not_allowed");
    for name in ["../../etc/passwd", "a/b", "A", ""] {
        let body = json!({"recipe": "debian-desktop", "name": name});
        assert_eq!(
            house.browse(Some(&browser), &Method::POST, "/api/v1/images/build", Some(body)).await.code(),
            "bad_name"
        );
    }
    let body = json!({"from": "relative.qcow2", "name": "x", "os": "linux"});
    assert_eq!(
        house.browse(Some(&browser), &Method::POST, "/api/v1/images/import", Some(body)).await.code(),
        "bad_request"
    );
    let me = house.browse(Some(&browser), &Method::DELETE, &format!("/api/v1/users/{}", root.id), None).await;
    assert_eq!((me.status, me.code()), (StatusCode::CONFLICT, "last_admin".into()));
}

#[tokio::test]
async fn a_wrong_query_is_a_problem_like_any_other() {
    let house = House::new().await;
    let root = house.user("root", Role::Admin).await;
    let browser = house.sign_in(&root).await;
    for query in ["all=maybe", "some=true", "all=true&all=false"] {
        let reply = house.browse(Some(&browser), &Method::GET, &format!("/api/v1/desktops?{query}"), None).await;
        assert_eq!((reply.status, reply.code()), (StatusCode::BAD_REQUEST, "bad_request".into()), "{query}");
    }
}

#[tokio::test]
async fn other_sites_get_nowhere() {
    let house = House::new().await;
    let root = house.user("root", Role::Admin).await;
    let browser = house.sign_in(&root).await;
    let from = async |origin: &str, host: &str, path: &str| {
        let request = Request::post(path)
            .header("host", host)
            .header("origin", origin)
            .header("cookie", &browser.cookie)
            .header("x-oriel-csrf", &browser.csrf)
            .header("content-type", "application/json")
            .body(Body::from(json!({"name": "root", "password": PASSWORD}).to_string()))
            .unwrap();
        house.send(request).await
    };
    for origin in ["http://evil.test", "https://oriel.test:8470", "null", "http://oriel.test"] {
        for path in ["/api/v1/logout", "/api/v1/login"] {
            assert_eq!(from(origin, HOST, path).await.code(), "wrong_origin", "{origin} {path}");
        }
    }
    assert_eq!(from(ORIGIN, HOST, "/api/v1/login").await.status, StatusCode::OK);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let house = House::new().await;
    house.user("ada", Role::User).await;
    let mut codes = Vec::new();
    for _ in 0..30 {
        let body = json!({"name": "ada", "password": "wrong wrong wrong"});
        let reply = house.browse(None, &Method::POST, "/api/v1/login", Some(body)).await;
        codes.push(reply.code());
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(reply.headers.contains_key("retry-after"));
            break;
        }
    }
    assert_eq!(codes.first().unwrap(), "bad_credentials");
    assert_eq!(codes.last().unwrap(), "too_many_attempts");
}

#[tokio::test]
async fn programs_and_the_local_socket_need_no_cookie() {
    let house = House::new().await;
    let root = house.user("root", Role::Admin).await;
    let local = async |method: Method, path: &str, body: &str| {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        request.extensions_mut().insert(Peer::Local);
        house.send(request).await
    };
    assert_eq!(local(Method::GET, "/api/v1/me", "").await.json()["name"], "local");
    assert_eq!(local(Method::GET, "/api/v1/tokens", "").await.code(), "no_account");
    let made = local(Method::POST, "/api/v1/tokens", r#"{"label":"bench","user":"root"}"#).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    let (id, token) = (made.json()["id"].clone(), made.json()["token"].as_str().unwrap().to_owned());
    let with = async |method: Method, path: &str, token: &str| {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        house.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(with(Method::GET, "/api/v1/users", &token).await.json()["users"][0]["id"], root.id.to_string());
    assert_eq!(with(Method::GET, "/api/v1/users", "guess").await.status, StatusCode::UNAUTHORIZED);
    let gone = with(Method::DELETE, &format!("/api/v1/tokens/{}", id.as_str().unwrap()), &token).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(with(Method::GET, "/api/v1/users", &token).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn lists_have_the_shapes_that_are_measured_from_outside() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    house.desktop(&ada).await;
    let browser = house.sign_in(&root).await;
    let get = async |browser: &Browser, path: &str| house.browse(Some(browser), &Method::GET, path, None).await.json();
    let all = get(&browser, "/api/v1/desktops?all=true").await;
    let desktop = &all["desktops"][0];
    assert_eq!(desktop["name"], "studio-1");
    assert_eq!((&desktop["user"], &desktop["state"], &desktop["gpu"]), (&json!("ada"), &json!("ready"), &json!(null)));
    assert_eq!(desktop["pool"]["name"], "studio");
    assert_eq!(desktop["start_steps"][3], json!({"step": "waiting_for_rdp", "state": "done"}));
    assert_eq!(get(&browser, "/api/v1/desktops").await["desktops"], json!([]));
    assert_eq!(get(&browser, "/api/v1/pools").await["pools"][0]["users"][0]["name"], "ada");
    assert_eq!(get(&browser, "/api/v1/images").await["images"][0]["source"]["kind"], "imported");
    for plural in ["users", "operations", "sessions", "recipes", "reconcilers"] {
        assert!(get(&browser, &format!("/api/v1/{plural}")).await[plural].is_array(), "{plural}");
    }
    let own = house.sign_in(&ada).await;
    assert_eq!(get(&own, "/api/v1/desktops").await["desktops"][0]["name"], "studio-1");
    assert_eq!(get(&own, "/api/v1/desktops?all=true").await["code"], "admin_only");
}
