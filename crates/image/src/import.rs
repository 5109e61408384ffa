//! An image from outside: a file on this host or a URL, copied into the images folder under a temporary name, hashed on
//! the way, looked at, converted to qcow2 if it is something else, and only then given its name.
//! Whatever goes wrong, nothing stays.

use crate::command::Command;
use crate::file::{CHUNK, Part, need_room, sha256};
use crate::format::{Format, HEAD_BYTES, sniff};
use crate::inspect::{QEMU_PACKAGE, inspect};
use crate::job::{Span, unless_cancelled};
use crate::{ImageError, ImageStore, Job, progress};
use futures::StreamExt;
use oriel_model::ImageOs;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The largest file that is imported, in bytes.
pub const IMPORT_BYTES_MAX: u64 = 256 << 30;
/// The longest path or URL, in bytes.
pub const FROM_BYTES_MAX: usize = 4096;
const REDIRECTS_MAX: usize = 5;
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// A download that brings nothing for this long has failed.
const SILENCE_LIMIT: Duration = Duration::from_mins(1);

/// What an import made.
#[derive(Clone, Debug)]
pub struct Imported {
    /// SHA-256 of the qcow2 file that is kept: the given file's own when that was qcow2 already.
    pub sha256: String,
    pub path: PathBuf,
    pub virtual_bytes: u64,
    pub file_bytes: u64,
    pub os: ImageOs,
    /// Where it came from, without a password that stood in the URL.
    pub from: String,
}

enum From {
    File(PathBuf),
    Url(url::Url),
}

pub(crate) async fn import(
    store: &ImageStore,
    from: &str,
    expected: Option<&str>,
    os: ImageOs,
    job: &dyn Job,
) -> Result<Imported, ImageError> {
    let expected = expected.map(normalise_hash).transpose()?;
    let (source, from) = parse(from, expected.is_some())?;
    let mut part = Part::new(store.images())?;
    let fetch = Span { job, from: 0.0, to: 0.7, step: "copying the image" };
    let (got, size) = match source {
        From::File(path) => copy_file(&path, &from, &mut part, store, fetch).await?,
        From::Url(url) => {
            download(url, &from, &mut part, store, Span { step: "downloading the image", ..fetch }).await?
        }
    };
    if let Some(expected) = expected.filter(|expected| *expected != got) {
        return Err(ImageError::Checksum { from, expected, got });
    }
    job.log(&format!("{size} bytes, SHA-256 {got}"));

    job.progress(0.7, "checking the image");
    let format = sniff(&head(part.path()).await?, size)
        .map_err(|reason| ImageError::Refused { from: from.clone(), reason: reason.to_owned() })?;
    let virtual_bytes = inspect(part.path(), format, &from, job).await?;

    let (part, hash) = if format == Format::Qcow2 {
        (part, got)
    } else {
        let converted =
            convert(part.path(), format, store, Span { job, from: 0.75, to: 0.93, step: "converting to qcow2" })
                .await?;
        drop(part);
        let hash = sha256(converted.path(), Span { job, from: 0.93, to: 0.99, step: "hashing the image" }).await?;
        (converted, hash)
    };
    let path = store.path(&hash)?;
    let file_bytes =
        std::fs::metadata(part.path()).map_err(|error| ImageError::io("look at", part.path(), error))?.len();
    // A known image again is no error: the same bytes under the same name.
    part.keep_as(&path)?;
    job.progress(1.0, "done");
    Ok(Imported { sha256: hash, path, virtual_bytes, file_bytes, os, from })
}

/// 64 hexadecimal digits, made lowercase.
pub(crate) fn normalise_hash(given: &str) -> Result<String, ImageError> {
    let given = given.trim();
    if given.len() == 64 && given.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(given.to_ascii_lowercase());
    }
    Err(ImageError::BadHash { given: given.chars().take(80).collect() })
}

fn parse(from: &str, has_hash: bool) -> Result<(From, String), ImageError> {
    let shown: String = from.chars().take(200).collect();
    let bad = |reason: &str| Err(ImageError::BadSource { from: shown.clone(), reason: reason.to_owned() });
    if from.len() > FROM_BYTES_MAX || from.contains('\0') {
        return bad("a path or URL has at most 4096 bytes");
    }
    if from.starts_with('/') {
        return Ok((From::File(PathBuf::from(from)), from.to_owned()));
    }
    let Ok(mut url) = url::Url::parse(from) else {
        return bad("give an absolute path on the server, or a URL");
    };
    match url.scheme() {
        "https" => {}
        "http" if has_hash => {}
        "http" => return bad("plain http can be changed on the way; give the SHA-256 checksum too, or use https"),
        _ => return bad("only http and https are fetched"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        let source = url.clone();
        let _ = url.set_username("");
        let _ = url.set_password(None);
        return Ok((From::Url(source), url.to_string()));
    }
    let shown = url.to_string();
    Ok((From::Url(url), shown))
}

async fn copy_file(
    path: &Path,
    from: &str,
    part: &mut Part,
    store: &ImageStore,
    span: Span<'_>,
) -> Result<(String, u64), ImageError> {
    let bad = |reason: String| ImageError::BadSource { from: from.to_owned(), reason };
    // A named pipe must not hold us: look before opening.
    let meta = tokio::fs::metadata(path).await.map_err(|error| bad(error.to_string()))?;
    if !meta.is_file() {
        return Err(bad("it is not a regular file".to_owned()));
    }
    let size = meta.len();
    accept_size(size, from, store)?;
    let mut file = tokio::fs::File::open(path).await.map_err(|error| bad(error.to_string()))?;
    file.set_max_buf_size(CHUNK);
    let mut sink = Sink::new(part, from, size, store, span)?;
    let work = async {
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = file.read(&mut buffer).await.map_err(|error| bad(error.to_string()))?;
            if read == 0 {
                return sink.finish().await;
            }
            sink.write(buffer.get(..read).unwrap_or_default()).await?;
        }
    };
    unless_cancelled(span.job, work).await
}

async fn download(
    url: url::Url,
    from: &str,
    part: &mut Part,
    store: &ImageStore,
    span: Span<'_>,
) -> Result<(String, u64), ImageError> {
    let failed = |reason: String| ImageError::Download { url: from.to_owned(), reason };
    // The provider is named, since several are in the program.
    let _ = rustls::crypto::CryptoProvider::install_default(rustls::crypto::aws_lc_rs::default_provider());
    let work = async {
        let secure = url.scheme() == "https";
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(SILENCE_LIMIT)
            .redirect(reqwest::redirect::Policy::limited(REDIRECTS_MAX))
            .https_only(secure)
            .user_agent(concat!("oriel/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(chain(&error)))?;
        let answer = client.get(url).send().await.map_err(|error| failed(chain(&error)))?;
        if !answer.status().is_success() {
            return Err(failed(format!("the server answered {}", answer.status())));
        }
        let size = answer.content_length().unwrap_or(0);
        accept_size(size, from, store)?;
        let mut sink = Sink::new(part, from, size, store, span)?;
        let mut stream = answer.bytes_stream();
        while let Some(chunk) = stream.next().await {
            sink.write(&chunk.map_err(|error| failed(chain(&error)))?).await?;
        }
        let (hash, got) = sink.finish().await?;
        if size != 0 && got != size {
            return Err(failed(format!("the connection ended after {got} of {size} bytes")));
        }
        Ok((hash, got))
    };
    unless_cancelled(span.job, work).await
}

/// An error with its causes, without the URL, which may hold a password.
fn chain(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    if words.is_empty() { "the connection failed".to_owned() } else { words.join(": ") }
}

fn accept_size(size: u64, from: &str, store: &ImageStore) -> Result<(), ImageError> {
    if size > store.import_bytes_max {
        return Err(ImageError::TooLarge { from: from.to_owned(), max_gib: store.import_bytes_max >> 30 });
    }
    need_room(store.images(), "the image", size, store.reserve_bytes)
}

/// Writes, hashes and counts.
struct Sink<'a> {
    file: tokio::fs::File,
    path: PathBuf,
    from: &'a str,
    hash: Sha256,
    done: u64,
    expected: u64,
    max: u64,
    reserve: u64,
    folder: &'a Path,
    span: Span<'a>,
}

impl<'a> Sink<'a> {
    fn new(
        part: &mut Part,
        from: &'a str,
        expected: u64,
        store: &'a ImageStore,
        span: Span<'a>,
    ) -> Result<Self, ImageError> {
        let file = part.file.try_clone().map_err(|error| ImageError::io("open", part.path(), error))?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(CHUNK);
        Ok(Self {
            file,
            path: part.path().to_path_buf(),
            from,
            hash: Sha256::new(),
            done: 0,
            expected,
            max: store.import_bytes_max,
            reserve: store.reserve_bytes,
            folder: store.images(),
            span,
        })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        /// How often the free room is looked at while the size is unknown or grows.
        const LOOK: u64 = 64 << 20;
        let before = self.done / LOOK;
        self.done += bytes.len() as u64;
        if self.done > self.max {
            return Err(ImageError::TooLarge { from: self.from.to_owned(), max_gib: self.max >> 30 });
        }
        if self.done / LOOK != before {
            need_room(self.folder, "the image", self.expected.saturating_sub(self.done), self.reserve)?;
        }
        self.hash.update(bytes);
        self.file.write_all(bytes).await.map_err(|error| ImageError::io("write", &self.path, error))?;
        let fraction = if self.expected == 0 { 0.5 } else { self.done as f64 / self.expected as f64 };
        self.span.say(fraction, &format!("{} ({} MiB)", self.span.step, self.done >> 20));
        Ok(())
    }

    async fn finish(&mut self) -> Result<(String, u64), ImageError> {
        self.file.flush().await.map_err(|error| ImageError::io("write", &self.path, error))?;
        Ok((format!("{:x}", std::mem::take(&mut self.hash).finalize()), self.done))
    }
}

async fn head(path: &Path) -> Result<Vec<u8>, ImageError> {
    let io = |error| ImageError::io("read", path, error);
    let file = tokio::fs::File::open(path).await.map_err(io)?;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    file.take(HEAD_BYTES as u64).read_to_end(&mut head).await.map_err(io)?;
    Ok(head)
}

/// One qcow2, compressed, of whatever `path` holds and stands on.
pub(crate) async fn convert(
    path: &Path,
    format: Format,
    store: &ImageStore,
    span: Span<'_>,
) -> Result<Part, ImageError> {
    let converted = Part::new(store.images())?;
    let command = Command::new("converting the image", "qemu-img", QEMU_PACKAGE)
        .args(["convert", "-p", "-f", format.qemu(), "-O", "qcow2", "-c", "-o", "compression_type=zstd"])
        .arg(path)
        .arg(converted.path());
    let done = command
        .run(span.job, |line| {
            if let Some(fraction) = progress::qemu_img(line) {
                span.at(fraction);
            }
        })
        .await;
    // qemu-img has opened the file anew; ours is only the name and the lock.
    done.map(|()| converted)
}
