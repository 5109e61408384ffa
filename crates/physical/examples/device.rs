//! The device in memory for tests in a browser (`web/src/viewer/testing/physical.browser.ts`): serves until it is killed.
//!
//! `device [FILE]`: the file is H.264 of Annex B whose access units begin with delimiters; without it there are JPEGs alone.
//! Prints `{"port": N, "fingerprint": "…"}`, and then a line for each change that its machine would see. A line `break` on standard
//! input ends all connections.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a tool of tests")]

use bytes::Bytes;
use oriel_physical::fake::{FakeDevice, FakeOptions, World};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

const DELIMITER: [u8; 5] = [0, 0, 0, 1, 9];

fn access_units(stream: &[u8]) -> Vec<Bytes> {
    let starts = (0..stream.len()).filter(|at| stream[*at..].starts_with(&DELIMITER));
    let mut edges: Vec<usize> = starts.collect();
    edges.push(stream.len());
    edges.windows(2).map(|pair| Bytes::copy_from_slice(&stream[pair[0]..pair[1]])).collect()
}

fn seen(world: &World) -> String {
    let hex = |report: &[u8]| data_encoding::HEXLOWER.encode(report);
    let keys: Vec<String> = world.gadget.keyboard.iter().map(|report| hex(report)).collect();
    let mouse: Vec<String> = world.gadget.absolute.iter().map(|report| hex(report)).collect();
    let printed: Vec<&str> = world.printed.iter().map(|(text, _)| text.as_str()).collect();
    json!({"keys": keys, "mouse": mouse, "printed": printed, "power": world.power, "relay": world.relay,
           "connected": world.connected, "image": world.image, "clients": world.events_clients})
    .to_string()
}

#[tokio::main]
async fn main() {
    let video = match std::env::args().nth(1) {
        Some(path) => access_units(&std::fs::read(path).unwrap()),
        None => Vec::new(),
    };
    let device = FakeDevice::start(FakeOptions { video, ..FakeOptions::default() }).await.unwrap();
    println!("{}", json!({"port": device.address().port(), "fingerprint": device.fingerprint().to_string()}));
    let (mut lines, mut last) = (BufReader::new(stdin()).lines(), String::new());
    let (mut beat, mut open) = (tokio::time::interval(Duration::from_millis(50)), true);
    loop {
        tokio::select! {
            _ = beat.tick() => {
                let now = seen(&device.world());
                if now != last {
                    println!("{now}");
                    last = now;
                }
            }
            line = lines.next_line(), if open => match line {
                Ok(Some(line)) if line == "break" => device.break_connections(),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => open = false,
            },
        }
    }
}
