//! The shapes of the HTTP API, one file per noun. The console's client is generated from them and the command line reads them:
//! a change here is a change of the API, and `docs/openapi.json` shows it.
//!
//! Times are RFC 3339 strings in UTC; ids are UUIDs as strings; every list is an object with the noun's plural.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An enum of the model with the words that go over the wire.
macro_rules! mirror {
    ($(#[$doc:meta])* $name:ident = $model:ty { $($(#[$vdoc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl From<$model> for $name {
            fn from(value: $model) -> Self {
                match value { $(<$model>::$variant => Self::$variant),+ }
            }
        }
        impl From<$name> for $model {
            fn from(value: $name) -> Self {
                match value { $($name::$variant => Self::$variant),+ }
            }
        }
    };
}

/// Two structs with the same fields, each made of the other.
macro_rules! same_fields {
    ($name:ident = $model:path { $($field:ident),+ $(,)? }) => {
        impl From<$model> for $name {
            fn from(value: $model) -> Self {
                let $model { $($field),+ } = value;
                Self { $($field),+ }
            }
        }
        impl From<$name> for $model {
            fn from(value: $name) -> Self {
                let $name { $($field),+ } = value;
                Self { $($field),+ }
            }
        }
    };
}

pub mod app;
pub mod audit;
pub mod booking;
pub mod cloud;
pub mod dashboard;
pub mod desktop;
pub mod desktop_work;
pub mod device;
pub mod directory;
pub mod drive;
pub mod export;
pub mod external;
pub mod file;
pub mod gpu;
pub mod group;
pub mod hardware;
pub mod host;
pub mod image;
pub mod invite;
pub mod me;
pub mod operation;
pub mod passkey;
pub mod personal_disk;
pub mod policy;
pub mod pool;
pub mod problem;
pub mod provider;
pub mod quota;
pub mod reconciler;
pub mod recording;
pub mod rollout;
pub mod second_factor;
pub mod secrets;
pub mod session;
pub mod sign_in;
pub mod subscription;
pub mod syslog;
pub mod token;
pub mod user;
pub mod webhook;

/// Something named elsewhere in the API: its id, and its name for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Named {
    pub id: String,
    pub name: String,
}

impl Named {
    pub fn new(id: impl ToString, name: impl ToString) -> Self {
        Self { id: id.to_string(), name: name.to_string() }
    }
}

/// Whether the server is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: String,
    /// The program's version.
    pub version: String,
}
