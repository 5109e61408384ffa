//! What the backspace key sends: machines differ, terminals do not.

use bytes::Bytes;

/// xterm.js sends DEL; some old machines erase with Control-H.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Backspace {
    /// 0x7f, as on Linux.
    #[default]
    Delete,
    /// 0x08.
    ControlH,
}

impl Backspace {
    /// The byte that erases, for the terminal's settings (VERASE of RFC 4254 section 8).
    pub const fn byte(self) -> u8 {
        match self {
            Self::Delete => 0x7f,
            Self::ControlH => 0x08,
        }
    }

    /// What was typed, as the machine wants it.
    pub(crate) fn apply(self, typed: &[u8]) -> Bytes {
        match self {
            Self::Delete => Bytes::copy_from_slice(typed),
            Self::ControlH => typed.iter().map(|byte| if *byte == 0x7f { 0x08 } else { *byte }).collect(),
        }
    }
}
