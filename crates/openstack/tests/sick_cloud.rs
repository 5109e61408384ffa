//! The client against a cloud that fails in every way that one can.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod fake;

use fake::{Asked, Reply, Server};
use oriel_model::Severity;
use oriel_openstack::{Client, NewServer, OpenStackError, Options, ServerFilter, doctor};
use std::time::{Duration, Instant};

/// Keystone, for an hour, and Nova's versions; `None` for what is left to the test.
fn usual(asked: &Asked, life_seconds: i64) -> Option<Reply> {
    usual_at(asked, life_seconds, jiff::Timestamp::now())
}

fn usual_at(asked: &Asked, life_seconds: i64, now: jiff::Timestamp) -> Option<Reply> {
    let host = asked.headers.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let end = now + jiff::SignedDuration::from_secs(life_seconds);
    match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/identity/v3/auth/tokens") => {
            let endpoint = |kind: &str| {
                format!(
                    r#"{{"type": "{kind}", "endpoints": [{{"interface": "public", "region_id": "north", "url": "http://{host}/{kind}"}}]}}"#
                )
            };
            let catalog: Vec<String> = ["compute", "image", "network"].map(endpoint).into();
            let body = format!(
                r#"{{"token": {{"issued_at": "{now}", "expires_at": "{end}", "user": {{"name": "ada"}}, "project": {{"id": "1", "name": "desktops"}},
                    "roles": [{{"name": "member"}}], "catalog": [{}]}}}}"#,
                catalog.join(",")
            );
            Some(Reply::new(201, body).with("X-Subject-Token", format!("token-{end}")))
        }
        ("GET", "/compute/v2.1/") => {
            Some(Reply::new(200, r#"{"version": {"id": "v2.1", "min_version": "2.1", "version": "2.93"}}"#))
        }
        _ => None,
    }
}

fn quick() -> Options {
    Options {
        answer_time: Duration::from_millis(500),
        attempts: 3,
        pause: Duration::from_millis(10),
        pause_max: Duration::from_millis(1500),
        ..Options::default()
    }
}

/// A cloud that is well until it is asked for servers; `answer` gets how many requests for them came before.
async fn sick(life_seconds: i64, answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> (Server, Client) {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |asked, _| {
        usual(asked, life_seconds)
            .unwrap_or_else(|| answer(asked, count.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
    })
    .await;
    let client = Client::new(&fake::cloud(&server.url), None, quick()).unwrap();
    (server, client)
}

const NONE: &str = r#"{"servers": []}"#;
const LIST: &str = "/compute/v2.1/servers/detail";
const TOKENS: &str = "/identity/v3/auth/tokens";

async fn list(client: &Client) -> Result<usize, OpenStackError> {
    client.servers(&ServerFilter::default()).await.map(|all| all.len())
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once() {
    let (server, client) = sick(3600, |_, n| if n == 0 { Reply::new(401, "") } else { Reply::new(200, NONE) }).await;
    assert_eq!(list(&client).await.unwrap(), 0);
    assert_eq!((server.count("POST", TOKENS), server.count("GET", LIST)), (2, 2));
    assert_eq!(list(&client).await.unwrap(), 0);
    assert_eq!(server.count("POST", TOKENS), 2, "a good token is kept");
}

#[tokio::test]
async fn who_is_refused_twice_stays_refused() {
    let (server, client) = sick(3600, |_, _| Reply::new(401, r#"{"error": {"message": "no"}}"#)).await;
    let error = list(&client).await.unwrap_err();
    assert!(matches!(error, OpenStackError::Refused { status: 401, .. }), "{error}");
    assert_eq!((server.count("POST", TOKENS), server.count("GET", LIST)), (2, 2), "no storm");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let (server, client) = sick(5, |_, _| Reply::new(200, NONE)).await;
    list(&client).await.unwrap();
    list(&client).await.unwrap();
    assert_eq!(server.count("POST", TOKENS), 1);
    tokio::time::sleep(Duration::from_millis(4600)).await;
    list(&client).await.unwrap();
    assert_eq!(server.count("POST", TOKENS), 2, "a tenth of its life before its end");
}

#[tokio::test]
async fn many_at_once_sign_in_once() {
    let (server, client) = sick(3600, |_, _| Reply::new(200, NONE)).await;
    let client = std::sync::Arc::new(client);
    let all: Vec<_> = (0..20)
        .map(|_| {
            let client = std::sync::Arc::clone(&client);
            tokio::spawn(async move { list(&client).await.unwrap() })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
    assert_eq!(server.count("POST", TOKENS), 1);
    assert_eq!(server.count("GET", "/compute/v2.1/"), 1);
}

#[tokio::test]
async fn wrong_credentials_are_said_to_be_wrong() {
    let server = Server::start(|_, _| {
        Reply::new(401, r#"{"error": {"code": 401, "message": "The request you have made requires authentication."}}"#)
    })
    .await;
    let client = Client::new(&fake::cloud(&server.url), None, quick()).unwrap();
    let error = list(&client).await.unwrap_err().to_string();
    assert!(error.starts_with("the cloud does not know these credentials: The request you have made"), "{error}");
    assert_eq!(server.asked.lock().unwrap().len(), 1, "asking again does not make them right");
    assert!(!error.contains("s3cret"));
}

#[tokio::test]
async fn the_cloud_says_when_to_come_back() {
    let (_server, client) = sick(3600, |_, n| match n {
        0 => Reply::new(429, "slow down").with("Retry-After", "1"),
        _ => Reply::new(200, NONE),
    })
    .await;
    let began = Instant::now();
    list(&client).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    let (_server, client) = sick(3600, |_, _| Reply::new(503, "").with("Retry-After", "3600")).await;
    let error = list(&client).await.unwrap_err();
    assert_eq!(error.to_string(), "Nova asks to be left alone for 3600 s; that is longer than Oriel waits at once");
}

#[tokio::test]
async fn what_may_be_done_twice_is_tried_again_and_nothing_else() {
    let (server, client) = sick(3600, |_, n| if n < 2 { Reply::new(502, "") } else { Reply::new(200, NONE) }).await;
    list(&client).await.unwrap();
    assert_eq!(server.count("GET", LIST), 3);
    let (server, client) = sick(3600, |_, _| Reply::new(500, "<html><body><h1>oh</h1></body></html>")).await;
    let error = list(&client).await.unwrap_err();
    assert_eq!(error.to_string(), "Nova could not list servers (500) after 3 tries: oh");
    assert_eq!(server.count("GET", LIST), 3);
    // A server may have been made, though its answer was lost.
    let (server, client) = sick(3600, |_, _| Reply::new(502, "")).await;
    client.create_server(&NewServer::new("a", "b", "c")).await.unwrap_err();
    assert_eq!(server.count("POST", "/compute/v2.1/servers"), 1);
    // Here nothing was.
    let (server, client) = sick(3600, |_, n| match n {
        0 => Reply::new(429, ""),
        _ => Reply::new(202, r#"{"server": {"id": "x"}}"#),
    })
    .await;
    assert_eq!(client.create_server(&NewServer::new("a", "b", "c")).await.unwrap(), "x");
    assert_eq!(server.count("POST", "/compute/v2.1/servers"), 2);
}

#[tokio::test]
async fn slow_cut_and_endless_answers_end() {
    let (_server, client) = sick(3600, |_, _| Reply { late: Duration::from_mins(1), ..Reply::new(200, NONE) }).await;
    let error = list(&client).await.unwrap_err();
    assert!(matches!(error, OpenStackError::Slow { .. }), "{error}");
    let (_server, client) = sick(3600, |_, _| Reply { cut: true, ..Reply::new(200, NONE) }).await;
    let error = list(&client).await.unwrap_err();
    assert!(matches!(error, OpenStackError::Unreachable { .. }), "{error}");
    let (_server, client) = sick(3600, |_, _| Reply::new(200, " ".repeat((16 << 20) + 1))).await;
    let error = list(&client).await.unwrap_err();
    assert!(matches!(error, OpenStackError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_list_without_an_end_ends() {
    let page = r#"{"servers": [{"id": "x"}], "servers_links": [{"rel": "next", "href": "http://x"}]}"#;
    let (server, client) = sick(3600, move |_, _| Reply::new(200, page)).await;
    list(&client).await.unwrap_err();
    assert!(server.count("GET", LIST) <= 200);
}

#[tokio::test]
async fn nonsense_is_an_error_and_is_not_repeated() {
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"servers": "s3cret"}"#,
        r#"{"servers": [{"id": 7}]}"#,
        "<html>s3cret</html>",
        "\u{0}",
    ] {
        let (_server, client) = sick(3600, move |_, _| Reply::new(200, body)).await;
        let error = list(&client).await.unwrap_err();
        assert!(matches!(error, OpenStackError::NotUnderstood { .. }), "{body}: {error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn nobody_is_followed_with_a_token() {
    let (server, client) =
        sick(3600, |_, _| Reply::new(302, "").with("Location", "http://127.0.0.1:1/elsewhere")).await;
    let error = list(&client).await.unwrap_err().to_string();
    assert!(error.contains("it points to http://127.0.0.1:1/elsewhere, which is not followed"), "{error}");
    assert_eq!(server.count("GET", LIST), 1);
}

#[tokio::test]
async fn volumes_are_counted_and_those_left_behind_are_named() {
    let volume = |id: &str, status: &str, image: &str| {
        format!(
            r#"{{"id": "{id}", "name": "", "status": "{status}", "size": 20, "attachments": [], "volume_type": "ssd",
                "bootable": "true", "volume_image_metadata": {image}}}"#
        )
    };
    let ours = r#"{"image_id": "i", "oriel_sha256": "abcd", "min_disk": "0"}"#;
    let all = [
        volume("left", "available", ours),
        volume("theirs", "available", r#"{"image_id": "j"}"#),
        volume("held", "in-use", ours),
        r#"{"id": "empty", "name": null, "status": "available", "size": 1}"#.to_owned(),
        // There to be cloned.
        r#"{"id": "golden", "name": "golden", "status": "available", "size": 20, "metadata": {"oriel-of": "x"},
            "volume_image_metadata": {"oriel_sha256": "abcd"}}"#
            .to_owned(),
    ];
    let body = format!(r#"{{"volumes": [{}]}}"#, all.join(","));
    let used = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(3));
    let said = std::sync::Arc::clone(&used);
    let server = Server::start(move |asked, _| {
        if let Some(mut reply) = usual(asked, 3600) {
            // Glance's place in the catalog is Cinder's here.
            reply.body = reply.body.replace("image", "volumev3");
            return reply;
        }
        match asked.path.as_str() {
            "/volumev3/v3/1/limits" => {
                let used = said.load(std::sync::atomic::Ordering::Relaxed);
                Reply::new(
                    200,
                    format!(
                        r#"{{"limits": {{"rate": [], "absolute": {{"totalSnapshotsUsed": 0, "maxTotalBackups": 10, "maxTotalVolumeGigabytes": 1000,
                            "maxTotalSnapshots": 10, "maxTotalBackupGigabytes": 1000, "totalBackupGigabytesUsed": 0, "maxTotalVolumes": 10,
                            "totalVolumesUsed": {used}, "totalBackupsUsed": 0, "totalGigabytesUsed": 60}}}}}}"#
                    ),
                )
            }
            "/volumev3/v3/1/types" => Reply::new(200, r#"{"volume_types": [{"id": "t", "name": "ssd", "is_public": true}]}"#),
            "/volumev3/v3/1/volumes/detail" => Reply::new(200, body.clone()),
            "/volumev3/v3" => Reply::new(
                200,
                r#"{"versions": [{"id": "v3.0", "status": "CURRENT", "version": "3.67", "min_version": "3.0"}]}"#,
            ),
            "/volumev3/v3/1/snapshots/detail" if asked.query.contains("volume_id=") => {
                Reply::new(200, r#"{"snapshots": [{"id": "s", "status": "available", "size": 20}]}"#)
            }
            "/volumev3/v3/1/snapshots/detail" => Reply::new(
                200,
                r#"{"snapshots": [{"id": "s", "status": "available", "size": 20, "volume_id": "golden"}]}"#,
            ),
            _ => Reply::new(404, ""),
        }
    })
    .await;
    let cloud = fake::cloud(&server.url);
    let client = Client::new(&cloud, None, quick()).unwrap();
    let quotas = client.volume_quotas().await.unwrap();
    assert_eq!((quotas.volumes.free(), quotas.gib.free()), (Some(7), Some(940)));
    assert_eq!(client.volume_types().await.unwrap(), ["ssd"]);
    let unused = client.unused_volumes().await.unwrap();
    assert_eq!(unused.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["left", "theirs", "empty", "golden"]);
    let findings = doctor::doctor(&cloud, None, &quick()).await;
    let find = |findings: &[oriel_model::Finding], id: &str| findings.iter().find(|one| one.id == id).cloned().unwrap();
    let well = find(&findings, "volumes");
    assert_eq!(well.severity, Severity::Ok);
    assert!(well.reason.contains("of a snapshot of their image"), "{}", well.reason);
    let fresh = well.evidence.iter().find(|one| one.path == "fresh disks").unwrap();
    assert!(fresh.content.starts_with("with a new server (Cinder 3.67;"), "{}", fresh.content);
    // One that does not say of what it is.
    let error = client.volume_snapshots(Some("golden")).await.unwrap_err();
    assert!(matches!(error, OpenStackError::NotUnderstood { .. }), "{error}");
    let left = find(&findings, "volumes-left");
    assert!(left.reason.starts_with("1 volumes (20 GiB)"), "{}", left.reason);
    assert_eq!(left.evidence[0].content, "left (20 GiB)");
    used.store(10, std::sync::atomic::Ordering::Relaxed);
    let full = find(&doctor::doctor(&cloud, None, &quick()).await, "volumes");
    assert_eq!(
        (full.severity, full.reason.as_str()),
        (Severity::Warning, "the project's quota is used up: no more volumes")
    );
}

#[tokio::test]
async fn the_doctor_says_what_a_sick_cloud_lacks() {
    // Glance is broken, Neutron empty, Placement and Cinder are not there, Nova has nothing left, and the clock is fast.
    let fast = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10);
    let server = Server::start(move |asked, _| {
        usual_at(asked, 3600, fast).unwrap_or_else(|| match asked.path.as_str() {
            path if path.starts_with("/image") => Reply::new(503, ""),
            path if path.starts_with("/network/v2.0/networks") => Reply::new(200, r#"{"networks": []}"#),
            "/compute/v2.1/flavors/detail" => Reply::new(200, r#"{"flavors": []}"#),
            "/compute/v2.1/limits" => Reply::new(
                200,
                r#"{"limits": {"absolute": {"maxTotalInstances": 3, "totalInstancesUsed": 3, "maxTotalCores": -1, "totalCoresUsed": 6, "maxTotalRAMSize": 100, "totalRAMUsed": 50}}}"#,
            ),
            path if path.contains("os-console-auth-tokens") => Reply::new(403, r#"{"forbidden": {"message": "Policy"}}"#),
            _ => Reply::new(200, "{}"),
        })
    })
    .await;
    let findings = doctor::doctor(&fake::cloud(&server.url), None, &quick()).await;
    let severity = |id: &str| findings.iter().find(|one| one.id == id).map(|one| one.severity);
    for (id, want) in [
        ("transport", Severity::Note),
        ("clock", Severity::Warning),
        ("sign-in", Severity::Ok),
        ("rights", Severity::Warning),
        ("endpoint-compute", Severity::Ok),
        ("endpoint-image", Severity::Error),
        ("endpoint-placement", Severity::Warning),
        ("endpoint-volume", Severity::Note),
        ("microversion", Severity::Ok),
        ("quota", Severity::Warning),
        ("flavors", Severity::Error),
        ("gpu-flavors", Severity::Note),
        ("console", Severity::Note),
        ("networks", Severity::Error),
        ("security-groups", Severity::Warning),
    ] {
        assert_eq!(severity(id), Some(want), "{id}: {findings:#?}");
    }
    for finding in &findings {
        let bad = finding.severity >= Severity::Warning;
        assert!(!finding.reason.is_empty() && (!bad || !finding.fix.is_empty()), "{finding:?}");
    }
    let nobody = doctor::doctor(&fake::cloud("http://127.0.0.1:1"), None, &Options { attempts: 1, ..quick() }).await;
    let last = nobody.last().unwrap();
    assert_eq!((last.id.as_str(), last.severity), ("sign-in", Severity::Error));
    assert!(
        last.reason.starts_with("cannot reach Keystone at http://127.0.0.1:1/identity/v3/auth/tokens"),
        "{}",
        last.reason
    );
}
