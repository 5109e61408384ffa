//! People together: who may use a pool, and what they may do while they are connected, said once for all of them.

use crate::{GroupId, GroupPolicy, Micros, SecondFactorRule};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub id: GroupId,
    /// Unique, compared without case.
    pub name: String,
    /// What it is for, for people; may be empty.
    pub about: String,
    /// What is otherwise for its members than their pools say.
    pub policy: GroupPolicy,
    /// What it asks of its members beside their passwords.
    pub second_factor: SecondFactorRule,
    pub created: Micros,
}

impl Group {
    pub const NAME_CHARS_MAX: usize = 100;
    pub const ABOUT_CHARS_MAX: usize = 200;

    /// Whether it can be kept. Names are those of directories, too: spaces and most signs are fine. The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        let length = self.name.chars().count();
        let good = (1..=Self::NAME_CHARS_MAX).contains(&length)
            && self.name.trim() == self.name
            && !self.name.chars().any(|c| c.is_control() || c == '/')
            && !self.name.chars().all(|c| c == '.');
        if !good {
            return Err(format!(
                "{:?} cannot be a group's name: use 1 to {} characters without slashes, and no blanks around them",
                self.name.chars().take(80).collect::<String>(),
                Self::NAME_CHARS_MAX
            ));
        }
        if self.about.chars().count() > Self::ABOUT_CHARS_MAX || self.about.chars().any(char::is_control) {
            return Err(format!(
                "what a group is for is said in at most {} characters of one line",
                Self::ABOUT_CHARS_MAX
            ));
        }
        self.policy.check()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_directories() {
        let named = |name: &str| Group {
            id: GroupId::new(),
            name: name.to_owned(),
            about: String::new(),
            policy: GroupPolicy::default(),
            second_factor: SecondFactorRule::default(),
            created: Micros(0),
        };
        for good in ["artists", "Domain Users", "Zeichner (München)", "a.b"] {
            assert_eq!(named(good).check(), Ok(()), "{good}");
        }
        for bad in ["", " a", "a ", "a/b", "..", "a\nb", &"x".repeat(101)] {
            assert!(named(bad).check().unwrap_err().contains("group's name"), "{bad:?}");
        }
        let talkative = Group { about: "x".repeat(201), ..named("a") };
        assert!(talkative.check().is_err());
    }
}
