//! A keyboard layout in XKB's words.

use crate::layouts::LAYOUTS;
use std::{fmt, str::FromStr};

/// `us`, `de`, `us(intl)`: an XKB layout and, in parentheses, its variant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Keyboard {
    pub layout: String,
    /// Empty when there is none.
    pub variant: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyboardError {
    #[error(
        "{given:?} is not a keyboard layout: use an XKB layout with an optional variant, for example \"de\" or \"us(intl)\""
    )]
    Shape { given: String },
    #[error("there is no keyboard layout {layout:?}{}", did_you_mean(.near))]
    Unknown {
        layout: String,
        /// What may have been meant, likeliest first: name and language.
        near: Vec<(&'static str, &'static str)>,
    },
}

/// Longest layout or variant, in characters.
const WORD_CHARS_MAX: usize = 32;
/// Most layouts that an error names.
const NEAR_MAX: usize = 4;

fn did_you_mean(near: &[(&str, &str)]) -> String {
    let named: Vec<String> = near.iter().map(|(name, language)| format!("{name} ({language})")).collect();
    if named.is_empty() { String::new() } else { format!(": did you mean {}?", named.join(" or ")) }
}

/// Layouts whose language is what was given (`german`, `uk`), then those whose names are close to it.
fn near(given: &str) -> Vec<(&'static str, &'static str)> {
    let given = given.to_ascii_lowercase();
    let spoken = |language: &str| {
        language.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.eq_ignore_ascii_case(&given))
    };
    let close = |name: &str| {
        // Any two names of two letters differ by two at most, and by one for want of anything better.
        name.get(..1) == given.get(..1) && strsim::damerau_levenshtein(name, &given) <= 1
    };
    let (first, then) = (LAYOUTS.iter().filter(|l| spoken(l.1)), LAYOUTS.iter().filter(|l| close(l.0) && !spoken(l.1)));
    first.chain(then).take(NEAR_MAX).copied().collect()
}

impl Keyboard {
    /// Reads what a person chose: besides the shape, the layout must be one that XKB knows. Variants are taken as they are.
    pub fn chosen(text: &str) -> Result<Self, KeyboardError> {
        let keyboard: Self = text.parse()?;
        if LAYOUTS.iter().any(|(name, _)| *name == keyboard.layout) {
            return Ok(keyboard);
        }
        Err(KeyboardError::Unknown { near: near(&keyboard.layout), layout: keyboard.layout })
    }
}

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
            _ => Err(KeyboardError::Shape { given: text.chars().take(80).collect() }),
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
    use super::{Keyboard, LAYOUTS};

    #[test]
    fn reads_layouts_and_refuses_shell() {
        for good in ["us", "de", "us(intl)", "de(nodeadkeys)", "ch(fr)", "latam"] {
            assert_eq!(good.parse::<Keyboard>().unwrap().to_string(), good);
        }
        for bad in ["", "(x)", "us(", "us()", "us)x", "us\"", "$(id)", "us;id", "us intl", "üs", &"a".repeat(33)] {
            assert!(bad.parse::<Keyboard>().is_err(), "{bad}");
        }
    }

    #[test]
    fn refuses_layouts_that_do_not_exist_and_names_what_was_meant() {
        assert!(LAYOUTS.is_sorted());
        for good in ["us", "de(nodeadkeys)", "ch(fr)", "latam", "gb"] {
            assert_eq!(Keyboard::chosen(good).unwrap().to_string(), good);
        }
        for (bad, said) in [
            ("xx", "there is no keyboard layout \"xx\""),
            ("uk", "there is no keyboard layout \"uk\": did you mean gb (English (UK)) or "),
            (
                "german",
                "there is no keyboard layout \"german\": did you mean at (German (Austria)) or ch (German (Switzerland)) or de (German)?",
            ),
            ("latm", "there is no keyboard layout \"latm\": did you mean latam (Spanish (Latin American))?"),
            ("DE", "there is no keyboard layout \"DE\": did you mean de (German) or "),
        ] {
            let error = Keyboard::chosen(bad).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
        assert!(Keyboard::chosen("us;id").unwrap_err().to_string().contains("is not a keyboard layout"));
    }
}
