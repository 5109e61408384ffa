//! The words of SQL as MySQL and MariaDB write it in dumps. Total: any bytes are words or an error with its line.

use crate::DumpError;

/// One word. Texts are as they stand in the file, quotes left out: [`unescaped`] reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// Letters, digits, `_`, `$`, `@` and dots: a keyword, a name, a number.
    Word(&'a [u8]),
    /// A name in backticks.
    Name(&'a [u8]),
    /// A text in single or double quotes.
    Text { raw: &'a [u8], quote: u8 },
    /// Anything else, as `(`, `,` or `;`.
    Sign(u8),
}

pub(crate) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The line that it is in, counted from 1. Counts them: for errors.
    pub(crate) fn line(&self) -> usize {
        let before = self.bytes.get(..self.at.min(self.bytes.len())).unwrap_or_default();
        before.split(|byte| *byte == b'\n').count()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The rest of the line, which ends up behind it.
    pub(crate) fn rest_of_line(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        self.at += (end + 1).min(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Blanks and comments. Those that a server would execute (`/*!40101 … */`) hold nothing that is read here.
    fn skip(&mut self) -> Result<(), DumpError> {
        loop {
            match self.rest() {
                [byte, ..] if byte.is_ascii_whitespace() => self.at += 1,
                [b'#', ..] => {
                    self.rest_of_line();
                }
                [b'-', b'-', after @ ..] if after.first().is_none_or(u8::is_ascii_whitespace) => {
                    self.rest_of_line();
                }
                [b'/', b'*', inside @ ..] => {
                    let Some(end) = inside.windows(2).position(|two| two == b"*/") else {
                        return Err(DumpError::Open { what: "a comment", line: self.line() });
                    };
                    self.at += end + 4;
                }
                _ => return Ok(()),
            }
        }
    }

    /// `None` at the end of the file.
    pub(crate) fn token(&mut self) -> Result<Option<Token<'a>>, DumpError> {
        self.skip()?;
        let rest = self.rest();
        let Some(first) = rest.first().copied() else { return Ok(None) };
        let token = match first {
            b'`' => Token::Name(self.quoted(first, "a name")?),
            b'\'' | b'"' => Token::Text { raw: self.quoted(first, "a text")?, quote: first },
            _ => {
                let end = rest.iter().position(|byte| !is_of_word(*byte)).unwrap_or(rest.len());
                self.at += end.max(1);
                match rest.get(..end) {
                    Some(word) if !word.is_empty() => Token::Word(word),
                    _ => Token::Sign(first),
                }
            }
        };
        Ok(Some(token))
    }

    /// What stands between quotes; doubled ones and, but for names, escaped ones are part of it.
    fn quoted(&mut self, quote: u8, what: &'static str) -> Result<&'a [u8], DumpError> {
        let inside = self.rest().get(1..).unwrap_or_default();
        let mut at = 0;
        while let Some(byte) = inside.get(at).copied() {
            if byte == b'\\' && quote != b'`' {
                at += 2;
            } else if byte != quote {
                at += 1;
            } else if inside.get(at + 1) == Some(&quote) {
                at += 2;
            } else {
                self.at += at + 2;
                return Ok(inside.get(..at).unwrap_or_default());
            }
        }
        Err(DumpError::Open { what, line: self.line() })
    }
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'@' | b'.') || byte >= 0x80
}

/// The bytes that a quoted text stands for (MySQL's manual, "String Literals").
pub(crate) fn unescaped(raw: &[u8], quote: u8) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' {
            match bytes.next() {
                Some(b'0') => text.push(0),
                Some(b'b') => text.push(8),
                Some(b'n') => text.push(b'\n'),
                Some(b'r') => text.push(b'\r'),
                Some(b't') => text.push(b'\t'),
                Some(b'Z') => text.push(26),
                Some(other) => text.push(other),
                None => {}
            }
        } else {
            text.push(byte);
            if byte == quote {
                // The second of two.
                bytes.next();
            }
        }
    }
    text
}
