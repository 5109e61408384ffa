//! One machine a person uses.
//!
//! ```text
//! Requested ─▶ Placed ─▶ Provisioning ─▶ Starting ─▶ Ready ⇄ InUse
//!                             ▲              ▲          │
//!                             │              └─ Stopped ◀─ Stopping
//!                             └── Recycling (wipe and provision again)
//! any state ─▶ Failed{reason}       any state ─▶ Deleting ─▶ (row gone)
//! ```
//! One on a cloud is `Unreachable` while the host under it does not answer to its cloud, and `Ready` again when it does.
//! An external machine (one with [`Desktop::external`]) has no such life: it is `Ready`, `InUse` or `Unreachable`.
//! Only the desktop reconciler moves a desktop along; people and the API change its [`DesktopIntent`].

use crate::{Capture, DesktopId, External, MachineProtocol, Micros, Name, PoolId, UserId};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Desktop {
    pub id: DesktopId,
    /// Unique; the guest's host name.
    pub name: Name,
    pub pool: PoolId,
    /// Whose it is; unassigned desktops belong to nobody yet.
    pub owner: Option<UserId>,
    pub intent: DesktopIntent,
    pub state: DesktopState,
    /// Why it failed, when `state` is `Failed` or `Unreachable`: a sentence with what to do next. While it starts: why that takes longer.
    pub failure: Option<String>,
    /// What is being done right now, while it starts.
    pub step: Option<StartStep>,
    /// Counts every provisioning; resources of an older generation are leftovers.
    pub generation: u32,
    /// The name of the host that holds it, once placed.
    pub host: Option<String>,
    /// First of the host's loopback ports that lead to the guest (`+0` RDP, `+1` SSH), for `Network::User`.
    pub port_base: Option<u16>,
    pub facts: DesktopFacts,
    /// Where it is, for a machine that Oriel does not run.
    pub external: Option<External>,
    pub created: Micros,
    pub changed: Micros,
}

impl Desktop {
    /// Whether it has one keyboard and one screen for all: a machine behind a KVM over IP, or a BMC's serial console. Two people are
    /// never at it at once.
    pub fn has_one_seat(&self) -> bool {
        let one = |protocol| matches!(protocol, MachineProtocol::Pikvm | MachineProtocol::Ipmi);
        self.external.as_ref().is_some_and(|external| one(external.protocol))
    }

    /// Whether its machine started without its person's disk, or with somebody else's: it must start again before anybody gets in.
    pub fn lacks_disk(&self) -> bool {
        self.facts.disk_of != self.owner.filter(|_| self.facts.personal_disk.is_some())
    }

    /// Has its machine switched off at once and started again, with its person's disk: nobody was in it.
    pub fn start_with_disk(&mut self) {
        self.state = DesktopState::Stopping;
        self.step = None;
        self.facts.cut = true;
        if self.intent == DesktopIntent::Running {
            self.intent = DesktopIntent::Restart;
        }
    }
}

/// What its owner wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DesktopIntent {
    Running,
    Stopped,
    /// Stop and start once, then `Running`.
    Restart,
    /// Wipe, provision again from the image, then `Running`.
    Recycle,
    /// Off, and held until its disk has been made into an image: [`DesktopFacts::capture`] says how far that is.
    Capture,
    Deleted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DesktopState {
    Requested,
    Placed,
    Provisioning,
    Starting,
    Ready,
    InUse,
    Stopping,
    Stopped,
    Recycling,
    Deleting,
    Failed,
    /// An external machine did not answer when it was last looked at, or a cloud's host is down; `failure` says why.
    Unreachable,
}

impl DesktopState {
    pub const ALL: [Self; 12] = [
        Self::Requested,
        Self::Placed,
        Self::Provisioning,
        Self::Starting,
        Self::Ready,
        Self::InUse,
        Self::Stopping,
        Self::Stopped,
        Self::Recycling,
        Self::Deleting,
        Self::Failed,
        Self::Unreachable,
    ];

    /// The word that is stored, shown by the CLI and sent to browsers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Placed => "placed",
            Self::Provisioning => "provisioning",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::InUse => "in_use",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Recycling => "recycling",
            Self::Deleting => "deleting",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
        }
    }
}

/// A step of a start that people can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartStep {
    Placing,
    Cloning,
    Booting,
    WaitingForRdp,
}

/// What is known of the machine behind the desktop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DesktopFacts {
    /// The image that its disk is a clone of, set before it is cloned: an image cannot be deleted under a desktop.
    /// (The pool's image may have changed since.)
    pub image: Option<crate::ImageId>,
    /// The version that it is made of when it is made next, where that is tried on a few desktops before new ones are of it.
    pub next: Option<crate::ImageId>,
    /// `kvm` or `tcg`, with the reason when it is not KVM.
    pub accelerator: Option<String>,
    pub accelerator_reason: Option<String>,
    /// OpenSSH public key of the guest, made by us and given to it in the seed: what the gateway pins.
    pub ssh_host_key: Option<String>,
    /// SHA-256 of the guest's RDP certificate (DER), lowercase hex, made by us and given to it in the seed.
    pub rdp_certificate_sha256: Option<String>,
    /// The account inside the guest.
    pub guest_user: Option<String>,
    /// When it was given its place, where its last start began with that.
    pub placed: Option<Micros>,
    /// When all that its machine needs was there, and it was to be switched on.
    pub prepared: Option<Micros>,
    /// When the machine last started, and how long it took until RDP answered.
    pub started: Option<Micros>,
    pub start_seconds: Option<f64>,
    /// When it was ready since it last started.
    pub ready: Option<Micros>,
    /// Whose it is for now, when it was given to who asked its pool for one: to its owner.
    pub seat: Option<Seat>,
    /// How often it was switched on since it was last asked to start.
    pub boots: u32,
    /// It is to be off at once: its system is not asked.
    pub cut: bool,
    /// It is to start from the CD in its drive when it starts next.
    pub from_drive: bool,
    /// It started from there: what runs may be an installer, which nobody reaches but by its console.
    pub on_drive: bool,
    /// The name of the personal disk that this generation takes for its person's home.
    pub personal_disk: Option<Name>,
    /// Whose disk that is in the machine since it last started.
    pub disk_of: Option<UserId>,
    /// A session host that takes nobody new: it is made anew when the last one has left.
    pub draining: bool,
    /// Whoever is in it is cut off then, and was told so.
    pub ends: Option<Micros>,
    /// Its disk is being made into an image.
    pub capture: Option<Capture>,
    /// A roll-out to this version lets it drain, and nobody else does.
    pub drained_for: Option<crate::ImageId>,
}

/// That a desktop was given to somebody who asked for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    pub since: Micros,
    /// When they were given it, or asked for it again.
    pub seen: Micros,
}

/// A place on a session host that somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPlace {
    pub pool: PoolId,
    pub desktop: DesktopId,
    pub user: UserId,
    /// Which of the host's, from 1.
    pub number: u32,
    pub seat: Seat,
    /// Until when they are, or were last known to be, connected.
    pub until: Option<Micros>,
}

/// A door of the guest that the gateway dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestPort {
    /// TCP 3389 in the guest.
    Rdp,
    /// TCP 22 in the guest.
    Ssh,
    /// The machine's own display (QEMU's VNC server on a unix socket).
    Console,
}
