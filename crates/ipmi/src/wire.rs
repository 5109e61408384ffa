//! Datagrams: RMCP's header, and the session's after it (13.1, 13.6). No I/O, total.

use crate::IpmiError;

/// Version 6, no sequence number that would be acknowledged, and the class of IPMI messages (13.1.3).
const RMCP: [u8; 4] = [6, 0, 0xff, 7];
/// Format of the session header: IPMI v2.0's (13.6).
const FORMAT_2_0: u8 = 6;
/// Format of the session header outside of sessions, as IPMI 1.5 has it.
const FORMAT_NONE: u8 = 0;
const ENCRYPTED: u8 = 0x80;
const AUTHENTICATED: u8 = 0x40;

/// Payload types (13.27.3).
pub(crate) mod kind {
    pub const MESSAGE: u8 = 0;
    pub const SOL: u8 = 1;
    pub const OPEN_REQUEST: u8 = 0x10;
    pub const OPEN_ANSWER: u8 = 0x11;
    pub const RAKP_1: u8 = 0x12;
    pub const RAKP_2: u8 = 0x13;
    pub const RAKP_3: u8 = 0x14;
    pub const RAKP_4: u8 = 0x15;
}

/// Reads from the front, and never further than there is.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn word(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn double(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }
}

/// One of IPMI v2.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    pub encrypted: bool,
    pub authenticated: bool,
    pub kind: u8,
    pub session: u32,
    pub sequence: u32,
    pub payload: &'a [u8],
    /// From the session's header on, without RMCP's: what an authentication code covers is its beginning.
    pub body: &'a [u8],
}

/// `None`: it is none.
pub(crate) fn read(bytes: &[u8]) -> Option<Datagram<'_>> {
    let mut reader = Reader(bytes);
    if reader.array()? != RMCP {
        return None;
    }
    let body = reader.0;
    if reader.byte()? != FORMAT_2_0 {
        return None;
    }
    let flags = reader.byte()?;
    let (session, sequence, length) = (reader.double()?, reader.double()?, reader.word()?);
    let payload = reader.bytes(length.into())?;
    Some(Datagram {
        encrypted: flags & ENCRYPTED != 0,
        authenticated: flags & AUTHENTICATED != 0,
        kind: flags & !(ENCRYPTED | AUTHENTICATED),
        session,
        sequence,
        payload,
        body,
    })
}

/// A message outside of any session.
pub(crate) fn read_plain(bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(bytes);
    if reader.array()? != RMCP || reader.byte()? != FORMAT_NONE {
        return None;
    }
    let (_sequence, _session, length) = (reader.double()?, reader.double()?, reader.byte()?);
    reader.bytes(length.into())
}

pub(crate) fn plain(message: &[u8]) -> Result<Vec<u8>, IpmiError> {
    let length = u8::try_from(message.len()).map_err(|_| IpmiError::Cryptography("a message that is too long"))?;
    let mut out = Vec::with_capacity(14 + message.len());
    out.extend_from_slice(&RMCP);
    out.push(FORMAT_NONE);
    out.extend_from_slice(&[0; 8]);
    out.push(length);
    out.extend_from_slice(message);
    Ok(out)
}

/// What a handshake says: in no session yet, and protected by nothing but its own contents.
pub(crate) fn bare(kind: u8, payload: &[u8]) -> Result<Vec<u8>, IpmiError> {
    let mut out = Vec::with_capacity(16 + payload.len());
    out.extend_from_slice(&RMCP);
    out.extend_from_slice(&header(kind, 0, 0, payload.len())?);
    out.extend_from_slice(payload);
    Ok(out)
}

/// The beginning of one that is encrypted and has an authentication code: RMCP's header, and the session's.
pub(crate) fn sealed(kind: u8, session: u32, sequence: u32, length: usize) -> Result<Vec<u8>, IpmiError> {
    let mut out = Vec::with_capacity(64 + length);
    out.extend_from_slice(&RMCP);
    out.extend_from_slice(&header(kind | ENCRYPTED | AUTHENTICATED, session, sequence, length)?);
    Ok(out)
}

/// Bytes of RMCP's header, which no authentication code covers.
pub(crate) const RMCP_BYTES: usize = RMCP.len();
/// Bytes of the session's header.
pub(crate) const HEADER_BYTES: usize = 12;

fn header(kind: u8, session: u32, sequence: u32, length: usize) -> Result<[u8; HEADER_BYTES], IpmiError> {
    let length = u16::try_from(length).map_err(|_| IpmiError::Cryptography("a payload that is too long"))?;
    let mut header = [0; HEADER_BYTES];
    let parts = [FORMAT_2_0, kind].into_iter().chain(session.to_le_bytes()).chain(sequence.to_le_bytes());
    for (place, byte) in header.iter_mut().zip(parts.chain(length.to_le_bytes())) {
        *place = byte;
    }
    Ok(header)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let bytes = bare(kind::RAKP_1, b"hello").unwrap();
        let read = read(&bytes).unwrap();
        assert_eq!((read.kind, read.session, read.payload), (kind::RAKP_1, 0, b"hello".as_slice()));
        assert!(!read.encrypted && !read.authenticated);
        for cut in 0..bytes.len() {
            assert_eq!(super::read(&bytes[..cut]), None);
        }
        let bytes = plain(b"ab").unwrap();
        assert_eq!(read_plain(&bytes), Some(b"ab".as_slice()));
        assert!(super::read(&bytes).is_none() && read_plain(&bytes[..15]).is_none());
        assert!(plain(&[0; 256]).is_err() && bare(0, &vec![0; 1 << 16]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..100), ours in any::<bool>()) {
            if ours && bytes.len() > 5 {
                bytes[..5].copy_from_slice(&[6, 0, 0xff, 7, 6]);
            }
            read(&bytes);
            read_plain(&bytes);
        }
    }
}
