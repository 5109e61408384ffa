//! Opening a session (RFC 6143 §7.1–§7.3): version, security, initialisation.
//!
//! ```text
//! Version ─┬─▶ Count ─▶ Types ─┬─▶ Talk ─┬▶ Challenge ─▶ Result ─┬─▶ Server ─▶ Name ─┬▶ Tight lists ─▶ (established)
//!          └─▶ Chosen (3.3) ───┴─────────┴──────────────▲        └─▶ ReasonLength ─▶ Reason ─▶ (error)
//! ```
//! [`Handshake::need`] says how many bytes the current state takes; each [`Handshake::feed`] gets exactly these.

use crate::{
    ConnectError, NAME_BYTES_MAX, REASON_BYTES_MAX, REPEATER_BYTES, Security, VncOptions,
    auth::{self, CAPABILITIES_MAX, CAPABILITY_BYTES, Next, Talk, vnc},
    error::{Failure, broken},
    reader::{Reader, Stop},
    seal::Seals,
    security::{self, Choice},
};
use oriel_pin::{Fingerprint, HostPin};
use secrecy::SecretString;

/// What a handshake ends with: the server's first word on its screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    pub width: u16,
    pub height: u16,
    pub name: String,
}

/// The keys of a sealed session.
pub struct SealKeys(pub(crate) Box<Seals>);

/// What the caller does after a step; what was appended to `out` is sent first.
pub enum Progress {
    /// Bring the next bytes.
    More,
    /// Begin TLS on the stream, then call [`Handshake::secured`].
    StartTls,
    /// From the next byte on, both directions are sealed.
    Seal(SealKeys),
    Established(Established),
}

enum State {
    Version,
    /// How many security types follow (3.7 and later).
    Count,
    Types(u8),
    /// The server's choice (3.3).
    Chosen,
    Talk(Talk),
    /// TLS begins; then this.
    Securing(Security),
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
    /// How many messages and encodings a server with Tight security lists.
    TightCounts(Established),
    TightLists {
        established: Established,
        count: u32,
    },
    Over,
}

pub struct Handshake {
    options: VncOptions,
    state: State,
    /// 3, 7 or 8.
    minor: u8,
    /// The repeater has been told whom we want.
    repeated: bool,
    /// The server lists its abilities after its name.
    tight: bool,
    security: Security,
    identity: Option<Fingerprint>,
}

impl Handshake {
    pub const fn new(options: VncOptions) -> Self {
        Self {
            options,
            state: State::Version,
            minor: 8,
            repeated: false,
            tight: false,
            security: Security::None,
            identity: None,
        }
    }

    /// How we signed in.
    pub const fn security(&self) -> Security {
        self.security
    }

    /// What the server proved itself with.
    pub const fn identity(&self) -> Option<Fingerprint> {
        self.identity
    }

    /// How many bytes the next [`Self::feed`] takes: at most 4096.
    pub const fn need(&self) -> usize {
        match &self.state {
            State::Version => 12,
            State::Count => 1,
            State::Types(count) => *count as usize,
            State::Chosen | State::Result | State::ReasonLength { .. } => 4,
            State::Talk(talk) => talk.need(),
            State::Challenge => vnc::CHALLENGE_BYTES,
            State::Reason { length, .. } | State::Name { length, .. } => *length as usize,
            State::Server => 24,
            State::TightCounts(_) => 8,
            State::TightLists { count, .. } => *count as usize * CAPABILITY_BYTES,
            State::Securing(_) | State::Over => 1,
        }
    }

    /// Takes exactly [`Self::need`] bytes and appends the answer for the server to `out`.
    ///
    /// # Errors
    /// See [`ConnectError`]; the handshake is over then.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Progress, ConnectError> {
        let mut reader = Reader::new(bytes);
        self.advance(&mut reader, out).map_err(named)
    }

    /// TLS has begun with a server that proved to be this one; what to send inside it is appended to `out`.
    ///
    /// # Errors
    /// It is not the pinned server, or its way to sign in lacks credentials.
    pub fn secured(&mut self, identity: Fingerprint, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        self.identity = Some(identity);
        if let HostPin::Sha256(expected) = self.options.pin
            && expected != identity.0
        {
            return Err(ConnectError::IdentityChanged { expected: Fingerprint(expected), seen: identity });
        }
        if let State::Securing(security) = self.state {
            self.state = match security {
                Security::X509Plain => {
                    auth::plain(&self.options, out)?;
                    State::Result
                }
                Security::X509Vnc => State::Challenge,
                _ => State::Result,
            };
        }
        Ok(())
    }

    fn advance(&mut self, reader: &mut Reader, out: &mut Vec<u8>) -> Result<Progress, Failure> {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Version => self.version(&reader.array()?, out)?,
            State::Count => match reader.u8()? {
                0 => State::ReasonLength { credentials: false },
                count => State::Types(count),
            },
            State::Types(count) => {
                let choice = security::outer(&self.options, reader.take(usize::from(count))?)?;
                out.push(match choice {
                    Choice::Direct(security) => security.outer().unwrap_or_default(),
                    Choice::VeNCrypt { .. } => security::kind::VENCRYPT,
                    Choice::Tight => security::kind::TIGHT,
                });
                match choice {
                    Choice::Direct(security) => self.begin(security, out)?,
                    Choice::VeNCrypt { others } => State::Talk(Talk::vencrypt(others)),
                    Choice::Tight => {
                        self.tight = true;
                        State::Talk(Talk::tight())
                    }
                }
            }
            State::Chosen => match reader.u32()? {
                0 => State::ReasonLength { credentials: false },
                kind => {
                    let kind = u8::try_from(kind).unwrap_or(u8::MAX);
                    match security::outer(&self.options, &[kind])? {
                        Choice::Direct(security) => self.begin(security, out)?,
                        _ => return Err(broken("a server of version 3.3 asks for a security type of later versions")),
                    }
                }
            },
            State::Talk(mut talk) => {
                let next = talk.feed(reader, &self.options, out)?;
                self.identity = talk.identity().or(self.identity);
                match next {
                    Next::More => State::Talk(talk),
                    Next::Tls(security) => {
                        self.security = security;
                        self.state = State::Securing(security);
                        return Ok(Progress::StartTls);
                    }
                    Next::Simply(security) => self.begin(security, out)?,
                    Next::Verdict(security) => {
                        self.security = security;
                        State::Result
                    }
                    Next::SealedVerdict(security, seals) => {
                        self.security = security;
                        self.state = State::Result;
                        return Ok(Progress::Seal(SealKeys(seals)));
                    }
                }
            }
            State::Securing(_) | State::Over => return Err(broken("bytes came when none were wanted")),
            State::Challenge => {
                let challenge = reader.array()?;
                out.extend_from_slice(&vnc::answer(challenge, self.password()?));
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
                    return Err(broken(format!(
                        "its screen name is {length} bytes long, at most {NAME_BYTES_MAX} are accepted"
                    )));
                }
                if length == 0 {
                    return Ok(self.established(Established { width, height, name: String::new() }));
                }
                State::Name { width, height, length }
            }
            State::Name { width, height, length } => {
                let name = printable(reader.take(length as usize)?);
                return Ok(self.established(Established { width, height, name }));
            }
            State::TightCounts(established) => {
                let count: u32 = [reader.u16()?, reader.u16()?, reader.u16()?].into_iter().map(u32::from).sum();
                match count {
                    0 => return Ok(Progress::Established(established)),
                    count if count > CAPABILITIES_MAX => {
                        return Err(broken(format!("it lists {count} Tight capabilities")));
                    }
                    count => State::TightLists { established, count },
                }
            }
            // We ask for what we know, whatever is listed.
            State::TightLists { established, .. } => return Ok(Progress::Established(established)),
        };
        Ok(Progress::More)
    }

    fn version(&mut self, greeting: &[u8; 12], out: &mut Vec<u8>) -> Result<State, Failure> {
        if greeting == b"RFB 000.000\n" && !self.repeated {
            let target = self.options.repeater.as_ref().ok_or(ConnectError::RepeaterUnasked)?;
            let mut asked = [0; REPEATER_BYTES];
            let Some(room) = asked.get_mut(..target.len()).filter(|room| room.len() < REPEATER_BYTES) else {
                return Err(ConnectError::RepeaterTarget { target: target.clone(), most: REPEATER_BYTES - 1 }.into());
            };
            room.copy_from_slice(target.as_bytes());
            out.extend_from_slice(&asked);
            self.repeated = true;
            return Ok(State::Version);
        }
        self.minor = version(greeting)?;
        out.extend_from_slice(format!("RFB 003.00{}\n", self.minor).as_bytes());
        Ok(if self.minor == 3 { State::Chosen } else { State::Count })
    }

    fn password(&self) -> Result<&SecretString, ConnectError> {
        self.options.password.as_ref().ok_or(ConnectError::PasswordRequired)
    }

    /// What follows the choice of a way to sign in.
    fn begin(&mut self, security: Security, out: &mut Vec<u8>) -> Result<State, Failure> {
        self.security = security;
        Ok(match (security, Talk::of(security)) {
            (_, Some(talk)) => State::Talk(talk),
            (Security::VncAuth, None) => State::Challenge,
            (Security::UnixLogin, None) => {
                auth::plain(&self.options, out)?;
                State::Result
            }
            _ if self.minor == 8 => State::Result,
            _ => {
                // Before 3.8 there is no result without authentication: ClientInit (shared) is next.
                out.push(1);
                State::Server
            }
        })
    }

    fn established(&mut self, established: Established) -> Progress {
        if self.tight {
            self.state = State::TightCounts(established);
            return Progress::More;
        }
        Progress::Established(established)
    }
}

fn named(failure: Failure) -> ConnectError {
    match failure {
        Failure::Connect(error) => error,
        Failure::Stop(Stop::Bad(what)) => ConnectError::Protocol { what },
        Failure::Stop(Stop::Short) => ConnectError::Protocol { what: String::from("the opening is cut short") },
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

/// Remote text for people: no control characters.
pub(crate) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect()
}
