//! Pictures that are handed on as they came, video and sound, pointers and buttons of extensions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]
#![allow(clippy::panic, reason = "helpers of tests may panic")]

mod common;

use common::{Session, one, pixels, rectangle, update};
use jpeg_encoder::{ColorType, Encoder};
use oriel_screen::{AudioCodec, InputEvent, Rect, ScreenEvent, Source, TileCodec, VideoCodec};
use oriel_vnc::encodings;

const RED: [u8; 3] = [220, 20, 20];
const BLUE: [u8; 3] = [20, 20, 220];

fn jpeg(w: u16, h: u16, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let rgb = colour.repeat(usize::from(w) * usize::from(h));
    Encoder::new(&mut bytes, 90).encode(&rgb, w, h, ColorType::Rgb).unwrap();
    bytes
}

fn png(w: u16, h: u16, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, u32::from(w), u32::from(h));
    encoder.set_color(png::ColorType::Rgb);
    let rgb = colour.repeat(usize::from(w) * usize::from(h));
    encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
    bytes
}

/// With Tight's control byte and length before it.
fn tight(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let n = bytes.len();
    [&[kind << 4, n as u8 & 0x7f | 0x80, (n >> 7) as u8 & 0x7f | 0x80, (n >> 14) as u8][..], bytes].concat()
}

fn near(session: &Session, x: u16, y: u16, want: [u8; 3]) {
    let got = session.rgb(x, y);
    assert!(got.iter().zip(want).all(|(a, b)| a.abs_diff(b) < 12), "{got:?} instead of {want:?} at {x}, {y}");
}

/// The segments of a JPEG picture that have this marker, and the picture without them.
fn without(bytes: &[u8], marker: u8) -> (Vec<u8>, Vec<u8>) {
    let (mut taken, mut left) = (Vec::new(), bytes[..2].to_vec());
    let mut rest = &bytes[2..];
    while rest[1] != 0xda {
        let length = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if rest[1] == marker { &mut taken } else { &mut left }.extend(&rest[..length]);
        rest = &rest[length..];
    }
    left.extend(rest);
    (taken, left)
}

#[test]
fn tight_pictures_are_handed_on_and_painted_when_asked_for() {
    let mut session = Session::new(40, 30);
    let rect = Rect::new(8, 8, 16, 16);
    for (encoding, kind, codec, picture) in [
        (encodings::TIGHT, 9, TileCodec::Jpeg, jpeg(16, 16, RED)),
        (encodings::TIGHT, 10, TileCodec::Png, png(16, 16, RED)),
        (encodings::TIGHT_PNG, 10, TileCodec::Png, png(16, 16, BLUE)),
        (encodings::TIGHT_PNG, 9, TileCodec::Jpeg, jpeg(16, 16, BLUE)),
    ] {
        session.events.clear();
        session.feed(&one(rect, encoding, &tight(kind, &picture))).unwrap();
        assert_eq!(session.events, [ScreenEvent::Tile { rect, codec, bytes: picture.into() }, ScreenEvent::FrameEnd]);
    }
    assert_eq!(session.rgb(10, 10), [0; 3], "not before somebody asks");
    session.settle();
    near(&session, 8, 8, BLUE);
    near(&session, 23, 23, BLUE);
    assert_eq!(session.rgb(7, 8), [0; 3]);
}

#[test]
fn what_comes_later_lies_on_top() {
    let mut session = Session::new(40, 30);
    let whole = Rect::new(0, 0, 40, 30);
    let red = tight(9, &jpeg(40, 30, RED));
    // Covered in part: painted under the new pixels.
    session.feed(&one(whole, encodings::TIGHT, &red)).unwrap();
    session.feed(&one(Rect::new(0, 0, 2, 1), encodings::RAW, &pixels(&[[1, 2, 3], [4, 5, 6]]))).unwrap();
    session.settle();
    assert_eq!((session.rgb(0, 0), session.rgb(1, 0)), ([1, 2, 3], [4, 5, 6]));
    near(&session, 2, 0, RED);
    // Covered wholly: forgotten.
    session.feed(&one(Rect::new(0, 0, 16, 16), encodings::TIGHT, &tight(9, &jpeg(16, 16, BLUE)))).unwrap();
    session.feed(&one(whole, encodings::TIGHT, &[0x80, 7, 8, 9])).unwrap();
    session.settle();
    assert_eq!((session.rgb(0, 0), session.rgb(39, 29)), ([7, 8, 9], [7, 8, 9]));
    // Copied from: painted first.
    session.feed(&one(Rect::new(0, 0, 16, 16), encodings::TIGHT, &tight(9, &jpeg(16, 16, BLUE)))).unwrap();
    session.feed(&one(Rect::new(20, 10, 8, 8), encodings::COPY_RECT, &[0, 4, 0, 4])).unwrap();
    near(&session, 20, 10, BLUE);
    // Pictures over pictures.
    session.feed(&one(Rect::new(8, 8, 16, 16), encodings::TIGHT, &tight(9, &jpeg(16, 16, RED)))).unwrap();
    session.settle();
    near(&session, 0, 0, BLUE);
    near(&session, 9, 9, RED);
    // Gone with the old size.
    session.feed(&one(whole, encodings::TIGHT, &red)).unwrap();
    session.feed(&one(Rect::new(0, 0, 8, 8), encodings::DESKTOP_SIZE, &[])).unwrap();
    session.settle();
    assert_eq!(session.rgb(0, 0), [0; 3]);
}

#[test]
fn many_pictures_do_not_pile_up() {
    let mut session = Session::new(64, 64);
    let picture = tight(9, &jpeg(1, 1, RED));
    let rectangles: Vec<Vec<u8>> =
        (0..64 * 64).map(|i| rectangle(Rect::new(i % 64, i / 64, 1, 1), encodings::TIGHT, &picture)).collect();
    session.feed(&update(&rectangles)).unwrap();
    near(&session, 0, 0, RED);
    session.settle();
    near(&session, 63, 63, RED);
}

#[test]
fn jpeg_rectangles_find_their_end_and_their_tables() {
    let mut session = Session::new(40, 30);
    let rect = Rect::new(0, 0, 24, 16);
    let first = jpeg(24, 16, RED);
    let (tables, bare) = without(&first, 0xdb);
    let (codes, barer) = without(&bare, 0xc4);
    // One after the other without lengths, the second without tables, and a message after them.
    let mut bytes = update(&[
        rectangle(rect, encodings::JPEG, &first),
        rectangle(rect, encodings::JPEG, &bare),
        rectangle(rect, encodings::JPEG, &barer),
    ]);
    bytes.push(2);
    session.feed(&bytes).unwrap();
    let tile = |bytes: Vec<u8>| ScreenEvent::Tile { rect, codec: TileCodec::Jpeg, bytes: bytes.into() };
    let filled = [&bare[..2], &tables, &bare[2..]].concat();
    let fuller = [&barer[..2], &tables, &codes, &barer[2..]].concat();
    assert_eq!(session.events, [tile(first), tile(filled), tile(fuller), ScreenEvent::FrameEnd, ScreenEvent::Bell]);
    session.settle();
    near(&session, 5, 5, RED);
}

#[test]
fn pictures_that_lie() {
    let refused = |rect: Rect, encoding: i32, bytes: &[u8], word: &str| {
        let mut session = Session::new(64, 64);
        let error = match session.feed(&one(rect, encoding, bytes)) {
            Err(error) => error.to_string(),
            Ok(()) => session.source.settle().unwrap_err().to_string(),
        };
        assert!(error.contains(word), "{error:?} does not say {word:?}");
        assert!(session.feed(&[2]).is_err(), "a broken session stays broken");
    };
    let rect = Rect::new(0, 0, 16, 16);
    let good = jpeg(16, 16, RED);
    refused(rect, encodings::TIGHT, &tight(9, &jpeg(64, 64, RED)), "64x64");
    refused(rect, encodings::TIGHT, &tight(10, &png(64, 64, RED)), "64x64");
    refused(rect, encodings::TIGHT, &tight(9, &[]), "header");
    refused(rect, encodings::TIGHT, &tight(10, b"not a png"), "header");
    refused(rect, encodings::JPEG, &jpeg(17, 16, RED), "another size");
    refused(rect, encodings::JPEG, b"GIF89a", "marker");
    refused(rect, encodings::JPEG, &[0xff, 0xd8, 0xff, 0xdb, 0, 1], "shorter");
    refused(rect, encodings::JPEG, &[&[0xff, 0xd8][..], &[0xff, 0xdb, 0x40, 0], &[0; 0x3ffe]].concat(), "tables");
    refused(rect, encodings::JPEG, &[&good[..good.len() - 2], &vec![0; 9 << 20]].concat(), "longer");
    // A header alone is enough to be handed on; painting it is not possible.
    refused(rect, encodings::TIGHT, &tight(10, &png(16, 16, RED)[..40]), "PNG");
    refused(rect, encodings::H264, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], "H.264");
    // An empty frame is nothing; one that never comes is waited for.
    let mut session = Session::new(64, 64);
    session.feed(&one(rect, encodings::H264, &[0; 8])).unwrap();
    assert!(session.events.is_empty());
    session.feed(&one(rect, encodings::H264, &[0, 0, 1, 0, 0, 0, 0, 0])).unwrap();
}

#[test]
fn video_is_handed_on_and_begins_anew_for_newcomers() {
    let mut session = Session::new(64, 64);
    let rect = Rect::new(0, 0, 64, 64);
    let frame = |nal: u8| [&[0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, nal][..], &[9; 20]].concat();
    let sent = |nal: u8| [&(frame(nal).len() as u32).to_be_bytes()[..], &[0; 4], &frame(nal)].concat();
    session
        .feed(&update(&[rectangle(rect, encodings::H264, &sent(0x65)), rectangle(rect, encodings::H264, &sent(0x41))]))
        .unwrap();
    let video =
        |key, nal| ScreenEvent::Video { rect, codec: VideoCodec::H264, key, regions: None, bytes: frame(nal).into() };
    assert_eq!(session.events, [video(true, 0x65), video(false, 0x41), ScreenEvent::FrameEnd]);
    // A viewer comes: the next request is for everything.
    session.source.input(&InputEvent::Resize { width: 64, height: 64, scale: 100 }, &mut session.out).unwrap();
    assert_eq!(session.out, [3, 0, 0, 0, 0, 0, 0, 64, 0, 64]);
}

#[test]
fn sound() {
    let mut session = Session::new(4, 4);
    session.feed(&one(Rect::default(), encodings::QEMU_AUDIO, &[])).unwrap();
    session.feed(&one(Rect::default(), encodings::QEMU_AUDIO, &[])).unwrap();
    assert_eq!(session.out, [255, 1, 0, 2, 3, 2, 0, 0, 0xbb, 0x80, 255, 1, 0, 0], "asked for once");
    let samples: Vec<u8> = (0..4 * 4800_u32).map(|i| i as u8).collect();
    let data = [&[255, 1, 0, 2][..], &(samples.len() as u32 + 2).to_be_bytes(), &samples, &[1, 1]].concat();
    session.feed(&[&[255, 1, 0, 1][..], &data, &data, &[255, 1, 0, 0]].concat()).unwrap();
    let audio = |time_ms| ScreenEvent::Audio {
        codec: AudioCodec::Pcm,
        channels: 2,
        rate: 48_000,
        time_ms,
        bytes: samples.clone().into(),
    };
    assert_eq!(session.events, [audio(0), audio(100)]);
    // Far too much at once is left out, not stored.
    session.events.clear();
    session.feed(&[&[255, 1, 0, 2][..], &(64_u32 << 20).to_be_bytes()].concat()).unwrap();
    for _ in 0..64 {
        session.feed(&vec![0; 1 << 20]).unwrap();
    }
    session.feed(&[2]).unwrap();
    assert_eq!(session.events, [ScreenEvent::Bell]);
    assert!(session.feed(&[255, 1, 0, 9]).unwrap_err().to_string().contains("audio"));
    assert!(Session::new(4, 4).feed(&[255, 9]).unwrap_err().to_string().contains("QEMU"));
}

#[test]
fn corre() {
    let mut session = Session::new(40, 30);
    let parts = [0, 255, 0, 0, 1, 2, 3, 1];
    let bytes = [&[0, 0, 0, 1, 255, 0, 0, 0][..], &parts].concat();
    session.feed(&one(Rect::new(0, 0, 10, 10), encodings::CORRE, &bytes)).unwrap();
    assert_eq!(
        (session.rgb(0, 0), session.rgb(1, 2), session.rgb(3, 2), session.rgb(4, 2)),
        ([255, 0, 0], [0, 255, 0], [0, 255, 0], [255, 0, 0])
    );
    let outside = [&[0, 0, 0, 1, 255, 0, 0, 0][..], &[0, 255, 0, 0, 9, 9, 2, 1]].concat();
    assert!(session.feed(&one(Rect::new(0, 0, 10, 10), encodings::CORRE, &outside)).is_err());
}

#[test]
fn vmware_pointers_and_lights() {
    let mut session = Session::new(40, 30);
    // Shown, transparent, turned over, shown black.
    let kept = pixels(&[[0; 3], [255; 3], [255; 3], [0; 3]]);
    let turned = pixels(&[[1, 2, 3], [0; 3], [255; 3], [0; 3]]);
    let bytes = [vec![0, 0], kept, turned].concat();
    session.feed(&one(Rect::new(1, 0, 4, 1), encodings::VMWARE_CURSOR, &bytes)).unwrap();
    let rgba = vec![1, 2, 3, 255, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 255].into();
    assert_eq!(session.events, [ScreenEvent::Cursor { hot_x: 1, hot_y: 0, width: 4, height: 1, rgba }]);
    session.events.clear();
    session.feed(&one(Rect::new(0, 0, 1, 1), encodings::VMWARE_CURSOR, &[1, 0, 9, 8, 7, 100])).unwrap();
    let rgba = vec![9, 8, 7, 100].into();
    assert_eq!(session.events, [ScreenEvent::Cursor { hot_x: 0, hot_y: 0, width: 1, height: 1, rgba }]);
    session.events.clear();
    session.feed(&one(Rect::default(), encodings::VMWARE_LED, &[0, 0, 0, 5])).unwrap();
    assert_eq!(session.events, [ScreenEvent::Leds(5)]);
    assert!(session.feed(&one(Rect::new(0, 0, 1, 1), encodings::VMWARE_CURSOR, &[2, 0])).is_err());
    let mut session = Session::new(40, 30);
    assert!(session.feed(&one(Rect::new(0, 0, 999, 999), encodings::VMWARE_CURSOR, &[1, 0])).is_err());
}

#[test]
fn more_buttons_when_the_server_has_them() {
    let mut session = Session::new(40, 30);
    session.feed(&one(Rect::default(), encodings::EXTENDED_MOUSE_BUTTONS, &[])).unwrap();
    session.source.input(&InputEvent::Pointer { x: 1, y: 2, buttons: 16 }, &mut session.out).unwrap();
    assert_eq!(session.out, [5, 0x80, 0, 1, 0, 2, 2]);
}
