//! What there is, and what is wanted, in the words of a file: the same words where it is the same thing.

use super::wanted::{WantedGroup, WantedPool, parameter_key};
use crate::commands::machine::address_of;
use oriel_model as model;
use oriel_server::api::{
    app::{App, AppRun},
    cloud::Cloud,
    external::Machine,
    group::Group,
    image::{Image, ImageOs, ImageSource, ImageState},
    pool::{Network, Pool, PoolKind},
    user::User,
};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// One key's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Text(String),
    Whole(u64),
    Truth(bool),
    List(Vec<String>),
}

/// Keys and their values, in the order in which they are written.
pub type Keys = Vec<(&'static str, Said)>;

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if text.is_empty() => f.write_str("nothing"),
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::List(items) if items.is_empty() => f.write_str("none"),
            Self::List(items) => f.write_str(&items.join(", ")),
        }
    }
}

/// What the server has.
#[derive(Default)]
pub struct Present {
    pub images: Vec<Image>,
    pub groups: Vec<Group>,
    pub pools: Vec<Pool>,
    pub users: Vec<User>,
    pub clouds: Vec<Cloud>,
    /// Of all pools of external machines.
    pub machines: Vec<Machine>,
    /// Of all pools.
    pub apps: Vec<App>,
}

impl Present {
    /// The version that a name alone stands for.
    pub fn newest(&self, name: &str) -> Option<&Image> {
        let ready = self.images.iter().filter(|image| image.name == name && image.state == ImageState::Ready);
        ready.max_by_key(|image| image.version)
    }
}

/// A word of the API as the command line writes it: `pool-admin`.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word.replace('_', "-"),
        _ => String::new(),
    }
}

fn text(value: impl fmt::Display) -> Said {
    Said::Text(value.to_string())
}

fn names<'a>(all: impl IntoIterator<Item = &'a oriel_server::api::Named>) -> Said {
    Said::List(all.into_iter().map(|one| one.name.clone()).collect())
}

pub fn image(image: &Image) -> Keys {
    match &image.source {
        ImageSource::Built { recipe, .. } => vec![("recipe", text(recipe))],
        // A file cannot say how it came to be.
        ImageSource::Captured { .. } => Vec::new(),
        ImageSource::Imported { from } => {
            let mut keys = vec![("from", text(from))];
            if image.os != ImageOs::Linux {
                keys.push(("os", text(word(&image.os))));
            }
            keys
        }
    }
}

pub fn group(group: &Group) -> Keys {
    vec![
        ("about", text(&group.about)),
        ("policy", text(model::GroupPolicy::from(group.policy.clone()))),
        ("second_factor", text(word(&group.second_factor))),
        ("members", names(&group.members)),
    ]
}

/// What a published program starts.
pub fn app(run: &AppRun) -> Keys {
    let keys = [
        ("remote_app", &run.remote_app),
        ("program", &run.initial_program),
        ("arguments", &run.arguments),
        ("folder", &run.folder),
    ];
    keys.into_iter().filter_map(|(key, said)| Some((key, text(said.as_ref()?)))).collect()
}

/// Without its members.
pub fn wanted_group(group: &WantedGroup) -> Keys {
    let keys = [
        ("about", group.about.as_ref().map(text)),
        ("policy", group.policy.as_ref().map(text)),
        ("second_factor", group.second_factor.map(|rule| text(word(&rule)))),
    ];
    keys.into_iter().filter_map(|(key, said)| Some((key, said?))).collect()
}

pub fn user(user: &User) -> Keys {
    let mut keys = vec![("role", text(word(&user.role)))];
    if !user.pools.is_empty() {
        keys.push(("pools", names(&user.pools)));
    }
    keys.push(("disabled", Said::Truth(user.disabled)));
    keys
}

fn network(network: &Network) -> Said {
    match network {
        Network::User => text("user"),
        Network::Nat { network } => text(format!("nat:{network}")),
        Network::Bridge { bridge } => text(format!("bridge:{bridge}")),
    }
}

/// What is kept of a pool but whom it lets in; its image by name and version.
pub fn pool(pool: &Pool) -> Keys {
    let mut keys = vec![("kind", text(word(&pool.kind)))];
    if let Some(image) = &pool.image {
        keys.push(("image", text(format!("{}:{}", image.name, image.version))));
    }
    if let Some(place) = &pool.cloud {
        keys.push(("cloud", text(&place.cloud.name)));
        keys.push(("flavor", text(&place.flavor)));
        keys.push(("network", text(&place.network)));
        keys.push(("address", text(&place.address)));
        keys.push(("root", text(&place.root)));
    } else if !pool.is_external() {
        let gpu = pool.gpu.clone().and_then(|gpu| gpu.into_model().ok()?);
        keys.push(("vcpus", Said::Whole(pool.vcpus.into())));
        keys.push(("memory", Said::Whole(pool.memory_mib)));
        keys.push(("disk", Said::Whole(pool.disk_gib)));
        keys.push(("network", network(&pool.network)));
        keys.push(("gpu", gpu.map_or_else(|| text("none"), text)));
        keys.push(("hardware", text(model::Hardware::from(pool.hardware.clone()))));
        let disk = pool.personal_disk.clone().and_then(|disk| disk.into_model().ok()?);
        keys.push(("personal_disk", disk.map_or_else(|| text("none"), text)));
    }
    keys.push(("desktops_max", Said::Whole(pool.desktops_max.into())));
    if pool.kind != PoolKind::External {
        // Of others' session hosts: how many people come to each.
        keys.push(("spares", text(model::PoolSize::from(pool.size.clone()))));
    }
    keys.push(("peak", Said::List(pool.hours.peaks.clone())));
    keys.push(("holiday", Said::List(pool.hours.holidays.clone())));
    keys.push(("start_ahead", Said::Whole(pool.hours.start_ahead_minutes.into())));
    if !pool.is_external() {
        let off = pool.hours.off_peak;
        let off = model::OffPeak {
            min: off.min,
            running_spares: off.running_spares,
            stopped_spares: off.stopped_spares,
            return_minutes: off.return_minutes,
        };
        keys.push(("off_peak_spares", text(off)));
    }
    let leaving = model::Leaving::from(pool.leaving);
    keys.push(("leave", text(&leaving)));
    keys.push(("off_peak_leave", leaving.off_peak.map_or_else(|| text("same"), text)));
    keys.push(("keyboard", text(&pool.keyboard)));
    keys.push(("recording", text(word(&pool.recording))));
    keys.push(("policy", text(model::SessionPolicy::from(pool.policy.clone()))));
    keys
}

/// What is named of a pool, in the same order; neither its image nor its cloud, which may be named in several ways.
pub fn wanted_pool(pool: &WantedPool) -> Keys {
    let whole = |number: Option<u32>| number.map(|number| Said::Whole(number.into()));
    let list = |items: Vec<String>| Said::List(items);
    let keys = [
        ("kind", pool.kind.map(|kind| text(word(&kind)))),
        ("flavor", pool.flavor.as_ref().map(text)),
        ("vcpus", whole(pool.vcpus)),
        ("memory", pool.memory.map(Said::Whole)),
        ("disk", pool.disk.map(Said::Whole)),
        ("network", pool.network.as_ref().map(text)),
        ("address", pool.address.as_ref().map(text)),
        ("root", pool.root.as_ref().map(text)),
        ("gpu", pool.gpu.as_ref().map(|gpu| gpu.0.as_ref().map_or_else(|| text("none"), text))),
        ("hardware", pool.hardware.as_ref().map(text)),
        ("personal_disk", pool.personal_disk.as_ref().map(|disk| disk.0.as_ref().map_or_else(|| text("none"), text))),
        ("desktops_max", whole(pool.desktops_max)),
        ("spares", pool.spares.as_ref().map(text)),
        ("peak", pool.peak.clone().map(list)),
        ("holiday", pool.holiday.as_ref().map(|days| list(days.iter().cloned().collect()))),
        ("start_ahead", whole(pool.start_ahead)),
        ("off_peak_spares", pool.off_peak_spares.as_ref().map(text)),
        ("leave", pool.leave.as_ref().map(text)),
        ("off_peak_leave", pool.off_peak_leave.map(|times| times.0.map_or_else(|| text("same"), text))),
        ("keyboard", pool.keyboard.as_ref().map(text)),
        ("recording", pool.recording.map(|recording| text(recording.word()))),
        ("policy", pool.policy.as_ref().map(text)),
    ];
    keys.into_iter().filter_map(|(key, said)| Some((key, said?))).collect()
}

/// A machine's keys but its secrets: its parameters by the command line's names.
pub fn machine(machine: &Machine) -> Vec<(String, Said)> {
    let mut keys =
        vec![("protocol".to_owned(), text(word(&machine.protocol))), ("address".to_owned(), text(address_of(machine)))];
    let mut maybe = |key: &str, value: Option<&String>| {
        keys.extend(value.map(|value| (key.to_owned(), text(value))));
    };
    maybe("user", machine.user.as_ref());
    maybe("owner", machine.owner.as_ref().map(|owner| &owner.name));
    maybe("identity", machine.identity.as_ref());
    if let Ok(Value::Object(parameters)) = serde_json::to_value(&machine.parameters) {
        for (name, value) in &parameters {
            let key = parameter_key(name).to_owned();
            match value {
                Value::String(word) if name == "backspace" => keys.push((key, text(word.replace('_', "-")))),
                Value::String(value) => keys.push((key, text(value))),
                Value::Bool(truth) => keys.push((key, Said::Truth(*truth))),
                Value::Number(number) => keys.extend(number.as_u64().map(|number| (key, Said::Whole(number)))),
                _ => {}
            }
        }
    }
    keys
}
