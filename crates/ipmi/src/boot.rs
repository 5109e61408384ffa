//! What a machine starts from next (28.12, 28.13).

use crate::message::{CHASSIS, Command};
use crate::wire::Reader;

pub(crate) const SET_BOOT: Command =
    Command { function: CHASSIS, number: 8, what: "to choose what the machine starts from" };
pub(crate) const GET_BOOT: Command =
    Command { function: CHASSIS, number: 9, what: "to say what the machine starts from" };

/// Parameters of it.
const ACKNOWLEDGE: u8 = 4;
pub(crate) const FLAGS: u8 = 5;
const VALID: u8 = 0x80;
const PERSISTENT: u8 = 0x40;
const EFI: u8 = 0x20;

/// Where a start is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootDevice {
    Network,
    Disk,
    Cd,
    /// A stick, or a floppy: the standard's "primary removable media".
    Removable,
    /// The setup of its firmware.
    Setup,
}

impl BootDevice {
    const fn number(self) -> u8 {
        match self {
            Self::Network => 1,
            Self::Disk => 2,
            Self::Cd => 5,
            Self::Setup => 6,
            Self::Removable => 15,
        }
    }

    const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Network,
            // 3 is a disk in a safe mode.
            2 | 3 => Self::Disk,
            5 | 8 => Self::Cd,
            6 => Self::Setup,
            7 | 11 | 15 => Self::Removable,
            _ => return None,
        })
    }
}

/// What was wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// None: as its firmware is set.
    pub device: Option<BootDevice>,
    pub once: bool,
    pub(crate) efi: bool,
}

impl Boot {
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let [_version, parameter, flags, device] = Reader(data).array()?;
        if parameter & 0x7f != FLAGS {
            return None;
        }
        let valid = flags & VALID != 0 && parameter & 0x80 == 0;
        Some(Self {
            device: BootDevice::of((device >> 2) & 0x0f).filter(|_| valid),
            once: flags & PERSISTENT == 0,
            efi: flags & EFI != 0,
        })
    }
}

/// What is told to the BMC for it, in order. `efi`: as the machine started last.
pub(crate) fn wishes(device: Option<BootDevice>, efi: bool) -> [Vec<u8>; 2] {
    let efi = if efi { EFI } else { 0 };
    let flags = match device {
        Some(device) => [VALID | efi, device.number() << 2],
        None => [efi, 0],
    };
    let [flags, device] = flags;
    // That the BIOS has not yet looked at it, and then the wish itself.
    [vec![ACKNOWLEDGE, 1, 1], vec![FLAGS, flags, device, 0, 0, 0]]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wishes_are_read_as_they_were_said() {
        for device in [BootDevice::Network, BootDevice::Disk, BootDevice::Cd, BootDevice::Removable, BootDevice::Setup]
        {
            let [_, wish] = wishes(Some(device), true);
            let mut said = vec![1];
            said.extend_from_slice(&wish);
            assert_eq!(Boot::read(&said).unwrap(), Boot { device: Some(device), once: true, efi: true });
        }
        let [_, wish] = wishes(None, false);
        assert_eq!(wish, [5, 0, 0, 0, 0, 0]);
        assert_eq!(
            Boot::read(&[1, 5, 0xc0, 4]).unwrap(),
            Boot { device: Some(BootDevice::Network), once: false, efi: false }
        );
        assert_eq!(Boot::read(&[1, 0x85, 0xc0, 4]).unwrap().device, None, "locked, so that it does not hold");
        assert!(Boot::read(&[1, 4, 0, 0]).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            Boot::read(&bytes);
        }
    }
}
