//! Bookings: made, listed and cancelled by those who may.

use crate::house::{Browser, House, Reply};
use axum::http::{Method, StatusCode};
use oriel_model::{Micros, Pool, PoolId, PoolKind, Role, User};
use serde_json::{Value, json};

/// A pool that people share, of one desktop, for these.
async fn floor(house: &House, people: &[&User]) -> Pool {
    house.desktop(people[0]).await;
    let mut pool = house.broker.find_pool("studio").await.unwrap();
    (pool.id, pool.name, pool.kind) = (PoolId::new(), "floor".parse().unwrap(), PoolKind::Floating);
    pool.desktops_max = 1;
    house.store.create_pool(&pool).await.unwrap();
    for user in people {
        house.broker.entitle(pool.id, user.id).await.unwrap();
    }
    pool
}

fn at(hours: i64) -> String {
    Micros(jiff::Timestamp::now().as_microsecond()).plus_seconds(hours * 3600).rfc3339()
}

#[tokio::test]
async fn bookings_are_made_listed_and_cancelled() {
    let house = House::new().await;
    let root = house.user("root", Role::Admin).await;
    let (ada, bob) = (house.user("ada", Role::User).await, house.user("bob", Role::User).await);
    let eve = house.user("eve", Role::User).await;
    floor(&house, &[&ada, &bob]).await;
    let (of_root, of_ada) = (house.sign_in(&root).await, house.sign_in(&ada).await);
    let (of_bob, of_eve) = (house.sign_in(&bob).await, house.sign_in(&eve).await);
    let ask = async |who: &Browser, method: Method, path: &str, body: Option<Value>| -> Reply {
        house.browse(Some(who), &method, &format!("/api/v1{path}"), body).await
    };
    let (from, to) = (at(1), at(3));
    let span = || Some(json!({"from": from, "to": to}));

    // Nobody may where nothing says so.
    let refused = ask(&of_ada, Method::POST, "/pools/floor/bookings", span()).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "may_not_book".into()));
    assert_eq!(refused.json()["detail"], "ada may not book desktops of floor");
    assert_eq!(ask(&of_ada, Method::GET, "/me/bookings", None).await.json(), json!({"bookings": [], "pools": []}));
    let rule = json!({"limits": [{"kind": "bookings", "most": 2}, {"kind": "booking_hours", "most": 4}]});
    assert_eq!(ask(&of_root, Method::PUT, "/pools/floor/quota", Some(rule)).await.status, StatusCode::OK);
    let own = ask(&of_ada, Method::GET, "/me/bookings", None).await.json();
    assert_eq!(own["pools"][0]["pool"]["name"], "floor");
    assert_eq!((&own["pools"][0]["most"], &own["pools"][0]["hours"]), (&json!(2), &json!(4)));

    let made = ask(&of_ada, Method::POST, "/pools/floor/bookings", span()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    let made = made.json();
    assert_eq!((&made["from"], &made["person"]["name"]), (&json!(from), &json!("ada")));
    let refused = ask(&of_bob, Method::POST, "/pools/floor/bookings", span()).await;
    assert_eq!(refused.code(), "booked_out");
    let hours = format!("/pools/floor/bookings?from={from}&to={}", at(5));
    let hours = ask(&of_bob, Method::GET, &hours, None).await.json();
    assert_eq!(hours["desktops"], 1);
    assert_eq!((&hours["hours"][0]["booked"], &hours["hours"][3]["booked"]), (&json!(1), &json!(0)));

    // Others learn nothing of it: neither who booked, nor that the pool is there.
    let nothing = json!({"bookings": [], "next": null});
    assert_eq!(ask(&of_bob, Method::GET, "/bookings", None).await.json(), nothing);
    assert_eq!(ask(&of_bob, Method::GET, "/bookings?user=ada", None).await.json(), nothing);
    assert_eq!(ask(&of_eve, Method::POST, "/pools/floor/bookings", span()).await.status, StatusCode::NOT_FOUND);
    let path = format!("/bookings/{}", made["id"].as_str().unwrap());
    assert_eq!(ask(&of_bob, Method::DELETE, &path, None).await.code(), "not_found");
    let for_bob = Some(json!({"from": at(4), "to": at(5), "person": "bob"}));
    let refused = ask(&of_ada, Method::POST, "/pools/floor/bookings", for_bob.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    // Administrators book for others, and see all.
    let booked = ask(&of_root, Method::POST, "/pools/floor/bookings", for_bob).await;
    assert_eq!(booked.status, StatusCode::CREATED, "{}", booked.json());
    let list = ask(&of_root, Method::GET, "/bookings?pool=floor", None).await.json();
    let names: Vec<&str> =
        list["bookings"].as_array().unwrap().iter().map(|one| one["person"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ada", "bob"]);
    let first = ask(&of_root, Method::GET, "/bookings?limit=1", None).await.json();
    assert_eq!(first["bookings"][0]["person"]["name"], "ada");
    let second = format!("/bookings?limit=1&cursor={}", first["next"].as_str().unwrap());
    let second = ask(&of_root, Method::GET, &second, None).await.json();
    assert_eq!((&second["bookings"][0]["person"]["name"], &second["next"]), (&json!("bob"), &Value::Null));
    assert_eq!(ask(&of_root, Method::GET, "/bookings?cursor=x", None).await.status, StatusCode::BAD_REQUEST);
    let of_his = ask(&of_bob, Method::GET, "/bookings", None).await.json();
    assert_eq!(of_his["bookings"].as_array().map(Vec::len), Some(1));
    let wrong = ask(&of_ada, Method::POST, "/pools/floor/bookings", Some(json!({"from": "soon", "to": to}))).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(ask(&of_ada, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(&of_ada, Method::DELETE, &path, None).await.status, StatusCode::NOT_FOUND);
    let audit = ask(&of_root, Method::GET, "/audit?action=cancel_booking&refused=false", None).await.json();
    assert_eq!(audit["entries"].as_array().map(Vec::len), Some(1), "{audit}");

    // Where nothing is left, a higher priority takes the place of a lower one, and its person reads of it.
    let rule = json!({"limits": [{"kind": "bookings", "most": 9}, {"kind": "booking_notice", "most": 0}]});
    assert_eq!(ask(&of_root, Method::PUT, "/pools/floor/quota", Some(rule)).await.status, StatusCode::OK);
    let rule = json!({"limits": [{"kind": "booking_priority", "most": 5}]});
    assert_eq!(ask(&of_root, Method::PUT, "/users/ada/quota", Some(rule)).await.status, StatusCode::OK);
    let span = |more: Value| {
        let mut span = json!({"from": at(8), "to": at(9)});
        span.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        Some(span)
    };
    let low = ask(&of_bob, Method::POST, "/pools/floor/bookings", span(json!({}))).await.json();
    assert_eq!((&low["priority"], &low["displaced"]), (&json!(0), &Value::Null));
    assert_eq!(low["firm_from"], low["from"]);
    let refused = ask(&of_bob, Method::POST, "/pools/floor/bookings", span(json!({"priority": 9}))).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(ask(&of_ada, Method::GET, "/me/bookings", None).await.json()["pools"][0]["priority"], 5);
    let high = ask(&of_ada, Method::POST, "/pools/floor/bookings", span(json!({}))).await;
    assert_eq!((high.status, &high.json()["priority"]), (StatusCode::CREATED, &json!(5)));
    let own = ask(&of_bob, Method::GET, "/me/bookings", None).await.json();
    let lost = own["bookings"].as_array().unwrap().iter().find(|one| one["id"] == low["id"]).unwrap();
    assert!(lost["displaced"].is_string(), "{lost}");
    let refused = ask(&of_bob, Method::POST, "/pools/floor/bookings", span(json!({}))).await;
    assert_eq!(refused.code(), "booked_out");
    let given = json!({"person": "bob", "priority": 1001});
    let refused = ask(&of_root, Method::POST, "/pools/floor/bookings", span(given)).await;
    assert_eq!(refused.code(), "bad_priority");

    // A card's time plan, of a host that has no card.
    let plan = ask(&of_root, Method::GET, "/gpu-turns", None).await;
    assert_eq!((plan.status, plan.json()), (StatusCode::OK, json!({"turns": []})));
    let turn = json!({"gpu": "0000:41:00.0", "pool": "floor", "mode": "vgpu", "hours": "daily 08:00-18:00 UTC"});
    let refused = ask(&of_root, Method::POST, "/gpu-turns", Some(turn)).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::NOT_FOUND, "not_found".into()));
    assert_eq!(ask(&of_root, Method::DELETE, "/gpu-turns/nothing", None).await.status, StatusCode::NOT_FOUND);
}
