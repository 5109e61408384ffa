//! Real servers on this machine, and a client that drives the source the way the gateway does.

#![allow(
    dead_code,
    clippy::pedantic,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test support"
)]

pub mod client;
pub mod gateway;
pub mod kdc;
pub mod selection;
pub mod shadow;
pub mod witness;
pub mod xrdp;
pub mod xwd;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Fails loudly when a program is missing, with the packages that bring it.
pub fn need(program: &str) -> PathBuf {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .map(|dir| PathBuf::from(dir).join(program))
        .find(|path| path.exists())
        .unwrap_or_else(|| {
            panic!(
                "{program} is missing; install what the tests of crates/rdp run against:\n  \
                 apt-get install --no-install-recommends xrdp xorgxrdp xterm openbox x11-apps x11-xserver-utils xclip xvfb freerdp2-shadow-x11 krb5-kdc krb5-admin-server"
            )
        })
}

/// A TCP port that nobody listens on right now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An X display number that is probably free, different in every test.
pub fn free_display() -> u32 {
    loop {
        let display = rand::random_range(200..9000);
        if !PathBuf::from(format!("/tmp/.X11-unix/X{display}")).exists() {
            return display;
        }
    }
}

/// Kills its process (and, for `unshare --kill-child`, all that it started) when the test ends.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn wait_until(what: &str, limit: Duration, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < limit, "{what} did not happen within {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
