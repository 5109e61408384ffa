//! Files over HTTP, on a real OpenSSH.

use crate::house::{Browser, House, ORIGIN, Reply};
use axum::{
    body::Body,
    http::{HeaderValue, Method, Request, StatusCode},
};
use oriel_gateway::terminal::{Credentials, HostKeyPin, ShellOptions, SshOptions};
use oriel_gateway::{DialError, Dialler, Protocol, Target};
use oriel_model::{DesktopId, GuestPort, Role, SessionPolicy};
use serde_json::json;
use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

struct Sshd {
    folder: tempfile::TempDir,
    program: Child,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("cannot start {program}: {error}; apt-get install openssh-server"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An OpenSSH whose file service begins in `house` and may write there.
fn sshd() -> Sshd {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    for name in ["host", "user"] {
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &format!("{path}/{name}")]);
    }
    fs::create_dir(folder.path().join("house")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _ = fs::create_dir_all("/run/sshd");
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {path}/host\nAuthorizedKeysFile {path}/user.pub\nPidFile none\n\
         UsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp -d {path}/house\n"
    );
    fs::write(format!("{path}/config"), config).unwrap();
    let program = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f", &format!("{path}/config")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start /usr/sbin/sshd ({error}); apt-get install openssh-server"));
    let begin = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < Duration::from_mins(1), "sshd does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Sshd { folder, program, port }
}

struct Machine {
    port: u16,
    key: String,
}

#[async_trait::async_trait]
impl Dialler for Machine {
    async fn dial(&self, _: DesktopId, port: GuestPort) -> Result<Target, DialError> {
        assert_eq!(port, GuestPort::Ssh);
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let credentials = Credentials::key(run("id", &["-un"]), self.key.clone().into());
        let protocol = Protocol::ssh(SshOptions::new(credentials, HostKeyPin::FirstUse), ShellOptions::default());
        let policy = SessionPolicy::default();
        Ok(Target { title: "machine".into(), stream: Box::new(stream), protocol, policy })
    }
}

struct Page {
    house: House,
    browser: Browser,
    base: String,
}

impl Page {
    async fn json(&self, method: &Method, path: &str, body: Option<serde_json::Value>) -> Reply {
        self.house.browse(Some(&self.browser), method, &format!("{}{path}", self.base), body).await
    }

    async fn piece(&self, query: &str, bytes: Vec<u8>) -> Reply {
        self.raw(Method::PUT, &format!("/upload?{query}"), None, bytes).await
    }

    /// A part of a download.
    async fn part(&self, path: &str, range: &str, known: Option<&HeaderValue>) -> Reply {
        self.request(Method::GET, path, Some(range), known, Body::empty()).await
    }

    async fn raw(&self, method: Method, path: &str, range: Option<&str>, bytes: Vec<u8>) -> Reply {
        self.request(method, path, range, None, Body::from(bytes)).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        range: Option<&str>,
        known: Option<&HeaderValue>,
        body: Body,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("origin", ORIGIN)
            .header("cookie", &self.browser.cookie)
            .header("x-oriel-csrf", &self.browser.csrf);
        if path.starts_with("/content") {
            // As browsers do; what is saved is never compressed.
            request = request.header("accept-encoding", "gzip");
        }
        if let Some(range) = range {
            request = request.header("range", range);
        }
        if let Some(known) = known {
            request = request.header("if-range", known);
        }
        self.house.send(request.body(body).unwrap()).await
    }
}

#[tokio::test]
async fn files_come_and_go() {
    let machine = sshd();
    let root = machine.folder.path().join("house");
    let file = |name: &str| fs::read_to_string(machine.folder.path().join(name)).unwrap();
    let dialler = Machine { port: machine.port, key: file("user") };
    let house = House::with(Arc::new(dialler)).await;
    let (ada, bob) = (house.user("ada", Role::User).await, house.user("bob", Role::User).await);
    let desktop = house.desktop(&ada).await;
    let browser = house.sign_in(&ada).await;
    let stranger = house.sign_in(&bob).await;
    let base = format!("/api/v1/desktops/{}/files", desktop.id);
    let page = Page { house, browser, base };

    // Three pieces, one of them twice, as after a cut.
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let query = |offset: usize| format!("path=a%20b%3Cc%3E.bin&tag=t1&size=3000000&offset={offset}");
    let first = page.piece(&query(0), bytes[..1_000_000].to_vec()).await;
    assert_eq!(first.json(), json!({"offset": 1_000_000, "complete": false}));
    let there = page.json(&Method::GET, "/upload?path=a%20b%3Cc%3E.bin&tag=t1", None).await;
    assert_eq!(there.json()["offset"], 1_000_000);
    assert_eq!(page.piece(&query(2_000_000), vec![1]).await.code(), "upload_gap");
    let long = page.piece(&query(1_000_000), vec![0; 2_000_001]).await;
    assert_eq!((long.status, long.code()), (StatusCode::PAYLOAD_TOO_LARGE, "file_too_large".into()));
    page.piece(&query(1_000_000), bytes[1_000_000..2_000_000].to_vec()).await;
    assert!(page.json(&Method::GET, "", None).await.json()["files"][0]["name"] != "a b<c>.bin", "not whole yet");
    let last = page.piece(&query(2_000_000), bytes[2_000_000..].to_vec()).await;
    assert_eq!(last.json(), json!({"offset": 3_000_000, "complete": true}), "{:?}", last.json());
    assert!(fs::read(root.join("a b<c>.bin")).unwrap() == bytes);
    let empty = page.piece("path=empty&tag=t2&size=0&offset=0", Vec::new()).await;
    assert_eq!(empty.json(), json!({"offset": 0, "complete": true}));

    // What is there is only replaced when that is asked for; a folder never is.
    let taken = page.piece("path=empty&tag=t7&size=1&offset=0", vec![1]).await;
    assert_eq!((taken.status, taken.code()), (StatusCode::CONFLICT, "file_exists".into()));
    assert!(taken.json()["detail"].as_str().unwrap().contains("empty"), "{}", taken.json());
    let replaced = page.piece("path=empty&tag=t7&size=0&offset=0&replace=true", Vec::new()).await;
    assert_eq!(replaced.json(), json!({"offset": 0, "complete": true}));
    fs::create_dir(root.join("folder")).unwrap();
    let folder = page.piece("path=folder&tag=t8&size=1&offset=0&replace=true", vec![1]).await;
    assert_eq!((folder.status, folder.code()), (StatusCode::CONFLICT, "folder_exists".into()));
    fs::remove_dir(root.join("folder")).unwrap();

    let list = page.json(&Method::GET, "?path=", None).await.json();
    assert_eq!((&list["may_upload"], &list["may_download"]), (&json!(true), &json!(true)));
    assert_eq!(list["root"], root.to_str().unwrap());
    let names: Vec<&str> = list["files"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a b<c>.bin", "empty"]);
    assert_eq!((&list["files"][0]["kind"], &list["files"][0]["size"]), (&json!("file"), &json!(3_000_000)));

    let content = "/content?path=a%20b%3Cc%3E.bin";
    let whole = page.raw(Method::GET, content, None, Vec::new()).await;
    assert!(whole.status == StatusCode::OK && whole.bytes == bytes);
    for (name, value) in [
        ("content-length", "3000000"),
        ("content-type", "application/octet-stream"),
        ("content-disposition", "attachment; filename=\"a b_c_.bin\"; filename*=UTF-8''a%20b%3Cc%3E.bin"),
        ("content-encoding", "identity"),
        ("cache-control", "no-store"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(whole.headers[name], value, "{name}");
    }
    let part = page.raw(Method::GET, content, Some("bytes=2999990-"), Vec::new()).await;
    assert_eq!((part.status, &part.bytes[..]), (StatusCode::PARTIAL_CONTENT, &bytes[2_999_990..]));
    assert_eq!(part.headers["content-range"], "bytes 2999990-2999999/3000000");
    let none = page.raw(Method::GET, content, Some("bytes=3000000-"), Vec::new()).await;
    assert_eq!(
        (none.status, &none.headers["content-range"]),
        (StatusCode::RANGE_NOT_SATISFIABLE, &HeaderValue::from_static("bytes */3000000"))
    );

    // A download continues where the file is the same, and begins anew where it is not.
    let same = page.part(content, "bytes=5-", Some(&whole.headers["etag"])).await;
    assert_eq!((same.status, &same.bytes[..]), (StatusCode::PARTIAL_CONTENT, &bytes[5..]));
    let same = page.part(content, "bytes=5-", Some(&whole.headers["last-modified"])).await;
    assert_eq!(same.status, StatusCode::PARTIAL_CONTENT);
    let other = page.part(content, "bytes=5-", Some(&HeaderValue::from_static("\"other\""))).await;
    assert_eq!((other.status, other.bytes.len()), (StatusCode::OK, bytes.len()));

    // A piece that breaks off leaves what has arrived.
    let pieces = [Ok(bytes[..500_000].to_vec()), Err(std::io::Error::other("the network is gone"))];
    let body = Body::from_stream(futures::stream::iter(pieces));
    let cut = page.request(Method::PUT, "/upload?path=cut&tag=t4&size=3000000&offset=0", None, None, body).await;
    assert_eq!(cut.status, StatusCode::BAD_REQUEST);
    let there = page.json(&Method::GET, "/upload?path=cut&tag=t4", None).await.json();
    assert_eq!(there["offset"], 500_000);
    assert_eq!(page.json(&Method::DELETE, "/upload?path=cut&tag=t4", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(page.piece("path=far&tag=t5&size=3&offset=4", vec![]).await.code(), "bad_request");

    let post = async |path: &str, body| page.json(&Method::POST, path, Some(body)).await;
    assert_eq!(post("/folder", json!({"path": "new"})).await.status, StatusCode::CREATED);
    assert_eq!(post("/folder", json!({"path": "new"})).await.code(), "file_exists");
    assert_eq!(post("/move", json!({"from": "empty", "to": "new/moved"})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(page.json(&Method::GET, "?path=new", None).await.json()["files"][0]["name"], "moved");
    assert_eq!(page.json(&Method::DELETE, "?path=new", None).await.code(), "file_failed");
    assert_eq!(page.json(&Method::DELETE, "?path=new/moved", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(page.json(&Method::DELETE, "?path=new", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(page.json(&Method::DELETE, "?path=new", None).await.code(), "no_such_file");
    page.piece("path=given-up&tag=t3&size=9&offset=0", vec![1, 2]).await;
    assert_eq!(page.json(&Method::DELETE, "/upload?path=given-up&tag=t3", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1);

    let entry = page.json(&Method::GET, "/entry?path=a%20b%3Cc%3E.bin", None).await.json();
    assert_eq!((&entry["kind"], &entry["size"]), (&json!("file"), &json!(3_000_000)));
    assert_eq!(page.json(&Method::GET, "/entry?path=nowhere", None).await.code(), "no_such_file");

    // Nothing outside, nothing without a name, nothing for others.
    for (path, code) in [("?path=..", "bad_path"), ("/content?path=../host", "bad_path"), ("/content", "bad_request")] {
        assert_eq!(page.json(&Method::GET, path, None).await.code(), code, "{path}");
    }
    std::os::unix::fs::symlink("/etc", root.join("out")).unwrap();
    assert_eq!(page.json(&Method::GET, "/content?path=out/passwd", None).await.code(), "outside");
    let theirs = page.house.browse(Some(&stranger), &Method::GET, &page.base, None).await;
    assert_eq!((theirs.status, theirs.code()), (StatusCode::NOT_FOUND, "not_found".into()));

    // What the pool forbids is refused here, whatever the page offers.
    let root = page.house.user("root", Role::Admin).await;
    let admin = page.house.sign_in(&root).await;
    for (rules, upload, download, look) in [
        (json!({"files": {"upload": false, "download": true}}), false, true, true),
        (json!({"files": {"upload": true, "download": false}}), true, false, true),
        (json!({"view_only": true}), false, true, true),
        (json!({"files": {"upload": false, "download": false}}), false, false, false),
    ] {
        let body = Some(json!({"policy": rules}));
        let changed = page.house.browse(Some(&admin), &Method::PATCH, "/api/v1/pools/studio", body).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.json());
        let code = |allowed: bool| if allowed { "" } else { "files_not_allowed" };
        let list = page.json(&Method::GET, "?path=", None).await;
        assert_eq!(list.code(), code(look), "{rules}");
        if look {
            assert_eq!((&list.json()["may_upload"], &list.json()["may_download"]), (&json!(upload), &json!(download)));
        }
        assert_eq!(page.raw(Method::GET, content, None, Vec::new()).await.status.is_success(), download, "{rules}");
        let piece = page.piece("path=rules&tag=t6&size=1&offset=0", vec![1]).await;
        assert_eq!((piece.status.is_success(), piece.code().as_str()), (upload, code(upload)), "{rules}");
        for (method, path, body) in [
            (Method::POST, "/folder", Some(json!({"path": "rules-folder"}))),
            (Method::POST, "/move", Some(json!({"from": "rules", "to": "rules-moved"}))),
            (Method::DELETE, "?path=rules-moved", None),
            (Method::DELETE, "?path=rules-folder", None),
            (Method::GET, "/upload?path=rules&tag=t6", None),
            (Method::DELETE, "/upload?path=rules&tag=t6", None),
        ] {
            assert_eq!(page.json(&method, path, body).await.code(), code(upload), "{rules} {method} {path}");
        }
        // An image in its drive brings files there too; this host's machines have none.
        let drive = page.base.replace("/files", "/drive");
        let code = if upload { "no_drive" } else { "files_not_allowed" };
        let sides = [(Method::GET, "", None), (Method::POST, "", Some(json!({"image": "a.iso"})))];
        for (method, path, body) in sides.into_iter().chain([(Method::DELETE, "/image?name=a.iso", None)]) {
            let path = format!("{drive}{path}");
            let told = page.house.browse(Some(&page.browser), &method, &path, body).await;
            assert_eq!(told.code(), code, "{rules} {method} {path}: {}", told.json());
        }
    }
}
