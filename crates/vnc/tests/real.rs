//! Against real servers: TigerVNC's X server and QEMU's own VNC, compared with their own screenshots.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]
#![allow(clippy::panic, reason = "a missing program must be noticed, not skipped")]

mod common;

use common::real::{Live, Picture, Qemu, Tiger, shown, start, until, xclip};
use oriel_screen::{AudioCodec, InputEvent, Monitor, Monitors, Rect, ScreenEvent, Source, TileCodec};
use oriel_vnc::{ConnectError, VncOptions, connect, connect_with_encodings, encodings};
use std::{io::Write, process::Child, time::Duration};

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

    // Two screens, and one again.
    let monitor = |x, w, h| Monitor { rect: Rect::new(x, 0, w, h), scale: 100, primary: x == 0 };
    let monitors = Monitors::arrange(&[monitor(0, 800, 600), monitor(800, 400, 300)]).unwrap();
    session.input(&[InputEvent::Monitors(monitors)]).await;
    session.until("two screens", |session| session.source.framebuffer().width() == 1200).await;
    tiger.same("the picture on two screens", &mut session).await;
    session.input(&[InputEvent::Resize { width: 700, height: 500, scale: 100 }]).await;
    session.until("one screen again", |session| session.source.framebuffer().width() == 700).await;

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

#[tokio::test]
async fn tigervnc_with_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    // What vncpasswd(1) writes for "s3cret!".
    std::fs::write(&file, [0xff, 0x99, 0xc2, 0xcc, 0x4f, 0x80, 0xab, 0xab]).unwrap();
    let tiger = Tiger::start(&["-SecurityTypes", "VncAuth", "-PasswordFile", file.to_str().unwrap()]);
    let open = async |password: Option<&str>| {
        tiger.open(&VncOptions { password: password.map(Into::into), ..VncOptions::default() }).await
    };
    assert!(matches!(open(None).await, Err(ConnectError::PasswordRequired)));
    let Err(wrong) = open(Some("wrong")).await else { panic!("a wrong password was taken") };
    assert!(matches!(wrong, ConnectError::CredentialsRefused { .. }), "{wrong}");
    let Ok(mut session) = open(Some("s3cret!")).await else { panic!("the right password was refused") };
    tiger.same("the picture", &mut session).await;
}

#[tokio::test]
async fn qemu_shows_its_firmware_and_takes_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut qemu = Qemu::start(folder, "", &["-boot", "menu=on,splash-time=60000"]);
    let lit = |picture: &Picture| picture.2.iter().filter(|byte| **byte != 0).count();
    until("the firmware's text", || (lit(&qemu.dump()) > 1000).then_some(()));
    for (name, encoding) in [
        ("raw", encodings::RAW),
        ("hextile", encodings::HEXTILE),
        ("zlib", encodings::ZLIB),
        ("tight", encodings::TIGHT),
        ("zrle", encodings::ZRLE),
    ] {
        let options = VncOptions { nearby: true, ..VncOptions::default() };
        let mut session = Live::new(connect_with_encodings(qemu.stream().await, &options, &[encoding]).await.unwrap());
        session.until(name, |session| shown(&mut session.source) == qemu.dump()).await;
        println!(
            "{name}: {} bytes, {:?}",
            session.received,
            (shown(&mut session.source).0, shown(&mut session.source).1)
        );
    }
    // Escape opens the boot menu: the scan code arrived.
    let options = VncOptions { nearby: true, ..VncOptions::default() };
    let mut session = Live::new(connect(qemu.stream().await, &options).await.unwrap());
    session.until("the picture", |session| shown(&mut session.source) == qemu.dump()).await;
    let before = lit(&shown(&mut session.source));
    let key = |down| InputEvent::Key { down, code: 1, keysym: 0xff1b };
    session.input(&[key(true)]).await;
    session.until("a moment", |_| true).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    session.input(&[key(false)]).await;
    session.until("the boot menu", |session| lit(&shown(&mut session.source)) > before + 500).await;
}

/// Boots without an operating system: a smooth picture of 640x480 in 32 bits and a tone from the speaker. Assembled from
///
/// ```text
/// cli; xor ax,ax; mov ds,ax; mov ss,ax; mov sp,0x7c00; sti
/// mov ax,0x4f02; mov bx,0x142; int 0x10          ; VBE 640x480x32, through the window at 0xa0000
/// mov ax,0xa000; mov es,ax; xor ecx,ecx; xor dx,dx
/// bank:  mov ax,0x4f05; xor bx,bx; push dx; push ecx; int 0x10; pop ecx; pop dx; xor di,di
/// pixel: eax = ecx+(ecx>>3) : (ecx>>1)&255 : ecx&255; stosd; inc ecx; if cx = 640: ecx = 0; test di,di; jnz pixel
/// inc dx; cmp dx,18; jb bank
/// out 0x43,0xb6; out 0x42,1193&255; out 0x42,1193>>8; or port 0x61,3; hlt; jmp $-1
/// ```
const BOOT: &str = "fa31c08ed88ed0bc007cfbb8024fbb4201cd10b800a08ec06631c931d2b8\
    054f31db526651cd1066595a31ff6689c866c1e8036601c866c1e0086689\
    cb66d1eb88d866c1e00888c866ab664181f9800275036631c985ff75d342\
    83fa1272beb0b6e643b8a904e64288e0e642e4610c03e661f4ebfd";

#[tokio::test]
async fn qemu_sends_jpeg_and_sound() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk: Vec<u8> =
        (0..BOOT.len()).step_by(2).map(|i| u8::from_str_radix(&BOOT[i..i + 2], 16).unwrap()).collect();
    disk.resize(1440 << 10, 0);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let file = folder.path().join("disk");
    std::fs::write(&file, disk).unwrap();
    let drive = format!("file={},format=raw,if=floppy", file.display());
    let arguments = ["-drive", &drive, "-audiodev", "none,id=snd", "-machine", "pcspk-audiodev=snd"];
    let mut qemu = Qemu::start(folder, ",audiodev=snd,lossy=on,non-adaptive=on", &arguments);
    let colours =
        |picture: &Picture| picture.2.chunks(3).map(<[u8]>::to_vec).collect::<std::collections::HashSet<_>>().len();
    until("the picture", || (colours(&qemu.dump()) > 500).then_some(()));

    let options = VncOptions { quality: Some(4), audio: true, ..VncOptions::default() };
    let mut session = Live::new(connect(qemu.stream().await, &options).await.unwrap());
    let jpeg = |event: &ScreenEvent| matches!(event, ScreenEvent::Tile { codec: TileCodec::Jpeg, .. });
    session.until("JPEG pictures", |session| session.events.iter().any(jpeg)).await;
    // Decoded here, they are what QEMU shows, but for what JPEG loses.
    let differ = |got: &Picture, want: &Picture| {
        let sum: u64 = got.2.iter().zip(&want.2).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        if (got.0, got.1) == (want.0, want.1) { sum as f64 / want.2.len() as f64 } else { f64::MAX }
    };
    session.until("nearly the same picture", |session| differ(&shown(&mut session.source), &qemu.dump()) < 6.0).await;
    println!("JPEG differs by {} on average", differ(&shown(&mut session.source), &qemu.dump()));

    let sound = |event: &ScreenEvent| match event {
        ScreenEvent::Audio { codec: AudioCodec::Pcm, channels: 2, rate: 48_000, bytes, .. } => {
            bytes.as_chunks::<2>().0.iter().any(|sample| i16::from_le_bytes(*sample).unsigned_abs() > 1000)
        }
        _ => false,
    };
    session.until("the tone", |session| session.events.iter().filter(|event| sound(event)).count() > 3).await;
    let times: Vec<u32> = session
        .events
        .iter()
        .filter_map(|event| match event {
            ScreenEvent::Audio { time_ms, .. } => Some(*time_ms),
            _ => None,
        })
        .collect();
    assert!(times.is_sorted() && times[0] == 0, "{times:?}");

    // Without a quality, nothing is lost.
    let mut session = Live::new(connect(qemu.stream().await, &VncOptions::default()).await.unwrap());
    session.until("the exact picture", |session| shown(&mut session.source) == qemu.dump()).await;
    assert!(!session.events.iter().any(jpeg));

    // Tight with PNG in it.
    let mut session = Live::new(
        connect_with_encodings(qemu.stream().await, &VncOptions::default(), &[encodings::TIGHT_PNG]).await.unwrap(),
    );
    session.until("the exact picture by PNG", |session| shown(&mut session.source) == qemu.dump()).await;
    // Debian's QEMU is built without PNG and sends it raw then.
    let png = session.events.iter().any(|event| matches!(event, ScreenEvent::Tile { codec: TileCodec::Png, .. }));
    println!("PNG: {png}");
}

#[tokio::test]
async fn tigervnc_calls_us() {
    let tiger = Tiger::start(&["-SecurityTypes", "None"]);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let _caller = start("vncconfig", &["-display", &tiger.display, "-connect", &address]);
    let (stream, _) = listener.accept().await.unwrap();
    let mut session = Live::new(connect(stream, &VncOptions::default()).await.unwrap());
    tiger.same("the picture", &mut session).await;
}
