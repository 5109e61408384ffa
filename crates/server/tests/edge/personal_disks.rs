//! Personal disks: what pools say of them, and who looks after them.

use crate::house::{Browser, House, Reply};
use axum::http::{Method, StatusCode};
use oriel_model::{Micros, PersonalDisk, PersonalDiskId, Role};
use serde_json::{Value, json};

#[tokio::test]
async fn pools_give_them_and_administrators_look_after_them() {
    let house = House::new().await;
    let root = house.user("root", Role::Admin).await;
    let (ada, help) = (house.user("ada", Role::User).await, house.user("help", Role::Helpdesk).await);
    house.desktop(&ada).await;
    let (of_root, of_help) = (house.sign_in(&root).await, house.sign_in(&help).await);
    let ask = async |who: &Browser, method: Method, path: &str, body: Option<Value>| -> Reply {
        house.browse(Some(who), &method, &format!("/api/v1{path}"), body).await
    };
    let disk = |size: u64, name: &str| Some(json!({"personal_disk": {"size_gib": size, "name": name}}));

    // The name is the usual one where none is said.
    let usual = Some(json!({"personal_disk": {"size_gib": 5}}));
    let pool = ask(&of_root, Method::PATCH, "/pools/studio", usual).await.json();
    assert_eq!(pool["personal_disk"], json!({"size_gib": 5, "name": "home"}), "{pool}");
    let refused = ask(&of_root, Method::PATCH, "/pools/studio", disk(1 << 40, "home")).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::BAD_REQUEST, "bad_pool".into()));
    assert_eq!(ask(&of_root, Method::PATCH, "/pools/studio", disk(5, "My Home")).await.code(), "bad_request");
    let kept = ask(&of_root, Method::PATCH, "/pools/studio", Some(json!({"desktops_max": 7}))).await.json();
    assert_eq!(kept["personal_disk"]["size_gib"], 5, "what is not named stays");

    let home = PersonalDisk {
        id: PersonalDiskId::new(),
        user: ada.id,
        person: "ada".to_owned(),
        name: "home".parse().unwrap(),
        host: "here".to_owned(),
        size_gib: 5,
        is_made: false,
        created: Micros(1),
    };
    house.store.make_personal_disk(&home).await.unwrap();
    let list = ask(&of_help, Method::GET, "/personal-disks", None).await.json();
    let found = &list["personal_disks"][0];
    assert_eq!((&found["person"]["name"], &found["orphaned"]), (&json!("ada"), &json!(false)), "{list}");
    // By its id, or by whose it is and its name.
    for key in [home.id.to_string(), "ada%2Fhome".to_owned(), "ADA%2Fhome".to_owned()] {
        let shown = ask(&of_help, Method::GET, &format!("/personal-disks/{key}"), None).await;
        assert_eq!(shown.status, StatusCode::OK, "{key}: {}", shown.json());
        assert_eq!(shown.json()["disk"]["id"], home.id.to_string());
    }
    let at = format!("/personal-disks/{}", home.id);
    let larger = json!({"size_gib": 9});
    assert_eq!(ask(&of_help, Method::PATCH, &at, Some(larger.clone())).await.status, StatusCode::FORBIDDEN);
    let begun = ask(&of_root, Method::PATCH, &at, Some(larger)).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.json());
    assert_eq!(begun.json()["title"], "grow the personal disk ada/home to 9 GiB");
    assert_eq!(ask(&of_root, Method::PATCH, &at, Some(json!({"size_gib": 4}))).await.code(), "bad_size");
    let wrong = ask(&of_root, Method::POST, &format!("{at}/snapshots"), Some(json!({"name": "../x"}))).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(ask(&of_root, Method::GET, &format!("{at}/export"), None).await.code(), "export_not_ready");

    // It is kept when no pool takes it any more.
    let none = ask(&of_root, Method::PATCH, "/pools/studio", disk(0, "home")).await.json();
    assert_eq!(none["personal_disk"], Value::Null);
    let list = ask(&of_root, Method::GET, "/personal-disks", None).await.json();
    assert_eq!(list["personal_disks"][0]["orphaned"], true);
    assert_eq!(ask(&of_root, Method::DELETE, &at, None).await.status, StatusCode::ACCEPTED);
}
