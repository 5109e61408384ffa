//! What comes from outside and is wrong, on the real program.

use crate::{
    house::{House, names},
    world::check_images,
};
use serde_json::{Value, json};
use std::{fs, process::Command, time::Duration};
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest as _};

/// How long a ticket is good for, and a little more.
const TICKET_TIME: Duration = Duration::from_secs(31);

/// Somebody in a browser.
pub struct Browser {
    http: reqwest::Client,
    url: String,
    cookie: String,
    csrf: String,
}

impl Browser {
    pub async fn sign_in(url: &str, name: &str, password: &str) -> Self {
        let http = reqwest::Client::new();
        let body = json!({"name": name, "password": password}).to_string();
        let login = http.post(format!("{url}/api/v1/login")).header("content-type", "application/json").body(body);
        let answer = login.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let set = answer.headers()["set-cookie"].to_str().unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        let me: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        Self { http, url: url.to_owned(), cookie, csrf: me["csrf"].as_str().unwrap().to_owned() }
    }

    /// Status and answer.
    pub async fn post(&self, path: &str, body: String) -> (u16, Value) {
        let request = self.http.post(format!("{}/api/v1{path}", self.url)).header("cookie", &self.cookie);
        let request = request.header("x-oriel-csrf", &self.csrf).header("origin", &self.url);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// Opens the WebSocket that the ticket is for: the first thing it says, or the code of the refusal.
    pub async fn open(&self, path: &str) -> Result<Message, String> {
        use futures::{SinkExt as _, StreamExt as _};
        let address = self.url.strip_prefix("http://").unwrap();
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        request.headers_mut().insert("cookie", self.cookie.parse().unwrap());
        request.headers_mut().insert("origin", self.url.parse().unwrap());
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut socket = match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => socket,
            Err(tungstenite::Error::Http(answer)) => {
                let body: Value = serde_json::from_slice(answer.body().as_deref().unwrap_or_default()).unwrap();
                return Err(body["code"].as_str().unwrap().to_owned());
            }
            Err(other) => panic!("{other}"),
        };
        // hello: version 1, 800x600, scale 100, nothing received, no layout.
        let mut hello = vec![0x81, 15, 0, 0, 0, 1];
        hello.extend([800_u16, 600, 100].map(u16::to_le_bytes).concat());
        hello.extend(0_u64.to_le_bytes());
        socket.send(Message::Binary(hello.into())).await.unwrap();
        Ok(socket.next().await.unwrap().unwrap())
    }
}

/// A ticket opens a console at once, not twice, and not after 30 seconds.
pub fn tickets(house: &House) {
    let server = house.serve(None);
    house.furnish();
    house.tell(&["desktop", "create", "lab", "--name", "one"]);
    house.until("one", "ready");
    let first = fs::read_to_string(house.data.join("first-login")).unwrap();
    let password = first.trim().strip_prefix("admin ").unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let browser = Browser::sign_in(&server.url, "admin", password).await;
        let new = json!({"current": password, "new": "seven green lamps in a row"}).to_string();
        assert_eq!(browser.post("/me/password", new).await.0, 204);
        let browser = Browser::sign_in(&server.url, "admin", "seven green lamps in a row").await;
        let id = house.json(&["desktop", "show", "one"])["id"].as_str().unwrap().to_owned();
        let ticket = async || {
            let (status, ticket) = browser.post(&format!("/desktops/{id}/connect"), r#"{"kind":"vnc"}"#.into()).await;
            assert_eq!((status, &ticket["expires_in_seconds"]), (200, &json!(30)), "{ticket:#}");
            ticket["path"].as_str().unwrap().to_owned()
        };
        let (used, kept) = (ticket().await, ticket().await);
        assert!(matches!(browser.open(&used).await, Ok(Message::Binary(_))));
        let twice = browser.open(&used).await;
        tokio::time::sleep(TICKET_TIME).await;
        let late = browser.open(&kept).await;
        eprintln!("twice: {twice:?}; late: {late:?}");
        assert!(twice.is_err());
        assert!(late.is_err());
    });
    house.tell(&["desktop", "delete", "one"]);
    house.until_gone("one");
}

/// Files and names that want something else than to be an image.
pub fn images(house: &House) {
    let server = house.serve(None);
    let disk = house.disk();
    let disk = disk.to_str().unwrap();
    let nothing = |said: &str| said.contains("there is no") || said.contains("consists of dots");
    let told = |file: &str, name: &str| house.ask(&["image", "import", file, "--name", name]).unwrap_err();
    for name in ["../../etc/passwd", "a/b", ".", "a..b", "A", "", "tiny.qcow2", "-x"] {
        let argument = format!("--name={name}");
        let said = house.ask(&["image", "import", disk, &argument]).unwrap_err();
        assert!(said.contains("is not a name"), "{name}: {said}");
        for verb in ["show", "delete", "start"] {
            let said = house.ask(&["desktop", verb, "--", name]).unwrap_err();
            assert!(nothing(&said), "{verb} {name}: {said}");
        }
        let said = house.ask(&["image", "delete", "--", name]).unwrap_err();
        assert!(nothing(&said), "{name}: {said}");
    }
    assert_eq!(house.json(&["operation", "list"])["operations"], json!([]), "nothing of that was begun");

    let folder = house.data.parent().unwrap();
    let secret = folder.join("secret");
    fs::write(&secret, "host's own\n".repeat(100)).unwrap();
    let backed = folder.join("backed.qcow2");
    let create = ["create", "-q", "-f", "qcow2", "-F", "raw", "-b"];
    assert!(Command::new("qemu-img").args(create).args([&secret, &backed]).arg("1M").status().unwrap().success());
    let cut = folder.join("cut.qcow2");
    fs::write(&cut, &fs::read(disk).unwrap()[..200]).unwrap();
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let wrong = ["/etc/passwd", "/dev/zero", "/nowhere/x.qcow2", folder.to_str().unwrap()];
    let made = [&backed, &cut, &pipe].map(|path| path.to_str().unwrap());
    for file in wrong.into_iter().chain(made) {
        let said = told(file, "hostile");
        eprintln!("── {file}\n{said}");
        assert!(said.contains("error: ") && !said.contains("host's own"), "{file}: {said}");
        let last = &house.json(&["operation", "list"])["operations"][0];
        assert_eq!(last["state"], "failed", "{file}: {last:#}");
        assert!(last["error"].as_str().unwrap().contains(file), "{file}: {last:#}");
    }
    assert_eq!(house.json(&["image", "list"])["images"], json!([]));
    check_images(house);
    assert_eq!(names(&house.data.join("images")), [] as [String; 0]);

    // A body that is too large, as browsers and programs without an account would send it.
    let answer = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let request = reqwest::Client::new().post(format!("{}/api/v1/login", server.url));
        let answer = request.header("content-type", "application/json").body(vec![b' '; 1 << 20]).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    });
    assert!(answer.0 == 413 && answer.1.contains("larger than"), "{answer:?}");
}
