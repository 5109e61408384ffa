//! Whoever is told of what is done, on loopback.

use crate::run;
use serde_json::Value;
use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

pub const PATIENCE: Duration = Duration::from_secs(30);
/// Any free port.
pub const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// What may be dialled besides what is public.
pub const ALLOW_LOOPBACK: &str = "[external]\nallow = [\"127.0.0.0/8\"]\n";

/// What a command that goes well says.
pub fn out(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn listen(address: SocketAddr) -> TcpListener {
    let listener = TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

/// The next who comes.
pub fn accepted(listener: &TcpListener) -> TcpStream {
    let began = Instant::now();
    let socket = loop {
        match listener.accept() {
            Ok((socket, _)) => break socket,
            Err(error) if error.kind() == ErrorKind::WouldBlock && began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("nobody came: {error}"),
        }
    };
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The one of the list (`noun`s) that `is` it, once it is as it shall be.
pub fn until(data: &Path, noun: &str, is: impl Fn(&Value) -> bool, shall: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let list: Value = serde_json::from_str(&out(data, &[noun, "list", "--json"])).unwrap();
        let found = list[format!("{noun}s")].as_array().unwrap().iter().find(|one| is(one)).unwrap();
        if shall(found) {
            return found.clone();
        }
        assert!(began.elapsed() < PATIENCE, "{list}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
