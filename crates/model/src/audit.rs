//! Who did what, on what, from where, and how it ended: rows that are only ever added, each sealed to the one before.

use crate::{Micros, UserId};
use std::fmt::Write as _;

/// One row. Names stand beside ids: it outlives whom and what it tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// From 1 on, without gaps.
    pub seq: u64,
    pub at: Micros,
    pub what: AuditDeed,
    /// The hash of the row before; empty for the first.
    pub previous: String,
    /// SHA-256 of [`AuditEntry::text`], in lowercase hex.
    pub hash: String,
}

/// What is told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditDeed {
    /// Whose account; none for the local administrator and for whoever is not signed in.
    pub actor: Option<UserId>,
    /// The name that was signed in with, or that was tried.
    pub actor_name: String,
    /// `browser`, `token LABEL`, `local` (this machine's administrator) or `nobody`.
    pub via: String,
    /// The operation of the API: `change_pool`.
    pub action: String,
    /// The path below the API, secrets left out: `/pools/studio`.
    pub target: String,
    /// Where it came from; empty for this machine's socket.
    pub address: String,
    /// The answer's HTTP status.
    pub outcome: u16,
    /// The code of the refusal, when it was one.
    pub code: String,
}

impl AuditDeed {
    /// Longest text of each field, in characters: what is longer is cut.
    pub const CHARS_MAX: usize = 200;

    /// With every text cut to what is kept, and nothing in it that a terminal would obey.
    #[must_use]
    pub fn bounded(self) -> Self {
        let cut = |text: String| -> String {
            text.chars().take(Self::CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
        };
        Self {
            actor_name: cut(self.actor_name),
            via: cut(self.via),
            action: cut(self.action),
            target: cut(self.target),
            address: cut(self.address),
            code: cut(self.code),
            ..self
        }
    }
}

impl AuditEntry {
    /// What is hashed: every field as its length in bytes, a colon, and itself, so that no two rows have the same text.
    pub fn text(seq: u64, at: Micros, what: &AuditDeed, previous: &str) -> String {
        let actor = what.actor.map(|id| id.to_string()).unwrap_or_default();
        let (seq, at, outcome) = (seq.to_string(), at.0.to_string(), what.outcome.to_string());
        let fields = [
            previous,
            &seq,
            &at,
            &actor,
            &what.actor_name,
            &what.via,
            &what.action,
            &what.target,
            &what.address,
            &outcome,
            &what.code,
        ];
        let mut text = String::new();
        for field in fields {
            write!(text, "{}:{field}", field.len()).ok();
        }
        text
    }
}

/// Which rows are wanted; `None` for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// A name, compared without case.
    pub actor: Option<String>,
    pub action: Option<String>,
    /// A part of the target.
    pub target: Option<String>,
    /// Only what was refused or failed (or only what was not).
    pub refused: Option<bool>,
    pub from: Option<Micros>,
    pub until: Option<Micros>,
    /// Rows older than this one.
    pub before: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_have_the_same_text() {
        let deed =
            |name: &str, via: &str| AuditDeed { actor_name: name.into(), via: via.into(), ..AuditDeed::default() };
        let text = |deed: &AuditDeed| AuditEntry::text(1, Micros(5), deed, "");
        assert_ne!(text(&deed("ada", "browser")), text(&deed("adab", "rowser")));
        assert_ne!(text(&deed("a:1:", "b")), text(&deed("a", "1:b")));
        assert_ne!(
            AuditEntry::text(1, Micros(15), &deed("a", "b"), ""),
            AuditEntry::text(11, Micros(5), &deed("a", "b"), "")
        );
        assert!(text(&deed("ä", "")).contains("2:ä"), "lengths are of bytes");
    }

    #[test]
    fn what_is_long_or_obeyed_is_not_kept() {
        let deed =
            AuditDeed { actor_name: "x".repeat(500), target: "/a\u{1b}[2J".into(), ..AuditDeed::default() }.bounded();
        assert_eq!((deed.actor_name.len(), deed.target.as_str()), (200, "/a\u{fffd}[2J"));
    }
}
