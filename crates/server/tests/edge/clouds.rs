//! Clouds over HTTP: added, shown without their secrets, stood on, removed.

use crate::house::House;
use axum::http::{Method, StatusCode};
use oriel_model::Role;
use serde_json::json;

const YAML: &str = "clouds:\n  oak:\n    auth: {auth_url: 'http://127.0.0.1:1', username: ada, password: s3cret, project_name: desktops}\n";

#[tokio::test]
async fn a_cloud_is_added_stood_on_and_removed() {
    let house = House::new().await;
    let root = house.sign_in(&house.user("root", Role::Admin).await).await;
    let auditor = house.sign_in(&house.user("eve", Role::Auditor).await).await;
    let ask = async |method: Method, path: &str, body| {
        house.browse(Some(&root), &method, &format!("/api/v1{path}"), body).await
    };
    let made = ask(Method::POST, "/clouds", Some(json!({"name": "oak", "clouds_yaml": YAML}))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    assert!(!made.json().to_string().contains("s3cret"));
    assert_eq!(made.json()["address"], "http://127.0.0.1:1/v3");
    for (bad, code) in [
        (json!({"name": "oak", "clouds_yaml": YAML}), "name_taken"),
        (json!({"name": "elm", "clouds_yaml": "nonsense"}), "bad_cloud"),
        (json!({"name": "elm", "clouds_yaml": YAML, "cloud": "elm"}), "bad_cloud"),
        (json!({"name": "elm", "clouds_yaml": YAML, "ca": "no certificate"}), "bad_cloud"),
    ] {
        let refused = ask(Method::POST, "/clouds", Some(bad)).await;
        assert_eq!(refused.code(), code, "{}", refused.json());
        assert!(!refused.json().to_string().contains("s3cret"));
    }
    let image = house.image().await;
    let pool = json!({"name": "sky", "image": "debian-desktop", "cloud": {"cloud": "oak", "flavor": "tiny"}});
    let made = ask(Method::POST, "/pools", Some(pool)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    assert_eq!(made.json()["cloud"]["cloud"]["name"], "oak");
    assert_eq!(made.json()["cloud"]["network"], "auto");
    assert_eq!((&made.json()["cloud"]["address"], &made.json()["cloud"]["root"]), (&json!("fixed"), &json!("image")));
    let place = json!({"cloud": "oak", "flavor": "tiny", "address": "floating from world", "root": "volume,size=20"});
    let far = json!({"name": "far", "image": "debian-desktop", "cloud": place});
    let made = ask(Method::POST, "/pools", Some(far)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    assert_eq!(made.json()["cloud"]["address"], "floating from world");
    assert_eq!(made.json()["cloud"]["root"], "volume,size=20");
    let at = format!("/pools/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(ask(Method::DELETE, &at, None).await.status, StatusCode::NO_CONTENT);
    for place in [
        json!({"cloud": "oak", "flavor": "tiny", "address": "floating"}),
        json!({"cloud": "oak", "flavor": "tiny", "root": "disk"}),
        json!({"cloud": "oak", "flavor": "tiny", "network": "none", "address": "floating from world"}),
    ] {
        let bad = json!({"name": "bad", "image": "debian-desktop", "cloud": place});
        assert_eq!(ask(Method::POST, "/pools", Some(bad)).await.status, StatusCode::BAD_REQUEST);
    }
    let sized =
        json!({"name": "low", "image": "debian-desktop", "vcpus": 2, "cloud": {"cloud": "oak", "flavor": "tiny"}});
    assert_eq!(ask(Method::POST, "/pools", Some(sized)).await.status, StatusCode::BAD_REQUEST);
    let reach = json!({"gateways": ["192.0.2.7"], "shelve": true});
    let changed = ask(Method::PUT, "/clouds/oak", Some(reach)).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.json());
    assert_eq!(changed.json()["reach"], json!({"gateways": ["192.0.2.7/32"], "shelve": true, "jump": null}));
    for (bad, code) in [
        (json!({"gateways": ["here"]}), "bad_gateway"),
        (json!({"region": "north"}), "bad_request"),
        (json!({"without_jump": true, "jump": {"host": "h", "user": "u", "private_key": "k"}}), "bad_request"),
    ] {
        assert_eq!(ask(Method::PUT, "/clouds/oak", Some(bad)).await.code(), code);
    }
    // Both or none: what is wrong with one keeps the other from being taken.
    let both = json!({"clouds_yaml": YAML.replace(":1'", ":2'"), "gateways": ["here"]});
    assert_eq!(ask(Method::PUT, "/clouds/oak", Some(both)).await.code(), "bad_gateway");
    assert_eq!(ask(Method::GET, "/clouds/oak", None).await.json()["address"], "http://127.0.0.1:1/v3");
    let at = format!("/clouds/oak/images/{}", image.id);
    assert_eq!(ask(Method::PUT, &at, Some(json!({"remote": "glance-1"}))).await.status, StatusCode::NO_CONTENT);
    let seen = house.browse(Some(&auditor), &Method::GET, "/api/v1/clouds", None).await;
    assert_eq!(seen.json()["clouds"][0]["images"][0]["remote"], "glance-1");
    assert_eq!(seen.json()["clouds"][0]["pools"][0]["name"], "sky");
    assert_eq!(
        (&seen.json()["clouds"][0]["desktops"], seen.json()["clouds"][0]["looked"].is_null()),
        (&json!(0), true)
    );
    let refused = house.browse(Some(&auditor), &Method::GET, "/api/v1/clouds/oak/offer", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let refused = house.browse(Some(&auditor), &Method::DELETE, "/api/v1/clouds/oak", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(ask(Method::DELETE, "/clouds/oak", None).await.code(), "cloud_in_use");
    // Nobody is there, and that is a finding.
    let tested = ask(Method::POST, "/clouds/oak/test", None).await;
    assert_eq!(tested.json()["findings"].as_array().unwrap().last().unwrap()["severity"], "error");
    assert_eq!(ask(Method::DELETE, &at, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(Method::DELETE, "/pools/sky", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(Method::DELETE, "/clouds/oak", None).await.status, StatusCode::NO_CONTENT);
}
