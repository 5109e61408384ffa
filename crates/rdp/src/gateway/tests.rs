//! Packets made by hand from MS-TSGU §2.2.10, frames of RFC 6455 §5.7, chunks of RFC 9112 §7.1, and bytes of any kind.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::both::Both;
use super::channels::{Body, Channels};
use super::packets::{self, Reader};
use super::tunnel::{Transport, Tunnel};
use super::websocket::{self, WebSocket};
use crate::error::ConnectError;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn fresh() -> Tunnel {
    Tunnel::new(Transport::WebSocket(WebSocket::default()), "desk", 3389, "tab")
}

/// Over two channels, of which OUT is cut so.
fn older(body: Body) -> Tunnel {
    Tunnel::new(Transport::Channels(Channels::new(body)), "desk", 3389, "tab")
}

/// As the gateway sends it: in one frame, not masked.
fn framed(packet: &[u8]) -> Vec<u8> {
    assert!(packet.len() < 126);
    [&[0x82, packet.len() as u8][..], packet].concat()
}

/// What our frames say.
fn unmasked(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut said = Vec::new();
    while let [_, second, rest @ ..] = bytes {
        let (length, rest) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            length => (usize::from(length), rest),
        };
        assert_eq!(second & 0x80, 0x80, "what clients say is masked");
        let (mask, rest) = rest.split_at(4);
        let (payload, rest) = rest.split_at(length);
        said.push(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect());
        bytes = rest;
    }
    said
}

fn packet(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut packet = kind.to_le_bytes().to_vec();
    packet.extend([0, 0]);
    packet.extend((8 + body.len() as u32).to_le_bytes());
    packet.extend_from_slice(body);
    packet
}

fn answer(kind: u16, body: &[u8]) -> Vec<u8> {
    framed(&packet(kind, body))
}

/// As a proxy may cut it: no line up with what is in it.
fn chunked(bytes: &[u8]) -> Vec<u8> {
    let cut = bytes
        .chunks(7)
        .flat_map(|part| [format!("00{:X} ;a=\"b\"\r\n", part.len()).as_bytes(), part, b"\r\n"].concat());
    cut.collect()
}

fn open() -> Tunnel {
    let mut tunnel = fresh();
    assert_eq!(unmasked(&tunnel.take_out()), [[1, 0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0]]);
    tunnel.receive(&answer(2, &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0])).unwrap();
    assert_eq!(unmasked(&tunnel.take_out()), [[4, 0, 0, 0, 16, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]]);
    // A number of the tunnel, abilities, and a message to consent to.
    let mut created = vec![0, 0, 0, 0, 0, 0, 0x13, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 4, 0];
    created.extend(b"o\0k\0");
    tunnel.receive(&answer(5, &created)).unwrap();
    let mut named = vec![6, 0, 0, 0, 20, 0, 0, 0, 0, 0, 8, 0];
    named.extend(b"t\0a\0b\0\0\0");
    assert_eq!(unmasked(&tunnel.take_out()), [named]);
    tunnel.receive(&answer(7, &[0; 8])).unwrap();
    let mut wanted = vec![8, 0, 0, 0, 26, 0, 0, 0, 1, 0, 0x3d, 0x0d, 3, 0, 10, 0];
    wanted.extend(b"d\0e\0s\0k\0\0\0");
    assert_eq!(unmasked(&tunnel.take_out()), [wanted]);
    assert!(!tunnel.is_open());
    tunnel.receive(&answer(9, &[0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])).unwrap();
    assert!(tunnel.is_open() && tunnel.out().is_empty());
    tunnel
}

#[test]
fn a_way_is_opened_used_and_closed() {
    let mut tunnel = open();
    assert_eq!(tunnel.send(b"abc"), 3);
    assert_eq!(unmasked(&tunnel.take_out()), [[10, 0, 0, 0, 13, 0, 0, 0, 3, 0, b'a', b'b', b'c']]);
    assert_eq!(tunnel.send(&vec![7; 100_000]), packets::DATA_BYTES_MAX);
    tunnel.take_out();
    // Byte by byte, as a network may bring it.
    for byte in [answer(10, &[2, 0, b'x', b'y']), answer(13, &[]), answer(10, &[1, 0, b'z'])].concat() {
        tunnel.receive(&[byte]).unwrap();
    }
    assert_eq!(tunnel.plain(), b"xyz");
    // A ping is answered with what it says.
    tunnel.receive(&[0x89, 2, 5, 6]).unwrap();
    assert_eq!(unmasked(&tunnel.take_out()), [[5, 6]]);
    tunnel.keep_alive();
    assert_eq!(unmasked(&tunnel.take_out()), [[13, 0, 0, 0, 8, 0, 0, 0]]);
    tunnel.receive(&answer(0x10, &[0; 4])).unwrap();
    assert!(tunnel.is_closed());
    assert_eq!(unmasked(&tunnel.take_out()), [[0x11, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0]]);
    let mut tunnel = open();
    tunnel.close();
    assert_eq!(unmasked(&tunnel.take_out()), [vec![0x10, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0], vec![3, 0xe8]]);
}

#[test]
fn why_a_gateway_lets_nobody_through() {
    let refused = |code: u32| {
        let mut tunnel = fresh();
        tunnel.receive(&answer(2, &[code.to_le_bytes().as_slice(), &[0; 6]].concat())).unwrap_err()
    };
    for code in [0x8007_59da, 0x59da, 0x8007_59db, 0x8009_030c] {
        assert!(matches!(refused(code), ConnectError::GatewayRefused(_)), "{code:#x}");
    }
    let error = refused(0x8007_59dd);
    assert!(matches!(error, ConnectError::Gateway(_)) && error.to_string().contains("name"), "{error}");
    assert!(refused(0x1234).to_string().contains("0x1234"));
    // Out of turn, too long, and too short.
    for wrong in [answer(10, &[0, 0]), framed(&[2, 0, 0, 0, 255, 255, 255, 0]), answer(2, &[0, 0]), vec![0x82, 0x80]] {
        let error = fresh().receive(&wrong).unwrap_err();
        assert!(matches!(error, ConnectError::Gateway(_)), "{error}");
    }
    let mut tunnel = open();
    assert!(tunnel.receive(&answer(12, &[0; 8])).unwrap_err().to_string().contains("connect again"));
    assert!(fresh().receive(&[0x88, 2, 3, 0xe8]).is_err());
}

#[test]
fn frames_of_every_length() {
    // RFC 6455 §5.7: 256 bytes, and 64 KiB, in one frame each.
    let mut socket = WebSocket::default();
    let (mut payload, mut out) = (Vec::new(), Vec::new());
    socket.receive(&[&[0x82, 0x7e, 1, 0][..], &[1; 256]].concat(), &mut payload, &mut out).unwrap();
    socket
        .receive(&[&[0x02, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0][..], &vec![2; 65536][..]].concat(), &mut payload, &mut out)
        .unwrap();
    socket.receive(&[0x80, 1, 3], &mut payload, &mut out).unwrap();
    assert_eq!((payload.len(), payload.last(), out.len()), (256 + 65536 + 1, Some(&3), 0));
    for length in [0, 125, 126, 65535] {
        let mut out = Vec::new();
        websocket::put(&mut out, &vec![9; length]);
        assert_eq!(unmasked(&out), [vec![9; length]]);
    }
}

#[test]
fn consent_is_behind_what_the_bits_say() {
    let health = [&[0x14, 0, 0, 0][..], &[1; 16], &[2, 0, 8, 8], &[6, 0], b"n\0\n\0o\0"].concat();
    assert_eq!(packets::consent(&mut Reader(&health)), Ok(Some("no".to_owned())));
    assert_eq!(packets::consent(&mut Reader(&[0, 0, 0, 0])), Ok(None));
    assert!(packets::consent(&mut Reader(&[0x10, 0, 0, 0, 9, 0])).is_err());
}

/// All that a gateway says until the way is open, and some data.
fn said_of_out() -> Vec<u8> {
    let answers = [packet(2, &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0]), packet(5, &[0; 10]), packet(7, &[0; 8])];
    let opened = [packet(9, &[0; 8]), packet(10, &[2, 0, b'x', b'y'])];
    [answers.concat(), opened.concat()].concat()
}

#[test]
fn two_channels_however_they_are_cut() {
    for seed in [0, 10, 100] {
        // As Windows has it, and with what a head begins with at its end.
        let mut seeded = [0xab_u8, 0xcd].repeat(seed / 2);
        if let Some(last) = seeded.last_mut() {
            *last = 2;
        }
        seeded.extend(said_of_out());
        let whole = seeded.len() as u64;
        for (body, bytes) in [
            (Body::to_the_end(), seeded.clone()),
            (Body::counted(whole + 1), seeded.clone()),
            (Body::chunked(), chunked(&seeded)),
        ] {
            let mut tunnel = older(body);
            assert_eq!(tunnel.take_out(), b"e\r\n\x01\0\0\0\x0e\0\0\0\x01\0\0\0\0\0\r\n");
            for byte in bytes {
                tunnel.receive(&[byte]).unwrap();
            }
            assert!(tunnel.is_open() && tunnel.plain() == b"xy", "{seed}");
            let asked = tunnel.take_out();
            assert!(asked.starts_with(b"10\r\n\x04\0") && asked.ends_with(b"k\0\0\0\r\n"), "{asked:?}");
            tunnel.send(b"abc");
            assert_eq!(tunnel.take_out(), b"d\r\n\x0a\0\0\0\x0d\0\0\0\x03\0abc\r\n");
            tunnel.close();
            assert_eq!(tunnel.take_out(), b"c\r\n\x10\0\0\0\x0c\0\0\0\0\0\0\0\r\n0\r\n\r\n");
        }
        // Its end is the channel's, and what follows is nobody's.
        let mut tunnel = older(Body::counted(whole));
        tunnel.receive(&[&seeded[..], b"HTTP/1.1"].concat()).unwrap();
        assert!(tunnel.is_closed() && tunnel.plain() == b"xy");
        let mut tunnel = older(Body::chunked());
        tunnel.receive(&[chunked(&seeded), b"0\r\n\r\nmore".to_vec()].concat()).unwrap();
        assert!(tunnel.is_closed() && tunnel.plain() == b"xy");
    }
}

#[test]
fn an_out_channel_that_is_none() {
    let page = vec![b' '; 120];
    for (body, wrong, why) in [
        (Body::to_the_end(), page.clone(), "no RD Gateway"),
        (Body::counted(50), page.clone(), "ended the connection"),
        (Body::chunked(), b"0\r\n\r\n".to_vec(), "ended the connection"),
        (Body::chunked(), b"\r\n".to_vec(), "cannot be read"),
        (Body::chunked(), b"+1\r\n".to_vec(), "cannot be read"),
        (Body::chunked(), b"11112222333344445\r\n".to_vec(), "cannot be read"),
        (Body::chunked(), b"1\r\nabc".to_vec(), "longer than it says"),
        (Body::chunked(), [b'1'; 300].to_vec(), "endless"),
    ] {
        let error = older(body).receive(&wrong).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    // A seed that is too long is none.
    let late = [vec![7; 101], said_of_out()].concat();
    assert!(older(Body::to_the_end()).receive(&late).is_err());
}

#[tokio::test]
async fn two_connections_are_one_stream_that_ends_with_either() {
    let pair = || tokio::io::duplex(64);
    let ((down, mut gateway_out), (up, mut gateway_in)) = (pair(), pair());
    let mut both = Both::new(Box::new(down), Box::new(up));
    both.write_all(b"up").await.unwrap();
    gateway_out.write_all(b"down").await.unwrap();
    let (mut heard, mut said) = ([0; 2], [0; 4]);
    gateway_in.read_exact(&mut heard).await.unwrap();
    both.read_exact(&mut said).await.unwrap();
    assert_eq!((&heard, &said), (b"up", b"down"));
    // An early answer that refuses nothing is passed over; what came before the end is read.
    gateway_in.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    gateway_out.write_all(b"last").await.unwrap();
    drop(gateway_in);
    both.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"last");
    assert_eq!(both.read(&mut said).await.unwrap(), 0);

    let ((down, gateway_out), (up, _gateway_in)) = (pair(), pair());
    drop(gateway_out);
    assert_eq!(Both::new(Box::new(down), Box::new(up)).read(&mut said).await.unwrap(), 0);

    let ((down, _gateway_out), (up, mut gateway_in)) = (pair(), pair());
    gateway_in.write_all(b"HTTP/1.1 503 Later\r\n").await.unwrap();
    let error = Both::new(Box::new(down), Box::new(up)).read(&mut said).await.unwrap_err();
    assert!(error.to_string().contains("503"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_of_out_are_taken_or_refused(
        bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
        lines in prop::collection::vec("[0-9a-f]{1,3}(;x)?\r\n", 0..20),
        how in 0..4,
        opened in any::<bool>(),
    ) {
        let body = match how {
            0 => Body::to_the_end(),
            1 => Body::counted(1000),
            _ => Body::chunked(),
        };
        let mut tunnel = older(body);
        let mut whole = 0;
        if opened {
            let said = if how > 1 { chunked(&said_of_out()) } else { said_of_out() };
            whole = said.len();
            tunnel.receive(&said).unwrap();
        }
        for (at, part) in bytes.iter().enumerate() {
            let line = lines.get(at).filter(|_| how > 1).map(String::as_bytes).unwrap_or_default();
            whole += line.len() + part.len();
            if tunnel.receive(line).is_err() || tunnel.receive(part).is_err() {
                break;
            }
        }
        prop_assert!(tunnel.plain().len() <= whole && tunnel.out().len() <= 256 + 8 * whole);
    }

    #[test]
    fn any_bytes_are_taken_or_refused(
        bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
        opened in any::<bool>(),
    ) {
        let mut tunnel = if opened { open() } else { fresh() };
        for part in &bytes {
            if tunnel.receive(part).is_err() {
                break;
            }
        }
        let whole: usize = bytes.iter().map(Vec::len).sum();
        prop_assert!(tunnel.plain().len() <= whole && tunnel.out().len() <= 64 + 8 * whole);
    }

    #[test]
    fn any_packets_are_taken_or_refused(
        said in prop::collection::vec((0u16..20, prop::collection::vec(any::<u8>(), 0..100)), 0..20),
        opened in any::<bool>(),
    ) {
        let mut tunnel = if opened { open() } else { fresh() };
        for (kind, body) in said {
            if tunnel.receive(&answer(kind, &body)).is_err() {
                break;
            }
        }
    }
}
