use super::*;
use crate::{
    ByeCode, CONTACTS_MAX, Contact, ContactState, Contacts, InputEvent, MICROPHONE_BYTES_MAX, MicrophoneFormat,
    Monitor, Monitors, PRESSURE_MAX, Person, PersonKind, QuestionKind, Rect, Rich, StatusCode, TileCodec, TouchAbility,
    TouchPhase, VideoCodec,
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
        ServerRecord::Video {
            rect: Rect::new(0, 0, 64, 64),
            regions: Some(vec![Rect::new(1, 2, 3, 4)]),
            codec: VideoCodec::H264Main,
            key: true,
            bytes: Bytes::from_static(&[0, 0, 0, 1, 0x65]),
        },
        ServerRecord::Video {
            rect: Rect::new(0, 0, 64, 64),
            regions: Some(vec![Rect::new(1, 2, 3, 4)]),
            codec: VideoCodec::H264ChromaV2,
            key: false,
            bytes: Bytes::from_static(&[0, 0, 0, 1, 0x61]),
        },
        ServerRecord::Rich(Rich::Html("<b>€</b>".into())),
        ServerRecord::Rich(Rich::Png(png())),
        ServerRecord::Clipboard("€".into()),
        ServerRecord::Bell,
        ServerRecord::Microphone(Some(MicrophoneFormat { channels: 1, rate: 48_000 })),
        ServerRecord::Microphone(None),
        ServerRecord::Touch(TouchAbility { fingers: 10, pens: 1 }),
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
                Person {
                    seat: 2,
                    kind: PersonKind::Visitor,
                    control: false,
                    may_control: false,
                    here: true,
                    name: "Bob".into(),
                },
            ],
        },
        ServerRecord::Pointing { seat: 2, x: 300, y: 4 },
        ServerRecord::Question { seat: 3, kind: QuestionKind::Help, seconds: 60, name: "root".into() },
        ServerRecord::Question { seat: 4, kind: QuestionKind::KnockHelp, seconds: 60, name: "Bob".into() },
        ServerRecord::Words("Zoë has left".into()),
        ServerRecord::Printed { name: "Größe 1.pdf".into(), size: 268_000_000 },
        ServerRecord::Title("Größe – Ledger".into()),
        ServerRecord::Message("Zoë: save your work".into()),
        ServerRecord::Typed("ls⟨Enter⟩".into()),
        ServerRecord::Pasted("from here".into()),
        ServerRecord::Copied("from there".into()),
        ServerRecord::Bye { code: ByeCode::Dismissed, text: String::new() },
    ]
}

fn two_monitors() -> Monitors {
    Monitors::arrange(&[
        Monitor { rect: Rect::new(0, 40, 1920, 1080), scale: 150, primary: true },
        Monitor { rect: Rect::new(1920, 0, 1080, 1920), scale: 100, primary: false },
    ])
    .unwrap()
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
        ViewerRecord::Input(InputEvent::Monitors(two_monitors())),
        ViewerRecord::Input(InputEvent::Rich(Rich::Html("<i>ö</i>".into()))),
        ViewerRecord::Input(InputEvent::Rich(Rich::Png(png()))),
        ViewerRecord::Input(InputEvent::Clipboard("ö".into())),
        ViewerRecord::Input(InputEvent::ReleaseAll),
        ViewerRecord::Input(InputEvent::Microphone {
            format: MicrophoneFormat { channels: 2, rate: 44_100 },
            samples: Bytes::from_static(&[1, 0, 2, 0]),
        }),
        ViewerRecord::Input(InputEvent::Contacts(Contacts {
            pen: true,
            after_ms: 16,
            contacts: vec![Contact {
                id: 3,
                state: ContactState::Touches,
                x: 1,
                y: 2,
                width: 0,
                height: 0,
                pressure: PRESSURE_MAX,
                rotation: 359,
                tilt_x: -90,
                tilt_y: 45,
                flags: 5,
            }],
        })),
        ViewerRecord::Input(InputEvent::Text("日本".into())),
        ViewerRecord::Ack { sequence: 9 },
        ViewerRecord::Ping { token: 10 },
        ViewerRecord::Abilities { bits: ABILITY_H264 | ABILITY_H264_FULL },
        ViewerRecord::Listen { on: true },
        ViewerRecord::VideoTrouble(VideoTrouble::Undecodable),
        ViewerRecord::TerminalInput(Bytes::from_static(b"ls\r")),
        ViewerRecord::TerminalResize { columns: 80, rows: 24 },
        ViewerRecord::TerminalAck { offset: 11 },
        ViewerRecord::Answer { seat: 1, yes: true },
        ViewerRecord::Control { seat: 2, on: false },
        ViewerRecord::Remove { seat: 3 },
        ViewerRecord::AskControl,
        ViewerRecord::RoundTrip { micros: 21_400 },
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
fn full_colours_are_nothing_without_the_decoder() {
    let said = |bits: u32| ViewerRecord::announced_video(&[ViewerRecord::AskControl, ViewerRecord::Abilities { bits }]);
    assert_eq!([0, 1, 2, 3].map(said).map(|ability| ability as u8), [0, 1, 0, 2]);
    assert!(said(1 << 9 | 1).has_video() && !ViewerRecord::announced_video(&[]).has_video());
}

#[test]
fn a_microphone_sends_what_machines_take_and_never_much() {
    let said = |channels: u8, rate: u32, bytes: usize| {
        let mut message = vec![0x8e];
        message.extend((5 + bytes as u32).to_le_bytes());
        message.push(channels);
        message.extend(rate.to_le_bytes());
        message.resize(message.len() + bytes, 0);
        ViewerRecord::decode_all(&message.into())
    };
    assert!(said(2, 48_000, MICROPHONE_BYTES_MAX).is_ok() && said(1, 16_000, 0).is_ok());
    for (channels, rate, bytes) in [(0, 48_000, 2), (3, 48_000, 2), (1, 8_000, 2), (1, 96_000, 2)] {
        assert!(matches!(said(channels, rate, bytes), Err(WireError::Value { kind: 0x8e, .. })), "{channels} {rate}");
    }
    assert!(matches!(said(2, 48_000, MICROPHONE_BYTES_MAX + 1), Err(WireError::Value { kind: 0x8e, .. })));
    // What a machine wants is within the same bounds, or nothing.
    let wanted = |channels: u8, rate: u32| {
        let mut message = vec![0x3c, 5, 0, 0, 0, channels];
        message.extend(rate.to_le_bytes());
        ServerRecord::decode_all(&message.into())
    };
    assert_eq!(wanted(0, 7), Ok(vec![ServerRecord::Microphone(None)]));
    assert!(wanted(1, 44_100).is_ok() && wanted(9, 44_100).is_err());
}

#[test]
fn contacts_are_few_and_say_what_can_be() {
    let said = |kind: u8, count: u8, contacts: &[[u8; 17]]| {
        let body = [&[kind, 0, 0, count][..], contacts.as_flattened()].concat();
        let message = [&[0x8f, body.len() as u8, 0, 0, 0][..], &body].concat();
        ViewerRecord::decode_all(&message.into())
    };
    let good = [7, 2, 1, 0, 2, 0, 30, 0, 40, 0, 0, 4, 103, 1, 166, 90, 0xff];
    let records = said(0, 1, &[good]).unwrap();
    let [ViewerRecord::Input(InputEvent::Contacts(contacts))] = &records[..] else { panic!("{records:?}") };
    assert_eq!(contacts.contacts[0].rotation, 359);
    assert_eq!((contacts.contacts[0].tilt_x, contacts.contacts[0].flags), (-90, 7), "unknown flags are left out");
    assert!(said(1, CONTACTS_MAX as u8, &[good; CONTACTS_MAX]).is_ok());
    for (kind, count) in [(2, 1), (0, 0), (0, CONTACTS_MAX as u8 + 1)] {
        assert!(matches!(said(kind, count, &[good; CONTACTS_MAX + 1]), Err(WireError::Value { kind: 0x8f, .. })));
    }
    assert!(matches!(said(0, 2, &[good]), Err(WireError::Short { kind: 0x8f })));
    for (place, value) in [(1, 4), (11, 5), (13, 2), (14, 165), (15, 91)] {
        let mut bad = good;
        bad[place] = value;
        assert!(matches!(said(0, 1, &[bad]), Err(WireError::Value { kind: 0x8f, .. })), "{place}");
    }
}

#[test]
fn a_resize_says_its_monitors_or_none() {
    let said = |monitors: &[u8]| {
        let mut message = vec![0x86, 6 + monitors.len() as u8, 0, 0, 0, 10, 0, 20, 0, 150, 0];
        message.extend(monitors);
        ViewerRecord::decode_all(&message.into())
    };
    let window = Ok(vec![ViewerRecord::Input(InputEvent::Resize { width: 10, height: 20, scale: 150 })]);
    assert_eq!(said(&[]), window, "as viewers say it that know no monitors");
    assert_eq!(said(&[0]), window);
    assert_eq!(said(&[0, 7, 7]), window, "bytes after the fields are ignored");
    let one = [1, 0, 0, 0, 0, 0, 3, 0, 2, 100, 0, 1];
    let monitor = Monitor { rect: Rect::new(0, 0, 768, 512), scale: 100, primary: true };
    let monitors = Monitors::arrange(&[monitor]).unwrap();
    assert_eq!(said(&one), Ok(vec![ViewerRecord::Input(InputEvent::Monitors(monitors))]));
    assert_eq!(said(&one[..11]), Err(WireError::Short { kind: 0x86 }));
    let many = [&[9][..], &one[1..].repeat(9)].concat();
    assert!(matches!(said(&many), Err(WireError::Value { kind: 0x86, .. })));
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
