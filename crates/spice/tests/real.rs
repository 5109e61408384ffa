//! Against QEMU's own SPICE server, compared with its screenshots. One start for everything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]
#![allow(clippy::panic, reason = "a missing program must be noticed, not skipped")]

use async_trait::async_trait;
use oriel_pin::HostPin;
use oriel_screen::{Framebuffer, InputEvent, ScreenEvent, Source};
use oriel_spice::{ConnectError, Session, SpiceOptions, connect, identity};
use oriel_stream::{BoxStream, Way};
use std::{
    io::Write,
    net::TcpListener,
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug)]
struct Port(u16);

#[async_trait]
impl Way for Port {
    async fn open(&self) -> Result<BoxStream, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.0)).await.map_err(|error| error.to_string())?;
        Ok(Box::new(stream))
    }
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(result) = done() {
            return result;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not come within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Machine {
    process: Child,
    control: UnixStream,
    plain: u16,
    tls: u16,
    folder: tempfile::TempDir,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Machine {
    /// The firmware's screen, on a QXL card.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
        for (name, text) in [
            ("ca-cert.pem", made.cert.pem()),
            ("server-cert.pem", made.cert.pem()),
            ("server-key.pem", made.signing_key.serialize_pem()),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let (plain, tls, control) = (free(), free(), folder.path().join("qmp"));
        let spice = format!(
            "addr=127.0.0.1,port={plain},tls-port={tls},x509-dir={},password-secret=ticket",
            folder.path().display()
        );
        let monitor = format!("unix:{},server=on,wait=off", control.display());
        let mut all = vec!["-accel", "tcg", "-m", "64", "-nodefaults", "-vga", "qxl", "-display", "none"];
        all.extend(["-usb", "-device", "usb-tablet", "-boot", "menu=on,splash-time=60000"]);
        all.extend(["-object", "secret,id=ticket,data=s3cret", "-spice", &spice, "-qmp", &monitor]);
        let started = Command::new("qemu-system-x86_64").args(all).stdin(Stdio::null()).spawn();
        let hint = "apt-get install qemu-system-x86 qemu-system-modules-spice";
        let mut process = started.unwrap_or_else(|error| panic!("QEMU does not start ({error}): {hint}"));
        let mut control = until("QEMU's control socket", || {
            assert!(process.try_wait().unwrap().is_none(), "QEMU has ended, it may lack SPICE: {hint}");
            UnixStream::connect(&control).ok()
        });
        control.write_all(b"{\"execute\":\"qmp_capabilities\"}\n").unwrap();
        Self { process, control, plain, tls, folder }
    }

    async fn open(&self, options: SpiceOptions) -> Result<Session, ConnectError> {
        let way = Arc::new(Port(if options.tls { self.tls } else { self.plain }));
        let stream = way.open().await.unwrap();
        timeout(PATIENCE, connect(stream, options, way)).await.expect("opening takes for ever")
    }

    fn shot(&mut self) -> (u16, u16, Vec<u8>) {
        let file = self.folder.path().join("screen.ppm");
        let _ = std::fs::remove_file(&file);
        let command = format!("{{\"execute\":\"screendump\",\"arguments\":{{\"filename\":\"{}\"}}}}\n", file.display());
        self.control.write_all(command.as_bytes()).unwrap();
        until("QEMU's screenshot", || read(&file))
    }
}

fn read(file: &Path) -> Option<(u16, u16, Vec<u8>)> {
    let bytes = std::fs::read(file).ok()?;
    let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
    let (kind, size, depth) = (parts.next()?, parts.next()?, parts.next()?);
    assert_eq!((kind, depth), (&b"P6"[..], &b"255"[..]));
    let (width, height) = std::str::from_utf8(size).unwrap().split_once(' ').unwrap();
    let (width, height): (u16, u16) = (width.parse().unwrap(), height.parse().unwrap());
    let rgb = parts.next()?.to_vec();
    (rgb.len() == usize::from(width) * usize::from(height) * 3).then_some((width, height, rgb))
}

struct Live {
    session: Session,
    events: Vec<ScreenEvent>,
}

impl Live {
    fn shown(&self) -> (u16, u16, Vec<u8>) {
        let pixels: &dyn Framebuffer = self.session.source.framebuffer();
        let rgb = pixels.rgba().chunks_exact(4).flat_map(|pixel| pixel[..3].to_vec()).collect();
        (pixels.width(), pixels.height(), rgb)
    }

    /// What comes within a moment.
    async fn hear(&mut self) {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(length) = timeout(Duration::from_millis(100), self.session.stream.read(&mut buffer)).await {
            let length = length.unwrap();
            assert!(length > 0, "the session has ended");
            let mut out = Vec::new();
            self.session.source.receive(&buffer[..length], &mut out, &mut self.events).unwrap();
            self.session.stream.write_all(&out).await.unwrap();
        }
    }

    async fn input(&mut self, events: &[InputEvent]) {
        let mut out = Vec::new();
        for event in events {
            self.session.source.input(event, &mut out).unwrap();
        }
        self.session.stream.write_all(&out).await.unwrap();
    }

    /// Until both show the same, and more than one colour. The text cursor blinks, so that it may take some tries.
    async fn same(&mut self, machine: &mut Machine, what: &str) -> Vec<u8> {
        let began = Instant::now();
        loop {
            self.hear().await;
            let (shown, shot) = (self.shown(), machine.shot());
            let first = shot.2.first_chunk::<3>().copied();
            if shown == shot && shot.2.chunks_exact(3).any(|pixel| Some(pixel) != first.as_ref().map(|c| &c[..])) {
                return shot.2;
            }
            let size = ((shown.0, shown.1), (shot.0, shot.1));
            assert!(began.elapsed() < PATIENCE, "{what}: SPICE and QEMU's screenshot differ, sizes {size:?}");
        }
    }
}

#[tokio::test]
async fn qemu_shows_its_firmware_and_takes_keys() {
    let mut machine = Machine::start();
    let with = |password: Option<&str>| SpiceOptions { password: password.map(Into::into), ..SpiceOptions::default() };
    let Err(none) = machine.open(with(None)).await else { panic!("no password was taken") };
    assert!(matches!(none, ConnectError::PasswordRequired), "{none}");
    let Err(wrong) = machine.open(with(Some("wrong"))).await else { panic!("a wrong password was taken") };
    assert!(matches!(wrong, ConnectError::CredentialsRefused), "{wrong}");

    let session = machine.open(SpiceOptions { audio: true, ..with(Some("s3cret")) }).await.unwrap();
    let mut live = Live { session, events: Vec::new() };
    let before = live.same(&mut machine, "the firmware's screen").await;
    assert!(live.events.iter().any(|event| matches!(event, ScreenEvent::Leds(_))), "the inputs channel said nothing");

    // The firmware's menu comes with Escape.
    let key = |down| InputEvent::Key { down, code: 1, keysym: 0 };
    live.input(&[InputEvent::Pointer { x: 10, y: 10, buttons: 0 }, key(true), key(false)]).await;
    let began = Instant::now();
    loop {
        let after = live.same(&mut machine, "the firmware's menu").await;
        let changed = before.chunks_exact(3).zip(after.chunks_exact(3)).filter(|(a, b)| a != b).count();
        // More than a cursor.
        if changed > 500 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the key did not arrive: {changed} pixels changed");
    }

    // TLS: who it is, that one and no other; and a second client takes the screen over.
    let tls = SpiceOptions { tls: true, ..with(Some("s3cret")) };
    let seen = identity(Port(machine.tls).open().await.unwrap(), &tls).await.unwrap().unwrap();
    let other = SpiceOptions { pin: HostPin::Sha256([7; 32]), ..tls.clone() };
    assert!(matches!(machine.open(other).await, Err(ConnectError::IdentityChanged { .. })));
    let pinned_without = SpiceOptions { pin: HostPin::Sha256(seen.0), ..with(Some("s3cret")) };
    assert!(matches!(machine.open(pinned_without).await, Err(ConnectError::IdentityMissing)));
    let session = machine.open(SpiceOptions { pin: HostPin::Sha256(seen.0), ..tls }).await.unwrap();
    assert_eq!(session.identity, Some(seen));
    let mut live = Live { session, events: Vec::new() };
    live.same(&mut machine, "the menu through TLS").await;
}
