//! Spans of a server's, in a collector that speaks OTLP over HTTP as far as it must.

use crate::{Server, oriel};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::mpsc,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(30);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// Each message's head and body, answered with 200, until nobody listens.
fn collect(listener: TcpListener, to: &mpsc::Sender<(String, Value)>) {
    for socket in listener.incoming() {
        let mut socket = socket.unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut text, mut piece) = (Vec::new(), [0; 4096]);
        // A connection has one message after the other.
        while let Ok(count @ 1..) = socket.read(&mut piece) {
            text.extend_from_slice(&piece[..count]);
            let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&text[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let length: usize = length.trim().parse().unwrap();
            if text.len() < end + 4 + length {
                continue;
            }
            let body = serde_json::from_slice(&text[end + 4..end + 4 + length]).unwrap();
            text.drain(..end + 4 + length);
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
            if to.send((head, body)).is_err() {
                return;
            }
        }
    }
}

#[test]
fn requests_go_on_with_their_callers_traces() {
    let data = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (to, messages) = mpsc::channel();
    std::thread::spawn(move || collect(listener, &to));
    let mut command = oriel(data.path(), &["serve"]);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b")
        .env("OTEL_SERVICE_NAME", "lab");
    let server = Server::run(command);

    let host = server.url.trim_start_matches("http://").trim_end_matches('/');
    let mut socket = std::net::TcpStream::connect(host).unwrap();
    let asked = format!(
        "GET /api/v1/desktops/of-nobody HTTP/1.0\r\nHost: {host}\r\ntraceparent: 00-{TRACE}-{CALLER}-01\r\n\r\n"
    );
    socket.write_all(asked.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    // Who is refused can say which trace it was.
    assert!(answer.contains(" 401 ") && answer.contains(&format!("\"trace_id\":\"{TRACE}\"")), "{answer}");

    let (mut request, mut round) = (None, None);
    while request.is_none() || round.is_none() {
        let (head, body) = messages.recv_timeout(PATIENCE).unwrap();
        assert!(head.starts_with("post /v1/traces ") && head.contains("\r\nx-key: a b"), "{head}");
        let of = &body["resourceSpans"][0];
        assert!(of["resource"].to_string().contains("{\"stringValue\":\"lab\"}"), "{}", of["resource"]);
        for span in of["scopeSpans"][0]["spans"].as_array().unwrap() {
            match span["name"].as_str().unwrap() {
                "GET /api/v1/desktops/{id}" => request = Some(span.clone()),
                "reconcile desktops" => round = Some(span.clone()),
                _ => {}
            }
        }
    }
    let request = request.unwrap();
    assert_eq!((&request["traceId"], &request["parentSpanId"]), (&TRACE.into(), &CALLER.into()), "{request}");
    assert_eq!(request["kind"], 2, "{request}");
    // The path itself is nowhere in it.
    let told = request.to_string();
    assert!(told.contains("http.response.status_code") && !told.contains("of-nobody"), "{told}");
    assert_eq!(round.unwrap()["parentSpanId"], "");
    // Nobody takes them any more, and nobody waits for that.
    drop(messages);
    assert!(server.stop() < PATIENCE);
}
