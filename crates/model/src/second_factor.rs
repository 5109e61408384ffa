//! What somebody shows beside their password.

use crate::{DeviceId, Micros, UserId};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What a group asks of its members at the door. The later, the stricter; of several groups the strictest holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactorRule {
    /// Whoever has set one up is asked for it; nobody has to.
    #[default]
    Optional,
    /// Whoever has none sets one up before anything else.
    Required,
    /// As `Required`, and remembered browsers are asked, too.
    EveryTime,
}

impl SecondFactorRule {
    pub const ALL: [Self; 3] = [Self::Optional, Self::Required, Self::EveryTime];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Required => "required",
            Self::EveryTime => "every_time",
        }
    }

    /// What holds for somebody in groups with these rules.
    pub fn together(rules: impl IntoIterator<Item = Self>) -> Self {
        rules.into_iter().max().unwrap_or_default()
    }
}

impl FromStr for SecondFactorRule {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|one| one.word() == text).ok_or_else(|| {
            format!(
                "{:?} is no rule for second factors: use optional, required or every_time",
                text.chars().take(40).collect::<String>()
            )
        })
    }
}

/// How far a browser's session has come at the door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInStep {
    /// Inside.
    #[default]
    Done,
    /// The password was right; the second factor is missing.
    Factor,
    /// The password was right; a second factor must be set up first.
    Enrol,
}

/// The secret that an authenticator app shares with us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totp {
    pub user: UserId,
    /// Sealed.
    pub secret: String,
    /// The step of time of the newest code that was taken: none is taken twice, and none that is older.
    pub last_step: u64,
    pub created: Micros,
}

/// A browser that is not asked for the second factor for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub id: DeviceId,
    /// Of the cookie that it holds.
    pub token_sha256: String,
    pub user: UserId,
    /// What it said it was.
    pub label: String,
    pub created: Micros,
    pub expires: Micros,
}

impl Device {
    pub const LABEL_CHARS_MAX: usize = 120;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_rule_holds() {
        use SecondFactorRule as R;
        assert_eq!(R::together([]), R::Optional);
        assert_eq!(R::together([R::Required, R::Optional]), R::Required);
        assert_eq!(R::together([R::Optional, R::EveryTime, R::Required]), R::EveryTime);
        for rule in R::ALL {
            assert_eq!(rule.word().parse(), Ok(rule));
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.word());
        }
        assert!("always".parse::<R>().unwrap_err().contains("every_time"));
    }
}
