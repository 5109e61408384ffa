//! Machines of others: real servers on loopback, each stopped by its own process id.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const VNC_PASSWORD: [u8; 8] = [0xff, 0x99, 0xc2, 0xcc, 0x4f, 0x80, 0xab, 0xab];

pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn start(command: &mut Command, package: &str) -> Running {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn();
    Running(child.unwrap_or_else(|error| panic!("cannot start {program}: {error}; install the package {package}")))
}

fn until_it_listens(port: u16) {
    let begin = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(30), "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Xtigervnc with one colour on it.
pub struct Tiger {
    pub port: u16,
    pub display: String,
    _server: Running,
    _folder: TempDir,
}

impl Tiger {
    pub fn start() -> Self {
        let port = free_port();
        // One display a port: ports are ours alone while we listen.
        let display = format!(":{port}");
        let mut command = Command::new("Xtigervnc");
        command.args([&display, "-geometry", "640x400", "-depth", "24", "-localhost", "-SecurityTypes", "VncAuth"]);
        let folder = tempfile::tempdir().unwrap();
        // What vncpasswd(1) writes for "s3cret!".
        fs::write(folder.path().join("password"), VNC_PASSWORD).unwrap();
        command.arg("-PasswordFile").arg(folder.path().join("password"));
        let server = start(command.args(["-rfbport", &port.to_string()]), "tigervnc-standalone-server");
        until_it_listens(port);
        let painted = Command::new("xsetroot").args(["-display", &display, "-solid", "#c81e32"]).status();
        assert!(painted.expect("install the package x11-xserver-utils").success());
        Self { port, display, _server: server, _folder: folder }
    }
}

/// FreeRDP's shadow server of a display, with network level authentication: `anna` and `geheim`.
pub struct Shadow {
    pub port: u16,
    _server: Running,
    _folder: TempDir,
}

impl Shadow {
    pub fn start(display: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        // NT hash of "geheim" in the layout of FreeRDP's account file.
        let sam = folder.path().join("sam");
        fs::write(&sam, "anna:::c2ae1fe6e648846352453e816f2aeb93:::\n").unwrap();
        let mut command = Command::new("freerdp-shadow-cli");
        command
            .arg(format!("/port:{port}"))
            .args(["/bind-address:127.0.0.1", "/sec:nla", "+auth"])
            .arg(format!("/sam-file:{}", sam.display()))
            .env("DISPLAY", display)
            .env("HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path().join("config"));
        let server = start(&mut command, "freerdp2-shadow-x11");
        until_it_listens(port);
        Self { port, _server: server, _folder: folder }
    }
}

/// OpenSSH's server, which lets in the test's own account by key.
pub struct Sshd {
    pub port: u16,
    pub user_key: String,
    folder: TempDir,
    server: Option<Running>,
}

fn keygen(file: &Path) {
    let file = file.to_str().unwrap();
    let done = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", file]).status();
    assert!(done.expect("install the package openssh-client").success());
}

impl Sshd {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        keygen(&folder.path().join("user"));
        fs::copy(folder.path().join("user.pub"), folder.path().join("authorized")).unwrap();
        let user_key = folder.path().join("user").to_str().unwrap().to_owned();
        let mut sshd = Self { port: free_port(), user_key, folder, server: None };
        sshd.reinstall();
        sshd
    }

    /// The same address with another host key.
    pub fn reinstall(&mut self) {
        drop(self.server.take());
        let path = self.folder.path();
        for file in ["host", "host.pub"] {
            fs::remove_file(path.join(file)).ok();
        }
        keygen(&path.join("host"));
        // OpenSSH's place for its unprivileged part; made by the service where there is one.
        fs::create_dir_all("/run/sshd").ok();
        let (port, shown) = (self.port, path.display());
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/authorized\n\
             PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nAcceptEnv LANG\n"
        );
        fs::write(path.join("config"), config).unwrap();
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(path.join("config"));
        self.server = Some(start(&mut command, "openssh-server"));
        until_it_listens(port);
    }

    /// Type and key, without the comment.
    pub fn host_key(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("host.pub")).unwrap();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }
}

/// The account that the test runs as.
pub fn me() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
