//! A real telnetd, whose login program is a script: no account is needed.

use crate::server::{PATIENCE, error, read_until, rest};
use oriel_terminal::telnet::LoginPatterns;
use oriel_terminal::{Backspace, Shell, TelnetOptions, TerminalError, telnet};
use std::{
    fs,
    net::TcpListener,
    os::fd::OwnedFd,
    process::{Command, Stdio},
};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};

const LOGIN: &str = r#"#!/bin/sh
printf 'Welcome to the machine\n\nlogin: '; read -r name
stty -echo; printf 'Password: '; read -r password; stty echo; echo
[ "$name $password" = 'me open sesame' ] || { echo 'Login incorrect'; exit 1; }
echo "Last login: never"; PS1='ready$ ' exec /bin/sh -i
"#;

struct Telnetd {
    _folder: TempDir,
    port: u16,
}

/// Answers connections as inetd does.
fn start() -> Telnetd {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("login");
    fs::write(&script, LOGIN).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let input: OwnedFd = stream.try_clone().unwrap().into();
            let output: OwnedFd = stream.into();
            let child = Command::new("/usr/sbin/telnetd")
                .args(["-h", "-E", &format!("/bin/sh {}", script.display())])
                .stdin(Stdio::from(input))
                .stdout(Stdio::from(output))
                .stderr(Stdio::null())
                .spawn();
            let mut child = child
                .unwrap_or_else(|error| panic!("cannot start telnetd: {error}; apt-get install inetutils-telnetd"));
            std::thread::spawn(move || child.wait());
        }
    });
    Telnetd { _folder: folder, port }
}

async fn open(server: &Telnetd, options: TelnetOptions) -> Result<Shell, TerminalError> {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    timeout(PATIENCE, telnet::connect(stream, options)).await.unwrap()
}

fn options(password: &str) -> TelnetOptions {
    let patterns = LoginPatterns {
        success: Some(r"ready\$".into()),
        failure: Some("(?i)login incorrect".into()),
        ..LoginPatterns::default()
    };
    TelnetOptions {
        user: Some("me".into()),
        password: Some(password.to_owned().into()),
        patterns,
        columns: 100,
        rows: 30,
        ..TelnetOptions::default()
    }
}

#[tokio::test]
async fn signs_in_and_is_a_terminal() {
    let server = start();
    let mut shell = open(&server, options("open sesame")).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(shell.host_keys().is_empty());
    let text = read_until(&mut shell, "ready$").await;
    assert!(text.contains("Welcome to the machine") && !text.contains("sesame"), "{text:?}");
    shell.write(b"stty size; echo type=$TERM\r").await.unwrap();
    let text = read_until(&mut shell, "ready$").await;
    assert!(text.contains("30 100") && text.contains("type=xterm-256color"), "{text:?}");
    shell.resize(255, 40).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    shell.write(b"stty size\r").await.unwrap();
    read_until(&mut shell, "40 255").await;
    // Bytes beyond ASCII, the escape byte among them, both ways.
    shell.write("printf '\\377é' | od -An -tx1; printf é | od -An -tx1\r".as_bytes()).await.unwrap();
    let text = read_until(&mut shell, "c3 a9\r\n c3 a9").await;
    assert!(text.contains("ff c3 a9"), "{text:?}");
    shell.write(b"printf 'a\\377b'; echo; sleep 0.2; exit\r").await.unwrap();
    let end = rest(&mut shell).await;
    assert!(end.contains("a\u{fffd}b"), "{end:?}");
}

#[tokio::test]
async fn refusals_and_people() {
    let server = start();
    let refused = error(open(&server, options("wrong")).await);
    assert!(matches!(&refused, TerminalError::LoginRefused { said, .. } if said == "Login incorrect"), "{refused}");
    // Nothing is configured: the prompts are the person's.
    let plain = TelnetOptions { backspace: Backspace::ControlH, ..TelnetOptions::default() };
    let mut shell = open(&server, plain).await.unwrap();
    read_until(&mut shell, "login: ").await;
    shell.write(b"me\r").await.unwrap();
    read_until(&mut shell, "Password: ").await;
    shell.write(b"open sesame\r").await.unwrap();
    read_until(&mut shell, "ready$").await;
    shell.close().await;
}

#[tokio::test]
async fn a_flood_over_telnet_stops_while_nobody_reads() {
    let server = start();
    let mut shell = open(&server, options("open sesame")).await.unwrap();
    read_until(&mut shell, "ready$").await;
    shell.write(b"head -c 30000000 /dev/zero | tr '\\0' x; echo; echo done-$((1+1))\r").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let mut got = 0;
    let mut tail = String::new();
    while !tail.contains("done-2") {
        let Some(oriel_terminal::TerminalEvent::Data(data)) = timeout(PATIENCE, shell.next()).await.unwrap() else {
            break;
        };
        got += data.len();
        tail.push_str(&String::from_utf8_lossy(&data));
        let cut = tail.len().saturating_sub(100);
        tail = tail.split_off(cut);
    }
    assert!(got >= 30_000_000, "{got}");
}
