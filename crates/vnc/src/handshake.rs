//! Opening a session (RFC 6143 §7.1–§7.3): version, security, initialisation.
//!
//! ```text
//! Version ─┬─▶ Count ─▶ Types ─┬─▶ Challenge ─▶ Result ─┬─▶ Server ─▶ Name ─▶ (established)
//!          └─▶ Chosen (3.3) ───┴────────────────▲       └─▶ ReasonLength ─▶ Reason ─▶ (error)
//! ```
//! [`Handshake::need`] says how many bytes the current state takes; each [`Handshake::feed`] gets exactly these.

use crate::{
    ConnectError, NAME_BYTES_MAX, REASON_BYTES_MAX, auth,
    reader::{Reader, Stop},
};
use secrecy::SecretString;

const NONE: u8 = 1;
const VNC: u8 = 2;

/// What a handshake ends with: the server's first word on its screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    pub width: u16,
    pub height: u16,
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Version,
    /// How many security types follow (3.7 and later).
    Count,
    Types(u8),
    /// The server's choice (3.3).
    Chosen,
    Challenge,
    Result,
    ReasonLength {
        credentials: bool,
    },
    Reason {
        length: u32,
        credentials: bool,
    },
    Server,
    Name {
        width: u16,
        height: u16,
        length: u32,
    },
}

#[derive(Debug)]
pub struct Handshake {
    password: Option<SecretString>,
    state: State,
    /// 3, 7 or 8.
    minor: u8,
}

impl Handshake {
    pub const fn new(password: Option<SecretString>) -> Self {
        Self { password, state: State::Version, minor: 8 }
    }

    /// How many bytes the next [`Self::feed`] takes; bounded by [`NAME_BYTES_MAX`] and [`REASON_BYTES_MAX`].
    pub const fn need(&self) -> usize {
        match self.state {
            State::Version => 12,
            State::Count => 1,
            State::Types(count) => count as usize,
            State::Chosen | State::Result | State::ReasonLength { .. } => 4,
            State::Challenge => auth::CHALLENGE_BYTES,
            State::Reason { length, .. } | State::Name { length, .. } => length as usize,
            State::Server => 24,
        }
    }

    /// Takes exactly [`Self::need`] bytes and appends the answer for the server to `out`.
    ///
    /// # Errors
    /// See [`ConnectError`]; the handshake is over then.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Option<Established>, ConnectError> {
        let mut reader = Reader::new(bytes);
        self.advance(&mut reader, out).map_err(|error| match error {
            Failure::Connect(error) => error,
            Failure::Stop(Stop::Bad(what)) => ConnectError::Protocol { what },
            Failure::Stop(Stop::Short) => ConnectError::Protocol { what: "the opening is cut short".into() },
        })
    }

    fn advance(&mut self, reader: &mut Reader, out: &mut Vec<u8>) -> Result<Option<Established>, Failure> {
        self.state = match self.state {
            State::Version => {
                self.minor = version(&reader.array()?)?;
                out.extend_from_slice(format!("RFB 003.00{}\n", self.minor).as_bytes());
                if self.minor == 3 { State::Chosen } else { State::Count }
            }
            State::Count => match reader.u8()? {
                0 => State::ReasonLength { credentials: false },
                count => State::Types(count),
            },
            State::Types(count) => {
                let chosen = self.choose(reader.take(usize::from(count))?)?;
                out.push(chosen);
                self.after_choice(chosen, out)
            }
            State::Chosen => match reader.u32()? {
                0 => State::ReasonLength { credentials: false },
                kind => {
                    let kind = u8::try_from(kind).unwrap_or(u8::MAX);
                    let chosen = self.choose(&[kind])?;
                    self.after_choice(chosen, out)
                }
            },
            State::Challenge => {
                let challenge = reader.array()?;
                let password = self.password.as_ref().ok_or(ConnectError::PasswordRequired)?;
                out.extend_from_slice(&auth::answer(challenge, password));
                State::Result
            }
            State::Result => match (reader.u32()?, self.minor) {
                (0, _) => {
                    out.push(1);
                    State::Server
                }
                (_, 8) => State::ReasonLength { credentials: true },
                (2, _) => return Err(refused(true, String::from("too many attempts")).into()),
                _ => return Err(refused(true, String::from("it gives no reason")).into()),
            },
            State::ReasonLength { credentials } => match reader.u32()? {
                0 => return Err(refused(credentials, String::from("it gives no reason")).into()),
                length if length > REASON_BYTES_MAX => {
                    return Err(
                        refused(credentials, format!("its reason of {length} bytes is too long to show")).into()
                    );
                }
                length => State::Reason { length, credentials },
            },
            State::Reason { length, credentials } => {
                let text = reader.take(length as usize)?;
                return Err(refused(credentials, printable(text)).into());
            }
            State::Server => {
                let (width, height) = (reader.u16()?, reader.u16()?);
                reader.take(16)?;
                let length = reader.u32()?;
                if length > NAME_BYTES_MAX {
                    return Err(Stop::Bad(format!(
                        "its screen name is {length} bytes long, at most {NAME_BYTES_MAX} are accepted"
                    ))
                    .into());
                }
                if length == 0 {
                    return Ok(Some(Established { width, height, name: String::new() }));
                }
                State::Name { width, height, length }
            }
            State::Name { width, height, length } => {
                let name = printable(reader.take(length as usize)?);
                return Ok(Some(Established { width, height, name }));
            }
        };
        Ok(None)
    }

    fn choose(&self, offered: &[u8]) -> Result<u8, ConnectError> {
        let has = |kind| offered.contains(&kind);
        match (has(NONE), has(VNC), self.password.is_some()) {
            (_, true, true) => Ok(VNC),
            (true, _, _) => Ok(NONE),
            (false, true, false) => Err(ConnectError::PasswordRequired),
            (false, false, _) => Err(ConnectError::SecurityUnsupported { offered: names(offered) }),
        }
    }

    fn after_choice(&self, chosen: u8, out: &mut Vec<u8>) -> State {
        if chosen == VNC {
            State::Challenge
        } else if self.minor == 8 {
            State::Result
        } else {
            // Before 3.8 there is no result without authentication: ClientInit (shared) is next.
            out.push(1);
            State::Server
        }
    }
}

enum Failure {
    Connect(ConnectError),
    Stop(Stop),
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

fn refused(credentials: bool, reason: String) -> ConnectError {
    if credentials { ConnectError::CredentialsRefused { reason } } else { ConnectError::Refused { reason } }
}

/// `RFB xxx.yyy\n`; odd numbers that some servers send mean the nearest known version (RFC 6143 §7.1.1).
fn version(greeting: &[u8; 12]) -> Result<u8, ConnectError> {
    let text = std::str::from_utf8(greeting).unwrap_or("");
    let number = |text: Option<&str>| text.and_then(|digits| digits.parse::<u16>().ok());
    let major = text.strip_prefix("RFB ").and_then(|_| number(text.get(4..7)));
    let minor = number(text.get(8..11));
    match (major, minor, text.get(7..8), text.ends_with('\n')) {
        (Some(major), Some(minor), Some("."), true) => match (major, minor) {
            (0..=2, _) | (3, 0..=2) => Err(ConnectError::TooOld { version: format!("{major}.{minor}") }),
            (3, 3..=6) => Ok(3),
            (3, 7) => Ok(7),
            _ => Ok(8),
        },
        _ => Err(ConnectError::NotVnc { greeting: String::from_utf8_lossy(greeting).into_owned() }),
    }
}

fn names(offered: &[u8]) -> String {
    let mut names: Vec<String> = offered
        .iter()
        .map(|kind| match kind {
            5 | 6 | 13 | 129..=133 => String::from("RealVNC's RA2"),
            16 => String::from("Tight"),
            18 | 19 => String::from("VeNCrypt (TLS)"),
            20 => String::from("SASL"),
            30 => String::from("Apple's login"),
            113 => String::from("Microsoft logon"),
            other => format!("security type {other}"),
        })
        .collect();
    names.dedup();
    names.join(", ")
}

/// Remote text for people: no control characters.
pub(crate) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect()
}
