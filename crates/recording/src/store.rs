//! Where recordings are kept.

use crate::key::TAG_BYTES;
use crate::{Bucket, DataKey, PARTS_MAX, Part, RecordingError};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutPayload, local::LocalFileSystem, memory::InMemory, path::Path,
};
use oriel_model::RecordingId;
use oriel_screen::recording::{BLOCK_BYTES_MAX, BLOCK_HEAD_BYTES, Chunk, RECORDING_BYTES_MAX};
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

/// Parts that are fetched from a bucket ahead of the one that is read.
const AHEAD: usize = 3;

/// Where a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the folder: while it is written, and until it was moved.
    Near,
    /// In the bucket.
    Far,
}

/// Recordings of one server. Clones share it.
#[derive(Clone)]
pub struct RecordingStore {
    store: Arc<dyn ObjectStore>,
    bucket: Option<Arc<Bucket>>,
}

impl RecordingStore {
    /// A folder of this machine, made when it is not there, readable by its owner only.
    pub fn folder(folder: impl Into<std::path::PathBuf>) -> Result<Self, RecordingError> {
        let folder = folder.into();
        let failed = |source| RecordingError::Folder { folder: folder.clone(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(&folder)?.with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store), bucket: None })
    }

    /// Ended recordings are moved there ([`Self::begin_move`]).
    pub fn with_bucket(self, bucket: Bucket) -> Self {
        Self { bucket: Some(Arc::new(bucket)), ..self }
    }

    /// Where ended recordings are moved to, if they are.
    pub fn bucket_place(&self) -> Option<&str> {
        self.bucket.as_deref().map(Bucket::place)
    }

    pub(crate) fn bucket(&self) -> Result<&Bucket, RecordingError> {
        self.bucket.as_deref().ok_or(RecordingError::NoBucket)
    }

    pub(crate) fn near(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// In memory, for tests.
    pub fn memory() -> Self {
        Self { store: Arc::new(InMemory::new()), bucket: None }
    }

    /// Writes a new recording's parts.
    pub fn writer(&self, recording: RecordingId, key: DataKey) -> RecordingWriter {
        RecordingWriter { store: self.clone(), recording, key, bytes: 0, next: 0, last: None }
    }

    /// The parts that are there, in order, up to the first that is missing.
    pub async fn parts(&self, recording: RecordingId, place: Place) -> Result<Vec<Part>, RecordingError> {
        let prefix = Path::from(recording.to_string());
        if place == Place::Near {
            let listed = self.store.list(Some(&prefix)).take(PARTS_MAX).map_ok(|meta| (meta.location, meta.size));
            return Ok(in_order(listed.try_collect().await?));
        }
        let bucket = self.bucket()?;
        if let Some(parts) = bucket.known(recording) {
            return Ok(parts.to_vec());
        }
        let parts = in_order(bucket.objects(&prefix, PARTS_MAX).await?);
        if parts.is_empty() {
            return Err(RecordingError::Gone { recording, place: bucket.place().to_owned() });
        }
        bucket.knows(recording, parts.as_slice().into());
        Ok(parts)
    }

    /// One block of the container.
    pub async fn read(
        &self,
        recording: RecordingId,
        place: Place,
        key: &DataKey,
        part: &Part,
    ) -> Result<Bytes, RecordingError> {
        let name = part.name(recording);
        let far = async || self.bucket()?.get(&name).await;
        let sealed = match place {
            Place::Far => far().await?,
            Place::Near => match self.store.get(&Path::from(name.as_str())).await {
                Ok(found) => found.bytes().await?,
                // It was moved since somebody asked where it is.
                Err(object_store::Error::NotFound { .. }) if self.bucket.is_some() => far().await?,
                Err(error) => return Err(error.into()),
            },
        };
        let damaged = RecordingError::Damaged { recording, number: part.number };
        key.open(part.number, &name, sealed.into()).map(Bytes::from).ok_or(damaged)
    }

    /// Whole blocks, in order; of a bucket some are fetched ahead.
    pub fn blocks(
        &self,
        recording: RecordingId,
        place: Place,
        key: Arc<DataKey>,
        parts: Vec<Part>,
    ) -> impl Stream<Item = Result<(Part, Bytes), RecordingError>> + Send + use<> {
        let store = self.clone();
        let ahead = if place == Place::Far { AHEAD } else { 1 };
        stream::iter(parts)
            .map(move |part| {
                let (store, key) = (store.clone(), Arc::clone(&key));
                async move { Ok((part, store.read(recording, place, &key, &part).await?)) }
            })
            .buffered(ahead)
    }

    /// A range of the container, block by block, as `shown` makes of each that is touched: as many bytes as there were.
    pub fn range<F: Fn(&Part, Bytes) -> Bytes + Send>(
        &self,
        recording: RecordingId,
        place: Place,
        key: Arc<DataKey>,
        parts: Vec<Part>,
        range: Range<u64>,
        shown: F,
    ) -> impl Stream<Item = Result<Bytes, RecordingError>> + Send + use<F> {
        let wanted: Vec<Part> = parts
            .into_iter()
            .filter(|part| part.offset < range.end && part.offset + part.length > range.start)
            .collect();
        self.blocks(recording, place, key, wanted).map_ok(move |(part, block)| {
            let block = shown(&part, block);
            let from = range.start.saturating_sub(part.offset).min(block.len() as u64) as usize;
            let to = range.end.saturating_sub(part.offset).min(block.len() as u64) as usize;
            block.slice(from..to.max(from))
        })
    }

    /// Deletes all of it in the folder, and where `far`, before that in the bucket; what is not there is no error.
    pub async fn delete(&self, recording: RecordingId, far: bool) -> Result<(), RecordingError> {
        if far {
            self.bucket()?.delete(recording).await?;
        }
        self.delete_below(&Path::from(recording.to_string())).await
    }

    pub(crate) async fn delete_below(&self, prefix: &Path) -> Result<(), RecordingError> {
        let names = self.store.list(Some(prefix)).map_ok(|meta| meta.location).boxed();
        let deleted = self.store.delete_stream(names).try_for_each(|_| async { Ok(()) }).await;
        match deleted {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The parts among some objects, in order, up to the first that is missing.
fn in_order(objects: Vec<(Path, u64)>) -> Vec<Part> {
    let part = |(path, size): (Path, u64)| Part::parse(path.filename()?, size.checked_sub(TAG_BYTES as u64)?);
    let mut parts: Vec<Part> = objects.into_iter().filter_map(part).collect();
    parts.sort_by_key(|part| part.number);
    let (mut offset, mut whole) = (0, 0);
    for (part, number) in parts.iter_mut().zip(0..) {
        if part.number != number {
            break;
        }
        part.offset = offset;
        offset += part.length;
        whole += 1;
    }
    parts.truncate(whole);
    parts
}

/// Writes one recording.
pub struct RecordingWriter {
    store: RecordingStore,
    recording: RecordingId,
    key: DataKey,
    bytes: u64,
    /// The first block that has not been kept.
    next: u32,
    /// What was sealed last: its number, its name and the SHA-256 of the block. No number seals anything else.
    last: Option<(u32, String, [u8; 32])>,
}

impl RecordingWriter {
    /// Keeps a block: encrypted, whole or not at all. The same block may be tried again after an error.
    pub async fn put(&mut self, chunk: &Chunk) -> Result<(), RecordingError> {
        if self.bytes >= RECORDING_BYTES_MAX || chunk.bytes.len() > BLOCK_BYTES_MAX + BLOCK_HEAD_BYTES {
            return Err(RecordingError::TooLarge);
        }
        // Whoever hands blocks over may be in a machine's hands: the number is the nonce, and times are in the name.
        let name = Part::of(chunk).name(self.recording);
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, &chunk.bytes).as_ref());
        let this = Some((chunk.number, name.clone(), sha256));
        let fresh = self.last.as_ref().is_none_or(|(last, ..)| *last < chunk.number);
        if self.last != this && !(fresh && chunk.number == self.next) {
            return Err(RecordingError::OutOfOrder(chunk.number));
        }
        self.last = this;
        let sealed = self.key.seal(chunk.number, &name, chunk.bytes.clone())?;
        let length = sealed.len() as u64;
        self.store.store.put(&Path::from(name), PutPayload::from(sealed)).await?;
        // Kept again, it takes no more room.
        if chunk.number >= self.next {
            self.bytes += length;
            self.next = chunk.number + 1;
        }
        Ok(())
    }

    /// Kept so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_screen::recording::{Container, Header, RecordingKind, Writer};

    fn chunks() -> Vec<Chunk> {
        let (mut writer, header) = Writer::new(&Header {
            kind: RecordingKind::Screen,
            recording: [1; 16],
            connection: [2; 16],
            started: 0,
            title: "studio-1".into(),
        });
        let mut chunks = vec![header];
        for ms in 0..5 {
            writer.push(ms * 1000, ms % 2 == 0, format!("a password on the screen, {ms}").as_bytes());
            chunks.extend(writer.cut());
        }
        let (last, index) = writer.finish();
        chunks.extend(last);
        chunks.push(index);
        chunks
    }

    async fn all(store: &RecordingStore, id: RecordingId, key: &SecretKey, range: Range<u64>) -> Vec<u8> {
        let parts = store.parts(id, Place::Near).await.unwrap();
        let key = Arc::new(DataKey::from_text(key).unwrap());
        let blocks: Vec<Bytes> =
            store.range(id, Place::Near, key, parts, range, |_, block| block).try_collect().await.unwrap();
        blocks.concat()
    }
    type SecretKey = secrecy::SecretString;

    #[tokio::test]
    async fn what_is_kept_is_encrypted_and_comes_back_by_ranges() {
        let folder = tempfile::tempdir().unwrap();
        let store = RecordingStore::folder(folder.path().join("recordings")).unwrap();
        let id = RecordingId::new();
        let (key, text) = DataKey::random().unwrap();
        let mut writer = store.writer(id, key);
        let plain: Vec<u8> = chunks().iter().flat_map(|chunk| chunk.bytes.clone()).collect();
        for chunk in chunks() {
            writer.put(&chunk).await.unwrap();
        }
        let parts = store.parts(id, Place::Near).await.unwrap();
        assert_eq!(parts.len(), chunks().len());
        assert_eq!(writer.bytes(), plain.len() as u64 + 16 * parts.len() as u64);
        let (size, half) = (plain.len() as u64, plain.len() / 2);
        assert_eq!(all(&store, id, &text, 0..size).await, plain);
        assert_eq!(all(&store, id, &text, 70..half as u64).await, plain[70..half]);
        assert_eq!(all(&store, id, &text, size..size + 9).await, b"");
        assert!(Container::read(&plain).unwrap().complete);
        for entry in std::fs::read_dir(folder.path().join("recordings").join(id.to_string())).unwrap() {
            let kept = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!kept.windows(8).any(|part| part == b"password"), "in clear");
        }
        store.delete(id, false).await.unwrap();
        store.delete(id, false).await.unwrap();
        assert_eq!(store.parts(id, Place::Near).await.unwrap(), []);
    }

    #[tokio::test]
    async fn no_number_seals_two_things() {
        let store = RecordingStore::memory();
        let mut writer = store.writer(RecordingId::new(), DataKey::random().unwrap().0);
        let chunks = chunks();
        writer.put(&chunks[0]).await.unwrap();
        writer.put(&chunks[1]).await.unwrap();
        // The same once more, as after a storage that failed.
        writer.put(&chunks[1]).await.unwrap();
        let other = Chunk { bytes: chunks[2].bytes.clone(), ..chunks[1].clone() };
        let moved = Chunk { last_ms: 9, ..chunks[1].clone() };
        for wrong in [&other, &moved, &chunks[0], &chunks[3]] {
            assert!(matches!(writer.put(wrong).await, Err(RecordingError::OutOfOrder(_))), "{}", wrong.number);
        }
        writer.put(&chunks[2]).await.unwrap();
    }

    #[tokio::test]
    async fn parts_that_are_changed_swapped_or_renamed_do_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let store = RecordingStore::folder(folder.path()).unwrap();
        let id = RecordingId::new();
        let (key, text) = DataKey::random().unwrap();
        let mut writer = store.writer(id, key);
        for chunk in chunks() {
            writer.put(&chunk).await.unwrap();
        }
        let key = DataKey::from_text(&text).unwrap();
        let parts = store.parts(id, Place::Near).await.unwrap();
        let path = |part: &Part| folder.path().join(part.name(id));
        let mut damaged = std::fs::read(path(&parts[1])).unwrap();
        damaged[3] ^= 1;
        std::fs::write(path(&parts[1]), damaged).unwrap();
        std::fs::copy(path(&parts[2]), path(&parts[3])).unwrap();
        // Another time for the same bytes.
        let moved = Part { last_ms: 9_999, ..parts[4] };
        std::fs::rename(path(&parts[4]), path(&moved)).unwrap();
        for part in [&parts[1], &parts[3], &moved] {
            let opened = store.read(id, Place::Near, &key, part).await;
            assert!(matches!(opened, Err(RecordingError::Damaged { .. })), "{part:?}");
        }
        let (other, _) = DataKey::random().unwrap();
        assert!(store.read(id, Place::Near, &other, &parts[0]).await.is_err());
        assert!(store.read(id, Place::Near, &key, &parts[2]).await.is_ok());
        // A part that is missing ends what can be played.
        std::fs::remove_file(path(&parts[2])).unwrap();
        assert_eq!(store.parts(id, Place::Near).await.unwrap().len(), 2);
    }
}
