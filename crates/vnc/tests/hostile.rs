//! Servers that mean harm, and bytes in pieces of any size.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

mod common;

use common::{Deflater, Session, one, picture, pixels, rectangle, update};
use oriel_screen::{Rect, Source};
use oriel_vnc::{ConnectError, Established, Handshake, Progress, VncOptions, VncSource, encodings};
use proptest::prelude::*;

fn refused(bytes: &[u8], word: &str) {
    let mut session = Session::new(64, 64);
    let error = session.feed(bytes).unwrap_err().to_string();
    assert!(error.contains(word), "{error:?} does not say {word:?}");
    assert_eq!(session.feed(&[2]).unwrap_err().to_string(), error, "a broken session stays broken");
}

#[test]
fn rectangles_outside_the_screen() {
    for encoding in [0, 1, 2, 4, 5, 6, 7, 15, 16, 21, 50, -260] {
        for rect in [Rect::new(1, 0, 64, 1), Rect::new(65535, 65535, 65535, 65535), Rect::new(0, 0, 65535, 65535)] {
            refused(&one(rect, encoding, &[0; 64]), "does not fit");
        }
    }
    refused(&one(Rect::new(0, 0, 2, 2), encodings::COPY_RECT, &[0, 63, 0, 0]), "does not fit");
}

#[test]
fn sizes_that_are_too_large() {
    refused(&one(Rect::new(0, 0, 65535, 65535), encodings::DESKTOP_SIZE, &[]), "larger");
    refused(&one(Rect::new(0, 0, 8192, 8192), encodings::EXTENDED_DESKTOP_SIZE, &[0; 4]), "larger");
    refused(&one(Rect::new(0, 0, 385, 1), encodings::CURSOR, &[]), "pointer");
    refused(&one(Rect::new(0, 0, 65535, 65535), encodings::CURSOR_WITH_ALPHA, &[0; 4]), "pointer");
    let established = Established { width: 65535, height: 65535, name: String::new() };
    assert!(VncSource::new(established, &[], &mut Vec::new()).is_err());
}

#[test]
fn endless_lists_and_overpainting() {
    let whole = Rect::new(0, 0, 64, 64);
    refused(&one(whole, encodings::RRE, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), "parts");
    let part = [0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 64];
    refused(
        &one(whole, encodings::RRE, &[&[0, 0, 16, 0, 0, 0, 0, 0][..], &part.repeat(100)].concat()),
        "over and over",
    );
    let fill = rectangle(whole, encodings::TIGHT, &[0x80, 1, 2, 3]);
    refused(&update(&vec![fill; 100]), "over and over");
}

#[test]
fn compressed_data_that_lies() {
    let rect = Rect::new(0, 0, 8, 8);
    // A bomb: far more than the rectangle holds.
    let bomb = Deflater::new().long(&vec![0; 16 << 20]);
    refused(&one(rect, encodings::ZLIB, &bomb), "more than its rectangle");
    refused(
        &one(rect, encodings::ZRLE, &Deflater::new().long(&[[1, 0, 0, 0].to_vec(), vec![0; 1 << 20]].concat())),
        "more",
    );
    let tight = [vec![0x00], Deflater::new().compact(&vec![0; 1 << 20])].concat();
    refused(&one(rect, encodings::TIGHT, &tight), "more");
    // Less than the rectangle holds, nothing at all, and what is not zlib.
    refused(&one(rect, encodings::ZLIB, &Deflater::new().long(&[0; 9])), "too early");
    refused(&one(rect, encodings::ZLIB, &[0, 0, 0, 0]), "too early");
    refused(&one(rect, encodings::ZLIB, &[0, 0, 0, 4, 1, 2, 3, 4]), "broken");
}

#[test]
fn unknown_numbers() {
    refused(&[77], "message type 77");
    refused(&one(Rect::new(0, 0, 1, 1), 4711, &[]), "4711");
    refused(&one(Rect::new(0, 0, 8, 8), encodings::TIGHT, &[0xf0]), "kind");
    refused(&one(Rect::new(0, 0, 8, 8), encodings::TIGHT, &[0x40, 9]), "filter");
    refused(&one(Rect::new(0, 0, 8, 8), encodings::TRLE, &[99]), "subencoding");
    refused(&one(Rect::new(0, 0, 8, 8), encodings::TRLE, &[127]), "palette");
    refused(&one(Rect::new(0, 0, 8, 8), encodings::TRLE, &[128, 0, 0, 0, 255, 255]), "run");
    refused(&one(Rect::new(0, 0, 2, 2), encodings::HEXTILE, &[8, 1, 0xff, 0xff]), "leaves");
    refused(&one(Rect::default(), encodings::DESKTOP_NAME, &[0xff; 4]), "name");
    refused(&[248, 0, 0, 0, 0, 0, 0, 0, 65], "fence");
}

#[test]
fn a_huge_clipboard_is_skipped_not_stored() {
    let mut session = Session::new(2, 2);
    let length = 100_u32 << 20;
    session.feed(&[&[3, 0, 0, 0][..], &length.to_be_bytes()].concat()).unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        session.feed(&piece).unwrap();
    }
    session.feed(&[2]).unwrap();
    assert_eq!(session.events, [oriel_screen::ScreenEvent::Bell]);
}

fn shake(password: Option<&str>, server: &[&[u8]]) -> Result<Established, ConnectError> {
    let options = VncOptions { password: password.map(Into::into), ..VncOptions::default() };
    let mut handshake = Handshake::new(options);
    let all = server.concat();
    let mut rest = all.as_slice();
    loop {
        let (now, later) = rest.split_at_checked(handshake.need()).expect("the server says too little");
        rest = later;
        if let Progress::Established(established) = handshake.feed(now, &mut Vec::new())? {
            assert!(rest.is_empty(), "bytes after the handshake were taken");
            return Ok(established);
        }
    }
}

const V38: &[u8] = b"RFB 003.008\n";
const SERVER: [u8; 20] = [0, 4, 0, 3, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];

#[test]
fn versions_and_securities() {
    let want = Established { width: 4, height: 3, name: "me".into() };
    let end: &[&[u8]] = &[&SERVER, &[0, 0, 0, 2], b"me"];
    let with = |start: &[&'static [u8]]| [start, end].concat();
    assert_eq!(shake(None, &with(&[V38, &[1], &[1], &[0; 4]])).unwrap(), want);
    assert_eq!(shake(None, &with(&[b"RFB 003.007\n", &[2], &[2, 1]])).unwrap(), want);
    assert_eq!(shake(None, &with(&[b"RFB 003.003\n", &[0, 0, 0, 1]])).unwrap(), want);
    assert_eq!(shake(Some("x"), &with(&[V38, &[2], &[1, 2], &[7; 16], &[0; 4]])).unwrap(), want);
    assert_eq!(shake(Some("x"), &with(&[b"RFB 003.889\n", &[2], &[30, 2], &[7; 16], &[0; 4]])).unwrap(), want);
}

#[test]
fn refusals_are_told_apart() {
    let error = |password, server: &[&[u8]]| shake(password, server).unwrap_err();
    assert!(matches!(error(None, &[V38, &[1], &[2]]), ConnectError::PasswordRequired));
    let wrong = error(Some("x"), &[V38, &[1], &[2], &[7; 16], &[0, 0, 0, 1], &[0, 0, 0, 3], b"bad"]);
    assert!(matches!(&wrong, ConnectError::CredentialsRefused { reason } if reason == "bad"), "{wrong}");
    let wrong = error(Some("x"), &[b"RFB 003.003\n", &[0, 0, 0, 2], &[7; 16], &[0, 0, 0, 1]]);
    assert!(matches!(wrong, ConnectError::CredentialsRefused { .. }));
    let closed = error(None, &[V38, &[0], &[0, 0, 0, 4], b"busy"]);
    assert!(matches!(&closed, ConnectError::Refused { reason } if reason == "busy"), "{closed}");
    let tls = error(None, &[V38, &[1], &[18]]);
    assert!(tls.to_string().contains("anonymous TLS"), "{tls}");
    assert!(matches!(error(None, &[b"SSH-2.0-Open"]), ConnectError::NotVnc { .. }));
    assert!(matches!(error(None, &[b"RFB 002.000\n"]), ConnectError::TooOld { .. }));
}

#[test]
fn names_and_reasons_of_four_gigabytes() {
    let name = shake(None, &[V38, &[1], &[1], &[0; 4], &SERVER, &[0xff; 4]]).unwrap_err();
    assert!(name.to_string().contains("4294967295"), "{name}");
    let reason = shake(None, &[V38, &[0], &[0xff; 4]]).unwrap_err();
    assert!(reason.to_string().contains("too long"), "{reason}");
}

/// A session's worth of every encoding, some of them larger than a piece.
fn recording() -> Vec<u8> {
    let whole = Rect::new(0, 0, 70, 40);
    let plain = pixels(&picture(70, 40));
    let rgb: Vec<u8> = picture(70, 40).iter().flatten().copied().collect();
    let (mut zlib, mut zrle, mut tight) = (Deflater::new(), Deflater::new(), Deflater::new());
    let mut tiles = vec![0];
    tiles.extend(picture(64, 40).iter().flatten());
    tiles.extend([130, 9, 9, 9, 8, 8, 8, 0x80, 238, 1]);
    let hextile = [[10, 1, 2, 3, 4, 2, 0, 0, 0x11, 0x11].to_vec(), vec![8, 1, 0, 0], vec![0; 13]].concat();
    let mut bytes = update(&[
        rectangle(whole, encodings::RAW, &plain),
        rectangle(whole, encodings::ZLIB, &zlib.long(&plain)),
        rectangle(whole, encodings::ZRLE, &zrle.long(&tiles)),
        rectangle(whole, encodings::HEXTILE, &hextile),
        rectangle(whole, encodings::TIGHT, &[vec![0x00], tight.compact(&rgb)].concat()),
        rectangle(Rect::new(1, 1, 9, 9), encodings::COPY_RECT, &[0, 3, 0, 3]),
        rectangle(Rect::new(0, 0, 2, 1), encodings::CURSOR, &[1, 2, 3, 0, 4, 5, 6, 0, 0xc0]),
    ]);
    bytes.extend([2, 248, 0, 0, 0, 0x80, 0, 0, 1, 1, 9, 150, 3, 0, 0, 0, 0, 0, 0, 1, b'x']);
    bytes.extend(update(&[
        rectangle(whole, encodings::ZLIB, &zlib.long(&plain)),
        rectangle(Rect::new(0, 0, 50, 60), encodings::DESKTOP_SIZE, &[]),
        rectangle(Rect::new(3, 4, 20, 20), encodings::TIGHT, &[0x80, 1, 2, 3]),
    ]));
    bytes
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    let bytes = recording();
    let (mut whole, mut pieces) = (Session::new(70, 40), Session::new(70, 40));
    whole.feed(&bytes).unwrap();
    for byte in &bytes {
        pieces.feed(&[*byte]).unwrap();
    }
    assert_eq!(whole.events.last(), Some(&oriel_screen::ScreenEvent::FrameEnd));
    assert!(whole.colours() == pieces.colours());
    assert_eq!((whole.events, whole.out), (pieces.events, pieces.out));
}

#[test]
fn truncated_anywhere_it_waits() {
    let bytes = recording();
    for end in (0..bytes.len()).step_by(7) {
        Session::new(70, 40).feed(&bytes[..end]).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_is_the_same(cuts in prop::collection::vec(1_usize..9000, 0..40), flips in prop::collection::vec((0_usize..60_000, any::<u8>()), 0..3)) {
        let mut bytes = recording();
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let (mut whole, mut pieces) = (Session::new(70, 40), Session::new(70, 40));
        let want = whole.feed(&bytes).map_err(|e| e.to_string());
        let mut got = Ok(());
        let mut rest = bytes.as_slice();
        let mut cuts = cuts.into_iter();
        while !rest.is_empty() && got.is_ok() {
            let (now, later) = rest.split_at(cuts.next().unwrap_or(usize::MAX).min(rest.len()));
            rest = later;
            got = pieces.feed(now).map_err(|e| e.to_string());
        }
        prop_assert_eq!(&want, &got);
        // Where compressed data breaks, less of it may have been painted before.
        prop_assert!(want.is_err() || whole.colours() == pieces.colours());
        prop_assert_eq!(whole.out, pieces.out);
        prop_assert_eq!(whole.events, pieces.events);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut session = Session::new(64, 64);
        let _ = session.feed(&bytes);
        let _ = session.source.want_frame(&mut session.out);
        let _ = session.feed(&[&[0, 0, 0, 9][..], &bytes].concat());
    }
}
