//! GPUs: what each can do and why it can't, who holds what, and how one is switched.

use super::{Named, host::FindingList};
use oriel_broker::{HeldGpu, Holder, Stranger};
use oriel_gpu::{inventory, mode};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    GpuMode = model::GpuMode { Whole, Vgpu, Vf, Shared, Host }
}

mirror! {
    GpuRegime = inventory::Regime {
        /// Slices of one card are all of one type.
        SameType,
        /// All of one framebuffer size.
        SameSize,
        /// Any mix that placement IDs allow.
        MixedSize,
        Mig,
        /// Any mix while there is room.
        FreePool,
    }
}

/// One function of a card.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuFunction {
    pub address: String,
    pub class: String,
    pub name: String,
    #[schema(required)]
    pub driver: Option<String>,
}

/// What stands in the way of giving the card away.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuBlocker {
    pub address: String,
    #[schema(required)]
    pub driver: Option<String>,
    pub name: String,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuIommuGroup {
    pub id: u32,
    pub viable: bool,
    pub blockers: Vec<GpuBlocker>,
}

/// A size of slice.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuProfile {
    /// What pools ask for: `M60-2Q`.
    pub key: String,
    /// What the host calls it.
    pub id: String,
    pub framebuffer_mib: u64,
    pub max_per_gpu: u32,
    /// How many more could be made now.
    pub free: u32,
    pub heads: u32,
    pub max_resolution: String,
    #[schema(required)]
    pub frame_rate_limit: Option<u32>,
    #[schema(required)]
    pub license: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuWhole {
    pub available: bool,
    /// Why not; empty when available.
    pub reasons: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuVgpu {
    pub available: bool,
    pub reasons: Vec<String>,
    #[schema(required)]
    pub regime: Option<GpuRegime>,
    pub profiles: Vec<GpuProfile>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuVf {
    pub available: bool,
    pub reasons: Vec<String>,
    pub total: u32,
    pub enabled: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuShared {
    pub available: bool,
    pub reasons: Vec<String>,
    #[schema(required)]
    pub render_node: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuModes {
    pub whole: GpuWhole,
    pub vgpu: GpuVgpu,
    pub vf: GpuVf,
    pub shared: GpuShared,
}

/// A desktop, and what it holds of the card.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuHolder {
    pub desktop: Named,
    pub mode: GpuMode,
    #[schema(required)]
    pub profile: Option<String>,
    /// The card's slots that it takes.
    pub slots: Vec<u8>,
}

/// Something of the card that is in use, and not by a desktop of ours.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuStranger {
    /// What the host calls it: a UUID, a function's address, a process.
    pub name: String,
    #[schema(required)]
    pub profile: Option<String>,
    /// Slots as if it had them; the host only counts how many there are.
    pub slots: Vec<u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Gpu {
    /// `0000:41:00.0`.
    pub address: String,
    pub vendor_id: String,
    pub device_id: String,
    pub vendor: String,
    pub name: String,
    /// What is printed on the box: `Tesla M60`.
    pub board: String,
    pub class: String,
    #[schema(required)]
    pub driver: Option<String>,
    /// How it is handed out now.
    pub mode: GpuMode,
    pub boot_vga: bool,
    /// Its own memory. Null: nobody can tell, and it counts as large enough for any pool.
    #[schema(required)]
    pub vram_mib: Option<u64>,
    #[schema(required)]
    pub numa_node: Option<u32>,
    pub functions: Vec<GpuFunction>,
    #[schema(required)]
    pub iommu_group: Option<GpuIommuGroup>,
    pub reset_methods: Vec<String>,
    pub modes: GpuModes,
    /// Into how many slots the card is divided in its mode; 0 when it gives nothing.
    pub slots: u8,
    pub holders: Vec<GpuHolder>,
    pub strangers: Vec<GpuStranger>,
    /// The only profile that desktops may have of it, where its mode was set so.
    #[schema(required)]
    pub only_profile: Option<String>,
    /// The operation that changes its mode.
    #[schema(required)]
    pub switching: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuList {
    pub gpus: Vec<Gpu>,
}

impl From<Holder> for GpuHolder {
    fn from(holder: Holder) -> Self {
        Self {
            desktop: Named::new(holder.desktop, holder.name),
            mode: holder.hold.mode.into(),
            profile: holder.hold.profile,
            slots: holder.hold.slots,
        }
    }
}

impl From<inventory::Profile> for GpuProfile {
    fn from(profile: inventory::Profile) -> Self {
        Self {
            key: profile.key,
            id: profile.id,
            framebuffer_mib: profile.framebuffer_mib,
            max_per_gpu: profile.max_per_gpu,
            free: profile.free,
            heads: profile.heads,
            max_resolution: profile.max_resolution,
            frame_rate_limit: profile.frame_rate_limit,
            license: profile.license,
        }
    }
}

impl From<inventory::Modes> for GpuModes {
    fn from(modes: inventory::Modes) -> Self {
        let inventory::Modes { whole, vgpu, vf, shared } = modes;
        Self {
            whole: GpuWhole { available: whole.available, reasons: whole.reasons },
            vgpu: GpuVgpu {
                available: vgpu.available,
                reasons: vgpu.reasons,
                regime: vgpu.regime.map(Into::into),
                profiles: vgpu.profiles.into_iter().map(Into::into).collect(),
            },
            vf: GpuVf { available: vf.available, reasons: vf.reasons, total: vf.total, enabled: vf.enabled },
            shared: GpuShared { available: shared.available, reasons: shared.reasons, render_node: shared.render_node },
        }
    }
}

impl From<HeldGpu> for Gpu {
    fn from(held: HeldGpu) -> Self {
        let HeldGpu { gpu, slots, holders, strangers, only_profile, switching } = held;
        let stranger = |one: Stranger| GpuStranger { name: one.name, profile: one.profile, slots: one.slots };
        let function = |one: inventory::Function| GpuFunction {
            address: one.address.to_string(),
            class: one.class,
            name: one.name,
            driver: one.driver,
        };
        let blocker = |one: inventory::Blocker| GpuBlocker {
            address: one.address.to_string(),
            driver: one.driver,
            name: one.name,
            reason: one.reason,
        };
        let group = |group: inventory::IommuGroup| GpuIommuGroup {
            id: group.id,
            viable: group.viable,
            blockers: group.blockers.into_iter().map(blocker).collect(),
        };
        Self {
            address: gpu.address.to_string(),
            vendor_id: gpu.vendor_id,
            device_id: gpu.device_id,
            vendor: gpu.vendor,
            board: gpu.board.unwrap_or_else(|| gpu.name.clone()),
            name: gpu.name,
            class: gpu.class,
            driver: gpu.driver,
            mode: gpu.mode.into(),
            boot_vga: gpu.boot_vga,
            vram_mib: gpu.vram_mib,
            numa_node: gpu.numa_node,
            functions: gpu.functions.into_iter().map(function).collect(),
            iommu_group: gpu.iommu_group.map(group),
            reset_methods: gpu.reset_methods,
            modes: gpu.modes.into(),
            slots,
            holders: holders.into_iter().map(Into::into).collect(),
            strangers: strangers.into_iter().map(stranger).collect(),
            only_profile,
            switching: switching.map(|id| id.to_string()),
        }
    }
}

/// A GPU's mode as it shall be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuSwitch {
    pub mode: GpuMode,
    /// For `vgpu`: the only profile that desktops may have of this card; any when left out.
    #[serde(default)]
    pub profile: Option<String>,
    /// For `vgpu` slices to make at once, which needs `profile`: left out, each is made when its desktop starts. For `vf` virtual
    /// functions: as many as there can be when left out.
    #[serde(default)]
    pub count: Option<u32>,
    /// For `vgpu`: slices of several sizes beside each other, where the vendor has that.
    #[serde(default)]
    pub mixed: bool,
    /// Take the card even though the host's console is on it.
    #[serde(default)]
    pub force: bool,
    /// No machine needs the card's slices any more: those that exist are removed.
    #[serde(default)]
    pub drained: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuStep {
    /// For people.
    pub does: String,
    /// What a shell would do.
    pub command: String,
    #[schema(required)]
    pub undo: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuRefusal {
    /// Stable: `in-use`, `dirty-group`, `no-iommu`…
    pub code: String,
    pub reason: String,
}

/// What would be done, in order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GpuPlan {
    pub from: GpuMode,
    pub to: GpuMode,
    pub steps: Vec<GpuStep>,
    /// What will stop working.
    pub stops: Vec<String>,
    pub needs_reboot: bool,
    /// Units of it exist that a machine may hold: those must go first. Without a refusal, `drained` says that they may.
    pub needs_drain: bool,
    /// Why it cannot be; then there are no steps.
    pub refused: Vec<GpuRefusal>,
}

impl From<mode::Plan> for GpuPlan {
    fn from(plan: mode::Plan) -> Self {
        let step = |step: mode::Step| GpuStep { does: step.does, command: step.command, undo: step.undo };
        Self {
            from: plan.from.into(),
            to: plan.to.into(),
            steps: plan.steps.into_iter().map(step).collect(),
            stops: plan.stops,
            needs_reboot: plan.needs_reboot,
            needs_drain: plan.needs_drain,
            refused: plan
                .refused
                .into_iter()
                .map(|refusal| GpuRefusal { code: refusal.code, reason: refusal.reason })
                .collect(),
        }
    }
}

impl From<Vec<model::Finding>> for FindingList {
    fn from(findings: Vec<model::Finding>) -> Self {
        Self { findings: findings.into_iter().map(Into::into).collect() }
    }
}
