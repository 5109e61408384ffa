//! Requests and their answers, as the LAN carries them (13.8).

use crate::IpmiError;

/// Longest data of a request, in bytes.
const DATA_BYTES_MAX: usize = 64;
/// Addresses of the BMC, and of a remote console (5.5).
const BMC: u8 = 0x20;
const CONSOLE: u8 = 0x81;

/// Network functions (5.1).
pub(crate) const CHASSIS: u8 = 0;
pub(crate) const APP: u8 = 6;

/// A command, with what it is called where it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub function: u8,
    pub number: u8,
    pub what: &'static str,
}

/// So that all bytes of a part add up to nothing.
fn checksum(part: &[u8]) -> u8 {
    part.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte))
}

/// `sequence` has six bits.
pub(crate) fn request(sequence: u8, command: Command, data: &[u8]) -> Result<Vec<u8>, IpmiError> {
    if data.len() > DATA_BYTES_MAX {
        return Err(IpmiError::Protocol("a request that is too long"));
    }
    let head = [BMC, command.function << 2];
    let mut rest = vec![CONSOLE, sequence << 2, command.number];
    rest.extend_from_slice(data);
    let mut out = head.to_vec();
    out.push(checksum(&head));
    out.extend_from_slice(&rest);
    out.push(checksum(&rest));
    Ok(out)
}

/// What was answered: completion code and data. `None`: it is no answer to this.
pub(crate) fn answer(bytes: &[u8], sequence: u8, command: Command) -> Option<(u8, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<3>()?;
    if checksum(head) != 0 || checksum(rest) != 0 {
        return None;
    }
    let [to, function, _] = *head;
    let ([_from, number, of, code], data) = rest.split_first_chunk::<4>()?;
    let (_checksum, data) = data.split_last()?;
    let is_ours = to == CONSOLE
        && function >> 2 == command.function | 1
        && number >> 2 == sequence & 0x3f
        && *of == command.number;
    is_ours.then_some((*code, data))
}

/// Why a request was not done (5.2).
pub(crate) const fn refusal(command: Command, code: u8) -> IpmiError {
    let what = command.what;
    match code {
        0xc0 | 0xc3 | 0xcf | 0xd0 | 0xd1 | 0xd2 => IpmiError::Busy("it is doing something else"),
        0xc1 | 0xc2 | 0xcc | 0xd5 | 0xd6 => IpmiError::Lacks { what, code },
        _ => IpmiError::Refused { what, code },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COMMAND: Command = Command { function: APP, number: 0x38, what: "a test" };

    #[test]
    fn requests_and_answers() {
        // As in many a capture: Get Channel Authentication Capabilities.
        let bytes = request(0, COMMAND, &[0x8e, 4]).unwrap();
        assert_eq!(bytes, [0x20, 0x18, 0xc8, 0x81, 0, 0x38, 0x8e, 4, 0xb5]);
        let answered = [0x81, 0x1c, 0x63, 0x20, 0x14, 0x38, 0, 1, 2, 0x91];
        assert_eq!(answer(&answered, 5, COMMAND), Some((0, [1, 2].as_slice())));
        assert_eq!(answer(&answered, 6, COMMAND), None);
        let mut wrong = answered;
        wrong[7] = 9;
        assert_eq!(answer(&wrong, 5, COMMAND), None, "its checksum");
        for cut in 0..answered.len() {
            assert_eq!(answer(&answered[..cut], 5, COMMAND), None);
        }
        assert!(request(0, COMMAND, &[0; 65]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            answer(&bytes, 0, COMMAND);
        }
    }
}
