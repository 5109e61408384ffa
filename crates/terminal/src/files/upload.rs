//! Writing a file: several pieces are on the way at a time, into a hidden file that takes the other's place when it is whole.

use super::{FilesError, Handle, NAME_BYTES_MAX, PIECES_IN_FLIGHT_MAX, RemotePath};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use russh_sftp::protocol::FileAttributes;
use std::pin::Pin;
use std::sync::Arc;

/// Longest tag of an upload.
const TAG_CHARS_MAX: usize = 32;

type Writing = Pin<Box<dyn Future<Output = (u64, Result<(), FilesError>)> + Send>>;

/// What an upload is to become. Its part and its place are as the machine knows them.
pub(super) struct Goal {
    pub part: String,
    pub place: String,
    /// The place as it was named.
    pub path: String,
    /// A file that is there gives way.
    pub replace: bool,
}

/// A file that is being written.
pub struct Upload {
    handle: Arc<Handle>,
    goal: Goal,
    /// Where the next byte goes.
    at: u64,
    /// What was there before.
    there: u64,
    /// What is less than a piece so far: pieces that are small would be too few bytes on the way.
    rest: Vec<u8>,
    writing: FuturesUnordered<Writing>,
    /// The first byte that did not arrive, and why.
    broken: Option<(u64, FilesError)>,
}

/// Where an upload's bytes wait until they are all there.
pub(super) fn part(path: &RemotePath, tag: &str) -> Result<RemotePath, FilesError> {
    let fits = !tag.is_empty() && tag.len() <= TAG_CHARS_MAX && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !fits {
        return Err(FilesError::bad_path("", "an upload's tag has 1 to 32 letters and digits"));
    }
    let (folder, name) = path.split().ok_or_else(|| FilesError::bad_path("", "it is the root"))?;
    RemotePath::parse(&format!("{}/{}", folder.as_str(), hidden(name, tag, "part")))
}

/// A hidden name beside a file's. Two long names that begin alike still differ in their tags.
pub(super) fn hidden(name: &str, tag: &str, what: &str) -> String {
    let fixed = tag.len() + what.len() + "...".len();
    let mut end = name.len().min(NAME_BYTES_MAX.saturating_sub(fixed));
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!(".{}.{tag}.{what}", name.get(..end).unwrap_or_default())
}

impl Upload {
    pub(super) fn new(handle: Handle, goal: Goal, offset: u64, there: u64) -> Self {
        Self {
            handle: Arc::new(handle),
            goal,
            at: offset,
            there,
            rest: Vec::new(),
            writing: FuturesUnordered::new(),
            broken: None,
        }
    }

    /// Where the next byte goes once this has settled; before that, what is less than a piece is not counted.
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Appends. Waits while too much is on the way.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), FilesError> {
        let piece = self.handle.files.piece_bytes as usize;
        while !bytes.is_empty() {
            if self.rest.capacity() == 0 {
                self.rest.reserve_exact(piece);
            }
            let room = piece.saturating_sub(self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes.split_to(room));
            if self.rest.len() >= piece {
                while self.writing.len() >= PIECES_IN_FLIGHT_MAX {
                    self.arrived().await;
                }
                if self.broken.is_some() {
                    return self.settle().await;
                }
                self.send();
            }
        }
        Ok(())
    }

    fn send(&mut self) {
        let data = std::mem::take(&mut self.rest);
        let (handle, at) = (Arc::clone(&self.handle), self.at);
        self.at += data.len() as u64;
        let writing: Writing = Box::pin(async move {
            let written = handle.files.session.write(handle.name(), at, data).await;
            (at, written.map(|_| ()).map_err(FilesError::from))
        });
        self.writing.push(writing);
    }

    async fn arrived(&mut self) {
        if let Some((at, Err(error))) = self.writing.next().await
            && self.broken.as_ref().is_none_or(|(first, _)| at < *first)
        {
            self.broken = Some((at, error));
        }
    }

    /// Waits for all that is on the way. After a failure the part ends where its first hole is, so that it can be continued.
    pub async fn settle(&mut self) -> Result<(), FilesError> {
        if self.broken.is_none() && !self.rest.is_empty() {
            self.send();
        }
        self.rest.clear();
        while !self.writing.is_empty() {
            self.arrived().await;
        }
        let Some((at, error)) = self.broken.take() else { return Ok(()) };
        cut(&self.handle, at).await.ok();
        self.at = at;
        Err(error)
    }

    /// Puts the file in its place: it is whole. What is there is replaced where that was asked for, whenever it came.
    pub async fn complete(mut self) -> Result<(), FilesError> {
        self.settle().await?;
        if self.there > self.at {
            cut(&self.handle, self.at).await?;
        }
        let Self { handle, goal, writing, .. } = self;
        drop(writing);
        let files = Arc::clone(&handle.files);
        let replaced = files.replaced(&goal).await?;
        let mode = files.mode(&goal, replaced).await;
        let attributes = FileAttributes { permissions: Some(mode), ..FileAttributes::empty() };
        // A machine without permissions cannot, and one that will not leaves a file that only its account reads.
        files.session.fsetstat(handle.name(), attributes).await.ok();
        // Nothing else holds it once all writes have settled.
        if let Some(handle) = Arc::into_inner(handle) {
            handle.close().await?;
        }
        files.put(&goal).await
    }
}

async fn cut(handle: &Handle, size: u64) -> Result<(), FilesError> {
    let attributes = FileAttributes { size: Some(size), ..FileAttributes::empty() };
    handle.files.session.fsetstat(handle.name(), attributes).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_hidden_and_fit() {
        let at =
            |path: &str, tag: &str| part(&RemotePath::parse(path).unwrap(), tag).map(|part| part.as_str().to_owned());
        assert_eq!(at("a/b.txt", "t1").unwrap(), "a/.b.txt.t1.part");
        assert_eq!(at("b.txt", "t1").unwrap(), ".b.txt.t1.part");
        assert!(at(&"ä".repeat(127), &"t".repeat(32)).unwrap().len() <= NAME_BYTES_MAX);
        for (path, tag) in [("a", ""), ("a", "../x"), ("a", "t.t"), ("", "t"), ("a", &"t".repeat(33))] {
            assert!(at(path, tag).is_err(), "{path} {tag}");
        }
    }
}
