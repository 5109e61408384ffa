//! A machine and its BMC: who they are, and their power (20.1, 28.2, 28.3).

use crate::message::{APP, CHASSIS, Command};
use crate::wire::Reader;

pub(crate) const GET_DEVICE_ID: Command = Command { function: APP, number: 1, what: "to say what it is" };
pub(crate) const GET_CHASSIS: Command =
    Command { function: CHASSIS, number: 1, what: "to say how the machine's power is" };
pub(crate) const CONTROL: Command = Command { function: CHASSIS, number: 2, what: "to power the machine like that" };
pub(crate) const IDENTIFY: Command = Command { function: CHASSIS, number: 4, what: "to show which machine it is" };

/// What a BMC says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceId {
    pub firmware_major: u8,
    /// As it is shown: 12 is `.12`.
    pub firmware_minor: u8,
    /// Of IPMI: major, minor.
    pub version: (u8, u8),
    /// IANA's enterprise number.
    pub manufacturer: u32,
    pub product: u16,
    /// Its firmware is being changed, or it starts.
    pub updating: bool,
}

impl DeviceId {
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let mut reader = Reader(data);
        let [_id, _revision, major, minor, version, _support] = reader.array()?;
        let [a, b, c] = reader.array()?;
        Some(Self {
            firmware_major: major & 0x7f,
            // Two decimal digits, and with some BMCs hexadecimal ones.
            firmware_minor: (minor >> 4).saturating_mul(10).saturating_add(minor & 0x0f),
            version: (version & 0x0f, version >> 4),
            manufacturer: u32::from_le_bytes([a, b, c & 0x0f, 0]),
            product: reader.word()?,
            updating: major & 0x80 != 0,
        })
    }

    /// The maker's name, of those who make most servers; IANA's registry of enterprise numbers has the others.
    pub const fn maker(&self) -> Option<&'static str> {
        Some(match self.manufacturer {
            2 => "IBM",
            11 | 47196 => "HPE",
            42 | 111 => "Oracle",
            343 => "Intel",
            674 => "Dell",
            2011 => "Huawei",
            5771 => "Cisco",
            6653 => "Tyan",
            7154 => "IPMI forum",
            7244 => "Quanta",
            10368 => "Fujitsu",
            10876 | 47488 => "Supermicro",
            15370 => "Gigabyte",
            19046 => "Lenovo",
            49622 => "ASRock Rack",
            _ => return None,
        })
    }
}

/// How the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "flags")]
pub struct Chassis {
    pub on: bool,
    /// Its power is wrong: overload, interlock or a fault.
    pub power_fault: bool,
    /// A drive or a fan has failed.
    pub part_fault: bool,
    pub intrusion: bool,
    /// Its light that shows which one it is can be switched on.
    pub identifies: bool,
}

impl Chassis {
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let [power, _last, misc] = Reader(data).array()?;
        Some(Self {
            on: power & 1 != 0,
            power_fault: power & 0b1_1110 != 0,
            part_fault: misc & 0b1100 != 0,
            intrusion: misc & 1 != 0,
            identifies: misc & 0x40 != 0,
        })
    }

    /// Whether something of it is wrong.
    pub const fn has_fault(&self) -> bool {
        self.power_fault || self.part_fault
    }
}

/// What is done to a machine's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    On,
    /// Power is cut.
    Off,
    /// Power is cut, and comes back.
    Cycle,
    Reset,
    /// Its system is asked to shut down (an overheating or a power button, by ACPI).
    Soft,
}

impl Control {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::On => 1,
            Self::Cycle => 2,
            Self::Reset => 3,
            Self::Soft => 5,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_said_of_a_machine() {
        // An X11's, as it was captured.
        let id = DeviceId::read(&[0x20, 1, 1, 0x73, 2, 0xbf, 0x7c, 0x2a, 0, 0x54, 0x09, 0, 0, 0, 0]).unwrap();
        assert_eq!((id.firmware_major, id.firmware_minor, id.version), (1, 73, (2, 0)));
        assert_eq!((id.manufacturer, id.product, id.maker(), id.updating), (10876, 0x954, Some("Supermicro"), false));
        assert!(DeviceId::read(&[0x20, 1, 1, 0x73, 2, 0xbf, 0x7c, 0x2a, 0, 0x54]).is_none());
        let chassis = Chassis::read(&[0x21, 0, 0x40]).unwrap();
        assert!(chassis.on && chassis.identifies && !chassis.has_fault() && !chassis.intrusion);
        assert!(Chassis::read(&[0x08, 0, 1]).unwrap().has_fault() && Chassis::read(&[1, 0]).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            DeviceId::read(&bytes);
            Chassis::read(&bytes);
        }
    }
}
