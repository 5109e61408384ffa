//! Recordings over the API: listed, looked into, read by ranges while they grow, deleted when they have ended.

use crate::house::House;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use oriel_broker::NewRecording;
use oriel_model::{ConnectionId, GuestPort, RecordedInput, RecordingPolicy, RecordingRules, Role};
use oriel_screen::recording::cast::CastWriter;
use oriel_screen::recording::{Container, Header, RecordingKind, Writer};
use oriel_screen::wire::ServerRecord;
use serde_json::json;

#[tokio::test]
async fn a_recording_is_read_while_it_grows_and_deleted_when_it_has_ended() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let desktop = house.desktop(&ada).await;
    let browser = house.sign_in(&root).await;
    let get = async |path: &str| house.browse(Some(&browser), &Method::GET, path, None).await;
    assert_eq!(get("/api/v1/recordings").await.json(), json!({"recordings": [], "next": null}));

    let connection = ConnectionId::new();
    let new = NewRecording { connection, user: ada.id, desktop: desktop.id, port: GuestPort::Console };
    let mut live = house.broker.begin_recording(new).await.unwrap();
    let id = live.recording().id;
    let (mut writer, header) = Writer::new(&Header {
        kind: RecordingKind::Screen,
        recording: id.0.into_bytes(),
        connection: connection.0.into_bytes(),
        started: 0,
        title: "studio-1".into(),
    });
    let mut plain = header.bytes.clone();
    live.put(&header).await.unwrap();
    writer.push(0, true, &[7; 500]);
    let chunk = writer.cut().unwrap();
    plain.extend(&chunk.bytes);
    live.put(&chunk).await.unwrap();

    let at = format!("/api/v1/recordings/{id}");
    let row = get(&at).await.json();
    assert_eq!(row["state"], "recording");
    assert_eq!((&row["user"]["name"], &row["desktop"]["name"]), (&json!("ada"), &json!("studio-1")));
    assert_eq!((&row["kind"], &row["ended_at"]), (&json!("vnc"), &json!(null)));
    let index = get(&format!("{at}/index")).await.json();
    assert_eq!(index["size"], plain.len());
    let first =
        json!({"offset": header.bytes.len(), "length": chunk.bytes.len(), "first_ms": 0, "last_ms": 0, "key": true});
    assert_eq!(index["chunks"], json!([first]));
    let busy = house.browse(Some(&browser), &Method::DELETE, &at, None).await;
    assert_eq!((busy.status, busy.code()), (StatusCode::CONFLICT, "still_recording".into()));

    writer.push(9_000, false, &[8; 300]);
    let (last, end) = writer.finish();
    for chunk in last.into_iter().chain([end]) {
        plain.extend(&chunk.bytes);
        live.put(&chunk).await.unwrap();
    }
    live.finish().await.unwrap();
    let row = get(&at).await.json();
    assert_eq!((&row["state"], &row["duration_ms"]), (&json!("ended"), &json!(9_000)));

    let content = format!("{at}/content");
    let whole = get(&content).await;
    assert_eq!(whole.status, StatusCode::OK);
    assert_eq!(whole.bytes, plain);
    assert!(Container::read(&whole.bytes).unwrap().complete);
    let range = async |range: &str| {
        let request = Request::get(&content).header("cookie", &browser.cookie).header("range", range);
        // As browsers do; a range of what is compressed would be another one.
        house.send(request.header("accept-encoding", "gzip").body(Body::empty()).unwrap()).await
    };
    let part = range("bytes=20-399").await;
    assert_eq!((part.status, part.bytes.as_slice()), (StatusCode::PARTIAL_CONTENT, &plain[20..400]));
    assert_eq!(part.headers["content-range"], format!("bytes 20-399/{}", plain.len()));
    assert_eq!(range("bytes=-12").await.bytes, plain[plain.len() - 12..]);
    let beyond = range("bytes=99999-").await;
    assert_eq!((beyond.status, beyond.code()), (StatusCode::RANGE_NOT_SATISFIABLE, "no_such_range".into()));

    let gone = house.browse(Some(&browser), &Method::DELETE, &at, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(get(&content).await.status, StatusCode::NOT_FOUND);
}

/// An auditor plays recordings, and gets as many bytes; what was typed is for those who have a permission of its own.
#[tokio::test]
async fn what_was_typed_is_not_for_everybody_who_plays() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let auditor = house.user("vera", Role::Auditor).await;
    let desktop = house.desktop(&ada).await;
    let (root, auditor, ada_too) =
        (house.sign_in(&root).await, house.sign_in(&auditor).await, house.sign_in(&ada).await);
    let mut message = Vec::new();
    ServerRecord::Words("seen by all".into()).encode(&mut message);
    ServerRecord::Typed("hunter2".into()).encode(&mut message);
    let mut cast = CastWriter::default();
    let mut lines = CastWriter::header(80, 24, 0, "t", None);
    lines += &cast.output(5, b"seen by all");
    lines += &CastWriter::input(6, b"hunter2");
    let kinds = [
        (GuestPort::Console, RecordingKind::Screen, message),
        (GuestPort::Ssh, RecordingKind::Terminal, lines.into_bytes()),
    ];
    for (port, kind, said) in kinds {
        let connection = ConnectionId::new();
        let new = NewRecording { connection, user: ada.id, desktop: desktop.id, port };
        let mut live = house.broker.begin_recording(new).await.unwrap();
        let id = live.recording().id;
        let title = "studio-1".into();
        let (mut writer, header) =
            Writer::new(&Header { kind, recording: id.0.into_bytes(), connection: [0; 16], started: 0, title });
        live.put(&header).await.unwrap();
        writer.push(0, true, &said);
        let (last, end) = writer.finish();
        for chunk in last.into_iter().chain([end]) {
            live.put(&chunk).await.unwrap();
        }
        live.finish().await.unwrap();
        let has = |bytes: &[u8], words: &str| bytes.windows(words.len()).any(|part| part == words.as_bytes());
        let mut sizes = Vec::new();
        for (who, typed) in [(&root, true), (&auditor, false)] {
            let get = async |path: &str| {
                let path = format!("/api/v1/recordings/{id}/{path}");
                house.browse(Some(who), &Method::GET, &path, None).await
            };
            let index = get("index").await.json();
            assert_eq!(index["typed"], typed);
            let whole = get("content").await.bytes;
            assert!(has(&whole, "seen by all"));
            assert_eq!(has(&whole, "hunter2"), typed);
            assert!(Container::read(&whole).unwrap().complete);
            sizes.push(whole.len());
            // Any range of it is cut out of the same bytes.
            let range = Request::get(format!("/api/v1/recordings/{id}/content"));
            let range = range.header("cookie", &who.cookie).header("range", "bytes=100-");
            let part = house.send(range.body(Body::empty()).unwrap()).await;
            assert_eq!(part.bytes, whole[100..]);
        }
        assert_eq!(sizes[0], sizes[1]);
        let path = format!("/api/v1/recordings/{id}/content");
        let other = house.browse(Some(&ada_too), &Method::GET, &path, None).await;
        assert_eq!(other.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_pool_says_whether_its_connections_are_recorded() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let desktop = house.desktop(&ada).await;
    let browser = house.sign_in(&root).await;
    let change = async |body| house.browse(Some(&browser), &Method::PATCH, "/api/v1/pools/studio", Some(body)).await;
    assert_eq!(change(json!({"vcpus": 3})).await.json()["recording"], "off");
    assert_eq!(change(json!({"recording": "always"})).await.json()["recording"], "always");
    assert_eq!(change(json!({"vcpus": 2})).await.json()["recording"], "always");
    let rules = async || house.broker.recording_rules(ada.id, desktop.id).await.unwrap();
    let none = RecordedInput { keys: false, clipboard: false };
    assert_eq!(rules().await, RecordingRules { policy: RecordingPolicy::Always, input: none });
    let policy = json!({"policy": {"recording_keys": true}});
    assert_eq!(change(policy).await.json()["policy"]["recording_clipboard"], false);
    assert_eq!(rules().await.input, RecordedInput { keys: true, ..none });
    assert_eq!(change(json!({"recording": "sometimes"})).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn recordings_are_listed_page_by_page_and_looked_for() {
    let house = House::new().await;
    let (root, ada) = (house.user("root", Role::Admin).await, house.user("ada", Role::User).await);
    let desktop = house.desktop(&ada).await;
    let browser = house.sign_in(&root).await;
    let get = async |query: &str| {
        house.browse(Some(&browser), &Method::GET, &format!("/api/v1/recordings{query}"), None).await
    };
    let mut ids = Vec::new();
    for user in [&ada, &root, &ada] {
        let connection = ConnectionId::new();
        let new = NewRecording { connection, user: user.id, desktop: desktop.id, port: GuestPort::Console };
        ids.push(house.broker.begin_recording(new).await.unwrap().recording().id.to_string());
    }
    ids.reverse();
    let of = |page: &serde_json::Value| -> Vec<String> {
        page["recordings"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = get("?limit=2").await.json();
    assert_eq!(of(&first), ids[..2]);
    let second = get(&format!("?limit=2&cursor={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!((of(&second), &second["next"]), (ids[2..].to_vec(), &json!(null)));
    assert_eq!(of(&get("?user=root").await.json()), ids[1..2]);
    assert_eq!(of(&get("?text=STUD&user=ada&desktop=studio-1").await.json()).len(), 2);
    assert_eq!(of(&get("?until=2020-01-01").await.json()).len(), 0);
    assert_eq!(of(&get("?since=2020-01-01T00:00:00Z&until=").await.json()).len(), 3);
    for wrong in ["?since=yesterday", "?cursor=7", "?colour=red"] {
        assert_eq!(get(wrong).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
