//! Messages of dynamic channels that are made here, byte by byte.

use ironrdp_core::{Encode, EncodeResult, WriteCursor, ensure_size};
use ironrdp_dvc::{DvcEncode, DvcMessage};

#[derive(Debug)]
struct Pdu(Vec<u8>);

impl Encode for Pdu {
    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        ensure_size!(in: dst, size: self.size());
        dst.write_slice(&self.0);
        Ok(())
    }

    fn name(&self) -> &'static str {
        "message of a dynamic channel"
    }

    fn size(&self) -> usize {
        self.0.len()
    }
}

impl DvcEncode for Pdu {}

pub(crate) fn pdus(messages: Vec<Vec<u8>>) -> Vec<DvcMessage> {
    messages.into_iter().map(|message| Box::new(Pdu(message)) as DvcMessage).collect()
}
