//! Clipboard text both ways: the community's Extended Clipboard when the server has it, Latin-1 cut text otherwise.
//!
//! With the extension, each side first *notifies* that it has something and *provides* it when the other *requests* it.

use crate::{
    reader::{Reader, Stop, bad},
    write,
};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use oriel_screen::{CLIPBOARD_BYTES_MAX, ScreenEvent, with_lf};

/// Longest clipboard message from the server that is read rather than skipped, in bytes: text may grow when packed, and
/// its line ends are two bytes.
pub(crate) const MESSAGE_BYTES_MAX: u32 = 2 * CLIPBOARD_BYTES_MAX as u32;
/// How often the same text is given out: a server that asks on and on makes us pack it once each time.
const PROVIDES_MAX: u8 = 16;

const TEXT: u32 = 1;
const CAPS: u32 = 1 << 24;
const REQUEST: u32 = 1 << 25;
const PEEK: u32 = 1 << 26;
const NOTIFY: u32 = 1 << 27;
const PROVIDE: u32 = 1 << 28;

#[derive(Debug, Default)]
pub(crate) struct Clipboard {
    /// What the server can do, once it has said so.
    server: Option<u32>,
    /// Our text, until the server takes it.
    ours: Option<String>,
    provided: u8,
}

impl Clipboard {
    /// Someone copied text at the viewer.
    pub(crate) fn set(&mut self, text: &str, out: &mut Vec<u8>) {
        let text = cut(text, CLIPBOARD_BYTES_MAX);
        let Some(server) = self.server else {
            write::cut_text(out, text);
            return;
        };
        self.ours = Some(text.to_owned());
        self.provided = 0;
        if server & NOTIFY != 0 {
            write::extended_cut_text(out, NOTIFY | TEXT, &[]);
        } else if server & PROVIDE != 0 {
            self.provide(out);
        }
    }

    /// Latin-1 from the server.
    pub(crate) fn plain(bytes: &[u8]) -> ScreenEvent {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        ScreenEvent::Clipboard(cut(&with_lf(&text), CLIPBOARD_BYTES_MAX).to_owned())
    }

    /// An extended message from the server.
    pub(crate) fn message(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Option<ScreenEvent>, Stop> {
        let mut reader = Reader::new(bytes);
        let Ok(flags) = reader.u32() else {
            return bad("an extended clipboard message has no flags");
        };
        if flags & CAPS != 0 {
            self.server = Some(flags);
            write::extended_cut_text(
                out,
                CAPS | REQUEST | PEEK | NOTIFY | PROVIDE | TEXT,
                &(CLIPBOARD_BYTES_MAX as u32).to_be_bytes(),
            );
        } else if flags & REQUEST != 0 {
            if flags & TEXT != 0 {
                self.provide(out);
            }
        } else if flags & PEEK != 0 {
            let formats = if self.ours.is_some() { TEXT } else { 0 };
            write::extended_cut_text(out, NOTIFY | formats, &[]);
        } else if flags & NOTIFY != 0 {
            if flags & TEXT != 0 {
                write::extended_cut_text(out, REQUEST | TEXT, &[]);
            }
        } else if flags & PROVIDE != 0 && flags & TEXT != 0 {
            return unpack(reader.rest()).map(Some);
        }
        Ok(None)
    }

    fn provide(&mut self, out: &mut Vec<u8>) {
        let Some(text) = &self.ours else { return };
        if self.provided >= PROVIDES_MAX {
            return;
        }
        self.provided += 1;
        write::extended_cut_text(out, PROVIDE | TEXT, &pack(text));
    }
}

/// The first part of a text that fits, whole characters only.
fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// Length, text with two-byte line ends and a closing zero, in a zlib stream of its own.
fn pack(text: &str) -> Vec<u8> {
    let text = with_lf(text).replace('\n', "\r\n");
    let mut plain = Vec::with_capacity(text.len() + 5);
    plain.extend_from_slice(&(text.len() as u32 + 1).to_be_bytes());
    plain.extend_from_slice(text.as_bytes());
    plain.push(0);
    let mut packer = Compress::new(Compression::fast(), true);
    let mut packed = Vec::new();
    loop {
        packed.reserve(plain.len() / 2 + 256);
        let rest = plain.get(packer.total_in() as usize..).unwrap_or(&[]);
        match packer.compress_vec(rest, &mut packed, FlushCompress::Finish) {
            Ok(Status::Ok | Status::BufError) => {}
            Ok(Status::StreamEnd) => return packed,
            Err(error) => {
                tracing::warn!(%error, "could not pack clipboard text");
                return packed;
            }
        }
    }
}

fn unpack(packed: &[u8]) -> Result<ScreenEvent, Stop> {
    // Text is the first format of the message, so it comes first; the rest is not looked at.
    let mut plain = vec![0; MESSAGE_BYTES_MAX as usize + 4];
    let mut inflater = Decompress::new(true);
    if let Err(error) = inflater.decompress(packed, &mut plain, FlushDecompress::Sync) {
        return bad(format!("clipboard data is broken: {error}"));
    }
    plain.truncate(inflater.total_out() as usize);
    let mut reader = Reader::new(&plain);
    let text = reader.u32().and_then(|length| reader.take(length as usize));
    let Ok(text) = text else {
        return bad("clipboard text is shorter than it says, or too long");
    };
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    let text = with_lf(&String::from_utf8_lossy(text));
    Ok(ScreenEvent::Clipboard(cut(&text, CLIPBOARD_BYTES_MAX).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{CAPS, Clipboard, NOTIFY, PROVIDE, REQUEST, TEXT, pack, unpack};
    use oriel_screen::{CLIPBOARD_BYTES_MAX, ScreenEvent};

    #[test]
    fn text_survives_packing() {
        let text = "hällo\nworld €";
        assert_eq!(unpack(&pack(text)).unwrap(), ScreenEvent::Clipboard(text.into()));
        let long = "x".repeat(CLIPBOARD_BYTES_MAX);
        assert_eq!(unpack(&pack(&long)).unwrap(), ScreenEvent::Clipboard(long));
    }

    #[test]
    fn bombs_and_lies_are_refused() {
        assert!(unpack(&pack(&"x".repeat(8 << 20))).is_err());
        assert!(unpack(&[1, 2, 3]).is_err());
        assert!(unpack(&[]).is_err());
    }

    #[test]
    fn latin1_when_the_server_has_nothing_better() {
        let mut out = Vec::new();
        Clipboard::default().set("ä€", &mut out);
        assert_eq!(out, [6, 0, 0, 0, 0, 0, 0, 2, 0xe4, b'?']);
        assert_eq!(Clipboard::plain(&[0xe4, b'\r', b'\n']), ScreenEvent::Clipboard("ä\n".into()));
    }

    #[test]
    fn extended_notifies_and_provides_on_request_only_so_often() {
        let (mut clipboard, mut out) = (Clipboard::default(), Vec::new());
        let caps = CAPS | NOTIFY | PROVIDE | REQUEST | TEXT;
        clipboard.message(&caps.to_be_bytes(), &mut out).unwrap();
        out.clear();
        clipboard.set("€", &mut out);
        assert_eq!(out, [&[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc][..], &(NOTIFY | TEXT).to_be_bytes()].concat());
        out.clear();
        for _ in 0..100 {
            clipboard.message(&(REQUEST | TEXT).to_be_bytes(), &mut out).unwrap();
        }
        assert_eq!(out.windows(4).filter(|w| *w == (PROVIDE | TEXT).to_be_bytes()).count(), 16);
        out.clear();
        clipboard.message(&(NOTIFY | TEXT).to_be_bytes(), &mut out).unwrap();
        assert_eq!(out[8..], (REQUEST | TEXT).to_be_bytes());
    }
}
