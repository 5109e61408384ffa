//! A host, a cloud or a pool that takes nothing new for a while.

use crate::{CloudId, Micros, Pool, PoolId};
use std::{fmt, str::FromStr};

/// Longest reason or message, in characters.
pub const MAINTENANCE_CHARS_MAX: usize = 300;
/// Longest time until a deadline: 30 days.
pub const MAINTENANCE_SECONDS_MAX: i64 = 30 * 24 * 3600;

/// What is maintained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MaintenanceOf {
    /// The host that Oriel's own desktops stand on.
    Host,
    /// All desktops on a cloud.
    Cloud(CloudId),
    /// A pool by itself: its desktops run on, and nobody new gets in.
    Pool(PoolId),
}

impl MaintenanceOf {
    /// Where a pool's desktops stand. Nothing is said of an external pool: its machines stand on no host of ours.
    pub fn place_of(pool: &Pool) -> Self {
        pool.cloud.as_ref().map_or(Self::Host, |place| Self::Cloud(place.cloud))
    }
}

impl fmt::Display for MaintenanceOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Cloud(id) => write!(f, "cloud:{id}"),
            Self::Pool(id) => write!(f, "pool:{id}"),
        }
    }
}

impl FromStr for MaintenanceOf {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{:?} names nothing that is maintained", text.chars().take(60).collect::<String>());
        match text.split_once(':') {
            None if text == "host" => Ok(Self::Host),
            Some(("cloud", id)) => id.parse().map(Self::Cloud).map_err(|_| bad()),
            Some(("pool", id)) => id.parse().map(Self::Pool).map_err(|_| bad()),
            _ => Err(bad()),
        }
    }
}

/// That something takes nothing new from a moment on, until somebody says that it does again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    pub of: MaintenanceOf,
    /// What people are told; may be empty.
    pub reason: String,
    pub since: Micros,
    /// Until when whoever is inside should have left. Of a pool: none.
    pub deadline: Option<Micros>,
    /// What still runs at the deadline is shut down then.
    pub force: bool,
}

impl Maintenance {
    /// Whether what still runs is shut down by now.
    pub fn is_forced(&self, now: Micros) -> bool {
        self.force && self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// `: REASON`, or nothing.
    pub fn because(&self) -> String {
        if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) }
    }
}

/// Checked, without spaces around it. Errors: too long, or more than one line.
pub fn maintenance_reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() > MAINTENANCE_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(format!("a reason is one line of at most {MAINTENANCE_CHARS_MAX} characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn what_is_maintained_is_read_as_it_is_written() {
        for of in [MaintenanceOf::Host, MaintenanceOf::Cloud(CloudId::new()), MaintenanceOf::Pool(PoolId::new())] {
            assert_eq!(of.to_string().parse(), Ok(of));
        }
        for bad in ["", "hosts", "cloud:", "cloud:oak", "pool", "host:x"] {
            assert!(bad.parse::<MaintenanceOf>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_deadline_that_is_over_forces() {
        let of = |deadline, force| Maintenance {
            of: MaintenanceOf::Host,
            reason: String::new(),
            since: Micros(0),
            deadline,
            force,
        };
        let now = Micros(10);
        assert!(of(Some(now), true).is_forced(now));
        assert!(!of(Some(Micros(11)), true).is_forced(now));
        assert!(!of(Some(now), false).is_forced(now) && !of(None, true).is_forced(now));
        assert_eq!(maintenance_reason("  new memory ").unwrap(), "new memory");
        assert!(maintenance_reason(&"x".repeat(MAINTENANCE_CHARS_MAX + 1)).is_err());
        assert!(maintenance_reason("two\nlines").is_err());
    }
}
