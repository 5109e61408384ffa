//! Every encoding with hand-made bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

mod common;

use common::{Deflater, Session, one, picture, pixels, rectangle, update};
use oriel_screen::{InputEvent, Monitor, Monitors, Rect, ScreenEvent, Source};
use oriel_vnc::encodings;

const R: [u8; 3] = [255, 0, 0];
const G: [u8; 3] = [0, 255, 0];
const B: [u8; 3] = [0, 0, 255];
const K: [u8; 3] = [0, 0, 0];

fn whole(session: &Session) -> Rect {
    Rect::new(0, 0, session.source.framebuffer().width(), session.source.framebuffer().height())
}

#[test]
fn raw_and_copy() {
    let mut session = Session::new(4, 2);
    session.feed(&one(Rect::new(1, 0, 2, 2), encodings::RAW, &pixels(&[R, G, B, R]))).unwrap();
    assert_eq!(session.colours(), [K, R, G, K, K, B, R, K]);
    assert_eq!(session.events, [ScreenEvent::Damage(Rect::new(1, 0, 2, 2)), ScreenEvent::FrameEnd]);
    session.events.clear();
    session.feed(&one(Rect::new(0, 0, 2, 2), encodings::COPY_RECT, &[0, 1, 0, 0])).unwrap();
    assert_eq!(session.colours(), [R, G, G, K, B, R, R, K]);
    let copy = ScreenEvent::Copy { from_x: 1, from_y: 0, to: Rect::new(0, 0, 2, 2) };
    assert_eq!(session.events, [copy, ScreenEvent::FrameEnd]);
}

#[test]
fn rre() {
    let mut session = Session::new(3, 3);
    let part = [&[0, 255, 0, 0][..], &[0, 1, 0, 1, 0, 2, 0, 1]].concat();
    session.feed(&one(whole(&session), encodings::RRE, &[&[0, 0, 0, 1, 255, 0, 0, 0][..], &part].concat())).unwrap();
    assert_eq!(session.colours(), [R, R, R, R, G, G, R, R, R]);
}

#[test]
fn hextile_background_parts_and_raw() {
    let mut session = Session::new(18, 2);
    // First tile: background red, foreground green, two parts; second tile (2x2): raw.
    let mut bytes = vec![2 | 4 | 8];
    bytes.extend(pixels(&[R, G]));
    bytes.extend([2, 0x00, 0x00, 0xf1, 0x00]);
    bytes.push(1);
    bytes.extend(pixels(&[B, K, K, B]));
    session.feed(&one(whole(&session), encodings::HEXTILE, &bytes)).unwrap();
    assert_eq!((session.rgb(0, 0), session.rgb(1, 0), session.rgb(15, 1), session.rgb(14, 1)), (G, R, G, R));
    assert_eq!((session.rgb(16, 0), session.rgb(17, 0), session.rgb(17, 1)), (B, K, B));
    // Coloured parts; the second tile has the background of the first.
    let mut bytes = vec![2 | 8 | 16];
    bytes.extend(pixels(&[R]));
    bytes.push(1);
    bytes.extend(pixels(&[B]));
    bytes.extend([0x00, 0x00]);
    bytes.push(0);
    session.feed(&one(whole(&session), encodings::HEXTILE, &bytes)).unwrap();
    assert_eq!((session.rgb(0, 0), session.rgb(1, 0), session.rgb(17, 1)), (B, R, R));
}

#[test]
fn zlib_keeps_its_stream() {
    let mut session = Session::new(30, 20);
    let mut deflater = Deflater::new();
    for _ in 0..3 {
        session.feed(&one(whole(&session), encodings::ZLIB, &deflater.long(&pixels(&picture(30, 20))))).unwrap();
        assert_eq!(session.colours(), picture(30, 20));
    }
}

/// Packed palette, solid, raw, runs, palette runs and (for TRLE) palettes of before.
fn tiles(side: u16) -> (u16, Vec<u8>, Vec<[u8; 3]>) {
    let n = usize::from(side) * usize::from(side);
    let mut bytes = Vec::new();
    let mut want = Vec::new();
    // Solid.
    bytes.extend([1, 255, 0, 0]);
    want.push(vec![R; n]);
    // Two colours, a bit each.
    bytes.extend([2, 255, 0, 0, 0, 0, 255]);
    bytes.extend(vec![0b0101_0101; n / 8]);
    want.push([R, B].repeat(n / 2));
    if side == 16 {
        // The same palette, packed and as runs.
        bytes.push(127);
        bytes.extend(vec![0xff; n / 8]);
        want.push(vec![B; n]);
        bytes.extend([129, 0x00, 0x81, 254]);
        want.push([vec![R], vec![B; n - 1]].concat());
    }
    // Three colours, two bits each.
    bytes.extend([3, 255, 0, 0, 0, 0, 255, 0, 255, 0]);
    bytes.extend(vec![0b0001_1000; n / 4]);
    want.push([R, B, G, R].repeat(n / 4));
    // Five colours, four bits each.
    bytes.extend([5, 255, 0, 0, 0, 0, 255, 0, 255, 0, 1, 1, 1, 2, 2, 2]);
    bytes.extend(vec![0x24; n / 2]);
    want.push([G, [2, 2, 2]].repeat(n / 2));
    // Raw.
    bytes.push(0);
    bytes.extend(picture(side, side).iter().flatten());
    want.push(picture(side, side));
    // Runs: one pixel, then the rest.
    bytes.extend([128, 0, 255, 0, 0, 0, 0, 255]);
    bytes.extend(vec![255; (n - 2) / 255]);
    bytes.push(((n - 2) % 255) as u8);
    want.push([vec![G], vec![B; n - 1]].concat());
    // Palette runs: two colours.
    bytes.extend([130, 255, 0, 0, 0, 255, 0, 0x81, 4, 0x00, 0x81]);
    bytes.extend(vec![255; (n - 7) / 255]);
    bytes.push(((n - 7) % 255) as u8);
    want.push([vec![G; 5], vec![R], vec![G; n - 6]].concat());
    let count = want.len();
    let want = (0..n * count)
        .map(|i| {
            let (x, y) = (i % (usize::from(side) * count), i / (usize::from(side) * count));
            want[x / usize::from(side)][y * usize::from(side) + x % usize::from(side)]
        })
        .collect();
    (side * count as u16, bytes, want)
}

#[test]
fn trle() {
    let (width, bytes, want) = tiles(16);
    let mut session = Session::new(width, 16);
    session.feed(&one(whole(&session), encodings::TRLE, &bytes)).unwrap();
    assert_eq!(session.colours(), want);
}

#[test]
fn zrle_keeps_its_stream() {
    let (width, bytes, want) = tiles(64);
    let mut session = Session::new(width, 64);
    let mut deflater = Deflater::new();
    for _ in 0..2 {
        session.feed(&one(whole(&session), encodings::ZRLE, &deflater.long(&bytes))).unwrap();
        assert_eq!(session.colours(), want);
    }
}

#[test]
fn zrle_has_no_palettes_of_before() {
    let mut session = Session::new(2, 2);
    let bytes = Deflater::new().long(&[127, 0, 0]);
    assert!(session.feed(&one(Rect::new(0, 0, 2, 2), encodings::ZRLE, &bytes)).is_err());
}

#[test]
fn tight_fill_and_short_data() {
    let mut session = Session::new(3, 2);
    session.feed(&one(whole(&session), encodings::TIGHT, &[0x80, 0, 0, 255])).unwrap();
    assert_eq!(session.colours(), [B; 6]);
    // Below twelve bytes nothing is compressed: copy of three pixels, then two colours over a row.
    session.feed(&one(Rect::new(0, 0, 3, 1), encodings::TIGHT, &[0, 255, 0, 0, 0, 255, 0, 0, 0, 255])).unwrap();
    session
        .feed(&one(Rect::new(0, 1, 3, 1), encodings::TIGHT, &[0x40, 1, 1, 255, 0, 0, 0, 255, 0, 0b1010_0000]))
        .unwrap();
    assert_eq!(session.colours(), [R, G, B, G, R, G]);
}

#[test]
fn tight_copy_palette_and_gradient_on_streams_of_their_own() {
    let (w, h) = (40, 20);
    let mut session = Session::new(w, h);
    let mut streams = [Deflater::new(), Deflater::new(), Deflater::new()];
    let picture = picture(w, h);
    let copy: Vec<u8> = picture.iter().flatten().copied().collect();
    let palette = [R, G, B];
    let indices: Vec<u8> = (0..w * h).map(|i| (i % 3) as u8).collect();
    let at = |x: u16, y: u16, c: usize| i16::from(picture[usize::from(y) * usize::from(w) + usize::from(x)][c]);
    let mut gradient = Vec::new();
    for y in 0..h {
        for x in 0..w {
            for c in 0..3 {
                let left = if x > 0 { at(x - 1, y, c) } else { 0 };
                let above = if y > 0 { at(x, y - 1, c) } else { 0 };
                let corner = if x > 0 && y > 0 { at(x - 1, y - 1, c) } else { 0 };
                gradient.push((at(x, y, c) - (left + above - corner).clamp(0, 255)) as u8);
            }
        }
    }
    for round in 0..3_u8 {
        let bytes = [vec![0x00], streams[0].compact(&copy)].concat();
        session.feed(&one(whole(&session), encodings::TIGHT, &bytes)).unwrap();
        assert_eq!(session.colours(), picture, "copy, round {round}");
        let bytes = [vec![0x50, 1, 2], palette.concat(), streams[1].compact(&indices)].concat();
        session.feed(&one(whole(&session), encodings::TIGHT, &bytes)).unwrap();
        assert_eq!(session.colours(), palette.repeat(267)[..800], "palette, round {round}");
        // The last round starts stream 2 afresh.
        let mut control = 0x60;
        if round == 2 {
            streams[2] = Deflater::new();
            control |= 1 << 2;
        }
        let bytes = [vec![control, 2], streams[2].compact(&gradient)].concat();
        session.feed(&one(whole(&session), encodings::TIGHT, &bytes)).unwrap();
        assert_eq!(session.colours(), picture, "gradient, round {round}");
    }
}

#[test]
fn pointers() {
    let mut session = Session::new(4, 4);
    let payload = [pixels(&[R, G]), vec![0b0100_0000]].concat();
    session.feed(&one(Rect::new(1, 0, 2, 1), encodings::CURSOR, &payload)).unwrap();
    let rgba = vec![0, 0, 0, 0, 0, 255, 0, 255].into();
    assert_eq!(session.events, [ScreenEvent::Cursor { hot_x: 1, hot_y: 0, width: 2, height: 1, rgba }]);
    session.events.clear();
    let payload = [0, 0, 0, 0, 64, 0, 0, 128];
    session.feed(&one(Rect::new(0, 0, 1, 1), encodings::CURSOR_WITH_ALPHA, &payload)).unwrap();
    let rgba = vec![127, 0, 0, 128].into();
    assert_eq!(session.events, [ScreenEvent::Cursor { hot_x: 0, hot_y: 0, width: 1, height: 1, rgba }]);
    session.events.clear();
    session.feed(&one(Rect::default(), encodings::CURSOR, &[])).unwrap();
    assert_eq!(session.events, [ScreenEvent::CursorHidden]);
}

#[test]
fn sizes_and_the_wish_for_one() {
    let mut session = Session::new(4, 4);
    session.source.input(&InputEvent::Resize { width: 20, height: 10, scale: 100 }, &mut session.out).unwrap();
    assert!(session.out.is_empty(), "the server has not said that it can");
    let layout = [1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 4, 0, 4, 0, 0, 0, 3];
    session.feed(&one(Rect::new(0, 0, 4, 4), encodings::EXTENDED_DESKTOP_SIZE, &layout)).unwrap();
    let wish = [251, 0, 0, 20, 0, 10, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 20, 0, 10, 0, 0, 0, 3];
    assert_eq!(session.out, wish);
    assert!(session.events.is_empty());
    // Refused: nothing changes. Done: a new surface, and the next request is for all of it.
    session.feed(&one(Rect::new(1, 1, 20, 10), encodings::EXTENDED_DESKTOP_SIZE, &layout)).unwrap();
    assert!(session.events.is_empty());
    session.feed(&one(Rect::new(1, 0, 20, 10), encodings::EXTENDED_DESKTOP_SIZE, &layout)).unwrap();
    assert_eq!(session.events, [ScreenEvent::Resize { width: 20, height: 10 }, ScreenEvent::FrameEnd]);
    session.out.clear();
    session.source.want_frame(&mut session.out).unwrap();
    session.source.want_frame(&mut session.out).unwrap();
    assert_eq!(session.out, [3, 0, 0, 0, 0, 0, 0, 20, 0, 10]);
}

#[test]
fn a_screen_for_each_monitor() {
    let mut session = Session::new(4, 4);
    let layout = [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 4, 0, 0, 0, 3];
    session.feed(&one(Rect::new(0, 0, 4, 4), encodings::EXTENDED_DESKTOP_SIZE, &layout)).unwrap();
    let monitor = |x, w, h, primary| Monitor { rect: Rect::new(x, 0, w, h), scale: 100, primary };
    let monitors = Monitors::arrange(&[monitor(0, 256, 512, false), monitor(256, 768, 512, true)]).unwrap();
    session.source.input(&InputEvent::Monitors(monitors.clone()), &mut session.out).unwrap();
    // The primary one is the screen that the server has, the other a new one with a number of its own.
    let screens = [[0, 0, 0, 1, 1, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 3], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0]];
    let head = [251, 0, 4, 0, 2, 0, 2, 0];
    assert_eq!(session.out, [&head[..], screens.as_flattened()].concat());
    session.out.clear();
    let done = [&[2, 0, 0, 0][..], screens.as_flattened()].concat();
    session.feed(&one(Rect::new(1, 0, 1024, 512), encodings::EXTENDED_DESKTOP_SIZE, &done)).unwrap();
    assert!(session.events.contains(&ScreenEvent::Resize { width: 1024, height: 512 }));
    session.source.input(&InputEvent::Monitors(monitors), &mut session.out).unwrap();
    assert!(session.out.is_empty(), "it is so already");
    // One window of the same size is one screen again.
    session.source.input(&InputEvent::Resize { width: 1024, height: 512, scale: 100 }, &mut session.out).unwrap();
    let single = [251, 0, 4, 0, 2, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 4, 0, 2, 0, 0, 0, 0, 3];
    assert_eq!(session.out, single);
}

#[test]
fn requests_one_at_a_time() {
    let mut session = Session::new(2, 1);
    session.source.want_frame(&mut session.out).unwrap();
    assert!(session.out.is_empty(), "the first request was made on connecting");
    session.feed(&update(&[])).unwrap();
    session.source.want_frame(&mut session.out).unwrap();
    session.source.want_frame(&mut session.out).unwrap();
    assert_eq!(session.out, [3, 1, 0, 0, 0, 0, 0, 2, 0, 1]);
}

#[test]
fn fences_continuous_updates_and_small_messages() {
    let mut session = Session::new(2, 1);
    session.feed(&[248, 0, 0, 0, 0x80, 0, 0, 0xff, 2, 7, 8]).unwrap();
    assert_eq!(session.out, [248, 0, 0, 0, 0, 0, 0, 7, 2, 7, 8]);
    session.out.clear();
    session.feed(&[150, 150]).unwrap();
    assert_eq!(session.out, [150, 1, 0, 0, 0, 0, 0, 2, 0, 1]);
    session.out.clear();
    session.feed(&update(&[])).unwrap();
    session.source.want_frame(&mut session.out).unwrap();
    assert!(session.out.is_empty(), "updates come by themselves now");
    session.feed(&[2, 2, 1, 0, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 3, 0, 0, 0, 0, 0, 0, 2, b'h', 0xe4]).unwrap();
    assert_eq!(session.events, [ScreenEvent::Bell, ScreenEvent::Clipboard("hä".into())]);
    session.events.clear();
    let name = [0, 0, 0, 2, b'o', b'k'];
    session
        .feed(&update(&[
            rectangle(Rect::default(), encodings::DESKTOP_NAME, &name),
            rectangle(Rect::default(), encodings::QEMU_LED, &[0b0110]),
            rectangle(Rect::default(), encodings::QEMU_KEY, &[]),
        ]))
        .unwrap();
    assert_eq!(session.events, [ScreenEvent::Title("ok".into()), ScreenEvent::Leds(0b110)]);
    session.source.input(&InputEvent::Key { down: true, code: 0x1e, keysym: 0x61 }, &mut session.out).unwrap();
    assert_eq!(session.out, [255, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 0x1e]);
}

#[test]
fn the_last_rectangle_ends_an_update_of_unknown_length() {
    let mut session = Session::new(2, 1);
    let mut bytes = update(&[
        rectangle(Rect::new(0, 0, 2, 1), encodings::RAW, &pixels(&[R, G])),
        rectangle(Rect::default(), encodings::LAST_RECT, &[]),
    ]);
    bytes[2..4].copy_from_slice(&[255, 255]);
    bytes.push(2);
    session.feed(&bytes).unwrap();
    let damage = ScreenEvent::Damage(Rect::new(0, 0, 2, 1));
    assert_eq!(session.events, [damage, ScreenEvent::FrameEnd, ScreenEvent::Bell]);
}
