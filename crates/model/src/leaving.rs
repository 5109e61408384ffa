//! What becomes of a desktop whose person does nothing in it, and then of one that they have left.

use crate::{Micros, POLICY_MINUTES_MAX, PoolHours};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Longest time from the last connection until a desktop is shut down, in minutes: a day.
pub const SHUT_DOWN_MINUTES_MAX: u32 = 24 * 60;
/// Longest warning before a connection ends, in seconds.
pub const WARN_SECONDS_MAX: u32 = 3600;

/// The stages that come before a desktop is taken back: nobody touches it and its connections end, nobody is connected and
/// it is shut down. Usually there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Leaving {
    #[serde(flatten)]
    pub times: LeavingTimes,
    /// Outside of the pool's peaks; none where it is the same.
    pub off_peak: Option<LeavingTimes>,
    /// Seconds before a connection ends at which its person is told, at most half of the time.
    pub warn_seconds: u32,
}

/// How long for what, in minutes; none is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeavingTimes {
    /// Without a key or a pointer on a connection, until it is ended. What runs in the desktop goes on.
    pub idle_minutes: Option<u32>,
    /// Without a connection to somebody's desktop, until it is shut down. It stays theirs.
    pub shut_down_minutes: Option<u32>,
}

impl Default for Leaving {
    fn default() -> Self {
        Self { times: LeavingTimes::default(), off_peak: None, warn_seconds: 60 }
    }
}

impl Leaving {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What holds at `now` for a pool of these hours.
    pub fn at(&self, hours: &PoolHours, now: Micros) -> LeavingTimes {
        match self.off_peak {
            Some(off_peak) if !hours.is_peak(now) => off_peak,
            _ => self.times,
        }
    }

    /// What is out of bounds, for a pool of these hours. The error is a sentence.
    pub fn check(&self, hours: &PoolHours) -> Result<(), String> {
        for times in [Some(self.times), self.off_peak].into_iter().flatten() {
            for (what, minutes, most) in [
                ("an idle connection cannot end", times.idle_minutes, POLICY_MINUTES_MAX),
                ("a desktop without connections cannot be shut down", times.shut_down_minutes, SHUT_DOWN_MINUTES_MAX),
            ] {
                if let Some(minutes) = minutes.filter(|minutes| !(1..=most).contains(minutes)) {
                    return Err(format!("{what} after {minutes} minutes: choose 1 to {most}, or never"));
                }
            }
        }
        if self.warn_seconds > WARN_SECONDS_MAX {
            return Err(format!(
                "people cannot be warned {} seconds before: choose 0 to {WARN_SECONDS_MAX}",
                self.warn_seconds
            ));
        }
        if self.off_peak.is_some() && hours.peaks.is_empty() {
            return Err("a pool without peaks is never off peak: say when its peaks are as well".to_owned());
        }
        Ok(())
    }
}

impl LeavingTimes {
    fn parts(&self) -> Vec<String> {
        [("idle", self.idle_minutes), ("shut_down", self.shut_down_minutes)]
            .into_iter()
            .filter_map(|(word, minutes)| Some(format!("{word}={}", minutes?)))
            .collect()
    }

    /// Reads one word of them; false when it is another.
    fn read(&mut self, word: &str, value: &str) -> Result<bool, String> {
        let field = match word {
            "idle" => &mut self.idle_minutes,
            "shut_down" => &mut self.shut_down_minutes,
            _ => return Ok(false),
        };
        *field = match value {
            "never" => None,
            minutes => Some(number(word, minutes)?),
        };
        Ok(true)
    }
}

fn number(word: &str, value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("{:?} in \"{word}=\" is no number", value.chars().take(40).collect::<String>()))
}

fn unknown(part: &str, words: &str) -> String {
    format!("{:?} is no stage of leaving; write some of {words}", part.chars().take(40).collect::<String>())
}

/// As it is written on a command line: `idle=30,shut_down=60`; `never` where nothing happens.
impl fmt::Display for LeavingTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts();
        if parts.is_empty() { f.write_str("never") } else { f.write_str(&parts.join(",")) }
    }
}

impl FromStr for LeavingTimes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut times = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| *part != "never") {
            let (word, value) = part.split_once('=').unwrap_or((part, ""));
            if !times.read(word, value)? {
                return Err(unknown(part, "idle=MINUTES, shut_down=MINUTES, or never"));
            }
        }
        Ok(times)
    }
}

/// As it is written on a command line, without what differs off peak: `idle=30,shut_down=60,warn=120`; `never` where nothing happens.
impl fmt::Display for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.times.parts();
        if self.warn_seconds != Self::default().warn_seconds {
            parts.push(format!("warn={}", self.warn_seconds));
        }
        if parts.is_empty() { f.write_str("never") } else { f.write_str(&parts.join(",")) }
    }
}

impl FromStr for Leaving {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut leaving = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| *part != "never") {
            let (word, value) = part.split_once('=').unwrap_or((part, ""));
            if word == "warn" {
                leaving.warn_seconds = number(word, value)?;
            } else if !leaving.times.read(word, value)? {
                return Err(unknown(part, "idle=MINUTES, shut_down=MINUTES, warn=SECONDS, or never"));
            }
        }
        Ok(leaving)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn stages_are_read_as_they_are_written() {
        for text in ["never", "idle=30,shut_down=60,warn=120", "warn=0", "idle=5"] {
            assert_eq!(text.parse::<Leaving>().unwrap().to_string(), text);
        }
        for text in ["never", "idle=30,shut_down=60", "shut_down=1"] {
            assert_eq!(text.parse::<LeavingTimes>().unwrap().to_string(), text);
        }
        assert_eq!("idle=never,shut_down=5".parse::<Leaving>().unwrap().to_string(), "shut_down=5");
        for wrong in ["", "idle", "idle=soon", "log_off=3", "idle=-1"] {
            assert!(wrong.parse::<Leaving>().is_err() && wrong.parse::<LeavingTimes>().is_err(), "{wrong}");
        }
        assert!("warn=5".parse::<LeavingTimes>().is_err(), "that is said once");
        let both = Leaving { off_peak: Some("idle=5".parse().unwrap()), ..Leaving::default() };
        let json = serde_json::to_string(&both).unwrap();
        assert_eq!(serde_json::from_str::<Leaving>(&json).unwrap(), both);
        assert_eq!(serde_json::from_str::<Leaving>("{}").unwrap(), Leaving::default());
    }

    #[test]
    fn each_hour_has_its_times() {
        let hours = PoolHours { peaks: vec!["mon-fri 08:00-18:00 UTC".parse().unwrap()], ..PoolHours::default() };
        let mut leaving: Leaving = "idle=30".parse().unwrap();
        // A Thursday, at half past seven and at eight.
        let (before, at_eight) = (Micros(1_766_043_000_000_000), Micros(1_766_044_800_000_000));
        assert_eq!(leaving.at(&hours, before).idle_minutes, Some(30));
        leaving.off_peak = Some("shut_down=5".parse().unwrap());
        assert_eq!(leaving.at(&hours, before).to_string(), "shut_down=5");
        assert_eq!(leaving.at(&hours, at_eight).to_string(), "idle=30");
        assert_eq!(leaving.check(&hours), Ok(()));
        assert!(leaving.check(&PoolHours::default()).unwrap_err().contains("never off peak"));
        for wrong in ["idle=0", "shut_down=1441", "warn=3601"] {
            assert!(wrong.parse::<Leaving>().unwrap().check(&hours).is_err(), "{wrong}");
        }
    }
}
