//! What one Guacamole keeps, wherever it keeps it.

use crate::Left;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    pub people: Vec<Person>,
    pub connections: Vec<Connection>,
    /// What has no place in the fields above.
    pub left: Vec<Left>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    pub name: String,
    pub admin: bool,
    pub disabled: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    pub name: String,
    /// Names of the groups that it is in, outermost first.
    pub group: Vec<String>,
    pub protocol: String,
    /// Secrets among them.
    pub parameters: BTreeMap<String, String>,
    /// Names of those who may open it.
    pub users: BTreeSet<String>,
}

/// Values may be passwords.
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("name", &self.name)
            .field("group", &self.group)
            .field("protocol", &self.protocol)
            .field("parameters", &self.parameters.keys())
            .field("users", &self.users)
            .finish()
    }
}
