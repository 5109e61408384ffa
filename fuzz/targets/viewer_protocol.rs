//! The viewer protocol's decoders, both directions: any message gives records or an error, and what was understood
//! means the same after encoding it again.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use oriel_screen::wire::{ServerRecord, ViewerRecord};

fuzz_target!(|data: &[u8]| {
    let message = Bytes::copy_from_slice(data);
    if let Ok(records) = ViewerRecord::decode_all(&message) {
        let mut again = Vec::new();
        records.iter().for_each(|record| record.encode(&mut again));
        assert_eq!(ViewerRecord::decode_all(&again.into()).as_ref(), Ok(&records));
    }
    if let Ok(records) = ServerRecord::decode_all(&message) {
        let mut again = Vec::new();
        records.iter().for_each(|record| record.encode(&mut again));
        assert_eq!(ServerRecord::decode_all(&again.into()).as_ref(), Ok(&records));
    }
});
