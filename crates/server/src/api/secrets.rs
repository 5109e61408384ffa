//! The keys that seal secrets in the database.

use super::operation::Operation;
use oriel_broker::{SealKeyUse, SealStanding};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Secrets {
    /// This program's keys, the newest first; behind them those that something is sealed with and that it has not.
    pub keys: Vec<SealKey>,
    /// Sealed texts that were edited by hand or damaged.
    pub damaged: u64,
    /// Programs on this database that have said within the last minute which keys they have.
    pub programs: Vec<SealProgram>,
    /// The newest operation that sealed everything anew, or does.
    #[schema(required)]
    pub operation: Option<Operation>,
}

/// A key of 32 random bytes, called by its fingerprint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SealKey {
    /// 16 hexadecimal digits of its SHA-256.
    pub key: String,
    /// Whether this program has it.
    pub here: bool,
    /// Whether this program seals with it.
    pub seals: bool,
    /// Secrets that are sealed with it. One that has none and does not seal may be destroyed.
    pub count: u64,
    pub of: Vec<SealedCount>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SealedCount {
    /// `recordings`
    pub what: String,
    pub count: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SealProgram {
    /// `HOST:DATA FOLDER`
    pub program: String,
    /// The key that it seals with.
    pub seals: String,
    /// All keys that it has, the newest first.
    pub keys: Vec<String>,
    /// When it last said so, RFC 3339.
    pub seen_at: String,
}

impl Secrets {
    /// `operation`: that of the standing, as people see it.
    pub fn new(standing: SealStanding, operation: Option<Operation>) -> Self {
        let programs = standing.programs.into_iter().map(|one| SealProgram {
            program: one.program,
            seals: one.seals,
            keys: one.keys,
            seen_at: one.seen.rfc3339(),
        });
        Self {
            keys: standing.keys.iter().map(SealKey::new).collect(),
            damaged: standing.damaged,
            programs: programs.collect(),
            operation,
        }
    }
}

impl SealKey {
    fn new(of: &SealKeyUse) -> Self {
        let count = |(what, count): &(&'static str, u64)| SealedCount { what: (*what).to_owned(), count: *count };
        Self {
            key: of.key.clone(),
            here: of.here,
            seals: of.seals,
            count: of.count(),
            of: of.of.iter().map(count).collect(),
        }
    }
}
