//! What every channel has: messages with short headers, acknowledgements, pings and good-byes (SPICE protocol, "Common messages").

use crate::{
    MESSAGE_BYTES_MAX,
    mux::{self, Channel},
    reader::{Broken, Reader, bad, printable},
};
use bytes::{Bytes, BytesMut};

const HEADER_BYTES: usize = 6;
/// Longest message of a channel without pictures, in bytes: the largest pointer; pings that measure the network have a quarter of it.
const SMALL_BYTES_MAX: usize = 1 << 20;
/// Of a notice, what is written into the log, in bytes.
const NOTICE_BYTES_MAX: usize = 1024;

const MIGRATE: u16 = 1;
const MIGRATE_DATA: u16 = 2;
const SET_ACK: u16 = 3;
const PING: u16 = 4;
const WAIT_FOR_CHANNELS: u16 = 5;
const DISCONNECTING: u16 = 6;
const NOTIFY: u16 = 7;

const ACK_SYNC: u16 = 1;
const ACK: u16 = 2;
const PONG: u16 = 3;

/// A message to the server, into the stream of all channels.
pub(crate) fn send(out: &mut Vec<u8>, channel: Channel, kind: u16, body: &[u8]) {
    mux::bytes(out, channel, &message(kind, body));
}

pub(crate) fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut message = kind.to_le_bytes().to_vec();
    message.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    message.extend_from_slice(body);
    message
}

/// Longest message that is accepted on a channel.
const fn bytes_max(channel: Channel) -> usize {
    match channel {
        Channel::Display => MESSAGE_BYTES_MAX,
        Channel::Main | Channel::Inputs | Channel::Cursor | Channel::Playback => SMALL_BYTES_MAX,
    }
}

/// What the server says on one channel.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    buffer: BytesMut,
    /// The server waits for an acknowledgement of so many messages.
    window: u32,
    unacknowledged: u32,
}

/// A message of the channel's own, or why there are none any more.
pub(crate) enum Heard {
    Message(u16, Bytes),
    Ended(String),
}

impl Incoming {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message that is not the same on all channels; those are answered here.
    pub(crate) fn next(&mut self, channel: Channel, out: &mut Vec<u8>) -> Result<Option<Heard>, Broken> {
        loop {
            let Some([k0, k1, l0, l1, l2, l3]) = self.buffer.first_chunk::<HEADER_BYTES>().copied() else {
                return Ok(None);
            };
            let (kind, length) = (u16::from_le_bytes([k0, k1]), u32::from_le_bytes([l0, l1, l2, l3]) as usize);
            if length > bytes_max(channel) {
                return bad(format!("a message of type {kind} has {length} bytes"));
            }
            if self.buffer.len() < HEADER_BYTES + length {
                return Ok(None);
            }
            let body = self.buffer.split_to(HEADER_BYTES + length).split_off(HEADER_BYTES).freeze();
            self.acknowledge(channel, out);
            let mut reader = Reader::new(&body);
            match kind {
                SET_ACK => {
                    let generation = reader.u32()?;
                    self.window = reader.u32()?;
                    self.unacknowledged = 0;
                    send(out, channel, ACK_SYNC, &generation.to_le_bytes());
                }
                // Number and time; what follows only takes room.
                PING => send(out, channel, PONG, reader.take(12)?),
                DISCONNECTING => return Ok(Some(Heard::Ended("the machine's screen was shut".to_owned()))),
                MIGRATE | MIGRATE_DATA => {
                    return Ok(Some(Heard::Ended("the machine moves to another host; connect again".to_owned())));
                }
                NOTIFY => {
                    let text = body.get(24..body.len().min(24 + NOTICE_BYTES_MAX)).unwrap_or_default();
                    tracing::debug!(text = printable(text), "A SPICE server's notice");
                }
                // For clients that share a cache of pictures among channels.
                WAIT_FOR_CHANNELS => {}
                kind => return Ok(Some(Heard::Message(kind, body))),
            }
        }
    }

    fn acknowledge(&mut self, channel: Channel, out: &mut Vec<u8>) {
        if self.window > 0 {
            self.unacknowledged += 1;
            if self.unacknowledged >= self.window {
                self.unacknowledged = 0;
                send(out, channel, ACK, &[]);
            }
        }
    }
}
