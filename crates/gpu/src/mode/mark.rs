//! UUIDs of mediated devices: made from what they are for, so that doing it twice makes one, and with our mark, so that what
//! nobody claims can be cleared away.
//!
//! ```text
//!  6f726965-6ckk-8nnn-vxxx-xxxxxxxxxxxx      RFC 9562, version 8
//!  └ "oriel" ─┘ │  │   └ 62 bits: of the desktop's id, or a digest of host, GPU and profile
//!               │  └ which one, 0 to 4095
//!               └ 01 carved by a mode · 02 a desktop's
//! ```

use uuid::Uuid;

const MARK: &[u8; 5] = b"oriel";
/// Most slices that are told apart.
pub const INDEX_MAX: u32 = 4095;

/// Whose a slice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Carved when the GPU's mode was set.
    Mode,
    /// Made for a desktop.
    Desktop,
}

fn make(owner: Owner, index: u32, tail: u64) -> Uuid {
    let [a, b, c, d, e] = *MARK;
    let kind = match owner {
        Owner::Mode => 1,
        Owner::Desktop => 2,
    };
    let [.., high, low] = index.min(INDEX_MAX).to_be_bytes();
    let [t0, t1, t2, t3, t4, t5, t6, t7] = tail.to_be_bytes();
    // The builder puts version and variant where they belong.
    uuid::Builder::from_custom_bytes([a, b, c, d, e, kind, high & 0x0f, low, t0 & 0x3f, t1, t2, t3, t4, t5, t6, t7])
        .into_uuid()
}

/// The slice of a desktop: `index` counts within the desktop. Two desktops differ by the random part of their ids.
pub fn desktop_slice(desktop: Uuid, index: u32) -> Uuid {
    make(Owner::Desktop, index, desktop.as_u64_pair().1)
}

/// The slice that a mode carves.
pub(crate) fn mode_slice(host: &str, gpu: &str, profile: &str, index: u32) -> Uuid {
    // FNV-1a with 64 bits: stable for ever, and there is nothing to keep secret.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in [host, "\0", gpu, "\0", profile].iter().flat_map(|part| part.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    make(Owner::Mode, index, hash)
}

/// Whose it is, when we made it.
pub fn owner(uuid: Uuid) -> Option<Owner> {
    let bytes = uuid.as_bytes();
    match bytes.strip_prefix(MARK)? {
        [1, ..] if uuid.get_version_num() == 8 => Some(Owner::Mode),
        [2, ..] if uuid.get_version_num() == 8 => Some(Owner::Desktop),
        _ => None,
    }
}

/// Whether it is that desktop's.
pub fn is_of(uuid: Uuid, desktop: Uuid) -> bool {
    const TAIL: u64 = (1 << 62) - 1;
    owner(uuid) == Some(Owner::Desktop) && uuid.as_u64_pair().1 & TAIL == desktop.as_u64_pair().1 & TAIL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_recognised() {
        let desktop: Uuid = "0199a0b2-7c1d-7e33-9a44-0123456789ab".parse().unwrap();
        let slice = desktop_slice(desktop, 3);
        assert_eq!(slice.to_string(), "6f726965-6c02-8003-9a44-0123456789ab");
        assert_eq!(owner(slice), Some(Owner::Desktop));
        assert!(is_of(slice, desktop));
        assert!(!is_of(slice, Uuid::from_u128(7)));
        let carved = mode_slice("gpu01", "0000:05:00.0", "M60-2Q", 0);
        assert_eq!(owner(carved), Some(Owner::Mode));
        assert_eq!(carved, mode_slice("gpu01", "0000:05:00.0", "M60-2Q", 0));
        assert_ne!(carved, mode_slice("gpu01", "0000:06:00.0", "M60-2Q", 0));
        assert_eq!(owner(desktop), None);
    }
}
