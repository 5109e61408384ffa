//! Files that declare what shall be, against a server that runs.

use crate::{Server, oriel, run, said};
use std::{io::Write as _, path::Path, process::Stdio};

/// As [`said`], with something on the standard input.
fn said_with(data: &Path, arguments: &[&str], input: &str) -> String {
    let mut child =
        oriel(data, arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    format!("{out}{err}[exit {}]", output.status.code().unwrap())
}

fn out(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(data: &Path, arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&out(data, &[arguments, &["--json"]].concat())).unwrap()
}

/// Both languages, by way of a pipe and of a file.
fn exported_changes_nothing(data: &Path) {
    let nothing = "nothing to change\n[exit 0]";
    for format in ["toml", "yaml"] {
        let text = out(data, &["export", "--format", format]);
        assert_eq!(said_with(data, &["apply", "--dry-run", "--prune", "-f", "-"], &text), nothing, "{text}");
    }
    let file = data.join("export.yaml");
    let file = file.to_str().unwrap();
    assert_eq!(said(data, &["export", "-o", file]), "wrote DATA/export.yaml\n[exit 0]");
    assert_eq!(said(data, &["apply", "--yes", "-f", file]), nothing);
}

#[test]
fn what_files_declare_becomes_true_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let file = |name: &str, text: &str| {
        let path = data.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let server = Server::start(data);
    exported_changes_nothing(data);

    file("ada.secret", "seven green lamps in a row\n");
    file("gate.secret", "s3cret\n");
    let lab = file(
        "lab.toml",
        r#"
        [pool.office]
        kind = "external"
        leave = "idle=30"
        policy = "clipboard=off"
        users = ["ada"]
        groups = ["artists"]
        [pool.office.machine.gate]
        protocol = "vnc"
        address = "gate.example:5901"
        password_file = "gate.secret"
        [group.artists]
        policy = "copy=off"
        members = ["ada"]
        [user.ada]
        role = "helpdesk"
        password_file = "ada.secret"
        "#,
    );
    let plan = "+ group artists
    policy copy=off
+ pool office
    kind external
    leave idle=30
    policy clipboard=off
+ user ada
    role helpdesk
    password from DATA/ada.secret
+ group artists: member ada
+ pool office: open to ada
+ pool office: open to group artists
+ machine gate
    address gate.example:5901
    password from DATA/gate.secret
    protocol vnc
";
    assert_eq!(said(data, &["apply", "--dry-run", "-f", &lab]), format!("{plan}[exit 2]"));
    let asked = said(data, &["apply", "-f", &lab]);
    assert!(asked.contains("there is no terminal to ask on") && asked.ends_with("[exit 2]"), "{asked}");
    assert_eq!(json(data, &["pool", "list"])["pools"], serde_json::json!([]));

    let done = said(data, &["apply", "--yes", "-f", &lab]);
    assert!(done.starts_with(plan) && done.ends_with("7 of 7: machine gate\ndone: 7 of 7\n[exit 0]"), "{done}");
    let gate = json(data, &["machine", "show", "gate"]);
    assert_eq!(
        (&gate["host"], &gate["port"], &gate["has_password"]),
        (&"gate.example".into(), &5901.into(), &true.into())
    );
    assert_eq!(json(data, &["pool", "show", "office"])["groups"][0]["name"], "artists");
    assert_eq!(json(data, &["group", "list"])["groups"][0]["members"][0]["name"], "ada");
    // Again: nothing. What is there is written as it was declared, without what is secret.
    assert_eq!(said(data, &["apply", "-f", &lab]), "nothing to change\n[exit 0]");
    exported_changes_nothing(data);
    let text = out(data, &["export"]);
    assert!(text.contains("[pool.office.machine.gate]\n# It has a password") && !text.contains("s3cret"), "{text}");

    // A change alone; and whom nobody names goes only where that is asked for.
    let less = file("less.yaml", "pool:\n  office:\n    leave: never\n    users: []\n    groups: [artists]\n");
    let change = "~ pool office: leave idle=30 → never\n";
    assert_eq!(said(data, &["apply", "--dry-run", "-f", &less]), format!("{change}[exit 2]"));
    let pruned = said(data, &["apply", "--prune", "--yes", "-f", &less]);
    let policy = "~ pool office: policy clipboard=off → default\n";
    assert!(pruned.starts_with(&format!("{change}{policy}- pool office: open to ada\n")), "{pruned}");
    let office = json(data, &["pool", "show", "office"]);
    assert_eq!(
        (&office["users"], &office["leaving"]["idle_minutes"]),
        (&serde_json::json!([]), &serde_json::Value::Null)
    );
    assert_eq!(json(data, &["apply", "--prune", "-f", &less])["changes"], serde_json::json!([]));
    server.stop();
}

#[test]
fn a_file_that_cannot_be_followed_changes_nothing_and_a_refusal_stops() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let file = |name: &str, text: &str| {
        let path = data.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let server = Server::start(data);
    let wrong = file("wrong.toml", "[group.artists]\n[pool.office]\nkind = \"external\"\nusres = [\"ada\"]\n");
    insta::assert_snapshot!(said(data, &["apply", "--yes", "-f", &wrong]), @r#"
    error: DATA/wrong.toml line 4, pool.office.usres: "usres" is no key that is known here
      try: did you mean `users`?
    [exit 1]
    "#);
    let nobody = file("nobody.toml", "[group.artists]\n[pool.office]\nkind = \"external\"\nusers = [\"ada\"]\n");
    let refused = said(data, &["apply", "--yes", "-f", &nobody]);
    assert!(refused.contains("line 4, pool.office.users[0]: there is no user \"ada\""), "{refused}");
    assert_eq!(json(data, &["group", "list"])["groups"], serde_json::json!([]));

    let large = file("large.toml", "[group.painters]\n[pool.large]\nkind = \"external\"\ndesktops_max = 5000\n");
    insta::assert_snapshot!(said(data, &["apply", "--yes", "-f", &large]), @r"
    + group painters
    + pool large
        kind external
        desktops_max 5000
    1 of 2: group painters
    2 of 2: pool large
    1 of 2 steps were done, and stay; not done: pool large
    error: pool large: a pool cannot hold 5000 desktops
      try: choose at most 1000; then apply it again, which goes on from here
    [exit 1]
    ");
    assert_eq!(json(data, &["group", "list"])["groups"][0]["name"], "painters");
    server.stop();
}
