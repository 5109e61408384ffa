//! Names that people give: safe as a host name, a file name and a libvirt domain name.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// 1 to 40 characters: lowercase letters, digits and single hyphens; starts with a letter, does not end with a hyphen.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Longest name, in characters (a host name label has 63; we add suffixes).
pub const NAME_CHARS_MAX: usize = 40;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{given:?} is not a name: use 1 to {NAME_CHARS_MAX} lowercase letters, digits and single hyphens, starting with a letter, for example \"studio-1\""
)]
pub struct NameError {
    given: String,
}

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let good = !text.is_empty()
            && text.len() <= NAME_CHARS_MAX
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && !text.contains("--")
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if good { Ok(Self(text.to_owned())) } else { Err(NameError { given: text.chars().take(80).collect() }) }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn accepts_host_names_and_refuses_paths() {
        for good in ["a", "studio-1", "x9"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "1a", "../etc", "a/b", "a.b", "a b", "ä", &"a".repeat(41), "a\0"] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}
