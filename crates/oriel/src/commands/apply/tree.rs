//! A declared file as a tree that knows its lines, whichever of the two languages it is written in.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::{collections::BTreeSet, fmt};
use toml::de::{DeTable, DeValue};

/// What may stand in a file, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Counted from 1; `None` where the parser does not tell.
    pub line: Option<usize>,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Whole(i64),
    Truth(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// What nothing here takes, in words: `a date`.
    Other(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub line: Option<usize>,
    pub node: Node,
}

impl Value {
    /// What it is, in words.
    pub fn said(&self) -> String {
        match self {
            Self::Text(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
            Self::Whole(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
            Self::Other(what) => (*what).to_owned(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Toml,
    Yaml,
}

impl Language {
    /// By the end of a file's name.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }

    /// By the first line that says something: a `[table]` or `key = …` is TOML.
    pub fn guessed(text: &str) -> Self {
        let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        let is_toml = first.is_some_and(|line| {
            line.starts_with('[') || line.split_once('=').is_some_and(|(key, _)| !key.contains(':'))
        });
        if is_toml { Self::Toml } else { Self::Yaml }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
        }
    }
}

/// Why a text is no tree.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub line: Option<usize>,
    pub what: String,
}

/// The entries of a file's outermost table; none of a file that says nothing.
pub fn read(text: &str, language: Language) -> Result<Node, Unreadable> {
    let silent = text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "---");
    if silent {
        return Ok(Node { line: None, value: Value::Table(Vec::new()) });
    }
    let unreadable = |line: Option<usize>, why: &str| Unreadable {
        line,
        what: format!("this is no {}: {}", language.word(), why.lines().next().unwrap_or_default().trim()),
    };
    match language {
        Language::Toml => {
            let lines = Lines::of(text);
            let table = DeTable::parse(text)
                .map_err(|error| unreadable(error.span().map(|span| lines.at(span.start)), error.message()))?;
            Ok(Node { line: None, value: Value::Table(entries(&lines, table.get_ref())) })
        }
        Language::Yaml => {
            // `off` and `on` are words of Oriel's, not truths.
            let options = serde_saphyr::options! { strict_booleans: true };
            serde_saphyr::from_str_with_options(text, options).map_err(|error| {
                let line = error.location().and_then(|at| usize::try_from(at.line()).ok()).filter(|line| *line > 0);
                unreadable(line, &error.without_snippet().to_string())
            })
        }
    }
}

/// Where lines end, in bytes.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of a byte, from 1 on.
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

fn entries(lines: &Lines, table: &DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<(usize, Entry)> = table
        .iter()
        .map(|(key, value)| {
            let line = lines.at(key.span().start);
            let node = Node { line: Some(lines.at(value.span().start)), value: from_toml(lines, value.get_ref()) };
            (key.span().start, Entry { key: key.get_ref().to_string(), line: Some(line), node })
        })
        .collect();
    // As they were written.
    entries.sort_by_key(|(at, _)| *at);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn from_toml(lines: &Lines, value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(inner) => Value::Text(inner.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number that is too large"), Value::Whole),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Boolean(truth) => Value::Truth(*truth),
        DeValue::Datetime(_) => Value::Other("a date without quotes"),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| Node { line: Some(lines.at(item.span().start)), value: from_toml(lines, item.get_ref()) })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(entries(lines, table)),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = serde_saphyr::Spanned::<Bare>::deserialize(deserializer)?;
        let line = usize::try_from(found.referenced.line()).ok().filter(|line| *line > 0);
        Ok(Self { line, value: found.value.0 })
    }
}

/// A value before its line is known.
struct Bare(Value);

impl<'de> Deserialize<'de> for Bare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BareVisitor).map(Self)
    }
}

struct BareVisitor;

impl<'de> Visitor<'de> for BareVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true or false, a list or a table")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Truth(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or(Value::Other("a number that is too large"), Value::Whole))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other("a number with a fraction"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other("nothing"))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Other("nothing"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Node>()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (mut entries, mut keys) = (Vec::new(), BTreeSet::new());
        while let Some(key) = map.next_key::<String>()? {
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format!("{key:?} is there twice")));
            }
            let node = map.next_value::<Node>()?;
            // A table begins where its first key does, which is below its own: no line is better than the wrong one.
            let line = node.line.filter(|_| !matches!(node.value, Value::Table(_) | Value::List(_)));
            entries.push(Entry { key, line, node });
        }
        Ok(Value::Table(entries))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
mod tests {
    use super::*;

    fn keys(node: &Node) -> Vec<(&str, Option<usize>)> {
        match &node.value {
            Value::Table(entries) => entries.iter().map(|entry| (entry.key.as_str(), entry.line)).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn inner<'a>(node: &'a Node, key: &str) -> &'a Node {
        match &node.value {
            Value::Table(entries) => &entries.iter().find(|entry| entry.key == key).unwrap().node,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_languages_say_the_same() {
        let toml = "# a comment\n[pool.office]\nvcpus = 2\nrecording = \"off\"\nusers = [\"ada\"]\n";
        let yaml = "# a comment\npool:\n  office:\n    vcpus: 2\n    recording: off\n    users: [ada]\n";
        assert_eq!((Language::guessed(toml), Language::guessed(yaml)), (Language::Toml, Language::Yaml));
        for (text, language, first) in [(toml, Language::Toml, 3_usize), (yaml, Language::Yaml, 4)] {
            let file = read(text, language).unwrap();
            let office = inner(inner(&file, "pool"), "office");
            let lines = [("vcpus", Some(first)), ("recording", Some(first + 1))];
            assert_eq!(keys(office).get(..2).unwrap(), lines, "{language:?}");
            assert_eq!(inner(office, "vcpus").value, Value::Whole(2));
            assert_eq!(inner(office, "recording").value, Value::Text("off".into()));
            match &inner(office, "users").value {
                Value::List(users) => assert_eq!(users.first().unwrap().value, Value::Text("ada".into())),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_tree_says_in_which_line() {
        let wrong = read("[pool.office]\nvcpus = = 2\n", Language::Toml).unwrap_err();
        assert_eq!(wrong.line, Some(2), "{wrong:?}");
        let wrong = read("[pool.office]\nvcpus = 2\nvcpus = 3\n", Language::Toml).unwrap_err();
        assert!(wrong.line.is_some() && wrong.what.starts_with("this is no TOML"), "{wrong:?}");
        let wrong = read("pool:\n  office: {vcpus: 2\n", Language::Yaml).unwrap_err();
        assert!(wrong.what.starts_with("this is no YAML"), "{wrong:?}");
        assert!(read("pool:\n  office: {vcpus: 2, vcpus: 3}\n", Language::Yaml).is_err());
        for nothing in ["", "\n# only words\n", "---\n"] {
            assert!(keys(&read(nothing, Language::Yaml).unwrap()).is_empty());
        }
    }
}
