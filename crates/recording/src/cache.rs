//! What was asked of a bucket lately: lists of parts, and parts as they are kept there, sealed. Both have an end.

use crate::Part;
use bytes::Bytes;
use oriel_model::RecordingId;
use std::collections::VecDeque;
use std::sync::Arc;

/// Parts in lists that are kept, all lists together: some 40 bytes each.
const LISTED_PARTS_MAX: usize = 100_000;
const LISTS_MAX: usize = 64;
/// Bytes of sealed parts that are kept, and how many.
const BLOCK_BYTES_KEPT_MAX: usize = 64 << 20;
const BLOCKS_MAX: usize = 512;

/// Newest last.
#[derive(Default)]
pub(crate) struct Lists(VecDeque<(RecordingId, Arc<[Part]>)>);

impl Lists {
    pub(crate) fn get(&mut self, id: RecordingId) -> Option<Arc<[Part]>> {
        let at = self.0.iter().position(|(of, _)| *of == id)?;
        let found = self.0.remove(at)?;
        let parts = Arc::clone(&found.1);
        self.0.push_back(found);
        Some(parts)
    }

    pub(crate) fn put(&mut self, id: RecordingId, parts: Arc<[Part]>) {
        self.forget(id);
        self.0.push_back((id, parts));
        while self.0.len() > LISTS_MAX || self.0.iter().map(|(_, parts)| parts.len()).sum::<usize>() > LISTED_PARTS_MAX
        {
            self.0.pop_front();
        }
    }

    pub(crate) fn forget(&mut self, id: RecordingId) {
        self.0.retain(|(of, _)| *of != id);
    }
}

/// Newest last.
#[derive(Default)]
pub(crate) struct Blocks {
    blocks: VecDeque<(String, Bytes)>,
    bytes: usize,
}

impl Blocks {
    pub(crate) fn get(&mut self, name: &str) -> Option<Bytes> {
        let at = self.blocks.iter().position(|(of, _)| of == name)?;
        let found = self.blocks.remove(at)?;
        let block = found.1.clone();
        self.blocks.push_back(found);
        Some(block)
    }

    pub(crate) fn put(&mut self, name: &str, block: &Bytes) {
        if block.len() > BLOCK_BYTES_KEPT_MAX / 4 || self.blocks.iter().any(|(of, _)| of == name) {
            return;
        }
        self.bytes += block.len();
        self.blocks.push_back((name.to_owned(), block.clone()));
        while self.bytes > BLOCK_BYTES_KEPT_MAX || self.blocks.len() > BLOCKS_MAX {
            let Some((_, gone)) = self.blocks.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(gone.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_an_end_and_the_oldest_goes() {
        let mut blocks = Blocks::default();
        let megabyte = Bytes::from(vec![0; 1 << 20]);
        for at in 0..100 {
            blocks.put(&at.to_string(), &megabyte);
            // Somebody is always at the beginning.
            assert!(blocks.get("0").is_some());
        }
        assert_eq!((blocks.bytes, blocks.blocks.len()), (64 << 20, 64));
        assert!(blocks.get("1").is_none() && blocks.get("99").is_some());
        blocks.put("large", &Bytes::from(vec![0; 17 << 20]));
        assert!(blocks.get("large").is_none());

        let mut lists = Lists::default();
        let ids: Vec<RecordingId> = (0..80).map(|_| RecordingId::new()).collect();
        for id in &ids {
            lists.put(*id, Arc::from([]));
        }
        assert!(lists.get(ids[0]).is_none() && lists.get(ids[79]).is_some());
        assert_eq!(lists.0.len(), LISTS_MAX);
    }
}
