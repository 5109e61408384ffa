//! Telnet's parser and negotiation: any bytes in any pieces give events and bounded answers, and pieces mean the same as the
//! whole. The two files are included rather than their crate: SSH beside them would be minutes of building.
#![no_main]
#![allow(dead_code, reason = "their crate uses the rest")]

use libfuzzer_sys::fuzz_target;
use options::{Negotiation, Settings};
use parser::{Event, Parser, SUBNEGOTIATION_BYTES_MAX};

#[path = "../../crates/terminal/src/telnet/options.rs"]
mod options;
#[path = "../../crates/terminal/src/telnet/parser.rs"]
mod parser;

fn read(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Event>, Vec<u8>) {
    let (mut parser, mut data, mut events, mut wire) = (Parser::default(), Vec::new(), Vec::new(), Vec::new());
    let settings = Settings { term: "xterm-256color".into(), columns: 255, rows: 24 };
    let mut negotiation = Negotiation::new(settings);
    for piece in pieces {
        parser.feed(piece, &mut data, |event| {
            negotiation.take(&event, &mut wire);
            events.push(event);
        });
    }
    (data, events, wire)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = read(&[bytes]);
    let cut = bytes.first().map_or(0, |at| usize::from(*at).min(bytes.len()));
    let (front, back) = bytes.split_at(cut);
    assert_eq!(read(&[front, back]), whole);
    let (data, events, wire) = whole;
    assert!(data.len() <= bytes.len());
    // A terminal's type for seven bytes that ask for it is the longest answer.
    assert!(wire.len() <= 16 * bytes.len() + 64);
    for event in &events {
        if let Event::Subnegotiate { bytes, .. } = event {
            assert!(bytes.len() <= SUBNEGOTIATION_BYTES_MAX);
        }
    }
});
