//! A port of a PiKVM Switch: units in a chain, each with its ports.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Units that a chain can have.
pub const SWITCH_UNITS_MAX: u8 = 5;
/// Ports of a unit.
pub const SWITCH_UNIT_PORTS: u8 = 4;

/// Which port, counted through the whole chain from 0. As text `unit.port`, both from 1: `1.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SwitchPort(u8);

impl SwitchPort {
    /// `None`: no chain has so many.
    pub fn from_index(index: usize) -> Option<Self> {
        u8::try_from(index).ok().filter(|index| *index < SWITCH_UNITS_MAX * SWITCH_UNIT_PORTS).map(Self)
    }

    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for SwitchPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / SWITCH_UNIT_PORTS + 1, self.0 % SWITCH_UNIT_PORTS + 1)
    }
}

impl FromStr for SwitchPort {
    type Err = String;

    /// Of a single unit its number does.
    fn from_str(text: &str) -> Result<Self, String> {
        let (unit, port) = text.split_once('.').unwrap_or(("1", text));
        let digit = |text: &str, most: u8| {
            let value = text.parse::<u8>().ok().filter(|_| text.len() == 1);
            value.filter(|value| (1..=most).contains(value))
        };
        match (digit(unit, SWITCH_UNITS_MAX), digit(port, SWITCH_UNIT_PORTS)) {
            (Some(unit), Some(port)) => Ok(Self((unit - 1) * SWITCH_UNIT_PORTS + port - 1)),
            _ => {
                let shown: String = text.chars().take(20).collect();
                Err(format!("{shown:?} is no port of a Switch: use one like 1.3, the third of the first unit"))
            }
        }
    }
}

impl TryFrom<String> for SwitchPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<SwitchPort> for String {
    fn from(port: SwitchPort) -> Self {
        port.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn ports_are_counted_through_the_chain() {
        for (text, index, shown) in [("1.1", 0, "1.1"), ("4", 3, "1.4"), ("2.1", 4, "2.1"), ("5.4", 19, "5.4")] {
            let port: SwitchPort = text.parse().unwrap();
            assert_eq!((port.index(), port.to_string().as_str()), (index, shown));
            assert_eq!(SwitchPort::from_index(index), Some(port));
        }
        for bad in ["", "0", "5", "1.5", "6.1", "0.1", "1.", ".1", "+1", "01", "1.1.1", "one"] {
            assert!(bad.parse::<SwitchPort>().unwrap_err().contains("no port of a Switch"), "{bad}");
        }
        assert_eq!(SwitchPort::from_index(20), None);
    }
}
