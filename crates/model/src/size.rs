//! How many desktops a pool keeps, and how gently it makes them.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Most spares, and the smallest size, of a pool.
pub const SPARES_MAX: u32 = 1000;
/// Most starts at once and in a minute.
pub const STARTS_MAX: u32 = 1000;
/// Longest time that a desktop waits for its person, in minutes: a day.
pub const RETURN_MINUTES_MAX: u32 = 24 * 60;
/// Longest time that a desktop settles, in seconds.
pub const SETTLE_SECONDS_MAX: u32 = 3600;
/// Most people on one session host.
pub const SESSIONS_MAX: u32 = 500;

/// What a pool keeps ready for those who come. The pool's `desktops_max` is the other end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolSize {
    /// Desktops that there always are, used or not.
    pub min: u32,
    /// Desktops that run and are nobody's. In pools of session hosts: free places on hosts that run.
    pub running_spares: u32,
    /// Desktops that are made, off, and nobody's.
    pub stopped_spares: u32,
    /// Spares that are on their way at once.
    pub parallel: u32,
    /// Spares that are begun within a minute.
    pub per_minute: u32,
    /// Spares that are on their way at once, of a hundred that the pool may hold.
    pub percent: u32,
    /// A spare that was ready for less is given away last.
    pub settle_seconds: u32,
    /// How long a desktop waits for its person after they left or were cut off, before it is made anew or goes. Means nothing to
    /// dedicated desktops.
    pub return_minutes: u32,
    /// Most people on one session host at once. Means nothing in other pools.
    pub sessions: u32,
    /// Whoever comes is given the fullest session host that has a place, so that others can be empty; the emptiest otherwise.
    pub fill: bool,
}

impl Default for PoolSize {
    fn default() -> Self {
        Self {
            min: 0,
            running_spares: 0,
            stopped_spares: 0,
            parallel: 4,
            per_minute: 20,
            percent: 100,
            settle_seconds: 0,
            return_minutes: 5,
            sessions: 10,
            fill: false,
        }
    }
}

impl PoolSize {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is out of bounds, for a pool that may hold `desktops_max`. The error is a sentence.
    pub fn check(&self, desktops_max: u32) -> Result<(), String> {
        self.check_spares(desktops_max, desktops_max)
    }

    /// As [`Self::check`], for a pool of session hosts, whose running spares are places.
    pub fn check_hosts(&self, desktops_max: u32) -> Result<(), String> {
        self.check_spares(desktops_max, desktops_max.saturating_mul(self.sessions))
    }

    fn check_spares(&self, desktops_max: u32, running_max: u32) -> Result<(), String> {
        for (what, value, least, most) in [
            ("min", self.min, 0, desktops_max),
            ("running spares", self.running_spares, 0, SPARES_MAX.min(running_max)),
            ("stopped spares", self.stopped_spares, 0, SPARES_MAX.min(desktops_max)),
            ("parallel", self.parallel, 1, STARTS_MAX),
            ("per minute", self.per_minute, 1, STARTS_MAX),
            ("percent", self.percent, 1, 100),
            ("settle seconds", self.settle_seconds, 0, SETTLE_SECONDS_MAX),
            ("return minutes", self.return_minutes, 0, RETURN_MINUTES_MAX),
            ("sessions", self.sessions, 1, SESSIONS_MAX),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!(
                    "a pool of at most {desktops_max} desktops cannot have {what} {value}: choose {least} to {most}"
                ));
            }
        }
        Ok(())
    }

    fn fields(&mut self) -> [(&'static str, &mut u32); 9] {
        [
            ("min", &mut self.min),
            ("running", &mut self.running_spares),
            ("stopped", &mut self.stopped_spares),
            ("parallel", &mut self.parallel),
            ("per_minute", &mut self.per_minute),
            ("percent", &mut self.percent),
            ("settle", &mut self.settle_seconds),
            ("return", &mut self.return_minutes),
            ("sessions", &mut self.sessions),
        ]
    }
}

/// As it is written on a command line: `min=4,running=2,stopped=1,return=10`; `default` for what is usual.
impl fmt::Display for PoolSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut own, mut usual) = (self.clone(), Self::default());
        let mut parts: Vec<String> = own
            .fields()
            .into_iter()
            .zip(usual.fields())
            .filter(|((_, value), (_, usual))| value != usual)
            .map(|((word, value), _)| format!("{word}={value}"))
            .collect();
        if self.fill {
            parts.push("fill".to_owned());
        }
        if parts.is_empty() { f.write_str("default") } else { f.write_str(&parts.join(",")) }
    }
}

impl FromStr for PoolSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut size = Self::default();
        for part in text.split(',').map(str::trim) {
            if part == "default" {
                continue;
            }
            if part == "fill" {
                size.fill = true;
                continue;
            }
            let field = part.split_once('=').and_then(|(word, value)| {
                let (_, field) = size.fields().into_iter().find(|(known, _)| *known == word)?;
                Some((field, value))
            });
            let Some((field, value)) = field else {
                return Err(format!(
                    "{:?} is no size of a pool; write some of min=, running=, stopped=, parallel=, per_minute=, percent=, \
                     settle=SECONDS, return=MINUTES, sessions=, fill, or default for what is usual",
                    part.chars().take(40).collect::<String>()
                ));
            };
            *field = value.parse().map_err(|_| format!("{value:?} in {part:?} is no number"))?;
        }
        Ok(size)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for text in [
            "default",
            "min=4,running=2,stopped=1",
            "parallel=1,per_minute=3,percent=40,settle=30,return=0",
            "running=12,sessions=20,fill",
        ] {
            assert_eq!(text.parse::<PoolSize>().unwrap().to_string(), text);
        }
        for wrong in ["", "min", "min=few", "most=3", "running=-1"] {
            assert!(wrong.parse::<PoolSize>().is_err(), "{wrong}");
        }
        assert_eq!(serde_json::from_str::<PoolSize>("{}").unwrap(), PoolSize::default());
    }

    #[test]
    fn bounds_are_said() {
        assert_eq!(PoolSize::default().check(0), Ok(()));
        let size = PoolSize { min: 5, ..PoolSize::default() };
        assert!(size.check(4).unwrap_err().ends_with("choose 0 to 4"));
        // Spares of session hosts are places.
        let hosts = PoolSize { running_spares: 12, sessions: 4, ..PoolSize::default() };
        assert_eq!(hosts.check_hosts(3), Ok(()));
        assert!(hosts.check(3).is_err() && hosts.check_hosts(2).is_err());
        assert!(PoolSize { parallel: 0, ..PoolSize::default() }.check(4).is_err());
    }
}
