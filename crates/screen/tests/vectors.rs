//! The bytes that docs/viewer-protocol-vectors.json fixes for both implementations: what this crate decodes from them
//! it encodes to them again.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use bytes::Bytes;
use oriel_screen::wire::{ServerRecord, ViewerRecord};

/// `(direction, name, bytes)` of each vector. The file has one a line and is flat enough to be read without a JSON parser.
fn vectors() -> Vec<(String, String, Vec<u8>)> {
    let text = include_str!("../../../docs/viewer-protocol-vectors.json");
    let field = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("\"{name}\": \""))?;
        rest.split('"').next().map(str::to_owned)
    };
    let bytes = |hex: &str| {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect::<Vec<u8>>()
    };
    text.lines()
        .filter(|line| line.contains("\"direction\": "))
        .map(|line| {
            let hex = field(line, "hex").unwrap();
            (field(line, "direction").unwrap(), field(line, "name").unwrap(), bytes(&hex))
        })
        .collect()
}

#[test]
fn every_vector_decodes_and_comes_back() {
    let vectors = vectors();
    assert!(vectors.len() >= 44, "only {} vectors were found", vectors.len());
    for (direction, name, bytes) in vectors {
        let message = Bytes::from(bytes.clone());
        let mut again = Vec::new();
        let count = if direction == "server" {
            let records = ServerRecord::decode_all(&message).unwrap_or_else(|error| panic!("{name}: {error}"));
            records.iter().for_each(|record| record.encode(&mut again));
            records.len()
        } else {
            let records = ViewerRecord::decode_all(&message).unwrap_or_else(|error| panic!("{name}: {error}"));
            records.iter().for_each(|record| record.encode(&mut again));
            records.len()
        };
        assert_eq!(count, 1, "{direction} {name}");
        assert_eq!(again, bytes, "{direction} {name}");
    }
}
