//! Real servers, and sessions with them.
#![allow(clippy::panic, reason = "a missing program must be noticed, not skipped")]

use oriel_pin::Fingerprint;
use oriel_screen::{InputEvent, ScreenEvent, Source};
use oriel_vnc::{ConnectError, Security, Session, VncOptions, VncSource, VncStream, connect, connect_with_encodings};
use std::{
    io::Write,
    net::TcpListener,
    os::unix::net::UnixStream as StdUnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

pub const APT: &str =
    "apt-get install tigervnc-standalone-server x11-apps x11-xserver-utils xterm xdotool xclip qemu-system-x86";
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Ends its program when it goes.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn start(program: &str, arguments: &[&str]) -> Running {
    let child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(child.unwrap_or_else(|error| panic!("cannot start {program}: {error}; install it: {APT}")))
}

pub fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {program}: {error}; install it: {APT}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A picture to compare with: size and RGB.
pub type Picture = (u16, u16, Vec<u8>);

pub fn shown(source: &mut VncSource) -> Picture {
    source.settle().unwrap();
    let screen = source.framebuffer();
    let rgb = screen.rgba().chunks(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    (screen.width(), screen.height(), rgb)
}

pub struct Live<S> {
    pub stream: VncStream<S>,
    pub source: VncSource,
    pub events: Vec<ScreenEvent>,
    pub received: usize,
    pub security: Security,
    pub identity: Option<Fingerprint>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Live<S> {
    pub fn new(session: Session<S>) -> Self {
        let Session { stream, source, security, identity } = session;
        Self { stream, source, security, identity, events: Vec::new(), received: 0 }
    }

    /// Lets the session run until the condition holds.
    pub async fn until(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> bool) {
        let begin = Instant::now();
        let mut buffer = vec![0; 64 << 10];
        let mut out = Vec::new();
        while !look(self) {
            assert!(begin.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}");
            if let Ok(read) = timeout(Duration::from_millis(100), self.stream.read(&mut buffer)).await {
                let read = read.unwrap();
                assert!(read > 0, "the server closed the connection");
                self.received += read;
                self.source.receive(&buffer[..read], &mut out, &mut self.events).unwrap();
            }
            self.source.want_frame(&mut out).unwrap();
            self.stream.write_all(&out).await.unwrap();
            out.clear();
        }
    }

    pub async fn input(&mut self, events: &[InputEvent]) {
        let mut out = Vec::new();
        for event in events {
            self.source.input(event, &mut out).unwrap();
        }
        self.stream.write_all(&out).await.unwrap();
    }
}

/// Xtigervnc with an xterm on a patterned ground.
pub struct Tiger {
    pub display: String,
    pub port: u16,
    pub programs: Vec<Running>,
}

impl Tiger {
    pub fn start(arguments: &[&str]) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        // One display a port: ports are ours alone while we listen.
        let display = format!(":{port}");
        let port_text = port.to_string();
        let mut all = vec![&*display, "-geometry", "640x400", "-depth", "24", "-localhost", "-rfbport", &port_text];
        all.extend(arguments);
        let server = start("Xtigervnc", &all);
        until("Xtigervnc listening", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let mut tiger = Self { display, port, programs: vec![server] };
        tiger.x("xsetroot", &["-mod", "7", "5", "-fg", "#c81e32", "-bg", "#1e5ac8"]);
        tiger.run(
            "xterm",
            &["-geometry", "60x16+60+40", "-e", "printf '\\033[31mred \\033[42mgreen\\033[0m plain\\n'; sleep 600"],
        );
        until("xterm's window", || tiger.window());
        tiger
    }

    pub fn x(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let mut all = vec!["-display", &*self.display];
        all.extend(arguments);
        output(program, &all)
    }

    pub fn run(&mut self, program: &str, arguments: &[&str]) {
        let mut all = vec!["-display", &*self.display];
        all.extend(arguments);
        self.programs.push(start(program, &all));
    }

    pub fn xdotool(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let run = Command::new("xdotool").args(arguments).env("DISPLAY", &self.display).output();
        let run = run.unwrap_or_else(|error| panic!("cannot start xdotool: {error}; install it: {APT}"));
        run.status.success().then_some(run.stdout)
    }

    pub fn window(&self) -> Option<String> {
        let found = self.xdotool(&["search", "--onlyvisible", "--class", "xterm"])?;
        Some(String::from_utf8(found).unwrap().lines().next()?.to_owned())
    }

    /// The X server's own screenshot (xwd version 7, 32 bits a pixel, least byte first).
    pub fn screenshot(&self) -> Picture {
        let bytes = self.x("xwd", &["-root", "-silent"]);
        let word = |i: usize| u32::from_be_bytes(bytes[i * 4..i * 4 + 4].try_into().unwrap()) as usize;
        let (header, width, height, line, colours) = (word(0), word(4), word(5), word(12), word(19));
        assert_eq!((word(7), word(11)), (0, 32), "byte order and bits of the screenshot");
        let pixels = &bytes[header + colours * 12..];
        let rgb = pixels
            .chunks(line)
            .take(height)
            .flat_map(|row| row[..width * 4].chunks(4).flat_map(|p| [p[2], p[1], p[0]]))
            .collect();
        (width as u16, height as u16, rgb)
    }

    pub async fn connect(&self, wanted: &[i32]) -> Live<TcpStream> {
        let stream = self.stream().await;
        Live::new(connect_with_encodings(stream, &VncOptions::default(), wanted).await.unwrap())
    }

    pub async fn stream(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    pub async fn open(&self, options: &VncOptions) -> Result<Live<TcpStream>, ConnectError> {
        connect(self.stream().await, options).await.map(Live::new)
    }

    pub async fn same<S: AsyncRead + AsyncWrite + Unpin + Send>(&self, what: &str, session: &mut Live<S>) {
        // TigerVNC draws the pointer into the picture while it is elsewhere than the viewer's.
        session.input(&[InputEvent::Pointer { x: 630, y: 390, buttons: 0 }]).await;
        let begin = Instant::now();
        session
            .until(what, |session| {
                let (got, want) = (shown(&mut session.source), self.screenshot());
                if begin.elapsed() + Duration::from_secs(2) > PATIENCE {
                    let differ = got.2.chunks(3).zip(want.2.chunks(3)).enumerate().filter(|(_, (a, b))| a != b);
                    let places: Vec<_> = differ.map(|(i, pair)| (i % 640, i / 640, pair)).collect();
                    println!("{what}: {} differ, such as {:?}", places.len(), places.first());
                }
                got == want
            })
            .await;
    }
}

pub fn xclip(display: &str, direction: &str) -> Child {
    let child = Command::new("xclip")
        .args(["-display", display, "-quiet", "-selection", "clipboard", direction])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    child.unwrap_or_else(|error| panic!("cannot start xclip: {error}; install it: {APT}"))
}

/// QEMU's own screenshot, through its machine protocol.
pub fn dump(control: &mut StdUnixStream, folder: &Path) -> Picture {
    let file = folder.join("screen.ppm");
    let _ = std::fs::remove_file(&file);
    let command = format!("{{\"execute\":\"screendump\",\"arguments\":{{\"filename\":\"{}\"}}}}\n", file.display());
    control.write_all(command.as_bytes()).unwrap();
    until("QEMU's screenshot", || {
        let bytes = std::fs::read(&file).ok()?;
        let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
        let (kind, size, depth) = (parts.next()?, parts.next()?, parts.next()?);
        assert_eq!((kind, depth), (&b"P6"[..], &b"255"[..]));
        let size = std::str::from_utf8(size).unwrap().split_once(' ').unwrap();
        let (width, height): (u16, u16) = (size.0.parse().unwrap(), size.1.parse().unwrap());
        let rgb = parts.next()?.to_vec();
        (rgb.len() == usize::from(width) * usize::from(height) * 3).then_some((width, height, rgb))
    })
}

/// QEMU with its VNC server on a unix socket.
pub struct Qemu {
    pub folder: TempDir,
    pub control: StdUnixStream,
    _machine: Running,
}

impl Qemu {
    /// `vnc`: more options of `-vnc`; `arguments`: more of everything.
    pub fn start(folder: TempDir, vnc: &str, arguments: &[&str]) -> Self {
        let control = folder.path().join("qmp");
        let display = format!("unix:{}{vnc}", folder.path().join("vnc").display());
        let monitor = format!("unix:{},server=on,wait=off", control.display());
        let mut all = vec!["-accel", "tcg", "-m", "64", "-nodefaults", "-vga", "std", "-display", "none"];
        all.extend(["-vnc", &display, "-qmp", &monitor]);
        all.extend(arguments);
        let machine = start("qemu-system-x86_64", &all);
        let mut control = until("QEMU's control socket", || StdUnixStream::connect(&control).ok());
        control.write_all(b"{\"execute\":\"qmp_capabilities\"}\n").unwrap();
        // Its VNC server listens a moment after its monitor.
        until("QEMU's VNC socket", || StdUnixStream::connect(folder.path().join("vnc")).ok());
        Self { folder, control, _machine: machine }
    }

    pub fn dump(&mut self) -> Picture {
        dump(&mut self.control, self.folder.path())
    }

    pub async fn stream(&self) -> UnixStream {
        UnixStream::connect(self.folder.path().join("vnc")).await.unwrap()
    }
}

/// A certificate authority and a server's certificate of it, as QEMU and TigerVNC read them: `ca-cert.pem`,
/// `server-cert.pem`, `server-key.pem`. Answers the SHA-256 of the server's certificate.
pub fn certificates(folder: &Path) -> [u8; 32] {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
        KeyUsagePurpose,
    };
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "authority");
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut server = CertificateParams::new(vec![String::from("localhost")]).unwrap();
    server.distinguished_name.push(DnType::CommonName, "localhost");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server = server.signed_by(&key, &authority).unwrap();
    std::fs::write(folder.join("ca-cert.pem"), authority.pem()).unwrap();
    std::fs::write(folder.join("server-cert.pem"), server.pem()).unwrap();
    std::fs::write(folder.join("server-key.pem"), key.serialize_pem()).unwrap();
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, server.der()).as_ref().try_into().unwrap()
}
