//! Ways to sign in that need a conversation. Each says how many bytes it takes next ([`Talk::need`]) and gets exactly these.

mod ard;
mod mslogon;
mod power;
mod ra2;
mod tight;
mod vencrypt;
pub(crate) mod vnc;

pub(crate) use tight::{CAPABILITIES_MAX, CAPABILITY_BYTES};

use crate::{ConnectError, Security, VncOptions, error::Failure, reader::Reader, seal::Seals};
use ard::Ard;
use mslogon::MsLogonII;
use ra2::Ra2;
use secrecy::ExposeSecret;
use tight::TightSecurity;
use vencrypt::VeNCrypt;

/// Longest user name or password where the protocol sets no limit of its own, in bytes.
const CREDENTIAL_BYTES_MAX: usize = 1024;

pub(crate) enum Talk {
    VeNCrypt(VeNCrypt),
    Tight(TightSecurity),
    Ra2(Box<Ra2>),
    Ard(Ard),
    MsLogonII,
}

/// What comes after a step of a conversation.
pub(crate) enum Next {
    /// The conversation goes on.
    More,
    /// TLS, then this.
    Tls(Security),
    /// A way to sign in without a conversation of its own, or VncAuth's challenge.
    Simply(Security),
    /// The server's verdict on this.
    Verdict(Security),
    /// The same, and from here on everything is sealed.
    SealedVerdict(Security, Box<Seals>),
}

impl Talk {
    pub(crate) const fn vencrypt(others: bool) -> Self {
        Self::VeNCrypt(VeNCrypt::new(others))
    }

    pub(crate) const fn tight() -> Self {
        Self::Tight(TightSecurity::new())
    }

    /// None for ways without a conversation.
    pub(crate) fn of(security: Security) -> Option<Self> {
        Some(match security {
            Security::Ra2 | Security::Ra2ne | Security::Ra2With256 | Security::Ra2neWith256 => {
                Self::Ra2(Box::new(Ra2::new(security)))
            }
            Security::Ard => Self::Ard(Ard::new()),
            Security::MsLogonII => Self::MsLogonII,
            _ => return None,
        })
    }

    pub(crate) const fn need(&self) -> usize {
        match self {
            Self::VeNCrypt(talk) => talk.need(),
            Self::Tight(talk) => talk.need(),
            Self::Ra2(talk) => talk.need(),
            Self::Ard(talk) => talk.need(),
            Self::MsLogonII => MsLogonII::BYTES,
        }
    }

    pub(crate) fn feed(
        &mut self,
        reader: &mut Reader,
        options: &VncOptions,
        out: &mut Vec<u8>,
    ) -> Result<Next, Failure> {
        match self {
            Self::VeNCrypt(talk) => talk.feed(reader, options, out),
            Self::Tight(talk) => talk.feed(reader, options, out),
            Self::Ra2(talk) => talk.feed(reader, options, out),
            Self::Ard(talk) => talk.feed(reader, options, out),
            Self::MsLogonII => MsLogonII::answer(reader, options, out),
        }
    }

    /// What the server proved itself with, once it has.
    pub(crate) fn identity(&self) -> Option<oriel_pin::Fingerprint> {
        match self {
            Self::Ra2(talk) => talk.identity(),
            _ => None,
        }
    }
}

fn user(options: &VncOptions) -> Result<&str, ConnectError> {
    options.user.as_deref().ok_or(ConnectError::UserRequired)
}

fn password(options: &VncOptions) -> Result<&str, ConnectError> {
    options.password.as_ref().map(ExposeSecret::expose_secret).ok_or(ConnectError::PasswordRequired)
}

fn at_most(text: &str, most: usize) -> Result<(), ConnectError> {
    if text.len() > most { Err(ConnectError::CredentialsTooLong { most }) } else { Ok(()) }
}

/// User and password as VeNCrypt's Plain and TightVNC's Unix login send them: both lengths, then both texts.
pub(crate) fn plain(options: &VncOptions, out: &mut Vec<u8>) -> Result<(), ConnectError> {
    let (user, password) = (user(options)?, password(options)?);
    at_most(user, CREDENTIAL_BYTES_MAX)?;
    at_most(password, CREDENTIAL_BYTES_MAX)?;
    out.extend_from_slice(&(user.len() as u32).to_be_bytes());
    out.extend_from_slice(&(password.len() as u32).to_be_bytes());
    out.extend_from_slice(user.as_bytes());
    out.extend_from_slice(password.as_bytes());
    Ok(())
}

/// A text with a closing zero in a field of fixed size whose rest is random.
fn field<const N: usize>(text: &str) -> Result<[u8; N], ConnectError> {
    at_most(text, N - 1)?;
    let mut field = [0; N];
    random(&mut field)?;
    for (slot, byte) in field.iter_mut().zip(text.bytes().chain([0])) {
        *slot = byte;
    }
    Ok(field)
}

fn random(bytes: &mut [u8]) -> Result<(), ConnectError> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| ConnectError::Key { what: "the system gives no random numbers" })
}
