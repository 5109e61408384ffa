//! The rows of Guacamole's database (its schema since 1.0), and what they add up to.

use crate::site::{Connection, Person, Site};
use crate::{Left, PARAMETERS_MAX};
use std::collections::{BTreeMap, BTreeSet};

/// Groups inside each other.
const DEPTH_MAX: usize = 32;

/// `guacamole_connection_group`.
#[derive(Clone, Debug)]
pub struct GroupRow {
    pub id: i64,
    pub parent: Option<i64>,
    pub name: String,
    pub balancing: bool,
    pub limited: bool,
}

/// `guacamole_connection`.
#[derive(Clone, Debug)]
pub struct ConnectionRow {
    pub id: i64,
    pub parent: Option<i64>,
    pub name: String,
    pub protocol: String,
    /// It has limits, weights, attributes (restrictions among them) or a guacd of its own.
    pub limited: bool,
}

/// `guacamole_connection_parameter`.
#[derive(Clone)]
pub struct ParameterRow {
    pub connection: i64,
    pub name: String,
    pub value: String,
}

/// `guacamole_user` with its `guacamole_entity`.
#[derive(Clone, Debug)]
pub struct UserRow {
    pub entity: i64,
    pub name: String,
    pub disabled: bool,
    pub admin: bool,
    /// It has hours, dates or attributes (restrictions among them).
    pub restricted: bool,
}

/// `guacamole_user_group_member`: the group's entity and the member's.
#[derive(Clone, Copy, Debug)]
pub struct MemberRow {
    pub group: i64,
    pub member: i64,
}

/// `guacamole_connection_permission` with `READ`.
#[derive(Clone, Copy, Debug)]
pub struct PermissionRow {
    pub entity: i64,
    pub connection: i64,
}

/// `guacamole_sharing_profile`.
#[derive(Clone, Debug)]
pub struct SharingRow {
    pub name: String,
    pub connection: i64,
}

#[derive(Default)]
pub struct Rows {
    pub groups: Vec<GroupRow>,
    pub connections: Vec<ConnectionRow>,
    pub parameters: Vec<ParameterRow>,
    pub users: Vec<UserRow>,
    pub members: Vec<MemberRow>,
    pub permissions: Vec<PermissionRow>,
    pub sharing: Vec<SharingRow>,
}

impl Rows {
    pub fn into_site(self) -> Site {
        let mut left = Vec::new();
        let groups: BTreeMap<i64, &GroupRow> = self.groups.iter().map(|group| (group.id, group)).collect();
        let users: BTreeMap<i64, &UserRow> = self.users.iter().map(|user| (user.entity, user)).collect();
        let mut allowed: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for permission in &self.permissions {
            let names = allowed.entry(permission.connection).or_default();
            for entity in self.everybody_in(permission.entity) {
                names.extend(users.get(&entity).map(|user| user.name.clone()));
            }
        }
        for group in &self.groups {
            let what = format!("group {:?}", group.name);
            if group.balancing {
                left.push(Left::new(&what, "it balances between its connections: they become machines of their own"));
            }
            if group.limited {
                left.push(Left::new(
                    &what,
                    "limits of connections at once and restrictions have no place in Oriel yet",
                ));
            }
        }
        for user in self.users.iter().filter(|user| user.restricted) {
            let what = format!("person {:?}", user.name);
            left.push(Left::new(
                what,
                "hours and dates in which somebody may sign in, and restrictions, have no place in Oriel yet",
            ));
        }
        let names: BTreeMap<i64, &str> = self.connections.iter().map(|row| (row.id, row.name.as_str())).collect();
        for profile in &self.sharing {
            let of = names.get(&profile.connection).copied().unwrap_or("a connection that is gone");
            let what = format!("sharing profile {:?} of {of:?}", profile.name);
            left.push(Left::new(
                what,
                "who shares a session in Oriel says so when they share it; there are no profiles",
            ));
        }
        let mut parameters: BTreeMap<i64, BTreeMap<String, String>> = BTreeMap::new();
        for row in self.parameters {
            let of = parameters.entry(row.connection).or_default();
            if of.len() < PARAMETERS_MAX {
                of.insert(row.name, row.value);
            }
        }
        let mut connections = Vec::with_capacity(self.connections.len());
        for row in &self.connections {
            if row.limited {
                let what = format!("connection {:?}", row.name);
                left.push(Left::new(
                    what,
                    "limits, weights, restrictions and a guacd of its own have no place in Oriel",
                ));
            }
            connections.push(Connection {
                name: row.name.clone(),
                group: path(&groups, row.parent),
                protocol: row.protocol.clone(),
                parameters: parameters.remove(&row.id).unwrap_or_default(),
                users: allowed.remove(&row.id).unwrap_or_default(),
            });
        }
        let mut people: Vec<Person> = self
            .users
            .iter()
            .map(|user| Person { name: user.name.clone(), admin: user.admin, disabled: user.disabled })
            .collect();
        people.sort();
        Site { people, connections, left }
    }

    /// The entity itself and, for a group, whoever is in it or in groups in it.
    fn everybody_in(&self, entity: i64) -> BTreeSet<i64> {
        let (mut found, mut open) = (BTreeSet::from([entity]), vec![entity]);
        while let Some(group) = open.pop() {
            for member in self.members.iter().filter(|row| row.group == group) {
                if found.insert(member.member) {
                    open.push(member.member);
                }
            }
        }
        found
    }
}

fn path(groups: &BTreeMap<i64, &GroupRow>, mut parent: Option<i64>) -> Vec<String> {
    let mut path = Vec::new();
    while let Some(group) = parent.and_then(|id| groups.get(&id))
        && path.len() < DEPTH_MAX
    {
        path.push(group.name.clone());
        parent = group.parent;
    }
    path.reverse();
    path
}
