//! QEMU's audio extension (community's RFB specification, "QEMU Audio Pseudo-encoding"): samples in the format that we ask
//! for.

use bytes::Bytes;
use oriel_screen::{AudioCodec, ScreenEvent};

/// Most bytes of one message that are taken; longer ones are left out. A second of sound is a fifth of it.
pub(crate) const MESSAGE_BYTES_MAX: u32 = 1 << 20;
pub(crate) const CHANNELS: u8 = 2;
pub(crate) const RATE: u32 = 48_000;
/// Two channels of 16 bits.
const FRAME_BYTES: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct Sound {
    /// The server has said that it can, and was asked to.
    pub(crate) asked: bool,
    /// Samples per channel so far: the stream's own clock.
    frames: u64,
}

impl Sound {
    /// Little endian, interleaved; half a frame at the end is left out.
    pub(crate) fn samples(&mut self, bytes: &[u8]) -> Option<ScreenEvent> {
        let whole = bytes.get(..bytes.len() / FRAME_BYTES * FRAME_BYTES).filter(|whole| !whole.is_empty())?;
        let time_ms = (self.frames * 1000 / u64::from(RATE)) as u32;
        self.frames += (whole.len() / FRAME_BYTES) as u64;
        Some(ScreenEvent::Audio {
            codec: AudioCodec::Pcm,
            channels: CHANNELS,
            rate: RATE,
            time_ms,
            bytes: Bytes::copy_from_slice(whole),
        })
    }
}
