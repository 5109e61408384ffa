//! A WebSocket's frames (RFC 6455 §5), as far as a gateway needs them: one stream of bytes in binary frames, however it is cut.

/// Kinds of frames (§5.2).
const CONTINUATION: u8 = 0;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const LAST: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Lengths that say that the length follows, in two bytes and in eight.
const TWO: u8 = 126;
const EIGHT: u8 = 127;
/// Of frames about the connection itself (§5.5).
const CONTROL_BYTES_MAX: u64 = 125;
/// Two bytes and a length of eight.
const HEADER_BYTES_MAX: usize = 10;

/// Our side, which reads.
#[derive(Debug, Default)]
pub(super) struct WebSocket {
    /// Of a header that is half here.
    header: Vec<u8>,
    /// The frame that is being read, and what is missing of it.
    frame: Option<(u8, u64)>,
    control: Vec<u8>,
    closed: bool,
}

impl WebSocket {
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// What the other side sent, in pieces of any size: its bytes go to `payload`, answers to `out`.
    pub(super) fn receive(&mut self, mut bytes: &[u8], payload: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), String> {
        while !self.closed {
            let (kind, missing) = match self.frame {
                Some(frame) => frame,
                None => match self.begin(&mut bytes)? {
                    Some(frame) => frame,
                    None => return Ok(()),
                },
            };
            let here = usize::try_from(missing).unwrap_or(usize::MAX).min(bytes.len());
            let (part, rest) = bytes.split_at_checked(here).unwrap_or_default();
            bytes = rest;
            match kind {
                BINARY | CONTINUATION => payload.extend_from_slice(part),
                _ => self.control.extend_from_slice(part),
            }
            let missing = missing - part.len() as u64;
            if missing > 0 {
                self.frame = Some((kind, missing));
                return Ok(());
            }
            self.frame = None;
            let control = std::mem::take(&mut self.control);
            match kind {
                PING => frame(out, PONG, &control),
                CLOSE => {
                    self.closed = true;
                    frame(out, CLOSE, control.get(..2).unwrap_or_default());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The next frame's header, once it is whole: what it is, and how long.
    fn begin(&mut self, bytes: &mut &[u8]) -> Result<Option<(u8, u64)>, String> {
        while self.header.len() < HEADER_BYTES_MAX {
            if let Some(frame) = header(&self.header)? {
                self.header.clear();
                self.frame = Some(frame);
                return Ok(Some(frame));
            }
            let Some((byte, rest)) = bytes.split_first() else { return Ok(None) };
            self.header.push(*byte);
            *bytes = rest;
        }
        let frame = header(&self.header)?.ok_or("a frame has an endless header")?;
        self.header.clear();
        self.frame = Some(frame);
        Ok(Some(frame))
    }
}

/// `None`: more of it is needed.
fn header(bytes: &[u8]) -> Result<Option<(u8, u64)>, String> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (kind, length) = (first & 0xf, second & !MASKED);
    if second & MASKED != 0 {
        return Err("a frame of the gateway is masked".to_owned());
    }
    if !matches!(kind, CONTINUATION | BINARY | CLOSE | PING | PONG) {
        return Err(format!("a frame has the kind {kind}, which no gateway sends"));
    }
    let length = match length {
        TWO => match rest.first_chunk::<2>() {
            Some(length) => u64::from(u16::from_be_bytes(*length)),
            None => return Ok(None),
        },
        EIGHT => match rest.first_chunk::<8>() {
            Some(length) => u64::from_be_bytes(*length),
            None => return Ok(None),
        },
        length => u64::from(length),
    };
    if kind >= CLOSE && (length > CONTROL_BYTES_MAX || first & LAST == 0) {
        return Err("a frame about the connection is too long, or in pieces".to_owned());
    }
    Ok(Some((kind, length)))
}

fn frame(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.push(LAST | kind);
    match payload.len() {
        length @ 0..=125 => out.push(MASKED | length as u8),
        length @ 126..=0xffff => {
            out.push(MASKED | TWO);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(MASKED | EIGHT);
            out.extend((length as u64).to_be_bytes());
        }
    }
    // What clients say is masked with what nobody can guess (§5.3).
    let mask: [u8; 4] = rand::random();
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Appends bytes as one frame.
pub(super) fn put(out: &mut Vec<u8>, payload: &[u8]) {
    frame(out, BINARY, payload);
}

/// Appends that nothing follows, because all is said (§7.4.1).
pub(super) fn put_close(out: &mut Vec<u8>) {
    frame(out, CLOSE, &1000u16.to_be_bytes());
}
