//! What a session is asked to be, beside its account and its screen.

use crate::zone::TimeZone;
use ironrdp_pdu::pcb::{PcbVersion, PreconnectionBlob};
use ironrdp_pdu::rdp::client_info::PerformanceFlags;
use serde::{Deserialize, Serialize};

/// Everything here is left out when it is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionOptions {
    pub looks: Looks,
    /// Run instead of the whole desktop, where the machine allows it.
    pub program: Option<Program>,
    /// A single program whose windows alone are shown (MS-RDPERP); `program` is not run then.
    pub remote_app: Option<RemoteApp>,
    /// The session of the machine's own screen (`mstsc /admin`).
    pub admin: bool,
    /// The clock that the session shows.
    pub time_zone: Option<TimeZone>,
    /// Sent in the first message for whoever spreads connections over several machines: printable ASCII, at most 238 bytes
    /// (MS-RDPBCGR 2.2.1.1, routingToken).
    pub load_balance: Option<String>,
    /// Which of several machines behind one address is meant.
    pub preconnection: Option<Preconnection>,
    /// Whether the machine may send the connection on to another one.
    pub follow: bool,
}

/// What of a desktop is worth its bytes (MS-RDPBCGR 2.2.1.11.1.1.1, performanceFlags).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Looks {
    pub wallpaper: bool,
    pub theming: bool,
    pub font_smoothing: bool,
    pub full_window_drag: bool,
    pub desktop_composition: bool,
    pub menu_animations: bool,
}

impl Default for Looks {
    /// Everything that is still while nobody does anything.
    fn default() -> Self {
        Self {
            wallpaper: true,
            theming: true,
            font_smoothing: true,
            full_window_drag: false,
            desktop_composition: false,
            menu_animations: false,
        }
    }
}

impl Looks {
    pub(crate) fn flags(self) -> PerformanceFlags {
        let mut flags = PerformanceFlags::empty();
        flags.set(PerformanceFlags::DISABLE_WALLPAPER, !self.wallpaper);
        flags.set(PerformanceFlags::DISABLE_THEMING, !self.theming);
        flags.set(PerformanceFlags::ENABLE_FONT_SMOOTHING, self.font_smoothing);
        flags.set(PerformanceFlags::DISABLE_FULLWINDOWDRAG, !self.full_window_drag);
        flags.set(PerformanceFlags::ENABLE_DESKTOP_COMPOSITION, self.desktop_composition);
        flags.set(PerformanceFlags::DISABLE_MENUANIMATIONS, !self.menu_animations);
        flags
    }
}

/// A program with its arguments (MS-RDPBCGR 2.2.1.11.1.1, AlternateShell and WorkingDir).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub command: String,
    /// Where it starts; the account's home when empty.
    pub folder: String,
}

/// A program as Windows publishes it (MS-RDPERP 2.2.2.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RemoteApp {
    /// A path on the machine, or `||` and the name that it is published under; at most 260 UTF-16 units.
    pub program: String,
    /// Where it starts; empty: where the machine likes. At most 260 UTF-16 units, `%VARIABLES%` are filled in there.
    pub folder: String,
    /// At most 8000 UTF-16 units, `%VARIABLES%` are filled in there.
    pub arguments: String,
}

/// What is said before everything else (MS-RDPEPS 2.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preconnection {
    pub id: u32,
    /// A virtual machine's GUID on Hyper-V.
    pub blob: Option<String>,
}

impl Preconnection {
    pub(crate) fn message(&self) -> PreconnectionBlob {
        PreconnectionBlob {
            version: if self.blob.is_some() { PcbVersion::V2 } else { PcbVersion::V1 },
            id: self.id,
            v2_payload: self.blob.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironrdp_core::encode_vec;

    #[test]
    fn looks_are_said_as_what_is_missing() {
        // What Oriel has always sent.
        assert_eq!(Looks::default().flags().bits(), 0x86);
        let bare = Looks { wallpaper: false, theming: false, font_smoothing: false, ..Looks::default() };
        assert_eq!(bare.flags().bits(), 0x0f);
        let all =
            Looks { full_window_drag: true, desktop_composition: true, menu_animations: true, ..Looks::default() };
        assert_eq!(all.flags().bits(), 0x180);
    }

    #[test]
    fn preconnection_messages_of_both_kinds() {
        // MS-RDPEPS 4.1 and 4.2: the examples of the specification.
        let numbered = Preconnection { id: 0xeb99_c6ee, blob: None };
        assert_eq!(
            encode_vec(&numbered.message()).unwrap(),
            [0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xee, 0xc6, 0x99, 0xeb]
        );
        let named = Preconnection { id: 0, blob: Some("TestVM".to_owned()) };
        let bytes = encode_vec(&named.message()).unwrap();
        assert_eq!(
            bytes,
            [
                0x20, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7, 0, b'T', 0, b'e', 0, b's', 0, b't', 0, b'V', 0,
                b'M', 0, 0, 0
            ]
        );
    }
}
