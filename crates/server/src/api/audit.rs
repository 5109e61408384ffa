//! Who did what.

use oriel_broker::AuditVerdict;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One row: what somebody asked of the API, and how it ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// From 1 on, without gaps.
    pub seq: u64,
    /// RFC 3339.
    pub at: String,
    /// The account's id; null for the local administrator and for whoever is not signed in.
    #[schema(required)]
    pub actor: Option<String>,
    /// The name that was signed in with, or that was tried.
    pub actor_name: String,
    /// `browser`, `token LABEL`, `local` or `nobody`.
    pub via: String,
    /// The operation's id in this description.
    pub action: String,
    /// The path below `/api/v1`.
    pub target: String,
    /// Empty for this machine's socket.
    pub address: String,
    /// The answer's HTTP status.
    pub outcome: u16,
    /// The code of the refusal, when it was one.
    pub code: String,
    /// The hash of the row before.
    pub previous: String,
    /// SHA-256 of this row and the one before (docs/audit.md).
    pub hash: String,
}

impl From<model::AuditEntry> for AuditEntry {
    fn from(entry: model::AuditEntry) -> Self {
        let what = entry.what;
        Self {
            seq: entry.seq,
            at: entry.at.rfc3339(),
            actor: what.actor.map(|id| id.to_string()),
            actor_name: what.actor_name,
            via: what.via,
            action: what.action,
            target: what.target,
            address: what.address,
            outcome: what.outcome,
            code: what.code,
            previous: entry.previous,
            hash: entry.hash,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditList {
    /// The newest first.
    pub entries: Vec<AuditEntry>,
    /// Ask with `before` this for older ones; null when there are none.
    #[schema(required)]
    pub next: Option<u64>,
}

/// What following all rows found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditCheck {
    /// How many follow one another.
    pub rows: u64,
    /// `SEQ:HASH` of the newest row; kept elsewhere, it shows later whether rows were cut off.
    pub head: String,
    pub sound: bool,
    /// The first row where it does not hold.
    #[schema(required)]
    pub broken_at: Option<u64>,
    #[schema(required)]
    pub why: Option<String>,
}

impl From<AuditVerdict> for AuditCheck {
    fn from(verdict: AuditVerdict) -> Self {
        let (broken_at, why) = verdict.broken.unzip();
        let (seq, hash) = verdict.head;
        Self { rows: verdict.rows, head: format!("{seq}:{hash}"), sound: broken_at.is_none(), broken_at, why }
    }
}
