//! What people may do on connections to a pool's desktops. Enforced where the connection is carried, never in the page alone.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Largest piece of clipboard, in KiB: what the viewer protocol carries.
pub const CLIPBOARD_KIB_MAX: u32 = 1024;
/// Longest idle time and longest session, in minutes: a week.
pub const POLICY_MINUTES_MAX: u32 = 7 * 24 * 60;

/// What people may do while they are connected. Whoever carries a connection reads it once, when the machine is dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionPolicy {
    pub clipboard: ClipboardPolicy,
    pub files: FilesPolicy,
    /// Whether the machine is heard.
    pub sound: bool,
    /// Whether what is printed on the machine reaches the person.
    pub printing: bool,
    /// Whether the machine may hear the person's microphone.
    pub microphone: bool,
    /// Keys, pointer, clipboard and microphone do not reach the machine.
    pub view_only: bool,
    /// What the person may let others do.
    pub sharing: SharingPolicy,
    /// Also people without an account, each of whom the person lets in. Nothing where `sharing` is off.
    pub share_guests: bool,
    /// How an administrator may watch and help.
    pub shadowing: ShadowingPolicy,
    /// The person's name and the time lie over the picture, also over what is recorded.
    pub watermark: bool,
    /// What is typed is kept with what is recorded, whatever it is typed into: passwords, too.
    pub recording_keys: bool,
    /// And what goes through the clipboard, either way.
    pub recording_clipboard: bool,
    /// Minutes without a key or a pointer until the connection is locked: it goes on after the person signed in again.
    pub idle_lock_minutes: Option<u32>,
    /// Minutes that a connection lasts at most; the person is warned before.
    pub session_minutes_max: Option<u32>,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            clipboard: ClipboardPolicy::default(),
            files: FilesPolicy::default(),
            sound: true,
            printing: true,
            microphone: false,
            view_only: false,
            sharing: SharingPolicy::Off,
            share_guests: false,
            shadowing: ShadowingPolicy::Ask,
            watermark: false,
            recording_keys: false,
            recording_clipboard: false,
            idle_lock_minutes: None,
            session_minutes_max: None,
        }
    }
}

impl SessionPolicy {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it allows less of anything on a connection than `before`. How administrators join is no such thing: it is asked for
    /// each time that one does, and less of it is more for the person.
    pub fn is_stricter_than(&self, before: &Self) -> bool {
        let takes = |before: bool, now: bool| before && !now;
        // None is never: any time is sooner.
        let sooner =
            |before: Option<u32>, now: Option<u32>| now.is_some_and(|now| before.is_none_or(|before| now < before));
        takes(before.clipboard.to_machine, self.clipboard.to_machine)
            || takes(before.clipboard.to_person, self.clipboard.to_person)
            || self.clipboard.kib_max < before.clipboard.kib_max
            || takes(before.files.upload, self.files.upload)
            || takes(before.files.download, self.files.download)
            || takes(before.sound, self.sound)
            || takes(before.printing, self.printing)
            || takes(before.microphone, self.microphone)
            || takes(!before.view_only, !self.view_only)
            || self.sharing < before.sharing
            || takes(before.share_guests, self.share_guests)
            || takes(!before.watermark, !self.watermark)
            // Less of a person's own is kept: that must not go on.
            || takes(before.recording_keys, self.recording_keys)
            || takes(before.recording_clipboard, self.recording_clipboard)
            || sooner(before.idle_lock_minutes, self.idle_lock_minutes)
            || sooner(before.session_minutes_max, self.session_minutes_max)
    }

    /// What is out of bounds. The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=CLIPBOARD_KIB_MAX).contains(&self.clipboard.kib_max) {
            return Err(format!(
                "a clipboard of {} KiB cannot be carried: choose 1 to {CLIPBOARD_KIB_MAX}",
                self.clipboard.kib_max
            ));
        }
        for (what, minutes) in [("lock", self.idle_lock_minutes), ("end", self.session_minutes_max)] {
            if minutes.is_some_and(|minutes| !(1..=POLICY_MINUTES_MAX).contains(&minutes)) {
                return Err(format!(
                    "a connection cannot {what} after {} minutes: choose 1 to {POLICY_MINUTES_MAX}, or none",
                    minutes.unwrap_or_default()
                ));
            }
        }
        Ok(())
    }
}

/// As it is written on a command line: `clipboard=to_machine,files=off,watermark,idle_lock=10`; `default` for what is usual.
impl fmt::Display for SessionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = Self::default();
        let mut parts = Vec::new();
        let ways = (self.clipboard.to_machine, self.clipboard.to_person);
        if ways != (true, true) {
            parts.push(format!("clipboard={}", one_of(WAYS_OF_CLIPBOARD, ways)));
        }
        if self.clipboard.kib_max != usual.clipboard.kib_max {
            parts.push(format!("clipboard_kib={}", self.clipboard.kib_max));
        }
        let ways = (self.files.upload, self.files.download);
        if ways != (true, true) {
            parts.push(format!("files={}", one_of(WAYS_OF_FILES, ways)));
        }
        if !self.sound {
            parts.push("sound=off".to_owned());
        }
        if !self.printing {
            parts.push("printing=off".to_owned());
        }
        if self.microphone {
            parts.push("microphone=on".to_owned());
        }
        if self.view_only {
            parts.push("view_only".to_owned());
        }
        if self.sharing != usual.sharing {
            parts.push(format!("sharing={}", self.sharing.word()));
        }
        if self.share_guests {
            parts.push("share_guests".to_owned());
        }
        if self.shadowing != usual.shadowing {
            parts.push(format!("shadowing={}", self.shadowing.word()));
        }
        if self.watermark {
            parts.push("watermark".to_owned());
        }
        if self.recording_keys {
            parts.push("recording_keys".to_owned());
        }
        if self.recording_clipboard {
            parts.push("recording_clipboard".to_owned());
        }
        if let Some(minutes) = self.idle_lock_minutes {
            parts.push(format!("idle_lock={minutes}"));
        }
        if let Some(minutes) = self.session_minutes_max {
            parts.push(format!("session={minutes}"));
        }
        if parts.is_empty() { f.write_str("default") } else { f.write_str(&parts.join(",")) }
    }
}

impl FromStr for SessionPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut policy = Self::default();
        for part in text.split(',').map(str::trim) {
            let number = |value: &str| value.parse::<u32>().map_err(|_| format!("{value:?} in {part:?} is no number"));
            match part.split_once('=') {
                None => match part {
                    "default" => {}
                    "view_only" => policy.view_only = true,
                    "share_guests" => policy.share_guests = true,
                    "watermark" => policy.watermark = true,
                    "recording_keys" => policy.recording_keys = true,
                    "recording_clipboard" => policy.recording_clipboard = true,
                    _ => return Err(unknown(part)),
                },
                Some(("clipboard", value)) => {
                    (policy.clipboard.to_machine, policy.clipboard.to_person) = ways(WAYS_OF_CLIPBOARD, value, part)?;
                }
                Some(("clipboard_kib", value)) => policy.clipboard.kib_max = number(value)?,
                Some(("files", value)) => {
                    (policy.files.upload, policy.files.download) = ways(WAYS_OF_FILES, value, part)?;
                }
                Some(("sound", "on")) => policy.sound = true,
                Some(("sound", "off")) => policy.sound = false,
                Some(("printing", "on")) => policy.printing = true,
                Some(("printing", "off")) => policy.printing = false,
                Some(("microphone", "on")) => policy.microphone = true,
                Some(("microphone", "off")) => policy.microphone = false,
                Some(("sharing", value)) => policy.sharing = value.parse()?,
                Some(("shadowing", value)) => policy.shadowing = value.parse()?,
                Some(("idle_lock", value)) => policy.idle_lock_minutes = Some(number(value)?),
                Some(("session", value)) => policy.session_minutes_max = Some(number(value)?),
                Some(_) => return Err(unknown(part)),
            }
        }
        policy.check()?;
        Ok(policy)
    }
}

/// What both ways are called: all, the first, the second, none.
pub(crate) type Ways = [&'static str; 4];
pub(crate) const WAYS_OF_CLIPBOARD: Ways = ["both", "to_machine", "to_person", "off"];
pub(crate) const WAYS_OF_FILES: Ways = ["both", "upload", "download", "off"];

pub(crate) const fn one_of(words: Ways, ways: (bool, bool)) -> &'static str {
    let [both, first, second, none] = words;
    match ways {
        (true, true) => both,
        (true, false) => first,
        (false, true) => second,
        (false, false) => none,
    }
}

pub(crate) fn ways(words: Ways, value: &str, part: &str) -> Result<(bool, bool), String> {
    [(true, true), (true, false), (false, true), (false, false)]
        .into_iter()
        .find(|ways| one_of(words, *ways) == value)
        .ok_or_else(|| format!("{value:?} in {part:?} is none of {}", words.join(", ")))
}

fn unknown(word: &str) -> String {
    format!(
        "{:?} is no rule for connections; write some of clipboard=both|to_machine|to_person|off, clipboard_kib=NUMBER, \
         files=both|upload|download|off, sound=on|off, printing=on|off, microphone=on|off, view_only, sharing=off|view|control, share_guests, \
         shadowing=off|ask|tell, watermark, recording_keys, recording_clipboard, idle_lock=MINUTES, session=MINUTES, or default for what is usual",
        word.chars().take(40).collect::<String>()
    )
}

/// Which way the clipboard goes, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipboardPolicy {
    /// What the person copied can be pasted on the machine.
    pub to_machine: bool,
    /// What was copied on the machine reaches the person.
    pub to_person: bool,
    /// Larger pieces are not passed on; in KiB.
    pub kib_max: u32,
}

impl Default for ClipboardPolicy {
    fn default() -> Self {
        Self { to_machine: true, to_person: true, kib_max: CLIPBOARD_KIB_MAX }
    }
}

/// Which way files go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilesPolicy {
    /// To the machine; making folders, renaming and deleting count as that.
    pub upload: bool,
    /// From the machine.
    pub download: bool,
}

impl Default for FilesPolicy {
    fn default() -> Self {
        Self { upload: true, download: true }
    }
}

/// What a person may let those do whom they invite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharingPolicy {
    /// Nobody can be invited.
    #[default]
    Off,
    /// Guests watch.
    View,
    /// Guests watch, and may be given keys and pointer.
    Control,
}

/// How an administrator may join somebody's connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShadowingPolicy {
    Off,
    /// When the person says yes.
    #[default]
    Ask,
    /// The person sees who watches, and is not asked.
    Tell,
}

macro_rules! words {
    ($name:ident, $what:literal, $($variant:ident = $word:literal),+) => {
        impl $name {
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!(concat!("{:?} is no way of ", $what, ": use one of", $(" ", $word),+), text)),
                }
            }
        }
    };
}

words!(SharingPolicy, "sharing", Off = "off", View = "view", Control = "control");
words!(ShadowingPolicy, "shadowing", Off = "off", Ask = "ask", Tell = "tell");

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn less_of_anything_is_stricter() {
        let policy = |text: &str| text.parse::<SessionPolicy>().unwrap();
        let loose = policy("sharing=control,microphone=on,idle_lock=30,session=60");
        for less in [
            "clipboard=to_machine",
            "clipboard=to_person",
            "clipboard_kib=64",
            "files=upload",
            "files=download",
            "sound=off",
            "printing=off",
            "microphone=off",
            "view_only",
            "sharing=view",
            "watermark",
            "idle_lock=10",
            "session=59",
        ] {
            let strict = policy(&format!("sharing=control,microphone=on,idle_lock=30,session=60,{less}"));
            assert!(strict.is_stricter_than(&loose) && !loose.is_stricter_than(&strict), "{less}");
        }
        assert!(loose.is_stricter_than(&policy("sharing=control")), "a time rather than never");
        assert!(!policy("sharing=control,microphone=on,shadowing=off").is_stricter_than(&loose), "asked for each time");
        let guests = policy("sharing=control,share_guests");
        assert!(
            policy("sharing=control").is_stricter_than(&guests) && !guests.is_stricter_than(&policy("sharing=control"))
        );
        assert!(!loose.is_stricter_than(&loose));
    }

    #[test]
    fn what_is_left_out_is_usual_and_words_are_read_back() {
        let policy: SessionPolicy =
            serde_json::from_str(r#"{"view_only":true,"clipboard":{"to_person":false}}"#).unwrap();
        assert!(!policy.microphone, "nobody is heard unless a rule says so");
        assert!(policy.view_only && policy.sound && policy.clipboard.to_machine && !policy.clipboard.to_person);
        assert_eq!(policy.clipboard.kib_max, CLIPBOARD_KIB_MAX);
        assert_eq!("control".parse(), Ok(SharingPolicy::Control));
        assert!("yes".parse::<ShadowingPolicy>().unwrap_err().ends_with("off ask tell"));
    }

    #[test]
    fn rules_are_read_as_they_are_written() {
        for text in [
            "default",
            "clipboard=to_machine,clipboard_kib=64,files=download,sound=off,microphone=on",
            "clipboard=off,files=off,view_only,sharing=control,share_guests,shadowing=tell,watermark,idle_lock=10,session=480",
            "recording_keys,recording_clipboard",
        ] {
            assert_eq!(text.parse::<SessionPolicy>().unwrap().to_string(), text);
        }
        for wrong in ["", "clipboard", "clipboard=yes", "idle_lock=0", "idle_lock=soon", "speed=1", "sharing=all"] {
            assert!(wrong.parse::<SessionPolicy>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn bounds_are_said() {
        assert_eq!(SessionPolicy::default().check(), Ok(()));
        let idle = SessionPolicy { idle_lock_minutes: Some(0), ..SessionPolicy::default() };
        assert!(idle.check().unwrap_err().contains("choose 1 to"));
        let clipboard = ClipboardPolicy { kib_max: 2000, ..ClipboardPolicy::default() };
        assert!(SessionPolicy { clipboard, ..SessionPolicy::default() }.check().is_err());
    }
}
