//! The watermark: who saw it and when, over the whole picture. `ffmpeg` draws the words once a minute of the recording, in any script
//! that the machine has letters for.

use crate::{FilmError, ffmpeg};
use jiff::{Timestamp, tz::TimeZone};
use std::path::Path;

/// A word's place in the pattern, in pixels: so high, and so wide for each letter.
const CELL_HEIGHT: u16 = 86;
const LETTER_WIDTH: usize = 10;
const CELL_WIDTHS: (usize, usize) = (420, 1600);
/// How much of the words' colour is seen, in parts of 256.
const STRENGTH: i32 = 64;
/// The pattern's ground: neither light nor dark.
const GROUND: i32 = 128;

/// A pattern of grey: lighter than its ground is white over the picture, darker black.
#[derive(Debug, Default)]
pub(crate) struct Mark {
    width: usize,
    grey: Vec<u8>,
    words: String,
}

/// Who, and when in UTC. `at`: microseconds since 1970-01-01 UTC.
pub(crate) fn words(name: &str, at: i64) -> String {
    if name.is_empty() {
        return String::new();
    }
    let time = Timestamp::from_microsecond(at).unwrap_or_default().to_zoned(TimeZone::UTC);
    let name: String = name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    format!("{name} · {} UTC", time.strftime("%Y-%m-%d %H:%M"))
}

impl Mark {
    /// Makes the pattern of these words where it is another one. True when it is.
    pub fn set(&mut self, words: String, folder: &Path) -> Result<bool, FilmError> {
        if words == self.words {
            return Ok(false);
        }
        let width = (words.chars().count() * LETTER_WIDTH + 60).clamp(CELL_WIDTHS.0, CELL_WIDTHS.1);
        self.grey = if words.is_empty() { Vec::new() } else { ffmpeg::words(&words, width, CELL_HEIGHT, folder)? };
        self.width = width;
        self.words = words;
        Ok(true)
    }

    /// Over a row of RGBA that begins at `left`, `y`.
    pub fn over(&self, row: &mut [u8], left: u16, y: u16) {
        if self.grey.is_empty() {
            return;
        }
        // Every other line is moved by half a word, so that none is free of it.
        let line = usize::from(y / CELL_HEIGHT);
        let shift = if line.is_multiple_of(2) { 0 } else { self.width / 2 };
        let from = usize::from(y % CELL_HEIGHT) * self.width;
        let Some(pattern) = self.grey.get(from..from + self.width) else { return };
        let pattern = pattern.iter().cycle().skip((usize::from(left) + shift) % self.width);
        for ([r, g, b, _], grey) in row.as_chunks_mut::<4>().0.iter_mut().zip(pattern) {
            let add = (i32::from(*grey) - GROUND) * 2 * STRENGTH / 256;
            if add != 0 {
                for part in [r, g, b] {
                    *part = (i32::from(*part) + add).clamp(0, 255) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_who_and_when() {
        assert_eq!(words("Ada\nL", 1_700_000_000_000_000), "Ada L · 2023-11-14 22:13 UTC");
        assert_eq!(words("", 0), "");
    }
}
