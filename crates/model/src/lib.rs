//! The nouns of the house: ids, names, states. No I/O, no clock; every other room speaks in these.

mod audit;
pub mod carried;
mod desktop;
mod directory;
mod external;
mod gpu;
mod group;
mod group_policy;
mod hardware;
mod host;
mod id;
mod image;
mod name;
mod operation;
mod permission;
mod policy;
mod pool;
mod provider;
mod recording;
mod second_factor;
mod session;
mod size;
mod user;

pub use audit::{AuditDeed, AuditEntry, AuditQuery};
pub use desktop::{Desktop, DesktopFacts, DesktopIntent, DesktopState, GuestPort, Seat, StartStep};
pub use directory::{
    DIRECTORIES_MAX, Directory, DirectoryKind, DirectoryPerson, DirectorySettings, GroupMapping, RoleMapping, fold_dn,
};
pub use external::{
    Backspace, External, MACHINE_CERTIFICATE_BYTES_MAX, MACHINE_COMMAND_BYTES_MAX, MACHINE_HOST_BYTES_MAX,
    MACHINE_IDENTITY_BYTES_MAX, MACHINE_TEXT_BYTES_MAX, MACHINE_TIMEOUT_SECONDS_MAX, MACHINE_TOKEN_BYTES_MAX,
    MACHINE_WAKE_SECONDS_MAX, MachineParameters, MachineProtocol, RdpSecurity, Wake, check_host,
};
pub use gpu::{
    GpuAddress, GpuClaim, GpuHold, GpuMode, GpuPlacement, GpuRequest, GpuSwitch, GpuUnit, GpuWish, PciAddress,
    PciAddressError,
};
pub use group::Group;
pub use group_policy::GroupPolicy;
pub use hardware::{Console, Firmware, Hardware, Igd, Numa};
pub use host::{Accelerator, AcceleratorKind, Finding, FindingEvidence, HostFacts, Severity};
pub use id::{
    ConnectionId, DesktopId, DeviceId, DirectoryId, GpuClaimId, GroupId, ImageId, InviteId, OperationId, PoolId,
    ProviderId, RecordingId, TokenId, UserId,
};
pub use image::{Image, ImageOs, ImageSource, ImageState};
pub use name::{Name, NameError};
pub use operation::{Operation, OperationKind, OperationState};
pub use permission::{Grants, Permission, TokenScope};
pub use policy::{
    CLIPBOARD_KIB_MAX, ClipboardPolicy, FilesPolicy, POLICY_MINUTES_MAX, SessionPolicy, ShadowingPolicy, SharingPolicy,
};
pub use pool::{Network, Pool, PoolKind};
pub use provider::{
    ClaimedGroup, ClaimedRole, PROVIDERS_MAX, Provider, ProviderPerson, ProviderSettings, SUBJECT_CHARS_MAX,
};
pub use recording::{
    Export, ExportFormat, RecordedInput, Recording, RecordingCursor, RecordingFilter, RecordingPolicy, RecordingRules,
    RecordingState,
};
pub use second_factor::{Device, SecondFactorRule, SignInStep, Totp};
pub use session::{ApiToken, Connection, Ticket, WebSession};
pub use size::{PoolSize, RETURN_MINUTES_MAX, SETTLE_SECONDS_MAX, SPARES_MAX, STARTS_MAX};
pub use user::{Role, User};

/// Microseconds since 1970-01-01 UTC, the only time that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, Default)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
    /// RFC 3339 in UTC with whole seconds, for people and JSON.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.0)
            .and_then(|t| t.round(jiff::Unit::Second))
            .map_or_else(|_| String::from("unknown"), |t| t.to_string())
    }
}
