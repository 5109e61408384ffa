//! What a PiKVM sends: the frames of its events and pictures into the source, events into the state, and the stream of JPEGs, all fed
//! arbitrary bytes in arbitrary pieces.
//!
//! The first byte chooses (0: the source's frames as they are; 1: one event; 2: the stream of JPEGs; 3: a picture; 4: a video frame),
//! the second how large the pieces are. Whatever comes: no panic, and every event stays within the screen it speaks of.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use oriel_physical::{FromDevice, Multipart, PhysicalSource, State};
use oriel_screen::{InputEvent, ScreenEvent, Source};

/// Larger screens only make each try slow.
const PIXELS_MAX: u32 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let [choice, piece, rest @ ..] = data else { return };
    let frames = match choice % 5 {
        0 => rest.to_vec(),
        1 => {
            let mut state = State::default();
            for event in rest.split(|byte| *byte == b'\n') {
                state.apply(event).ok();
            }
            state.overview();
            return;
        }
        2 => {
            let mut parts = Multipart::default();
            for bytes in rest.chunks(usize::from(*piece) + 1) {
                parts.feed(bytes);
                while let Ok(Some(_)) = parts.next_picture() {}
            }
            return;
        }
        chosen => {
            let bytes = Bytes::copy_from_slice(rest);
            let frame = if chosen == 3 { FromDevice::Jpeg(bytes) } else { FromDevice::Video(bytes) };
            let mut out = Vec::new();
            frame.encode(&mut out);
            out
        }
    };
    let mut source = PhysicalSource::default();
    let mut screen = (640, 480);
    for (turn, bytes) in frames.chunks(usize::from(*piece) * 64 + 1).enumerate() {
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let result = source.receive(bytes, &mut out, &mut events);
        for event in &events {
            match event {
                ScreenEvent::Resize { width, height } => screen = (*width, *height),
                ScreenEvent::Tile { rect, .. } | ScreenEvent::Video { rect, .. } => {
                    assert!(rect.fits(screen.0, screen.1), "{rect:?} in {screen:?}");
                }
                ScreenEvent::Leds(bits) => assert!(*bits < 8),
                _ => {}
            }
        }
        let pixels = source.framebuffer();
        assert_eq!((pixels.width(), pixels.height()), screen, "the last resize names the surface's size");
        if result.is_err() {
            assert!(source.receive(&[], &mut out, &mut events).is_err(), "a broken session stays broken");
            return;
        }
        if u32::from(screen.0) * u32::from(screen.1) > PIXELS_MAX {
            return;
        }
        source.settle().ok();
        let input = match turn % 4 {
            0 => InputEvent::Pointer { x: u16::from(*piece), y: 9999, buttons: turn as u16 },
            1 => InputEvent::Key { down: true, code: u16::from(*piece), keysym: turn as u32 },
            2 => InputEvent::Wheel { x: 1, y: 1, dx: -32768, dy: i16::from(*piece) * 100 },
            _ => InputEvent::ReleaseAll,
        };
        source.input(&input, &mut out).expect("input never fails");
    }
});
