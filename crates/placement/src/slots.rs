//! A set of a card's slots.

use std::fmt;

/// Most slots that a card can have: one bit each.
pub const SLOTS_MAX: u8 = 64;

/// Slots of one card. What a slot is differs (a gigabyte of framebuffer, a MIG memory slice, a virtual function, a seat in a
/// pool); that two desktops never hold one is the same everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotSet(pub u64);

impl SlotSet {
    pub const EMPTY: Self = Self(0);

    /// `len` slots from `start` on; what lies past the 64th is cut off.
    pub const fn range(start: u8, len: u8) -> Self {
        if start >= SLOTS_MAX || len == 0 {
            return Self(0);
        }
        let ones = if len >= SLOTS_MAX { u64::MAX } else { (1 << len) - 1 };
        Self(ones << start)
    }

    pub const fn first(len: u8) -> Self {
        Self::range(0, len)
    }

    pub const fn is_disjoint(self, other: Self) -> bool {
        self.0 & other.0 == 0
    }

    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Ascending slot numbers.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..SLOTS_MAX).filter(move |slot| self.0 >> slot & 1 == 1)
    }
}

impl fmt::Display for SlotSet {
    /// `0-3 8`: runs of slots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut rest, mut at, mut first) = (self.0, 0, true);
        while rest != 0 {
            let gap = rest.trailing_zeros();
            rest >>= gap;
            let run = rest.trailing_ones();
            let start = at + gap;
            let space = if first { "" } else { " " };
            if run == 1 {
                write!(f, "{space}{start}")?;
            } else {
                write!(f, "{space}{start}-{}", start + run - 1)?;
            }
            first = false;
            rest = rest.checked_shr(run).unwrap_or(0);
            at = start + run;
        }
        Ok(())
    }
}
