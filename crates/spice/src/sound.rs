//! The playback channel: what the machine plays, as samples (SPICE protocol, "Playback channel"). No codec is offered, so that none is
//! used.

use crate::reader::{Broken, Reader};
use bytes::Bytes;
use oriel_screen::{AudioCodec, ScreenEvent};

const RATE_MAX: u32 = 48_000;
const SIGNED_16: u16 = 1;
const RAW: u16 = 1;

/// A format that browsers can play.
#[derive(Clone, Copy, Debug)]
struct Format {
    channels: u8,
    rate: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Sound {
    format: Option<Format>,
    compressed: bool,
}

impl Sound {
    pub(crate) fn message(&mut self, kind: u16, body: &[u8], events: &mut Vec<ScreenEvent>) -> Result<(), Broken> {
        let mut reader = Reader::new(body);
        match kind {
            // DATA
            101 => {
                let time_ms = reader.u32()?;
                let Some(Format { channels, rate }) = self.format.filter(|_| !self.compressed) else { return Ok(()) };
                let frame = 2 * usize::from(channels);
                let whole = reader.rest().len() / frame * frame;
                if whole > 0 {
                    // Copied: it waits for viewers, and the buffer that it came in may be large.
                    let bytes = Bytes::copy_from_slice(reader.take(whole)?);
                    events.push(ScreenEvent::Audio { codec: AudioCodec::Pcm, channels, rate, time_ms, bytes });
                }
            }
            // MODE
            102 => {
                reader.take(4)?;
                self.compressed = reader.u16()? != RAW;
            }
            // START
            103 => {
                let (channels, format, rate) = (reader.u32()?, reader.u16()?, reader.u32()?);
                let known = format == SIGNED_16 && (1..=RATE_MAX).contains(&rate);
                let channels = u8::try_from(channels).ok().filter(|channels| known && matches!(channels, 1 | 2));
                self.format = channels.map(|channels| Format { channels, rate });
            }
            // STOP
            104 => self.format = None,
            // The volume is the person's own affair.
            _ => {}
        }
        Ok(())
    }
}
