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

/// What is on the screens.
pub const COLOUR: [u8; 3] = [0xc8, 0x1e, 0x32];

/// Xtigervnc with one colour on it.
pub struct Tiger {
    pub port: u16,
    pub display: String,
    _server: Running,
    _folder: TempDir,
}

/// A self-signed certificate; answers the SHA-256 of its DER.
fn certificate(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["machine.example".to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(folder.join("cert.der"), made.cert.der()).unwrap();
    let output = Command::new("sha256sum").arg(folder.join("cert.der")).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

impl Tiger {
    /// Where somebody else listened a moment ago.
    pub fn start_at(port: u16) -> Self {
        Self::with("VncAuth", port, tempfile::tempdir().unwrap(), &[])
    }

    pub fn start() -> Self {
        Self::with("VncAuth", free_port(), tempfile::tempdir().unwrap(), &[])
    }

    /// With TLS, for root with any password: PAM's service of su(1) lets root in. Also the certificate's SHA-256.
    pub fn with_certificate() -> (Self, String) {
        Self::certified(free_port())
    }

    fn certified(port: u16) -> (Self, String) {
        let folder = tempfile::tempdir().unwrap();
        let seen = certificate(folder.path());
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let (cert, key) = (cert.to_str().unwrap().to_owned(), key.to_str().unwrap().to_owned());
        let more = ["-X509Cert", &cert, "-X509Key", &key, "-PlainUsers", "root", "-PAMService", "su"];
        (Self::with("X509Plain", port, folder, &more), seen)
    }

    /// The same address with another certificate.
    pub fn reinstall(self) -> (Self, String) {
        let port = self.port;
        drop(self);
        Self::certified(port)
    }

    fn with(types: &str, port: u16, folder: TempDir, more: &[&str]) -> Self {
        // One display a port: ports are ours alone while we listen.
        let display = format!(":{port}");
        let mut command = Command::new("Xtigervnc");
        command.args([&display, "-geometry", "640x400", "-depth", "24", "-localhost", "-SecurityTypes", types]);
        // What vncpasswd(1) writes for "s3cret!".
        fs::write(folder.path().join("password"), VNC_PASSWORD).unwrap();
        command.arg("-PasswordFile").arg(folder.path().join("password")).args(more);
        let server = start(command.args(["-rfbport", &port.to_string()]), "tigervnc-standalone-server");
        until_it_listens(port);
        let painted = Command::new("xsetroot").args(["-display", &display, "-solid", "#c81e32"]).status();
        assert!(painted.expect("install the package x11-xserver-utils").success());
        Self { port, display, _server: server, _folder: folder }
    }
}

/// FreeRDP's shadow server of a display, with network level authentication: `anna` of `CORP` and `geheim`.
pub struct Shadow {
    pub port: u16,
    _server: Running,
    _folder: TempDir,
}

impl Shadow {
    pub fn start(display: &str) -> Self {
        Self::at(display, free_port(), &["/sec:nla", "+auth"])
    }

    /// With TLS alone, for everybody.
    pub fn open(display: &str) -> Self {
        Self::at(display, free_port(), &["/sec:tls", "-auth"])
    }

    /// The same address with another certificate.
    pub fn reinstall(self, display: &str) -> Self {
        let port = self.port;
        drop(self);
        Self::at(display, port, &["/sec:nla", "+auth"])
    }

    fn at(display: &str, port: u16, security: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // NT hash of "geheim" in the layout of FreeRDP's account file.
        let sam = folder.path().join("sam");
        fs::write(&sam, "anna:CORP::c2ae1fe6e648846352453e816f2aeb93:::\n").unwrap();
        let mut command = Command::new("freerdp-shadow-cli");
        command
            .arg(format!("/port:{port}"))
            .arg("/bind-address:127.0.0.1")
            .args(security)
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
    /// The same key under a passphrase, `open sesame`.
    pub sealed_key: String,
    pub folder: TempDir,
    server: Option<Running>,
}

/// Signs with a certificate authority that the server believes.
fn certify(folder: &Path, key: &str) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    keygen(&folder.join("ca"));
    let (ca, public) = (path("ca"), path(&format!("{key}.pub")));
    let arguments = ["-q", "-s", &ca, "-I", "test", "-n", &me(), "-V", "-1h:+1h", &public];
    assert!(Command::new("ssh-keygen").args(arguments).status().unwrap().success());
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
        // Known to the server by its certificate alone, and sealed.
        keygen(&folder.path().join("sealed"));
        certify(folder.path(), "sealed");
        let sealed_key = folder.path().join("sealed").to_str().unwrap().to_owned();
        let seal = ["-q", "-p", "-P", "", "-N", "open sesame", "-f", &sealed_key];
        assert!(Command::new("ssh-keygen").args(seal).status().unwrap().success());
        // PAM knows a server by its program's name, and its service of su(1) lets root in with any password.
        std::os::unix::fs::symlink("/usr/sbin/sshd", folder.path().join("su")).unwrap();
        fs::copy(folder.path().join("user.pub"), folder.path().join("authorized")).unwrap();
        let user_key = folder.path().join("user").to_str().unwrap().to_owned();
        let mut sshd = Self { port: free_port(), user_key, sealed_key, folder, server: None };
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
             PidFile none\nUsePAM yes\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication yes\n\
             KbdInteractiveAuthentication no\nTrustedUserCAKeys {shown}/ca.pub\nAcceptEnv LANG TZ\n"
        );
        fs::write(path.join("config"), config).unwrap();
        let mut command = Command::new(path.join("su"));
        command.args(["-D", "-e", "-f"]).arg(path.join("config"));
        self.server = Some(start(&mut command, "openssh-server"));
        until_it_listens(port);
    }

    pub fn fingerprint(&self) -> String {
        let file = self.folder.path().join("host.pub");
        let output = Command::new("ssh-keygen").arg("-lf").arg(file).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
    }

    /// Type and key, without the comment.
    pub fn host_key(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("host.pub")).unwrap();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }
}

/// A telnetd, whose login program is a script: no account is needed.
pub struct Telnetd {
    pub port: u16,
    _folder: TempDir,
}

const LOGIN: &str = r#"#!/bin/sh
printf 'Welcome to the machine\n\nWho goes there? '; read -r name
stty -echo; printf 'And the word: '; read -r password; stty echo; echo
[ "$name $password" = 'anna open sesame' ] || { echo 'Go away'; exit 1; }
stty erase '^H'; echo "Enter, in a $TERM"; PS1='ready$ ' exec /bin/sh -i
"#;

impl Telnetd {
    /// Answers connections as inetd does.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("login");
        fs::write(&script, LOGIN).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let input: std::os::fd::OwnedFd = stream.try_clone().unwrap().into();
                let output: std::os::fd::OwnedFd = stream.into();
                let child = Command::new("/usr/sbin/telnetd")
                    .args(["-h", "-E", &format!("/bin/sh {}", script.display())])
                    .stdin(Stdio::from(input))
                    .stdout(Stdio::from(output))
                    .stderr(Stdio::null())
                    .spawn();
                let mut child = child.expect("install the package inetutils-telnetd");
                std::thread::spawn(move || child.wait());
            }
        });
        Self { port, _folder: folder }
    }
}

/// The account that the test runs as.
pub fn me() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
