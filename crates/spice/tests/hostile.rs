//! Servers that mean harm, and bytes in pieces of any size.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use oriel_screen::{InputEvent, Rect, ScreenEvent, Source};
use oriel_spice::{Channel, Link, SpiceSource};
use proptest::prelude::*;

fn frame(channel: Channel, bytes: &[u8]) -> Vec<u8> {
    bytes
        .chunks(60_000)
        .flat_map(|chunk| [&[channel as u8][..], &(chunk.len() as u16).to_le_bytes(), chunk].concat())
        .collect()
}

fn message(channel: Channel, kind: u16, body: &[u8]) -> Vec<u8> {
    frame(channel, &[&kind.to_le_bytes()[..], &(body.len() as u32).to_le_bytes(), body].concat())
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Surface, box (top, left, bottom, right), and no clip.
fn base(area: [u32; 4]) -> Vec<u8> {
    [words(&[0]), words(&area), vec![0]].concat()
}

fn screen(side: u32) -> Vec<u8> {
    message(Channel::Display, 314, &words(&[0, side, side, 32, 1]))
}

/// A solid brush, an operation, and no mask.
fn fill(area: [u32; 4], colour: u32, rop: u16) -> Vec<u8> {
    let body = [base(area), vec![1], words(&[colour]), rop.to_le_bytes().to_vec(), vec![0], words(&[0, 0, 0])];
    message(Channel::Display, 302, &body.concat())
}

/// A bitmap of 32 bits, rows from the top, drawn over the box.
fn copy(area: [u32; 4], from: [u32; 4], size: [u32; 2], pixels: &[u8]) -> Vec<u8> {
    let head =
        [base(area), words(&[21 + 4 + 16 + 2 + 1 + 13]), words(&from), vec![8, 0, 0], vec![0], words(&[0, 0, 0])];
    let image = [words(&[7, 0]), vec![0, 0], words(&size), vec![8, 4], words(&[size[0], size[1], size[0] * 4, 0])];
    message(Channel::Display, 304, &[head.concat(), image.concat(), pixels.to_vec()].concat())
}

fn feed(source: &mut SpiceSource, bytes: &[u8]) -> Result<(Vec<u8>, Vec<ScreenEvent>), String> {
    let (mut out, mut events) = (Vec::new(), Vec::new());
    source.receive(bytes, &mut out, &mut events).map_err(|error| error.to_string())?;
    Ok((out, events))
}

fn refused(bytes: &[u8], word: &str) {
    let mut source = SpiceSource::default();
    feed(&mut source, &screen(64)).unwrap();
    let error = feed(&mut source, bytes).unwrap_err();
    assert!(error.contains(word), "{error:?} does not say {word:?}");
    assert_eq!(feed(&mut source, &[]).unwrap_err(), error, "a broken session stays broken");
}

#[test]
fn what_is_drawn_is_there() {
    let mut source = SpiceSource::default();
    let (_, events) = feed(&mut source, &screen(4)).unwrap();
    assert_eq!(events, [ScreenEvent::Resize { width: 4, height: 4 }, ScreenEvent::FrameEnd]);
    let (_, events) = feed(&mut source, &fill([0, 0, 9, 9], 0x00_01_02_03, 8)).unwrap();
    assert_eq!(events, [ScreenEvent::Damage(Rect::new(0, 0, 4, 4)), ScreenEvent::FrameEnd]);
    assert_eq!(source.framebuffer().rgba(), [1, 2, 3, 255].repeat(16));
    feed(&mut source, &copy([1, 1, 2, 3], [0, 0, 1, 2], [2, 1], &[3, 2, 1, 0, 6, 5, 4, 0])).unwrap();
    assert_eq!(source.framebuffer().row(0, 1, 4), [1, 2, 3, 255, 1, 2, 3, 255, 4, 5, 6, 255, 1, 2, 3, 255]);
    // Stretched: one pixel over four.
    feed(&mut source, &copy([2, 0, 4, 2], [0, 1, 1, 2], [2, 1], &[3, 2, 1, 0, 9, 9, 9, 0])).unwrap();
    assert_eq!(source.framebuffer().row(0, 3, 3), [9, 9, 9, 255, 9, 9, 9, 255, 1, 2, 3, 255]);
    // The screen's own pixels, moved: a place to read from after the box.
    let moved = [base([0, 0, 1, 2]), words(&[0, 2])].concat();
    let (_, events) = feed(&mut source, &message(Channel::Display, 104, &moved)).unwrap();
    assert_eq!(events[0], ScreenEvent::Copy { from_x: 0, from_y: 2, to: Rect::new(0, 0, 2, 1) });
    assert_eq!(source.framebuffer().row(0, 0, 2), [9, 9, 9, 255, 9, 9, 9, 255]);
    // Turned over.
    let body = [base([0, 0, 4, 4]), vec![0], words(&[0, 0, 0])].concat();
    feed(&mut source, &message(Channel::Display, 308, &body)).unwrap();
    assert_eq!(source.framebuffer().row(0, 0, 1), [246, 246, 246, 255]);
}

#[test]
fn limits_have_words() {
    let display = |kind, body: &[u8]| message(Channel::Display, kind, body);
    refused(&display(314, &words(&[0, 65535, 65535, 32, 1])), "larger");
    refused(&display(314, &words(&[0, 8, 8, 77, 1])), "format 77");
    refused(&display(302, &[base([0, 0, 1, 1]), vec![9]].concat()), "brush");
    refused(&fill([0, 0, 1, 1], 0, 0), "raster operation");
    refused(&display(302, &[words(&[5]), words(&[0, 0, 1, 1]), vec![0]].concat()), "surface 5");
    refused(&display(302, &[words(&[0, 0, 0, 1, 1]), vec![1], words(&[u32::MAX])].concat()), "clipped");
    refused(&display(311, &[]), "text");
    refused(&display(104, &[base([0, 0, 1, 1]), words(&[64, 0])].concat()), "outside");
    refused(&copy([0, 0, 1, 1], [0, 0, 1, 1], [2, 2], &[0; 15]), "too early");
    refused(&copy([0, 0, 1, 1], [0, 7, 1, 8], [2, 2], &[0; 16]), "outside");
    refused(
        &display(122, &[words(&[0, 1]), vec![1, 3], vec![0; 8], words(&[8, 8, 8, 8, 0, 0, 8, 8]), vec![0]].concat()),
        "codec 3",
    );
    refused(&frame(Channel::Display, &[46, 1, 0xff, 0xff, 0xff, 0xff]), "bytes");
    refused(&[77, 1, 0, 0], "no channel");
    refused(&message(Channel::Main, 104, &words(&[9999])), "9999 channels");
    refused(&message(Channel::Main, 101, &[]), "another host");
    refused(&message(Channel::Cursor, 6, &[]), "shut");
    let painted = fill([0, 0, 64, 64], 0, 8).repeat(50_000);
    refused(&painted, "over and over");
    refused(&screen(4096).repeat(70), "over and over");
    refused(&frame(Channel::Cursor, &[103, 0, 0, 0, 0x20, 0]), "bytes");
    let clip = [words(&[0, 0, 0, 64, 64]), vec![1], words(&[2]), words(&[0, 0, 64, 64]).repeat(2), words(&[0, 0])];
    refused(&display(104, &clip.concat()), "overlap");
    let mut surfaces = Vec::new();
    for id in 1..4 {
        surfaces.extend(display(314, &words(&[id, 4096, 4096, 32, 0])));
    }
    refused(&surfaces, "more surfaces");
    for (kind, name) in [(1, "QUIC"), (102, "GLZ"), (109, "LZ4"), (103, "cache"), (42, "type 42")] {
        let head = [base([0, 0, 1, 1]), words(&[57, 0, 0, 1, 1]), vec![8, 0, 0, 0], words(&[0, 0, 0])].concat();
        refused(&display(304, &[head, words(&[7, 0]), vec![kind, 0], words(&[1, 1])].concat()), name);
    }
}

#[test]
fn what_comes_late_or_too_often_does_no_harm() {
    let mut source = SpiceSource::default();
    feed(&mut source, &screen(8)).unwrap();
    let video = [words(&[0, 1]), vec![1, 1], vec![0; 8], words(&[8, 8, 8, 8, 0, 0, 8, 8]), vec![0]].concat();
    feed(&mut source, &message(Channel::Display, 122, &video)).unwrap();
    feed(&mut source, &message(Channel::Display, 315, &words(&[0]))).unwrap();
    let picture = [words(&[1, 0, 3]), vec![1, 2, 3]].concat();
    feed(&mut source, &message(Channel::Display, 123, &picture)).unwrap();
    // A pointer of one pixel.
    let pointer = |colour: u8| {
        [vec![0, 0, 0, 0, 1, 0, 0], vec![0_u8; 8], vec![0, 1, 0, 1, 0, 0, 0, 0, 0, colour, 0, 0, 255]].concat()
    };
    let many: Vec<u8> = (1..9).flat_map(|colour| message(Channel::Cursor, 103, &pointer(colour))).collect();
    let (_, events) = feed(&mut source, &many).unwrap();
    let rgba = |event: &ScreenEvent| if let ScreenEvent::Cursor { rgba, .. } = event { rgba.to_vec() } else { vec![] };
    assert_eq!(events.iter().map(rgba).collect::<Vec<_>>(), [[0, 0, 8, 255]], "the last one alone");
    // No screen is asked for that Oriel itself would refuse.
    let agent = |kind: u32, body: &[u8]| {
        let head = [words(&[1, kind, 0, 0, body.len() as u32]), body.to_vec()];
        message(Channel::Main, 109, &head.concat())
    };
    feed(&mut source, &message(Channel::Main, 115, &words(&[u32::MAX]))).unwrap();
    feed(&mut source, &agent(6, &words(&[0, 1 << 1 | 1 << 5]))).unwrap();
    let mut out = Vec::new();
    source.input(&InputEvent::Resize { width: 8192, height: 8192, scale: 100 }, &mut out).unwrap();
    assert!(out.windows(8).any(|told| told == words(&[2250, 8192])));
    // A long text is asked for over and over.
    source.input(&InputEvent::Clipboard("x".repeat(1 << 20)), &mut out).unwrap();
    let (out, _) = feed(&mut source, &agent(8, &words(&[1])).repeat(500)).unwrap();
    assert!(((1 << 20)..(3 << 20)).contains(&out.len()), "{} bytes", out.len());
}

#[test]
fn acknowledgements_and_pings() {
    let mut source = SpiceSource::default();
    let (out, _) = feed(&mut source, &message(Channel::Cursor, 3, &words(&[7, 2]))).unwrap();
    assert_eq!(out, message(Channel::Cursor, 1, &words(&[7])));
    let ping = message(Channel::Cursor, 4, &[&words(&[9, 1, 2])[..], &[0; 99]].concat());
    let (out, _) = feed(&mut source, &ping.repeat(2)).unwrap();
    let pong = message(Channel::Cursor, 3, &words(&[9, 1, 2]));
    assert_eq!(out, [pong.clone(), message(Channel::Cursor, 2, &[]), pong].concat());
}

fn bytes_of_channels() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![
        Just(302u16),
        Just(304),
        Just(303),
        Just(309),
        Just(104),
        Just(314),
        Just(122),
        Just(123),
        100u16..120,
        300u16..320
    ];
    let body = proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(8), any::<u8>()], 0..120);
    let one = (1u8..6, kind, body).prop_map(|(channel, kind, body)| {
        let channel = [Channel::Main, Channel::Display, Channel::Inputs, Channel::Cursor, Channel::Playback]
            [usize::from(channel) - 1];
        message(channel, kind, &body)
    });
    proptest::collection::vec(one, 1..20).prop_map(|list| list.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_pieces_do_not_matter(bytes in bytes_of_channels(), size in 1usize..200) {
        let run = |size: usize| {
            let mut source = SpiceSource::default();
            feed(&mut source, &screen(16)).unwrap();
            let mut all = Vec::new();
            for piece in bytes.chunks(size) {
                match feed(&mut source, piece) {
                    Ok((_, events)) => all.extend(events),
                    Err(error) => return (all, error, Vec::new()),
                }
                let mut out = Vec::new();
                source.input(&InputEvent::Pointer { x: 3, y: 9999, buttons: 1 }, &mut out).unwrap();
            }
            let framebuffer = source.framebuffer();
            for event in &all {
                if let ScreenEvent::Damage(rect) = event {
                    assert!(rect.w > 0 && rect.h > 0);
                }
            }
            (all, String::new(), framebuffer.rgba().to_vec())
        };
        let ((_, one, pixels), (_, other, same)) = (run(size), run(bytes.len()));
        prop_assert_eq!(one, other);
        prop_assert_eq!(pixels, same);
    }

    #[test]
    fn greetings_of_anybody(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut out = Vec::new();
        let mut link = Link::new(Channel::Display, 7, Some("secret".into()), &mut out);
        let mut rest = bytes.as_slice();
        while let Some((now, later)) = rest.split_at_checked(link.need()) {
            rest = later;
            if link.feed(now, &mut out).is_err() {
                break;
            }
        }
    }
}
