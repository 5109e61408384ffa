//! Which options we take part in, and what we say about them. Answers are given to changes only (RFC 1143), so that two sides
//! never argue in circles.

use super::parser::{DO, DONT, Event, IAC, SB, SE, WILL, WONT};

/// RFC 856, 857, 858, 1091, 1073.
pub(crate) const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
const TERMINAL_TYPE: u8 = 24;
pub(crate) const WINDOW_SIZE: u8 = 31;

/// Options that we do, and those that we let the other side do. The rest is declined.
const OURS: [u8; 4] = [BINARY, SUPPRESS_GO_AHEAD, TERMINAL_TYPE, WINDOW_SIZE];
const THEIRS: [u8; 3] = [BINARY, ECHO, SUPPRESS_GO_AHEAD];

/// RFC 1091: IS and SEND.
const IS: u8 = 0;
const SEND: u8 = 1;
/// Longest terminal type that is told.
const TERM_BYTES_MAX: usize = 40;

/// What we tell when asked.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub term: String,
    pub columns: u16,
    pub rows: u16,
}

/// Both sides' options. Sans-I/O and total: an event in, bytes for the wire out.
#[derive(Debug, Default)]
pub struct Negotiation {
    settings: Settings,
    ours: [bool; 32],
    theirs: [bool; 32],
}

impl Negotiation {
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    pub fn take(&mut self, event: &Event, wire: &mut Vec<u8>) {
        match event {
            Event::Negotiate { verb, option } => self.negotiate(*verb, *option, wire),
            Event::Subnegotiate { option: TERMINAL_TYPE, bytes }
                if bytes.first() == Some(&SEND) && self.is_ours(TERMINAL_TYPE) =>
            {
                wire.extend([IAC, SB, TERMINAL_TYPE, IS]);
                let term = self.settings.term.bytes().filter(u8::is_ascii_graphic).take(TERM_BYTES_MAX);
                wire.extend(term.map(|byte| byte.to_ascii_uppercase()));
                wire.extend([IAC, SE]);
            }
            Event::Subnegotiate { .. } | Event::Command(_) => {}
        }
    }

    fn negotiate(&mut self, verb: u8, option: u8, wire: &mut Vec<u8>) {
        let (supported, states, yes, no) = match verb {
            DO | DONT => (OURS.contains(&option), &mut self.ours, WILL, WONT),
            _ => (THEIRS.contains(&option), &mut self.theirs, DO, DONT),
        };
        let wanted = verb == DO || verb == WILL;
        // Options beyond the table are not supported, and off.
        let mut off = false;
        let state = states.get_mut(usize::from(option)).unwrap_or(&mut off);
        if wanted && !supported {
            wire.extend([IAC, no, option]);
        } else if wanted != *state {
            *state = wanted;
            wire.extend([IAC, if wanted { yes } else { no }, option]);
            if wanted && verb == DO && option == WINDOW_SIZE {
                wire.extend(window_size(self.settings.columns, self.settings.rows));
            }
        }
    }

    pub fn is_ours(&self, option: u8) -> bool {
        self.ours.get(usize::from(option)).copied().unwrap_or_default()
    }

    pub(crate) const fn resized(&mut self, columns: u16, rows: u16) {
        self.settings.columns = columns;
        self.settings.rows = rows;
    }
}

/// RFC 1073: columns and rows as they go over the wire.
pub(crate) fn window_size(columns: u16, rows: u16) -> Vec<u8> {
    let mut wire = vec![IAC, SB, WINDOW_SIZE];
    for byte in columns.to_be_bytes().into_iter().chain(rows.to_be_bytes()) {
        wire.push(byte);
        if byte == IAC {
            wire.push(IAC);
        }
    }
    wire.extend([IAC, SE]);
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_changes_only() {
        let settings = Settings { term: "xterm-256color".into(), columns: 255, rows: 24 };
        let mut negotiation = Negotiation::new(settings);
        let mut said = |verb, option| {
            let mut wire = Vec::new();
            negotiation.take(&Event::Negotiate { verb, option }, &mut wire);
            wire
        };
        assert_eq!(said(WILL, ECHO), [IAC, DO, ECHO]);
        assert_eq!(said(WILL, ECHO), b"");
        assert_eq!(said(WONT, ECHO), [IAC, DONT, ECHO]);
        assert_eq!(said(WONT, ECHO), b"");
        assert_eq!(said(DO, ECHO), [IAC, WONT, ECHO]);
        assert_eq!(said(DO, 200), [IAC, WONT, 200]);
        assert_eq!(said(DONT, 200), b"");
        assert_eq!(said(WILL, 38), [IAC, DONT, 38]);
        let sized = [IAC, WILL, WINDOW_SIZE, IAC, SB, WINDOW_SIZE, 0, IAC, IAC, 0, 24, IAC, SE];
        assert_eq!(said(DO, WINDOW_SIZE), sized);
        assert_eq!(said(DO, TERMINAL_TYPE), [IAC, WILL, TERMINAL_TYPE]);
        let mut wire = Vec::new();
        negotiation.take(&Event::Subnegotiate { option: TERMINAL_TYPE, bytes: vec![SEND] }, &mut wire);
        assert_eq!(wire, [&[IAC, SB, TERMINAL_TYPE, IS], &b"XTERM-256COLOR"[..], &[IAC, SE]].concat());
    }
}
