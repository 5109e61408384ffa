//! What is done, sent to receivers of syslog.

use crate::{
    Server,
    receiver::{self, ALLOW_LOOPBACK, ANY, PATIENCE, accepted, listen, out},
    said,
};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::Value;
use std::{
    io::Read as _,
    net::{TcpListener, UdpSocket},
    path::Path,
    sync::Arc,
};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsAcceptor;

/// All messages of the next connection, whose octets are counted.
fn messages(listener: &TcpListener) -> Vec<String> {
    let mut socket = accepted(listener);
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    let (mut rest, mut all) = (text.as_str(), Vec::new());
    while !rest.is_empty() {
        let (count, after) = rest.split_once(' ').unwrap();
        let (message, after) = after.split_at(count.parse().unwrap());
        all.push(message.to_owned());
        rest = after;
    }
    all
}

/// The receiver with that target, once it is as it shall be.
fn until(data: &Path, target: &str, shall: impl Fn(&Value) -> bool) {
    receiver::until(data, "syslog", |one| one["target"] == target, shall);
}

#[test]
fn what_is_done_comes_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    std::fs::write(data.join("oriel.toml"), ALLOW_LOOPBACK).unwrap();
    let server = Server::start(data);
    for (arguments, why) in [
        (&["log.example"][..], "no receiver of syslog"),
        (&["tcp://10.1.2.3"], "a private address"),
        (&["tcp://log.example", "--facility", "security"], "no facility of syslog"),
        (&["tcp://log.example", "--app-name", "a b"], "no name of a program"),
        (&["tcp://log.example", "--ca-file", "/etc/passwd"], "only a receiver by TLS"),
        (&["tls://log.example", "--ca-file", "/etc/passwd"], "no certificate in PEM"),
    ] {
        let refused = said(data, &[&["syslog", "add"][..], arguments].concat());
        assert!(refused.contains(why) && refused.ends_with("[exit 1]"), "{arguments:?}: {refused}");
    }
    let listener = listen(ANY);
    let address = listener.local_addr().unwrap();
    let tcp = format!("tcp://{address}");
    let filed = ["--facility", "local3", "--app-name", "lab", "--enterprise", "1"];
    out(data, &[&["syslog", "add", &tcp, "--events", "create_group,delete_*"][..], &filed[..]].concat());
    let udp_socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp_socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let udp = format!("udp://{}", udp_socket.local_addr().unwrap());
    out(data, &["syslog", "add", &udp, "--events", "create_group"]);
    assert!(said(data, &["syslog", "add", &udp]).contains("already"));

    out(data, &["group", "create", "artists"]);
    let first = messages(&listener);
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(
        first[0].starts_with("<157>1 2")
            && first[0].contains(" lab ")
            && first[0].contains(" create_group [oriel@1 seq=\""),
        "{first:?}"
    );
    assert!(first[0].contains("target=\"/groups\"") && first[0].contains("outcome=\"201\""), "{first:?}");
    let mut piece = [0; 8192];
    let length = udp_socket.recv(&mut piece).unwrap();
    let datagram = std::str::from_utf8(&piece[..length]).unwrap();
    assert!(
        datagram.starts_with("<85>1 ") && datagram.contains(" oriel ") && datagram.contains("[oriel@32473 "),
        "{datagram}"
    );

    // Nobody listens, and the program ends: what was done meanwhile comes from the next one.
    drop(listener);
    out(data, &["group", "delete", "artists"]);
    until(data, &tcp, |one| one["failures"].as_u64().unwrap() > 0);
    server.stop();
    let listener = listen(address);
    let server = Server::start(data);
    let next = messages(&listener);
    assert_eq!(next.len(), 1, "{next:?}");
    assert!(next[0].contains(" delete_group [oriel@1 "), "{next:?}");
    until(data, &tcp, |one| one["failures"] == 0 && one["last_error"].is_null());

    assert!(said(data, &["syslog", "test", &udp]).ends_with("[exit 0]"));
    let length = udp_socket.recv(&mut piece).unwrap();
    assert!(std::str::from_utf8(&piece[..length]).unwrap().contains(" test - a test of Oriel"));
    for target in [&tcp, &udp] {
        out(data, &["syslog", "remove", target]);
    }
    assert!(said(data, &["syslog", "list"]).starts_with("there are no receivers of syslog"));
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_by_tls_is_who_its_ca_says() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    std::fs::write(data.join("oriel.toml"), ALLOW_LOOPBACK).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca = data.join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("tls://localhost:{}", listener.local_addr().unwrap().port());
    let (sender, mut came) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // Whoever does not trust the certificate leaves again.
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            let mut text = String::new();
            tls.read_to_string(&mut text).await.unwrap();
            sender.send(text).await.unwrap();
        }
    });
    let data = data.to_owned();
    let server = tokio::task::spawn_blocking(move || {
        let server = Server::start(&data);
        // Its certificate is signed by nobody whom this machine trusts.
        out(&data, &["syslog", "add", &target, "--events", "create_group"]);
        let refused = said(&data, &["syslog", "test", &target]);
        assert!(refused.contains("was not taken") && refused.contains("certificate"), "{refused}");
        out(&data, &["syslog", "remove", &target]);
        out(&data, &["syslog", "add", &target, "--events", "create_group", "--ca-file", ca.to_str().unwrap()]);
        out(&data, &["group", "create", "artists"]);
        server
    })
    .await
    .unwrap();
    let text = tokio::time::timeout(PATIENCE, came.recv()).await.unwrap().unwrap();
    let (count, message) = text.split_once(' ').unwrap();
    assert_eq!(count.parse::<usize>().unwrap(), message.len());
    assert!(message.contains(" create_group [oriel@32473 "), "{message}");
    tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
}
