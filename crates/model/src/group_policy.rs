//! What a group says about its members' connections.
//!
//! The pool's policy is the base. A group replaces what it names and leaves the rest; where several groups of a person name
//! the same thing, the strictest of them wins. So a group can tighten its members' rules as well as loosen them, in every pool
//! that they use, and being in one more group never loosens what another one has tightened.

use crate::policy::{self, ClipboardPolicy, FilesPolicy, WAYS_OF_CLIPBOARD, WAYS_OF_FILES, one_of};
use crate::{CLIPBOARD_KIB_MAX, POLICY_MINUTES_MAX, SessionPolicy, ShadowingPolicy, SharingPolicy};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What is named; `None` leaves it to the pool. Minutes of 0 are "never", which a pool's policy says with none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipboard_to_machine: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipboard_to_person: Option<bool>,
    /// In KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clipboard_kib_max: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub printing: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub microphone: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sharing: Option<SharingPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_guests: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadowing: Option<ShadowingPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_keys: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_clipboard: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_lock_minutes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_minutes_max: Option<u32>,
}

/// The stricter of what two groups name; what only one names is that one's.
fn strictest<T>(a: Option<T>, b: Option<T>, stricter: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(stricter(a, b)),
        (one, other) => one.or(other),
    }
}

/// 0 is never: anything is stricter.
fn sooner(a: u32, b: u32) -> u32 {
    match (a, b) {
        (0, minutes) | (minutes, 0) => minutes,
        (a, b) => a.min(b),
    }
}

impl GroupPolicy {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What holds for somebody who is in groups with these policies, before their pool is looked at.
    #[must_use]
    pub fn together<'a>(groups: impl IntoIterator<Item = &'a Self>) -> Self {
        groups.into_iter().cloned().fold(Self::default(), |all, one| Self {
            clipboard_to_machine: strictest(all.clipboard_to_machine, one.clipboard_to_machine, |a, b| a && b),
            clipboard_to_person: strictest(all.clipboard_to_person, one.clipboard_to_person, |a, b| a && b),
            clipboard_kib_max: strictest(all.clipboard_kib_max, one.clipboard_kib_max, u32::min),
            upload: strictest(all.upload, one.upload, |a, b| a && b),
            download: strictest(all.download, one.download, |a, b| a && b),
            sound: strictest(all.sound, one.sound, |a, b| a && b),
            printing: strictest(all.printing, one.printing, |a, b| a && b),
            microphone: strictest(all.microphone, one.microphone, |a, b| a && b),
            view_only: strictest(all.view_only, one.view_only, |a, b| a || b),
            sharing: strictest(all.sharing, one.sharing, SharingPolicy::min),
            share_guests: strictest(all.share_guests, one.share_guests, |a, b| a && b),
            // What nobody may do to the person is the strictest.
            shadowing: strictest(all.shadowing, one.shadowing, ShadowingPolicy::min),
            watermark: strictest(all.watermark, one.watermark, |a, b| a || b),
            // As with shadowing: what is least done to the person is the strictest.
            recording_keys: strictest(all.recording_keys, one.recording_keys, |a, b| a && b),
            recording_clipboard: strictest(all.recording_clipboard, one.recording_clipboard, |a, b| a && b),
            idle_lock_minutes: strictest(all.idle_lock_minutes, one.idle_lock_minutes, sooner),
            session_minutes_max: strictest(all.session_minutes_max, one.session_minutes_max, sooner),
        })
    }

    /// The pool's policy with what is named here in place of what the pool says.
    #[must_use]
    pub fn over(&self, pool: &SessionPolicy) -> SessionPolicy {
        let minutes =
            |named: Option<u32>, pools: Option<u32>| named.map_or(pools, |minutes| (minutes > 0).then_some(minutes));
        SessionPolicy {
            clipboard: ClipboardPolicy {
                to_machine: self.clipboard_to_machine.unwrap_or(pool.clipboard.to_machine),
                to_person: self.clipboard_to_person.unwrap_or(pool.clipboard.to_person),
                kib_max: self.clipboard_kib_max.unwrap_or(pool.clipboard.kib_max),
            },
            files: FilesPolicy {
                upload: self.upload.unwrap_or(pool.files.upload),
                download: self.download.unwrap_or(pool.files.download),
            },
            sound: self.sound.unwrap_or(pool.sound),
            printing: self.printing.unwrap_or(pool.printing),
            microphone: self.microphone.unwrap_or(pool.microphone),
            view_only: self.view_only.unwrap_or(pool.view_only),
            sharing: self.sharing.unwrap_or(pool.sharing),
            share_guests: self.share_guests.unwrap_or(pool.share_guests),
            shadowing: self.shadowing.unwrap_or(pool.shadowing),
            watermark: self.watermark.unwrap_or(pool.watermark),
            recording_keys: self.recording_keys.unwrap_or(pool.recording_keys),
            recording_clipboard: self.recording_clipboard.unwrap_or(pool.recording_clipboard),
            idle_lock_minutes: minutes(self.idle_lock_minutes, pool.idle_lock_minutes),
            session_minutes_max: minutes(self.session_minutes_max, pool.session_minutes_max),
        }
    }

    /// What is out of bounds. The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        if let Some(kib) = self.clipboard_kib_max
            && !(1..=CLIPBOARD_KIB_MAX).contains(&kib)
        {
            return Err(format!("a clipboard of {kib} KiB cannot be carried: choose 1 to {CLIPBOARD_KIB_MAX}"));
        }
        for (what, minutes) in [("lock", self.idle_lock_minutes), ("end", self.session_minutes_max)] {
            if minutes.is_some_and(|minutes| minutes > POLICY_MINUTES_MAX) {
                return Err(format!(
                    "a connection cannot {what} after {} minutes: choose 1 to {POLICY_MINUTES_MAX}, or 0 for never",
                    minutes.unwrap_or_default()
                ));
            }
        }
        Ok(())
    }
}

/// As it is written on a command line: `clipboard=off,watermark=on,idle_lock=10`; `none` when nothing is named.
impl fmt::Display for GroupPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let switch = |word: &str, on: Option<bool>| on.map(|on| format!("{word}={}", if on { "on" } else { "off" }));
        let number = |word: &str, number: Option<u32>| number.map(|number| format!("{word}={number}"));
        let parts = [
            pair("clipboard", "paste", "copy", WAYS_OF_CLIPBOARD, self.clipboard_to_machine, self.clipboard_to_person),
            number("clipboard_kib", self.clipboard_kib_max),
            pair("files", "upload", "download", WAYS_OF_FILES, self.upload, self.download),
            switch("sound", self.sound),
            switch("printing", self.printing),
            switch("microphone", self.microphone),
            switch("view_only", self.view_only),
            self.sharing.map(|sharing| format!("sharing={}", sharing.word())),
            switch("share_guests", self.share_guests),
            self.shadowing.map(|shadowing| format!("shadowing={}", shadowing.word())),
            switch("watermark", self.watermark),
            switch("recording_keys", self.recording_keys),
            switch("recording_clipboard", self.recording_clipboard),
            number("idle_lock", self.idle_lock_minutes),
            number("session", self.session_minutes_max),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("none") } else { f.write_str(&parts.join(",")) }
    }
}

/// Both ways in one word, or the one that is named.
fn pair(
    both: &str,
    first: &str,
    second: &str,
    words: policy::Ways,
    a: Option<bool>,
    b: Option<bool>,
) -> Option<String> {
    let switch = |word: &str, on: bool| format!("{word}={}", if on { "on" } else { "off" });
    match (a, b) {
        (Some(a), Some(b)) => Some(format!("{both}={}", one_of(words, (a, b)))),
        (Some(a), None) => Some(switch(first, a)),
        (None, Some(b)) => Some(switch(second, b)),
        (None, None) => None,
    }
}

impl FromStr for GroupPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut named = Self::default();
        for part in text.split(',').map(str::trim) {
            if part == "none" {
                continue;
            }
            let (word, value) = part.split_once('=').ok_or_else(|| unknown(part))?;
            let number = || value.parse::<u32>().map_err(|_| format!("{value:?} in {part:?} is no number"));
            let switch = || match value {
                "on" => Ok(Some(true)),
                "off" => Ok(Some(false)),
                _ => Err(format!("{value:?} in {part:?} is neither on nor off")),
            };
            match word {
                "clipboard" => {
                    let (to_machine, to_person) = policy::ways(WAYS_OF_CLIPBOARD, value, part)?;
                    (named.clipboard_to_machine, named.clipboard_to_person) = (Some(to_machine), Some(to_person));
                }
                "paste" => named.clipboard_to_machine = switch()?,
                "copy" => named.clipboard_to_person = switch()?,
                "clipboard_kib" => named.clipboard_kib_max = Some(number()?),
                "files" => {
                    let (upload, download) = policy::ways(WAYS_OF_FILES, value, part)?;
                    (named.upload, named.download) = (Some(upload), Some(download));
                }
                "upload" => named.upload = switch()?,
                "download" => named.download = switch()?,
                "sound" => named.sound = switch()?,
                "printing" => named.printing = switch()?,
                "microphone" => named.microphone = switch()?,
                "view_only" => named.view_only = switch()?,
                "sharing" => named.sharing = Some(value.parse()?),
                "share_guests" => named.share_guests = switch()?,
                "shadowing" => named.shadowing = Some(value.parse()?),
                "watermark" => named.watermark = switch()?,
                "recording_keys" => named.recording_keys = switch()?,
                "recording_clipboard" => named.recording_clipboard = switch()?,
                "idle_lock" => named.idle_lock_minutes = Some(number()?),
                "session" => named.session_minutes_max = Some(number()?),
                _ => return Err(unknown(part)),
            }
        }
        named.check()?;
        Ok(named)
    }
}

fn unknown(word: &str) -> String {
    format!(
        "{:?} is no rule of a group; write some of clipboard=both|to_machine|to_person|off, paste=on|off, copy=on|off, \
         clipboard_kib=NUMBER, files=both|upload|download|off, upload=on|off, download=on|off, sound=on|off, printing=on|off, \
         microphone=on|off,          view_only=on|off, sharing=off|view|control, share_guests=on|off, shadowing=off|ask|tell, watermark=on|off, recording_keys=on|off, recording_clipboard=on|off, \
         idle_lock=MINUTES, session=MINUTES (0 for never), or none",
        word.chars().take(40).collect::<String>()
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn named(text: &str) -> GroupPolicy {
        text.parse().unwrap()
    }

    #[test]
    fn a_group_replaces_what_it_names_and_leaves_the_rest() {
        let pool: SessionPolicy = "clipboard=off,files=download,watermark,idle_lock=10,session=480".parse().unwrap();
        assert_eq!(named("none").over(&pool), pool);
        let looser = named("copy=on,upload=on,watermark=off,idle_lock=0").over(&pool);
        assert_eq!(looser.to_string(), "clipboard=to_person,session=480");
        let tighter = named("files=off,view_only=on,session=60,shadowing=tell").over(&pool);
        assert_eq!(
            tighter.to_string(),
            "clipboard=off,files=off,view_only,shadowing=tell,watermark,idle_lock=10,session=60"
        );
    }

    #[test]
    fn of_several_groups_the_strictest_wins_whatever_their_order() {
        let groups = [
            named(
                "clipboard=both,clipboard_kib=512,sharing=control,shadowing=tell,idle_lock=0,session=60,watermark=off",
            ),
            named("copy=off,clipboard_kib=64,sharing=view,shadowing=ask,idle_lock=30,session=240,watermark=on"),
            named("upload=off,sound=on,microphone=on,recording_keys=on,recording_clipboard=on"),
            named("recording_keys=off,share_guests=on"),
            named("share_guests=off"),
        ];
        let wanted = "clipboard=to_machine,clipboard_kib=64,upload=off,sound=on,microphone=on,sharing=view,share_guests=off,shadowing=ask,\
                      watermark=on,recording_keys=off,recording_clipboard=on,idle_lock=30,session=60";
        assert_eq!(GroupPolicy::together(&groups).to_string(), wanted);
        assert_eq!(GroupPolicy::together(groups.iter().rev()).to_string(), wanted);
        assert!(GroupPolicy::together([]).is_empty());
        // One more group never loosens what another has tightened.
        let strict = named("view_only=on,sound=off,microphone=off");
        let all = GroupPolicy::together([&strict, &named("view_only=off,sound=on,microphone=on")]);
        assert_eq!(all, strict);
    }

    #[test]
    fn rules_are_read_as_they_are_written() {
        for text in [
            "none",
            "clipboard=to_machine,clipboard_kib=64,files=download,sound=off",
            "copy=off,upload=on,view_only=off,sharing=off,share_guests=on,shadowing=tell,watermark=on,idle_lock=0,session=480",
        ] {
            assert_eq!(named(text).to_string(), text);
        }
        for wrong in ["", "clipboard", "watermark", "copy=yes", "idle_lock=10081", "clipboard_kib=0", "speed=1"] {
            assert!(wrong.parse::<GroupPolicy>().is_err(), "{wrong}");
        }
        let kept = serde_json::to_string(&named("copy=off,idle_lock=0")).unwrap();
        assert_eq!(kept, r#"{"clipboard_to_person":false,"idle_lock_minutes":0}"#);
        assert_eq!(serde_json::from_str::<GroupPolicy>(&kept).unwrap(), named("copy=off,idle_lock=0"));
    }
}
