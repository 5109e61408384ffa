//! What people may do on connections to a pool's desktops.

use oriel_model as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mirror! {
    /// What a person may let those do whom they invite.
    SharingPolicy = model::SharingPolicy {
        /// Nobody can be invited.
        Off,
        /// Guests watch.
        View,
        /// Guests may be given keys and pointer.
        Control,
    }
}

mirror! {
    /// How an administrator may join somebody's connection.
    ShadowingPolicy = model::ShadowingPolicy {
        Off,
        /// When the person says yes.
        Ask,
        /// The person sees who watches, and is not asked.
        Tell,
    }
}

/// Which way the clipboard goes, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClipboardPolicy {
    /// What the person copied can be pasted on the machine. True when left out.
    #[serde(default = "yes")]
    pub to_machine: bool,
    /// What was copied on the machine reaches the person. True when left out.
    #[serde(default = "yes")]
    pub to_person: bool,
    /// Larger pieces are not passed on: 1 to 1024 KiB. 1024 when left out.
    #[serde(default = "usual_kib")]
    pub kib_max: u32,
}

/// Which way files go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesPolicy {
    /// To the machine; making folders, renaming and deleting count as that. True when left out.
    #[serde(default = "yes")]
    pub upload: bool,
    /// From the machine. True when left out.
    #[serde(default = "yes")]
    pub download: bool,
}

/// What people may do while they are connected; what is left out is as usual. It is enforced by the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionPolicy {
    #[serde(default = "usual_clipboard")]
    pub clipboard: ClipboardPolicy,
    #[serde(default = "usual_files")]
    pub files: FilesPolicy,
    /// Whether the machine is heard. True when left out.
    #[serde(default = "yes")]
    pub sound: bool,
    /// Whether what is printed on the machine reaches the person. True when left out.
    #[serde(default = "yes")]
    pub printing: bool,
    /// Whether the machine may hear the person's microphone (RDP). False when left out.
    #[serde(default)]
    pub microphone: bool,
    /// Keys, pointer, clipboard and microphone do not reach the machine.
    #[serde(default)]
    pub view_only: bool,
    /// `off` when left out.
    #[serde(default = "usual_sharing")]
    pub sharing: SharingPolicy,
    /// Also people without an account, each of whom the person lets in. False when left out; nothing where `sharing` is `off`.
    #[serde(default)]
    pub share_guests: bool,
    /// `ask` when left out.
    #[serde(default = "usual_shadowing")]
    pub shadowing: ShadowingPolicy,
    /// The person's name and the time lie over the picture, also over what is recorded.
    #[serde(default)]
    pub watermark: bool,
    /// What is typed is kept with what is recorded: passwords typed at prompts, too. The person is told.
    #[serde(default)]
    pub recording_keys: bool,
    /// What goes through the clipboard is kept with what is recorded. The person is told.
    #[serde(default)]
    pub recording_clipboard: bool,
    /// Minutes without a key or a pointer until the browser is locked; never when left out.
    #[serde(default)]
    #[schema(required)]
    pub idle_lock_minutes: Option<u32>,
    /// Minutes that a connection lasts at most; the person is warned before. Without end when left out.
    #[serde(default)]
    #[schema(required)]
    pub session_minutes_max: Option<u32>,
}

const fn yes() -> bool {
    true
}

const fn usual_kib() -> u32 {
    model::CLIPBOARD_KIB_MAX
}

const fn usual_clipboard() -> ClipboardPolicy {
    ClipboardPolicy { to_machine: true, to_person: true, kib_max: usual_kib() }
}

const fn usual_files() -> FilesPolicy {
    FilesPolicy { upload: true, download: true }
}

const fn usual_sharing() -> SharingPolicy {
    SharingPolicy::Off
}

const fn usual_shadowing() -> ShadowingPolicy {
    ShadowingPolicy::Ask
}

impl From<model::SessionPolicy> for SessionPolicy {
    fn from(policy: model::SessionPolicy) -> Self {
        let model::SessionPolicy {
            clipboard: model::ClipboardPolicy { to_machine, to_person, kib_max },
            files: model::FilesPolicy { upload, download },
            sound,
            printing,
            microphone,
            view_only,
            sharing,
            share_guests,
            shadowing,
            watermark,
            recording_keys,
            recording_clipboard,
            idle_lock_minutes,
            session_minutes_max,
        } = policy;
        Self {
            clipboard: ClipboardPolicy { to_machine, to_person, kib_max },
            files: FilesPolicy { upload, download },
            sound,
            printing,
            microphone,
            view_only,
            sharing: sharing.into(),
            share_guests,
            shadowing: shadowing.into(),
            watermark,
            recording_keys,
            recording_clipboard,
            idle_lock_minutes,
            session_minutes_max,
        }
    }
}

impl From<SessionPolicy> for model::SessionPolicy {
    fn from(policy: SessionPolicy) -> Self {
        let SessionPolicy {
            clipboard: ClipboardPolicy { to_machine, to_person, kib_max },
            files: FilesPolicy { upload, download },
            sound,
            printing,
            microphone,
            view_only,
            sharing,
            share_guests,
            shadowing,
            watermark,
            recording_keys,
            recording_clipboard,
            idle_lock_minutes,
            session_minutes_max,
        } = policy;
        Self {
            clipboard: model::ClipboardPolicy { to_machine, to_person, kib_max },
            files: model::FilesPolicy { upload, download },
            sound,
            printing,
            microphone,
            view_only,
            sharing: sharing.into(),
            share_guests,
            shadowing: shadowing.into(),
            watermark,
            recording_keys,
            recording_clipboard,
            idle_lock_minutes,
            session_minutes_max,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_usual() {
        let policy: SessionPolicy = serde_json::from_str("{}").unwrap();
        assert_eq!(model::SessionPolicy::from(policy.clone()), model::SessionPolicy::default());
        assert_eq!(SessionPolicy::from(model::SessionPolicy::default()), policy);
        assert!(serde_json::from_str::<SessionPolicy>(r#"{"printer":true}"#).is_err());
    }
}
