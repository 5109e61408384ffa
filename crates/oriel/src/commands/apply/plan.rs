//! What is wanted beside what there is: the steps from one to the other, in an order in which each can be done.
//!
//! ```text
//! images ─▶ groups ─▶ pools ─▶ people ─▶ who no longer may ─▶ who may ─▶ machines ─▶ apps
//! ```
//!
//! What a file does not name stays as it is. With `prune`, a pool also loses whom it lets in and rules that the file does not name, a group its
//! members and rules; pools, groups, machines, apps, images and people never go.

mod machine;
mod people;
mod pool;

use super::{
    read::{Wrong, near},
    said::{self, Present, Said},
    wanted::{ImageFrom, Reference, SecretFrom, Wanted, WantedApp, WantedGroup, WantedImage, WantedPool},
};
use crate::client::segment;
use data_encoding::BASE64;
use oriel_model as model;
use oriel_server::api::image::{ImageSource, ImageState};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    pub prune: bool,
    /// Secrets that are named are sent also where the server has one.
    pub renew_secrets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Add,
    Change,
    Remove,
}

/// One step.
#[derive(Debug)]
pub struct Change {
    pub mark: Mark,
    pub noun: &'static str,
    pub name: String,
    /// Where it is about more than the noun's keys: `open to ada`.
    pub what: Option<String>,
    pub fields: Vec<Field>,
    pub call: Call,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    pub key: String,
    pub before: Option<String>,
    pub after: String,
}

/// What the server is asked for.
#[derive(Debug)]
pub struct Call {
    pub does: Does,
    pub path: String,
    pub body: Map<String, Value>,
    /// Go into the body when it is sent.
    pub secrets: Vec<(&'static str, SecretFrom)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    Post,
    Patch,
    Put,
    Delete,
    /// A long job, which is waited for.
    Operation,
}

impl Change {
    /// What is done, in lines.
    pub fn lines(&self) -> Vec<String> {
        let sign = match self.mark {
            Mark::Add => '+',
            Mark::Change => '~',
            Mark::Remove => '-',
        };
        let head = format!("{sign} {} {}", self.noun, self.name);
        if let Some(what) = &self.what {
            return vec![format!("{head}: {what}")];
        }
        let field = |field: &Field| match &field.before {
            Some(before) => format!("{head}: {} {before} → {}", field.key, field.after),
            None if self.mark == Mark::Add => format!("    {} {}", field.key, field.after),
            None => format!("{head}: {} {}", field.key, field.after),
        };
        let fields = self.fields.iter().map(field);
        if self.mark == Mark::Add { std::iter::once(head.clone()).chain(fields).collect() } else { fields.collect() }
    }

    /// What it is about, in a few words.
    pub fn title(&self) -> String {
        match &self.what {
            Some(what) => format!("{} {}: {what}", self.noun, self.name),
            None => format!("{} {}", self.noun, self.name),
        }
    }
}

/// The steps, each of which can be done after those before it. Errors: something is named that is nowhere, or cannot become what is wanted.
pub fn plan(wanted: &Wanted, present: &Present, how: How) -> Result<Vec<Change>, Wrong> {
    let world = World { wanted, present, how };
    let mut changes = Vec::new();
    changes.extend(wanted.images.iter().filter_map(|image| world.image(image)));
    for group in &wanted.groups {
        changes.extend(world.group(group));
    }
    for pool in &wanted.pools {
        changes.extend(world.pool(pool)?);
    }
    for user in &wanted.users {
        changes.extend(world.user(user)?);
    }
    let mut people = Vec::new();
    for group in &wanted.groups {
        people.extend(world.members(group)?);
    }
    for pool in &wanted.pools {
        people.extend(world.entitlements(pool)?);
    }
    // Whoever shall not be there is gone before anything opens.
    let (gone, come): (Vec<_>, Vec<_>) = people.into_iter().partition(|change| change.mark == Mark::Remove);
    changes.extend(gone);
    changes.extend(come);
    for (pool, machine) in world.machines()? {
        changes.extend(world.machine(pool, machine)?);
    }
    for pool in &wanted.pools {
        changes.extend(pool.apps.iter().filter_map(|app| world.app(pool, app)));
    }
    Ok(changes)
}

fn same(a: &str, b: &str) -> bool {
    // Of thousands of people each is compared with each.
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(b) } else { a.to_lowercase() == b.to_lowercase() }
}

/// What is to be sent, and how it reads.
#[derive(Default)]
struct Draft {
    body: Map<String, Value>,
    fields: Vec<Field>,
    secrets: Vec<(&'static str, SecretFrom)>,
}

impl Draft {
    fn put(&mut self, key: &str, value: impl Serialize) {
        // Nothing of the API's fails to become JSON.
        self.body.insert(key.to_owned(), serde_json::to_value(value).unwrap_or_default());
    }

    fn says(&mut self, key: &str, before: Option<String>, after: impl ToString) {
        self.fields.push(Field { key: key.to_owned(), before, after: after.to_string() });
    }

    /// Says what differs of `wanted`, and answers which keys do.
    fn compare(
        &mut self,
        wanted: &[(&'static str, Said)],
        present: Option<&[(&'static str, Said)]>,
    ) -> BTreeSet<&'static str> {
        let mut differ = BTreeSet::new();
        for (key, after) in wanted {
            let before = present.and_then(|keys| keys.iter().find(|(its, _)| its == key)).map(|(_, said)| said);
            if before != Some(after) {
                self.says(key, before.map(ToString::to_string), after);
                differ.insert(*key);
            }
        }
        differ
    }

    fn change(self, mark: Mark, noun: &'static str, name: &str, does: Does, path: String) -> Change {
        let call = Call { does, path, body: self.body, secrets: self.secrets };
        Change { mark, noun, name: name.to_owned(), what: None, fields: self.fields, call }
    }
}

/// A step that says itself in one go: somebody comes or goes.
fn step(mark: Mark, noun: &'static str, name: &str, what: String, path: String) -> Change {
    let does = if mark == Mark::Remove { Does::Delete } else { Does::Put };
    let call = Call { does, path, body: Map::new(), secrets: Vec::new() };
    Change { mark, noun, name: name.to_owned(), what: Some(what), fields: Vec::new(), call }
}

struct World<'a> {
    wanted: &'a Wanted,
    present: &'a Present,
    how: How,
}

impl World<'_> {
    fn image(&self, image: &WantedImage) -> Option<Change> {
        let of_name = || self.present.images.iter().filter(|one| one.name == image.name);
        let mut ready = of_name().filter(|one| one.state == ImageState::Ready);
        let is_there = ready.any(|one| match (&image.from, &one.source) {
            (ImageFrom::Recipe(recipe), ImageSource::Built { recipe: its, .. }) => recipe == its,
            (ImageFrom::Import { from, .. }, ImageSource::Imported { from: its }) => from == its,
            _ => false,
        });
        if is_there {
            return None;
        }
        let mut draft = Draft::default();
        draft.put("name", &image.name);
        let path = match &image.from {
            ImageFrom::Recipe(recipe) => {
                draft.put("recipe", recipe);
                draft.says("recipe", None, recipe);
                "/images/build"
            }
            ImageFrom::Import { from, sha256, os } => {
                draft.put("from", from);
                draft.put("sha256", sha256);
                draft.put("os", os);
                draft.says("from", None, from);
                "/images/import"
            }
        };
        let version = of_name().map(|one| one.version).max().map_or(1, |newest| newest + 1);
        draft.says("version", None, version);
        Some(draft.change(Mark::Add, "image", &image.name, Does::Operation, path.to_owned()))
    }

    fn app(&self, pool: &WantedPool, app: &WantedApp) -> Option<Change> {
        let there = self.present.apps.iter().find(|one| one.pool.name == pool.name && one.name == app.name);
        let before = there.map(|there| said::app(&there.run));
        let wanted = said::app(&app.run);
        let sha256 = app.icon.as_ref().map(|icon| icon_sha256(icon));
        let its = there.and_then(|there| there.icon.as_deref());
        let other_icon = sha256.as_ref().filter(|sha256| sha256.as_deref() != its);
        let same_run = before.as_ref() == Some(&wanted);
        if same_run && other_icon.is_none() {
            return None;
        }
        let mut draft = Draft::default();
        if let (Some(sha256), Some(icon)) = (other_icon, &app.icon) {
            draft.says("icon", its.map(|its| said::icon(Some(its)).to_string()), said::icon(sha256.as_deref()));
            draft.put("icon", icon);
        }
        draft.compare(&wanted, before.as_deref());
        for (key, said) in before.iter().flatten().filter(|(key, _)| wanted.iter().all(|(its, _)| its != key)) {
            draft.says(key, Some(said.to_string()), "nothing");
        }
        if !same_run {
            draft.put("run", &app.run);
        }
        let apps = format!("/pools/{}/apps", segment(&pool.name));
        Some(match there {
            Some(there) => {
                let path = format!("{apps}/{}", segment(&there.id));
                draft.change(Mark::Change, "app", &app.name, Does::Patch, path)
            }
            None => {
                draft.put("name", &app.name);
                draft.change(Mark::Add, "app", &app.name, Does::Post, apps)
            }
        })
    }

    fn group(&self, group: &WantedGroup) -> Option<Change> {
        let there = self.present.groups.iter().find(|one| same(&one.name, &group.name));
        let mut keys = said::wanted_group(group);
        let mut policy = group.policy.clone();
        if self.how.prune && there.is_some() && policy.is_none() {
            let none = model::GroupPolicy::default();
            keys.push(("policy", Said::Text(none.to_string())));
            policy = Some(none);
        }
        let mut draft = Draft::default();
        let differ = draft.compare(&keys, there.map(said::group).as_deref());
        if differ.contains("about") {
            draft.put("about", &group.about);
        }
        if differ.contains("policy") {
            draft.put("policy", policy.map(oriel_server::api::group::GroupPolicy::from));
        }
        if differ.contains("second_factor") {
            draft.put("second_factor", group.second_factor);
        }
        match there {
            Some(_) if draft.fields.is_empty() => None,
            Some(there) => {
                let path = format!("/groups/{}", segment(&there.id));
                Some(draft.change(Mark::Change, "group", &there.name, Does::Patch, path))
            }
            None => {
                draft.put("name", &group.name);
                Some(draft.change(Mark::Add, "group", &group.name, Does::Post, "/groups".to_owned()))
            }
        }
    }
}

/// What the server knows a picture again by; none for no picture.
fn icon_sha256(base64: &str) -> Option<String> {
    // It was read before.
    let png = BASE64.decode(base64.as_bytes()).ok().filter(|png| !png.is_empty())?;
    Some(format!("{:x}", Sha256::digest(png)))
}

/// Somebody or something that is neither there nor declared.
fn dangling<'n>(reference: &Reference, noun: &str, known: impl Iterator<Item = &'n str>, make: &str) -> Wrong {
    let wrong = reference
        .place
        .wrong(format!("there is no {noun} {:?}, neither on the server nor in what is declared", reference.name));
    match near(&reference.name, known) {
        Some(near) => wrong.next(format!("did you mean `{near}`?")),
        None => wrong.next(make),
    }
}

impl SecretFrom {
    pub fn said(&self) -> String {
        match self {
            Self::File(path) => format!("from {}", path.display()),
            Self::Variable(name) => format!("from ${name}"),
        }
    }
}

#[cfg(test)]
mod tests;
