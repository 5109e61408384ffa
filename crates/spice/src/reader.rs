//! Reading a remote message, which is there as a whole.

use oriel_screen::{Rect, SurfaceError};

/// The remote side broke the protocol or a limit: how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) String);

impl From<SurfaceError> for Broken {
    fn from(error: SurfaceError) -> Self {
        Self(error.to_string())
    }
}

pub(crate) fn bad<T>(what: impl Into<String>) -> Result<T, Broken> {
    Err(Broken(what.into()))
}

/// Little endian, as SPICE is; its compressed pictures have big-endian headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What an offset from a message's start points to.
    pub(crate) fn at(message: &'a [u8], offset: u32) -> Result<Self, Broken> {
        match message.get(offset as usize..) {
            Some(bytes) => Ok(Self(bytes)),
            None => bad(format!("an offset of {offset} points out of a message of {} bytes", message.len())),
        }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        match self.0.split_at_checked(count) {
            Some((taken, rest)) => {
                self.0 = rest;
                Ok(taken)
            }
            None => bad(format!("a message ends {} bytes too early", count - self.0.len())),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        match self.0.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.0 = rest;
                Ok(*taken)
            }
            None => bad(format!("a message ends {} bytes too early", N - self.0.len())),
        }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Broken> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Broken> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Broken> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Broken> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Broken> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u32_big_endian(&mut self) -> Result<u32, Broken> {
        self.array().map(u32::from_be_bytes)
    }

    /// Top, left, bottom, right.
    pub(crate) fn area(&mut self) -> Result<Area, Broken> {
        let [top, left, bottom, right] = [self.i32()?, self.i32()?, self.i32()?, self.i32()?];
        Ok(Area { left, top, right, bottom })
    }
}

/// A rectangle as the remote side writes it: right and bottom lie outside, and it may be empty, turned over or far away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) right: i32,
    pub(crate) bottom: i32,
}

impl Area {
    pub(crate) fn width(self) -> u32 {
        self.right.saturating_sub(self.left).max(0).unsigned_abs()
    }

    pub(crate) fn height(self) -> u32 {
        self.bottom.saturating_sub(self.top).max(0).unsigned_abs()
    }

    pub(crate) fn intersect(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    /// The part of it on a surface of this size; empty where there is none.
    pub(crate) fn on(self, width: u16, height: u16) -> Rect {
        let (w, h) = (i32::from(width), i32::from(height));
        let clip = |value: i32, most: i32| u16::try_from(value.clamp(0, most)).unwrap_or(0);
        let (left, right) = (clip(self.left, w), clip(self.right, w));
        let (top, bottom) = (clip(self.top, h), clip(self.bottom, h));
        Rect::new(left, top, right.saturating_sub(left), bottom.saturating_sub(top))
    }
}

/// Remote text for people: no control characters, nothing after a zero.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect()
}
