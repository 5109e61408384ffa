//! Quotas: the most that people may hold at the same time.

use super::Named;
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// What is counted of a person's: desktops that are theirs; those that run, and the CPUs, memory (bytes) and GPUs of those; sessions,
    /// which are the desktops and machines that they are connected to; their personal disks (GiB); for a pool, its desktops; and bookings:
    /// how many that are not over (none where nothing is said), how many hours one lasts at most, how many days ahead it begins at most,
    /// whose place it takes (that of bookings of a lower priority), and from how many hours before its begin on it gives way to none.
    QuotaKind = model::QuotaKind { Desktops, Running, Cpus, Memory, Gpus, Sessions, DiskGib, PerPerson, Bookings, BookingHours, BookingDays, BookingPriority, BookingNotice }
}

/// Whose rule it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuotaOf {
    Everyone,
    Group,
    User,
    Pool,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaLimit {
    pub kind: QuotaKind,
    /// Null: as much as they like, whatever wider rules say.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    pub most: Option<u64>,
}

/// What is limited, as a whole. A person's own rule counts over those of their groups, of several groups the most generous, and
/// everyone's where no group of theirs names the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaSet {
    pub limits: Vec<QuotaLimit>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quota {
    pub of: QuotaOf,
    /// The group, person or pool; null for everyone's.
    pub named: Option<Named>,
    pub limits: Vec<QuotaLimit>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuotaList {
    /// Everyone's first.
    pub quotas: Vec<Quota>,
}

/// How much of one kind somebody has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaUse {
    pub kind: QuotaKind,
    pub held: u64,
    /// Null: as much as they like.
    pub most: Option<u64>,
    /// Whose rule counts; null when none says anything.
    pub by: Option<QuotaOf>,
    /// The group, when it is a group's.
    pub group: Option<Named>,
}

/// How many desktops of a pool somebody has, of one that limits it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolQuotaUse {
    pub pool: Named,
    pub held: u64,
    /// Null: as many as they like.
    pub most: Option<u64>,
}

/// What somebody has, and what limits it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuotaStanding {
    pub person: Named,
    /// One for each kind but `per_person` and those that say how bookings may be.
    pub uses: Vec<QuotaUse>,
    pub pools: Vec<PoolQuotaUse>,
}

impl QuotaSet {
    /// # Errors
    /// A sentence, for what is named twice.
    pub fn limits(&self) -> Result<model::QuotaLimits, String> {
        let mut limits = model::QuotaLimits::default();
        for limit in &self.limits {
            let kind = model::QuotaKind::from(limit.kind);
            if limits.0.insert(kind, limit.most.into()).is_some() {
                return Err(format!("{kind} is named twice"));
            }
        }
        Ok(limits)
    }
}

impl From<&model::QuotaLimits> for QuotaSet {
    fn from(limits: &model::QuotaLimits) -> Self {
        let limit =
            |(kind, cap): (&model::QuotaKind, &model::Cap)| QuotaLimit { kind: (*kind).into(), most: (*cap).into() };
        Self { limits: limits.0.iter().map(limit).collect() }
    }
}
