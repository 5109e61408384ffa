//! A session: everything in it is encrypted, has an authentication code, and a number that comes once (13.28.5).

use crate::IpmiError;
use crate::crypto::{Keys, Suite};
use crate::wire;

/// How far behind the highest number one may come late.
const LATE_MAX: u32 = 32;

pub(crate) struct Session {
    keys: Keys,
    /// Its number at the BMC, and with us.
    pub bmc_id: u32,
    console_id: u32,
    sent: u32,
    heard: Heard,
}

/// Which numbers have been heard.
#[derive(Debug, Default)]
struct Heard {
    highest: u32,
    /// Bit n: that of `highest - n`.
    seen: u32,
}

impl Heard {
    /// Whether it comes for the first time.
    fn take(&mut self, number: u32) -> bool {
        if number == 0 {
            return false;
        }
        if number > self.highest {
            self.seen = self.seen.checked_shl(number - self.highest).unwrap_or(0) | 1;
            self.highest = number;
            return true;
        }
        let behind = self.highest - number;
        let bit = if behind < LATE_MAX { 1 << behind } else { return false };
        let fresh = self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

impl Session {
    pub fn new(keys: Keys, bmc_id: u32, console_id: u32) -> Self {
        Self { keys, bmc_id, console_id, sent: 0, heard: Heard::default() }
    }

    pub const fn suite(&self) -> Suite {
        self.keys.suite()
    }

    /// A datagram for the BMC.
    pub fn seal(&mut self, kind: u8, payload: &[u8]) -> Result<Vec<u8>, IpmiError> {
        // Numbers never come again: another session has other keys.
        self.sent = self.sent.checked_add(1).ok_or(IpmiError::Lost)?;
        self.keys.seal(kind, self.bmc_id, self.sent, payload)
    }

    /// Kind and payload of what the BMC said in this session, once.
    pub fn open(&mut self, bytes: &[u8]) -> Option<(u8, Vec<u8>)> {
        let datagram = wire::read(bytes)?;
        if datagram.session != self.console_id {
            return None;
        }
        let payload = self.keys.open(&datagram)?;
        self.heard.take(datagram.sequence).then_some((datagram.kind, payload))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_once() {
        let mut heard = Heard::default();
        assert!(!heard.take(0));
        assert!(heard.take(5) && !heard.take(5));
        assert!(heard.take(3) && !heard.take(3), "late, and then again");
        assert!(heard.take(40) && heard.take(9) && !heard.take(8), "too late");
        assert!(heard.take(u32::MAX) && !heard.take(40) && heard.take(u32::MAX - 31));
    }

    #[test]
    fn another_session_is_not_heard() {
        let keys = || Keys::derive(Suite::Sha256, b"key").unwrap();
        let mut bmc = Session::new(keys(), 7, 1);
        let mut ours = Session::new(keys(), 1, 7);
        let hello = bmc.seal(wire::kind::SOL, b"hello").unwrap();
        assert_eq!(ours.open(&hello), Some((wire::kind::SOL, b"hello".to_vec())));
        assert_eq!(ours.open(&hello), None, "played again");
        let mut other = Session::new(keys(), 1, 8);
        assert_eq!(other.open(&bmc.seal(0, b"hello").unwrap()), None);
        bmc.sent = u32::MAX;
        assert!(bmc.seal(0, b"").is_err());
    }
}
