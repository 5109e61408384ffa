//! Bits, most significant first, and the codes of H.264 (ITU-T H.264, 7.2 and 9.1). Reading is total.

/// Reads bits of a byte string.
#[derive(Clone, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bits were read.
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// At most 32 bits: `u(n)`.
    pub(super) fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count.min(32) {
            value = value << 1 | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// Unsigned Exp-Golomb: `ue(v)`, below 2^32 - 1.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.bits(zeros)?;
        ((1u64 << zeros) - 1 + u64::from(rest)).try_into().ok()
    }

    /// Signed Exp-Golomb: `se(v)`.
    pub(super) fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}

/// Writes bits into bytes.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    used: usize,
}

impl BitWriter {
    pub(super) fn flag(&mut self, bit: bool) {
        if self.used.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - self.used % 8);
        }
        self.used += 1;
    }

    pub(super) fn bits(&mut self, value: u32, count: u32) {
        for shift in (0..count).rev() {
            self.flag(value >> shift & 1 == 1);
        }
    }

    pub(super) fn ue(&mut self, value: u32) {
        let code = u64::from(value) + 1;
        let length = 64 - code.leading_zeros();
        (1..length).for_each(|_| self.flag(false));
        for shift in (0..length).rev() {
            self.flag(code >> shift & 1 == 1);
        }
    }

    /// Copies the bits from one position of a byte string to another; `None` when they are not there.
    pub(super) fn copy(&mut self, bytes: &[u8], from: usize, to: usize) -> Option<()> {
        let mut reader = BitReader { bytes, at: from };
        for _ in from..to {
            self.flag(reader.flag()?);
        }
        Some(())
    }

    /// Ends a raw byte sequence payload: a stop bit and zeros (7.3.2.11).
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.flag(true);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((0u32..u32::MAX, 1u32..33), 0..40)) {
            let mut writer = BitWriter::default();
            for (value, count) in &values {
                writer.ue(*value);
                writer.bits(*value, *count);
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for (value, count) in &values {
                prop_assert_eq!(reader.ue(), Some(*value));
                let mask = if *count == 32 { u32::MAX } else { (1 << count) - 1 };
                prop_assert_eq!(reader.bits(*count), Some(value & mask));
            }
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = BitReader::new(&bytes);
            while reader.ue().is_some() {}
            prop_assert!(reader.position() <= bytes.len() * 8);
        }
    }

    #[test]
    fn signed_codes() {
        let mut writer = BitWriter::default();
        (0..5).for_each(|code| writer.ue(code));
        let bytes = writer.finish();
        let mut reader = BitReader::new(&bytes);
        let values: Vec<i64> = (0..5).filter_map(|_| reader.se()).collect();
        assert_eq!(values, [0, 1, -1, 2, -2]);
    }
}
