//! Servers that mean harm: a real session's bytes, bent in every way that a seed can think of.

use crate::connect::{channels, config, scrub};
use crate::{Devices, Pipeline, RdpOptions, RdpSource};
use ironrdp_cliprdr::CliprdrClient;
use ironrdp_connector::connection_activation::ConnectionActivationFactory;
use ironrdp_connector::{ClientConnector, ConnectionResult, DesktopSize};
use ironrdp_core::encode_vec;
use ironrdp_dvc::DrdynvcClient;
use ironrdp_pdu::mcs::SendDataIndication;
use ironrdp_pdu::rdp::capability_sets::InputFlags;
use ironrdp_pdu::x224::X224;
use oriel_screen::{Contact, ContactState, Contacts, InputEvent, ScreenEvent, Source as _, SourceError, TouchAbility};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::any::TypeId;
use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};

/// What xrdp 0.9.21 sent after the handshake until its desktop stood still (`ORIEL_RECORD` of the tests in `real.rs`).
const SESSION: &[u8] = include_bytes!("../tests/data/xrdp-session.bin");
const SEEDS: u64 = 400;
/// The channel of single programs.
const RAIL: u16 = 1006;
/// The one that dynamic channels are in.
const DYNAMIC: u16 = 1005;

/// A source as it is after the handshake with the server of the recording.
fn source(compressed: bool) -> RdpSource {
    source_of(compressed, crate::SessionOptions { follow: true, ..crate::SessionOptions::default() })
}

fn source_of(compressed: bool, session: crate::SessionOptions) -> RdpSource {
    let options = RdpOptions {
        user: "a".to_owned(),
        password: secrecy::SecretString::from("b".to_owned()),
        domain: None,
        width: 1280,
        height: 720,
        scale: 100,
        monitors: None,
        keyboard: "us".to_owned(),
        certificate: oriel_pin::HostPin::Sha256([0; 32]),
        keeper: None,
        security: crate::Security::Any,
        kerberos: None,
        client_name: "test".to_owned(),
        pipeline: Pipeline::Video,
        devices: Devices::default(),
        drive: None,
        session,
        gateway: None,
        continuation: crate::Continuation::default(),
    };
    let config = scrub(config(&options));
    let connector = ClientConnector::new(config.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let (player, sound) = crate::sound::pair();
    let mut connector = channels(connector, &options, player);
    let mut static_channels = std::mem::take(&mut connector.static_channels);
    static_channels.attach_channel_id(TypeId::of::<CliprdrClient>(), 1004);
    static_channels.attach_channel_id(TypeId::of::<DrdynvcClient>(), DYNAMIC);
    if options.session.remote_app.is_some() {
        static_channels.attach_channel_id(TypeId::of::<crate::rail::Rail>(), RAIL);
    }
    let result = ConnectionResult {
        io_channel_id: 1003,
        user_channel_id: 1002,
        message_channel_id: None,
        share_id: 66538,
        static_channels,
        desktop_size: DesktopSize { width: 1280, height: 720 },
        input_flags: InputFlags::FASTPATH_INPUT_2,
        enable_server_pointer: true,
        pointer_software_rendering: false,
        refresh_rect_support: true,
        suppress_output_support: true,
        window_support_level: None,
        monitor_layout: None,
        activation_factory: ConnectionActivationFactory::new(config.clone(), 1003, 1002),
        compression_type: compressed.then_some(ironrdp_pdu::rdp::client_info::CompressionType::K64),
    };
    RdpSource::new(result, config, sound, (options.continuation, true)).unwrap()
}

/// Feeds a stream in pieces; true when it ended in an error.
fn feed(source: &mut RdpSource, pieces: &[&[u8]], events: &mut Vec<ScreenEvent>) -> Result<(), SourceError> {
    let mut out = Vec::new();
    for piece in pieces {
        source.receive(piece, &mut out, events)?;
        out.clear();
    }
    Ok(())
}

#[test]
fn the_recording_gives_the_same_picture_in_pieces_of_any_size() {
    let mut whole = source(true);
    let mut events = Vec::new();
    feed(&mut whole, &[SESSION], &mut events).unwrap();
    assert!(events.iter().any(|event| matches!(event, ScreenEvent::Damage(_))));
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..3 {
        let mut pieces = Vec::new();
        let mut rest = SESSION;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(random.random_range(1..=rest.len().min(900)));
            pieces.push(piece);
            rest = after;
        }
        let mut parts = source(true);
        feed(&mut parts, &pieces, &mut Vec::new()).unwrap();
        assert!(parts.framebuffer().rgba() == whole.framebuffer().rgba());
    }
}

#[test]
fn bent_sessions_end_in_an_error_or_not_at_all() {
    // Panics in decoders are contained; their messages would drown the output of the test.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut ended, mut undecodable) = (0, 0);
    for seed in 0..SEEDS {
        let mut random = StdRng::seed_from_u64(seed);
        let mut bytes = SESSION.to_vec();
        for _ in 0..random.random_range(1..12) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..5) {
                0 => bytes[at] = random.random(),
                1 => bytes[at] ^= 1 << random.random_range(0..8),
                2 => bytes[at] = [0, 0xff, 0x7f, 0x80][random.random_range(0..4)],
                3 => drop(bytes.drain(at..(at + random.random_range(1..40)).min(bytes.len()))),
                _ => {
                    let from = random.random_range(0..bytes.len());
                    let copied = bytes[from..(from + 64).min(bytes.len())].to_vec();
                    bytes.splice(at..at, copied);
                }
            }
        }
        let mut source = source(seed % 2 == 0);
        let mut events = Vec::new();
        if let Err(error) = feed(&mut source, &bytes.chunks(4096).collect::<Vec<_>>(), &mut events) {
            ended += 1;
            undecodable += u32::from(error.to_string().contains("cannot be decoded"));
            assert!(source.receive(&bytes, &mut Vec::new(), &mut events).is_err(), "a dead session lives again");
            assert!(source.input(&InputEvent::ReleaseAll, &mut Vec::new()).is_err());
        }
    }
    std::panic::set_hook(hook);
    eprintln!("{ended} of {SEEDS} ended in an error, {undecodable} of them in a panic that was contained");
    assert!(ended > 0);
}

#[test]
fn garbage_and_cut_streams() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for seed in 0..SEEDS {
        let mut random = StdRng::seed_from_u64(seed);
        let mut source = source(true);
        let mut bytes = vec![0; 4096];
        random.fill(bytes.as_mut_slice());
        if seed % 2 == 0 {
            bytes[0] = 0;
        }
        let _ = feed(&mut source, &bytes.chunks(100).collect::<Vec<_>>(), &mut Vec::new());
        let mut source = self::source(true);
        let cut = random.random_range(0..SESSION.len());
        feed(&mut source, &[&SESSION[..cut]], &mut Vec::new()).unwrap();
    }
    std::panic::set_hook(hook);
}

/// A message of the channel of single programs.
fn rail(message: &[u8]) -> Vec<u8> {
    on(RAIL, message)
}

/// A message of a static channel, in one piece.
fn on(channel_id: u16, message: &[u8]) -> Vec<u8> {
    let mut data = (message.len() as u32).to_le_bytes().to_vec();
    data.extend([3, 0, 0, 0]);
    data.extend(message);
    encode_vec(&X224(SendDataIndication { initiator_id: 1002, channel_id, user_data: Cow::Owned(data) })).unwrap()
}

/// A fast-path frame with one order about a window: its flags, its number, what comes then.
fn order(flags: u32, fields: &[u8]) -> Vec<u8> {
    let order = [&flags.to_le_bytes()[..], &7u32.to_le_bytes(), fields].concat();
    let update = [&[1, 0, 0x2e][..], &(order.len() as u16 + 3).to_le_bytes(), &order].concat();
    [&[0, update.len() as u8 + 5, 0][..], &(update.len() as u16).to_le_bytes(), &update].concat()
}

#[test]
fn a_single_program_from_its_first_message_to_its_last_window() {
    let begin = || {
        let app = crate::RemoteApp { program: "||ledger".to_owned(), ..crate::RemoteApp::default() };
        let session = crate::SessionOptions { remote_app: Some(app), ..crate::SessionOptions::default() };
        let (mut source, mut out) = (source_of(false, session), Vec::new());
        source.receive(&rail(&[5, 0, 8, 0, 0x71, 0x17, 0, 0]), &mut out, &mut Vec::new()).unwrap();
        (source, out)
    };
    assert_eq!(source(false).windows(), None);
    let (mut program, out) = begin();
    let name: Vec<u8> = "||ledger".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(out.windows(name.len()).any(|window| window == name));
    let mut hear = |bytes: &[u8]| {
        program.receive(bytes, &mut Vec::new(), &mut Vec::new()).unwrap();
        program.windows().map(|windows| (windows.title.to_owned(), windows.runs, windows.closed)).unwrap()
    };
    assert_eq!(hear(&[]), (String::new(), false, false));
    // New, shown, with a title; then gone.
    assert_eq!(hear(&order(0x1100_0014, b"\x05\x04\0O\0n\0")), ("On".to_owned(), true, false));
    assert_eq!(hear(&order(0x2100_0000, &[])), (String::new(), true, true));

    let (mut refused, _) = begin();
    let result = [0x80, 0, 16, 0, 8, 0, 3, 0, 0x15, 0, 0, 0, 0, 0, 0, 0];
    let outcome = refused.receive(&rail(&result), &mut Vec::new(), &mut Vec::new());
    assert!(matches!(outcome, Err(SourceError::Refused(why)) if why.contains("\"||ledger\"")));
}

#[test]
fn fingers_reach_a_machine_that_takes_them() {
    let (mut source, mut out, mut events) = (source(false), Vec::new(), Vec::new());
    let down = Contact {
        id: 0,
        state: ContactState::Touches,
        x: 5,
        y: 6,
        width: 0,
        height: 0,
        pressure: 0,
        rotation: 0,
        tilt_x: 0,
        tilt_y: 0,
        flags: 0,
    };
    let down = InputEvent::Contacts(Contacts { pen: false, after_ms: 0, contacts: vec![down] });
    source.receive(&[], &mut out, &mut events).unwrap();
    out.clear();
    source.input(&down, &mut out).unwrap();
    assert!(out.is_empty(), "nobody takes them yet");
    // Abilities, and the channel 7 (MS-RDPEDYC 2.2.1.1.1 and 2.2.2.1).
    source.receive(&on(DYNAMIC, &[0x50, 0, 1, 0]), &mut out, &mut events).unwrap();
    let create = [&[0x10, 7][..], crate::touch::CHANNEL_NAME.as_bytes(), &[0]].concat();
    source.receive(&on(DYNAMIC, &create), &mut out, &mut events).unwrap();
    // SC_READY of version 2.0.0 (MS-RDPEI 2.2.3.1).
    let ready = [0x30, 7, 1, 0, 10, 0, 0, 0, 0, 0, 2, 0];
    source.receive(&on(DYNAMIC, &ready), &mut out, &mut events).unwrap();
    assert!(out.ends_with(&[2, 0, 16, 0, 0, 0, 2, 0, 0, 0, 0, 0, 2, 0, 10, 0]), "{out:x?}");
    assert_eq!(events, [ScreenEvent::Touch(TouchAbility { fingers: 10, pens: 1 })]);
    out.clear();
    source.input(&down, &mut out).unwrap();
    assert!(out.ends_with(&[3, 0, 15, 0, 0, 0, 0, 1, 1, 0, 0, 0, 5, 6, 0x19]), "{out:x?}");
    out.clear();
    // Somebody else has the keyboard now.
    source.input(&InputEvent::ReleaseAll, &mut out).unwrap();
    assert!(out.windows(8).any(|window| window == [1, 1, 0, 0, 0, 5, 6, 0x24]), "{out:x?}");
    // The machine wants none any more.
    source.receive(&on(DYNAMIC, &[0x30, 7, 4, 0, 6, 0, 0, 0]), &mut out, &mut events).unwrap();
    assert_eq!(events.last(), Some(&ScreenEvent::Touch(TouchAbility::default())));
}

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn a_session_is_little_more_than_its_picture() {
    const SESSIONS: usize = 8;
    const BESIDES_MAX: usize = 4 << 20;
    let before = resident();
    let sources: Vec<RdpSource> = (0..SESSIONS)
        .map(|_| {
            let mut source = source(false);
            feed(&mut source, &SESSION.chunks(16 * 1024).collect::<Vec<_>>(), &mut Vec::new()).unwrap();
            source
        })
        .collect();
    let picture = sources[0].framebuffer().rgba().len();
    let each = (resident() - before) / SESSIONS;
    eprintln!("{each} bytes a session, {picture} of them its picture");
    assert!(each < picture + BESIDES_MAX);
}
