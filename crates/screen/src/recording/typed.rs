//! What was typed, in words: characters as they are, other keys as `⟨Enter⟩`.

use crate::{InputEvent, Rich, png_size};
use std::fmt::Write as _;

/// A copy has a handful of parts; whoever sends thousands of them before a text is believed no more.
const PARTS_BYTES_MAX: usize = 256;

/// Turns keys into words. It knows which modifiers are held.
#[derive(Debug, Default)]
pub struct Typist {
    control: bool,
    alt: bool,
    logo: bool,
}

/// What goes through a clipboard one way, in words: its text as it is, and of its other parts their kind and size, never their content.
#[derive(Debug, Default)]
pub struct Clips {
    /// Parts of a copy whose text has not come.
    parts: String,
}

impl Clips {
    pub fn add(&mut self, part: &Rich) {
        if self.parts.len() > PARTS_BYTES_MAX {
            return;
        }
        let bytes = part.len();
        let size =
            |png| png_size(png).map(|(width, height)| format!(" of {width} × {height} pixels")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = match part {
            Rich::Html(_) => write!(self.parts, "⟨HTML, {bytes} bytes⟩"),
            Rich::Png(png) => write!(self.parts, "⟨picture{}, {bytes} bytes⟩", size(png)),
        };
    }

    /// The whole copy, which its text ends; nothing where it is empty.
    pub fn end(&mut self, text: &str) -> Option<String> {
        let mut whole = std::mem::take(&mut self.parts);
        whole.push_str(text);
        (!whole.is_empty()).then_some(whole)
    }
}

/// X11 keysyms of keys that have names (X.Org, `keysymdef.h`).
const fn name(keysym: u32) -> Option<&'static str> {
    Some(match keysym {
        0xff08 => "Backspace",
        0xff09 | 0xff89 | 0xfe20 => "Tab",
        0xff0d | 0xff8d => "Enter",
        0xff13 => "Pause",
        0xff14 => "Scroll lock",
        0xff1b => "Esc",
        0xff50 | 0xff95 => "Home",
        0xff51 | 0xff96 => "Left",
        0xff52 | 0xff97 => "Up",
        0xff53 | 0xff98 => "Right",
        0xff54 | 0xff99 => "Down",
        0xff55 | 0xff9a => "Page up",
        0xff56 | 0xff9b => "Page down",
        0xff57 | 0xff9c => "End",
        0xff61 => "Print",
        0xff63 | 0xff9e => "Insert",
        0xff67 => "Menu",
        0xff7f => "Num lock",
        0xffe5 => "Caps lock",
        0xffff | 0xff9f => "Delete",
        _ => return None,
    })
}

/// The character that a keysym stands for (X Window System Protocol, appendix A; Unicode keysyms; the keypad's).
fn character(keysym: u32) -> Option<char> {
    let code = match keysym {
        0x20..=0x7e | 0xa0..=0xff => keysym,
        0xffaa..=0xffb9 => keysym - 0xff80,
        0xffbd => '='.into(),
        0x0100_0000..=0x0110_ffff => keysym - 0x0100_0000,
        0x20ac => 0x20ac,
        _ => return None,
    };
    char::from_u32(code).filter(|letter| !letter.is_control())
}

impl Typist {
    /// What this adds to what was typed; nothing for what is no typing, for keys that come up, and for modifiers alone.
    pub fn typed(&mut self, input: &InputEvent) -> Option<String> {
        let (down, code, keysym) = match input {
            InputEvent::Key { down, code, keysym } => (*down, *code, *keysym),
            InputEvent::Text(text) => return Some(visible(text)),
            InputEvent::ReleaseAll => {
                *self = Self::default();
                return None;
            }
            _ => return None,
        };
        match keysym {
            0xffe3 | 0xffe4 => self.control = down,
            0xffe7..=0xffea => self.alt = down,
            0xffeb | 0xffec => self.logo = down,
            // Shift, and what chooses a level or composes: the keysym that follows has it.
            0xffe1 | 0xffe2 | 0xffe6 | 0xffed | 0xffee | 0xfe01..=0xfe13 | 0xff20 | 0xff7e => {}
            _ if !down => {}
            _ => return Some(self.words(code, keysym)),
        }
        None
    }

    fn words(&self, code: u16, keysym: u32) -> String {
        let held = [(self.control, "Ctrl+"), (self.alt, "Alt+"), (self.logo, "Super+")];
        let held: String = held.into_iter().filter(|(held, _)| *held).map(|(_, word)| word).collect();
        match (character(keysym), name(keysym)) {
            (Some(letter), _) if held.is_empty() => letter.to_string(),
            (Some(letter), _) => format!("⟨{held}{letter}⟩"),
            (None, Some(name)) => format!("⟨{held}{name}⟩"),
            (None, None) if (0xffbe..=0xffe0).contains(&keysym) => format!("⟨{held}F{}⟩", keysym - 0xffbd),
            (None, None) if keysym == 0 => format!("⟨{held}key {code:#x}⟩"),
            (None, None) => format!("⟨{held}keysym {keysym:#x}⟩"),
        }
    }
}

/// Text with its control characters as keys.
fn visible(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '\r' | '\n' => out.push_str("⟨Enter⟩"),
            '\t' => out.push_str("⟨Tab⟩"),
            '\u{1b}' => out.push_str("⟨Esc⟩"),
            '\u{8}' | '\u{7f}' => out.push_str("⟨Backspace⟩"),
            // Control and a letter: writing to a string cannot fail.
            '\0'..='\u{1f}' => drop(write!(out, "⟨Ctrl+{}⟩", char::from((letter as u8) | 0x60))),
            letter if letter.is_control() => drop(write!(out, "⟨{:#x}⟩", letter as u32)),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(down: bool, keysym: u32) -> InputEvent {
        InputEvent::Key { down, code: 0x1e, keysym }
    }

    #[test]
    fn keys_become_words() {
        let mut typist = Typist::default();
        let mut all = String::new();
        let keys = [
            (true, 0x61),
            (false, 0x61),
            (true, 0xffe1), // Shift
            (true, 0x41),
            (true, 0x0100_20ac),
            (true, 0xffb7), // keypad 7
            (true, 0xff0d),
            (true, 0xffe3), // Control
            (true, 0x63),
            (true, 0xffe9), // Alt
            (true, 0xffff),
            (false, 0xffe3),
            (false, 0xffe9),
            (true, 0xffc8), // F11
            (true, 0),
            (true, 0xabc_def0),
            (true, 0x0100_0007),
        ];
        for (down, keysym) in keys {
            all.extend(typist.typed(&key(down, keysym)));
        }
        all.extend(typist.typed(&InputEvent::Text("ü\r".into())));
        assert_eq!(
            all,
            "aA€7⟨Enter⟩⟨Ctrl+c⟩⟨Ctrl+Alt+Delete⟩⟨F11⟩⟨key 0x1e⟩⟨keysym 0xabcdef0⟩⟨keysym 0x1000007⟩ü⟨Enter⟩"
        );
        typist.typed(&key(true, 0xffe3));
        assert_eq!(typist.typed(&InputEvent::ReleaseAll), None);
        assert_eq!(typist.typed(&key(true, 0x63)).as_deref(), Some("c"));
        assert_eq!(typist.typed(&InputEvent::Clipboard("x".into())), None);
        // Whatever a viewer says is an answer.
        for keysym in (0..=u32::MAX).step_by(65_537) {
            typist.typed(&key(true, keysym));
        }
    }

    #[test]
    fn of_a_copy_the_text_is_kept_and_what_else_there_was() {
        let mut clips = Clips::default();
        assert_eq!(clips.end("text").as_deref(), Some("text"));
        assert_eq!(clips.end(""), None);
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x07\x80\0\0\x04\x38".to_vec();
        png.extend([0; 76]);
        clips.add(&Rich::Html("<b>secret</b>".into()));
        clips.add(&Rich::Png(png.into()));
        assert_eq!(
            clips.end("secret").as_deref(),
            Some("⟨HTML, 13 bytes⟩⟨picture of 1920 × 1080 pixels, 100 bytes⟩secret")
        );
        assert_eq!(clips.end("next").as_deref(), Some("next"));
        for _ in 0..10_000 {
            clips.add(&Rich::Html("x".into()));
        }
        assert!(clips.end("").is_some_and(|kept| kept.len() < 2 * PARTS_BYTES_MAX));
    }

    #[test]
    fn control_characters_are_keys() {
        assert_eq!(visible("pw\u{3}\u{1b}[A\u{7f}\u{9b}\t"), "pw⟨Ctrl+c⟩⟨Esc⟩[A⟨Backspace⟩⟨0x9b⟩⟨Tab⟩");
    }
}
