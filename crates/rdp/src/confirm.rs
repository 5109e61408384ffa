//! The capabilities that we confirm (MS-RDPBCGR 2.2.1.13.2), for what IronRDP says nothing of.

/// TPKT, X.224 data, and the head of an MCS request of up to 16 KiB: two bytes of length.
const HEAD_BYTES: [usize; 2] = [4 + 3 + 7, 4 + 3 + 8];
/// Share control header, share id, originator, two lengths.
const ACTIVE_BYTES: usize = 6 + 4 + 2 + 2 + 2;
const CONFIRM_ACTIVE: u16 = 3;
const GENERAL: u16 = 1;
/// Most sets that are looked at; there are some thirty kinds.
const SETS_MAX: usize = 64;
/// Where the flags are in the general set, and which of them says that we take a broken connection up again.
const EXTRA_FLAGS_AT: usize = 14;
const AUTORECONNECT_SUPPORTED: u8 = 0x08;

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

/// The sets of a Confirm Active message, if that is what a frame of ours is.
pub(crate) fn capabilities(frame: &mut [u8]) -> Option<&mut [u8]> {
    let is_confirm = |at: usize| {
        let length = u16_at(frame, at).map(usize::from);
        let kind = u16_at(frame, at.checked_add(2)?)?;
        (length == frame.len().checked_sub(at) && kind & 0x0f == CONFIRM_ACTIVE).then_some(at)
    };
    let at = HEAD_BYTES.into_iter().find_map(is_confirm)?;
    let name = usize::from(u16_at(frame, at + ACTIVE_BYTES - 4)?);
    // The sets come after their number and two bytes of padding.
    frame.get_mut(at + ACTIVE_BYTES + name + 4..)
}

/// Says that a broken connection will be taken up again: servers give the cookie for it to clients that do.
pub(crate) fn announce_reconnect(sets: &mut [u8]) {
    let mut at = 0;
    for _ in 0..SETS_MAX {
        let (Some(kind), Some(length)) = (u16_at(sets, at), u16_at(sets, at + 2)) else { return };
        if kind == GENERAL {
            if let Some(flags) = sets.get_mut(at + EXTRA_FLAGS_AT) {
                *flags |= AUTORECONNECT_SUPPORTED;
            }
            return;
        }
        if length < 4 {
            return;
        }
        at += usize::from(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_general_set_is_found_behind_others() {
        let mut sets = vec![2, 0, 8, 0, 1, 2, 3, 4, 1, 0, 24, 0];
        sets.resize(8 + 24, 0);
        announce_reconnect(&mut sets);
        assert_eq!((sets[8 + 14], sets[4 + 14]), (8, 0));
    }

    proptest! {
        #[test]
        fn total(mut frame in prop::collection::vec(any::<u8>(), 0..200)) {
            announce_reconnect(&mut frame);
            if let Some(sets) = capabilities(&mut frame) {
                announce_reconnect(sets);
            }
        }
    }
}
