//! Against real servers: TigerVNC's X server and QEMU's own VNC, compared with their own screenshots.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]
#![allow(clippy::panic, reason = "a missing program must be noticed, not skipped")]

use oriel_screen::{InputEvent, ScreenEvent, Source};
use oriel_vnc::{ConnectError, VncOptions, VncSource, connect, connect_with_encodings, encodings};
use std::{
    io::Write,
    net::TcpListener,
    os::unix::net::UnixStream as StdUnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

const APT: &str =
    "apt-get install tigervnc-standalone-server x11-apps x11-xserver-utils xterm xdotool xclip qemu-system-x86";
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends its program when it goes.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &str, arguments: &[&str]) -> Running {
    let child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(child.unwrap_or_else(|error| panic!("cannot start {program}: {error}; install it: {APT}")))
}

fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {program}: {error}; install it: {APT}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
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
type Picture = (u16, u16, Vec<u8>);

fn shown(source: &VncSource) -> Picture {
    let screen = source.framebuffer();
    let rgb = screen.rgba().chunks(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    (screen.width(), screen.height(), rgb)
}

struct Session<S> {
    stream: S,
    source: VncSource,
    events: Vec<ScreenEvent>,
    received: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    fn new(stream: S, source: VncSource) -> Self {
        Self { stream, source, events: Vec::new(), received: 0 }
    }

    /// Lets the session run until the condition holds.
    async fn until(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> bool) {
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

    async fn input(&mut self, events: &[InputEvent]) {
        let mut out = Vec::new();
        for event in events {
            self.source.input(event, &mut out).unwrap();
        }
        self.stream.write_all(&out).await.unwrap();
    }
}

/// Xtigervnc with an xterm on a patterned ground.
struct Tiger {
    display: String,
    port: u16,
    programs: Vec<Running>,
}

impl Tiger {
    fn start(arguments: &[&str]) -> Self {
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

    fn x(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let mut all = vec!["-display", &*self.display];
        all.extend(arguments);
        output(program, &all)
    }

    fn run(&mut self, program: &str, arguments: &[&str]) {
        let mut all = vec!["-display", &*self.display];
        all.extend(arguments);
        self.programs.push(start(program, &all));
    }

    fn xdotool(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let run = Command::new("xdotool").args(arguments).env("DISPLAY", &self.display).output();
        let run = run.unwrap_or_else(|error| panic!("cannot start xdotool: {error}; install it: {APT}"));
        run.status.success().then_some(run.stdout)
    }

    fn window(&self) -> Option<String> {
        let found = self.xdotool(&["search", "--onlyvisible", "--class", "xterm"])?;
        Some(String::from_utf8(found).unwrap().lines().next()?.to_owned())
    }

    /// The X server's own screenshot (xwd version 7, 32 bits a pixel, least byte first).
    fn screenshot(&self) -> Picture {
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

    async fn connect(&self, wanted: &[i32]) -> Session<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let source = connect_with_encodings(&mut stream, &VncOptions::default(), wanted).await.unwrap();
        Session::new(stream, source)
    }

    async fn same<S: AsyncRead + AsyncWrite + Unpin + Send>(&self, what: &str, session: &mut Session<S>) {
        // TigerVNC draws the pointer into the picture while it is elsewhere than the viewer's.
        session.input(&[InputEvent::Pointer { x: 630, y: 390, buttons: 0 }]).await;
        let begin = Instant::now();
        session
            .until(what, |session| {
                let (got, want) = (shown(&session.source), self.screenshot());
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

#[tokio::test]
async fn tigervnc_in_every_encoding() {
    let tiger = Tiger::start(&["-SecurityTypes", "None"]);
    let raw = 640 * 400 * 4;
    for (name, encoding) in [
        ("raw", encodings::RAW),
        ("rre", encodings::RRE),
        ("hextile", encodings::HEXTILE),
        ("tight", encodings::TIGHT),
        ("zrle", encodings::ZRLE),
    ] {
        let mut session = tiger.connect(&[encodings::COPY_RECT, encoding]).await;
        tiger.same(name, &mut session).await;
        println!("{name}: {} bytes for {raw} of pixels", session.received);
        assert_eq!(session.received >= raw, encoding == encodings::RAW, "{name} took {} bytes", session.received);
        // Moving the window makes the server copy.
        let window = tiger.window().unwrap();
        for at in [["100", "80"], ["61", "41"]] {
            tiger.xdotool(&["windowmove", &window, at[0], at[1]]).unwrap();
            tiger.same(name, &mut session).await;
        }
        let copied = session.events.iter().any(|event| matches!(event, ScreenEvent::Copy { .. }));
        assert!(copied, "{name}: the server made no copy");
    }
}

#[tokio::test]
async fn tigervnc_with_keys_size_and_clipboard() {
    let folder = tempfile::tempdir().unwrap();
    let typed = folder.path().join("typed");
    let mut tiger = Tiger::start(&["-SecurityTypes", "None"]);
    let script = format!("stty -echo; cat > {}", typed.display());
    tiger.run("xterm", &["-u8", "-geometry", "30x8+0+0", "-e", &script]);
    until("the second xterm", || typed.exists().then_some(()));
    let mut session = tiger.connect(encodings::wanted(false)).await;
    tiger.same("the first picture", &mut session).await;

    let key = |down, code, keysym| InputEvent::Key { down, code, keysym };
    session
        .input(&[
            InputEvent::Pointer { x: 30, y: 30, buttons: 0 },
            key(true, 0x23, 0x68),
            key(false, 0x23, 0x68),
            InputEvent::Text("ällo €@{}\n".into()),
        ])
        .await;
    session.until("typed text in the file", |_| std::fs::read_to_string(&typed).unwrap() == "hällo €@{}\n").await;

    session.input(&[InputEvent::Resize { width: 700, height: 500, scale: 100 }]).await;
    session.until("the new size", |session| session.source.framebuffer().width() == 700).await;
    tiger.same("the picture in the new size", &mut session).await;
    assert!(session.events.contains(&ScreenEvent::Resize { width: 700, height: 500 }));

    // Both ways, beyond Latin-1.
    session.input(&[InputEvent::Clipboard("to the guest: ä€\nline 2".into())]).await;
    // xclip waits for an answer that comes through this session, so it runs beside it.
    let mut paste: Option<Child> = None;
    session
        .until("the viewer's clipboard at the server", |_| {
            let running = paste.get_or_insert_with(|| xclip(&tiger.display, "-o"));
            if running.try_wait().unwrap().is_none() {
                return false;
            }
            let text = paste.take().unwrap().wait_with_output().unwrap().stdout;
            String::from_utf8_lossy(&text) == "to the guest: ä€\nline 2"
        })
        .await;
    let mut copy = xclip(&tiger.display, "-i");
    copy.stdin.take().unwrap().write_all("from the guest: ß€\n2".as_bytes()).unwrap();
    let copied = ScreenEvent::Clipboard("from the guest: ß€\n2".into());
    session.until("the server's clipboard at the viewer", |session| session.events.contains(&copied)).await;
    let _ = copy.kill();
    let _ = copy.wait();
}

fn xclip(display: &str, direction: &str) -> Child {
    let child = Command::new("xclip")
        .args(["-display", display, "-quiet", "-selection", "clipboard", direction])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    child.unwrap_or_else(|error| panic!("cannot start xclip: {error}; install it: {APT}"))
}

#[tokio::test]
async fn tigervnc_with_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    // What vncpasswd(1) writes for "s3cret!".
    std::fs::write(&file, [0xff, 0x99, 0xc2, 0xcc, 0x4f, 0x80, 0xab, 0xab]).unwrap();
    let tiger = Tiger::start(&["-SecurityTypes", "VncAuth", "-PasswordFile", file.to_str().unwrap()]);
    let open = async |password: Option<&str>| {
        let mut stream = TcpStream::connect(("127.0.0.1", tiger.port)).await.unwrap();
        let options = VncOptions { password: password.map(Into::into), nearby: false };
        connect(&mut stream, &options).await.map(|source| Session::new(stream, source))
    };
    assert!(matches!(open(None).await, Err(ConnectError::PasswordRequired)));
    let Err(wrong) = open(Some("wrong")).await else { panic!("a wrong password was taken") };
    assert!(matches!(wrong, ConnectError::CredentialsRefused { .. }), "{wrong}");
    let Ok(mut session) = open(Some("s3cret!")).await else { panic!("the right password was refused") };
    tiger.same("the picture", &mut session).await;
}

#[tokio::test]
async fn tigervnc_with_tls_only_says_so() {
    let tiger = Tiger::start(&["-SecurityTypes", "TLSNone"]);
    let mut stream = TcpStream::connect(("127.0.0.1", tiger.port)).await.unwrap();
    let Err(error) = connect(&mut stream, &VncOptions::default()).await else { panic!("TLS was taken for none") };
    assert!(error.to_string().contains("VeNCrypt"), "{error}");
}

/// QEMU's own screenshot, through its machine protocol.
fn dump(control: &mut StdUnixStream, folder: &Path) -> Picture {
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

#[tokio::test]
async fn qemu_shows_its_firmware_and_takes_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (display, control) = (folder.path().join("vnc"), folder.path().join("qmp"));
    let _machine = start(
        "qemu-system-x86_64",
        &[
            "-accel",
            "tcg",
            "-m",
            "64",
            "-nodefaults",
            "-vga",
            "std",
            "-display",
            "none",
            "-boot",
            "menu=on,splash-time=60000",
            "-vnc",
            &format!("unix:{}", display.display()),
            "-qmp",
            &format!("unix:{},server=on,wait=off", control.display()),
        ],
    );
    let mut control = until("QEMU's control socket", || StdUnixStream::connect(&control).ok());
    control.write_all(b"{\"execute\":\"qmp_capabilities\"}\n").unwrap();
    let lit = |picture: &Picture| picture.2.iter().filter(|byte| **byte != 0).count();
    until("the firmware's text", || (lit(&dump(&mut control, folder.path())) > 1000).then_some(()));
    for (name, encoding) in [
        ("raw", encodings::RAW),
        ("hextile", encodings::HEXTILE),
        ("zlib", encodings::ZLIB),
        ("tight", encodings::TIGHT),
        ("zrle", encodings::ZRLE),
    ] {
        let mut stream = UnixStream::connect(&display).await.unwrap();
        let options = VncOptions { password: None, nearby: true };
        let source = connect_with_encodings(&mut stream, &options, &[encoding]).await.unwrap();
        let mut session = Session::new(stream, source);
        session.until(name, |session| shown(&session.source) == dump(&mut control, folder.path())).await;
        println!("{name}: {} bytes, {:?}", session.received, (shown(&session.source).0, shown(&session.source).1));
    }
    // Escape opens the boot menu: the scan code arrived.
    let mut stream = UnixStream::connect(&display).await.unwrap();
    let options = VncOptions { password: None, nearby: true };
    let source = connect(&mut stream, &options).await.unwrap();
    let mut session = Session::new(stream, source);
    session.until("the picture", |session| shown(&session.source) == dump(&mut control, folder.path())).await;
    let before = lit(&shown(&session.source));
    let key = |down| InputEvent::Key { down, code: 1, keysym: 0xff1b };
    session.input(&[key(true)]).await;
    session.until("a moment", |_| true).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    session.input(&[key(false)]).await;
    session.until("the boot menu", |session| lit(&shown(&session.source)) > before + 500).await;
}
