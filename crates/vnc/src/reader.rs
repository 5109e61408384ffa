//! Reading remote bytes that may not all be there yet.

use oriel_screen::SurfaceError;

/// Why a decoder stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// More bytes are needed; nothing of the unfinished unit was consumed.
    Short,
    /// The remote side broke the protocol or a limit.
    Bad(String),
}

impl From<SurfaceError> for Stop {
    fn from(error: SurfaceError) -> Self {
        Self::Bad(error.to_string())
    }
}

/// A protocol error with its text.
pub(crate) fn bad<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Bad(what.into()))
}

/// Big endian, as RFB is.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been consumed.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// What has not been consumed.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or(&[])
    }

    pub(crate) fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.bytes.len());
    }

    /// Reads a unit as a whole or leaves it for when more bytes are there.
    pub(crate) fn unit<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        let mark = self.at;
        let result = read(self);
        if matches!(result, Err(Stop::Short)) {
            self.at = mark;
        }
        result
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let taken = self.rest().get(..count).ok_or(Stop::Short)?;
        self.at += count;
        Ok(taken)
    }

    /// As many whole units of `size` bytes as are there, at most `most` of them; at least one.
    pub(crate) fn some(&mut self, size: usize, most: usize) -> Result<&'a [u8], Stop> {
        let units = (self.rest().len() / size.max(1)).min(most);
        if units == 0 {
            return Err(Stop::Short);
        }
        self.take(units * size)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let taken = self.rest().first_chunk::<N>().ok_or(Stop::Short)?;
        self.at += N;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Stop> {
        self.array().map(|[byte]| byte)
    }
    pub(crate) fn u16(&mut self) -> Result<u16, Stop> {
        self.array().map(u16::from_be_bytes)
    }
    pub(crate) fn u32(&mut self) -> Result<u32, Stop> {
        self.array().map(u32::from_be_bytes)
    }
    pub(crate) fn i32(&mut self) -> Result<i32, Stop> {
        self.array().map(i32::from_be_bytes)
    }

    /// A pixel in the format we ask for: red, green, blue, nothing.
    pub(crate) fn pixel(&mut self) -> Result<[u8; 3], Stop> {
        self.array().map(|[r, g, b, _]| [r, g, b])
    }
}
