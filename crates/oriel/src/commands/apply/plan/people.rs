//! People who are wanted, who is in groups, and whom pools let in.

use super::{Change, Does, Draft, Mark, World, dangling, same, step};
use crate::{
    client::segment,
    commands::apply::{
        read::Wrong,
        said::{self, Said},
        wanted::{Reference, WantedGroup, WantedPool, WantedUser},
    },
};
use oriel_server::api::user::User;
use std::collections::BTreeSet;

impl<'a> World<'a> {
    pub(super) fn user(&self, user: &WantedUser) -> Result<Vec<Change>, Wrong> {
        let there = self.person(&user.name);
        let mut draft = Draft::default();
        let role = user.role.map(|role| said::word(&role));
        let before = there.map(|there| said::word(&there.role));
        if let (Some(role), Some(word)) = (user.role, role.filter(|word| before.as_ref() != Some(word))) {
            draft.put("role", role);
            draft.says("role", before, word);
        }
        if let Some(pools) = &user.pools {
            let mut wanted = BTreeSet::new();
            for pool in pools {
                wanted.insert(self.pool_named(pool)?);
            }
            let before: BTreeSet<String> =
                there.iter().flat_map(|there| &there.pools).map(|pool| pool.name.clone()).collect();
            if wanted != before {
                let said = |names: &BTreeSet<String>| Said::List(names.iter().cloned().collect()).to_string();
                draft.says("pools", there.map(|_| said(&before)), said(&wanted));
                draft.put("pools", wanted);
            }
        }
        let disabled = user.disabled.filter(|disabled| there.map_or(*disabled, |there| there.disabled != *disabled));
        let Some(there) = there else {
            let Some(password) = &user.password else {
                return Err(user.place.wrong(format!("there is nobody named {}", user.name)).next(format!(
                    "name the first password with `password_file` or `password_env`, or make them with `oriel user create {}`",
                    user.name
                )));
            };
            draft.says("password", None, password.said());
            draft.secrets.push(("password", password.clone()));
            draft.put("name", &user.name);
            if user.role.is_none() {
                draft.put("role", "user");
            }
            let mut changes = vec![draft.change(Mark::Add, "user", &user.name, Does::Post, "/users".to_owned())];
            if disabled.is_some() {
                let mut locked = Draft::default();
                locked.put("disabled", true);
                locked.says("disabled", Some("false".to_owned()), true);
                let path = format!("/users/{}", segment(&user.name));
                changes.push(locked.change(Mark::Change, "user", &user.name, Does::Patch, path));
            }
            return Ok(changes);
        };
        if let Some(disabled) = disabled {
            draft.put("disabled", disabled);
            draft.says("disabled", Some(there.disabled.to_string()), disabled);
        }
        if draft.fields.is_empty() {
            return Ok(Vec::new());
        }
        let path = format!("/users/{}", segment(&there.id));
        Ok(vec![draft.change(Mark::Change, "user", &there.name, Does::Patch, path)])
    }

    pub(super) fn members(&self, group: &WantedGroup) -> Result<Vec<Change>, Wrong> {
        let Some(members) = &group.members else { return Ok(Vec::new()) };
        let there = self.present.groups.iter().find(|one| same(&one.name, &group.name));
        let path = format!("/groups/{}/members", segment(there.map_or(group.name.as_str(), |there| there.id.as_str())));
        let name = there.map_or(group.name.as_str(), |there| there.name.as_str());
        let mut changes = Vec::new();
        let mut wanted = BTreeSet::new();
        for member in members {
            let person = self.person_named(member)?;
            let known = there.is_some_and(|there| there.members.iter().any(|one| same(&one.name, &person)));
            if wanted.insert(person.to_lowercase()) && !known {
                let path = format!("{path}/{}", segment(&person));
                changes.push(step(Mark::Add, "group", name, format!("member {person}"), path));
            }
        }
        if self.how.prune {
            for one in there.iter().flat_map(|there| &there.members) {
                // Who is in it by a directory is that one's to say.
                let is_elsewhere =
                    self.person(&one.id).is_some_and(|user| user.directory.is_some() || user.provider.is_some());
                if !wanted.contains(&one.name.to_lowercase()) && !is_elsewhere {
                    let path = format!("{path}/{}", segment(&one.id));
                    changes.push(step(Mark::Remove, "group", name, format!("member {}", one.name), path));
                }
            }
        }
        Ok(changes)
    }

    pub(super) fn entitlements(&self, pool: &WantedPool) -> Result<Vec<Change>, Wrong> {
        let there = self.present.pools.iter().find(|one| one.name == pool.name);
        let path = format!("/pools/{}", segment(&pool.name));
        let mut changes = Vec::new();
        let mut wanted = BTreeSet::new();
        let none = Vec::new();
        for user in pool.users.as_ref().unwrap_or(&none) {
            let person = self.person_named(user)?;
            let known = there.is_some_and(|there| there.users.iter().any(|one| same(&one.name, &person)));
            if wanted.insert((false, person.to_lowercase())) && !known {
                let path = format!("{path}/users/{}", segment(&person));
                changes.push(step(Mark::Add, "pool", &pool.name, format!("open to {person}"), path));
            }
        }
        for group in pool.groups.as_ref().unwrap_or(&none) {
            let group = self.group_named(group)?;
            let known = there.is_some_and(|there| there.groups.iter().any(|one| same(&one.name, &group)));
            if wanted.insert((true, group.to_lowercase())) && !known {
                let path = format!("{path}/groups/{}", segment(&group));
                changes.push(step(Mark::Add, "pool", &pool.name, format!("open to group {group}"), path));
            }
        }
        if let Some(there) = there.filter(|_| self.how.prune) {
            for one in there.users.iter().filter(|one| !wanted.contains(&(false, one.name.to_lowercase()))) {
                let path = format!("{path}/users/{}", segment(&one.id));
                changes.push(step(Mark::Remove, "pool", &pool.name, format!("open to {}", one.name), path));
            }
            for one in there.groups.iter().filter(|one| !wanted.contains(&(true, one.name.to_lowercase()))) {
                let path = format!("{path}/groups/{}", segment(&one.id));
                changes.push(step(Mark::Remove, "pool", &pool.name, format!("open to group {}", one.name), path));
            }
        }
        Ok(changes)
    }

    fn person(&self, key: &str) -> Option<&'a User> {
        self.present.users.iter().find(|one| one.id == key || same(&one.name, key))
    }

    pub(super) fn person_named(&self, reference: &Reference) -> Result<String, Wrong> {
        let declared =
            || self.wanted.users.iter().find(|one| same(&one.name, &reference.name)).map(|one| one.name.clone());
        self.person(&reference.name).map(|one| one.name.clone()).or_else(declared).ok_or_else(|| {
            let known = self.present.users.iter().map(|one| one.name.as_str());
            let known = known.chain(self.wanted.users.iter().map(|one| one.name.as_str()));
            dangling(reference, "user", known, "make them with `oriel user create`, or declare them with a password")
        })
    }

    fn group_named(&self, reference: &Reference) -> Result<String, Wrong> {
        let named = |id: &str, name: &str| reference.name == id || same(&reference.name, name);
        let there = self.present.groups.iter().find(|one| named(&one.id, &one.name)).map(|one| one.name.clone());
        let declared = || self.wanted.groups.iter().find(|one| named("", &one.name)).map(|one| one.name.clone());
        there.or_else(declared).ok_or_else(|| {
            let known = self.present.groups.iter().map(|one| one.name.as_str());
            let known = known.chain(self.wanted.groups.iter().map(|one| one.name.as_str()));
            dangling(reference, "group", known, "declare it, or make it with `oriel group create`")
        })
    }

    fn pool_named(&self, reference: &Reference) -> Result<String, Wrong> {
        let name = reference.name.as_str();
        let there =
            self.present.pools.iter().find(|one| one.id == name || one.name == name).map(|one| one.name.clone());
        let declared = || self.wanted.pools.iter().find(|one| one.name == name).map(|one| one.name.clone());
        there.or_else(declared).ok_or_else(|| {
            let known = self.present.pools.iter().map(|one| one.name.as_str());
            let known = known.chain(self.wanted.pools.iter().map(|one| one.name.as_str()));
            dangling(reference, "pool", known, "declare it, or make it with `oriel pool create`")
        })
    }
}
