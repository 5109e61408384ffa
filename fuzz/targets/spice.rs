//! The SPICE client against any server: the beginning of a channel, and sessions fed arbitrary bytes in arbitrary pieces.
//!
//! The first byte chooses (bit 0: the beginning of a channel; bit 1: begin with a screen), the second how large the pieces are; the
//! rest is what the server says, on a session as frames of its channels. Whatever it is: no panic, and every event stays within the
//! screen it speaks of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oriel_screen::{InputEvent, Rect, ScreenEvent, Source};
use oriel_spice::{Channel, Link, SpiceSource};

/// A surface of 96 by 70 pixels, the screen.
const SCREEN: [u8; 29] =
    [2, 26, 0, 0x3a, 1, 20, 0, 0, 0, 0, 0, 0, 0, 96, 0, 0, 0, 70, 0, 0, 0, 32, 0, 0, 0, 1, 0, 0, 0];
/// Larger screens only make each try slow.
const SIDE_MAX: u16 = 640;

fuzz_target!(|data: &[u8]| {
    let [choice, piece, server @ ..] = data else { return };
    if choice & 1 != 0 {
        link(server);
        return;
    }
    let mut source = SpiceSource::default();
    let (mut out, mut events) = (Vec::new(), Vec::new());
    let mut screen = (source.framebuffer().width(), source.framebuffer().height());
    if choice & 2 != 0 {
        source.receive(&SCREEN, &mut out, &mut events).expect("a screen is made");
        screen = (96, 70);
    }
    for (turn, bytes) in server.chunks(usize::from(*piece) + 1).enumerate() {
        out.clear();
        events.clear();
        let result = source.receive(bytes, &mut out, &mut events);
        for event in &events {
            check(event, &mut screen);
        }
        let pixels = source.framebuffer();
        assert_eq!((pixels.width(), pixels.height()), screen, "the last resize names the surface's size");
        assert_eq!(pixels.rgba().len(), usize::from(screen.0) * usize::from(screen.1) * 4);
        if result.is_err() {
            assert!(source.receive(&[2], &mut out, &mut events).is_err(), "a broken session stays broken");
            return;
        }
        if screen.0 > SIDE_MAX || screen.1 > SIDE_MAX {
            return;
        }
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

fn link(mut server: &[u8]) {
    let mut out = Vec::new();
    let mut link = Link::new(Channel::Display, 7, Some("password".into()), &mut out);
    loop {
        let need = link.need();
        assert!(need > 0 && need <= 4096, "a step takes {need} bytes");
        let Some((now, later)) = server.split_at_checked(need) else { return };
        server = later;
        if !matches!(link.feed(now, &mut out), Ok(None)) {
            return;
        }
    }
}

fn check(event: &ScreenEvent, screen: &mut (u16, u16)) {
    match event {
        ScreenEvent::Resize { width, height } => *screen = (*width, *height),
        ScreenEvent::Damage(rect) => assert!(rect.fits(screen.0, screen.1), "{rect:?} in {screen:?}"),
        ScreenEvent::Copy { from_x, from_y, to } => {
            let from = Rect { x: *from_x, y: *from_y, ..*to };
            assert!(to.fits(screen.0, screen.1) && from.fits(screen.0, screen.1), "{event:?} in {screen:?}");
        }
        ScreenEvent::Cursor { hot_x, hot_y, width, height, rgba } => {
            assert!(hot_x < width && hot_y < height);
            assert_eq!(rgba.len(), usize::from(*width) * usize::from(*height) * 4);
        }
        ScreenEvent::Audio { bytes, .. } => assert!(!bytes.is_empty() && bytes.len() % 2 == 0),
        ScreenEvent::Clipboard(text) => assert!(text.len() <= oriel_screen::CLIPBOARD_BYTES_MAX),
        _ => {}
    }
}
