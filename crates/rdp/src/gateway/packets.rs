//! Packets of the HTTP transport (MS-TSGU 2.2.10), without their transport.

/// What a packet is (2.2.5.3.3).
pub(super) const HANDSHAKE_REQUEST: u16 = 1;
pub(super) const HANDSHAKE_RESPONSE: u16 = 2;
pub(super) const TUNNEL_CREATE: u16 = 4;
pub(super) const TUNNEL_RESPONSE: u16 = 5;
pub(super) const TUNNEL_AUTH: u16 = 6;
pub(super) const TUNNEL_AUTH_RESPONSE: u16 = 7;
pub(super) const CHANNEL_CREATE: u16 = 8;
pub(super) const CHANNEL_RESPONSE: u16 = 9;
pub(super) const DATA: u16 = 0xa;
pub(super) const SERVICE_MESSAGE: u16 = 0xb;
pub(super) const REAUTH_MESSAGE: u16 = 0xc;
pub(super) const KEEPALIVE: u16 = 0xd;
pub(super) const CLOSE_CHANNEL: u16 = 0x10;
pub(super) const CLOSE_CHANNEL_RESPONSE: u16 = 0x11;

/// What and how long (2.2.10.9).
const HEADER_BYTES: usize = 8;
/// The longest that a length of 16 bits leads to, with what stands before it.
pub(super) const PACKET_BYTES_MAX: usize = HEADER_BYTES + 64 + u16::MAX as usize;
/// Data of one packet of ours.
pub(super) const DATA_BYTES_MAX: usize = 16 << 10;

/// `HTTP_CAPABILITY_MESSAGING_CONSENT_SIGN` (2.2.5.3.9): gateways let nobody through who has none of these.
const CAPABILITIES: u32 = 4;
/// RDP, among what may be behind a gateway (2.2.10.2).
const PROTOCOL_RDP: u16 = 3;
/// The message for the person is there, after what the other bits say (2.2.5.3.8).
const FIELD_TUNNEL: u16 = 1;
const FIELD_CAPABILITIES: u16 = 2;
const FIELD_HEALTH: u16 = 4;
const FIELD_CONSENT: u16 = 0x10;
/// A nonce, before the certificate for statements of health (2.2.10.21).
const NONCE_BYTES: usize = 16;

/// Reads little-endian numbers; what is not there is an error.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("a packet ends in a field")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_le_bytes(self.take(2)?.try_into().map_err(|_| "a number is short")?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| "a number is short")?))
    }

    /// Bytes behind their number (2.2.10.22 and others).
    pub(super) fn counted(&mut self) -> Result<&'a [u8], String> {
        let count = self.u16()?;
        self.take(usize::from(count))
    }
}

fn packet(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut packet = kind.to_le_bytes().to_vec();
    packet.extend([0, 0]);
    packet.extend(((HEADER_BYTES + body.len()) as u32).to_le_bytes());
    packet.extend_from_slice(body);
    packet
}

/// With its length and a zero at its end.
fn text(out: &mut Vec<u8>, text: &str) {
    let units: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    out.extend(u16::try_from(units.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(units);
}

/// Version 1.0, and no authentication beside HTTP's (2.2.10.10).
pub(super) fn handshake() -> Vec<u8> {
    packet(HANDSHAKE_REQUEST, &[1, 0, 0, 0, 0, 0])
}

/// 2.2.10.18.
pub(super) fn tunnel() -> Vec<u8> {
    let mut body = CAPABILITIES.to_le_bytes().to_vec();
    body.extend([0; 4]);
    packet(TUNNEL_CREATE, &body)
}

/// 2.2.10.14.
pub(super) fn authorization(client_name: &str) -> Vec<u8> {
    let mut body = vec![0, 0];
    text(&mut body, client_name);
    packet(TUNNEL_AUTH, &body)
}

/// To one machine (2.2.10.2 and 2.2.10.3).
pub(super) fn channel(host: &str, port: u16) -> Vec<u8> {
    let mut body = vec![1, 0];
    body.extend(port.to_le_bytes());
    body.extend(PROTOCOL_RDP.to_le_bytes());
    text(&mut body, host);
    packet(CHANNEL_CREATE, &body)
}

/// 2.2.10.6; at most [`DATA_BYTES_MAX`].
pub(super) fn data(bytes: &[u8]) -> Vec<u8> {
    let mut body = (bytes.len() as u16).to_le_bytes().to_vec();
    body.extend_from_slice(bytes);
    packet(DATA, &body)
}

pub(super) fn keepalive() -> Vec<u8> {
    packet(KEEPALIVE, &[])
}

/// Nothing went wrong (2.2.10.23).
pub(super) fn close(kind: u16) -> Vec<u8> {
    packet(kind, &[0; 4])
}

/// The first packet, once it is whole: what it is, and what it says.
pub(super) fn next(packets: &mut Vec<u8>) -> Result<Option<(u16, Vec<u8>)>, String> {
    let Some([kind_low, kind_high, _, _, a, b, c, d]) = packets.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let kind = u16::from_le_bytes([*kind_low, *kind_high]);
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    if !(HEADER_BYTES..=PACKET_BYTES_MAX).contains(&length) {
        return Err(format!("a packet of kind {kind:#x} says that it has {length} bytes"));
    }
    if packets.len() < length {
        return Ok(None);
    }
    let rest = packets.split_off(length);
    let packet = std::mem::replace(packets, rest);
    Ok(Some((kind, packet.get(HEADER_BYTES..).unwrap_or_default().to_vec())))
}

/// What the gateway's administrators want people to read, in the answer to [`tunnel`] (2.2.10.20 and 2.2.10.21), behind the status.
pub(super) fn consent(read: &mut Reader<'_>) -> Result<Option<String>, String> {
    let fields = read.u16()?;
    read.u16()?;
    for (field, bytes) in [(FIELD_TUNNEL, 4), (FIELD_CAPABILITIES, 4), (FIELD_HEALTH, NONCE_BYTES)] {
        if fields & field != 0 {
            read.take(bytes)?;
        }
    }
    if fields & FIELD_HEALTH != 0 {
        read.counted()?;
    }
    if fields & FIELD_CONSENT == 0 {
        return Ok(None);
    }
    Ok(Some(utf16(read.counted()?)))
}

/// What can be read of it, without control characters.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    String::from_utf16_lossy(&units).chars().filter(|letter| !letter.is_control()).collect()
}
