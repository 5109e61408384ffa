//! People who come through a proxy in front that says who they are, and those who only say so.

use crate::house::{House, Reply};
use axum::{
    body::Body,
    http::{HeaderName, Method, Request, StatusCode},
};
use oriel_model::Role;
use oriel_server::{Peer, Proxy};
use serde_json::{Value, json};
use std::net::SocketAddr;

const PROXY: &str = "10.0.0.5:4000";
const ELSEWHERE: &str = "10.0.0.6:4000";

fn proxy() -> Proxy {
    Proxy {
        trust: Proxy::parse_trust("10.0.0.5").unwrap(),
        secret: Some("hush".to_owned().into()),
        user_header: HeaderName::from_static("remote-user"),
        id_header: None,
        groups_header: HeaderName::from_static("remote-groups"),
        groups_separator: ',',
        email_header: HeaderName::from_static("remote-email"),
        factor_header: Some(HeaderName::from_static("remote-amr")),
    }
}

async fn lab() -> House {
    let house = House::new().await.behind(proxy());
    house.broker.ensure_proxy_provider().await.unwrap();
    house.broker.ensure_proxy_provider().await.unwrap();
    house
}

/// A request from an address, as a proxy with the secret sends it on.
async fn get(house: &House, from: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(format!("/api/v1{path}")).header("x-forwarded-proto", "https");
    request = request.header("x-forwarded-for", "198.51.100.7").header("oriel-proxy-secret", "hush");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let address: SocketAddr = from.parse().unwrap();
    house.send(request.extension(Peer::Tcp { address, tls: false }).body(Body::empty()).unwrap()).await
}

fn place(reply: &Reply) -> &str {
    reply.headers["location"].to_str().unwrap()
}

fn cookie(reply: &Reply) -> Option<String> {
    let set = reply.headers.get("set-cookie")?.to_str().unwrap();
    Some(set.split(';').next().unwrap().to_owned())
}

/// Signs in, and says who that is.
async fn me(house: &House, headers: &[(&str, &str)]) -> Value {
    let came = get(house, PROXY, "/sign-in/proxy?next=%2Fpools", headers).await;
    assert_eq!((came.status, place(&came)), (StatusCode::SEE_OTHER, "/pools"), "{headers:?}");
    let cookie = cookie(&came).unwrap();
    get(house, PROXY, "/me", &[("cookie", &cookie)]).await.json()
}

#[tokio::test]
async fn whom_the_proxy_lets_through_is_somebody_here() {
    let house = lab().await;
    let ada = me(&house, &[("remote-user", "Ada"), ("remote-groups", "staff")]).await;
    assert_eq!((&ada["name"], &ada["role"]), (&json!("Ada"), &json!("user")));
    // Names are told apart without case where the proxy sends no id.
    let again = me(&house, &[("remote-user", "ada")]).await;
    assert_eq!(again["id"], ada["id"]);
    // Where the request came from, and with TLS, is what the proxy says.
    let root = house.user("root", Role::Admin).await;
    let root = house.sign_in(&root).await;
    let rows = house.browse(Some(&root), &Method::GET, "/api/v1/audit?action=sign_in_by_proxy", None).await.json();
    assert_eq!(rows["entries"][0]["address"], "198.51.100.7", "{rows:#}");
    assert_eq!((&rows["entries"][0]["actor_name"], &rows["entries"][0]["outcome"]), (&json!("ada"), &json!(200)));

    // The button is there for whom the proxy names alone, and leads there.
    let path = "/sign-in/oidc";
    let named = [("remote-user", "ada")];
    assert_eq!(get(&house, PROXY, path, &[]).await.json()["providers"], json!([]));
    assert_eq!(get(&house, ELSEWHERE, path, &named).await.json()["providers"], json!([]));
    let buttons = get(&house, PROXY, path, &named).await.json();
    assert_eq!(buttons["providers"][0]["name"], "Single sign-on");
    let id = buttons["providers"][0]["id"].as_str().unwrap();
    let begun =
        house.browse(None, &Method::POST, &format!("/api/v1{path}/{id}"), Some(json!({"next": "/a?b=1"}))).await;
    assert_eq!(begun.json()["url"], "/api/v1/sign-in/proxy?next=%2Fa%3Fb%3D1");
    assert!(begun.headers.get("set-cookie").is_none());
    let tested = house.browse(Some(&root), &Method::POST, &format!("/api/v1/providers/{id}/test"), None).await;
    assert_eq!(tested.code(), "provider_is_proxy");
}

#[tokio::test]
async fn nobody_else_says_who_somebody_is() {
    let house = lab().await;
    let root = house.user("root", Role::Admin).await;
    let by = async |from: &str, headers: &[(&str, &str)]| get(&house, from, "/sign-in/proxy", headers).await;
    let refused = |reply: &Reply| {
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        assert!(cookie(reply).is_none());
        place(reply).split_once("refused=").unwrap().1.to_owned()
    };
    let ada = [("remote-user", "ada")];
    assert_eq!(refused(&by(ELSEWHERE, &ada).await), "not_by_proxy");
    assert_eq!(refused(&by("127.0.0.1:9", &ada).await), "not_by_proxy");
    assert_eq!(refused(&by(PROXY, &[]).await), "not_by_proxy");
    // Two of a header, or of the secret: one may be the browser's.
    assert_eq!(refused(&by(PROXY, &[("remote-user", "root"), ("remote-user", "ada")]).await), "proxy_unclear");
    assert_eq!(refused(&by(PROXY, &[ada[0], ("oriel-proxy-secret", "hush")]).await), "not_by_proxy");
    // A name of somebody here is not theirs who have it there, and nobody is sent elsewhere.
    assert_eq!(refused(&by(PROXY, &[("remote-user", "root")]).await), "name_taken_here");
    assert_eq!(refused(&by(PROXY, &[("remote-user", "a b")]).await), "bad_user_name");
    let away = get(&house, PROXY, "/sign-in/proxy?next=https%3A%2F%2Fevil.lab", &ada).await;
    assert_eq!(place(&away), "/");
    // The header alone opens nothing, whoever sends it.
    for from in [PROXY, ELSEWHERE] {
        assert_eq!(get(&house, from, "/me", &ada).await.code(), "not_signed_in", "{from}");
    }
    // Whoever takes a browser over is not whom it has a session of, unless that one has nothing to do with the proxy.
    let kept = cookie(&by(PROXY, &ada).await).unwrap();
    for (name, code) in [("ada", ""), ("bob", "not_signed_in")] {
        assert_eq!(get(&house, PROXY, "/me", &[("cookie", &kept), ("remote-user", name)]).await.code(), code, "{name}");
    }
    // A browser that is locked is not opened by its person's coming again; another one does not wait for them to sign out.
    let sha256 = oriel_identity::sha256_hex(kept.split_once('=').unwrap().1);
    house.broker.lock(&sha256).await.unwrap();
    assert_eq!(refused(&by(PROXY, &[ada[0], ("cookie", kept.as_str())]).await), "provider_did_not_ask");
    let bob = by(PROXY, &[("remote-user", "bob"), ("cookie", kept.as_str())]).await;
    assert_eq!(place(&bob), "/");
    assert!(cookie(&bob).is_some_and(|of_bob| of_bob != kept));
    let root = house.sign_in(&root).await;
    let both = [("cookie", root.cookie.as_str()), ("remote-user", "bob")];
    assert_eq!(get(&house, PROXY, "/me", &both).await.status, StatusCode::OK);
    // Without the configuration there is no such way.
    let plain = House::new().await;
    plain.broker.ensure_proxy_provider().await.unwrap();
    assert_eq!(refused(&get(&plain, PROXY, "/sign-in/proxy", &ada).await), "not_by_proxy");
    assert_eq!(get(&plain, PROXY, "/sign-in/oidc", &ada).await.json()["providers"], json!([]));
}

#[tokio::test]
async fn with_ids_a_name_that_went_to_another_is_not_who_had_it() {
    let with_ids = Proxy { id_header: Some(HeaderName::from_static("remote-id")), ..proxy() };
    let house = House::new().await.behind(with_ids);
    house.broker.ensure_proxy_provider().await.unwrap();
    let came = get(&house, PROXY, "/sign-in/proxy", &[("remote-user", "ada"), ("remote-id", "1")]).await;
    let kept = cookie(&came).unwrap();
    for (name, id, code) in [("ada", "1", ""), ("ada.b", "1", ""), ("ada", "2", "not_signed_in")] {
        let headers = [("cookie", kept.as_str()), ("remote-user", name), ("remote-id", id)];
        assert_eq!(get(&house, PROXY, "/me", &headers).await.code(), code, "{name} {id}");
    }
}

#[tokio::test]
async fn groups_roles_and_second_factors_are_as_other_providers() {
    let house = lab().await;
    let root = house.user("root", Role::Admin).await;
    let root = house.sign_in(&root).await;
    let ask = async |method: Method, path: &str, body: Option<Value>| {
        house.browse(Some(&root), &method, &format!("/api/v1{path}"), body).await
    };
    assert_eq!(
        ask(Method::POST, "/groups", Some(json!({"name": "Painters", "second_factor": "required"}))).await.status,
        StatusCode::CREATED
    );
    let provider = ask(Method::GET, "/providers", None).await.json()["providers"][0].clone();
    let path = format!("/providers/{}", provider["id"].as_str().unwrap());
    let mut settings = provider["settings"].clone();
    settings["groups"] = json!([{"value": "artists", "group": "Painters"}]);
    settings["roles"] = json!([{"value": "it", "role": "admin"}]);
    settings["factor_amr"] = json!(["otp"]);
    settings["only_mapped"] = json!(true);
    let changed = ask(Method::PATCH, &path, Some(json!({"settings": settings}))).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.json());
    settings["issuer"] = json!("https://id.lab");
    assert_eq!(ask(Method::PATCH, &path, Some(json!({"settings": settings}))).await.code(), "bad_provider");

    let ada = me(&house, &[("remote-user", "ada"), ("remote-groups", "artists,it"), ("remote-amr", "pwd,otp")]).await;
    assert_eq!(ada["role"], "admin", "{ada:#}");
    let members = ask(Method::GET, "/groups", None).await.json()["groups"][0]["members"].clone();
    assert_eq!(members[0]["name"], "ada");
    // Without a factor that counts, a group's rule is kept here.
    let came = get(&house, PROXY, "/sign-in/proxy", &[("remote-user", "ada"), ("remote-groups", "artists")]).await;
    let kept = cookie(&came).unwrap();
    let pools = get(&house, PROXY, "/pools", &[("cookie", &kept)]).await;
    assert_eq!(pools.code(), "second_factor_needed", "{}", pools.json());
    // Whoever is in no group that counts any more is out.
    let out = get(&house, PROXY, "/sign-in/proxy", &[("remote-user", "ada"), ("remote-groups", "others")]).await;
    assert!(place(&out).ends_with("refused=not_let_in"));
    assert_eq!(get(&house, PROXY, "/me", &[("cookie", &kept)]).await.code(), "not_signed_in");
}
