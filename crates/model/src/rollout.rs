//! A pool's way from one version of its image to another: first a few desktops, then the rest, and back when it does not come up.
//!
//! ```text
//! Canary ─▶ Rest ─▶ Done
//!    ├───────┼────▶ Stopped (too many did not come up)
//!    └───────┴────▶ Cancelled
//! ```
//! A pool has one at most; the last one stays when it has ended, and keeps both versions alive: the pool may go back.

use crate::{Desktop, DesktopId, ImageId, Micros, Name, PoolId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Longest time that the first desktops are watched, in minutes: a week.
pub const WATCH_MINUTES_MAX: u32 = 7 * 24 * 60;
/// Desktops that did not come up of which a roll-out tells. It stops there, whatever else was said.
pub const ROLLOUT_FAILURES_MAX: usize = 200;
/// Longest reason of one, in characters.
pub const ROLLOUT_REASON_CHARS_MAX: usize = 300;
/// Most desktops that a share can count.
const COUNT_MAX: u32 = 100_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    pub pool: PoolId,
    /// What the pool's desktops were of before.
    pub from: ImageId,
    pub to: ImageId,
    pub plan: RolloutPlan,
    pub state: RolloutState,
    /// Nothing is replaced for now.
    pub is_paused: bool,
    /// It goes back: it tries nothing out first, and nothing stops it.
    pub is_rollback: bool,
    /// When enough of the first desktops had come up.
    pub watched_since: Option<Micros>,
    /// Which did not come up, oldest first; at most [`ROLLOUT_FAILURES_MAX`].
    pub failures: Vec<RolloutFailure>,
    /// Why it stopped.
    pub reason: Option<String>,
    pub created: Micros,
    pub changed: Micros,
}

impl Rollout {
    /// Of which version the pool's new desktops are.
    pub const fn pool_image(&self) -> ImageId {
        match self.state {
            RolloutState::Rest | RolloutState::Done => self.to,
            // Who ends going back does not want what was gone back from.
            RolloutState::Cancelled if self.is_rollback => self.to,
            RolloutState::Canary | RolloutState::Stopped | RolloutState::Cancelled => self.from,
        }
    }

    /// Whether this desktop is made of the new version when it is made next, also while new ones are not yet.
    pub fn tries(&self, desktop: &Desktop) -> bool {
        self.state.is_open() && (desktop.facts.next == Some(self.to) || desktop.facts.image == Some(self.to))
    }

    /// Whether it is at work at that time.
    pub fn is_moving(&self, now: Micros) -> bool {
        self.state.is_open() && !self.is_paused && self.plan.not_before.is_none_or(|then| then <= now)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// A few desktops are of the new version, and are watched.
    Canary,
    /// They proved themselves: the rest follows.
    Rest,
    Done,
    /// Too many desktops of the new version did not come up.
    Stopped,
    Cancelled,
}

impl RolloutState {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Rest => "rest",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether something follows by itself.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Canary | Self::Rest)
    }
}

/// A desktop of the new version that did not come up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutFailure {
    pub desktop: DesktopId,
    /// It may be gone.
    pub name: Name,
    pub generation: u32,
    pub reason: String,
    pub at: Micros,
}

/// How it is gone about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutPlan {
    /// How many desktops come first.
    pub canary: Share,
    /// For how long those are watched when they have come up, in minutes.
    pub watch_minutes: u32,
    pub replace: Replace,
    /// It begins at that time.
    pub not_before: Option<Micros>,
    /// More than so many that do not come up stop it.
    pub stop_after: Share,
    /// Also desktops whose disks are somebody's for good: what is on them is lost. Otherwise those are left as they are.
    pub wipe_dedicated: bool,
}

impl Default for RolloutPlan {
    fn default() -> Self {
        Self {
            canary: Share::Percent(10),
            watch_minutes: 30,
            replace: Replace::OnLogOff,
            not_before: None,
            stop_after: Share::Count(0),
            wipe_dedicated: false,
        }
    }
}

impl RolloutPlan {
    /// What is out of bounds. The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.watch_minutes > WATCH_MINUTES_MAX {
            return Err(format!(
                "the first desktops cannot be watched for {} minutes: choose at most {WATCH_MINUTES_MAX}, which is a week",
                self.watch_minutes
            ));
        }
        Ok(())
    }
}

/// When a desktop that somebody has is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replace {
    /// When they have left it for good; one that stays theirs, when it is off and they are away.
    OnLogOff,
    /// At once: their connection ends, and they are told why.
    Now,
}

/// So many, or so many of a hundred: `3`, `10%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Share {
    Count(u32),
    Percent(u32),
}

impl Share {
    /// At least so many of that many: rounded up.
    pub fn at_least(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::Percent(percent) => total.saturating_mul(percent as usize).div_ceil(100),
        }
    }

    /// At most so many of that many: rounded down.
    pub fn at_most(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::Percent(percent) => total.saturating_mul(percent as usize) / 100,
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let shown = || text.chars().take(20).collect::<String>();
        let (number, is_percent) = match text.strip_suffix('%') {
            Some(number) => (number.trim_end(), true),
            None => (text, false),
        };
        let most = if is_percent { 100 } else { COUNT_MAX };
        match number.parse::<u32>() {
            Ok(number) if number <= most => Ok(if is_percent { Self::Percent(number) } else { Self::Count(number) }),
            _ => Err(format!("{:?} is no share of a pool: use a count such as 3, or a part such as 10%", shown())),
        }
    }
}

impl TryFrom<String> for Share {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

/// Minutes as people write them: `30m`, `2h`, `1d`, `0`. The error is a sentence.
pub fn watch_minutes(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.strip_suffix(['m', 'h', 'd']) {
        Some(number) => (number, text.get(number.len()..).unwrap_or_default()),
        None => (text, "m"),
    };
    let each = match unit {
        "d" => 24 * 60,
        "h" => 60,
        _ => 1,
    };
    number
        .parse::<u32>()
        .ok()
        .and_then(|number| number.checked_mul(each))
        .filter(|minutes| *minutes <= WATCH_MINUTES_MAX)
        .ok_or_else(|| {
            let shown: String = text.chars().take(20).collect();
            format!("{shown:?} is no span to watch for: use 30m, 2h or 1d, at most a week, or 0")
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn shares_are_counts_or_parts() {
        for (text, share) in [("3", Share::Count(3)), ("10%", Share::Percent(10)), ("0", Share::Count(0))] {
            assert_eq!(text.parse::<Share>().unwrap(), share);
            assert_eq!(share.to_string(), text);
        }
        for wrong in ["", "x", "101%", "-1", "1.5", "%"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
        assert_eq!((Share::Percent(10).at_least(11), Share::Percent(10).at_most(11)), (2, 1));
        assert_eq!((Share::Percent(10).at_least(0), Share::Count(3).at_most(1)), (0, 3));
        assert_eq!(serde_json::to_string(&Share::Percent(5)).unwrap(), "\"5%\"");
        assert!(serde_json::from_str::<Share>("\"500%\"").is_err());
    }

    #[test]
    fn spans_are_minutes() {
        for (text, minutes) in [("30m", 30), ("2h", 120), ("1d", 1440), ("0", 0), ("7d", WATCH_MINUTES_MAX)] {
            assert_eq!(watch_minutes(text), Ok(minutes));
        }
        for wrong in ["", "m", "8d", "1w", "-1m", "99999999999h", "4294967295h"] {
            assert!(watch_minutes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn plans_of_before_are_read() {
        let plan: RolloutPlan = serde_json::from_str("{\"canary\":\"2\"}").unwrap();
        assert_eq!(plan, RolloutPlan { canary: Share::Count(2), ..RolloutPlan::default() });
    }
}
