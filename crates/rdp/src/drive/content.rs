//! The bytes of one file: in blocks, so that a file that grows is not copied each time.

/// Bytes of a block; only the last one is shorter.
const BLOCK_BYTES: usize = 64 << 10;

#[derive(Debug, Default)]
pub(super) struct Content {
    blocks: Vec<Vec<u8>>,
    size: u64,
}

/// Which block an offset is in, and where there.
fn place(offset: u64) -> (usize, usize) {
    let block = BLOCK_BYTES as u64;
    (usize::try_from(offset / block).unwrap_or(usize::MAX), (offset % block) as usize)
}

impl Content {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// At most `length` bytes from `offset` on: fewer at the end, none behind it.
    pub fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut left = length.min(usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX));
        let mut bytes = Vec::with_capacity(left);
        let (mut block, mut at) = place(offset);
        while left > 0 {
            let Some(rest) = self.blocks.get(block).and_then(|bytes| bytes.get(at..)).filter(|rest| !rest.is_empty())
            else {
                break;
            };
            let piece = rest.get(..left.min(rest.len())).unwrap_or_default();
            bytes.extend_from_slice(piece);
            left -= piece.len();
            (block, at) = (block + 1, 0);
        }
        bytes
    }

    /// Overwrites, and appends what goes beyond the end. The caller has seen that there is room.
    pub fn write(&mut self, offset: u64, mut piece: &[u8]) {
        let end = offset.saturating_add(piece.len() as u64);
        if end > self.size {
            self.resize(end);
        }
        let (mut block, mut at) = place(offset);
        while !piece.is_empty() {
            let Some(rest) = self.blocks.get_mut(block).and_then(|bytes| bytes.get_mut(at..)) else { return };
            let (now, later) = piece.split_at(piece.len().min(rest.len()));
            if now.is_empty() {
                return;
            }
            rest.iter_mut().zip(now).for_each(|(byte, new)| *byte = *new);
            piece = later;
            (block, at) = (block + 1, 0);
        }
    }

    /// Cuts off, or fills up with zeros. The caller has seen that there is room.
    pub fn resize(&mut self, size: u64) {
        let (full, last) = place(size);
        let count = full.saturating_add(usize::from(last > 0));
        self.blocks.truncate(count);
        self.blocks.shrink_to(count);
        while self.blocks.len() < count {
            if let Some(block) = self.blocks.last_mut() {
                block.resize(BLOCK_BYTES, 0);
            }
            self.blocks.push(Vec::new());
        }
        if let Some(block) = self.blocks.last_mut() {
            let length = if last > 0 { last } else { BLOCK_BYTES };
            // A block that was cut keeps no memory to speak of.
            block.resize(length, 0);
            block.shrink_to(length.next_power_of_two());
        }
        self.size = size;
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// As one run of bytes would.
        #[test]
        fn blocks_are_one_run_of_bytes(deeds in prop::collection::vec((0u64..200_000, 0usize..90_000, 0u8..3), 1..12)) {
            let (mut content, mut plain) = (Content::default(), Vec::<u8>::new());
            for (number, (offset, length, deed)) in deeds.into_iter().enumerate() {
                match deed {
                    0 => {
                        content.resize(offset);
                        plain.resize(offset as usize, 0);
                    }
                    1 => {
                        let piece = vec![number as u8 + 1; length];
                        content.write(offset, &piece);
                        let end = offset as usize + length;
                        if plain.len() < end {
                            plain.resize(end, 0);
                        }
                        plain[offset as usize..end].copy_from_slice(&piece);
                    }
                    _ => {
                        let from = (offset as usize).min(plain.len());
                        let to = (from + length).min(plain.len());
                        prop_assert_eq!(&content.read(offset, length), &plain[from..to]);
                    }
                }
                prop_assert_eq!(content.size(), plain.len() as u64);
            }
            prop_assert_eq!(content.read(0, usize::MAX), plain);
        }
    }
}
