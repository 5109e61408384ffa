//! A span of time.

/// From `start` up to, not including, `end`: seconds since 1970-01-01 UTC, given by the caller (there is no clock here).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: i64,
    pub end: i64,
}

impl Span {
    /// The end of what ends when somebody says so.
    pub const OPEN: i64 = i64::MAX;

    /// Empty when `end` is not after `start`.
    pub const fn new(start: i64, end: i64) -> Self {
        Self { start, end }
    }

    /// From `start` until released.
    pub const fn from(start: i64) -> Self {
        Self { start, end: Self::OPEN }
    }

    pub const fn is_open(self) -> bool {
        self.end == Self::OPEN
    }

    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}
