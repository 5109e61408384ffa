//! Time plans of GPUs: whose they are at which hours of the week.

use super::{Named, gpu::GpuMode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A GPU is a pool's at some hours of the week. One that has turns gives nothing outside of them, and a pool that has turns has those GPUs alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GpuTurn {
    pub id: String,
    pub host: String,
    /// The GPU's address.
    pub gpu: String,
    pub pool: Named,
    pub mode: GpuMode,
    /// For `vgpu`: the only profile that it gives meanwhile; null: any.
    #[schema(required)]
    pub profile: Option<String>,
    /// Days, hours and time zone: `mon-fri 08:00-18:00 Europe/Berlin`.
    pub hours: String,
    /// It is its turn.
    pub now: bool,
    /// It is its turn, and the GPU is as it says.
    pub ready: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuTurnList {
    /// Oldest first.
    pub turns: Vec<GpuTurn>,
}

/// Whose it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuTurnNew {
    /// The GPU's address.
    pub gpu: String,
    /// Id or name of a pool whose desktops people share.
    pub pool: String,
    pub mode: GpuMode,
    /// For `vgpu`: the only profile that it gives meanwhile; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Days, hours and time zone: `mon-fri 08:00-18:00 Europe/Berlin`.
    pub hours: String,
}
