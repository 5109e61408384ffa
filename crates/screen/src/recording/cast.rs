//! asciicast, version 2 (docs.asciinema.org/manual/asciicast/v2): a line of JSON that describes the terminal, then a line
//! of JSON for everything that it showed: `[seconds, "o", "text"]`, `[seconds, "r", "80x24"]` when its size changed, and
//! `[seconds, "i", "text"]` for what was typed, where that is kept.

/// Turns a terminal's bytes into lines. Characters that are cut between two pieces are put together again; bytes that are
/// no UTF-8 become U+FFFD, as a terminal shows them.
#[derive(Debug, Default)]
pub struct CastWriter {
    /// The beginning of a character whose rest has not come.
    partial: Vec<u8>,
}

impl CastWriter {
    /// The first line. `started`: seconds since 1970-01-01 UTC. `watermark`: what lies over it when it is played, under a key of
    /// our own that others leave alone.
    pub fn header(columns: u16, rows: u16, started: i64, title: &str, watermark: Option<&str>) -> String {
        let watermark = watermark.map(|text| format!(",\"watermark\":{}", quoted(text))).unwrap_or_default();
        format!(
            "{{\"version\":2,\"width\":{columns},\"height\":{rows},\"timestamp\":{started},\"title\":{}{watermark}}}\n",
            quoted(title)
        )
    }

    /// The line of what was shown; empty when only the beginning of a character came.
    pub fn output(&mut self, ms: u32, bytes: &[u8]) -> String {
        self.partial.extend_from_slice(bytes);
        let whole = whole_characters(&self.partial);
        let rest = self.partial.split_off(whole);
        let text = String::from_utf8_lossy(&self.partial).into_owned();
        self.partial = rest;
        if text.is_empty() { String::new() } else { line(ms, 'o', &text) }
    }

    /// What is left at the end.
    pub fn finish(&mut self, ms: u32) -> String {
        let rest = std::mem::take(&mut self.partial);
        if rest.is_empty() { String::new() } else { line(ms, 'o', &String::from_utf8_lossy(&rest)) }
    }

    /// The line of what was typed (asciicast v2, event `i`); bytes that are no UTF-8 become U+FFFD.
    pub fn input(ms: u32, bytes: &[u8]) -> String {
        line(ms, 'i', &String::from_utf8_lossy(bytes))
    }

    pub fn resize(ms: u32, columns: u16, rows: u16) -> String {
        line(ms, 'r', &format!("{columns}x{rows}"))
    }
}

fn line(ms: u32, kind: char, text: &str) -> String {
    format!("[{}.{:03},\"{kind}\",{}]\n", ms / 1000, ms % 1000, quoted(text))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// How many bytes may be read as text now: all but the beginning of a character at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    for back in 1..=3usize.min(bytes.len()) {
        let at = bytes.len() - back;
        let Some(byte) = bytes.get(at) else { break };
        let needs = match byte {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            0x80..=0xBF => continue,
            _ => 1,
        };
        return if needs > back { at } else { bytes.len() };
    }
    bytes.len()
}

/// What a line shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CastEvent {
    Output { ms: u32, text: String },
    Input { ms: u32, text: String },
    Resize { ms: u32, columns: u16, rows: u16 },
}

/// One line after the first; `None` for what is no event of these kinds.
pub fn parse(line: &str) -> Option<CastEvent> {
    let (seconds, kind, text): (f64, String, String) = serde_json::from_str(line).ok()?;
    let ms = (seconds * 1000.0).round().clamp(0.0, f64::from(u32::MAX)) as u32;
    match kind.as_str() {
        "o" => Some(CastEvent::Output { ms, text }),
        "i" => Some(CastEvent::Input { ms, text }),
        "r" => {
            let (columns, rows) = text.split_once('x')?;
            Some(CastEvent::Resize { ms, columns: columns.parse().ok()?, rows: rows.parse().ok()? })
        }
        _ => None,
    }
}

/// What the lines of a chunk print, appended.
pub fn plain_text(lines: &str, plain: &mut Plain, out: &mut String) {
    for line in lines.lines() {
        if let Some(CastEvent::Output { text, .. }) = parse(line) {
            plain.push(&text, out);
        }
    }
}

/// Text for reading: what a terminal showed without its control sequences (ECMA-48 §5.4, §5.6). Lines that were drawn over
/// are left as they were printed.
#[derive(Debug, Default)]
pub struct Plain {
    state: PlainState,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum PlainState {
    #[default]
    Text,
    Escape,
    /// Within CSI: parameters until a final byte.
    Control,
    /// Within OSC, DCS, SOS, PM, APC: until BEL or ST.
    String,
    StringEscape,
    /// One more character belongs to the sequence (a character set).
    One,
}

impl Plain {
    /// Appends what is text.
    pub fn push(&mut self, text: &str, out: &mut String) {
        for c in text.chars() {
            self.state = match (self.state, c) {
                (PlainState::String, '\u{7}') => PlainState::Text,
                (PlainState::String, '\u{1b}') => PlainState::StringEscape,
                (PlainState::String, _) => PlainState::String,
                (PlainState::StringEscape, '\\') => PlainState::Text,
                (_, '\u{1b}') => PlainState::Escape,
                (PlainState::StringEscape, _) => PlainState::String,
                (PlainState::Escape, '[') => PlainState::Control,
                (PlainState::Escape, ']' | 'P' | 'X' | '^' | '_') => PlainState::String,
                (PlainState::Escape, '(' | ')' | '*' | '+' | '#' | '%' | ' ') => PlainState::One,
                (PlainState::Escape | PlainState::One, _) => PlainState::Text,
                (PlainState::Control, '@'..='~') => PlainState::Text,
                (PlainState::Control, _) => PlainState::Control,
                (PlainState::Text, '\u{8}') => {
                    if !out.ends_with('\n') {
                        out.pop();
                    }
                    PlainState::Text
                }
                (PlainState::Text, c) => {
                    if c == '\n' || c == '\t' || !c.is_control() {
                        out.push(c);
                    }
                    PlainState::Text
                }
            };
        }
    }
}
