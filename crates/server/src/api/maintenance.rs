//! Hosts and pools that take nothing new for a while.

use super::{Named, desktop::DesktopState};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Desktops that are told of one host at most: all are counted.
pub const TENANTS_MAX: usize = 500;

/// How a host is drained.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostDrain {
    /// What people are told: one line of at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when whoever is inside should have left, in seconds from now; at most 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_seconds: Option<i64>,
    /// What still runs at the deadline is shut down.
    #[serde(default)]
    pub force: bool,
}

/// How one of a cloud's own hosts is emptied.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudHostEmpty {
    /// What the cloud's administrators read: one line of at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it is down, what it had is made anew elsewhere, without what lay on its own disk.
    #[serde(default)]
    pub evacuate: bool,
}

/// A pool lets nobody new in.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolClose {
    /// What people are told: one line of at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// That something takes nothing new.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Maintenance {
    /// What people are told; may be empty.
    pub reason: String,
    pub since: String,
    /// Until when whoever is inside should have left.
    #[schema(required)]
    pub deadline: Option<String>,
    /// What still runs at the deadline is shut down.
    pub force: bool,
}

impl From<model::Maintenance> for Maintenance {
    fn from(of: model::Maintenance) -> Self {
        Self {
            reason: of.reason,
            since: of.since.rfc3339(),
            deadline: of.deadline.map(model::Micros::rfc3339),
            force: of.force,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostKind {
    /// The one that Oriel's own desktops stand on.
    Host,
    Cloud,
}

/// What draining its host means for a desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is off, or not made yet, and stays so.
    StaysOff,
    /// It runs for nobody: it is switched off.
    SwitchedOff,
    /// It runs for somebody: until they leave or shut it down, or until a deadline that forces. Its disk lies on the host: it cannot go
    /// elsewhere.
    Waits,
}

impl From<oriel_broker::Fate> for Fate {
    fn from(of: oriel_broker::Fate) -> Self {
        match of {
            oriel_broker::Fate::StaysOff => Self::StaysOff,
            oriel_broker::Fate::SwitchedOff => Self::SwitchedOff,
            oriel_broker::Fate::Waits => Self::Waits,
        }
    }
}

/// A desktop that stands on a host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tenant {
    pub desktop: Named,
    /// The pool's name.
    pub pool: String,
    pub state: DesktopState,
    /// Whether somebody is inside.
    pub used: bool,
    /// Their names, as far as they are known.
    pub inside: Vec<String>,
    pub fate: Fate,
}

/// How many desktops of a host each fate has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostCount {
    pub desktops: u64,
    /// They have to go before the host is empty.
    pub running: u64,
    /// Somebody is inside.
    pub used: u64,
    pub stays_off: u64,
    pub switched_off: u64,
    pub waits: u64,
}

/// A host or a cloud with what stands on it, and whether it takes more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostStanding {
    /// What it is called in paths and commands, too: a name, or `cloud:NAME`.
    pub name: String,
    pub kind: HostKind,
    /// None while it takes desktops.
    #[schema(required)]
    pub maintenance: Option<Maintenance>,
    pub count: HostCount,
    /// Those that run, by name, the first 500.
    pub running: Vec<Tenant>,
}

impl From<oriel_broker::HostStanding> for HostStanding {
    fn from(of: oriel_broker::HostStanding) -> Self {
        let mut count = HostCount { desktops: of.desktops.len() as u64, ..HostCount::default() };
        let mut running = Vec::new();
        for one in of.desktops {
            let fate = Fate::from(one.fate);
            match fate {
                Fate::StaysOff => count.stays_off += 1,
                Fate::SwitchedOff => count.switched_off += 1,
                Fate::Waits => count.waits += 1,
            }
            count.used += u64::from(one.is_used);
            if fate == Fate::StaysOff {
                continue;
            }
            count.running += 1;
            if running.len() < TENANTS_MAX {
                running.push(Tenant {
                    desktop: Named::new(one.id, one.name.as_str()),
                    pool: one.pool.to_string(),
                    state: one.state.into(),
                    used: one.is_used,
                    inside: one.inside,
                    fate,
                });
            }
        }
        Self {
            name: of.name,
            kind: match of.of {
                model::MaintenanceOf::Cloud(_) => HostKind::Cloud,
                model::MaintenanceOf::Host | model::MaintenanceOf::Pool(_) => HostKind::Host,
            },
            maintenance: of.maintenance.map(Into::into),
            count,
            running,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostStandingList {
    pub hosts: Vec<HostStanding>,
}
