//! A desktop's machine on a cloud: how it stands, and what is done with it.

use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// How far a machine is that is brought to another size or place.
    MachineMove = model::MoveState {
        Settled,
        Underway,
        /// It is there, and can go back until somebody confirms it.
        Unconfirmed,
        Broken,
    }
}

/// How a desktop's machine stands, as its cloud says at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DesktopMachine {
    /// What it is made of there.
    pub flavor: String,
    /// What its pool says that desktops are made of: a resize brings it there.
    #[schema(required)]
    pub pool_flavor: Option<String>,
    /// The cloud's host that it stands on, where the cloud says that to Oriel's account.
    #[schema(required)]
    pub host: Option<String>,
    /// That host does not answer to its cloud.
    pub host_lost: bool,
    pub state: MachineMove,
    /// What the cloud is doing with it, or what broke, in its words.
    #[schema(required)]
    pub doing: Option<String>,
    /// Oldest first.
    pub snapshots: Vec<DesktopSnapshot>,
}

/// What a desktop's disk held once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DesktopSnapshot {
    pub name: String,
    pub created_at: String,
    /// Bytes that it takes; 0 until it is whole.
    pub bytes: u64,
    pub whole: bool,
    /// The desktop was made anew since: it cannot be restored.
    pub foreign: bool,
}

impl DesktopMachine {
    pub fn new(standing: model::Standing, pool_flavor: Option<String>) -> Self {
        let snapshots = standing.snapshots.into_iter().map(|one| DesktopSnapshot {
            name: one.name,
            created_at: one.created.rfc3339(),
            bytes: one.bytes,
            whole: one.is_whole,
            foreign: one.is_foreign,
        });
        Self {
            flavor: standing.flavor,
            pool_flavor,
            host: standing.host,
            host_lost: standing.is_host_lost,
            state: standing.state.into(),
            doing: standing.doing,
            snapshots: snapshots.collect(),
        }
    }
}

/// Where a desktop's machine shall go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DesktopMigrate {
    /// A host of the cloud, by its name; the cloud chooses one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Its host is down: it is made anew elsewhere, and what lay on that host's own disk is lost.
    #[serde(default)]
    pub evacuate: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DesktopSnapshotNew {
    /// As a desktop's name: lowercase letters, digits and hyphens.
    pub name: String,
}
