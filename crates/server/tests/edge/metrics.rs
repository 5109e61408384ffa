//! What Prometheus is told.

use crate::house::{HOST, House};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use oriel_model::Role;
use serde_json::json;

#[tokio::test]
async fn a_token_for_it_reads_the_numbers_and_nothing_else() {
    let house = House::new().await;
    let root = house.user("root", Role::Admin).await;
    let browser = house.sign_in(&root).await;
    let body = json!({"label": "prometheus", "permissions": ["host_read"]});
    let made = house.browse(Some(&browser), &Method::POST, "/api/v1/tokens", Some(body)).await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let get = async |path: &str| {
        let request = Request::get(path)
            .header("host", HOST)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap();
        house.send(request).await
    };
    assert_eq!(get("/api/v1/users").await.status, StatusCode::FORBIDDEN);
    let desktop = house.desktop(&root).await;
    let reply = get("/api/v1/metrics").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = String::from_utf8(reply.bytes).unwrap();
    let pool = house.store.pool(desktop.pool).await.unwrap().unwrap().name;
    for line in [
        format!(r#"oriel_desktops{{pool="{pool}",state="ready",assigned="true"}} 1"#),
        format!(r#"oriel_desktops{{pool="{pool}",state="ready",assigned="false"}} 0"#),
        r#"oriel_sessions{through="rdp"} 0"#.to_owned(),
        r#"oriel_requests_total{operation="login",status="200"} 1"#.to_owned(),
        r#"oriel_requests_total{operation="list_users",status="403"} 1"#.to_owned(),
    ] {
        assert!(text.lines().any(|one| one.starts_with(&line)), "{line}\n{text}");
    }
    for name in ["oriel_build_info", "process_resident_memory_bytes", "process_cpu_seconds_total", "oriel_leading"] {
        assert!(text.contains(&format!("\n{name}")), "{name}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn a_dashboard_says_how_things_stand_and_what_failed() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let desktop = house.desktop(&ada).await;
    let admin = house.sign_in(&root).await;
    let get = async |path: &str| house.browse(Some(&admin), &Method::GET, path, None).await;
    let seen = get("/api/v1/dashboard").await.json();
    assert_eq!((&seen["sessions"], &seen["people"], &seen["history"]), (&json!(0), &json!(0), &json!([])), "{seen}");
    assert_eq!((&seen["now"]["desktops"], &seen["now"]["failed"]), (&json!(1), &json!(0)), "{seen}");
    assert_eq!(seen["history_minutes"], json!(5));
    let pool = &seen["pools"][0];
    // Its one desktop is somebody's: nobody's spare.
    assert_eq!((&pool["desktops"], &pool["running"], &pool["running_spares"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(seen["hosts"][0]["kind"], json!("host"));

    let failed = |row: &mut oriel_model::Desktop| {
        row.state = oriel_model::DesktopState::Failed;
        row.failure = Some("its disk is full; make room and restart it".to_owned());
    };
    house.store.modify_desktop(desktop.id, failed).await.unwrap();
    let point = oriel_model::HistoryPoint { minute: seconds_since_1970() / 60, in_use: 3, ..Default::default() };
    house.store.note_history(&point).await.unwrap();
    let seen = get("/api/v1/dashboard?hours=2").await.json();
    let failure = &seen["failures"][0];
    assert_eq!((&failure["kind"], &failure["id"]), (&json!("desktop"), &json!(desktop.id.to_string())), "{seen}");
    assert_eq!(failure["reason"], json!("its disk is full; make room and restart it"));
    assert_eq!((&seen["history"][0]["in_use"], &seen["history_minutes"]), (&json!(3), &json!(1)), "{seen}");

    for hours in ["0", "193", "soon"] {
        let reply = get(&format!("/api/v1/dashboard?hours={hours}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{hours}");
    }
}

fn seconds_since_1970() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

#[tokio::test]
async fn readiness_is_the_databases() {
    let house = House::new().await;
    assert_eq!(house.browse(None, &Method::GET, "/api/v1/health/ready", None).await.status, StatusCode::OK);
    house.store.clone().close().await.unwrap();
    let reply = house.browse(None, &Method::GET, "/api/v1/health/ready", None).await;
    assert_eq!((reply.status, reply.code()), (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable".into()));
    // The program itself is there.
    assert_eq!(house.browse(None, &Method::GET, "/api/v1/health", None).await.status, StatusCode::OK);
}
