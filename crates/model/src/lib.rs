//! The nouns of the house: ids, names, states. No I/O, no clock; every other room speaks in these.

mod app;
mod audit;
mod booking;
mod capture;
pub mod carried;
mod cloud;
mod desktop;
mod desktop_work;
mod directory;
mod external;
mod gpu;
mod group;
mod group_policy;
mod hardware;
mod history;
mod host;
mod hours;
mod id;
mod image;
pub mod import;
mod leaving;
mod name;
mod operation;
mod passkey;
mod permission;
mod personal_disk;
mod policy;
mod pool;
mod provider;
mod quota;
mod recording;
mod rollout;
mod sealing;
mod second_factor;
pub mod serial;
mod session;
mod size;
mod subscription;
mod switch_port;
mod syslog;
mod user;
mod webhook;

pub use app::{App, AppRun};
pub use audit::{AuditDeed, AuditEntry, AuditQuery};
pub use booking::{
    BOOKING_DAYS_MAX, BOOKING_HOURS_MAX, BOOKINGS_OF_POOL_MAX, Booking, BookingCursor, BookingFilter, BookingRefusal,
    BookingRules, Span,
};
pub use capture::{Capture, CaptureStep};
pub use cloud::{
    CLOUDS_MAX, Cloud, CloudAddress, CloudFlavor, CloudImage, CloudLook, CloudNetwork, CloudOffer, CloudPlace,
    CloudRoot,
};
pub use desktop::{Desktop, DesktopFacts, DesktopIntent, DesktopState, GuestPort, HostPlace, Seat, StartStep};
pub use desktop_work::{DESKTOP_SNAPSHOTS_MAX, DesktopSnapshot, DesktopWork, MoveState, Standing};
pub use directory::{
    DIRECTORIES_MAX, Directory, DirectoryKind, DirectoryPerson, DirectorySettings, GroupMapping, RoleMapping, fold_dn,
};
pub use external::{
    Backspace, External, MACHINE_CERTIFICATE_BYTES_MAX, MACHINE_COMMAND_BYTES_MAX, MACHINE_HOST_BYTES_MAX,
    MACHINE_IDENTITY_BYTES_MAX, MACHINE_IPMI_USER_BYTES_MAX, MACHINE_TEXT_BYTES_MAX, MACHINE_TIMEOUT_SECONDS_MAX,
    MACHINE_TOKEN_BYTES_MAX, MACHINE_WAKE_SECONDS_MAX, MachineParameters, MachineProtocol, RdpAuthentication,
    RdpSecurity, Wake, check_host,
};
pub use gpu::{
    GpuAddress, GpuClaim, GpuHold, GpuMode, GpuPlacement, GpuRequest, GpuSwitch, GpuUnit, GpuWish, PciAddress,
    PciAddressError,
};
pub use group::Group;
pub use group_policy::GroupPolicy;
pub use hardware::{Console, Firmware, Hardware, Igd, Numa};
pub use history::{HISTORY_COARSE_MINUTES, HISTORY_FINE_MINUTES, HISTORY_MINUTES_MAX, HistoryPoint};
pub use host::{Accelerator, AcceleratorKind, Finding, FindingEvidence, HostFacts, Severity, finding};
pub use hours::{HOLIDAYS_MAX, OffPeak, PEAKS_MAX, Peak, PoolHours, START_AHEAD_MINUTES_MAX, holiday};
pub use id::{
    AppId, BookingId, CloudId, ConnectionId, DesktopId, DeviceId, DirectoryId, GpuClaimId, GroupId, ImageId, InviteId,
    OperationId, PasskeyId, PersonalDiskId, PoolId, ProviderId, RecordingId, SyslogId, TokenId, UserId, WebhookId,
};
pub use image::{Image, ImageOs, ImageSource, ImageState};
pub use leaving::{Leaving, LeavingTimes, SHUT_DOWN_MINUTES_MAX, WARN_SECONDS_MAX};
pub use name::{Name, NameError};
pub use operation::{Operation, OperationKind, OperationState};
pub use passkey::Passkey;
pub use permission::{Grants, Permission, TokenScope};
pub use personal_disk::{
    DISK_SNAPSHOTS_MAX, DiskFacts, DiskHolder, DiskSnapshot, DiskWork, PERSONAL_DISK_GIB_MAX, PersonalDisk, PoolDisk,
};
pub use policy::{
    CLIPBOARD_KIB_MAX, ClipboardPolicy, FilesPolicy, POLICY_MINUTES_MAX, SessionPolicy, ShadowingPolicy, SharingPolicy,
};
pub use pool::{Network, Pool, PoolKind};
pub use provider::{
    ClaimedGroup, ClaimedRole, PROVIDERS_MAX, Provider, ProviderPerson, ProviderSettings, SUBJECT_CHARS_MAX,
};
pub use quota::{Cap, OverQuota, QUOTA_MAX, Quota, QuotaKind, QuotaLimits, QuotaOf, QuotaScope};
pub use recording::{
    Export, ExportFormat, RecordedInput, Recording, RecordingCursor, RecordingFilter, RecordingPolicy, RecordingRules,
    RecordingState,
};
pub use rollout::{
    ROLLOUT_FAILURES_MAX, ROLLOUT_REASON_CHARS_MAX, Replace, Rollout, RolloutFailure, RolloutPlan, RolloutState, Share,
    WATCH_MINUTES_MAX, watch_minutes,
};
pub use sealing::SealProgram;
pub use second_factor::{Device, SecondFactorRule, SignInStep, Totp};
pub use session::{ApiToken, Connection, Ticket, WebSession};
pub use size::{PoolSize, RETURN_MINUTES_MAX, SESSIONS_MAX, SETTLE_SECONDS_MAX, SPARES_MAX, STARTS_MAX};
pub use subscription::{SUBSCRIPTION_EVENTS_MAX, Subscription};
pub use switch_port::{SWITCH_UNIT_PORTS, SWITCH_UNITS_MAX, SwitchPort};
pub use syslog::{
    SYSLOG_CA_BYTES_MAX, SYSLOG_ENTERPRISE, SYSLOGS_MAX, Syslog, SyslogFacility, SyslogSender, SyslogTarget,
};
pub use user::{Role, User};
pub use webhook::{WEBHOOK_URL_BYTES_MAX, WEBHOOKS_MAX, Webhook};

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
