//! A keyboard layout in XKB's words.

use std::{fmt, str::FromStr};

/// `us`, `de`, `us(intl)`: an XKB layout and, in parentheses, its variant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Keyboard {
    pub layout: String,
    /// Empty when there is none.
    pub variant: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{given:?} is not a keyboard layout: use an XKB layout with an optional variant, for example \"de\" or \"us(intl)\""
)]
pub struct KeyboardError {
    given: String,
}

/// Longest layout or variant, in characters.
const WORD_CHARS_MAX: usize = 32;

impl Default for Keyboard {
    fn default() -> Self {
        Self { layout: String::from("us"), variant: String::new() }
    }
}

impl FromStr for Keyboard {
    type Err = KeyboardError;
    fn from_str(text: &str) -> Result<Self, KeyboardError> {
        let parts = match text.split_once('(') {
            None => Some((text, "")),
            Some((layout, rest)) => {
                rest.strip_suffix(')').filter(|variant| !variant.is_empty()).map(|variant| (layout, variant))
            }
        };
        // These words end in a file that shell scripts of the guest read.
        let word = |w: &str| {
            w.len() <= WORD_CHARS_MAX && w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        match parts {
            Some((layout, variant)) if !layout.is_empty() && word(layout) && word(variant) => {
                Ok(Self { layout: layout.to_owned(), variant: variant.to_owned() })
            }
            _ => Err(KeyboardError { given: text.chars().take(80).collect() }),
        }
    }
}

impl fmt::Display for Keyboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.variant.is_empty() { f.write_str(&self.layout) } else { write!(f, "{}({})", self.layout, self.variant) }
    }
}

#[cfg(test)]
mod tests {
    use super::Keyboard;

    #[test]
    fn reads_layouts_and_refuses_shell() {
        for good in ["us", "de", "us(intl)", "de(nodeadkeys)", "ch(fr)", "latam"] {
            assert_eq!(good.parse::<Keyboard>().unwrap().to_string(), good);
        }
        for bad in ["", "(x)", "us(", "us()", "us)x", "us\"", "$(id)", "us;id", "us intl", "üs", &"a".repeat(33)] {
            assert!(bad.parse::<Keyboard>().is_err(), "{bad}");
        }
    }
}
