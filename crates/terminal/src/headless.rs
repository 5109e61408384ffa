//! What a terminal shows, without one: for a viewer that comes when the bytes it would need are gone.
//!
//! The emulator (`vt100`) reads what a hostile machine sends. A fault in it costs the picture, not the session: it is caught,
//! and the emulator starts anew.

use crate::skim::{Skimmed, skim};
use std::num::NonZeroU16;
use std::panic::{AssertUnwindSafe, catch_unwind};
use vt100::{Parser, Screen};

/// Lines above the screen that are kept. A cell takes 32 bytes: 200 columns make 1.9 MiB.
const SCROLLBACK_LINES_MAX: usize = 300;
/// Longest repaint: when every cell has colours of its own, first the lines above the screen are left out, then the screen.
const REPAINT_BYTES_MAX: usize = 4 << 20;
/// Largest size that is emulated.
const COLUMNS_MAX: u16 = 1000;
const ROWS_MAX: u16 = 500;

/// A terminal's state after some bytes.
pub struct Headless {
    parser: Parser,
    columns: NonZeroU16,
    rows: NonZeroU16,
}

fn size(value: u16, max: u16) -> NonZeroU16 {
    NonZeroU16::new(value.min(max)).unwrap_or(NonZeroU16::MIN)
}

impl Headless {
    pub fn new(columns: u16, rows: u16) -> Self {
        let (columns, rows) = (size(columns, COLUMNS_MAX), size(rows, ROWS_MAX));
        Self { parser: Parser::new(rows, columns, SCROLLBACK_LINES_MAX), columns, rows }
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        (self.columns, self.rows) = (size(columns, COLUMNS_MAX), size(rows, ROWS_MAX));
        let (columns, rows) = (self.columns, self.rows);
        self.guarded(|parser| parser.set_size(rows, columns));
    }

    /// What the machine sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        let lines_max = usize::from(self.rows.get()) + SCROLLBACK_LINES_MAX;
        self.guarded(|parser| match skim(bytes, lines_max) {
            Some(Skimmed { head, attributes, tail }) => {
                for part in [head, &attributes, tail] {
                    parser.process(part);
                }
            }
            None => parser.process(bytes),
        });
    }

    /// Bytes that bring a terminal that was just reset into this state: lines above, screen, colours, cursor, input modes.
    pub fn repaint(&mut self) -> Vec<u8> {
        let (mut above, mut screen) = (Vec::new(), Vec::new());
        self.guarded(|parser| {
            let alternate = parser.screen().alternate_screen();
            if alternate {
                parser.process(b"\x1b[?47l");
            }
            above = lines(parser.screen());
            screen = parser.screen().state_formatted().into_bytes();
            if alternate {
                parser.process(b"\x1b[?47h");
                screen.extend(b"\x1b[?1049h");
                screen.extend(parser.screen().state_formatted().into_bytes());
            }
        });
        if screen.len() > REPAINT_BYTES_MAX {
            return Vec::new();
        }
        if above.len() + screen.len() <= REPAINT_BYTES_MAX {
            above.extend(screen);
            return above;
        }
        screen
    }

    fn guarded(&mut self, work: impl FnOnce(&mut Parser)) {
        let parser = &mut self.parser;
        if catch_unwind(AssertUnwindSafe(|| work(parser))).is_err() {
            tracing::warn!("The terminal emulator met bytes that it could not take; what it showed is forgotten");
            *self = Self::new(self.columns.get(), self.rows.get());
        }
    }
}

/// All lines, those of the screen too, so that those above it are pushed up; the screen is then drawn over itself.
fn lines(screen: &Screen) -> Vec<u8> {
    let mut text = String::new();
    let mut state = vt100::capture::BasicFormattedCaptureState::new();
    let range = vt100::capture::BasicFormattedCaptureRange::Full(&mut state);
    // Writing to a string cannot fail.
    screen.write_contents_formatted_basic(&mut text, range).ok();
    let mut painted = Vec::with_capacity(text.len() + text.len() / 8);
    for byte in text.bytes() {
        if byte == b'\n' {
            painted.push(b'\r');
        }
        painted.push(byte);
    }
    painted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(terminal: &Headless) -> String {
        terminal.parser.screen().contents()
    }

    #[test]
    fn a_repaint_shows_the_same() {
        let mut before = Headless::new(40, 5);
        for line in 0..100 {
            before.feed(format!("\x1b[3{}mline {line}\x1b[m äö€\r\n", line % 8).as_bytes());
        }
        before.feed(b"\x1b[?1h\x1b[?2004h\x1b[1;31mred\x1b[3;7H");
        let mut after = Headless::new(40, 5);
        after.feed(&before.repaint());
        let (a, b) = (before.parser.screen(), after.parser.screen());
        assert_eq!(a.contents_formatted(), b.contents_formatted());
        assert_eq!((a.cursor_position(), a.fgcolor(), a.bold()), (b.cursor_position(), b.fgcolor(), b.bold()));
        assert!(b.application_cursor() && b.bracketed_paste());
        assert_eq!(b.scrollback_len(), 96);
        let above = |terminal: &mut Headless| {
            terminal.parser.screen_mut().set_scrollback(96);
            text(terminal)
        };
        assert_eq!(above(&mut before), above(&mut after));
    }

    #[test]
    fn a_full_screen_program_gives_the_shell_back() {
        let mut before = Headless::new(40, 5);
        before.feed(b"$ vim\r\n\x1b[?1049h\x1b[2J\x1b[Hinside");
        let mut after = Headless::new(40, 5);
        after.feed(&before.repaint());
        assert!(after.parser.screen().alternate_screen());
        assert_eq!(text(&after).trim(), "inside");
        for terminal in [&mut before, &mut after] {
            terminal.feed(b"\x1b[?1049l$ back");
            assert_eq!(text(terminal).trim(), "$ vim\n$ back");
        }
    }

    /// What is skimmed over is not missed: not above the screen, not on it, and not in the colours of what follows.
    #[test]
    fn a_flood_at_once_and_line_by_line_leave_the_same() {
        let line = |number: u32| match number % 7 {
            0 => format!("\x1b[{}mline {number}\x1b[K\r\n", 30 + number % 8),
            1 => format!("{}\r\n", "a long line ".repeat(number as usize % 20)),
            2 => "tab\tand \u{4e2d}\u{6587}\x07\n".into(),
            3 => "\r\n".into(),
            _ => format!("line {number}\r\n"),
        };
        for (columns, rows) in [(80, 24), (40, 5), (200, 60)] {
            for begin in ["", "$ ", "\x1b[?1049h", "\x1b[10;3H\x1b[4", "\x1b]0;a title", "\x1b[7"] {
                let (mut at_once, mut each) = (Headless::new(columns, rows), Headless::new(columns, rows));
                let flood: Vec<String> = (0..3000).map(line).collect();
                for terminal in [&mut at_once, &mut each] {
                    terminal.feed(begin.as_bytes());
                }
                at_once.feed(flood.concat().as_bytes());
                flood.iter().for_each(|line| each.feed(line.as_bytes()));
                assert!(at_once.repaint() == each.repaint(), "{columns}x{rows} after {begin:?}");
            }
        }
    }

    #[test]
    fn any_size_and_any_bytes() {
        let mut terminal = Headless::new(0, 0);
        let mut seed = 1u32;
        for round in 0..2000u32 {
            let mut bytes = Vec::new();
            for _ in 0..50 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes.extend(
                    match seed >> 29 {
                        0 => format!("\x1b[{};{}H", (seed >> 8) % 70, (seed >> 16) % 600),
                        1 => format!(
                            "\x1b[{}{}",
                            (seed >> 8) % 99,
                            ['L', 'M', 'P', '@', 'S', 'T', 'X', 'J'][(seed >> 20) as usize % 8]
                        ),
                        2 => format!(
                            "\x1b[?{}{}",
                            [47, 1049, 6, 7, 25][(seed >> 9) as usize % 5],
                            ['h', 'l'][(seed >> 15) as usize % 2]
                        ),
                        3 => format!("\x1b[{};{}r", (seed >> 8) % 30, (seed >> 16) % 30),
                        4 => "漢字ab\r\n".into(),
                        5 => "\u{300}\u{1F468}\u{200D}\u{1F469}\t".into(),
                        _ => ((seed >> 8) as u8 as char).to_string(),
                    }
                    .into_bytes(),
                );
            }
            terminal.feed(&bytes);
            if round % 7 == 0 {
                terminal.resize((seed >> 10) as u16 % 200, (seed >> 12) as u16 % 60);
            }
            if round % 50 == 0 {
                let repaint = terminal.repaint();
                Headless::new(80, 24).feed(&repaint);
            }
        }
    }
}
