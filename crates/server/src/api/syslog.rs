//! Receivers of syslog, which are told of what is done.

use super::subscription::Subscription;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Syslog {
    pub id: String,
    /// `tls://HOST:PORT`, `tcp://HOST:PORT`, `udp://HOST:PORT`, or `local` for the server's own.
    pub target: String,
    /// What messages are filed under: `authpriv`.
    pub facility: String,
    pub app_name: String,
    /// Whose names the structured data has: `oriel@NUMBER`.
    pub enterprise: u32,
    /// Whether it must show a certificate of a CA of its own.
    pub has_ca: bool,
    #[serde(flatten)]
    pub subscription: Subscription,
    pub created_at: String,
}

impl Syslog {
    /// `head`: the audit's newest row.
    pub fn new(syslog: model::Syslog, head: u64) -> Self {
        Self {
            id: syslog.id.to_string(),
            target: syslog.target.to_string(),
            facility: syslog.facility.to_string(),
            app_name: syslog.app_name,
            enterprise: syslog.enterprise,
            has_ca: syslog.ca.is_some(),
            subscription: Subscription::new(syslog.subscription, head),
            created_at: syslog.created.rfc3339(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SyslogList {
    pub syslogs: Vec<Syslog>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyslogNew {
    /// `tls://HOST[:6514]` (RFC 5425), `tcp://HOST[:601]` (RFC 6587, counted octets), `udp://HOST[:514]` (RFC 5426), or `local` for
    /// the server's own `/dev/log`. The configuration must let Oriel dial what is not public.
    pub target: String,
    /// One of syslog's: `authpriv` when left out.
    #[serde(default)]
    pub facility: Option<String>,
    /// `oriel` when left out.
    #[serde(default)]
    pub app_name: Option<String>,
    /// Your organisation's number at IANA, for the name of the structured data (`oriel@NUMBER`); 32473, which is for examples, when
    /// left out.
    #[serde(default)]
    pub enterprise: Option<u32>,
    /// PEM of whom its certificate must be signed by; by whom the server's machine trusts when left out.
    #[serde(default)]
    pub ca: Option<String>,
    /// Operations that it is told of (`change_pool`), or beginnings of them (`delete_*`); all when left out.
    #[serde(default)]
    pub events: Option<Vec<String>>,
}
