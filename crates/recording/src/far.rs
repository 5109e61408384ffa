//! An S3 bucket that ended recordings are moved to: parts under the same names as in the folder.

use crate::cache::{Blocks, Lists};
use crate::key::TAG_BYTES;
use crate::{Part, RecordingError};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};
use oriel_model::{OperationId, RecordingId};
use oriel_screen::recording::{BLOCK_BYTES_MAX, BLOCK_HEAD_BYTES};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest name of a bucket with its prefix, in bytes.
const PLACE_BYTES_MAX: usize = 512;
/// What is passed on of what a bucket's server said, in characters.
const SAID_CHARS_MAX: usize = 400;
/// A request is tried again so often, and not after so long: whoever waits longer is the mover, with patience of its own.
const RETRIES: usize = 2;
const RETRY_TIME: Duration = Duration::from_secs(15);
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Nothing came for so long.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Largest object that is fetched: a part as the writer makes them, sealed. Whoever owns the bucket may put anything there.
const OBJECT_BYTES_MAX: u64 = (BLOCK_BYTES_MAX + BLOCK_HEAD_BYTES + TAG_BYTES) as u64;
/// For one part both ways: the largest over a slow line.
const REQUEST_TIME_MAX: Duration = Duration::from_mins(5);

/// A bucket, as it is configured.
#[derive(Clone, Debug)]
pub struct BucketOptions {
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`.
    pub place: String,
    /// `https://HOST[:PORT]` of a server of one's own; Amazon's where there is none.
    pub endpoint: Option<String>,
    pub region: String,
    pub access_key: String,
    pub secret_key: SecretString,
}

/// A bucket that can be asked. Nothing is asked before it is used.
pub struct Bucket {
    store: Box<dyn ObjectStore>,
    place: String,
    lists: Mutex<Lists>,
    blocks: Mutex<Blocks>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("place", &self.place).finish_non_exhaustive()
    }
}

/// `BUCKET` and `PREFIX` of `s3://BUCKET/PREFIX`, in the letters that S3 allows (Amazon S3 User Guide, "Bucket naming
/// rules"). Errors: what is wrong.
fn split(place: &str) -> Result<(&str, &str), &'static str> {
    let rest = place.strip_prefix("s3://").ok_or("it does not begin with s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let named = bucket.chars().all(|other| letter(other) || matches!(other, '-' | '.'));
    if place.len() > PLACE_BYTES_MAX || !(3..=63).contains(&bucket.len()) || !named || !bucket.starts_with(letter) {
        return Err("a bucket's name has 3 to 63 small letters, digits, hyphens and dots");
    }
    let plain = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && !matches!(part, "." | "..")
    };
    let prefix = prefix.trim_end_matches('/');
    if !prefix.is_empty() && !prefix.split('/').all(plain) {
        return Err("a prefix has letters, digits, `-`, `_`, `.`, and `/` between its parts");
    }
    Ok((bucket, prefix))
}

impl BucketOptions {
    /// Whether it says a place that there can be, and keys. Errors: what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.check_place()?;
        if self.access_key.is_empty() || self.secret_key.expose_secret().is_empty() {
            return Err("an access key and its secret key are needed".to_owned());
        }
        Ok(())
    }

    /// The same, whatever the keys are.
    pub fn check_place(&self) -> Result<(), String> {
        split(&self.place)?;
        if self.region.is_empty() || !self.region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err("a region has letters, digits and hyphens, like eu-central-1".to_owned());
        }
        if let Some(endpoint) = &self.endpoint
            && !(endpoint.starts_with("https://") || endpoint.starts_with("http://"))
        {
            return Err("an endpoint is an address like https://s3.example.org:9000".to_owned());
        }
        Ok(())
    }
}

impl Bucket {
    /// Errors: `Bucket`, saying what is wrong with the options.
    pub fn new(options: &BucketOptions) -> Result<Self, RecordingError> {
        let wrong = |said: String| RecordingError::Bucket { place: options.place.clone(), said };
        options.check().map_err(wrong)?;
        let (name, prefix) = split(&options.place).map_err(|said| wrong(said.to_owned()))?;
        let client = ClientOptions::new()
            .with_timeout(REQUEST_TIME_MAX)
            .with_read_timeout(SILENCE_MAX)
            .with_connect_timeout(CONNECT_TIME_MAX)
            .with_http1_only()
            .with_allow_http(true);
        let backoff =
            BackoffConfig { init_backoff: Duration::from_millis(200), max_backoff: Duration::from_secs(3), base: 2.0 };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(options.region.as_str())
            .with_access_key_id(options.access_key.as_str())
            .with_secret_access_key(options.secret_key.expose_secret())
            .with_client_options(client)
            .with_retry(RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_TIME });
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        let store = builder.build().map_err(|error| wrong(said(&error)))?;
        Ok(Self {
            store: if prefix.is_empty() { Box::new(store) } else { Box::new(PrefixStore::new(store, prefix)) },
            place: options.place.trim_end_matches('/').to_owned(),
            lists: Mutex::default(),
            blocks: Mutex::default(),
        })
    }

    /// `s3://BUCKET/PREFIX`, as rows of recordings say it.
    pub fn place(&self) -> &str {
        &self.place
    }

    fn failed(&self, error: &object_store::Error) -> RecordingError {
        RecordingError::Bucket { place: self.place.clone(), said: said(error) }
    }

    /// Writes a small object, reads it and deletes it: whether all of that is allowed.
    pub async fn check(&self) -> Result<(), RecordingError> {
        let name = Path::from(format!("checks/{}", OperationId::new()));
        let failed = |error| self.failed(&error);
        let content = Bytes::from_static(b"oriel");
        self.store.put(&name, PutPayload::from_bytes(content.clone())).await.map_err(failed)?;
        let read = self.fetch(&name).await?;
        self.store.delete(&name).await.map_err(failed)?;
        if read == content {
            return Ok(());
        }
        Err(RecordingError::Bucket { place: self.place.clone(), said: "it gave back other bytes than it got".into() })
    }

    /// The objects of a recording and their sizes, at most `count` of them.
    pub(crate) async fn objects(&self, prefix: &Path, count: usize) -> Result<Vec<(Path, u64)>, RecordingError> {
        let listed = self.store.list(Some(prefix)).take(count).map_ok(|meta| (meta.location, meta.size));
        listed.try_collect().await.map_err(|error| self.failed(&error))
    }

    pub(crate) async fn put(&self, name: &Path, bytes: Bytes) -> Result<(), RecordingError> {
        self.store.put(name, PutPayload::from_bytes(bytes)).await.map(drop).map_err(|error| self.failed(&error))
    }

    /// As it is kept: sealed.
    pub(crate) async fn get(&self, name: &str) -> Result<Bytes, RecordingError> {
        if let Some(block) = lock(&self.blocks).get(name) {
            return Ok(block);
        }
        let block = self.fetch(&Path::from(name)).await?;
        lock(&self.blocks).put(name, &block);
        Ok(block)
    }

    /// The same, from there.
    pub(crate) async fn fetch(&self, name: &Path) -> Result<Bytes, RecordingError> {
        let failed = |error| self.failed(&error);
        let found = self.store.get(name).await.map_err(failed)?;
        if found.meta.size > OBJECT_BYTES_MAX {
            let said = format!("{name} has {} bytes, more than any part has", found.meta.size);
            return Err(RecordingError::Bucket { place: self.place.clone(), said });
        }
        found.bytes().await.map_err(failed)
    }

    pub(crate) async fn remove(&self, name: &Path) -> Result<(), RecordingError> {
        self.store.delete(name).await.map_err(|error| self.failed(&error))
    }

    /// The parts of a recording that was moved here: it does not change any more.
    pub(crate) fn known(&self, recording: RecordingId) -> Option<Arc<[Part]>> {
        lock(&self.lists).get(recording)
    }

    pub(crate) fn knows(&self, recording: RecordingId, parts: Arc<[Part]>) {
        lock(&self.lists).put(recording, parts);
    }

    /// What was known of a recording may be so no longer.
    pub(crate) fn forget(&self, recording: RecordingId) {
        lock(&self.lists).forget(recording);
    }

    /// Deletes all of it. What is not there is no error, a bucket that is not there is.
    pub(crate) async fn delete(&self, recording: RecordingId) -> Result<(), RecordingError> {
        self.forget(recording);
        let prefix = Path::from(recording.to_string());
        let names = self.store.list(Some(&prefix)).map_ok(|meta| meta.location).boxed();
        let deleted = self.store.delete_stream(names).try_for_each(|_| async { Ok(()) }).await;
        deleted.map_err(|error| self.failed(&error))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error with its causes, in one line that has an end: a server may have said much.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(SAID_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_buckets_with_plain_prefixes() {
        for (place, bucket, prefix) in [
            ("s3://recordings", "recordings", ""),
            ("s3://recordings/", "recordings", ""),
            ("s3://a.b-c/house/one", "a.b-c", "house/one"),
        ] {
            assert_eq!(split(place), Ok((bucket, prefix)), "{place}");
        }
        for wrong in ["", "recordings", "s3://", "s3://ab", "s3://Big/one", "s3://-abc", "s3://abc/../x", "s3://abc//x"]
        {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
