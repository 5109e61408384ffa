//! How each channel begins: both sides say who they are and what they know, then the ticket and the verdict (SPICE protocol,
//! "Link stage"). Bytes in, bytes out.

use crate::{
    ConnectError,
    mux::Channel,
    reader::Reader,
    ticket::{self, KEY_BYTES, PASSWORD_BYTES_MAX},
};
use secrecy::{ExposeSecret, SecretString};

const MAGIC: &[u8; 4] = b"REDQ";
const MAJOR: u32 = 2;
const MINOR: u32 = 2;
const HEADER_BYTES: usize = 16;
/// Error, key, two counts and where the capabilities begin.
const REPLY_BYTES: usize = 4 + KEY_BYTES + 12;
/// Longest answer that is accepted, in bytes: room for a thousand capabilities.
const REPLY_BYTES_MAX: u32 = 512;

const COMMON_AUTH_SELECTION: u32 = 0;
const COMMON_AUTH_SPICE: u32 = 1;
const COMMON_AUTH_SASL: u32 = 2;
const COMMON_MINI_HEADER: u32 = 3;

const MAIN_NAME_AND_UUID: u32 = 1;
const MAIN_AGENT_CONNECTED_TOKENS: u32 = 2;
const DISPLAY_SIZED_STREAM: u32 = 0;
/// The client may say how pictures are to be compressed.
pub(crate) const DISPLAY_PREF_COMPRESSION: u32 = 6;
const DISPLAY_MULTI_CODEC: u32 = 8;
const DISPLAY_CODEC_MJPEG: u32 = 9;

const ERROR_NEED_SECURED: u32 = 5;
const ERROR_NEED_UNSECURED: u32 = 6;
const ERROR_PERMISSION_DENIED: u32 = 7;

/// What a side knows, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<u32>);

impl Capabilities {
    pub(crate) fn has(&self, bit: u32) -> bool {
        self.0.get(bit as usize / 32).is_some_and(|word| word & (1 << (bit % 32)) != 0)
    }
}

fn ours(channel: Channel) -> u32 {
    let bits: &[u32] = match channel {
        Channel::Main => &[MAIN_NAME_AND_UUID, MAIN_AGENT_CONNECTED_TOKENS],
        Channel::Display => &[DISPLAY_SIZED_STREAM, DISPLAY_PREF_COMPRESSION, DISPLAY_MULTI_CODEC, DISPLAY_CODEC_MJPEG],
        Channel::Inputs | Channel::Cursor | Channel::Playback => &[],
    };
    bits.iter().fold(0, |word, bit| word | 1 << bit)
}

pub(crate) const fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Main => "main",
        Channel::Display => "display",
        Channel::Inputs => "inputs",
        Channel::Cursor => "cursor",
        Channel::Playback => "playback",
    }
}

enum State {
    Header,
    Reply(usize),
    Verdict(Capabilities),
}

/// A channel's beginning.
pub struct Link {
    channel: Channel,
    password: Option<SecretString>,
    state: State,
}

impl Link {
    /// Begins a channel of a session; the main channel begins one, with 0.
    pub fn new(channel: Channel, session: u32, password: Option<SecretString>, out: &mut Vec<u8>) -> Self {
        let common = 1 << COMMON_AUTH_SELECTION | 1 << COMMON_AUTH_SPICE | 1 << COMMON_MINI_HEADER;
        let capabilities = [common, ours(channel)];
        out.extend_from_slice(MAGIC);
        // The counts of common and of the channel's own capabilities, and where they begin.
        for word in [MAJOR, MINOR, 18 + 4 * 2] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&session.to_le_bytes());
        out.extend_from_slice(&[channel as u8, 0]);
        for word in [1, 1, 18].into_iter().chain(capabilities) {
            out.extend_from_slice(&u32::to_le_bytes(word));
        }
        Self { channel, password, state: State::Header }
    }

    /// How many bytes the next step takes.
    pub const fn need(&self) -> usize {
        match self.state {
            State::Header => HEADER_BYTES,
            State::Reply(length) => length,
            State::Verdict(_) => 4,
        }
    }

    /// Exactly [`Self::need`] bytes. Answers what the server knows about the channel once it is open.
    ///
    /// # Errors
    /// The server refuses us, is none, or breaks the protocol.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Option<Capabilities>, ConnectError> {
        let mut reader = Reader::new(bytes);
        match &mut self.state {
            State::Header => {
                if reader.array::<4>()? != *MAGIC {
                    return Err(ConnectError::NotSpice);
                }
                let (major, minor, length) = (reader.u32()?, reader.u32()?, reader.u32()?);
                if major != MAJOR {
                    return Err(ConnectError::TooOld { major, minor });
                }
                if length > REPLY_BYTES_MAX || (length as usize) < REPLY_BYTES {
                    return Err(ConnectError::Protocol { what: format!("its greeting has {length} bytes") });
                }
                self.state = State::Reply(length as usize);
                Ok(None)
            }
            State::Reply(_) => {
                let error = reader.u32()?;
                self.verdict(error)?;
                let key = reader.array()?;
                let (common, own, at) = (reader.u32()?, reader.u32()?, reader.u32()?);
                let mut reader = Reader::at(bytes, at)?;
                let mut list = |count: u32| (0..count).map(|_| reader.u32()).collect::<Result<Vec<_>, _>>();
                let (common, own) = (Capabilities(list(common)?), Capabilities(list(own)?));
                if !common.has(COMMON_MINI_HEADER) {
                    return Err(ConnectError::Lacks { what: "short message headers" });
                }
                match (common.has(COMMON_AUTH_SELECTION), common.has(COMMON_AUTH_SPICE)) {
                    (true, true) => {}
                    _ if common.has(COMMON_AUTH_SASL) => return Err(ConnectError::OnlySasl),
                    _ => return Err(ConnectError::Lacks { what: "a choice of ways to sign in" }),
                }
                out.extend_from_slice(&COMMON_AUTH_SPICE.to_le_bytes());
                let password = self.password.as_ref().map_or("", |password| password.expose_secret());
                if password.len() > PASSWORD_BYTES_MAX {
                    return Err(ConnectError::PasswordTooLong { most: PASSWORD_BYTES_MAX });
                }
                out.extend_from_slice(&ticket::make(&key, password.as_bytes()).ok_or(ConnectError::Key)?);
                self.state = State::Verdict(own);
                Ok(None)
            }
            State::Verdict(own) => {
                let own = std::mem::take(own);
                let error = reader.u32()?;
                self.verdict(error)?;
                Ok(Some(own))
            }
        }
    }

    fn verdict(&self, code: u32) -> Result<(), ConnectError> {
        Err(match code {
            0 => return Ok(()),
            ERROR_NEED_SECURED => ConnectError::TlsRequired,
            ERROR_NEED_UNSECURED => ConnectError::TlsUnwanted,
            ERROR_PERMISSION_DENIED if self.password.is_none() => ConnectError::PasswordRequired,
            ERROR_PERMISSION_DENIED => ConnectError::CredentialsRefused,
            code => ConnectError::Refused { channel: name(self.channel), code },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, Link};
    use crate::ConnectError;

    fn greeting(error: u32, common: u32) -> Vec<u8> {
        let mut reply = error.to_le_bytes().to_vec();
        reply.extend_from_slice(&[0; 162]);
        for word in [1, 1, 178, common, 1 << 6] {
            reply.extend_from_slice(&u32::to_le_bytes(word));
        }
        reply
    }

    fn answer(reply: &[u8]) -> ConnectError {
        let mut out = Vec::new();
        let mut link = Link::new(Channel::Main, 0, None, &mut out);
        assert_eq!(out.len(), 16 + 18 + 8);
        let header = [&b"REDQ"[..], &[2, 0, 0, 0, 2, 0, 0, 0], &(reply.len() as u32).to_le_bytes()].concat();
        link.feed(&header, &mut out).unwrap();
        assert_eq!(link.need(), reply.len());
        link.feed(reply, &mut out).unwrap_err()
    }

    #[test]
    fn each_refusal_has_its_own_words() {
        assert!(matches!(answer(&greeting(5, 11)), ConnectError::TlsRequired));
        assert!(matches!(answer(&greeting(6, 11)), ConnectError::TlsUnwanted));
        assert!(matches!(answer(&greeting(7, 11)), ConnectError::PasswordRequired));
        assert!(matches!(answer(&greeting(8, 11)), ConnectError::Refused { code: 8, .. }));
        assert!(matches!(answer(&greeting(0, 0b1101)), ConnectError::OnlySasl));
        assert!(matches!(answer(&greeting(0, 0b0011)), ConnectError::Lacks { .. }));
        assert!(matches!(answer(&greeting(0, 0b1011)), ConnectError::Key), "a key of zeros");
        let mut link = Link::new(Channel::Main, 0, None, &mut Vec::new());
        assert!(matches!(link.feed(b"RFB 003.008\n....", &mut Vec::new()), Err(ConnectError::NotSpice)));
    }
}
