//! The person's microphone (MS-RDPEAI) as a dynamic channel of our own: formats, opening, and what the person says in blocks as long as the
//! machine wants them.
//!
//! ```text
//!  machine: Version, Sound Formats, Open ──▶ wanted() ──▶ the viewer asks the person
//!  the person speaks ──▶ samples() ──▶ Incoming Data, Data ──▶ machine
//! ```
//!
//! The channel is there for as long as a program on the machine records. It is opened at once and whatever the person decides: a machine
//! whose person says no, or nothing, hears nothing. Only PCM of 16 bits is taken, which a browser makes without an encoder.
//!
//! Whatever is wrong with a message makes the microphone deaf and nothing else: the session is not about sound.

use crate::dynamic::pdus;
use ironrdp_core::impl_as_any;
use ironrdp_dvc::{DvcClientProcessor, DvcMessage, DvcProcessor};
use ironrdp_pdu::PduResult;
use oriel_screen::MicrophoneFormat;

pub(crate) const CHANNEL_NAME: &str = "AUDIO_INPUT";
/// Formats of a machine's offer that are looked at. Windows offers 21.
const OFFERS_MAX: u32 = 256;
/// Formats that are taken of them.
const FORMATS_MAX: usize = 8;
/// The version that is spoken (2.2.2.1).
const VERSION: u32 = 1;
/// `WAVE_FORMAT_PCM` (RFC 2361).
const PCM: u16 = 1;
/// Bytes of a format without what follows it (2.2.2.2).
const FORMAT_BYTES: usize = 18;

/// Messages (2.2.1).
const MSG_VERSION: u8 = 1;
const MSG_FORMATS: u8 = 2;
const MSG_OPEN: u8 = 3;
const MSG_OPEN_REPLY: u8 = 4;
const MSG_INCOMING: u8 = 5;
const MSG_DATA: u8 = 6;
const MSG_FORMAT_CHANGE: u8 = 7;

/// What an opening is answered with (MS-ERREF 2.1).
const S_OK: u32 = 0;
const E_INVALIDARG: u32 = 0x8007_0057;

/// Our side of the channel.
#[derive(Debug, Default)]
pub(crate) struct Microphone {
    /// What both sides agreed on; the machine names one by its place.
    formats: Vec<MicrophoneFormat>,
    open: Option<Open>,
    /// The machine broke the protocol.
    deaf: bool,
}

#[derive(Debug)]
struct Open {
    format: MicrophoneFormat,
    /// Samples of every channel in a block, as the machine wants them.
    frames: u32,
    /// Less than a block.
    pending: Vec<u8>,
}

impl Open {
    /// At least one sample, and at most a second.
    fn block_bytes(&self) -> usize {
        self.format.frame_bytes() * self.frames as usize
    }
}

/// Reads little-endian numbers; what is not there is an error.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("a message ends in a field")?;
        self.0 = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_le_bytes(self.take(2)?.try_into().map_err(|_| "a number is short")?))
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| "a number is short")?))
    }

    /// An audio format (2.2.2.2), where it is one that a browser makes.
    fn format(&mut self) -> Result<Option<MicrophoneFormat>, String> {
        let (tag, channels, rate) = (self.u16()?, self.u16()?, self.u32()?);
        let (_bytes_a_second, align, bits, extra) = (self.u32()?, self.u16()?, self.u16()?, self.u16()?);
        self.take(usize::from(extra))?;
        let format = u8::try_from(channels).ok().and_then(|channels| MicrophoneFormat::new(channels, rate));
        Ok(format.filter(|format| tag == PCM && bits == 16 && usize::from(align) == format.frame_bytes()))
    }
}

fn number(message: u8, value: u32) -> Vec<u8> {
    let mut bytes = vec![message];
    bytes.extend_from_slice(&value.to_le_bytes());
    bytes
}

impl Microphone {
    /// The format in which a program on the machine records now.
    pub(crate) fn wanted(&self) -> Option<MicrophoneFormat> {
        self.open.as_ref().map(|open| open.format)
    }

    /// Answers to a message of the machine.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        if self.deaf {
            return Vec::new();
        }
        self.answer(payload).unwrap_or_else(|what| {
            tracing::info!(what, "The machine's channel for a microphone is broken, and stays deaf");
            *self = Self { deaf: true, ..Self::default() };
            Vec::new()
        })
    }

    fn answer(&mut self, payload: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let Some((message, body)) = payload.split_first() else { return Err("a message is empty".to_owned()) };
        let mut read = Reader(body);
        match *message {
            MSG_VERSION => {
                read.u32()?;
                Ok(vec![number(MSG_VERSION, VERSION)])
            }
            MSG_FORMATS => {
                self.choose(&mut read)?;
                // The one announces the other (3.2.5.1.4).
                Ok(vec![vec![MSG_INCOMING], self.chosen()])
            }
            MSG_OPEN => {
                let (frames, index) = (read.u32()?, read.u32()?);
                // How the device is best asked: the browser converts, so that what goes over the wire says it all.
                read.format()?;
                Ok(self.begin(frames, index))
            }
            MSG_FORMAT_CHANGE => {
                let index = read.u32()?;
                let format = usize::try_from(index).ok().and_then(|index| self.formats.get(index));
                let format = *format.ok_or_else(|| format!("format {index} was not agreed on"))?;
                if let Some(open) = &mut self.open {
                    open.format = format;
                    open.pending.clear();
                }
                Ok(vec![number(MSG_FORMAT_CHANGE, index)])
            }
            // Only clients say the rest.
            _ => Ok(Vec::new()),
        }
    }

    /// Takes of the offered formats those that browsers make: the fullest sound first, and of two that are alike the one with less to send.
    fn choose(&mut self, read: &mut Reader<'_>) -> Result<(), String> {
        let count = read.u32()?;
        // The size of everything, which is arbitrary from this side.
        read.u32()?;
        if count > OFFERS_MAX {
            return Err(format!("{count} formats are offered, and at most {OFFERS_MAX} are looked at"));
        }
        let mut formats = Vec::new();
        for _ in 0..count {
            formats.extend(read.format()?);
        }
        formats.sort_by_key(|format| (std::cmp::Reverse(format.rate), format.channels));
        formats.dedup();
        formats.truncate(FORMATS_MAX);
        tracing::debug!(offered = count, taken = formats.len(), "Machine offers to hear");
        self.formats = formats;
        self.open = None;
        Ok(())
    }

    /// Sound Formats (2.2.2.2).
    fn chosen(&self) -> Vec<u8> {
        let size = 9 + FORMAT_BYTES * self.formats.len();
        let mut bytes = number(MSG_FORMATS, self.formats.len() as u32);
        bytes.extend_from_slice(&(size as u32).to_le_bytes());
        for format in &self.formats {
            bytes.extend_from_slice(&PCM.to_le_bytes());
            bytes.extend_from_slice(&u16::from(format.channels).to_le_bytes());
            bytes.extend_from_slice(&format.rate.to_le_bytes());
            bytes.extend_from_slice(&(format.second_bytes() as u32).to_le_bytes());
            bytes.extend_from_slice(&(format.frame_bytes() as u16).to_le_bytes());
            bytes.extend_from_slice(&16u16.to_le_bytes());
            bytes.extend_from_slice(&0u16.to_le_bytes());
        }
        bytes
    }

    /// Opens, in the format with that number and blocks of so many samples (2.2.2.3).
    fn begin(&mut self, frames: u32, index: u32) -> Vec<Vec<u8>> {
        let format = usize::try_from(index).ok().and_then(|index| self.formats.get(index)).copied();
        // A block of more than a second is no conversation.
        let Some(format) = format.filter(|format| (1..=format.rate).contains(&frames)) else {
            tracing::info!(frames, index, "The machine asks for a microphone in a way that cannot be");
            self.open = None;
            return vec![number(MSG_OPEN_REPLY, E_INVALIDARG)];
        };
        self.open = Some(Open { format, frames, pending: Vec::new() });
        vec![number(MSG_FORMAT_CHANGE, index), number(MSG_OPEN_REPLY, S_OK)]
    }

    /// What the person said, as messages for the machine; what is in another format than it wants is left out, as is half a sample at the end.
    pub(crate) fn samples(&mut self, format: MicrophoneFormat, samples: &[u8]) -> Vec<Vec<u8>> {
        let Some(open) = self.open.as_mut().filter(|open| open.format == format) else { return Vec::new() };
        let whole = samples.len() / format.frame_bytes() * format.frame_bytes();
        open.pending.extend_from_slice(samples.get(..whole).unwrap_or_default());
        let block = open.block_bytes();
        let mut messages = Vec::new();
        let mut rest = open.pending.as_slice();
        while let Some((data, after)) = rest.split_at_checked(block) {
            let mut message = vec![MSG_DATA];
            message.extend_from_slice(data);
            messages.extend([vec![MSG_INCOMING], message]);
            rest = after;
        }
        let sent = open.pending.len() - rest.len();
        open.pending.drain(..sent);
        messages
    }
}

impl_as_any!(Microphone);

impl DvcProcessor for Microphone {
    fn channel_name(&self) -> &str {
        CHANNEL_NAME
    }

    /// The machine speaks first.
    fn start(&mut self, _channel_id: u32) -> PduResult<Vec<DvcMessage>> {
        Ok(Vec::new())
    }

    fn process(&mut self, _channel_id: u32, payload: &[u8]) -> PduResult<Vec<DvcMessage>> {
        Ok(pdus(self.message(payload)))
    }

    fn close(&mut self, _channel_id: u32) {
        *self = Self::default();
    }
}

impl DvcClientProcessor for Microphone {}

#[cfg(test)]
#[path = "microphone_tests.rs"]
mod tests;
