//! Takes values out of a tree; what is wrong is said with its file, its line, its path and what would be right.

use super::tree::{Entry, Node, Value};
use crate::failure::Failure;
use serde::de::DeserializeOwned;
use std::{fmt, str::FromStr};

/// How unlike a known word another may be and still be taken for a slip.
const SLIP_MAX: usize = 3;

/// Where something was declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: Option<usize>,
    /// `pool.office.vcpus`.
    pub path: String,
}

impl Place {
    pub fn wrong(&self, what: impl Into<String>) -> Wrong {
        Wrong { place: self.clone(), what: what.into(), next: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if self.path.is_empty() { Ok(()) } else { write!(f, ", {}", self.path) }
    }
}

/// Why a declaration cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    pub place: Place,
    pub what: String,
    pub next: Option<String>,
}

impl Wrong {
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        let failure = Self::new(format!("{}: {}", wrong.place, wrong.what));
        match wrong.next {
            Some(next) => failure.next(next),
            None => failure,
        }
    }
}

/// The known word that somebody may have meant.
pub fn near<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(word, given), word))
        .min()
        // Of a short word, most others are near.
        .filter(|(distance, _)| *distance <= SLIP_MAX && 2 * *distance <= given.chars().count())
        .map(|(_, word)| word)
}

/// `did you mean …?`, or all that is known.
pub fn suggestion(given: &str, known: &[&str]) -> String {
    match near(given, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// As the API writes it.
fn plain(word: &str) -> String {
    word.replace('-', "_")
}

/// A value, and where it is.
#[derive(Clone)]
pub struct Spot<'a> {
    pub place: Place,
    value: &'a Value,
}

/// A table, and where it is.
pub struct Table<'a> {
    pub place: Place,
    entries: &'a [Entry],
}

impl<'a> Spot<'a> {
    /// A whole file.
    pub fn file(name: &str, node: &'a Node) -> Self {
        Self { place: Place { file: name.to_owned(), line: node.line, path: String::new() }, value: &node.value }
    }

    fn not(&self, what: &str) -> Wrong {
        self.place.wrong(format!("this is {}, and must be {what}", self.value.said()))
    }

    pub fn text(&self) -> Result<String, Wrong> {
        match self.value {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(self.not("a text").next("put it between quotes")),
        }
    }

    /// A text that is not empty.
    pub fn some_text(&self) -> Result<String, Wrong> {
        let text = self.text()?;
        if text.is_empty() { Err(self.place.wrong("this is empty, and must say something")) } else { Ok(text) }
    }

    pub fn whole<T: TryFrom<i64>>(&self) -> Result<T, Wrong> {
        let number = match self.value {
            Value::Whole(number) => T::try_from(*number).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.not("a whole number, not below 0 and not too large"))
    }

    pub fn truth(&self) -> Result<bool, Wrong> {
        match self.value {
            Value::Truth(truth) => Ok(*truth),
            _ => Err(self.not("true or false")),
        }
    }

    pub fn table(&self) -> Result<Table<'a>, Wrong> {
        match self.value {
            Value::Table(entries) => Ok(Table { place: self.place.clone(), entries }),
            _ => Err(self.not("a table")),
        }
    }

    pub fn list(&self) -> Result<Vec<Spot<'a>>, Wrong> {
        let Value::List(items) = self.value else { return Err(self.not("a list")) };
        let spots = items.iter().enumerate().map(|(index, item)| Spot {
            place: Place {
                file: self.place.file.clone(),
                line: item.line.or(self.place.line),
                path: format!("{}[{index}]", self.place.path),
            },
            value: &item.value,
        });
        Ok(spots.collect())
    }

    /// A text in the words of the command line.
    pub fn parsed<T: FromStr>(&self) -> Result<T, Wrong>
    where
        T::Err: fmt::Display,
    {
        self.text()?.parse().map_err(|error: T::Err| self.place.wrong(error.to_string()))
    }

    /// One of some words; dashes are as good as underscores.
    pub fn word<T: DeserializeOwned>(&self, known: &[&str]) -> Result<T, Wrong> {
        let text = self.text()?;
        let unknown =
            || self.place.wrong(format!("{} is none of its words", self.value.said())).next(suggestion(&text, known));
        let word = known.iter().find(|word| plain(word) == plain(&text)).ok_or_else(unknown)?;
        serde_json::from_value(serde_json::Value::String(plain(word))).map_err(|_| unknown())
    }

    /// As JSON, where it is a single value.
    pub fn json(&self) -> Result<serde_json::Value, Wrong> {
        match self.value {
            Value::Text(text) => Ok(text.clone().into()),
            Value::Whole(number) => Ok((*number).into()),
            Value::Truth(truth) => Ok((*truth).into()),
            _ => Err(self.not("a text, a number, or true or false")),
        }
    }
}

impl<'a> Table<'a> {
    /// Refuses keys that nobody reads.
    pub fn only(&self, known: &[&str]) -> Result<(), Wrong> {
        match self.entries.iter().find(|entry| !known.contains(&entry.key.as_str())) {
            None => Ok(()),
            Some(entry) => {
                let place = Place { line: entry.line, ..self.below(entry) };
                Err(place
                    .wrong(format!("{:?} is no key that is known here", entry.key))
                    .next(suggestion(&entry.key, known)))
            }
        }
    }

    pub fn get(&self, key: &str) -> Option<Spot<'a>> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| self.spot(entry))
    }

    /// All that is in it, with its names.
    pub fn all(&self) -> Vec<(&'a str, Spot<'a>)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), self.spot(entry))).collect()
    }

    fn spot(&self, entry: &'a Entry) -> Spot<'a> {
        Spot { place: self.below(entry), value: &entry.node.value }
    }

    fn below(&self, entry: &Entry) -> Place {
        let path = &self.place.path;
        let key = &entry.key;
        // A name with blanks or dots reads as one.
        let key = if key.contains(['.', ' ']) { format!("{key:?}") } else { key.clone() };
        Place {
            file: self.place.file.clone(),
            line: entry.line.or(entry.node.line),
            path: if path.is_empty() { key } else { format!("{path}.{key}") },
        }
    }

    /// What a key says, read by `read`; `None` where it is not there.
    pub fn maybe<T>(&self, key: &str, read: impl FnOnce(&Spot<'a>) -> Result<T, Wrong>) -> Result<Option<T>, Wrong> {
        self.get(key).map(|spot| read(&spot)).transpose()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::super::tree::{Language, read};
    use super::*;

    #[test]
    fn what_is_wrong_is_said_where_it_is() {
        let node = read("[pool.office]\nvcpus = \"two\"\nvcpu = 2\n", Language::Toml).unwrap();
        let file = Spot::file("lab.toml", &node).table().unwrap();
        let office = file.get("pool").unwrap().table().unwrap().get("office").unwrap().table().unwrap();
        let wrong = office.get("vcpus").unwrap().whole::<u32>().unwrap_err();
        assert_eq!(
            Failure::from(wrong).to_string(),
            "error: lab.toml line 2, pool.office.vcpus: this is \"two\", and must be a whole number, not below 0 and not too large"
        );
        let wrong = office.only(&["vcpus", "memory"]).unwrap_err();
        assert_eq!(
            Failure::from(wrong).to_string(),
            "error: lab.toml line 3, pool.office.vcpu: \"vcpu\" is no key that is known here\n  try: did you mean `vcpus`?"
        );
        assert_eq!(suggestion("printer", &["vcpus", "memory"]), "known here: vcpus, memory");
    }
}
