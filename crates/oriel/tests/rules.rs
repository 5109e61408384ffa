//! The house's rules that the compiler does not keep: which room may know which (the table in ARCHITECTURE.md), which rooms are
//! pure, and that the commands that findings tell people to type exist.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Floor of each crate, from the table's rows ``| 3 | `broker`, … | …``.
fn floors() -> BTreeMap<String, u32> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut floors = BTreeMap::new();
    for line in text.lines() {
        let mut cells = line.split('|').skip(1).map(str::trim);
        let (Some(floor), Some(names)) = (cells.next().and_then(|cell| cell.parse().ok()), cells.next()) else {
            continue;
        };
        for name in names.split(',') {
            floors.insert(name.trim().trim_matches('`').to_owned(), floor);
        }
    }
    floors
}

/// What a crate is built from; not what only its tests use.
fn dependencies(name: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    table
        .get("dependencies")
        .and_then(toml::Value::as_table)
        .map(|all| all.keys().cloned().collect())
        .unwrap_or_default()
}

fn crates() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn arrows_point_down() {
    let floors = floors();
    for name in crates() {
        // They measure and play from outside, and stand on no floor.
        if name == "bench" || name == "sim" {
            continue;
        }
        let floor = floors.get(&name).unwrap_or_else(|| panic!("ARCHITECTURE.md's table has no {name}"));
        for below in dependencies(&name).iter().filter_map(|other| other.strip_prefix("oriel-")) {
            let its = floors.get(below).unwrap_or_else(|| panic!("ARCHITECTURE.md's table has no {below}"));
            assert!(its < floor, "{name} (floor {floor}) knows {below} (floor {its})");
        }
    }
}

#[test]
fn one_room_each_speaks_sql_libvirt_and_http() {
    for (library, room) in [("sea-orm", "store"), ("sqlx", "store"), ("virt", "libvirt"), ("axum", "server")] {
        for name in crates().into_iter().filter(|name| name != room && name != "bench") {
            assert!(!dependencies(&name).iter().any(|one| one == library), "{name} uses {library}, which is {room}'s");
        }
    }
}

/// The files of a crate, without those that only tests see.
fn sources(name: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![root().join("crates").join(name).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                files.push((path, code));
            }
        }
    }
    files
}

#[test]
fn pure_rooms_read_no_clock_and_no_network() {
    const IMPURE: [&str; 8] = [
        "Instant::now",
        "SystemTime::now",
        "Timestamp::now",
        "Zoned::now",
        "TcpStream",
        "UdpSocket",
        "UnixStream",
        "tokio::net",
    ];
    for name in ["model", "gpu", "guacamole", "kvm-vdi", "placement", "machine", "screen"] {
        assert!(!dependencies(name).iter().any(|one| one == "tokio" || one == "reqwest"), "{name} waits for something");
        for (path, code) in sources(name) {
            for word in IMPURE {
                assert!(!code.contains(word), "{}: {word}", path.display());
            }
        }
    }
    // The protocols' parsers: they may wait in a handshake, but time and sockets are their callers'.
    for name in ["physical", "pin", "rdp", "vnc"] {
        // A device in memory, for tests.
        let real = |path: &Path| !path.components().any(|part| part.as_os_str() == "fake");
        for (path, code) in sources(name).into_iter().filter(|(path, _)| real(path)) {
            for word in IMPURE {
                assert!(!code.contains(word), "{}: {word}", path.display());
            }
        }
    }
    // Telnet's own, beside the reader that waits for it.
    const TELNET: [&str; 3] = ["telnet/parser.rs", "telnet/login.rs", "telnet/options.rs"];
    let telnet: Vec<_> =
        sources("terminal").into_iter().filter(|(path, _)| TELNET.iter().any(|file| path.ends_with(file))).collect();
    assert_eq!(telnet.len(), TELNET.len());
    for (path, code) in telnet {
        for word in IMPURE.iter().chain(&["tokio"]) {
            assert!(!code.contains(word), "{}: {word}", path.display());
        }
    }
}

/// Queues whose length nobody bounds grow until the machine has no memory.
#[test]
fn queues_are_bounded() {
    for name in crates().into_iter().filter(|name| name != "bench") {
        for (path, code) in sources(&name) {
            assert!(!code.contains("unbounded_channel"), "{}", path.display());
        }
    }
}

/// Every `oriel …` that a finding of the host's doctor tells people to type is a command that the program takes.
#[test]
fn findings_name_commands_that_exist() {
    let mut tried = 0;
    for file in ["compute/src/doctor.rs", "libvirt/src/findings.rs"] {
        let text = fs::read_to_string(root().join("crates").join(file)).unwrap();
        for (at, _) in text.match_indices("oriel ") {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let line: String = text.get(at..).unwrap().chars().take_while(|c| !"\"\\;#`\n".contains(*c)).collect();
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            if !matches!(before, Some(' ' | '"' | '`' | 'n'))
                || !matches!(words.first(), Some(&("pool" | "serve" | "gpu" | "image")))
            {
                continue;
            }
            // `--help` at the end: clap checks what stands before it, and does nothing.
            let flags: Vec<&str> = words.iter().copied().filter(|word| word.starts_with("--")).collect();
            let path: Vec<&str> =
                words.iter().copied().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase())).collect();
            let help = Command::new(env!("CARGO_BIN_EXE_oriel")).args(&path).arg("--help").output().unwrap();
            let help_text = String::from_utf8_lossy(&help.stdout).into_owned();
            assert!(help.status.success(), "{file}: `{line}`");
            for flag in flags {
                assert!(help_text.contains(&format!("{flag} ")), "{file}: `{line}`: there is no {flag}");
            }
            tried += 1;
        }
    }
    assert!(tried >= 2, "the findings' commands were not found");
}
