//! A backup of a server that runs, put back somewhere else.

use crate::{Server, oriel, run, said};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::Stdio,
};

fn out(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The whole answer.
fn get(url: &str, path: &str, token: &str) -> String {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let mut socket = std::net::TcpStream::connect(host).unwrap();
    write!(socket, "GET {path} HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// The server's, as its API shows them.
fn keys(data: &Path) -> Vec<Value> {
    let status: Value = serde_json::from_str(&out(data, &["secrets", "status", "--json"])).unwrap();
    status["keys"].as_array().unwrap().clone()
}

#[test]
fn what_was_backed_up_runs_elsewhere() {
    let (old, new, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(old.path().join("oriel.toml"), "recording_days = 7\nexternal.allow = [\"127.0.0.1/32\"]\n").unwrap();
    let server = Server::start(old.path());
    // Whoever still has a one-time password has no use of tokens.
    let mut made = oriel(old.path(), &["user", "create", "ada", "--role", "auditor", "--password-stdin"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(made.stdin.take().unwrap(), "seven green lamps in a row").unwrap();
    assert!(made.wait().unwrap().success());
    let token = out(old.path(), &["token", "create", "watcher", "--user", "ada", "--permissions", "host_read"]);
    // Nothing is sealed yet, but the server would seal with it what nobody could open after its next start.
    let only = keys(old.path())[0]["key"].as_str().unwrap().to_owned();
    assert!(said(old.path(), &["secrets", "remove-key", &only]).contains("seals with the key"));
    // Something that is sealed, and a second key that the server does not know of yet.
    out(old.path(), &["webhook", "add", "http://127.0.0.1:9/"]);
    let first = keys(old.path());
    assert_eq!((first[0]["seals"].as_bool(), first[0]["count"].as_u64()), (Some(true), Some(1)), "{first:?}");
    let newer = out(old.path(), &["secrets", "add-key"]);
    let file = other.path().join("backup.tar.gz");
    let name = file.to_str().unwrap();
    let wrote = out(old.path(), &["backup", name]);
    assert!(wrote.starts_with(name), "{wrote}");
    assert!(out(old.path(), &["restore", name, "--check"]).contains("is whole"));
    // Not over what is there, and not beside a server.
    assert!(said(old.path(), &["restore", name]).contains("another oriel"));
    server.stop();
    assert!(said(old.path(), &["restore", name]).contains("is there already"));

    out(new.path(), &["restore", name]);
    let mut left: Vec<_> =
        std::fs::read_dir(new.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.retain(|name| !name.starts_with("oriel.db-"));
    left.sort();
    assert_eq!(left, ["oriel.db", "oriel.pid", "oriel.toml", "seal.key"]);
    assert!(out(new.path(), &["config", "show", "--json"]).contains("\"7\""));
    let server = Server::start(new.path());
    assert!(out(new.path(), &["user", "list"]).contains("ada"));
    out(new.path(), &["audit", "verify"]);
    // What programs sign in with is as good as before.
    let numbers = get(&server.url, "/api/v1/metrics", token.trim());
    assert!(numbers.contains(" 200 OK") && numbers.ends_with("# EOF\n"), "{numbers}");
    // Both keys came along; the old one is destroyed when nothing is sealed with it any more.
    let (newer, older) = (newer.trim(), first[0]["key"].as_str().unwrap());
    assert!(said(new.path(), &["secrets", "remove-key", older]).contains("would be lost"));
    out(new.path(), &["secrets", "rotate"]);
    let both = keys(new.path());
    let counts: Vec<_> = both.iter().map(|key| (key["key"].as_str(), key["count"].as_u64())).collect();
    assert_eq!(counts, [(Some(newer), Some(1)), (Some(older), Some(0))]);
    assert!(out(new.path(), &["secrets", "status"]).contains("not needed"));
    server.stop();
    out(new.path(), &["secrets", "remove-key", older]);
    assert!(said(new.path(), &["secrets", "remove-key", newer]).contains("would be lost"));
    // Beside another key the server says which one is missing, and does not start.
    let (key, kept) = (new.path().join("seal.key"), other.path().join("seal.key"));
    std::fs::rename(&key, &kept).unwrap();
    let refused = said(new.path(), &["serve"]);
    assert!(
        refused.contains(&format!("not here: {newer} (1 of webhooks)")) && refused.contains("[exit 1]"),
        "{refused}"
    );
    // It made one for itself, which may stand behind that one.
    let found = oriel(new.path(), &["serve"]).env("ORIEL_SEAL_KEY_FILE", &kept).env("ORIEL_LISTEN", "nowhere").output();
    let found = String::from_utf8(found.unwrap().stderr).unwrap();
    assert!(found.contains("cannot listen") && !found.contains("not here"), "{found}");
}

#[test]
fn a_backup_that_was_cut_off_leaves_nothing() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Server::start(old.path()).stop();
    let file = old.path().join("backup.tar.gz");
    let name = file.to_str().unwrap();
    out(old.path(), &["backup", name, "--without-key"]);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(said(new.path(), &["restore", name]).contains("cut off or damaged"));
    std::fs::write(&file, &whole).unwrap();
    // A database that is in use refuses, and nothing stays behind.
    let database = old.path().join("oriel.db");
    let refused = oriel(new.path(), &["restore", name]).env("ORIEL_DATABASE", &database).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let left: Vec<_> = std::fs::read_dir(new.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["oriel.pid"]);
    // Without the key it comes back, and says what is missing.
    let done = run(new.path(), &["restore", name]);
    assert!(done.status.success() && String::from_utf8_lossy(&done.stderr).contains("put seal.key into"));
}
