use super::*;
use crate::{
    ByeCode, InputEvent, Person, PersonKind, QuestionKind, Rect, Rich, StatusCode, TileCodec, TouchPhase, VideoCodec,
};
use bytes::Bytes;
use proptest::prelude::*;

fn png() -> Bytes {
    crate::Pixels { width: 1, height: 1, rgba: vec![1, 2, 3, 255] }.to_png().unwrap()
}

fn server_samples() -> Vec<ServerRecord> {
    vec![
        ServerRecord::Hello { terminal: true, connection: [7; 16], received: 9, title: "demo-1 · ä".into() },
        ServerRecord::Resize { width: 1280, height: 800 },
        ServerRecord::Tile { rect: Rect::new(1, 2, 3, 4), codec: TileCodec::Png, bytes: Bytes::from_static(b"png") },
        ServerRecord::Copy { from_x: 5, from_y: 6, to: Rect::new(7, 8, 9, 10) },
        ServerRecord::Fill { rect: Rect::new(0, 0, 1, 1), rgb: [1, 2, 3] },
        ServerRecord::cursor_hidden(),
        ServerRecord::CursorDefault,
        ServerRecord::CursorMove { x: 1, y: 2 },
        ServerRecord::Video {
            rect: Rect::new(0, 0, 64, 64),
            regions: None,
            codec: VideoCodec::H264,
            key: true,
            bytes: Bytes::from_static(&[0, 0, 0, 1, 0x65]),
        },
        ServerRecord::Video {
            rect: Rect::new(0, 0, 64, 64),
            regions: Some(vec![Rect::new(1, 2, 3, 4), Rect::new(5, 6, 7, 8)]),
            codec: VideoCodec::H264,
            key: false,
            bytes: Bytes::from_static(&[0, 0, 0, 1, 0x61]),
        },
        ServerRecord::Rich(Rich::Html("<b>€</b>".into())),
        ServerRecord::Rich(Rich::Png(png())),
        ServerRecord::Clipboard("€".into()),
        ServerRecord::Bell,
        ServerRecord::Leds(5),
        ServerRecord::FrameEnd { sequence: 77 },
        ServerRecord::Pong { token: 3 },
        ServerRecord::Status { code: StatusCode::Connected, text: "in".into() },
        ServerRecord::Bye { code: ByeCode::TakenOver, text: "bye".into() },
        ServerRecord::TerminalData(Bytes::from_static(b"\x1b[2J")),
        ServerRecord::TerminalStart { offset: u64::MAX },
        ServerRecord::TerminalRepaint(Bytes::from_static(b"\x1b[H$ ")),
        ServerRecord::People {
            own: 1,
            people: vec![
                Person {
                    seat: 0,
                    kind: PersonKind::Owner,
                    control: true,
                    may_control: true,
                    here: false,
                    name: "Zoë".into(),
                },
                Person {
                    seat: 1,
                    kind: PersonKind::Helper,
                    control: false,
                    may_control: true,
                    here: true,
                    name: String::new(),
                },
            ],
        },
        ServerRecord::Pointing { seat: 2, x: 300, y: 4 },
        ServerRecord::Question { seat: 3, kind: QuestionKind::Help, seconds: 60, name: "root".into() },
        ServerRecord::Words("Zoë has left".into()),
        ServerRecord::Typed("ls⟨Enter⟩".into()),
        ServerRecord::Pasted("from here".into()),
        ServerRecord::Copied("from there".into()),
        ServerRecord::Bye { code: ByeCode::Dismissed, text: String::new() },
    ]
}

fn viewer_samples() -> Vec<ViewerRecord> {
    vec![
        ViewerRecord::Hello(ViewerHello {
            version: 1,
            width: 80,
            height: 24,
            scale: 100,
            received: 4,
            layout: "us(intl)".into(),
        }),
        ViewerRecord::Input(InputEvent::Key { down: true, code: 0xE038, keysym: 0xFE03 }),
        ViewerRecord::Input(InputEvent::Pointer { x: 1, y: 2, buttons: 4 }),
        ViewerRecord::Input(InputEvent::Wheel { x: 1, y: 2, dx: -120, dy: 120 }),
        ViewerRecord::Input(InputEvent::Touch { id: 1, phase: TouchPhase::Move, x: 3, y: 4 }),
        ViewerRecord::Input(InputEvent::Resize { width: 10, height: 20, scale: 150 }),
        ViewerRecord::Input(InputEvent::Rich(Rich::Html("<i>ö</i>".into()))),
        ViewerRecord::Input(InputEvent::Rich(Rich::Png(png()))),
        ViewerRecord::Input(InputEvent::Clipboard("ö".into())),
        ViewerRecord::Input(InputEvent::ReleaseAll),
        ViewerRecord::Input(InputEvent::Text("日本".into())),
        ViewerRecord::Ack { sequence: 9 },
        ViewerRecord::Ping { token: 10 },
        ViewerRecord::Abilities { bits: ABILITY_H264 },
        ViewerRecord::Listen { on: true },
        ViewerRecord::VideoTrouble(VideoTrouble::Undecodable),
        ViewerRecord::TerminalInput(Bytes::from_static(b"ls\r")),
        ViewerRecord::TerminalResize { columns: 80, rows: 24 },
        ViewerRecord::TerminalAck { offset: 11 },
        ViewerRecord::Answer { seat: 1, yes: true },
        ViewerRecord::Control { seat: 2, on: false },
        ViewerRecord::Remove { seat: 3 },
        ViewerRecord::AskControl,
    ]
}

#[test]
fn what_is_encoded_comes_back() {
    let mut message = Vec::new();
    server_samples().iter().for_each(|record| record.encode(&mut message));
    assert_eq!(ServerRecord::decode_all(&Bytes::from(message)).unwrap(), server_samples());
    let mut message = Vec::new();
    viewer_samples().iter().for_each(|record| record.encode(&mut message));
    assert_eq!(ViewerRecord::decode_all(&Bytes::from(message)).unwrap(), viewer_samples());
}

#[test]
fn unknown_types_are_skipped_and_short_ones_refused() {
    let mut message = vec![0xF0, 2, 0, 0, 0, 1, 2];
    ViewerRecord::Ping { token: 1 }.encode(&mut message);
    assert_eq!(ViewerRecord::decode_all(&message.into()).unwrap(), vec![ViewerRecord::Ping { token: 1 }]);
    let short = Bytes::from_static(&[0x88, 2, 0, 0, 0, 1, 2]);
    assert_eq!(ViewerRecord::decode_all(&short), Err(WireError::Short { kind: 0x88 }));
    let long = Bytes::from_static(&[0x90, 255, 255, 255, 255]);
    assert!(matches!(ViewerRecord::decode_all(&long), Err(WireError::TooLong { kind: 0x90, .. })));
    // A picture may be longer than a text, and must be one.
    let picture = |length: u32, png: &[u8]| {
        let mut message = vec![0x87];
        message.extend(length.to_le_bytes());
        message.push(2);
        message.extend(png);
        ViewerRecord::decode_all(&message.into())
    };
    assert_eq!(picture(8 << 20, &png()), Err(WireError::Truncated));
    assert!(matches!(picture((8 << 20) + 17, &png()), Err(WireError::TooLong { kind: 0x87, .. })));
    assert!(matches!(picture(5, b"none"), Err(WireError::Value { kind: 0x87, .. })));
    let many = Bytes::from([0x8a, 0, 0, 0, 0].repeat(RECORDS_MAX + 1));
    assert_eq!(ViewerRecord::decode_all(&many), Err(WireError::TooMany));
}

#[test]
fn long_words_are_cut_between_characters() {
    let mut message = Vec::new();
    ServerRecord::Bye { code: ByeCode::Internal, text: "ä".repeat(5000) }.encode(&mut message);
    assert!(ServerRecord::decode_all(&message.into()).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_records_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let message = Bytes::from(bytes);
        let _ = ViewerRecord::decode_all(&message);
        let _ = ServerRecord::decode_all(&message);
    }
}
