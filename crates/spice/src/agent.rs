//! The agent in the guest, through the main channel: clipboard and the size of the screen (SPICE protocol, "Agent"; `vd_agent.h`).
//!
//! Its messages travel in pieces of at most [`PIECE_BYTES_MAX`], each of which takes a token of the other side.

use crate::{
    channel,
    mux::Channel,
    reader::{Broken, Reader, bad},
};
use oriel_screen::{CLIPBOARD_BYTES_MAX, Monitor, ScreenEvent, with_lf};
use std::collections::VecDeque;

const PIECE_BYTES_MAX: usize = 2048;
/// Pieces that the agent may send before we give tokens back.
const TOKENS: u32 = 32;
/// Bytes that wait for tokens: one clipboard and what else there is. More is left out.
const WAITING_BYTES_MAX: usize = 3 << 20;
/// Pieces that are sent before more comes from the server: it gives out tokens as it likes, and a few bytes can ask for a long text.
const PIECES_AT_ONCE_MAX: usize = 1024;
const HEADER_BYTES: usize = 20;
/// Largest message that is collected, in bytes; larger ones are left out.
const MESSAGE_BYTES_MAX: usize = CLIPBOARD_BYTES_MAX + 64;

const AGENT_START: u16 = 106;
const AGENT_DATA: u16 = 107;
const AGENT_TOKEN: u16 = 108;

const PROTOCOL: u32 = 1;
const MONITORS_CONFIG: u32 = 2;
const CLIPBOARD: u32 = 4;
const ANNOUNCE_CAPABILITIES: u32 = 6;
const CLIPBOARD_GRAB: u32 = 7;
const CLIPBOARD_REQUEST: u32 = 8;

const CAP_MONITORS_CONFIG: u32 = 1;
const CAP_CLIPBOARD_BY_DEMAND: u32 = 5;
const CAP_CLIPBOARD_SELECTION: u32 = 6;
const CAP_GUEST_LINES_END_CRLF: u32 = 9;

const TYPE_NONE: u32 = 0;
const TYPE_UTF8_TEXT: u32 = 1;
/// Monitors have places.
const FLAG_USE_PLACES: u32 = 1;

#[derive(Debug, Default)]
pub(crate) struct Agent {
    connected: bool,
    /// What it can.
    capabilities: u32,
    tokens: u32,
    /// Pieces that were sent since more came from the server.
    sent: usize,
    /// Pieces it sent since it got tokens.
    taken: u32,
    waiting: VecDeque<u8>,
    /// Ends of messages that wait are not marked: pieces need not end where messages do.
    got: Vec<u8>,
    /// Bytes of a message that is left out.
    skip: u64,
    /// What the person copied last.
    copied: String,
    /// What the person's monitors are; told when the agent is there, and not told twice.
    wish: Option<Vec<Monitor>>,
}

impl Agent {
    /// The server says whether the agent is there, and how many pieces it takes.
    pub(crate) fn connected(&mut self, tokens: u32, out: &mut Vec<u8>) {
        *self = Self {
            connected: true,
            tokens,
            sent: self.sent,
            wish: self.wish.take(),
            copied: std::mem::take(&mut self.copied),
            ..Self::default()
        };
        channel::send(out, Channel::Main, AGENT_START, &TOKENS.to_le_bytes());
        self.announce(true, out);
    }

    pub(crate) fn gone(&mut self) {
        *self = Self {
            sent: self.sent,
            wish: self.wish.take(),
            copied: std::mem::take(&mut self.copied),
            ..Self::default()
        };
    }

    /// More came from the server: what waits may go on.
    pub(crate) fn go_on(&mut self, out: &mut Vec<u8>) {
        self.sent = 0;
        self.flush(out);
    }

    pub(crate) fn more_tokens(&mut self, tokens: u32, out: &mut Vec<u8>) {
        self.tokens = self.tokens.saturating_add(tokens);
        self.flush(out);
    }

    const fn can(&self, bit: u32) -> bool {
        self.capabilities & 1 << bit != 0
    }

    fn announce(&mut self, request: bool, out: &mut Vec<u8>) {
        let ours: u32 = 1 << CAP_MONITORS_CONFIG | 1 << CAP_CLIPBOARD_BY_DEMAND | 1 << CAP_CLIPBOARD_SELECTION;
        self.send(ANNOUNCE_CAPABILITIES, &[u32::from(request).to_le_bytes(), ours.to_le_bytes()].concat(), out);
    }

    fn send(&mut self, kind: u32, body: &[u8], out: &mut Vec<u8>) {
        if !self.connected || self.waiting.len() + HEADER_BYTES + body.len() > WAITING_BYTES_MAX {
            return;
        }
        self.waiting.extend(PROTOCOL.to_le_bytes());
        self.waiting.extend(kind.to_le_bytes());
        self.waiting.extend([0; 8]);
        self.waiting.extend((body.len() as u32).to_le_bytes());
        self.waiting.extend(body);
        self.flush(out);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        while self.tokens > 0 && self.sent < PIECES_AT_ONCE_MAX && !self.waiting.is_empty() {
            self.tokens -= 1;
            self.sent += 1;
            let length = self.waiting.len().min(PIECE_BYTES_MAX);
            let piece: Vec<u8> = self.waiting.drain(..length).collect();
            channel::send(out, Channel::Main, AGENT_DATA, &piece);
        }
    }

    /// A clipboard message's beginning: which one, where the agent knows several.
    fn selection(&self) -> &'static [u8] {
        if self.can(CAP_CLIPBOARD_SELECTION) { &[0; 4] } else { &[] }
    }

    /// A piece from the agent.
    pub(crate) fn data(
        &mut self,
        piece: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), Broken> {
        self.taken += 1;
        if self.taken >= TOKENS / 2 {
            channel::send(out, Channel::Main, AGENT_TOKEN, &self.taken.to_le_bytes());
            self.taken = 0;
        }
        let skipped = (piece.len() as u64).min(self.skip);
        self.skip -= skipped;
        let mut got = std::mem::take(&mut self.got);
        got.extend_from_slice(piece.get(skipped as usize..).unwrap_or_default());
        let used = self.messages(&got, out, events)?;
        got.drain(..used);
        self.got = got;
        Ok(())
    }

    /// Those that are there as a whole. Answers how many bytes they are.
    fn messages(&mut self, got: &[u8], out: &mut Vec<u8>, events: &mut Vec<ScreenEvent>) -> Result<usize, Broken> {
        let mut rest = got;
        while let Some((header, body)) = rest.split_at_checked(HEADER_BYTES) {
            let mut reader = Reader::new(header);
            let (protocol, kind, _opaque, length) =
                (reader.u32()?, reader.u32()?, reader.u64()?, reader.u32()? as usize);
            if protocol != PROTOCOL {
                return bad(format!("its guest's agent speaks protocol {protocol}"));
            }
            if length > MESSAGE_BYTES_MAX {
                tracing::warn!(bytes = length, "A message of a guest's agent is too large, left out");
                let there = length.min(body.len());
                self.skip = (length - there) as u64;
                rest = body.get(there..).unwrap_or_default();
                continue;
            }
            let Some((message, later)) = body.split_at_checked(length) else { break };
            self.message(kind, message, out, events)?;
            rest = later;
        }
        Ok(got.len() - rest.len())
    }

    fn message(
        &mut self,
        kind: u32,
        body: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<ScreenEvent>,
    ) -> Result<(), Broken> {
        let mut reader = Reader::new(body);
        let selection = self.selection();
        match kind {
            ANNOUNCE_CAPABILITIES => {
                let request = reader.u32()? != 0;
                self.capabilities = reader.u32()?;
                if request {
                    self.announce(false, out);
                }
                self.tell_monitors(out);
                if !self.copied.is_empty() {
                    self.grab(out);
                }
            }
            // Somebody copied in the guest: it is asked for at once, since a browser cannot ask later.
            CLIPBOARD_GRAB => {
                let ours = reader.take(selection.len())?.first().is_none_or(|selection| *selection == 0);
                let (types, _) = reader.rest().as_chunks::<4>();
                if ours && types.contains(&TYPE_UTF8_TEXT.to_le_bytes()) {
                    self.copied.clear();
                    self.send(CLIPBOARD_REQUEST, &[selection, &TYPE_UTF8_TEXT.to_le_bytes()].concat(), out);
                }
            }
            CLIPBOARD => {
                let ours = reader.take(selection.len())?.first().is_none_or(|selection| *selection == 0);
                let text = (reader.u32()? == TYPE_UTF8_TEXT && ours).then(|| String::from_utf8_lossy(reader.rest()));
                if let Some(text) = text {
                    let text = with_lf(text.trim_end_matches('\0'));
                    // Wrong bytes grow when they are put right.
                    if text.len() <= CLIPBOARD_BYTES_MAX {
                        events.push(ScreenEvent::Clipboard(text));
                    }
                }
            }
            CLIPBOARD_REQUEST => {
                let ours = reader.take(selection.len())?.first().is_none_or(|selection| *selection == 0);
                // Asked again before it took the last answer: there is no room for one more, and no need to make it.
                if self.waiting.len() + 2 * self.copied.len() > WAITING_BYTES_MAX {
                    return Ok(());
                }
                let wanted = reader.u32()? == TYPE_UTF8_TEXT && ours && !self.copied.is_empty();
                let (kind, text) = match wanted {
                    true if self.can(CAP_GUEST_LINES_END_CRLF) => (TYPE_UTF8_TEXT, self.copied.replace('\n', "\r\n")),
                    true => (TYPE_UTF8_TEXT, self.copied.clone()),
                    false => (TYPE_NONE, String::new()),
                };
                self.send(CLIPBOARD, &[selection, &kind.to_le_bytes(), text.as_bytes()].concat(), out);
            }
            // Replies, mouse, files: nothing that we asked for.
            _ => {}
        }
        Ok(())
    }

    /// The person copied this.
    pub(crate) fn copy(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.len() <= CLIPBOARD_BYTES_MAX {
            text.clone_into(&mut self.copied);
            self.grab(out);
        }
    }

    fn grab(&mut self, out: &mut Vec<u8>) {
        if self.can(CAP_CLIPBOARD_BY_DEMAND) {
            self.send(CLIPBOARD_GRAB, &[self.selection(), &TYPE_UTF8_TEXT.to_le_bytes()].concat(), out);
        }
    }

    /// The person's monitors are these.
    pub(crate) fn wish(&mut self, monitors: Vec<Monitor>, out: &mut Vec<u8>) {
        if self.wish.as_ref() != Some(&monitors) {
            self.wish = Some(monitors);
            self.tell_monitors(out);
        }
    }

    fn tell_monitors(&mut self, out: &mut Vec<u8>) {
        let Some(monitors) = self.wish.as_ref().filter(|_| self.can(CAP_MONITORS_CONFIG)) else { return };
        let mut body = Vec::new();
        for word in [monitors.len() as u32, FLAG_USE_PLACES] {
            body.extend_from_slice(&word.to_le_bytes());
        }
        for Monitor { rect, .. } in monitors {
            for word in [rect.h.into(), rect.w.into(), 32, rect.x.into(), rect.y.into()] {
                body.extend_from_slice(&u32::to_le_bytes(word));
            }
        }
        self.send(MONITORS_CONFIG, &body, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_screen::Rect;

    fn message(kind: u32, body: &[u8]) -> Vec<u8> {
        [&1u32.to_le_bytes()[..], &kind.to_le_bytes(), &[0; 8], &(body.len() as u32).to_le_bytes(), body].concat()
    }

    /// Kinds and bodies of what was sent to the agent.
    fn sent(out: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let (mut rest, mut stream) = (out, Vec::new());
        while let [1, low, high, message @ ..] = rest {
            let (message, later) = message.split_at(usize::from(u16::from_le_bytes([*low, *high])));
            if message[..2] == AGENT_DATA.to_le_bytes() {
                stream.extend_from_slice(&message[6..]);
            }
            rest = later;
        }
        let (mut list, mut rest) = (Vec::new(), stream.as_slice());
        while rest.len() >= HEADER_BYTES {
            let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
            let (kind, length) = (word(4), word(16) as usize);
            list.push((kind, rest[20..20 + length].to_vec()));
            rest = &rest[20 + length..];
        }
        list
    }

    fn there(capabilities: u32) -> Agent {
        let (mut agent, mut out, mut events) = (Agent::default(), Vec::new(), Vec::new());
        agent.connected(1000, &mut out);
        assert_eq!(sent(&out)[0].0, ANNOUNCE_CAPABILITIES);
        let announced = message(ANNOUNCE_CAPABILITIES, &[0u32.to_le_bytes(), capabilities.to_le_bytes()].concat());
        // In single bytes: pieces need not end where messages do.
        for byte in announced {
            agent.data(&[byte], &mut out, &mut events).unwrap();
        }
        agent
    }

    #[test]
    fn the_clipboard_goes_both_ways() {
        let mut agent = there(1 << 5 | 1 << 6 | 1 << 9);
        let (mut out, mut events) = (Vec::new(), Vec::new());
        agent.copy("a\nb", &mut out);
        assert_eq!(sent(&out), [(CLIPBOARD_GRAB, vec![0, 0, 0, 0, 1, 0, 0, 0])]);
        out.clear();
        agent.data(&message(CLIPBOARD_REQUEST, &[0, 0, 0, 0, 1, 0, 0, 0]), &mut out, &mut events).unwrap();
        assert_eq!(sent(&out), [(CLIPBOARD, b"\0\0\0\0\x01\0\0\0a\r\nb".to_vec())]);
        out.clear();
        agent.data(&message(CLIPBOARD_GRAB, &[0, 0, 0, 0, 1, 0, 0, 0]), &mut out, &mut events).unwrap();
        assert_eq!(sent(&out), [(CLIPBOARD_REQUEST, vec![0, 0, 0, 0, 1, 0, 0, 0])]);
        agent.data(&message(CLIPBOARD, b"\0\0\0\0\x01\0\0\0x\r\ny"), &mut out, &mut events).unwrap();
        assert_eq!(events, [ScreenEvent::Clipboard("x\ny".into())]);
        // The guest's own, from now on.
        out.clear();
        agent.data(&message(CLIPBOARD_REQUEST, &[0, 0, 0, 0, 1, 0, 0, 0]), &mut out, &mut events).unwrap();
        assert_eq!(sent(&out), [(CLIPBOARD, vec![0; 8])]);
    }

    #[test]
    fn sizes_are_told_once_the_agent_is_there() {
        let (mut agent, mut out) = (Agent::default(), Vec::new());
        let monitor = Monitor { rect: Rect::new(0, 0, 800, 600), scale: 100, primary: true };
        agent.wish(vec![monitor], &mut out);
        assert!(out.is_empty());
        agent.connected(10, &mut out);
        out.clear();
        let announced = message(ANNOUNCE_CAPABILITIES, &[0u32.to_le_bytes(), 2u32.to_le_bytes()].concat());
        agent.data(&announced, &mut out, &mut Vec::new()).unwrap();
        let told = sent(&out);
        assert_eq!((told[0].0, &told[0].1[8..16]), (MONITORS_CONFIG, &[88, 2, 0, 0, 32, 3, 0, 0][..]));
        out.clear();
        agent.wish(vec![monitor], &mut out);
        assert!(out.is_empty(), "not twice");
    }

    #[test]
    fn tokens_bound_what_is_sent_and_large_messages_are_left_out() {
        let mut agent = there(1 << 5);
        agent.tokens = 0;
        let mut out = Vec::new();
        agent.copy(&"x".repeat(CLIPBOARD_BYTES_MAX), &mut out);
        for _ in 0..10 {
            agent.data(&message(CLIPBOARD_REQUEST, &[1, 0, 0, 0]), &mut out, &mut Vec::new()).unwrap();
        }
        assert!(sent(&out).is_empty() && agent.waiting.len() <= WAITING_BYTES_MAX);
        agent.more_tokens(1, &mut out);
        assert!(!out.is_empty());
        let (mut large, mut events) = (message(CLIPBOARD, &[]), Vec::new());
        large[16..20].copy_from_slice(&(8u32 << 20).to_le_bytes());
        agent.data(&large, &mut out, &mut events).unwrap();
        for _ in 0..(8 << 20) / 2048 {
            agent.data(&[0; 2048], &mut out, &mut events).unwrap();
        }
        agent.data(&message(CLIPBOARD, b"\x01\0\0\0after"), &mut out, &mut events).unwrap();
        assert_eq!(events, [ScreenEvent::Clipboard("after".into())]);
        assert!(agent.data(&[9; 20], &mut out, &mut events).is_err());
    }
}
