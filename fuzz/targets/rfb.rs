//! The RFB client against any server: handshake and session fed arbitrary bytes in arbitrary pieces.
//!
//! The first byte chooses (bit 0: begin with the handshake; bit 1: credentials; bit 2: paint pictures), the second how large
//! the pieces are; the rest is what the server says. Whatever it is: no panic, and every event stays within the screen it
//! speaks of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oriel_pin::Fingerprint;
use oriel_screen::{InputEvent, ScreenEvent, Source};
use oriel_vnc::{Established, Handshake, Progress, Security, SecurityPolicy, VncOptions, VncSource, encodings};

/// Larger screens only make each try slow.
const SIDE_MAX: u16 = 512;

fuzz_target!(|data: &[u8]| {
    let [choice, piece, server @ ..] = data else { return };
    let (established, rest) = if choice & 1 == 0 {
        (Established { width: 96, height: 70, name: String::from("fuzz") }, server)
    } else {
        match shake(server, choice & 2 != 0) {
            Some(begun) => begun,
            None => return,
        }
    };
    if established.width > SIDE_MAX || established.height > SIDE_MAX {
        return;
    }
    let mut screen = (established.width, established.height);
    let mut out = Vec::new();
    let Ok(mut source) = VncSource::new(established, encodings::wanted(false), &mut out) else { return };
    let mut events = Vec::new();
    for (turn, bytes) in rest.chunks(usize::from(*piece) + 1).enumerate() {
        out.clear();
        events.clear();
        let result = source.receive(bytes, &mut out, &mut events);
        for event in &events {
            check(event, &mut screen);
        }
        let pixels = source.framebuffer();
        assert_eq!((pixels.width(), pixels.height()), screen, "the last resize names the surface's size");
        assert_eq!(pixels.rgba().len(), usize::from(screen.0) * usize::from(screen.1) * 4);
        if result.is_err() || (choice & 4 != 0 && source.settle().is_err()) {
            assert!(source.receive(&[2], &mut out, &mut events).is_err(), "a broken session stays broken");
            return;
        }
        source.want_frame(&mut out).expect("asking never fails");
        if turn % 4 == 0 {
            let input = match choice >> 5 {
                0 => InputEvent::Resize { width: u16::from(*choice), height: 30, scale: 100 },
                1 => InputEvent::Clipboard(String::from("a\nb")),
                2 => InputEvent::Key { down: true, code: turn as u16, keysym: 0x61 },
                3 => InputEvent::ReleaseAll,
                4 => InputEvent::Pointer { x: 1, y: 9999, buttons: turn as u16 },
                _ => InputEvent::Wheel { x: 9999, y: 1, dx: 7, dy: i16::from(*choice) },
            };
            source.input(&input, &mut out).expect("input never fails");
        }
    }
});

/// The handshake over the first bytes: what it ends with, and the bytes after it. TLS and sealing are taken as begun.
fn shake(mut server: &[u8], credentials: bool) -> Option<(Established, &[u8])> {
    let mut options = VncOptions { password: Some("password".into()), ..VncOptions::default() };
    if credentials {
        options.user = Some(String::from("user"));
        options.repeater = Some(String::from("ID:1"));
        options.security = SecurityPolicy::Only(vec![
            Security::X509Plain,
            Security::Ra2With256,
            Security::Ra2ne,
            Security::Ard,
            Security::MsLogonII,
            Security::Plain,
            Security::UnixLogin,
        ]);
    }
    let mut handshake = Handshake::new(options);
    let mut out = Vec::new();
    loop {
        let need = handshake.need();
        assert!(need > 0 && need <= 4096, "a step takes {need} bytes");
        let (now, later) = server.split_at_checked(need)?;
        server = later;
        match handshake.feed(now, &mut out).ok()? {
            Progress::More | Progress::Seal(_) => {}
            Progress::StartTls => handshake.secured(Fingerprint([0; 32]), &mut out).ok()?,
            Progress::Established(established) => return Some((established, server)),
        }
    }
}

fn check(event: &ScreenEvent, screen: &mut (u16, u16)) {
    match event {
        ScreenEvent::Resize { width, height } => *screen = (*width, *height),
        ScreenEvent::Damage(rect) | ScreenEvent::Tile { rect, .. } | ScreenEvent::Video { rect, .. } => {
            assert!(rect.fits(screen.0, screen.1), "{rect:?} in {screen:?}");
        }
        ScreenEvent::Copy { from_x, from_y, to } => {
            let from = oriel_screen::Rect { x: *from_x, y: *from_y, ..*to };
            assert!(to.fits(screen.0, screen.1) && from.fits(screen.0, screen.1), "{event:?} in {screen:?}");
        }
        ScreenEvent::Cursor { hot_x, hot_y, width, height, rgba } => {
            assert!(hot_x < width && hot_y < height);
            assert_eq!(rgba.len(), usize::from(*width) * usize::from(*height) * 4);
        }
        ScreenEvent::Audio { bytes, .. } => assert!(!bytes.is_empty() && bytes.len() % 4 == 0),
        ScreenEvent::Clipboard(text) => assert!(text.len() <= oriel_screen::CLIPBOARD_BYTES_MAX),
        _ => {}
    }
}
