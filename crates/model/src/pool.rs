//! A set of like desktops.

use crate::{
    CloudPlace, GpuRequest, Hardware, ImageId, Leaving, Micros, Name, OffPeak, PoolDisk, PoolHours, PoolId, PoolSize,
    RecordingPolicy, SessionPolicy,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    pub id: PoolId,
    pub name: Name,
    pub kind: PoolKind,
    /// What desktops are made from; none for machines that Oriel does not make.
    pub image: Option<ImageId>,
    pub vcpus: u32,
    pub memory_mib: u64,
    /// Size of a desktop's own disk; at least the image's virtual size.
    pub disk_gib: u64,
    pub network: Network,
    /// Most desktops the pool may hold.
    pub desktops_max: u32,
    /// Keyboard layout inside the desktops as an XKB name with optional variant: `us`, `de`, `us(intl)`.
    pub keyboard: String,
    /// What each desktop gets of a GPU while it runs.
    pub gpu: Option<GpuRequest>,
    /// What its desktops' machines are made of beyond the size.
    pub hardware: Hardware,
    /// Whether connections to its desktops are recorded.
    pub recording: RecordingPolicy,
    /// What people may do while they are connected.
    pub policy: SessionPolicy,
    /// What it keeps ready, and for how long it waits for people.
    pub size: PoolSize,
    /// When it is busy, and what of its size differs when it is not.
    pub hours: PoolHours,
    /// What becomes of connections that nobody touches, and of desktops without connections.
    pub leaving: Leaving,
    /// Where its desktops stand when that is a cloud: sizes, network, GPU and hardware mean nothing then.
    pub cloud: Option<CloudPlace>,
    /// A disk of the person's own, which is their home in its desktops: in generations that are made from then on.
    pub personal_disk: Option<PoolDisk>,
    pub created: Micros,
}

impl Pool {
    /// What it keeps ready at `now`: as at peak also shortly before.
    pub fn size_at(&self, now: Micros) -> PoolSize {
        if self.hours.is_peak_soon(now) { self.size.clone() } else { self.hours.off_peak.over(&self.size) }
    }

    /// For how long a desktop waits for its person at `now`.
    pub fn return_minutes_at(&self, now: Micros) -> u32 {
        match self.hours.off_peak.return_minutes {
            Some(minutes) if !self.hours.is_peak(now) => minutes,
            _ => self.size.return_minutes,
        }
    }

    /// Whether its machines are others', by their addresses: Oriel makes none of them.
    pub const fn is_external(&self) -> bool {
        match self.kind {
            PoolKind::External => true,
            PoolKind::SessionHost => self.image.is_none(),
            PoolKind::Dedicated | PoolKind::Floating | PoolKind::Ephemeral => false,
        }
    }

    /// What is out of bounds of what it keeps ready, at peak and off peak. The error is a sentence.
    pub fn check_size(&self) -> Result<(), String> {
        let check = |size: &PoolSize| match self.kind {
            PoolKind::SessionHost => size.check_hosts(self.desktops_max),
            _ => size.check(self.desktops_max),
        };
        check(&self.size)?;
        check(&self.hours.off_peak.over(&self.size)).map_err(|error| format!("off peak, {error}"))
    }

    /// Whether all its desktops are as administrators made them: nothing is kept ready, at no hour.
    pub fn keeps_nothing(&self) -> bool {
        self.size.is_default() && self.hours.off_peak == OffPeak::default()
    }
}

/// Whose machines a pool holds, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolKind {
    /// Made from an image, for one person each: given to who asks first, theirs from then on.
    Dedicated,
    /// Made from an image: anyone gets a free one, and it is made anew when they have left.
    Floating,
    /// Made from an image for who asks, deleted when they have left.
    Ephemeral,
    /// Somebody else's: addresses that an admin entered. Sizes, network and GPU mean nothing here.
    External,
    /// Each for many people at once, who have a place on one of them: made from an image, or somebody else's.
    SessionHost,
}

impl PoolKind {
    /// Whether its desktops go from one person to the next: whatever somebody was in is made anew, or goes.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Floating | Self::Ephemeral)
    }
}

/// How desktops reach the world and Oriel reaches them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Network {
    /// Each desktop alone behind its own user-mode network: out to the world, not to its host's loopback and not to other
    /// desktops; reachable only through its host's loopback.
    User,
    /// A libvirt network with address translation.
    Nat { network: String },
    /// A bridge of the host.
    Bridge { bridge: String },
}
