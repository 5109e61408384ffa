//! Pools of like desktops, and who may use them.

use super::{
    Named,
    cloud::{CloudPlace, CloudPlaceNew},
    hardware::Hardware,
    image::ImageRef,
    maintenance::Maintenance,
    personal_disk::PoolDisk,
    policy::SessionPolicy,
    recording::RecordingPolicy,
    rollout::Rollout,
};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// Whose machines it holds: those that Oriel makes from an image, or others', by their addresses.
    PoolKind = model::PoolKind {
        /// Desktops for one person each: given to who asks first, theirs from then on.
        #[serde(alias = "virtual")]
        Dedicated,
        /// Anyone gets a free desktop, and it is made anew when they have left.
        Floating,
        /// A desktop is made for who asks, and deleted when they have left.
        Ephemeral,
        /// Others' machines, by their addresses.
        External,
        /// Machines for many people at once, who have a place on one of them: made from an image, or others' by their addresses.
        #[serde(alias = "session-host")]
        SessionHost,
    }
}

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

/// What each desktop gets of a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GpuWish {
    /// Nothing.
    None,
    /// Shared before slice before whole, by what satisfies the request.
    #[default]
    Auto,
    Whole,
    Vgpu,
    Vf,
    Shared,
}

mirror! {
    /// Which card is chosen among those that have room.
    GpuPlacement = model::GpuPlacement {
        /// As many desktops as possible, now and later.
        Density,
        /// As few neighbours on a card as possible, as long as that takes no card from others.
        Performance,
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuRequest {
    #[serde(default)]
    pub mode: GpuWish,
    /// A profile's key, `M60-2Q`; excludes `min_framebuffer_mib`.
    #[serde(default)]
    pub profile: Option<String>,
    /// A card whose memory nobody can tell counts as large enough, and is taken last.
    #[serde(default)]
    pub min_framebuffer_mib: Option<u64>,
    /// Units for one desktop; 1 when left out.
    #[serde(default)]
    pub count: Option<u32>,
    /// `nvidia`, `amd`, `intel`, or a PCI vendor id such as `10de`.
    #[serde(default)]
    pub vendor: Option<String>,
    /// As the configuration says when left out; excludes `cards`.
    #[serde(default)]
    pub placement: Option<GpuPlacement>,
    /// Addresses of the only cards to take, the preferred first; any when left out.
    #[serde(default)]
    pub cards: Vec<String>,
}

impl From<model::GpuRequest> for GpuRequest {
    fn from(request: model::GpuRequest) -> Self {
        Self {
            mode: match request.mode {
                model::GpuWish::Auto => GpuWish::Auto,
                model::GpuWish::Whole => GpuWish::Whole,
                model::GpuWish::Vgpu => GpuWish::Vgpu,
                model::GpuWish::Vf => GpuWish::Vf,
                model::GpuWish::Shared => GpuWish::Shared,
            },
            profile: request.profile,
            min_framebuffer_mib: request.min_framebuffer_mib,
            count: Some(request.count),
            vendor: request.vendor,
            placement: request.placement.map(Into::into),
            cards: request.cards.iter().map(ToString::to_string).collect(),
        }
    }
}

impl GpuRequest {
    /// No GPU at all.
    pub const fn none() -> Self {
        Self {
            mode: GpuWish::None,
            profile: None,
            min_framebuffer_mib: None,
            count: None,
            vendor: None,
            placement: None,
            cards: Vec::new(),
        }
    }

    /// `None` for mode `none`. The error is a sentence: a card's address that is none.
    pub fn into_model(self) -> Result<Option<model::GpuRequest>, String> {
        let cards = self.cards.iter().take(model::GpuRequest::CARDS_MAX + 1);
        let cards = cards.map(|card| card.parse().map_err(|error: model::PciAddressError| error.to_string()));
        Ok(Some(model::GpuRequest {
            mode: match self.mode {
                GpuWish::None => return Ok(None),
                GpuWish::Auto => model::GpuWish::Auto,
                GpuWish::Whole => model::GpuWish::Whole,
                GpuWish::Vgpu => model::GpuWish::Vgpu,
                GpuWish::Vf => model::GpuWish::Vf,
                GpuWish::Shared => model::GpuWish::Shared,
            },
            profile: self.profile,
            min_framebuffer_mib: self.min_framebuffer_mib,
            count: self.count.unwrap_or(1),
            vendor: self.vendor,
            placement: self.placement.map(Into::into),
            cards: cards.collect::<Result<_, _>>()?,
        }))
    }
}

/// What a pool keeps ready. What is left out is as usual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PoolSize {
    /// Desktops that there always are.
    pub min: u32,
    /// Desktops that run and are nobody's; in pools of session hosts free places on hosts that run.
    pub running_spares: u32,
    /// Desktops that are made, off, and nobody's.
    pub stopped_spares: u32,
    /// Spares on their way at once.
    pub parallel: u32,
    /// Spares begun within a minute.
    pub per_minute: u32,
    /// Spares on their way at once, of a hundred that the pool may hold.
    pub percent: u32,
    /// A spare that was ready for less is given away last.
    pub settle_seconds: u32,
    /// How long a floating or ephemeral desktop, or a place on a session host, waits for its person after they left or were cut off.
    pub return_minutes: u32,
    /// Most people on one session host at once; means nothing in other pools.
    pub sessions: u32,
    /// Whoever comes is given the fullest session host that has a place, rather than the emptiest.
    pub fill: bool,
}

impl Default for PoolSize {
    fn default() -> Self {
        model::PoolSize::default().into()
    }
}

same_fields!(
    PoolSize = model::PoolSize {
        min,
        running_spares,
        stopped_spares,
        parallel,
        per_minute,
        percent,
        settle_seconds,
        return_minutes,
        sessions,
        fill,
    }
);

/// When a pool is busy. What is left out is as usual: no peaks, which is peak at every hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PoolHours {
    /// Days, hours and an IANA time zone each: `mon-fri 08:00-18:00 Europe/Berlin`, `sat,sun 22:00-06:00 UTC` (until the next morning).
    pub peaks: Vec<String>,
    /// Days on which no peak begins, `2026-12-25`, in order.
    pub holidays: Vec<String>,
    /// Spares are begun so long before a peak.
    pub start_ahead_minutes: u32,
    /// What is kept ready outside of peaks.
    pub off_peak: OffPeak,
}

/// What differs outside of peaks; what is null is as at peak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OffPeak {
    #[schema(required)]
    pub min: Option<u32>,
    #[schema(required)]
    pub running_spares: Option<u32>,
    #[schema(required)]
    pub stopped_spares: Option<u32>,
    #[schema(required)]
    pub return_minutes: Option<u32>,
}

same_fields!(OffPeak = model::OffPeak { min, running_spares, stopped_spares, return_minutes });

impl Default for PoolHours {
    fn default() -> Self {
        model::PoolHours::default().into()
    }
}

impl From<model::PoolHours> for PoolHours {
    fn from(hours: model::PoolHours) -> Self {
        let model::PoolHours { peaks, holidays, start_ahead_minutes, off_peak } = hours;
        Self {
            peaks: peaks.iter().map(ToString::to_string).collect(),
            holidays: holidays.iter().map(ToString::to_string).collect(),
            start_ahead_minutes,
            off_peak: off_peak.into(),
        }
    }
}

impl PoolHours {
    /// The error is a sentence: a peak or a holiday that is none.
    pub fn into_model(self) -> Result<model::PoolHours, String> {
        // What is too many is said by who checks it; more than that is not read.
        let peaks = self.peaks.iter().take(model::PEAKS_MAX + 1).map(|text| text.parse::<model::Peak>());
        let holidays = self.holidays.iter().take(model::HOLIDAYS_MAX + 1).map(|text| model::holiday(text));
        Ok(model::PoolHours {
            peaks: peaks.collect::<Result<_, String>>()?,
            holidays: holidays.collect::<Result<_, _>>()?,
            start_ahead_minutes: self.start_ahead_minutes,
            off_peak: self.off_peak.into(),
        })
    }
}

/// What becomes of connections that nobody touches, and of desktops without connections. Null is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Leaving {
    /// Minutes without a key or a pointer until a connection is ended. What runs in the desktop goes on.
    #[schema(required)]
    pub idle_minutes: Option<u32>,
    /// Minutes without a connection until somebody's desktop is shut down. It stays theirs; floating and ephemeral ones are taken back
    /// after `return_minutes` of the pool's size.
    #[schema(required)]
    pub shut_down_minutes: Option<u32>,
    /// People are told so many seconds before a connection ends.
    pub warn_seconds: u32,
    /// Both times outside of peaks; null where they are the same.
    #[schema(required)]
    pub off_peak: Option<LeavingTimes>,
}

/// Null is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LeavingTimes {
    #[schema(required)]
    pub idle_minutes: Option<u32>,
    #[schema(required)]
    pub shut_down_minutes: Option<u32>,
}

same_fields!(LeavingTimes = model::LeavingTimes { idle_minutes, shut_down_minutes });

impl Default for Leaving {
    fn default() -> Self {
        model::Leaving::default().into()
    }
}

impl From<model::Leaving> for Leaving {
    fn from(leaving: model::Leaving) -> Self {
        let model::Leaving { times, off_peak, warn_seconds } = leaving;
        let LeavingTimes { idle_minutes, shut_down_minutes } = LeavingTimes::from(times);
        Self { idle_minutes, shut_down_minutes, warn_seconds, off_peak: off_peak.map(Into::into) }
    }
}

impl From<Leaving> for model::Leaving {
    fn from(leaving: Leaving) -> Self {
        let Leaving { idle_minutes, shut_down_minutes, warn_seconds, off_peak } = leaving;
        Self {
            times: model::LeavingTimes { idle_minutes, shut_down_minutes },
            off_peak: off_peak.map(Into::into),
            warn_seconds,
        }
    }
}

/// Whether a pool is busy now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolNow {
    pub is_peak: bool,
    /// When that changes next; null where it does not within a year.
    #[schema(required)]
    pub changes_at: Option<String>,
    /// What it keeps ready now: as at peak also shortly before.
    pub size: PoolSize,
}

/// What there is of a pool's desktops now, those that are being deleted left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolCount {
    /// Somebody's.
    pub used: u32,
    /// Nobody's, and running: spares for who comes next.
    pub ready: u32,
    /// Nobody's, and being made, wiped, started or switched off.
    pub on_their_way: u32,
    /// Nobody's, and off.
    pub stopped: u32,
    /// Nobody's, and failed: Oriel replaces spares that do.
    pub failed: u32,
}

impl From<oriel_broker::PoolCount> for PoolCount {
    fn from(count: oriel_broker::PoolCount) -> Self {
        let oriel_broker::PoolCount { used, ready, on_their_way, stopped, failed } = count;
        Self { used, ready, on_their_way, stopped, failed }
    }
}

/// A pool of which a person may have a desktop.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnPool {
    pub id: String,
    pub name: String,
    pub kind: PoolKind,
    /// The one that they have.
    #[schema(required)]
    pub desktop: Option<Named>,
    /// Why nobody new gets in: it or its host is in maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnPoolList {
    pub pools: Vec<OwnPool>,
}

/// For whom a desktop is taken.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DesktopTake {
    /// Id or name of another person, for admins; who asks, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A program that the pool publishes, by its id: the desktop on which it runs for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Pool {
    pub id: String,
    pub name: String,
    pub kind: PoolKind,
    /// None for external machines, whose sizes are 0.
    #[schema(required)]
    pub image: Option<ImageRef>,
    pub vcpus: u32,
    pub memory_mib: u64,
    pub disk_gib: u64,
    pub network: Network,
    pub desktops_max: u32,
    /// What it keeps ready, and for how long it waits for people; at peak, where the pool has hours.
    pub size: PoolSize,
    pub hours: PoolHours,
    pub leaving: Leaving,
    /// Where its hours stand.
    pub now: PoolNow,
    /// XKB layout with an optional variant: `us`, `de`, `us(intl)`.
    pub keyboard: String,
    /// What each desktop gets of a GPU while it runs.
    #[schema(required)]
    pub gpu: Option<GpuRequest>,
    pub hardware: Hardware,
    /// Whether connections to its desktops are recorded.
    pub recording: RecordingPolicy,
    /// What people may do while they are connected.
    pub policy: SessionPolicy,
    /// Where it stands on a cloud; sizes, network, GPU and hardware mean nothing then.
    #[serde(default)]
    #[schema(required)]
    pub cloud: Option<CloudPlace>,
    /// A disk of each person's own, which is their home in its desktops.
    #[serde(default)]
    #[schema(required)]
    pub personal_disk: Option<PoolDisk>,
    /// How many desktops it holds now.
    pub desktops: u64,
    /// What they are now.
    pub count: PoolCount,
    /// Its last way from one version of its image to another.
    #[serde(default)]
    #[schema(required)]
    pub rollout: Option<Rollout>,
    /// Whom it lets in by themselves.
    pub users: Vec<Named>,
    /// Groups whose members it lets in.
    #[serde(default)]
    #[schema(required)]
    pub groups: Vec<Named>,
    /// It lets nobody new in, until somebody ends that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    pub created_at: String,
}

impl Pool {
    /// Whether its machines are others', by their addresses.
    pub fn is_external(&self) -> bool {
        match self.kind {
            PoolKind::External => true,
            PoolKind::SessionHost => self.image.is_none(),
            PoolKind::Dedicated | PoolKind::Floating | PoolKind::Ephemeral => false,
        }
    }
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
    /// `dedicated` when left out.
    #[serde(default)]
    pub kind: Option<PoolKind>,
    /// An image's id, `name` for the newest version, or `name:version`; none for external machines, and for session hosts that are others'.
    #[serde(default)]
    pub image: Option<String>,
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
    /// 10 when left out; 1000 for external machines.
    #[serde(default)]
    pub desktops_max: Option<u32>,
    /// No spares when left out.
    #[serde(default)]
    pub size: Option<PoolSize>,
    /// No peaks when left out.
    #[serde(default)]
    pub hours: Option<PoolHours>,
    /// Never when left out.
    #[serde(default)]
    pub leaving: Option<Leaving>,
    /// `us` when left out.
    #[serde(default)]
    pub keyboard: Option<String>,
    /// None when left out.
    #[serde(default)]
    pub gpu: Option<GpuRequest>,
    /// As usual when left out.
    #[serde(default)]
    pub hardware: Option<Hardware>,
    /// `off` when left out.
    #[serde(default)]
    pub recording: Option<RecordingPolicy>,
    /// As usual when left out.
    #[serde(default)]
    pub policy: Option<SessionPolicy>,
    /// On a cloud rather than on this host: without vcpus, memory_mib, disk_gib, network, gpu and hardware.
    #[serde(default)]
    pub cloud: Option<CloudPlaceNew>,
    /// None when left out.
    #[serde(default)]
    pub personal_disk: Option<PoolDisk>,
}

/// What to change; what is left out stays. Image and disk are those of desktops made from now on; the rest holds from each
/// desktop's next start.
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
    /// As a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<PoolSize>,
    /// As a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<PoolHours>,
    /// As a whole. Holds for viewers that come from now on, and for desktops at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<Leaving>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyboard: Option<String>,
    /// Mode `none` takes the GPU away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuRequest>,
    /// As a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
    /// Holds for connections that are opened from now on, also to desktops that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingPolicy>,
    /// As a whole. Holds for connections that are opened from now on, also to desktops that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<SessionPolicy>,
    /// For desktops that are made, or made anew, from now on; a size of 0 gives them none. Disks that there are stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_disk: Option<PoolDisk>,
    /// Of a pool on a cloud, by id or name. Desktops that are there get it when they are resized, or made anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
}
