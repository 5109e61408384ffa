//! A person.

use crate::{Micros, UserId};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    /// Unique, compared without case.
    pub name: String,
    pub role: Role,
    /// The first password is for one login: it must be changed before anything else.
    pub must_change_password: bool,
    pub disabled: bool,
    pub created: Micros,
}

impl User {
    pub const NAME_CHARS_MAX: usize = 64;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// What belongs to them.
    User,
    /// Helps people: sees everybody's desktops and connections, switches desktops, ends connections, looks on as pools allow.
    Helpdesk,
    /// Administers some pools, with all that is in them.
    PoolAdmin,
    /// Sees everything, recordings too, and changes nothing.
    Auditor,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::User, Self::Helpdesk, Self::PoolAdmin, Self::Auditor, Self::Admin];
}
