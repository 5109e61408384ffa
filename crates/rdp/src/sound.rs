//! Sound of the machine (MS-RDPEA) on the static channel `rdpsnd`: formats, training, Wave and Wave2, confirmations and the end
//! are IronRDP's; here is which formats are taken, and how samples become events.
//!
//! The channel's handler is called while IronRDP decodes. What it hears waits in a short queue until the source has the
//! frame behind it; more than that is never waited for: sound that nobody takes in time is left out.

use bytes::Bytes;
use ironrdp_rdpsnd::client::RdpsndClientHandler;
use ironrdp_rdpsnd::pdu::{AudioFormat, PitchPdu, VolumePdu, WaveFormat};
use oriel_screen::{AudioCodec, ScreenEvent};
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Most bytes of one block that are taken; a longer one is left out. A second of sound is less than this.
pub(crate) const BLOCK_BYTES_MAX: usize = 256 << 10;
/// Blocks that wait for the source: one message of the channel brings one.
const BLOCKS_MAX: usize = 8;
/// Formats that are taken of those that the machine offers.
const FORMATS_MAX: usize = 8;
/// Samples a second that every browser plays as they are.
const RATES: RangeInclusive<u32> = 22_050..=48_000;

#[derive(Debug)]
struct Block {
    channels: u8,
    rate: u32,
    samples: Bytes,
}

/// The channel's end.
#[derive(Debug)]
pub(crate) struct Player(SyncSender<Block>);

/// The source's end.
#[derive(Debug)]
pub(crate) struct Sound {
    blocks: Receiver<Block>,
    /// Microseconds of sound so far: the stream's own clock.
    played: u64,
}

pub(crate) fn pair() -> (Player, Sound) {
    let (to, blocks) = sync_channel(BLOCKS_MAX);
    (Player(to), Sound { blocks, played: 0 })
}

/// Bytes of a sample of every channel, where the format is one that a browser plays: PCM of 16 bits, one or two channels.
fn frame_bytes(format: &AudioFormat) -> Option<u16> {
    let bytes = format.n_channels.checked_mul(2)?;
    let plays = format.format == WaveFormat::PCM
        && format.bits_per_sample == 16
        && matches!(format.n_channels, 1 | 2)
        && RATES.contains(&format.n_samples_per_sec)
        && format.n_block_align == bytes;
    plays.then_some(bytes)
}

impl RdpsndClientHandler for Player {
    fn get_formats(&self) -> &[AudioFormat] {
        &[]
    }

    /// Of those offered, the best first.
    fn choose_formats(&self, offered: &[AudioFormat]) -> Vec<AudioFormat> {
        let mut chosen: Vec<_> = offered.iter().filter(|format| frame_bytes(format).is_some()).collect();
        chosen.sort_by_key(|format| std::cmp::Reverse((format.n_channels, format.n_samples_per_sec)));
        tracing::debug!(offered = offered.len(), taken = chosen.len(), "Machine offers sound");
        chosen.into_iter().take(FORMATS_MAX).cloned().collect()
    }

    fn wave(&mut self, format: &AudioFormat, _: u32, data: Cow<'_, [u8]>) {
        let Some(frame) = frame_bytes(format).map(usize::from) else { return };
        if data.len() > BLOCK_BYTES_MAX {
            return tracing::debug!(bytes = data.len(), limit = BLOCK_BYTES_MAX, "A block of sound is left out");
        }
        // Half a sample at the end is left out.
        let Some(whole) = data.get(..data.len() / frame * frame).filter(|whole| !whole.is_empty()) else { return };
        let block = Block {
            channels: format.n_channels as u8,
            rate: format.n_samples_per_sec,
            samples: Bytes::copy_from_slice(whole),
        };
        self.0.try_send(block).ok();
    }

    /// The loudness is the person's, at the browser.
    fn set_volume(&mut self, _: VolumePdu) {}

    fn set_pitch(&mut self, _: PitchPdu) {}

    fn close(&mut self) {}
}

impl Sound {
    /// What was heard since the last call.
    pub(crate) fn take(&mut self, events: &mut Vec<ScreenEvent>) {
        while let Ok(Block { channels, rate, samples }) = self.blocks.try_recv() {
            let time_ms = (self.played / 1000) as u32;
            let frames = (samples.len() / (2 * usize::from(channels))) as u64;
            self.played = self.played.saturating_add(frames * 1_000_000 / u64::from(rate));
            events.push(ScreenEvent::Audio { codec: AudioCodec::Pcm, channels, rate, time_ms, bytes: samples });
        }
    }
}

#[cfg(test)]
#[path = "sound_tests.rs"]
mod tests;
