//! What is done, told to an address that listens.

use crate::{
    Server, oriel,
    receiver::{self, ALLOW_LOOPBACK, ANY, accepted, listen, out},
    said,
};
use oriel_identity::hmac_sha256_hex;
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    time::{Duration, Instant},
};

/// The next message, answered with a status: its body, whose signature is good.
fn message(listener: &TcpListener, secret: &str, status: &str) -> Value {
    let mut socket = accepted(listener);
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    let (head, body) = loop {
        let count = socket.read(&mut piece).unwrap();
        assert!(count > 0, "it hung up");
        text.extend_from_slice(&piece[..count]);
        let whole = String::from_utf8(text.clone()).unwrap();
        let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
        let length: usize = header(head, "content-length").parse().unwrap();
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    write!(socket, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook?of=lab HTTP/1.1\r\n"), "{head}");
    let signature = header(&head, "oriel-signature");
    let (at, signed) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(signed, hmac_sha256_hex(secret.as_bytes(), format!("{at}.{body}").as_bytes()));
    serde_json::from_str(&body).unwrap()
}

fn header(head: &str, name: &str) -> String {
    let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:"))).unwrap();
    line.split_once(':').unwrap().1.trim().to_owned()
}

/// The only webhook, once it is as it shall be.
fn until(data: &Path, shall: impl Fn(&Value) -> bool) -> Value {
    receiver::until(data, "webhook", |_| true, shall)
}

#[test]
fn what_was_not_taken_is_told_again_also_by_the_next_program() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    std::fs::write(data.join("oriel.toml"), ALLOW_LOOPBACK).unwrap();
    let server = Server::start(data);
    for (address, why) in [
        ("http://log.example/", "by https only"),
        ("https://ada:hush@log.example/", "no account"),
        ("https://10.1.2.3/", "a private address"),
        ("log", "no address of a web server"),
    ] {
        let refused = said(data, &["webhook", "add", address]);
        assert!(refused.contains(why) && refused.ends_with("[exit 1]"), "{address}: {refused}");
    }
    let listener = listen(ANY);
    let url = format!("http://{}/hook?of=lab", listener.local_addr().unwrap());
    let secret = out(data, &["webhook", "add", &url, "--events", "create_group,delete_*"]);
    let secret = secret.trim();

    out(data, &["group", "create", "artists"]);
    let first = message(&listener, secret, "503 Service Unavailable");
    let events = first["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["action"], &events[0]["outcome"]), (1, &"create_group".into(), &201.into()));
    server.stop();

    let server = Server::start(data);
    // The next try waits for its answer meanwhile.
    let failed = until(data, |webhook| webhook["failures"] == 1);
    assert_eq!(failed["last_error"], "it was answered with status 503");
    assert_eq!(message(&listener, secret, "200 OK")["events"], first["events"]);
    let id = until(data, |webhook| webhook["failures"] == 0)["id"].as_str().unwrap().to_owned();
    // What it is not told of comes to nobody, and what is next comes alone.
    out(data, &["group", "set", "artists", "--about", "third floor"]);
    out(data, &["group", "delete", "artists"]);
    let next = message(&listener, secret, "204 No Content");
    let actions: Vec<&Value> = next["events"].as_array().unwrap().iter().map(|event| &event["action"]).collect();
    assert_eq!(actions, ["delete_group"]);

    // One that never answers holds nobody up.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let of_silent = format!("http://{}/", silent.local_addr().unwrap());
    out(data, &["webhook", "add", &of_silent, "--events", "create_group"]);
    for name in ["second", "third"] {
        out(data, &["group", "create", name]);
        let began = Instant::now();
        message(&listener, secret, "200 OK");
        assert!(began.elapsed() < Duration::from_secs(10), "{name}");
    }
    drop(silent);
    out(data, &["webhook", "remove", &of_silent]);
    assert_eq!(message(&listener, secret, "200 OK")["events"][0]["action"], "delete_webhook");

    let mut test = oriel(data, &["webhook", "test", &id]).spawn().unwrap();
    assert_eq!(message(&listener, secret, "200 OK")["events"], serde_json::json!([]));
    assert!(test.wait().unwrap().success());
    out(data, &["webhook", "remove", &id]);
    assert!(said(data, &["webhook", "list"]).starts_with("there are no webhooks"));
    server.stop();
}
