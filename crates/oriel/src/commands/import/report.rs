//! What became of what another program keeps, for people and for programs.

use crate::{
    failure::{Done, Failure},
    output::{self, Rows, or_dash, say},
};
use oriel_model::import::Left;
use serde::Serialize;

/// What became of it all.
#[derive(Default, Serialize)]
pub(super) struct Report {
    pub dry_run: bool,
    pub people: Vec<PersonLine>,
    pub groups: Vec<GroupLine>,
    pub images: Vec<ImageLine>,
    pub pools: Vec<PoolLine>,
    pub machines: Vec<MachineLine>,
    /// What becomes a part of something else, in words.
    pub mapped: Vec<MappedLine>,
    pub left: Vec<LeftLine>,
}

#[derive(Serialize)]
pub(super) struct PersonLine {
    pub name: String,
    pub state: State,
    /// Shown here and never again.
    pub one_time_password: Option<String>,
}

#[derive(Serialize)]
pub(super) struct GroupLine {
    pub name: String,
    pub state: State,
}

/// A disk that pools are made of: looked for, never made.
#[derive(Serialize)]
pub(super) struct ImageLine {
    pub name: String,
    /// Whose disk it is, in the other program.
    pub from: String,
    pub there: bool,
}

#[derive(Serialize)]
pub(super) struct MappedLine {
    pub what: String,
    pub to: String,
}

#[derive(Serialize)]
pub(super) struct PoolLine {
    pub name: String,
    pub state: State,
    pub users: Vec<String>,
    pub groups: Vec<String>,
    /// Of what its desktops are made; none for machines by their addresses.
    pub image: Option<String>,
    /// The most desktops that it may hold.
    pub desktops: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct MachineLine {
    pub name: String,
    pub pool: String,
    /// Its name in the other program.
    pub from: String,
    pub state: State,
}

#[derive(Serialize)]
pub(super) struct LeftLine {
    what: String,
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Made,
    /// It was there already.
    There,
    /// It would be made, were this no dry run.
    Planned,
}

impl State {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::There => "there already",
            Self::Planned => "would be made",
        }
    }
}

impl Report {
    pub(super) fn leave(&mut self, left: Vec<Left>) {
        self.left.extend(left.into_iter().map(|Left { what, reason }| LeftLine { what, reason }));
    }

    /// Prints it, however the work ended: what was made before something failed is said all the same, and one-time passwords are
    /// shown once.
    pub(super) fn show(&self, program: &'static str, json: bool) -> Done {
        if !json {
            return self.print(program);
        }
        let value = serde_json::to_value(self).map_err(|error| Failure::because("cannot write JSON", &error))?;
        output::print_json(&value)
    }

    fn print(&self, program: &'static str) -> Done {
        let mut people = Rows::new(["person", "state", "one-time password"], "no people");
        for person in &self.people {
            let password = or_dash(person.one_time_password.as_deref());
            people.row([person.name.clone(), person.state.word().to_owned(), password]);
        }
        people.print()?;
        if !self.groups.is_empty() {
            let mut groups = Rows::new(["group", "state"], "");
            for group in &self.groups {
                groups.row([group.name.clone(), group.state.word().to_owned()]);
            }
            groups.print()?;
        }
        if !self.images.is_empty() {
            let mut images = Rows::new(["image", "disk of", "state"], "");
            for image in &self.images {
                let state = if image.there { "there already" } else { "missing" };
                images.row([image.name.clone(), image.from.clone(), state.to_owned()]);
            }
            images.print()?;
        }
        let mut pools = Rows::new(["pool", "state", "who may use it", "made of"], "no pools");
        for pool in &self.pools {
            let groups = pool.groups.iter().map(|group| format!("group {group}"));
            let whom: Vec<String> = pool.users.iter().cloned().chain(groups).collect();
            let of = match (&pool.image, pool.desktops) {
                (Some(image), Some(desktops)) => format!("{image}, {desktops} desktops at most"),
                _ => "machines by their addresses".to_owned(),
            };
            pools.row([pool.name.clone(), pool.state.word().to_owned(), or_dash(Some(&whom.join(", "))), of]);
        }
        pools.print()?;
        if !self.machines.is_empty() || self.mapped.is_empty() {
            let mut machines = Rows::new(["machine", "pool", "came from", "state"], "no machines");
            for machine in &self.machines {
                let state = machine.state.word().to_owned();
                machines.row([machine.name.clone(), machine.pool.clone(), machine.from.clone(), state]);
            }
            machines.print()?;
        }
        if !self.mapped.is_empty() {
            let mut mapped = Rows::new(["what", "becomes"], "");
            for line in &self.mapped {
                mapped.row([line.what.clone(), line.to.clone()]);
            }
            mapped.print()?;
        }
        let mut left = Rows::new(["left out", "because"], "nothing was left out");
        for line in &self.left {
            left.row([line.what.clone(), line.reason.clone()]);
        }
        left.print()?;
        if self.dry_run {
            say("nothing was made: this was a dry run");
        } else if self.people.iter().any(|person| person.one_time_password.is_some()) {
            say(format!("the one-time passwords are shown here and never again; {program}'s own cannot be taken over"));
        }
        Ok(())
    }
}
