//! TightVNC's security type (community's RFB specification, "Tight Security Type"): a list of tunnels, of which we take
//! none, then a list of ways to sign in.

use super::Next;
use crate::{
    Security, VncOptions,
    error::{Failure, broken},
    reader::Reader,
    security,
};

/// A code, its vendor and its name.
pub(crate) const CAPABILITY_BYTES: usize = 16;
/// Longest list of capabilities that is read.
pub(crate) const CAPABILITIES_MAX: u32 = 255;

pub(crate) struct TightSecurity(State);

#[derive(Clone, Copy)]
enum State {
    TunnelCount,
    Tunnels(u32),
    LoginCount,
    Logins(u32),
}

impl TightSecurity {
    pub(super) const fn new() -> Self {
        Self(State::TunnelCount)
    }

    pub(super) const fn need(&self) -> usize {
        match self.0 {
            State::TunnelCount | State::LoginCount => 4,
            State::Tunnels(count) | State::Logins(count) => count as usize * CAPABILITY_BYTES,
        }
    }

    pub(super) fn feed(
        &mut self,
        reader: &mut Reader,
        options: &VncOptions,
        out: &mut Vec<u8>,
    ) -> Result<Next, Failure> {
        self.0 = match self.0 {
            State::TunnelCount => match counted(reader)? {
                0 => State::LoginCount,
                count => State::Tunnels(count),
            },
            State::Tunnels(count) => {
                if !codes(reader, count)?.contains(&0) {
                    return Err(broken("its Tight security has tunnels only, none of which Oriel knows"));
                }
                out.extend_from_slice(&[0; 4]);
                State::LoginCount
            }
            State::LoginCount => match counted(reader)? {
                0 if options.security.allows(Security::None) => return Ok(Next::Simply(Security::None)),
                0 => return Err(broken("its Tight security signs nobody in")),
                count => State::Logins(count),
            },
            State::Logins(count) => {
                let (security, number) = security::tight(options, &codes(reader, count)?)?;
                out.extend_from_slice(&number.to_be_bytes());
                return Ok(Next::Simply(security));
            }
        };
        Ok(Next::More)
    }
}

fn counted(reader: &mut Reader) -> Result<u32, Failure> {
    match reader.u32()? {
        count if count > CAPABILITIES_MAX => Err(broken(format!("a list of {count} Tight capabilities"))),
        count => Ok(count),
    }
}

fn codes(reader: &mut Reader, count: u32) -> Result<Vec<u32>, Failure> {
    let mut codes = Vec::new();
    for _ in 0..count {
        codes.push(reader.u32()?);
        reader.take(CAPABILITY_BYTES - 4)?;
    }
    Ok(codes)
}
