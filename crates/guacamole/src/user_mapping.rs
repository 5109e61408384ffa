//! `user-mapping.xml`: people with their connections, in Guacamole's own file.
//!
//! ```text
//! <user-mapping>
//!   <authorize username password [encoding]>
//!     <protocol>…</protocol> <param name>…</param>            one connection without a name
//!     <connection name> <protocol>…</protocol> <param name>…</param> </connection>
//! ```
//! Nothing outside the file is read, and no entity but XML's own five is known: a document type is an error.

use crate::site::{Connection, Person, Site};
use crate::{CONNECTIONS_MAX, FILE_BYTES_MAX, Left, PARAMETERS_MAX, PEOPLE_MAX, TEXT_BYTES_MAX};
use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};
use std::collections::{BTreeMap, BTreeSet};

/// Elements inside each other.
const DEPTH_MAX: usize = 16;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    #[error("the file has {0} bytes, and at most {FILE_BYTES_MAX} are read")]
    TooLarge(usize),
    #[error("the file is no well-formed XML: {0}")]
    Xml(String),
    #[error("the file declares a document type or entities, which are not read: take them out")]
    DocumentType,
    #[error("the file uses the entity &{0};, which XML does not have by itself: write the text instead")]
    Entity(String),
    #[error("{}, and a user-mapping.xml begins with <user-mapping>: check that it is the right file", outermost(.0))]
    NotAUserMapping(String),
    #[error("{what} is missing (line {line})")]
    Missing { what: &'static str, line: usize },
    #[error("the file has more than {most} {what}")]
    TooMany { what: &'static str, most: usize },
}

fn outermost(name: &str) -> String {
    if name.is_empty() {
        "the file has no element".to_owned()
    } else {
        format!("the file's outermost element is <{name}>")
    }
}

/// What the file says.
pub fn parse(text: &str) -> Result<Site, ParseError> {
    if text.len() > FILE_BYTES_MAX {
        return Err(ParseError::TooLarge(text.len()));
    }
    let mut reader = Reader::from_str(text);
    let mut file = File::default();
    loop {
        let line = |reader: &Reader<&[u8]>| line_of(text, reader.buffer_position());
        let event = reader.read_event().map_err(|error| ParseError::Xml(error.to_string()))?;
        match event {
            Event::Start(element) => file.start(&element, || line(&reader))?,
            Event::Empty(element) => {
                file.start(&element, || line(&reader))?;
                file.end(|| line(&reader))?;
            }
            Event::End(_) => file.end(|| line(&reader))?,
            Event::Text(text) => file.text(text.as_ref())?,
            Event::CData(text) => file.text(text.as_ref())?,
            Event::GeneralRef(entity) => {
                let name: &str = entity.as_ref();
                let character = entity.resolve_char_ref().map_err(|_| ParseError::Entity(short(name)))?;
                match (character, resolve_predefined_entity(name)) {
                    (Some(character), _) => file.text(character.encode_utf8(&mut [0; 4]))?,
                    (None, Some(text)) => file.text(text)?,
                    (None, None) => return Err(ParseError::Entity(short(name))),
                }
            }
            Event::DocType(_) => return Err(ParseError::DocumentType),
            Event::Eof => return file.finish(),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

fn line_of(text: &str, position: u64) -> usize {
    let end = usize::try_from(position).unwrap_or(usize::MAX).min(text.len());
    text.get(..end).unwrap_or_default().matches('\n').count() + 1
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// What is open while the file is read.
#[derive(Default)]
struct File {
    open: Vec<String>,
    text: String,
    person: Option<Person>,
    /// The connection without a name, and the named one that is open.
    plain: Draft,
    named: Option<Draft>,
    parameter: Option<String>,
    seen: bool,
    people: BTreeMap<String, Person>,
    /// By everything but who may open it: the same connection of two people is one.
    connections: BTreeMap<Key, BTreeSet<String>>,
    left: Vec<Left>,
}

/// Name, protocol and parameters.
type Key = (String, String, Vec<(String, String)>);

#[derive(Default)]
struct Draft {
    name: Option<String>,
    protocol: Option<String>,
    parameters: BTreeMap<String, String>,
}

impl File {
    fn start(&mut self, element: &BytesStart<'_>, line: impl Fn() -> usize) -> Result<(), ParseError> {
        let name = element.name();
        let name: &str = name.as_ref();
        if self.open.len() >= DEPTH_MAX {
            return Err(ParseError::TooMany { what: "elements inside each other", most: DEPTH_MAX });
        }
        match (self.open.len(), name) {
            (0, "user-mapping") => self.seen = true,
            (0, other) => return Err(ParseError::NotAUserMapping(short(other))),
            (1, "authorize") => {
                let name = attribute(element, "username")?;
                let name = name.ok_or_else(|| ParseError::Missing { what: "an authorize's username", line: line() })?;
                if self.people.len() >= PEOPLE_MAX {
                    return Err(ParseError::TooMany { what: "people", most: PEOPLE_MAX });
                }
                self.person = Some(Person { name, admin: false, disabled: false });
            }
            (2, "connection") if self.person.is_some() => {
                let name = attribute(element, "name")?;
                let name = name.ok_or_else(|| ParseError::Missing { what: "a connection's name", line: line() })?;
                self.named = Some(Draft { name: Some(name), ..Draft::default() });
            }
            (2 | 3, "param") if self.person.is_some() => {
                let name = attribute(element, "name")?;
                self.parameter =
                    Some(name.ok_or_else(|| ParseError::Missing { what: "a param's name", line: line() })?);
            }
            (2 | 3, "protocol") if self.person.is_some() => {}
            (_, other) => self.left.push(Left::new(
                format!("<{}> in line {}", short(other), line()),
                "a user-mapping.xml has no such element there",
            )),
        }
        if self.left.len() > CONNECTIONS_MAX {
            return Err(ParseError::TooMany { what: "unknown elements", most: CONNECTIONS_MAX });
        }
        self.open.push(name.to_owned());
        self.text.clear();
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), ParseError> {
        if self.text.len() + text.len() > TEXT_BYTES_MAX {
            return Err(ParseError::TooMany { what: "bytes in one value", most: TEXT_BYTES_MAX });
        }
        self.text.push_str(text);
        Ok(())
    }

    fn end(&mut self, line: impl Fn() -> usize) -> Result<(), ParseError> {
        let Some(name) = self.open.pop() else { return Ok(()) };
        let text = std::mem::take(&mut self.text);
        // Two levels below the mapping are the person's own, three the named connection's.
        let draft = match (&mut self.named, self.open.len()) {
            (Some(named), 3) => Some(named),
            (_, 2) if self.person.is_some() => Some(&mut self.plain),
            _ => None,
        };
        match (name.as_str(), draft) {
            ("protocol", Some(draft)) => draft.protocol = Some(text.trim().to_owned()),
            ("param", Some(draft)) => {
                if draft.parameters.len() >= PARAMETERS_MAX {
                    return Err(ParseError::TooMany { what: "parameters in one connection", most: PARAMETERS_MAX });
                }
                if let Some(parameter) = self.parameter.take() {
                    draft.parameters.insert(parameter, text);
                }
            }
            ("connection", _) if self.open.len() == 2 => {
                if let Some(draft) = self.named.take() {
                    self.keep(draft, line)?;
                }
            }
            ("authorize", _) if self.open.len() == 1 => {
                let plain = std::mem::take(&mut self.plain);
                if plain.protocol.is_some() || !plain.parameters.is_empty() {
                    self.keep(plain, line)?;
                }
                if let Some(person) = self.person.take() {
                    self.people.insert(person.name.clone(), person);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn keep(&mut self, draft: Draft, line: impl Fn() -> usize) -> Result<(), ParseError> {
        let Some(person) = &self.person else { return Ok(()) };
        // A connection without a name is the person's only one.
        let name = draft.name.unwrap_or_else(|| person.name.clone());
        let protocol =
            draft.protocol.ok_or_else(|| ParseError::Missing { what: "a connection's protocol", line: line() })?;
        let key = (name, protocol, draft.parameters.into_iter().collect());
        if self.connections.len() >= CONNECTIONS_MAX {
            return Err(ParseError::TooMany { what: "connections", most: CONNECTIONS_MAX });
        }
        self.connections.entry(key).or_default().insert(person.name.clone());
        Ok(())
    }

    fn finish(self) -> Result<Site, ParseError> {
        if !self.open.is_empty() {
            return Err(ParseError::Xml("it ends inside an element".to_owned()));
        }
        if !self.seen {
            return Err(ParseError::NotAUserMapping(String::new()));
        }
        let connections = self.connections.into_iter().map(|((name, protocol, parameters), users)| Connection {
            name,
            group: Vec::new(),
            protocol,
            parameters: parameters.into_iter().collect(),
            users,
        });
        Ok(Site { people: self.people.into_values().collect(), connections: connections.collect(), left: self.left })
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, ParseError> {
    let broken = |error: &dyn std::fmt::Display| ParseError::Xml(error.to_string());
    let Some(attribute) = element.try_get_attribute(name).map_err(|error| broken(&error))? else { return Ok(None) };
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| broken(&error))?;
    if value.len() > TEXT_BYTES_MAX {
        return Err(ParseError::TooMany { what: "bytes in one value", most: TEXT_BYTES_MAX });
    }
    Ok(Some(value.into_owned()))
}
