//! Groups: people together.

use super::{
    Named,
    policy::{ShadowingPolicy, SharingPolicy},
    second_factor::SecondFactorRule,
};
use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a group says of its members' connections, in all pools. The pool's policy is the base: what is named here replaces what
/// the pool says, what is left out or null stays as the pool says, and of several groups that name the same the strictest wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupPolicy {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clipboard_to_machine: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clipboard_to_person: Option<bool>,
    /// 1 to 1024 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clipboard_kib_max: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printing: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microphone: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_only: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<SharingPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_guests: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadowing: Option<ShadowingPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<bool>,
    /// Passwords typed at prompts are kept, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_keys: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_clipboard: Option<bool>,
    /// 0: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_lock_minutes: Option<u32>,
    /// 0: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_minutes_max: Option<u32>,
}

impl From<model::GroupPolicy> for GroupPolicy {
    fn from(policy: model::GroupPolicy) -> Self {
        Self {
            clipboard_to_machine: policy.clipboard_to_machine,
            clipboard_to_person: policy.clipboard_to_person,
            clipboard_kib_max: policy.clipboard_kib_max,
            upload: policy.upload,
            download: policy.download,
            sound: policy.sound,
            printing: policy.printing,
            microphone: policy.microphone,
            view_only: policy.view_only,
            sharing: policy.sharing.map(Into::into),
            share_guests: policy.share_guests,
            shadowing: policy.shadowing.map(Into::into),
            watermark: policy.watermark,
            recording_keys: policy.recording_keys,
            recording_clipboard: policy.recording_clipboard,
            idle_lock_minutes: policy.idle_lock_minutes,
            session_minutes_max: policy.session_minutes_max,
        }
    }
}

impl From<GroupPolicy> for model::GroupPolicy {
    fn from(policy: GroupPolicy) -> Self {
        Self {
            clipboard_to_machine: policy.clipboard_to_machine,
            clipboard_to_person: policy.clipboard_to_person,
            clipboard_kib_max: policy.clipboard_kib_max,
            upload: policy.upload,
            download: policy.download,
            sound: policy.sound,
            printing: policy.printing,
            microphone: policy.microphone,
            view_only: policy.view_only,
            sharing: policy.sharing.map(Into::into),
            share_guests: policy.share_guests,
            shadowing: policy.shadowing.map(Into::into),
            watermark: policy.watermark,
            recording_keys: policy.recording_keys,
            recording_clipboard: policy.recording_clipboard,
            idle_lock_minutes: policy.idle_lock_minutes,
            session_minutes_max: policy.session_minutes_max,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Group {
    pub id: String,
    pub name: String,
    /// What it is for; may be empty.
    pub about: String,
    pub policy: GroupPolicy,
    pub second_factor: SecondFactorRule,
    /// Who is in it, by name.
    pub members: Vec<Named>,
    /// Which pools it opens, by name.
    pub pools: Vec<Named>,
    /// RFC 3339.
    pub created_at: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GroupList {
    pub groups: Vec<Group>,
}

/// A new group, without members.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupNew {
    /// 1 to 100 characters without slashes; compared without case.
    pub name: String,
    /// What it is for, at most 200 characters.
    #[serde(default)]
    pub about: Option<String>,
    /// Nothing is otherwise than pools say when left out.
    #[serde(default)]
    pub policy: Option<GroupPolicy>,
    /// `optional` when left out.
    #[serde(default)]
    pub second_factor: Option<SecondFactorRule>,
}

/// What to change; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// As a whole. Holds for connections that are opened from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<GroupPolicy>,
    /// Holds from its members' next sign-in on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<SecondFactorRule>,
}
