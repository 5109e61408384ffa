//! What all that brings in another program's people and machines has in common: names that Oriel can use, and what found no place.

use crate::Name;
use std::collections::BTreeSet;

/// Longest word that a name is cut to, in characters: a number or a mark may follow.
const WORD_CHARS_MAX: usize = 28;

/// Something that is not taken over, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub what: String,
    pub reason: String,
}

impl Left {
    pub fn new(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { what: what.into(), reason: reason.into() }
    }
}

/// Names that were not given out yet.
#[derive(Default)]
pub struct Names(BTreeSet<Name>);

impl Names {
    /// The word itself (as [`word`] makes it), or with the first free number behind it.
    pub fn take(&mut self, word: &str) -> Name {
        let mut number = 1_u64;
        loop {
            let text = if number == 1 { word.to_owned() } else { format!("{word}-{number}") };
            // A word and a number are always a name.
            if let Ok(name) = text.parse::<Name>()
                && self.0.insert(name.clone())
            {
                return name;
            }
            number += 1;
        }
    }
}

/// What a name is made of: small letters, digits and single hyphens, a letter first.
pub fn word(text: &str) -> String {
    let mut word = String::new();
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else if !word.is_empty() && !word.ends_with('-') {
            word.push('-');
        }
        if word.len() >= WORD_CHARS_MAX {
            break;
        }
    }
    let word = word.trim_end_matches('-');
    if word.starts_with(|c: char| c.is_ascii_lowercase()) {
        word.to_owned()
    } else {
        format!("m-{word}").trim_end_matches('-').to_owned()
    }
}
