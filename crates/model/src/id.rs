//! Typed ids: a desktop's id cannot be passed where a pool's is meant. All are UUIDs of version 7 (they sort by birth).

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id.
            #[allow(clippy::new_without_default, reason = "a fresh id is not a default")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    ImageId,
    PoolId,
    DesktopId,
    UserId,
    OperationId,
    /// One protocol stream inside a person's session.
    ConnectionId,
    TokenId,
    GpuClaimId,
    GpuTurnId,
    RecordingId,
    InviteId,
    GroupId,
    /// A browser that is remembered.
    DeviceId,
    DirectoryId,
    ProviderId,
    PasskeyId,
    CloudId,
    WebhookId,
    SyslogId,
    BookingId,
    PersonalDiskId,
    AppId,
}
