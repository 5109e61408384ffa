//! Against real RDP servers on this machine. Every server is started by its test and dies with it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use oriel_rdp::{ConnectError, KerberosError};
use oriel_screen::{InputEvent, MicrophoneFormat, Monitor, Monitors, Rect, ScreenEvent, Source as _};
use std::fs;
use std::time::Duration;
use support::client::Client;
use support::kdc::{HOST, REALM, Realm};
use support::shadow::Shadow;
use support::wait_until;
use support::xrdp::Xrdp;
use support::xwd::{compare, shot};

/// openbox starts the terminal: one that starts beside it may ask to be shown while nobody listens, and never is.
const DESKTOP: &str = r#"xsetroot -solid '#336699'
echo 'cat > $HOME/typed' > $HOME/keep.sh
exec openbox --startup "xterm -u8 -bg white -fg black -geometry 80x24+40+40 -e sh $HOME/keep.sh""#;

fn logging() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
}

fn typed(server: &Xrdp) -> String {
    fs::read_to_string(server.account.home.join("typed")).unwrap_or_default()
}

/// Pixels of the terminal's background.
fn white(client: &Client) -> usize {
    client
        .source
        .framebuffer()
        .rgba()
        .chunks_exact(4)
        .filter(|pixel| pixel.iter().take(3).all(|value| *value > 240))
        .count()
}

async fn expect_typed(client: &mut Client, server: &Xrdp, wanted: &str) {
    let arrived = client.pump_until(Duration::from_secs(8), |_| typed(server).ends_with(wanted)).await;
    assert!(arrived, "typed {wanted:?}, the desktop has {:?}", typed(server));
}

async fn with(client: &mut Client, modifier: u16, code: u16, keysym: u32) {
    client.input(InputEvent::Key { down: true, code: modifier, keysym: 0 }).await;
    client.tap(code, keysym).await;
    client.input(InputEvent::Key { down: false, code: modifier, keysym: 0 }).await;
}

const ALTGR: u16 = 0xe038;
const SHIFT: u16 = 0x2a;
const ENTER: u16 = 0x1c;

#[tokio::test]
async fn an_xrdp_desktop_shows_types_and_copies() {
    logging();
    let server = Xrdp::start(DESKTOP);
    let mut client = Client::connect(server.port, server.options(1280, 720, "de")).await.unwrap();
    let shown = client.pump_until(Duration::from_secs(25), |client| white(client) > 100_000).await;
    assert!(shown, "the terminal did not show up\n{}", server.logs());
    client.settle(Duration::from_secs(2)).await;
    assert!(client.ended.is_none(), "{:?}\n{}", client.ended, server.logs());

    // The picture is the X server's own, but for the pointer and what RemoteFX loses.
    let picture = client.source.framebuffer();
    let difference = compare(&shot(server.display, Some(&server.authority())), picture);
    eprintln!(
        "picture: {:.4} % far, mean {:.2}, largest {}",
        difference.share * 100.0,
        difference.mean,
        difference.largest
    );
    assert!(difference.share < 0.002, "{} of the pixels differ", difference.share);
    assert!(client.events.iter().any(|event| matches!(event, ScreenEvent::Cursor { .. })), "no pointer picture came");
    assert!(client.events.contains(&ScreenEvent::FrameEnd));
    eprintln!("{} bytes received, can_resize {}", client.received.len(), client.source.can_resize());
    if let Some(path) = std::env::var_os("ORIEL_RECORD") {
        fs::write(path, &client.received).unwrap();
    }

    // A redraw brings the same picture.
    client.redraw().await;
    client.settle(Duration::from_secs(1)).await;
    let difference = compare(&shot(server.display, Some(&server.authority())), client.source.framebuffer());
    assert!(difference.share < 0.002, "{} of the pixels differ after a redraw", difference.share);

    // Keys by scan code on a German keyboard.
    for buttons in [1, 0] {
        client.input(InputEvent::Pointer { x: 300, y: 300, buttons }).await;
    }
    client.pump(Duration::from_millis(500)).await;
    for (code, keysym) in [(0x23, 0x68), (0x15, 0x7a), (0x2c, 0x79), (0x28, 0xe4)] {
        client.tap(code, keysym).await;
    }
    with(&mut client, ALTGR, 0x12, 0x20ac).await;
    with(&mut client, ALTGR, 0x10, 0x40).await;
    with(&mut client, SHIFT, 0x1e, 0x41).await;
    client.tap(ENTER, 0xff0d).await;
    expect_typed(&mut client, &server, "hzyä€@A\n").await;

    // Caps lock of the viewer, known by its letters only.
    client.tap(0x1e, 0x41).await;
    client.tap(0x1e, 0x61).await;
    client.tap(ENTER, 0xff0d).await;
    expect_typed(&mut client, &server, "\nAa\n").await;

    // Characters without keys.
    client.input(InputEvent::Text("Grüße: a@b €{Z}\n".to_owned())).await;
    expect_typed(&mut client, &server, "Grüße: a@b €{Z}\n").await;

    // Clipboard from the desktop, and to it.
    client.events.clear();
    let mut xclip = server.command("xclip");
    let child = xclip.args(["-selection", "clipboard", "-i"]).stdin(std::process::Stdio::piped()).spawn();
    let mut child = child.unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), "zwei\nZeilen €".as_bytes()).unwrap();
    child.wait().unwrap();
    let came = client
        .pump_until(Duration::from_secs(8), |client| {
            client.events.iter().any(|event| matches!(event, ScreenEvent::Clipboard(_)))
        })
        .await;
    assert!(came, "no clipboard text came\n{}", server.logs());
    assert!(
        client.events.contains(&ScreenEvent::Clipboard("zwei\nZeilen €".to_owned())),
        "{:?}",
        client.events.iter().filter(|event| matches!(event, ScreenEvent::Clipboard(_))).collect::<Vec<_>>()
    );
    client.input(InputEvent::Clipboard("hinüber\nund zurück".to_owned())).await;
    client.pump(Duration::from_millis(1500)).await;
    let out = server.folder.path().join("pasted");
    let mut paste = server.command("timeout");
    paste.args(["5", "xclip", "-selection", "clipboard", "-o"]).stdout(fs::File::create(&out).unwrap());
    let mut paste = paste.spawn().unwrap();
    client.pump_until(Duration::from_secs(6), |_| paste.try_wait().unwrap().is_some()).await;
    assert_eq!(fs::read_to_string(&out).unwrap(), "hinüber\nund zurück");

    // A new size: where the server has no display control, by a new connection to the same session.
    let width = if client.source.can_resize() {
        client.input(InputEvent::Resize { width: 1024, height: 768, scale: 100 }).await;
        client
            .pump_until(Duration::from_secs(8), |client| {
                client.events.contains(&ScreenEvent::Resize { width: 1024, height: 768 })
            })
            .await;
        client.source.framebuffer().width()
    } else {
        drop(client);
        client = Client::connect(server.port, server.options(1024, 768, "de")).await.unwrap();
        client.settle(Duration::from_secs(3)).await;
        client.source.framebuffer().width()
    };
    assert_eq!(width, 1024);
    client.settle(Duration::from_secs(2)).await;
    let difference = compare(&shot(server.display, Some(&server.authority())), client.source.framebuffer());
    assert!(difference.share < 0.002, "{} of the pixels differ after the resize", difference.share);
    client.tap(0x1e, 0x61).await;
    client.tap(ENTER, 0xff0d).await;
    expect_typed(&mut client, &server, "a\n").await;
}

fn side_by_side(left: (u16, u16), right: (u16, u16)) -> Monitors {
    let monitor = |x, (w, h), primary| Monitor { rect: Rect::new(x, 0, w, h), scale: 100, primary };
    Monitors::arrange(&[monitor(0, left, true), monitor(left.0, right, false)]).unwrap()
}

/// Where the desktop has its monitors.
fn listed(server: &Xrdp) -> String {
    let listed = server.command("xrandr").arg("--listmonitors").output().unwrap();
    String::from_utf8_lossy(&listed.stdout).into_owned()
}

#[tokio::test]
async fn two_monitors_are_one_desktop() {
    logging();
    let server = Xrdp::start(DESKTOP);
    let monitors = Some(side_by_side((1024, 768), (800, 600)));
    let options = oriel_rdp::RdpOptions { monitors, ..server.options(1824, 768, "us") };
    let mut client = Client::connect(server.port, options).await.unwrap();
    let shown = client.pump_until(Duration::from_secs(25), |client| white(client) > 100_000).await;
    assert!(shown, "the terminal did not show up\n{}", server.logs());
    let picture = client.source.framebuffer();
    assert_eq!((picture.width(), picture.height()), (1824, 768), "{}", server.logs());
    let monitors = listed(&server);
    assert!(monitors.contains("+0+0") && monitors.contains("+1024+0"), "{monitors}\n{}", server.logs());
    // xrdp 0.9 learns of others with a new connection alone.
    if client.source.can_resize() {
        client.input(InputEvent::Monitors(side_by_side((800, 600), (640, 480)))).await;
        let sum = ScreenEvent::Resize { width: 1440, height: 600 };
        let resized = client.pump_until(Duration::from_secs(8), |client| client.events.contains(&sum)).await;
        assert!(resized, "{}\n{}", listed(&server), server.logs());
    }
}

#[tokio::test]
async fn another_certificate_is_refused_with_both_fingerprints() {
    let server = Xrdp::start("wait");
    let mut options = server.options(800, 600, "us");
    options.certificate = oriel_pin::HostPin::Sha256([7; 32]);
    let Err(error) = Client::connect(server.port, options).await else { panic!("connected to another certificate") };
    assert!(matches!(error, ConnectError::CertificateChanged { .. }), "{error:?}");
    let text = error.to_string();
    let seen = oriel_pin::Fingerprint(server.pin).to_string();
    assert!(text.contains(&seen) && text.contains(&"07".repeat(32)), "{text}");
}

#[tokio::test]
async fn a_listener_that_hangs_up_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { drop(listener.accept().await) });
    let options = oriel_rdp::RdpOptions {
        user: "a".to_owned(),
        password: secrecy::SecretString::from("b".to_owned()),
        domain: None,
        width: 800,
        height: 600,
        scale: 100,
        monitors: None,
        keyboard: String::new(),
        certificate: oriel_pin::HostPin::Sha256([0; 32]),
        keeper: None,
        security: oriel_rdp::Security::Any,
        kerberos: None,
        client_name: String::new(),
        pipeline: oriel_rdp::Pipeline::Video,
        devices: oriel_rdp::Devices::default(),
        drive: None,
        session: oriel_rdp::SessionOptions::default(),
        gateway: None,
        continuation: oriel_rdp::Continuation::default(),
    };
    let Err(error) = Client::connect(port, options).await else { panic!("connected to nothing") };
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn network_level_authentication_and_a_wrong_password() {
    logging();
    let server = Shadow::start("nla");
    // Pixels that are compared must be decoded here.
    let options = oriel_rdp::RdpOptions { pipeline: oriel_rdp::Pipeline::Pixels, ..server.options("geheim") };
    let mut client = Client::connect(server.port, options).await.unwrap();
    client.settle(Duration::from_secs(2)).await;
    let difference = compare(&shot(server.display, None), client.source.framebuffer());
    assert!(difference.share < 0.002, "{} of the pixels differ", difference.share);
    drop(client);
    let Err(error) = Client::connect(server.port, server.options("falsch")).await else {
        panic!("the wrong password was taken")
    };
    assert!(matches!(error, ConnectError::CredentialsRefused(_)), "{error:?}");
    wait_until("nothing", Duration::from_secs(1), || true);
}

/// Against MIT's KDC; the machine is sspi's own server, as Debian's RDP servers take no ticket.
#[tokio::test]
async fn a_ticket_of_a_real_kdc_signs_in() {
    logging();
    let realm = Realm::start();
    let (error, identity) = realm.sign_in("anna", "geheim", HOST).await;
    let Some(identity) = identity else { panic!("nobody was signed in: {error}") };
    assert_eq!((identity.username.account_name(), identity.password.as_ref().as_str()), ("anna", "geheim"));
    assert!(error.to_string().contains("session set-up"), "{error}");

    let (realm_name, user) = (REALM.to_owned(), "anna".to_owned());
    let refusal = |error: ConnectError| match error {
        ConnectError::Kerberos(error) => error,
        other => panic!("{other}"),
    };
    let (error, nobody) = realm.sign_in("anna", "falsch", HOST).await;
    assert_eq!(refusal(error), KerberosError::WrongPassword { realm: realm_name.clone(), user });
    assert!(nobody.is_none());
    let (error, _) = realm.sign_in("bert", "geheim", HOST).await;
    assert_eq!(refusal(error), KerberosError::NoAccount { realm: realm_name.clone(), user: "bert".to_owned() });
    let (error, _) = realm.sign_in("anna", "geheim", "ghost.oriel.test").await;
    let service = "TERMSRV/ghost.oriel.test".to_owned();
    assert_eq!(refusal(error), KerberosError::NoService { realm: realm_name, service });
    let error = refusal(realm.sign_in_alone().await);
    assert!(matches!(error, KerberosError::NoKdc { .. }) && error.is_about_the_way(), "{error}");
    let error = refusal(realm.sign_in_elsewhere().await);
    assert!(matches!(error, KerberosError::NotTaken { .. }) && error.is_about_the_way(), "{error}");
}

const SOUND_RATE: u32 = 44_100;
const TONE_HZ: f64 = 440.0;

/// A tone as a desktop's sound server hands it to xrdp-chansrv: a head (0: samples; length with the head), then samples of 16
/// bits, two channels, 44.1 kHz. At the pace at which it is heard.
fn play_tone(socket: std::path::PathBuf, seconds: u32) -> std::thread::JoinHandle<std::io::Result<()>> {
    use std::io::Write as _;
    std::thread::spawn(move || {
        let mut socket = std::os::unix::net::UnixStream::connect(socket)?;
        let pieces = 50 * seconds;
        let frames = SOUND_RATE / 50;
        for piece in 0..pieces {
            let mut message = Vec::new();
            message.extend_from_slice(&0u32.to_le_bytes());
            message.extend_from_slice(&(8 + 4 * frames).to_le_bytes());
            for frame in piece * frames..(piece + 1) * frames {
                let angle = f64::from(frame) / f64::from(SOUND_RATE) * TONE_HZ * std::f64::consts::TAU;
                let value = (angle.sin() * 12_000.0) as i16;
                message.extend_from_slice(&value.to_le_bytes());
                message.extend_from_slice(&(value / 2).to_le_bytes());
            }
            socket.write_all(&message)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    })
}

#[tokio::test]
async fn an_xrdp_desktop_is_heard_unless_the_rule_says_no() {
    logging();
    let server = Xrdp::start(DESKTOP);
    let socket = server.folder.path().join(format!("run/sockdir/xrdp_chansrv_audio_out_socket_{}", server.display));
    let mut client = Client::connect(server.port, server.options(800, 600, "us")).await.unwrap();
    let up = client.pump_until(Duration::from_secs(25), |client| white(client) > 100_000 && socket.exists()).await;
    assert!(up, "no desktop with {}\n{}", socket.display(), server.logs());
    client.events.clear();
    let playing = play_tone(socket.clone(), 3);
    client.pump_until(Duration::from_secs(8), |_| playing.is_finished()).await;
    playing.join().unwrap().unwrap();
    client.pump(Duration::from_millis(500)).await;
    let (mut left, mut right, mut blocks) = (Vec::new(), Vec::new(), 0);
    for event in &client.events {
        let ScreenEvent::Audio { channels, rate, time_ms, bytes, .. } = event else { continue };
        assert_eq!((*channels, *rate), (2, SOUND_RATE));
        let at = left.len() as u64 * 1000 / u64::from(SOUND_RATE);
        assert!(at.abs_diff(u64::from(*time_ms)) <= 1, "{time_ms} ms is said where {at} ms were played");
        for frame in bytes.chunks_exact(4) {
            left.push(i16::from_le_bytes([frame[0], frame[1]]));
            right.push(i16::from_le_bytes([frame[2], frame[3]]));
        }
        blocks += 1;
    }
    let heard = left.len() as f64 / f64::from(SOUND_RATE);
    let rises = left.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    let hz = rises as f64 / heard;
    eprintln!("sound: {blocks} blocks, {heard:.2} s, {hz:.1} Hz, {} B a block", 4 * left.len() / blocks.max(1));
    assert!(heard > 2.7, "{heard:.2} s of 3 were heard\n{}", server.logs());
    assert!((hz - TONE_HZ).abs() < 5.0, "{hz:.1} Hz were heard");
    let loudest = |side: &[i16]| side.iter().map(|value| value.unsigned_abs()).max().unwrap_or_default();
    assert!((11_900..=12_000).contains(&loudest(&left)) && (5_900..=6_000).contains(&loudest(&right)));
    drop(client);

    let mut options = server.options(800, 600, "us");
    options.devices.sound = false;
    let mut client = Client::connect(server.port, options).await.unwrap();
    client.settle(Duration::from_secs(2)).await;
    // The machine knows of no ear, and gives its programs no place to play to.
    assert!(!socket.exists(), "{} is still there", socket.display());
    assert!(!client.events.iter().any(|event| matches!(event, ScreenEvent::Audio { .. })));
    assert!(client.ended.is_none(), "{:?}", client.ended);
}

/// A program of the desktop that records, as the desktop's sound server asks xrdp-chansrv for it: a head (0, then the length with the head),
/// what is wanted (1 begin, 2 end, 3 what there is), and the most bytes of it; what there is comes with its length. Gives the samples.
fn record(socket: std::path::PathBuf, time: Duration) -> std::thread::JoinHandle<std::io::Result<Vec<u8>>> {
    use std::io::{Read as _, Write as _};
    std::thread::spawn(move || {
        let mut socket = std::os::unix::net::UnixStream::connect(socket)?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        let ask = |what: u8, bytes: u16| {
            let [low, high] = bytes.to_le_bytes();
            [0, 0, 0, 0, 11, 0, 0, 0, what, low, high]
        };
        socket.write_all(&ask(1, 0))?;
        let mut heard = Vec::new();
        let until = std::time::Instant::now() + time;
        while std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
            socket.write_all(&ask(3, 16_384))?;
            let mut length = [0; 2];
            socket.read_exact(&mut length)?;
            let mut samples = vec![0; usize::from(u16::from_le_bytes(length))];
            socket.read_exact(&mut samples)?;
            heard.extend_from_slice(&samples);
        }
        socket.write_all(&ask(2, 0))?;
        // The end is read before the socket goes.
        std::thread::sleep(Duration::from_millis(500));
        Ok(heard)
    })
}

/// What a program wants to hear, as last told.
fn wanted(client: &Client) -> Option<MicrophoneFormat> {
    let told = client.events.iter().rev().find_map(|event| match event {
        ScreenEvent::Microphone(wanted) => Some(*wanted),
        _ => None,
    });
    told.flatten()
}

#[tokio::test]
async fn what_programs_of_an_xrdp_desktop_record_is_what_the_person_says() {
    logging();
    let server = Xrdp::start(DESKTOP);
    let socket = server.folder.path().join(format!("run/sockdir/xrdp_chansrv_audio_in_socket_{}", server.display));
    let mut client = Client::connect(server.port, server.options(800, 600, "us")).await.unwrap();
    let up = client.pump_until(Duration::from_secs(25), |client| white(client) > 100_000 && socket.exists()).await;
    assert!(up, "no desktop with {}\n{}", socket.display(), server.logs());
    assert_eq!(wanted(&client), None, "nobody records yet");
    let recording = record(socket.clone(), Duration::from_secs(4));
    let asked = client.pump_until(Duration::from_secs(5), |client| wanted(client).is_some()).await;
    assert!(asked, "no program asked for the microphone\n{}", server.logs());
    let format = wanted(&client).unwrap();
    assert_eq!((format.channels, format.rate), (2, SOUND_RATE));
    // Two seconds of a tone, in pieces as a browser makes them.
    let frames = SOUND_RATE / 50;
    for piece in 0..100 {
        let mut samples = Vec::new();
        for frame in piece * frames..(piece + 1) * frames {
            let angle = f64::from(frame) / f64::from(SOUND_RATE) * TONE_HZ * std::f64::consts::TAU;
            let value = (angle.sin() * 12_000.0) as i16;
            samples.extend_from_slice(&value.to_le_bytes());
            samples.extend_from_slice(&(value / 2).to_le_bytes());
        }
        client.input(InputEvent::Microphone { format, samples: samples.into() }).await;
        client.pump(Duration::from_millis(20)).await;
    }
    client.pump_until(Duration::from_secs(8), |_| recording.is_finished()).await;
    let heard = recording.join().unwrap().unwrap();
    let sides: Vec<(i16, i16)> = heard
        .chunks_exact(4)
        .map(|frame| (i16::from_le_bytes([frame[0], frame[1]]), i16::from_le_bytes([frame[2], frame[3]])))
        .collect();
    let seconds = sides.len() as f64 / f64::from(SOUND_RATE);
    let rises = sides.windows(2).filter(|pair| pair[0].0 < 0 && pair[1].0 >= 0).count();
    let hz = rises as f64 / seconds;
    eprintln!("microphone: {seconds:.2} s of 2 were recorded, {hz:.1} Hz");
    assert!((1.8..=2.01).contains(&seconds), "{seconds:.2} s of 2 were recorded\n{}", server.logs());
    assert!((hz - TONE_HZ).abs() < 5.0, "{hz:.1} Hz were recorded");
    assert!(sides.iter().all(|(left, right)| left / 2 == *right), "the sides are mixed up");
    let over = client.pump_until(Duration::from_secs(5), |client| wanted(client).is_none()).await;
    assert!(over, "the machine still listens after its program ended");
    drop(client);

    let mut options = server.options(800, 600, "us");
    options.devices.microphone = false;
    let mut client = Client::connect(server.port, options).await.unwrap();
    client.settle(Duration::from_secs(2)).await;
    let recording = record(socket, Duration::from_secs(2));
    client.pump_until(Duration::from_secs(6), |_| recording.is_finished()).await;
    assert!(recording.join().unwrap().unwrap_or_default().is_empty());
    assert!(!client.events.iter().any(|event| matches!(event, ScreenEvent::Microphone(_))));
    assert!(client.ended.is_none(), "{:?}", client.ended);
}
