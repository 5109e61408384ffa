//! Pools of like desktops, and who may use them.

use super::{Named, image::ImageRef};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How desktops reach the world and Oriel reaches them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Network {
    /// Each desktop alone: out to the world, not to other desktops.
    User,
    /// A libvirt network with address translation.
    Nat { network: String },
    /// A bridge of the host.
    Bridge { bridge: String },
}

impl From<&model::Network> for Network {
    fn from(network: &model::Network) -> Self {
        match network {
            model::Network::User => Self::User,
            model::Network::Nat { network } => Self::Nat { network: network.clone() },
            model::Network::Bridge { bridge } => Self::Bridge { bridge: bridge.clone() },
        }
    }
}

impl From<Network> for model::Network {
    fn from(network: Network) -> Self {
        match network {
            Network::User => Self::User,
            Network::Nat { network } => Self::Nat { network },
            Network::Bridge { bridge } => Self::Bridge { bridge },
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Pool {
    pub id: String,
    pub name: String,
    pub image: ImageRef,
    pub vcpus: u32,
    pub memory_mib: u64,
    pub disk_gib: u64,
    pub network: Network,
    pub desktops_max: u32,
    /// XKB layout with an optional variant: `us`, `de`, `us(intl)`.
    pub keyboard: String,
    /// How many desktops it holds now.
    pub desktops: u64,
    /// Who may use it.
    pub users: Vec<Named>,
    pub created_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PoolList {
    pub pools: Vec<Pool>,
}

/// A new pool.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolNew {
    pub name: String,
    /// An image's id, `name` for the newest version, or `name:version`.
    pub image: String,
    /// 2 when left out.
    #[serde(default)]
    pub vcpus: Option<u32>,
    /// 2048 when left out.
    #[serde(default)]
    pub memory_mib: Option<u64>,
    /// 20 when left out.
    #[serde(default)]
    pub disk_gib: Option<u64>,
    /// `user` when left out.
    #[serde(default)]
    pub network: Option<Network>,
    /// 10 when left out.
    #[serde(default)]
    pub desktops_max: Option<u32>,
    /// `us` when left out.
    #[serde(default)]
    pub keyboard: Option<String>,
}

/// What to change, for desktops made from now on; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolChange {
    /// An image's id, `name` for the newest version, or `name:version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_gib: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desktops_max: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyboard: Option<String>,
}
