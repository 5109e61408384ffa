//! VeNCrypt (community's RFB specification): version 0.2, a list of types, TLS, then the type's own way to sign in.

use super::Next;
use crate::{
    Security, VncOptions,
    error::{Failure, broken},
    reader::Reader,
    security,
};

pub(crate) struct VeNCrypt {
    state: State,
    /// The first list had something else that would do.
    others: bool,
}

enum State {
    Version,
    /// Zero: our version is taken; then how many types follow.
    Accepted,
    Types(u8),
    /// One: begin TLS.
    Begin(Security),
}

impl VeNCrypt {
    pub(super) const fn new(others: bool) -> Self {
        Self { state: State::Version, others }
    }

    pub(super) const fn need(&self) -> usize {
        match self.state {
            State::Version | State::Accepted => 2,
            State::Types(count) => count as usize * 4,
            State::Begin(_) => 1,
        }
    }

    pub(super) fn feed(
        &mut self,
        reader: &mut Reader,
        options: &VncOptions,
        out: &mut Vec<u8>,
    ) -> Result<Next, Failure> {
        self.state = match self.state {
            State::Version => {
                let version: [u8; 2] = reader.array()?;
                if version < [0, 2] {
                    return Err(broken(format!("VeNCrypt of version {}.{} is too old", version[0], version[1])));
                }
                out.extend_from_slice(&[0, 2]);
                State::Accepted
            }
            State::Accepted => match reader.array()? {
                [0, 0] => return Err(broken("VeNCrypt offers nothing")),
                [0, count] => State::Types(count),
                [refusal, _] => return Err(broken(format!("VeNCrypt 0.2 was refused with {refusal}"))),
            },
            State::Types(count) => {
                let mut offered = Vec::new();
                for _ in 0..count {
                    offered.push(reader.u32()?);
                }
                let (security, number) = security::vencrypt(options, &offered, self.others)?;
                out.extend_from_slice(&number.to_be_bytes());
                if security == Security::Plain {
                    super::plain(options, out)?;
                    return Ok(Next::Verdict(security));
                }
                State::Begin(security)
            }
            State::Begin(security) => match reader.u8()? {
                1 => return Ok(Next::Tls(security)),
                refusal => return Err(broken(format!("the server refused to begin TLS ({refusal})"))),
            },
        };
        Ok(Next::More)
    }
}
