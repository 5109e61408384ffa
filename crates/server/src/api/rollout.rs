//! A pool's way from one version of its image to another.

use super::{Named, image::ImageRef};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    RolloutState = model::RolloutState {
        /// A few desktops are of the new version, and are watched.
        Canary,
        /// They proved themselves: the rest follows.
        Rest,
        Done,
        /// Too many desktops of the new version did not come up; new ones are of the old version again.
        Stopped,
        Cancelled,
    }
}

mirror! {
    /// When a desktop that somebody has is replaced.
    Replace = model::Replace {
        /// When they have left it for good; one that stays theirs, when it is off and they are away.
        OnLogOff,
        /// At once: their connection ends, and they are told why.
        Now,
    }
}

/// How far a pool's desktops are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RolloutCount {
    /// Of the new version, and came up (or are off).
    pub new: u32,
    /// Being made anew of the new version.
    pub on_their_way: u32,
    /// Of the new version, and did not come up.
    pub failed: u32,
    /// Of an older version, and next.
    pub old: u32,
    /// Of an older version, and somebody's, or in the middle of something: they wait until that is over.
    pub waiting: u32,
    /// Of an older version, and left so: somebody's for good.
    pub kept: u32,
}

impl From<oriel_broker::RolloutCount> for RolloutCount {
    fn from(count: oriel_broker::RolloutCount) -> Self {
        let oriel_broker::RolloutCount { new, on_their_way, failed, old, waiting, kept } = count;
        Self { new, on_their_way, failed, old, waiting, kept }
    }
}

/// A desktop of the new version that did not come up. It may be gone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RolloutFailure {
    pub desktop: Named,
    pub reason: String,
    pub at: String,
}

/// A pool's last roll-out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rollout {
    pub from: ImageRef,
    pub to: ImageRef,
    pub state: RolloutState,
    /// Something follows by itself, or when it is resumed.
    pub is_open: bool,
    pub is_paused: bool,
    /// It goes back: nothing is tried first, and nothing stops it.
    pub is_rollback: bool,
    /// How many desktops come first: `3`, or of a hundred: `10%`.
    pub canary: String,
    /// For how long those are watched.
    pub watch_minutes: u32,
    pub replace: Replace,
    /// It begins at that time.
    #[schema(required)]
    pub not_before: Option<String>,
    /// More than so many that do not come up stop it: `0`, `5%`.
    pub stop_after: String,
    /// Also desktops whose disks are somebody's for good.
    pub wipe_dedicated: bool,
    /// Where it stands, in a line for people.
    pub step: String,
    /// Why it stopped.
    #[schema(required)]
    pub reason: Option<String>,
    /// 0.0 to 1.0.
    pub progress: f64,
    pub count: RolloutCount,
    /// Oldest first.
    pub failures: Vec<RolloutFailure>,
    pub created_at: String,
    pub changed_at: String,
}

impl Rollout {
    pub fn new(view: oriel_broker::RolloutView, from: ImageRef, to: ImageRef) -> Self {
        let oriel_broker::RolloutView { rollout, count, step } = view;
        let ended = count.new + count.failed;
        Self {
            from,
            to,
            state: rollout.state.into(),
            is_open: rollout.state.is_open(),
            is_paused: rollout.is_paused,
            is_rollback: rollout.is_rollback,
            canary: rollout.plan.canary.to_string(),
            watch_minutes: rollout.plan.watch_minutes,
            replace: rollout.plan.replace.into(),
            not_before: rollout.plan.not_before.map(model::Micros::rfc3339),
            stop_after: rollout.plan.stop_after.to_string(),
            wipe_dedicated: rollout.plan.wipe_dedicated,
            step,
            reason: rollout.reason,
            progress: match count.total() {
                0 => f64::from(u8::from(rollout.state == model::RolloutState::Done)),
                total => f64::from(ended) / f64::from(total),
            },
            count: count.into(),
            failures: rollout
                .failures
                .into_iter()
                .map(|failure| RolloutFailure {
                    desktop: Named::new(failure.desktop, failure.name.as_str()),
                    reason: failure.reason,
                    at: failure.at.rfc3339(),
                })
                .collect(),
            created_at: rollout.created.rfc3339(),
            changed_at: rollout.changed.rfc3339(),
        }
    }
}

/// How to bring a pool to another version of its image. What is left out is as usual.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutNew {
    /// The newest that is ready, when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// How many desktops come first: `3`, or of a hundred: `10%`, which is usual; `0` for all at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// For how long those are watched when they have come up; 30 when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch_minutes: Option<u32>,
    /// `on_log_off` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace: Option<Replace>,
    /// RFC 3339: it begins at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// More than so many that do not come up stop it: `0`, which is usual, or `5%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<String>,
    /// Also desktops whose disks are somebody's for good: what is on them is lost. They are left as they are otherwise.
    pub wipe_dedicated: bool,
}

impl RolloutNew {
    /// The error is a sentence.
    pub fn into_model(self) -> Result<(Option<u32>, model::RolloutPlan), String> {
        let usual = model::RolloutPlan::default();
        let not_before = match self.not_before.as_deref() {
            None => None,
            Some(text) => {
                let time: jiff::Timestamp = text.parse().map_err(|_| {
                    let shown: String = text.chars().take(40).collect();
                    format!("{shown:?} is no time: write it as 2026-12-01T22:00:00Z, or with an offset such as +01:00")
                })?;
                Some(model::Micros(time.as_microsecond()))
            }
        };
        let plan = model::RolloutPlan {
            canary: self.canary.as_deref().map(str::parse::<model::Share>).transpose()?.unwrap_or(usual.canary),
            watch_minutes: self.watch_minutes.unwrap_or(usual.watch_minutes),
            replace: self.replace.map_or(usual.replace, Into::into),
            not_before,
            stop_after: self
                .stop_after
                .as_deref()
                .map(str::parse::<model::Share>)
                .transpose()?
                .unwrap_or(usual.stop_after),
            wipe_dedicated: self.wipe_dedicated,
        };
        Ok((self.version, plan))
    }
}

/// How to bring a pool back. What is left out is as usual.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RollbackNew {
    /// `on_log_off` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace: Option<Replace>,
    /// Also desktops whose disks are somebody's for good: what is on them is lost.
    pub wipe_dedicated: bool,
}

impl RollbackNew {
    pub fn into_model(self) -> model::RolloutPlan {
        let usual = model::RolloutPlan::default();
        model::RolloutPlan {
            canary: model::Share::Count(0),
            watch_minutes: 0,
            replace: self.replace.map_or(usual.replace, Into::into),
            wipe_dedicated: self.wipe_dedicated,
            ..usual
        }
    }
}
