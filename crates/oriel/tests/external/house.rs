//! The real program on a folder of its own, and people in browsers.

use futures::{SinkExt as _, StreamExt as _};
use oriel_screen::InputEvent;
use oriel_screen::wire::{PROTOCOL_VERSION, ServerRecord, ViewerHello, ViewerRecord};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

pub const PATIENCE: Duration = Duration::from_mins(1);
pub const PASSWORD: &str = "seven green lamps in a row";

/// A server that may dial `allow`.
pub struct House {
    pub data: TempDir,
    pub url: String,
    server: Child,
    allow: &'static str,
}

impl Drop for House {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn oriel(data: &Path, allow: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORIEL_") || name.starts_with("XDG_")) {
        command.env_remove(name);
    }
    command
        .env("ORIEL_DATA", data)
        .env("ORIEL_CACHE", data.join("cache"))
        .env("ORIEL_LIBVIRT_URI", "none")
        .env("ORIEL_ACCELERATOR", "tcg")
        .env("ORIEL_LISTEN", "127.0.0.1:0")
        .env("ORIEL_LOG", "info")
        .env("ORIEL_EXTERNAL_ALLOW", allow);
    command
}

impl House {
    pub fn new(allow: &'static str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(data.path().join("log")).unwrap();
        let mut server = oriel(data.path(), allow).arg("serve").stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("ready: ").unwrap_or_else(|| panic!("said {line:?}")).trim();
        let url = url.trim_end_matches('/').to_owned();
        Self { data, url, server, allow }
    }

    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// A file with this in it.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.data.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("log")).unwrap()
    }

    /// What the command line says, or why it fails.
    pub fn ask_with(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut command = oriel(self.data.path(), self.allow);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        if output.status.success() { Ok(out) } else { Err(format!("{out}{err}")) }
    }

    /// Begins a command, of which nobody reads what it says.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = oriel(self.data.path(), self.allow);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    pub fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        self.ask_with(arguments, "")
    }

    pub fn tell(&self, arguments: &[&str]) -> String {
        self.ask(arguments).unwrap_or_else(|said| panic!("{arguments:?}: {said}"))
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.tell(&[arguments, &["--json"]].concat())).unwrap()
    }

    pub fn person(&self, name: &str) {
        self.ask_with(&["user", "create", name, "--password-stdin"], PASSWORD).unwrap();
    }

    pub async fn sign_in(&self, name: &str) -> Browser {
        let http = reqwest::Client::new();
        let body = json!({"name": name, "password": PASSWORD}).to_string();
        let login = http.post(format!("{}/api/v1/login", self.url)).header("content-type", "application/json");
        let answer = login.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let set = answer.headers()["set-cookie"].to_str().unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        let me: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        Browser { http, url: self.url.clone(), cookie, csrf: me["csrf"].as_str().unwrap().to_owned() }
    }
}

pub struct Browser {
    http: reqwest::Client,
    url: String,
    cookie: String,
    csrf: String,
}

impl Browser {
    pub async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}/api/v1{path}", self.url)).header("cookie", &self.cookie);
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.post(format!("{}/api/v1{path}", self.url)).header("cookie", &self.cookie);
        let request = request.header("x-oriel-csrf", &self.csrf).header("origin", &self.url);
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// A picture's status and tag; asked for again with the tag that is known.
    pub async fn picture(&self, path: &str, known: Option<&str>) -> (u16, String) {
        let mut request = self.http.get(format!("{}/api/v1{path}", self.url)).header("cookie", &self.cookie);
        if let Some(known) = known {
            request = request.header("if-none-match", known);
        }
        let answer = request.send().await.unwrap();
        let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        (answer.status().as_u16(), tag.unwrap_or_default())
    }

    pub async fn put(&self, path: &str, bytes: Vec<u8>) -> (u16, Value) {
        let request = self.http.put(format!("{}/api/v1{path}", self.url)).header("cookie", &self.cookie);
        let request = request.header("x-oriel-csrf", &self.csrf).header("origin", &self.url);
        let answer = request.body(bytes).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    pub async fn delete(&self, path: &str) -> u16 {
        let request = self.http.delete(format!("{}/api/v1{path}", self.url)).header("cookie", &self.cookie);
        let request = request.header("x-oriel-csrf", &self.csrf).header("origin", &self.url);
        request.send().await.unwrap().status().as_u16()
    }

    /// Opens the machine that the person's list names so, as the viewer page does.
    pub async fn open(&self, name: &str) -> Viewer {
        let desktops = self.get("/desktops").await;
        let desktop = desktops["desktops"].as_array().unwrap().iter().find(|desktop| desktop["name"] == name);
        let desktop = desktop.unwrap_or_else(|| panic!("no {name} in {desktops:#}"));
        let (id, kind) = (desktop["id"].as_str().unwrap(), &desktop["kinds"][0]);
        let (status, ticket) = self.post(&format!("/desktops/{id}/connect"), json!({"kind": kind})).await;
        assert_eq!(status, 200, "{ticket:#}");
        let address = self.url.strip_prefix("http://").unwrap();
        let path = ticket["path"].as_str().unwrap();
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        request.headers_mut().insert("cookie", self.cookie.parse().unwrap());
        request.headers_mut().insert("origin", self.url.parse().unwrap());
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let (width, height) = if kind == "ssh" { (80, 24) } else { (800, 600) };
        let hello = ViewerHello { version: PROTOCOL_VERSION, width, height, scale: 100, ..ViewerHello::default() };
        let mut message = Vec::new();
        ViewerRecord::Hello(hello).encode(&mut message);
        socket.send(Message::Binary(message.into())).await.unwrap();
        Viewer { socket, records: Vec::new() }
    }
}

pub struct Viewer {
    socket: tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>,
    records: Vec<ServerRecord>,
}

impl Viewer {
    /// All records until one is what is waited for, or the connection ends.
    pub async fn until(&mut self, what: &str, done: impl Fn(&[ServerRecord]) -> bool) -> Vec<ServerRecord> {
        let end = Instant::now() + PATIENCE;
        loop {
            if done(&self.records) {
                return std::mem::take(&mut self.records);
            }
            let left = end.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, self.socket.next()).await {
                Ok(Some(Ok(Message::Binary(bytes)))) => {
                    for record in ServerRecord::decode_all(&bytes).unwrap() {
                        // Shown, so that more is sent.
                        if let ServerRecord::FrameEnd { sequence } = record {
                            let mut message = Vec::new();
                            ViewerRecord::Ack { sequence }.encode(&mut message);
                            self.socket.send(Message::Binary(message.into())).await.ok();
                        }
                        self.records.push(record);
                    }
                }
                Ok(Some(Ok(_))) => {}
                other => panic!("no {what}: {other:?} after {:#?}", self.records),
            }
        }
    }

    /// The words with which the connection ends.
    pub async fn ends(&mut self) -> String {
        let bye = |record: &ServerRecord| match record {
            ServerRecord::Bye { code, text } => Some(format!("{code:?}: {text}")),
            _ => None,
        };
        let records = self.until("end", |records| records.iter().any(|record| bye(record).is_some())).await;
        records.iter().find_map(bye).unwrap()
    }

    /// What a person does on a screen.
    pub async fn input(&mut self, input: InputEvent) {
        let mut message = Vec::new();
        ViewerRecord::Input(input).encode(&mut message);
        self.socket.send(Message::Binary(message.into())).await.unwrap();
    }

    /// Types into the terminal.
    pub async fn types(&mut self, text: &str) {
        let mut message = Vec::new();
        ViewerRecord::TerminalInput(text.as_bytes().to_vec().into()).encode(&mut message);
        self.socket.send(Message::Binary(message.into())).await.unwrap();
    }

    /// What a terminal shows until it shows `wanted`.
    pub async fn shows(&mut self, wanted: &str) -> String {
        let text = |records: &[ServerRecord]| {
            let mut bytes = Vec::new();
            for record in records {
                match record {
                    ServerRecord::TerminalData(data) => bytes.extend_from_slice(data),
                    ServerRecord::Bye { code, text } => panic!("ended: {code:?}: {text}"),
                    _ => {}
                }
            }
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let records = self.until(wanted, |records| text(records).contains(wanted)).await;
        text(&records)
    }
}
