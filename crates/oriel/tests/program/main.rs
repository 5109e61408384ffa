//! The real program, run as people run it: its help, its lists, and a server without any host behind it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect fails, loudly"
)]

mod applied;
mod backup;
mod receiver;
mod syslog;
mod traces;
mod webhook;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

fn oriel(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
    command.args(arguments);
    // Nothing of the machine's own configuration, and no host: the edge is what is tested here.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORIEL_") || name.starts_with("XDG_")) {
        command.env_remove(name);
    }
    command
        .env("ORIEL_DATA", data)
        .env("ORIEL_CACHE", data.join("cache"))
        .env("ORIEL_LIBVIRT_URI", "none")
        .env("ORIEL_ACCELERATOR", "tcg")
        .env("ORIEL_LISTEN", "127.0.0.1:0")
        .env("ORIEL_LOG", "warn");
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    oriel(data, arguments).output().unwrap()
}

/// stdout and stderr of a command, with what differs from run to run left out.
fn said(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    let text = format!(
        "{}{}[exit {}]",
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        output.status.code().unwrap()
    );
    text.replace(&data.display().to_string(), "DATA")
}

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        Self::run(oriel(data, &["serve"]))
    }

    fn run(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Nobody reads its log, and it runs all the same.
        drop(child.stderr.take());
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("ready: ").unwrap_or_else(|| panic!("said {line:?}")).trim().to_owned();
        Self { child, url }
    }

    /// Asks it to stop, and how long that took.
    fn stop(mut self) -> Duration {
        let began = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        began.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn help() {
    let data = tempfile::tempdir().unwrap();
    insta::assert_snapshot!("help", said(data.path(), &["--help"]));
    for noun in [
        "serve",
        "doctor",
        "gpu",
        "cloud",
        "image",
        "recipe",
        "pool",
        "desktop",
        "machine",
        "device",
        "node",
        "apply",
        "export",
        "import",
        "user",
        "group",
        "quota",
        "booking",
        "disk",
        "directory",
        "provider",
        "token",
        "operation",
        "session",
        "recording",
        "audit",
        "webhook",
        "syslog",
        "secrets",
        "backup",
        "restore",
        "config",
    ] {
        insta::assert_snapshot!(format!("help-{noun}"), said(data.path(), &[noun, "--help"]));
    }
}

/// A real cloud is looked at by `./test openstack`.
#[test]
fn a_cloud_that_cannot_be_used_says_why() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("clouds.yaml");
    let file = file.to_str().unwrap();
    insta::assert_snapshot!(said(data.path(), &["cloud", "doctor", "--clouds-yaml", file]), @r"
    error: cannot use the cloud's file
      because cannot read DATA/clouds.yaml
      because No such file or directory (os error 2)
    [exit 2]
    ");
    let account = "auth_url: 'http://127.0.0.1:1', username: ada, password: hunter2, project_name: desktops";
    let text =
        format!("clouds:\n  oak: {{auth: {{{account}}}}}\n  elm: {{auth_type: v3websso, auth: {{{account}}}}}\n");
    std::fs::write(file, text).unwrap();
    insta::assert_snapshot!(said(data.path(), &["cloud", "doctor", "--clouds-yaml", file]), @r"
    error: cannot use the cloud's file
      because the file has several clouds; say which: elm, oak
    [exit 2]
    ");
    insta::assert_snapshot!(said(data.path(), &["cloud", "doctor", "--clouds-yaml", file, "--cloud", "elm"]), @r"
    error: cannot use the cloud's file
      because cloud elm signs in by v3websso, which Oriel does not speak; make an application credential (`openstack application credential create`), or use a password
    [exit 2]
    ");
    // Nobody answers there: that is a finding, and an error.
    let found = run(data.path(), &["cloud", "doctor", "--clouds-yaml", file, "--cloud", "oak", "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["findings"][1]["id"], "sign-in");
    assert_eq!(found["findings"][1]["severity"], "error");
    assert!(!found.to_string().contains("hunter2"));
    let rules: serde_json::Value =
        serde_json::from_slice(&run(data.path(), &["cloud", "access-rules"]).stdout).unwrap();
    assert!(rules.as_array().unwrap().iter().all(|rule| rule["path"].as_str().unwrap().starts_with('/')));
}

/// A real kernel's video device, USB port and GPIO chip are in `lab/scenes/node`.
#[test]
fn a_board_that_lacks_what_is_configured_is_told_so() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("node.toml");
    let named = file.to_str().unwrap();
    let text = "listen = \"127.0.0.1:0\"\n[video]\ndevice = \"/nonexistent/video\"\n[atx]\nchip = \"/nonexistent/chip\"\npower = { line = 1 }\n";
    std::fs::write(&file, format!("state = {:?}\n{text}", data.path())).unwrap();
    let found = run(data.path(), &["node", "check", "--config", named, "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    let severities: Vec<(&str, &str)> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["severity"].as_str().unwrap()))
        .collect();
    assert_eq!(severities, [("state", "ok"), ("video", "error"), ("h264", "ok"), ("usb", "note"), ("atx", "error")]);
    // It does not begin either: a wire that is configured and not there can only be a mistake.
    let refused = said(data.path(), &["node", "--config", named]);
    assert!(refused.contains("/nonexistent/chip") && refused.contains("[exit 1]"), "{refused}");
    std::fs::write(&file, "listne = \"127.0.0.1:0\"\n").unwrap();
    let refused = said(data.path(), &["node", "check", "--config", named]);
    assert!(refused.contains("listne") && refused.contains("[exit 2]"), "{refused}");
}

#[test]
fn without_a_server_it_says_how_to_start_one() {
    let data = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(said(data.path(), &["desktop", "list"]), @r"
    error: no server runs on the data folder DATA
      try: start one with `oriel serve`, name its folder with --data DIR, or reach another machine with --server URL
    [exit 3]
    ");
    insta::assert_snapshot!(said(data.path(), &["--server", "http://oriel.example", "desktop", "list"]), @r"
    error: --server needs a token
      try: make one with `oriel token create LABEL --user NAME` on the server; put it into ORIEL_TOKEN or name its file with --token-file
    [exit 2]
    ");
}

#[test]
fn configuration_names_its_sources_and_refuses_what_it_does_not_know() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("oriel.toml");
    std::fs::write(&file, "log_format = \"json\"\ndatabase = \"postgres://oriel:hush@db/oriel\"\n").unwrap();
    // Columns are as wide as the folder's name is long, which is not the same everywhere.
    let shown: Vec<String> = said(data.path(), &["config", "show"])
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join("  "))
        .collect();
    insta::assert_snapshot!("config-show", shown.join("\n"));
    let json: serde_json::Value =
        serde_json::from_slice(&run(data.path(), &["config", "show", "--json"]).stdout).unwrap();
    assert!(!json.to_string().contains("hush"));
    std::fs::write(&file, "log_fromat = \"json\"\n").unwrap();
    insta::assert_snapshot!(said(data.path(), &["config", "show"]), @r"
    error: DATA/oriel.toml sets `log_fromat`, which is no key of Oriel's configuration
      try: did you mean `log_format`?
    [exit 2]
    ");
}

#[test]
fn a_server_without_a_host_starts_answers_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.url);
    let first = std::fs::read_to_string(data.join("first-login")).unwrap();
    assert!(first.starts_with("admin "), "{first}");

    insta::assert_snapshot!(said(data, &["image", "list"]), @r"
    there are no images yet: build one with `oriel image build debian-desktop`
    [exit 0]
    ");
    insta::assert_snapshot!(said(data, &["desktop", "list", "--json"]), @r#"
    {
      "desktops": []
    }
    [exit 0]
    "#);
    insta::assert_snapshot!(said(data, &["user", "list"]), @r"
    NAME   ROLE   STATE                 SECOND FACTOR  FROM  GROUPS  MADE
    admin  admin  must change password  -              -     -       just now
    [exit 0]
    ");
    let made = run(data, &["user", "create", "ada"]);
    assert_eq!(String::from_utf8(made.stdout).unwrap().trim().len(), 19);
    insta::assert_snapshot!(said(data, &["user", "create", "ADA"]), @r#"
    error: there is a user named "ADA" already
      try: choose another name
    [exit 1]
    "#);
    insta::assert_snapshot!(said(data, &["user", "delete", "admin"]), @r"
    error: this is the last enabled admin
      try: make another user an admin first
    [exit 1]
    ");
    insta::assert_snapshot!(said(data, &["desktop", "show", "nope"]), @r#"
    error: there is no desktop "nope"
      try: list what there is; the desktop may have been deleted, or belong to somebody else
    [exit 1]
    "#);

    for part in ["", ".", ".."] {
        let said = said(data, &["pool", "deny", part, "ada"]);
        assert!(said.contains("consists of dots") && said.ends_with("[exit 2]"), "{said}");
    }

    // A program with a token, over TCP.
    let token = run(data, &["token", "create", "test", "--user", "ada", "--days", "1"]);
    let token = String::from_utf8(token.stdout).unwrap();
    let remote =
        oriel(data, &["--server", &server.url, "desktop", "list"]).env("ORIEL_TOKEN", token.trim()).output().unwrap();
    // Ada has not changed her first password: her token opens nothing yet.
    assert!(String::from_utf8(remote.stderr).unwrap().contains("given to be used once"));

    let second = said(data, &["serve"]);
    assert!(second.contains("another oriel (pid ") && second.contains("[exit 1]"), "{second}");

    let took = server.stop();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!data.join("oriel.sock").exists() && !data.join("oriel.url").exists());

    // Again on the same folder: nobody new is made, and the account has not been used yet.
    let again = Server::start(data);
    assert_eq!(std::fs::read_to_string(data.join("first-login")).unwrap(), first);
    drop(again);
    std::io::stdout().flush().unwrap();
}
